"""The samples that ``fit`` trains on: checked before anything is changed, then shuffled and handed out in batches."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from micrograd._structure import mapped
from micrograd.arrays import data_of, is_array
from micrograd.engine import Value
from micrograd.errors import describe

__all__ = ["Samples", "order"]

_LABELS = 100  # different numbers in a column up to which one sample of each is tried


def order(count: int, seed: int | None, epoch: int) -> list[int]:
    """Return the order of the samples in an epoch: it depends on its arguments alone; without a seed, as they are.

    >>> order(4, 0, 0), order(4, 0, 2), order(4, None, 7)
    ([0, 3, 1, 2], [1, 0, 3, 2], [0, 1, 2, 3])
    """
    indices = list(range(count))
    if seed is not None:
        random.Random(f"{seed}/{epoch}").shuffle(indices)  # a text is hashed: neighbouring seeds have nothing in common
    return indices


class Samples:
    """Samples, each of them the arguments of a loss.

    Args:
        data: a tuple of columns, each a sequence or an array with one entry for every sample; or else a sequence of
            samples: what is a tuple in it is several arguments, anything else is one.
        what: how messages name the data.

    Raises ``TypeError`` for data of another kind, ``ValueError`` where there are no samples, columns or tuples differ
    in length, and for a number that is nan or infinite.

    >>> Samples(([[0.0, 1.0], [2.0, 3.0]], [1, -1]))[1]
    ([2.0, 3.0], -1)
    >>> Samples([([0.0, 1.0], 1), ([2.0, 3.0], -1)])[1]
    ([2.0, 3.0], -1)
    """

    def __init__(self, data: Any, what: str = "data") -> None:
        self.what = what
        self.columns = self._columns(data)
        counts = {len(column) for column in self.columns}
        if len(counts) > 1:
            found = ", ".join(map(str, map(len, self.columns)))
            raise ValueError(f"{what}: the columns hold {found} samples; each has one entry for every sample")
        self.count = counts.pop()
        if self.count == 0:
            raise ValueError(f"{what}: at least one sample is needed, and there is none")
        self._shapes: list[list[Any]] = []
        self._probes: dict[int, None] = {}
        self._whole: list[bool] = []
        for position in range(len(self.columns)):
            self._check(position)

    def __getitem__(self, i: int) -> tuple[Any, ...]:
        return tuple([column[i] for column in self.columns])

    def sample(self, i: int, floats: Collection[int]) -> tuple[Any, ...]:
        """Return a sample with floats in place of whole numbers in the columns ``floats``."""
        return tuple([mapped(_as_floats, x) if k in floats else x for k, x in enumerate(self[i])])

    def readings(self) -> Iterator[tuple[int, ...]]:
        """Yield which columns of whole numbers to take for floats: none, one of them, two, ... all.

        In compiled code ints only choose, as labels and tokens do; features that happen to be whole are numbers.
        """
        whole = [position for position, is_whole in enumerate(self._whole) if is_whole]
        for count in range(len(whole) + 1):
            yield from itertools.combinations(whole, count)

    def _columns(self, data: Any) -> list[Any]:
        if isinstance(data, tuple):
            if not data:
                raise ValueError(f"{self.what}: a tuple holds columns, as (X, y), and this one is empty")
            for position, column in enumerate(data):
                self._sequence(column, f"column {position}")
            return list(data)
        self._sequence(data, "it")
        if is_array(data) or not any(isinstance(sample, tuple) for sample in data):
            return [data]
        width = len(data[0]) if isinstance(data[0], tuple) else 0
        for i, sample in enumerate(data):
            if not isinstance(sample, tuple) or len(sample) != width:
                raise ValueError(f"{self.what}: sample 0 is {describe(data[0])}, and sample {i} is {describe(sample)}")
        return [[sample[position] for sample in data] for position in range(width)]

    def _sequence(self, x: Any, name: str) -> None:
        if is_array(x) and x.shape:
            return
        if isinstance(x, (str, bytes)) or not isinstance(x, Sequence):
            raise TypeError(
                f"{self.what}: {name} is a sequence of samples, or an array with one row for each, not {describe(x)}; a"
                " tuple such as (X, y) holds columns, a list holds samples"
            )

    def _check(self, position: int) -> None:
        """Refuse what is not finite in one argument; remember which samples stand for the others."""
        column = self.columns[position]
        if is_array(column) and _is_plain(column):
            self._shapes.append([_shape(column[0], "", [])] * self.count)
            self._whole.append(column.dtype.kind in "iu")
            width = column.size // self.count
            extremes = [column.argmin(), column.argmax()] if self._whole[-1] or width == 1 else []
            self._probes.update({int(place) // width: None for place in (0, *extremes)})
            if width == 1:
                self._probe_labels(column.reshape(-1).tolist())
            return
        entries = column.tolist() if is_array(column) else column
        shapes: list[Any] = []
        seen: set[Any] = set()
        smallest = largest = None
        whole = True
        for i, entry in enumerate(entries):
            leaves: list[tuple[str, Any]] = []
            shape = _shape(entry, "", leaves)
            shapes.append(shape)
            if shape not in seen:
                seen.add(shape)
                self._probes[i] = None
            for way, x in leaves:
                if _is_whole(x):
                    if smallest is None or x < smallest[0]:
                        smallest = (x, i)
                    if largest is None or x > largest[0]:
                        largest = (x, i)
                    continue
                whole = False
                number = x.data if isinstance(x, Value) else x
                if isinstance(number, float) and not math.isfinite(number):
                    where = f"argument {position}, column {way}" if way else f"argument {position}"
                    raise ValueError(f"{self.what}: sample {i}, {where} is {float(number)}; every number is finite")
        self._probes.update({found[1]: None for found in (smallest, largest) if found is not None})
        if all(shape is None for shape in shapes):
            self._probe_labels([x.data if isinstance(x, Value) else x for x in entries])
        self._shapes.append(shapes)
        self._whole.append(whole)

    def _probe_labels(self, labels: Sequence[Any]) -> None:
        """Let one sample stand for all with the same label: any of the labels may be one that the loss refuses."""
        first: dict[Any, int] = {}
        for i, label in enumerate(labels):
            first.setdefault(label, i)
            if len(first) > _LABELS:  # no labels, but measurements
                return
        self._probes.update(dict.fromkeys(first.values()))

    def probes(self) -> Iterator[tuple[int, str]]:
        """Yield samples that stand for all, with a description: one of each shape and label, those with extreme ints.

        What a loss has to say about rows of a wrong length, or labels out of range, it says of these.
        """
        for i in self._probes:
            yield i, f"{self.what}: sample {i} ({', '.join(_described(shapes[i]) for shapes in self._shapes)})"

    def arrays(self, floats: Collection[int] = ()) -> list[Any]:
        """Return the columns as arrays, which compiled code takes: whole numbers as ints, in ``floats`` as floats.

        Raises ``ValueError`` for samples of different shapes.
        """
        arrays = []
        for position, (column, shapes, whole) in enumerate(zip(self.columns, self._shapes, self._whole)):
            for i, shape in enumerate(shapes):
                if shape != shapes[0]:
                    raise ValueError(
                        f"{self.what}: sample {i}, argument {position}: {_described(shape)}, and sample 0 has"
                        f" {_described(shapes[0])}; a compiled step takes samples of one shape"
                    )
            if not is_array(column):
                column = data_of(list(column))
                column = column.astype(int) if whole else column
            arrays.append(_as_floats(column) if position in floats else column)
        return arrays


def _as_floats(x: Any) -> Any:
    """Return a whole number as a float, an array of them as one of floats, anything else as it is."""
    if is_array(x):
        return x.astype(float) if x.dtype.kind in "iu" else x
    return float(x) if _is_whole(x) else x


def _is_whole(x: Any) -> bool:
    return type(x) is int or (not isinstance(x, (bool, float)) and hasattr(type(x), "__index__"))


def _is_plain(column: Any) -> bool:
    """Tell whether an array holds nothing but finite numbers, without a look at each."""
    return bool(column.dtype.kind in "fiub" and column.size and math.isfinite(float(abs(column).max())))


def _shape(x: Any, way: str, leaves: list[tuple[str, Any]]) -> Any:
    """Return the lengths of nested lists as something that can be compared, and collect what is in them."""
    if is_array(x):
        x = x.tolist()
    if isinstance(x, (list, tuple)):
        inner = [_shape(part, f"{way}, {i}" if way else str(i), leaves) for i, part in enumerate(x)]
        return (len(inner), None if inner.count(None) == len(inner) else tuple(inner))
    if isinstance(x, dict):
        names = {key: f"{way}, {key!r}" if way else repr(key) for key in x}
        return tuple([(names[key], _shape(part, names[key], leaves)) for key, part in x.items()])
    leaves.append((way, x))
    return None


def _described(shape: Any) -> str:
    if shape is None:
        return "one entry"
    if len(shape) == 2 and isinstance(shape[0], int):
        lengths = set(shape[1] or [])
        inner = f" of {_described(lengths.pop())}" if len(lengths) == 1 else ""
        return f"{shape[0]} entries{inner}" if not inner else f"{shape[0]} rows{inner}"
    return f"a dict of {len(shape)}"
