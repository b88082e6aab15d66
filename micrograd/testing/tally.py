"""``check_programs``: many random programs, each judged by ``gradcheck``, and the count of the verdicts.

Every operation of the table takes part, users' operations too, so one run asks two questions at once: does any gradient
come out wrong, and does the checker ever accuse one that is right?
"""

from __future__ import annotations

import multiprocessing
import random
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity

from micrograd.ops import operations
from micrograd.ops.table import is_builtin
from micrograd.testing.check import gradcheck
from micrograd.testing.program import Program
from micrograd.testing.report import WRONG, Report
from micrograd.testing.search import counts_text
from micrograd.testing.strategies import programs

__all__ = ["FAILED", "KINDS", "Case", "Tally", "check_programs"]

KINDS = {"ordinary": {}, "at the edges": {"edges": True}, "near kinks": {"near_kinks": True}}
"""What the programs are like, and how the strategy is asked for them."""

FAILED = "failed"
"""Counts, among the verdicts, the programs that the check itself raised on."""

_CHUNK = 250  # programs of one run of Hypothesis
_WORTH = 200  # programs for each process; to start one takes as long as to judge a hundred
_OFTEN = 9  # times more often
_WAITING = 3  # chunks in the queue for every process: all are busy, and few are drawn in vain


@dataclass(frozen=True)
class Case:
    """A program whose gradient was judged wrong, or that the check itself failed on.

    Attributes:
        kind: one of ``KINDS``.
        program: as it was drawn; ``report.program`` is the shortest that shows it.
        report: what was found out; ``None`` where the check failed.
        error: how it failed, in words, or empty.
    """

    kind: str
    program: Program
    report: Report | None
    error: str = ""


@dataclass
class Tally:
    """The verdicts on many programs.

    Attributes:
        counts: how many programs of each kind got which verdict, or ``FAILED``.
        partials: how many partial derivatives were held to an oracle.
        worst: the largest error among those that are right, as a part of what was allowed.
        cases: the programs that are wrong or failed.
    """

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    partials: int = 0
    worst: float = 0.0
    cases: list[Case] = field(default_factory=list)

    @property
    def total(self) -> Counter[str]:
        """The counts of all kinds together."""
        return sum(self.counts.values(), Counter())

    def add(self, other: Tally) -> None:
        """Add what another tally counted."""
        for kind, counts in other.counts.items():
            self.counts.setdefault(kind, Counter()).update(counts)
        self.partials += other.partials
        self.worst = max(self.worst, other.worst)
        self.cases += other.cases


