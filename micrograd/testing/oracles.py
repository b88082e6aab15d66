"""The derivative of one operation by other means than its rule: the best that is available at a point.

In this order: mpmath, where it is installed and the row has a reference; the complex step, where the forward function
allows one; extrapolated differences. What an oracle says comes with how far it may be off, and a weak oracle may accuse
a rule only by a clear margin.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from micrograd.ops import Op
from micrograd.testing.complex_step import complex_step
from micrograd.testing.differences import CLEAR, RESOLVED, Slope, one_sided, slope
from micrograd.testing.rounding import SMALLEST

__all__ = [
    "ORACLES",
    "Estimate",
    "along",
    "directions",
    "estimates",
    "has_mpmath",
    "moved",
    "reach",
    "refuse_unknown",
    "share_along",
    "sides",
]

_NUDGE = 2.0**-50  # relative: four ulps
_COMPLEX_MARGIN = 4.0


@dataclass(frozen=True)
class Estimate:
    """What an oracle says about an operation at a point; every list has one entry for each differentiated operand.

    Attributes:
        oracle: its name.
        value: the result, where the oracle has one of its own.
        partials: the derivatives.
        errors: how far each of them may be off, with the margin that a weak oracle needs.
        conditions: how much each changes with relative changes of the operands, ``sum(|x_j d2f/dx_i dx_j|)``.
        hessian: the second derivatives, where the oracle has them.
    """

    oracle: str
    value: float | None
    partials: list[float]
    errors: list[float]
    conditions: list[float]
    hessian: list[list[float]] | None = None


def estimates(
    op: Op, operands: Sequence[float], places: Sequence[int], *, order: int = 1, oracle: str = "best"
) -> Iterator[Estimate]:
    """Generate what the oracles say that can say something at this point, the strongest first.

    Args:
        op: the operation; its rule is not asked.
        operands: the point.
        places: the operands to differentiate by.
        order: 2 where second derivatives are needed too; not all oracles have them.
        oracle: the name of the only oracle to ask, or ``"best"``.

    Raises ``ValueError`` for a name that is not in ``ORACLES``, ``ImportError`` where mpmath is asked for by name and
    is not installed.
    """
    refuse_unknown(oracle)
    for name, ask in ORACLES.items():
        if oracle == name or (oracle == "best" and (name != "mpmath" or has_mpmath())):
            estimate = ask(op, operands, places, order)
            if estimate is not None:
                yield estimate


@functools.cache
def has_mpmath() -> bool:
    """Tell whether the strongest oracle is installed."""
    return importlib.util.find_spec("mpmath") is not None


# --- the oracles ------------------------------------------------------------------------------------------------


def _by_mpmath(op: Op, operands: Sequence[float], places: Sequence[int], order: int) -> Estimate | None:
    if op.reference is None:
        return None
    truth = importlib.import_module("micrograd.testing.exact").exact(op, operands, places, order=order)
    if truth is None:
        return None
    partials = [float(d) for d in truth.gradient]
    return Estimate(
        oracle="mpmath",
        value=float(truth.value),
        partials=partials,
        errors=[0.5 * math.ulp(d) if math.isfinite(d) else 0.0 for d in partials],
        conditions=[float(sum(abs(operands[i] * d) for i, d in zip(places, row))) for row in truth.hessian],
        hessian=[[float(d) for d in row] for row in truth.hessian],
    )


def _by_complex_step(op: Op, operands: Sequence[float], places: Sequence[int], order: int) -> Estimate | None:
    partials = complex_step(op, operands, places)
    if partials is None:
        return None
    # The forward function rounds as it rounds; how much of that is in the slope shows when the point is nudged.
    spread = [0.0] * len(places)
    for place in places:
        for direction in (-1.0, 1.0):
            near = complex_step(op, moved(operands, place, operands[place] * (1.0 + direction * _NUDGE)), places)
            if near is not None:
                spread = [max(s, abs(there - here)) for s, there, here in zip(spread, near, partials)]
    errors = [_COMPLEX_MARGIN * (s + 4.0 * math.ulp(d)) for s, d in zip(spread, partials)]
    return Estimate("complex step", None, partials, errors, [0.0] * len(places))


def _by_differences(op: Op, operands: Sequence[float], places: Sequence[int], order: int) -> Estimate | None:
    found = []
    for place in places:
        single = slope(along(op, operands, place), operands[place], reach(op, operands, place))
        if single is None or not _resolved(single, op, operands, place):
            return None
        found.append(single)
    return Estimate(
        oracle="differences",
        value=None,
        partials=[s.value for s in found],
        errors=[CLEAR * s.error for s in found],
        conditions=[0.0] * len(places),
    )


def _resolved(found: Slope, op: Op, operands: Sequence[float], place: int) -> bool:
    """Tell whether the error is small beside the derivative, or beside what a derivative of this function might be."""
    usual = abs(op.forward(*operands)) / (abs(operands[place]) or 1.0)
    return found.error <= max(RESOLVED * max(abs(found.value), usual), SMALLEST)


ORACLES: dict[str, Callable[[Op, Sequence[float], Sequence[int], int], Estimate | None]] = {
    "mpmath": _by_mpmath,
    "complex step": _by_complex_step,
    "differences": _by_differences,
}
"""From the strongest to the weakest."""


def refuse_unknown(oracle: str) -> None:
    """Raise ``ValueError`` for a name that is neither that of an oracle nor ``"best"``."""
    if oracle != "best" and oracle not in ORACLES:
        raise ValueError(f"unknown oracle {oracle!r} (one of: best, {', '.join(ORACLES)})")


# --- around a point ---------------------------------------------------------------------------------------------


def moved(operands: Sequence[float], place: int, x: float) -> list[float]:
    """Return ``operands`` with another number in one place."""
    there = list(operands)
    there[place] = x
    return there


def along(op: Op, operands: Sequence[float], place: int) -> Callable[[float], float]:
    """Return the operation as a function of one operand."""
    return lambda x: op.forward(*moved(operands, place, x))


def share_along(op: Op, operands: Sequence[float], place: int, other: int) -> Callable[[float], float]:
    """Return the rule's share of one operand, at an upstream gradient of 1, as a function of another operand."""
    wanted = [k == place for k in range(len(operands))]

    def share(x: float) -> float:
        there = moved(operands, other, x)
        return float(op.contributions(1.0, op.forward(*there), there, wanted)[place])

    return share


