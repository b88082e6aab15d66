"""Running engines in turn, and what their times say about each other.

A machine's speed drifts by a factor of two within minutes. So engines alternate (A B C A B C ...), and each time is
compared with ours of the same round: the median of these paired ratios stands still where the times themselves do not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

from benchmarks.peers import ENGINES, Peer

__all__ = ["Session", "Timing", "alternate", "compare", "missing_note"]


@dataclass(frozen=True)
class Session:
    """What the command line asks of a workload.

    Attributes:
        repeat: rounds that are timed.
        size: how large the workload is, in its own unit.
        engines: what to measure; ours is among them.
        start: called once with the number of runs to come.
        tick: called before each run with what comes next.
    """

    repeat: int
    size: int
    engines: tuple[Peer, ...] = ENGINES
    start: Callable[[int], None] = lambda total: None
    tick: Callable[[str], None] = lambda text: None


@dataclass(frozen=True)
class Timing:
    """One engine's times in seconds, and how they compare with ours: 2.0 is twice our time.

    Attributes:
        minimum: the quickest round.
        median: the median over its rounds.
        of_minima: the ratio of the quickest rounds.
        paired: the median of the ratios to our time in the same round.
    """

    minimum: float
    median: float
    of_minima: float
    paired: float


def alternate(
    runs: Mapping[Any, Callable[[], float | None]],
    repeat: int,
    every: Callable[[Any], int],
    tick: Callable[[Any, int], None],
) -> dict[Any, dict[int, float]]:
    """Run everything in turn, ``repeat`` times over, and return the seconds by key and round.

    A key with ``every(key) == 5`` runs in each fifth round; a run that returns ``None`` is not called again.
    """
    seconds: dict[Any, dict[int, float]] = {key: {} for key in runs}
    dropped: set[Any] = set()
    for number in range(repeat):
        for key, run in runs.items():
            if number % every(key) == 0 and key not in dropped:
                tick(key, number)
                elapsed = run()
                if elapsed is None:
                    dropped.add(key)
                else:
                    seconds[key][number] = elapsed
    return seconds


def compare(theirs: Mapping[int, float], ours: Mapping[int, float]) -> Timing:
    """Summarise the times of an engine, by round, beside ours."""
    pairs = [t / ours[number] for number, t in theirs.items() if number in ours]
    return Timing(
        minimum=min(theirs.values()),
        median=median(theirs.values()),
        of_minima=min(theirs.values()) / min(ours.values()),
        paired=median(pairs),
    )


def missing_note(missing: Mapping[str, str]) -> list[str]:
    """Return the lines that say which engines are not installed, and what gets them."""
    return [
        f"not installed: {peer.title} ({missing[peer.key]}); get it with: {peer.install}"
        for peer in ENGINES
        if peer.key in missing
    ]
