"""What a transformer is made of: ``Linear``, ``Embedding``, ``RMSNorm``. No biases, as in microgpt."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from micrograd.engine import Value
from micrograd.nn._checks import check_size, is_chosen_later, row_of, whole
from micrograd.nn.initialisation import Initialisation, Source, weights
from micrograd.nn.module import Module, counted
from micrograd.ops import dot, sqrt, take

__all__ = ["Embedding", "Linear", "RMSNorm"]


def _matrix(rows: int, columns: int, draw: Any, label: str) -> list[list[Value]]:
    return [[Value(draw(), label=f"{label}[{i},{j}]") for j in range(columns)] for i in range(rows)]


class Linear(Module):
    """A matrix times a row, ``out[i] = dot(x, w[i])``: one ``dot`` node for every output, and no bias.

    Args:
        nin: the number of inputs.
        nout: the number of outputs.
        init: how weights are drawn, as for ``Neuron``.
        rng: a ``random.Random``; Python's global ``random`` by default.
        label: what pictures call the weights, ``w[0,1]`` for instance.

    Raises ``ValueError`` for sizes below 1, and when called with another number of inputs.

    >>> linear = Linear(2, 3, init=lambda: 0.5)
    >>> linear, [v.data for v in linear([1.0, 2.0])]
    (Linear(2 -> 3, 6 parameters), [1.5, 1.5, 1.5])
    """

    def __init__(
        self,
        nin: int,
        nout: int,
        *,
        init: Initialisation = "uniform",
        rng: Source | None = None,
        label: str = "w",
    ) -> None:
        nin, nout = check_size("a linear map", nin), check_size("a linear map", nout)
        self.w = _matrix(nout, nin, weights(init, nin, nout, rng), label)

    def __call__(self, x: Iterable[Any]) -> list[Any]:
        row = row_of(self, x, len(self.w[0]))
        return [dot(row, w) for w in self.w]

    def __repr__(self) -> str:
        return f"Linear({len(self.w[0])} -> {len(self.w)}, {counted(self)})"


class Embedding(Module):
    """A table with a row for every token: called with an int, it returns the row, whose Values are parameters.

    Inside ``micrograd.compile`` the int may be an argument of the compiled function, chosen at every call.

    Args:
        count: the number of tokens.
        width: the length of a row.
        init: how numbers are drawn, as for ``Neuron``.
        rng: a ``random.Random``; Python's global ``random`` by default.
        label: what pictures call the numbers, ``w[3,0]`` for instance.

    Raises ``ValueError`` for sizes below 1, and when called with an int below 0 or beyond the table.

    >>> table = Embedding(3, 2, init=lambda: 1.0)
    >>> table, [v.data for v in table(2)]
    (Embedding(3 x 2, 6 parameters), [1.0, 1.0])
    """

    def __init__(
        self,
        count: int,
        width: int,
        *,
        init: Initialisation = "uniform",
        rng: Source | None = None,
        label: str = "w",
    ) -> None:
        count, width = check_size("an embedding", count), check_size("an embedding", width)
        self.w = _matrix(count, width, weights(init, count, width, rng), label)

    def __call__(self, token: Any) -> list[Any]:
        index = whole(f"a row of {self!r}", token, len(self.w))
        if is_chosen_later(index):
            return [take(column, index) for column in zip(*self.w)]
        return list(self.w[index])

    def __repr__(self) -> str:
        return f"Embedding({len(self.w)} x {len(self.w[0])}, {counted(self)})"


class RMSNorm(Module):
    """A row divided by the root of the mean of its squares: ``x / sqrt(mean(x * x) + epsilon)``.

    B. Zhang, R. Sennrich, "Root mean square layer normalization", NeurIPS 2019, equation 4, without the gains.

    Args:
        width: the length of the row.
        epsilon: what keeps a row of zeros from a division by 0.

    Raises ``ValueError`` for a width below 1, and when called with a row of another length.

    >>> from micrograd import Value
    >>> [round(v.data, 3) for v in RMSNorm(2)([Value(3.0), Value(4.0)])]
    [0.849, 1.131]
    """

    def __init__(self, width: int, *, epsilon: float = 1e-5) -> None:
        width = check_size("a norm", width)
        if not 0.0 <= epsilon < math.inf:
            raise ValueError(f"epsilon is a number from 0 on, not {epsilon!r}")
        self.width = width
        self.epsilon = epsilon

    def __call__(self, x: Iterable[Any]) -> list[Any]:
        row = row_of(self, x, self.width)
        scale = 1.0 / sqrt(dot(row, row) / self.width + self.epsilon)
        return [v * scale for v in row]

    def __repr__(self) -> str:
        return f"RMSNorm({self.width})"
