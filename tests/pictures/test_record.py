"""Protects what a picture says of each node and edge: the engine's own numbers, and no gradient where none is known."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import registered, same, snapshot, tame_numbers, wild_graphs

import micrograd as mg
from micrograd import Value
from micrograd.pictures.record import Record, of_pass, record


def gradients(read: Record) -> list[float | None]:
    return [node.grad for node in read.nodes]


def shares_of(read: Record, v: Value) -> list[tuple[Value, int, float | None, float | None]]:
    """Return the edges from ``v`` in the order in which the engine adds them up."""
    of_v = [edge for edge in reversed(read.edges) if read.values[edge.operand] is v]
    return [(read.values[edge.consumer], edge.position, edge.local, edge.share) for edge in of_v]


@given(wild_graphs())
def test_before_a_pass_nothing_is_computed(pool: list[Value]) -> None:
    read = record([pool[-1]])
    assert set(gradients(read)) == {None}
    assert {edge.share for edge in read.edges} <= {None}
    assert {node.received for node in read.nodes} == {None}


@given(wild_graphs())
def test_the_edges_tell_what_explain_tells(pool: list[Value]) -> None:
    root = pool[-1]
    for v in pool:
        v.label = ""
    root.backward()
    read = record([root])
    assert list(read.values) == mg.graph.topological_order(root)
    for v, node in zip(read.values, read.nodes):
        account = mg.explain(v, root)
        told = [(use.consumer, use.position, use.local, use.share) for use in account]
        assert same(sorted(map(repr, shares_of(read, v))), sorted(map(repr, told)))
        assert node.uses == len(account)
        assert same(node.data, v.data)
        assert same(node.grad, v.grad)


@given(wild_graphs(tame_numbers))
def test_what_the_edges_add_up_to_is_the_gradient(pool: list[Value]) -> None:
    root = pool[-1]
    root.backward()
    for node in record([root]).nodes:
        assert node.grad is not None
        assert node.received is not None
        if math.isfinite(node.grad):
            assert math.isclose(node.received, node.grad, rel_tol=1e-9, abs_tol=1e-300)


@given(wild_graphs())
def test_the_pass_of_the_explorer_is_that_of_backward_and_leaves_no_trace(pool: list[Value]) -> None:
    root = pool[-1]
    before = snapshot(pool)
    read = of_pass(root)
    assert same(snapshot(pool), before)
    root.backward()
    assert same(gradients(read), [v.grad for v in read.values])
    assert sorted(read.reverse) == [i for i, v in enumerate(read.values) if v.op]
    place = {i: step for step, i in enumerate(read.reverse)}
    assert all(place[e.consumer] < place[e.operand] for e in read.edges if e.operand in place)


@given(wild_graphs(), st.booleans())
def test_reading_changes_nothing(pool: list[Value], computed: bool) -> None:
    if computed:
        pool[-1].backward()
    before, flags = snapshot(pool), [v._visit for v in pool]
    record(pool, {"pool": pool})
    assert same(snapshot(pool), before)
    assert [v._visit for v in pool] == flags


# --- which gradients are known ------------------------------------------------------------------------------------


def test_a_dead_relu_has_gradients_of_zero_after_backward() -> None:
    x = Value(-1.0, label="x")
    loss = mg.relu(x * 2.0) * 3.0
    assert gradients(record([loss])) == [None] * 4
    loss.backward()
    assert gradients(record([loss])) == [0.0, 0.0, 3.0, 1.0]
    below = loss.parents[0].parents[0]
    assert gradients(record([below])) == [0.0, 0.0]  # drawn alone, the trace of the pass is all there is


def test_an_upstream_gradient_of_zero_is_a_pass_too() -> None:
    x = Value(2.0)
    y = x * x
    y.backward(0.0)
    assert gradients(record([y])) == [0.0, 0.0]


def test_an_account_is_no_pass() -> None:
    x = Value(2.0)
    y = mg.tanh(x * x)
    mg.explain(x, y)
    assert gradients(record([y])) == [None] * 3
    assert gradients(record([y.parents[0]])) == [None] * 2


def test_an_interior_node_drawn_alone_shows_the_pass_of_the_whole() -> None:
    a, b = Value(2.0, label="a"), Value(3.0, label="b")
    product = a * b
    loss = product * 10.0 + a
    assert gradients(record([product])) == [None] * 3
    loss.backward()
    read = record([product])
    assert gradients(read) == [31.0, 20.0, 10.0]
    assert [node.received for node in read.nodes] == [30.0, 20.0, 10.0]  # the rest of a's comes from outside
    assert [edge.share for edge in read.edges] == [30.0, 20.0]


def test_a_pass_that_began_below_the_root_shows_there_only() -> None:
    a, b = Value(2.0), Value(5.0)
    below = a * a
    root = below + b
    below.backward()
    read = record([root])
    by_node = dict(zip(read.values, gradients(read)))
    assert by_node == {a: 4.0, below: 1.0, b: None, root: None}


def test_after_zero_grad_a_leaf_shows_what_is_there_and_its_edges_what_they_gave() -> None:
    w, x = Value(2.0), Value(3.0)
    y = w * x
    y.backward()
    w.grad = 0.0
    read = record([y])
    assert gradients(read) == [0.0, 2.0, 1.0]
    assert [node.received for node in read.nodes] == [3.0, 2.0, 1.0]


def test_a_leaf_keeps_the_gradient_of_an_earlier_graph() -> None:
    w = Value(2.0)
    (w * 3.0).backward()
    unknown = w * 5.0
    read = record([unknown])
    assert gradients(read) == [3.0, None]
    assert read.nodes[0].received is None  # nothing of it has come along this edge
    assert [edge.share for edge in read.edges] == [None]


def test_two_passes_are_in_the_leaf_and_one_is_in_the_edges() -> None:
    w, x = Value(2.0), Value(3.0)
    y = w * x
    y.backward()
    y.backward()
    read = record([y])
    assert gradients(read) == [6.0, 4.0, 1.0]
    assert [node.received for node in read.nodes] == [3.0, 2.0, 1.0]


def test_gradients_that_are_values_show_their_numbers() -> None:
    x = Value(2.0)
    y = x**3.0
    y.backward(create_graph=True)
    assert isinstance(x.grad, Value)
    assert gradients(record([y])) == [12.0, 1.0]
    assert [edge.share for edge in record([y]).edges] == [12.0]
    dead = mg.relu(x * -1.0)
    (dead * 2.0).backward(create_graph=True)
    assert gradients(record([dead.parents[0]])) == [12.0, 0.0]


def test_of_several_roots_each_has_its_own_pass() -> None:
    x, other = Value(2.0), Value(7.0)
    first, second = x * 3.0, other * 5.0
    first.backward()
    read = record([first, second])
    assert dict(zip(read.values, gradients(read))) == {x: 3.0, first: 1.0, other: None, second: None}
    assert [read.values[i] for i in read.roots] == [first, second]
    twice = record([second, second])
    assert [twice.values[i] for i in twice.roots] == [second]


@pytest.mark.parametrize("computed", [False, True])
def test_a_leaf_alone(computed: bool) -> None:
    x = Value(2.0, label="x")
    if computed:
        x.backward()
    read = record([x])
    assert gradients(read) == [1.0 if computed else None]
    assert (read.edges, read.title()) == ([], "x")


# --- what a box says of an operation ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "shown"),
    [
        (lambda x: x + x, "+"),
        (lambda x: x * 2, "· * 2"),
        (lambda x: 2 - x, "2 - ·"),
        (lambda x: x / 3.0, "· / 3"),
        (lambda x: x**-0.5, "· ** (-0.5)"),
        (lambda x: -2.0 - x, "(-2) - ·"),
        (lambda x: x * (1 / 3), "· * 0.3333"),
        (lambda x: x * 1e-30, "· * 1e-30"),
        (mg.tanh, "tanh"),
        (lambda x: mg.maximum(x, 0), "maximum(·, 0)"),
        (lambda x: mg.sum([x, 1.0, x]), "sum(·, 1, ·)"),
        (lambda x: mg.sum([x] * 7), "Σ"),
        (lambda x: mg.sum([x, *[1.0] * 7]), "sum(·, 1, 1, 1, 1, 1, ... 8 operands)"),
    ],
)
def test_numbers_are_shown_where_they_are_used(build: Any, shown: str) -> None:
    assert record([build(Value(2.0))]).nodes[-1].shown == shown


def test_numbers_that_are_operands_have_the_digits_asked_for() -> None:
    assert record([Value(2.0) * (1 / 3)], digits=10).nodes[-1].shown == "· * 0.3333333333"


def test_scopes_are_paths() -> None:
    with mg.scope("/layer1//neuron3/"), mg.scope("a\x00b"):
        v = Value(1.0)
    assert record([v]).nodes[0].scope == ("layer1", "neuron3", "a\ufffdb")


# --- what can be wrong --------------------------------------------------------------------------------------------


def test_the_first_number_that_is_not_finite() -> None:
    x = Value(0.0)
    bad = mg.log(x)
    y = (x + 1.0) * bad * 2.0
    read = record([y])
    assert read.first_bad is not None
    assert read.values[read.first_bad] is bad
    assert record([x * 2.0]).first_bad is None


def test_the_first_gradient_that_is_not_finite_in_the_order_of_the_pass() -> None:
    x = Value(0.0)
    below = x * 1.0
    loss = mg.sqrt(below) * 3.0
    loss.backward()
    read = record([loss])
    assert read.first_bad is not None
    assert read.values[read.first_bad] is below  # and x after it


def test_a_rule_that_raises_is_told_and_nothing_else_fails() -> None:
    def rule(g: Any, out: Any, a: Any) -> Any:
        raise ZeroDivisionError("not\x00done")

    with registered("under_construction", forward=lambda a: a, vjp=(rule,)) as op:
        x = Value(2.0)
        y = op(x) * 3.0 + x
        read = record([y])
        assert [edge.local for edge in read.edges] == [None, 3.0, 1.0, 1.0]
        (note,) = read.notes
        assert note.startswith("the derivative rule of under_construction raises ZeroDivisionError('not")
        assert "\x00" not in note
        assert gradients(read) == [None] * 4


def test_numbers_that_changed_since_the_forward_pass_are_told() -> None:
    w, x = Value(2.0), Value(3.0)
    y = mg.tanh(w * x)
    assert record([y]).notes == []
    w.data = 5.0
    assert record([y]).notes == ["1 number changed since the forward pass; the derivatives are those of the pass"]
    assert [edge.local for edge in record([y]).edges][:2] == [3.0, 2.0]
    y.data = 0.0
    assert record([y]).notes == ["2 numbers changed since the forward pass; the derivatives are those of the pass"]
    y.data = math.nan
    w.data = 2.0
    assert len(record([y]).notes) == 1


def test_a_picture_needs_roots_that_are_values() -> None:
    with pytest.raises(TypeError, match="a picture needs a root"):
        record([])
    with pytest.raises(TypeError, match=r"a root is a Value, not 1\.0 \(type float\)"):
        record([1.0])  # type: ignore[list-item]


def test_a_pass_that_failed_has_computed_nothing() -> None:
    x = mg.Value(2.0)
    y = mg.relu(x * 3.0) * x
    x.data = 5.0
    with pytest.raises(mg.StaleValueError):
        y.backward(create_graph=True)
    assert [node.grad for node in record([y]).nodes] == [None] * 4


def test_a_pass_that_stores_nothing_computes_nothing_for_a_picture() -> None:
    x = mg.Value(-1.0)
    part = x * 2.0
    loss = mg.relu(part)
    mg.explain(x, loss)  # the gradient of part is exactly 0 there
    of_pass(loss)
    assert [node.grad for node in record([part]).nodes] == [None, None]
    loss.backward()
    mg.explain(part, part * 3.0)
    assert [node.grad for node in record([part]).nodes] == [0.0, 0.0]
