"""Protects what a Value is by itself: which numbers it takes and which things it refuses in which words, its names and
setters, text, comparison, identity, and that it never turns into a plain number in silence.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import micrograd as mg
from micrograd import Value

# --- which numbers ----------------------------------------------------------------------------------------------

NUMBERS = [
    (3, 3.0),
    (-(2**70), -(2.0**70)),
    (True, 1.0),
    (False, 0.0),
    (2.5, 2.5),
    (-0.0, -0.0),
    (math.inf, math.inf),
    (math.nan, math.nan),
    (np.float64(0.1), 0.1),
    (np.float32(0.1), float(np.float32(0.1))),
    (np.float16(0.5), 0.5),
    (np.longdouble(0.25), 0.25),
    (np.int64(-7), -7.0),
    (np.uint8(255), 255.0),
    (np.bool_(True), 1.0),
    (np.bool_(False), 0.0),
    (Fraction(1, 3), 1 / 3),
]


@pytest.mark.parametrize(("given_number", "number"), NUMBERS, ids=lambda x: f"{type(x).__name__}-{x!r}")
def test_every_real_number_becomes_the_float_of_its_value(given_number: Any, number: float) -> None:
    v = Value(given_number)
    assert type(v.data) is float
    assert repr(v.data) == repr(number)
    assert repr(v.grad) == "0.0"
    v.data = 9.0
    v.data = given_number
    v.grad = given_number
    assert type(v.data) is type(v.grad) is float
    assert repr(v.data) == repr(v.grad) == repr(number)


class Inches(float):
    """A float of a kind of its own."""


def test_a_subclass_of_float_becomes_a_plain_float() -> None:
    v = Value(Inches(2.5))
    assert type(v.data) is float
    assert type((v * Inches(2.0)).operands[1]) is float


REFUSED = [
    ("0.5", r"'0\.5' \(type str\); convert it first with float\(text\)"),
    (b"0.5", r"b'0\.5' \(type bytes\); convert it first with float\(text\)"),
    (1 + 2j, r"\(1\+2j\) \(type complex\); micrograd is real"),
    (np.complex128(1), r"np\.complex128\(1\+0j\) \(type complex128\)"),
    (None, r"None \(type NoneType\); is a return statement or an argument missing\?"),
    ([1.0], r"\[1\.0\] \(type list\); use micrograd\.array"),
    ((1.0,), r"\(1\.0,\) \(type tuple\); use micrograd\.array"),
    (np.array([1.0, 2.0]), r"array\(\[1\., 2\.\]\) \(type ndarray\); use micrograd\.array"),
    (np.array([True]), r"array\(\[ True\]\) \(type ndarray\); use micrograd\.array"),
    (np.array(1.0), r"array\(1\.\) \(type ndarray\); use micrograd\.array"),
    (np.array(True), r"array\(True\) \(type ndarray\); use micrograd\.array"),
    (Decimal("0.5"), r"Decimal\('0\.5'\) \(type Decimal\); convert it first with float\(number\)"),
    ({}, r"\{\} \(type dict\)"),
    (object, r"<class 'object'> \(type type\)"),
    (Value(1.0), r"Value\(data=1\.0, grad=0\.0\) \(type Value\); it is a node already"),
]


@pytest.mark.parametrize(("thing", "words"), REFUSED, ids=lambda x: type(x).__name__)
def test_anything_else_is_refused_and_the_message_says_what_to_do(thing: Any, words: str) -> None:
    v = Value(4.0)
    with pytest.raises(TypeError, match=r"expected a real number but got " + words):
        Value(thing)
    with pytest.raises(TypeError, match=r"expected a real number but got " + words):
        v.data = thing
    assert v.data == 4.0
    if not isinstance(thing, Value):  # a gradient may be a node: backward(create_graph=True) makes it one
        with pytest.raises(TypeError, match=r"expected a real number but got " + words):
            v.grad = thing
    assert v.grad == 0.0


@pytest.mark.parametrize("huge", [10**400, -(10**400), Fraction(10**400, 3)])
def test_an_integer_beyond_all_floats_overflows(huge: Any) -> None:
    v = Value(1.0)
    for attempt in (lambda: Value(huge), lambda: v + huge, lambda: huge * v, lambda: setattr(v, "data", huge)):
        with pytest.raises(OverflowError):
            attempt()
    assert v.data == 1.0


def test_a_broken_repr_does_not_hide_the_refusal() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("no text")

    with pytest.raises(TypeError, match=r"got <repr failed: RuntimeError> \(type Broken\)"):
        Value(Broken())


def test_a_long_repr_is_cut() -> None:
    with pytest.raises(TypeError) as caught:
        Value("9" * 100_000)
    assert len(str(caught.value)) < 200


def test_the_label_is_named() -> None:
    with pytest.raises(TypeError, match="positional"):
        Value(1.0, "w")  # type: ignore[call-arg]


# --- names and setters ------------------------------------------------------------------------------------------


def test_a_leaf_knows_itself() -> None:
    v = Value(2.0, label="w")
    assert (v.data, v.grad, v.label, v.scope) == (2.0, 0.0, "w", "")
    assert (v.op, v._op, v.operands, v.parents, set(v._prev)) == ("", "", (), (), set())
    assert Value(2.0).label == ""


def test_a_result_knows_how_it_was_made() -> None:
    x, y = Value(2.0), Value(3.0)
    product, power, total = x * y, x**2, mg.sum([x, 5.0, y, x])
    assert (product.op, product._op, product.operands, product.parents) == ("mul", "*", (x, y), (x, y))
    assert (power.op, power._op, power.operands, power.parents) == ("power", "**", (x, 2.0), (x,))
    assert (total.op, total.operands, total.parents) == ("sum", (x, 5.0, y, x), (x, y, x))
    assert (-x).operands == (x,)
    choice = mg.where(x, y, 1.0)
    assert (choice.op, choice.operands, choice.parents) == ("where", (x, y, 1.0), (x, y))


def test_a_node_used_twice_is_a_parent_twice_but_one_of_the_old_set() -> None:
    x = Value(3.0)
    y = x * x
    assert y.parents == (x, x)
    assert y._prev == {x}
    assert len(y._prev) == 1
    assert x in y._prev


def test_the_old_set_of_parents_keeps_their_order() -> None:
    leaves = [Value(float(i)) for i in range(50)]
    assert list(mg.sum(reversed(leaves))._prev) == leaves[::-1]


@pytest.mark.parametrize("name", ["op", "operands", "parents", "scope", "_op", "_prev", "other"])
def test_what_a_node_is_made_of_cannot_be_assigned(name: str) -> None:
    x = Value(1.0) * 2
    with pytest.raises(AttributeError):
        setattr(x, name, "something")
    assert x.op == "mul"


def test_a_label_is_text() -> None:
    v = Value(1.0)
    v.label = "β\n'"
    assert v.label == "β\n'"
    for bad in (None, 3, b"w"):
        with pytest.raises(TypeError, match=r"a label is text, not .* \(type"):
            v.label = bad  # type: ignore[assignment]
        with pytest.raises(TypeError, match="a label is text"):
            Value(1.0, label=bad)  # type: ignore[arg-type]
    assert v.label == "β\n'"


def test_setting_data_changes_the_next_operation_and_no_earlier_result() -> None:
    x = Value(2.0)
    y = x * 10
    x.data = 3.0
    assert y.data == 20.0
    assert (x * 10).data == 30.0


def test_a_gradient_may_be_a_node() -> None:
    x, g = Value(1.0), Value(5.0)
    x.grad = g
    assert x.grad is g


def test_subclassing_is_refused_and_the_way_out_named() -> None:
    with pytest.raises(TypeError, match=r"Value is final: .* micrograd\.op\("):

        class Tensor(Value):  # type: ignore[misc]
            pass


# --- text -------------------------------------------------------------------------------------------------------


def test_repr() -> None:
    x = Value(2)
    assert repr(x) == str(x) == f"{x}" == "Value(data=2.0, grad=0.0)"
    x.label, x.grad = "w\x1b'", -0.5
    assert repr(x) == """Value(data=2.0, grad=-0.5, label="w\\x1b'")"""
    x.grad = Value(1.0)
    assert repr(Value(math.nan)) == "Value(data=nan, grad=0.0)"
    assert "grad=Value(data=1.0, grad=0.0)" in repr(x)


def test_format_applies_to_the_number() -> None:
    x = Value(2.0) / 3.0
    assert f"{x:.3f}" == "0.667"
    assert f"{x:>8.2e}" == "6.67e-01"
    assert format(x, "+.1%") == "+66.7%"
    with pytest.raises(ValueError, match="Unknown format code 'd'"):
        f"{x:d}"


# --- order, identity, truth -------------------------------------------------------------------------------------

RELATIONS: list[Callable[[Any, Any], Any]] = [operator.lt, operator.le, operator.gt, operator.ge]
reals = st.one_of(st.floats(), st.integers(), st.fractions(), st.booleans())


@pytest.mark.parametrize("relation", RELATIONS)
@given(a=st.floats(), b=reals)
def test_comparison_is_that_of_the_numbers(relation: Callable[[Any, Any], Any], a: float, b: Any) -> None:
    assert relation(Value(a), b) is relation(a, b)
    assert relation(b, Value(a)) is relation(b, a)
    if isinstance(b, float):
        assert relation(Value(a), Value(b)) is relation(a, b)


def test_comparison_with_integers_is_exact() -> None:
    big = Value(2.0**53)
    assert big < 2**53 + 1
    assert not big >= 2**53 + 1
    assert big > Fraction(2**54 - 1, 2)
    assert big < 10**400
    assert big > -(10**400)
    assert Value(1 / 3) < Fraction(1, 3)


@pytest.mark.parametrize("relation", RELATIONS)
def test_comparison_with_numpy_scalars_gives_a_bool(relation: Callable[[Any, Any], Any]) -> None:
    for b in (np.float64(3.0), np.float32(1.0), np.int64(2), np.bool_(True)):
        assert relation(Value(2.0), b) is relation(2.0, float(b))
        assert bool(relation(b, Value(2.0))) is relation(float(b), 2.0)


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("stranger", ["1", None, 1j, Decimal(1), object()])
def test_comparison_with_a_stranger_is_refused(relation: Callable[[Any, Any], Any], stranger: Any) -> None:
    with pytest.raises(TypeError, match="not supported between instances of"):
        relation(Value(1.0), stranger)
    with pytest.raises(TypeError, match="not supported between instances of"):
        relation(stranger, Value(1.0))


def test_comparison_lets_the_other_side_answer() -> None:
    class Anything:
        def __gt__(self, other: object) -> str:
            return "greater"

    v: Any = Value(2.0)
    assert (v < Anything()) == "greater"
    assert list(v < np.array([1.0, 3.0])) == [False, True]


def test_sorting_and_max_are_by_data() -> None:
    a, b, c = Value(2.0), Value(-1.0), Value(0.5)
    assert sorted([a, b, c]) == [b, c, a]
    assert max(a, b, c) is a
    assert min([a, b, c]) is b


def test_equality_and_hash_are_identity() -> None:
    a, b = Value(2.0), Value(2.0)
    assert a == a
    assert a != b
    numbers: list[Any] = [2.0, 2, np.float64(2.0)]
    assert a not in numbers
    assert len({a, b}) == 2
    before = hash(a)
    a.data, a.label = 7.0, "a"
    assert hash(a) == before
    assert {a: "kept"}[a] == "kept"


def test_nothing_detaches_in_silence() -> None:
    v = Value(2.0)
    for detach in (float, math.exp, math.sqrt, math.floor, complex):
        with pytest.raises(TypeError, match=r"write v\.data for the number, or use micrograd\.exp\(v\)"):
            detach(v)
    with pytest.raises(TypeError, match=r"write int\(v\.data\)"):
        int(v)
    for judge in (bool, operator.not_, lambda v: v and 1, lambda v: 1 if v else 2):
        with pytest.raises(TypeError, match=r"a Value is not true or false; write v\.data != 0, or compare: v > 0"):
            judge(v)
    with pytest.raises(TypeError, match=r"write v\.data for the number"):
        "%.2f" % v  # noqa: UP031
    with pytest.raises(TypeError, match=r"write v\.data for the number"):
        np.array([1.0, 2.0])[:1].fill(v)


NOT_FOR_VALUES: list[Callable[[Any], Any]] = [
    lambda v: v[0],
    lambda v: v[...],
    lambda v: v.__setitem__(0, 1.0),
    len,
    iter,
    list,
    round,
    operator.index,
    range,
    lambda v: v(),
    lambda v: v // 2,
    lambda v: v % 2,
    lambda v: divmod(v, 2),
    lambda v: v @ v,
    lambda v: v << 1,
    lambda v: v & v,
    lambda v: ~v,
    lambda v: pow(v, 2, 5),
    lambda v: 1 in v,
]


@pytest.mark.parametrize("use", NOT_FOR_VALUES)
def test_what_a_number_in_a_graph_is_not(use: Callable[[Any], Any]) -> None:
    v = Value(2.0)
    with pytest.raises((TypeError, AttributeError)):
        use(v)
    assert repr(v) == "Value(data=2.0, grad=0.0)"
