"""Protects what planted faults in the table showed to be unprotected (``python -m benchmarks mutants``)."""

from __future__ import annotations

import math

import pytest

import micrograd as mg
from micrograd import Value


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_every_share_of_softmax_depends_on_every_operand(taken: int) -> None:
    """d s_i / d x_j is s_i * (1 - s_i) where i is j, and -s_i * s_j elsewhere: the normaliser is no constant."""
    numbers = [0.5, -1.0, 2.0]
    total = math.fsum(map(math.exp, numbers))
    s = [math.exp(x) / total for x in numbers]
    xs = [Value(x) for x in numbers]
    mg.softmax(xs)[taken].backward()
    expected = [s[taken] * ((1.0 if j == taken else 0.0) - s[j]) for j in range(3)]
    assert [x.grad for x in xs] == pytest.approx(expected, rel=1e-14)


def test_the_shares_of_softmax_add_up_to_a_constant() -> None:
    xs = [Value(x) for x in (0.5, -1.0, 2.0, 700.0)]
    mg.sum(mg.softmax(xs)).backward()
    assert [x.grad for x in xs] == pytest.approx([0.0] * 4, abs=1e-15)
