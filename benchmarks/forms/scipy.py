"""SciPy: Rosenbrock's function and its derivatives written by hand in NumPy, by SciPy's authors."""

# mypy: disable-error-code="import-not-found, import-untyped"

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import scipy
from scipy.optimize import rosen, rosen_der, rosen_hess

from benchmarks.forms import Forms, Prepared

__all__ = ["load"]


def load() -> Forms:
    """Return the forms."""
    return Forms(version=scipy.__version__, forms={"c3": c3, "c3 hessian": c3_hessian})


def c3(problem: Mapping[str, Any]) -> Prepared:
    x = problem["x"]
    return Prepared(lambda: (rosen(x), rosen_der(x)))


def c3_hessian(problem: Mapping[str, Any]) -> Prepared:
    x = problem["x"]
    return Prepared(lambda: rosen_hess(x))
