"""Expressions of the command line: text in, operations on Values out; nothing is ever executed.

Three steps, and each refuses what it does not know. ``_check_tokens`` reads the text once from left to right and lets
only numbers, names, brackets and a handful of operators pass. Python's own ``ast`` then finds the structure.
``_compile`` turns the tree into a list of steps for a stack machine, node by node and without recursion, so neither
a long sum nor deep brackets reach Python's recursion limit.

>>> parse("2 * (x + 1) ** 2").evaluate({"x": 3.0})
32.0
>>> parse("__import__('os')")
Traceback (most recent call last):
...
micrograd.errors.ExpressionError: "'" has no meaning in an expression; text has no place among numbers (column 12)
"""

from __future__ import annotations

import ast
import difflib
import inspect
import keyword
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from micrograd import ops
from micrograd._console import clean, shorten
from micrograd.errors import ExpressionError, describe
from micrograd.ops import Op, operations
from micrograd.ops.formula import usage

__all__ = ["CONSTANTS", "LIMIT", "Expression", "known_operations", "near", "parse"]

LIMIT = 4_000  # characters
CONSTANTS = {"pi": math.pi, "e": math.e, "tau": math.tau, "inf": math.inf, "nan": math.nan}

_DEEPEST = 100  # brackets within brackets; Python's own parser gives up at 200

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?P<rest>[A-Za-z0-9_.]*)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<refused>//|<<|>>|!=)"
    r"|(?P<operator>\*\*|[<>=]=|[-+*/()\[\],=<>])"
)
_HINTS = {
    "'": "text has no place among numbers",
    '"': "text has no place among numbers",
    ".": "attributes are not available, operations are called: tanh(x)",
    "^": "a power is written **",
    "%": "the remainder of a division is fmod(a, b)",
    "|": "the absolute value is abs(a)",
    "//": "division is written /",
    "!=": "1 - (a == b) is 1 where they differ",
    "if": "a choice is written where(condition, a, b)",
    "else": "a choice is written where(condition, a, b)",
    "and": "the product of two comparisons is 1 where both hold",
    "or": "maximum(a > 0, b > 0) is 1 where one of two holds",
    "not": "1 - (a > 0) is 1 where a comparison does not hold",
}
_ELSEWHERE = {"arccos": "acos", "arcsin": "asin", "arctan": "atan", "ln": "log", "max": "maximum", "min": "minimum"}
_BINARY = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.Pow: "power"}
_UNARY = {ast.USub: "neg", ast.UAdd: "pos"}
_COMPARE = {ast.Gt: "gt", ast.GtE: "ge", ast.Lt: "lt", ast.LtE: "le", ast.Eq: "eq"}
_CLOSING = {")": "(", "]": "["}


@dataclass(frozen=True)
class _Number:
    value: float  # an int where it was written as one: take() wants an int


@dataclass(frozen=True)
class _Name:
    name: str
    column: int


@dataclass(frozen=True)
class _List:
    length: int
    column: int


@dataclass(frozen=True)
class _Apply:
    op: Op
    positional: int
    keywords: tuple[str, ...]
    column: int


_Step = _Number | _Name | _List | _Apply


@dataclass(frozen=True)
class Expression:
    """An expression that was read and understood, ready to be evaluated.

    Attributes:
        text: as it came, without the space around it.
        names: the names that stand for numbers, in the order of their first appearance; constants among them.
    """

    text: str
    names: tuple[str, ...]
    _steps: tuple[_Step, ...]

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """Return the value of the expression: a Value where Values went in, else a float.

        Args:
            values: a number or Value for every name; constants may be left out.

        Raises ``ExpressionError`` where an operation does not accept what it is given, ``KeyError`` for a missing name.
        """
        stack: list[Any] = []
        for step in self._steps:
            if isinstance(step, _Number):
                stack.append(step.value)
            elif isinstance(step, _Name):
                name = step.name
                stack.append(CONSTANTS[name] if name not in values and name in CONSTANTS else values[name])
            elif isinstance(step, _List):
                elements = _popped(stack, step.length)
                if any(isinstance(x, list) for x in elements):
                    raise ExpressionError("a list of lists has no meaning here; lists hold numbers", step.column)
                stack.append(elements)
            else:
                options = dict(zip(step.keywords, _popped(stack, len(step.keywords))))
                stack.append(_applied(step, _popped(stack, step.positional), options))
        (result,) = stack
        if isinstance(result, list):
            raise ExpressionError(
                "the expression gives a list, not a number; sum([...]) or dot(a, b) gives a number", 1
            )
        return float(result) if isinstance(result, int) else result


