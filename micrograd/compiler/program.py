"""``Program``: a function as a flat list of instructions, each defining one number (static single assignment).

A program prints in this grammar, one line per instruction::

    program     = { "%" number "=" definition } { output }
    definition  = leaf | operation operand { "," operand }
    leaf        = "constant" float            a number known when the function was compiled
                | "argument" number           an argument, the same for every sample of a batch
                | "sample" number             an element of a batched argument, one for each sample
                | "parameter" number          a captured leaf: read at every call, the same for every sample
                | "index" number              an int chosen at run time, the same for every sample
                | "sample_index" number       an int chosen at run time for each sample
                | "tangent" number            a direction; in a Hessian one for each sample
                | "seed"                      the upstream gradient of a sample's value
    operation   = a name of the table of operations | "chain" | name ".share" number
    operand     = "%" number                  of an earlier line
    output      = "value" operand             the result
                | "tangent" operand           its directional derivative
                | "gradient of" operand ":" operand                        of the leaf on the left
                | "gradient of" operand { operand } "[" operand "]" ":" operand   of the leaf that the index chooses

``chain`` is a dot product that starts from its first operand: ``chain i, x0, x1, ..., y0, y1, ...`` is
``((i + x0*y0) + x1*y1) + ...``, from left to right. An initial ``-0.0`` adds nothing, not even to ``-0.0``.

``softsign.share0 g, out, a`` calls a user's derivative rule, where it is Python that does not run on symbols.

An output of a leaf that is the same for every sample is summed over the samples; this is the bias lesson again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CHAIN", "LEAVES", "PER_SAMPLE", "SHARE", "Program", "Scatter", "adds_nothing", "live", "without_dead_code"]

LEAVES = frozenset({"constant", "argument", "sample", "parameter", "index", "sample_index", "tangent", "seed"})
PER_SAMPLE = frozenset({"sample", "sample_index", "tangent"})
CHAIN = "chain"
SHARE = ".share"

Scatter = tuple[tuple[int, ...], int, int]  # leaves, index, gradient: the leaf that the index chooses receives it


@dataclass
class Program:
    """Instructions in order of execution, and which of their results go out.

    Attributes:
        ops: for each instruction its operation, or the kind of leaf.
        operands: for each instruction the numbers of earlier ones; for a leaf, its payload.
        outputs: ``"value"`` and ``"tangent"``, where there is one.
        gradients: for leaves, by the number of their instruction, the number of their gradient.
        scatters: gradients whose leaf is chosen at run time.
        notes: for users' operations whose rule does not run on symbols, why.
    """

    ops: list[str]
    operands: list[tuple[Any, ...]]
    outputs: dict[str, int] = field(default_factory=dict)
    gradients: dict[int, int] = field(default_factory=dict)
    scatters: list[Scatter] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ops)

    def roots(self) -> Iterator[int]:
        """Return the instructions whose results go out, and the leaves that receive them."""
        yield from self.outputs.values()
        for leaf, gradient in self.gradients.items():
            yield leaf
            yield gradient
        for leaves, index, gradient in self.scatters:
            yield from leaves
            yield index
            yield gradient

    def count(self) -> int:
        """Return the number of instructions that compute something."""
        return sum(op not in LEAVES for op in self.ops)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> Iterator[str]:
        """Return the text of the program, line by line.

        >>> print(Program(["argument", "mul"], [(0,), (0, 0)], outputs={"value": 1}))
        %0 = argument 0
        %1 = mul %0, %0
        value %1
        """
        for number, (op, operands) in enumerate(zip(self.ops, self.operands)):
            if op in LEAVES:
                yield f"%{number} = {op}{''.join(f' {x!r}' for x in operands)}"
            else:
                yield f"%{number} = {op} {_listed(operands)}"
        for name, number in self.outputs.items():
            yield f"{name} %{number}"
        for leaf, gradient in self.gradients.items():
            yield f"gradient of %{leaf}: %{gradient}"
        for leaves, index, gradient in self.scatters:
            yield f"gradient of {' '.join(f'%{x}' for x in leaves)}[%{index}]: %{gradient}"


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join([f"%{x}" for x in numbers])


def adds_nothing(program: Program, i: int) -> bool:
    """Tell whether instruction ``i`` is the constant -0.0, which changes no sum, not even one of -0.0."""
    return program.ops[i] == "constant" and repr(program.operands[i][0]) == "-0.0"


def live(program: Program) -> bytearray:
    """Return a mark for every instruction that the outputs need."""
    mark = bytearray(len(program.ops))
    for root in program.roots():
        mark[root] = 1
    ops, operands = program.ops, program.operands
    for i in range(len(ops) - 1, -1, -1):
        if mark[i] and ops[i] not in LEAVES:
            for x in operands[i]:
                mark[x] = 1
    return mark


def without_dead_code(program: Program) -> Program:
    """Return the program without the instructions that no output needs.

    >>> print(without_dead_code(Program(["argument", "exp", "neg"], [(0,), (0,), (0,)], outputs={"value": 2})))
    %0 = argument 0
    %1 = neg %0
    value %1
    """
    mark = live(program)
    if all(mark):
        return program
    number = [-1] * len(mark)
    ops: list[str] = []
    operands: list[tuple[Any, ...]] = []
    for i, kept in enumerate(mark):
        if not kept:
            continue
        number[i] = len(ops)
        op = program.ops[i]
        ops.append(op)
        operands.append(program.operands[i] if op in LEAVES else tuple([number[x] for x in program.operands[i]]))
    return renumbered(program, ops, operands, number)


def renumbered(program: Program, ops: list[str], operands: list[tuple[Any, ...]], number: list[int]) -> Program:
    """Return new instructions with the outputs of ``program``, whose instruction ``i`` is now ``number[i]``."""
    return Program(
        ops,
        operands,
        {name: number[x] for name, x in program.outputs.items()},
        {number[leaf]: number[x] for leaf, x in program.gradients.items()},
        [(tuple([number[x] for x in leaves]), number[i], number[g]) for leaves, i, g in program.scatters],
        program.notes,
    )
