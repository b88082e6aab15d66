"""Protects the door to the table: what ``micrograd.op`` makes of a user's operation, what it refuses and why, and that
a refusal leaves no trace; calls with wrong operands, and what they are told.
"""

from __future__ import annotations

import copy
import math
import pickle
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from table_rows import ROWS

import micrograd as mg
from micrograd import Accuracy, Op, Value
from micrograd.ops import Operand
from micrograd.ops import table as table_module
from micrograd.ops.domain import REALS

pytestmark = pytest.mark.usefixtures("table_as_it_was")


def square(a: float) -> float:
    return a * a


SQUARE: dict[str, Any] = {"forward": square, "vjp": (lambda g, out, a: 2.0 * a * g,)}


def contents() -> tuple[dict[str, Op], dict[str, Any]]:
    return dict(mg.operations()), dict(vars(Operand))


# --- a user's operation -----------------------------------------------------------------------------------------


def test_a_users_operation_is_a_function_a_method_an_attribute_and_a_row() -> None:
    mine = mg.op("squared", symbol="²", domain="(-1, 1)", kinks=(0.5,), **SQUARE)
    x = Value(3.0)
    y = mine(x)
    y.backward()
    assert (y.data, x.grad, y.op, y._op) == (9.0, 6.0, "squared", "²")
    assert x.squared().data == 9.0  # type: ignore[attr-defined]
    assert mg.operations()["squared"] is mine is mg.squared
    assert mine(3) == 9.0
    assert mine.kinks is not None
    assert list(mine.kinks(2.0)) == [1.5]
    assert [str(domain) for domain in mine.domain] == ["(-1, 1)"]
    assert list(mg.operations())[-1] == "squared"
    assert mine.accuracy == Accuracy()
    assert mine.summary == "squared, registered by micrograd.op"


def test_its_rule_serves_higher_derivatives() -> None:
    cubed = mg.op("cubed", forward=lambda a: a * a * a, vjp=(lambda g, out, a: 3.0 * a * a * g,))
    x = Value(2.0)
    cubed(x).backward(create_graph=True)
    first = x.grad
    x.grad = 0.0
    first.backward()
    assert (first.data, x.grad) == (12.0, 12.0)


def test_an_operation_of_several_operands() -> None:
    lerp = mg.op(
        "lerp",
        forward=lambda a, b, t: a + t * (b - a),
        vjp=(lambda g, out, a, b, t: g * (1.0 - t), lambda g, out, a, b, t: g * t, lambda g, out, a, b, t: g * (b - a)),
        domain=("(-inf, inf)", "(-inf, inf)", "[0, 1]"),
    )
    a, t = Value(1.0), Value(0.25)
    y = lerp(a, 5.0, t)
    y.backward()
    assert (y.data, a.grad, t.grad, lerp.arity) == (2.0, 0.75, 4.0, 3)
    assert not hasattr(a, "lerp")
    assert lerp.domain[:2] == (REALS, REALS)


def test_an_operation_of_any_number_of_operands_is_called_with_an_iterable() -> None:
    smallest = mg.op(
        "smallest", forward=lambda *xs: min(xs), vjp=lambda g, out, *xs: [g if x == out else 0.0 for x in xs]
    )
    x, y = Value(3.0), Value(2.0)
    z = smallest(v for v in (x, y, 7))
    z.backward()
    assert (z.data, x.grad, y.grad, smallest.arity) == (2.0, 0.0, 1.0, None)
    with pytest.raises(TypeError, match=r"smallest\(\) takes an iterable of operands, as in smallest\(\[a, b, c\]\)"):
        smallest(x)


def test_a_rule_that_returns_too_few_contributions_is_told() -> None:
    short = mg.op("short", forward=lambda *xs: sum(xs), vjp=lambda g, out, *xs: [g])
    x, y = Value(1.0), Value(2.0)
    z = short([x, y])
    with pytest.raises(ValueError, match="the rule of 'short' returned 1 contributions for 2 operands"):
        z.backward()
    assert (x.grad, y.grad) == (0.0, 0.0)


def test_the_rule_of_a_number_is_not_called() -> None:
    def never(g: Any, out: Any, a: Any, b: Any) -> Any:
        raise AssertionError("the derivative with respect to a number")

    scaled = mg.op("scaled", forward=lambda a, b: a * b, vjp=(lambda g, out, a, b: g * b, never))
    x = Value(2.0)
    scaled(x, 5.0).backward()
    assert x.grad == 5.0


