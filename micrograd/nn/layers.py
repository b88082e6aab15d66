"""``Neuron``, ``Layer`` and ``MLP``: micrograd 0.1's networks, with activations and initialisation by name.

>>> import random
>>> model = MLP(2, [3, 1], rng=random.Random(0))
>>> model
MLP(2 -> 3 -> 1, relu, 13 parameters)
>>> score = model([0.5, -1.0])
>>> score.backward()
>>> model.layers[-1].neurons[0].b.grad                 # the bias of the output feeds it directly
1.0
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from micrograd._modes import scope
from micrograd.engine import Value
from micrograd.errors import describe
from micrograd.nn._checks import check_size, listed, row_of
from micrograd.nn.activations import Activation, activate, check_activation, name_of
from micrograd.nn.initialisation import Initialisation, Source, weights
from micrograd.nn.module import Module, counted
from micrograd.ops import Operand, dot

__all__ = ["MLP", "Layer", "Neuron"]

_SPELLED = {"relu": "ReLU", "linear": "Linear", "gelu": "GELU", "silu": "SiLU", "elu": "ELU", "leaky_relu": "LeakyReLU"}


class Neuron(Module):
    """``activation(w . x + b)``.

    Args:
        nin: the number of inputs.
        nonlin: whether the activation follows the sum.
        activation: a name (``"relu"``, ``"tanh"``, ``"sigmoid"``, ``"gelu"``, ``"linear"``, ...) or a function of a
            Value.
        init: how weights are drawn, ``"uniform"`` (between -1 and 1), ``"glorot"`` or ``"he"``, or a function that
            draws one. The bias starts at 0.
        fused: make the sum one ``dot`` node instead of single additions and multiplications. The numbers are the same
            to the last bit: building is quicker, pictures show less.
        rng: a ``random.Random``; Python's global ``random`` by default, as in micrograd 0.1.

    Raises ``ValueError`` for a number of inputs below 1, an unknown activation or initialisation, and when called with
    another number of inputs.

    >>> neuron = Neuron(2, activation="tanh", init=lambda: 0.5)
    >>> neuron, neuron([1.0, -1.0]).data
    (TanhNeuron(2), 0.0)
    """

    def __init__(
        self,
        nin: int,
        nonlin: bool = True,
        *,
        activation: Activation = "relu",
        init: Initialisation = "uniform",
        fused: bool = False,
        rng: Source | None = None,
    ) -> None:
        nin = check_size("a neuron", nin)
        self.nonlin = nonlin
        self.activation = check_activation(activation)
        self.fused = fused
        draw = weights(init, nin, 1, rng)
        self.w = [Value(draw(), label=f"w{i}") for i in range(nin)]
        self.b = Value(0.0, label="b")

    def __call__(self, x: Iterable[Any]) -> Value:
        inputs = x if type(x) is list and len(x) == len(self.w) else row_of(self, x, len(self.w))
        if self.fused:
            # The bias comes first, as in the sum below, so that both round alike.
            act: Any = dot([1.0, *inputs], [self.b, *self.w])
        else:
            act = self.b
            for wi, xi in zip(self.w, inputs):
                act = act + wi * xi
        return activate(self.activation, act) if self.nonlin else act  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        name = name_of(self.activation) if self.nonlin else "linear"
        return f"{_SPELLED.get(name, name[:1].upper() + name[1:])}Neuron({len(self.w)})"


class Layer(Module):
    """Several neurons over the same inputs.

    Called with inputs, a layer returns a list; a layer of one neuron returns its Value, as in micrograd 0.1.

    Args:
        nin: the number of inputs.
        nout: the number of neurons.
        nonlin: whether the activation follows the sums.
        activation: as for ``Neuron``.
        init: as for ``Neuron``.
        fused: as for ``Neuron``.
        rng: as for ``Neuron``.

    Raises what ``Neuron`` raises.

    >>> Layer(2, 3)
    Layer(2 -> 3, relu, 9 parameters)
    """

    def __init__(
        self,
        nin: int,
        nout: int,
        nonlin: bool = True,
        *,
        activation: Activation = "relu",
        init: Initialisation = "uniform",
        fused: bool = False,
        rng: Source | None = None,
    ) -> None:
        nout, nin = check_size("a layer", nout), check_size("a neuron", nin)
        draw = weights(init, nin, nout, rng)
        self.neurons = []
        for i in range(nout):
            with scope(f"neuron{i}"):
                self.neurons.append(Neuron(nin, nonlin, activation=activation, init=draw, fused=fused))

    def __call__(self, x: Iterable[Any]) -> Any:
        first: Any = self.neurons[0]
        out = []
        inputs = row_of(self, x, len(first.w)) if isinstance(first, Neuron) else listed(x, "a row of inputs")
        for i, neuron in enumerate(self.neurons):
            with scope(f"neuron{i}"):
                out.append(neuron(inputs))
        return out[0] if len(out) == 1 else out

    def _is_plain(self) -> bool:
        """Tell whether the neurons are neurons, and nobody put something else in."""
        return bool(self.neurons) and all(isinstance(neuron, Neuron) for neuron in self.neurons)

    def __repr__(self) -> str:
        if not self._is_plain():
            return super().__repr__()
        first = self.neurons[0]
        activation = f"{name_of(first.activation)}, " if first.nonlin and first.activation != "linear" else ""
        return f"Layer({len(first.w)} -> {len(self.neurons)}, {activation}{counted(self)})"


class MLP(Module):
    """A multi-layer perceptron: an activation in every layer but the last.

    Args:
        nin: the number of inputs.
        nouts: the number of neurons of each layer.
        activation: of the hidden layers, as for ``Neuron``.
        init: as for ``Neuron``.
        fused: as for ``Neuron``.
        rng: as for ``Neuron``.

    Raises ``ValueError`` for sizes below 1, an unknown activation or initialisation, and when called with another
    number of inputs.

    >>> MLP(2, [16, 1], activation="tanh", init="glorot", fused=True)
    MLP(2 -> 16 -> 1, tanh, 65 parameters)
    """

    def __init__(
        self,
        nin: int,
        nouts: Sequence[int],
        *,
        activation: Activation = "relu",
        init: Initialisation = "uniform",
        fused: bool = False,
        rng: Source | None = None,
    ) -> None:
        if not isinstance(nouts, Iterable):
            raise TypeError(
                f"the sizes of an MLP's layers are a list, as in MLP(2, [16, 16, 1]), not {describe(nouts)}"
            )
        sizes = [nin, *nouts]
        if len(sizes) == 1:
            raise ValueError("an MLP needs at least one layer, as in MLP(2, [16, 16, 1])")
        sizes = [check_size("a layer", size) for size in sizes]
        self.layers = []
        for i in range(len(sizes) - 1):
            nonlin = i != len(sizes) - 2
            with scope(f"layer{i}"):
                self.layers.append(
                    Layer(sizes[i], sizes[i + 1], nonlin, activation=activation, init=init, fused=fused, rng=rng)
                )

    def __call__(self, x: Iterable[Any]) -> Any:
        signal: Any = x
        for i, layer in enumerate(self.layers):
            with scope(f"layer{i}"):
                signal = layer([signal] if isinstance(signal, Operand) else signal)
        return signal

    def __repr__(self) -> str:
        if not self.layers or not all(isinstance(layer, Layer) and layer._is_plain() for layer in self.layers):
            return super().__repr__()
        first = self.layers[0].neurons[0]
        sizes = [len(first.w), *[len(layer.neurons) for layer in self.layers]]
        activation = f"{name_of(first.activation)}, " if first.nonlin and first.activation != "linear" else ""
        return f"MLP({' -> '.join(map(str, sizes))}, {activation}{counted(self)})"
