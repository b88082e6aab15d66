"""Protects the reading of expressions: what they mean, and that no text does anything but fail with one line."""

from __future__ import annotations

import math
import re
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import micrograd.cli.expression as expression_module
from micrograd.cli.expression import CONSTANTS, LIMIT, near, parse
from micrograd.engine import Value
from micrograd.errors import ExpressionError

inf, nan = math.inf, math.nan


def value(text: str, **values: float) -> Any:
    return parse(text).evaluate(values)


# --- what expressions mean --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2", 2.0),
        ("  2\n", 2.0),
        ("1 +\n\t2", 3.0),
        ("2 + 3*4", 14.0),
        ("(2 + 3)*4", 20.0),
        ("2 - 3 - 4", -5.0),
        ("2 / 4 / 4", 0.125),
        ("2 ** 3 ** 2", 512.0),
        ("-2 ** 2", -4.0),
        ("(-2) ** 2", 4.0),
        ("--3", 3.0),
        ("+-+3", -3.0),
        ("2 ** -1", 0.5),
        (".5 + 5. + 1e2 + 1E-2 + 1.5e+1", 120.51),
        ("000", 0.0),
        ("-0", -0.0),
        ("9**9**9", inf),
        ("-9**9**9", -inf),
        ("1/0", inf),
        ("0/0", nan),
        ("(-8)**(1/3)", nan),
        ("log(0)", -inf),
        ("exp(1000)", inf),
        ("pi", math.pi),
        ("2*e + tau", 2 * math.e + math.tau),
        ("inf - inf", nan),
        ("nan", nan),
        ("3 > 2", 1.0),
        ("3 >= 4", 0.0),
        ("3 < 2", 0.0),
        ("2 <= 2", 1.0),
        ("2 == 2", 1.0),
        ("1 + 1 == 2", 1.0),
        ("(1 < 2) * (2 < 1)", 0.0),
        ("where(1 > 2, 3, 4)", 4.0),
        ("tanh(0.5)", math.tanh(0.5)),
        ("abs(-2)", 2.0),
        ("fabs(-2)", 2.0),
        ("pow(2, 3)", 8.0),
        ("power(2, 3)", 8.0),
        ("maximum(1, 2)", 2.0),
        ("clamp(5, 0, 1)", 1.0),
        ("clamp(5, high=4)", 4.0),
        ("clamp(-5, low=-1)", -1.0),
        ("leaky_relu(-1)", -0.01),
        ("leaky_relu(-1, slope=0.5)", -0.5),
        ("sum([1, 2, 3])", 6.0),
        ("sum((1, 2, 3,))", 6.0),
        ("sum([])", 0.0),
        ("mean([1, 2])", 1.5),
        ("prod([2, 3])", 6.0),
        ("logsumexp([0, 0])", math.log(2)),
        ("dot([1, 2], (3, 4))", 11.0),
        ("dist([0, 0], [3, 4])", 5.0),
        ("take([1, 2, 3], 0)", 1.0),
        ("take([1, 2, 3], -1)", 3.0),
    ],
)
def test_values(text: str, expected: float) -> None:
    result = value(text)
    assert type(result) is float
    assert repr(result) == repr(expected)


def test_names_come_in_order_and_a_given_name_wins_over_a_constant() -> None:
    expression = parse(" b*a + e*b + tanh(c) ")
    assert expression.names == ("b", "a", "e", "c")
    assert expression.text == "b*a + e*b + tanh(c)"
    assert expression.evaluate({"b": 2.0, "a": 3.0, "c": 0.0}) == 6.0 + 2.0 * math.e
    assert expression.evaluate({"b": 2.0, "a": 3.0, "c": 0.0, "e": 0.5}) == 7.0
    assert value("tanh(tanh)", tanh=0.0) == 0.0  # a variable may have the name of an operation


