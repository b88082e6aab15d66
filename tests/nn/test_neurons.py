"""Protects neurons beyond micrograd 0.1: activations by name or function, textbook initialisation, and the sum as one
node, which gives the same numbers to the last bit.
"""

from __future__ import annotations

import math
import random
import statistics
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import same

import micrograd as mg
from micrograd import Value, nn
from micrograd.nn.activations import ACTIVATIONS
from micrograd.testing import assert_gradients

# --- activations ------------------------------------------------------------------------------------------------

# Every name, from the textbook's formula and not from the table.
FORMULAS: dict[str, Any] = {
    "linear": lambda a: a,
    "relu": lambda a: max(a, 0.0),
    "leaky_relu": lambda a: a if a > 0 else 0.01 * a,
    "elu": lambda a: a if a > 0 else math.exp(a) - 1.0,
    "tanh": math.tanh,
    "sigmoid": lambda a: 1.0 / (1.0 + math.exp(-a)),
    "softplus": lambda a: math.log(1.0 + math.exp(a)),
    "silu": lambda a: a / (1.0 + math.exp(-a)),
    "gelu": lambda a: 0.5 * a * (1.0 + math.erf(a / math.sqrt(2.0))),
}


def test_every_name_has_a_formula() -> None:
    assert set(ACTIVATIONS) == set(FORMULAS)


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_an_activation_by_name_computes_its_formula(name: str, sign: float) -> None:
    neuron = nn.Neuron(2, activation=name, init=lambda: sign * 0.5)
    neuron.b.data = sign * 0.25
    assert neuron([0.5, 1.0]).data == pytest.approx(FORMULAS[name](sign), rel=1e-13)
    model = nn.MLP(2, [3, 1], activation=name, init=lambda: sign * 0.5)
    hidden = FORMULAS[name](sign * 0.75)
    assert model([0.5, 1.0]).data == pytest.approx(3 * sign * 0.5 * hidden, rel=1e-13)  # the last layer is linear


@pytest.mark.parametrize("activation", [*FORMULAS, mg.sin, lambda v: v * v * v])
@pytest.mark.parametrize("fused", [False, True])
def test_gradients_of_a_network_are_right(activation: Any, fused: bool) -> None:
    model = nn.MLP(2, [3, 2, 1], activation=activation, fused=fused, rng=random.Random(3))
    assert_gradients(lambda x: model(x), [0.3, -0.7])
    numbers = [p.data + 0.1 for p in model.parameters()]

    def of_its_parameters(parameters: list[Value]) -> Any:
        rest = iter(parameters)
        copy = nn.MLP(2, [3, 2, 1], activation=activation, fused=fused)
        for layer in copy.layers:
            for neuron in layer.neurons:
                neuron.w = [next(rest) for _ in neuron.w]
                neuron.b = next(rest)
        return copy([0.3, -0.7])

    assert_gradients(of_its_parameters, numbers)


def test_a_users_operation_is_an_activation(table_as_it_was: None) -> None:
    softsign = mg.op(
        "softsign_here",
        forward=lambda a: a / (1.0 + abs(a)),
        vjp=(lambda g, out, a: g * (1.0 - mg.abs(out)) * (1.0 - mg.abs(out)),),
    )
    neuron = nn.Neuron(1, activation=softsign, init=lambda: 1.0)
    assert neuron([1.0]).data == 0.5
    assert repr(neuron) == "Softsign_hereNeuron(1)"


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: nn.Neuron(2, activation="rellu"), ValueError, "unknown activation 'rellu'; did you mean 'relu'?"),
        (lambda: nn.MLP(2, [1], activation="zzz"), ValueError, r"'zzz' \(one of: linear, elu, .*; or a function"),
        (lambda: nn.Layer(2, 1, activation=None), TypeError, "a name such as 'tanh', or a function"),  # type: ignore[arg-type]
        (lambda: nn.MLP(2, [1], init="golrot"), ValueError, "unknown initialisation 'golrot'; did you mean 'glorot'?"),
        (lambda: nn.Neuron(2, init=3), TypeError, "a function that draws a weight, not 3"),  # type: ignore[arg-type]
        (lambda: nn.Neuron(2, init=lambda: "x"), TypeError, "type str"),  # type: ignore[arg-type, return-value]
        (lambda: nn.Linear(0, 2), ValueError, "at least 1"),
    ],
)
def test_what_is_unknown_is_refused_with_what_is_allowed(build: Any, error: type[Exception], message: str) -> None:
    random.seed(5)
    before = random.getstate()
    with pytest.raises(error, match=message):
        build()
    assert random.getstate() == before


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.array])
def test_sizes_are_what_counts_as_an_index(kind: Any) -> None:
    model = nn.MLP(kind(2), [16, kind(3)], init="he", rng=random.Random(0))
    assert repr(model) == "MLP(2 -> 16 -> 3, relu, 99 parameters)"
    assert model.state_dict() == nn.MLP(2, [16, 3], init="he", rng=random.Random(0)).state_dict()
    assert all(type(p.data) is float for p in model.parameters())


