"""How far rounding may carry a result: error bounds of first order, from what every row of the table promises.

The error of a node is what the errors of its operands become, each times the size of the local derivative, and the
rounding that the node's own operation is allowed. Summed over all paths this is the bound ``4(n+1) * eps * A`` again,
with each operation's own constant in place of the 4 (Higham, *Accuracy and Stability of Numerical Algorithms*, ch. 3).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Container, Sequence
from typing import Any

from micrograd.engine import Value, captured
from micrograd.graph import topological_order
from micrograd.ops import Op

__all__ = [
    "EPSILON",
    "SMALLEST",
    "UNDERFLOW",
    "carried",
    "extreme",
    "own_rounding",
    "path_bound",
    "path_sizes",
    "running_errors",
]

EPSILON = sys.float_info.epsilon
SMALLEST = sys.float_info.min
"""Below are the subnormal numbers, of which no row promises anything."""

UNDERFLOW = 2.0**-1074
"""What is lost of a result that underflows, at most: the smallest subnormal number."""

_FAR = 1e60  # products and sums of several operands overflow or underflow on the way, where the result may not


def path_bound(uses: int, size: float) -> float:
    """Return how far two sums over the same paths may be apart: ``4(n+1) * eps * A``.

    Args:
        uses: n, how many multiplications and additions there are at most: the operations, or the edges, of the graph.
        size: A, the sum over all paths of the products of the local derivatives' sizes.
    """
    return 4.0 * (uses + 1) * EPSILON * size


def path_sizes(root: Value) -> dict[Value, float]:
    """Return, for every node below ``root``, the sum over all paths of the products of the local derivatives' sizes.

    It is what the gradient would be if nothing cancelled.

    >>> x = Value(3.0)
    >>> path_sizes(x * 2.0 - x)[x]
    3.0
    """
    order = topological_order(root)
    sizes = dict.fromkeys(order, 0.0)
    sizes[root] = 1.0
    for node in reversed(order):
        row, size = node._op_row, sizes[node]
        if row is None or size == 0.0:
            continue
        for x, slope in zip(node.operands, row.contributions(1.0, node._out, captured(node))):
            if isinstance(x, Value) and slope != 0.0:
                sizes[x] += size * abs(slope)
    return sizes


def own_rounding(op: Op, operands: Sequence[float], out: float) -> float:
    """Return the largest error that the row promises for a result, as a number."""
    size = abs(out)
    if not math.isfinite(size):
        return 0.0
    if op.accuracy.absolute:
        size = max(size, 1.0)
    if op.arity is not None:
        return max(op.accuracy.value * math.ulp(size), UNDERFLOW if op.accuracy.value else 0.0)
    slopes = op.contributions(1.0, out, operands)
    terms = sum(abs(x * slope) for x, slope in zip(operands, slopes) if math.isfinite(x * slope))
    return len(operands) * max(op.accuracy.value * math.ulp(max(size, terms)), UNDERFLOW if op.accuracy.value else 0.0)


def carried(op: Op, operands: Sequence[float], out: float, errors: Sequence[float]) -> float:
    """Return what the errors of the operands become in the result, to first order."""
    if not any(errors):
        return 0.0
    slopes = op.contributions(1.0, out, operands)
    # Where the slope is 0 nothing arrives, even of an error that nobody can bound: the other branch of ``where``.
    return math.fsum(abs(slope) * error for slope, error in zip(slopes, errors) if error and slope)


def running_errors(roots: Sequence[Any], exact: Container[Value] = ()) -> list[float]:
    """Return how far rounding may have carried each root from what its leaves define; nan or inf where all is possible.

    Args:
        roots: Values; numbers among them have no error.
        exact: nodes whose numbers are taken as they are.

    >>> x = Value(1e8)
    >>> (error,) = running_errors([x * x - x * x])      # of 1e16, the last bit is 2
    >>> 1.0 <= error <= 4.0
    True
    """
    errors: dict[Value, float] = {}
    for node in topological_order(*[root for root in roots if isinstance(root, Value)]):
        row = node._op_row
        if row is None or node in exact:
            errors[node] = 0.0
            continue
        numbers, out = captured(node), node._out
        given = [errors[x] if isinstance(x, Value) else 0.0 for x in node.operands]
        errors[node] = carried(row, numbers, out, given) + own_rounding(row, numbers, out)
    # An error that underflows is not nothing: it may be multiplied by 1e300 later.
    return [errors[root] and max(errors[root], UNDERFLOW) if isinstance(root, Value) else 0.0 for root in roots]


def extreme(op: Op, operands: Sequence[float], out: float) -> bool:
    """Tell whether the row promises nothing at a point: not in the domain, not finite, subnormal, or overflowing."""
    sizes = [abs(x) for x in operands if x != 0.0]
    if not all(map(math.isfinite, sizes)):
        return True
    if not all(op.domain[i if op.arity is not None else 0].contains(x) for i, x in enumerate(operands)):
        return True
    if any(size < SMALLEST for size in (*sizes, *([abs(out)] if out else ()))):
        return True
    return op.arity is None and any(not 1.0 / _FAR <= size <= _FAR for size in sizes)
