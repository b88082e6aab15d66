"""E2: depth and size. A chain of a million additions is built, differentiated and freed.

Every timed run has a process of its own, so that its peak of memory is that of one chain. An engine that stops at
Python's recursion limit is reported with the longest chain that it can differentiate.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import control
from benchmarks.clock import clock
from benchmarks.engine import Engine
from benchmarks.peers import Peer
from benchmarks.processes import COLLECTOR, Worker, WorkerError
from benchmarks.report import Cell, Report, milliseconds, ratio
from benchmarks.rounds import Rounds, Session, attempt, enlist, play

try:
    import resource
except ModuleNotFoundError:  # Windows: memory is reported as not measured
    resource = None  # type: ignore[assignment]

__all__ = ["PROMISE", "REPEAT", "SIZES", "SUMMARY", "prepare", "run"]

SUMMARY = "a chain of SIZE additions is built, differentiated and freed"
SIZES = (1_000_000,)
REPEAT = 5

PROMISE = 300
"""Bytes that a node of ours may take, all told."""

_PROBE = 20_000  # additions: deep enough for a recursive engine to stop, and cheap
_SETTLE = 1_000  # additions that fill Python's free lists, which belong to no chain
_PHASES = ("build", "backward", "free")
_NOT_MEASURED = -1


# --- the workload, in a process of its own -------------------------------------------------------------------


def prepare(engine: Engine, setting: str, size: int) -> Callable[[], dict[str, Any]]:
    """Return a function that runs the chain: at its first call for time and memory, then for what remains of it."""
    calls = iter((_timed, _remaining))

    def run() -> dict[str, Any]:
        call = next(calls)
        try:
            with engine.paused() if setting == "paused" else nullcontext():
                return call(engine, size)
        except RecursionError:
            return {"stopped": _longest(engine, size)}

    return run


def _leaf(engine: Engine) -> Any:
    engine.renew()
    x = engine.parameter(1.0)
    engine.begin([x])
    return x


def _chain(x: Any, size: int) -> Any:
    y = x
    for _ in range(size):
        y = y + x
    return y


def _timed(engine: Engine, size: int) -> dict[str, Any]:
    before = _memory()
    x = _leaf(engine)
    start = clock()
    y = _chain(x, size)
    built = clock()
    engine.backward(y)
    differentiated = clock()
    result = [engine.number(y), engine.gradient(x)]
    if result != [size + 1.0, size + 1.0]:
        raise ArithmeticError(f"the chain's value and gradient are {result}, both must be {size + 1.0}")
    done_with = clock()
    del y
    if engine.rebuilds:
        del x
        engine.renew()
    freed = clock()
    after = _memory()
    times = {"build": built - start, "backward": differentiated - built, "free": freed - done_with}
    per_node = (after[1] - before[0]) / size if before and after else _NOT_MEASURED
    return {"seconds": sum(times.values()), "bytes": per_node, **times}


def _remaining(engine: Engine, size: int) -> dict[str, Any]:
    """Return the bytes of Python's memory that are still taken after the chain was freed, without the collector."""
    x = _leaf(engine)
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    tracemalloc.start()
    try:
        y = _chain(x, _SETTLE)
        engine.backward(y)
        del y
        before, _ = tracemalloc.get_traced_memory()
        y = _chain(x, size)
        engine.backward(y)
        del y
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        if enabled:
            gc.enable()
    return {"remaining": after - before}


def _longest(engine: Engine, limit: int) -> int:
    """Return the length of the longest chain that the engine differentiates, below ``limit``, by bisection."""
    low, high = 0, limit
    while high - low > 1:
        middle = (low + high) // 2
        try:
            engine.backward(_chain(_leaf(engine), middle))
            low = middle
        except RecursionError:
            high = middle
    return low


