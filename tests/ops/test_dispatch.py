"""Protects who takes an operation over: the first kind of operand that knows the others, asked once each."""

from __future__ import annotations

from typing import Any

import pytest

import micrograd as mg
from micrograd import Op, Value
from micrograd.ops.operand import Operand


class Modest(Operand):
    """A kind that knows only itself, and remembers who was asked."""

    asked: list[Modest] = []  # noqa: RUF012

    def __micrograd_op__(self, op: Op, operands: tuple[Any, ...]) -> Any:
        self.asked.append(self)
        return self if all(isinstance(x, (Modest, float)) for x in operands) else NotImplemented


class Knowing(Operand):
    """A kind that takes whatever comes."""

    def __micrograd_op__(self, op: Op, operands: tuple[Any, ...]) -> Any:
        return (op.name, operands)


@pytest.fixture(autouse=True)
def _forget() -> None:
    Modest.asked.clear()


def test_one_operand_of_each_kind_is_asked_however_long_the_row() -> None:
    modest, knowing = [Modest() for _ in range(1000)], Knowing()
    name, operands = mg.dot([*modest, 1], [2.0] * 1000 + [knowing])
    assert (name, len(operands), operands[-1], operands[1000]) == ("dot", 2002, knowing, 1.0)
    assert Modest.asked == [modest[0]]


def test_the_first_that_knows_the_others_takes_it() -> None:
    one, other = Modest(), Modest()
    assert mg.hypot(one, other) is one
    assert mg.hypot(3, other) is other
    assert mg.hypot(one, Knowing())[0] == mg.hypot(Knowing(), one)[0] == "hypot"


def test_kinds_that_do_not_know_each_other_are_refused() -> None:
    with pytest.raises(TypeError, match=r"hypot\(\): Value and Modest came together"):
        mg.hypot(Value(1.0), Modest())
    assert len(Modest.asked) == 1
