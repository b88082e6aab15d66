"""The library's own rows of the table, apart from what users and doctests register while the suite runs."""

from __future__ import annotations

from collections.abc import Iterable

from micrograd.ops import Op, activations, arithmetic, elementary, reductions, selection
from micrograd.ops.domain import Domain
from micrograd.ops.reductions import PAIRED

__all__ = ["PAIRED", "ROWS", "domains", "sizes"]

_MODULES = (arithmetic, selection, elementary, activations, reductions)
ROWS: dict[str, Op] = {row.name: row for module in _MODULES for row in vars(module).values() if isinstance(row, Op)}


def sizes(row: Op) -> Iterable[int]:
    """Return the numbers of flat operands to try."""
    if row.arity is not None:
        return (row.arity,)
    return (2, 4, 6) if row.name in PAIRED else (1, 2, 3, 5)


def domains(row: Op, size: int) -> tuple[Domain, ...]:
    """Return the domain of each of ``size`` flat operands."""
    return row.domain if row.arity is not None else (row.domain[0],) * size
