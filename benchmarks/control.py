"""The control: a fixed loop of Python arithmetic that runs in every round and tells how steady the machine is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter
from typing import Any

__all__ = ["STEADY", "judge", "prepare"]

STEADY = 1.25
"""The largest median, in multiples of the minimum, at which a run can be judged."""


def prepare(engine: object, paused: bool, size: int) -> Callable[[], dict[str, Any]]:
    """Return the control as a workload of ``size`` additions that needs no engine."""

    def run() -> dict[str, Any]:
        start = perf_counter()
        total = 0.0
        for i in range(size):
            total = total * 0.5 + i
        return {"seconds": perf_counter() - start, "total": total}

    return run


def judge(seconds: Sequence[float]) -> tuple[bool, str]:
    """Tell whether the machine was steady, and say so in a sentence.

    >>> judge([0.010, 0.011, 0.010])
    (True, "control: a fixed loop of Python took 10.0 ms at its quickest, 1.00 times that at the median: steady")
    """
    quickest = min(seconds)
    spread = median(seconds) / quickest
    steady = spread <= STEADY
    verdict = "steady" if steady else f"MORE THAN {STEADY}, THE MACHINE WAS TOO NOISY TO JUDGE; run it again"
    return steady, (
        f"control: a fixed loop of Python took {quickest * 1e3:.1f} ms at its quickest,"
        f" {spread:.2f} times that at the median: {verdict}"
    )
