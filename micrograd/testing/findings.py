"""What the first level of a check finds out about one operation at one point, in numbers and words."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from micrograd.ops import Op
from micrograd.ops.table import UNSTATED, is_builtin

__all__ = ["BENDS", "LARGEST", "LENIENT", "LOST", "MOST", "NUMBERS_ONLY", "Fault", "Rule", "is_trusted", "ulp"]

LOST = 2.0**-1064
"""What is lost where something on the way is subnormal."""

LARGEST = 1e300
"""Rules may overflow a little before a result does."""

LENIENT = 1e-9
"""Of a result, what a forward function whose accuracy nobody stated may be off: it may cancel."""

BENDS, NUMBERS_ONLY = "bends here", "runs on numbers only"
"""How reasons speak of a kink that the row does not list, and of a rule that cannot be differentiated."""

MOST = 12
"""Operands of one node that are held to the oracle one by one; of more of them, so many from the first to the last."""


@dataclass(frozen=True)
class Fault:
    """Two numbers that should be one.

    Attributes:
        what: a sentence for people: what is wrong.
        engine: what the engine has.
        expected: what the oracle has.
        bound: how far they may be apart.
        place: the operand, from 0; ``None`` where the node as a whole is meant.
        order: of the derivative; 0 for a value.
        oracles: those that agree on it.
    """

    what: str
    engine: float
    expected: float
    bound: float
    place: int | None = None
    order: int = 1
    oracles: tuple[str, ...] = ()


@dataclass
class Rule:
    """What the first level found out about one operation at one point.

    Attributes:
        places: the operands that are differentiated by.
        partials: the rule's share of an upstream gradient of 1, for each of them.
        slack: how far rounding may carry the share of another gradient from that, relative to the gradient.
        bent: whether the second derivatives were looked at; then
        hessian: derivatives of the shares, and
        hessian_slack: how far rounding may carry those; both empty at first order and for many operands.
        oracle: the one that judged; empty where none could; and
        second_oracle: the one for second derivatives.
        exact_hessian: second derivatives by the oracle, by two operands, where it has them.
        judged: how many partial derivatives it was asked for.
        error: the largest error of a partial derivative, as a part of what was allowed.
        kink: why there is no derivative here, or empty.
        doubt: why nothing can be said, or empty.
        fault: what is wrong, or ``None``.
    """

    places: list[int]
    partials: list[float]
    slack: list[float]
    bent: bool = False
    hessian: list[list[float]] = field(default_factory=list)
    hessian_slack: list[list[float]] = field(default_factory=list)
    oracle: str = ""
    second_oracle: str = ""
    exact_hessian: dict[tuple[int, int], float] = field(default_factory=dict)
    judged: int = 0
    error: float = 0.0
    kink: str = ""
    doubt: str = ""
    fault: Fault | None = None


def is_trusted(op: Op) -> bool:
    """Tell whether the row states its accuracy; the library's rows do, also where they state the usual one."""
    return is_builtin(op) or op.accuracy is not UNSTATED


def ulp(size: float) -> float:
    """Return the distance to the next float, of an infinity too."""
    return math.ulp(min(abs(size), 1.7e308))
