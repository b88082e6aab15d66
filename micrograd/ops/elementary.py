"""Rows of the table: powers, exponentials, logarithms, trigonometric, hyperbolic and error functions.

Names are those of Python's ``math``; the derivatives are in any table of integrals (NIST DLMF, chapters 4 and 7).
Of two equal forms, a rule takes the one that neither overflows nor cancels: ``hypot(1, a)`` for ``sqrt(1 + a*a)``,
``(1 - a) * (1 + a)`` for ``1 - a*a``; and the saved result where it is as good.
"""

from __future__ import annotations

import math
from typing import Any

from micrograd.ops.arithmetic import div
from micrograd.ops.floats import power as _power
from micrograd.ops.floats import total
from micrograd.ops.selection import eq, ge, where
from micrograd.ops.table import Accuracy, Op, row

# ``pow`` is left out: a star import must not replace the builtin.
__all__ = [
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cbrt",
    "cos",
    "cosh",
    "degrees",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expm1",
    "fmod",
    "hypot",
    "log",
    "log1p",
    "log2",
    "log10",
    "power",
    "radians",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
]

_inf, _nan = math.inf, math.nan
_LN2 = math.log(2.0)
_LOG2_E, _LOG10_E = math.log2(math.e), math.log10(math.e)
_TWO_OVER_SQRT_PI = 2.0 / math.sqrt(math.pi)


def _log_pole(a: float) -> float:
    return -_inf if a == 0.0 else _nan


# --- powers and roots -------------------------------------------------------------------------------------------

power: Op = row(
    "power",
    symbol="**",
    operator="pow",
    forward=_power,
    vjp=(
        # 0**0 apart: 0 * 0**-1 would be nan where the derivative of the constant 1 is 0. Not b == 0 for every a: this
        # share has a derivative of its own with respect to b, and that is not 0 there.
        lambda g, out, a, b: where(eq(a, 0.0) * eq(b, 0.0), 0.0, g * (b * power(a, b - 1.0))),
        # 0**b is the constant 0 for b > 0, and 1 at b == 0; log(0) would make it nan.
        lambda g, out, a, b: where(eq(a, 0.0) * ge(b, 0.0), 0.0, g * (out * log(a))),
    ),
    domain=("(0, inf)", "(-inf, inf)"),
    # b - 1 is rounded for b < 1/2, which costs a**(b - 1) |log(a)| ulps: a few in practice, 710 for the extreme a
    accuracy=Accuracy(derivative=720.0),
    reference=lambda mp, a, b: mp.power(a, b),
    summary="a to the power b; real, nan for a negative base with a fractional exponent",
)
pow = power

sqrt: Op = row(
    "sqrt",
    forward=total(math.sqrt),
    vjp=(lambda g, out, a: div(g, 2.0 * out),),
    domain="[0, inf)",
    accuracy=Accuracy(value=0.5),
    reference=lambda mp, a: mp.sqrt(a),
    summary="square root",
)

cbrt: Op = row(
    "cbrt",
    forward=math.cbrt,
    vjp=(lambda g, out, a: div(g, 3.0 * (out * out)),),
    kinks=(0.0,),  # a vertical tangent
    accuracy=Accuracy(value=4.0, derivative=16.0),  # glibc's cbrt is off by 3.7 ulps at its worst
    reference=lambda mp, a: mp.sign(a) * mp.cbrt(mp.fabs(a)),
    summary="cube root",
)

hypot: Op = row(
    "hypot",
    method=True,
    forward=math.hypot,
    vjp=(lambda g, out, a, b: g * div(a, out), lambda g, out, a, b: g * div(b, out)),
    kinks=lambda a, b: (hypot(a, b),),
    reference=lambda mp, a, b: mp.hypot(a, b),
    summary="length of the vector (a, b), without overflow on the way",
)

# --- exponentials and logarithms --------------------------------------------------------------------------------

exp: Op = row(
    "exp",
    forward=total(math.exp),
    vjp=(lambda g, out, a: g * out,),
    reference=lambda mp, a: mp.exp(a),
    summary="e to the power a",
)

exp2: Op = row(
    "exp2",
    forward=total(math.exp2),
    vjp=(lambda g, out, a: g * (out * _LN2),),
    reference=lambda mp, a: mp.power(2, a),
    summary="2 to the power a",
)

