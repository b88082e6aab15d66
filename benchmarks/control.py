"""The control: a fixed loop of Python arithmetic that runs before every run, and tells how steady the machine is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.clock import clock
from benchmarks.processes import Worker

__all__ = ["STEADY", "judge", "prepare", "started"]

STEADY = 1.25
"""The largest median, in multiples of the minimum, at which a run can be judged."""

_SIZE = 200_000


def prepare(engine: object, setting: str, size: int) -> Callable[[], dict[str, Any]]:
    """Return the control as a workload of ``size`` additions that needs no engine, timed by the clock ``setting``."""
    time = perf_counter if setting == "wall" else clock

    def run() -> dict[str, Any]:
        start = time()
        total = 0.0
        for i in range(size):
            total = total * 0.5 + i
        return {"seconds": time() - start}

    return run


@contextmanager
def started(setting: str = "processor") -> Iterator[Callable[[], float]]:
    """Return the control in a process of its own, as a function that runs it once and returns its seconds.

    ``setting`` is the clock that the workload uses: of the "processor", or on the "wall".
    """
    with Worker("control", "", setting, _SIZE) as worker:
        yield lambda: float(worker.run()["seconds"])


def judge(seconds: Sequence[float]) -> tuple[list[str], list[str]]:
    """Say in a sentence whether the machine was steady: as a note if it was, as a problem if not.

    >>> judge([0.010, 0.011, 0.010])
    (['control: a fixed loop of Python took 10.0 ms at its quickest and 1.00 times that at the median: steady'], [])
    """
    quickest = min(seconds)
    spread = median(seconds) / quickest
    took = f"control: a fixed loop of Python took {quickest * 1e3:.1f} ms at its quickest and {spread:.2f} times that"
    if spread <= STEADY:
        return [f"{took} at the median: steady"], []
    return [], [f"{took} at the median, more than {STEADY}: the machine was TOO NOISY TO JUDGE, run it again"]
