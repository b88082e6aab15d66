"""The first level of a check: the rule of one operation at one point, held to an oracle.

A rule is right at a point where its share of an upstream gradient of 1 is the partial derivative, within the accuracy
that its row states; where its share of any other upstream gradient is that times as much; and, to second order, where
its own derivative is the second derivative. At a kink the share lies between the slopes on both sides and is the
documented one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from micrograd._node import real
from micrograd.ops import Op
from micrograd.ops.table import is_builtin
from micrograd.testing.credible import is_credible
from micrograd.testing.differences import CLEAR, RESOLVED, slope
from micrograd.testing.findings import BENDS, LARGEST, LENIENT, LOST, MOST, Fault, Rule, is_trusted, ulp
from micrograd.testing.kinks import check_kink, explain_silence, is_bent, selects
from micrograd.testing.oracles import Estimate, directions, estimates, moved, reach
from micrograd.testing.rounding import SMALLEST, UNDERFLOW, extreme, own_rounding
from micrograd.testing.rule_derivatives import check_second, own_errors

__all__ = ["Fault", "Rule", "check_first", "check_rule", "go_on"]

_HUGE = 2.0**1000
_UPSTREAM = (-3.0, 0.75)  # gradients of which a rule must give as much more, or less, as of 1
_NEAR = 1e-2  # relative: the largest step along a direction through all operands
_TOGETHER = 1e-7  # of the sizes of all terms: what is let pass there
_BESIDE = 2.0**-7  # relative: how far beside
_CERTAIN = 1e-6  # of a derivative: how well a witness has to know it that speaks against a reference


def check_rule(
    op: Op, operands: tuple[float, ...], out: float, places: Sequence[int], order: int = 1, oracle: str = "best"
) -> Rule:
    """Hold the rule of ``op`` to the best oracle at one point.

    Args:
        op: the operation.
        operands: the numbers of its operands when the node was made.
        out: its result then.
        places: the operands to differentiate by.
        order: 1 for the rule itself, 2 for its derivative too.
        oracle: the name of the only oracle to ask, or ``"best"``.

    >>> from micrograd import exp
    >>> check_rule(exp, (0.0,), 1.0, [0]).partials
    [1.0]
    """
    rule = check_first(op, operands, out, places, order, oracle)
    if order == 2:
        go_on(rule, op, operands, out, oracle)
    return rule


def go_on(rule: Rule, op: Op, operands: tuple[float, ...], out: float, oracle: str) -> None:
    """Hold the derivative of a rule to the second derivatives, where the rule itself was found to be right."""
    if rule.bent or rule.fault or rule.kink or rule.doubt:
        return
    check_second(rule, op, operands, out)
    if rule.second_oracle == "differences" and not (rule.fault or rule.kink or rule.doubt):
        _check_beside(rule, op, operands, oracle)


def _check_beside(rule: Rule, op: Op, operands: tuple[float, ...], oracle: str) -> None:
    """Judge the rule beside the point too: differences of a rule say how it changes, and not that it is right there."""
    for place in rule.places:
        x, limit = operands[place], reach(op, operands, place)
        step = _BESIDE * (abs(x) or 1.0)
        for sign in (-1.0, 1.0):
            there = tuple(moved(operands, place, x + sign * (step if limit is None else min(step, limit))))
            out = real(op.forward(*there))
            if not math.isfinite(out) or not all(map(math.isfinite, there)):
                continue
            near = check_first(op, there, out, rule.places, 1, oracle)
            if near.fault is not None and near.fault.order == 1:
                what = (
                    f"{near.fault.what} beside the point, at ({', '.join(map(repr, there))}), so its derivative is too"
                )
                rule.fault = replace(near.fault, what=what, order=2)
                return


def check_first(
    op: Op, operands: tuple[float, ...], out: float, places: Sequence[int], last: int = 1, oracle: str = "best"
) -> Rule:
    """Hold the rule itself to the oracle; ``last`` is 2 where ``check_second`` is going to be asked too."""
    try:
        return _checked_first(op, operands, out, places, last, oracle)
    except Exception as error:
        error.add_note(f"while the rule of {op.name} was checked at ({', '.join(map(repr, operands))})")
        raise


def _checked_first(
    op: Op, operands: tuple[float, ...], out: float, places: Sequence[int], last: int, oracle: str
) -> Rule:
    again = real(op.forward(*operands))  # an int or a NumPy number becomes a float in the engine, too
    if repr(again) != repr(out):
        wrong = Fault("the recorded operands do not give the recorded result", out, again, 0.0, order=0)
        return Rule(list(places), [math.nan] * len(places), [0.0] * len(places), fault=wrong)
    wanted = [i in set(places) for i in range(len(operands))]
    shares = op.contributions(1.0, out, operands, wanted)
    partials = [float(shares[i]) for i in places]
    rule = Rule(list(places), partials, [0.0] * len(places))
    if not is_trusted(op):
        rule.slack = own_errors(op, operands, out, places)
    _note_underflow(rule, op, operands, out, wanted)
    _check_linearity(rule, op, operands, out, wanted)
    if rule.fault is None:
        _check_partials(rule, op, operands, out, last, oracle)
    return rule


def _note_underflow(rule: Rule, op: Op, operands: Sequence[float], out: float, wanted: Sequence[bool]) -> None:
    """Give slack to partial derivatives that underflow, where the share of a larger gradient need not."""
    if all(abs(partial) >= SMALLEST for partial in rule.partials):
        return
    shares = op.contributions(_HUGE, out, operands, wanted)
    for k, (place, partial) in enumerate(zip(rule.places, rule.partials)):
        if abs(partial) < SMALLEST and shares[place] != 0.0:
            rule.slack[k] = max(rule.slack[k], 2.0 * UNDERFLOW)


def _check_linearity(rule: Rule, op: Op, operands: Sequence[float], out: float, wanted: Sequence[bool]) -> None:
    for g in _UPSTREAM:
        shares = op.contributions(g, out, operands, wanted)
        for k, (place, partial) in enumerate(zip(rule.places, rule.partials)):
            share, expected = shares[place], g * partial
            if repr(share) == repr(expected) or not math.isfinite(expected):
                continue
            allowed = 4.0 * (len(operands) + 3) * math.ulp(expected) + abs(g) * rule.slack[k] + LOST
            if not abs(share - expected) <= allowed and not extreme(op, operands, out):
                rule.fault = Fault(
                    f"the share of an upstream gradient of {g:g} is not {g:g} times that of 1",
                    share,
                    expected,
                    allowed,
                    place,
                )
                return


def _check_partials(rule: Rule, op: Op, operands: tuple[float, ...], out: float, order: int, oracle: str) -> None:
    if op.kinks is not None and any(quantity == 0.0 for quantity in op.kinks(*operands)):
        check_kink(rule, op, operands, f"{op.name} has a kink here")
        return
    judged = _spread_out([i for i in rule.places if math.isfinite(operands[i]) and not selects(op, i, len(operands))])
    estimate = next(estimates(op, operands, judged, order=order, oracle=oracle), None)
    if estimate is None:
        explain_silence(rule, op, operands)
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
        if abs(truth) > LARGEST:
            rule.doubt = f"the derivative of {op.name} by operand {place} overflows"
            return
        allowed = _allowed(rule, estimate, op, operands, k, place)
        if abs(partial - truth) <= allowed:
            rule.error = max(rule.error, abs(partial - truth) / (allowed or 1.0))
            continue
        if extreme(op, operands, out):
            rule.doubt = f"{op.name} is at numbers of which its row promises nothing"
            return
        if op.kinks is None and not is_builtin(op) and is_bent(op, operands, place):
            check_kink(rule, op, operands, f"{op.name} {BENDS}, at a point that its row does not list as a kink")
            return
        accusers, witnesses = _opinions(rule, op, operands, place, truth)
        if estimate.oracle == "mpmath" and witnesses:
            rule.doubt = (
                f"the reference of {op.name} contradicts its forward function, whose derivative by operand {place} is"
                f" {partial!r} according to the {witnesses[0]} and {truth!r} according to the reference (does it"
                " compute with the functions of mp?)"
            )
            return
        what = f"the rule's derivative by operand {place} is wrong"
        fault = Fault(what, partial, truth, allowed, place, oracles=accusers or (estimate.oracle,))
        if is_credible(op, operands, out, fault):
            rule.fault = fault
        else:
            rule.doubt = f"only a weak oracle accuses the rule of {op.name} here ({estimate.oracle})"
        return
    if len(rule.places) > MOST:
        _check_together(rule, op, operands)


def _check_together(rule: Rule, op: Op, operands: tuple[float, ...]) -> None:
    """Judge the shares of very many operands that were not judged one by one: along directions through all of them."""
    places = [i for i in rule.places if math.isfinite(operands[i]) and not selects(op, i, len(operands))]
    partials = [rule.partials[rule.places.index(i)] for i in places]
    for direction in directions(len(places)):
        steps = [step * (abs(operands[i]) or 1.0) for step, i in zip(direction, places)]
        terms = [partial * step for partial, step in zip(partials, steps)]

        def along(t: float, steps: Sequence[float] = steps) -> float:
            there = list(operands)
            for i, step in zip(places, steps):
                there[i] += t * step
            return float(op.forward(*there))

        found = slope(along, 0.0, _NEAR)
        size = math.fsum(map(abs, terms))
        if found is None or found.error > RESOLVED * size or not math.isfinite(size):
            continue
        allowed = CLEAR * found.error + _TOGETHER * size
        if abs(math.fsum(terms) - found.value) > allowed:
            what = "the derivatives by all operands, taken together, are wrong"
            rule.fault = Fault(what, math.fsum(terms), found.value, allowed, oracles=("differences",))
            return


def _spread_out(places: Sequence[int]) -> list[int]:
    """Return the places to judge one by one: all, or of very many some from the first to the last."""
    if len(places) <= MOST:
        return list(places)
    return [places[round(k * (len(places) - 1) / (MOST - 1))] for k in range(MOST)]


def _allowed(rule: Rule, estimate: Estimate, op: Op, operands: Sequence[float], k: int, place: int) -> float:
    promise = op.accuracy
    count = 1 if op.arity is not None else len(operands)
    size = max(abs(estimate.partials[k]), estimate.conditions[k], 1.0 if promise.absolute else 0.0)
    own = 0.0 if is_trusted(op) else rule.slack[rule.places.index(place)]
    return count * promise.derivative * ulp(size) + estimate.errors[k] + own + LOST


def _opinions(
    rule: Rule, op: Op, operands: tuple[float, ...], place: int, truth: float
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the oracles that find the share at ``place`` wrong, and those that are sure of another truth."""
    partial = rule.partials[rule.places.index(place)]
    accusers, witnesses = [], []
    for estimate in estimates(op, operands, [place]):
        seen, error = estimate.partials[0], estimate.errors[0]
        if not abs(partial - seen) <= _allowed(rule, estimate, op, operands, 0, place):
            accusers.append(estimate.oracle)
        elif error <= _CERTAIN * abs(seen) < abs(seen - truth):
            witnesses.append(estimate.oracle)
    return tuple(accusers), tuple(witnesses)


def _disagrees_on_value(rule: Rule, estimate: Estimate, op: Op, operands: Sequence[float], out: float) -> bool:
    if estimate.value is None or abs(estimate.value) > LARGEST:
        return False
    # Of all operands, also of those that are numbers: their terms may cancel, too.
    allowed = own_rounding(op, operands, out) + 0.5 * ulp(estimate.value) + LOST
    if not is_trusted(op):
        allowed += LENIENT * abs(estimate.value)
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
