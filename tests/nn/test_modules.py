"""Protects ``Module``: which parameters it finds and in which order, their names, and states that are taken whole or
not at all.
"""

from __future__ import annotations

import copy
import math
import pickle
import random
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from support import same

import micrograd as mg
from micrograd import Value, nn


class Mixed(nn.Module):
    """Parameters in every kind of container, and things that are none."""

    def __init__(self) -> None:
        self.first = Value(1.0)
        self.rows = [[Value(2.0), Value(3.0)], (Value(4.0),)]
        self.table = {"b": Value(5.0), "a": nn.Neuron(1, init=lambda: 6.0)}
        self.array = mg.array([[7.0, 8.0]])
        self.shared = self.first
        self.result = self.first * 2.0  # made by an operation: nothing to train
        self.numbers = np.ones(2)
        self.name = "mixed"
        self.last = Value(9.0)


def test_parameters_are_found_in_the_order_of_definition() -> None:
    model = Mixed()
    assert [p.data for p in model.parameters()] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.0, 7.0, 8.0, 9.0]
    assert model.parameters()[0] is model.first


def test_parameters_are_named_by_the_way_to_them() -> None:
    names = [name for name, _ in Mixed().named_parameters()]
    assert names == "first rows.0.0 rows.0.1 rows.1.0 table.b table.a.w.0 table.a.b array.0.0 array.0.1 last".split()
    model = nn.MLP(2, [2, 1])
    named = dict(model.named_parameters())
    assert named["layers.0.neurons.1.w.1"] is model.layers[0].neurons[1].w[1]
    assert list(named.values()) == model.parameters()


def test_a_shared_parameter_counts_once_where_it_comes_first() -> None:
    model = nn.Module()
    tied = nn.Linear(2, 2)
    model.encoder, model.decoder = tied, nn.Module()  # type: ignore[attr-defined]
    model.decoder.matrix = tied  # type: ignore[attr-defined]
    assert len(model.parameters()) == 4
    assert [name for name, _ in model.named_parameters()] == [f"encoder.w.{i}.{j}" for i in (0, 1) for j in (0, 1)]


def test_modules_and_lists_that_hold_themselves_end() -> None:
    model = nn.Module()
    model.child, model.w = nn.Module(), Value(1.0)  # type: ignore[attr-defined]
    model.child.parent, model.child.again = model, [model, Value(2.0)]  # type: ignore[attr-defined]
    model.child.again.append(model.child.again)  # type: ignore[attr-defined]
    assert [p.data for p in model.parameters()] == [2.0, 1.0]
    assert model.state_dict() == {"child.again.1": 2.0, "w": 1.0}
    assert "Module(2 parameters)" in repr(model)
    own: list[Any] = [Value(1.0)]
    own += [own, own]
    model.child = own  # type: ignore[attr-defined]
    assert "  child: 1 value" in repr(model).splitlines()


class Frozen(nn.Module):
    """Says itself what it trains: of two parts the second, and something that no attribute holds."""

    def __init__(self) -> None:
        self.body, self.head = nn.Neuron(1), nn.Neuron(2)
        self._hidden = {1, 2}

    def parameters(self) -> list[Value]:
        return [EXTRA, *self.head.parameters()]


EXTRA = Value(0.25)


def test_what_a_subclass_says_itself_is_believed() -> None:
    model = nn.Module()
    model.inner, model.scale = Frozen(), Value(1.0)  # type: ignore[attr-defined]
    assert len(model.parameters()) == 5
    names = ["parameters.0", "head.w.0", "head.w.1", "head.b"]
    assert [name for name, _ in model.inner.named_parameters()] == names  # type: ignore[attr-defined]
    assert [name for name, _ in model.named_parameters()] == [*[f"inner.{name}" for name in names], "scale"]
    assert [p for _, p in model.named_parameters()] == model.parameters()


def test_overriding_and_asking_the_base_class_too() -> None:
    class More(nn.Neuron):
        def parameters(self) -> list[Value]:
            return [*super().parameters(), EXTRA]

    assert len(More(2).parameters()) == 4


class Child(nn.Module):
    """Says itself what it trains, and knows the module that it is part of."""

    def __init__(self, parent: nn.Module) -> None:
        self.v, self.cold = Value(2.0), Value(3.0)
        self.parent = parent

    def parameters(self) -> list[Value]:
        return [self.v]


class Parent(nn.Module):
    """Says itself what it trains, and knows its parts."""

    def __init__(self, children: int = 1) -> None:
        self.w, self.cold = Value(1.0), Value(4.0)
        self.children = [Child(self) for _ in range(children)]
        for child in self.children:
            child.siblings = self.children  # type: ignore[attr-defined]

    def parameters(self) -> list[Value]:
        return [self.w, *[p for child in self.children for p in child.parameters()]]


