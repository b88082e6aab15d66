"""Protects networks: micrograd 0.1's names, orders and shapes, and the numbers that its formulas give."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest

import micrograd as mg
from micrograd import Value, nn


def by_hand(model: nn.MLP, x: list[float]) -> list[float]:
    """The network as plain arithmetic on its parameters."""
    signal = list(x)
    for i, layer in enumerate(model.layers):
        sums = [n.b.data + math.fsum(w.data * s for w, s in zip(n.w, signal)) for n in layer.neurons]
        signal = [max(s, 0.0) for s in sums] if i < len(model.layers) - 1 else sums
    return signal


def test_an_mlp_computes_its_formula() -> None:
    model = nn.MLP(3, [4, 4, 2], rng=random.Random(5))
    for p in model.parameters():
        p.data += 0.05
    x = [0.5, -1.0, 2.0]
    assert [v.data for v in model(x)] == pytest.approx(by_hand(model, x), rel=1e-13)


def test_gradients_of_an_mlp_equal_differences() -> None:
    model = nn.MLP(2, [5, 1], rng=random.Random(1))
    x = [0.3, -0.7]
    model(x).backward()
    for p in model.parameters():
        here, h = p.data, 1e-6
        p.data = here + h
        above = by_hand(model, x)[0]
        p.data = here - h
        below = by_hand(model, x)[0]
        p.data = here
        assert p.grad == pytest.approx((above - below) / (2 * h), abs=1e-8)


def test_parameters_come_weights_then_bias_neuron_by_neuron() -> None:
    model = nn.MLP(2, [2, 1], rng=random.Random(0))
    expected = [p for layer in model.layers for neuron in layer.neurons for p in (*neuron.w, neuron.b)]
    assert all(p is q for p, q in zip(model.parameters(), expected, strict=True))
    assert [p.label for p in model.parameters()] == ["w0", "w1", "b", "w0", "w1", "b", "w0", "w1", "b"]


def test_initialisation_is_micrograd_01s_and_seeded() -> None:
    draws = random.Random(3)
    expected = [draws.uniform(-1, 1) for _ in range(4)]
    layer = nn.Layer(2, 2, rng=random.Random(3))
    assert [p.data for p in layer.parameters()] == [*expected[:2], 0.0, *expected[2:], 0.0]
    random.seed(3)
    assert [p.data for p in nn.Layer(2, 2).parameters()] == [*expected[:2], 0.0, *expected[2:], 0.0]


def test_zero_grad() -> None:
    model = nn.MLP(2, [1])
    model([1.0, 2.0]).backward()
    assert model.layers[0].neurons[0].b.grad == 1.0
    model.zero_grad()
    assert all(p.grad == 0.0 for p in model.parameters())


def test_a_layer_of_one_neuron_returns_its_value() -> None:
    assert isinstance(nn.MLP(2, [3, 1])([1.0, 2.0]), Value)
    assert isinstance(nn.Layer(2, 3)([1.0, 2.0]), list)
    assert isinstance(nn.MLP(2, [1, 1])([1.0, 2.0]), Value)  # also in the middle of a network
    assert nn.Module().parameters() == []


def test_repr_shows_shapes_and_counts() -> None:
    model = nn.MLP(2, [16, 16, 1])
    assert repr(model) == "MLP(2 -> 16 -> 16 -> 1, relu, 337 parameters)"
    assert repr(model.layers[0]) == "Layer(2 -> 16, relu, 48 parameters)"
    assert repr(model.layers[2]) == "Layer(16 -> 1, 17 parameters)"
    assert repr(model.layers[0].neurons[0]) == "ReLUNeuron(2)"  # as in micrograd 0.1
    assert repr(model.layers[2].neurons[0]) == "LinearNeuron(16)"


def test_attributes_are_those_of_micrograd_01() -> None:
    neuron = nn.Neuron(2, False)  # nonlin by position
    assert (len(neuron.w), neuron.b.data, neuron.nonlin) == (2, 0.0, False)
    assert nn.Layer(2, 3, False).neurons[0].nonlin is False
    model = nn.MLP(2, [3, 1])
    assert [layer.neurons[0].nonlin for layer in model.layers] == [True, False]
    neuron.w[0].data, neuron.w[1].data = -1.0, 0.0
    assert neuron([2.0, 0.0]).data == -2.0
    neuron.nonlin = True
    assert neuron([2.0, 0.0]).data == 0.0


def test_neurons_and_layers_of_ones_own_fit_in() -> None:
    class Square(nn.Module):
        def __init__(self) -> None:
            self.factor = Value(3.0)

        def __call__(self, x: list[Any]) -> Any:
            return self.factor * x[0] * x[0]

    model = nn.MLP(1, [2, 1], rng=random.Random(0))
    model.layers[0].neurons = [Square(), Square()]  # type: ignore[list-item]
    model.layers[1].neurons[0].load_state_dict({"w.0": 1.0, "w.1": 2.0, "b": 0.5})
    assert model([2.0]).data == 12.0 + 24.0 + 0.5
    assert len(model.parameters()) == 5
    assert repr(model.layers[0]).splitlines()[0] == "Layer(2 parameters)"
    assert "neurons.0: Square(1 parameter)" in repr(model)


def test_own_parameters_of_a_subclass_count_as_in_micrograd_01() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            self.model, self.scale = nn.MLP(1, [1]), Value(2.0)

        def parameters(self) -> list[Value]:
            return [self.scale, *self.model.parameters()]

    scaled = Scaled()
    (scaled.scale * scaled.model([1.0])).backward()
    assert scaled.parameters()[0] is scaled.scale
    scaled.zero_grad()
    assert [p.grad for p in scaled.parameters()] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.MLP(2, [3])([1.0, 2.0, 3.0]), ValueError, "takes 2 inputs, 3 came"),
        (lambda: nn.Neuron(0), ValueError, "at least 1"),
        (lambda: nn.Layer(2, 0), ValueError, "at least 1"),
        (lambda: nn.MLP(2, []), ValueError, "at least one layer"),
        (lambda: nn.MLP(2, [1.5]), TypeError, "an int"),  # type: ignore[list-item]
        (lambda: nn.MLP("2", [1]), TypeError, "an int"),  # type: ignore[arg-type]
        (lambda: nn.MLP(2, 3), TypeError, r"a list, as in MLP\(2, \[16, 16, 1\]\), not 3"),  # type: ignore[arg-type]
        (lambda: nn.MLP(2, [3])([1.0]), ValueError, r"Layer\(2 -> 3, 9 parameters\) takes 2 inputs, 1 came"),
        (lambda: nn.Neuron(2)([1.0]), ValueError, r"ReLUNeuron\(2\) takes 2 inputs, 1 came"),
        (lambda: nn.MLP(1, [3])(0.5), TypeError, "expected a row of 1 inputs .* but got 0.5"),  # type: ignore[arg-type]
        (lambda: nn.MLP(2, [3])("ab"), TypeError, "expected a row of 2 inputs .* but got 'ab'"),
        (lambda: nn.MLP(2, [3])([[1.0, 2.0], [3.0, 4.0]]), ValueError, "several rows came: call it once for each"),
        (lambda: nn.MLP(2, [3])(np.ones((2, 2))), ValueError, "several rows came"),
        (lambda: nn.MLP(2, [3])(list(np.ones((2, 2)))), ValueError, "several rows came"),
        (lambda: nn.MLP(2, [3], rng=0), TypeError, r"such as random.Random\(0\), not 0"),  # type: ignore[arg-type]
        (lambda: nn.Neuron(1)(["1"]), TypeError, "type str"),
    ],
)
def test_what_cannot_be_used_is_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_two_moons_is_learned() -> None:
    """The well-known example, shortened: full batch, hinge loss, a falling rate."""
    rng = random.Random(0)
    points, signs = [], []
    for i in range(30):
        t, sign = math.pi * i / 30, 1.0 if i % 2 else -1.0
        points.append([math.cos(t), math.sin(t)] if sign > 0 else [1 - math.cos(t), 0.5 - math.sin(t)])
        signs.append(sign)
    model = nn.MLP(2, [8, 8, 1], rng=rng)
    for step in range(150):
        losses = [(1 + -y * model(x)).relu() for x, y in zip(points, signs)]
        loss = mg.mean(losses)
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= (1.0 - 0.9 * step / 150) * p.grad
    assert all((model(x).data > 0) == (y > 0) for x, y in zip(points, signs))
