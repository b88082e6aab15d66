"""Protects the values on the command line: each name has one number, and each number a name."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrograd.cli.assignments import read_assignments
from micrograd.cli.expression import parse
from micrograd.errors import ExpressionError

EXPRESSION = parse("tanh(w*x + b)")


def test_values_come_in_the_order_of_the_expression() -> None:
    values = read_assignments(EXPRESSION, ["b=-1", " x = 2 ", "w=.5"])
    assert list(values.items()) == [("w", 0.5), ("x", 2.0), ("b", -1.0)]
    assert all(type(x) is float for x in values.values())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e3", 1000.0),
        ("-inf", -math.inf),
        ("nan", math.nan),
        ("pi/2", math.pi / 2),
        ("1/3", 1 / 3),
        ("2**0.5", math.sqrt(2)),
        ("sqrt(2)", math.sqrt(2)),
        ("9**9**9", math.inf),
    ],
)
def test_a_value_is_a_number_or_an_expression_of_numbers(text: str, expected: float) -> None:
    assert repr(read_assignments(parse("x"), [f"x={text}"])) == repr({"x": expected})


def test_a_constant_may_be_left_out_or_replaced() -> None:
    assert read_assignments(parse("e*x + pi"), ["x=1"]) == {"x": 1.0}
    assert read_assignments(parse("e*x + pi"), ["x=1", "e=2"]) == {"e": 2.0, "x": 1.0}


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        ([], "no value for w, x, b; add w=NUMBER"),
        (["w=1", "b=1"], "no value for x; add x=NUMBER"),
        (["w=1", "x=2", "b=3", "c=4"], "c has a value, but the expression has no c"),
        (["w=1", "x=2", "bb=3"], "bb has a value, but the expression has no bb; did you mean 'b'?"),
        (["w=1", "w=1", "x=2", "b=3"], "w has two values; give it one"),
        (["w"], "expected NAME=NUMBER, got 'w'; an expression with spaces needs quotes around it"),
        ([""], "expected NAME=NUMBER, got ''"),
        (["w="], "'w=' lacks its number"),
        (["=3"], "'=3' does not start with a name"),
        (["2w=3"], "'2w=3' does not start with a name"),
        (["w.x=3"], "'w.x=3' does not start with a name"),
        (["é=3"], "'é=3' does not start with a name made of ASCII letters"),
        (["\0=3"], "'\ufffd=3' does not start with a name"),
        (["\ud800=3"], "'\ufffd=3' does not start with a name"),
        (["lambda=3"], "'lambda' is a word of Python's grammar and cannot name a variable; choose another name"),
        (["True=3"], "'True' is a word of Python's grammar"),
        (["w=abc"], "cannot read the value in 'w=abc': 'abc' is not a number"),
        (["w=NaN"], "cannot read the value in 'w=NaN': 'NaN' is not a number; did you mean 'nan'?"),
        (["w=x"], "'x' is not a number"),
        (["w=1 2"], "cannot read the value in 'w=1 2': '2' does not fit here (column 3)"),
        (["w=1,5"], "the expression gives a list, not a number"),
        (["w==1"], "'=' does not fit here"),
        (["w='1'"], "text has no place among numbers"),
        (["w=１"], "names and numbers are written in ASCII"),
        (["w=\0"], "the character U+0000 has no meaning"),
        (["w=\ud800"], "the character U+D800 has no meaning"),
        (["w=__import__('os')"], "text has no place among numbers"),
        (["w=" + "(" * 5000], "the expression has 5,000 characters"),
        (["w=1e999"], "larger than every float"),
        (["w" * 5000 + "=1"], "has a value, but the expression has no w"),
        (["-w=1"], "'-w=1' does not start with a name"),
    ],
)
def test_refused(assignments: list[str], message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        read_assignments(EXPRESSION, assignments)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_an_operation_without_brackets_is_pointed_out() -> None:
    with pytest.raises(ExpressionError, match=r"no value for tanh; tanh is an operation and is called, tanh\(\.\.\.\)"):
        read_assignments(parse("tanh + 1"), [])


@given(st.lists(st.text(st.characters()) | st.text("wxb=-1.e, "), max_size=4))
def test_any_text_gives_values_or_an_expression_error(assignments: list[str]) -> None:
    try:
        values = read_assignments(EXPRESSION, assignments)
    except ExpressionError as error:
        str(error).encode()
    else:
        assert list(values) == ["w", "x", "b"]
