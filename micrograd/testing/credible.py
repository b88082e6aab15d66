"""Whether an accusation by a weak oracle counts.

Without a reference, or without mpmath, a rule is held to the complex step or to differences. Differences do not see an
oscillation that is finer than their steps, nor what cancels in the forward function or in the rule; they may step over
a kink. The complex step underflows, and at a border it does not leave the domain on the side where it should. A user's
operation that is right must not be called wrong for that.
"""

from __future__ import annotations

from collections.abc import Sequence

from micrograd.ops import Op
from micrograd.ops.table import is_builtin
from micrograd.testing.differences import slope
from micrograd.testing.oracles import moved
from micrograd.testing.points import Point, domains
from micrograd.testing.rules import Fault

__all__ = ["is_credible"]

_EVERYDAY = (1e-3, 1e3)  # where a weak oracle may accuse, and
_CLEAR = 1e-5  # by how much, relative
_NEAR, _NEAR_ZERO = 1e-4, 1e-2  # the largest step of differences that are asked once more: relative, and at 0
_ALIKE = 1e-2  # relative: two estimates of one second derivative


def is_credible(op: Op, point: Point, fault: Fault) -> bool:
    """Tell whether an accusation counts: by a weak oracle, only a clear one at a point of everyday size."""
    size = max(abs(fault.engine), abs(fault.expected))
    if {"mpmath", "convention"} & set(fault.oracles) or (is_builtin(op) and not fault.oracles):
        return True
    for x, domain in zip(point, domains(op, len(point))):
        if any(x in (interval.low, interval.high) for interval in domain.intervals):
            return False
        is_far = all(interval.low > _EVERYDAY[1] or interval.high < -_EVERYDAY[1] for interval in domain.intervals)
        if x != 0.0 and not _EVERYDAY[0] <= abs(x) <= _EVERYDAY[1] and not is_far:
            return False
    if abs(fault.engine - fault.expected) <= _CLEAR * (max(size, 1.0) if op.accuracy.absolute else size):
        return False
    return fault.order != 2 or _is_seen_from_near(op, point, fault)


def _is_seen_from_near(op: Op, point: Point, fault: Fault) -> bool:
    """Tell whether short steps find the expected second derivative too, of any share along any operand."""

    def share(operands: Sequence[float], place: int) -> float:
        wanted = [k == place for k in range(len(operands))]
        return float(op.contributions(1.0, op.forward(*operands), operands, wanted)[place])

    for place in range(len(point)) if fault.place is None else [fault.place]:
        for other, x in enumerate(point):
            reach = _NEAR * abs(x) or _NEAR_ZERO
            found = slope(lambda y, i=place, k=other: share(moved(point, k, y), i), x, reach)  # type: ignore[misc]
            if found is not None and abs(found.value - fault.expected) <= _ALIKE * abs(fault.expected):
                return True
    return False
