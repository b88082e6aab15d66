"""A rule as a formula that people read, traced from the rule itself.

The formulas of the documentation are not written a second time beside the rules, where they could disagree with them:
a rule is called with symbols, and the symbols write down what it does.

>>> from micrograd.ops import operations
>>> derivative(operations()["tanh"])
('g * (1 - out * out)',)
>>> usage(operations()["dot"])
'dot([a, b], [c, d])'
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from micrograd.ops.domain import REALS
from micrograd.ops.operand import Operand
from micrograd.ops.table import Op

__all__ = ["Formula", "derivative", "domain", "markdown_table", "operand_names", "usage"]

_LETTERS = "abcdefgh"
_SEVERAL = 3  # operands that stand for any number of them

# How tightly Python binds an expression; a part that binds less tightly than its place asks for gets brackets.
_COMPARISON, _SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(6)
# Operation: (sign, its own level, the level that its left and its right operand must have).
_INFIX = {
    "add": ("+", _SUM, _SUM, _PRODUCT),
    "sub": ("-", _SUM, _SUM, _PRODUCT),
    "mul": ("*", _PRODUCT, _PRODUCT, _SIGN),
    "div": ("/", _PRODUCT, _PRODUCT, _SIGN),
    "power": ("**", _POWER, _ATOM, _SIGN),
    "gt": (">", _COMPARISON, _SUM, _SUM),
    "ge": (">=", _COMPARISON, _SUM, _SUM),
    "lt": ("<", _COMPARISON, _SUM, _SUM),
    "le": ("<=", _COMPARISON, _SUM, _SUM),
    "eq": ("==", _COMPARISON, _SUM, _SUM),
}
_PREFIX = {"neg": "-", "pos": "+"}


class Formula(Operand):
    """A piece of a formula: text, and how tightly it binds.

    >>> a, b = Formula("a"), Formula("b")
    >>> print(a * (b + 1.0) - a / b)
    a * (b + 1) - a / b
    """

    __slots__ = ("_level", "_text")
    chosen_later = True

    def __init__(self, text: str, level: int = _ATOM) -> None:
        self._text = text
        self._level = level

    def __micrograd_op__(self, op: Op, operands: tuple[Any, ...]) -> Any:
        """Write down ``op`` applied to ``operands``."""
        parts = [x if isinstance(x, Formula) else _constant(x) for x in operands]
        if op.name in _INFIX and len(parts) == 2:
            if op.name == "mul":  # a product over operands starts at 1: exact, and noise to a reader
                for i in (0, 1):
                    if type(operands[i]) is float and operands[i] == 1.0:
                        return parts[1 - i]
            sign, level, left, right = _INFIX[op.name]
            return Formula(f"{parts[0]._at(left)} {sign} {parts[1]._at(right)}", level)
        if op.name in _PREFIX:
            return Formula(f"{_PREFIX[op.name]}{parts[0]._at(_SIGN)}", _SIGN)
        return Formula(_call_text(op, [part._text for part in parts]))

    def _at(self, level: int) -> str:
        return self._text if self._level >= level else f"({self._text})"

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"Formula({self._text!r})"

    def _refuse(self, *others: Any) -> NoReturn:
        raise TypeError("a formula has no value: a rule is traced only if it is written with + - * and operations")

    __bool__ = __float__ = __int__ = __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = __hash__ = _refuse


def _constant(x: float) -> Formula:
    text = repr(float(x))
    if text != "-0.0":  # without its point Python would read 0
        text = text.removesuffix(".0")
    if len(text) > 8:
        text = f"{x:.6g}"
    return Formula(text, _SIGN if text.startswith("-") else _ATOM)


# --- how an operation is called ---------------------------------------------------------------------------------


def _arguments(op: Op, symbols: Sequence[Any]) -> list[Any]:
    """Arrange flat operands as the arguments of a call: ``dot`` takes two lists, ``take`` a list and an index."""
    if op.arity is not None or op.flatten is None:
        return list(symbols)
    parameters = inspect.signature(op.flatten).parameters
    if len(parameters) == 1:
        return [list(symbols)]
    if "index" in parameters:
        return [list(symbols[:-1]), symbols[-1]]
    half = len(symbols) // 2
    return [list(symbols[:half]), list(symbols[half:])]


def _call_text(op: Op, texts: Sequence[str]) -> str:
    arguments = [x if isinstance(x, str) else f"[{', '.join(x)}]" for x in _arguments(op, texts)]
    return f"{op.name}({', '.join(arguments)})"


def operand_names(op: Op) -> tuple[str, ...]:
    """Return the names of the operands: those of the rule's parameters, where it names them.

    An operation of any number of operands gets a few to stand for all.

    >>> from micrograd.ops import operations
    >>> operand_names(operations()["where"]), operand_names(operations()["mean"])
    (('condition', 'a', 'b'), ('a', 'b', 'c'))
    """
    if isinstance(op.vjp, tuple):
        for rule in op.vjp:
            parameters = list(inspect.signature(rule).parameters.values())[2:]
            if len(parameters) == op.arity and all(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters):
                return tuple(p.name for p in parameters)
        return tuple(_LETTERS[: len(op.vjp)])
    arguments = [] if op.flatten is None else list(inspect.signature(op.flatten).parameters)
    if "index" in arguments:
        return (*_LETTERS[:_SEVERAL], "index")
    return tuple(_LETTERS[: _SEVERAL if len(arguments) < 2 else 4])


def usage(op: Op) -> str:
    """Return how ``op`` is written: as an operator, or as a call.

    >>> from micrograd.ops import operations
    >>> usage(operations()["div"]), usage(operations()["take"])
    ('a / b', 'take([a, b, c], index)')
    """
    symbols = tuple(map(Formula, operand_names(op)))
    return str(symbols[0].__micrograd_op__(op, symbols))


# --- its derivative ---------------------------------------------------------------------------------------------


def derivative(op: Op) -> tuple[str, ...]:
    """Return the derivative rule of ``op`` as formulas: each operand's share of the upstream gradient ``g``.

    ``out`` is the result; the operands are called as in ``operand_names``.

    Raises ``TypeError`` for a rule that decides or computes by other means than ``+ - *`` and operations.

    >>> from micrograd.ops import operations
    >>> derivative(operations()["div"])
    ('g / b', '-g * out / b')
    """
    symbols = tuple(map(Formula, operand_names(op)))
    try:
        shares = op.contributions(Formula("g"), Formula("out"), symbols)
        return tuple(str(x if isinstance(x, Formula) else _constant(x)) for x in shares)
    except Exception as error:  # a user's rule may be any Python and fail in any way
        raise TypeError(f"the rule of {op.name!r} cannot be written as a formula: {error}") from error


def domain(op: Op) -> str:
    """Return where ``op`` is defined, in the words of a table: empty where it is defined for all real numbers.

    >>> from micrograd.ops import operations
    >>> domain(operations()["log"]), domain(operations()["div"]), domain(operations()["exp"])
    ('(0, inf)', 'b: (-inf, 0) | (0, inf)', '')
    """
    names = operand_names(op)
    limited = [(name, str(d)) for name, d in zip(names, op.domain) if d != REALS]
    if len(names) == 1:
        return "".join(text for _, text in limited)
    return ", ".join(f"{name}: {text}" for name, text in limited)


def markdown_table(operations: Iterable[Op]) -> str:
    """Return the documentation of ``operations`` as a Markdown table, ending with a line end.

    >>> from micrograd.ops import operations
    >>> print(markdown_table([operations()["mul"]]))
    | operation | meaning | domain | share of each operand |
    | --- | --- | --- | --- |
    | `a * b` | product of two operands | | `g * b`<br>`g * a` |
    """
    lines = ["| operation | meaning | domain | share of each operand |", "| --- | --- | --- | --- |"]
    for op in operations:
        try:
            shares = "<br>".join(map(_code, derivative(op)))
        except TypeError:
            shares = "a Python function"
        defined = domain(op)
        cells = [_code(usage(op)), _escaped(op.summary), _code(defined) if defined else "", shares]
        lines.append("|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    # A bar ends a cell even inside code, and an asterisk may open emphasis outside of it.
    return text.replace("|", "\\|").replace("*", "\\*")


def _code(text: str) -> str:
    return "`" + text.replace("|", "\\|") + "`"
