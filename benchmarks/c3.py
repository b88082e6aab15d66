"""C3: Rosenbrock's function and its gradient, called from Python with one NumPy array: what a call costs.

A minimiser calls such a function thousands of times, one point after another, so nothing can be spread over a batch.
"""

from __future__ import annotations

import random
from typing import Any

from benchmarks.compiled import Case, Entry, compete, tell
from benchmarks.report import Report
from benchmarks.rounds import Session

__all__ = ["REPEAT", "SIZES", "SUMMARY", "problem", "run"]

SUMMARY = "compiled: Rosenbrock's function of SIZE variables and its gradient, one call from Python; and its Hessian"
SIZES = (10, 1000)
REPEAT = 20

_HESSIAN = 100  # variables of the Hessian, where --size says nothing else

GRADIENT = (
    Entry("ours", "c3", "micrograd (ours)"),
    Entry("jax", "c3", "JAX jit"),
    Entry("torch", "c3", "PyTorch tensors"),
    Entry("casadi", "c3", "CasADi SX"),
    Entry("casadi", "c3 buffer", "CasADi SX, buffers"),
    Entry("casadi", "c3 gcc", "CasADi SX, gcc -O3 native, buffers"),
    Entry("scipy", "c3", "SciPy's rosen, rosen_der"),
)
HESSIAN = (
    Entry("ours", "c3 hessian", "micrograd (ours)"),
    Entry("jax", "c3 hessian", "JAX jit"),
    Entry("torch", "c3 hessian", "PyTorch tensors"),
    Entry("casadi", "c3 hessian", "CasADi SX"),
    Entry("casadi", "c3 hessian buffer", "CasADi SX, buffers"),
    Entry("scipy", "c3 hessian", "SciPy's rosen_hess"),
)


def problem(size: int) -> dict[str, Any]:
    """Return a random point between -2 and 2."""
    rng = random.Random(1)
    return {"x": [rng.uniform(-2.0, 2.0) for _ in range(size)]}


def run(session: Session) -> Report:
    """Measure every engine: value and gradient at every size, and one Hessian."""
    size = _HESSIAN if len(session.sizes) > 1 else session.sizes[0]
    cases = [Case(f"n={size}", (size,), GRADIENT) for size in session.sizes]
    cases.append(Case(f"Hessian, n={size}", (size,), HESSIAN))
    return tell(
        "c3",
        f"C3: {SUMMARY.replace('SIZE', ' and '.join(map(str, session.sizes)))}",
        "us",
        compete(session, cases),
        ["CasADi's buffers are arrays bound once, outside the timing; its Hessian is sparse, and made dense here"],
    )
