"""What a row of the table promises, and how it is held to it: the measure of the tests of values and derivatives."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

from exact import Exact, exact, is_smooth, ulps
from table_rows import domains, sizes

from micrograd import Value
from micrograd.ops import Op
from micrograd.ops.domain import Domain

__all__ = ["admitted", "anywhere", "check", "check_second", "condition", "gradient", "limit", "moderate"]

SMALLEST = 2.0**-1022  # below are the subnormal numbers, for which no row promises anything
LARGEST = math.nextafter(math.inf, 0.0)


def limit(row: Op) -> float:
    """Return how large the operands may be beyond what the domain says."""
    if row.name in ("erf", "erfc", "gelu"):
        return 1e100  # mpmath's erfc gives up
    if row.name == "atan2":
        return 1e308  # beyond, the length of (a, b) may be infinite, and a derivative of 4e-309 becomes 0
    if row.name == "logsumexp":
        return 1e18  # mpmath's exp takes its time
    if row.arity is None:
        return 1e60  # or products and sums overflow on the way, where the result does not
    return LARGEST


def admitted(row: Op, domain: Domain, x: float) -> bool:
    # Products of many operands underflow on the way too, where the result does not.
    smallest = SMALLEST if row.arity is not None else 1.0 / limit(row)
    return domain.contains(x) and abs(x) <= limit(row) and (x == 0.0 or abs(x) >= smallest)


def gradient(row: Op, operands: Sequence[float]) -> tuple[float, list[float]]:
    """Return value and gradient by the backward pass; each partial derivative alone must be the same, bit for bit."""
    leaves = [Value(x) for x in operands]
    out = row.apply(tuple(leaves))
    out.backward()
    for i, leaf in enumerate(leaves):
        alone = Value(operands[i])
        row.apply((*operands[:i], alone, *operands[i + 1 :])).backward()
        assert alone.grad == leaf.grad or math.isnan(leaf.grad)
    return out.data, [leaf.grad for leaf in leaves]


def condition(operands: Sequence[float], truth: Exact, i: int) -> Any:
    """Return how much the i-th partial derivative changes with relative changes of the operands."""
    return sum(abs(x * second) for x, second in zip(operands, truth.hessian[i]))


def check(row: Op, operands: Sequence[float]) -> bool:
    """Hold ``row`` to its promise at one point; tell whether there was something to hold it to."""
    if not is_smooth(row, operands):
        return False
    truth = exact(row, operands)
    if truth is None or abs(truth.value) > LARGEST:
        return False
    promise = row.accuracy
    count = 1 if row.arity is not None else len(operands)
    terms = [] if row.arity is not None else [sum(abs(x * d) for x, d in zip(operands, truth.gradient))]
    value, partials = gradient(row, operands)
    error = ulps(value, truth.value, *terms, absolute=promise.absolute)
    assert error <= count * promise.value, f"{row.name}{operands} = {value!r} is off by {error:.3g} ulps"
    for i, partial in enumerate(partials):
        if abs(truth.gradient[i]) > 1e300:  # rules are allowed to overflow a little before the result does
            continue
        error = ulps(partial, truth.gradient[i], condition(operands, truth, i), absolute=promise.absolute)
        assert error <= count * promise.derivative, (
            f"derivative {i} of {row.name} at {operands} is {partial!r}, off by {error:.3g} ulps"
        )
    return True


def anywhere(rng: random.Random, row: Op) -> tuple[float, ...]:
    """Draw operands: half of them moderate, the rest of any magnitude, counted from 0 or from the domain's borders."""

    def drawn(domain: Domain) -> float:
        while True:
            width = rng.choice((2, 2, 18, 307))
            x: float = rng.choice((-1.0, 1.0)) * 10.0 ** rng.uniform(-width, width)
            interval = rng.choice(domain.intervals)
            origin = rng.choice((0.0, interval.low, interval.high))
            if math.isfinite(origin):
                x += origin
            elif rng.random() < 0.02:
                x = 0.0
            if admitted(row, domain, x):
                return x

    return tuple(map(drawn, domains(row, rng.choice(tuple(sizes(row))))))


def moderate(rng: random.Random, row: Op) -> tuple[float, ...]:
    """Draw operands of everyday size, away from the borders of the domain."""

    def drawn(domain: Domain) -> float:
        while True:
            x = rng.uniform(-3.0, 3.0)
            if abs(x) > 0.1 and domain.contains(x - 0.1) and domain.contains(x + 0.1):
                return x

    return tuple(map(drawn, domains(row, rng.choice(tuple(sizes(row))))))


def hessian(row: Op, operands: Sequence[float]) -> list[list[float]]:
    leaves: list[Any] = [Value(x) for x in operands]
    row.apply(tuple(leaves)).backward(create_graph=True)
    gradients = [leaf.grad for leaf in leaves]
    rows = []
    for g in gradients:
        for leaf in leaves:
            leaf.grad = 0.0
        g.backward()
        rows.append([leaf.grad for leaf in leaves])
    return rows


def check_second(row: Op, operands: Sequence[float]) -> bool:
    """Hold the second derivatives to mpmath's at one point; tell whether there are any."""
    if row.kinks is not None and any(abs(quantity) < 1e-2 for quantity in row.kinks(*operands)):
        return False
    truth = exact(row, operands)
    if truth is None:
        return False
    for got_row, true_row in zip(hessian(row, operands), truth.hessian):
        for got, true in zip(got_row, true_row):
            assert abs(got - true) <= 1e-12 * (1 + abs(true)), (
                f"a second derivative of {row.name} at {operands} is {got!r} and should be {float(true)!r}"
            )
    return True
