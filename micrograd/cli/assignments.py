"""The values of an expression's names: ``w=0.5 x=2 b=-1`` on the command line.

>>> from micrograd.cli.expression import parse
>>> read_assignments(parse("tanh(w*x + b)"), ["x=2", "w=1/2", "b=-1"])
{'w': 0.5, 'x': 2.0, 'b': -1.0}
"""

from __future__ import annotations

import keyword
from collections.abc import Sequence

from micrograd._console import clean, shorten
from micrograd.cli.expression import CONSTANTS, Expression, known_operations, near, parse
from micrograd.errors import ExpressionError

__all__ = ["read_assignments"]


def read_assignments(expression: Expression, assignments: Sequence[str]) -> dict[str, float]:
    """Return the value of every variable of ``expression``, in the order of their first appearance.

    A value is a number or an expression of numbers, ``pi/2`` for instance. A name given by the user wins over the
    constant of the same name.

    Raises ``ExpressionError`` for an assignment that is none, a name with no value or two, a value without its name.
    """
    given: dict[str, float] = {}
    for assignment in assignments:
        name, value = _read(assignment)
        if name in given:
            raise ExpressionError(f"{shorten(name, 30)} has two values; give it one")
        given[name] = value
    for name in given:
        if name not in expression.names:
            hint = near(name, expression.names)
            raise ExpressionError(
                f"{shorten(name, 30)} has a value, but the expression has no {shorten(name, 30)}{hint}"
            )
    missing = [name for name in expression.names if name not in given and name not in CONSTANTS]
    if missing:
        first = missing[0]
        hint = f"; {first} is an operation and is called, {first}(...)" if first in known_operations() else ""
        hint = hint or (f"; add {first}=NUMBER" if len(first) <= 30 else "")
        raise ExpressionError(f"no value for {shorten(', '.join(missing), 60)}{hint}")
    return {name: given[name] for name in expression.names if name in given}


def _read(assignment: str) -> tuple[str, float]:
    name, equals, text = (part.strip() for part in assignment.partition("="))
    shown = repr(clean(shorten(assignment.strip(), 40)))
    if not equals:
        raise ExpressionError(f"expected NAME=NUMBER, got {shown}; an expression with spaces needs quotes around it")
    if not name.isidentifier() or not name.isascii():
        raise ExpressionError(f"{shown} does not start with a name made of ASCII letters, digits and _")
    if keyword.iskeyword(name):
        raise ExpressionError(f"{name!r} is a word of Python's grammar and cannot name a variable; choose another name")
    if not text:
        raise ExpressionError(f"{shown} lacks its number")
    try:
        value = parse(text)
        unknown = [x for x in value.names if x not in CONSTANTS]
        if unknown:
            raise ExpressionError(f"{shorten(unknown[0], 30)!r} is not a number{near(unknown[0].lower(), CONSTANTS)}")
        return name, value.evaluate({})
    except ExpressionError as error:
        raise ExpressionError(f"cannot read the value in {shown}: {error}") from None