def reach(op: Op, operands: Sequence[float], place: int) -> float | None:
    """Return how far an operand may be moved without leaving the domain or crossing a kink; ``None`` for no limit."""
    x = operands[place]
    distances = []
    if op.kinks is not None:
        distances += [abs(quantity) for quantity in op.kinks(*operands)]
    domain = op.domain[place if op.arity is not None else 0]
    for interval in domain.intervals:
        distances += [abs(x - interval.low), abs(x - interval.high)]
    limits = [distance / 4.0 for distance in distances if 0.0 < distance < math.inf]
    return min(limits, default=None)


def sides(op: Op, operands: Sequence[float], place: int) -> list[Slope]:
    """Return the slopes on both sides of an operand, on those where there is one."""
    f, limit = along(op, operands, place), reach(op, operands, place)
    found = [one_sided(f, operands[place], side, limit) for side in (-1.0, 1.0)]
    return [s for s in found if s is not None]


def directions(count: int) -> list[list[float]]:
    """Return a few directions that are not special in any way, the same in every process."""
    return [
        [
            (1.0 if (i * (k + 1) // 2) % 2 == 0 else -1.0) * (0.5 + (0.618034 * (i + 1) * (k + 1)) % 1.0)
            for i in range(count)
        ]
        for k in range(3)
    ]
