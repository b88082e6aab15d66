"""What is checked of a single operation: each function here judges one property, at many points.

A function fills in ``Findings``, and raises ``Departure`` at the first point at which the operation is not what its row
says. Functions of users may refuse a number that they are not defined for, with the exceptions that Python's ``math``
has for that; such a point is not judged. The library's own rows never raise.
"""

from __future__ import annotations

import importlib
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from micrograd.engine import Value
from micrograd.errors import describe
from micrograd.ops import Op
from micrograd.ops.selection import PREDICATES
from micrograd.ops.table import is_builtin
from micrograd.testing.findings import BENDS, LENIENT, NUMBERS_ONLY, is_trusted
from micrograd.testing.oracles import has_mpmath, moved
from micrograd.testing.points import (
    LARGEST,
    Point,
    admitted,
    anywhere,
    at_kinks,
    beside_kinks,
    borders,
    domains,
    inside,
    moderate,
    special,
)
from micrograd.testing.rules import Fault, Rule, check_rule

__all__ = ["Departure", "Findings", "eager", "forward", "kinks", "partials", "second_order", "value"]

REFUSALS = (ArithmeticError, ValueError)
"""What a user's function may raise for numbers that it is not defined for."""

_SIMPLE = (0.0, 1.0, -1.0, 2.0, 0.5)
_NOT_FINITE = (math.inf, -math.inf, math.nan)


@dataclass
class Findings:
    """What was found out before anything was wrong.

    Attributes:
        checked: how many points, or programs, were judged.
        doubts: why others were not.
        notes: what is worth saying all the same.
        skipped: why the property does not apply to the operation, or empty.
    """

    checked: int = 0
    doubts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    skipped: str = ""

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


class Departure(Exception):  # noqa: N818 - it is what was looked for, not an error
    """The operation is not what its row says: where, and by how much."""

    def __init__(
        self, what: str, point: Point = (), got: Any = None, expected: Any = None, bound: float = 0.0, order: int = 1
    ) -> None:
        super().__init__(what)
        self.what, self.point, self.got, self.expected, self.bound, self.order = (
            what,
            point,
            got,
            expected,
            bound,
            order,
        )
        self.report: Any = None
        self.program: Any = None


# --- calls ------------------------------------------------------------------------------------------------------


def forward(op: Op, point: Point) -> float | None:
    """Return the value at a point; ``None`` where a user's function refuses it."""
    try:
        out = op.forward(*point)
    except Exception as error:
        if isinstance(error, REFUSALS) and not is_builtin(op):
            return None
        raise Departure(f"the forward function raised {_named(error)}", point, order=0) from error
    if not isinstance(out, float):
        raise Departure(f"the forward function returned {describe(out)}, not a float", point, order=0)
    return out


def eager(op: Op, point: Point, places: Sequence[int]) -> tuple[float, list[float]] | None:
    """Return value and gradient by the backward pass, other operands being numbers; ``None`` where they are refused."""
    mixed: list[Any] = list(point)
    for i in places:
        mixed[i] = Value(point[i])
    try:
        out = op.apply(tuple(mixed))
        out.backward()
    except Exception as error:
        if isinstance(error, REFUSALS) and not is_builtin(op):
            return None
        raise Departure(f"a backward pass raised {_named(error)}", point) from error
    return out.data, [mixed[i].grad for i in places]


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")


def places_of(op: Op, point: Point) -> list[int]:
    """Return the operands to differentiate by: all, but for the index of ``take``."""
    return list(range(len(point) - (op.name == "take")))


def same(a: float, b: float) -> bool:
    """Tell whether two floats are equal to the last bit; nan equals nan."""
    return repr(a) == repr(b)


def _unique(points: Iterable[Point]) -> Iterator[Point]:
    return iter({repr(point): point for point in points}.values())