def test_a_users_operation_can_be_redefined() -> None:
    mg.op("twice", forward=lambda a: 2.0 * a, vjp=(lambda g, out, a: 2.0 * g,))
    x = Value(1.0)
    before = x.twice()  # type: ignore[attr-defined]
    mg.op("twice", forward=lambda a: 3.0 * a, vjp=(lambda g, out, a: 3.0 * g,))
    assert x.twice().data == 3.0  # type: ignore[attr-defined]
    before.backward()
    assert x.grad == 2.0  # a node keeps the rule by which it was made


def test_redefinition_with_another_arity_takes_the_old_method_away() -> None:
    mg.op("twice", forward=lambda a: 2.0 * a, vjp=(lambda g, out, a: 2.0 * g,))
    assert hasattr(Value(1.0), "twice")
    mg.op("twice", forward=lambda a, b: a * b, vjp=(lambda g, out, a, b: g * b, lambda g, out, a, b: g * a))
    assert not hasattr(Value(1.0), "twice")


def test_an_operation_is_copied_and_pickled_by_name() -> None:
    assert pickle.loads(pickle.dumps(mg.tanh)) is mg.tanh is copy.deepcopy(mg.tanh)
    mine = mg.op("squared", **SQUARE)
    text = pickle.dumps(mine)
    assert pickle.loads(text) is mine
    del table_module._table["squared"]
    with pytest.raises(LookupError, match=r"no operation named 'squared' is registered; run the code that calls"):
        pickle.loads(text)


def test_the_table_cannot_be_written() -> None:
    with pytest.raises(TypeError):
        mg.operations()["mine"] = mg.tanh  # type: ignore[index]


# --- refusals ---------------------------------------------------------------------------------------------------

rule = SQUARE["vjp"][0]
REFUSED_NAMES = [
    *(("tanh", "built-in operation"), ("add", "built-in operation"), ("sum", "built-in operation")),
    *((name, "is an attribute of") for name in ("data", "grad", "label", "backward", "operands", "_data")),
    *((name, "is an attribute of") for name in ("arcsin", "__neg__", "__init__", "chosen_later")),
    *((name, "is an identifier, not") for name in ("", "two words", "1st", "a.b", "class", "lambda", None, 3, ["x"])),
]


@pytest.mark.parametrize(("name", "told"), REFUSED_NAMES, ids=lambda x: str(x))
def test_names_that_are_refused(name: Any, told: str) -> None:
    before = contents()
    with pytest.raises(ValueError, match=told):
        mg.op(name, **SQUARE)
    assert contents() == before


REFUSED_ARGUMENTS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"forward": 3}, TypeError, r"forward must be a function, not 3 \(type int\)"),
    ({"vjp": ()}, ValueError, "vjp needs one function per operand"),
    ({"vjp": [rule]}, TypeError, r"vjp is a tuple with one function .* not \[<function"),
    ({"vjp": (rule, 2.0)}, TypeError, r"every element of vjp must be a function, not 2.0 \(type float\)"),
    ({"vjp": None}, TypeError, "vjp is a tuple with one function"),
    ({"domain": "positive"}, ValueError, "'positive' is not a union of intervals such as"),
    ({"domain": ("(0, 1)", "(0, 1)")}, ValueError, "domain has 2 entries for 1 operands"),
    ({"domain": 5}, TypeError, r"domain is text such as '\(0, inf\)', or one such text per operand, not 5"),
    ({"domain": (0.0,)}, TypeError, r"domain is text .* not \(0.0,\)"),
    ({"kinks": 0.0}, TypeError, r"kinks are points such as \(0.0,\).* not 0.0"),
    ({"kinks": ("0",)}, TypeError, r"kinks are points .* not \('0',\)"),
    ({"kinks": (0.0,), "vjp": (rule, rule)}, TypeError, "of an operation of one operand, or a function"),
    ({"accuracy": 2.0}, TypeError, r"accuracy is written Accuracy\(.*\), not 2.0"),
    ({"reference": "exact"}, TypeError, "reference must be a function, not 'exact'"),
]


@pytest.mark.parametrize(("arguments", "kind", "told"), REFUSED_ARGUMENTS, ids=[str(a) for a, *_ in REFUSED_ARGUMENTS])
def test_arguments_that_are_refused(arguments: dict[str, Any], kind: type[Exception], told: str) -> None:
    before = contents()
    with pytest.raises(kind, match=told):
        mg.op("squared", **{**SQUARE, **arguments})
    assert contents() == before