def _popped(stack: list[Any], count: int) -> list[Any]:
    start = len(stack) - count
    taken = stack[start:]
    del stack[start:]
    return taken


def _applied(step: _Apply, arguments: list[Any], options: dict[str, Any]) -> Any:
    op = step.op
    try:
        if op.flatten is not None:
            inspect.signature(op.flatten).bind(*arguments, **options)
        elif options:
            raise TypeError(f"it has no argument named {next(iter(options))!r}")
    except TypeError as error:
        raise ExpressionError(f"{op.name}() is called as {usage(op)}: {error}", step.column) from None
    if op.arity is not None and any(isinstance(x, list) for x in (*arguments, *options.values())):
        raise ExpressionError(f"{usage(op)} takes numbers, not a list", step.column)
    try:
        return op(*arguments, **options)
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        raise ExpressionError(str(error), step.column) from None


# --- reading ----------------------------------------------------------------------------------------------------


def parse(text: str) -> Expression:
    """Return the expression that ``text`` spells.

    Raises ``TypeError`` for something that is not text, and ``ExpressionError``, which says what is wrong and where,
    for text that is not an expression or longer than 4,000 characters.

    >>> parse("tanh(w*x + b)").names
    ('w', 'x', 'b')
    """
    if not isinstance(text, str):
        raise TypeError(f"an expression is text, not {describe(text)}")
    if len(text) > LIMIT:
        raise ExpressionError(f"the expression has {len(text):,} characters; at most {LIMIT:,} are read")
    source = text.strip(" \t\r\n")
    if not source:
        raise ExpressionError("the expression is empty; write for instance 'tanh(w*x + b)'")
    offset = text.index(source[0])
    _check_tokens(source, offset)
    try:
        tree = ast.parse(re.sub(r"[\t\r\n]", " ", source), mode="eval")
    except SyntaxError as error:
        raise _not_understood(source, error.offset or 0, offset) from None
    except (RecursionError, MemoryError):  # which limit Python's parser has depends on its version
        raise ExpressionError("the expression is nested too deeply for Python's parser") from None
    steps = _compile(tree.body, offset)
    names = dict.fromkeys(step.name for step in steps if isinstance(step, _Name))
    return Expression(source, tuple(names), steps)


def _check_tokens(source: str, offset: int) -> None:
    """Refuse every character, number and word that no expression has; brackets must match."""
    open_brackets: list[tuple[str, int]] = []
    signs = position = 0
    while position < len(source):
        column = offset + position + 1
        match = _TOKEN.match(source, position)
        if match is None or match["refused"]:
            raise _no_meaning(source[position] if match is None else match[0], column)
        position = match.end()
        token = match[0]
        if match["space"]:
            continue
        signs = signs + 1 if token in "+-" else 0
        if match["number"]:
            _check_number(match["number"], match["rest"], column)
        elif match["name"] and keyword.iskeyword(token):
            raise _no_meaning(token, column)
        elif token in ("(", "["):
            open_brackets.append((token, column))
        elif token in _CLOSING and (not open_brackets or open_brackets.pop()[0] != _CLOSING[token]):
            raise ExpressionError(f"{token!r} closes no {_CLOSING[token]!r}", column)
        if signs > _DEEPEST or len(open_brackets) > _DEEPEST:
            raise ExpressionError(f"the expression is nested more than {_DEEPEST} deep", column)
    if open_brackets:
        bracket, column = open_brackets[-1]
        raise ExpressionError(f"{bracket!r} is never closed", column)


def _no_meaning(token: str, column: int) -> ExpressionError:
    shown = repr(token) if token.isprintable() else f"the character U+{ord(token[0]):04X}"
    hint = _HINTS.get(token, "names and numbers are written in ASCII" if not token.isascii() else "")
    return ExpressionError(f"{shown} has no meaning in an expression" + (f"; {hint}" if hint else ""), column)


def _check_number(number: str, rest: str, column: int) -> None:
    shown = shorten(number + rest, 30)
    if rest:
        product = f"; a product is written {number}*{rest}" if re.fullmatch("[a-zA-Z]{1,12}", rest) else ""
        raise ExpressionError(f"{shown!r} is not a number{product}", column)
    if number.isdigit() and number[0] == "0" and number.strip("0"):
        raise ExpressionError(f"{shown!r} is not a number; leave out the zeros in front", column)
    if math.isinf(float(number)):
        raise ExpressionError(f"{shown} is larger than every float; infinity is written inf", column)


