"""``Builder``, which adds instructions to a program, and ``Symbol``, which lets Python code do it.

A symbol is a number that is not known yet. Whatever is written with operations runs on symbols as it runs on numbers
and on Values, and leaves instructions behind: the user's function, the derivative rules of the table, the expansions of
``lower.py``.
"""

from __future__ import annotations

from typing import Any, NoReturn

from micrograd.compiler.program import CHAIN, SHARE, Program
from micrograd.compiler.rewrite import RULES, folded
from micrograd.errors import not_a_number
from micrograd.ops import Op, Operand, operations
from micrograd.ops.floats import as_float

__all__ = ["Builder", "Compared", "Symbol"]


class Builder:
    """A program that is being written.

    Args:
        rewriting: fold constants, simplify, and reuse an instruction that is there already. Off while a function is
            captured: its derivative is taken of what the user wrote, and simplified afterwards.
    """

    def __init__(self, *, rewriting: bool = True) -> None:
        self.rewriting = rewriting
        self.ops: list[str] = []
        self.operands: list[tuple[Any, ...]] = []
        self.constants: dict[int, float] = {}  # the instructions that are numbers
        self.notes: dict[str, str] = {}
        self._known: dict[tuple[Any, ...], int] = {}

    def constant(self, x: float) -> int:
        """Return the instruction of a number."""
        return self.leaf("constant", x)

    def leaf(self, kind: str, *payload: Any) -> int:
        """Return the instruction of a leaf, the one that is there if it is."""
        key = (kind, repr(payload))  # not the number itself: 0.0 == -0.0, and nan is not nan
        number = self._known.get(key)
        if number is None:
            number = self._known[key] = self._append(kind, payload)
            if kind == "constant":
                self.constants[number] = payload[0]
        return number

    def number(self, x: int) -> float | None:
        """Return the number that instruction ``x`` is known to give, or ``None``."""
        return self.constants.get(x)

    def emit(self, op: str, operands: tuple[int, ...]) -> int:
        """Return the instruction that applies ``op``: a new one, or one that gives the same bits."""
        if not self.rewriting:
            return self._append(op, operands)
        key = (op, operands)
        number = self._known.get(key)
        if number is None:
            number = self._rewritten(op, operands)
            if number is None:
                number = self._append(op, operands)
            self._known[key] = number
        return number

    def _rewritten(self, op: str, operands: tuple[int, ...]) -> int | None:
        constants = self.constants
        if operands[0] in constants and op != CHAIN and SHARE not in op and all(x in constants for x in operands):
            return self.constant(folded(op, tuple([constants[x] for x in operands])))
        rule = RULES.get(op)
        return None if rule is None else rule(self, *operands)

    def _append(self, op: str, operands: tuple[Any, ...]) -> int:
        self.ops.append(op)
        self.operands.append(operands)
        return len(self.ops) - 1

    def symbol(self, x: int) -> Any:
        """Return instruction ``x`` for Python code to work with: a constant as the float it is."""
        number = self.number(x)
        return Symbol(self, x) if number is None else number

    def place(self, x: Any) -> int:
        """Return the instruction of a symbol or a number, an int in a user's rule too: the way back from ``symbol``."""
        if type(x) is Symbol:
            return x.id
        number = x if type(x) is float else as_float(x)
        if number is None:
            raise TypeError(not_a_number(x))
        return self.constant(number)

    def program(self, **outputs: Any) -> Program:
        """Return what was written, as a program with these outputs."""
        return Program(self.ops, self.operands, notes=self.notes, **outputs)


class Compared(Operand):
    """A kind whose comparisons are operations, for ``where`` to choose by."""

    __slots__ = ()

    def __lt__(self, other: Any) -> Any:
        return self._compared("lt", other)

    def __le__(self, other: Any) -> Any:
        return self._compared("le", other)

    def __gt__(self, other: Any) -> Any:
        return self._compared("gt", other)

    def __ge__(self, other: Any) -> Any:
        return self._compared("ge", other)

    def _compared(self, op: str, other: Any) -> Any:
        return self.__micrograd_op__(operations()[op], (self, other))


class Symbol(Compared):
    """An instruction of a program, for rules and expansions to compute with."""

    __slots__ = ("_builder", "id")

    def __init__(self, builder: Builder, number: int) -> None:
        self._builder = builder
        self.id = number

    def __micrograd_op__(self, op: Op, operands: tuple[Any, ...]) -> Any:
        """Add the instruction that applies ``op``."""
        b = self._builder
        return b.symbol(b.emit(op.name, tuple(map(b.place, operands))))

    def _refuse(self, *others: Any) -> NoReturn:
        raise TypeError("a rule that decides by its operands cannot be compiled; write it with micrograd.where")

    __bool__ = __float__ = __int__ = __eq__ = __ne__ = __hash__ = _refuse
