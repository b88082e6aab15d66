"""Tapes: straight-line code of very large programs as data, for a loop that reads it.

Machine code of a hundred thousand instructions takes LLVM a second and more to make, and does not fit the caches that
it runs from. A **tape** has five ints for each instruction: what to do, and the slots of the result and of up to three
operands. The loop that runs it is compiled once. It spends a few cycles to find out what is next, and does that for all
lanes of a block; its code stays in the cache, and the tape streams past.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from micrograd.compiler.kernel import Kernel
from micrograd.compiler.lower import LIBRARY
from micrograd.compiler.products import NOTHING
from micrograd.compiler.program import CHAIN, LEAVES
from micrograd.compiler.schedule import Part, Schedule

__all__ = ["FIELDS", "OPERATIONS", "Tape", "fits"]

FIELDS = 5
"""Ints of an instruction: operation, result, three operands."""

_PLAIN = "add sub mul div neg abs sqrt copysign gt ge lt le eq isnan where"
OPERATIONS = (
    *_PLAIN.split(),
    *sorted(LIBRARY),
    "product_added",  # a + b * c, rounded twice as in a chain
    "constant",  # of the tape's own numbers
    "uniform",
    "copy",
    "accumulate",
    "store",  # to an accumulator
    "result",  # to a column
    "stop",
)
_CODE = {name: k for k, name in enumerate(OPERATIONS)}


def fits(kernel: Kernel) -> bool:
    """Tell whether a program can be a tape: it does not choose by ints."""
    program = kernel.program
    return not program.scatters and not {"index", "sample_index", "take"}.intersection(program.ops)


class Tape:
    """The parts of a schedule as one tape.

    Attributes:
        code: the instructions.
        numbers: the constants.
        segments: the first instruction of each part.
    """

    def __init__(self, kernel: Kernel, schedule: Schedule) -> None:
        self.code = array("i")
        self.numbers = array("d")
        self.segments: list[int] = []
        self._kernel = kernel
        self._schedule = schedule
        self._slots = [-1] * len(kernel.program)
        for i, slot in schedule.slots.items():
            self._slots[i] = slot
        parts = [step for step in schedule.steps if isinstance(step, Part)]
        for k, part in enumerate(parts):
            self.segments.append(len(self.code) // FIELDS)
            if k == 0:
                self._uniforms()
            self._part(part)
            self._emit("stop", 0)

    def _emit(self, op: str, out: int, a: int = 0, b: int = 0, c: int = 0) -> None:
        self.code.extend((_CODE[op], out, a, b, c))

    def _new_slot(self, i: int) -> int:
        slot = self._slots[i] = self._kernel.slots(1)
        return slot

    def _uniforms(self) -> None:
        """Give everything that is the same for all lanes a slot, where instructions find it as they find the rest."""
        kernel, program = self._kernel, self._kernel.program
        for i, op in enumerate(program.ops):
            if op not in LEAVES:
                continue
            operands = program.operands[i]
            slot = kernel.sample_slot(op, *operands) if operands and op != "constant" else None
            if slot is not None:
                self._slots[i] = slot
            elif op == "constant":
                self._emit("constant", self._new_slot(i), len(self.numbers))
                self.numbers.append(operands[0])
            else:
                self._emit("uniform", self._new_slot(i), kernel.uniform(op, *operands))
        self._nothing = kernel.slots(1)
        self._emit("constant", self._nothing, len(self.numbers))
        self.numbers.append(-0.0)

    def _part(self, part: Part) -> None:
        program, schedule, slots = self._kernel.program, self._schedule, self._slots
        ops, operands, outgoing = program.ops, program.operands, schedule.outgoing
        extend, adds = self.code.extend, "accumulate" if schedule.accumulates else "store"
        for source, target in part.moves:
            self._emit("copy", target, source)
        for i in part.numbers:
            op = ops[i]
            if op not in LEAVES and i not in schedule.products:
                out = slots[i] if slots[i] >= 0 else self._new_slot(i)
                x = operands[i]
                if op == CHAIN:
                    self._chain(out, x)
                elif len(x) == 2:
                    extend((_CODE[op], out, slots[x[0]], slots[x[1]], 0))
                elif len(x) == 1:
                    extend((_CODE[op], out, slots[x[0]], 0, 0))
                else:
                    extend((_CODE[op], out, *[slots[k] for k in x]))
            for region, place in outgoing.get(i, ()):
                self._emit({"W": "result", "A": adds, "S": "store"}[region], place, slots[i])
        for source, place in part.copies:
            self._emit("copy", place, self._nothing if source == NOTHING else slots[source])

    def _chain(self, out: int, operands: Sequence[int]) -> None:
        total, *rest = [self._slots[x] for x in operands]
        half = len(rest) // 2
        for x, y in zip(rest[:half], rest[half:]):
            self._emit("product_added", out, total, x, y)
            total = out
