"""Influences of the inputs that the graph does not have.

What a function reads out of an input through ``.data``, or computes of it with ``math``, becomes a number in the graph.
The number moves when the inputs move, and that is how it is found: the function is called again beside the point. It
need not be a mistake, since what is detached may cancel, as the peak in a stable ``logsumexp`` does. So then, and only
then, the function is differentiated as a whole, by differences on both sides of the point.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from micrograd._structure import Structure
from micrograd.engine import Value, captured
from micrograd.testing.differences import Slope, one_sided
from micrograd.testing.findings import Fault
from micrograd.testing.passes import directions
from micrograd.testing.recording import Call, nodes_of, record

__all__ = ["Missing", "missing_influence"]

_NUDGE = 2.0**-30
_CLEAR = 32.0  # times the error of differences: the margin by which they may accuse
_MOST = 64  # inputs that are looked at one by one; of more of them, a few directions through all


@dataclass(frozen=True)
class Detached:
    """A number that moves with the inputs without being connected to them.

    Attributes:
        node: the node that has it as an operand; ``None`` where it is a result, or the graph as a whole changes.
        place: which operand, from 0.
        what: the number, in words.
    """

    node: Value | None
    place: int | None
    what: str


@dataclass(frozen=True)
class Missing:
    """A gradient that lacks an influence: at this node."""

    node: Value
    fault: Fault


def missing_influence(
    f: Callable[..., Any], structure: Structure, numbers: Sequence[float], call: Call
) -> Missing | str | None:
    """Return what the gradient lacks, why that cannot be told (at a kink), or ``None`` where it lacks nothing.

    The gradients of the graph are used.
    """
    found = _detached_numbers(f, structure, numbers, call)
    if not found:
        return None
    judged, bent = 0, False
    for k, gradient in enumerate(_gradients(call)):
        for direction in _directions(numbers):
            slopes = _slopes(f, structure, numbers, k, direction)
            if len(slopes) < 2:
                continue
            judged += 1
            engine = math.fsum(g * step for g, step in zip(gradient, direction))
            low, high = sorted(slopes, key=lambda s: s.value)
            allowed = _CLEAR * (low.error + high.error) + 1e-6 * max(abs(low.value), abs(high.value))
            if not low.value - allowed <= engine <= high.value + allowed:
                nearest = low.value if engine < low.value else high.value
                return _missing(found[0], call, direction, engine, nearest, allowed)
            bent = bent or high.value - low.value > allowed
    if bent:
        return "the function bends here: it takes another branch on one side than on the other"
    return None if judged else "the graph changes with the inputs, and the function is too rough for differences"


def _missing(
    first: Detached, call: Call, direction: Sequence[float], engine: float, expected: float, allowed: float
) -> Missing:
    moved = [i for i, step in enumerate(direction) if step]
    by = f"by input {moved[0]}" if len(moved) == 1 else "by all inputs together"
    what = (
        f"the gradient {by} misses an influence: {first.what} moves with the inputs and is not connected to them (was"
        " .data read, or math used instead of micrograd?)"
    )
    node = call.inputs[moved[0]] if first.node is None else first.node
    return Missing(node, Fault(what, engine, expected, allowed, first.place, oracles=("differences",)))


def _detached_numbers(
    f: Callable[..., Any], structure: Structure, numbers: Sequence[float], call: Call
) -> list[Detached]:
    """Call ``f`` beside the point and return the numbers that moved; none where the graph says it all."""
    beside = [x + _NUDGE * (1.0 + 0.1 * (k % 7)) * (abs(x) or 1.0) for k, x in enumerate(numbers)]
    if not all(map(math.isfinite, beside)):
        return []
    try:
        other = record(f, structure, beside)
    except Exception:
        # Outside of what f accepts; then there is nothing to compare with, and the graph is what is judged.
        return []
    mine, theirs = nodes_of(call), nodes_of(other)
    if [node.op for node in mine] != [node.op for node in theirs]:
        return [Detached(None, None, "the way through the function")]
    inputs = set(call.inputs)
    moved = {
        node
        for node, twin in zip(mine, theirs)
        if node._op_row is None and node not in inputs and repr(node.data) != repr(twin.data)
    }
    found = []
    for x, number, there in zip(call.outputs, call.results, other.results):
        if x in moved or (not isinstance(x, Value) and repr(number) != repr(there)):
            found.append(Detached(None, None, f"the result {number!r}"))
    for node, twin in zip(mine, theirs):
        for place, (x, y) in enumerate(zip(node.operands, twin.operands)):
            if x in moved or (type(x) is float and type(y) is float and repr(x) != repr(y)):
                found.append(Detached(node, place, f"the number {captured(node)[place]!r}"))
    return found


def _gradients(call: Call) -> Iterator[list[float]]:
    """Generate the engine's gradient of every result."""
    for root in call.outputs:
        for x in call.inputs:
            x.grad = 0.0
        if isinstance(root, Value):
            root.backward()
        yield [x.grad for x in call.inputs]


def _directions(numbers: Sequence[float]) -> Iterator[list[float]]:
    """Generate the directions in which a function is differentiated, scaled to the inputs."""
    count = len(numbers)
    if count <= _MOST:
        for i in range(count):
            yield [1.0 if k == i else 0.0 for k in range(count)]
    else:
        for direction in directions(count):
            yield [step * (abs(x) or 1.0) for step, x in zip(direction, numbers)]


def _slopes(
    f: Callable[..., Any], structure: Structure, numbers: Sequence[float], output: int, direction: Sequence[float]
) -> list[Slope]:
    """Return the slopes of one result of ``f`` along a direction, on both sides where there are both."""

    def along(t: float) -> float:
        try:
            return record(f, structure, [x + t * step for x, step in zip(numbers, direction)]).results[output]
        except Exception:
            return math.nan  # outside of what f accepts

    reach = min([(abs(x) or 1.0) / abs(step) for x, step in zip(numbers, direction) if step]) / 8.0
    found = [one_sided(along, 0.0, side, reach) for side in (-1.0, 1.0)]
    return [s for s in found if s is not None]
