"""Arguments of a compiled function: what they are made of, and the symbols that stand for them.

Two calls whose arguments have the same **structure** (containers, keys, shapes, floats or ints) run the same code. The
key of a structure is made at every call and has to be quick; everything else here happens once per structure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from micrograd._structure import mapped, paths
from micrograd.arrays import from_flat, is_array
from micrograd.compiler.trace import Choice, Index, Input, Recorder
from micrograd.engine import Value
from micrograd.errors import describe

__all__ = ["Arguments", "Leaf", "Passed", "batch_size", "key_of"]


@dataclass(frozen=True)
class Leaf:
    """A number or an array among the arguments.

    Attributes:
        name: where it is, ``"x"`` or ``"weights['w'][0]"``.
        kind: ``"float"`` or ``"int"``.
        shape: of one sample; ``None`` for a plain number.
        batched: whether there is one for every sample.
        first: the number of its first element among those of its kind, counted apart for batched ones.
        path: the position of the argument, then the keys and places on the way; that of a row of numbers for each.
    """

    name: str
    kind: str
    shape: tuple[int, ...] | None
    batched: bool
    first: int
    path: tuple[Any, ...] = ()

    @property
    def size(self) -> int:
        """Return the number of elements (of one sample)."""
        size = 1
        for n in self.shape or ():
            size *= n
        return size


_array_types: set[type] = set()  # seen so far: asking a type whether it is one takes longer


def key_of(x: Any, batched: bool) -> Any:
    """Return a key that is equal for arguments of the same structure.

    Raises ``TypeError`` for something that cannot be an argument.
    """
    kind = type(x)
    if kind in _array_types:
        shape, letter = x.shape, x.dtype.kind
        if letter != "f":
            letter = _kind(letter, x)
        if batched:
            return (shape[1:], letter) if shape else _refuse_unbatched(x)
        return shape, letter
    if kind is float:
        return "f" if not batched else _refuse_unbatched(x)
    if is_array(x):
        if hasattr(kind, "mask"):
            raise TypeError("a compiled function does not see the mask of a masked array; fill it first, x.filled(0.0)")
        _array_types.add(kind)
        return key_of(x, batched)
    if kind is list or isinstance(x, (list, tuple)):
        return kind, tuple([key_of(part, batched) for part in x])
    if isinstance(x, dict):
        return kind, tuple([(name, key_of(part, batched)) for name, part in x.items()])
    if isinstance(x, Value):
        raise TypeError(
            f"a compiled function takes numbers, not {describe(x)}: pass its .data, or let the function use the Value"
            " itself, which makes it a parameter"
        )
    if batched:
        return _refuse_unbatched(x)
    if isinstance(x, bool):
        return "f"
    if isinstance(x, int):
        return "i"
    dtype = getattr(x, "dtype", None)
    if dtype is not None:
        return _kind(dtype.kind, x)
    raise TypeError(
        f"a compiled function takes floats, ints, NumPy arrays of them, and lists, tuples and dicts of those; got"
        f" {describe(x)}; bind what is not a number first, with functools.partial"
    )


def _kind(letter: str, x: Any) -> str:
    if letter in "fb":
        return "f"
    if letter in "iu":
        return "i"
    raise TypeError(f"a compiled function takes arrays of floats or ints, not of dtype {x.dtype}: {describe(x)}")


def _kind_of(x: Any, batched: bool) -> Any:
    return _kind(x.dtype.kind, x) if is_array(x) else key_of(x, batched)


def _refuse_unbatched(x: Any) -> Any:
    raise TypeError(f"a batched argument is an array with one row per sample, not {describe(x)}")


class Passed(NamedTuple):
    """An argument of a call: its name, its value, whether it has a sample axis, whether it is passed by name."""

    name: str
    value: Any
    batched: bool
    by_name: bool


class Arguments:
    """The structure of the arguments of a call."""

    def __init__(self, call: Sequence[Passed]) -> None:
        self.counts = {("float", False): 0, ("float", True): 0, ("int", False): 0, ("int", True): 0}
        self.leaves: list[Leaf] = []
        self.trees: list[Any] = []
        self.spans: list[range] = []  # of each argument, among the leaves
        for position, (name, value, batched, _) in enumerate(call):
            start = len(self.leaves)
            self.trees.append(self._tree(value, name, batched, (position,)))
            self.spans.append(range(start, len(self.leaves)))

    def _tree(self, x: Any, name: str, batched: bool, path: tuple[Any, ...]) -> Any:
        if isinstance(x, dict):
            return {key: self._tree(part, f"{name}[{key!r}]", batched, (*path, key)) for key, part in x.items()}
        if isinstance(x, (list, tuple)):
            parts = [self._tree(part, f"{name}[{i}]", batched, p) for i, (part, p) in enumerate(zip(x, paths(x, path)))]
            return getattr(type(x), "_make", type(x))(parts)
        shape = tuple(x.shape[1:] if batched else x.shape) if is_array(x) else None
        kind = "float" if _kind_of(x, batched) == "f" else "int"
        leaf = Leaf(name, kind, shape, batched, self.counts[kind, batched], path)
        self.counts[kind, batched] += leaf.size
        self.leaves.append(leaf)
        return leaf

    def symbols(self, recorder: Recorder, choices: dict[bool, dict[Choice, int]]) -> list[Any]:
        """Return the symbolic arguments: what the function is called with once."""

        def symbol(leaf: Leaf) -> Any:
            elements: list[Any] = []
            for k in range(leaf.first, leaf.first + leaf.size):
                if leaf.kind == "int":
                    elements.append(Index(recorder, choices[leaf.batched], k, leaf))
                else:
                    elements.append(Input(recorder, recorder.leaf("sample" if leaf.batched else "argument", k)))
            return from_flat(elements, leaf.shape) if leaf.shape else elements[0]

        return [mapped(symbol, tree) for tree in self.trees]

    def flat(self, values: Iterable[Any]) -> list[Any]:
        """Return the numbers and arrays in a call's arguments, in the order of ``leaves``."""
        leaves: list[Any] = []
        for x in values:
            _collect(x, leaves)
        return leaves

    def argument(self, position: int, leaves: Sequence[Any]) -> Any:
        """Return the argument at ``position`` put together from its leaves."""
        tree = self.trees[position]
        if type(tree) is Leaf:
            return leaves[0]
        remaining = iter(leaves)
        return mapped(lambda leaf: next(remaining), tree)


def _collect(x: Any, leaves: list[Any]) -> None:
    if isinstance(x, dict):
        for part in x.values():
            _collect(part, leaves)
    elif isinstance(x, (list, tuple)):
        for part in x:
            _collect(part, leaves)
    else:
        leaves.append(x)


def batch_size(leaves: Sequence[Leaf], values: Sequence[Any]) -> int:
    """Return the number of samples; ``ValueError`` names two arguments that disagree."""
    size, first = -1, ""
    for leaf, x in zip(leaves, values):
        if leaf.batched:
            if size < 0:
                size, first = len(x), leaf.name
            elif len(x) != size:
                raise ValueError(
                    f"{first} has {size} samples and {leaf.name} has {len(x)}; a batch has one number of them"
                )
    return size
