"""Running native code: its memory, numbers in and out, several threads.

A **context** is the memory of one run. Contexts are kept for the next call; two threads that call at once have one
each. Uniform arguments are copied into a context, batched arrays are read where they are.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from micrograd.compiler.arguments import Leaf
from micrograd.compiler.jit import Code
from micrograd.compiler.kernel import Kernel
from micrograd.compiler.outcome import Outcome
from micrograd.compiler.run_ir import CONTEXT

__all__ = ["Native"]

_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def _aligned(count: int) -> Any:
    """Return ``count`` zeros that begin at a cache line."""
    memory = np.zeros(count + 8)
    skip = -(_address(memory) // 8) % 8
    return memory[skip : skip + count]


def _address(array: Any) -> int:
    return array.__array_interface__["data"][0]  # type: ignore[no-any-return]


class _Context:
    """The memory of one run, and views of the parts that Python reads and writes."""

    def __init__(self, native: Native) -> None:
        kernel, shape = native.kernel, native.kernel.shape
        self.uniforms = _aligned(kernel.uniforms)
        self.indices = np.zeros(shape.indices + 1, dtype=np.int64)
        self.workspace = _aligned(kernel.width * kernel.lanes)
        self.accumulators = _aligned((kernel.accumulators + 1) * kernel.lanes)
        self.totals = _aligned(kernel.accumulators + 1) if shape.batched else self.accumulators
        self.words = np.zeros(len(CONTEXT) + len(kernel.columns_in) + len(kernel.columns_out), dtype=np.int64)
        parts = (self.uniforms, self.indices, self.workspace, self.accumulators, self.totals)
        self.words[: len(parts)] = [_address(x) for x in parts]
        self.address = _address(self.words)
        self.uniforms[0] = 1.0
        # A view of the arguments' memory for each leaf, in its own shape: filling it copies and converts at once.
        self.inputs = [
            (place, _view(self.uniforms, kernel.uniform("argument", leaf.first), leaf))
            for place, leaf in enumerate(native.leaves)
            if not leaf.batched and leaf.kind == "float"
        ]
        first = len(kernel.program.outputs) if not shape.rows else 0
        self.results: list[Any] = []
        for leaf in native.wanted:
            if leaf.batched or shape.rows:
                self.results.append(None)
            else:
                self.results.append(_view(self.totals, first, leaf))
                first += leaf.size
        self.parameters = self.totals[first : first + shape.parameters]
        self.bytes = memoryview(self.uniforms).cast("B")


def _view(memory: Any, first: int, leaf: Leaf) -> Any:
    return memory[first : first + leaf.size].reshape(leaf.shape or ())


class Native:
    """Native code of a kernel, ready to be called.

    Args:
        kernel: what the code was made from.
        code: its machine code.
        leaves: of the arguments.
        wanted: those whose gradients are asked for.
        threads: into how many parts a batch is cut.
    """

    def __init__(
        self, kernel: Kernel, code: Code, leaves: Sequence[Leaf], wanted: Sequence[Leaf], threads: int
    ) -> None:
        self.kernel = kernel
        self.leaves = leaves
        self.wanted = wanted
        self.threads = threads
        self._code = code
        self._function = _FUNCTION(code.address)
        self._free: list[_Context] = []
        self._parameters = struct.Struct(f"{kernel.shape.parameters}d")
        self._parameters_at = 8 * kernel.uniform("parameter")
        self._batched = kernel.shape.batched

    def run(
        self,
        values: Sequence[Any],
        parameters: Sequence[float],
        indices: Any = None,
        sample_indices: Any = None,
        *,
        samples: int = 0,
        seed: float = 1.0,
        direction: Any = None,
    ) -> Outcome:
        """Run on the numbers and arrays ``values``, one for each leaf.

        Args:
            values: in the order of ``leaves``; batched ones have ``samples`` rows.
            parameters: the numbers of the captured leaves.
            indices, sample_indices: the ints, in range and counted from the front.
            samples: rows of the batch.
            seed: the upstream gradient of each sample.
            direction: of the tangent; an array with a row for each sample where there is one for each.
        """
        context = self._context()
        kernel = self.kernel
        for place, view in context.inputs:
            view[...] = values[place]
        if parameters:
            self._parameters.pack_into(context.bytes, self._parameters_at, *parameters)
        if indices is not None:
            context.indices[:-1] = indices
        outcome = Outcome()
        outcome.tangent = None
        if not self._batched:
            if direction is not None:
                context.uniforms[kernel.uniform("tangent") :] = direction
            self._function(context.address)
            totals = context.totals
            outcome.value = float(totals[0])
            if "tangent" in kernel.program.outputs:
                outcome.tangent = float(totals[1])
            outcome.gradients = [
                view.copy() if leaf.shape is not None else float(view)
                for view, leaf in zip(context.results, self.wanted)
            ]
        else:
            self._run_batched(context, values, outcome, sample_indices, samples, seed, direction)
        outcome.parameters = context.parameters.tolist() if kernel.shape.parameters_wanted else []
        last = context.totals[kernel.accumulators]
        outcome.doubtful = bool(last != last)
        self._free.append(context)
        return outcome

    def _context(self) -> _Context:
        try:
            return self._free.pop()
        except IndexError:
            return _Context(self)

    def _run_batched(
        self,
        context: _Context,
        values: Sequence[Any],
        outcome: Outcome,
        sample_indices: Any,
        samples: int,
        seed: float,
        direction: Any,
    ) -> None:
        kernel, shape = self.kernel, self.kernel.shape
        context.uniforms[0] = seed
        rows: list[Any] = [
            np.ascontiguousarray(x, dtype=np.float64)
            for x, leaf in zip(values, self.leaves)
            if leaf.batched and leaf.kind == "float"
        ]
        if shape.sample_indices:
            rows.append(np.ascontiguousarray(sample_indices, dtype=np.int64))
        if shape.tangent_rows:
            rows.append(np.ascontiguousarray(direction, dtype=np.float64))
        elif direction is not None:
            context.uniforms[kernel.uniform("tangent") :] = direction
        results = [np.zeros((samples, column.width)) for column in kernel.columns_out]
        addresses = [_address(x) for x in (*rows, *results)]
        if samples:
            self._in_parts(context, samples, addresses)
        else:
            context.totals[:] = 0.0
        columns = dict(zip([column.name for column in kernel.columns_out], results))
        for k, name in enumerate(kernel.program.outputs):
            number = columns[name][:, 0] if name in columns else float(context.totals[k])
            setattr(outcome, name, number)
        outcome.gradients = []
        row = 0
        for view, leaf in zip(context.results, self.wanted):
            if view is not None:
                outcome.gradients.append(view.copy() if leaf.shape is not None else float(view))
            elif not leaf.batched:
                outcome.gradients.append(columns["rows"][:, row : row + leaf.size].reshape(samples, *(leaf.shape or ())))
                row += leaf.size
            else:
                place = [x.name for x in self.leaves if x.batched and x.kind == "float"].index(leaf.name)
                outcome.gradients.append(columns[f"out{place}"].reshape(samples, *(leaf.shape or ())))

    def _in_parts(self, context: _Context, samples: int, addresses: list[int]) -> None:
        """Run all samples, cut into parts of whole blocks, one thread each; the totals of the parts are added in order."""
        words, lanes = context.words, self.kernel.lanes
        words[7:] = addresses
        blocks = samples // lanes
        parts = min(self.threads, blocks)
        if parts < 2:
            words[5], words[6] = 0, samples
            self._function(context.address)
            return
        bounds = [samples - lanes * (blocks - blocks * k // parts) for k in range(1, parts + 1)]
        starts = [0, *bounds[:-1]]
        contexts = [context, *[self._context() for _ in range(parts - 1)]]
        for part, start, stop in zip(contexts, starts, bounds):
            part.words[5], part.words[6] = start, stop
            if part is not context:
                part.words[7:] = addresses
                part.uniforms[:] = context.uniforms
                part.indices[:] = context.indices
        with ThreadPoolExecutor(parts) as pool:
            list(pool.map(self._function, [part.address for part in contexts]))
        for part in contexts[1:]:
            context.totals[:] += part.totals
            self._free.append(part)
