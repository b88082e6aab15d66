"""Protects the mathematics of the table: every operation's value, each first and second partial derivative.

The judge is the row's reference, evaluated by mpmath at 150 digits or more; the measure is the accuracy that the row
itself promises. Operands cover each domain densely: moderate ones, every magnitude that a float can have, and the
borders of the domain.
"""

from __future__ import annotations

import itertools
import math
import operator
import random
from collections.abc import Callable
from typing import Any

import pytest
from exact import exact, ulps
from hypothesis import given, settings
from hypothesis import strategies as st
from promises import admitted, anywhere, check, check_second, condition, gradient, limit, moderate
from table_rows import PAIRED, ROWS, domains, sizes

from micrograd import Value
from micrograd.ops import Op
from micrograd.ops.domain import Domain

WITH_REFERENCE = [row for row in ROWS.values() if row.reference is not None]
by_name = pytest.mark.parametrize("row", WITH_REFERENCE, ids=lambda row: row.name)


# --- first order ------------------------------------------------------------------------------------------------


@by_name
def test_every_row_keeps_its_promise_at_every_magnitude(row: Op) -> None:
    rng = random.Random(row.name)
    judged = sum(check(row, anywhere(rng, row)) for _ in range(36))
    assert judged >= 18, "too few points could be judged; the test protects nothing"


def floats_in(row: Op, domain: Domain) -> st.SearchStrategy[float]:
    parts = []
    for interval in domain.intervals:
        low, high = max(interval.low, -limit(row)), min(interval.high, limit(row))
        parts.append(st.floats(low, high, allow_subnormal=False))
        if low < 3.0 and high > -3.0:
            parts.append(st.floats(max(low, -3.0), min(high, 3.0), allow_subnormal=False))
    return st.one_of(parts).filter(lambda x: admitted(row, domain, x))


@by_name
def test_every_row_keeps_its_promise_wherever_hypothesis_looks(row: Op) -> None:
    points = st.sampled_from(tuple(sizes(row))).flatmap(
        lambda size: st.tuples(*[floats_in(row, domain) for domain in domains(row, size)])
    )

    @settings(max_examples=15)
    @given(points)
    def holds(point: tuple[float, ...]) -> None:
        check(row, point)

    holds()


# ``absolute`` and the large bound of power cover what only part of the row needs; the rest is held to more.


@pytest.mark.parametrize(("name", "bound"), [("tanh", 2.5), ("sigmoid", 2.0)])
def test_values_whose_derivative_alone_is_absolute_are_exact_relative_to_themselves(name: str, bound: float) -> None:
    rng = random.Random(name)
    for _ in range(100):
        x = rng.choice((-1.0, 1.0)) * 10.0 ** rng.uniform(-20, 2.8)
        truth = exact(ROWS[name], (x,))
        assert truth is not None
        assert ulps(ROWS[name](x), truth.value) <= bound


def test_the_derivative_of_gelu_is_exact_relative_to_itself() -> None:
    rng = random.Random("gelu")
    for _ in range(100):
        x = rng.choice((-1.0, 1.0)) * 10.0 ** rng.uniform(-20, 2)
        truth = exact(ROWS["gelu"], (x,))
        assert truth is not None
        _, (partial,) = gradient(ROWS["gelu"], (x,))
        assert ulps(partial, truth.gradient[0], condition((x,), truth, 0)) <= 4.0


def test_the_derivative_of_power_is_off_by_a_few_ulps_at_ordinary_bases() -> None:
    rng = random.Random("power")
    for _ in range(150):
        point = (10.0 ** rng.uniform(-3, 3), rng.uniform(-4.0, 4.0))
        truth = exact(ROWS["power"], point)
        assert truth is not None
        _, partials = gradient(ROWS["power"], point)
        for i, partial in enumerate(partials):
            assert ulps(partial, truth.gradient[i], condition(point, truth, i)) <= 12.0


# --- second order -----------------------------------------------------------------------------------------------


@by_name
def test_the_derivative_of_the_derivative(row: Op) -> None:
    rng = random.Random(row.name)
    assert sum(check_second(row, moderate(rng, row)) for _ in range(12)) >= 4


