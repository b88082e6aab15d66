"""The shortest way from arrays to value and gradients, for calls in which nothing is new.

A small function takes less time than Python takes to look at its arguments. So what a call has shown about arguments of
these shapes (which code, where each array goes, how many samples) is kept in a closure that does the rest: copy in,
run, copy out. Calls with more to them, ints or parameters or directions, go the general way.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from micrograd.compiler.native import BEGIN, Native, address

__all__ = ["Shortcut", "shortcut"]

Shortcut = Callable[[tuple[Any, ...]], tuple[float, Any] | None]
"""From arrays of float64 to value and gradients; ``None`` where a gradient is nan, and the careful program is asked."""


def shortcut(native: Native, samples: int, mean: bool, single: bool) -> Shortcut | None:
    """Return the shortest way for one number of samples, or ``None`` where a call has more to it.

    Args:
        native: the code.
        samples: rows of the batched arguments.
        mean: whether the value is divided by their number.
        single: whether one gradient is returned, and not a tuple.
    """
    shape = native.kernel.shape
    if shape.indices or shape.sample_indices or shape.tangents or shape.parameters or shape.rows or native.threads > 1:
        return None
    if any(leaf.shape is None or leaf.batched for leaf in native.wanted):
        return None
    function, pool, new = native.function, native.free, native.new_context
    seed = 1.0 / samples if mean else 1.0
    scale = float(samples) if mean else 1.0
    rows = [i for i, leaf in enumerate(native.leaves) if leaf.batched]
    begin_to_columns = struct.Struct(f"{2 + len(rows)}q")

    def run(arrays: tuple[Any, ...]) -> tuple[float, Any] | None:
        context = pool.pop() if pool else new()
        for place, view in context.inputs:
            view[...] = arrays[place]
        if rows:
            addresses = []
            for i in rows:
                x = arrays[i]
                if not x.flags.c_contiguous:
                    pool.append(context)
                    return None
                addresses.append(address(x))
            context.numbers_in[0] = seed
            begin_to_columns.pack_into(context.words_bytes, 8 * BEGIN, 0, samples, *addresses)
        function(context.address)
        totals = context.numbers
        found = None
        if totals[-1] == totals[-1]:
            value = totals[0] / scale
            if single:
                found = value, context.results[0][0].copy()
            else:
                found = value, tuple([gradient.copy() for gradient, _ in context.results])
        pool.append(context)
        return found

    return run
