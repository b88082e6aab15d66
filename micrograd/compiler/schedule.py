"""The order in which a kernel runs, and the place in memory of everything that one step leaves to another.

Steps are parts, functions of straight-line code, and products, loops over matrices. A loop needs its operands at
regular distances in memory. So the matrices of all products get their places first, the largest first; an operand that
has another place already is copied, which costs less than the product that reads it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from micrograd.compiler.kernel import Kernel, weight
from micrograd.compiler.products import NOTHING, Group, groups, initials
from micrograd.compiler.program import CHAIN, LEAVES

__all__ = ["Matrix", "Part", "Product", "Schedule", "scheduled"]

PART = 400  # instructions of one function
SMALL = 4_000  # instructions up to which straight-line code is best: it stays in the instruction cache

Place = tuple[str, int]
"""A region and a number in it: "U", a uniform number; "W", a slot; "A", an accumulator; "S", one that is stored to."""


@dataclass(frozen=True)
class Matrix:
    """Where a matrix is: entry (row, column) at ``first + row * by_row + column * by_column`` of a region."""

    region: str
    first: int
    by_row: int
    by_column: int


@dataclass
class Part:
    """Straight-line code.

    Attributes:
        moves: first of all, from slot to slot: results of the product before, which another product wants elsewhere.
        numbers: the instructions.
        copies: last of all, numbers copied to slots for the product that follows.
    """

    moves: list[tuple[int, int]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    copies: list[tuple[int, int]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.moves or self.numbers or self.copies)


@dataclass(frozen=True)
class Product:
    """A matrix product: entry (i, j) of ``out`` is ``initial[i, j] + sum(a[i, k] * b[j, k])``.

    Attributes:
        rows, columns, depth: the ranges of i, j and k.
        initial: ``None`` for nothing.
        adds: whether the result is added to what is in ``out``.
    """

    rows: int
    columns: int
    depth: int
    a: Matrix
    b: Matrix
    initial: Matrix | None
    out: Matrix
    adds: bool


@dataclass
class Schedule:
    """Steps in order, and places.

    Attributes:
        steps: parts and products.
        slots: for results that another step needs, their slot of the workspace.
        outgoing: for results and leaves that leave the block, where they go.
        accumulates: whether a gradient is added to its accumulator; else it is stored there.
        products: the results of products, which no part computes.
        size: about how many machine instructions there are, loops unrolled.
        is_large: whether the parts are so long that they are a tape.
    """

    steps: list[Part | Product] = field(default_factory=list)
    slots: dict[int, int] = field(default_factory=dict)
    outgoing: dict[int, list[Place]] = field(default_factory=dict)
    accumulates: bool = True
    products: set[int] = field(default_factory=set)
    size: int = 0
    is_large: bool = False


def scheduled(kernel: Kernel, *, small: int = SMALL, large: float = math.inf) -> Schedule:
    """Return the order in which ``kernel`` runs, and reserve the slots that it takes.

    Args:
        kernel: what to run.
        small: the number of instructions up to which no loops are made.
        large: the number of instructions outside of loops up to which they are cut into parts; more are one tape.
    """
    return _Scheduler(kernel, small, large).run()


class _Scheduler:
    def __init__(self, kernel: Kernel, small: int, large: float) -> None:
        self.kernel = kernel
        self.program = kernel.program
        self.schedule = Schedule(accumulates=kernel.shape.batched or bool(kernel.program.scatters))
        weights = [weight(self.program, i) for i in range(len(self.program))]
        found = groups(self.program) if sum(weights) > small and CHAIN in self.program.ops else []
        self.groups = found
        in_loops = sum(weights[i] for group in found for i in group.members())
        self.schedule.size = sum(weights)
        self.schedule.is_large = self.schedule.size - in_loops > large

    def run(self) -> Schedule:
        program, schedule = self.program, self.schedule
        self._send()
        products: dict[int, tuple[Product, list[tuple[int, int]], list[tuple[int, int]]]] = {}
        for group in self.groups:
            products[group.results[0][0]] = self._placed(group)
            schedule.products.update(group.members())
        part, size = Part(), 0
        for i in self._order():
            if i in products:
                product, part.copies, moves = products[i]
                if part:
                    schedule.steps.append(part)
                schedule.steps.append(product)
                part, size = Part(moves), 0
                continue
            part.numbers.append(i)
            size += weight(program, i)
            if size >= PART and not schedule.is_large:
                schedule.steps.append(part)
                part, size = Part(), 0
        # What leaves the block and is not computed by a part: leaves, constants, results of products.
        leaving = dict.fromkeys([*schedule.outgoing, *[g for _, _, g in program.scatters]])
        part.numbers += [i for i in leaving if program.ops[i] in LEAVES or i in schedule.products]
        if part:
            schedule.steps.append(part)
        self._keep()
        return schedule

    # --- places -----------------------------------------------------------------------------------------------

    def _send(self) -> None:
        kernel, program = self.kernel, self.program
        results: list[tuple[int | str, int]] = [*program.outputs.items(), *program.gradients.items()]
        for key, x in results:
            if key in kernel.accumulated:
                region = "S" if isinstance(key, str) and not kernel.shape.batched else "A"
                self.schedule.outgoing.setdefault(x, []).append((region, kernel.accumulated[key]))
            if key in kernel.in_slots:
                self.schedule.outgoing.setdefault(x, []).append(("W", kernel.in_slots[key]))

    def _placed(self, group: Group) -> tuple[Product, list[tuple[int, int]], list[tuple[int, int]]]:
        """Return the product of a group, the copies that it needs before, and the moves after it."""
        copies: list[tuple[int, int]] = []
        a, b = self._operand(group.a, copies), self._operand(group.b, copies)
        starts = [initials(self.program, row) for row in group.results]
        initial = None
        if any(x != NOTHING for row in starts for x in row):
            initial = self._operand(starts, copies)
        out, adds, moves = self._out(group)
        return Product(len(group.a), len(group.b), len(group.a[0]), a, b, initial, out, adds), copies, moves

    def _operand(self, rows: Sequence[Sequence[int]], copies: list[tuple[int, int]]) -> Matrix:
        """Return where a matrix of instructions is, after placing or copying what has no regular place yet."""
        flat = [x for row in rows for x in row]
        if all(self._place(x) is None and self._computed(x) for x in flat) and len(set(flat)) == len(flat):
            first = self.kernel.slots(len(flat))
            for k, x in enumerate(flat):
                self.schedule.slots[x] = first + k
        places = [[self._place(x) for x in row] for row in rows]
        matrix = _regular(places)
        if matrix is None:
            first = self.kernel.slots(len(flat))
            copies += [(x, first + k) for k, x in enumerate(flat)]
            width = len(rows[0])
            matrix = Matrix("W", first, width, 1)
        return matrix

    def _computed(self, x: int) -> bool:
        return x != NOTHING and self.program.ops[x] not in LEAVES

    def _place(self, x: int) -> Place | None:
        """Return where a number is in memory, or ``None`` where it has no place (yet)."""
        if x == NOTHING:
            return None
        op, operands = self.program.ops[x], self.program.operands[x]
        if op not in LEAVES:
            slot = self.schedule.slots.get(x)
            return None if slot is None else ("W", slot)
        if op == "constant":
            return None
        slot = self.kernel.sample_slot(op, *operands) if operands else None
        return ("U", self.kernel.uniform(op, *operands)) if slot is None else ("W", slot)

    def _out(self, group: Group) -> tuple[Matrix, bool, list[tuple[int, int]]]:
        """Return where the results of a group go, whether they are added to what is there, and the moves after that."""
        if group.targets:
            accumulated = self.kernel.accumulated
            targets = [[("A", accumulated[x]) if x in accumulated else None for x in row] for row in group.targets]
            matrix = _regular(targets)
            if matrix is not None:
                for i in group.members():
                    del self.schedule.outgoing[i]
                return matrix, self.schedule.accumulates, []
        matrix = _regular([[self._place(x) for x in row] for row in group.results])
        if matrix is not None:
            return matrix, False, []
        # Some may have a place already, as operands of a larger product, and not where this one can put them.
        slots = self.schedule.slots
        members = list(group.members())
        first = self.kernel.slots(len(members))
        moves = [(first + k, slots[x]) for k, x in enumerate(members) if x in slots]
        for k, x in enumerate(members):
            slots.setdefault(x, first + k)
        return Matrix("W", first, len(group.b), 1), False, moves

    def _keep(self) -> None:
        """Reserve slots for the results that another part needs."""
        ops, operands, schedule = self.program.ops, self.program.operands, self.schedule
        products, slots = schedule.products, schedule.slots
        if len(schedule.steps) < 2:
            return
        step_of = {i: n for n, step in enumerate(schedule.steps) if isinstance(step, Part) for i in step.numbers}
        for n, step in enumerate(schedule.steps):
            if not isinstance(step, Part):
                continue
            needed = [x for x, _ in step.copies if x != NOTHING]
            for i in step.numbers:
                if ops[i] not in LEAVES and i not in products:
                    needed += operands[i]
            for x in needed:
                if step_of.get(x, n) != n and x not in slots and ops[x] not in LEAVES:
                    slots[x] = self.kernel.slots(1)

    # --- order ------------------------------------------------------------------------------------------------

    def _order(self) -> list[int]:
        """Return the instructions in an order in which what is computed is used soon, while it is in a register.

        A tape has no registers, and stays in the order of the program.

        Arrays of symbols leave a program that does one thing to every element, then the next thing; followed from its
        results down, everything about one element comes together. Gradients come first: they need the parts of the
        value anyway. A group is one step: it stands for all its members, at its first.
        """
        ops, operands = self.program.ops, self.program.operands
        if self.schedule.is_large and not self.groups:
            return [i for i, op in enumerate(ops) if op not in LEAVES]
        leader: dict[int, int] = {}  # of each member of a group: the first
        needs: dict[int, list[int]] = {}  # of each leader: what all members need
        for group in self.groups:
            first = group.results[0][0]
            leader.update(dict.fromkeys(group.members(), first))
            needs[first] = [x for member in group.members() for x in operands[member]]
        seen = bytearray([op in LEAVES for op in ops])
        order: list[int] = []
        program = self.program
        for root in [*program.gradients.values(), *[g for _, _, g in program.scatters], *program.outputs.values()]:
            start = leader.get(root, root)
            if seen[start]:
                continue
            seen[start] = 1
            stack = [(start, iter(needs.get(start) or operands[start]))]
            while stack:
                i, rest = stack[-1]
                for x in rest:
                    if seen[x]:
                        continue
                    if leader:
                        x = leader.get(x, x)
                        if seen[x]:
                            continue
                    seen[x] = 1
                    stack.append((x, iter(needs.get(x) or operands[x])))
                    break
                else:
                    order.append(i)
                    stack.pop()
        return order


def _regular(places: Sequence[Sequence[Place | None]]) -> Matrix | None:
    """Return the matrix whose entries are at ``places``, or ``None`` where their distances are not regular."""
    if places[0][0] is None:
        return None
    region, first = places[0][0]
    corner = places[0][1] if len(places[0]) > 1 else places[0][0]
    below = places[1][0] if len(places) > 1 else places[0][0]
    if corner is None or below is None:
        return None
    by_column, by_row = corner[1] - first, below[1] - first
    for i, row in enumerate(places):
        for k, place in enumerate(row):
            if place != (region, first + i * by_row + k * by_column):
                return None
    return Matrix(region, first, by_row, by_column)
