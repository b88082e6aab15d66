"""Protects how graphs are built: every operator with a Value or a number on either side, numbers that are never nodes,
strangers that get their chance, and ``+`` and ``*`` written out by hand, which must do what the general way does.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import operands_of, registered, same, wild_numbers

import micrograd as mg
from micrograd import Value
from micrograd._node import Node
from micrograd.engine import _apply

BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "power": operator.pow,
}
UNARY: dict[str, Callable[[Any], Any]] = {"neg": operator.neg, "pos": operator.pos, "abs": operator.abs}

# The partial derivatives at (3, 2), by hand.
PARTIALS = {
    "add": (1.0, 1.0),
    "sub": (1.0, -1.0),
    "mul": (2.0, 3.0),
    "div": (1 / 2, -3 / 4),
    "power": (6.0, 9.0 * np.log(3.0)),
}
KINDS: list[Callable[[float], Any]] = [int, float, np.float64, np.float32, np.int64, Fraction]


@pytest.mark.parametrize("name", BINARY)
def test_an_operator_on_two_values(name: str) -> None:
    x, y = Value(3.0), Value(2.0)
    z = BINARY[name](x, y)
    assert (z.op, z.operands, z.parents) == (name, (x, y), (x, y))
    assert z.data == BINARY[name](3.0, 2.0)
    z.backward()
    assert (x.grad, y.grad) == pytest.approx(PARTIALS[name], rel=1e-15)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.__name__))
@pytest.mark.parametrize("name", BINARY)
def test_an_operator_with_a_number_on_either_side(name: str, kind: Callable[[float], Any]) -> None:
    x, y = Value(3.0), Value(2.0)
    right, left = BINARY[name](x, kind(2)), BINARY[name](kind(3), y)
    for z, operands, parents in ((right, (x, 2.0), (x,)), (left, (3.0, y), (y,))):
        assert type(z) is Value
        assert (z.op, z.operands, z.parents) == (name, operands, parents)
        assert [type(o) for o in z.operands] == [Value if o in parents else float for o in z.operands]
        assert z.data == BINARY[name](3.0, 2.0)
        z.backward()
    assert (x.grad, y.grad) == pytest.approx(PARTIALS[name], rel=1e-15)


@pytest.mark.parametrize("name", BINARY)
def test_a_bool_on_either_side(name: str) -> None:
    x = Value(3.0)
    for boolean in (True, np.bool_(True)):
        assert BINARY[name](x, boolean).data == BINARY[name](3.0, 1.0)
        assert BINARY[name](boolean, x).data == BINARY[name](1.0, 3.0)
        assert BINARY[name](boolean, x).parents == (x,)


@pytest.mark.parametrize("name", UNARY)
def test_a_sign(name: str) -> None:
    x = Value(-3.0)
    y = UNARY[name](x)
    assert (y.op, y.operands, y.data) == (name, (x,), UNARY[name](-3.0))
    assert y is not x
    y.backward()
    assert x.grad == (1.0 if name == "pos" else -1.0)


@pytest.mark.parametrize("name", BINARY)
def test_assignment_with_an_operator_makes_a_new_node(name: str) -> None:
    inplace: dict[str, Callable[[Any, Any], Any]] = {
        "add": operator.iadd,
        "sub": operator.isub,
        "mul": operator.imul,
        "div": operator.itruediv,
        "power": operator.ipow,
    }
    x = Value(3.0)
    y = inplace[name](x, 2)
    assert y is not x
    assert y.operands == (x, 2.0)
    assert x.data == 3.0


def test_numbers_are_not_nodes() -> None:
    x = Value(-2.0)
    y = x * 2 + 1
    assert y.parents[0].parents == (x,)
    assert mg.statistics(y).nodes == 3
    square = x**2  # as a node, the 2 would have the derivative (-2)**2 * log(-2): nan
    square.backward()
    assert (square.data, x.grad) == (4.0, -4.0)
    assert [node.grad for node in mg.topological_order(square)] == [-4.0, 1.0]


def test_the_order_of_operands_is_kept() -> None:
    x = Value(4.0)
    assert (2 - x).data == -2.0
    assert (2 / x).data == 0.5
    assert (2**x).data == 16.0
    assert (np.float64(2) - x).data == -2.0
    assert (np.float64(2) / x).data == 0.5
    assert (np.float64(2) ** x).data == 16.0
    for y in (2 - x, 2 / x, 2**x):
        assert y.operands == (2.0, x)


def test_sum_and_pow_of_python() -> None:
    x, y = Value(4.0), Value(2.0)
    total: Any = sum([x, y])
    assert total.data == 6.0
    assert total.parents[0].operands == (0.0, x)
    assert pow(x, y).data == 16.0


# --- strangers --------------------------------------------------------------------------------------------------


class Vector:
    """A user's class that knows what to do with a Value on its left."""

    def __init__(self, *items: Any) -> None:
        self.items = list(items)

    def __radd__(self, other: Any) -> Vector:
        return Vector(*[other + x for x in self.items])

    def __rmul__(self, other: Any) -> Vector:
        return Vector(*[other * x for x in self.items])

    def __rsub__(self, other: Any) -> Vector:
        return Vector(*[other - x for x in self.items])

    def __rtruediv__(self, other: Any) -> Vector:
        return Vector(*[other / x for x in self.items])

    def __rpow__(self, other: Any) -> Vector:
        return Vector(*[other**x for x in self.items])


