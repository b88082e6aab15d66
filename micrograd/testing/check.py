"""``gradcheck``: is this gradient right? A verdict that can be believed, because two things are kept apart.

First every rule, at every point where the function uses it, is held to the best oracle that there is: mpmath, the
complex step, or extrapolated differences. An oracle that looks at one operation at a time is exact to the last digits,
whatever the function does as a whole. Then the backward pass, which puts the rules together, is held to tangents that
go the other way, within the rounding that both are allowed: ``4(n+1) * eps * A``.

So there is no step size to choose and no tolerance, and a kink is known for what it is. Where only differences can
tell, they say how far they may be trusted, and accuse by a clear margin or not at all.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from micrograd import _modes
from micrograd._structure import Structure
from micrograd.engine import Value
from micrograd.errors import GradientError, describe
from micrograd.testing.findings import Fault, Rule
from micrograd.testing.influences import Bend, Missing, missing_influence
from micrograd.testing.laws import check_laws
from micrograd.testing.oracles import ORACLES, refuse_unknown
from micrograd.testing.passes import PassFault, Survey, check_pass, survey
from micrograd.testing.program import Program, program_of
from micrograd.testing.recording import Call, difference_between, function_name, nodes_of, numbers_of, record
from micrograd.testing.report import INCONCLUSIVE, NOT_DIFFERENTIABLE, RIGHT, WRONG, Culprit, Figures, Report
from micrograd.testing.second_passes import check_second_pass
from micrograd.testing.shrink import shortest

__all__ = ["assert_gradients", "gradcheck"]

# Backward passes of a check go through the gradients of captured Values, which two threads may share.
_one_at_a_time = threading.RLock()


def gradcheck(f: Callable[..., Any], *inputs: Any, order: int = 2, oracle: str = "best") -> Report:
    """Check the gradient of ``f`` at a point, and tell what is wrong with it, where, and how one knows.

    Args:
        f: a function of as many arguments as there are inputs. It is given Values, in the structure of the inputs, and
            returns one Value or a nested structure of them. Values that it captures are constants.
        inputs: floats, and nested lists, tuples, dicts and NumPy arrays of them.
        order: 2 to check second derivatives too, 1 for the gradient alone.
        oracle: the only oracle to ask, ``"mpmath"``, ``"complex step"`` or ``"differences"``; by default the best one
            for every operation.

    Returns a ``Report``; ``report.verdict`` is one of

    - ``"right"``: every rule agrees with its oracle, and the backward pass with forward mode. (Of a node with more than
      twelve operands, twelve are judged one by one, and all of them together along a few directions.)
    - ``"wrong"``: ``report.culprit`` is the first edge that does not, from the result on, and ``report.program`` the
      shortest program that shows it;
    - ``"not differentiable here"``: at a kink, or on the border of a domain. What the engine gives is the documented
      convention, and lies between the slopes on both sides where there are both;
    - ``"inconclusive"``: nothing can be told, and ``report.reason`` says why: a number on the way is nan or infinite,
      an operand is outside of its domain, the function is constant, or not the same at every call, or changes its
      arguments.

    Raises ``TypeError`` where ``f`` returns something else or an input is not made of numbers, ``ValueError`` for an
    order or oracle that does not exist, and whatever ``f`` raises.

    Gradients that the function's captured Values hold are left as they are.

    >>> import micrograd as mg
    >>> print(gradcheck(lambda x, y: mg.sin(x * y) + x, 1.5, 2.0).verdict)
    right
    >>> print(gradcheck(mg.relu, 0.0).verdict)
    not differentiable here
    """
    if order not in (1, 2) or isinstance(order, bool):
        raise ValueError(f"order is 1 or 2, not {describe(order)}")
    refuse_unknown(oracle)
    if not callable(f):
        raise TypeError(f"expected a function to check, not {describe(f)}")
    with _one_at_a_time, _modes.recording():
        report, root, call = _judged(f, inputs, order, oracle)
        if root is None or call is None:
            return report
        return replace(report, program=_shortest_program(root, call, report.culprit, order, oracle))


def assert_gradients(
    f: Callable[..., Any], *inputs: Any, order: int = 2, oracle: str = "best", allow_inconclusive: bool = False
) -> Report:
    """Raise ``GradientError`` with a full report where a gradient of ``f`` is wrong, or cannot be told.

    At a kink it does not raise, as long as the engine gives what is documented there, or a slope between both sides.

    Args:
        f: the function.
        inputs: the point.
        order: 1 or 2.
        oracle: the only oracle to ask; the best one by default.
        allow_inconclusive: return where nothing can be told, for random inputs that may overflow.

    Returns the report. Raises ``GradientError``, an ``AssertionError``, and what ``gradcheck`` raises.

    >>> import micrograd as mg
    >>> assert_gradients(lambda x: mg.log(x) * x, 2.0).verdict
    'right'
    """
    __tracebackhide__ = True  # pytest shows the line that called, and the report
    report = gradcheck(f, *inputs, order=order, oracle=oracle)
    if report.verdict == WRONG or (report.verdict == INCONCLUSIVE and not allow_inconclusive):
        raise GradientError(str(report), report)
    return report


# --- the judgement ----------------------------------------------------------------------------------------------


def _judged(
    f: Callable[..., Any], inputs: Sequence[Any], order: int, oracle: str
) -> tuple[Report, Value | None, Call | None]:
    """Return the report, without the shortest program; and the result whose gradient is wrong, with its call."""
    numbers, structure = numbers_of(tuple(inputs))
    if not numbers:
        raise TypeError(f"{function_name(f)} was given no numbers to differentiate by; pass the inputs after it")
    blank = Report(INCONCLUSIVE, "", "", function_name(f), tuple(numbers), Figures(len(numbers), order=order))
    for k, x in enumerate(numbers):
        if not math.isfinite(x):
            return replace(blank, reason=f"input {k} is {x!r}; a derivative needs finite inputs"), None, None
    call = record(f, structure, numbers)
    complaint = call.complaint or difference_between(call, record(f, structure, numbers))
    if complaint:
        return replace(blank, reason=f"the function cannot be checked: {complaint}"), None, None
    with _gradients_kept(call):
        return *_examined(f, structure, call, blank, oracle), call


@contextmanager
def _gradients_kept(call: Call) -> Iterator[None]:
    """Leave the gradients of captured Values as they are: a check runs backward passes of its own."""
    kept = [(node, node.grad) for node in nodes_of(call)]
    try:
        yield
    finally:
        for node, grad in kept:
            node.grad = grad


def _examined(
    f: Callable[..., Any], structure: Structure, call: Call, blank: Report, oracle: str
) -> tuple[Report, Value | None]:
    order = blank.figures.order
    known: dict[object, Rule] = {}
    surveys: dict[Value, Survey] = {}
    doubts: list[str] = []
    kinks: list[str] = []
    for root in call.outputs:
        if not isinstance(root, Value):
            continue
        for stage in range(1, order + 1):
            found = survey(root, call.inputs, order=stage, last=order, oracle=oracle, known=known)
            surveys[root] = found
            if found.culprit is not None:
                report = replace(blank, figures=_figures(blank, surveys, known))
                fault = found.rules[found.culprit].fault
                assert fault is not None
                return _wrong(report, found.culprit, fault), root
            result = _passed(found, stage)
            if isinstance(result, PassFault):
                report = replace(blank, figures=_figures(blank, surveys, known))
                return _wrong(report, result.consumer, result.fault), root
            kinks += [f"{reason}: {node.call_text()}" for node, reason in found.kinks]
            doubts += [reason if node.op == "" else f"{reason}: {node.call_text()}" for node, reason in found.doubts]
            doubts += [f"{result}; choose smaller inputs"] if result else []
            if kinks or doubts:
                break
    report = replace(
        blank,
        figures=_figures(blank, surveys, known),
        oracle=max((r.oracle for r in known.values()), key=_weakness, default=""),
    )
    missing = missing_influence(f, structure, report.inputs, call, order)
    if isinstance(missing, Missing):
        return _wrong(report, missing.node, missing.fault), None
    if isinstance(missing, Bend):
        kinks.append(missing.why)
    elif missing is not None:
        doubts.append(missing)
    elif not any(found.connected for found in surveys.values()):
        doubts.append("the result does not depend on the inputs, so there is no gradient to check")
    if doubts:
        return replace(report, reason=doubts[0]), None
    if kinks:
        return replace(report, verdict=NOT_DIFFERENTIABLE, reason=kinks[0]), None
    return replace(report, verdict=RIGHT), None


def _passed(found: Survey, stage: int) -> PassFault | str:
    """Hold the backward pass to forward mode, where all numbers on the way are finite."""
    if not found.complete or not all(math.isfinite(p) for rule in found.rules.values() for p in rule.partials):
        return ""
    if stage == 1:
        return check_pass(found) or check_laws(found)
    return "" if found.kinks or found.doubts else check_second_pass(found)


def _weakness(oracle: str) -> int:
    return list(ORACLES).index(oracle) if oracle else -1


def _figures(blank: Report, surveys: dict[Value, Survey], known: dict[object, Rule]) -> Figures:
    return replace(
        blank.figures,
        outputs=len(surveys),
        operations=len({node for found in surveys.values() for node in found.rules}),
        rules=len(known),
        partials=sum(rule.judged for rule in known.values()),
        worst=max((rule.error for rule in known.values()), default=0.0),
    )


def _wrong(report: Report, node: Value, fault: Fault) -> Report:
    culprit = Culprit(
        node=node,
        operand=fault.place,
        call=node.call_text(),
        what=fault.what,
        order=fault.order,
        engine=fault.engine,
        expected=fault.expected,
        bound=fault.bound,
        oracles=fault.oracles,
    )
    return replace(
        report, verdict=WRONG, oracle=fault.oracles[0] if fault.oracles else "", reason=fault.what, culprit=culprit
    )


# --- the shortest program -----------------------------------------------------------------------------------------


def _shortest_program(root: Value, call: Call, culprit: Culprit | None, order: int, oracle: str) -> Program | None:
    """Return the culprit alone, if that shows it, or else what is left of the whole after shrinking."""

    def is_wrong(program: Program) -> bool:
        return _judged(program, program.inputs, order, oracle)[0].verdict == WRONG

    if culprit is not None and culprit.node.parents:
        alone = program_of(culprit.node, list(dict.fromkeys(culprit.node.parents)))
        if is_wrong(alone):
            return alone
    program = program_of(root, call.inputs)
    return shortest(program, is_wrong) if is_wrong(program) else None
