"""Rows of the table: activation functions.

Their derivatives follow PyTorch at the kinks: ``relu`` has slope 0 at 0, ``leaky_relu`` its slope for negative
operands, ``elu`` its ``alpha``.
"""

from __future__ import annotations

import math

from micrograd.ops.elementary import erfc, exp, expm1
from micrograd.ops.selection import gt, le, where
from micrograd.ops.table import Accuracy, Op, row

__all__ = ["elu", "gelu", "leaky_relu", "relu", "sigmoid", "silu", "softplus"]

_SQRT_HALF = math.sqrt(0.5)
_ONE_OVER_SQRT_TWO_PI = 1.0 / math.sqrt(2.0 * math.pi)

relu: Op = row(
    "relu",
    symbol="ReLU",
    forward=lambda a: 0.0 if a <= 0.0 else a,  # nan is not <= 0 and passes
    vjp=(lambda g, out, a: where(out, g, 0.0),),  # out is not 0 where a > 0, nor where it is nan
    kinks=(0.0,),
    accuracy=Accuracy(value=0.0, derivative=0.0),
    reference=lambda mp, a: max(a, mp.mpf(0)),
    summary="the operand where it is positive, else 0",
)

leaky_relu: Op = row(
    "leaky_relu",
    method=True,
    flatten=lambda a, slope=0.01: (a, slope),
    forward=lambda a, slope: a if a > 0.0 else slope * a,
    vjp=(
        lambda g, out, a, slope: where(gt(a, 0.0), g, g * slope),
        lambda g, out, a, slope: where(gt(a, 0.0), 0.0, g * a),
    ),
    kinks=lambda a, slope: (a,),
    accuracy=Accuracy(value=0.5, derivative=0.5),
    reference=lambda mp, a, slope: a if a > 0 else slope * a,
    summary="the operand where it is positive, else slope times it (slope=0.01)",
)

elu: Op = row(
    "elu",
    method=True,
    flatten=lambda a, alpha=1.0: (a, alpha),
    forward=lambda a, alpha: a if a > 0.0 else alpha * math.expm1(a),
    vjp=(
        lambda g, out, a, alpha: where(le(a, 0.0), g * (alpha * exp(a)), g),
        lambda g, out, a, alpha: where(le(a, 0.0), g * expm1(a), 0.0),
    ),
    kinks=lambda a, alpha: (a,),
    reference=lambda mp, a, alpha: a if a > 0 else alpha * mp.expm1(a),
    summary="the operand where it is positive, else alpha * (exp(a) - 1) (alpha=1)",
)


def _sigmoid(a: float) -> float:
    if a >= 0.0:
        return 1.0 / (1.0 + math.exp(-a))
    e = math.exp(a)
    return e / (1.0 + e)


sigmoid: Op = row(
    "sigmoid",
    symbol="σ",
    forward=_sigmoid,
    vjp=(lambda g, out, a: g * (out * (1.0 - out)),),
    accuracy=Accuracy(absolute=True),
    reference=lambda mp, a: 1 / (1 + mp.exp(-a)),
    summary="1 / (1 + exp(-a))",
)

softplus: Op = row(
    "softplus",
    forward=lambda a: (0.0 if a < 0.0 else a) + math.log1p(math.exp(-math.fabs(a))),
    vjp=(lambda g, out, a: g * sigmoid(a),),
    reference=lambda mp, a: mp.log1p(mp.exp(a)),
    summary="log(1 + exp(a)), a smooth relu",
)

silu: Op = row(
    "silu",
    symbol="SiLU",
    forward=lambda a: a * _sigmoid(a),
    # sigmoid(-a) is 1 - sigmoid(a) without the cancellation for large a
    vjp=(lambda g, out, a: g * (sigmoid(a) + out * sigmoid(-a)),),
    accuracy=Accuracy(value=3.0, derivative=5.0),
    reference=lambda mp, a: a / (1 + mp.exp(-a)),
    summary="a * sigmoid(a), also called swish",
)

gelu: Op = row(
    "gelu",
    symbol="GELU",
    forward=lambda a: a * (0.5 * math.erfc(-a * _SQRT_HALF)),
    vjp=(lambda g, out, a: g * (0.5 * erfc(-_SQRT_HALF * a) + a * (_ONE_OVER_SQRT_TWO_PI * exp(-0.5 * (a * a)))),),
    # absolute: below about -1 the rounding of a / sqrt(2) costs a * a ulps of the result
    accuracy=Accuracy(absolute=True),
    reference=lambda mp, a: a * mp.erfc(-a / mp.sqrt(2)) / 2,
    summary="a times the normal distribution's probability below a",
)
