"""Ints that choose at run time: checked before any code runs, and counted from the front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from micrograd.compiler.arguments import Leaf
from micrograd.compiler.trace import Choice
from micrograd.errors import not_among

__all__ = ["Choices"]


_LARGEST = 2**63 - 1  # that an int64 holds


class Choices:
    """The int leaves of a program.

    Args:
        leaves: of the arguments.
        choices: what the int leaves of the program choose from.
        batched: whether these are the ints that every sample has.
    """

    def __init__(self, leaves: Sequence[Leaf], choices: Sequence[Choice], *, batched: bool) -> None:
        self.batched = batched
        self.sources = [(i, leaf) for i, leaf in enumerate(leaves) if leaf.kind == "int" and leaf.batched is batched]
        self.choices = choices

    def read(self, values: Sequence[Any]) -> list[int]:
        """Return the ints of a call; an error names one that is out of range."""
        flat: list[int] = []
        for i, _ in self.sources:
            x = values[i]
            flat.extend(x.ravel().tolist() if hasattr(x, "ravel") else [int(x)])
        return [self._checked(flat[choice.place], choice) for choice in self.choices]

    def read_rows(self, values: Sequence[Any], samples: int) -> Any:
        """Return an array with a row of ints for every sample; an error names one that is out of range."""
        rows = None
        for i, leaf in self.sources:
            part = values[i].reshape(samples, leaf.size)
            if part.dtype.kind == "u" and part.size and part.max() > _LARGEST:  # an int64 would wrap around
                for choice in self.choices:
                    if leaf.first <= choice.place < leaf.first + leaf.size:
                        self._checked(int(part[:, choice.place - leaf.first].max()), choice)
            rows = part if rows is None else _beside(rows, part)
        assert rows is not None
        places = [choice.place for choice in self.choices]
        if places != list(range(rows.shape[1])):
            rows = rows[:, places]
        rows = rows.astype("int64")
        if samples:
            low, high = rows.min(axis=0).tolist(), rows.max(axis=0).tolist()
            for k, choice in enumerate(self.choices):
                if low[k] < 0 or high[k] >= choice.size:
                    for x in (low[k], high[k]):
                        self._checked(x, choice)
                    rows[:, k] %= choice.size
        return rows

    def _checked(self, x: int, choice: Choice) -> int:
        place, size, what = choice
        if not (0 if what else -size) <= x < size:
            leaf = next(leaf for _, leaf in self.sources if leaf.first <= place < leaf.first + leaf.size)
            name = leaf.name if not leaf.shape else f"{leaf.name}, element {place - leaf.first}"
            if what:
                raise ValueError(f"{name}: {not_among(what, size, x)}")
            raise IndexError(f"{name}: index {x} is out of range for take() of {size} operands")
        return x % size


def _beside(a: Any, b: Any) -> Any:
    joined = a.__class__((a.shape[0], a.shape[1] + b.shape[1]), dtype="int64")
    joined[:, : a.shape[1]] = a
    joined[:, a.shape[1] :] = b
    return joined
