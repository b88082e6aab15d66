"""Hypothesis strategies: Values, and random programs that are differentiable where they stand.

A program is straight-line code over a **pool**: its inputs, and every result so far. An instruction takes its operands
from anywhere in the pool, so results are shared, used twice by one operation, or never used at all; these are the
shapes in which a backward pass goes wrong.

The numbers are known while a program is drawn. Only operands well inside an operation's domain and away from its kinks
are used, and no result is huge or tiny: a program that comes out has a derivative, and floats can compute it.

What is drawn first is simplest (inputs before results, sums before logarithms, stopping before going on), so Hypothesis
shrinks a failing program by dropping instructions and moving the rest towards the inputs.

>>> from hypothesis import find
>>> find(programs(), lambda program: any(name == "tanh" for name, *_ in program.instructions))
Program(inputs=(0.0,), instructions=(('tanh', 0),))
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from micrograd import ops
from micrograd.engine import Value
from micrograd.errors import describe
from micrograd.ops import Op, Operand
from micrograd.ops.domain import Domain
from micrograd.ops.selection import PREDICATES
from micrograd.ops.table import operation_named

__all__ = ["Program", "programs", "values"]

_LARGEST = 1e6  # of a result; its inverse is the smallest, but for 0
_MARGIN = 1e-3  # between an operand and the border of the domain, and between a kink's quantity and 0
_NUMBERS = (1.0, 2.0, -1.0, 0.5, 3.0, -0.25)  # operands that are not nodes
_PAIRED = ("dot", "dist")  # operations over two sequences of one length

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


@dataclass(frozen=True)
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


def _applied(name: str, operands: Sequence[Any]) -> Any:
    if name in _OPERATORS and any(isinstance(x, Operand) for x in operands):
        return _OPERATORS[name](*operands)
    return operation_named(name).apply(tuple(operands))


def values(
    min_value: float | None = None,
    max_value: float | None = None,
    *,
    allow_nan: bool = False,
    allow_infinity: bool = False,
) -> st.SearchStrategy[Value]:
    """Return a strategy for leaves: new Values with finite numbers, unless told otherwise.

    >>> from hypothesis import find
    >>> find(values(min_value=0.0, max_value=8.0), lambda v: v.data > 2.5)
    Value(data=3.0, grad=0.0)
    """
    numbers = st.floats(min_value, max_value, allow_nan=allow_nan, allow_infinity=allow_infinity)
    return numbers.map(Value)


def programs(
    max_inputs: int = 4, max_instructions: int = 12, operations: Iterable[Op | str] | None = None
) -> st.SearchStrategy[Program]:
    """Return a strategy for programs that have a derivative at their inputs.

    Args:
        max_inputs: the largest number of inputs; at least one is drawn.
        max_instructions: the largest number of instructions.
        operations: the operations to choose from, simplest first; all of the table if ``None``, yours included.

    Raises ``ValueError`` for a size or a choice of operations that allows no program, ``LookupError`` for an operation
    that is not in the table.

    >>> from hypothesis import given, settings
    >>> @settings(max_examples=20, derandomize=True, database=None)
    ... @given(programs(max_inputs=2, operations=["add", "mul", "tanh"]))
    ... def the_gradient_is_finite(program):
    ...     inputs = [Value(x) for x in program.inputs]
    ...     program(*inputs).backward()
    ...     assert all(abs(x.grad) < float("inf") for x in inputs)
    >>> the_gradient_is_finite()
    """
    if max_inputs < 1 or max_instructions < 0:
        raise ValueError(
            f"max_inputs is at least 1 and max_instructions at least 0, not {max_inputs!r} and {max_instructions!r}"
        )
    names = ops.operations() if operations is None else operations
    table = [x if isinstance(x, Op) else operation_named(x) for x in names]
    if not table:
        raise ValueError("no operations to choose from; leave `operations` out for the whole table")
    return _programs(max_inputs, max_instructions, table)


# Moderate and never tiny, so a product of a dozen of them does not underflow. 0.0 is the simplest.
_inputs = st.just(0.0) | st.floats(0.01, 4.0) | st.floats(-4.0, -0.01)


class _Draft:
    """A program that is being drawn. Until it is finished, input k is called ``~k`` and result k is called ``k``."""

    def __init__(self, inputs: list[float]) -> None:
        self.inputs = inputs
        self.results: list[float] = []
        self.instructions: list[tuple[Any, ...]] = []
        self.switches: set[int] = set()  # results that are 0 or 1 and stay so

    def number(self, x: int | float) -> float:
        if type(x) is float:
            return x
        return self.inputs[~int(x)] if x < 0 else self.results[int(x)]

    def append(self, op: Op, operands: Sequence[Any]) -> None:
        if op.name in PREDICATES:
            self.switches.add(len(self.results))
        self.results.append(op.forward(*map(self.number, operands)))
        self.instructions.append((op.name, *operands))

    def finished(self) -> Program:
        """Return the program, without the inputs that it does not use: shrinking need not look for them."""
        used = {~x for _, *operands in self.instructions for x in operands if type(x) is int and x < 0}
        kept = sorted(used or {0})
        names = {~k: place for place, k in enumerate(kept)}
        names |= {k: len(kept) + k for k in range(len(self.results))}
        return Program(
            tuple(self.inputs[k] for k in kept),
            tuple(
                (name, *[x if type(x) is float else names[x] for x in operands])
                for name, *operands in self.instructions
            ),
        )


@st.composite
def _programs(draw: st.DrawFn, max_inputs: int, max_instructions: int, table: list[Op]) -> Program:
    draft = _Draft(draw(st.lists(_inputs, min_size=1, max_size=max_inputs)))
    # ``None`` is the end, also of a program of full length: then an instruction can be cut out, and the end is still
    # where it was. Hypothesis cuts out a few draws at a time; an instruction is as few of them as possible, the
    # operation and one for each operand.
    many = table * -(-12 // len(table))
    chosen = st.sampled_from((*[None] * max(1, len(many) // 24), *many))
    for _ in range(4 * max_instructions + 1):
        op = draw(chosen)
        if op is None and draft.instructions:
            break
        if op is not None:
            if len(draft.instructions) == max_instructions:
                break
            operands = draw(_operands_of(op, draft))
            if operands is not None:
                draft.append(op, operands)
    return draft.finished()


@st.composite
def _operands_of(draw: st.DrawFn, op: Op, draft: _Draft) -> list[Any] | None:
    """Draw operands for ``op``; ``None`` where they do not suit it."""
    if op.arity is None:
        size = draw(st.integers(1, 3))
        domains = (op.domain[0],) * (2 * size if op.name in _PAIRED else size)
    else:
        domains = op.domain
    operands: list[Any] = [draw(_operand(domain, draft)) for domain in domains]
    if None in operands or not any(type(x) is int for x in operands):
        return None
    if op.name == "take":
        operands.append(float(draw(st.integers(0, len(operands) - 1))))
    numbers = [draft.number(x) for x in operands]
    if op.name == "where" and operands[0] not in draft.switches and abs(numbers[0]) < _MARGIN:
        return None  # the condition jumps at 0, but for a predicate, which is flat there
    return operands if _suits(op, numbers) else None


@st.composite
def _operand(draw: st.DrawFn, domain: Domain, draft: _Draft) -> int | float | None:
    """Draw an input, a number or a result; ``None`` where there is none in the domain."""
    inputs = [~k for k, x in enumerate(draft.inputs) if _well_inside(domain, x)]
    numbers = [x for x in _NUMBERS if _well_inside(domain, x)]
    # From the newest on: most operands keep their meaning when an instruction before them is cut out. The newest two
    # come again and again: more of the program is alive, and more of it is shared.
    results = [k for k, x in enumerate(draft.results) if _well_inside(domain, x)][::-1]
    results += results[:2] * (1 + len(results) // 2)
    choices: list[Any] = [*inputs, *(["a number"] if numbers else []), *results]
    choice = draw(st.sampled_from(choices)) if choices else None
    return draw(st.sampled_from(numbers)) if choice == "a number" else choice


def _well_inside(domain: Domain, x: float) -> bool:
    return domain.contains(x - _MARGIN) and domain.contains(x + _MARGIN)


def _suits(op: Op, numbers: Sequence[float]) -> bool:
    if op.kinks is not None and not all(abs(quantity) >= _MARGIN for quantity in op.kinks(*numbers)):
        return False
    size = abs(op.forward(*numbers))
    return size == 0.0 or 1.0 / _LARGEST <= size <= _LARGEST