def test_modules_that_say_what_they_train_and_know_each_other_end() -> None:
    model = Parent()
    assert [name for name, _ in model.named_parameters()] == ["w", "children.0.v"]
    assert model.state_dict() == {"w": 1.0, "children.0.v": 2.0, "cold": 4.0, "children.0.cold": 3.0}
    assert model.children[0].named_parameters() == [("v", model.children[0].v)]
    child = model.children[0].state_dict()
    assert sorted(child.values()) == [1.0, 2.0, 3.0, 4.0]
    model.children[0].load_state_dict({name: x + 1.0 for name, x in child.items()})
    assert model.state_dict() == {"w": 2.0, "children.0.v": 3.0, "cold": 5.0, "children.0.cold": 4.0}
    outer = nn.Module()
    outer.model = model  # type: ignore[attr-defined]
    assert [name for name, _ in outer.named_parameters()] == ["model.w", "model.children.0.v"]
    many = Parent(12)  # each is asked once: there are 12! ways from one to the next
    assert [name for name, _ in many.named_parameters()] == ["w", *[f"children.{i}.v" for i in range(12)]]
    assert len(many.state_dict()) == 26


def test_a_part_with_names_of_its_own_is_believed() -> None:
    class Named(Child):
        def named_parameters(self) -> list[tuple[str, Value]]:
            return [("mine", self.v)]

    model = nn.Module()
    model.part = Named(model)  # type: ignore[attr-defined]
    assert model.named_parameters() == [("part.mine", model.part.v)]  # type: ignore[attr-defined]
    assert [*model.state_dict()] == ["part.mine", "part.cold"]


def test_what_one_part_keeps_frozen_another_one_trains_and_names() -> None:
    class Tied(Child):
        def parameters(self) -> list[Value]:
            return self.parent.parameters()

    model, tied = nn.Module(), nn.Neuron(1)
    model.first, model.second = Child(tied), Tied(tied)  # type: ignore[attr-defined]
    assert [name for name, _ in model.named_parameters()] == ["first.v", "second.parent.w.0", "second.parent.b"]


# --- states -----------------------------------------------------------------------------------------------------


def test_a_state_goes_from_one_model_into_its_twin() -> None:
    model, twin = nn.MLP(2, [3, 1], rng=random.Random(1)), nn.MLP(2, [3, 1], rng=random.Random(2))
    twin.parameters()[0].grad = 3.0
    state = model.state_dict()
    assert type(state) is dict
    assert all(type(x) is float for x in state.values())
    twin.load_state_dict(dict(reversed(state.items())))  # the order does not matter
    assert twin.state_dict() == state
    assert twin([0.5, 2.0]).data == model([0.5, 2.0]).data
    assert twin.parameters()[0].grad == 3.0
    state["layers.0.neurons.0.w.0"] = 7.0  # a copy of the numbers, not the model itself
    assert model.parameters()[0].data != 7.0


def test_a_state_holds_what_is_frozen_too() -> None:
    def built(seed: int) -> nn.Module:
        model, rng = nn.Module(), random.Random(seed)
        model.inner, model.scale = Frozen(), Value(rng.random())  # type: ignore[attr-defined]
        for p in [*model.inner.body.parameters(), *model.inner.head.parameters()]:  # type: ignore[attr-defined]
            p.data = rng.random()
        return model

    model, twin = built(1), built(2)
    trained = [name for name, _ in model.named_parameters()]
    assert [*model.state_dict()] == [*trained, "inner.body.w.0", "inner.body.b"]
    twin.load_state_dict(model.state_dict())
    assert twin.state_dict() == model.state_dict()
    assert twin.inner.body.b.data == model.inner.body.b.data  # type: ignore[attr-defined]
    assert [*Frozen().state_dict()] == ["parameters.0", "head.w.0", "head.w.1", "head.b", "body.w.0", "body.b"]


def test_numbers_of_other_kinds_become_floats() -> None:
    model = nn.Neuron(2)
    model.load_state_dict({"w.0": 1, "w.1": Fraction(1, 4), "b": np.float32(0.5)})  # type: ignore[dict-item]
    assert same([p.data for p in model.parameters()], [1.0, 0.25, 0.5])
    model.load_state_dict({"w.0": math.inf, "w.1": -0.0, "b": 5e-324})
    assert same([p.data for p in model.parameters()], [math.inf, -0.0, 5e-324])


GOOD: dict[Any, Any] = {"w.0": 1.0, "w.1": 2.0, "b": 3.0}


