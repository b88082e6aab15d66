"""Protects the policy for awkward points: values as IEEE 754, derivatives as PyTorch, and never an exception.

Each line of ``POINTS`` is an operation, its operands, the value, and the gradient of every operand. Zeros are compared
with their sign in values, where ``1 / -0.0`` can tell them apart, and without it in gradients.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_rows import ROWS

import micrograd as mg
from micrograd import Value

inf, nan = math.inf, math.nan

POINTS: list[tuple[str, Sequence[float], float, Sequence[float]]] = [
    # relu: nan passes; the kink belongs to the flat side
    ("relu", (0.0,), 0.0, (0.0,)),
    ("relu", (-0.0,), 0.0, (0.0,)),
    ("relu", (nan,), nan, (1.0,)),
    ("relu", (inf,), inf, (1.0,)),
    ("relu", (-inf,), 0.0, (0.0,)),
    ("leaky_relu", (0.0, 0.01), 0.0, (0.01, 0.0)),
    ("leaky_relu", (nan, 0.01), nan, (0.01, nan)),
    ("elu", (0.0, 1.5), 0.0, (1.5, 0.0)),
    ("elu", (-0.0, 1.5), -0.0, (1.5, 0.0)),
    ("elu", (1000.0, 1.5), 1000.0, (1.0, 0.0)),
    ("elu", (-1000.0, 1.5), -1.5, (0.0, -1.0)),
    ("elu", (nan, 1.5), nan, (1.0, 0.0)),
    # abs
    ("abs", (0.0,), 0.0, (0.0,)),
    ("abs", (-0.0,), 0.0, (0.0,)),
    ("abs", (nan,), nan, (0.0,)),
    ("abs", (-inf,), inf, (-1.0,)),
    ("copysign", (0.0, -1.0), -0.0, (0.0, 0.0)),
    ("copysign", (2.0, -0.0), -2.0, (-1.0, 0.0)),
    ("copysign", (-inf, 1.0), inf, (-1.0, 0.0)),
    # maximum and minimum: the first at a tie, half to each; nan is contagious
    ("maximum", (2.0, 2.0), 2.0, (0.5, 0.5)),
    ("maximum", (-0.0, 0.0), -0.0, (0.5, 0.5)),
    ("maximum", (nan, 1.0), nan, (1.0, 1.0)),
    ("maximum", (1.0, nan), nan, (1.0, 1.0)),
    ("maximum", (nan, nan), nan, (1.0, 1.0)),
    ("maximum", (inf, inf), inf, (0.5, 0.5)),
    ("minimum", (2.0, 2.0), 2.0, (0.5, 0.5)),
    ("minimum", (0.0, -0.0), 0.0, (0.5, 0.5)),
    ("minimum", (nan, 1.0), nan, (1.0, 1.0)),
    ("minimum", (1.0, nan), nan, (1.0, 1.0)),
    # clamp: all of it at a bound; crossed bounds give the upper one
    ("clamp", (0.0, 0.0, 1.0), 0.0, (1.0, 0.0, 0.0)),
    ("clamp", (1.0, 0.0, 1.0), 1.0, (1.0, 0.0, 0.0)),
    ("clamp", (-1.0, 0.0, 1.0), 0.0, (0.0, 1.0, 0.0)),
    ("clamp", (2.0, 0.0, 1.0), 1.0, (0.0, 0.0, 1.0)),
    ("clamp", (0.5, 1.0, 0.0), 0.0, (0.0, 0.0, 1.0)),
    ("clamp", (nan, 0.0, 1.0), nan, (0.0, 0.0, 0.0)),
    ("clamp", (0.5, nan, 1.0), nan, (0.0, 0.0, 0.0)),
    ("clamp", (0.5, 0.0, nan), nan, (0.0, 0.0, 0.0)),
    ("clamp", (2.0, -inf, inf), 2.0, (1.0, 0.0, 0.0)),
    # where: nothing to the other operand; nan is not 0
    ("where", (1.0, 2.0, nan), 2.0, (0.0, 1.0, 0.0)),
    ("where", (0.0, nan, 3.0), 3.0, (0.0, 0.0, 1.0)),
    ("where", (-0.0, 2.0, 3.0), 3.0, (0.0, 0.0, 1.0)),
    ("where", (nan, 2.0, 3.0), 2.0, (0.0, 1.0, 0.0)),
    # powers: real, never complex
    ("power", (0.0, 0.0), 1.0, (0.0, 0.0)),
    ("power", (5.0, 0.0), 1.0, (0.0, math.log(5.0))),
    ("power", (0.0, 2.0), 0.0, (0.0, 0.0)),
    ("power", (0.0, 1.0), 0.0, (1.0, 0.0)),
    ("power", (0.0, 0.5), 0.0, (inf, 0.0)),
    ("power", (0.0, -1.0), inf, (-inf, -inf)),
    ("power", (-0.0, -1.0), -inf, (-inf, inf)),
    ("power", (-8.0, 1 / 3), nan, (nan, nan)),
    ("power", (-2.0, 3.0), -8.0, (12.0, nan)),
    ("power", (-2.0, -2.0), 0.25, (0.25, nan)),
    ("power", (1e300, 2.0), inf, (2e300, inf)),
    ("power", (1.0, nan), 1.0, (nan, 0.0)),
    ("power", (nan, 0.0), 1.0, (nan, nan)),
    # roots and logarithms
    ("sqrt", (0.0,), 0.0, (inf,)),
    ("sqrt", (-1.0,), nan, (nan,)),
    ("sqrt", (inf,), inf, (0.0,)),
    ("cbrt", (0.0,), 0.0, (inf,)),
    ("cbrt", (-0.0,), -0.0, (inf,)),
    ("log", (0.0,), -inf, (inf,)),
    ("log", (-0.0,), -inf, (-inf,)),
    ("log", (-1.0,), nan, (-1.0,)),
    ("log", (inf,), inf, (0.0,)),
    ("log1p", (-1.0,), -inf, (inf,)),
    ("log1p", (-2.0,), nan, (-1.0,)),
    ("log2", (0.0,), -inf, (inf,)),
    ("log10", (0.0,), -inf, (inf,)),
    ("log10", (-1.0,), nan, (-math.log10(math.e),)),
    # division
    ("div", (1.0, 0.0), inf, (inf, -inf)),
    ("div", (1.0, -0.0), -inf, (-inf, -inf)),
    ("div", (-1.0, 0.0), -inf, (inf, inf)),
    ("div", (0.0, 0.0), nan, (inf, nan)),
    ("div", (nan, 0.0), nan, (inf, nan)),
    ("div", (inf, inf), nan, (0.0, nan)),
    ("fmod", (1.0, 0.0), nan, (1.0, nan)),
    ("fmod", (inf, 1.0), nan, (1.0, nan)),
    ("fmod", (1.0, inf), 1.0, (1.0, 0.0)),
    ("fmod", (-5.0, 3.0), -2.0, (1.0, 1.0)),
    # overflow
    ("exp", (1000.0,), inf, (inf,)),
    ("exp", (-inf,), 0.0, (0.0,)),
    ("exp2", (5000.0,), inf, (inf,)),
    ("expm1", (-inf,), -1.0, (0.0,)),
    ("sinh", (-1000.0,), -inf, (inf,)),
    ("cosh", (-1000.0,), inf, (-inf,)),
    ("mul", (0.0, inf), nan, (inf, 0.0)),
    # borders of domains
    ("asin", (1.0,), math.pi / 2, (inf,)),
    ("acos", (-1.0,), math.pi, (-inf,)),
    ("asin", (1.5,), nan, (nan,)),
    ("acosh", (1.0,), 0.0, (inf,)),
    ("acosh", (0.5,), nan, (nan,)),
    ("atanh", (1.0,), inf, (inf,)),
    ("atanh", (-1.0,), -inf, (inf,)),
    ("atanh", (2.0,), nan, (-1 / 3,)),
    ("sin", (inf,), nan, (nan,)),
    # infinite operands
    ("tanh", (-inf,), -1.0, (0.0,)),
    ("sigmoid", (-inf,), 0.0, (0.0,)),
    ("softplus", (inf,), inf, (1.0,)),
    ("softplus", (-inf,), 0.0, (0.0,)),
    ("silu", (-inf,), nan, (nan,)),
    ("gelu", (-inf,), nan, (nan,)),
    ("atan", (inf,), math.pi / 2, (0.0,)),
    # points that coincide
    ("atan2", (0.0, 0.0), 0.0, (0.0, 0.0)),
    ("atan2", (-0.0, -1.0), -math.pi, (-1.0, 0.0)),
    ("hypot", (0.0, 0.0), 0.0, (nan, nan)),
    ("hypot", (inf, nan), inf, (nan, nan)),
    ("dist", (1.0, 2.0, 1.0, 2.0), 0.0, (0.0, 0.0, 0.0, 0.0)),
    # reductions
    ("sum", (), 0.0, ()),
    ("sum", (inf, -inf), nan, (1.0, 1.0)),
    ("prod", (), 1.0, ()),
    ("prod", (0.0, 2.0, 3.0), 0.0, (6.0, 0.0, 0.0)),
    ("prod", (0.0, 2.0, 0.0), 0.0, (0.0, 0.0, 0.0)),
    ("prod", (inf, 2.0), inf, (2.0, inf)),
    ("logsumexp", (), -inf, ()),
    ("logsumexp", (1000.0, 1000.0), 1000.0 + math.log(2.0), (0.5, 0.5)),
    ("logsumexp", (-inf, 1.0), 1.0, (0.0, 1.0)),  # a masked score of attention
    ("logsumexp", (-inf, -inf), -inf, (nan, nan)),
    ("logsumexp", (inf, 1.0), inf, (nan, nan)),
    ("logsumexp", (nan, 1.0), nan, (nan, nan)),
    ("dot", (0.0, inf), nan, (inf, 0.0)),
]


def same(a: float, b: float) -> bool:
    return a == b or (a != a and b != b)


@pytest.mark.parametrize(
    ("name", "operands", "value", "gradient"), POINTS, ids=[f"{name}{operands}" for name, operands, *_ in POINTS]
)
def test_value_and_gradient(name: str, operands: Sequence[float], value: float, gradient: Sequence[float]) -> None:
    row = ROWS[name]
    on_floats = row.apply(tuple(operands))
    assert same(on_floats, value)
    assert value != 0.0 or math.copysign(1.0, on_floats) == math.copysign(1.0, value)
    if not operands:
        return
    for create_graph in (False, True):
        leaves = [Value(x) for x in operands]
        out = row.apply(tuple(leaves))
        assert same(out.data, on_floats)
        out.backward(create_graph=create_graph)
        got = [leaf.grad.data if create_graph else leaf.grad for leaf in leaves]
        assert all(map(same, got, gradient)), f"gradient {got}, wanted {gradient}"


def test_every_row_that_can_be_awkward_is_in_the_table() -> None:
    never_awkward = {
        *("add", "sub", "neg", "pos", "mean", "take", "cos", "tan", "asinh", "erf", "erfc", "degrees", "radians"),
        *("gt", "ge", "lt", "le", "eq", "isnan"),
    }
    assert {name for name, *_ in POINTS} | never_awkward == set(ROWS)


# --- an exponent that is a number is no node, and has no gradient to be nan --------------------------------------


def test_a_square_of_a_negative_number_has_a_gradient_whatever_the_logarithm_says() -> None:
    x = Value(-2.0)
    y = x**2
    y.backward()
    assert (y.data, x.grad, y.parents) == (4.0, -4.0, (x,))


def test_no_bound_is_no_operand() -> None:
    x = Value(5.0)
    y = mg.clamp(x, high=2.0)
    y.backward()
    assert (y.data, x.grad) == (2.0, 0.0)
    assert y.parents == (x,)


# --- a quotient is one division ---------------------------------------------------------------------------------

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(finite, finite.filter(bool), finite)
def test_a_quotient_is_rounded_once(a: float, b: float, g: float) -> None:
    x, y = Value(a), Value(b)
    out = x / y
    assert out.data == a / b  # 49.0 * (1 / 49.0) is not 1
    out.backward(g)
    if g != 0.0:
        assert x.grad == g / b
        assert same(y.grad, -g * (a / b) / b)


def test_a_reciprocal_factor_would_not_do() -> None:
    assert (Value(49.0) / 49.0).data == 1.0 != 49.0 * (1.0 / 49.0)


# --- no gradient, no share --------------------------------------------------------------------------------------


@pytest.mark.parametrize("create_graph", [False, True])
def test_the_branch_that_was_not_chosen_contributes_nothing_even_where_its_derivative_is_infinite(
    create_graph: bool,
) -> None:
    x = Value(0.0)
    y = mg.where(mg.gt(x, 0.0), mg.log(x), x)
    y.backward(create_graph=create_graph)
    gradient = x.grad.data if create_graph else x.grad
    assert (y.data, gradient) == (0.0, 1.0)


SINGULAR: list[tuple[str, Callable[[Any], Any], float]] = [
    ("sqrt at 0", mg.sqrt, 0.0),
    ("log at 0", mg.log, 0.0),
    ("1 / x at 0", lambda x: 1.0 / x, 0.0),
    ("exp at 1000", mg.exp, 1000.0),
    ("acosh below its domain", mg.acosh, 0.5),
    ("hypot at the origin", lambda x: mg.hypot(x, 0.0), 0.0),
    ("logsumexp of infinities", lambda x: mg.logsumexp([x, x]), inf),
]


@pytest.mark.parametrize(("case", "f", "at"), SINGULAR, ids=[case for case, *_ in SINGULAR])
@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_a_zero_upstream_gradient_contributes_exactly_zero(
    case: str, f: Callable[[Any], Any], at: float, zero: float
) -> None:
    x = Value(at)
    f(x).backward(1.0)
    assert not math.isfinite(x.grad), f"{case} is not singular: the test would protect nothing"
    x = Value(at)
    f(x).backward(zero)
    assert x.grad == 0.0
    x = Value(at)
    (f(x + 0.0) * zero + x).backward(create_graph=True)  # the factor is the upstream gradient of f, one step inside
    assert x.grad.data == 1.0


@pytest.mark.parametrize("name", ROWS)
@settings(max_examples=40)
@given(st.data())
def test_a_zero_upstream_gradient_stays_zero_through_every_row_at_every_float(name: str, data: st.DataObject) -> None:
    row = ROWS[name]
    size = row.arity or 2
    operands: list[Any] = [Value(data.draw(st.floats())) for _ in range(size)]
    leaves = list(operands)
    if name == "take":
        operands.append(1.0)
    row.apply(tuple(operands)).backward(0.0)
    assert [leaf.grad for leaf in leaves] == [0.0] * size


# --- products with zeros, to second order -----------------------------------------------------------------------


@pytest.mark.parametrize("numbers", list(itertools.product((0.0, 2.0, -3.0), repeat=3)), ids=str)
def test_a_product_with_zeros_is_exact_to_second_order(numbers: tuple[float, ...]) -> None:
    leaves = [Value(x) for x in numbers]
    mg.prod(leaves).backward(create_graph=True)
    gradients = [leaf.grad for leaf in leaves]
    for i, g in enumerate(gradients):
        others = [x for k, x in enumerate(numbers) if k != i]
        assert g.data == operator.mul(*others)
        for leaf in leaves:
            leaf.grad = 0.0
        g.backward()
        for j, leaf in enumerate(leaves):
            (third,) = [x for k, x in enumerate(numbers) if k not in (i, j)] if i != j else [0.0]
            assert leaf.grad == third
