"""Networks made of Values: micrograd 0.1's ``Module``, ``Neuron``, ``Layer`` and ``MLP``, with seeded initialisation.

>>> import random
>>> model = MLP(2, [3, 1], rng=random.Random(0))
>>> model, len(model.parameters())
(MLP of [Layer of [ReLUNeuron(2), ReLUNeuron(2), ReLUNeuron(2)], Layer of [LinearNeuron(3)]], 13)
>>> score = model([0.5, -1.0])
>>> score.backward()
>>> model.layers[-1].neurons[0].b.grad                 # the bias of the output feeds it directly
1.0
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from micrograd._modes import scope
from micrograd.engine import Value
from micrograd.errors import describe

__all__ = ["MLP", "Layer", "Module", "Neuron"]


class _Uniform(Protocol):
    def uniform(self, a: float, b: float, /) -> float: ...


class Module:
    """Something with parameters."""

    def parameters(self) -> list[Value]:
        """Return the Values that training changes."""
        return []

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0; ``backward()`` adds, so call this before each step."""
        for p in self.parameters():
            p.grad = 0.0


class Neuron(Module):
    """``relu(w . x + b)``, or without the relu, written out in single additions and multiplications.

    Args:
        nin: the number of inputs.
        nonlin: whether a relu follows the sum.
        rng: a source of ``uniform(-1, 1)``; Python's global ``random`` by default, as in micrograd 0.1.

    Raises ``ValueError`` for a number of inputs below 1, and when called with another number of inputs.
    """

    def __init__(self, nin: int, nonlin: bool = True, *, rng: _Uniform | None = None) -> None:
        _check_size("a neuron", nin)
        uniform = (rng or random).uniform
        self.w = [Value(uniform(-1, 1), label=f"w{i}") for i in range(nin)]
        self.b = Value(0.0, label="b")
        self.nonlin = nonlin

    def __call__(self, x: Iterable[Any]) -> Value:
        inputs = list(x)
        if len(inputs) != len(self.w):
            raise ValueError(f"{self!r} takes {len(self.w)} inputs, {len(inputs)} came")
        act = self.b
        for wi, xi in zip(self.w, inputs):
            act = act + wi * xi
        return act.relu() if self.nonlin else act

    def parameters(self) -> list[Value]:
        """Return the weights, then the bias."""
        return [*self.w, self.b]

    def __repr__(self) -> str:
        return f"{'ReLU' if self.nonlin else 'Linear'}Neuron({len(self.w)})"


class Layer(Module):
    """Several neurons over the same inputs.

    Called with inputs, a layer returns a list; a layer of one neuron returns its Value, as in micrograd 0.1.
    """

    def __init__(self, nin: int, nout: int, nonlin: bool = True, *, rng: _Uniform | None = None) -> None:
        _check_size("a layer", nout)
        self.neurons = []
        for i in range(nout):
            with scope(f"neuron{i}"):
                self.neurons.append(Neuron(nin, nonlin, rng=rng))

    def __call__(self, x: Iterable[Any]) -> Any:
        inputs, out = list(x), []
        for i, neuron in enumerate(self.neurons):
            with scope(f"neuron{i}"):
                out.append(neuron(inputs))
        return out[0] if len(out) == 1 else out

    def parameters(self) -> list[Value]:
        """Return the parameters neuron by neuron."""
        return [p for neuron in self.neurons for p in neuron.parameters()]

    def __repr__(self) -> str:
        return f"Layer of [{', '.join(map(str, self.neurons))}]"


class MLP(Module):
    """A multi-layer perceptron: relu in every layer but the last.

    Args:
        nin: the number of inputs.
        nouts: the number of neurons of each layer.
        rng: a source of ``uniform(-1, 1)``, as for ``Neuron``.

    Raises ``ValueError`` for sizes below 1, and when called with another number of inputs.
    """

    def __init__(self, nin: int, nouts: Sequence[int], *, rng: _Uniform | None = None) -> None:
        if not nouts:
            raise ValueError("an MLP needs at least one layer, as in MLP(2, [16, 16, 1])")
        sizes = [nin, *nouts]
        self.layers = []
        for i in range(len(nouts)):
            with scope(f"layer{i}"):
                self.layers.append(Layer(sizes[i], sizes[i + 1], i != len(nouts) - 1, rng=rng))

    def __call__(self, x: Iterable[Any]) -> Any:
        signal: Any = list(x)
        for i, layer in enumerate(self.layers):
            with scope(f"layer{i}"):
                signal = layer([signal] if isinstance(signal, Value) else signal)
        return signal

    def parameters(self) -> list[Value]:
        """Return the parameters layer by layer, neuron by neuron: weights, then bias."""
        return [p for layer in self.layers for p in layer.parameters()]

    def __repr__(self) -> str:
        return f"MLP of [{', '.join(map(str, self.layers))}]"


def _check_size(what: str, size: int) -> None:
    if not isinstance(size, int) or isinstance(size, bool):
        raise TypeError(f"the size of {what} is an int, not {describe(size)}")
    if size < 1:
        raise ValueError(f"the size of {what} is at least 1, not {size}")
