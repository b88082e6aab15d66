"""The second level, once again: laws of the backward pass, whose results are known from one gradient to the last bit.

A second pass adds exactly one more gradient; an upstream gradient scales it; and what happens to the inputs between the
forward and the backward pass changes nothing.
"""

from __future__ import annotations

import math

from micrograd.engine import Value
from micrograd.testing.findings import Fault
from micrograd.testing.passes import PassFault, Survey, clear_gradients, sizes_and_losses

__all__ = ["check_laws"]


def check_laws(found: Survey) -> PassFault | str:
    """Run the backward pass in ways whose results are known; return where one is another, or an empty text.

    The gradients of the graph are used, and are 0 afterwards.
    """
    try:
        clear_gradients(found.root)
        found.root.backward()
        got = {x: x.grad for x in found.inputs}
        if not all(map(math.isfinite, got.values())):
            return ""
        return _check_twice(found, got) or _check_upstream(found, got) or _check_captured(found, got)
    finally:
        clear_gradients(found.root)


def _check_twice(found: Survey, got: dict[Value, float]) -> PassFault | str:
    """Run the pass again on the same graph: leaves get one more gradient, and the nodes between start afresh."""
    between = {node: node.grad for node in found.rules}
    found.root.backward()
    for node, before in between.items():
        if repr(node.grad) != repr(before):
            what = "a second backward pass did not start afresh at this node"
            return PassFault(node, Fault(what, node.grad, before, 0.0))
    used = set(found.order)
    for x in found.inputs:
        if x in used and x not in found.rules and repr(x.grad) != repr(got[x] + got[x]):
            what = "a second backward pass did not add one more gradient to this leaf"
            return PassFault(x, Fault(what, x.grad, got[x] + got[x], 0.0))
    return ""


def _check_upstream(found: Survey, got: dict[Value, float]) -> PassFault | str:
    """Let an upstream gradient of -2 give -2 times as much, and one of 0 nothing."""
    _, losses = sizes_and_losses(found, 1.0)
    for factor in (-2.0, 0.0):
        clear_gradients(found.root)
        found.root.backward(factor)
        for x in found.inputs:
            expected = factor * got[x]
            # A power of two scales every number exactly, but for those that underflow.
            if not abs(x.grad - expected) <= 1e-9 * abs(expected) + 4.0 * losses.get(x, 0.0):
                what = f"an upstream gradient of {factor:g} does not give {factor:g} times the gradient"
                return PassFault(found.root, Fault(what, x.grad, expected, 0.0))
    return ""


def _check_captured(found: Survey, got: dict[Value, float]) -> PassFault | str:
    """Change the data between the two passes: nodes hold the numbers of the forward pass, so nothing else changes."""
    clear_gradients(found.root)
    numbers = {node: node.data for node in (*found.inputs, *found.rules)}
    try:
        for node in numbers:
            node.data = 2.0 * node.data + 1.0
        found.root.backward()
    finally:
        for node, number in numbers.items():
            node.data = number
    for x in found.inputs:
        if repr(x.grad) != repr(got[x]):
            what = "the backward pass reads numbers that were changed after the forward pass"
            return PassFault(found.root, Fault(what, x.grad, got[x], 0.0))
    return ""
