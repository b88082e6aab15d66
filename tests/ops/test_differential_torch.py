"""Protects the conventions that are PyTorch's: both libraries on every pair of numbers that has ever been awkward.

Where the two are meant to differ, ``DEVIATIONS`` says where and why; a deviation that is not needed any more fails too.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Sequence

import pytest
from table_rows import ROWS
from torch_functions import differentiated, functions, torch

import micrograd as mg
from micrograd import Value

pytestmark = pytest.mark.oracles

inf, nan = math.inf, math.nan
TWO = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.0, 1 / 3, 1e300, -1e300, 1e-300, inf, -inf, nan)
ONE = (*TWO, -0.5, -8.0, 15.0, -38.0, 710.0, -746.0)
FEW = (0.0, 1.0, -2.0, inf, -inf, nan)

NOT_THERE = {"cbrt", "take"}  # PyTorch has no such function of scalars
NUMBERS = {"leaky_relu": 1, "elu": 1}  # operands from this one on are numbers in PyTorch

Points = Callable[..., bool]
DEVIATIONS: dict[str, tuple[Points, str]] = {
    "acosh": (
        lambda a: a <= -1.0 or a > 1e154,
        "PyTorch divides by sqrt(a * a - 1): real below the domain, where the value is nan, and 0 for a * a too large",
    ),
    "asinh": (lambda a: abs(a) > 1e154, "PyTorch divides by sqrt(a * a + 1), which overflows"),
    "atan2": (
        lambda a, b: not 1e-154 < math.hypot(a, b) < 1e154 and not a == b == 0.0,
        "PyTorch divides by a * a + b * b, which overflows and underflows",
    ),
    "copysign": (lambda a, b: not math.isfinite(a), "PyTorch divides the result by a: inf / inf"),
    "dist": (
        lambda *xs: inf in xs or -inf in xs,
        "PyTorch subtracts infinities in the value; math.dist looks for them",
    ),
    "expm1": (lambda a: a < -30.0, "PyTorch adds 1 to the result, which cancels"),
    "fmod": (
        lambda a, b: b == 0.0 or math.isinf(a),
        "there is no remainder and the value is nan; PyTorch truncates the quotient, an infinity, to itself",
    ),
    "logsumexp": (
        lambda *xs: inf in xs and nan not in xs,
        "nan for all: the weights are normalised by their sum, which is nan; in PyTorch for the infinite ones alone",
    ),
    "power": (
        lambda a, b: math.isnan(a) and b == 0.0,
        "PyTorch takes b == 0 apart and loses the derivative of this derivative with respect to b",
    ),
    "prod": (
        lambda *xs: not all(map(math.isfinite, xs)),
        "PyTorch divides the product by the operand, which makes nan of inf",
    ),
}


def agree(a: float, b: float, slack: float) -> bool:
    if a != a or b != b:
        return a != a and b != b
    return a == b or abs(a - b) <= 1e-12 * max(abs(a), abs(b)) + slack


def points(name: str) -> list[tuple[float, ...]]:
    arity = ROWS[name].arity
    if arity == 1:
        return [(a,) for a in ONE]
    if arity == 2:
        return list(itertools.product(TWO, (0.01, 1.0, 2.5) if name in NUMBERS else TWO))
    size = arity or (4 if name in ("dot", "dist") else 3)
    everything = list(itertools.product(FEW, repeat=size))
    return random.Random(name).sample(everything, min(216, len(everything)))


def ours(name: str, operands: Sequence[float]) -> tuple[float, list[float]]:
    leaves = [Value(x) for x in operands]
    out = ROWS[name].apply(tuple(leaves))
    out.backward()
    return out.data, [leaf.grad for leaf in leaves]


@pytest.mark.parametrize("name", sorted(set(ROWS) - NOT_THERE))
def test_value_and_gradient_are_those_of_pytorch_but_for_the_deviations(name: str) -> None:
    function = functions()[name]
    deviates, _ = DEVIATIONS.get(name, (lambda *xs: False, ""))
    slack = 1e-15 if ROWS[name].accuracy.absolute else 1e-307
    surprises, deviations = [], 0
    for operands in points(name):
        value, gradient = ours(name, operands)
        other_value, other_gradient = differentiated(function, operands)
        compared = NUMBERS.get(name, len(operands))
        pairs = [(value, other_value), *zip(gradient[:compared], other_gradient[:compared])]
        same = all(agree(a, b, slack) for a, b in pairs)
        if deviates(*operands):
            deviations += not same
        elif not same:
            surprises.append((operands, (value, gradient), (other_value, other_gradient)))
    assert not surprises
    assert deviations or name not in DEVIATIONS, "PyTorch agrees by now: the deviation can go"


def test_every_operation_of_the_table_is_compared() -> None:
    assert set(functions()) == set(ROWS) - NOT_THERE


def test_a_zero_upstream_gradient_is_the_deviation_that_we_want() -> None:
    """The branch that ``where`` did not choose gets 0; PyTorch multiplies it by the infinite slope and gets nan."""
    t = torch()
    x = t.tensor(0.0, dtype=t.float64, requires_grad=True)
    t.where(x > 0.0, t.log(x), x).backward()
    assert math.isnan(x.grad.item())
    y = Value(0.0)
    mg.where(mg.gt(y, 0.0), mg.log(y), y).backward()
    assert y.grad == 1.0


def test_the_derivative_of_a_power_with_respect_to_both_is_the_other_one() -> None:
    """At ``b == 0`` PyTorch's is 0; the derivative of ``b * a ** (b - 1)`` with respect to b is ``1 / a`` there."""
    t = torch()
    a, b = (t.tensor(x, dtype=t.float64, requires_grad=True) for x in (2.0, 0.0))
    (first,) = t.autograd.grad(a**b, a, create_graph=True)
    (second,) = t.autograd.grad(first, b)
    assert second.item() == 0.0
    x, y = Value(2.0), Value(0.0)
    (x**y).backward(create_graph=True)
    slope = x.grad
    y.grad = 0.0
    slope.backward()
    assert y.grad == 0.5
