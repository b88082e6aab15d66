"""The rule of an operation, run on Values: its own rounding, and its derivative, held to an oracle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from micrograd.engine import Value, reverse_sweep
from micrograd.ops import Op
from micrograd.testing.credible import is_credible, is_far_out
from micrograd.testing.differences import CLEAR, RESOLVED, Slope, differ, one_sided, slope
from micrograd.testing.findings import BENDS, LARGEST, LOST, MOST, NUMBERS_ONLY, Fault, Rule
from micrograd.testing.kinks import selects
from micrograd.testing.oracles import directions, reach, share_along
from micrograd.testing.rounding import SMALLEST, extreme, running_errors

__all__ = ["check_second", "own_errors", "swept"]

_NOTHING = 1e-40  # so well does the exact oracle know second derivatives that are all but 0


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
        return running_errors(self.shares)

    def again(self, share: Any) -> tuple[list[float], list[float]]:
        """Return the derivatives of one share, and how far rounding may have carried each."""
        if not isinstance(share, Value):
            return [0.0] * len(self.leaves), [0.0] * len(self.leaves)
        found = swept([(share, 1.0)])
        second = [found.get(leaf, 0.0) for leaf in self.leaves]
        return [x.data if isinstance(x, Value) else x for x in second], running_errors(second)


def swept(seeds: Sequence[tuple[Value, Any]]) -> dict[Value, Any]:
    """Return the gradients of the leaves as Values, and leave nothing in the graph."""
    order, leaves = reverse_sweep(seeds, create_graph=True)
    for node in order:
        node._adjoint = 0.0  # a Value here would keep the graph of the gradient alive
    return leaves


def own_errors(op: Op, operands: Sequence[float], out: float, places: Sequence[int]) -> list[float]:
    """Return how far the rounding of the rule itself may carry each share: what an unstated accuracy is allowed.

    Of a rule that is written with operations every step is known. Another one is asked again beside the point.
    """
    derivatives = _Derivatives(op, operands, places)
    if not derivatives.error:
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


def check_second(rule: Rule, op: Op, operands: tuple[float, ...], out: float) -> None:
    """Hold the derivative of a rule that was found to be right to the second derivatives of the operation."""
    derivatives = _Derivatives(op, operands, rule.places)
    rule.bent = True
    if derivatives.error:
        rule.doubt = (
            f"the rule of {op.name} {NUMBERS_ONLY}, so it has no second derivative ({derivatives.error});"
            f" ask for order=1, or write the rule with operations of micrograd"
        )
        return
    if len(rule.places) > MOST:
        _check_together(rule, op, operands, derivatives)
        return  # the second-order passes ask for them along their directions
    for share in derivatives.shares:
        numbers, errors = derivatives.again(share)
        rule.hessian.append(numbers)
        rule.hessian_slack.append(errors)
    for i, place in enumerate(rule.places):
        for j, other in enumerate(rule.places):
            got, slack = rule.hessian[i][j], rule.hessian_slack[i][j]
            if got == 0.0 and not (math.isfinite(operands[place]) and math.isfinite(operands[other])):
                continue  # in the branch that ``where`` does not take
            if got == 0.0 and (selects(op, place, len(operands)) or selects(op, other, len(operands))):
                continue
            truth = _second_truth(rule, op, operands, i, j)
            if truth is None or not math.isfinite(slack) or abs(truth.value) > LARGEST:
                rule.doubt = f"the second derivative of {op.name} cannot be told here, or overflows"
                return
            allowed = 4.0 * slack + truth.error + LOST
            if abs(got - truth.value) <= allowed:
                continue
            if rule.second_oracle != "mpmath" and _is_bent(rule, op, operands, i, j):
                rule.kink = f"the derivative of {op.name} {BENDS}"
                return
            if extreme(op, operands, out):
                rule.doubt = f"{op.name} is at numbers of which its row promises nothing"
                return
            what = f"the second derivative that the rule gives, by operands {place} and {other}, is wrong"
            fault = Fault(what, got, truth.value, allowed, place, order=2, oracles=(rule.second_oracle,))
            if math.isnan(got) and is_far_out(operands):
                rule.doubt = f"the second derivative of {op.name} overflows on the way"
            elif is_credible(op, operands, out, fault):
                rule.fault = fault
            else:
                rule.doubt = f"only a weak oracle accuses the second derivative of {op.name} here"
            return


def _check_together(rule: Rule, op: Op, operands: tuple[float, ...], derivatives: _Derivatives) -> None:
    """Judge the second derivatives of very many operands along directions through all of them."""
    rule.second_oracle = "differences"
    for direction in directions(len(rule.places)):
        steps = [step * (abs(operands[i]) or 1.0) for step, i in zip(direction, rule.places)]
        seeds = [(share, step) for share, step in zip(derivatives.shares, steps) if isinstance(share, Value)]
        found = swept(seeds)
        seconds = [found.get(leaf, 0.0) for leaf in derivatives.leaves]
        terms = [(x.data if isinstance(x, Value) else x) * step for x, step in zip(seconds, steps)]
        loss = math.fsum(error * abs(step) for error, step in zip(running_errors(seconds), steps))

        def along(t: float, steps: Sequence[float] = steps) -> float:
            there = list(operands)
            for i, step in zip(rule.places, steps):
                there[i] += t * step
            shares = op.contributions(1.0, op.forward(*there), there)
            return math.fsum(float(shares[i]) * step for i, step in zip(rule.places, steps))

        truth, size = slope(along, 0.0, 1e-2), math.fsum(map(abs, terms))
        usual = math.fsum(abs(partial * step) for partial, step in zip(rule.partials, steps))
        if truth is None or not math.isfinite(loss) or truth.error > RESOLVED * max(size, usual, abs(truth.value)):
            continue
        allowed = CLEAR * truth.error + 4.0 * loss + 1e-6 * max(size, usual)
        if abs(math.fsum(terms) - truth.value) > allowed:
            what = "the second derivatives that the rule gives for all operands, taken together, are wrong"
            rule.fault = Fault(what, math.fsum(terms), truth.value, allowed, order=2, oracles=("differences",))
            return


def _is_bent(rule: Rule, op: Op, operands: tuple[float, ...], i: int, j: int) -> bool:
    """Tell whether a share changes at another rate on one side of the point than on the other."""
    place, other = rule.places[i], rule.places[j]
    share, limit = share_along(op, operands, place, other), reach(op, operands, other)
    return differ([one_sided(share, operands[other], side, limit) for side in (-1.0, 1.0)])


def _second_truth(rule: Rule, op: Op, operands: tuple[float, ...], i: int, j: int) -> Slope | None:
    """Return a second derivative: mpmath's, or else how the rule's numbers change along an operand."""
    place, other = rule.places[i], rule.places[j]
    exact = rule.exact_hessian.get((place, other))
    if exact is not None:
        rule.second_oracle = "mpmath"
        error = 4.0 * math.ulp(exact) + 1e-20 * abs(rule.partials[i]) + _NOTHING
        return Slope(exact, error if math.isfinite(error) else 0.0)
    rule.second_oracle = "differences"
    found = slope(share_along(op, operands, place, other), operands[other], reach(op, operands, other))
    usual = abs(rule.partials[i]) / (abs(operands[other]) or 1.0)
    if found is None or found.error > max(RESOLVED * max(abs(found.value), usual), SMALLEST):
        return None
    return Slope(found.value, CLEAR * found.error)