def test_values_flow_through() -> None:
    w, x, b = Value(0.5), Value(2.0), Value(-1.0)
    y = parse("tanh(w*x + b)").evaluate({"w": w, "x": x, "b": b})
    y.backward()
    assert (w.grad, x.grad, b.grad) == (2.0, 0.5, 1.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a" + "+a" * 1999, 2000.0),
        ("1" + "-1" * 1999, -1998.0),
        ("a" + "*a" * 1999, 1.0),
        ("sum([" + "a," * 1995 + "])", 1995.0),
        ("(" * 100 + "a" + ")" * 100, 1.0),
        ("-" * 99 + "a", -1.0),
        ("tanh(" * 90 + "0*a" + ")" * 90, 0.0),
        ("0+" * 1000 + "(" * 90 + "a" + ")" * 90, 1.0),
    ],
)
def test_long_expressions_work(text: str, expected: float) -> None:
    assert len(text) <= LIMIT
    a = Value(1.0)
    result = parse(text).evaluate({"a": a})
    assert (result.data if isinstance(result, Value) else result) == expected


# --- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("", "the expression is empty", None),
        (" \n ", "the expression is empty", None),
        ("__import__('os')", "text has no place among numbers", 12),
        ("__import__(os)", "unknown operation '__import__'", 1),
        ("x.real", "attributes are not available", 2),
        ("  x.real", "attributes are not available", 4),
        ("().__class__", "attributes are not available", 3),
        ("x[0]", "square brackets hold a list here", 1),
        ("[1, 2][0]", "square brackets hold a list here", 1),
        ("[x for x in y]", "'for' has no meaning", 4),
        ("sum(x for x in y)", "'for' has no meaning", 7),
        ("lambda: 1", "'lambda' has no meaning", 1),
        ("(x := 1)", "':' has no meaning", 4),
        ("f'{x}'", "text has no place among numbers", 2),
        ("'text'", "text has no place among numbers", 1),
        ('"text"', "text has no place among numbers", 1),
        ("{1: 2}", "'{' has no meaning", 1),
        ("x if y else z", "a choice is written where", 3),
        ("x and y", "the product of two comparisons", 3),
        ("not x", "1 - (a > 0)", 1),
        ("True", "'True' has no meaning", 1),
        ("None", "'None' has no meaning", 1),
        ("await x", "'await' has no meaning", 1),
        ("x ^ 2", "a power is written **", 3),
        ("5 % 2", "the remainder of a division is fmod(a, b)", 3),
        ("|x|", "the absolute value is abs(a)", 1),
        ("7 // 2", "division is written /", 3),
        ("a != b", "1 - (a == b)", 3),
        ("a << b", "'<<' has no meaning", 3),
        ("a @ b", "'@' has no meaning", 3),
        ("a; b", "';' has no meaning", 2),
        ("a # b", "'#' has no meaning", 3),
        ("a \\\n + b", r"'\\\\' has no meaning", 3),
        ("...", "attributes are not available", 1),
        ("1 < 2 < 3", "one comparison at a time", 1),
        ("a = 3", "a comparison is written ==", 3),
        ("a b", "'b' does not fit here", 3),
        ("2 x", "'x' does not fit here", 3),
        ("a +", "ends where an operand is expected", 4),
        (" a + ", "ends where an operand is expected", 5),
        ("-", "ends where an operand is expected", 2),
        ("* a", "'*' does not fit here", 1),
        ("tanh(,)", "',' does not fit here", 6),
        ("(1 +)", "')' does not fit here", 5),
        ("(", "'(' is never closed", 1),
        ("((1)", "'(' is never closed", 1),
        ("1)", "')' closes no '('", 2),
        ("[1)", "')' closes no '('", 3),
        ("a) + (b", "')' closes no '('", 2),
        ("2x", "'2x' is not a number; a product is written 2*x", 1),
        ("1j", "'1j' is not a number", 1),
        ("0x10", "'0x10' is not a number", 1),
        ("1_000", "'1_000' is not a number", 1),
        ("007", "leave out the zeros in front", 1),
        ("1.2.3", "'1.2.3' is not a number", 1),
        ("1e", "'1e' is not a number", 1),
        ("1e400", "is larger than every float; infinity is written inf", 1),
        ("1" + "0" * 400, "is larger than every float", 1),
        ("9" * 4000, "is larger than every float", 1),
        ("\0", "the character U+0000 has no meaning", 1),
        ("x\0", "the character U+0000 has no meaning", 2),
        ("\ud800", "the character U+D800 has no meaning", 1),
        ("\u202e1", "the character U+202E has no meaning", 1),
        ("π", "names and numbers are written in ASCII", 1),
        ("x + é", "'é' has no meaning", 5),
        ("１ + 1", "names and numbers are written in ASCII", 1),
        ("ｘ", "names and numbers are written in ASCII", 1),
        ("\xa01", "the character U+00A0 has no meaning", 1),
        ("x\f+ 1", "the character U+000C has no meaning", 2),
        ("foo(1)", "unknown operation 'foo'; 'micrograd ops' lists the operations", 1),
        ("1 + tahn(1)", "unknown operation 'tahn'; did you mean 'tan'?", 5),
        ("ln(2)", "unknown operation 'ln'; it is called 'log' here", 1),
        ("eval(1)", "unknown operation 'eval'", 1),
        ("softmax([1])", "unknown operation 'softmax'", 1),
        ("op(1)", "unknown operation 'op'", 1),
        ("(tanh)(1)(2)", "only operations can be called", 1),
        ("tanh(*[1])", "'*' needs an operand on its left", 6),
        ("[*x]", "'*' needs an operand on its left", 2),
        ("tanh(**x)", "'**' needs an operand on its left", 1),
        ("clamp(1, low=0, low=1)", "the argument 'low' is given twice", 1),
        ("-" * 4000, "nested more than 100 deep", 101),
        ("-" * 101 + "x", "nested more than 100 deep", 101),
        ("(" * 4000, "nested more than 100 deep", 101),
        ("(" * 101 + "1" + ")" * 101, "nested more than 100 deep", 101),
        ("2" + "**2" * 1300, "nested more than 100 deep", 304),
        ("1-(" * 101 + "1" + ")" * 101, "nested more than 100 deep", 303),
        ("-" * 10_000, "the expression has 10,000 characters; at most 4,000 are read", None),
        ("(" * 10_000, "the expression has 10,000 characters", None),
    ],
)
def test_refused_when_read(text: str, message: str, column: int | None) -> None:
    start = time.perf_counter()
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert time.perf_counter() - start < 1.0
    assert message in str(caught.value).encode("unicode_escape" if "\\" in message else "utf-8").decode()
    assert caught.value.column == column
    assert column is None or str(caught.value).endswith(f"(column {column})")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tanh()", "tanh() takes 1 operand, 0 came (column 1)"),
        ("1 + tanh(1, 2)", "tanh() takes 1 operand, 2 came (column 5)"),
        ("tanh(a=1)", "tanh() is called as tanh(a): it has no argument named 'a' (column 1)"),
        ("tanh([1])", "tanh(a) takes numbers, not a list (column 1)"),
        ("[1] + 2", "a + b takes numbers, not a list (column 1)"),
        ("-[1]", "-a takes numbers, not a list (column 1)"),
        ("clamp(1, low=[2])", "clamp(a, low, high) takes numbers, not a list (column 1)"),
        ("clamp()", "clamp() is called as clamp(a, low, high): missing a required argument: 'a' (column 1)"),
        ("clamp(1, lo=2)", "clamp() is called as clamp(a, low, high): got an unexpected keyword argument 'lo'"),
        ("sum(1, 2)", "sum() is called as sum([a, b, c]): too many positional arguments (column 1)"),
        ("sum(1)", "sum() takes an iterable of operands"),
        ("sum([[1]])", "a list of lists has no meaning here; lists hold numbers (column 5)"),
        ("mean([])", "mean() of no operands is not defined"),
        ("dot([1], [1, 2])", "dot() takes two sequences of one length, got 1 and 2 operands"),
        ("take([1, 2], 2)", "take() index 2 is out of range for 2 operands"),
        ("take([1, 2], 0.5)", "take() takes an int as its index, not 0.5"),
        ("take([1, 2], " + "9" * 300 + ")", "is out of range for 2 operands"),
        ("[1, 2]", "the expression gives a list, not a number"),
        ("1, 2", "the expression gives a list, not a number"),
        ("()", "the expression gives a list, not a number"),
    ],
)
def test_refused_when_evaluated(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=re.escape(message)):
        value(text)


