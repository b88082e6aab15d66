"""What is checked of a single operation at the borders of its domain, outside of it, and at what is no number.

Inside the domain a result is a number, or overflows. Outside it is nan or an infinity, unless the reference has the
same number there. Nothing raises anywhere. A nan that goes in comes out, but where the operand has no influence.
"""

from __future__ import annotations

import importlib
import math
import random
from collections.abc import Iterator
from typing import Any

from micrograd.engine import Value
from micrograd.ops import Op
from micrograd.ops.domain import REALS
from micrograd.ops.selection import PREDICATES, where
from micrograd.ops.table import is_builtin
from micrograd.testing.oracles import has_mpmath, moved
from micrograd.testing.points import LARGEST, Point, borders, domains, inside, moderate
from micrograd.testing.properties import REFUSALS, Departure, Findings, eager, forward, places_of, same

__all__ = ["domain_edges"]

_AWKWARD = (0.0, -0.0, 5e-324, -1e-300, 1e-300, 1e300, -1e300, LARGEST, math.inf, -math.inf, math.nan)
_OTHERS = (1.0, -2.5, 0.25, 1e10, math.inf, -math.inf)  # in the place of a nan
_READS_SIGNS = ("copysign",)  # also a nan's
_FAR = 1e60  # numbers of a user's function may overflow on the way from here on
_COARSE = 1e-6  # relative: another number, not another rounding


def domain_edges(found: Findings, op: Op, rng: random.Random, examples: int) -> None:
    """Look at the borders of the domain, on both sides of them, and at what is not finite."""
    for point, place in _points(rng, op, examples):
        out = forward(op, point)
        if out is None:
            _refused(found, op, point, "the forward function")
            continue
        found.checked += 1
        if all(map(math.isfinite, point)):
            if inside(op, point):
                _check_inside(op, point, place, out)
            else:
                _check_outside(op, point, out)
        elif place is not None and math.isnan(point[place]):
            _check_nan(found, op, point, place, out)
        shares = _shares(op, point, out)
        if shares is None or eager(op, point, places_of(op, point)) is None:
            _refused(found, op, point, "the rule")
        elif not all(map(math.isfinite, shares)):
            _check_masked(op, point)


def _points(rng: random.Random, op: Op, examples: int) -> Iterator[tuple[Point, int | None]]:
    """Generate points, and the operand that is special there."""
    yield from borders(rng, op)
    for x in _AWKWARD:
        for _ in range(2 if op.arity is None else 1):
            point = moderate(rng, op)
            for place in places_of(op, point):
                yield tuple(moved(point, place, x)), place
    for _ in range(examples):
        point = moderate(rng, op)
        for place in places_of(op, point):
            if rng.random() < 0.75:
                point = tuple(moved(point, place, rng.choice(_AWKWARD)))
        yield point, None


def _refused(found: Findings, op: Op, point: Point, what: str) -> None:
    """Judge that a user's function raised, as Python's ``math`` does: wrong where the row itself says that it does not.

    A row without a domain says nothing, and a number that is too large is another matter.
    """
    stated = any(domain != REALS for domain in op.domain)
    if stated and inside(op, point) and all(abs(x) < _FAR for x in point) and not _overflows(op, point):
        raise Departure(f"{what} raises inside of the domain that the row states", point, order=0)
    if not any(note.startswith(what) for note in found.notes):
        found.note(f"{what} raises at ({', '.join(map(repr, point))}) and elsewhere, where IEEE 754 has inf or nan")


def _overflows(op: Op, point: Point) -> bool:
    try:
        out = op.forward(*point)
        op.contributions(1.0, out, point)
    except OverflowError:
        return True
    except REFUSALS:
        return False
    return False


def _shares(op: Op, point: Point, out: float) -> Any:
    try:
        return op.contributions(1.0, out, point)
    except Exception as error:
        if isinstance(error, REFUSALS) and not is_builtin(op):
            return None
        raise Departure(f"the rule raised {type(error).__name__}: {error}", point) from error


