"""Dot products that belong together: ``chain`` instructions that are the entries of one matrix product.

A layer of neurons is many chains that read the same inputs; its reverse pass is chains that read the same upstream
gradients, and one product for every weight. Entry (i, j) of a **group** is ``initial[i][j] + sum(a[i][k] * b[j][k])``,
added up from k = 0 on as in the chain itself. A group is one piece of work for a backend that has loops; what is in no
group stays straight-line code. (Other repetitions in a program would become groups here, too.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from micrograd.compiler.program import CHAIN, LEAVES, Program, adds_nothing

__all__ = ["NOTHING", "Group", "groups", "initials"]

SMALLEST = 128  # products; below, a loop gains nothing

NOTHING = -1
"""Stands for an instruction that adds nothing: the constant -0.0."""

Numbers = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Group:
    """A matrix product.

    Attributes:
        a: the rows, each with as many instructions as there are products in a chain.
        b: the columns, likewise.
        results: the chain of each row and column.
        targets: the leaf whose gradient each result is, where that is all that it is for; else empty.
    """

    a: tuple[Numbers, ...]
    b: tuple[Numbers, ...]
    results: tuple[Numbers, ...]
    targets: tuple[Numbers, ...] = ()

    @property
    def size(self) -> int:
        """Return the number of products."""
        return len(self.a) * len(self.b) * len(self.a[0])

    def members(self) -> Iterable[int]:
        """Return all results."""
        return [x for row in self.results for x in row]


@dataclass(frozen=True, eq=False)
class _Chain:
    number: int
    a: Numbers
    b: Numbers
    level: int  # -1 for one that nothing else reads


def groups(program: Program) -> list[Group]:
    """Return the groups of a lowered program, the largest first.

    Results of one group never need one another: they lie at the same distance from the leaves, or nothing reads them.
    """
    chains = _chains(program)
    by_a: dict[tuple[Numbers, int], list[_Chain]] = {}
    by_b: dict[tuple[Numbers, int], list[_Chain]] = {}
    for c in chains:
        by_a.setdefault((c.a, c.level), []).append(c)
        by_b.setdefault((c.b, c.level), []).append(c)
    # Each chain goes where more chains share an operand; buckets that meet the same partners make a matrix.
    rows: dict[tuple[Numbers, int], list[_Chain]] = {}
    columns: dict[tuple[Numbers, int], list[_Chain]] = {}
    for c in chains:
        if len(by_a[c.a, c.level]) >= len(by_b[c.b, c.level]):
            rows.setdefault((c.a, c.level), []).append(c)
        else:
            columns.setdefault((c.b, c.level), []).append(c)
    found = _merged(rows, lambda c: c.b, False) + _merged(columns, lambda c: c.a, True)
    leaf_of = {x: leaf for leaf, x in program.gradients.items()}
    complete = []
    for group, is_last in found:
        if group.size >= SMALLEST:
            targets = tuple([tuple([leaf_of[x] for x in row]) for row in group.results]) if is_last else ()
            complete.append(Group(group.a, group.b, group.results, targets))
    return sorted(complete, key=lambda group: -group.size)


def _merged(
    buckets: dict[tuple[Numbers, int], list[_Chain]], partner: Callable[[_Chain], Numbers], flipped: bool
) -> list[tuple[Group, bool]]:
    """Return the groups of chains that share an operand, and whether nothing else reads them."""
    matrices: dict[tuple[tuple[Numbers, ...], int], list[tuple[Numbers, Numbers]]] = {}
    for (shared, level), members in buckets.items():
        unique = {partner(c): c.number for c in members}
        matrices.setdefault((tuple(unique), level), []).append((shared, tuple(unique.values())))
    found = []
    for (partners, level), lines in matrices.items():
        shared_lines = tuple([line for line, _ in lines])
        numbers = tuple([results for _, results in lines])
        if flipped:
            found.append((Group(partners, shared_lines, tuple(zip(*numbers))), level < 0))
        else:
            found.append((Group(shared_lines, partners, numbers), level < 0))
    return found


def _chains(program: Program) -> list[_Chain]:
    ops, operands = program.ops, program.operands
    level = [0] * len(ops)
    used = bytearray(len(ops))
    for i, op in enumerate(ops):
        if op not in LEAVES:
            deepest = 0
            for x in operands[i]:
                used[x] = 1
                deepest = max(deepest, level[x])
            level[i] = deepest + 1
    outputs = set(program.outputs.values()) | {g for _, _, g in program.scatters}
    times: dict[int, int] = {}
    for x in program.gradients.values():
        times[x] = times.get(x, 0) + 1
    chains = []
    for i, op in enumerate(ops):
        last = times.get(i) == 1 and not used[i] and i not in outputs
        if op == CHAIN:
            half = len(operands[i]) // 2
            chains.append(_Chain(i, operands[i][1 : 1 + half], operands[i][1 + half :], -1 if last else level[i]))
        elif op == "mul" and last:
            chains.append(_Chain(i, operands[i][:1], operands[i][1:], -1))
    return chains


def initials(program: Program, row: Sequence[int]) -> list[int]:
    """Return what each chain of a row starts from; ``NOTHING`` for a plain product, or a constant that adds nothing."""
    found = []
    for i in row:
        first = program.operands[i][0]
        starts = program.ops[i] == CHAIN and not adds_nothing(program, first)
        found.append(first if starts else NOTHING)
    return found
