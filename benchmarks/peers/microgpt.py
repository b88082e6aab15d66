"""The design of the ``Value`` in Karpathy's microgpt.py (2026), written anew.

A node keeps its children and the local derivative towards each, both as tuples; there are no closures, so a graph has
no cycles. The chain rule is one loop at the end. The topological sort is recursive, as in the original, which is why
a graph deeper than Python's recursion limit cannot be differentiated.
"""

from __future__ import annotations

import math
from operator import attrgetter, methodcaller

from benchmarks.engine import Engine, collector_disabled, nothing_to_renew, set_gradients_to_zero

__all__ = ["Value", "load"]


class Value:
    """A number, its children, and its derivative with respect to each of them."""

    __slots__ = ("children", "data", "grad", "local_grads")

    def __init__(self, data: float, children: tuple[Value, ...] = (), local_grads: tuple[float, ...] = ()) -> None:
        self.data = data
        self.grad = 0.0
        self.children = children
        self.local_grads = local_grads

    def __add__(self, other: Value | float) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other: Value | float) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, exponent: float) -> Value:
        return Value(self.data**exponent, (self,), (exponent * self.data ** (exponent - 1),))

    def __neg__(self) -> Value:
        return self * -1

    def __radd__(self, other: float) -> Value:
        return self + other

    def __sub__(self, other: Value | float) -> Value:
        return self + (-other)

    def __rmul__(self, other: float) -> Value:
        return self * other

    def __truediv__(self, other: Value | float) -> Value:
        return self * other**-1

    def exp(self) -> Value:
        """Return e to the power of the number."""
        result = math.exp(self.data)
        return Value(result, (self,), (result,))

    def log(self) -> Value:
        """Return the natural logarithm."""
        return Value(math.log(self.data), (self,), (1.0 / self.data,))

    def relu(self) -> Value:
        """Return the number where it is positive, else 0."""
        return Value(max(0.0, self.data), (self,), (float(self.data > 0.0),))

    def backward(self) -> None:
        """Add the derivative of this node with respect to every node below it to that node's ``grad``."""
        order: list[Value] = []
        visited: set[Value] = set()

        def visit(node: Value) -> None:
            if node not in visited:
                visited.add(node)
                for child in node.children:
                    visit(child)
                order.append(node)

        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            for child, local_grad in zip(node.children, node.local_grads):
                child.grad += local_grad * node.grad


def load() -> Engine:
    """Return the engine, ready to run."""
    return Engine(
        version="design of 2026",
        parameter=Value,
        constant=Value,
        relu=methodcaller("relu"),
        number=attrgetter("data"),
        gradient=attrgetter("grad"),
        begin=set_gradients_to_zero,
        backward=methodcaller("backward"),
        paused=collector_disabled,
        renew=nothing_to_renew,
    )
