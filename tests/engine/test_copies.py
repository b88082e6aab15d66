"""Protects ``copy`` and ``deepcopy``: a copy differentiates to the same bits, shares what was shared and nothing with
the original, keeps labels, scopes and gradients, and leaves the original untouched.
"""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from support import registered, same, snapshot, wild_graphs

import micrograd as mg
from micrograd import Value, nn
from micrograd._copying import _FIELDS
from micrograd._node import Node


def test_every_slot_is_copied_or_belongs_to_a_pass() -> None:
    assert {*_FIELDS, "_adjoint", "_visit", "__weakref__"} == set(Node.__slots__)


# --- copy -------------------------------------------------------------------------------------------------------


def test_a_shallow_copy_has_the_same_operands() -> None:
    x = Value(2.0, label="x")
    with mg.scope("inner"):
        y = x * 3
    y.label = "y"
    y.backward()
    again = copy.copy(y)
    assert again is not y
    assert again.operands == (x, 3.0)
    assert (again.data, again.grad, again.label, again.scope, again.op) == (6.0, 1.0, "y", "inner", "mul")
    again.data = 7.0
    again.label = "z"
    assert (y.data, y.label) == (6.0, "y")
    again.backward()
    assert x.grad == 6.0
    assert (copy.copy(x).data, copy.copy(x).grad, copy.copy(x).label, copy.copy(x).parents) == (2.0, 6.0, "x", ())


def test_a_shallow_copy_of_many_operands() -> None:
    x = Value(2.0)
    y = mg.sum([x, 1.0, x])
    assert copy.copy(y).operands == (x, 1.0, x)


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy])
def test_a_copy_is_no_new_result(copier: Any) -> None:
    y = Value(2.0, label="x") * 3
    with mg.no_grad(), mg.scope("elsewhere"), mg.detect_anomaly():
        again = copier(y)
    assert again.op == "mul"
    assert again.scope == ""


# --- deepcopy ---------------------------------------------------------------------------------------------------


@given(wild_graphs(size=20))
def test_a_deep_copy_is_equal_and_apart(pool: list[Value]) -> None:
    for i, node in enumerate(pool):
        node.label = f"n{i}"
    pool[len(pool) // 2].backward()
    pool[0].data = pool[-1].data = 0.125  # stepped since the forward pass
    before = snapshot(pool)
    copies = copy.deepcopy(pool)
    assert same(snapshot(copies), before)
    assert set(copies).isdisjoint(pool)
    copies[-1].backward()
    assert same(snapshot(pool), before)
    pool[-1].backward()
    assert same(snapshot(copies), snapshot(pool))


def test_a_deep_copy_of_a_leaf() -> None:
    x = Value(2.0, label="x")
    x.grad = 5.0
    again = copy.deepcopy(x)
    assert again is not x
    assert repr(again) == "Value(data=2.0, grad=5.0, label='x')"


def test_identity_is_kept_over_a_container() -> None:
    x = Value(2.0)
    shared = x * x
    a, b = mg.exp(shared), mg.sum([shared, x, 1.0])
    box = {"parameters": [x], "results": (a, b, shared), "again": a}
    again = copy.deepcopy(box)
    (x2,) = again["parameters"]
    a2, b2, shared2 = again["results"]
    assert again["again"] is a2
    assert a2.parents == (shared2,)
    assert b2.operands == (shared2, x2, 1.0)
    assert shared2.parents == (x2, x2)
    assert x2 is not x
    b2.backward()
    assert (x2.grad, x.grad) == (5.0, 0.0)


def test_the_memo_is_shared_and_respected() -> None:
    x, w = Value(2.0), Value(3.0)
    y = x * w
    memo: dict[int, Any] = {id(w): w}  # share the parameter, copy the rest
    y2 = copy.deepcopy(y, memo)
    z2 = copy.deepcopy(y * x, memo)
    assert y2.parents == (memo[id(x)], w)
    assert z2.parents == (y2, memo[id(x)])
    assert memo[id(x)] is not x


def test_a_model_is_copied_with_its_parameters() -> None:
    model = nn.MLP(2, [3, 1])
    again = copy.deepcopy(model)
    again([1.0, 2.0]).backward()
    assert again.parameters()[-1].grad == 1.0
    assert all(p.grad == 0.0 for p in model.parameters())
    assert [p.data for p in again.parameters()] == [p.data for p in model.parameters()]


def test_gradients_that_are_nodes_are_copied_along() -> None:
    x, w = Value(2.0, label="x"), Value(3.0, label="w")
    y = x * x * w
    y.backward(create_graph=True)
    x2, w2, y2 = copy.deepcopy((x, w, y))
    nodes = set(mg.topological_order(y, x.grad, w.grad))
    nodes2 = set(mg.topological_order(y2, x2.grad, w2.grad))
    assert nodes.isdisjoint(nodes2)
    assert len(nodes) == len(nodes2)
    slope, x2.grad, w2.grad = x2.grad, 0.0, 0.0
    slope.backward()
    assert (x2.grad, w2.grad) == (6.0, 4.0)  # 2 w and 2 x
    assert type(x.grad) is type(w.grad) is Value
    assert (x.grad.grad, x.grad.data) == (0.0, 12.0)


def test_a_gradient_of_a_gradient_is_copied_along() -> None:
    x = Value(2.0)
    (x**4).backward(create_graph=True)
    slope, x.grad = x.grad, 0.0
    slope.backward(create_graph=True)
    slope2, x2 = copy.deepcopy([slope, x])
    assert (slope2.data, x2.grad.data) == (32.0, 48.0)
    curvature, x2.grad = x2.grad, 0.0
    curvature.backward()
    assert x2.grad == 48.0  # 24 x
    assert x.grad.data == 48.0


def test_many_gradients_in_a_row_take_one_walk() -> None:
    nodes = [Value(float(i)) for i in range(3000)]
    for node, following in pairwise(nodes):
        node.grad = following
    again = copy.deepcopy(nodes[0])
    for i in range(3000):
        assert again.data == float(i)
        again = again.grad


def test_a_users_operation_is_copied_by_reference() -> None:
    with registered("twice", forward=lambda a: 2 * a, vjp=(lambda g, out, a: 2 * g,)) as twice:
        x = Value(3.0)
        y = twice(x)
    x2, y2 = copy.deepcopy((x, y))  # it need not be in the table any more
    assert y2._op_row is twice
    y2.backward()
    assert x2.grad == 2.0
