"""Protects pickles of graphs: every protocol and both picklers, sizes around the pickler's batches, identity over
everything that is pickled together, gradients that are nodes, and operations that users registered.
"""

from __future__ import annotations

import io
import pickle
import random
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import registered, run_python, same, snapshot, wild_graphs

import micrograd as mg
from micrograd import Value, _copying, nn


def through_c(thing: Any, protocol: int) -> Any:
    return pickle.loads(pickle.dumps(thing, protocol))


def through_python(thing: Any, protocol: int) -> Any:
    file = io.BytesIO()
    pickle._Pickler(file, protocol).dump(thing)
    return pickle._loads(file.getvalue())  # type: ignore[attr-defined]


Way = Callable[[Any], Any]
WAYS: list[Any] = [
    pytest.param(lambda thing, f=f, p=p: f(thing, p), id=f"{f.__name__}-{p}")
    for f in (through_c, through_python)
    for p in range(6)
]


@pytest.fixture(autouse=True)
def _nothing_is_being_written() -> Any:
    yield
    assert _copying._writing.listing() is None


@pytest.mark.parametrize("way", WAYS)
def test_a_leaf(way: Way) -> None:
    x = Value(0.1, label="β\x00\udc80")
    x.grad = -0.0
    again = way(x)
    assert again is not x
    assert repr(again) == repr(x)
    assert again.parents == ()


@pytest.mark.parametrize("way", WAYS)
def test_a_graph_keeps_labels_scopes_and_gradients(way: Way) -> None:
    x = Value(2.0, label="x")
    with mg.scope("layer1"):
        y = mg.tanh(x * x * 0.1)
    y.label = "y"
    y.backward()
    x.data = 5.0  # stepped since the forward pass
    again = way(y)
    nodes, copies = mg.topological_order(y), mg.topological_order(again)
    assert same(snapshot(copies), snapshot(nodes))
    assert [n.scope for n in copies] == ["", "layer1", "layer1", "layer1"]
    again.backward()
    y.backward()
    assert same(snapshot(copies), snapshot(nodes))


@pytest.mark.parametrize("way", WAYS)
def test_parameters_and_loss_stay_one_graph(way: Way) -> None:
    model = nn.MLP(2, [3, 1], rng=random.Random(1))
    loss = model([0.5, -1.0]) ** 2
    for thing in ((model.parameters(), loss), (loss, model.parameters())):
        parameters, again = way(thing) if isinstance(thing[0], list) else reversed(way(thing))
        again.backward()
        loss.backward()
        assert same([p.grad for p in parameters], [p.grad for p in model.parameters()])
        assert any(p.grad for p in parameters)
        assert set(parameters) <= set(mg.topological_order(again))
        model.zero_grad()


@pytest.mark.parametrize("way", WAYS)
def test_nodes_shared_among_results_stay_shared(way: Way) -> None:
    x = Value(2.0)
    shared = x * x
    a, b = mg.exp(shared), mg.sum([shared, x, 1.0])
    c = a * b
    box = way({"c": c, "a": a, "shared": shared, "b": [b, b], "x": x})
    assert box["c"].parents == (box["a"], box["b"][0])
    assert box["b"][0] is box["b"][1]
    assert box["b"][0].operands == (box["shared"], box["x"], 1.0)
    assert box["a"].parents == (box["shared"],)
    assert box["shared"].parents == (box["x"], box["x"])
    order = [x, b, c, shared, a]  # whichever comes first in the pickle
    x2, b2, c2, shared2, a2 = way(order)
    assert c2.parents == (a2, b2)
    assert a2.parents == (shared2,)
    assert shared2.parents == (x2, x2)


