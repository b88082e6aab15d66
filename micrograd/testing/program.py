"""Straight-line programs: expression graphs written down, to be run again on anything.

A program is code over a **pool**: its inputs, and every result so far. Its ``repr`` is Python that makes it again, so a
graph that a test failed on can be printed, pasted and run.

>>> x, y = Value(3.0), Value(4.0)
>>> program = program_of(x * y + x, inputs=[x, y])
>>> program
Program(inputs=(3.0, 4.0), instructions=(('mul', 0, 1), ('add', 2, 0)))
>>> program(1.0, 2.0)
3.0
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from micrograd.engine import Value, captured
from micrograd.errors import describe
from micrograd.ops import Operand
from micrograd.ops.table import operation_named

__all__ = ["Program", "program_of"]

# A program uses Python's operators where a user would: an engine may have its own way from them to the table.
_OPERATORS: dict[str, Callable[..., Any]] = {
    "abs": operator.abs,
    "add": operator.add,
    "div": operator.truediv,
    "mul": operator.mul,
    "neg": operator.neg,
    "pos": operator.pos,
    "power": operator.pow,
    "sub": operator.sub,
}


@dataclass(frozen=True, repr=False)
class Program:
    """Straight-line code: its inputs, and one instruction per line.

    An instruction is the name of an operation and its flat operands. An int is a place in the pool, which holds the
    inputs and then every result in order; a float is a number. The ``repr`` is Python that makes the program again.

    Args:
        inputs: the numbers at which the program was drawn.
        instructions: the code.

    Raises ``ValueError`` for a program without inputs or with an operand that comes later than its use,
    ``LookupError`` for an operation that is not in the table.

    >>> program = Program(inputs=(3.0,), instructions=(("mul", 0, 0), ("add", 1, 2.0)))   # x * x + 2
    >>> program(3.0)
    11.0
    >>> x = Value(3.0)
    >>> program(x).backward(); x.grad
    6.0
    """

    inputs: tuple[float, ...]
    instructions: tuple[tuple[Any, ...], ...]

    def __post_init__(self) -> None:
        if not self.inputs:
            raise ValueError("a program needs at least one input")
        for place, (name, *operands) in enumerate(self.instructions, start=len(self.inputs)):
            operation_named(name)
            for x in operands:
                if type(x) is not float and not (type(x) is int and 0 <= x < place):
                    raise ValueError(
                        f"an operand is a float, or an int below {place} that names an earlier result; "
                        f"instruction {(name, *operands)!r} has {describe(x)}"
                    )

    def __call__(self, *arguments: Any) -> Any:
        """Run the program on ``arguments``, one per input, and return the last result.

        They may be numbers, Values, or anything else that flows through operations.

        Raises ``TypeError`` when their number is not that of the inputs.
        """
        if len(arguments) != len(self.inputs):
            raise TypeError(f"the program takes {len(self.inputs)} arguments, {len(arguments)} came")
        pool = list(arguments)
        for name, *operands in self.instructions:
            pool.append(_applied(name, [pool[x] if type(x) is int else x for x in operands]))
        return pool[-1]

    def __repr__(self) -> str:
        instructions = _tuple_text([_tuple_text(map(_text, instruction)) for instruction in self.instructions])
        return f"Program(inputs={_tuple_text(map(_text, self.inputs))}, instructions={instructions})"


def _text(x: Any) -> str:
    """Return Python that makes ``x``; the ``repr`` of an infinity or a nan is a name that Python does not know."""
    return f"float({str(x)!r})" if type(x) is float and not math.isfinite(x) else repr(x)


def _tuple_text(items: Iterable[str]) -> str:
    texts = list(items)
    return f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})"


def _applied(name: str, operands: Sequence[Any]) -> Any:
    if name in _OPERATORS and any(isinstance(x, Operand) for x in operands):
        return _OPERATORS[name](*operands)
    return operation_named(name).apply(tuple(operands))


def program_of(root: Value, inputs: Sequence[Value]) -> Program:
    """Return the program that computes ``root`` from ``inputs``, as the graph recorded it.

    Every node between becomes one instruction, operands first. A leaf that is not among the inputs is a constant: it
    becomes the number that the forward pass used, whatever its ``data`` is now. What ``root`` does not need is left
    out, and so is what lies below an input.

    Args:
        root: the result.
        inputs: the nodes that the program takes as arguments, leaves as a rule; those that ``root`` does not depend on
            are arguments too.

    Raises ``ValueError`` where there are no inputs, ``LookupError`` for an operation that is not in the table any more.

    >>> w, x = Value(2.0), Value(3.0)
    >>> program_of((w * x).tanh(), inputs=[x])
    Program(inputs=(3.0,), instructions=(('mul', 2.0, 0), ('tanh', 1)))
    """
    places: dict[Value, int] = {}
    for place, x in enumerate(inputs):
        places.setdefault(x, place)
    instructions: list[tuple[Any, ...]] = []
    for node in _between(root, places):
        operands = [
            places[x] if type(x) is Value and x in places else number
            for x, number in zip(node.operands, captured(node))
        ]
        instructions.append((node.op, *operands))
        places[node] = len(inputs) + len(instructions) - 1
    if not instructions and not (inputs and inputs[-1] is root):  # a program returns what came last
        instructions.append(("pos", places.get(root, root.data)))
    return Program(tuple([x.data for x in inputs]), tuple(instructions))


def _between(root: Value, inputs: Iterable[Value]) -> list[Value]:
    """Return the nodes from the inputs, exclusive, up to ``root``: operands always before what uses them."""
    order: list[Value] = []
    done = set(inputs)
    stack = [root]
    while stack:
        node = stack[-1]
        waiting = [] if node in done else [x for x in node.parents if x.op and x not in done]
        if waiting:
            stack.extend(reversed(waiting))
            continue
        stack.pop()
        if node.op and node not in done:
            done.add(node)
            order.append(node)
    return order
