"""The first level of a check: the rule of one operation at one point, held to an oracle.

A rule is right at a point where its share of an upstream gradient of 1 is the partial derivative, within the accuracy
that its row states; where its share of any other upstream gradient is that times as much; and, to second order, where
its own derivative is the second derivative. At a kink the share lies between the slopes on both sides and is the
documented one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from micrograd.engine import Value, reverse_sweep
from micrograd.ops import Op
from micrograd.ops.table import UNSTATED, is_builtin
from micrograd.testing.conventions import documented_slopes
from micrograd.testing.differences import Slope, slope
from micrograd.testing.oracles import Estimate, estimates, moved, reach, resolved, sides
from micrograd.testing.rounding import extreme, own_rounding, running_error

__all__ = ["Fault", "Rule", "check_rule", "swept"]

_FLOOR = 2.0**-1064  # what is lost where something on the way is subnormal
_LARGEST = 1e300  # rules may overflow a little before a result does
_UPSTREAM = (-3.0, 0.75)  # gradients of which a rule must give as much more, or less, as of 1
_MOST = 12  # operands of one node that are held to the oracle one by one; the rest is held to them by the passes


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


def check_rule(
    op: Op, operands: tuple[float, ...], out: float, places: Sequence[int], order: int = 1, oracle: str = "best"
) -> Rule:
    """Hold the rule of ``op`` to the best oracle at one point.

    Args:
        op: the operation.
        operands: the numbers of its operands when the node was made.
        out: its result then.
        places: the operands to differentiate by.
        order: 1 or 2.
        oracle: the name of the only oracle to ask, or ``"best"``.

    >>> from micrograd import exp
    >>> check_rule(exp, (0.0,), 1.0, [0]).partials
    [1.0]
    """
    again = op.forward(*operands)
    if repr(again) != repr(out):
        wrong = Fault("the recorded operands do not give the recorded result", out, again, 0.0, order=0)
        return Rule(list(places), [math.nan] * len(places), [0.0] * len(places), fault=wrong)
    wanted = [i in set(places) for i in range(len(operands))]
    shares = op.contributions(1.0, out, operands, wanted)
    partials = [float(shares[i]) for i in places]
    rule = Rule(list(places), partials, [0.0] * len(places))
    derivatives = _Derivatives(op, operands, places) if order == 2 or not _is_trusted(op) else None
    if not _is_trusted(op):
        rule.slack = _own_error(op, operands, out, places, derivatives)
    _check_linearity(rule, op, operands, out, wanted)
    if rule.fault is None:
        _check_partials(rule, op, operands, out, order, oracle)
    if order == 2 and derivatives is not None and not (rule.fault or rule.kink or rule.doubt):
        _check_second(rule, op, operands, out, derivatives)
    return rule


def _is_trusted(op: Op) -> bool:
    """Tell whether the row states its accuracy; the library's rows do, also where they state the usual one."""
    return is_builtin(op) or op.accuracy is not UNSTATED


# --- the rule itself --------------------------------------------------------------------------------------------


class _Derivatives:
    """The shares of a rule as Values, which can be differentiated again; ``error`` says why there are none."""

    def __init__(self, op: Op, operands: Sequence[float], places: Sequence[int]) -> None:
        self.error = ""
        mixed: list[Any] = list(operands)
        for i in places:
            mixed[i] = Value(operands[i])
        self.leaves = [mixed[i] for i in places]
        try:
            node = op.apply(tuple(mixed))
            found = swept([(node, 1.0)])
        except Exception as error:  # whatever a user's rule does to a Value that it could do to a float
            self.error = f"{type(error).__name__}: {error}".rstrip(": ")
            self.shares: list[Any] = [0.0] * len(places)
            return
        self.shares = [found.get(leaf, 0.0) for leaf in self.leaves]

    def rounding(self) -> list[float]:
        return [running_error(share) if isinstance(share, Value) else 0.0 for share in self.shares]

    def again(self, share: Any) -> tuple[list[float], list[float]]:
        """Return the derivatives of one share, and how far rounding may have carried each."""
        if not isinstance(share, Value):
            return [0.0] * len(self.leaves), [0.0] * len(self.leaves)
        found = swept([(share, 1.0)])
        second = [found.get(leaf, 0.0) for leaf in self.leaves]
        return (
            [x.data if isinstance(x, Value) else x for x in second],
            [running_error(x) if isinstance(x, Value) else 0.0 for x in second],
        )


def swept(seeds: Sequence[tuple[Value, Any]]) -> dict[Value, Any]:
    """Return the gradients of the leaves as Values, and leave nothing in the graph."""
    order, leaves = reverse_sweep(seeds, create_graph=True)
    for node in order:
        node._adjoint = 0.0  # a Value here would keep the graph of the gradient alive
    return leaves


