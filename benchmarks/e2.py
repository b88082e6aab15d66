"""E2: depth and size. A chain of a million additions is built, differentiated and freed.

Every timed run has a process of its own, so that its peak of memory is that of one chain. An engine that stops at
Python's recursion limit is reported with the longest chain that it can differentiate.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks import control
from benchmarks.engine import Engine
from benchmarks.peers import OURS, Peer
from benchmarks.processes import COLLECTOR, NotInstalledError, Worker, WorkerError
from benchmarks.report import Report, Table, milliseconds, ratio
from benchmarks.rounds import Session, alternate, compare, missing_note

try:
    import resource
except ModuleNotFoundError:  # Windows: memory is reported as not measured
    resource = None  # type: ignore[assignment]

__all__ = ["PROMISE", "REPEAT", "SIZE", "SUMMARY", "prepare", "run"]

SUMMARY = "a chain of SIZE additions is built, differentiated and freed"
SIZE = 1_000_000
REPEAT = 5

PROMISE = 300
"""Bytes that a node of ours may take, all told."""

_PROBE = 20_000  # additions: deep enough for a recursive engine to stop, and cheap
_CONTROL_SIZE = 4_000_000
_PHASES = ("build", "backward", "free")
_NOT_MEASURED = -1


# --- the workload, in a process of its own -------------------------------------------------------------------


def prepare(engine: Engine, paused: bool, size: int) -> Callable[[], dict[str, Any]]:
    """Return a function that runs the chain: at its first call for time and memory, then for what remains of it."""
    calls = iter((_timed, _remaining))

    def run() -> dict[str, Any]:
        call = next(calls)
        try:
            with engine.paused() if paused else nullcontext():
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
    before = _resident()
    x = _leaf(engine)
    start = perf_counter()
    y = _chain(x, size)
    built = perf_counter()
    engine.backward(y)
    differentiated = perf_counter()
    result = [engine.number(y), engine.gradient(x)]
    if result != [size + 1.0, size + 1.0]:
        raise ArithmeticError(f"the chain's value and gradient are {result}, both must be {size + 1.0}")
    done_with = perf_counter()
    del y
    if engine.rebuilds:
        del x
        engine.renew()
    freed = perf_counter()
    times = {"build": built - start, "backward": differentiated - built, "free": freed - done_with}
    per_node = (_peak() - before) / size if resource else _NOT_MEASURED
    return {"seconds": sum(times.values()), "bytes": per_node, **times}


def _remaining(engine: Engine, size: int) -> dict[str, Any]:
    """Return the bytes of Python's memory that are still taken after the chain was freed, without the collector."""
    x = _leaf(engine)
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    tracemalloc.start()
    try:
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


def _resident() -> int:
    """Return the bytes of memory that the process has now, or its peak so far where the system does not tell."""
    statm = Path("/proc/self/statm")
    if not statm.is_file():
        return _peak()
    return int(statm.read_text().split()[1]) * resource.getpagesize()


def _peak() -> int:
    """Return the peak of the process's memory in bytes."""
    if not resource:
        return _NOT_MEASURED
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


# --- the comparison, in the parent ---------------------------------------------------------------------------


class _Chains:
    """Runs chains of one engine with one setting of the collector, and keeps what they answered."""

    def __init__(self, peer: Peer, collector: str) -> None:
        self.peer, self.collector = peer, collector
        self.answers: list[dict[str, Any]] = []
        self.remaining: int | None = None
        self.outcome = ""  # where it was not timed: why

    def run(self, size: int) -> float | None:
        """Run one chain in a new process and return its seconds, or ``None`` where ``outcome`` tells what happened."""
        try:
            with Worker("e2", self.peer.key, self.collector, size) as worker:
                answer = worker.run()
                if "stopped" in answer:
                    self.outcome = f"stops at {answer['stopped']:,} additions, Python's recursion limit"
                    return None
                if not self.peer.native and self.remaining is None and size > _PROBE:
                    self.remaining = worker.run()["remaining"]
        except WorkerError as error:
            if self.peer is OURS:
                raise
            self.outcome = str(error)
            return None
        self.answers.append(answer)
        return float(answer["seconds"])


def run(session: Session) -> Report:
    """Measure every engine with the collector paused and on; raises ``WorkerError`` where ours fails."""
    missing: dict[str, str] = {}
    chains: list[_Chains] = []
    session.start(len(session.engines) * len(COLLECTOR) * (session.repeat + 1))
    for collector in COLLECTOR:
        for peer in session.engines:
            session.tick(f"is it deep enough? {peer.title}, collector {collector}")
            chain = _Chains(peer, collector)
            try:
                chain.run(min(session.size, _PROBE))
                chain.answers.clear()
                chains.append(chain)
            except NotInstalledError as error:
                missing[peer.key] = str(error)
    pace: list[float] = []
    with Worker("control", "", "on", _CONTROL_SIZE) as steady:

        def tick(chain: _Chains, number: int) -> None:
            if len(pace) == number:  # the control opens every round
                pace.append(float(steady.run()["seconds"]))
            session.tick(f"round {number + 1} of {session.repeat}: {chain.peer.title}, collector {chain.collector}")

        seconds = alternate(
            {chain: lambda chain=chain: chain.run(session.size) for chain in chains if not chain.outcome},  # type: ignore[misc]
            session.repeat,
            lambda chain: 1,
            tick,
        )
    return _report(session, chains, seconds, pace, missing_note(missing))


def _report(
    session: Session,
    chains: list[_Chains],
    seconds: dict[_Chains, dict[int, float]],
    pace: list[float],
    missing: list[str],
) -> Report:
    is_steady, verdict = control.judge(pace)
    ours = {chain.collector: chain for chain in chains if chain.peer is OURS}
    rows, results, notes = [], [], []
    for chain in chains:
        if chain.outcome:
            notes.append(f"{chain.peer.title}, collector {chain.collector}: {chain.outcome}")
            results.append({"engine": chain.peer.key, "collector": chain.collector, "outcome": chain.outcome})
            continue
        timing = compare(seconds[chain], seconds[ours[chain.collector]])
        phases = {phase: min(float(answer[phase]) for answer in chain.answers) for phase in _PHASES}
        per_node = median(float(answer["bytes"]) for answer in chain.answers)
        rows.append(
            (
                chain.peer.title,
                chain.collector,
                *[milliseconds(phases[phase]) for phase in _PHASES],
                milliseconds(timing.minimum),
                ratio(timing.paired),
                "not measured" if per_node < 0 else f"{per_node:.0f}",
                "-" if chain.remaining is None else f"{chain.remaining:,}",
            )
        )
        results.append(
            {
                "engine": chain.peer.key,
                "collector": chain.collector,
                **vars(timing),
                "remaining": chain.remaining,
                "runs": chain.answers,
            }
        )
    columns = ("engine", "collector", *_PHASES, "all", "times ours, paired", "bytes per node", "bytes that remain")
    return Report(
        name="e2",
        title=f"E2: {SUMMARY.replace('SIZE', format(session.size, ','))}",
        table=Table(columns, rows),
        notes=[
            f"a node of ours may take {PROMISE} bytes, all told; minimum of {session.repeat} runs for each phase",
            *notes,
            *([verdict] if is_steady else []),
            *missing,
        ],
        problems=[] if is_steady else [verdict],
        data={"size": session.size, "control": pace, "results": results},
    )
