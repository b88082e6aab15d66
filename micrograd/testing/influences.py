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
from micrograd.testing.differences import CLEAR, Slope, one_sided
from micrograd.testing.findings import Fault
from micrograd.testing.oracles import directions
from micrograd.testing.recording import Call, difference_between, nodes_of, record
from micrograd.testing.rule_derivatives import swept

__all__ = ["Bend", "Missing", "missing_influence"]

_NUDGE = 2.0**-30
_AGAIN = 8  # calls that must be the same before a function is accused
_GOLDEN = 0.6180339887498949
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


@dataclass(frozen=True)
class Bend:
    """A point at which the function itself has a kink, in words."""

    why: str


def missing_influence(
    f: Callable[..., Any], structure: Structure, numbers: Sequence[float], call: Call, order: int
) -> Missing | Bend | str | None:
    """Return what the gradient lacks, a kink of the function, or why that cannot be told; ``None`` if nothing lacks."""
    found = _detached_numbers(f, structure, numbers, call)
    if not found:
        return None
    for _ in range(_AGAIN):  # numbers that move may move by themselves
        difference = difference_between(call, record(f, structure, numbers))
        if difference:
            return f"the function cannot be checked: {difference}"
    judged, bent = 0, False
    for k, root in enumerate(call.outputs):
        for direction in _directions(numbers):
            for degree in range(1, order + 1):
                engine = _engine(call, root, direction, degree)
                slopes = _slopes(_along(f, structure, numbers, k, direction, degree), numbers, direction)
                if len(slopes) < 2:
                    continue
                judged += 1
                low, high = sorted(slopes, key=lambda s: s.value)
                allowed = CLEAR * (low.error + high.error) + 1e-9 * max(abs(low.value), abs(high.value))
                if not low.value - allowed <= engine <= high.value + allowed:
                    nearest = low.value if engine < low.value else high.value
                    return _missing(found[0], call, direction, degree, (engine, nearest, allowed))
                bent = bent or high.value - low.value > allowed
    if bent:
        return Bend("the function bends here: it takes another branch on one side than on the other")
    return None if judged else "the graph changes with the inputs, and the function is too rough for differences"


def _missing(
    first: Detached, call: Call, direction: Sequence[float], degree: int, figures: tuple[float, float, float]
) -> Missing:
    moved = [i for i, step in enumerate(direction) if step]
    by = f"by input {moved[0]}" if len(moved) == 1 else "by all inputs together"
    what = (
        f"the {'gradient' if degree == 1 else 'second derivative'} {by} misses an influence: {first.what} moves with"
        " the inputs and is not connected to them (was .data read, or math used instead of micrograd?)"
    )
    node = call.inputs[moved[0]] if first.node is None else first.node
    return Missing(node, Fault(what, *figures, first.place, degree, ("differences",)))


def _detached_numbers(
    f: Callable[..., Any], structure: Structure, numbers: Sequence[float], call: Call
) -> list[Detached]:
    """Call ``f`` on both sides of the point and return the numbers that moved; none where the graph says it all."""
    for side in (1.0, -1.0):
        # Every input by another amount: what depends on a difference of two of them moves as well.
        steps = [side * _NUDGE * (1.0 + (k + 1) * _GOLDEN % 1.0) for k in range(len(numbers))]
        beside = [x + step * (abs(x) or 1.0) for x, step in zip(numbers, steps)]
        try:
            found = _moved_numbers(call, record(f, structure, beside)) if all(map(math.isfinite, beside)) else []
        except Exception:
            # Outside of what f accepts; then there is nothing to compare with on this side.
            continue
        if found:
            return found
    return []


def _moved_numbers(call: Call, other: Call) -> list[Detached]:
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


def _engine(call: Call, root: Any, direction: Sequence[float], degree: int) -> float:
    """Return the engine's first or second derivative of a result along a direction."""
    if not isinstance(root, Value):
        return 0.0
    seeds: list[tuple[Value, Any]] = [(root, 1.0)]
    for _ in range(degree - 1):
        found = swept(seeds)
        seeds = [(g, step) for x, step in zip(call.inputs, direction) if isinstance(g := found.get(x), Value)]
    found = swept(seeds)
    numbers = [found.get(x, 0.0) for x in call.inputs]
    return math.fsum((g.data if isinstance(g, Value) else g) * step for g, step in zip(numbers, direction))


def _directions(numbers: Sequence[float]) -> Iterator[list[float]]:
    """Generate the directions in which a function is differentiated, scaled to the inputs."""
    count = len(numbers)
    if count <= _MOST:
        for i in range(count):
            yield [1.0 if k == i else 0.0 for k in range(count)]
    else:
        for direction in directions(count):
            yield [step * (abs(x) or 1.0) for step, x in zip(direction, numbers)]


def _along(
    f: Callable[..., Any],
    structure: Structure,
    numbers: Sequence[float],
    output: int,
    direction: Sequence[float],
    degree: int,
) -> Callable[[float], float]:
    """Return a result of ``f`` along a direction; for the second degree the engine's derivative of it."""

    def along(t: float) -> float:
        try:
            there = record(f, structure, [x + t * step for x, step in zip(numbers, direction)])
            return there.results[output] if degree == 1 else _engine(there, there.outputs[output], direction, 1)
        except Exception:
            return math.nan  # outside of what f accepts

    return along


def _slopes(along: Callable[[float], float], numbers: Sequence[float], direction: Sequence[float]) -> list[Slope]:
    """Return the slopes along a direction, on both sides where there are both."""
    reach = min([(abs(x) or 1.0) / abs(step) for x, step in zip(numbers, direction) if step]) / 8.0
    # Twice, with other steps: a function that is not what it seems to be at large steps gives itself away.
    twice = [[one_sided(along, 0.0, side, reach * part) for part in (1.0, 0.11)] for side in (-1.0, 1.0)]
    return [Slope(a.value, max(a.error, b.error, abs(a.value - b.value))) for a, b in twice if a and b]
