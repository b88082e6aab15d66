"""Hypothesis strategies for what goes into a function: single Values, and tuples of numbers inside a domain.

Ordinary numbers are moderate, never tiny, and clear of the border of the domain: whatever is computed from a few of
them, floats can compute it. Edges are the opposite, on request: signed zeros, the very large and the very small, the
border and its neighbours, and numbers that occur twice.

>>> from hypothesis import find
>>> find(inputs(2, "(0, inf)"), lambda pair: pair[0] > pair[1])
(2.0, 1.0)
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence

from hypothesis import strategies as st

from micrograd.engine import Value
from micrograd.errors import describe
from micrograd.ops.domain import REALS, Domain, Interval

__all__ = [
    "EDGES",
    "MARGIN",
    "beside",
    "edge_numbers",
    "inputs",
    "numbers_at_edges",
    "ordinary_numbers",
    "tied",
    "values",
]

MARGIN = 1e-3  # between an ordinary number and the border of its domain
EDGES = (0.0, -0.0, 1.0, -1.0, 1e-300, -1e-300, 1e300, -1e300)
_TIED = 3  # every third number, where ties are asked for, is an earlier one
_REACH = 4.0  # of ordinary numbers; a product of a dozen of them does not overflow ...
_CLEAR = 0.01  # ... and, as they are 0 or not as small as this, does not underflow


def values(
    min_value: float | None = None,
    max_value: float | None = None,
    *,
    allow_nan: bool = False,
    allow_infinity: bool = False,
) -> st.SearchStrategy[Value]:
    """Return a strategy for leaves: new Values with finite numbers, unless told otherwise.

    >>> from hypothesis import find
    >>> find(values(min_value=0.0, max_value=8.0), lambda v: v.data > 2.5)
    Value(data=3.0, grad=0.0)
    """
    numbers = st.floats(min_value, max_value, allow_nan=allow_nan, allow_infinity=allow_infinity)
    return numbers.map(Value)


def inputs(
    count: int = 1, domain: str | Domain | Sequence[str | Domain] | None = None, *, edges: bool = False
) -> st.SearchStrategy[tuple[float, ...]]:
    """Return a strategy for the arguments of a function: tuples of finite floats inside its domain.

    Args:
        count: how many numbers a tuple has.
        domain: where they lie, ``"(0, inf)"`` or ``"[-1, 0) | (0, 1]"`` for instance; one text for all or one for each;
            all real numbers if ``None``.
        edges: draw also, where the domain has them, 0.0, -0.0, 1, -1, 1e-300, 1e300 and their negatives, the closed
            borders of the domain, the floats next to its borders, and the same number twice.

    Raises ``TypeError`` for a count or a domain of another kind, ``ValueError`` for a count below 1, for text that is
    no domain, for a domain without floats, and where the number of domains is not ``count``.

    >>> from hypothesis import given, settings
    >>> import micrograd as mg
    >>> @settings(max_examples=20, derandomize=True, database=None)
    ... @given(inputs(2, ["(0, inf)", "(-1, 1)"]))
    ... def the_gradient_of_a_sum_has_no_cross_terms(numbers):
    ...     a, b = map(Value, numbers)
    ...     (mg.log(a) + mg.atanh(b)).backward()
    ...     assert a.grad == 1 / a.data
    >>> the_gradient_of_a_sum_has_no_cross_terms()
    """
    if type(count) is not int:
        raise TypeError(f"count is a whole number, 1 or more, not {describe(count)}")
    if count < 1:
        raise ValueError(f"count is at least 1, not {count}")
    domains = _domains(count, domain)
    if not edges:
        return st.tuples(*map(ordinary_numbers, domains))
    return tied([(x, numbers_at_edges(x)) for x in domains], ulps=(0,))


def _domains(count: int, domain: str | Domain | Sequence[str | Domain] | None) -> list[Domain]:
    if domain is None:
        domain = REALS
    given = [domain] * count if isinstance(domain, (str, Domain)) else domain
    if not isinstance(given, (list, tuple)) or not all(isinstance(x, (str, Domain)) for x in given):
        raise TypeError(f"domain is text such as '(0, inf)', or one such text per input, not {describe(domain)}")
    if len(given) != count:
        raise ValueError(f"domain has {len(given)} entries for {count} inputs; give one for each, or one text for all")
    return [x if isinstance(x, Domain) else Domain.parse(x) for x in given]


# --- one number -------------------------------------------------------------------------------------------------


def ordinary_numbers(domain: Domain) -> st.SearchStrategy[float]:
    """Return a strategy for moderate numbers clear of the border of ``domain``, as far as it has such numbers."""
    pieces = [piece for interval in domain.intervals for piece in _pieces(interval)]
    if not pieces:
        raise ValueError(f"there is no float in the domain {domain}")
    return st.one_of(pieces)


def _pieces(interval: Interval) -> Iterator[st.SearchStrategy[float]]:
    low, high = _window(interval)
    if low > high:  # no float between the borders
        borders = [x for x in (interval.low, interval.high) if math.isfinite(x) and interval.contains(x)]
        if borders:
            yield st.sampled_from(borders)
        return
    sides = [(a, b) for a, b in ((max(low, _CLEAR), high), (low, min(high, -_CLEAR))) if a <= b]
    if low <= 0.0 <= high and sides:
        yield st.just(0.0)
    for a, b in sides or [(low, high)]:
        yield st.floats(a, b)


def _window(interval: Interval) -> tuple[float, float]:
    """Return the part of an interval that is near its point nearest to 0, without its borders."""
    nearest = min(max(0.0, interval.low), interval.high)
    reach = max(_REACH, abs(nearest))
    low, high = max(nearest - reach, interval.low), min(nearest + reach, interval.high)
    margin = min(MARGIN, (high - low) / 4.0)
    if low == interval.low:
        low = max(low + margin, math.nextafter(low, math.inf))
    if high == interval.high:
        high = min(high - margin, math.nextafter(high, -math.inf))
    return max(low, -sys.float_info.max), min(high, sys.float_info.max)


def edge_numbers(domain: Domain) -> st.SearchStrategy[float]:
    """Return a strategy for the numbers of ``domain`` at which functions fail."""
    ends = [x for interval in domain.intervals for x in (interval.low, interval.high) if math.isfinite(x)]
    beside = [math.nextafter(x, direction) for x in ends for direction in (-math.inf, math.inf)]
    inside = {repr(x): x for x in (*EDGES, *ends, *beside) if math.isfinite(x) and domain.contains(x)}
    zeros = [x for x in inside.values() if x == 0.0]  # twice: either sign is an edge by itself
    return st.sampled_from([*inside.values(), *zeros]) if inside else st.nothing()


def numbers_at_edges(domain: Domain) -> st.SearchStrategy[float]:
    """Return a strategy for ordinary numbers of ``domain`` and, three times as often, those at which functions fail."""
    ordinary, edges = ordinary_numbers(domain), edge_numbers(domain)
    if edges.is_empty:
        return ordinary
    # A draw of its own, as for ties: among alternatives, each of the edges would be rarer than each kind of others.
    return st.integers(0, 3).flatmap(lambda k: edges if k else ordinary)


# --- several ----------------------------------------------------------------------------------------------------


@st.composite
def tied(
    draw: st.DrawFn, sources: Sequence[tuple[Domain, st.SearchStrategy[float]]], ulps: Sequence[int]
) -> tuple[float, ...]:
    """Draw one number from each source; or an earlier one again, so many ulps away, where it lies in the domain."""
    drawn: list[float] = []
    for domain, numbers in sources:
        again = [y for x in drawn for y in (beside(x, k) for k in ulps) if domain.contains(y)]
        # A draw of its own: as one alternative of many it would be met as rarely as each of them.
        repeat = again and draw(st.integers(0, _TIED - 1)) == _TIED - 1
        drawn.append(draw(st.sampled_from(again) if repeat else numbers))
    return tuple(drawn)


def beside(x: float, ulps: int) -> float:
    """Return the number so many ulps from ``x``; near 0, ulps of 1, for its own are too small to compute with."""
    return x + ulps * math.ulp(x if abs(x) >= _CLEAR else 1.0) if ulps else x
