"""The second level of a check: the backward pass as a whole, held to forward-mode tangents.

The rules were judged one by one. What is left to go wrong is how they are put together: which nodes are visited, in
which order, how often, and how their shares are added up. A tangent goes the other way, from one input to the result,
through the same local derivatives. Both are sums over the same paths, so they may differ by rounding only: by
``4(n+1) * eps * A``, where A is the sum over all paths of the products of the absolute local derivatives, and one more
reverse sweep computes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from micrograd.engine import Value, captured
from micrograd.graph import topological_order
from micrograd.ops.selection import PREDICATES
from micrograd.testing.findings import LARGEST, Fault, Rule
from micrograd.testing.oracles import directions
from micrograd.testing.rounding import UNDERFLOW, path_bound
from micrograd.testing.rules import check_first, go_on

__all__ = ["Survey", "check_pass", "sizes_and_losses", "survey", "tangent"]

_SCALES = (1.0, 2.0**-500, 2.0**500, 2.0**-900, 2.0**900)  # powers of two: scaling by them is exact
_MOST_STEPS = 1_000_000  # of tangents: one for each input, as long as that is not too much work


@dataclass
class Survey:
    """A recorded graph with what the first level found out about its nodes.

    Attributes:
        root: the result.
        inputs: the leaves to differentiate by.
        connected: whether the result was made from an input at all.
        complete: whether the graph was walked to its end: all numbers on the way are finite, and no rule is wrong.
        order: every node that has an influence on the result, operands first.
        rules: what was found out about each of them that is not a leaf.
        culprit: the first node, from the result on, whose rule is wrong.
        kinks: the nodes at which there is no derivative, with the reason.
        doubts: the nodes of which nothing can be said, with the reason.
    """

    root: Value
    inputs: Sequence[Value]
    connected: bool = False
    complete: bool = True
    order: list[Value] = field(default_factory=list)
    rules: dict[Value, Rule] = field(default_factory=dict)
    culprit: Value | None = None
    kinks: list[tuple[Value, str]] = field(default_factory=list)
    doubts: list[tuple[Value, str]] = field(default_factory=list)

    @property
    def edges(self) -> int:
        return sum(len(rule.places) for rule in self.rules.values())

    def uses(self, node: Value) -> Iterator[tuple[Value, float, float]]:
        """Generate the operands of ``node`` that are Values, each with the partial derivative and its slack."""
        rule = self.rules.get(node)
        if rule is not None:
            operands = node.operands
            for place, partial, slack in zip(rule.places, rule.partials, rule.slack):
                yield operands[place], partial, slack


def survey(
    root: Value,
    inputs: Sequence[Value],
    *,
    order: int,
    last: int,
    oracle: str,
    known: dict[object, Rule],
) -> Survey:
    """Judge every rule that has an influence on ``root``, from the result on, up to the first that is wrong.

    Args:
        root: the result.
        inputs: the leaves to differentiate by.
        order: 1 for the rules themselves, 2 for their derivatives too.
        last: the order up to which the check is going to be taken.
        oracle: the name of the only oracle to ask, or ``"best"``.
        known: what was found out before, by operation and operands; it grows.
    """
    found = Survey(root, inputs)
    everything = topological_order(root)
    depends = set(inputs)  # nodes that an input can reach
    for node in everything:
        if any(x in depends for x in node.parents):
            depends.add(node)
    found.connected = root in depends
    live = {root}
    for node in reversed(everything):
        if node not in live or node not in depends:
            continue
        found.order.append(node)
        if not math.isfinite(node.data if node._op_row is None else node._out):
            found.doubts.append(_origin_of(node))
            found.complete = False
            break
        if node._op_row is None:
            continue
        operands, numbers = node.operands, captured(node)
        places = [i for i, x in enumerate(operands) if isinstance(x, Value) and x in depends]
        key = (node._op_row, repr(numbers), repr(node._out), tuple(places))  # -0.0 is not 0.0
        rule = known.get(key)
        if rule is None:
            rule = known[key] = check_first(node._op_row, numbers, node._out, places, last, oracle)
        if order == 2:
            go_on(rule, node._op_row, numbers, node._out, oracle)
        found.rules[node] = rule
        if rule.fault is not None:
            found.culprit, found.complete = node, False
            break
        if rule.kink:
            found.kinks.append((node, rule.kink))
        if rule.doubt:
            found.doubts.append((node, rule.doubt))
        if node.op == "where" and isinstance(operands[0], Value):
            found.kinks.extend(_switching(operands[0], depends))
        for k, place in enumerate(places):
            if rule.partials[k] != 0.0 or rule.slack[k] != 0.0 or (order == 2 and _bends(rule, k)):
                live.add(operands[place])
    found.order.reverse()
    return found


def _bends(rule: Rule, k: int) -> bool:
    """Tell whether a share that is 0 here has a derivative that is not: ``x * x`` at 0."""
    return any(rule.hessian[k]) if rule.hessian else not (rule.kink or rule.doubt)


def _origin_of(node: Value) -> tuple[Value, str]:
    """Follow what is not finite to where it began, and say why."""
    while True:
        before = [x for x in node.parents if not math.isfinite(x.data if x._op_row is None else x._out)]
        if not before:
            break
        node = before[0]
    if node._op_row is None:
        return node, f"{node.name_text()} is not finite"
    row, numbers = node._op_row, captured(node)
    for i, x in enumerate(numbers):
        domain = row.domain[i if row.arity is not None else 0]
        if not math.isfinite(x):
            return node, f"operand {i} of {row.name} is {x!r}"
        if not domain.contains(x):
            return node, (
                f"operand {i} of {row.name} is {x!r}, outside of its domain {domain}; choose inputs that stay inside"
            )
    what = "nan" if math.isnan(node._out) else "infinite"
    return node, f"{node.call_text()} is {what}: the numbers on the way are too large"


def _switching(condition: Value, depends: set[Value]) -> Iterator[tuple[Value, str]]:
    """Generate the ties in a condition of ``where``: there the branch is about to change."""
    seen = set()
    stack = [(condition, condition.data == 0.0)]
    while stack:
        node, vanishes = stack.pop()
        if node in seen or node not in depends:
            continue
        seen.add(node)
        row = node._op_row
        if row is not None and row.name in PREDICATES:
            if row.kinks is not None and any(quantity == 0.0 for quantity in row.kinks(*captured(node))):
                yield node, f"the condition {node.call_text()} of where is at a tie"
        elif row is None:
            if vanishes:
                yield node, "the condition of where is 0, and moves with the inputs"
        else:
            stack.extend((x, vanishes) for x in node.parents)


# --- sums over paths --------------------------------------------------------------------------------------------


def tangent(found: Survey, direction: dict[Value, float]) -> dict[Value, float]:
    """Return the derivative of every node along ``direction``: forward mode, operands first."""
    tangents = dict(direction)
    for node in found.order:
        if node in found.rules:
            total, moves = 0.0, False
            for x, partial, _ in found.uses(node):
                step = tangents.get(x)
                if step is not None and partial != 0.0:  # no derivative, no share: whatever the step
                    total += partial * step
                    moves = True
            if moves:
                tangents[node] = total
    return tangents


def _lost_forward(found: Survey, direction: dict[Value, float]) -> float:
    """Return what may be lost of a tangent where its steps underflow on the way, to become large again later."""
    losses = dict.fromkeys(direction, 0.0)
    for node in found.order:
        moving = [(losses[x], partial) for x, partial, _ in found.uses(node) if x in losses and partial != 0.0]
        if moving:
            losses[node] = sum(loss * abs(partial) + UNDERFLOW for loss, partial in moving)
    return losses.get(found.root, 0.0)


def sizes_and_losses(found: Survey, scale: float, slack: float = 1.0) -> tuple[dict[Value, float], dict[Value, float]]:
    """Return for every node the sum of the sizes of all paths to the result, and what is lost on the way.

    Lost is what underflows, and ``slack`` times what the rounding of the rules may come to.
    """
    sizes = dict.fromkeys(found.order, 0.0)
    losses = dict.fromkeys(found.order, 0.0)
    sizes[found.root] = scale
    for node in reversed(found.order):
        size, loss = sizes[node], losses[node]
        for x, partial, own in found.uses(node):
            if x in sizes:
                sizes[x] += size * abs(partial)
                losses[x] += loss * abs(partial) + size * own * slack + UNDERFLOW
    return sizes, losses


@dataclass(frozen=True)
class PassFault:
    """Where the backward pass departs from the tangents: the use of a node that was lost, or counted twice."""

    consumer: Value
    fault: Fault


def check_pass(found: Survey) -> PassFault | str:
    """Run the backward pass and hold it to the tangents.

    Returns where they differ, why they cannot be compared, or an empty text. The gradients of the graph are used, and
    are 0 afterwards.
    """
    doubt = ""
    try:
        for scale in _SCALES:
            doubt = ""
            result = _check_at(found, scale)
            if not isinstance(result, str):
                return result
            if not result:
                return ""
            doubt = result
    finally:
        clear_gradients(found.root)
    return doubt


def clear_gradients(root: Value) -> None:
    """Set the gradients of a graph to 0."""
    for node in topological_order(root):
        node.grad = 0.0


def _check_at(found: Survey, scale: float) -> PassFault | str:
    sizes, losses = sizes_and_losses(found, scale)
    bounds = {}
    for x in found.inputs:
        size = sizes.get(x, 0.0)
        bounds[x] = path_bound(found.edges, size) + losses.get(x, 0.0)
        if not math.isfinite(bounds[x]):
            return "the sum over all paths overflows"
        if bounds[x] > 1e-6 * size > 0.0 and sizes_and_losses(found, scale, slack=0.0)[1][x] > 1e-6 * size:
            return "the sum over all paths underflows"
    clear_gradients(found.root)
    found.root.backward(scale)
    got = {x: x.grad for x in found.inputs}
    if any(not math.isfinite(node.grad) and not sizes[node] < LARGEST for node in found.order):
        return "the backward pass overflows"
    for along in _compared(found):
        forward = tangent(found, along).get(found.root, 0.0) * scale
        backward = sum(got[x] * step for x, step in along.items())
        bound = sum(bounds[x] * abs(step) for x, step in along.items())
        if not abs(backward - forward) <= bound + UNDERFLOW:
            bound += scale * _lost_forward(found, along)
        if not abs(backward - forward) <= bound + UNDERFLOW:
            if not math.isfinite(forward):
                return "a tangent overflows"
            return _located(found, scale, backward, forward, bound)
    return ""


def _compared(found: Survey) -> Iterator[dict[Value, float]]:
    """Generate the directions in which both ways are compared: every input, or a few through all of them."""
    if len(found.inputs) * len(found.order) <= _MOST_STEPS:
        for x in found.inputs:
            yield {x: 1.0}
    else:
        for direction in directions(len(found.inputs)):
            yield dict(zip(found.inputs, direction))


def _located(found: Survey, scale: float, backward: float, forward: float, bound: float) -> PassFault:
    """Find the first node, from the result on, whose gradient is not the sum of its shares; and the share to blame."""
    uses: dict[Value, list[tuple[Value, int, float, float]]] = {node: [] for node in found.order}
    for consumer, rule in found.rules.items():
        operands = consumer.operands
        for place, partial, slack in zip(rule.places, rule.partials, rule.slack):
            if operands[place] in uses:
                uses[operands[place]].append((consumer, place, partial, slack))
    for node in reversed(found.order):
        shares = [0.0 if consumer.grad == 0.0 else consumer.grad * partial for consumer, _, partial, _ in uses[node]]
        expected = scale if node is found.root else math.fsum(shares)
        allowed = path_bound(len(shares) + 2, sum(map(abs, shares))) + UNDERFLOW
        allowed += sum(abs(consumer.grad) * slack for consumer, _, _, slack in uses[node])
        if abs(node.grad - expected) <= allowed:
            continue
        if node is found.root:
            return PassFault(node, Fault("the upstream gradient of the result is wrong", node.grad, scale, 0.0))
        k, what = _blamed(node.grad, expected, shares, allowed)
        consumer, place = uses[node][k][:2]
        return PassFault(consumer, Fault(what, node.grad, expected, allowed, place, oracles=("forward mode",)))
    what = "the gradients of the inputs are not those of forward mode"
    return PassFault(found.root, Fault(what, backward, forward, bound, oracles=("forward mode",)))


def _blamed(got: float, expected: float, shares: Sequence[float], allowed: float) -> tuple[int, str]:
    for k, share in enumerate(shares):
        if abs(got - (expected - share)) <= allowed:
            return k, "the share of this use was lost"
        if abs(got - (expected + share)) <= allowed:
            return k, "the share of this use was counted twice"
    for k, share in enumerate(shares):
        if abs(got - share) <= allowed:
            return (k + 1) % len(shares), "the share of this use was lost"
    return 0, "the shares of the uses of this operand do not add up to its gradient"
