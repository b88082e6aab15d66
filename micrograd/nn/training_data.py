"""The samples that ``fit`` trains on: checked before anything is changed, then shuffled and handed out in batches.

A **field** is where numbers of one meaning stand in a sample: the position of an argument, then keys of dicts, and
places in lists that are not mere rows of numbers. The compiler's arguments have the same paths.
"""

from __future__ import annotations

import hashlib
import math
import random
from array import array
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from micrograd._structure import mapped, paths
from micrograd.arrays import data_of, is_array
from micrograd.engine import Value
from micrograd.errors import describe
from micrograd.ops.floats import as_float

__all__ = ["Field", "Samples", "order"]

_LABELS = 100  # different numbers in a field up to which one sample of each is tried
_CHUNK = 65_536  # numbers of an array that are looked at together
_EXACT = 2**53  # up to here every int is a float

Field = tuple[Any, ...]


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
        self._fields: dict[Field, _Numbers] = {}
        digest = hashlib.sha256()
        for position in range(len(self.columns)):
            self._check(position, digest)
        self.digest = digest.hexdigest()[:16]
        """Tells numbers and texts apart: of the same ones, in lists or in arrays, it is the same."""

    def __getitem__(self, i: int) -> tuple[Any, ...]:
        return tuple([column[i] for column in self.columns])

    def sample(self, i: int, floats: Collection[Field]) -> tuple[Any, ...]:
        """Return a sample for compiled code, with floats for ints in ``floats``."""
        return tuple([_as_floats(x, (k,), floats) for k, x in enumerate(self[i])]) if floats else self[i]

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
        lengths = [len(sample) if isinstance(sample, tuple) else None for sample in data]
        width = lengths[0]
        for i, length in enumerate(lengths):
            if length != width:
                raise ValueError(f"{self.what}: sample 0 is {describe(data[0])}, and sample {i} is {describe(data[i])}")
        if not width:
            raise ValueError(f"{self.what}: a tuple holds the arguments of the loss, and sample 0 is empty")
        return [[sample[position] for sample in data] for position in range(width)]

    def _sequence(self, x: Any, name: str) -> None:
        if is_array(x) and x.shape:
            return
        if isinstance(x, (str, bytes)) or not isinstance(x, Sequence):
            raise TypeError(
                f"{self.what}: {name} is a sequence of samples, or an array with one row for each, not {describe(x)}; a"
                " tuple such as (X, y) holds columns, a list holds samples"
            )

    def _check(self, position: int, digest: Any) -> None:
        """Refuse what is not finite in one argument; remember which samples stand for the others."""
        column = self.columns[position]
        if is_array(column) and _is_plain(column):
            self._shapes.append([_shape(column[0], "", (), [])] * self.count)
            self._probes[0] = None
            field = self._fields[position,] = _Numbers()
            field.add_array(column, column.size // self.count)
            digest.update(column.astype(float).tobytes())
            shapes = self._shapes[-1]
        else:
            shapes = self._check_one_by_one(position, column.tolist() if is_array(column) else column, digest)
        kinds = {shape: number for number, shape in enumerate(dict.fromkeys(shapes))}
        digest.update(repr([*kinds]).encode() + array("q", map(kinds.__getitem__, shapes)).tobytes())
        for field_of, field in self._fields.items():
            if field_of[0] == position:
                self._probes.update(dict.fromkeys(field.probes()))

    def _check_one_by_one(self, position: int, entries: Sequence[Any], digest: Any) -> list[Any]:
        shapes: list[Any] = []
        seen: set[Any] = set()
        numbers = array("d")
        for i, entry in enumerate(entries):
            leaves: list[tuple[str, Field, Any]] = []
            shape = _shape(entry, "", (), leaves)
            shapes.append(shape)
            if shape not in seen:
                seen.add(shape)
                self._probes[i] = None
            for way, keys, x in leaves:
                number = _number(x)
                if number is None:
                    text = str(x) if isinstance(x, (str, bytes)) else type(x).__name__
                    digest.update(f"{len(text)} {text}".encode(errors="surrogatepass"))
                    continue
                if not math.isfinite(number):
                    where = f"argument {position}, column {way}" if way else f"argument {position}"
                    raise ValueError(f"{self.what}: sample {i}, {where} is {number}; every number is finite")
                if not isinstance(x, Value):  # whose number may be what is trained
                    numbers.append(number)
                self._fields.setdefault((position, *keys), _Numbers()).add(x, number, i)
        digest.update(numbers.tobytes())
        self._shapes.append(shapes)
        return shapes

    def probes(self) -> Iterator[tuple[int, str]]:
        """Yield samples that stand for all, with a description: one of each shape and label, those with extremes.

        What a loss has to say about rows of a wrong length, or labels out of range, it says of these.
        """
        for i in self._probes:
            yield i, f"{self.what}: sample {i} ({', '.join(_described(shapes[i]) for shapes in self._shapes)})"

    def arrays(self, floats: Collection[Field] = ()) -> list[Any]:
        """Return the columns as arrays, which compiled code takes: whole numbers as ints, in ``floats`` as floats.

        Raises ``ValueError`` for samples of different shapes.
        """
        arrays = []
        for position, (column, shapes) in enumerate(zip(self.columns, self._shapes)):
            for i, shape in enumerate(shapes):
                if shape != shapes[0]:
                    raise ValueError(
                        f"{self.what}: sample {i}, argument {position}: {_described(shape)}, and sample 0 has"
                        f" {_described(shapes[0])}; a compiled step takes samples of one shape"
                    )
            if not is_array(column) or column.dtype == object:
                try:
                    column = data_of([_plain(entry) for entry in column])
                except TypeError as error:
                    raise TypeError(
                        f"{self.what}: sample 0, argument {position} is {describe(column[0])}; a compiled step takes"
                        " arrays, made from numbers and lists of them"
                    ) from error
                fields = [numbers for field, numbers in self._fields.items() if field[0] == position]
                column = column.astype(int) if fields and all(numbers.whole for numbers in fields) else column
            arrays.append(_as_floats(column, (position,), floats))
        return arrays


class _Numbers:
    """What stands in a field: whether all of it is whole, and where extremes and a few different numbers are."""

    def __init__(self) -> None:
        self.whole = True
        self._extremes: list[tuple[float, int]] = []
        self._first: dict[Any, int] = {}

    def add(self, x: Any, number: float, i: int) -> None:
        """Take note of ``x`` in sample ``i``."""
        self.whole = self.whole and _is_whole(x) and abs(number) <= _EXACT
        if not self._extremes:
            self._extremes = [(number, i), (number, i)]
        elif number < self._extremes[0][0]:
            self._extremes[0] = (number, i)
        elif number > self._extremes[1][0]:
            self._extremes[1] = (number, i)
        if len(self._first) <= _LABELS:
            self._first.setdefault((type(x), number), i)

    def add_array(self, column: Any, width: int) -> None:
        """Take note of an array whose every ``width`` numbers are a sample's."""
        self.whole = column.dtype.kind in "iu"
        flat = column.reshape(-1)
        self._extremes = [(0.0, int(place) // width) for place in (flat.argmin(), flat.argmax())]
        for start in range(0, len(flat), _CHUNK):
            for place, x in enumerate(flat[start : start + _CHUNK].tolist(), start):
                if x not in self._first:
                    self._first[x] = place // width
            if len(self._first) > _LABELS:
                break

    def probes(self) -> list[int]:
        """Return samples that stand for all: of more numbers than labels may be, those with the extremes."""
        few = self._first.values() if len(self._first) <= _LABELS else ()
        return [*[i for _, i in self._extremes], *few]


def _number(x: Any) -> float | None:
    """Return a number among the data as a float, also one that no float can hold; ``None`` for anything else."""
    if type(x) is float:
        return x
    try:
        return x.data if isinstance(x, Value) else as_float(x)
    except OverflowError:
        return math.inf


def _plain(x: Any) -> Any:
    """Return a sample with plain numbers for arrays without axes, and lists for the others."""
    return mapped(lambda part: part.tolist() if is_array(part) else part, x)


def _is_whole(x: Any) -> bool:
    return type(x) is int or (not isinstance(x, (bool, float)) and hasattr(type(x), "__index__"))


def _as_floats(x: Any, field: Field, floats: Collection[Field]) -> Any:
    """Return a sample, or a column of it, with floats for ints in the fields ``floats``."""
    if not any(other[: len(field)] == field for other in floats):
        return x
    if isinstance(x, dict):
        return {key: _as_floats(part, (*field, key), floats) for key, part in x.items()}
    if isinstance(x, (list, tuple)):
        return [_as_floats(part, inner, floats) for part, inner in zip(x, paths(x, field))]
    if is_array(x):
        return x.astype(float) if x.dtype.kind in "iu" else x
    return float(x) if _is_whole(x) else x


def _is_plain(column: Any) -> bool:
    """Tell whether an array holds nothing but finite numbers, without a look at each."""
    return bool(column.dtype.kind in "fiub" and column.size and math.isfinite(float(abs(column).max())))


def _shape(x: Any, way: str, keys: Field, leaves: list[tuple[str, Field, Any]]) -> Any:
    """Return the lengths of nested lists as something that can be compared, and collect what is in them."""
    if is_array(x):
        x = x.tolist()
    if isinstance(x, (list, tuple)):
        ways = [f"{way}, {i}" if way else str(i) for i in range(len(x))]
        inner = [_shape(part, name, field, leaves) for part, name, field in zip(x, ways, paths(x, keys))]
        return (len(inner), None if inner.count(None) == len(inner) else tuple(inner))
    if isinstance(x, dict):
        names = {key: f"{way}, {key!r}" if way else repr(key) for key in x}
        return tuple([(names[key], _shape(part, names[key], (*keys, key), leaves)) for key, part in x.items()])
    leaves.append((way, keys, x))
    if _number(x) is not None:
        return None
    return "str" if isinstance(x, str) else type(x).__name__  # NumPy's texts are texts


def _described(shape: Any) -> str:
    if shape is None:
        return "one entry"
    if isinstance(shape, str):
        return f"one entry of type {shape}"
    if len(shape) == 2 and isinstance(shape[0], int):
        lengths = set(shape[1] or [])
        inner = f" of {_described(lengths.pop())}" if len(lengths) == 1 else ""
        return f"{shape[0]} entries{inner}" if not inner else f"{shape[0]} rows{inner}"
    return f"a dict of {len(shape)}"
