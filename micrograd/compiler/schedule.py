"""The order in which a kernel runs: functions of straight-line code, and dot products in loops between them."""

from __future__ import annotations

from dataclasses import dataclass, field

from micrograd.compiler.kernel import Kernel, weight
from micrograd.compiler.program import LEAVES, Program

__all__ = ["Product", "Schedule", "scheduled"]

PART = 400  # instructions of one function


@dataclass(frozen=True)
class Product:
    pass


@dataclass
class Schedule:
    """Steps in order; a list of instructions is a function of straight-line code.

    Attributes:
        steps: lists of instructions, and products.
        slots: for results that another step needs, their slot of the workspace.
        outgoing: for results and leaves that leave the block, where they go: ``("A", accumulator)``, ``("W", slot)``.
        accumulates: whether a result is added to its accumulator; else it is stored there.
    """

    steps: list[list[int] | Product] = field(default_factory=list)
    slots: dict[int, int] = field(default_factory=dict)
    outgoing: dict[int, list[tuple[str, int]]] = field(default_factory=dict)
    accumulates: bool = True


def scheduled(kernel: Kernel) -> Schedule:
    """Return the order in which ``kernel`` runs, and reserve the slots that it takes."""
    program = kernel.program
    schedule = Schedule(accumulates=kernel.shape.batched or bool(program.scatters))
    _send(kernel, schedule)
    part: list[int] = []
    size = 0
    for i in _depth_first(kernel.program):
        part.append(i)
        size += weight(program, i)
        if size >= PART:
            schedule.steps.append(part)
            part, size = [], 0
    part += [i for i in schedule.outgoing if program.ops[i] in LEAVES]
    if part:
        schedule.steps.append(part)
    step_of = {i: number for number, step in enumerate(schedule.steps) for i in step}
    for i, step in step_of.items():
        if program.ops[i] not in LEAVES:
            for x in program.operands[i]:
                if step_of.get(x, step) != step and program.ops[x] not in LEAVES and x not in schedule.slots:
                    schedule.slots[x] = kernel.slots(1)
    return schedule


def _depth_first(program: Program) -> list[int]:
    """Return the instructions in an order in which what is computed is used soon, while it is in a register.

    Arrays of symbols leave a program that does one thing to every element, then the next thing; followed from its
    results down, everything about one element comes together. Gradients come first: they need the value's parts anyway.
    """
    ops, operands = program.ops, program.operands
    seen = bytearray([op in LEAVES for op in ops])
    order: list[int] = []
    roots = [*program.gradients.values(), *[g for _, _, g in program.scatters], *program.outputs.values()]
    for root in roots:
        if seen[root]:
            continue
        seen[root] = 1
        stack = [(root, iter(operands[root]))]
        while stack:
            i, rest = stack[-1]
            for x in rest:
                if not seen[x]:
                    seen[x] = 1
                    stack.append((x, iter(operands[x])))
                    break
            else:
                order.append(i)
                stack.pop()
    return order


def _send(kernel: Kernel, schedule: Schedule) -> None:
    program = kernel.program
    results: list[tuple[int | str, int]] = [*program.outputs.items(), *program.gradients.items()]
    for key, x in results:
        if key in kernel.accumulated:
            schedule.outgoing.setdefault(x, []).append(("A", kernel.accumulated[key]))
        if key in kernel.in_slots:
            schedule.outgoing.setdefault(x, []).append(("W", kernel.in_slots[key]))
