"""A GPT made of scalars, in the shape of Karpathy's microgpt (2026)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from micrograd._modes import no_grad, scope
from micrograd.errors import describe
from micrograd.nn._checks import check_size, listed, whole
from micrograd.nn.attention import Block, Past, Row
from micrograd.nn.initialisation import Source, source_of
from micrograd.nn.linear import Embedding, Linear, RMSNorm
from micrograd.nn.losses import cross_entropy
from micrograd.nn.module import Module, counted
from micrograd.ops import softmax
from micrograd.ops.floats import as_float

__all__ = ["GPT"]

_DEVIATION = 0.08  # microgpt's, of all weights


class GPT(Module):
    """A transformer that predicts the next token, without biases.

    Token and position are embedded and added, normed, and go through the layers (``Block``) to a linear readout.

    Args:
        vocabulary: the number of tokens.
        block: the largest number of positions.
        width: the length of a row.
        heads: of the attention; they divide the width.
        layers: the number of layers.
        rng: a ``random.Random``, from which weights are drawn (normal, standard deviation 0.08, as in microgpt);
            Python's global ``random`` by default.

    Raises ``ValueError`` for sizes that cannot be; when called, for no tokens, more than ``block``, or ints that are
    not below ``vocabulary``.

    >>> import random
    >>> model = GPT(27, 16, rng=random.Random(0))
    >>> len(model.parameters())
    4192
    >>> logits = model([26, 4, 12])                    # a list of 27 Values for every position
    >>> len(logits), len(logits[0])
    (3, 27)
    >>> round(model.loss([26, 4, 12, 12, 0, 26]).data, 1)   # before training about log(27)
    3.3
    """

    def __init__(
        self,
        vocabulary: int,
        block: int,
        width: int = 16,
        heads: int = 4,
        layers: int = 1,
        *,
        rng: Source | None = None,
    ) -> None:
        vocabulary, block = check_size("a vocabulary", vocabulary), check_size("a block", block)
        width, layers = check_size("a row", width), check_size("layers", layers)
        source = source_of(rng)

        def init() -> float:
            return source.gauss(0.0, _DEVIATION)

        with scope("embedding"):
            self.token = Embedding(vocabulary, width, init=init, label="token")
            self.position = Embedding(block, width, init=init, label="position")
        self.norm = RMSNorm(width)
        self.layers = []
        for i in range(layers):
            with scope(f"layer{i}"):
                self.layers.append(Block(width, heads, init=init))
        with scope("readout"):
            self.readout = Linear(width, vocabulary, init=init, label="readout")

    def __call__(self, tokens: Iterable[Any]) -> list[Row]:
        """Return the logits of the token that follows, for every position: ``[position][token]``."""
        pasts = self._pasts()
        return [self._step(token, i, pasts)[0] for i, token in enumerate(self._checked(tokens, 1, 0))]

    def loss(self, tokens: Iterable[Any]) -> Any:
        """Return the mean cross entropy of every token but the first, given those before it.

        Inside ``micrograd.compile`` the tokens may be an array argument of ints, of a fixed length.

        Raises ``ValueError`` for fewer than 2 tokens or more than ``block + 1``.

        >>> import micrograd as mg
        >>> model = GPT(5, 4, width=4, heads=2)
        >>> compiled = mg.compile(model.loss)
        >>> abs(compiled([4, 0, 1, 4]) - model.loss([4, 0, 1, 4]).data) < 1e-12
        True
        """
        *given, last = self._checked(tokens, 2, 1)
        return cross_entropy(self(given), [*given[1:], last])

    def attention(self, tokens: Iterable[Any]) -> list[list[list[Row]]]:
        """Return the attention's weights, for a drawing: ``[layer][head][position]`` is a list over positions up to it.

        >>> weights = GPT(5, 4, width=4, heads=2).attention([4, 0, 1])
        >>> [len(row) for row in weights[0][1]], weights[0][1][0][0].data
        ([1, 2, 3], 1.0)
        """
        pasts = self._pasts()
        found = [self._step(token, i, pasts)[1] for i, token in enumerate(self._checked(tokens, 1, 0))]
        heads = self.layers[0].attention.heads
        return [[[position[layer][h] for position in found] for h in range(heads)] for layer in range(len(self.layers))]

    def generate(
        self,
        start: int | Iterable[int],
        *,
        rng: Source | None = None,
        temperature: float = 1.0,
        stop: int | None = None,
    ) -> list[int]:
        """Return tokens that follow ``start``, drawn one after the other by the model's probabilities.

        Args:
            start: a token or several.
            rng: a ``random.Random``; Python's global ``random`` by default.
            temperature: what the logits are divided by: below 1 the likely becomes likelier.
            stop: the token that ends the text, which is not returned; without it the block is filled.

        Raises ``ValueError`` for tokens as above, a temperature that is not positive, and logits that are not numbers.

        >>> import random
        >>> len(GPT(5, 4, width=4, heads=2).generate(4, rng=random.Random(0), temperature=0.5))
        4
        """
        source = source_of(rng)
        divisor = _divisor(temperature)
        vocabulary, block = len(self.token.w), len(self.position.w)
        if stop is not None:
            stop = whole("the token that stops", stop, vocabulary)
        tokens = self._checked(start if isinstance(start, Iterable) else [start], 1, 0)
        drawn: list[int] = []
        pasts = self._pasts()
        with no_grad():
            for i in range(block):
                logits, _ = self._step(tokens[i], i, pasts)
                if i + 1 < len(tokens):
                    continue
                token = _drawn([v.data for v in logits], divisor, source)
                if token == stop:
                    break
                drawn.append(token)
                tokens.append(token)
        return drawn

    def _pasts(self) -> list[Past]:
        return [[] for _ in self.layers]

    def _step(self, token: Any, i: int, pasts: Sequence[Past]) -> tuple[Row, list[list[Row]]]:
        """Return the logits after the token at position ``i``, and the attention's weights by layer and head."""
        with scope("embedding"):
            row = self.norm([a + b for a, b in zip(self.token(token), self.position(i))])
        weights = []
        for k, (layer, past) in enumerate(zip(self.layers, pasts)):
            with scope(f"layer{k}"):
                row, found = layer.step(row, past)
            weights.append(found)
        with scope("readout"):
            return self.readout(row), weights

    def _checked(self, tokens: Iterable[Any], least: int, beyond: int) -> list[Any]:
        """Return the tokens as a list, or raise before anything is computed."""
        given = listed(tokens, "a list of tokens")
        most = len(self.position.w) + beyond
        if not least <= len(given) <= most:
            raise ValueError(f"this GPT takes {least} to {most} tokens here, {len(given)} came")
        return [whole("a token", token, len(self.token.w)) for token in given]

    def __repr__(self) -> str:
        sizes = f"{len(self.token.w)} tokens, block {len(self.position.w)}, width {self.norm.width}"
        heads, layers = self.layers[0].attention.heads, len(self.layers)
        plurals = f"{heads} head{'s'[: heads > 1]}, {layers} layer{'s'[: layers > 1]}"
        return f"GPT({sizes}, {plurals}, {counted(self)})"


def _divisor(temperature: Any) -> float:
    """Return a temperature as a float; ``ValueError`` where it is not a number above 0 that a float can hold."""
    try:
        number = as_float(temperature)
    except OverflowError:
        number = None
    if number is None or not 0.0 < number < math.inf:
        raise ValueError(f"the temperature is a positive number, not {describe(temperature)}")
    return number


def _drawn(logits: list[float], temperature: float, source: Source) -> int:
    """Return a token drawn by the softmax of ``logits / temperature``."""
    if not all(math.isfinite(x) for x in logits):
        raise ValueError("the model's logits are not finite numbers: it broke down while it was trained")
    left = source.uniform(0.0, 1.0)
    largest = max(logits)
    shares = softmax([(x - largest) / temperature for x in logits])  # the largest is 0, however cold it is
    for token, share in enumerate(shares):
        left -= share
        if left < 0.0:
            return token
    return max(range(len(shares)), key=shares.__getitem__)  # the shares add up to 1, but for rounding
