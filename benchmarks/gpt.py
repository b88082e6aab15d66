"""The GPT of C2 scalar by scalar, on the ``Value`` of ``peers/microgpt.py``; and the number of its operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from benchmarks.c2 import EPSILON, HEADS
from benchmarks.peers.microgpt import Value

__all__ = ["document", "operations"]

Vector = list[Value]
Matrix = list[Vector]


def _dot(x: Sequence[Value], y: Sequence[Value]) -> Value:
    return sum((a * b for a, b in zip(x[1:], y[1:])), x[0] * y[0])


def _linear(matrix: Matrix, x: Vector) -> Vector:
    return [_dot(row, x) for row in matrix]


def _added(x: Vector, y: Vector) -> Vector:
    return [a + b for a, b in zip(x, y)]


def _normed(x: Vector) -> Vector:
    scale = (_dot(x, x) / len(x) + EPSILON) ** -0.5
    return [v * scale for v in x]


def _softmax(scores: Vector) -> Vector:
    largest = max(score.data for score in scores)
    powers = [(score - largest).exp() for score in scores]
    total = sum(powers[1:], powers[0])
    return [power / total for power in powers]


def _attended(query: Vector, keys: Sequence[Vector], values: Sequence[Vector]) -> Vector:
    """Return what one position sees: for every head, the mean of the values, weighted by how keys match the query."""
    width = len(query) // HEADS
    seen = []
    for start in range(0, len(query), width):
        part = slice(start, start + width)
        scores = [_dot(query[part], key[part]) / width**0.5 for key in keys]
        weights = _softmax(scores)
        seen += [_dot(weights, column) for column in zip(*(value[part] for value in values))]
    return seen


def document(parameters: Mapping[str, Matrix], tokens: Sequence[int]) -> Value:
    """Return the loss of one document."""
    keys: list[Vector] = []
    values: list[Vector] = []
    losses = []
    for position, (token, target) in enumerate(pairwise(tokens)):
        x = _normed(_added(parameters["token"][token], parameters["position"][position]))
        normed = _normed(x)
        keys.append(_linear(parameters["key"], normed))
        values.append(_linear(parameters["value"], normed))
        seen = _attended(_linear(parameters["query"], normed), keys, values)
        x = _added(x, _linear(parameters["output"], seen))
        widened = [v.relu() for v in _linear(parameters["widen"], _normed(x))]
        x = _added(x, _linear(parameters["narrow"], widened))
        losses.append(-_softmax(_linear(parameters["readout"], x))[target].log())
    return sum(losses[1:], losses[0]) / len(losses)


def operations(root: Value) -> int:
    """Return how many nodes below a result, and with it, are results of operations."""
    seen, stack = {root}, [root]
    while stack:
        fresh = {child for child in stack.pop().children if child.children} - seen
        seen |= fresh
        stack += fresh
    return len(seen)
