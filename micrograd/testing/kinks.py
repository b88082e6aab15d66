"""Where there is no derivative: kinks, ties, borders of a domain, and what the engine has to give there.

Its value lies between the slopes on both sides, and is the documented one. The documented ones are PyTorch's: 0 at the
kink of ``abs`` and ``relu``, half to each operand at a tie, all of it at a bound of ``clamp``. The table of operations
follows them in its rules; here they stand once more as plain numbers, so that a rule which departs from them by a sign
is seen. An operation that is not listed may have any slope between the two sides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from micrograd.ops import Op
from micrograd.testing.differences import CLEAR, RESOLVED, differ
from micrograd.testing.findings import Fault, Rule
from micrograd.testing.oracles import sides

__all__ = ["check_kink", "documented_slopes", "explain_silence", "is_bent", "selects"]


_SELECTORS = {"where": 0, "take": -1}
_SLOPES: dict[str, Callable[..., Sequence[float | None]]] = {
    "abs": lambda a: (0.0,),
    "relu": lambda a: (0.0,),
    "leaky_relu": lambda a, slope: (slope, a),
    "elu": lambda a, alpha: (alpha, 0.0),
    "maximum": lambda a, b: (0.5, 0.5),
    "minimum": lambda a, b: (0.5, 0.5),
    "clamp": lambda a, low, high: (1.0, 0.0, 0.0) if low <= a <= high else (None, None, None),
    "copysign": lambda a, b: (0.0 if a == 0.0 else None, 0.0),
    "cbrt": lambda a: (math.inf,),
    "hypot": lambda a, b: (math.nan, math.nan),
    "dist": lambda *operands: (0.0,) * len(operands),
    "fmod": lambda a, b: (1.0, None),
    **dict.fromkeys(("gt", "ge", "lt", "le", "eq"), lambda a, b: (0.0, 0.0)),
}


def selects(op: Op, place: int, count: int) -> bool:
    """Tell whether an operand only says which of the others is meant; its slope is 0 by definition.

    >>> from micrograd import where
    >>> [selects(where, place, 3) for place in range(3)]
    [True, False, False]
    """
    return _SELECTORS.get(op.name) in (place, place - count)


def documented_slopes(name: str, operands: Sequence[float]) -> Sequence[float | None]:
    """Return the slope with respect to each operand at a kink; ``None`` where nothing is documented.

    >>> documented_slopes("maximum", [3.0, 3.0])
    (0.5, 0.5)
    """
    slopes = _SLOPES.get(name)
    return (None,) * len(operands) if slopes is None else slopes(*operands)


def is_bent(op: Op, operands: tuple[float, ...], place: int) -> bool:
    """Tell whether the slopes on the two sides differ by a clear margin."""
    return differ(sides(op, operands, place))


def check_kink(rule: Rule, op: Op, operands: tuple[float, ...], why: str) -> None:
    """Hold the shares to the slopes on both sides, and to the documented ones."""
    rule.kink = why
    rule.oracle = "differences"
    documented = documented_slopes(op.name, operands)
    for partial, place in zip(rule.partials, rule.places):
        convention = documented[place]
        if convention is not None and partial != convention and not (partial != partial and convention != convention):
            rule.fault = Fault(
                f"at this kink the derivative by operand {place} is documented to be {convention:g}",
                partial,
                convention,
                0.0,
                place,
                oracles=("convention",),
            )
            return
        slopes = sides(op, operands, place)
        if len(slopes) < 2 or convention is not None:
            continue
        scale = max(abs(s.value) for s in slopes)
        if any(s.error > RESOLVED * scale for s in slopes):
            continue  # steep, or a jump: the slopes grow with every smaller step
        low, high = sorted(slopes, key=lambda s: s.value)
        allowed = CLEAR * (low.error + high.error) + 1e-9 * max(abs(low.value), abs(high.value))
        if not low.value - allowed <= partial <= high.value + allowed:
            nearest = low.value if partial < low.value else high.value
            rule.fault = Fault(
                f"at this kink the derivative by operand {place} lies outside of the slopes on both sides,"
                f" {low.value:.6g} and {high.value:.6g}",
                partial,
                nearest,
                allowed,
                place,
                oracles=("differences",),
            )
            return


def explain_silence(rule: Rule, op: Op, operands: tuple[float, ...]) -> None:
    """Say why no oracle can tell: a steep point, a border of the domain, or numbers too extreme."""
    for i, x in enumerate(operands):
        domain = op.domain[i if op.arity is not None else 0]
        if any(x in (interval.low, interval.high) for interval in domain.intervals) and math.isfinite(x):
            rule.kink = f"{op.name} is at the border of its domain, {domain}"
            return
    for partial, place in zip(rule.partials, rule.places):
        if math.isinf(partial) or len(sides(op, operands, place)) < 2:
            rule.kink = f"{op.name} has no finite slope here"
            return
    rule.doubt = f"no oracle can tell the derivative of {op.name} here"
