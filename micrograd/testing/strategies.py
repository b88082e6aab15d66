"""Hypothesis strategies: random programs that are differentiable where they stand, or are not, as asked.

A program is straight-line code over a **pool**: its inputs, and every result so far. An instruction takes its operands
from anywhere in the pool, so results are shared, used twice by one operation, or never used at all; these are the
shapes in which a backward pass goes wrong. An expression is the program of a tree, where nothing is shared: what
remains when a failure has nothing to do with sharing.

The numbers are known while a program is drawn. Only operands well inside an operation's domain and away from its kinks
are used, and no result is huge or tiny: a program that comes out has a derivative, and floats can compute it. Who tests
what happens elsewhere asks for ``near_kinks`` or ``edges``.

What is drawn first is simplest (inputs before results, sums before logarithms, stopping before going on), so Hypothesis
shrinks a failing program by dropping instructions and moving the rest towards the inputs.

>>> from hypothesis import find
>>> find(programs(), lambda program: any(name == "tanh" for name, *_ in program.instructions))
Program(inputs=(0.0,), instructions=(('tanh', 0),))
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from micrograd import ops
from micrograd.ops import Op
from micrograd.ops.domain import REALS, Domain
from micrograd.ops.reductions import PAIRED
from micrograd.ops.selection import PREDICATES
from micrograd.ops.table import operation_named
from micrograd.testing.input_strategies import (
    EDGES,
    MARGIN,
    beside,
    inputs,
    numbers_at_edges,
    ordinary_numbers,
    tied,
    values,
)
from micrograd.testing.program import Program

__all__ = ["Program", "expressions", "inputs", "programs", "values"]

_NUMBERS = (1.0, 2.0, -1.0, 0.5, 3.0, -0.25)  # operands that are not nodes
_FEW_ULPS = (0, 1, -1, 2, -2, 3, -3)


def programs(
    max_inputs: int = 4,
    max_instructions: int = 12,
    operations: Iterable[Op | str] | None = None,
    *,
    edges: bool = False,
    near_kinks: bool = False,
) -> st.SearchStrategy[Program]:
    """Return a strategy for programs that have a derivative at their inputs, unless told otherwise.

    Args:
        max_inputs: the largest number of inputs; at least one is drawn.
        max_instructions: the largest number of instructions.
        operations: the operations to choose from, simplest first; all of the table if ``None``, yours included.
        edges: draw inputs and numbers also from 0.0, -0.0, 1, -1, 1e-300, 1e300 and their negatives, equal ones among
            them, and apply operations to whatever is there: at the border of their domain and outside, at kinks, where
            the result overflows or is nan.
        near_kinks: bring operands to the kinks of operations, or within a few ulps (at 0, ulps of 1): two equal
            operands of ``maximum``, 0 for ``relu``. All else is as without it, but results may be as small as an ulp.

    Raises ``ValueError`` for a size or a choice of operations that allows no program, ``LookupError`` for an operation
    that is not in the table.

    >>> from hypothesis import given, settings
    >>> import micrograd as mg
    >>> @settings(max_examples=20, derandomize=True, database=None)
    ... @given(programs(max_inputs=2, operations=["add", "mul", "tanh"]))
    ... def the_gradient_is_finite(program):
    ...     inputs = [mg.Value(x) for x in program.inputs]
    ...     program(*inputs).backward()
    ...     assert all(abs(x.grad) < float("inf") for x in inputs)
    >>> the_gradient_is_finite()
    """
    if max_inputs < 1 or max_instructions < 0:
        raise ValueError(
            f"max_inputs is at least 1 and max_instructions at least 0, not {max_inputs!r} and {max_instructions!r}"
        )
    return _programs(max_inputs, max_instructions, _rows(operations), _taste(edges, near_kinks, shared=True))


def expressions(
    max_leaves: int = 8,
    operations: Iterable[Op | str] | None = None,
    *,
    edges: bool = False,
    near_kinks: bool = False,
) -> st.SearchStrategy[Program]:
    """Return a strategy for programs that are trees: every input and every result but the last is used exactly once.

    Args:
        max_leaves: the largest number of inputs; at least one is drawn. Numbers stand beside them.
        operations: as for ``programs``, and so are ``edges`` and ``near_kinks``.
        edges: go to the numbers at which functions fail.
        near_kinks: go to the kinks of operations.

    Raises ``ValueError`` for a number of leaves or a choice of operations that allows no expression, ``LookupError``
    for an operation that is not in the table.

    >>> from hypothesis import find
    >>> find(expressions(operations=["add", "mul"]), lambda program: len(program.inputs) == 3)
    Program(inputs=(0.0, 0.0, 0.0), instructions=(('add', 0, 1), ('add', 2, 3)))
    """
    if max_leaves < 1:
        raise ValueError(f"max_leaves is at least 1, not {max_leaves!r}")
    rows = _rows(operations)
    rows += [row for row in rows if row.arity != 1] * 3  # most operations have one operand, and make no branch
    return _programs(max_leaves, 2 * max_leaves, rows, _taste(edges, near_kinks, shared=False))


def _rows(operations: Iterable[Op | str] | None) -> list[Op]:
    names = ops.operations() if operations is None else operations
    rows = [x if isinstance(x, Op) else operation_named(x) for x in names]
    if not rows:
        raise ValueError("no operations to choose from; leave `operations` out for the whole table")
    return rows


# --- what is allowed --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Taste:
    """What a program may do.

    Attributes:
        anywhere: whether operations are applied outside their domain, at kinks, and where the result is no number.
        numbers: operands that are not nodes.
        smallest: bounds a result that is not 0 from below; its counterpart above is ``_LARGEST``.
        from_kinks: how far from 0 the quantities stay that vanish at a kink.
        to_kinks: whether operands are brought to kinks.
        shared: whether an input or a result may be used more than once.
    """

    anywhere: bool
    numbers: tuple[float, ...]
    smallest: float
    from_kinks: float
    to_kinks: bool
    shared: bool

    def admits(self, domain: Domain, x: float) -> bool:
        """Tell whether ``x`` may be an operand."""
        return self.anywhere or (domain.contains(x - MARGIN) and domain.contains(x + MARGIN))

    def suits(self, op: Op, numbers: Sequence[float]) -> bool:
        """Tell whether ``op`` may be applied to ``numbers``, each of them admitted."""
        if self.anywhere:
            return _accepts(op, numbers)
        if op.kinks is not None and not all(abs(quantity) >= self.from_kinks for quantity in op.kinks(*numbers)):
            return False
        size = abs(op.forward(*numbers))
        return size == 0.0 or self.smallest <= size <= _LARGEST


_LARGEST = 1e6


def _taste(edges: bool, near_kinks: bool, shared: bool) -> _Taste:
    return _Taste(
        anywhere=edges,
        numbers=(*_NUMBERS, *EDGES) if edges else _NUMBERS,
        smallest=sys.float_info.epsilon if near_kinks else 1.0 / _LARGEST,
        from_kinks=0.0 if near_kinks else MARGIN,
        to_kinks=near_kinks,
        shared=shared,
    )


def _accepts(op: Op, numbers: Sequence[float]) -> bool:
    try:
        op.forward(*numbers)
    except (ArithmeticError, ValueError):  # a user's function may refuse what it is not defined for
        return False
    return True


# --- drawing ----------------------------------------------------------------------------------------------------


class _Draft:
    """A program that is being drawn. Until it is finished, input k is called ``~k`` and result k is called ``k``."""

    def __init__(self, inputs: Sequence[float], taste: _Taste) -> None:
        self.inputs = inputs
        self.taste = taste
        self.results: list[float] = []
        self.instructions: list[tuple[Any, ...]] = []
        self.switches: set[int] = set()  # results that are 0 or 1 and stay so
        self.used: set[int] = set()

    def number(self, x: int | float) -> float:
        if type(x) is float:
            return x
        return self.inputs[~int(x)] if x < 0 else self.results[int(x)]

    def append(self, op: Op, operands: Sequence[Any]) -> None:
        if op.name in PREDICATES:
            self.switches.add(len(self.results))
        self.results.append(float(op.forward(*map(self.number, operands))))
        self.instructions.append((op.name, *operands))
        self.used.update(_places(operands))

    def usable(self, domain: Domain, beside: Sequence[Any] = ()) -> tuple[list[int], list[int]]:
        """Return the inputs and the results, oldest first, that may be an operand ``beside`` those chosen already."""
        taken = () if self.taste.shared else self.used.union(_places(beside))
        inputs = [~k for k, x in enumerate(self.inputs) if ~k not in taken and self.taste.admits(domain, x)]
        results = [k for k, x in enumerate(self.results) if k not in taken and self.taste.admits(domain, x)]
        return inputs, results

    def suits(self, op: Op, operands: Sequence[Any]) -> bool:
        places, numbers = _places(operands), [self.number(x) for x in operands]
        if not places or (len(set(places)) < len(places) and not self.taste.shared):
            return False
        if op.name == "where" and not self.taste.anywhere:
            # The condition jumps at 0, but for a predicate, which is flat there.
            return (operands[0] in self.switches or abs(numbers[0]) >= MARGIN) and self.taste.suits(op, numbers)
        return self.taste.suits(op, numbers)

    def finished(self, with_dead_code: bool) -> Program:
        """Return the program, without the inputs that it does not use: shrinking need not look for them."""
        lines = range(len(self.results)) if with_dead_code else self._below_the_last()
        used = {~x for line in lines for x in _places(self.instructions[line]) if x < 0}
        kept = sorted(used or {0})
        names = {~k: place for place, k in enumerate(kept)}
        names |= {line: place for place, line in enumerate(lines, start=len(kept))}
        return Program(
            tuple(self.inputs[k] for k in kept),
            tuple(tuple(names[x] if type(x) is int else x for x in self.instructions[line]) for line in lines),
        )

    def _below_the_last(self) -> list[int]:
        alive = {len(self.results) - 1}
        for line in reversed(range(len(self.results))):
            if line in alive:
                alive.update(x for x in _places(self.instructions[line]) if x >= 0)
        return sorted(alive - {-1})


def _places(operands: Iterable[Any]) -> list[int]:
    return [x for x in operands if type(x) is int]


@st.composite
def _programs(draw: st.DrawFn, max_inputs: int, max_instructions: int, table: list[Op], taste: _Taste) -> Program:
    # Dead code that does not matter is left out all at once: cut out piece by piece, it takes along what comes later.
    with_dead_code = taste.shared and draw(st.sampled_from((False, True, True, True)))
    draft = _Draft(draw(_inputs(max_inputs, table, taste)), taste)
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
    return draft.finished(with_dead_code)


def _inputs(max_inputs: int, table: list[Op], taste: _Taste) -> st.SearchStrategy[Sequence[float]]:
    numbers = numbers_at_edges(REALS) if taste.anywhere else ordinary_numbers(REALS)
    if not taste.anywhere and not taste.to_kinks:
        return st.lists(numbers, min_size=1, max_size=max_inputs)
    if taste.to_kinks:
        numbers |= st.sampled_from([beside(point, k) for point in _kink_points(table) for k in _FEW_ULPS])
    ulps = _FEW_ULPS if taste.to_kinks else (0,)
    return st.integers(1, max_inputs).flatmap(lambda count: tied([(REALS, numbers)] * count, ulps))


def _kink_points(table: list[Op]) -> list[float]:
    """Return 0, and where operations of one operand have their kinks: as a rule the quantity is ``a - point``."""
    found = [-float(quantity) for op in table if op.arity == 1 for quantity in _quantities(op, (0.0,))]
    return list(dict.fromkeys([0.0, *filter(math.isfinite, found)]))


@st.composite
def _operands_of(draw: st.DrawFn, op: Op, draft: _Draft) -> list[Any] | None:
    """Draw operands for ``op``; ``None`` where they do not suit it."""
    if op.arity is None:
        size = draw(st.integers(1, 3))
        domains = (op.domain[0],) * (2 * size if op.name in PAIRED else size)
    else:
        domains = op.domain
    operands: list[Any] = []
    for domain in domains:
        operands.append(draw(_operand(domain, draft, operands)))
    if None in operands:
        return None
    if draft.taste.to_kinks and op.kinks is not None and draw(st.booleans()):
        at_kinks = _at_kinks(op, domains, operands, draft)
        operands = draw(st.sampled_from(at_kinks)) if at_kinks else operands
    if op.name == "take":
        operands.append(float(draw(st.integers(0, len(operands) - 1))))
    return operands if draft.suits(op, operands) else None


@st.composite
def _operand(draw: st.DrawFn, domain: Domain, draft: _Draft, beside: Sequence[Any]) -> int | float | None:
    """Draw an input, a number or a result; ``None`` where there is none in the domain."""
    inputs, results = draft.usable(domain, beside)
    numbers = [x for x in draft.taste.numbers if draft.taste.admits(domain, x)]
    # From the newest on: most operands keep their meaning when an instruction before them is cut out. The newest two
    # come again and again: more of the program is alive, and more of it is shared. What is not finite comes once, for
    # all that follows from it is not finite either.
    results.reverse()
    rest = len(results) if draft.taste.shared else len(results) + len(inputs)
    results += [k for k in results if math.isfinite(draft.number(k))][:2] * (1 + rest // 2)
    choices: list[Any] = [*inputs, *(["a number"] if numbers else []), *results]
    choice = draw(st.sampled_from(choices)) if choices else None
    return draw(st.sampled_from(numbers)) if choice == "a number" else choice


def _at_kinks(op: Op, domains: Sequence[Domain], operands: list[Any], draft: _Draft) -> list[list[Any]]:
    """Return ``operands`` with one of them replaced such that ``op`` is at a kink, or beside it."""
    found: list[list[Any]] = []
    for place, domain in enumerate(domains):
        others = [*operands[:place], *operands[place + 1 :]]
        numbers = [beside(draft.number(x), k) for x in others for k in _FEW_ULPS]
        inputs, results = draft.usable(domain, others)
        for x in (*inputs, *results, *[x for x in numbers if draft.taste.admits(domain, x)]):
            changed = [*operands[:place], x, *operands[place + 1 :]]
            if _is_at_kink(op, [draft.number(y) for y in changed]) and draft.suits(op, changed):
                found.append(changed)
    return found


def _is_at_kink(op: Op, numbers: Sequence[float]) -> bool:
    near = 4.0 * max(math.ulp(1.0), *map(math.ulp, numbers))
    return all(map(math.isfinite, numbers)) and any(abs(x) <= near for x in _quantities(op, numbers))


def _quantities(op: Op, numbers: Sequence[float]) -> list[float]:
    """Return what vanishes at the kinks of ``op``; nothing where a user's function is not defined."""
    try:
        return [] if op.kinks is None else list(op.kinks(*numbers))
    except (ArithmeticError, ValueError):
        return []
