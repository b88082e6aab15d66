"""Protects the formulas of the documentation: they say what the rule does, with no bracket too many or too few."""

from __future__ import annotations

import ast
import math
import random
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrograd import ops
from micrograd.ops import Op, operations
from micrograd.ops.formula import Formula, derivative, domain, markdown_table, operand_names, usage
from micrograd.ops.table import _table, op

ALL = list(operations().values())


@pytest.mark.parametrize(
    ("name", "written", "shares"),
    [
        ("add", "a + b", ("g", "g")),
        ("sub", "a - b", ("g", "-g")),
        ("div", "a / b", ("g / b", "-g * out / b")),
        ("neg", "-a", ("-g",)),
        ("gt", "a > b", ("0", "0")),
        ("tanh", "tanh(a)", ("g * (1 - out * out)",)),
        ("asin", "asin(a)", ("g / sqrt((1 - a) * (1 + a))",)),
        ("abs", "abs(a)", ("where(a > 0, g, where(a < 0, -g, 0))",)),
        ("where", "where(condition, a, b)", ("0", "where(condition, g, 0)", "where(condition, 0, g)")),
        ("relu", "relu(a)", ("where(out, g, 0)",)),
        ("sum", "sum([a, b, c])", ("g", "g", "g")),
        ("prod", "prod([a, b, c])", ("g * (b * c)", "g * a * c", "g * a * b")),
        ("dot", "dot([a, b], [c, d])", ("g * c", "g * d", "g * a", "g * b")),
        (
            "take",
            "take([a, b, c], index)",
            ("where(index == 0, g, 0)", "where(index == 1, g, 0)", "where(index == 2, g, 0)", "0"),
        ),
    ],
)
def test_what_is_written(name: str, written: str, shares: tuple[str, ...]) -> None:
    assert usage(operations()[name]) == written
    assert derivative(operations()[name]) == shares


@pytest.mark.parametrize("row", ALL, ids=lambda row: row.name)
def test_a_formula_computes_what_the_rule_computes(row: Op) -> None:
    rng = random.Random(row.name)
    names = operand_names(row)
    for _ in range(20):
        # Between 0 and 1 (and above 1 for acosh) every operation is defined, and no derivative is lost in rounding.
        values = [rng.uniform(0.1, 0.9) + (row.name == "acosh") for _ in names]
        if row.name == "take":
            values[-1] = float(rng.randrange(len(names) - 1))
        out, g = row.forward(*values), rng.uniform(-2.0, 2.0)
        expected = row.contributions(g, out, values)
        scope = {**vars(ops), **dict(zip(names, values)), "g": g, "out": out}
        for text, share in zip(derivative(row), expected):
            assert math.isclose(eval(text, scope), share, rel_tol=1e-5, abs_tol=1e-12), text
        assert eval(usage(row), {**scope, "index": int(values[-1])}) == out


@pytest.mark.parametrize("row", ALL, ids=lambda row: row.name)
def test_no_bracket_can_be_left_out(row: Op) -> None:
    for text in (*derivative(row), usage(row)):
        assert_minimal(text)


def assert_minimal(text: str) -> None:
    meaning = ast.dump(ast.parse(text, mode="eval"))
    stack: list[int] = []
    for end, c in enumerate(text):
        if c == "(":
            stack.append(end)
        elif c == ")":
            start = stack.pop()
            if not re.match(r"\w", text[start - 1 : start]):  # not those of a call
                without = f"{text[:start]} {text[start + 1 : end]} {text[end + 1 :]}"
                assert ast.dump(ast.parse(without.strip(), mode="eval")) != meaning, (
                    f"{text} says the same as {without}"
                )


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": ops.div,
    "power": ops.power,
    "lt": ops.lt,
    "maximum": ops.maximum,
}


def build(program: Any, symbols: dict[str, Any]) -> Any:
    """Evaluate a nested program on numbers or on symbols."""
    if isinstance(program, str):
        return symbols[program]
    if isinstance(program, float):
        return program
    name, *parts = program
    operands = [build(part, symbols) for part in parts]
    if name == "neg":
        return ops.neg(operands[0])
    return BINARY[name](*operands)


constants = st.floats(-9.0, 9.0).map(lambda x: round(x, 2)).filter(lambda x: x != 1.0)
programs = st.recursive(
    st.sampled_from(["a", "b", "c"]),
    lambda inner: st.one_of(
        st.tuples(st.just("neg"), inner),
        st.tuples(st.sampled_from(sorted(BINARY)), inner, inner | constants),
        st.tuples(st.sampled_from(sorted(BINARY)), inner | constants, inner),
    ),
    max_leaves=12,
)


