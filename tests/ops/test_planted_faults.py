"""Protects the tests of the table from being blind: a wrong row must be caught, however little is wrong with it."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from promises import anywhere, check, check_second, moderate
from table_rows import ROWS

from micrograd.ops import Op

DIFFERENTIABLE = [row for row in ROWS.values() if row.reference is not None]


def with_shares(row: Op, change: Callable[[list[Any]], Sequence[Any]]) -> Op:
    """Return ``row`` with a rule that changes the shares of the right one."""

    def vjp(g: Any, out: Any, *operands: Any) -> Sequence[Any]:
        return change(list(row.contributions(g, out, operands)))

    if row.arity is None:
        return dataclasses.replace(row, vjp=vjp)
    rules = tuple(lambda g, out, *xs, i=i: vjp(g, out, *xs)[i] for i in range(row.arity))
    return dataclasses.replace(row, vjp=rules)


def is_caught(row: Op, hold: Callable[[Op, tuple[float, ...]], bool], draw: Callable[..., tuple[float, ...]]) -> bool:
    rng = random.Random(row.name)
    try:
        for _ in range(60):
            hold(row, draw(rng, row))
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize("row", DIFFERENTIABLE, ids=lambda row: row.name)
def test_a_derivative_that_is_off_by_a_little_is_caught(row: Op) -> None:
    wrong = with_shares(row, lambda shares: [share * 1.0005 for share in shares])
    assert is_caught(wrong, check, anywhere)


@pytest.mark.parametrize("row", DIFFERENTIABLE, ids=lambda row: row.name)
def test_a_derivative_of_the_wrong_sign_is_caught(row: Op) -> None:
    assert is_caught(with_shares(row, lambda shares: [-share for share in shares]), check, anywhere)


@pytest.mark.parametrize("row", DIFFERENTIABLE, ids=lambda row: row.name)
def test_a_value_that_is_off_by_a_little_is_caught(row: Op) -> None:
    wrong = dataclasses.replace(row, forward=lambda *operands: row.forward(*operands) * (1.0 + 1e-12))
    assert is_caught(wrong, check, anywhere)


SYMMETRIC = {"add", "sum", "mean"}  # every operand has the same share


@pytest.mark.parametrize(
    "row", [row for row in DIFFERENTIABLE if row.arity != 1 and row.name not in SYMMETRIC], ids=lambda row: row.name
)
def test_swapped_operands_are_caught(row: Op) -> None:
    assert is_caught(with_shares(row, lambda shares: shares[::-1]), check, anywhere)


LINEAR = {"add", "sub", "neg", "pos", "abs", "maximum", "minimum", "clamp", "copysign", "relu", "degrees", "radians"}
LINEAR |= {"fmod", "sum", "mean"}  # second derivatives are 0


@pytest.mark.parametrize("row", [row for row in DIFFERENTIABLE if row.name not in LINEAR], ids=lambda row: row.name)
def test_a_derivative_of_the_derivative_that_is_lost_is_caught(row: Op) -> None:
    """A rule that computes the right number from the wrong things: a constant where an operand should be."""

    def detached(shares: list[Any]) -> list[Any]:
        return [getattr(share, "data", share) for share in shares]

    assert not is_caught(with_shares(row, detached), check, moderate)
    assert is_caught(with_shares(row, detached), check_second, moderate)


@pytest.mark.parametrize("row", DIFFERENTIABLE, ids=lambda row: row.name)
def test_the_rows_themselves_are_not_caught(row: Op) -> None:
    assert not is_caught(with_shares(row, list), check, moderate)
