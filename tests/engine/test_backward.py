"""Protects ``backward()``: leaves accumulate and nodes between start afresh, the numbers of the forward pass are used
whatever happened since, no gradient means no share, and a backward pass that fails leaves every gradient as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support import registered, same, tame_numbers, wild_graphs, wild_numbers

import micrograd as mg
from micrograd import Value

# --- accumulating -----------------------------------------------------------------------------------------------


def test_a_gradient_is_the_sum_over_all_uses() -> None:
    x = Value(3.0)
    y = x * x + x * 10 + x
    y.backward()
    assert x.grad == 2 * 3.0 + 10 + 1


def test_leaves_accumulate_and_nodes_between_start_afresh() -> None:
    x, w = Value(2.0), Value(5.0)
    hidden = x * w
    y = hidden * hidden
    for times in (1, 2, 3):
        y.backward()
        assert x.grad == times * 100.0  # 2 * x * w * w
        assert w.grad == times * 40.0
        assert hidden.grad == 20.0
        assert y.grad == 1.0


def test_two_results_over_one_graph_add_up_in_the_leaves() -> None:
    x = Value(2.0)
    hidden = x * 3
    (hidden * 10).backward()
    (hidden * 100).backward()
    assert x.grad == 330.0
    assert hidden.grad == 100.0


@given(wild_graphs(numbers=tame_numbers))
def test_a_second_backward_adds_exactly_one_more_gradient(pool: list[Value]) -> None:
    pool[-1].backward()
    first = [node.grad for node in pool]
    pool[-1].backward()
    for node, grad in zip(pool, first):
        # A leaf doubles exactly; a result keeps its own gradient.
        assert same(node.grad, grad if node.op or not grad else 2 * grad)


@given(wild_graphs())
def test_repeating_after_zeroing_gives_the_same_bits(pool: list[Value]) -> None:
    pool[-1].backward()
    first = [node.grad for node in pool]
    for node in pool:
        node.grad = 0.0
    pool[-1].backward()
    assert same([node.grad for node in pool], first)


@given(wild_graphs())
def test_a_node_that_the_result_does_not_use_keeps_its_gradient(pool: list[Value]) -> None:
    below = set(mg.topological_order(pool[-1]))
    others = [node for node in pool if node not in below]
    for node in others:
        node.grad = 7.0
    pool[-1].backward()
    assert [node.grad for node in others] == [7.0] * len(others)


def test_backward_on_a_leaf_adds_to_itself() -> None:
    x = Value(2.0)
    x.backward()
    x.backward(0.5)
    assert x.grad == 1.5


def test_a_gradient_that_was_set_is_accumulated_on() -> None:
    x = Value(2.0)
    x.grad = 0.25
    (x * 3).backward()
    assert x.grad == 3.25


# --- upstream gradient ------------------------------------------------------------------------------------------


@given(wild_graphs(numbers=tame_numbers), st.integers(-60, 60))
def test_the_result_is_linear_in_the_upstream_gradient(pool: list[Value], exponent: int) -> None:
    pool[-1].backward()
    first = [node.grad for node in pool]
    assume(all(g == 0.0 or 1e-80 < abs(g) < 1e80 for g in first))
    for node in pool:
        node.grad = 0.0
    pool[-1].backward(2.0**exponent)
    for node, g in zip(pool, first):  # a power of two only shifts exponents, but for numbers that are almost 0
        assert node.grad == g * 2.0**exponent or abs(node.grad) + abs(g) < 1e-250


@pytest.mark.parametrize("gradient", [2, True, np.float32(0.5), Fraction(1, 4), -3.0])
def test_the_upstream_gradient_is_any_real_number(gradient: Any) -> None:
    x = Value(2.0)
    y = x * 4
    y.backward(gradient)
    assert type(x.grad) is type(y.grad) is float
    assert (x.grad, y.grad) == (4.0 * float(gradient), float(gradient))


@pytest.mark.parametrize("gradient", ["1", None, 1j, [1.0], np.array([1.0]), Value(1.0)])
def test_any_other_upstream_gradient_is_refused(gradient: Any) -> None:
    x = Value(2.0)
    y = x * 4
    y.backward()
    with pytest.raises(TypeError, match="expected a number as upstream gradient but got"):
        y.backward(gradient)
    assert (x.grad, y.grad) == (4.0, 1.0)


@given(wild_graphs())
def test_a_zero_upstream_contributes_exactly_zero(pool: list[Value]) -> None:
    for zero in (0.0, -0.0):
        pool[-1].backward(zero)
        assert same([abs(node.grad) for node in pool], [0.0] * len(pool))


@given(wild_numbers)
def test_a_branch_that_is_not_taken_contributes_exactly_zero(number: float) -> None:
    x = Value(number)
    y = mg.where(0.0, mg.log(x) * mg.sqrt(x) / (x - x), 3.0)
    y.backward()
    assert same(x.grad, 0.0)


# --- between forward and backward -------------------------------------------------------------------------------


@given(wild_graphs(), wild_numbers)
def test_stepping_a_parameter_does_not_corrupt_the_gradient(pool: list[Value], number: float) -> None:
    pool[-1].backward()
    first = [node.grad for node in pool]
    for node in pool:
        node.grad = 0.0
        node.data = number
    pool[-1].backward()
    assert same([node.grad for node in pool], first)


@given(wild_graphs())
def test_backward_changes_nothing_but_gradients(pool: list[Value]) -> None:
    before = [(repr(node.data), node.op, node.operands, node.label, node.scope) for node in pool]
    pool[-1].backward()
    assert [(repr(node.data), node.op, node.operands, node.label, node.scope) for node in pool] == before


def test_a_graph_may_grow_after_backward() -> None:
    x = Value(2.0)
    y = x * x
    y.backward()
    z = y * 10
    z.backward()
    assert x.grad == 4.0 + 40.0
    assert y.grad == 10.0


def test_the_lecture_by_hand() -> None:
    """Run the backward closures in reversed topological order, as in the well-known lecture."""
    x1, x2 = Value(2.0, label="x1"), Value(0.0, label="x2")
    w1, w2, b = Value(-3.0, label="w1"), Value(1.0, label="w2"), Value(6.8813735870195432, label="b")
    n = x1 * w1 + x2 * w2 + b
    o = n.tanh()
    topo: list[Value] = []
    visited = set()

    def build_topo(v: Value) -> None:
        if v not in visited:
            visited.add(v)
            for child in v._prev:
                build_topo(child)
            topo.append(v)

    build_topo(o)
    o.grad = 1.0
    for node in reversed(topo):
        node._backward()
    assert [round(v.grad, 4) for v in (x1, w1, x2, w2, n)] == [-1.5, 1.0, 0.5, 0.0, 0.5]
    by_hand = [v.grad for v in topo]
    for v in topo:
        v.grad = 0.0
    o.backward()
    assert same([v.grad for v in topo], by_hand)


def test_a_closure_of_a_leaf_does_nothing() -> None:
    x = Value(1.0)
    x._backward()
    assert x.grad == 0.0


# --- users' rules -----------------------------------------------------------------------------------------------

ODD_BUT_REAL = [2, True, np.float32(0.1), np.float64(2.0), np.int64(2), Fraction(1, 3)]


@pytest.mark.parametrize("share", ODD_BUT_REAL, ids=repr)
def test_rules_may_return_any_real_number_and_gradients_stay_floats(share: Any) -> None:
    with (
        registered("one", forward=lambda a: a, vjp=(lambda g, out, a: share,)) as one,
        registered("two", forward=lambda a, b: a, vjp=(lambda g, out, a, b: share, lambda g, out, a, b: share)) as two,
        registered("many", forward=lambda *xs: xs[0], vjp=lambda g, out, *xs: [share] * len(xs)) as many,
        registered("three", forward=lambda a, b, c: a, vjp=(lambda g, out, a, b, c: share,) * 3) as three,
    ):
        ways: list[Callable[[Value], Any]] = [one, lambda v: two(v, v), lambda v: many([v, v, 1.0])]
        ways.append(lambda v: three(v, 2.0, v))
        for make in ways:
            x = Value(1.0)
            hidden = x * 1e-9
            y = make(hidden) + hidden * 1e-9
            y.backward()
            assert [type(node.grad) for node in mg.topological_order(y)] == [float] * 5
            uses = y.parents[0].parents.count(hidden)
            expected = 1e-9
            for _ in range(uses):
                expected += float(share)
            assert hidden.grad == expected
            assert x.grad == expected * 1e-9


def failing(kind: str) -> Callable[..., Any]:
    def rule(g: Any, out: Any, *operands: Any) -> Any:
        if kind == "raises":
            raise ZeroDivisionError("deep inside a rule")
        return {"None": None, "text": "1", "complex": 1j, "list": [1.0], "array": np.array([1.0])}[kind]

    return rule


FAILURES = [
    ("raises", ZeroDivisionError, "deep inside a rule"),
    ("None", TypeError, "return statement"),
    ("text", TypeError, r"float\(text\)"),
    ("complex", TypeError, "micrograd is real"),
    ("list", TypeError, r"\[1\.0\] \(type list\)"),
    ("array", TypeError, "ndarray"),
]


def with_bad(arity: int | None, rule: Callable[..., Any]) -> dict[str, Any]:
    if arity is None:
        return {"vjp": lambda g, out, *xs: [g, *[rule(g, out, *xs)] * (len(xs) - 1)]}
    return {"vjp": (*[lambda g, out, *xs: g] * (arity - 1), rule)}


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize("arity", [1, 2, 3, None])
@pytest.mark.parametrize(("kind", "error", "words"), FAILURES, ids=[kind for kind, *_ in FAILURES])
def test_a_failing_rule_leaves_all_gradients_as_they_were(
    kind: str, error: type[Exception], words: str, arity: int | None, checked: bool, create_graph: bool
) -> None:
    with registered("bad", forward=lambda *xs: xs[0], **with_bad(arity, failing(kind))) as bad:
        x, w = Value(2.0, label="x"), Value(3.0, label="w")
        hidden = x * w
        broken = bad([hidden, x]) if arity is None else bad(*[hidden, x, w][:arity])
        y = broken * w + w
        nodes = mg.topological_order(y)
        for i, node in enumerate(nodes):
            node.grad = i + 0.5
        with pytest.raises(error, match=words) as caught, mg.detect_anomaly() if checked else mg.scope("plain"):
            y.backward(create_graph=create_graph)
        told = "\n".join([str(caught.value), *caught.value.__notes__])
        assert "bad(6.0" in told
        if kind != "raises":
            assert "a real number from the derivative rule of 'bad' but got" in told
        assert [node.grad for node in nodes] == [i + 0.5 for i in range(len(nodes))]
        assert [type(node.grad) for node in nodes] == [float] * len(nodes)


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_wrong_number_of_contributions_is_named(create_graph: bool) -> None:
    for count in (0, 1, 3):
        with registered("bad", forward=lambda *xs: xs[0], vjp=lambda g, out, *xs: [g] * count) as bad:  # noqa: B023
            x = Value(2.0)
            y = bad([x, x * 2])
            words = f"the rule of 'bad' returned {count} contributions for 2 operands"
            with pytest.raises(ValueError, match=words) as caught:
                y.backward(create_graph=create_graph)
            assert "made by bad(2.0, 4.0)" in caught.value.__notes__[0]
            assert (x.grad, y.grad) == (0.0, 0.0)


def test_a_rule_need_not_answer_for_numbers() -> None:
    with registered("pick", forward=lambda *xs: xs[0], vjp=lambda g, out, *xs: [g, None]) as pick:
        x = Value(2.0)
        pick([x, 5.0]).backward()
        assert x.grad == 1.0
        with pytest.raises(TypeError, match="from the derivative rule of 'pick' but got None"):
            pick([x, x]).backward()
        assert x.grad == 1.0


def test_the_rule_of_a_number_is_not_called() -> None:
    def never(*arguments: Any) -> Any:
        raise AssertionError("a number has no derivative")

    with registered("first", forward=lambda a, b: a, vjp=(lambda g, out, a, b: g, never)) as first:
        x = Value(2.0)
        first(x, 3.0).backward()
        assert x.grad == 1.0


def test_an_interrupt_leaves_all_gradients_as_they_were() -> None:
    def interrupted(g: Any, out: Any, a: Any) -> Any:
        raise KeyboardInterrupt

    with registered("slow", forward=lambda a: a, vjp=(interrupted,)) as slow:
        x = Value(2.0)
        y = slow(x) * x
        x.grad = 0.5
        with pytest.raises(KeyboardInterrupt):
            y.backward()
        assert (x.grad, y.grad) == (0.5, 0.0)
