"""Where to look at an operation: points of every magnitude, at the borders of its domain, at its kinks and beside them.

A point is a tuple of flat operands. What is drawn at random comes from the generator that is passed in, so the same
points come in every process; what is special is listed.
"""

from __future__ import annotations

import functools
import itertools
import math
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

from micrograd.ops import Op
from micrograd.ops.domain import Domain, Interval
from micrograd.ops.reductions import PAIRED
from micrograd.testing.rounding import SMALLEST

__all__ = [
    "SPECIAL",
    "admitted",
    "anywhere",
    "at_kinks",
    "beside_kinks",
    "borders",
    "domains",
    "inside",
    "limit",
    "moderate",
    "quantities",
    "sizes",
    "special",
]

Point = tuple[float, ...]

SPECIAL = (0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 1e-300, -1e-300, 1e300, -1e300)
"""Numbers at which functions fail, and at which rules take a special case."""

LARGEST = sys.float_info.max
_ATTEMPTS = 1000  # to draw a number inside a domain
_STEPS = (1e-300, 1e-30, 1e-15, 1e-8, 1e-3)  # from a border or a kink


# --- shapes -----------------------------------------------------------------------------------------------------


def sizes(op: Op) -> Sequence[int]:
    """Return the numbers of flat operands to try.

    >>> from micrograd.ops import operations
    >>> sizes(operations()["mul"]), sizes(operations()["sum"])
    ((2,), (1, 2, 3, 5))
    """
    if op.arity is not None:
        return (op.arity,)
    return (2, 4, 6) if op.name in PAIRED else (1, 2, 3, 5)


def domains(op: Op, size: int) -> tuple[Domain, ...]:
    """Return the domain of each of ``size`` flat operands."""
    return op.domain if op.arity is not None else (op.domain[0],) * size


def _sized(rng: random.Random, op: Op) -> tuple[Domain, ...]:
    return domains(op, rng.choice(sizes(op)))


def _finished(rng: random.Random, op: Op, drawn: Iterable[float]) -> Point:
    """Return a point; ``take`` has an index, which is no number to differentiate by, behind its operands."""
    point = tuple(drawn)
    return (*point, float(rng.randrange(len(point)))) if op.name == "take" else point


# --- what is promised where -------------------------------------------------------------------------------------


def limit(op: Op) -> float:
    """Return how large the operands may be, beyond what the domain says, for the row to promise anything."""
    if op.name in ("erf", "erfc", "gelu"):
        return 1e100  # mpmath's erfc gives up
    if op.name == "atan2":
        return 1e308  # beyond, the length of (a, b) may be infinite, and a derivative of 4e-309 becomes 0
    if op.name == "logsumexp":
        return 1e18  # mpmath's exp takes its time
    if op.arity is None:
        return 1e60  # or products and sums overflow on the way, where the result does not
    return LARGEST


def admitted(op: Op, domain: Domain, x: float) -> bool:
    """Tell whether the row promises anything for an operand ``x``: inside its domain, neither subnormal nor too large.

    >>> from micrograd import log
    >>> admitted(log, log.domain[0], 1.0), admitted(log, log.domain[0], 0.0), admitted(log, log.domain[0], 5e-324)
    (True, False, False)
    """
    # Products of many operands underflow on the way too, where the result does not.
    smallest = SMALLEST if op.arity is not None else 1.0 / limit(op)
    return domain.contains(x) and abs(x) <= limit(op) and (x == 0.0 or abs(x) >= smallest)


def inside(op: Op, point: Point) -> bool:
    """Tell whether every operand is inside of its domain."""
    return all(domain.contains(x) for domain, x in zip(domains(op, len(point)), point))


# --- points drawn at random -------------------------------------------------------------------------------------


