"""Protects the mathematics of the table: every operation's value, each first and second partial derivative.

That every row keeps its promises is the first thing that ``micrograd.testing`` judges, and ``tests/testing`` runs it on
the whole table. Here are points that Hypothesis looks for, points at which a rule may take a special case, bounds that
are sharper than a row's own, and rows that only choose.
"""

from __future__ import annotations

import itertools
import math
import operator
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_rows import PAIRED, ROWS, domains, sizes

from micrograd import Value
from micrograd.ops import Op
from micrograd.testing.exact import exact, ulps
from micrograd.testing.input_strategies import edge_numbers, ordinary_numbers
from micrograd.testing.rules import Rule, check_rule

by_name = pytest.mark.parametrize("row", list(ROWS.values()), ids=lambda row: row.name)


def shares(row: Op, point: Sequence[float]) -> Sequence[float]:
    return row.contributions(1.0, row.forward(*point), point)


def judged(row: Op, point: Sequence[float]) -> Rule | None:
    """Hold the row to the oracles at a point, to second order; ``None`` where its result is not finite."""
    if row.name == "take":
        point = (*point, float(len(point) - 1))
    out = row.forward(*point)
    if not math.isfinite(out):
        return None
    places = range(len(point) - (row.name == "take"))
    rule = check_rule(row, tuple(point), out, places, 2)
    assert rule.fault is None, (row.name, point, rule.fault)
    return rule


@by_name
def test_every_row_keeps_its_promise_wherever_hypothesis_looks(row: Op) -> None:
    points = st.sampled_from(tuple(sizes(row))).flatmap(
        lambda size: st.tuples(*[ordinary_numbers(x) | edge_numbers(x) for x in domains(row, size)])
    )

    @settings(max_examples=15)
    @given(points)
    def holds(point: tuple[float, ...]) -> None:
        judged(row, point)

    holds()


@by_name
def test_rules_are_right_where_they_may_take_a_special_case(row: Op) -> None:
    """``where(eq(b, 0), 0, ...)`` has the right value at ``b == 0`` and the wrong derivative."""
    size = row.arity or (4 if row.name in PAIRED else 3)
    points = list(itertools.product((0.0, 1.0, -1.0, 2.0, 0.5), repeat=size))
    inside = [p for p in points if all(domain.contains(x) for domain, x in zip(domains(row, size), p))]
    found = [judged(row, p) for p in random.Random(row.name).sample(inside, min(len(inside), 25))]
    assert any(rule is not None and rule.hessian for rule in found)


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
        (partial,) = shares(ROWS["gelu"], (x,))
        assert ulps(partial, truth.gradient[0], x * truth.hessian[0][0]) <= 4.0


def test_the_derivative_of_power_is_off_by_a_few_ulps_at_ordinary_bases() -> None:
    rng = random.Random("power")
    for _ in range(150):
        point = (10.0 ** rng.uniform(-3, 3), rng.uniform(-4.0, 4.0))
        truth = exact(ROWS["power"], point)
        assert truth is not None
        for partial, wanted, row in zip(shares(ROWS["power"], point), truth.gradient, truth.hessian):
            condition = sum(abs(x * second) for x, second in zip(point, row))
            assert ulps(partial, wanted, condition) <= 12.0


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


# --- rows that only choose --------------------------------------------------------------------------------------

PREDICATES: dict[str, Callable[[float, float], bool]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "eq": operator.eq,
}
any_float = st.floats() | st.sampled_from((0.0, -0.0, 1.0, math.inf, -math.inf, math.nan))


def test_every_row_has_a_reference() -> None:
    assert [row.name for row in ROWS.values() if row.reference is None] == []


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