expm1: Op = row(
    "expm1",
    forward=total(math.expm1),
    vjp=(lambda g, out, a: g * exp(a),),  # out + 1 would cancel for negative a
    reference=lambda mp, a: mp.expm1(a),
    summary="exp(a) - 1, exact near 0",
)

log: Op = row(
    "log",
    forward=total(math.log, pole=_log_pole),
    vjp=(lambda g, out, a: div(g, a),),
    domain="(0, inf)",
    reference=lambda mp, a: mp.log(a),
    summary="natural logarithm",
)

log1p: Op = row(
    "log1p",
    forward=total(math.log1p, pole=lambda a: _log_pole(1.0 + a)),
    vjp=(lambda g, out, a: div(g, 1.0 + a),),
    domain="(-1, inf)",
    reference=lambda mp, a: mp.log1p(a),
    summary="log(1 + a), exact near 0",
)

log2: Op = row(
    "log2",
    forward=total(math.log2, pole=_log_pole),
    vjp=(lambda g, out, a: div(g, a) * _LOG2_E,),
    domain="(0, inf)",
    reference=lambda mp, a: mp.log(a, 2),
    summary="logarithm to base 2",
)

log10: Op = row(
    "log10",
    forward=total(math.log10, pole=_log_pole),
    vjp=(lambda g, out, a: div(g, a) * _LOG10_E,),  # a * log(10) would overflow for the largest a
    domain="(0, inf)",
    reference=lambda mp, a: mp.log10(a),
    summary="logarithm to base 10",
)

# --- trigonometry -----------------------------------------------------------------------------------------------

sin: Op = row(
    "sin",
    forward=total(math.sin),
    vjp=(lambda g, out, a: g * cos(a),),
    reference=lambda mp, a: mp.sin(a),
    summary="sine of an angle in radians",
)

cos: Op = row(
    "cos",
    forward=total(math.cos),
    vjp=(lambda g, out, a: -g * sin(a),),
    reference=lambda mp, a: mp.cos(a),
    summary="cosine of an angle in radians",
)

tan: Op = row(
    "tan",
    forward=total(math.tan),
    vjp=(lambda g, out, a: g * (1.0 + out * out),),
    reference=lambda mp, a: mp.tan(a),
    summary="tangent of an angle in radians",
)

asin: Op = row(
    "asin",
    forward=total(math.asin),
    vjp=(lambda g, out, a: div(g, sqrt((1.0 - a) * (1.0 + a))),),
    domain="[-1, 1]",
    numpy_name="arcsin",
    reference=lambda mp, a: mp.asin(a),
    summary="inverse sine, in radians",
)

acos: Op = row(
    "acos",
    forward=total(math.acos),
    vjp=(lambda g, out, a: div(-g, sqrt((1.0 - a) * (1.0 + a))),),
    domain="[-1, 1]",
    numpy_name="arccos",
    reference=lambda mp, a: mp.acos(a),
    summary="inverse cosine, in radians",
)


def _over_squared_length(part: Any, a: Any, b: Any) -> Any:
    """``part / (a*a + b*b)``, without squares that overflow or underflow; 0 at the origin."""
    length = hypot(a, b)
    return where(eq(length, 0.0), 0.0, div(div(part, length), length))


atan: Op = row(
    "atan",
    forward=math.atan,
    vjp=(lambda g, out, a: g * _over_squared_length(1.0, 1.0, a),),
    numpy_name="arctan",
    reference=lambda mp, a: mp.atan(a),
    summary="inverse tangent, in radians",
)

atan2: Op = row(
    "atan2",
    numpy_name="arctan2",
    forward=math.atan2,
    vjp=(
        lambda g, out, a, b: g * _over_squared_length(b, a, b),
        lambda g, out, a, b: -g * _over_squared_length(a, a, b),
    ),
    kinks=lambda a, b: (a if b <= 0.0 else math.inf,),  # the cut along the negative axis
    reference=lambda mp, a, b: mp.atan2(a, b),
    summary="angle of the point (b, a), in radians",
)

