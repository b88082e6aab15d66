"""What is checked of an operation in compiled code: value and gradient as eager code gives them, on every backend.

The compiler is passed in as a function, because testing does not know it. What may differ is what its page on errors
allows: nothing on the backend ``python`` and for operations that are exact, else a few ulps of the C library's and the
vector functions beside what the row promises.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

from micrograd.arrays import data_of
from micrograd.errors import CompilationError
from micrograd.ops import Op
from micrograd.testing.findings import is_trusted
from micrograd.testing.oracles import moved
from micrograd.testing.points import Point, anywhere, at_kinks, moderate, special
from micrograd.testing.properties import Departure, Findings, eager, places_of, same

__all__ = ["BACKENDS", "compiled_form"]

BACKENDS = ("python", "llvm")
_AWKWARD = (0.0, -0.0, 1.0, -1.0, 2.0, -8.0, 1e-300, 1e300, math.inf, -math.inf, math.nan)
_VECTOR_ULPS = 4.0  # of the vector functions, beside twice what the row promises of its own
_DERIVATIVE_ULPS = 16.0
_NEAR_OVERFLOW = 1e300  # where one may overflow and the other not quite
_FLOOR = 2.0**-1021  # subnormal results, of which nobody promises anything
_NUDGES = (1.0 - 2.0**-50, 1.0 + 2.0**-50)

Result = tuple[float, list[float]]


def compiled_form(found: Findings, op: Op, rng: random.Random, examples: int, compile: Callable[..., Any]) -> None:
    """Hold compiled code to eager code, one sample at a time and in batches."""
    groups: dict[tuple[int, tuple[float, ...]], list[Point]] = {}
    for point in _points(rng, op, examples):
        rest = point[len(places_of(op, point)) :]
        groups.setdefault((len(point), rest), []).append(point)
    for (_, rest), points in groups.items():
        results = [eager(op, point, places_of(op, point)) for point in points]
        kept = [(point, result) for point, result in zip(points, results) if result is not None]
        if not kept:
            continue
        for backend in BACKENDS:
            try:
                _compare(found, op, rest, kept, backend, compile)
            except (CompilationError, ImportError) as error:
                found.note(f"{backend}: does not apply, {error}")
    if not found.checked:
        found.skipped = "; ".join(found.notes) or "its functions refuse all numbers that were tried"


def _points(rng: random.Random, op: Op, examples: int) -> list[Point]:
    points = [moderate(rng, op) for _ in range(max(8, examples // 3))]
    points += [anywhere(rng, op) for _ in range(examples // 3)]
    points += special(rng, op, most=max(4, examples // 4))
    points += at_kinks(rng, op, max(4, examples // 8))
    for _ in range(examples):
        point = moderate(rng, op)
        for place in places_of(op, point):
            if rng.random() < 0.75:
                point = tuple(moved(point, place, rng.choice(_AWKWARD)))
        points.append(point)
    return list({repr(point): point for point in points}.values())


def _compare(
    found: Findings,
    op: Op,
    rest: tuple[float, ...],
    kept: Sequence[tuple[Point, Result]],
    backend: str,
    compile: Callable[..., Any],
) -> None:
    def f(x: Any) -> Any:
        return op.apply((*x, *rest))

    rows = [list(point[: len(point) - len(rest)]) for point, _ in kept]
    one, several = compile(f, backend=backend), compile(f, backend=backend, batched="x")
    got = [("one by one", _run(op, kept[k][0], backend, one.value_and_grad, row)) for k, row in enumerate(rows)]
    for (point, wanted), (how, result) in zip(kept, got):
        _hold(op, point, backend, how, result, wanted)
    found.checked += len(kept)
    try:
        array = data_of(rows)
    except ImportError as error:
        found.note(f"{backend}, in a batch: does not apply, {error}")
        return
    values, gradients = _run(op, kept[0][0], backend, several.value_and_grad, array)
    for (point, wanted), value, gradient in zip(kept, values.tolist(), gradients.tolist()):
        _hold(op, point, backend, "in a batch", (value, gradient), wanted)
    found.checked += len(kept)
    for (point, _), value, alone in zip(kept, values.tolist(), _run(op, kept[0][0], backend, several, array).tolist()):
        if not same(value, alone):
            what = f"compiled with backend {backend!r} the value is another one with its gradient than without"
            raise Departure(what, point, value, alone, order=0)


def _run(op: Op, point: Point, backend: str, function: Callable[..., Any], argument: Any) -> Any:
    try:
        return function(argument)
    except (CompilationError, ImportError):
        raise
    except Exception as error:
        what = f"compiled with backend {backend!r} it raised {type(error).__name__}: {error}"
        raise Departure(what, point) from error


# --- how far apart ----------------------------------------------------------------------------------------------


def _hold(op: Op, point: Point, backend: str, how: str, got: Result, wanted: Result) -> None:
    value, true_value = got[0], wanted[0]
    exact = backend == "python" or (is_trusted(op) and op.accuracy.value <= 0.5)
    least = 1.0 if op.accuracy.absolute else 0.0
    at = f"compiled with backend {backend!r}, {how},"
    if exact and not same(value, true_value):
        raise Departure(f"{at} the value does not have eager code's bits", point, value, true_value, order=0)
    if not same(value, true_value):
        ulps = 2.0 * op.accuracy.value + _VECTOR_ULPS
        allowed = ulps * _ulp(true_value, least) + _FLOOR
        if not _close(value, true_value, allowed):
            allowed += 8.0 * _unrest(op, point, lambda result: [result[0]])[0]
            if not _close(value, true_value, allowed):
                raise Departure(f"{at} the value is not eager code's", point, value, true_value, allowed, order=0)
    for i, (g, true_g) in enumerate(zip(got[1], wanted[1])):
        if g == true_g or (g != g and true_g != true_g):
            continue
        allowed = _DERIVATIVE_ULPS * _ulp(true_g, least) + _FLOOR
        if not _close(g, true_g, allowed):
            allowed += 4.0 * _unrest(op, point, lambda result: result[1])[i]
            if not _close(g, true_g, allowed):
                raise Departure(f"{at} the derivative by operand {i} is not eager code's", point, g, true_g, allowed)


def _close(got: float, wanted: float, allowed: float) -> bool:
    if math.isfinite(got) and math.isfinite(wanted):
        return abs(got - wanted) <= allowed
    # Beside the largest number one way may overflow where the other does not quite.
    return abs(got) > _NEAR_OVERFLOW and abs(wanted) > _NEAR_OVERFLOW and got * wanted > 0.0 and got != wanted


def _ulp(x: float, least: float) -> float:
    return math.ulp(max(abs(x), least)) if math.isfinite(x) else 0.0


def _unrest(op: Op, point: Point, numbers: Callable[[Result], list[float]]) -> list[float]:
    """Return how much eager code's numbers change with operands by four ulps: their condition."""
    places = places_of(op, point)
    here = eager(op, point, places)
    assert here is not None
    found = [0.0] * len(numbers(here))
    for place in places:
        for nudge in _NUDGES:
            there = eager(op, tuple(moved(point, place, point[place] * nudge)), places)
            if there is not None:
                steps = [abs(a - b) for a, b in zip(numbers(there), numbers(here))]
                found = [max(f, step) if math.isfinite(step) else f for f, step in zip(found, steps)]
    return found
