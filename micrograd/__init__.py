"""micrograd: a scalar automatic-differentiation engine to read, see, trust and run.

>>> import micrograd as mg
>>> w, x, b = mg.Value(0.5), mg.Value(2.0), mg.Value(-1.0)
>>> y = mg.tanh(w * x + b)
>>> y.backward()
>>> w.grad, x.grad, b.grad
(2.0, 0.5, 1.0)

Where to look: ``engine.py`` for the backward pass, ``ops/`` for the operations and their derivatives, ``functional.py``
for derivatives of functions, ``graph.py`` for the account of a gradient, ``arrays.py`` for NumPy, ``nn/`` for
networks, ``optim/`` for optimisers, ``pictures/`` for pictures of a graph, ``testing/`` for tests of gradients,
``compiler/`` for native speed.
"""

from __future__ import annotations

import importlib as _importlib
from typing import TYPE_CHECKING
from typing import Any as _Any

from micrograd import ops
from micrograd._modes import detect_anomaly, no_grad, pause_gc, scope
from micrograd._version import __version__ as __version__
from micrograd.arrays import array, data_of, grad_of
from micrograd.engine import Value
from micrograd.errors import (
    AnomalyError,
    CompilationError,
    DrawingError,
    ExpressionError,
    GradientError,
    GraphFileError,
    ModelFileError,
    StaleValueError,
    TraceError,
)
from micrograd.functional import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from micrograd.graph import explain, statistics, topological_order
from micrograd.graph_file import load, save
from micrograd.ops import Accuracy, Op, op, operations
from micrograd.ops import abs as abs
from micrograd.ops import pow as pow
from micrograd.ops import sum as sum
from micrograd.ops.activations import *
from micrograd.ops.arithmetic import *
from micrograd.ops.elementary import *
from micrograd.ops.reductions import *
from micrograd.ops.selection import *

if TYPE_CHECKING:
    from micrograd import nn as nn
    from micrograd import optim as optim
    from micrograd import testing as testing
    from micrograd.compiler import compile as compile
    from micrograd.pictures import draw as draw
    from micrograd.pictures import explore as explore

__all__ = [
    "AnomalyError",
    "CompilationError",
    "DrawingError",
    "ExpressionError",
    "GradientError",
    "GraphFileError",
    "ModelFileError",
    "StaleValueError",
    "TraceError",
    "Value",
    "Accuracy",
    "Op",
    "array",
    "data_of",
    "detect_anomaly",
    "draw",
    "explain",
    "explore",
    "grad",
    "grad_of",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "load",
    "no_grad",
    "op",
    "operations",
    "pause_gc",
    "save",
    "scope",
    "statistics",
    "topological_order",
    "value_and_grad",
    "vjp",
]
# Every operation too, but for abs, pow and sum, and compile is left out: a star import must not replace the builtins.
__all__ += ops.arithmetic.__all__
__all__ += ops.selection.__all__
__all__ += ops.elementary.__all__
__all__ += ops.activations.__all__
__all__ += ops.reductions.__all__

_WINGS = ("nn", "optim", "testing")  # loaded when they are first asked for
_ON_DEMAND = {"compile": "micrograd.compiler", "draw": "micrograd.pictures", "explore": "micrograd.pictures"}


def __getattr__(name: str) -> _Any:
    if name in _WINGS:
        return _importlib.import_module(f"micrograd.{name}")
    if name in _ON_DEMAND:
        return getattr(_importlib.import_module(_ON_DEMAND[name]), name)
    if name in ops.operations():  # an operation that was registered by the user
        return ops.operations()[name]
    raise AttributeError(f"module 'micrograd' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_WINGS, *_ON_DEMAND, *ops.operations()})
