"""Running engines in turn, and what their times say about each other.

A machine's speed drifts by a factor of two within minutes. So engines alternate (A B C A B C ...), and each time is
compared with ours of the same round: the median of these paired ratios stands still where the times themselves do not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from statistics import median
from typing import Protocol, TypeVar

from benchmarks.peers import OURS, Peer
from benchmarks.processes import COLLECTOR, NotInstalledError, WorkerError

__all__ = ["Contender", "Rounds", "Session", "Timing", "attempt", "compare", "enlist", "play", "runs"]


@dataclass(frozen=True)
class Session:
    """What the command line asks of a workload.

    Attributes:
        repeat: rounds that are timed.
        sizes: how large the workload is, in its own unit; scalar workloads have one size.
        engines: what to measure; ours is among them, and the first.
        progress: given how many runs are to come, a context of a function to call after each with what it was.
    """

    repeat: int
    sizes: tuple[int, ...]
    engines: tuple[Peer, ...]
    progress: Callable[[int], AbstractContextManager[Callable[[str], None]]] = lambda total: nullcontext(_ignore)

    @property
    def size(self) -> int:
        """The only size, or the first."""
        return self.sizes[0]


def _ignore(text: str) -> None:
    """Show no progress."""


class Contender(Protocol):
    """One engine with one setting of the garbage collector."""

    peer: Peer
    collector: str
    outcome: str  # where it cannot be timed: what happened

    def run(self) -> float:
        """Run the workload once and return its seconds; an exception says why this engine is out."""


C = TypeVar("C", bound=Contender)


@dataclass(frozen=True)
class Rounds:
    """Seconds by contender and round, and the seconds of the control."""

    seconds: Mapping[tuple[str, str], Mapping[int, float]]
    control: Sequence[float]

    def timing(self, contender: Contender) -> Timing:
        """Return the contender's times beside ours with the same setting of the collector."""
        key = contender.peer.key, contender.collector
        return compare(self.seconds[key], self.seconds[OURS.key, contender.collector])


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


def compare(theirs: Mapping[int, float], ours: Mapping[int, float]) -> Timing:
    """Summarise the times of an engine, by round, beside ours.

    >>> compare({0: 3.0, 1: 8.0, 2: 4.0}, {0: 1.0, 1: 4.0, 2: 2.0})
    Timing(minimum=3.0, median=4.0, of_minima=3.0, paired=2.0)
    """
    return Timing(
        minimum=min(theirs.values()),
        median=median(theirs.values()),
        of_minima=min(theirs.values()) / min(ours.values()),
        paired=median([t / ours[number] for number, t in theirs.items()]),
    )


def enlist(session: Session, make: Callable[[Peer, str], C]) -> tuple[list[C], list[str]]:
    """Make a contender of every engine and setting; return them, and the lines that say what is not installed."""
    contenders: list[C] = []
    missing: dict[Peer, str] = {}
    for collector in COLLECTOR:
        for peer in session.engines:
            try:
                contenders.append(make(peer, collector))
            except NotInstalledError as error:
                if peer is OURS:
                    raise WorkerError(f"{peer.title} cannot be imported: {error}") from error
                missing[peer] = str(error)
    lines = [f"not installed: {peer.title} ({why}); get it with: {peer.install}" for peer, why in missing.items()]
    return contenders, lines


def attempt(contender: Contender, advance: Callable[[str], None], stage: str) -> float | None:
    """Run a contender and call ``advance``; where it fails and is not ours, note the outcome and return ``None``."""
    seconds = None
    try:
        seconds = contender.run()
    except WorkerError as error:
        if contender.peer is OURS:
            raise
        contender.outcome = str(error)
    figure = f"{seconds * 1e3:.1f} ms" if seconds is not None else "out"
    advance(f"{stage}: {contender.peer.title}, collector {contender.collector}, {figure}")
    return seconds


def runs(session: Session, contenders: Sequence[Contender]) -> int:
    """Return how many runs ``play`` will make, if none fails."""
    return sum(math.ceil(session.repeat / contender.peer.every) for contender in contenders)


def play(
    session: Session, contenders: Sequence[Contender], control: Callable[[], float], advance: Callable[[str], None]
) -> Rounds:
    """Run all contenders in turn, ``session.repeat`` times over, each after a run of the control.

    A slow peer takes part in each fifth round; one that fails is out, and its ``outcome`` tells why.
    """
    seconds: dict[tuple[str, str], dict[int, float]] = {(c.peer.key, c.collector): {} for c in contenders}
    pace = []
    for number in range(session.repeat):
        for contender in contenders:
            if number % contender.peer.every == 0 and not contender.outcome:
                pace.append(control())
                elapsed = attempt(contender, advance, f"round {number + 1} of {session.repeat}")
                if elapsed is not None:
                    seconds[contender.peer.key, contender.collector][number] = elapsed
    return Rounds(seconds, pace)
