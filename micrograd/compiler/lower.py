"""Lowering: composite operations expanded into the few that every native backend spells.

An expansion computes what the row's forward function computes, in the same way, written with operations instead of
Python's ``if``. The backends then need a spelling for ``PRIMITIVES`` only, and the user's own operations come in by
themselves: their forward functions are tried on symbols.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from micrograd import ops
from micrograd.compiler.builder import Builder
from micrograd.compiler.program import CHAIN, LEAVES, SHARE, Program, renumbered, without_dead_code
from micrograd.compiler.template import Templates
from micrograd.errors import CompilationError
from micrograd.ops.table import is_builtin, operations

__all__ = ["LIBRARY", "PRIMITIVES", "lowered"]

LIBRARY = frozenset(
    [
        "exp",
        "exp2",
        "expm1",
        "log",
        "log1p",
        "log2",
        "log10",
        "cbrt",
        "sin",
        "cos",
        "tan",
        "asin",
        "acos",
        "atan",
        "sinh",
        "cosh",
        "tanh",
        "asinh",
        "acosh",
        "atanh",
        "erf",
        "erfc",
        "power",
        "atan2",
        "hypot",
        "fmod",
    ]
)
"""Functions that a backend takes from the C library, or from a vector version of it."""

PRIMITIVES = (
    LIBRARY
    | frozenset(
        ["add", "sub", "mul", "div", "neg", "abs", "sqrt", "gt", "ge", "lt", "le", "eq", "isnan", "where", "copysign"]
    )
    | {CHAIN, "take"}
)
"""Everything that a native backend spells."""

_DEEPEST = 50  # rounds: a user's operation written with a user's operation written with ...


def lowered(program: Program) -> Program:
    """Return the program written with ``PRIMITIVES`` only.

    Raises ``CompilationError`` for an operation that cannot be expanded: a user's, whose forward function is not
    written with operations, or with itself.

    >>> p = Program(["argument", "relu"], [(0,), (0,)], outputs={"value": 1})
    >>> print(lowered(p))
    %0 = argument 0
    %1 = constant 0.0
    %2 = le %0, %1
    %3 = where %2, %1, %0
    value %3
    """
    for _ in range(_DEEPEST):
        if all(op in LEAVES or _spelled(program.ops, op, x) for op, x in zip(program.ops, program.operands)):
            return program  # it was simplified when its instructions were added
        program = _expanded_once(program)
    raise CompilationError("operations whose forward functions are written with operations, without end")


def _expanded_once(program: Program) -> Program:
    """Return the program with every operation expanded; what it is written with may need another round."""
    b = Builder()
    number: list[int] = []
    for op, operands in zip(program.ops, program.operands):
        if op in LEAVES:
            number.append(b.leaf(op, *operands))
            continue
        places = tuple([number[x] for x in operands])
        if _spelled(b.ops, op, places):
            number.append(b.emit(op, places))
        else:
            number.append(_expanded(b, op, places, program.notes))
    return without_dead_code(renumbered(program, b.ops, b.operands, number))


def _spelled(ops: Sequence[str], op: str, operands: Sequence[int]) -> bool:
    """Tell whether backends spell an instruction: of ``take`` they do where it chooses among numbers in an array."""
    if op == "take":
        return all(ops[x] in ("argument", "parameter") for x in operands[:-1])
    return op in PRIMITIVES


def _expanded(b: Builder, op: str, places: tuple[int, ...], notes: Mapping[str, str]) -> int:
    if SHARE in op:
        raise CompilationError(
            f"the derivative rule of {op.partition(SHARE)[0]!r} has no native form: it is not written with + - * and"
            f" operations of micrograd ({notes.get(op.partition(SHARE)[0], '')}); compile with backend='python', or"
            " write it so"
        )
    expansion = _EXPANSIONS.get(op)
    if expansion is not None and is_builtin(operations()[op]):
        if len(places) <= 4:
            (place,) = _templates.get(b, (op, len(places)), lambda *symbols: [expansion(*symbols)], places)
            assert place is not None
            return place
        return b.place(expansion(*[b.symbol(x) for x in places]))
    try:
        return b.place(operations()[op].forward(*[b.symbol(x) for x in places]))
    except Exception as error:  # a user's function may be any Python and fail in any way
        raise CompilationError(
            f"the operation {op!r} has no native form: its forward function is not written with + - * and operations"
            f" of micrograd ({error}); compile with backend='python', or write it so"
        ) from error


_templates = Templates()

# --- expansions -------------------------------------------------------------------------------------------------

_SQRT_HALF = math.sqrt(0.5)
_DEGREES, _RADIANS = 180.0 / math.pi, math.pi / 180.0


def _sum(*xs: Any) -> Any:
    total: Any = 0.0
    for x in xs:
        total = total + x
    return total


def _prod(*xs: Any) -> Any:
    product: Any = 1.0
    for x in xs:
        product = product * x
    return product


def _dot(*operands: Any) -> Any:
    half = len(operands) // 2
    return _sum(*[x * y for x, y in zip(operands[:half], operands[half:])])


def _dist(*operands: Any) -> Any:
    half = len(operands) // 2
    differences = [ops.abs(x - y) for x, y in zip(operands[:half], operands[half:])]
    largest: Any = 0.0
    for d in differences:
        largest = ops.where(ops.gt(d, largest), d, largest)
    # Scaled by the largest, the squares neither overflow nor vanish. An infinite one decides, even beside a nan.
    scale = ops.where(ops.eq(largest, 0.0), 1.0, largest)
    length = scale * ops.sqrt(_sum(*[_square(ops.div(d, scale)) for d in differences]))
    return ops.where(ops.eq(largest, math.inf), math.inf, length)


def _square(x: Any) -> Any:
    return x * x


def _maximum(a: Any, b: Any) -> Any:
    return ops.where(ops.ge(a, b), a, ops.where(ops.isnan(a), a, b))


def _minimum(a: Any, b: Any) -> Any:
    return ops.where(ops.le(a, b), a, ops.where(ops.isnan(a), a, b))


def _clamp(a: Any, low: Any, high: Any) -> Any:
    raised = ops.where(ops.lt(a, low), low, a)
    held = ops.where(ops.gt(raised, high), high, raised)
    return ops.where(ops.isnan(low) + ops.isnan(high), math.nan, held)


def _sigmoid(a: Any) -> Any:
    e = ops.exp(-ops.abs(a))
    return ops.div(ops.where(ops.lt(a, 0.0), e, 1.0), 1.0 + e)


def _logsumexp(*xs: Any) -> Any:
    peak: Any = -math.inf
    for x in xs:
        peak = ops.where(ops.gt(x, peak), x, peak)
    # One of the largest is left out of the sum and counts as 1; log1p keeps what the others add where it is tiny.
    largest: Any = 0.0
    others: Any = 0.0
    for x in xs:
        is_peak = ops.eq(x, peak)
        largest = largest + is_peak
        others = others + ops.where(is_peak, 0.0, ops.exp(x - peak))
    # Where the peak is infinite, the others are 0, or nan where an operand is.
    return peak + ops.where(ops.eq(ops.abs(peak), math.inf), others, ops.log1p(others + (largest - 1.0)))


def _take(*operands: Any) -> Any:
    *values, index = operands
    result = values[-1]
    for i in range(len(values) - 2, -1, -1):
        result = ops.where(ops.eq(index, float(i)), values[i], result)
    return result


_EXPANSIONS: dict[str, Callable[..., Any]] = {
    "clamp": _clamp,
    "degrees": lambda a: a * _DEGREES,
    "dist": _dist,
    "dot": _dot,
    "elu": lambda a, alpha: ops.where(ops.gt(a, 0.0), a, alpha * ops.expm1(a)),
    "gelu": lambda a: a * (0.5 * ops.erfc(-a * _SQRT_HALF)),
    "leaky_relu": lambda a, slope: ops.where(ops.gt(a, 0.0), a, slope * a),
    "logsumexp": _logsumexp,
    "maximum": _maximum,
    "mean": lambda *xs: ops.div(_sum(*xs), float(len(xs))),
    "minimum": _minimum,
    "pos": lambda a: a,
    "prod": _prod,
    "radians": lambda a: a * _RADIANS,
    "relu": lambda a: ops.where(ops.le(a, 0.0), 0.0, a),
    "sigmoid": _sigmoid,
    "silu": lambda a: a * _sigmoid(a),
    "softplus": lambda a: ops.where(ops.lt(a, 0.0), 0.0, a) + ops.log1p(ops.exp(-ops.abs(a))),
    "sum": _sum,
    "take": _take,
}
