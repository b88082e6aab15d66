"""Protects the bounds on rounding: what the engine computes lies within them, and they are not idle."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp
from table_rows import ROWS

import micrograd as mg
from micrograd import Value
from micrograd.testing import Program, programs
from micrograd.testing.rounding import EPSILON, path_bound, running_errors

arithmetic = programs(operations=["add", "sub", "mul", "div", "neg", "sum", "dot", "mean"], max_instructions=15)
smooth = programs(operations=["add", "mul", "sub", "sin", "exp", "tanh", "log", "sqrt", "atan", "sigmoid"])


EXACTLY: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "neg": operator.neg,
    "sum": lambda *xs: sum(xs),
    "mean": lambda *xs: sum(xs) / len(xs),
    "dot": lambda *xs: sum(a * b for a, b in zip(xs[: len(xs) // 2], xs[len(xs) // 2 :])),
}


def rational(program: Program) -> Fraction:
    """Return the exact result of a program of arithmetic."""
    pool = [Fraction(x) for x in program.inputs]
    for name, *operands in program.instructions:
        pool.append(EXACTLY[name](*[pool[x] if type(x) is int else Fraction(x) for x in operands]))
    return pool[-1]


@given(arithmetic)
def test_arithmetic_stays_within_the_bound_of_rational_numbers(program: Program) -> None:
    out = program(*map(Value, program.inputs))
    (error,) = running_errors([out])
    assert abs(Fraction(out.data) - rational(program)) <= Fraction(error) * (1 + Fraction(1, 10**6))


@given(smooth)
def test_functions_stay_within_the_bound_of_mpmath(program: Program) -> None:
    out = program(*map(Value, program.inputs))
    (error,) = running_errors([out])
    with mp.workdps(60):
        pool: list[Any] = [mp.mpf(x) for x in program.inputs]
        for name, *operands in program.instructions:
            reference = ROWS[name].reference
            assert reference is not None
            pool.append(reference(mp, *[pool[x] if type(x) is int else mp.mpf(x) for x in operands]))
        assert abs(mp.mpf(out.data) - pool[-1]) <= 1.01 * error + 1e-300


@given(st.floats(0.1, 10.0), st.floats(0.1, 10.0))
def test_the_bound_is_not_idle(a: float, b: float) -> None:
    (error,) = running_errors([Value(a) * Value(b) + Value(a)])
    assert error <= 4.0 * EPSILON * (a * b + a)


def test_a_cancellation_is_in_the_bound() -> None:
    x = Value(1e8)
    (error,) = running_errors([x * x - (x * x - 1.0)])
    assert 1.0 <= error <= 8.0


def test_what_underflows_is_in_the_bound() -> None:
    tiny = Value(1e-300)
    (error,) = running_errors([tiny * tiny * 1e300])
    assert error >= 1e-300 * 1e-300 * 1e300


def test_a_branch_that_is_not_taken_adds_nothing() -> None:
    x = Value(-1.0)
    assert running_errors([mg.where(mg.gt(x, 0.0), mg.log(x), x)]) == [0.0]


def test_numbers_and_nodes_that_are_taken_as_they_are_have_no_error() -> None:
    x = Value(0.1)
    inner = x * x
    out = inner * 2.0
    assert running_errors([3.0, out], [inner]) == [0.0, math.ulp(out.data) / 2]


@pytest.mark.parametrize(("uses", "size"), [(0, 1.0), (10, 3.0)])
def test_the_path_bound_is_the_formula(uses: int, size: float) -> None:
    assert path_bound(uses, size) == 4 * (uses + 1) * 2.0**-52 * size