@pytest.mark.parametrize("size", [True, np.bool_(True), np.float64(3.0), np.array([3]), "3", None])
def test_sizes_that_are_no_ints_are_refused(size: Any) -> None:
    with pytest.raises(TypeError, match="the size of a layer is an int, not "):
        nn.MLP(2, [16, size])


# --- initialisation ---------------------------------------------------------------------------------------------


def drawn(init: str, nin: int = 50, nout: int = 40) -> list[float]:
    layer = nn.Layer(nin, nout, init=init, rng=random.Random(1))
    assert all(neuron.b.data == 0.0 for neuron in layer.neurons)
    return [w.data for neuron in layer.neurons for w in neuron.w]


def test_uniform_is_that_of_micrograd_01() -> None:
    expected = random.Random(1)
    assert drawn("uniform") == [expected.uniform(-1, 1) for _ in range(2000)]


def test_glorot_fills_its_interval() -> None:
    numbers, bound = drawn("glorot"), math.sqrt(6.0 / (50 + 40))
    assert 0.99 * bound < max(numbers) <= bound
    assert -bound <= min(numbers) < -0.99 * bound
    # The variance that the paper asks for, equation 12: 2 / (inputs + outputs).
    assert statistics.pvariance(numbers) == pytest.approx(2.0 / 90.0, rel=0.1)


def test_he_is_normal_with_its_variance() -> None:
    numbers = drawn("he")
    assert statistics.pvariance(numbers) == pytest.approx(2.0 / 50.0, rel=0.1)
    assert statistics.fmean(numbers) == pytest.approx(0.0, abs=3 * 0.2 / math.sqrt(2000))
    within = sum(abs(x) < math.sqrt(2.0 / 50.0) for x in numbers) / len(numbers)
    assert within == pytest.approx(0.683, abs=0.04)


@pytest.mark.parametrize("init", ["uniform", "glorot", "he"])
def test_a_seed_gives_the_same_network_again(init: str) -> None:
    first, second = (nn.MLP(3, [4, 2], init=init, rng=random.Random(7)) for _ in range(2))
    assert first.state_dict() == second.state_dict()
    assert first.state_dict() != nn.MLP(3, [4, 2], init=init, rng=random.Random(8)).state_dict()
    random.seed(7)
    assert nn.MLP(3, [4, 2], init=init).state_dict() == first.state_dict()


# --- one node for the sum ---------------------------------------------------------------------------------------

numbers = st.floats(-1e3, 1e3)


@given(st.lists(numbers, min_size=6, max_size=6), st.lists(st.tuples(numbers, numbers), min_size=1, max_size=3))
def test_one_dot_gives_the_bits_of_single_operations(weights: list[float], rows: list[tuple[float, float]]) -> None:
    losses = []
    models = [nn.MLP(2, [2, 1], fused=fused) for fused in (False, True)]
    for model in models:
        for p, x in zip(model.parameters(), [*weights, 0.5, -0.25, 0.1]):
            p.data = x
        inputs = [[Value(x) for x in row] for row in rows]
        outs = [model(row) for row in inputs]
        loss = mg.mean([out.tanh() for out in outs])
        loss.backward()
        losses.append(([out.data + 0.0 for out in outs], loss.data + 0.0, [v.grad + 0.0 for r in inputs for v in r]))
    # + 0.0: a sum of nothing but negative zeros is -0.0 step by step, and 0.0 in a dot.
    assert same(*losses)
    assert same(*[[p.grad + 0.0 for p in model.parameters()] for model in models])


def test_one_dot_is_one_node() -> None:
    nodes = {fused: mg.statistics(nn.Neuron(10, fused=fused)([1.0] * 10)).nodes for fused in (False, True)}
    assert nodes == {False: 11 + 10 + 10 + 1, True: 11 + 1 + 1}


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_eager_and_compiled_agree(fused: bool, activation: str) -> None:
    model = nn.MLP(2, [4, 1, 3], activation=activation, fused=fused, rng=random.Random(2))  # one neuron in the middle
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(7, 2)), rng.integers(0, 3, size=7)
    loss = mg.compile(
        lambda x, label: nn.cross_entropy(model(x), label), batched=("x", "label"), reduce="mean", backend="python"
    )
    eager = nn.cross_entropy([model(row) for row in x], labels)
    eager.backward()
    gradients = [p.grad for p in model.parameters()]
    model.zero_grad()
    assert loss.backward(x, labels) == pytest.approx(eager.data, rel=1e-14)
    assert [p.grad for p in model.parameters()] == pytest.approx(gradients, rel=1e-12, abs=1e-15)