def test_a_refused_redefinition_leaves_the_earlier_one() -> None:
    mine = mg.op("squared", **SQUARE)
    with pytest.raises(TypeError):
        mg.op("squared", forward=square, vjp=None)  # type: ignore[arg-type]
    assert mg.operations()["squared"] is mine
    assert Value(3.0).squared().data == 9.0  # type: ignore[attr-defined]


# --- calls ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [2, True, 2.0, Fraction(1, 2), np.float64(2.0), np.float32(2.0), np.int64(2)])
def test_every_real_number_is_an_operand(number: Any) -> None:
    assert type(mg.exp(number)) is float
    assert mg.exp(number) == math.exp(number)
    product = mg.mul(Value(3.0), number)
    assert product.operands[1] == float(number)
    assert type(product.operands[1]) is float


CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("hypot", (1.0,), {}, r"hypot\(\) takes 2 operands, 1 came"),
    ("hypot", (1.0, 2.0, 3.0), {}, r"hypot\(\) takes 2 operands, 3 came"),
    ("hypot", (Value(1.0),), {}, r"hypot\(\) takes 2 operands, 1 came"),
    ("tanh", (), {}, r"tanh\(\) takes 1 operand, 0 came"),
    ("maximum", (1.0, 2.0), {"axis": 0}, r"maximum\(\) takes no keyword arguments, axis came"),
    ("clamp", (), {}, r"clamp\(\) missing 1 required positional argument: 'a'"),
    ("elu", (1.0,), {"slope": 1.0}, r"elu\(\) got an unexpected keyword argument 'slope'"),
    ("exp", ("1",), {}, r"expected a real number or a Value but got '1' \(type str\); convert it first with float"),
    ("exp", (None,), {}, r"got None \(type NoneType\); is a return statement or an argument missing"),
    ("exp", (1j,), {}, "got 1j .* differentiate the real and the imaginary part apart"),
    ("exp", ([1.0],), {}, r"got \[1.0\] \(type list\); use micrograd.array"),
    ("exp", (Decimal(1),), {}, r"got Decimal\('1'\) \(type Decimal\); convert it first"),
    ("mul", (Value(1.0), "2"), {}, r"got '2' \(type str\)"),
    ("sum", (3.0,), {}, r"sum\(\) takes an iterable of operands, as in sum\(\[a, b, c\]\); got 3.0"),
    ("sum", ([1.0, "2"],), {}, r"sum\(\).* got '2' \(type str\)"),
    ("dot", ([1.0], 2.0), {}, r"dot\(\) takes an iterable of operands"),
    ("take", ([1.0, 2.0], 1.0), {}, r"take\(\) takes an int as its index, not 1.0 \(type float\)"),
    ("take", ([1.0, 2.0], Value(1.0)), {}, r"take\(\) takes an int as its index, not Value"),
]


@pytest.mark.parametrize(
    ("name", "arguments", "options", "told"), CALLS, ids=[f"{name}{arguments}" for name, arguments, *_ in CALLS]
)
def test_wrong_calls_are_told_what_came_and_what_is_wanted(
    name: str, arguments: tuple[Any, ...], options: dict[str, Any], told: str
) -> None:
    with pytest.raises(TypeError, match=told):
        ROWS[name](*arguments, **options)


def test_wrong_sizes_and_places() -> None:
    with pytest.raises(ValueError, match=r"dot\(\) takes two sequences of one length, got 1 and 2 operands"):
        mg.dot([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match=r"mean\(\) of no operands is not defined; give it at least one"):
        mg.mean([])
    with pytest.raises(IndexError, match=r"take\(\) index 2 is out of range for 2 operands"):
        mg.take([1.0, 2.0], 2)
    with pytest.raises(IndexError, match=r"take\(\) index -3 is out of range for 2 operands"):
        mg.take([1.0, 2.0], -3)
    with pytest.raises(OverflowError):
        mg.exp(10**400)


def test_methods_refuse_wrong_numbers_of_operands() -> None:
    x: Any = Value(1.0)
    for method, operands in ((x.tanh, (1.0,)), (x.hypot, ()), (x.hypot, (1.0, 2.0)), (x.clamp, (1, 2, 3))):
        with pytest.raises(TypeError, match="take"):
            method(*operands)
