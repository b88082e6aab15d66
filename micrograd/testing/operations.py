"""Tests of an operation for free: what a row of the table says is enough to test it.

Registering an operation (``micrograd.op(name, forward=, vjp=, domain=, kinks=, reference=)``) is all that is needed:
its value, its derivatives, its kinks, the borders of its domain, its compiled forms and its behaviour in random
programs are judged at points that the row implies. The same points come in every process.

>>> import micrograd as mg
>>> check_operation(mg.tanh, "partials").verdict
'right'
"""

from __future__ import annotations

import importlib
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from micrograd._console import clean
from micrograd._deps import require
from micrograd.errors import describe
from micrograd.ops import Op, operations
from micrograd.testing import properties
from micrograd.testing.check import gradcheck
from micrograd.testing.compiled_form import compiled_form
from micrograd.testing.domain_edges import domain_edges
from micrograd.testing.program import Program
from micrograd.testing.properties import Departure, Findings, places_of
from micrograd.testing.report import INCONCLUSIVE, RIGHT, WRONG, Report

__all__ = ["DOES_NOT_APPLY", "PROPERTIES", "Outcome", "check_operation"]

PROPERTIES: dict[str, str] = {
    "value": "the forward function gives what the reference gives, within the accuracy that the row states",
    "partials": "the rule gives the partial derivatives, for all operands at once and for each alone",
    "kinks": "at a kink the rule gives a slope between those on both sides, and the documented one",
    "domain edges": "at the borders of the domain, outside, at nan and inf: nothing raises, and no number is made up",
    "second order": "the derivative of the rule is the second derivative",
    "random graphs": "random programs that contain the operation have the right gradients",
    "compiled": "compiled code gives eager code's values and gradients, on every backend",
}
"""What can be checked of an operation: names and meanings."""

DOES_NOT_APPLY = "does not apply"


@dataclass(frozen=True)
class Outcome:
    """What was found out about one property of one operation.

    Attributes:
        operation: its name.
        property: one of ``PROPERTIES``.
        verdict: ``"right"``, ``"wrong"``, ``"inconclusive"`` where nothing could be judged, or ``"does not apply"``.
        checked: how many points or programs were judged.
        detail: for a person: what is wrong, where, and both numbers; why nothing could be judged; what is worth noting.
        report: the report of ``gradcheck`` on it, where there is one.
        program: the shortest program that shows it, where there is one; its ``repr`` is Python that runs.
    """

    operation: str
    property: str
    verdict: str
    checked: int
    detail: str
    report: Report | None = None
    program: Program | None = None

    def __str__(self) -> str:
        lines = [clean(f"{self.operation}, {self.property}: {self.verdict} ({self.checked} checked)")]
        lines += [f"  {clean(line)}" for line in self.detail.splitlines()]
        if self.program is not None:
            lines += ["  shortest program that shows it:", "    from micrograd.testing import Program, gradcheck"]
            lines += [f"    program = {clean(repr(self.program))}", f"    {self._run()}"]
        return "\n".join(lines)

    def _run(self) -> str:
        if self.report is None:
            return "print(program(*program.inputs))"
        return f"print(gradcheck(program, *program.inputs{'' if self.report.figures.order == 2 else ', order=1'}))"


