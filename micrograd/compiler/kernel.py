"""``Kernel``: a lowered program, and where its numbers live while native code runs.

There are four arrays of float64. **Uniform** numbers are the same for every sample: the seed, the arguments, the
parameters. The **workspace** holds a slot of one number per lane for whatever differs from sample to sample or has to
be kept. An **accumulator** is a slot that adds up, over the samples, the gradient of one uniform number: the bias
lesson in memory. **Totals** are the accumulators after the one sum over the lanes at the end.

Samples are processed in blocks of ``lanes``, the target's vector width. Columns of batched arguments are copied into
the first slots of the workspace, results for each sample are copied out of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from micrograd.compiler.program import CHAIN, LEAVES, Program

__all__ = ["Column", "Kernel", "Shape", "weight"]


@dataclass(frozen=True)
class Column:
    """An array with a row for each sample: ``width`` numbers, in the slots from ``first`` on while their block runs."""

    name: str
    first: int
    width: int


@dataclass(frozen=True)
class Shape:
    """How many numbers of each kind go into a kernel, and which results are asked of it.

    Attributes:
        arguments, parameters, indices: uniform numbers of each kind.
        samples: the widths of the batched arguments, one array each.
        sample_indices: ints per sample.
        tangents: components of the direction; 0 where there is none.
        tangent_rows: whether there is a direction for each sample (the samples are directions then, as in a Hessian).
        wanted: for each uniform argument or sample whose gradient is asked for: its kind and number, in order.
        parameters_wanted: whether the gradients of the parameters are.
        rows: whether each sample has a value, and a gradient of uniform arguments, of its own; else they are summed.
    """

    arguments: int = 0
    parameters: int = 0
    indices: int = 0
    samples: tuple[int, ...] = ()
    sample_indices: int = 0
    tangents: int = 0
    tangent_rows: bool = False
    wanted: tuple[tuple[str, int], ...] = ()
    parameters_wanted: bool = False
    rows: bool = False

    @property
    def batched(self) -> bool:
        """Tell whether the kernel runs over samples."""
        return bool(self.samples or self.sample_indices or self.tangent_rows)


class Kernel:
    """A program for native code, and the sizes of its memory.

    Attributes:
        program: lowered.
        shape: what goes in and what is asked.
        lanes: samples per block; 1 for a program without samples.
        columns_in: batched arguments, ints and directions among them.
        columns_out: results for each sample: the value, then the gradients of batched arguments.
        accumulated: accumulators by ``"value"``, ``"tangent"`` and by the number of a leaf.
        in_slots: slots of results for each sample, by the same.
        accumulators: how many there are.
        width: slots of the workspace in use so far.
    """

    def __init__(self, program: Program, shape: Shape, lanes: int) -> None:
        self.program = program
        self.shape = shape
        self.lanes = lanes if shape.batched else 1
        self.columns_in: list[Column] = []
        self.columns_out: list[Column] = []
        self.accumulated: dict[int | str, int] = {}
        self.in_slots: dict[int | str, int] = {}
        self.accumulators = 0
        self.width = 0
        self._sample_slots: dict[str, int] = {}
        self._place_inputs()
        self._place_outputs()

    # --- memory -----------------------------------------------------------------------------------------------

    def uniform(self, kind: str, k: int = 0) -> int:
        """Return the place of a uniform leaf."""
        if kind == "seed":
            return 0
        if kind == "argument":
            return 1 + k
        if kind == "parameter":
            return 1 + self.shape.arguments + k
        return 1 + self.shape.arguments + self.shape.parameters + k  # a tangent

    @property
    def uniforms(self) -> int:
        """Return the number of uniform numbers."""
        return self.uniform("tangent", 0 if self.shape.tangent_rows else self.shape.tangents)

    def sample_slot(self, kind: str, k: int) -> int | None:
        """Return the slot of a leaf that has a number for each lane, or ``None`` for a uniform one."""
        first = self._sample_slots.get(kind)
        return None if first is None else first + k

    def slots(self, count: int) -> int:
        """Reserve ``count`` slots of the workspace and return the first."""
        first = self.width
        self.width += count
        return first

    def _place_inputs(self) -> None:
        shape = self.shape
        if shape.samples:
            self._sample_slots["sample"] = self.width
            for i, width in enumerate(shape.samples):
                self.columns_in.append(Column(f"in{i}", self.slots(width), width))
        if shape.sample_indices:
            self._sample_slots["sample_index"] = self.width
            self.columns_in.append(Column("chosen", self.slots(shape.sample_indices), shape.sample_indices))
        if shape.tangent_rows:
            self._sample_slots["tangent"] = self.width
            self.columns_in.append(Column("direction", self.slots(shape.tangents), shape.tangents))

    def _place_outputs(self) -> None:
        shape, program = self.shape, self.program
        number = {(op, x[0]): i for i, (op, x) in enumerate(zip(program.ops, program.operands)) if op in LEAVES and x}
        for name in program.outputs:
            if shape.rows:
                self._column_out(name, [name])
            else:
                self._accumulate(name)
        uniform = [key for key in shape.wanted if key[0] != "sample"]
        if shape.rows:
            self._column_out("rows", [number.get(key) for key in uniform])
        else:
            for key in uniform:
                self._accumulate(number.get(key))
        if shape.parameters_wanted:
            for k in range(shape.parameters):
                self._accumulate(number.get(("parameter", k)))
        first = 0
        for i, width in enumerate(shape.samples):
            if width and ("sample", first) in shape.wanted:
                self._column_out(f"out{i}", [number.get(("sample", first + k)) for k in range(width)])
            first += width

    def _accumulate(self, key: int | str | None) -> None:
        if key is not None:
            self.accumulated[key] = self.accumulators
        self.accumulators += 1

    def _column_out(self, name: str, keys: Sequence[int | str | None]) -> None:
        first = self.slots(len(keys))
        self.columns_out.append(Column(name, first, len(keys)))
        for k, key in enumerate(keys):
            if key is not None:
                self.in_slots[key] = first + k


def weight(program: Program, i: int) -> int:
    """Return about how many machine instructions instruction ``i`` takes."""
    op = program.ops[i]
    if op in LEAVES:
        return 0
    return len(program.operands[i]) - 1 if op == CHAIN else 1
