"""E2: depth and size. A chain of a million additions is built, differentiated and freed.

Every run has a process of its own, so that its peak of memory is that of one chain. An engine that stops at Python's
recursion limit is reported with the longest chain that it can differentiate.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks import control
from benchmarks.engine import Engine
from benchmarks.peers import OURS, Peer
from benchmarks.processes import COLLECTOR, NotInstalledError, Worker, WorkerError
from benchmarks.report import Report, Table, milliseconds, ratio
from benchmarks.rounds import Session, alternate, compare, missing_note

__all__ = ["PROMISE", "REPEAT", "SIZE", "SUMMARY", "prepare", "run"]

SUMMARY = "a chain of SIZE additions is built, differentiated and freed"
SIZE = 1_000_000
REPEAT = 3

PROMISE = 300
"""Bytes that a node of ours may take, all told."""

_PROBE = 20_000  # deep enough for any recursive engine to stop, and cheap
_CONTROL_SIZE = 4_000_000
_PHASES = ("build", "backward", "free")


# --- the workload, in a process of its own for every run -----------------------------------------------------


def prepare(engine: Engine, paused: bool, size: int) -> Callable[[], dict[str, Any]]:
    """Return a function that runs the chain: first for time and memory, and when called again for what remains."""
    runs = iter((_timed, _remaining))

    def run() -> dict[str, Any]:
        deepest = _deepest(engine, min(size, _PROBE))
        if deepest < size and deepest < _PROBE:
            return {"stopped": deepest}
        with engine.paused() if paused else nullcontext():
            return next(runs)(engine, size)

    return run


def _chain(engine: Engine, x: Any, size: int) -> Any:
    y = x
    for _ in range(size):
        y = y + x
    return y


def _timed(engine: Engine, size: int) -> dict[str, Any]:
    before = _resident()
    engine.renew()
    x = engine.parameter(1.0)
    engine.begin([x])
    start = perf_counter()
    y = _chain(engine, x, size)
    built = perf_counter()
    engine.backward(y)
    differentiated = perf_counter()
    result = [engine.number(y), engine.gradient(x)]
    again = perf_counter()
    del y
    if engine.rebuilds:
        del x
        engine.renew()
    freed = perf_counter()
    if result != [size + 1.0, size + 1.0]:
        raise ArithmeticError(f"value and gradient are {result}, both must be {size + 1.0}")
    peak = _peak()
    bytes_per_node = None if before is None or peak is None else (peak - before) / size
    times = {"build": built - start, "backward": differentiated - built, "free": freed - again}
    return {"seconds": sum(times.values()), "bytes": bytes_per_node, **times}


def _remaining(engine: Engine, size: int) -> dict[str, Any]:
    """Return the bytes of Python's memory that are still there when the chain was freed, without the collector."""
    engine.renew()
    x = engine.parameter(1.0)
    engine.begin([x])
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        y = _chain(engine, x, size)
        engine.backward(y)
        del y
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    return {"remaining": after - before}


def _deepest(engine: Engine, limit: int) -> int:
    """Return the length, up to ``limit``, of the longest chain that the engine differentiates, by bisection."""

    def works(size: int) -> bool:
        engine.renew()
        x = engine.parameter(1.0)
        engine.begin([x])
        try:
            engine.backward(_chain(engine, x, size))
        except RecursionError:
            return False
        return True

    if works(limit):
        return limit
    low, high = 0, limit
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if works(middle) else (low, middle)
    return low


def _resident() -> int | None:
    """Return the bytes of memory that the process has now, or its peak so far where the system does not tell."""
    statm = Path("/proc/self/statm")
    if not statm.is_file():
        return _peak()
    import resource

    return int(statm.read_text().split()[1]) * resource.getpagesize()


def _peak() -> int | None:
    """Return the peak of the process's memory in bytes, ``None`` where the system does not tell."""
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