def _not_understood(source: str, at: int, offset: int) -> ExpressionError:
    match = _TOKEN.match(source, at - 1) if at > 0 else None
    if match is None:  # Python points behind the end, or at 0, where something is missing there
        return ExpressionError("the expression ends where an operand is expected", offset + len(source) + 1)
    token = match[0].strip() or source[at:].split()[0]
    hint = "; a comparison is written ==" if token == "=" else ""
    return ExpressionError(f"{shorten(token, 30)!r} does not fit here{hint}", offset + at)


# --- from the tree to steps ---------------------------------------------------------------------------------------


def _compile(body: ast.expr, offset: int) -> tuple[_Step, ...]:
    """Return the steps that leave the value of ``body`` on the stack.

    The tree is walked root first and right operand before left; read backwards, that is every operand before what uses
    it. A left operand is no deeper than its parent: a sum of 2,000 terms leans to the left and is not nested.
    """
    steps: list[_Step] = []
    todo: list[tuple[ast.expr, int]] = [(body, 0)]
    while todo:
        node, depth = todo.pop()
        column = offset + node.col_offset + 1
        if depth > _DEEPEST:
            raise ExpressionError(f"the expression is nested more than {_DEEPEST} deep", column)
        step, operands = _step(node, column)
        steps.append(step)
        leans = isinstance(node, ast.BinOp | ast.Compare)
        todo += [(x, depth if leans and i == 0 else depth + 1) for i, x in enumerate(operands)]
    steps.reverse()
    return tuple(steps)


def _step(node: ast.expr, column: int) -> tuple[_Step, list[ast.expr]]:
    """Return what ``node`` does and the parts that it does it to; everything that is not listed here is refused."""
    table = operations()
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return _Number(number), []
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(number))) if number:
            return _Number(-number), []
        case ast.Name(id=name):
            return _Name(name, column), []
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return _List(len(elements), column), elements
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _UNARY:
            return _Apply(table[_UNARY[type(sign)]], 1, (), column), [operand]
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _BINARY:
            return _Apply(table[_BINARY[type(operator)]], 2, (), column), [left, right]
        case ast.Compare(left=left, ops=[comparison], comparators=[right]) if type(comparison) in _COMPARE:
            return _Apply(table[_COMPARE[type(comparison)]], 2, (), column), [left, right]
        case ast.Compare():
            raise ExpressionError(
                "one comparison at a time; the product (a < b) * (b < c) is 1 where both hold", column
            )
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=options):
            return _call(name, arguments, options, column)
        case ast.Call():
            raise ExpressionError("only operations can be called, by their name: tanh(x)", column)
        case ast.Subscript():
            raise ExpressionError("square brackets hold a list here; an element is take([a, b, c], 1)", column)
        case ast.Starred():
            raise ExpressionError("'*' needs an operand on its left", column)
    raise ExpressionError("this has no meaning in an expression", column)


def _call(
    name: str, arguments: list[ast.expr], options: list[ast.keyword], column: int
) -> tuple[_Step, list[ast.expr]]:
    op = known_operations().get(name)
    if op is None:
        hint = f"; it is called {_ELSEWHERE[name]!r} here" if name in _ELSEWHERE else near(name, known_operations())
        hint = hint or "; 'micrograd ops' lists the operations"
        raise ExpressionError(f"unknown operation {shorten(name, 30)!r}{hint}", column)
    names = []
    for option in options:
        if option.arg is None:
            raise ExpressionError("'**' needs an operand on its left", column)
        if option.arg in names:
            raise ExpressionError(f"the argument {option.arg!r} is given twice", column)
        names.append(option.arg)
    return _Apply(op, len(arguments), tuple(names), column), [*arguments, *(option.value for option in options)]


def known_operations() -> Mapping[str, Op]:
    """Return the operations that an expression can call: the table's, and their other names (``pow``, ``fabs``)."""
    return {**_other_names(), **operations()}


@cache
def _other_names() -> dict[str, Op]:
    return {name: op for name, op in vars(ops).items() if isinstance(op, Op)}


def near(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'tanh'?"`` for a name that resembles a known one, else nothing.

    >>> near("tahn", ["tanh", "exp"])
    "; did you mean 'tanh'?"
    """
    if len(name) > 40:  # comparing texts takes time that grows with the product of their lengths
        return ""
    matches = difflib.get_close_matches(name, [x for x in known if len(x) <= 40], n=1)
    return f"; did you mean {clean(matches[0])!r}?" if matches else ""