def _check_masked(op: Op, point: Point) -> None:
    """Let ``where`` choose something else: then no gradient comes here, and none goes on, nan and infinite as it is."""
    places = places_of(op, point)
    for differentiable in (False, True) if is_builtin(op) else (False,):
        leaves: list[Any] = [Value(x) if i in places else x for i, x in enumerate(point)]
        chosen = Value(2.0)
        for out in (where(0.0, op.apply(tuple(leaves)), chosen), where(1.0, chosen, op.apply(tuple(leaves)))):
            out.backward(create_graph=differentiable)
        for i in places:
            gradient = leaves[i].grad
            got = gradient.data if isinstance(gradient, Value) else gradient
            leaves[i].grad = 0.0  # a gradient that is a Value and its leaf refer to each other
            if got != 0.0:
                what = f"operand {i} gets a gradient, although where chose another branch"
                raise Departure(what, point, got, 0.0)


# --- inside -----------------------------------------------------------------------------------------------------


def _check_inside(op: Op, point: Point, place: int | None, out: float) -> None:
    if math.isnan(out):
        # A product of many may meet an infinity and a zero on the way.
        if (is_builtin(op) and op.arity is not None) or all(x == 0.0 or 1.0 / _FAR < abs(x) < _FAR for x in point):
            raise Departure("the value is nan inside of the domain", point, out, "a number", order=0)
    elif math.isinf(out):
        truth = _reference(op, point)
        if isinstance(truth, float) and abs(truth) < 1e307 and all(abs(x) < 1e100 for x in point):
            raise Departure("the value is infinite inside of the domain", point, out, truth, order=0)
        if truth is None and place is not None and _is_pole(op, point, place):
            what = "the value is infinite at a border that belongs to the domain"
            raise Departure(what, point, out, "a number, or an open border", order=0)


def _is_pole(op: Op, point: Point, place: int) -> bool:
    """Tell whether an infinite value at a closed border is a pole: beside it the values are ordinary numbers."""
    x = point[place]
    domain = domains(op, len(point))[place]
    if not any(x in (interval.low, interval.high) for interval in domain.intervals):
        return False
    near = [x + sign * step * max(1.0, abs(x)) for step in (1e-8, 1e-3) for sign in (-1.0, 1.0)]
    values = [forward(op, tuple(moved(point, place, y))) for y in near if domain.contains(y)]
    return bool(values) and all(y is not None and abs(y) < 1e100 for y in values)


# --- outside ----------------------------------------------------------------------------------------------------


def _check_outside(op: Op, point: Point, out: float) -> None:
    if not math.isfinite(out) or not all(x == 0.0 or 1e-100 < abs(x) < 1e100 for x in point):
        return
    truth = _reference(op, point)
    if truth is None:
        return
    if isinstance(truth, complex):
        raise Departure("outside of the domain there is a number where the reference has none", point, out, math.nan)
    if not abs(out - truth) <= _COARSE * max(abs(truth), abs(out), 1e-100) + 1e-12:
        raise Departure("outside of the domain there is another number than the reference has", point, out, truth)


def _reference(op: Op, point: Point) -> float | complex | None:
    """Return the reference's number at a point; ``None`` where it has none, or cannot tell."""
    if op.reference is None or not has_mpmath():
        return None
    mp = importlib.import_module("micrograd.testing.exact").mp
    try:
        with mp.workdps(50):
            truth = op.reference(mp, *[mp.mpf(x) for x in point])
            if isinstance(truth, mp.mpc):
                return complex(truth) if truth.imag != 0 else float(truth.real)
            return float(truth) if mp.isfinite(truth) else None
    except (ArithmeticError, ValueError, TypeError):
        return None


# --- nan --------------------------------------------------------------------------------------------------------


def _check_nan(found: Findings, op: Op, point: Point, place: int, out: float) -> None:
    if math.isnan(out) or op.name in PREDICATES or op.name in _READS_SIGNS:
        return
    others = [forward(op, tuple(moved(point, place, x))) for x in _OTHERS]
    if all(x is not None and same(x, out) for x in others):
        return  # the operand has no influence here: the branch that ``where`` does not take, 1**x
    if is_builtin(op):
        raise Departure(f"operand {place} is nan, and the value is not", point, out, math.nan, order=0)
    if not any(note.startswith("a nan") for note in found.notes):
        found.note(f"a nan is lost: the value at ({', '.join(map(repr, point))}) is {out!r}")
