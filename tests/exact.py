"""Exact values and derivatives of operations: the table's references, evaluated by mpmath.

Derivatives are central differences. mpmath has as many digits as one wants, so the step can be so small that nothing of
the truncation is left, and the digits so many that nothing of the cancellation is. Steps are relative to the operand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from mpmath import mp

from micrograd.ops import Op

__all__ = ["Exact", "exact", "is_smooth", "ulps"]

# (the step is 10 to the minus this, digits): each level is tried where the one before does not resolve the function.
# The last one is for operands such as 1e-300, beside which cos is a constant to hundreds of digits.
_LEVELS = ((25, 150), (60, 560), (330, 1700))

# Where an intermediate result is subnormal it is off by up to half of 2**-1074, and no rule of the table multiplies it
# by more than the 745 that exp can digest.
_FLOOR = mp.mpf(2) ** -1064
_TINY = mp.mpf(10) ** -340  # below all floats: as good as 0


@dataclass(frozen=True)
class Exact:
    """The value at a point, all first and second partial derivatives, as mpmath's numbers."""

    value: Any
    gradient: list[Any]
    hessian: list[list[Any]]


def exact(op: Op, operands: Sequence[float]) -> Exact | None:
    """Return the exact derivatives, or ``None`` where they do not exist or mpmath cannot tell."""
    assert op.reference is not None
    for step, digits in _LEVELS:
        last = digits == _LEVELS[-1][1]
        try:
            result = _differences(op.reference, operands, step, digits, last)
            again = result and _differences(op.reference, operands, step + 5, digits * 4 // 3, last)
        except (OverflowError, ZeroDivisionError, ValueError):  # mpmath's own limits, and poles
            return None
        if result is not None and again is not None and _agree(result, again):
            return result
    return None


def _differences(
    reference: Callable[..., Any], operands: Sequence[float], step: int, digits: int, last: bool
) -> Exact | None:
    n = len(operands)
    with mp.workdps(digits):
        x = [mp.mpf(operand) for operand in operands]
        h = [(abs(operand) if operand else 1) * mp.mpf(10) ** -step for operand in x]

        def at(*moved: int) -> Any:
            """The value where operand i is moved up for every i, and down for every ~i."""
            y = list(x)
            for i in moved:
                y[max(i, ~i)] += h[i] if i >= 0 else -h[~i]
            return reference(mp, *y)

        value = at()
        if value == 0 and not last:
            return None  # nothing is left of it, perhaps
        up, down = [at(i) for i in range(n)], [at(~i) for i in range(n)]
        if any(isinstance(y, mp.mpc) for y in (value, *up, *down)):
            return None  # beyond the border of the domain
        noise = abs(value) * mp.mpf(10) ** -digits
        gradient = []
        for i in range(n):
            difference = up[i] - down[i]
            if (abs(difference) + noise) / h[i] < _TINY:
                difference = mp.mpf(0)
            elif abs(difference) < noise * 10**25 and not (last and difference == 0):
                return None
            gradient.append(difference / (2 * h[i]))
        hessian = [[(up[i] - 2 * value + down[i]) / h[i] ** 2] * n for i in range(n)]
        for i, j in combinations(range(n), 2):
            hessian[i][j] = hessian[j][i] = (at(i, j) - up[i] - up[j] + value) / (h[i] * h[j])
        for i in range(n):
            for j in range(n):
                noisy = noise / (h[i] * h[j]) * abs(x[j])
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


def is_smooth(op: Op, operands: Sequence[float]) -> bool:
    """Tell whether ``op`` has a derivative at the operands, and in a neighbourhood wider than the steps."""
    if op.kinks is None:
        return True
    size = max(map(abs, operands))
    # A kink where one operand vanishes is never crossed, because the steps are relative to the operand.
    return all(
        quantity != 0.0 and (abs(quantity) > 1e-20 * size or abs(quantity) in map(abs, operands))
        for quantity in op.kinks(*operands)
    )


def ulps(got: float, wanted: Any, *scales: Any, absolute: bool = False) -> float:
    """Return the error of ``got`` in ulps of ``wanted``, or of the largest of ``scales`` where they are larger."""
    if not math.isfinite(got):
        return math.inf
    error = abs(mp.mpf(got) - wanted)
    if error <= max(_FLOOR, abs(wanted) * mp.mpf(10) ** -20):  # what the differences are good for
        return 0.0
    size = max(abs(wanted), *map(abs, scales), mp.mpf(1.0 if absolute else 0.0))
    return float(error / math.ulp(min(float(size), 1.7e308)))