@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        ({"w.0": 1.0}, ValueError, r"not the state of ReLUNeuron\(2\): 'w.1', 'b' are missing"),
        ({**GOOD, "w.2": 0.0}, ValueError, "'w.2' is unexpected"),
        ({"w.0": 1.0, "w.1": 2.0, "bias": 3.0}, ValueError, "'b' is missing; 'bias' is unexpected"),
        ({}, ValueError, "'w.0', 'w.1', 'b' are missing"),
        ({str(i): 0.0 for i in range(9)}, ValueError, "'0', '1', '2' and 6 more are unexpected"),
        ({**GOOD, 1: 0.0}, ValueError, r"1 \(type int\) is unexpected"),
        ({**GOOD, "b": "3"}, ValueError, r"'b' is '3' \(type str\), not a number"),
        ({**GOOD, "b": None}, ValueError, "'b' is None .* not a number"),
        ({**GOOD, "b": Value(3.0)}, ValueError, "'b' is Value.* not a number"),
        ({**GOOD, "b": math.nan}, ValueError, "'b' is nan"),
        ({**GOOD, "b": 10**400}, ValueError, "'b' is 1000.* larger than any float"),
        ([1.0, 2.0, 3.0], TypeError, "a state maps names to numbers"),
        (None, TypeError, "a state maps names to numbers"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(state: Any, error: type[Exception], message: str) -> None:
    model = nn.Neuron(2, init=lambda: 0.5)
    before = model.state_dict()
    with pytest.raises(error, match=message):
        model.load_state_dict(state)
    assert model.state_dict() == before


def test_two_parameters_of_one_name_have_no_state() -> None:
    model = nn.Module()
    model.table = {1: Value(1.0), "1": Value(2.0)}  # type: ignore[attr-defined]
    assert len(model.parameters()) == 2
    with pytest.raises(ValueError, match=r"two parameters of this Module are named 'table\.1'"):
        model.state_dict()


# --- the rest ---------------------------------------------------------------------------------------------------


def test_the_repr_of_a_module_of_ones_own_lists_its_parts() -> None:
    assert repr(Mixed()).splitlines() == [
        "Mixed(10 parameters)",
        "  first: 1 value",
        "  rows: 3 values",
        "  table.b: 1 value",
        "  table.a: ReLUNeuron(1)",
        "  array: 1 x 2 values",
        "  shared: 1 value",
        "  last: 1 value",
    ]
    outer = nn.Module()
    outer.parts, outer.w = [nn.Module(), Mixed()], [Value(0.0)]  # type: ignore[attr-defined]
    assert repr(outer).splitlines()[:4] == [
        "Module(11 parameters)",
        "  parts.0: Module(0 parameters)",
        "  parts.1: Mixed(10 parameters)",
        "    first: 1 value",
    ]
    model = nn.MLP(2, [3, 1])
    model.layers[1] = Mixed()  # type: ignore[call-overload]
    assert repr(model).startswith(
        "MLP(19 parameters)\n  layers.0: Layer(2 -> 3, relu, 9 parameters)\n  layers.1: Mixed"
    )


def test_models_are_copied_and_pickled_as_a_whole() -> None:
    for model in (nn.MLP(2, [3, 1], activation="tanh", fused=True), nn.GPT(5, 4, width=4, heads=2)):
        for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert again.state_dict() == model.state_dict()
            assert repr(again) == repr(model)
            assert not set(again.parameters()) & set(model.parameters())
    again = copy.deepcopy(nn.GPT(5, 4, width=4, heads=2, rng=random.Random(0)))
    assert again.loss([1, 2, 3]).data == nn.GPT(5, 4, width=4, heads=2, rng=random.Random(0)).loss([1, 2, 3]).data


def test_scopes_name_the_parts_for_pictures() -> None:
    model = nn.GPT(5, 4, width=4, heads=2)
    scopes = {name: p.scope for name, p in model.named_parameters()}
    assert scopes["token.w.0.0"] == scopes["position.w.3.1"] == "embedding"
    assert scopes["layers.0.attention.query.w.0.0"] == "layer0/attention"
    assert scopes["layers.0.widen.w.0.0"] == "layer0/mlp"
    assert scopes["readout.w.4.3"] == "readout"
    found = {node.scope for node in mg.topological_order(model.loss([0, 1, 2]))}
    heads = {f"layer0/attention/head{h}" for h in (0, 1)}
    assert found == {"", "embedding", "layer0/attention", *heads, "layer0/mlp", "readout"}
    mlp = nn.MLP(1, [2, 1])
    neurons = ["layer0/neuron0", "layer0/neuron1", "layer1/neuron0"]
    assert list(dict.fromkeys(p.scope for p in mlp.parameters())) == neurons
    assert sorted({node.scope for node in mg.topological_order(mlp([1.0]))}) == neurons