def _spread(rng: random.Random, op: Op, examples: int) -> list[Point]:
    """Return moderate points, points of every magnitude, special ones, and those at borders that belong to a domain."""
    points = [moderate(rng, op) for _ in range(-(-examples // 3))]
    points += [anywhere(rng, op) for _ in range(examples - examples // 3)]
    points += special(rng, op, most=max(4, examples // 4))
    at_borders = [point for point, _ in borders(rng, op) if inside(op, point)]
    points += rng.sample(at_borders, min(len(at_borders), max(4, examples // 4)))
    return list(_unique(points))


# --- value ------------------------------------------------------------------------------------------------------


def value(found: Findings, op: Op, rng: random.Random, examples: int) -> None:
    """Hold the forward function to the reference."""
    points = _spread(rng, op, examples) + at_kinks(rng, op, max(4, examples // 8))
    if op.name in PREDICATES:  # they are defined for everything that is a float
        numbers = (*_SIMPLE, *_NOT_FINITE)
        points += [tuple(rng.choice(numbers) for _ in op.domain) for _ in range(examples)]
        points += [(x,) * len(op.domain) for x in _NOT_FINITE]
    has_reference = op.reference is not None and has_mpmath()
    for point in _unique(points):
        out = forward(op, point)
        if out is None:
            found.doubts.append(_refusal(op, point))
            continue
        again = forward(op, point)
        if again is None or not same(out, again):
            raise Departure("the forward function is not the same at every call", point, out, again, order=0)
        if not has_reference:
            continue
        if _is_judged(op, point, out):
            found.checked += 1
        else:
            found.doubts.append(f"the reference has no number at {point}")
    if op.reference is None:
        found.skipped = "the row has no reference; micrograd.op(..., reference=lambda mp, a: ...) gives it one"
    elif not has_reference:
        found.skipped = "the reference needs mpmath, which is not installed; run: pip install 'micrograd[test]'"


def _is_judged(op: Op, point: Point, out: float) -> bool:
    """Hold a value to the reference; tell whether there was something to hold it to."""
    exact = importlib.import_module("micrograd.testing.exact")
    promised = all(admitted(op, d, x) for d, x in zip(domains(op, len(point)), point) if math.isfinite(x))
    unsigned = tuple([x or 0.0 for x in point])  # mpmath has one zero
    promised = promised and (same(out, forward(op, unsigned) or 0.0) or out == 0.0)
    truth = exact.exact(op, point, [] if op.arity is not None else places_of(op, point)) if promised else None
    if truth is None:
        return False
    size = abs(truth.value)
    if size > LARGEST:
        if op.arity is not None and size > 4 * exact.mp.mpf(LARGEST) and not math.isinf(out):
            raise Departure("the value should overflow", point, out, math.copysign(math.inf, truth.value), order=0)
        return False
    count = 1 if op.arity is not None else len(point)
    terms = [sum(abs(x * d) for x, d in zip(point, truth.gradient))] if truth.gradient else []
    scale = max(size, 1.0 if op.accuracy.absolute else 0.0, *terms, 0.0)
    error = exact.ulps(out, truth.value, *terms, absolute=op.accuracy.absolute)
    if error <= count * op.accuracy.value:
        return True
    bound = count * op.accuracy.value * math.ulp(min(float(scale), 1.7e308))
    if not is_trusted(op):
        bound += LENIENT * float(size) + 8.0 * _unrest(op, point, out)
        if abs(exact.mp.mpf(out) - truth.value) <= bound:
            return True
    what = "the forward function does not give what the row's reference gives"
    if not is_trusted(op):
        what += " (the row states no accuracy; where results near 0 cancel, Accuracy(absolute=True) says so)"
    raise Departure(
        what,
        point,
        out,
        float(truth.value),
        bound,
        order=0,
    )


def _unrest(op: Op, point: Point, out: float) -> float:
    """Return how much the value changes when an operand changes by an ulp or two: conditioning and rounding."""
    found = 0.0
    for k, x in enumerate(point):
        for direction in (-math.inf, math.inf):
            near = math.nextafter(x, direction)
            for step in (near, math.nextafter(near, direction)):
                there = forward(op, tuple(moved(point, k, step)))
                if there is not None and math.isfinite(there - out):
                    found = max(found, abs(there - out))
    return found


# --- derivatives ------------------------------------------------------------------------------------------------


def partials(found: Findings, op: Op, rng: random.Random, examples: int) -> None:
    """Hold the rule to the oracles, for all operands at once and for each alone."""
    for point in _spread(rng, op, examples):
        if _judged(found, op, point, 1):
            found.checked += 1


def second_order(found: Findings, op: Op, rng: random.Random, examples: int) -> None:
    """Hold the derivatives of the rule to the oracles."""
    points = [moderate(rng, op) for _ in range(-(-examples // 3))]
    points += [anywhere(rng, op) for _ in range(examples // 3)]
    points += special(rng, op, _SIMPLE, most=max(8, examples // 2))
    reason = ""
    for point in _unique(points):
        rule = _judged(found, op, point, 2)
        if rule is not None:
            found.checked += 1
        elif not reason and found.doubts and NUMBERS_ONLY in found.doubts[-1]:
            reason = found.doubts[-1]
    if not found.checked:
        found.skipped = reason


def kinks(found: Findings, op: Op, rng: random.Random, examples: int) -> None:
    """Hold the rule to both slopes and to the documented convention at kinks, and to the oracles beside them."""
    if op.kinks is None:
        found.skipped = "the row lists no kinks"
        bend = None if is_builtin(op) else _unlisted(op, special(rng, op, _SIMPLE))
        if bend is not None:
            found.skipped += f", but {op.name} bends at {_listed(bend)}; say so with kinks="
        return
    points = at_kinks(rng, op, max(8, examples // 2))
    for point in points:
        rule = _checked(op, point, 1, found)
        if rule is not None:
            found.checked += 1
    for point in beside_kinks(rng, op, points):
        if _judged(found, op, point, 1):
            found.checked += 1
    if not points:
        found.doubts.insert(0, "no point was found at which a quantity that kinks gives is 0")


def _unlisted(op: Op, points: Sequence[Point]) -> Point | None:
    """Return a point at which a user's operation bends, and its row does not say so."""
    for point in points:
        try:
            rule = _checked(op, point, 1, Findings())
        except Departure:  # what "partials" is about
            continue
        if rule is not None and BENDS in rule.kink:
            return point
    return None


def _judged(found: Findings, op: Op, point: Point, order: int) -> Rule | None:
    """Return what was found out about the rule at a point where it has a derivative, and the oracle can tell."""
    rule = _checked(op, point, order, found)
    if rule is None:
        return None
    if rule.doubt or rule.kink:
        found.doubts.append(rule.doubt or rule.kink)
        return None
    return rule if rule.oracle else None


def _checked(op: Op, point: Point, order: int, found: Findings) -> Rule | None:
    """Hold the rule to the oracles at a point, and the engine to the rule; ``None`` where a user's function refuses."""
    out = forward(op, point)
    if out is None or not math.isfinite(out):
        found.doubts.append(_refusal(op, point) if out is None else f"{op.name}{_listed(point)} is {out!r}")
        return None
    places = places_of(op, point)
    try:
        rule = check_rule(op, point, out, places, order)
        if rule.fault is not None and rule.fault.order == 0:  # what "value" is about
            rule = check_rule(replace(op, reference=None), point, out, places, order)
    except Exception as error:
        if isinstance(error, REFUSALS) and not is_builtin(op):
            found.doubts.append(f"its functions refuse numbers beside {_listed(point)}: {_named(error)}")
            return None
        raise Departure(f"the rule raised {_named(error)}", point) from error
    fault = rule.fault
    if fault is not None:
        raise _departure(fault, point)
    _check_engine(op, point, rule)
    return rule


def _departure(fault: Fault, point: Point) -> Departure:
    by = f" (says {', '.join(fault.oracles)})" if fault.oracles else ""
    return Departure(f"{fault.what}{by}", point, fault.engine, fault.expected, fault.bound, fault.order)


def _check_engine(op: Op, point: Point, rule: Rule) -> None:
    """Hold backward passes to the shares of the rule: by all operands at once, and by each alone."""
    together = eager(op, point, rule.places)
    if together is None:
        return
    for i, got, share in zip(rule.places, together[1], rule.partials):
        if got != share and not (got != got and share != share):
            raise Departure(f"a backward pass does not give operand {i} what the rule gives", point, got, share)
    for i, got in zip(rule.places, together[1]):
        alone = eager(op, point, [i])
        if alone is not None and not same(alone[1][0], got):
            what = f"the derivative by operand {i} is another one where the other operands are numbers"
            raise Departure(what, point, alone[1][0], got)


def _refusal(op: Op, point: Point) -> str:
    return f"the forward function of {op.name} refuses {_listed(point)}"


def _listed(point: Point) -> str:
    return f"({', '.join(map(repr, point))})"