def anywhere(rng: random.Random, op: Op) -> Point:
    """Draw operands: half of them moderate, the rest of any magnitude, counted from 0 or from the domain's borders."""

    def drawn(domain: Domain) -> float:
        for _ in range(_ATTEMPTS):
            width = rng.choice((2, 2, 18, 307))
            x: float = rng.choice((-1.0, 1.0)) * 10.0 ** rng.uniform(-width, width)
            interval = rng.choice(domain.intervals)
            origin = rng.choice((0.0, interval.low, interval.high))
            if math.isfinite(origin):
                x += origin
            elif rng.random() < 0.02:
                x = 0.0
            if admitted(op, domain, x):
                return x
        return _middle(domain)

    return _finished(rng, op, map(drawn, _sized(rng, op)))


def moderate(rng: random.Random, op: Op) -> Point:
    """Draw operands of everyday size, away from the borders of the domain as far as it is wide enough."""

    def drawn(domain: Domain) -> float:
        for _ in range(_ATTEMPTS):
            x = rng.uniform(-3.0, 3.0)
            if abs(x) > 0.1 and domain.contains(x - 0.1) and domain.contains(x + 0.1):
                return x
        for _ in range(_ATTEMPTS):
            low, high = _window(rng.choice(domain.intervals))  # of a narrow one, or one far from 0
            x = low + (high - low) * rng.uniform(0.1, 0.9)
            if domain.contains(x):
                return x
        return _middle(domain)

    return _finished(rng, op, map(drawn, _sized(rng, op)))


def _window(interval: Interval) -> tuple[float, float]:
    """Return the part of an interval that is next to its finite border."""
    low, high = interval.low, interval.high
    if math.isinf(low) and math.isinf(high):
        return -3.0, 3.0
    if math.isinf(low):
        return high - 3.0 * max(1.0, abs(high)), high
    return low, low + 3.0 * max(1.0, abs(low)) if math.isinf(high) else high


def _middle(domain: Domain) -> float:
    """Return a number of a domain that is hard to hit."""
    low, high = _window(domain.intervals[0])
    return low + (high - low) / 2.0


# --- special points ---------------------------------------------------------------------------------------------


def special(rng: random.Random, op: Op, numbers: Sequence[float] = SPECIAL, most: int = 25) -> list[Point]:
    """Return points made of ``numbers`` that are inside the domain of every operand: all, or a sample of ``most``.

    ``where(eq(b, 0), 0, ...)`` has the right value at ``b == 0`` and the wrong derivative.
    """
    found = []
    for size in sizes(op):
        per_place = [[x for x in numbers if domain.contains(x)] for domain in domains(op, size)]
        if math.prod(map(len, per_place)) <= 4 * most:
            found += list(itertools.product(*per_place))
        elif all(per_place):
            found += [tuple(map(rng.choice, per_place)) for _ in range(most)]
    found = list({repr(point): point for point in found}.values())
    return [_finished(rng, op, point) for point in (rng.sample(found, most) if len(found) > most else found)]


def borders(rng: random.Random, op: Op) -> Iterator[tuple[Point, int]]:
    """Generate points with one operand at a border of its domain, beside it on either side, or in a gap; and its place.

    The other operands are moderate.
    """
    for size in sizes(op)[:2]:
        for place, domain in enumerate(domains(op, size)):
            for x in _border_numbers(domain):
                point = moderate(rng, op)
                while len(point) - (op.name == "take") != size:
                    point = moderate(rng, op)
                yield (*point[:place], x, *point[place + 1 :]), place


def _border_numbers(domain: Domain) -> list[float]:
    ends = [x for interval in domain.intervals for x in (interval.low, interval.high) if math.isfinite(x)]
    found: dict[str, float] = {}
    for end in ends:
        near = [end, math.nextafter(end, -math.inf), math.nextafter(end, math.inf)]
        near += [end + sign * step * max(1.0, abs(end)) for step in _STEPS for sign in (-1.0, 1.0)]
        near += [end - 1.0, end + 1.0] if end else [-0.0, -1.0, 1.0]
        found |= {repr(x): x for x in near}
    return list(found.values())


# --- kinks ------------------------------------------------------------------------------------------------------


