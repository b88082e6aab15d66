"""Protects the second level of a check: faults of the backward pass itself are caught, and the use to blame is named.

Each fault is planted in the engine for the length of a test. The rules of the table stay right, so it is the way in
which they are put together that is judged.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

import micrograd as mg
from micrograd import Value, engine
from micrograd.testing import Report, gradcheck
from micrograd.testing.oracles import directions

Sweep = Callable[[list[Value], dict[Value, Any]], None]


def shared(x: Any, y: Any) -> Any:
    """Use ``s`` twice, and x three times."""
    s = mg.sin(x)
    return s * y + mg.exp(s) * x + x


def naive_sweep(share_of: Callable[[float, float], float] = lambda total, share: total + share) -> Sweep:
    """Return a sweep like the engine's, but for how a share meets what is there already."""

    def sweep(order: list[Value], leaves: dict[Value, Any]) -> None:
        for node in reversed(order):
            for operand, share in engine.shares(node, node._adjoint):
                if operand._op_row is None:
                    leaves[operand] = share_of(leaves.get(operand, 0.0), share)
                else:
                    operand._adjoint = share_of(operand._adjoint, share)

    return sweep


def caught(monkeypatch: pytest.MonkeyPatch, name: str, fault: Any, f: Any = shared, at: Any = (0.7, 1.3)) -> Report:
    assert gradcheck(f, *at).verdict == "right"
    with monkeypatch.context() as patch:
        patch.setattr(engine, name, fault)
        report = gradcheck(f, *at)
    assert report.verdict == "wrong"
    assert report.culprit is not None
    assert gradcheck(f, *at).verdict == "right"
    return report


def test_the_naive_sweep_of_these_tests_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_sweep", naive_sweep())
    assert gradcheck(shared, 0.7, 1.3).verdict == "right"


def test_an_overwritten_gradient_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    report = caught(monkeypatch, "_sweep", naive_sweep(lambda total, share: share))
    assert report.culprit is not None
    assert "lost" in report.culprit.what
    assert report.culprit.operand is not None
    # The shortest program is one in which something is used twice.
    assert report.program is not None
    assert len(report.program.instructions) == 1
    ((_, *operands),) = report.program.instructions
    assert len(operands) == 2
    assert operands[0] == operands[1]


def test_a_share_that_is_counted_twice_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    report = caught(monkeypatch, "_sweep", naive_sweep(lambda total, share: total + share + share * (total == 0.0)))
    assert report.culprit is not None
    assert "twice" in report.culprit.what


def test_a_share_that_is_off_by_a_little_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    caught(monkeypatch, "_sweep", naive_sweep(lambda total, share: total + share * (1.0 + 1e-12)))


def breadth_first(roots: Any) -> list[Value]:
    order: list[Value] = []
    seen = set()
    front = [root for root in roots if root._op_row is not None]
    while front:
        following = []
        for node in front:
            if node not in seen:
                seen.add(node)
                node._adjoint = 0.0
                order.append(node)
                following += [x for x in node.parents if x._op_row is not None]
        front = following
    return order[::-1]


def test_breadth_first_order_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def f(x: Any) -> Any:
        s = mg.sin(x)
        return s * mg.exp(mg.tanh(s))  # s is one step from the result, and three

    report = caught(monkeypatch, "interior_order", breadth_first, f, (0.7,))
    assert report.culprit is not None
    assert report.culprit.operand is not None


def test_an_operand_that_is_visited_twice_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = engine.interior_order

    def twice(roots: Any) -> list[Value]:
        order = right(roots)
        return [node for node in order for _ in range(2 if node.op == "exp" else 1)]

    caught(monkeypatch, "interior_order", twice)


def test_an_adjoint_that_does_not_start_afresh_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = engine.interior_order

    def stale(roots: Any) -> list[Value]:
        left = {}
        for node in mg.topological_order(*roots):
            left[node] = getattr(node, "_adjoint", 0.0)
        order = right(roots)
        for node in order:
            node._adjoint = left[node]
        return order

    report = caught(monkeypatch, "interior_order", stale)
    assert "afresh" in report.reason


def test_an_upstream_gradient_that_is_ignored_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = engine._sow

    def half(seeds: Any, leaves: Any) -> None:
        right([(root, 0.5 * g) for root, g in seeds], leaves)

    report = caught(monkeypatch, "_sow", half)
    assert "upstream" in report.reason


def test_a_leaf_that_does_not_accumulate_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = engine._commit

    def commit(order: list[Value], leaves: dict[Value, Any], create_graph: bool) -> None:
        for leaf in leaves:
            leaf._grad = 0.0
        right(order, leaves, create_graph)

    report = caught(monkeypatch, "_commit", commit)
    assert "one more gradient" in report.reason


def test_numbers_that_are_read_after_the_forward_pass_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(order: list[Value], leaves: dict[Value, Any]) -> None:
        for node in order:
            node._a, node._b = [x.data if isinstance(x, Value) else x for x in (node._left, node._right)]
        naive_sweep()(order, leaves)

    report = caught(monkeypatch, "_sweep", late)
    assert "changed after the forward pass" in report.reason


def test_results_that_are_read_after_the_forward_pass_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(order: list[Value], leaves: dict[Value, Any]) -> None:
        for node in order:
            node._out = node._data
        naive_sweep()(order, leaves)

    report = caught(monkeypatch, "_sweep", late)
    assert "changed after the forward pass" in report.reason


def test_a_constant_upstream_gradient_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = engine._sow
    report = caught(monkeypatch, "_sow", lambda seeds, leaves: right([(root, 1.0) for root, _ in seeds], leaves))
    assert "upstream gradient of -2" in report.reason


def test_a_second_derivative_that_misses_a_path_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = engine._contributions

    def detached(node: Value, g: Any, out: Any, operands: Any) -> Any:
        pairs = right(node, g, out, operands)
        if isinstance(out, Value) and node.op == "exp":
            return [(x, share.data if isinstance(share, Value) else share) for x, share in pairs]
        return pairs

    report = caught(monkeypatch, "_contributions", detached)
    assert report.culprit is not None
    assert report.culprit.order == 2


def test_operands_recorded_in_the_wrong_order_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Value._record

    def swapped(self: Value, op: Any, operands: Any, numbers: Any) -> None:
        right(self, op, operands[::-1], numbers[::-1])

    with monkeypatch.context() as patch:
        patch.setattr(Value, "_record", swapped)
        report = gradcheck(lambda x, y: mg.exp(x - y), 0.7, 1.3)
    assert report.verdict == "wrong"
    assert "recorded operands" in report.reason


@pytest.mark.parametrize("count", [1, 2, 3, 10, 1000])
def test_directions_are_not_special(count: int) -> None:
    found = directions(count)
    assert len(found) == 3
    for direction in found:
        assert len(direction) == count
        assert all(0.5 <= abs(step) <= 1.5 for step in direction)
    if count > 2:
        cosines = [
            abs(sum(a * b for a, b in zip(u, v))) / math.hypot(*u) / math.hypot(*v)
            for i, u in enumerate(found)
            for v in found[:i]
        ]
        assert max(cosines) < 0.99