degrees: Op = row(
    "degrees",
    forward=math.degrees,
    vjp=(lambda g, out, a: degrees(g),),
    numpy_name="rad2deg",
    reference=lambda mp, a: a * 180 / mp.pi,
    summary="an angle from radians to degrees",
)

radians: Op = row(
    "radians",
    forward=math.radians,
    vjp=(lambda g, out, a: radians(g),),
    numpy_name="deg2rad",
    reference=lambda mp, a: a * mp.pi / 180,
    summary="an angle from degrees to radians",
)

# --- hyperbolic functions ---------------------------------------------------------------------------------------

sinh: Op = row(
    "sinh",
    forward=total(math.sinh, overflow=lambda a: math.copysign(_inf, a)),
    vjp=(lambda g, out, a: g * cosh(a),),
    reference=lambda mp, a: mp.sinh(a),
    summary="hyperbolic sine",
)

cosh: Op = row(
    "cosh",
    forward=total(math.cosh),
    vjp=(lambda g, out, a: g * sinh(a),),
    reference=lambda mp, a: mp.cosh(a),
    summary="hyperbolic cosine",
)

tanh: Op = row(
    "tanh",
    forward=math.tanh,
    vjp=(lambda g, out, a: g * (1.0 - out * out),),
    accuracy=Accuracy(absolute=True),
    reference=lambda mp, a: mp.tanh(a),
    summary="hyperbolic tangent",
)

asinh: Op = row(
    "asinh",
    forward=math.asinh,
    vjp=(lambda g, out, a: div(g, hypot(1.0, a)),),
    numpy_name="arcsinh",
    reference=lambda mp, a: mp.asinh(a),
    summary="inverse hyperbolic sine",
)

acosh: Op = row(
    "acosh",
    forward=total(math.acosh),
    vjp=(lambda g, out, a: div(g, sqrt(a - 1.0) * sqrt(a + 1.0)),),
    domain="[1, inf)",
    accuracy=Accuracy(value=2.5),
    numpy_name="arccosh",
    reference=lambda mp, a: mp.acosh(a),
    summary="inverse hyperbolic cosine",
)

atanh: Op = row(
    "atanh",
    forward=total(math.atanh, pole=lambda a: math.copysign(_inf, a) if math.fabs(a) == 1.0 else _nan),
    vjp=(lambda g, out, a: div(g, (1.0 - a) * (1.0 + a)),),
    domain="(-1, 1)",
    numpy_name="arctanh",
    reference=lambda mp, a: mp.atanh(a),
    summary="inverse hyperbolic tangent",
)

# --- error functions and remainders -----------------------------------------------------------------------------

erf: Op = row(
    "erf",
    forward=math.erf,
    vjp=(lambda g, out, a: g * (_TWO_OVER_SQRT_PI * exp(-a * a)),),
    reference=lambda mp, a: mp.erf(a),
    summary="error function",
)

erfc: Op = row(
    "erfc",
    forward=math.erfc,
    vjp=(lambda g, out, a: -g * (_TWO_OVER_SQRT_PI * exp(-a * a)),),
    accuracy=Accuracy(value=5.5),  # glibc's erfc is off by 5.2 ulps at its worst
    reference=lambda mp, a: mp.erfc(a),
    summary="1 - erf(a), exact for large a",
)


def _fmod(a: float, b: float) -> float:
    try:
        return math.fmod(a, b)
    except ValueError:  # an infinite dividend or a zero divisor
        return _nan


def _to_multiples(a: float, b: float) -> tuple[float, float]:
    """Return how far ``a`` is from the multiples of ``b`` on both sides; the derivative jumps at a multiple."""
    remainder = math.fabs(_fmod(a, b))
    return remainder, math.fabs(b) - remainder


fmod: Op = row(
    "fmod",
    method=True,
    forward=_fmod,
    # (out - a) / b is minus the whole number of times that b goes into a.
    vjp=(lambda g, out, a, b: g, lambda g, out, a, b: g * div(out - a, b)),
    domain=("(-inf, inf)", "(-inf, 0) | (0, inf)"),
    kinks=_to_multiples,
    accuracy=Accuracy(value=0.0),
    reference=lambda mp, a, b: a - b * (mp.floor(a / b) if a / b >= 0 else mp.ceil(a / b)),
    summary="remainder of a / b with the sign of a",
)
