"""Protects the language of the rules: what floats, Values and tracers share, and what no tracer could follow.

A rule may use ``+ - *`` and operations. Python's own ``/`` and ``**`` raise where IEEE 754 gives a number, and a
decision (``if``, ``and``, a comparison) is taken once and for all while a rule is being traced. What is read here is
the bytecode of the rules and of every function that they call: it is what runs.
"""

from __future__ import annotations

import builtins
import dis
import math
import operator
import random
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from table_rows import ROWS, domains, sizes

from micrograd import Value
from micrograd.ops import Op, Operand, div, elementary, exp, gt, sqrt, where

# --- the grammar ------------------------------------------------------------------------------------------------

BUILTINS = {builtins.len, builtins.range, builtins.zip, builtins.reversed, builtins.float}
ARITHMETIC = {"+", "-", "*", "//"}  # no operand knows ``//``, so it can only count operands: ``len(xs) // 2``
DECISIONS = {"COMPARE_OP", "IS_OP", "CONTAINS_OP", "UNARY_NOT"}


def offences(rule: Callable[..., Any]) -> list[str]:
    """Return what ``rule`` does beyond the language, in itself and in the functions that it calls."""
    found: list[str] = []
    seen: set[FunctionType] = set()

    def visit(function: FunctionType) -> None:
        if function in seen:
            return
        seen.add(function)
        for code in _with_inner(function.__code__):
            for instruction in dis.get_instructions(code):
                name, text = instruction.opname, instruction.argrepr
                if name == "BINARY_OP" and text.removesuffix("=") not in ARITHMETIC:
                    found.append(text)
                elif name in DECISIONS or ("JUMP" in name and "IF_" in name):
                    found.append(f"{name} {text}".rstrip())
                elif name == "LOAD_GLOBAL":
                    look_up(instruction.argval, function)

    def look_up(name: str, function: FunctionType) -> None:
        known = function.__globals__.get(name, getattr(builtins, name, None))
        if isinstance(known, FunctionType):
            visit(known)
        elif not isinstance(known, (Op, float)) and known not in BUILTINS:
            found.append(name)

    assert isinstance(rule, FunctionType)
    visit(rule)
    return found


