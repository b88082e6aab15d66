"""``Module``: something with parameters, which it finds in its own attributes."""

from __future__ import annotations

import os
import reprlib
from collections.abc import Iterator
from typing import Any

from micrograd.arrays import is_array
from micrograd.engine import Value
from micrograd.nn import state as states

__all__ = ["Module", "counted", "state_of"]


class Module:
    """Something with parameters: the base of every part of a network, and of yours.

    The parameters are the leaf Values among the attributes, in the order in which the attributes were set: Values
    themselves, other modules, and lists, tuples, dicts and arrays of them, however deep. A Value that is found several
    times counts once, where it comes first. A subclass may say itself what it trains, by its own ``parameters()``;
    what that leaves out is frozen, and saved with the rest.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.offset = Value(2.0), Value(1.0)
    ...     def __call__(self, x):
    ...         return self.slope * x + self.offset
    >>> line = Line()
    >>> line(3.0).backward()
    >>> [(name, p.grad) for name, p in line.named_parameters()]
    [('slope', 3.0), ('offset', 1.0)]
    >>> line.load_state_dict({"slope": -1.0, "offset": 0.5})
    >>> line(3.0).data
    -2.5
    """

    def parameters(self) -> list[Value]:
        """Return the Values that training changes."""
        found: dict[Value, None] = {}
        around = {id(self)}
        for part in vars(self).values():
            _collect(part, found, around)
        return list(found)

    def named_parameters(self) -> list[tuple[str, Value]]:
        """Return every parameter with its name, in the order of ``parameters()``.

        The name is the way to it: attributes, places in lists, keys of dicts, as in ``layers.0.neurons.3.w.1``. What
        only an overridden ``parameters()`` knows is named by its place there, ``parameters.7``.
        """
        return _named(self, {})

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0; ``backward()`` adds, so call this before each step."""
        for p in self.parameters():
            p._grad = 0.0

    def state_dict(self) -> dict[str, float]:
        """Return the numbers of all parameters by name, frozen ones after the others.

        Raises ``ValueError`` where two parameters have one name, as those of a dict with the keys 1 and ``"1"`` have.
        """
        return {name: p.data for name, p in self._unambiguous().items()}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Give all parameters the numbers that ``state_dict()`` returned; all of them or, if anything raises, none.

        Args:
            state: a number for the name of every parameter, and nothing else.

        Raises ``ValueError`` that says which names are missing or unexpected, or which entry is nan or not a number;
        ``TypeError`` for something that is not a dict.
        """
        parameters = self._unambiguous()
        for p, x in zip(parameters.values(), states.matched(state, list(parameters), self._described())):
            p.data = x

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the numbers of all parameters to a JSON file, exactly, and whole or not at all.

        Raises ``OSError`` when the file cannot be written.
        """
        states.write(path, self.state_dict(), self._described())

    def load(self, path: str | os.PathLike[str]) -> None:
        """Give all parameters the numbers that ``save`` wrote for a model of the same shape.

        Raises ``ModelFileError``, a ``ValueError``, for a damaged or foreign file, for one of another model and for nan
        in it: the parameters stay as they are then. ``OSError`` when it cannot be read.

        >>> import tempfile, pathlib
        >>> from micrograd.nn import MLP
        >>> model, twin = MLP(2, [3, 1]), MLP(2, [3, 1])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(pathlib.Path(folder, "model.json"))
        ...     twin.load(pathlib.Path(folder, "model.json"))
        >>> twin([0.5, -1.0]).data == model([0.5, -1.0]).data
        True
        """
        parameters = self._unambiguous()
        for p, x in zip(parameters.values(), states.read(path, list(parameters), self._described())):
            p.data = x

    def _unambiguous(self) -> dict[str, Value]:
        named: dict[str, Value] = {}
        for name, p in state_of(self):
            if named.setdefault(name, p) is not p:
                raise ValueError(f"two parameters of this {type(self).__name__} are named {name!r}; rename one of them")
        return named

    def _described(self) -> str:
        """Return one line for messages and files."""
        text = repr(self)
        return f"{type(self).__name__}({counted(self)})" if "\n" in text or len(text) > 200 else text

    @reprlib.recursive_repr()
    def __repr__(self) -> str:
        lines = [f"{type(self).__name__}({counted(self)})"]
        for name, part in vars(self).items():
            lines += _lines(name, part, set())
        return "\n  ".join(lines)


def state_of(module: Module) -> list[tuple[str, Value]]:
    """Return every parameter with its name: what ``named_parameters()`` gives, then what is frozen."""
    found: dict[Value, str] = {}
    for name, p in module.named_parameters():
        found.setdefault(p, name)
    around = {id(module)}
    said: _Said = {}
    for name, part in vars(module).items():
        _name(part, name, found, around, said, frozen=True)
    return [(name, p) for p, name in found.items()]


def counted(module: Module) -> str:
    """Return ``"337 parameters"``."""
    count = len(module.parameters())
    return f"{count:,} parameter{'' if count == 1 else 's'}"


def _overrides(module: Module) -> bool:
    return type(module).parameters is not Module.parameters


def _parts(x: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a container holds, with the names of it; nothing for anything else."""
    if isinstance(x, dict):
        for key, part in x.items():
            yield str(key), part
    elif isinstance(x, (list, tuple)) or (is_array(x) and x.dtype == object and x.shape):
        for i, part in enumerate(x):
            yield str(i), part


