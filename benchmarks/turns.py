"""Timing compiled code in the engine's own process: one run is a turn of many calls, by the clock on the wall.

The first run does everything from nothing to the first result, and gives that result. Later runs are turns: loops of
calls, each loop long enough for the clock. The result at the end of a turn must be that of the first call.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping
from itertools import repeat
from statistics import median
from typing import Any

import numpy as np

from benchmarks.forms import Call, Forms

__all__ = ["flat", "prepare"]

_LOOP = 5e-4  # seconds that a loop takes at least
_TURN = 0.04  # seconds that a turn takes about, if one call is not longer
_LOOPS = 3  # in a turn, at least, where a call is shorter than a turn
_SETTLED = 1e-9  # how much the result may move between calls, relative to its largest number

Numbers = np.ndarray[Any, Any]


def prepare(engine: Forms, setting: str, *sizes: int) -> Callable[[], dict[str, Any]]:
    """Return the runs of one form; ``setting`` is its name, which begins with the workload's."""
    workload = importlib.import_module(f"benchmarks.{setting.split()[0]}")
    problem = _arrays(workload.problem(*sizes))
    form = engine.forms[setting]
    call: Call | None = None
    first, calls = np.empty(0), 0

    def begin() -> dict[str, Any]:
        nonlocal call, first
        start = time.perf_counter()
        prepared = form(problem)
        call = prepared.call
        result = call()
        seconds = time.perf_counter() - start
        first = flat(result)
        return {"seconds": seconds, "result": first.tolist(), "about": _plain(prepared.about)}

    def run() -> dict[str, Any]:
        nonlocal calls
        if call is None:
            return begin()
        calls = calls or _calls(call)
        started, used = time.perf_counter(), time.process_time()
        loops, result = _turn(call, calls)
        used, elapsed = time.process_time() - used, time.perf_counter() - started
        moved = float(np.max(np.abs(flat(result) - first), initial=0.0))
        if not moved <= _SETTLED * float(np.max(np.abs(first))):
            raise ArithmeticError(f"its result moved by {moved:g} between two calls of the same arguments")
        return {"seconds": median(loops), "minimum": min(loops), "threads": used / elapsed}

    return run


def _calls(call: Call) -> int:
    """Return how many calls make a loop long enough, and warm up."""
    calls, end = 1, time.perf_counter() + _TURN
    while True:
        loops, _ = _turn(call, calls)
        if time.perf_counter() > end and min(loops) * calls >= _LOOP:
            return calls
        if min(loops) * calls < _LOOP:
            calls *= 2


def _turn(call: Call, calls: int) -> tuple[list[float], Any]:
    """Return the seconds of one call in each loop of a turn, and the last result."""
    loops: list[float] = []
    end = time.perf_counter() + _TURN
    while True:
        start = time.perf_counter()
        for _ in repeat(None, calls - 1):
            call()
        result = call()
        now = time.perf_counter()
        loops.append((now - start) / calls)
        if now > end and (len(loops) >= _LOOPS or loops[0] * calls > _TURN):
            return loops, result


def _arrays(problem: Mapping[str, Any]) -> dict[str, Any]:
    """Return a problem's nested lists as arrays: of int64 where they hold ints, else of float64."""
    return {
        name: _arrays(part) if isinstance(part, Mapping) else np.array(part) if isinstance(part, list) else part
        for name, part in problem.items()
    }


def _plain(about: Any) -> Any:
    """Return nested mappings as dicts, for JSON."""
    return {name: _plain(part) for name, part in about.items()} if isinstance(about, Mapping) else about


def flat(result: Any) -> Numbers:
    """Return every number of a result in one array; the entries of a dict in the order of their names.

    >>> flat((1.0, {"b": np.ones((1, 2)), "a": 2}))
    array([1., 2., 1., 1.])
    """
    if isinstance(result, Mapping):
        result = [result[name] for name in sorted(result)]
    if isinstance(result, (list, tuple)):
        return np.concatenate([flat(part) for part in result])
    return np.asarray(result, dtype=np.float64).ravel()