@settings(max_examples=60)
@given(wild_graphs(size=20), st.randoms(use_true_random=False), st.sampled_from([*WAYS[1:6], *WAYS[7:]]))
# Protocol 0 writes numbers as text, without the sign of a nan, which ``copysign`` sees.
def test_any_nodes_of_any_graph_in_any_order(pool: list[Value], dice: random.Random, way: Any) -> None:
    pool[len(pool) // 2].backward()
    pool[0].data = pool[-1].data = 0.125  # stepped since the forward pass
    shuffled = list(pool)
    dice.shuffle(shuffled)
    before = snapshot(shuffled)
    again = way.values[0](shuffled)
    assert same(snapshot(again), before)
    assert same(snapshot(shuffled), before)
    again[shuffled.index(pool[-1])].backward()
    pool[-1].backward()
    assert same(snapshot(again), snapshot(shuffled))


@pytest.mark.parametrize("way", [WAYS[2], WAYS[5], WAYS[8], WAYS[11]])
@pytest.mark.parametrize("size", [1, 2, 3, 998, 999, 1000, 1001, 1002, 1003, 1999, 2000, 2001])
def test_sizes_around_the_batches_of_the_pickler(size: int, way: Way) -> None:
    x = y = Value(1.0)
    for _ in range(size - 1):
        y = -y
    y.label = "last"
    assert mg.statistics(y).nodes == size
    again = way(y)
    assert (again.label, again.data, mg.statistics(again).nodes) == ("last", y.data, size)
    again.backward()
    assert mg.topological_order(again)[0].grad == (-1.0) ** (size - 1)
    first, second, third = way([x, y, -y])
    assert third.parents == (second,)
    assert mg.topological_order(third)[0] is first
    assert mg.statistics(third).nodes == size + 1


@pytest.mark.parametrize("way", WAYS)
def test_gradients_that_are_nodes(way: Way) -> None:
    x, w = Value(2.0, label="x"), Value(3.0, label="w")
    y = x * x * w
    y.backward(create_graph=True)
    for thing in ((x, w, y), (y, x, w), (w, y, x)):
        again = {v.label: v for v in way(thing)}
        x2, w2, y2 = again["x"], again["w"], again[""]
        assert (x2.grad.data, w2.grad.data, y2.grad.data) == (12.0, 4.0, 1.0)
        slope, x2.grad, w2.grad = x2.grad, 0.0, 0.0
        slope.backward()
        assert (x2.grad, w2.grad) == (6.0, 4.0)
    alone = way(x)  # takes the graph of its gradient along
    assert alone.grad.data == 12.0
    slope, alone.grad = alone.grad, 0.0
    slope.backward()
    assert alone.grad == 6.0
    assert (type(x.grad), x.grad.data) == (Value, 12.0)


@pytest.mark.parametrize("way", WAYS)
def test_modes_around_do_not_mark_what_is_read(way: Way) -> None:
    y = mg.log(Value(0.0)) * 2
    with mg.no_grad(), mg.scope("elsewhere"), mg.detect_anomaly():
        again = way(y)
    assert [n.op for n in mg.topological_order(again)] == ["", "log", "mul"]
    assert [n.scope for n in mg.topological_order(again)] == ["", "", ""]


# --- users' operations ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_a_users_operation_goes_by_its_name(way: Way) -> None:
    with registered("twice", forward=lambda a: 2 * a, vjp=(lambda g, out, a: 2 * g,)) as twice:
        y = twice(Value(3.0))
        again = way(y)
        assert again._op_row is twice
        again.backward()
        assert again.parents[0].grad == 2.0


def test_an_operation_that_is_missing_is_named() -> None:
    with registered("twice", forward=lambda a: 2 * a, vjp=(lambda g, out, a: 2 * g,)) as twice:
        text = pickle.dumps(twice(Value(3.0)))
    words = r"no operation named 'twice' is registered; run the code that calls micrograd\.op\('twice', \.\.\.\) first"
    with pytest.raises(LookupError, match=words):
        pickle.loads(text)


# --- failures and processes -------------------------------------------------------------------------------------


class Unpicklable(str):
    """Text that cannot be pickled."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise pickle.PicklingError("not this text")


@pytest.mark.parametrize("way", WAYS)
def test_a_pickler_that_fails_half_way_leaves_nothing_behind(way: Way) -> None:
    x = Value(2.0)
    y = x * 3
    y.label = Unpicklable("y")
    z = y * x
    with pytest.raises(pickle.PicklingError, match="not this text"):
        way((x, z))
    y.label = "y"
    x2, z2 = way((x, z))
    assert z2.parents[1] is x2
    assert z2.parents[0].parents == (x2,)


def test_a_graph_in_a_label_of_a_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing forbids it, and one listing inside another must not lose the way back."""
    inner = mg.exp(Value(1.0) * 2)
    x = Value(2.0)
    hidden = x * 3
    hidden.label = Carrying("hidden")
    hidden.label.graph = inner
    outer = -mg.exp(hidden * x)
    listed = 0

    def counting(node: Value) -> Any:
        nonlocal listed
        listed += 1
        return with_gradients(node)

    with_gradients = _copying._with_gradients
    monkeypatch.setattr(_copying, "_with_gradients", counting)
    x2, outer2 = pickle.loads(pickle.dumps((x, outer)))
    assert listed == 2
    hidden2 = outer2.parents[0].parents[0].parents[0]
    assert (hidden2.label, hidden2.parents) == ("hidden", (x2,))
    assert hidden2.label.graph.op == "exp"


def test_a_pickler_that_has_finished_and_lives_on_does_not_matter() -> None:
    y = Value(1.0)
    for _ in range(2 * sys.getrecursionlimit()):
        y = -y
    first = pickle.Pickler(io.BytesIO())
    first.dump(y)
    assert pickle.loads(pickle.dumps(y)).data == y.data
    first.dump(y)


class Carrying(str):
    """Text with attributes."""


def test_a_pickle_is_read_by_another_process() -> None:
    x = Value(2.0, label="x")
    y = mg.tanh(x * x)
    program = """
import pickle, sys
x, y = pickle.loads(bytes.fromhex(sys.argv[1]))
y.backward()
print(x)
"""
    y.backward()
    expected = repr(x)
    x.grad = 0.0
    assert run_python(program, pickle.dumps((x, y)).hex()).strip() == expected
