"""Protects domains: what an interval contains, how it is written and read, and that the table's domains are true."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from table_rows import ROWS

from micrograd.ops.domain import REALS, Domain, Interval

inf, nan = math.inf, math.nan

ends = st.floats(allow_nan=False).map(lambda x: float(f"{x:g}"))  # a border is written with six digits
intervals = (
    st.tuples(ends, ends, st.booleans(), st.booleans()).filter(lambda t: t[0] < t[1]).map(lambda t: Interval(*t))
)


@given(intervals, st.floats())
def test_an_interval_contains_what_lies_between_its_ends(interval: Interval, x: float) -> None:
    inside = interval.low < x < interval.high
    at_an_end = (x == interval.low and interval.low_closed) or (x == interval.high and interval.high_closed)
    assert interval.contains(x) == (inside or at_an_end)


@given(intervals)
def test_an_interval_contains_its_closed_ends_only(interval: Interval) -> None:
    assert interval.contains(interval.low) == interval.low_closed
    assert interval.contains(interval.high) == interval.high_closed
    assert not interval.contains(nan)


@given(st.lists(intervals, min_size=1, max_size=3).map(lambda parts: Domain(tuple(parts))), st.floats())
def test_a_domain_is_the_union_of_its_intervals_and_reads_what_it_writes(domain: Domain, x: float) -> None:
    assert domain.contains(x) == any(part.contains(x) for part in domain.intervals)
    assert Domain.parse(str(domain)) == domain


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("(0, inf)", "(0, inf)"),
        ("[-1,1]", "[-1, 1]"),
        (" ( -inf , 0 ) | [ 1 , 2 ) ", "(-inf, 0) | [1, 2)"),
        ("(1e-3, 1E3)", "(0.001, 1000)"),
    ],
)
def test_reading(text: str, written: str) -> None:
    assert str(Domain.parse(text)) == written


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "(0, 1",
        "0, 1)",
        "(1, 0)",
        "(0, 0)",
        "[0, 0]",
        "(nan, 1)",
        "(0, nan)",
        "(a, b)",
        "(0, 1) |",
        "(0, 1, 2)",
    ],
)
def test_what_is_no_union_of_intervals_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a union of intervals such as '\(0, inf\)' or '\[-1, 1\]'") as caught:
        Domain.parse(text)
    assert repr(text) in str(caught.value)


def test_the_reals() -> None:
    assert REALS.contains(1e308)
    assert not REALS.contains(inf)
    assert str(REALS) == "(-inf, inf)"


# --- the domains of the table -----------------------------------------------------------------------------------

LIMITED = [row for row in ROWS.values() if row.arity is not None and any(domain != REALS for domain in row.domain)]


def test_the_rows_with_a_limited_domain() -> None:
    assert {row.name: " x ".join(map(str, row.domain)) for row in LIMITED} == {
        "acos": "[-1, 1]",
        "acosh": "[1, inf)",
        "asin": "[-1, 1]",
        "atanh": "(-1, 1)",
        "div": "(-inf, inf) x (-inf, 0) | (0, inf)",
        "fmod": "(-inf, inf) x (-inf, 0) | (0, inf)",
        "log": "(0, inf)",
        "log10": "(0, inf)",
        "log1p": "(-1, inf)",
        "log2": "(0, inf)",
        "power": "(0, inf) x (-inf, inf)",
        "sqrt": "[0, inf)",
    }


@pytest.mark.parametrize("name", [row.name for row in LIMITED if row.arity == 1])
@given(
    st.floats(allow_nan=False, allow_infinity=False) | st.floats(-2.0, 2.0) | st.sampled_from((-1.0, -0.0, 0.0, 1.0))
)
def test_a_limited_domain_is_where_the_value_is_finite(name: str, x: float) -> None:
    (domain,) = ROWS[name].domain
    assert domain.contains(x) == math.isfinite(ROWS[name].forward(x))


@pytest.mark.parametrize("name", ["div", "fmod"])
@given(st.floats(-1e300, 1e300).filter(lambda b: b == 0.0 or abs(b) > 1e-300))
def test_a_divisor_is_anything_but_zero(name: str, b: float) -> None:
    assert ROWS[name].domain[1].contains(b) == math.isfinite(ROWS[name].forward(1.5, b))


@given(st.floats(-30.0, 30.0), st.floats(-30.0, 30.0))
def test_the_domain_of_power_is_where_both_derivatives_are_finite(a: float, b: float) -> None:
    out = ROWS["power"].forward(a, b)
    shares = ROWS["power"].contributions(1.0, out, (a, b))
    if ROWS["power"].domain[0].contains(a) and (a > 1e-5 or b > 1.0):  # a small base overflows
        assert all(map(math.isfinite, shares))
    elif a < 0.0:
        assert math.isnan(shares[1])


UNLIMITED = [row for row in ROWS.values() if row.arity is not None and row not in LIMITED]


@pytest.mark.parametrize("name", [row.name for row in UNLIMITED])
@given(st.lists(st.floats(-20.0, 20.0), min_size=3, max_size=3))
def test_a_row_without_limits_is_finite_everywhere(name: str, numbers: list[float]) -> None:
    assert math.isfinite(ROWS[name].forward(*numbers[: ROWS[name].arity]))
