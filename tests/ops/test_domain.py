"""Protects domains: what an interval contains, how it is written and read, and that the table's domains are true."""

from __future__ import annotations

import math
import random

import pytest
from exact import exact
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
    ["", "0", "(0, 1", "0, 1)", "(1, 0)", "(0, 0)", "[0, 0]", "(nan, 1)", "(0, nan)", "(a, b)", "(0, 1) |", "(0, 1, 2)"],
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


@pytest.mark.parametrize("row", LIMITED, ids=lambda row: row.name)
def test_a_limited_domain_is_where_the_value_is_a_finite_number(row: object) -> None:
    pass