def _memory() -> tuple[int, int] | None:
    """Return the bytes that the process has now and had at its peak, ``None`` where the system does not tell.

    Linux tells both. Elsewhere the peak so far stands for what a young process has now.
    """
    status = Path("/proc/self/status")
    if status.is_file():  # not getrusage: its peak is never below that of the process that started this one
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        now, peak = (int(fields[name].removesuffix("kB")) * 1024 for name in ("VmRSS", "VmHWM"))
        return now, peak
    if not resource:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return peak, peak


# --- the comparison, in the parent ---------------------------------------------------------------------------


class _Builder:
    """One engine, with a process of its own for every chain."""

    def __init__(self, peer: Peer, collector: str) -> None:
        self.peer, self.collector = peer, collector
        self.outcome = self.version = ""
        self.grow(0)

    def grow(self, size: int) -> None:
        """Build chains of ``size`` from now on, and forget the shorter ones."""
        self.size = size
        self.answers: list[dict[str, Any]] = []
        self.remaining: int | None = None

    def run(self) -> float:
        with Worker("e2", f"peers.{self.peer.key}", self.collector, self.size) as worker:
            self.version = worker.version
            answer = worker.run()
            if "stopped" in answer:
                raise WorkerError(f"stops at {answer['stopped']:,} additions, at Python's recursion limit")
            if not self.peer.native and self.remaining is None:
                self.remaining = int(worker.run()["remaining"])
        self.answers.append(answer)
        return float(answer["seconds"])


def run(session: Session) -> Report:
    """Measure every engine with the collector paused and on; raises ``WorkerError`` where ours fails."""
    contenders = len(session.engines) * len(COLLECTOR)
    with control.started() as control_run, session.progress((session.repeat + 1) * contenders) as advance:

        def start(peer: Peer, collector: str) -> _Builder:
            builder = _Builder(peer, collector)
            builder.grow(min(session.size, _PROBE))
            attempt(builder, advance, "is it deep enough")
            builder.grow(session.size)
            return builder

        builders, missing = enlist(session, start)
        rounds = play(session, builders, control_run, advance)
    return _report(session, builders, rounds, missing)


def _report(session: Session, builders: Sequence[_Builder], rounds: Rounds, missing: Sequence[str]) -> Report:
    rows: list[tuple[Cell, ...]] = []
    results, stopped = [], []
    for builder in builders:
        who: dict[str, Any] = {"engine": builder.peer.key, "version": builder.version, "collector": builder.collector}
        if builder.outcome:
            stopped.append(f"{builder.peer.title}, collector {builder.collector}: {builder.outcome}")
            results.append({**who, "outcome": builder.outcome})
            continue
        timing = rounds.timing(builder)
        phases = {phase: min(float(answer[phase]) for answer in builder.answers) for phase in _PHASES}
        per_node = median(float(answer["bytes"]) for answer in builder.answers)
        rows.append(
            (
                builder.peer.title,
                builder.collector,
                *[milliseconds(phases[phase]) for phase in _PHASES],
                milliseconds(timing.minimum),
                ratio(timing.paired),
                "..." if per_node < 0 else round(per_node),
                "" if builder.remaining is None else float(builder.remaining),
            )
        )
        results.append(
            {**who, **vars(timing), "bytes": per_node, "remaining": builder.remaining, "runs": builder.answers}
        )
    steady, noisy = control.judge(rounds.control)
    return Report(
        name="e2",
        title=f"E2: {SUMMARY.replace('SIZE', format(session.size, ','))}",
        columns=("engine", "collector", *_PHASES, "all", "x ours", "bytes/node", "remaining"),
        rows=rows,
        notes=[
            f"times in ms, minimum of {session.repeat}; x ours: how many times ours, median of paired ratios",
            f"bytes/node: growth of the process at its peak; ours may take {PROMISE}",
            "remaining: bytes of Python's memory after the chain is freed; up to 100 are the measurement's own",
            *stopped,
            *steady,
            *missing,
        ],
        problems=noisy,
        data={"size": session.size, "control": rounds.control, "results": results},
    )