@given(programs, st.lists(st.floats(-3.0, 3.0), min_size=3, max_size=3))
def test_any_formula_means_what_was_traced(program: Any, values: list[float]) -> None:
    numbers = dict(zip("abc", values))
    text = str(build(program, {name: Formula(name) for name in "abc"}))
    assert_minimal(text)
    # Python's own operators raise where the table's give inf, so the text is evaluated by the operations again.
    again = eval(text, {**vars(ops), **{name: _Number(x) for name, x in numbers.items()}})
    assert repr(_plain(again)) == repr(build(program, numbers))


class _Number(Formula):
    """A symbol that computes: Python's operators on it are the table's operations."""

    __slots__ = ("value",)

    def __init__(self, value: float) -> None:
        super().__init__("")
        self.value = value

    def __micrograd_op__(self, op: Op, operands: tuple[Any, ...]) -> Any:
        return _Number(op.forward(*map(_plain, operands)))

    def __lt__(self, other: Any) -> Any:
        return ops.lt(self, other)

    def __gt__(self, other: Any) -> Any:
        return ops.lt(other, self)


def _plain(x: Any) -> float:
    return x.value if isinstance(x, _Number) else float(x)


# --- numbers, domains, tables -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (2.0, "a + 2"),
        (-2.0, "a + -2"),
        (0.5, "a + 0.5"),
        (math.log(2.0), "a + 0.693147"),
        (1e-300, "a + 1e-300"),
        (math.inf, "a + inf"),
        (-0.0, "a + -0.0"),
    ],
)
def test_numbers_are_short(x: float, text: str) -> None:
    assert str(Formula("a") + x) == text


def test_a_product_with_one_is_not_written() -> None:
    a = Formula("a")
    assert [str(a * 1.0), str(1.0 * a), str(a * 1.5), str(1.0 - a)] == ["a", "a", "a * 1.5", "1 - a"]


@pytest.mark.parametrize(
    ("name", "text"),
    [("exp", ""), ("log", "(0, inf)"), ("power", "a: (0, inf)"), ("div", "b: (-inf, 0) | (0, inf)"), ("dot", "")],
)
def test_domains_name_the_operand_where_there_are_several(name: str, text: str) -> None:
    assert domain(operations()[name]) == text


def test_the_markdown_table_is_one() -> None:
    lines = markdown_table(ALL).split("\n")
    assert lines[-1] == ""
    assert len(lines) == len(ALL) + 3
    for line in lines[:-1]:
        assert len(re.findall(r"(?<!\\)\|", line)) == 5, line
    assert "| `a / b` | quotient of two operands, by one division | `b: (-inf, 0) \\| (0, inf)` |" in "\n".join(lines)


# --- rules of users ---------------------------------------------------------------------------------------------


@pytest.fixture
def register() -> Any:
    """Yield ``op``; whatever it registers is gone after the test."""
    before = dict(_table)
    yield op
    _table.clear()
    _table.update(before)


@pytest.mark.parametrize(
    "rule",
    [
        lambda g, out, a: g if a > 0 else 0.0,
        lambda g, out, a: g if a == 0 else 0.0,
        lambda g, out, a: g if a else 0.0,
        lambda g, out, a: g * math.exp(a),
        lambda g, out, a: g * int(a),
        lambda g, out, a: {a: g}[a],
        lambda g, out, a: g[0],
        lambda g, out: g,
    ],
)
def test_a_rule_that_is_not_a_formula_says_so(register: Any, rule: Any) -> None:
    row = register("untraceable", forward=lambda a: a, vjp=(rule,))
    with pytest.raises(TypeError, match="the rule of 'untraceable' cannot be written as a formula"):
        derivative(row)
    assert "a Python function" in markdown_table([row])


def test_operations_of_users_have_formulas_too(register: Any) -> None:
    several = register("several", forward=lambda *xs: 0.0, vjp=lambda g, out, *xs: [g * x for x in xs])
    assert usage(several) == "several([a, b, c])"
    assert derivative(several) == ("g * a", "g * b", "g * c")
    unnamed = register("unnamed", forward=lambda a, b: 0.0, vjp=(lambda *x: x[0], lambda *x: ops.dot([x[2]], [x[3]])))
    assert operand_names(unnamed) == ("a", "b")
    assert derivative(unnamed) == ("g", "dot([a], [b])")


def test_a_formula_shows_itself() -> None:
    assert repr(Formula("a") * 2.0) == "Formula('a * 2')"
