"""From a program that shows a wrong gradient to a short one: cut off, cut out, move to the inputs.

Every cut is kept only if what is left is still wrong. The number of attempts is limited, so a large program becomes a
shorter one, and a short one the shortest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from micrograd.ops.table import operation_named
from micrograd.testing.program import Program

__all__ = ["shortest"]

_ATTEMPTS = 300
_ALONE = 30  # instructions that are tried alone in every round


def shortest(program: Program, is_wrong: Callable[[Program], bool]) -> Program:
    """Return a shorter program that ``is_wrong`` too; ``program`` itself where there is none.

    >>> long = Program((2.0,), (("exp", 0), ("log", 1), ("mul", 1, 2), ("neg", 3)))
    >>> shortest(long, lambda program: any(name == "log" for name, *_ in program.instructions))
    Program(inputs=(7.38905609893065,), instructions=(('log', 0),))
    """
    left = _ATTEMPTS
    improved = True
    while improved:
        improved = False
        for candidate in _shorter(program):
            if left == 0:
                return program
            left -= 1
            if is_wrong(candidate):
                program, improved = candidate, True
                break
    return program


def _shorter(program: Program) -> Iterator[Program]:
    """Generate programs with fewer instructions, the shortest first."""
    count = len(program.inputs)
    numbers = list(program.inputs)
    for name, *operands in program.instructions:
        numbers.append(operation_named(name).forward(*[numbers[x] if type(x) is int else x for x in operands]))
    length = len(program.instructions)
    everything = set(range(count, count + length))
    # One operation on one input, or one instruction alone; of a long program only the last ones.
    for name, *operands in program.instructions[-_ALONE:]:
        used = [x for x in operands if type(x) is int]
        if len(set(used)) > 1 or (length > 1 and len(used) > 1):
            repeated = [0 if type(x) is int else x for x in operands]
            yield Program((numbers[used[0]],), ((name, *repeated),))
    for k in range(max(0, length - _ALONE), length) if length > 1 else ():
        yield _part(program, numbers, {count + k}, count + k)
    # Tails and heads, ever longer; then the program without a block of instructions, ever shorter.
    size = 2
    while size < length:
        yield _part(program, numbers, set(range(count + length - size, count + length)), count + length - 1)
        yield _part(program, numbers, set(range(count, count + size)), count + size - 1)
        size *= 2
    while size >= 1:
        for start in range(0, length, size):
            block = set(range(count + start, min(count + start + size, count + length)))
            last = max(everything - block, default=0)
            if last and len(block) < length:
                yield _part(program, numbers, everything - block, last)
        size //= 2


def _part(program: Program, numbers: list[float], kept: set[int], root: int) -> Program:
    """Return the program of the instructions ``kept`` that ``root`` needs; the rest becomes inputs."""
    count = len(program.inputs)
    needed = {root}
    for place in range(root, count - 1, -1):
        if place in needed and place in kept:
            needed.update(x for x in program.instructions[place - count][1:] if type(x) is int)
    inputs = [place for place in sorted(needed) if place not in kept or place < count]
    names = {place: k for k, place in enumerate(inputs)}
    instructions = []
    for place in sorted(needed):
        if place in kept and place >= count:
            name, *operands = program.instructions[place - count]
            instructions.append((name, *[names[x] if type(x) is int else x for x in operands]))
            names[place] = len(inputs) + len(instructions) - 1
    return Program(tuple(numbers[place] for place in inputs), tuple(instructions))