def _own_error(
    op: Op, operands: Sequence[float], out: float, places: Sequence[int], derivatives: _Derivatives | None
) -> list[float]:
    """Return how far the rounding of the rule itself may carry each share: what an unstated accuracy is allowed.

    Of a rule that is written with operations every step is known. Another one is asked again beside the point.
    """
    if derivatives is not None and not derivatives.error:
        return [2.0 * error for error in derivatives.rounding()]
    wanted = [i in set(places) for i in range(len(operands))]
    here = op.contributions(1.0, out, operands, wanted)
    spread = [0.0] * len(places)
    for k in range(len(operands) + 1):
        for direction in (-math.inf, math.inf):
            near = list(operands)
            beside = out
            if k < len(operands):
                near[k] = math.nextafter(near[k], direction)
            else:
                beside = math.nextafter(out, direction)
            try:
                there = op.contributions(1.0, beside, near, wanted)
            except (ArithmeticError, ValueError):  # beyond the border
                continue
            spread = [max(s, abs(there[i] - here[i])) for s, i in zip(spread, places)]
    return [4.0 * s if math.isfinite(s) else 0.0 for s in spread]


def _check_linearity(rule: Rule, op: Op, operands: Sequence[float], out: float, wanted: Sequence[bool]) -> None:
    for g in _UPSTREAM:
        shares = op.contributions(g, out, operands, wanted)
        for k, (place, partial) in enumerate(zip(rule.places, rule.partials)):
            share, expected = shares[place], g * partial
            if repr(share) == repr(expected) or not math.isfinite(expected):
                continue
            allowed = 4.0 * (len(operands) + 3) * math.ulp(expected) + abs(g) * rule.slack[k] + _FLOOR
            if not abs(share - expected) <= allowed and not extreme(op, operands, out):
                rule.fault = Fault(
                    f"the share of an upstream gradient of {g:g} is not {g:g} times that of 1",
                    share,
                    expected,
                    allowed,
                    place,
                )
                return


# --- first order ------------------------------------------------------------------------------------------------


def _check_partials(rule: Rule, op: Op, operands: tuple[float, ...], out: float, order: int, oracle: str) -> None:
    if op.kinks is not None and any(quantity == 0.0 for quantity in op.kinks(*operands)):
        _check_kink(rule, op, operands, f"{op.name} has a kink here")
        return
    judged = _spread_out([place for place in rule.places if math.isfinite(operands[place])])
    estimate = next(estimates(op, operands, judged, order=order, oracle=oracle), None)
    if estimate is None:
        _explain_silence(rule, op, operands)
        return
    rule.oracle, rule.judged = estimate.oracle, len(judged)
    if estimate.hessian is not None:
        rule.exact_hessian = {
            (place, other): second for place, row in zip(judged, estimate.hessian) for other, second in zip(judged, row)
        }
    if _disagrees_on_value(rule, estimate, op, operands, out):
        return
    for k, place in enumerate(judged):
        partial, truth = rule.partials[rule.places.index(place)], estimate.partials[k]
        if abs(truth) > _LARGEST:
            rule.doubt = f"the derivative of {op.name} by operand {place} overflows"
            return
        allowed = _allowed(rule, estimate, op, operands, k, place)
        if abs(partial - truth) <= allowed:
            rule.error = max(rule.error, abs(partial - truth) / (allowed or 1.0))
            continue
        if extreme(op, operands, out):
            rule.doubt = f"{op.name} is at numbers so extreme that its row promises nothing"
            return
        if op.kinks is None and not is_builtin(op) and _is_bent(op, operands, place):
            _check_kink(rule, op, operands, f"{op.name} bends here, at a point that its row does not list as a kink")
            return
        rule.fault = Fault(
            f"the rule's derivative by operand {place} is wrong",
            partial,
            truth,
            allowed,
            place,
            oracles=_accusers(rule, op, operands, place) or (estimate.oracle,),
        )
        return


def _spread_out(places: Sequence[int]) -> list[int]:
    """Return the places to judge one by one: all, or of very many some from the first to the last."""
    if len(places) <= _MOST:
        return list(places)
    return [places[round(k * (len(places) - 1) / (_MOST - 1))] for k in range(_MOST)]


def _allowed(rule: Rule, estimate: Estimate, op: Op, operands: Sequence[float], k: int, place: int) -> float:
    promise = op.accuracy
    count = 1 if op.arity is not None else len(operands)
    size = max(abs(estimate.partials[k]), estimate.conditions[k], 1.0 if promise.absolute else 0.0)
    own = 0.0 if _is_trusted(op) else rule.slack[rule.places.index(place)]
    return count * promise.derivative * math.ulp(min(size, 1.7e308)) + estimate.errors[k] + own + _FLOOR


def _accusers(rule: Rule, op: Op, operands: tuple[float, ...], place: int) -> tuple[str, ...]:
    """Return the names of all the oracles that find the share at ``place`` wrong."""
    partial = rule.partials[rule.places.index(place)]
    found = []
    for estimate in estimates(op, operands, [place]):
        if not abs(partial - estimate.partials[0]) <= _allowed(rule, estimate, op, operands, 0, place):
            found.append(estimate.oracle)
    return tuple(found)