def check_operation(op: Op, property: str, *, examples: int = 50, compile: Callable[..., Any] | None = None) -> Outcome:
    """Check one property of an operation at points that its row implies.

    Args:
        op: the operation, a row of the table as a rule.
        property: one of ``PROPERTIES``.
        examples: about how many points, or programs, to try.
        compile: ``micrograd.compile``, for the property ``"compiled"``.

    Raises ``ValueError`` for a property that does not exist or a number of examples below 1, ``TypeError`` for
    something that is not an operation, ``ImportError`` where ``"random graphs"`` needs Hypothesis.

    >>> import micrograd as mg
    >>> outcome = check_operation(mg.relu, "kinks")
    >>> outcome.verdict, outcome.checked > 0
    ('right', True)
    """
    if not isinstance(op, Op):
        raise TypeError(f"expected an operation such as micrograd.tanh, not {describe(op)}")
    if property not in PROPERTIES:
        raise ValueError(f"unknown property {property!r} (one of: {', '.join(PROPERTIES)})")
    if type(examples) is not int:
        raise TypeError(f"examples is a whole number, not {describe(examples)}")
    if examples < 1:
        raise ValueError(f"examples is at least 1, not {examples}")
    rng = random.Random(f"{op.name}: {property}")
    found = Findings()
    try:
        _examine(found, op, property, rng, examples, compile)
    except Departure as departure:
        return _wrong(op, property, found.checked, departure)
    if found.skipped:
        return Outcome(op.name, property, DOES_NOT_APPLY, 0, found.skipped)
    if not found.checked:
        reasons = "; ".join(list(dict.fromkeys(found.doubts))[:3]) or "nothing was found to try"
        return Outcome(op.name, property, INCONCLUSIVE, 0, reasons)
    return Outcome(op.name, property, RIGHT, found.checked, "\n".join(found.notes[:4]))


def _examine(
    found: Findings,
    op: Op,
    property: str,
    rng: random.Random,
    examples: int,
    compile: Callable[..., Any] | None,
) -> None:
    if property in _OF_ONE:
        _OF_ONE[property](found, op, rng, examples)
    elif property == "compiled":
        if compile is None:
            found.skipped = "no compiler was passed in; pass compile=micrograd.compile"
        else:
            compiled_form(found, op, rng, examples, compile)
    elif operations().get(op.name) is not op:
        found.skipped = f"the table has no such row: programs name {op.name}, and would run another"
    else:
        require("hypothesis", extra="test", purpose="drawing random programs")
        importlib.import_module("micrograd.testing.random_graphs").random_graphs(found, op, examples)


_OF_ONE: dict[str, Callable[[Findings, Op, random.Random, int], None]] = {
    "value": properties.value,
    "partials": properties.partials,
    "kinks": properties.kinks,
    "domain edges": domain_edges,
    "second order": properties.second_order,
}


# --- what is wrong ----------------------------------------------------------------------------------------------


def _wrong(op: Op, property: str, checked: int, departure: Departure) -> Outcome:
    """Return the outcome for a departure, with the program that shows it, and what ``gradcheck`` says about that."""
    program, report = departure.program, departure.report
    if program is None and departure.point and operations().get(op.name) is op:
        places = places_of(op, departure.point)
        rest = departure.point[len(places) :]
        program = Program(departure.point[: len(places)], ((op.name, *places, *rest),))
    if report is None and departure.point:
        report = _report(op, departure)
    detail = departure.what
    if departure.program is None and departure.point:
        detail = f"{op.name}({', '.join(map(repr, departure.point))}): {detail}"
    if departure.got is not None:
        detail += f"\ngot {departure.got!r}, expected {departure.expected!r}"
        detail += f", at most {departure.bound:.3g} apart" if departure.bound else ""
        if isinstance(departure.expected, float) and math.isfinite(departure.got - departure.expected):
            detail += f"; they are {abs(departure.got - departure.expected):.3g} apart"
    return Outcome(op.name, property, WRONG, checked, detail, report, program)


def _report(op: Op, departure: Departure) -> Report | None:
    point = departure.point
    if not all(map(math.isfinite, point)):
        return None
    places = places_of(op, point)
    rest = point[len(places) :]

    def operation(*operands: Any) -> Any:
        return op.apply((*operands, *rest))

    operation.__name__ = operation.__qualname__ = op.name
    try:
        report = gradcheck(operation, *[point[i] for i in places], order=2 if departure.order == 2 else 1)
    except Exception:  # a user's function may be any Python and fail in any way; then there is no report
        return None
    return report if report.verdict == WRONG else None
