"""Running native code: its memory, numbers in and out, several threads.

A **context** is the memory of one run. Contexts are kept for the next call; two threads that call at once have one
each. Uniform arguments are copied into a context, batched arrays are read where they are.
"""

from __future__ import annotations

import ctypes
import struct
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from micrograd import _deps
from micrograd.compiler.arguments import Leaf
from micrograd.compiler.jit import Code
from micrograd.compiler.kernel import Kernel
from micrograd.compiler.outcome import Outcome
from micrograd.compiler.run_ir import CONTEXT

__all__ = ["BEGIN", "Native", "address"]

BEGIN, _END, _FIRST_COLUMN = CONTEXT.index("begin"), CONTEXT.index("end"), len(CONTEXT)
_TOTALS, _EMPTY = -1, -2  # stand for a column where there is none
_LARGE = 16_384  # numbers; the C library asks the operating system for more than 128 KiB
_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def _numpy() -> Any:
    return _deps.require("numpy", extra="compile", purpose="micrograd.compile(backend='llvm')")


def _aligned(count: int) -> Any:
    """Return ``count`` zeros that begin at a cache line."""
    memory = _numpy().zeros(count + 8)
    skip = -(address(memory) // 8) % 8
    return memory[skip : skip + count]


def address(array: Any) -> int:
    """Return where the numbers of an array begin."""
    return array.__array_interface__["data"][0]  # type: ignore[no-any-return]


def _oldest(kept: list[Any]) -> tuple[Any, int]:
    """Take the first array out of the list, and count who else has it."""
    try:
        candidate = kept.pop(0)
    except IndexError:  # another thread was quicker
        return None, 0
    return candidate, sys.getrefcount(candidate)


_UNSHARED = _oldest([object()])[1]  # the count of something that nobody else has, on this version of Python


class _Context:
    """The memory of one run, and views of the parts that Python reads and writes."""

    def __init__(self, native: Native) -> None:
        kernel, shape = native.kernel, native.kernel.shape
        self.uniforms = _aligned(kernel.uniforms)
        np = _numpy()
        self.indices = np.zeros(shape.indices + 1, dtype=np.int64)
        self.workspace = _aligned(kernel.width * kernel.lanes)
        self.accumulators = _aligned((kernel.accumulators + 1) * kernel.lanes)
        self.totals = _aligned(kernel.accumulators + 1) if shape.batched else self.accumulators
        self.words = np.zeros(len(CONTEXT) + len(kernel.columns_in) + len(kernel.columns_out), dtype=np.int64)
        parts = (self.uniforms, self.indices, self.workspace, self.accumulators, self.totals)
        self.words[: len(parts)] = [address(x) for x in parts]
        self.address = address(self.words)
        self.uniforms[0] = 1.0
        # A view of the arguments' memory for each leaf, in its own shape: filling it copies and converts at once.
        self.inputs = [
            (place, _view(self.uniforms, kernel.uniform("argument", leaf.first), leaf))
            for place, leaf in enumerate(native.leaves)
            if not leaf.batched and leaf.kind == "float"
        ]
        first = len(kernel.program.outputs) if not shape.rows else 0
        self.results: list[tuple[Any, bool]] = []
        for leaf in native.wanted:
            if leaf.batched or shape.rows:
                self.results.append((None, False))
            else:
                self.results.append((_view(self.totals, first, leaf), leaf.shape is None))
                first += leaf.size
        self.parameters = self.totals[first : first + shape.parameters]
        self.numbers_in: Any = memoryview(self.uniforms)
        self.bytes = self.numbers_in.cast("B")
        self.words_bytes = memoryview(self.words).cast("B")
        self.numbers = memoryview(self.totals[: kernel.accumulators + 1])  # quicker to read than an array

    def gradients(self) -> list[Any]:
        """Return copies of the gradients that are totals; ``None`` in the place of the others."""
        return [None if x is None else float(x) if plain else x.copy() for x, plain in self.results]


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
        shape = kernel.shape
        self.kernel = kernel
        self.leaves = leaves
        self._np = _numpy()
        self.wanted = wanted
        self.threads = threads
        self._code = code
        self.function = _FUNCTION(code["run"])
        self.free: list[_Context] = []
        self._memories: list[Any] = []
        self._columns_of = struct.Struct(f"{2 + len(kernel.columns_in) + len(kernel.columns_out)}q")
        self._parameters = struct.Struct(f"{shape.parameters}d")
        self._parameters_at = 8 * kernel.uniform("parameter")
        self._tangent_at = kernel.uniform("tangent")
        self._has_tangent = "tangent" in kernel.program.outputs
        self._rows = [i for i, leaf in enumerate(leaves) if leaf.batched and leaf.kind == "float"]
        self._widths = [column.width for column in kernel.columns_out]
        self._places = self._gradient_places()

    def _gradient_places(self) -> list[tuple[int, int, int, tuple[int, ...]]]:
        """Return where the gradient of each wanted leaf is found: column, first, size, shape."""
        kernel, names = self.kernel, [column.name for column in self.kernel.columns_out]
        places = []
        row = 0
        for leaf in self.wanted:
            shape = leaf.shape or ()
            if leaf.batched and leaf.size == 0:
                places.append((_EMPTY, 0, 0, shape))
            elif leaf.batched:
                name = f"out{[self.leaves[i] for i in self._rows].index(leaf)}"
                places.append((names.index(name), 0, leaf.size, shape))
            elif kernel.shape.rows:
                places.append((names.index("rows"), row, leaf.size, shape))
                row += leaf.size
            else:
                places.append((_TOTALS, 0, leaf.size, shape))
        return places

    @property
    def plain_array(self) -> tuple[Any, Any]:
        """NumPy's own type of arrays, and its float64."""
        return self._np.ndarray, self._np.dtype(self._np.float64)

    def context(self) -> _Context:
        """Return memory for a run, to be given back to ``free``."""
        try:
            return self.free.pop()
        except IndexError:
            return _Context(self)

    def run(self, *numbers: Any) -> Outcome:
        """Run once; the parameters are those of ``variant.Runner``."""
        return self._run_batched(*numbers) if self.kernel.shape.batched else self._run_single(*numbers)

    def _fill(self, context: _Context, values: Sequence[Any], parameters: Sequence[float], indices: Any) -> None:
        """Copy the uniform numbers of a call into the memory of its run."""
        for place, view in context.inputs:
            view[...] = values[place]
        if parameters:
            self._parameters.pack_into(context.bytes, self._parameters_at, *parameters)
        if indices is not None:
            context.indices[:-1] = indices

    def _run_single(
        self,
        values: Sequence[Any],
        parameters: Sequence[float],
        indices: Any = None,
        sample_indices: Any = None,
        samples: int = 0,
        seed: float = 1.0,
        direction: Any = None,
    ) -> Outcome:
        context = self.context()
        try:
            self._fill(context, values, parameters, indices)
            if direction is not None:
                context.uniforms[self._tangent_at :] = direction
            self.function(context.address)
            totals = context.numbers
            last = totals[-1]
            return Outcome(
                totals[0],
                context.gradients(),
                context.parameters.tolist() if self.kernel.shape.parameters_wanted else [],
                totals[1] if self._has_tangent else None,
                last != last,
            )
        finally:
            self.free.append(context)

    def _run_batched(
        self,
        values: Sequence[Any],
        parameters: Sequence[float],
        indices: Any = None,
        sample_indices: Any = None,
        samples: int = 0,
        seed: float = 1.0,
        direction: Any = None,
    ) -> Outcome:
        shape, np = self.kernel.shape, self._np
        rows = [np.ascontiguousarray(values[i], np.float64) for i in self._rows]
        if sample_indices is not None:
            rows.append(np.ascontiguousarray(sample_indices, np.int64))
        if shape.tangent_rows:
            rows.append(np.ascontiguousarray(direction, np.float64))
        columns = self._columns(samples)
        context = self.context()
        try:
            self._fill(context, values, parameters, indices)
            if direction is not None and not shape.tangent_rows:
                context.uniforms[self._tangent_at :] = direction
            context.numbers_in[0] = seed
            addresses = [address(x) for x in (*rows, *columns)]
            self._columns_of.pack_into(context.words_bytes, 8 * BEGIN, 0, samples, *addresses)
            if self.threads > 1:
                self._in_parts(context, samples)
            else:
                self.function(context.address)
            totals = context.numbers
            outputs: Sequence[Any] = totals
            if shape.rows:
                outputs = [column[:, 0] for column in columns[: 1 + self._has_tangent]]
            gradients = context.gradients()
            for k, (column, first, size, sample_shape) in enumerate(self._places):
                if column == _EMPTY:
                    gradients[k] = self._np.zeros((samples, *sample_shape))
                elif column >= 0:
                    part = columns[column]
                    if size != part.shape[1]:
                        part = part[:, first : first + size]
                    gradients[k] = part.reshape(samples, *sample_shape)
            return Outcome(
                outputs[0],
                gradients,
                context.parameters.tolist() if shape.parameters_wanted else [],
                outputs[1] if self._has_tangent else None,
                totals[-1] != totals[-1],
            )
        finally:
            self.free.append(context)

    def _columns(self, samples: int) -> list[Any]:
        """Return arrays for the results of each sample.

        New pages from the operating system cost more than filling them. So the memory of large results is used again
        when nobody has them any more, which their reference count tells; two are kept, because the results of a call
        are usually still held during the next.
        """
        size = samples * sum(self._widths)
        if size < _LARGE:
            return [self._np.empty((samples, width)) for width in self._widths]
        memory = None
        kept = self._memories
        for _ in range(len(kept)):
            candidate, references = _oldest(kept)
            if candidate is None or candidate.size != size:
                continue
            if memory is None and references == _UNSHARED:
                memory = candidate
            else:
                kept.append(candidate)
            del candidate
        if memory is None:
            memory = self._np.empty(size)
        kept.append(memory)
        del kept[:-2]
        columns = []
        first = 0
        for width in self._widths:
            columns.append(memory[first : first + samples * width].reshape(samples, width))
            first += samples * width
        return columns

    def _in_parts(self, context: _Context, samples: int) -> None:
        """Run all samples, in parts of whole blocks, one thread each; the totals of the parts are added in order."""
        words, lanes = context.words, self.kernel.lanes
        blocks = samples // lanes
        parts = max(1, min(self.threads, blocks))
        bounds = [samples - lanes * (blocks - blocks * k // parts) for k in range(1, parts + 1)]
        contexts = [context, *[self.context() for _ in range(parts - 1)]]
        for part, start, stop in zip(contexts, [0, *bounds[:-1]], bounds):
            if part is not context:
                part.words[_FIRST_COLUMN:] = words[_FIRST_COLUMN:]
                part.uniforms[:] = context.uniforms
                part.indices[:] = context.indices
            part.words[BEGIN], part.words[_END] = start, stop
        with ThreadPoolExecutor(parts) as pool:
            list(pool.map(self.function, [part.address for part in contexts]))
        for part in contexts[1:]:
            context.totals[:] += part.totals
            self.free.append(part)