def _disagrees_on_value(rule: Rule, estimate: Estimate, op: Op, operands: Sequence[float], out: float) -> bool:
    if estimate.value is None or abs(estimate.value) > _LARGEST:
        return False
    terms = sum(abs(operands[i] * d) for i, d in zip(_spread_out(rule.places), estimate.partials))
    size = max(abs(estimate.value), 1.0 if op.accuracy.absolute else 0.0, terms if op.arity is None else 0.0)
    count = 1 if op.arity is not None else len(operands)
    allowed = (count * op.accuracy.value + 0.5) * math.ulp(min(size, 1.7e308)) + _FLOOR
    if not _is_trusted(op):
        allowed += _LENIENT * abs(estimate.value) + own_rounding(op, operands, out)
    if abs(out - estimate.value) <= allowed or extreme(op, operands, out):
        return False
    rule.fault = Fault(
        "the forward function does not give what the row's reference gives",
        out,
        estimate.value,
        allowed,
        order=0,
        oracles=(estimate.oracle,),
    )
    return True


_LENIENT = 1e-9  # of the result, for a forward function whose accuracy nobody stated: it may cancel


def _explain_silence(rule: Rule, op: Op, operands: tuple[float, ...]) -> None:
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


# --- kinks ------------------------------------------------------------------------------------------------------


def _is_bent(op: Op, operands: tuple[float, ...], place: int) -> bool:
    """Tell whether the slopes on the two sides differ by a clear margin."""
    slopes = sides(op, operands, place)
    if len(slopes) < 2:
        return True
    left, right = slopes
    return abs(left.value - right.value) > 32.0 * (left.error + right.error) + 1e-6 * abs(left.value)


def _check_kink(rule: Rule, op: Op, operands: tuple[float, ...], why: str) -> None:
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
        if not all(resolved(s, op, operands, place) for s in slopes):
            continue  # steep, or a jump: the slopes grow with every smaller step
        low, high = sorted(slopes, key=lambda s: s.value)
        allowed = 32.0 * (low.error + high.error) + 1e-9 * max(abs(low.value), abs(high.value))
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


# --- second order -----------------------------------------------------------------------------------------------


def _check_second(rule: Rule, op: Op, operands: tuple[float, ...], out: float, derivatives: _Derivatives) -> None:
    if derivatives.error:
        rule.doubt = (
            f"the rule of {op.name} runs on numbers only, so it has no second derivative ({derivatives.error});"
            f" ask for order=1, or write the rule with operations of micrograd"
        )
        return
    if len(rule.places) > _MOST:
        return
    for share in derivatives.shares:
        numbers, errors = derivatives.again(share)
        rule.hessian.append(numbers)
        rule.hessian_slack.append(errors)
    for i, place in enumerate(rule.places):
        for j, other in enumerate(rule.places):
            got, slack = rule.hessian[i][j], rule.hessian_slack[i][j]
            if got == 0.0 and not math.isfinite(operands[other]):
                continue  # in the branch that ``where`` does not take
            truth = _second_truth(rule, op, operands, i, j)
            if truth is None or not math.isfinite(slack) or abs(truth.value) > _LARGEST:
                rule.doubt = f"the second derivative of {op.name} cannot be told here, or overflows"
                return
            allowed = 4.0 * slack + truth.error + _FLOOR
            if abs(got - truth.value) <= allowed:
                continue
            if extreme(op, operands, out):
                rule.doubt = f"{op.name} is at numbers so extreme that its row promises nothing"
                return
            rule.fault = Fault(
                f"the second derivative that the rule gives, by operands {place} and {other}, is wrong",
                got,
                truth.value,
                allowed,
                place,
                order=2,
                oracles=(rule.second_oracle,),
            )
            return


def _second_truth(rule: Rule, op: Op, operands: tuple[float, ...], i: int, j: int) -> Slope | None:
    """Return a second derivative: mpmath's, or else how the rule's numbers change along an operand."""
    place, other = rule.places[i], rule.places[j]
    exact = rule.exact_hessian.get((place, other))
    if exact is not None:
        rule.second_oracle = "mpmath"
        return Slope(exact, 4.0 * math.ulp(exact) + 1e-20 * abs(rule.partials[i]) if math.isfinite(exact) else 0.0)
    rule.second_oracle = "differences"
    wanted = [k == place for k in range(len(operands))]

    def share(x: float) -> float:
        there = moved(operands, other, x)
        return float(op.contributions(1.0, op.forward(*there), there, wanted)[place])

    found = slope(share, operands[other], reach(op, operands, other))
    usual = abs(rule.partials[i]) / (abs(operands[other]) or 1.0)
    if found is None or found.error > 1e-3 * max(abs(found.value), usual):
        return None
    return Slope(found.value, 32.0 * found.error)
