"""What is checked of an operation in company: random programs that contain it, each judged by ``gradcheck``.

Hypothesis draws the programs, always the same, and makes one that fails as short as it can.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.reporting import with_reporter

from micrograd.ops import Op
from micrograd.ops.table import is_builtin
from micrograd.testing.check import gradcheck
from micrograd.testing.findings import NUMBERS_ONLY
from micrograd.testing.points import moderate
from micrograd.testing.program import Program
from micrograd.testing.properties import REFUSALS, Departure, Findings, forward
from micrograd.testing.report import INCONCLUSIVE, WRONG, Report
from micrograd.testing.strategies import programs

__all__ = ["random_graphs"]

_COMPANY = ("add", "mul", "sub", "neg", "tanh")
_OFTEN = 4  # as often as this the operation itself is chosen


class _WrongError(Exception):
    """A program whose gradient is wrong."""


def random_graphs(found: Findings, op: Op, examples: int) -> None:
    """Check the gradients of random programs that contain ``op``, a row of the table."""
    wrong: list[Report] = []
    if not _can_be_drawn(op):
        found.doubts.append(f"the forward function of {op.name} has no number at moderate points")
        return

    @settings(
        max_examples=-(-examples // 3),  # a program is several points
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(
        programs(max_inputs=3, max_instructions=5, operations=[*[_cautious(op)] * _OFTEN, *_COMPANY]).filter(
            lambda program: any(name == op.name for name, *_ in program.instructions)
        )
    )
    def holds(program: Program) -> None:
        report = _report(op, program)
        if report is None:
            found.doubts.append(f"a function of {op.name} refuses a number")
        elif report.verdict == WRONG:
            wrong.append(replace(report, program=program))
            raise _WrongError
        elif report.verdict == INCONCLUSIVE:
            found.doubts.append(report.reason)
        else:
            found.checked += 1

    try:
        with with_reporter(_nowhere):
            holds()
    except _WrongError:
        raise _departure(wrong[-1]) from None  # the last that Hypothesis ran is the simplest
    except Unsatisfiable:
        found.doubts.append(f"no program was found in which {op.name} has a derivative")


def _can_be_drawn(op: Op) -> bool:
    """Tell whether it is worth while to look for programs: Hypothesis looks long before it gives up."""
    rng = random.Random(op.name)
    values = [forward(op, moderate(rng, op)) for _ in range(40)]
    return any(x is not None and math.isfinite(x) for x in values)


def _nowhere(text: object) -> None:
    """Swallow Hypothesis's own report of what failed."""


def _cautious(op: Op) -> Op:
    """Return a row for drawing, which gives nan where a user's function refuses a number: no program goes there."""
    if is_builtin(op):
        return op

    def value(*operands: float) -> float:
        try:
            return op.forward(*operands)
        except REFUSALS:
            return math.nan

    def kinks(*operands: float) -> Sequence[float]:
        try:
            return list(op.kinks(*operands)) if op.kinks is not None else []
        except REFUSALS:
            return [0.0]

    return replace(op, forward=value, kinks=None if op.kinks is None else kinks)


def _report(op: Op, program: Program) -> Report | None:
    """Return the verdict on a program; ``None`` where a user's function refuses a number."""
    try:
        report = gradcheck(program, *program.inputs)
        if report.verdict == INCONCLUSIVE and NUMBERS_ONLY in report.reason:
            report = gradcheck(program, *program.inputs, order=1)
    except Exception as error:
        if isinstance(error, REFUSALS) and not is_builtin(op):
            return None
        departure = Departure(f"a random program raised {type(error).__name__}: {error}", program.inputs)
        departure.program = program
        raise departure from error
    return report


def _departure(report: Report) -> Departure:
    culprit = report.culprit
    if culprit is None:
        departure = Departure(report.reason, report.inputs)
    else:
        what = f"in a random program, at {culprit.edge}: {culprit.what}"
        departure = Departure(what, report.inputs, culprit.engine, culprit.expected, culprit.bound, culprit.order)
    departure.report, departure.program = report, report.program
    return departure
