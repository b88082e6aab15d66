"""Protects what planted faults showed to be unprotected (``python -m benchmarks mutants``): a test for each."""

from __future__ import annotations

import math

import pytest

import micrograd as mg
from micrograd import AnomalyError, Value


def test_closures_run_by_hand_add_up_the_shares_of_all_uses() -> None:
    """What ``_backward`` is for: a gradient by hand, one node after the other, of a bias that feeds two samples."""
    b = Value(0.5, label="b")
    first, second = b * 10.0, b * 100.0
    loss = first + second
    square = b * b
    loss.grad = square.grad = 1.0
    for node in (loss, second, first):
        node._backward()
    assert (first.grad, second.grad) == (1.0, 1.0)
    assert b.grad == 110.0
    square._backward()  # two uses in one operation
    assert b.grad == 110.0 + 2 * 0.5


def test_an_anomaly_in_the_last_leaf_leaves_the_gradients_of_the_first_ones() -> None:
    """The sum over passes overflows in one leaf only; gradients of leaves before it are not stored either."""
    x, w = Value(0.5, label="x"), Value(0.25, label="w")
    with mg.detect_anomaly():
        hidden = x + w
        loss = hidden * 1e308
        x.grad, w.grad, hidden.grad = 0.25, 1e308, 0.5
        with pytest.raises(AnomalyError, match=r"the gradient of w=0\.25 adds up to inf; it was 1e\+308 before"):
            loss.backward()
    assert (x.grad, w.grad, hidden.grad, loss.grad) == (0.25, 1e308, 0.5, 0.0)


def test_a_tangent_depends_on_its_direction() -> None:
    """A directional derivative is linear in the direction, and can be differentiated with respect to it."""
    v = Value(2.0)
    value, tangent = mg.jvp(mg.sin, (0.5,), (v,))
    assert (value.data, tangent.data) == (math.sin(0.5), 2.0 * math.cos(0.5))
    tangent.backward()
    assert v.grad == math.cos(0.5)
    assert mg.grad(lambda v: mg.jvp(mg.sin, (0.5,), (v,))[1])(2.0) == math.cos(0.5)
