"""Dot products: chains of ``+`` and ``*`` become one ``chain`` instruction, which is what loops are made of.

Everyone writes a neuron as ``sum(w*x for ...) + b``, which is ``((0 + w0*x0) + w1*x1) + ...``. Products and partial
sums that nothing else uses are part of the chain; the order of the additions stays, and with it every bit of the
result.
"""

from __future__ import annotations

from typing import Any

from micrograd.compiler.program import CHAIN, LEAVES, Program, live, renumbered

__all__ = ["SHORTEST", "with_chains"]

SHORTEST = 4  # products; below, plain instructions are as good


def with_chains(program: Program) -> Program:
    """Return the program with its dot products as chains; instructions that no output needs are left out.

    >>> from micrograd.compiler.builder import Builder
    >>> b = Builder()
    >>> w, x = [b.leaf("parameter", i) for i in range(4)], [b.leaf("sample", i) for i in range(4)]
    >>> total = b.emit("mul", (w[0], x[0]))
    >>> for i in (1, 2, 3):
    ...     total = b.emit("add", (total, b.emit("mul", (w[i], x[i]))))
    >>> print(str(with_chains(b.program(outputs={"value": total}))).splitlines()[-2])
    %9 = chain %8, %0, %1, %2, %3, %4, %5, %6, %7
    """
    mark = live(program)
    uses = _uses(program, mark)
    ops, operands = program.ops, program.operands
    # The chain that ends at an addition, and the additions in it: so long as nothing else wants a partial sum, the next
    # addition takes the list over.
    started: dict[int, list[int]] = {}
    for i, op in enumerate(ops):
        if not mark[i] or op != "add":
            continue
        x, y = operands[i]
        if ops[y] != "mul" or uses[y] != 1 or x == y:
            continue
        chain = started.pop(x) if x in started and uses[x] == 1 else []
        chain.append(i)
        started[i] = chain
    ends = {end: chain for end, chain in started.items() if _products(program, uses, chain) >= SHORTEST}
    return _rewritten(program, mark, uses, ends)


def _uses(program: Program, mark: bytearray) -> list[int]:
    uses = [0] * len(mark)
    for i, kept in enumerate(mark):
        if kept and program.ops[i] not in LEAVES:
            for x in program.operands[i]:
                uses[x] += 1
    for root in program.roots():
        uses[root] += 2  # it goes out, so it is never only part of a chain
    return uses


def _opens(program: Program, uses: list[int], chain: list[int]) -> bool:
    """Tell whether the first operand of the first addition is a product that belongs to the chain."""
    first = program.operands[chain[0]][0]
    return program.ops[first] == "mul" and uses[int(first)] == 1


def _products(program: Program, uses: list[int], chain: list[int]) -> int:
    return len(chain) + _opens(program, uses, chain)


def _rewritten(program: Program, mark: bytearray, uses: list[int], ends: dict[int, list[int]]) -> Program:
    inside = bytearray(len(mark))
    for end, chain in ends.items():
        for i in chain:
            inside[i] = 1
            inside[program.operands[i][1]] = 1
        inside[end] = 0
        if _opens(program, uses, chain):
            inside[program.operands[chain[0]][0]] = 1

    ops: list[str] = []
    operands: list[tuple[Any, ...]] = []
    number = [-1] * len(mark)

    def append(op: str, payload: tuple[Any, ...]) -> int:
        ops.append(op)
        operands.append(payload)
        return len(ops) - 1

    constants: dict[str, int] = {}

    def constant(x: float) -> int:
        if repr(x) not in constants:
            constants[repr(x)] = append("constant", (x,))
        return constants[repr(x)]

    for i, kept in enumerate(mark):
        if not kept or inside[i]:
            continue
        op, old = program.ops[i], program.operands[i]
        if op in LEAVES:
            number[i] = append(op, old)
        elif i in ends:
            chain = ends[i]
            products = [program.operands[j][1] for j in chain]
            first = program.operands[chain[0]][0]
            if _opens(program, uses, chain):
                products.insert(0, first)
                initial = constant(-0.0)
            else:
                initial = number[first]
            pairs = [program.operands[p] for p in products]
            xs, ys = [number[x] for x, _ in pairs], [number[y] for _, y in pairs]
            number[i] = append(CHAIN, (initial, *xs, *ys))
        elif op == "dot" and len(old) >= 2 * SHORTEST:
            number[i] = append(CHAIN, (constant(0.0), *[number[x] for x in old]))
        else:
            number[i] = append(op, tuple([number[x] for x in old]))
    return renumbered(program, ops, operands, number)