def _collect(x: Any, found: dict[Value, None], around: set[int]) -> None:
    """Add the parameters in ``x`` to ``found``; ``around`` holds what was entered, which may hold itself."""
    kind = type(x)
    if kind is Value:
        if x._op_row is None:
            found[x] = None
    elif kind is list or isinstance(x, (Module, dict, list, tuple)) or is_array(x):
        if id(x) in around:
            return
        around.add(id(x))
        if kind is list:
            for part in x:
                if type(part) is not Value:
                    _collect(part, found, around)
                elif part._op_row is None:  # written out once more: most parameters stand in lists
                    found[part] = None
        elif not isinstance(x, Module):
            for _, part in _parts(x):
                _collect(part, found, around)
        elif _overrides(x):
            found.update(dict.fromkeys(x.parameters()))
        else:
            for part in vars(x).values():
                _collect(part, found, around)


_Said = dict[int, list[tuple[str, Value]]]
"""What modules with their own ``parameters()`` named so far, by their ids."""


def _named(module: Module, said: _Said) -> list[tuple[str, Value]]:
    """Do what ``named_parameters`` does; what is in ``said`` is not asked again."""
    said[id(module)] = []  # while it is being asked: a part that knows it and asks it again would never end
    found: dict[Value, str] = {}
    around = {id(module)}
    for name, part in vars(module).items():
        _name(part, name, found, around, said)
    if _overrides(module):
        named = [(found.get(p, f"parameters.{i}"), p) for i, p in enumerate(module.parameters())]
    else:
        named = [(name, p) for p, name in found.items()]
    said[id(module)] = named
    return named


def _named_by(x: Module, said: _Said) -> list[tuple[str, Value]]:
    """Return what a part with its own ``parameters()`` names; it may have its own ``named_parameters()`` too."""
    if type(x).named_parameters is not Module.named_parameters:
        return x.named_parameters()
    return said[id(x)] if id(x) in said else _named(x, said)


def _name(x: Any, name: str, found: dict[Value, str], around: set[int], said: _Said, frozen: bool = False) -> None:
    """Do what ``_collect`` does, with the name of every parameter; of those too that are frozen, if wanted."""
    if type(x) is Value:
        if x._op_row is None:
            found.setdefault(x, name)
    elif isinstance(x, (Module, dict, list, tuple)) or is_array(x):
        if id(x) in around:
            return
        around.add(id(x))
        if isinstance(x, Module):
            if _overrides(x):
                for inner, p in _named_by(x, said):
                    found.setdefault(p, f"{name}.{inner}")
                if not frozen:
                    return
            parts: Iterator[tuple[str, Any]] = iter(vars(x).items())
        else:
            parts = _parts(x)
        for inner, part in parts:
            _name(part, f"{name}.{inner}", found, around, said, frozen)


def _lines(name: str, x: Any, around: set[int]) -> list[str]:
    """Return the lines that describe one attribute: a module's own, the shape of an array or list of Values."""
    if isinstance(x, Module):
        return [f"{name}: {x!r}".replace("\n", "\n  ")]
    found: dict[Value, None] = {}
    _collect(x, found, set())
    if not found or id(x) in around:
        return []
    if any(isinstance(part, Module) for _, part in _parts(x)):
        inside = {*around, id(x)}
        return [line for inner, part in _parts(x) for line in _lines(f"{name}.{inner}", part, inside)]
    size = " x ".join(map(str, _shape(x) or [len(found)]))
    return [f"{name}: {size} value{'' if size == '1' else 's'}"]


def _shape(x: Any, around: frozenset[int] = frozenset()) -> tuple[int, ...] | None:
    """Return the shape of nested lists and arrays of Values, ``None`` where they have none, or hold themselves."""
    if type(x) is Value:
        return ()
    if isinstance(x, dict) or id(x) in around:
        return None
    inside = around | {id(x)}
    shapes = [_shape(part, inside) for _, part in _parts(x)]
    if not shapes or shapes[0] is None or any(shape != shapes[0] for shape in shapes):
        return None
    return (len(shapes), *shapes[0])
