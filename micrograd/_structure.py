"""Nested arguments taken apart into a flat list of leaves, and put together again.

The containers are lists, tuples (named ones too), dicts and NumPy arrays; everything else is a leaf.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from micrograd.arrays import from_flat, is_array

__all__ = ["Structure", "flatten", "mapped", "paths"]


@dataclass(frozen=True)
class _Slot:
    """Where leaves belong: one of them, or an array of ``shape`` full of them."""

    shape: tuple[int, ...] | None

    @property
    def size(self) -> int:
        return math.prod(self.shape or ())

    def fill(self, leaves: Iterator[Any]) -> Any:
        if self.shape is None:
            return next(leaves)
        return from_flat([next(leaves) for _ in range(self.size)], self.shape)


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """Return ``tree`` with ``function`` applied to everything that is not a list, tuple or dict."""
    if isinstance(tree, dict):
        return {key: mapped(function, part) for key, part in tree.items()}
    if isinstance(tree, list):
        return [mapped(function, part) for part in tree]
    if isinstance(tree, tuple):
        parts = [mapped(function, part) for part in tree]
        make = getattr(type(tree), "_make", tuple)  # of a named tuple
        return make(parts)
    return function(tree)


def paths(items: list[Any] | tuple[Any, ...], path: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """Return where the items of a list are: in one place if they are a row of numbers, else each in its own.

    >>> paths([1.0, 2.0], ("x",)), paths([[1.0, 2.0], 3], ("x",))
    ([('x',), ('x',)], [('x', 0), ('x', 1)])
    """
    if any(isinstance(x, (list, tuple, dict)) or is_array(x) for x in items):
        return [(*path, i) for i in range(len(items))]
    return [path] * len(items)


@dataclass(frozen=True)
class Structure:
    """The containers of a nested argument, without its leaves; equal for equal containers, keys, lengths, shapes."""

    _skeleton: Any

    def rebuild(self, leaves: Iterable[Any]) -> Any:
        """Return the nested argument with these leaves."""
        remaining = iter(leaves)
        return mapped(lambda slot: slot.fill(remaining), self._skeleton)

    def nest(self, inner: Structure, leaves: Iterable[Any]) -> Any:
        """Return this structure with ``inner`` in every leaf, as a Jacobian has it.

        The leaves come row by row. Of an array they become the leading axes: an array of shape (2,) over an array of
        shape (3,) gives one of shape (2, 3), over a dict it gives a dict of arrays of shape (2,).

        >>> outer, inner = flatten([0.0, 0.0])[1], flatten({"a": 0.0, "b": 0.0})[1]
        >>> outer.nest(inner, [1.0, 2.0, 3.0, 4.0])
        [{'a': 1.0, 'b': 2.0}, {'a': 3.0, 'b': 4.0}]
        """
        remaining = iter(leaves)
        width = inner.size()

        def place(slot: _Slot) -> Any:
            if slot.shape is None:
                return inner.rebuild(remaining)
            outer_shape = slot.shape
            rows = [iter([next(remaining) for _ in range(width)]) for _ in range(slot.size)]

            def stack(part: _Slot) -> Any:
                block = [part.fill(row) for row in rows]
                if part.shape is None:
                    return from_flat(block, outer_shape)
                return from_flat([x for array in block for x in array.ravel().tolist()], outer_shape + part.shape)

            return mapped(stack, inner._skeleton)

        return mapped(place, self._skeleton)

    def size(self) -> int:
        """Return the number of leaves."""
        sizes: list[int] = []
        mapped(lambda slot: sizes.append(slot.size), self._skeleton)
        return sum(sizes)


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """Return the leaves of ``tree`` in order, and its structure.

    >>> leaves, structure = flatten({"w": [1.0, 2.0], "b": (3.0,)})
    >>> leaves, structure.rebuild([10.0, 20.0, 30.0])
    ([1.0, 2.0, 3.0], {'w': [10.0, 20.0], 'b': (30.0,)})
    """
    leaves: list[Any] = []

    def take(part: Any) -> _Slot:
        if is_array(part):
            leaves.extend(part.ravel().tolist())
            return _Slot(tuple(part.shape))
        leaves.append(part)
        return _Slot(None)

    return leaves, Structure(mapped(take, tree))