@pytest.mark.parametrize("name", BINARY)
def test_a_stranger_on_the_right_gets_its_chance(name: str) -> None:
    x = Value(3.0)
    result = BINARY[name](x, Vector(2.0, Value(1.0)))
    assert type(result) is Vector
    assert [item.data for item in result.items] == [BINARY[name](3.0, 2.0), BINARY[name](3.0, 1.0)]


@pytest.mark.parametrize("name", BINARY)
def test_a_stranger_who_knows_no_values_either_is_refused_by_python(name: str) -> None:
    class Stone:
        pass

    for operands in ((Value(1.0), Stone()), (Stone(), Value(1.0))):
        with pytest.raises(TypeError, match="unsupported operand type"):
            BINARY[name](*operands)


BUILTIN_STRANGERS = [("2", "float"), (b"2", "float"), (None, "missing"), (1j, "real"), ([1.0], "micrograd.array")]


@pytest.mark.parametrize(("stranger", "advice"), [*BUILTIN_STRANGERS, (Decimal(2), "float")])
@pytest.mark.parametrize("name", BINARY)
def test_a_builtin_that_is_no_number_is_refused_with_advice(name: str, stranger: Any, advice: str) -> None:
    for operands in ((Value(1.0), stranger), (stranger, Value(1.0))):
        with pytest.raises(TypeError, match=rf"^{name}: expected a real number or a Value but got .*{advice}"):
            BINARY[name](*operands)


@pytest.mark.parametrize("name", BINARY)
def test_an_array_on_either_side_works_element_by_element(name: str) -> None:
    x, array = Value(3.0), np.array([1.0, 2.0])
    for result, expected in (
        (BINARY[name](x, array), BINARY[name](3.0, array)),
        (BINARY[name](array, x), BINARY[name](array, 3.0)),
    ):
        assert result.dtype == object
        assert [v.data for v in result] == list(expected)
        assert all(v.parents == (x,) for v in result)
    assert BINARY[name](np.array(2.0), x).data == BINARY[name](2.0, 3.0)


# --- by hand or not ---------------------------------------------------------------------------------------------

SLOTS = [name for name in Node.__slots__ if name not in ("__weakref__", "_adjoint")]


def recorded(node: Value) -> dict[str, Any]:
    return {name: getattr(node, name) for name in SLOTS}


@pytest.mark.parametrize("name", ["add", "mul"])
@given(a=wild_numbers, b=wild_numbers)
def test_the_operators_written_by_hand_do_what_the_general_way_does(name: str, a: float, b: float) -> None:
    x, y = Value(b), Value(a)
    x.data, y.data = a, b  # as after a step of training
    for operands in ((x, y), (x, x), (x * 1.0, y)):
        node = BINARY[name](*operands)
        general = _apply(mg.operations()[name], operands)
        for slot in SLOTS:
            ours, theirs = getattr(node, slot), getattr(general, slot)
            assert ours is theirs or (type(ours) is type(theirs) is float and same(ours, theirs)), slot
        assert node._left is operands[0]
        assert node._right is operands[1]


def test_every_slot_is_compared() -> None:
    assert set(recorded(Value(1.0) + Value(2.0))) == {
        *("_data", "_grad", "_label", "_scope", "_op_row", "_left", "_right", "_a", "_b", "_out", "_visit"),
    }


@pytest.mark.parametrize("name", [op for op in mg.operations() if op not in ("where", "take", "isnan")])
def test_a_function_and_the_operands_it_was_given(name: str) -> None:
    op = mg.operations()[name]
    operands = operands_of(op, [0.5, 0.75])
    node = op.apply(tuple(operands))
    assert node.operands == tuple(operands)
    assert node.op == name
    assert same(node.data, op.forward(*[x.data for x in operands]))


@given(st.floats(0.1, 2.0))
def test_operator_method_and_function_make_equal_nodes(number: float) -> None:
    x = Value(number)
    for ways in ([x.tanh(), mg.tanh(x)], [x**2, mg.power(x, 2), mg.pow(x, 2)], [abs(x), x.fabs()]):
        assert {way.op for way in ways} == {ways[0].op}
        assert {way.data for way in ways} == {ways[0].data}
        assert {way.operands for way in ways} == {ways[0].operands}


# --- a user's operation -----------------------------------------------------------------------------------------


def test_a_users_operation_is_a_function_a_method_and_a_node_like_any_other() -> None:
    with registered("third", forward=lambda a: a * a * a, vjp=(lambda g, out, a: g * (3.0 * a * a),)) as third:
        x: Any = Value(2.0)
        for y in (third(x), x.third(), mg.third(x)):
            assert (y.op, y.operands, y.data) == ("third", (x,), 8.0)
            y.backward()
        assert x.grad == 36.0


@pytest.mark.parametrize("result", [3, True, np.float32(3.0), np.float64(3.0), Fraction(3)])
def test_a_forward_function_may_return_any_real_number(result: Any) -> None:
    with registered("odd", forward=lambda a: result, vjp=(lambda g, out, a: g,)) as odd:
        assert type(odd(Value(2.0)).data) is float
        assert odd(Value(2.0)).data == float(result)


@pytest.mark.parametrize("result", [None, "3", 1j, [3.0]])
def test_a_forward_function_that_returns_no_number_is_named(result: Any) -> None:
    words = "expected a real number from the forward function of 'odd' but got"
    with (
        registered("odd", forward=lambda a: result, vjp=(lambda g, out, a: g,)) as odd,
        pytest.raises(TypeError, match=words),
    ):
        odd(Value(2.0))
