"""Rows of the table: comparisons, and operations that select one of their operands.

A predicate gives 1.0 or 0.0 and has no derivative; ``where`` chooses by it. Where the derivative jumps (ties, bounds,
the kink of ``abs``) the convention is PyTorch's: half to each operand at a tie, 0 at the kink of ``abs``, all of it at
a bound of ``clamp``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from micrograd.ops.table import Accuracy, Op, row

# ``abs`` is left out: a star import must not replace the builtin.
__all__ = ["clamp", "copysign", "eq", "fabs", "ge", "gt", "isnan", "le", "lt", "maximum", "minimum", "where"]

_EXACT = Accuracy(value=0.0, derivative=0.0)


def _no_share(g: Any, out: Any, *operands: Any) -> float:
    return 0.0


def _predicate(name: str, symbol: str, arity: int, test: Callable[..., bool], summary: str) -> Op:
    return row(
        name,
        symbol=symbol,
        method=False,
        forward=lambda *operands: 1.0 if test(*operands) else 0.0,
        vjp=(_no_share,) * arity,
        accuracy=_EXACT,
        kinks=(lambda a, b: (a - b,)) if arity == 2 else None,
        reference=lambda mp, *operands: mp.mpf(test(*operands)),
        summary=summary,
    )


PREDICATES = frozenset({"gt", "ge", "lt", "le", "eq", "isnan"})
"""Operations that give 1 or 0, and have no derivative."""

gt = _predicate("gt", ">", 2, lambda a, b: a > b, "1 where a > b, else 0")
ge = _predicate("ge", ">=", 2, lambda a, b: a >= b, "1 where a >= b, else 0")
lt = _predicate("lt", "<", 2, lambda a, b: a < b, "1 where a < b, else 0")
le = _predicate("le", "<=", 2, lambda a, b: a <= b, "1 where a <= b, else 0")
eq = _predicate("eq", "==", 2, lambda a, b: a == b, "1 where a equals b, else 0")
isnan = _predicate("isnan", "isnan", 1, lambda a: a != a, "1 where a is nan, else 0")

where: Op = row(
    "where",
    forward=lambda condition, a, b: a if condition != 0.0 else b,
    vjp=(
        _no_share,
        lambda g, out, condition, a, b: where(condition, g, 0.0),
        lambda g, out, condition, a, b: where(condition, 0.0, g),
    ),
    accuracy=_EXACT,
    reference=lambda mp, condition, a, b: a if condition != 0 else b,
    summary="a where the condition is not 0, else b; nothing flows into the other",
)

abs: Op = row(
    "abs",
    symbol="|.|",
    operator="abs",
    forward=math.fabs,
    vjp=(lambda g, out, a: where(gt(a, 0.0), g, where(lt(a, 0.0), -g, 0.0)),),
    kinks=(0.0,),
    accuracy=_EXACT,
    reference=lambda mp, a: mp.fabs(a),
    numpy_name="fabs",
    summary="absolute value",
)
fabs = abs


def _maximum(a: float, b: float) -> float:
    return a if a >= b or a != a else b


def _minimum(a: float, b: float) -> float:
    return a if a <= b or a != a else b


maximum: Op = row(
    "maximum",
    symbol="max",
    forward=_maximum,
    vjp=(
        lambda g, out, a, b: where(lt(a, b), 0.0, where(eq(a, b), 0.5 * g, g)),
        lambda g, out, a, b: where(gt(a, b), 0.0, where(eq(a, b), 0.5 * g, g)),
    ),
    kinks=lambda a, b: (a - b,),
    accuracy=_EXACT,
    reference=lambda mp, a, b: max(a, b),
    summary="the larger operand, the first at a tie, nan if one is nan",
)

minimum: Op = row(
    "minimum",
    symbol="min",
    forward=_minimum,
    vjp=(
        lambda g, out, a, b: where(gt(a, b), 0.0, where(eq(a, b), 0.5 * g, g)),
        lambda g, out, a, b: where(lt(a, b), 0.0, where(eq(a, b), 0.5 * g, g)),
    ),
    kinks=lambda a, b: (a - b,),
    accuracy=_EXACT,
    reference=lambda mp, a, b: min(a, b),
    summary="the smaller operand, the first at a tie, nan if one is nan",
)


def _clamp(a: float, low: float, high: float) -> float:
    if a != a or low != low or high != high:
        return math.nan
    raised = low if a < low else a
    return high if raised > high else raised


clamp: Op = row(
    "clamp",
    method=True,
    flatten=lambda a, low=None, high=None: (
        a,
        -math.inf if low is None else low,
        math.inf if high is None else high,
    ),
    forward=_clamp,
    vjp=(
        lambda g, out, a, low, high: where(ge(a, low) * le(a, high), g, 0.0),
        lambda g, out, a, low, high: where(lt(low, high) * lt(a, low), g, 0.0),
        lambda g, out, a, low, high: where(gt(a, high) + gt(low, high), g, 0.0),
    ),
    kinks=lambda a, low, high: (a - low, a - high, low - high),
    accuracy=_EXACT,
    reference=lambda mp, a, low, high: min(max(a, low), high),
    summary="the operand held between two bounds; None is no bound",
)

copysign: Op = row(
    "copysign",
    forward=math.copysign,
    vjp=(
        lambda g, out, a, b: where(eq(a, 0.0), 0.0, g * (copysign(1.0, a) * copysign(1.0, b))),
        _no_share,
    ),
    kinks=lambda a, b: (a, b),
    accuracy=_EXACT,
    reference=lambda mp, a, b: mp.fabs(a) * (-1 if b < 0 else 1),
    summary="the size of a with the sign of b",
)