def test_the_index_of_take_is_a_number_and_not_a_variable() -> None:
    with pytest.raises(ExpressionError, match="take\\(\\) takes an int as its index, not Value"):
        parse("take([x, x], x)").evaluate({"x": Value(1.0)})


@pytest.mark.parametrize("text", [None, 1, b"1 + 1", ["1"]])
def test_what_is_not_text_is_a_type_error(text: Any) -> None:
    with pytest.raises(TypeError, match="an expression is text, not"):
        parse(text)


# --- any text ---------------------------------------------------------------------------------------------------

WORDS = """a b x tanh sum dot take clamp where log pi nan inf 1 0 2.5 1e9 9**9 ( ) [ ] , + - * / ** = == < > <= low= '
. : lambda for in if else not __import__ 0x1 1_0 \0 \ud800 π １"""
FRAGMENTS = st.sampled_from(WORDS.split())


def outcome(text: str) -> float | ExpressionError:
    try:
        expression = parse(text)
        result = expression.evaluate(dict.fromkeys(expression.names, 0.5))
    except ExpressionError as error:
        return error
    assert type(result) is float
    return result


@given(st.text(st.characters()) | st.lists(FRAGMENTS, max_size=30).map(" ".join) | st.lists(FRAGMENTS).map("".join))
@example("a" * LIMIT)
@example("a(" * (LIMIT // 2))
@example("[" * 60 + "a b" + "]" * 60)
def test_any_text_is_an_expression_or_an_expression_error(text: str) -> None:
    result = outcome(text)
    if isinstance(result, ExpressionError):
        assert "\n" not in str(result)
        assert result.column is None or 1 <= result.column <= len(text) + 1


@pytest.mark.parametrize(
    "text",
    [
        "'text'",
        "f'{x}'",
        "b'x'",
        "1j",
        "True",
        "None",
        "...",
        "x.real",
        "x[0]",
        "x if y else z",
        "x and y",
        "not x",
        "~x",
        "x % y",
        "x // y",
        "x @ y",
        "x << y",
        "x & y",
        "x != y",
        "x in y",
        "x is y",
        "(x := 1)",
        "lambda: 1",
        "[i for i in x]",
        "{1, 2}",
        "{1: 2}",
        "(i for i in x)",
        "(yield)",
        "await x",
        "x.f(1)",
        "(lambda: 1)()",
    ],
)
def test_the_list_of_allowed_nodes_holds_without_the_first_check(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(expression_module, "_check_tokens", lambda source, offset: None)
    assert isinstance(outcome(text), ExpressionError)


def test_a_full_stack_is_no_crash() -> None:
    def deeper(levels: int) -> float | ExpressionError:
        return deeper(levels - 1) if levels else outcome("1" + "+1" * 1999)

    assert deeper(0) == 2000.0
    result = deeper(800)  # how much of Python's stack its parser needs depends on the version
    assert result == 2000.0 or "nested too deeply for Python's parser" in str(result)


numbers = st.floats(0.0, 1e6).map(repr) | st.integers(0, 1000).map(str) | st.sampled_from(["x", "y"])
arithmetic = st.recursive(
    numbers,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", " - ", "  *  "]), inner).map("".join),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"-{text}"),
    ),
)


@given(arithmetic, st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_arithmetic_is_python_s_own(text: str, x: float, y: float) -> None:
    expected = eval(text, {"x": x, "y": y})
    if isinstance(expected, int):
        return  # exact integers of any size are not what a float gives
    result = value(text, x=x, y=y)
    assert math.isclose(result, expected, rel_tol=1e-9, abs_tol=1e-300) or not math.isfinite(expected)


def test_constants_are_not_taken_from_the_user() -> None:
    assert sorted(CONSTANTS) == ["e", "inf", "nan", "pi", "tau"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("tnah", "; did you mean 'tanh'?"), ("zzz", ""), ("x" * 4000, ""), ("w\x1b", "; did you mean 'w'?")],
)
def test_near_names(name: str, hint: str) -> None:
    assert near(name, ["tanh", "w", "y" * 100]) == hint
