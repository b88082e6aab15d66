"""Protects the fast backward pass: on any graph it gives the bits of its slow and obvious twin, it visits every node
once and after all that use it, and a node of very many operands costs no more than its operands.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from support import same, wild_graphs

import micrograd as mg
from micrograd import Value
from micrograd._copying import operands_first
from micrograd.engine import _sweep, _sweep_checked, interior_order


def result_of(sweep: Callable[..., None], root: Value, *options: Any) -> tuple[list[Any], list[Any]]:
    order = interior_order([root])
    leaves: dict[Value, Any] = {}
    root._adjoint = 1.0
    sweep(order, leaves, *options)
    return [node._adjoint for node in order], [(id(leaf), g) for leaf, g in leaves.items()]


@settings(max_examples=400)
@given(wild_graphs(size=20))
def test_the_fast_sweep_gives_the_bits_of_its_obvious_twin(pool: list[Value]) -> None:
    fast = result_of(_sweep, pool[-1])
    slow = result_of(_sweep_checked, pool[-1], None, False)
    assert same(fast, slow)  # the leaves in the same order, too
    assert all(type(g) is float for g in fast[0])


@given(wild_graphs(size=20))
def test_the_order_has_every_interior_node_once_and_operands_first(pool: list[Value]) -> None:
    order = interior_order([pool[-1], pool[len(pool) // 2], pool[-1]])
    below = [n for n in operands_first([pool[-1], pool[len(pool) // 2]]) if n.op]
    assert len(order) == len(set(order))
    assert set(order) == set(below)
    place = {node: i for i, node in enumerate(order)}
    for node in order:
        assert all(place[x] < place[node] for x in node.parents if x.op)


@given(wild_graphs(size=20))
def test_a_rule_is_called_once_for_each_use(pool: list[Value]) -> None:
    calls: list[Value] = []
    root = pool[-1]
    order = interior_order([root])

    class Counting:
        def reached(self, operand: Value, consumer: Value, share: float, total: float) -> None:
            calls.append(consumer)

    root._adjoint = 1.0
    _sweep_checked(order, {}, Counting(), False)
    assert {node: calls.count(node) for node in calls} == {n: len(n.parents) for n in order if n._adjoint != 0.0}


def lines_run(function: Callable[[Value], object], root: Value, inside: str) -> int:
    """Count the lines that functions of a file run: a measure of work that no busy machine disturbs."""
    count = 0

    def local(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return local

    def calls(frame: FrameType, event: str, argument: object) -> Any:
        return local if frame.f_code.co_filename.endswith(inside) else None

    before = sys.gettrace()
    sys.settrace(calls)
    try:
        function(root)
    finally:
        sys.settrace(before)
    return count


def chain(n: int) -> Value:
    x = y = Value(1.0)
    for _ in range(n):
        y = y * x
    return y


def wide(n: int) -> Value:
    x = Value(1.0)
    total: Value = mg.sum([x * 2.0 for _ in range(n)])
    return total


WALKS: dict[str, tuple[str, Callable[[Value], object]]] = {
    "backward": ("engine.py", lambda root: root.backward()),
    "create_graph": ("engine.py", lambda root: root.backward(create_graph=True)),
    "topological_order": ("_copying.py", lambda root: mg.topological_order(root)),
    "statistics": ("graph.py", lambda root: mg.statistics(root)),
    "explain": ("graph.py", lambda root: mg.explain(mg.topological_order(root)[0], root)),
}


@pytest.mark.parametrize("walk", WALKS)
def test_a_node_of_many_operands_costs_no_more_than_its_operands(walk: str) -> None:
    inside, function = WALKS[walk]
    small, large = [lines_run(function, wide(n), inside) for n in (500, 2000)]
    assert small > 500
    assert large < 4.2 * small


@pytest.mark.parametrize("walk", WALKS)
def test_a_chain_costs_no_more_than_its_nodes(walk: str) -> None:
    inside, function = WALKS[walk]
    small, large = [lines_run(function, chain(n), inside) for n in (500, 2000)]
    assert small > 500
    assert large < 4.2 * small


def test_a_sum_of_a_hundred_thousand_results() -> None:
    x = Value(3.0)
    parts = [x * 2.0 for _ in range(100_000)]
    total = mg.sum(parts)
    total.backward()
    assert total.data == 600_000.0
    assert x.grad == 200_000.0
    assert all(part.grad == 1.0 for part in parts)


def test_a_wide_node_inside_a_wide_node() -> None:
    x = Value(1.0)
    inner = mg.sum([x, x * 2.0, x * 3.0])
    outer = mg.prod([inner, x * 4.0, inner, mg.sum([inner, x])])
    outer.backward()
    assert outer.data == 6.0 * 4.0 * 6.0 * 7.0
    # d/dx of 6x * 4x * 6x * 7x
    assert x.grad == 4 * 1008.0
