"""What the compiled workloads C1 to C4 have in common: engines take turns, their results are compared, a table is made.

A workload is a list of cases (a size, say); a case is a list of entries (an engine and the form of the code it runs).
Every entry has a process of its own for a case, and the first one, ours, is what the others are compared with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks import control
from benchmarks.peers import ENGINES, OURS, Peer
from benchmarks.processes import NotInstalledError, Worker, WorkerError
from benchmarks.report import Cell, Report, ratio, significant
from benchmarks.rounds import Session, Timing, compare

__all__ = ["Case", "Entry", "Runner", "compete", "disagreement", "last_line", "tell"]

TOLERANCE = 1e-9

_PARALLEL = 1.2  # seconds of the processor per second on the wall that show more than one thread at work
_WARM_UP = 2  # runs: the first result, and a turn that finds how many calls make a loop


@dataclass(frozen=True)
class Entry:
    """A row of a table: an engine, by its key; the name of its form; how the row is called; in which rounds it runs."""

    engine: str
    form: str
    title: str
    every: int = 1

    @property
    def peer(self) -> Peer:
        """The engine."""
        (peer,) = [peer for peer in ENGINES if peer.key == self.engine]
        return peer


@dataclass(frozen=True)
class Case:
    """One problem: how it is called, its sizes, who solves it, and by how many things a call's time is divided."""

    label: str
    sizes: tuple[int, ...]
    entries: Sequence[Entry]
    per: int = 1


@dataclass
class Runner:
    """One entry in one case, in a process that lives as long as the case. Where it is out, ``outcome`` tells why."""

    case: Case
    entry: Entry
    worker: Worker | None = None
    outcome: str = ""
    first: float = math.nan
    result: Sequence[float] = ()
    about: dict[str, Any] = field(default_factory=dict)
    turns: dict[int, dict[str, Any]] = field(default_factory=dict)

    def start(self) -> None:
        """Start the process; raises ``NotInstalledError``."""
        self.worker = Worker("turns", f"forms.{self.entry.engine}", self.entry.form, *self.case.sizes)

    def run(self) -> dict[str, Any] | None:
        """Run once and return the answer, ``None`` where the engine is out."""
        if self.worker is None or self.outcome:
            return None
        try:
            return self.worker.run()
        except WorkerError as error:
            self.outcome = str(error)
        return None

    def timing(self, reference: Runner | None) -> Timing:
        """Return the times of a call, beside those of ``reference``."""
        medians = {number: turn["seconds"] for number, turn in self.turns.items()}
        minima = {number: turn["minimum"] for number, turn in self.turns.items()}
        if reference is None or not reference.turns:
            return Timing(min(minima.values()), median(medians.values()), math.nan, math.nan)
        of_medians = compare(medians, {number: turn["seconds"] for number, turn in reference.turns.items()})
        of_minima = compare(minima, {number: turn["minimum"] for number, turn in reference.turns.items()})
        return Timing(of_minima.minimum, of_medians.median, of_minima.of_minima, of_medians.paired)


def disagreement(theirs: Sequence[float], ours: Sequence[float]) -> str:
    """Say where two results differ by more than 1e-9 relative, empty where they agree.

    A number whose terms cancel has no relative accuracy: an error of 1e-13 times the largest number is let pass.

    >>> disagreement([1.0, 2.0], [1.0, 2.0 + 1e-12]), disagreement([1.0], [1.0, 2.0])
    ('', 'a result of 1 numbers, not of 2')
    """
    if len(theirs) != len(ours):
        return f"a result of {len(theirs)} numbers, not of {len(ours)}"
    floor = 1e-13 * max(map(abs, ours))
    for i, (their, our) in enumerate(zip(theirs, ours)):
        if not math.isclose(their, our, rel_tol=TOLERANCE, abs_tol=floor):
            return f"{their!r} as number {i} of the result, not {our!r}"
    return ""


def last_line(outcome: str) -> str:
    r"""Return what a traceback comes to: its last line that is not indented.

    >>> last_line("xad failed:\nTraceback:\n  File 1\nValueError: no tape\n  at line 3")
    'ValueError: no tape'
    """
    return [line for line in outcome.splitlines() if line and not line.startswith(" ")][-1]


