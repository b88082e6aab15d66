"""The strongest oracle: exact values and derivatives of one operation, from its reference, evaluated by mpmath.

Derivatives are central differences. mpmath has as many digits as one wants, so the step can be so small that nothing of
the truncation is left, and the digits so many that nothing of the cancellation is. Steps are relative to the operand.
Two steps of different size must agree, or nothing is said: so it is at kinks, at borders of the domain, where the step
is not small beside a period or another operand, and where a reference computes with fewer digits than it was asked for.
The library's own rows are believed at the first step at moderate numbers away from kinks.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from micrograd._deps import require
from micrograd.ops import Op
from micrograd.ops.table import is_builtin

__all__ = ["Exact", "exact", "ulps"]

mp: Any = require("mpmath", extra="test", purpose="the oracle 'mpmath'").mp

# (the step is 10 to the minus this, digits): each level is tried where the one before does not resolve the function.
# The last one is for operands such as 1e-300, beside which cos is a constant to hundreds of digits.
_LEVELS = ((25, 150), (60, 560), (330, 1700))

# Where an intermediate result is subnormal it is off by up to half of 2**-1074, and no rule of the table multiplies it
# by more than the 745 that exp can digest.
_FLOOR = mp.mpf(2) ** -1064
_TINY = mp.mpf(10) ** -340  # below all floats: as good as 0
_NEGLIGIBLE = mp.mpf(10) ** -18  # of a second derivative
_NOTHING = mp.mpf(10) ** -40  # a second derivative that may be 0 is known this well

# How large operands may be before mpmath gives up, or takes its time.
_REACH = {"erf": 1e100, "erfc": 1e100, "gelu": 1e100, "logsumexp": 1e18}

_precision = threading.Lock()  # of mpmath, which is one for the whole process


@dataclass(frozen=True)
class Exact:
    """The value at a point, first and second partial derivatives with respect to some operands, as mpmath's numbers."""

    value: Any
    gradient: list[Any]
    hessian: list[list[Any]]


def exact(op: Op, operands: Sequence[float], places: Sequence[int] | None = None, *, order: int = 1) -> Exact | None:
    """Return the exact derivatives, or ``None`` where they do not exist or mpmath cannot tell.

    Args:
        op: an operation with a reference.
        operands: the point.
        places: the operands to differentiate by; all if ``None``.
        order: 1 where the second derivatives are needed as condition numbers only, 2 where they are needed themselves.

    >>> from micrograd import log
    >>> truth = exact(log, [2.0])
    >>> float(truth.gradient[0]), float(truth.hessian[0][0])
    (0.5, -0.25)
    """
    if op.reference is None or max(map(abs, operands), default=0.0) > _REACH.get(op.name, math.inf):
        return None
    moved = range(len(operands)) if places is None else places
    with _precision:
        for step, digits in _LEVELS:
            last = digits == _LEVELS[-1][1]
            try:
                result = _differences(op.reference, operands, moved, step, digits, order, last)
                if result is None:
                    continue
                if _is_plain(op, operands):
                    return result
                again = _differences(op.reference, operands, moved, step + 5, digits * 4 // 3, order, last)
            except (ArithmeticError, ValueError):  # mpmath's own limits, and poles
                return None
            if again is not None and _agree(result, again):
                return result
    return None


def _is_plain(op: Op, operands: Sequence[float]) -> bool:
    """Tell whether nothing can happen within a step of 1e-25 around a point."""
    if not is_builtin(op) or not all(x == 0.0 or 1e-10 <= abs(x) <= 1e12 for x in operands):
        return False
    return op.kinks is None or all(abs(quantity) > 1e-10 for quantity in op.kinks(*operands))


def _differences(
    reference: Callable[..., Any],
    operands: Sequence[float],
    places: Sequence[int],
    step: int,
    digits: int,
    order: int,
    last: bool,
) -> Exact | None:
    n = len(places)
    with mp.workdps(digits):
        x = [mp.mpf(operand) for operand in operands]
        h = [(abs(x[place]) or 1) * mp.mpf(10) ** -step for place in places]

        def at(*moved: int) -> Any:
            """Return the value where the i-th operand is moved up for every i, and down for every ~i."""
            y = list(x)
            for i in moved:
                y[places[max(i, ~i)]] += h[i] if i >= 0 else -h[~i]
            return reference(mp, *y)

        value = at()
        if value == 0 and not last:
            return None  # nothing is left of it, perhaps
        up, down = [at(i) for i in range(n)], [at(~i) for i in range(n)]
        corners = {(i, j): at(i, j) + at(~i, ~j) for i, j in combinations(range(n), 2)}
        if any(isinstance(y, mp.mpc) or mp.isnan(y) for y in (value, *up, *down, *corners.values())):
            return None  # beyond the border of the domain
        noise = abs(value) * mp.mpf(10) ** -digits
        gradient = []
        for i in range(n):
            difference = up[i] - down[i]
            if (abs(difference) + noise) / h[i] < _TINY:
                difference = mp.mpf(0)
            elif abs(difference) < noise * 10**25 and not (last and difference == 0):
                return None
            if mp.isnan(difference):
                return None
            gradient.append(difference / (2 * h[i]))
        hessian = [[(up[i] - 2 * value + down[i]) / h[i] ** 2] * n for i in range(n)]
        for (i, j), both in corners.items():
            bend = both + 2 * value - up[i] - down[i] - up[j] - down[j]
            hessian[i][j] = hessian[j][i] = bend / (2 * h[i] * h[j])
        for i in range(n):
            for j in range(n):
                noisy = noise / (h[i] * h[j])
                if order == 2 and noisy > max(abs(hessian[i][j]) * _NEGLIGIBLE, _NOTHING) and not last:
                    return None
                noisy *= abs(x[places[j]])
                if noisy > abs(gradient[i]) / 1000 and noisy > _TINY and not last:
                    return None
        return Exact(value, gradient, hessian)


def _agree(a: Exact, b: Exact) -> bool:
    """Tell whether two steps give one value and derivative, to 22 digits, and what matters of the second."""
    if abs(a.value - b.value) > mp.mpf(10) ** -22 * abs(a.value):
        return False
    for i, (first, second) in enumerate(zip(a.gradient, b.gradient)):
        if abs(first - second) > mp.mpf(10) ** -22 * abs(first):
            return False
        for p, q in zip(a.hessian[i], b.hessian[i]):
            if abs(p - q) > mp.mpf(10) ** -15 * (abs(p) + abs(first) + _TINY):
                return False
    return True


def ulps(got: float, wanted: Any, *scales: Any, absolute: bool = False) -> float:
    """Return the error of ``got`` in ulps of ``wanted``, or of the largest of ``scales`` where they are larger.

    >>> ulps(1.0 + 2.0**-52, mp.mpf(1))
    1.0
    """
    if not math.isfinite(got):
        return math.inf
    error = abs(mp.mpf(got) - wanted)
    if error <= max(_FLOOR, abs(wanted) * mp.mpf(10) ** -20):  # what the differences are good for
        return 0.0
    size = max(abs(wanted), *map(abs, scales), mp.mpf(1.0 if absolute else 0.0))
    return float(error / math.ulp(min(float(size), 1.7e308)))
