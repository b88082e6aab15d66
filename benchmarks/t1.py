"""T1: a check of first and second derivatives of one function, called from Python: what a verdict costs.

The same function of three numbers, 30 operations, for each engine; and each checks it with what it ships for that.
"""

from __future__ import annotations

from typing import Any

from benchmarks.compiled import Case, Entry, compete, tell
from benchmarks.report import Report
from benchmarks.rounds import Session

__all__ = ["REPEAT", "SIZES", "SUMMARY", "function", "problem", "run"]

SUMMARY = "a gradient check to order SIZE of a function of 3 numbers and 30 operations"
SIZES = (1, 2)
REPEAT = 20

ENTRIES = (
    Entry("ours", "t1", "gradcheck (ours)"),
    Entry("torch", "t1", "PyTorch gradcheck, gradgradcheck"),
    Entry("jax", "t1", "JAX check_grads"),
)


def problem(size: int) -> dict[str, Any]:
    """Return the point, and the order of the check."""
    return {"x": [0.7, 1.2, -0.4], "order": size}


def function(m: Any, x: Any, y: Any, z: Any) -> Any:
    """Compute 30 operations with the functions of ``m``; results are shared and used again."""
    a = m.sin(x * y) + z
    b = m.exp(-a * a) + m.tanh(x - z)
    c = m.log(b * b + 1.5) * y
    d = m.sqrt(c * c + a * a + 0.5)
    e = m.tanh(d - b) * m.cosh(c)
    g = e * e - d / (b * b + 1.0)
    return m.cos(g) * e + c * d * a


def run(session: Session) -> Report:
    """Measure every engine at both orders."""
    cases = [Case(f"order {order}", (order,), ENTRIES) for order in session.sizes]
    return tell(
        "t1",
        f"T1: {SUMMARY.replace('SIZE', ' and '.join(map(str, session.sizes)))}",
        "ms",
        compete(session, cases),
        [
            "every engine checks with its own defaults; what the verdicts are worth is T2",
            "JAX compares with differences along random directions; ours and PyTorch along every input",
        ],
        scale=1e3,
    )