def compete(session: Session, cases: Sequence[Case]) -> tuple[list[Runner], list[float], list[str]]:
    """Run all cases; return the runners, the seconds of the control, and who is not installed."""
    keys = [peer.key for peer in session.engines]
    fields = [[Runner(case, entry) for entry in case.entries if entry.engine in keys] for case in cases]
    pace: list[float] = []
    missing: dict[Peer, str] = {}
    total = sum(_WARM_UP + math.ceil(session.repeat / r.entry.every) for runners in fields for r in runners)
    with control.started("wall") as control_run, session.progress(total) as advance:
        for runners in fields:
            with ExitStack() as stack:
                for runner in runners:
                    try:
                        runner.start()
                    except NotInstalledError as error:
                        if runner.entry.peer is OURS:
                            raise WorkerError(f"{OURS.title} cannot be imported: {error}") from error
                        missing[runner.entry.peer] = str(error)
                    except WorkerError as error:
                        runner.outcome = str(error)
                    if runner.worker:
                        stack.callback(runner.worker.close)
                _play(session, runners, pace, control_run, advance)
    lines = [f"not installed: {peer.title} ({why}); get it with: {peer.install}" for peer, why in missing.items()]
    return [runner for runners in fields for runner in runners], pace, lines


def _play(
    session: Session,
    runners: Sequence[Runner],
    pace: list[float],
    control_run: Callable[[], float],
    advance: Callable[[str], None],
) -> None:
    """Get the first results, compare them, and let the engines take turns."""
    reference: Sequence[float] = ()
    for runner in runners:
        answer = runner.run()
        if answer:
            runner.first, runner.result, runner.about = answer["seconds"], answer["result"], answer["about"]
            reference = reference or runner.result
            if difference := disagreement(runner.result, reference):
                runner.outcome = f"its result is wrong, so it is not timed: {difference}"
        advance(f"first result: {_name(runner)}, {runner.first:.2f} s")
    for number in range(-1, session.repeat):
        for runner in runners:
            if number >= 0 and number % runner.entry.every:
                continue
            if runner.worker and not runner.outcome:
                pace.append(control_run())
            answer = runner.run()
            if answer and number >= 0:
                runner.turns[number] = answer
            figure = f"{answer['seconds'] * 1e6:.1f} us" if answer else "out"
            advance(f"round {number + 1} of {session.repeat}: {_name(runner)}, {figure}")


def _name(runner: Runner) -> str:
    return f"{runner.case.label}, {runner.entry.title}"


def tell(
    name: str,
    title: str,
    unit: str,
    outcome: tuple[list[Runner], list[float], list[str]],
    notes: Sequence[str] = (),
    scale: float = 1e6,
) -> Report:
    """Make the report of a workload; ``unit`` is what a call's time is divided into, as in "us per sample".

    ``scale`` is how many of the unit make a second.
    """
    runners, pace, missing = outcome
    rows: list[tuple[Cell, ...]] = []
    results, failed, parallel = [], [], []
    for runner in runners:
        who: dict[str, Any] = {"case": runner.case.label, "engine": runner.entry.engine, "form": runner.entry.form}
        if runner.outcome:
            failed.append(f"{_name(runner)}: {last_line(runner.outcome)}")
            results.append({**who, "outcome": runner.outcome})
        if runner.outcome or not runner.turns or not runner.worker:
            continue
        timing = runner.timing(_reference(runner, runners))
        per = runner.case.per
        compared = not math.isnan(timing.paired)
        rows.append(
            (
                runner.case.label,
                runner.entry.title,
                significant(timing.minimum / per * scale),
                significant(timing.median / per * scale),
                ratio(timing.of_minima) if compared else "...",
                ratio(timing.paired) if compared else "...",
                significant(runner.first),
            )
        )
        threads = median(turn["threads"] for turn in runner.turns.values())
        if threads > _PARALLEL:
            parallel.append(f"{_name(runner)}: used {threads:.1f} processors, and every engine is to use one")
        version = {"version": runner.worker.version, "first": runner.first, "about": runner.about}
        results.append({**who, **version, "per": per, "threads": threads, **_timing(timing), "turns": runner.turns})
    steady, noisy = control.judge(pace) if pace else ([], [])
    return Report(
        name=name,
        title=title,
        columns=("case", "engine", f"min {unit}", f"median {unit}", "x ours, min", "x ours, paired", "ready in s"),
        rows=rows,
        notes=[
            f"all results of a case agree to a relative {TOLERANCE:g}; NumPy arrays in, NumPy arrays out, one thread",
            *notes,
            *steady,
            *missing,
        ],
        problems=[*failed, *parallel, *noisy],
        data={"control": pace, "results": results},
    )


def _timing(timing: Timing) -> dict[str, float | None]:
    return {name: None if math.isnan(figure) else figure for name, figure in vars(timing).items()}


def _reference(runner: Runner, runners: Sequence[Runner]) -> Runner | None:
    """Return the first entry of ours in the same case."""
    return next((r for r in runners if r.case is runner.case and r.entry.peer is OURS and r.turns), None)
