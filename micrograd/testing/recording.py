"""Calls of the function that is checked, on fresh leaves.

A backward pass sees the graph that was recorded, and nothing else. So a function has to be what its graph says: the
same at every call, and leaving its arguments alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from micrograd import _modes
from micrograd._structure import Structure, flatten
from micrograd.engine import Value, captured
from micrograd.errors import describe, not_a_number
from micrograd.graph import topological_order
from micrograd.ops import Op
from micrograd.ops.floats import as_float
from micrograd.testing.program import Program

__all__ = ["Call", "difference_between", "function_name", "nodes_of", "numbers_of", "record"]


_CHANGED = "it changed its inputs: it set .data of a Value that it was given"


@dataclass(frozen=True)
class Call:
    """One call of the function.

    Attributes:
        inputs: the fresh leaves.
        outputs: what it returned, flat: Values and numbers.
        complaint: what it did that no function may do, or empty.
    """

    inputs: list[Value]
    outputs: list[Any]
    complaint: str

    @property
    def results(self) -> list[float]:
        return [x.data if isinstance(x, Value) else float(x) for x in self.outputs]


def function_name(f: Any) -> str:
    """Return what messages call a function."""
    if isinstance(f, (Op, Program)):
        return f.name if isinstance(f, Op) else "the program"
    return str(getattr(f, "__qualname__", None) or getattr(f, "__name__", None) or describe(f))


def numbers_of(inputs: Any) -> tuple[list[float], Structure]:
    """Return the numbers of nested inputs and their structure; those of Values are copied."""
    leaves, structure = flatten(inputs)
    numbers = []
    for x in leaves:
        number = x.data if isinstance(x, Value) else as_float(x)
        if number is None:
            raise TypeError(not_a_number(x, "a real number as an input"))
        numbers.append(number)
    return numbers, structure


def record(f: Callable[..., Any], structure: Structure, numbers: Sequence[float]) -> Call:
    """Call ``f`` with fresh leaves.

    Raises ``TypeError`` where it returns something else than Values and numbers, and whatever it raises itself, with a
    note of the inputs.
    """
    leaves = [Value(x) for x in numbers]
    arguments = structure.rebuild(leaves)
    try:
        with _modes.recording():
            result = f(*arguments)
    except Exception as error:
        error.add_note(f"while {function_name(f)} was called by the gradient check, at {_shown(numbers)}")
        raise
    outputs, _ = flatten(result)
    for x in outputs:
        if not isinstance(x, Value) and as_float(x) is None:
            raise TypeError(
                f"{function_name(f)} returned {describe(x)}; a gradient needs a function that returns a Value, or"
                " several in a list, tuple, dict or array"
            )
    complaint, given = "", set(leaves)
    now, shape = flatten(arguments)
    if shape != structure or any(x is not leaf for x, leaf in zip(now, leaves)):
        complaint = "it changed its arguments: a list, dict or array that it was given holds something else now"
    elif any(repr(leaf.data) != repr(x) for leaf, x in zip(leaves, numbers)) or any(
        x in given and repr(number) != repr(x.data)
        for node in topological_order(*[x for x in outputs if isinstance(x, Value)])
        if node.op
        for x, number in zip(node.operands, captured(node))
        if isinstance(x, Value)
    ):
        complaint = _CHANGED
    return Call(leaves, outputs, complaint)


def _shown(numbers: Sequence[float]) -> str:
    shown = ", ".join(map(repr, numbers[:6]))
    return f"({shown}{', ...' if len(numbers) > 6 else ''})"


def nodes_of(call: Call) -> list[Value]:
    """Return every node below the results, operands first."""
    return topological_order(*[x for x in call.outputs if isinstance(x, Value)])


def difference_between(first: Call, second: Call) -> str:
    """Say how two calls at the same inputs differ; empty where they are the same to the last bit."""
    if list(map(repr, first.results)) != list(map(repr, second.results)):
        return f"two calls at the same inputs returned {_shown(first.results)} and {_shown(second.results)}"
    mine, other = nodes_of(first), nodes_of(second)
    if [node.op for node in mine] != [node.op for node in other]:
        return "two calls at the same inputs built different graphs"
    if [repr(node.data) for node in mine] != [repr(node.data) for node in other]:
        return "two calls at the same inputs built graphs with different numbers"
    return ""
