"""The weakest oracle, which needs nothing but the function itself: differences, extrapolated.

Central differences with smaller and smaller steps, and Richardson's extrapolation of them to a step of nothing, in
Ridders' way: the tableau also says how far it can be trusted, and the entry that can be trusted most is taken
(Ridders, Advances in Engineering Software 4, 1982).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from micrograd.testing.rounding import EPSILON, UNDERFLOW

__all__ = ["CLEAR", "RESOLVED", "Slope", "differ", "one_sided", "slope"]

CLEAR = 32.0
"""Times the error of differences: the margin by which they may accuse."""

RESOLVED = 1e-3
"""Differences that may be off by more than this part of the derivative say nothing."""

_LEVELS = 12
_SHRINK = 2.0  # of the step, from one level to the next; a power of two keeps steps exact
_SAME = 1e-2  # relative: how far the smallest step alone may be from the extrapolation


@dataclass(frozen=True)
class Slope:
    """A derivative, and how far it may be off."""

    value: float
    error: float


def slope(f: Callable[[float], float], x: float, reach: float | None = None) -> Slope | None:
    """Return the derivative of ``f`` at ``x``; ``None`` where no step gives finite numbers.

    Args:
        f: a function of one float.
        x: the point.
        reach: the largest step to try; by default an eighth of ``x``, or of 1 at 0.

    >>> found = slope(math.exp, 0.0)
    >>> abs(found.value - 1.0) <= found.error < 1e-9
    True
    """

    def difference(h: float) -> tuple[float, float]:
        up, down = f(x + h), f(x - h)
        width = (x + h) - (x - h)
        return (up - down) / width, (abs(up) + abs(down) + 1.0) / abs(width)

    return _extrapolated(difference, _first(x, reach), order=2)


def one_sided(f: Callable[[float], float], x: float, side: float, reach: float | None = None) -> Slope | None:
    """Return the slope of ``f`` on one side of ``x``, ``side`` being 1.0 or -1.0; ``None`` where there is none.

    >>> one_sided(abs, 0.0, -1.0).value, one_sided(abs, 0.0, 1.0).value
    (-1.0, 1.0)
    """
    here = f(x)

    def difference(h: float) -> tuple[float, float]:
        there = f(x + side * h)
        width = (x + side * h) - x
        return (there - here) / width, (abs(there) + abs(here) + 1.0) / abs(width)

    return _extrapolated(difference, _first(x, reach), order=1)


def differ(slopes: Sequence[Slope | None]) -> bool:
    """Tell whether the slopes on the two sides differ by a clear margin, or one is missing.

    >>> differ([one_sided(abs, 0.0, -1.0), one_sided(abs, 0.0, 1.0)])
    True
    """
    there = [s for s in slopes if s is not None]
    if len(there) < 2:
        return True
    left, right = there
    return abs(left.value - right.value) > CLEAR * (left.error + right.error) + 1e-6 * abs(left.value)


def _first(x: float, reach: float | None) -> float:
    # Not an eighth of a large number: a function may go up and down many times on the way.
    h = max(min(abs(x), 1.0), abs(x) * 2.0**-30) / 8.0 or 1.0 / 8.0
    if reach is not None and reach < h:
        h = reach
    return math.ldexp(0.5, math.frexp(h)[1])


def _extrapolated(difference: Callable[[float], tuple[float, float]], h: float, order: int) -> Slope | None:
    """Extrapolate ``difference(h)`` to ``h = 0``; its error is a series in powers of ``h ** order``."""
    best: Slope | None = None
    before: list[float] = []
    finest = (math.nan, math.nan)
    for _ in range(_LEVELS):
        try:
            estimate, size = difference(h)
        except (ArithmeticError, ValueError, RuntimeWarning):  # outside of the domain; a smaller step may not be
            estimate = size = math.nan
        h /= _SHRINK
        if not math.isfinite(estimate):
            if before:
                return None  # finite farther away and not so here: only some of the points around are in the domain
            continue
        # Of the rounding of two results, and of numbers of size 1 that may be inside; and of what underflows.
        noise = EPSILON * size + UNDERFLOW / h
        finest = estimate, noise
        row = [estimate]
        factor = 1.0
        for column, previous in enumerate(before):
            factor *= _SHRINK**order
            better = row[column] + (row[column] - previous) / (factor - 1.0)
            row.append(better)
            error = max(abs(better - row[column]), abs(better - previous)) + noise
            if best is None or error < best.error:
                best = Slope(better, error)
        before = row
    if best is not None:
        # Where large steps agree with each other and not with the smallest, they have stepped over something.
        apart = abs(best.value - finest[0])
        if apart > _SAME * max(abs(best.value), abs(finest[0])) + 8.0 * finest[1]:
            best = Slope(best.value, max(best.error, apart))
    return best
