"""What one instruction can be replaced with: constants folded, algebra that keeps every bit of IEEE 754.

The rules are applied while instructions are added to a ``Builder``, so the forward pass, the reverse pass and a second
derivative all go through them. None changes a result, but for the sign or payload of a nan and for the powers: a power
with exponent 2, 3 or 4 becomes products, off by at most 2 ulps instead of the C library's 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from micrograd.ops import operations
from micrograd.ops.selection import PREDICATES

if TYPE_CHECKING:
    from micrograd.compiler.builder import Builder

__all__ = ["RULES", "folded"]

_table = operations()


def folded(op: str, numbers: tuple[float, ...]) -> float:
    """Return the result of an operation whose operands are all known."""
    return float(_table[op].forward(*numbers))


def _is(x: float | None, number: float) -> bool:
    return x is not None and x == number and math.copysign(1.0, x) == math.copysign(1.0, number)


def _add(b: Builder, x: int, y: int) -> int | None:
    # x + 0.0 is not x where x is -0.0; x + -0.0 is.
    if _is(b.constants.get(x), -0.0):
        return y
    if _is(b.constants.get(y), -0.0):
        return x
    if b.ops[y] == "neg":
        return b.emit("sub", (x, b.operands[y][0]))
    if b.ops[x] == "neg":
        return b.emit("sub", (y, b.operands[x][0]))
    return None


def _sub(b: Builder, x: int, y: int) -> int | None:
    if _is(b.constants.get(y), 0.0):
        return x
    if b.ops[y] == "neg":
        return b.emit("add", (x, b.operands[y][0]))
    return None


def _mul(b: Builder, x: int, y: int) -> int | None:
    for left, right in ((x, y), (y, x)):
        number = b.constants.get(left)
        if number is None:
            continue
        if number == 1.0:
            return right
        if number == -1.0:
            return b.emit("neg", (right,))
        if _is(number, 0.0) and b.ops[right] in PREDICATES:  # 0 or 1, never nan
            return left
    if b.ops[x] == "neg" and b.ops[y] == "neg":
        return b.emit("mul", (b.operands[x][0], b.operands[y][0]))
    return None


def _div(b: Builder, x: int, y: int) -> int | None:
    number = b.constants.get(y)
    if number is None:
        return None
    if number == 1.0:
        return x
    if number == -1.0:
        return b.emit("neg", (x,))
    if math.isfinite(number) and math.fabs(math.frexp(number)[0]) == 0.5 and 1e-300 < math.fabs(number) < 1e300:
        return b.emit("mul", (x, b.constant(1.0 / number)))  # the inverse of a power of two is exact
    return None


def _neg(b: Builder, x: int) -> int | None:
    return b.operands[x][0] if b.ops[x] == "neg" else None


def _power(b: Builder, x: int, y: int) -> int | None:
    number = b.constants.get(y)
    if number == 1.0:
        return x
    if number == 0.0:
        return b.constant(1.0)
    if number == -1.0:
        return b.emit("div", (b.constant(1.0), x))
    if number not in (2.0, 3.0, 4.0):
        return None
    square = b.emit("mul", (x, x))
    return square if number == 2.0 else b.emit("mul", (square, x if number == 3.0 else square))


def _where(b: Builder, condition: int, x: int, y: int) -> int | None:
    if x == y:
        return x
    number = b.constants.get(condition)
    return None if number is None else x if number != 0.0 else y


def _take(b: Builder, *operands: int) -> int | None:
    index = b.constants.get(operands[-1])
    return None if index is None else operands[int(index)]


RULES: dict[str, Callable[..., int | None]] = {
    "add": _add,
    "div": _div,
    "mul": _mul,
    "neg": _neg,
    "pos": lambda b, x: x,
    "power": _power,
    "sub": _sub,
    "take": _take,
    "where": _where,
}
"""For an operation, the function that gives an instruction with the same bits, or ``None`` where none is simpler."""
