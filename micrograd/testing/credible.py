"""Whether an accusation by a weak oracle counts.

Without a reference, or without mpmath, a rule is held to the complex step or to differences. Differences do not see an
oscillation that is finer than their steps, nor what cancels in the forward function or in the rule; they may step over
a kink. The complex step underflows, and at a border it does not leave the domain on the side where it should. A rule
that is right must not be called wrong for that: an accusation has to be clear, at a place where the function can be
seen at all, and short differences have to confirm it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from micrograd.ops import Op
from micrograd.testing.differences import slope
from micrograd.testing.findings import Fault
from micrograd.testing.oracles import along, share_along
from micrograd.testing.rounding import EPSILON

__all__ = ["is_credible", "is_far_out"]

_CLEAR = {1: 1e-5, 2: 1e-2}  # by the order: how much a derivative has to be off, relative; a rule has its own noise
_SEEN = 16.0 * EPSILON  # of 1, or of the result: what may hide in a function that adds up numbers of that size
_NEAR, _NEAR_AT_MOST = 1e-4, 1e-2  # the largest step of the differences that confirm: relative, and absolute
_ALIKE = 1e-2  # relative: two estimates of one derivative


def is_credible(op: Op, point: Sequence[float], out: float, fault: Fault) -> bool:
    """Tell whether an accusation of a rule counts.

    Args:
        op: the operation.
        point: the numbers of its operands.
        out: its result.
        fault: the accusation; one by a strong oracle, or by none, always counts.
    """
    if not fault.oracles or "mpmath" in fault.oracles or fault.place is None:
        return True
    for i, x in enumerate(point):
        domain = op.domain[i if op.arity is not None else 0]
        if any(x in (interval.low, interval.high) for interval in domain.intervals):
            return False
    if math.isnan(fault.engine) and is_far_out(point):
        return False
    if not math.isfinite(fault.engine):
        return _is_confirmed(op, point, fault)
    difference = abs(fault.engine - fault.expected)
    size = max(abs(fault.engine), abs(fault.expected), 1.0 if op.accuracy.absolute else 0.0)
    if difference <= _CLEAR[fault.order] * size:
        return False
    if difference * (abs(point[fault.place]) or 1.0) <= _SEEN * max(abs(out), 1.0):
        return False
    return _is_confirmed(op, point, fault)


def is_far_out(point: Sequence[float]) -> bool:
    """Tell whether squares and quotients of operands may overflow where the result does not."""
    return any(x != 0.0 and not 1e-100 < abs(x) < 1e100 for x in point)


def _is_confirmed(op: Op, point: Sequence[float], fault: Fault) -> bool:
    """Tell whether short steps find the expected derivative too."""
    place = fault.place
    assert place is not None
    for other, x in enumerate(point) if fault.order == 2 else [(place, point[place])]:
        f = share_along(op, point, place, other) if fault.order == 2 else along(op, point, place)
        found = slope(f, x, min(_NEAR * abs(x), _NEAR_AT_MOST) or _NEAR_AT_MOST)
        if found is not None and abs(found.value - fault.expected) <= _ALIKE * abs(fault.expected) + found.error:
            return True
    return False
