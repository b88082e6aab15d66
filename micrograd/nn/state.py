"""The parameters of a model as numbers by name: checked against a model as a whole, written to a file and read again.

The file is one object::

    {"format": "micrograd model", "version": 1, "model": "MLP(2 -> 1, 3 parameters)",
     "parameters": {"layers.0.neurons.0.w.0": 0.25, "layers.0.neurons.0.w.1": -1.0, "layers.0.neurons.0.b": 0.0}}
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from micrograd import _console, _json
from micrograd.errors import ModelFileError, describe
from micrograd.ops.floats import as_float

__all__ = ["matched", "read", "write"]

_VERSION = 1
_SHOWN = 3  # names in a message


def matched(state: Any, names: Sequence[str], model: str) -> list[float]:
    """Return the numbers of ``state`` in the order of ``names``.

    Raises ``TypeError`` for something that is no mapping, ``ValueError`` for names that are missing or too many, and
    for what is not a number or is nan.

    >>> matched({"b": 1, "a": 0.5}, ["a", "b"], "this model")
    [0.5, 1.0]
    """
    if not isinstance(state, Mapping):
        raise TypeError(f"a state maps names to numbers, as state_dict() returns it; got {describe(state)}")
    known = set(names)
    missing = [name for name in names if name not in state]
    strange = [name for name in state if name not in known]
    if missing or strange:
        found = [f"{_some(missing)} missing"] * bool(missing) + [f"{_some(strange)} unexpected"] * bool(strange)
        raise ValueError(f"not the state of {model}: {'; '.join(found)}")
    return [_number(name, state[name]) for name in names]


def _some(names: Sequence[Any]) -> str:
    shown = ", ".join([describe(x) if not isinstance(x, str) else repr(x[:80]) for x in names[:_SHOWN]])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{shown}{more} {'is' if len(names) == 1 else 'are'}"


def _number(name: str, x: Any) -> float:
    try:
        number = as_float(x)
    except OverflowError:
        raise ValueError(f"{name!r} is {describe(x)}, larger than any float") from None
    if number is None:
        raise ValueError(f"{name!r} is {describe(x)}, not a number")
    if number != number:
        raise ValueError(f"{name!r} is nan: the state is that of a model that broke down while it was trained")
    return number


def write(path: str | os.PathLike[str], numbers: Mapping[str, float], model: str) -> None:
    """Write numbers by name, and a description of their model, whole or not at all."""
    parameters = {name: _json.written(x) for name, x in numbers.items()}
    _json.write(path, {"format": "micrograd model", "version": _VERSION, "model": model, "parameters": parameters})


def read(path: str | os.PathLike[str], names: Sequence[str], model: str) -> list[float]:
    """Return the numbers in a file in the order of ``names``; ``ModelFileError`` says what is wrong with the file."""
    content = _json.read(path, "model", _VERSION, ModelFileError)
    saved, parameters = content.get("model"), content.get("parameters")
    try:
        if not isinstance(parameters, dict):
            raise ValueError(f"'parameters' is an object of numbers by name, not {describe(parameters)}")
        if set(parameters) != set(names) and isinstance(saved, str):
            model = f"{model}, but of {_console.clean(saved[:200])}"
        return matched({name: _listed_number(name, x) for name, x in parameters.items()}, names, model)
    except ValueError as error:
        raise ModelFileError(f"{os.fspath(path)}: {error}") from None


def _listed_number(name: str, x: Any) -> float:
    try:
        return _json.number(x)
    except ValueError as error:
        raise ValueError(f"{name!r}: {error}") from None