def check_programs(
    count: int,
    *,
    seed: int = 0,
    edges: bool = False,
    order: int = 2,
    jobs: int = 1,
    modules: Sequence[str] = (),
    keep: Callable[[Case], object] | None = None,
    advance: Callable[[str], object] | None = None,
) -> Tally:
    """Judge so many random programs over the whole table of operations, and count the verdicts.

    Operations that users registered come more often than the others.

    Args:
        count: how many.
        seed: the same one, with as many jobs, draws the same programs.
        edges: make a third of them with numbers at which functions fail, and a third that goes to kinks.
        order: 2 to check second derivatives too, 1 for the gradient alone.
        jobs: how many processes work.
        modules: those that register operations of yours, for the processes to import.
        keep: called with every case as soon as it is known here.
        advance: called after each program with the counts so far.

    Raises ``ValueError`` for a count or a number of jobs below 1, ``LookupError`` where another process does not know
    an operation, because ``modules`` lacks the one that registers it.

    >>> tally = check_programs(20)
    >>> tally.total["wrong"], tally.total.total()
    (0, 20)
    """
    if count < 1 or jobs < 1:
        raise ValueError(f"count and jobs are at least 1, not {count!r} and {jobs!r}")
    tally = Tally({kind: Counter() for kind in _kinds(edges)})
    told: Counter[str] = Counter()

    def received(part: Tally) -> None:
        for case in part.cases:
            if keep is not None:
                keep(case)
        tally.add(part)
        for verdict in part.total.elements():
            told[verdict] += 1
            if advance is not None:
                advance(counts_text(told))

    chunks = list(_chunks(count, seed, edges, order))
    jobs = min(jobs, len(chunks), count // _WORTH)
    if jobs <= 1:
        for chunk in chunks:
            _run(chunk, received)
    else:
        _run_in_processes(chunks, jobs, modules, received)
    return tally


@dataclass(frozen=True)
class _Chunk:
    kind: str
    size: int
    seed: int
    order: int
    operations: tuple[str, ...]


def _chunks(count: int, seed: int, edges: bool, order: int) -> Iterator[_Chunk]:
    kinds = _kinds(edges)
    size = min(_CHUNK, -(-count // len(kinds)))
    numbers = random.Random(seed)
    own = [name for name, op in operations().items() if not is_builtin(op)]
    names = (*operations(), *own * _OFTEN)
    drawn = place = 0
    while drawn < count:
        size = min(size, count - drawn)
        yield _Chunk(kinds[place % len(kinds)], size, numbers.getrandbits(64), order, names)
        drawn, place = drawn + size, place + 1


def _kinds(edges: bool) -> list[str]:
    return list(KINDS)[: len(KINDS) if edges else 1]


def _run(chunk: _Chunk, received: Callable[[Tally], object]) -> None:
    """Draw and judge the programs of one chunk, and hand on the verdict on each."""

    @hypothesis.seed(chunk.seed)
    @hypothesis.settings(
        max_examples=chunk.size,
        database=None,
        deadline=None,
        derandomize=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    @hypothesis.given(programs(operations=chunk.operations, **KINDS[chunk.kind]))
    def judge(program: Program) -> None:
        received(_judged(chunk, program))

    judge()


def _judged(chunk: _Chunk, program: Program) -> Tally:
    try:
        report = gradcheck(program, *program.inputs, order=chunk.order)
    except Exception as error:
        case = Case(chunk.kind, program, None, f"{type(error).__name__}: {error}")
        return Tally({chunk.kind: Counter({FAILED: 1})}, cases=[case])
    wrong = report.verdict == WRONG
    return Tally(
        counts={chunk.kind: Counter({report.verdict: 1})},
        partials=report.figures.partials,
        worst=0.0 if wrong else report.figures.worst,
        cases=[Case(chunk.kind, program, report)] if wrong else [],
    )


# --- several processes ------------------------------------------------------------------------------------------


def _run_in_processes(
    chunks: Sequence[_Chunk], jobs: int, modules: Sequence[str], received: Callable[[Tally], object]
) -> None:
    # A new interpreter each: a copy of this one could inherit locks that a thread of it holds.
    context = multiprocessing.get_context("spawn")
    todo = list(reversed(chunks))
    with ProcessPoolExecutor(jobs, context, initializer=_begin, initargs=(tuple(modules),)) as pool:
        running: set[Future[Tally]] = set()
        try:
            while todo or running:
                while todo and len(running) < _WAITING * jobs:
                    running.add(pool.submit(_chunk_in_process, todo.pop()))
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    received(future.result())
        except KeyboardInterrupt:
            for future in running:
                future.cancel()
            for future in running:
                if not future.cancelled():
                    received(future.result())
            raise


def _begin(modules: Sequence[str]) -> None:
    """Prepare a process: Ctrl-C is meant for the one that waits for it, and standard output is that one's too."""
    sys.stdout = sys.stderr
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module in modules:
        import_module(module)


def _chunk_in_process(chunk: _Chunk) -> Tally:
    tally = Tally()
    with _interruptible():
        _run(chunk, tally.add)
    return tally


@contextmanager
def _interruptible() -> Iterator[None]:
    """End the block at Ctrl-C, with what it has by then."""
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