def quantities(op: Op, point: Point) -> list[float]:
    """Return what vanishes at the kinks of ``op``; nothing where a user's function is not defined.

    >>> from micrograd import maximum
    >>> quantities(maximum, (3.0, 1.0))
    [2.0]
    """
    try:
        return [] if op.kinks is None else [float(quantity) for quantity in op.kinks(*point)]
    except (ArithmeticError, ValueError):
        return []


def at_kinks(rng: random.Random, op: Op, count: int) -> list[Point]:
    """Return up to ``count`` points inside the domain at which a quantity of ``kinks`` is exactly 0.

    Candidates for one operand, the others being moderate: where the quantity would vanish if it were ``a - point``,
    ties with the other operands, 0, and bisection between two numbers at which a quantity has different signs.
    """
    found: dict[str, Point] = {}
    for _ in range(4 * count if op.kinks is not None else 0):
        start = moderate(rng, op)
        for place in rng.sample(range(len(start)), len(start)):
            for x in _candidates(op, start, place):
                point = (*start[:place], x, *start[place + 1 :])
                if inside(op, point) and any(quantity == 0.0 for quantity in quantities(op, point)):
                    found[repr(point)] = point
        found |= _all_equal(op, start)
        if len(found) >= 4 * count:
            break
    points = list(found.values())
    return rng.sample(points, count) if len(points) > count else points


def _all_equal(op: Op, start: Point) -> dict[str, Point]:
    """Return points at which all operands are one number, or both halves are: a distance of 0."""
    half = start[: len(start) // 2]
    equal = [(x,) * len(start) for x in (0.0, start[0])] + ([half + half] if 2 * len(half) == len(start) else [])
    return {
        repr(point): point
        for point in equal
        if inside(op, point) and any(quantity == 0.0 for quantity in quantities(op, point))
    }


def _candidates(op: Op, start: Point, place: int) -> Iterator[float]:
    def along(x: float) -> list[float]:
        return quantities(op, (*start[:place], x, *start[place + 1 :]))

    yield from (0.0, -0.0)
    for k, x in enumerate(start):
        if k != place:
            yield from (x, -x)
    yield from (-quantity for quantity in along(0.0))
    grid = [-1e3, -30.0, -10.0, -4.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 4.0, 10.0, 30.0, 1e3]
    values = [along(x) for x in grid]
    yield from (x for x, found in zip(grid, values) if 0.0 in found)
    for (low, before), (high, after) in itertools.pairwise(zip(grid, values)):
        for k, (first, second) in enumerate(zip(before, after)):
            if first * second < 0.0:
                yield from _bisected(functools.partial(_nth, along, k), low, high)


def _nth(along: Callable[[float], list[float]], k: int, x: float) -> float:
    found = along(x)
    return found[k] if k < len(found) else math.nan


def _bisected(quantity: Callable[[float], float], low: float, high: float) -> Iterator[float]:
    """Generate the two neighbouring floats between which ``quantity`` changes its sign, or the one where it is 0."""
    negative = quantity(low) < 0.0
    for _ in range(1100):
        middle = low + (high - low) / 2.0
        if middle in (low, high):
            break
        here = quantity(middle)
        if here == 0.0 or math.isnan(here):
            yield middle
            return
        if (here < 0.0) == negative:
            low = middle
        else:
            high = middle
    yield from (low, high)


def beside_kinks(rng: random.Random, op: Op, kinks: Sequence[Point]) -> Iterator[Point]:
    """Generate points inside the domain that are near ``kinks``, at any distance, and not at a kink."""
    for kink in itertools.islice(itertools.cycle(kinks), max(24, len(kinks)) if kinks else 0):
        place = rng.randrange(len(kink) - (op.name == "take"))
        scale = max(map(abs, kink)) or 1.0
        for width in (12, 6, 2):
            step = rng.choice((-1.0, 1.0)) * 10.0 ** -rng.uniform(width - 1, width) * scale
            point = (*kink[:place], kink[place] + step, *kink[place + 1 :])
            if inside(op, point) and all(quantity != 0.0 for quantity in quantities(op, point)):
                yield point
