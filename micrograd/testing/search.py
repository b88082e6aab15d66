"""``search``: looks for an input at which a gradient is wrong, and for the simplest one there is.

Hypothesis draws the inputs and shrinks the one that fails. What has failed is never lost: every failing input is handed
to ``keep`` the moment it is known, and Hypothesis writes it to its own database of examples, which the next search
begins with.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase

from micrograd.ops.domain import Domain
from micrograd.testing.check import gradcheck
from micrograd.testing.input_strategies import MARGIN, inputs
from micrograd.testing.report import INCONCLUSIVE, NOT_DIFFERENTIABLE, RIGHT, WRONG, Report

__all__ = ["SEARCHING", "SHRINKING", "SHRINK_CALLS", "Finding", "counts_text", "search"]

SEARCHING, SHRINKING = "searching", "shrinking"
SHRINK_CALLS = 500
"""Inputs that are tried, at most, to make a failing one simpler."""

_SHRINK_SECONDS = 60.0
_REACH = 1000.0


@dataclass(frozen=True)
class Finding:
    """What a search found out.

    Attributes:
        verdict: ``"wrong"`` where an input was found at which the gradient is; else ``"right"`` where it was right at
            one input at least; else ``"not differentiable here"`` where all that could be judged are kinks; else
            ``"inconclusive"``.
        tried: how many inputs got which verdict, until the first that failed.
        shrinking: how many inputs were tried then to find a simpler one.
        report: about the simplest input found at which the gradient is wrong; else about the first that was
            inconclusive, or ``None``.
        error: what the function raised, instead of a verdict; or ``None``; and
        inputs: the simplest inputs found at which it does.
    """

    verdict: str
    tried: dict[str, int]
    shrinking: int = 0
    report: Report | None = None
    error: BaseException | None = None
    inputs: tuple[float, ...] = ()


def search(
    f: Callable[..., Any],
    domains: Sequence[str | Domain],
    *,
    examples: int = 200,
    order: int = 2,
    seed: int = 0,
    edges: bool = False,
    folder: str | os.PathLike[str] | None = None,
    keep: Callable[[Report], object] | None = None,
    advance: Callable[[str, str], object] | None = None,
) -> Finding:
    """Check the gradient of ``f`` at many inputs, and return the simplest at which it is wrong.

    Args:
        f: a function of as many numbers as there are domains, as for ``gradcheck``.
        domains: where each argument lies, ``"(0, inf)"`` for instance.
        examples: how many inputs to try.
        order: 2 to check second derivatives too, 1 for the gradient alone.
        seed: the same one tries the same inputs.
        edges: try the numbers at which functions fail, too: 0.0, -0.0, 1e300, the borders, equal arguments.
        folder: where Hypothesis keeps failing examples, which are tried first the next time; nowhere if ``None``.
        keep: called with the report of every failing input as soon as it is known, the simplest one last.
        advance: called after each input with what is going on, ``"searching"`` or ``"shrinking"``, and figures.

    Raises ``ValueError`` and ``TypeError`` for domains that are none. What ``f`` raises ends up in the finding.

    >>> import micrograd as mg
    >>> finding = search(lambda x, y: mg.log(x) * y, ["(0, inf)", "[-1, 1]"], examples=20)
    >>> finding.verdict
    'right'
    >>> search(lambda x: x.data * x, ["[1, 8]"], examples=20).report.inputs
    (2.0,)
    """
    drawn = inputs(len(domains), list(domains)) | st.tuples(*map(_far_numbers, domains))
    if edges:
        drawn |= inputs(len(domains), list(domains), edges=True)
    hunt = _Hunt(f, order, keep, advance)

    # Settings above the seed: a seed puts settings without a database in place of those that it finds.
    @hypothesis.settings(
        max_examples=examples,
        database=None if folder is None else DirectoryBasedExampleDatabase(Path(folder)),
        deadline=None,
        derandomize=False,
        phases=[Phase.reuse, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        verbosity=Verbosity.quiet,
        print_blob=False,
    )
    @hypothesis.seed(seed)
    @hypothesis.given(drawn)
    def judge(numbers: tuple[float, ...]) -> None:
        hunt.judge(numbers)

    with suppress(_FoundError):
        judge()
    return hunt.finding()


def counts_text(tried: dict[str, int]) -> str:
    """Return counts per verdict in words, without those that are 0.

    >>> counts_text({"right": 12, "not differentiable here": 3})
    '12 right, 3 at kinks'
    """
    words = {RIGHT: "right", NOT_DIFFERENTIABLE: "at kinks", INCONCLUSIVE: "inconclusive", WRONG: "wrong"}
    return ", ".join(f"{tried[verdict]} {word}" for verdict, word in words.items() if tried.get(verdict))


def _far_numbers(domain: str | Domain) -> st.SearchStrategy[float]:
    """Return a strategy for all of a bounded domain, and for a good part of one that is not.

    What ``inputs`` draws stays near 0, where nothing overflows; but a function may be wrong from 10 on.
    """
    where = Domain.parse(domain) if isinstance(domain, str) else domain
    pieces = []
    for interval in where.intervals:
        nearest = min(max(0.0, interval.low), interval.high)
        reach = min(_REACH * max(1.0, abs(nearest)), sys.float_info.max / 4)
        low, high = max(interval.low, nearest - reach), min(interval.high, nearest + reach)
        sides = [(a, b) for a, b in ((max(low, MARGIN), high), (low, min(high, -MARGIN))) if a < b]
        pieces += [st.floats(a, b) for a, b in sides or [(low, high)]]
    return st.one_of(pieces).filter(where.contains)


class _FoundError(Exception):
    """Tells Hypothesis that an input is what is looked for."""


class _WrongGradientError(_FoundError):
    pass


class _FunctionError(_FoundError):
    pass


@dataclass
class _Hunt:
    """One search, as it goes on."""

    f: Callable[..., Any]
    order: int
    keep: Callable[[Report], object] | None
    advance: Callable[[str, str], object] | None
    tried: Counter[str] = field(default_factory=Counter)
    doubt: Report | None = None
    failing: dict[str, Report | BaseException] = field(default_factory=dict)
    found: Report | BaseException | None = None
    at: tuple[float, ...] = ()
    shrinking: int = 0
    deadline: float = 0.0

    def judge(self, numbers: tuple[float, ...]) -> None:
        """Raise where the gradient is wrong at ``numbers``, or the function raises."""
        key = repr(numbers)
        # A failing input fails again whatever the function does: Hypothesis runs the last one twice, and would
        # complain about anything else.
        outcome = self.failing.get(key)
        if outcome is None:
            if self.found is not None and (self.shrinking >= SHRINK_CALLS or time.monotonic() > self.deadline):
                return
            outcome = self._outcome(numbers)
            self._count(outcome)
        if isinstance(outcome, Report):
            if outcome.verdict != WRONG:
                return
            self.failing[key] = self.found = outcome
            self.at = numbers
            if self.keep is not None:
                self.keep(outcome)
            self._tell(numbers)
            raise _WrongGradientError
        if isinstance(self.found, Report) and key not in self.failing:
            return  # a wrong gradient is more than a function that raises somewhere
        if not isinstance(self.found, Report):
            self.found, self.at = outcome, numbers
        self.failing[key] = outcome
        self._tell(self.at)
        raise _FunctionError

    def _outcome(self, numbers: tuple[float, ...]) -> Report | BaseException:
        try:
            return gradcheck(self.f, *numbers, order=self.order)
        except (Exception, SystemExit) as error:
            return error

    def _count(self, outcome: Report | BaseException) -> None:
        if self.found is not None:
            self.shrinking += 1
        else:
            self.deadline = time.monotonic() + _SHRINK_SECONDS
            if isinstance(outcome, Report):
                self.tried[outcome.verdict] += 1
                if outcome.verdict == INCONCLUSIVE and self.doubt is None:
                    self.doubt = outcome
        if isinstance(outcome, Report) and outcome.verdict != WRONG:
            self._tell(self.at)

    def _tell(self, simplest: tuple[float, ...]) -> None:
        if self.advance is None:
            return
        if self.found is None:
            self.advance(SEARCHING, counts_text(self.tried))
        else:
            self.advance(SHRINKING, f"the simplest so far: ({', '.join(map(repr, simplest[:4]))})")

    def finding(self) -> Finding:
        tried = dict(self.tried)
        if isinstance(self.found, Report):
            return Finding(WRONG, tried, self.shrinking, self.found, inputs=self.at)
        judged = [verdict for verdict in (RIGHT, NOT_DIFFERENTIABLE) if tried.get(verdict)]
        return Finding(
            verdict=INCONCLUSIVE if self.found is not None or not judged else judged[0],
            tried=tried,
            shrinking=self.shrinking,
            report=self.doubt,
            error=self.found,
            inputs=self.at,
        )