@by_name
def test_the_derivative_of_the_derivative_where_a_rule_may_take_a_special_case(row: Op) -> None:
    """``where(eq(b, 0), 0, ...)`` has the right value at ``b == 0`` and the wrong derivative."""
    size = row.arity or (4 if row.name in PAIRED else 3)
    points = list(itertools.product((0.0, 1.0, -1.0, 2.0, 0.5), repeat=size))
    inside = [p for p in points if all(domain.contains(x) for domain, x in zip(domains(row, size), p))]
    judged = [check_second(row, p) for p in random.Random(row.name).sample(inside, min(len(inside), 25))]
    assert any(judged)


@pytest.mark.parametrize("n", [0.0, 1.0, 2.0, 3.0, -1.0])
@pytest.mark.parametrize("x", [-2.0, 0.0, 1.0, 3.0])
def test_whole_powers_have_second_derivatives_beyond_the_domain(x: float, n: float) -> None:
    if x == 0.0 and n < 0.0:
        return
    leaf: Any = Value(x)
    (leaf**n).backward(create_graph=True)
    first = leaf.grad
    assert first.data == n * x ** max(n - 1.0, 0.0) if n >= 0.0 else n / x**2
    leaf.grad = 0.0
    first.backward()
    second = n * (n - 1.0)
    assert leaf.grad == (second * x ** (n - 2.0) if second else 0.0)


# --- rows without a reference -----------------------------------------------------------------------------------

PREDICATES: dict[str, Callable[[float, float], bool]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "eq": operator.eq,
}
any_float = st.floats() | st.sampled_from((0.0, -0.0, 1.0, math.inf, -math.inf, math.nan))


def test_rows_without_a_reference_are_those_that_only_choose() -> None:
    without = {row.name for row in ROWS.values() if row.reference is None}
    assert without == {*PREDICATES, "isnan", "where", "take"}  # each of them has a test of its own below


@pytest.mark.parametrize("name", PREDICATES)
@given(any_float, any_float)
def test_a_predicate_is_python_s_comparison_and_has_no_derivative(name: str, a: float, b: float) -> None:
    x, y = Value(a), Value(b)
    out = ROWS[name](x, y)
    assert out.data == float(PREDICATES[name](a, b))
    out.backward()
    assert (x.grad, y.grad) == (0.0, 0.0)


@given(any_float)
def test_isnan_has_no_derivative(a: float) -> None:
    x = Value(a)
    out = ROWS["isnan"](x)
    assert out.data == float(math.isnan(a))
    out.backward()
    assert x.grad == 0.0


@given(any_float, any_float, any_float, st.floats(allow_nan=False))
def test_where_sends_everything_to_the_operand_that_it_chose(c: float, a: float, b: float, g: float) -> None:
    condition, x, y = Value(c), Value(a), Value(b)
    out = ROWS["where"](condition, x, y)
    chosen, other = (y, x) if c == 0.0 else (x, y)  # nan is not 0
    assert out.data == chosen.data or math.isnan(chosen.data)
    out.backward(g)
    assert (condition.grad, chosen.grad, other.grad) == (0.0, g, 0.0)


@given(st.lists(any_float, min_size=1, max_size=5), st.data())
def test_take_sends_everything_to_the_operand_that_it_took(numbers: list[float], data: st.DataObject) -> None:
    index = data.draw(st.integers(-len(numbers), len(numbers) - 1))
    leaves = [Value(x) for x in numbers]
    out = ROWS["take"](leaves, index)
    assert out.data == numbers[index] or math.isnan(numbers[index])
    out.backward(3.0)
    assert [leaf.grad for leaf in leaves] == [3.0 if leaf is leaves[index] else 0.0 for leaf in leaves]


def test_the_paired_rows_are_those_that_are_called_with_two_sequences() -> None:
    for name, row in ROWS.items():
        if row.arity is None and name != "take":
            numbers = [1.0, 2.0, 4.0]
            assert isinstance(row(numbers, numbers) if name in PAIRED else row(numbers), float)
