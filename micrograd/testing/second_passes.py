"""The second level, once more: derivatives of the backward pass, held to second-order forward mode.

Along two directions u and v every node has two tangents, and the derivative of one along the other: the local second
derivatives times both tangents, and the local first derivatives times what the operands have. It meets the engine's
``backward(create_graph=True)``, differentiated again, at ``u H v``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from micrograd.engine import Value, captured
from micrograd.testing.findings import Fault, Rule
from micrograd.testing.oracles import directions
from micrograd.testing.passes import PassFault, Survey, clear_gradients, tangent
from micrograd.testing.rounding import SMALLEST, UNDERFLOW, path_bound, running_errors
from micrograd.testing.rule_derivatives import swept

__all__ = ["check_second_pass"]

_UNITS = 32  # as many inputs are compared one by one


def check_second_pass(found: Survey) -> PassFault | str:
    """Differentiate the backward pass and hold it to the second-order tangents.

    Returns where they differ, why they cannot be compared, or an empty text.
    """
    inputs = found.inputs
    dense = directions(len(inputs))
    v = dict(zip(inputs, dense[0]))
    products, slack = _engine_products(found, v)
    rows = [{x: 1.0} for x in inputs] if len(inputs) <= _UNITS else [dict(zip(inputs, row)) for row in dense]
    along_v = tangent(found, v)
    for u in rows:
        along_u = along_v if u == v else tangent(found, u)
        got = sum(products[x] * step for x, step in u.items())
        expected, size, loss = _mixed(found, along_u, along_v)
        bound = 2.0 * sum(slack[x] * abs(step) for x, step in u.items())
        bound += path_bound(2 * found.edges, size) + 4.0 * loss + 2.0**-1064
        if not math.isfinite(bound) or abs(got) > 1e300 or abs(expected) > 1e300:
            return "second derivatives overflow on the way"
        if not abs(got - expected) <= bound:
            what = "the derivative of the backward pass is not that of forward mode"
            return PassFault(
                found.root, Fault(what, got, expected, bound, order=2, oracles=("second-order forward mode",))
            )
    return ""


def _engine_products(found: Survey, v: dict[Value, float]) -> tuple[dict[Value, float], dict[Value, float]]:
    """Return the engine's Hessian times ``v``, and how far rounding may have carried each entry."""
    known = frozenset(found.order)
    clear_gradients(found.root)
    try:
        found.root.backward(create_graph=True)
        gradients = [(x.grad, v[x]) for x in found.inputs if isinstance(x.grad, Value)]
        clear_gradients(found.root)
        leaves = swept(gradients)
    finally:
        clear_gradients(found.root)  # a gradient that is a Value and its leaf refer to each other
    seconds = [leaves.get(x, 0.0) for x in found.inputs]
    return (
        {x: second.data if isinstance(second, Value) else second for x, second in zip(found.inputs, seconds)},
        dict(zip(found.inputs, running_errors(seconds, known))),
    )


def _mixed(found: Survey, along_u: dict[Value, float], along_v: dict[Value, float]) -> tuple[float, float, float]:
    """Return the derivative of ``root`` along two directions, the sizes of what was added up, and its own slack."""
    mixed: dict[Value, tuple[float, float, float]] = {}
    for node in found.order:
        rule = found.rules.get(node)
        if rule is None:
            continue
        operands = node.operands
        total, size, loss = _bend(
            node,
            rule,
            [along_u.get(operands[i], 0.0) for i in rule.places],
            [along_v.get(operands[i], 0.0) for i in rule.places],
        )
        for place, partial, slack in zip(rule.places, rule.partials, rule.slack):
            before = mixed.get(operands[place])
            if before is not None and (partial or slack):
                total += partial * before[0]
                size += abs(partial) * before[1]
                loss += abs(partial) * before[2] + slack * before[1]
        mixed[node] = total, size, loss
    return mixed.get(found.root, (0.0, 0.0, 0.0))


def _bend(node: Value, rule: Rule, u: Sequence[float], v: Sequence[float]) -> tuple[float, float, float]:
    """Return ``u`` times the local second derivatives times ``v``, with size and slack."""
    if not any(u) or not any(v):
        return 0.0, 0.0, 0.0
    if not rule.hessian:
        return _bend_of_many(node, rule, u, v)
    total = size = loss = 0.0
    for i, step in enumerate(u):
        for j, other in enumerate(v):
            if step and other:
                # The steps first: a second derivative, or its slack, may be so small that one of them makes it 0.
                second, slack, both = rule.hessian[i][j], rule.hessian_slack[i][j], step * other
                total += second * both if second else 0.0
                size += abs(second * both) if second else 0.0
                loss += slack * abs(both) if slack else 0.0
                loss += (abs(second) + slack) * UNDERFLOW if abs(both) < SMALLEST else 0.0
    return total, size, loss


def _bend_of_many(node: Value, rule: Rule, u: Sequence[float], v: Sequence[float]) -> tuple[float, float, float]:
    """Return the same for a node of many operands: second derivatives are asked for along the directions only."""
    row, numbers = node._op_row, captured(node)
    assert row is not None
    mixed: list[Any] = list(numbers)
    leaves = [Value(numbers[i]) for i in rule.places]
    for i, leaf in zip(rule.places, leaves):
        mixed[i] = leaf
    shares = swept([(row.apply(tuple(mixed)), 1.0)])
    seconds = swept([(share, step) for leaf, step in zip(leaves, u) if isinstance(share := shares.get(leaf), Value)])
    total = size = loss = 0.0
    found = [seconds.get(leaf, 0.0) for leaf in leaves]
    for second, error, other in zip(found, running_errors(found), v):
        number = second.data if isinstance(second, Value) else second
        total += number * other
        size += abs(number * other)
        loss += error * abs(other)
    return total, size, loss
