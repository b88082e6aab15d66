"""Causal self-attention, and the block of a transformer around it.

Everything here goes one position at a time: a position reads itself and those before it, so what they left (their keys
and values) is all that it needs. That is why a text can be continued without computing its beginning again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from micrograd._modes import scope
from micrograd.nn._checks import check_size, listed, row_of
from micrograd.nn.activations import activate
from micrograd.nn.initialisation import Initialisation, Source
from micrograd.nn.linear import Linear, RMSNorm
from micrograd.nn.module import Module, counted
from micrograd.ops import dot, softmax

__all__ = ["Block", "CausalSelfAttention", "Past"]

Row = list[Any]
Past = list[tuple[Row, Row]]
"""Key and value of every position so far."""


class CausalSelfAttention(Module):
    """What every position takes from itself and from those before it: means of values, weighted by how keys match.

    ``softmax(q . k / sqrt(d)) . v`` in every head, with ``d`` the width of a head: A. Vaswani and others, "Attention is
    all you need", NeurIPS 2017, equation 1; the heads' results side by side go through ``output``.

    Args:
        width: the length of a row.
        heads: into how many equal parts queries, keys and values are divided.
        init: how weights are drawn, as for ``Neuron``.
        rng: a ``random.Random``; Python's global ``random`` by default.

    Raises ``ValueError`` for sizes below 1, a width that the heads do not divide, and rows of another length.

    >>> attention = CausalSelfAttention(4, 2)
    >>> attention
    CausalSelfAttention(4, 2 heads, 64 parameters)
    >>> rows = attention([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
    >>> len(rows), len(rows[0])
    (3, 4)
    """

    def __init__(self, width: int, heads: int, *, init: Initialisation = "glorot", rng: Source | None = None) -> None:
        width, heads = check_size("a row", width), check_size("heads", heads)
        if width % heads:
            raise ValueError(f"{heads} heads do not divide a row of {width}; choose a width such as {heads * 4}")
        self.heads = heads
        self.query = Linear(width, width, init=init, rng=rng, label="query")
        self.key = Linear(width, width, init=init, rng=rng, label="key")
        self.value = Linear(width, width, init=init, rng=rng, label="value")
        self.output = Linear(width, width, init=init, rng=rng, label="output")

    def __call__(self, rows: Iterable[Any]) -> list[Row]:
        """Return a row for every row."""
        past: Past = []
        return [self.step(row, past)[0] for row in listed(rows, "rows, one for every position")]

    def weights(self, rows: Iterable[Any]) -> list[list[Row]]:
        """Return the weights of every head: ``[head][position]`` is a list over that position and those before it."""
        past: Past = []
        found = [self.step(row, past)[1] for row in listed(rows, "rows, one for every position")]
        return [[position[h] for position in found] for h in range(self.heads)]

    def step(self, row: Sequence[Any], past: Past) -> tuple[Row, list[Row]]:
        """Return what the position after ``past`` takes, and its weights by head; ``past`` gets its key and value."""
        row = row_of(self.query, row, len(self.query.w))
        query = self.query(row)
        past.append((self.key(row), self.value(row)))
        width = len(query) // self.heads
        taken: Row = []
        weights = []
        for h in range(self.heads):
            part = slice(h * width, (h + 1) * width)
            with scope(f"head{h}"):
                shares = softmax([dot(query[part], key[part]) / math.sqrt(width) for key, _ in past])
                taken += [dot(shares, column) for column in zip(*[value[part] for _, value in past])]
            weights.append(list(shares))
        return self.output(taken), weights

    def __repr__(self) -> str:
        return f"CausalSelfAttention({len(self.query.w)}, {self.heads} heads, {counted(self)})"


class Block(Module):
    """One layer of a GPT: attention, then a network four times as wide with relu; both add to what they read.

    ``x = x + attention(norm(x))``, then ``x = x + narrow(relu(widen(norm(x))))``.

    Args:
        width: the length of a row.
        heads: of the attention.
        init: how weights are drawn, as for ``Neuron``.
        rng: a ``random.Random``; Python's global ``random`` by default.

    Raises what ``CausalSelfAttention`` raises.

    >>> len(Block(16, 4).parameters())
    3072
    """

    def __init__(self, width: int, heads: int, *, init: Initialisation = "glorot", rng: Source | None = None) -> None:
        width = check_size("a row", width)
        self.norm = RMSNorm(width)
        with scope("attention"):
            self.attention = CausalSelfAttention(width, heads, init=init, rng=rng)
        with scope("mlp"):
            self.widen = Linear(width, 4 * width, init=init, rng=rng, label="widen")
            self.narrow = Linear(4 * width, width, init=init, rng=rng, label="narrow")

    def __call__(self, rows: Iterable[Any]) -> list[Row]:
        """Return a row for every row."""
        past: Past = []
        return [self.step(row, past)[0] for row in listed(rows, "rows, one for every position")]

    def step(self, row: Sequence[Any], past: Past) -> tuple[Row, list[Row]]:
        """Return the row of the position after ``past``, and its weights by head; ``past`` gets its key and value."""
        with scope("attention"):
            taken, weights = self.attention.step(self.norm(row), past)
            row = [a + b for a, b in zip(row, taken)]
        with scope("mlp"):
            wide = [activate("relu", v) for v in self.widen(self.norm(row))]
            row = [a + b for a, b in zip(row, self.narrow(wide))]
        return row, weights