def _with_inner(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _with_inner(constant)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_rules_are_written_in_the_language(row: Op) -> None:
    for rule in row.vjp if isinstance(row.vjp, tuple) else (row.vjp,):
        assert offences(rule) == []


def _helper_that_divides(g: Any, a: Any) -> Any:
    return g / a


def _helper_that_decides(g: Any, a: Any) -> Any:
    return [g for x in (a,) if x]


OFFENDERS: list[tuple[str, Callable[..., Any]]] = [
    ("a quotient", lambda g, out, a: g / a),
    ("a power", lambda g, out, a: g * a**2),
    ("a decision", lambda g, out, a: g if a else 0.0),
    ("a comparison", lambda g, out, a: g * (a > 0.0)),
    ("and", lambda g, out, a: a and g),
    ("or", lambda g, out, a: a or g),
    ("not", lambda g, out, a: not g),
    ("is", lambda g, out, a: a is g),
    ("in", lambda g, out, a: a in (g,)),
    ("a function of math", lambda g, out, a: g * math.cos(a)),
    ("a builtin that picks", lambda g, out, a: max(g, a)),
    ("a helper that divides", lambda g, out, a: _helper_that_divides(g, a)),
    ("a helper that decides", lambda g, out, a: _helper_that_decides(g, a)),
    ("a quotient inside a list", lambda g, out, *xs: [g / x for x in xs]),
    ("a function of operator", lambda g, out, a: operator.truediv(g, a)),
]


@pytest.mark.parametrize("rule", [rule for _, rule in OFFENDERS], ids=[what for what, _ in OFFENDERS])
def test_the_reader_of_bytecode_sees_every_offence(rule: Callable[..., Any]) -> None:
    assert offences(rule)


def test_the_reader_of_bytecode_accepts_the_language() -> None:
    assert offences(lambda g, out, a: where(gt(a, 0.0), -g * div(out, a) + 1.0, 0.0)) == []
    assert offences(lambda g, out, *xs: [g * x for x in xs]) == []
    assert offences(elementary.atan.vjp[0]) == []  # type: ignore[index]  # through a helper


# --- tracing ----------------------------------------------------------------------------------------------------


class Symbol(Operand):
    """The least that flows through operations: it writes down what is done to it."""

    def __init__(self, op: Op | None = None, operands: tuple[Any, ...] = ()) -> None:
        self.op, self.operands = op, operands

    def __micrograd_op__(self, op: Op, operands: tuple[Any, ...]) -> Any:
        return Symbol(op, operands)


def evaluate(x: Any, numbers: dict[Symbol, float]) -> float:
    if not isinstance(x, Symbol):
        return float(x)
    if x.op is None:
        return numbers[x]
    return x.op.forward(*[evaluate(operand, numbers) for operand in x.operands])


def degree(x: Any, g: Symbol) -> int | None:
    """Return the degree of ``x`` in ``g``: ``None`` for 0, which has every degree; fail where it is no polynomial."""
    if not isinstance(x, Symbol):
        return None if x == 0.0 else 0
    if x.op is None:
        return 1 if x is g else 0
    degrees = [degree(operand, g) for operand in x.operands]
    name = x.op.name
    if name == "where" and not degrees[0]:
        name, degrees = "add", degrees[1:]
    if name in ("add", "sub"):
        known = {d for d in degrees if d is not None}
        assert len(known) <= 1, f"{name} of terms of degrees {degrees}"
        return known.pop() if known else None
    if name == "mul":
        return None if None in degrees else sum(d for d in degrees if d)
    if name in ("neg", "pos", "degrees", "radians") or (name == "div" and not degrees[1]):
        return degrees[0]
    assert not any(degrees), f"{name} is not linear"
    return 0


def traced(row: Op, size: int) -> tuple[Symbol, Symbol, tuple[Symbol, ...], list[Any]]:
    g, out, operands = Symbol(), Symbol(), tuple(Symbol() for _ in range(size))
    return g, out, operands, list(row.contributions(g, out, operands))


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_every_rule_is_linear_in_the_upstream_gradient(row: Op) -> None:
    for size in sizes(row):
        g, _, _, shares = traced(row, size)
        assert len(shares) == size
        assert all(degree(share, g) in (1, None) for share in shares)


def test_the_degree_of_what_is_not_linear() -> None:
    g, a = Symbol(), Symbol()
    assert degree(g * g, g) == 2
    assert degree(g * 0.0, g) is None
    assert degree(a * 3.0, g) == 0
    for wrong in (g + 1.0, div(a, g), exp(g), where(g, a, 0.0), where(a, g, 1.0)):
        with pytest.raises(AssertionError):
            degree(wrong, g)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_floats_values_and_symbols_run_one_rule_and_get_the_same_bits(row: Op) -> None:
    rng = random.Random(row.name)
    for _ in range(20):
        size = rng.choice(tuple(sizes(row)))
        numbers = []
        for domain in domains(row, size):
            candidates = (rng.uniform(-4.0, 4.0) for _ in range(1000))
            numbers.append(next(x for x in candidates if domain.contains(x)))
        if row.name == "take":
            numbers[-1] = float(rng.randrange(max(size - 1, 1)))
        g, out = rng.uniform(-2.0, 2.0), row.forward(*numbers)
        on_floats = row.contributions(g, out, numbers)
        on_values = row.contributions(Value(g), Value(out), [Value(x) for x in numbers])
        symbol_g, symbol_out, symbols, shares = traced(row, size)
        meaning = {symbol_g: g, symbol_out: out, **dict(zip(symbols, numbers))}
        for number, value, share in zip(on_floats, on_values, shares):
            assert type(number) is float
            assert number == (value.data if type(value) is Value else value)
            assert number == evaluate(share, meaning)


def test_operators_methods_and_functions_all_arrive_at_the_protocol() -> None:
    x, y = Symbol(), Symbol()

    def how(result: Any) -> tuple[str, tuple[Any, ...]]:
        assert type(result) is Symbol
        assert result.op is not None
        return result.op.name, result.operands

    assert how(x + y) == ("add", (x, y))
    assert how(1.0 + x) == ("add", (1.0, x))
    assert how(x - 1.0) == ("sub", (x, 1.0))
    assert how(1.0 - x) == ("sub", (1.0, x))
    assert how(2.0 * x) == ("mul", (2.0, x))
    assert how(1.0 / x) == ("div", (1.0, x))
    assert how(2.0**x) == ("power", (2.0, x))
    assert how(-x) == ("neg", (x,))
    assert how(+x) == ("pos", (x,))
    assert how(abs(x)) == ("abs", (x,))
    assert how(x.tanh()) == ("tanh", (x,))
    assert how(x.arcsin()) == ("asin", (x,))
    assert how(x.hypot(y)) == ("hypot", (x, y))
    assert how(x.clamp(high=2)) == ("clamp", (x, -math.inf, 2.0))
    assert how(ROWS["atan2"](True, x)) == ("atan2", (1.0, x))
    assert how(ROWS["sum"]([x, 1, y])) == ("sum", (x, 1.0, y))
    assert how(ROWS["dot"]([x, 2], [3, y])) == ("dot", (x, 2.0, 3.0, y))


def test_an_operand_that_does_not_know_another_leaves_it_the_word() -> None:
    class Modest(Operand):
        pass

    shy, eager = Modest(), Symbol()
    assert ROWS["hypot"](shy, eager).operands == (shy, eager)
    with pytest.raises(TypeError, match=r"sqrt\(\): expected a real number or a Value but got .*Modest"):
        sqrt(shy)


# --- the engine's own way -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "by_hand"), [("add", operator.add), ("mul", operator.mul)])
@given(st.floats(), st.floats(), st.floats())
def test_what_the_engine_writes_out_by_hand_is_the_table_bit_for_bit(
    name: str, by_hand: Callable[[Any, Any], Any], a: float, b: float, g: float
) -> None:
    results = []
    for apply in (by_hand, ROWS[name]):
        x, y = Value(a), Value(b)
        out = apply(x, y)
        out.backward(g)
        assert (out.op, out.operands, out.label, out.scope) == (name, (x, y), "", "")
        results.append([number.hex() for number in (out.data, x.grad, y.grad)])
    assert results[0] == results[1]
    square = by_hand(x, x)
    assert square.parents == (x, x)
