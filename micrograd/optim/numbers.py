"""What the optimisers accept: Values to change, and numbers within bounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from micrograd.engine import Value
from micrograd.errors import describe, not_a_number
from micrograd.ops.floats import as_float

__all__ = ["at_least", "gradient", "values_of", "within"]


def values_of(parameters: Iterable[Any]) -> list[Value]:
    """Return the parameters as a list.

    Raises ``TypeError`` for something that is not an iterable of Values.
    """
    if callable(getattr(parameters, "parameters", None)):
        raise TypeError(f"the parameters of a model are wanted: give model.parameters(), not {describe(parameters)}")
    if isinstance(parameters, (Value, str)) or not hasattr(type(parameters), "__iter__"):
        raise TypeError(f"an iterable of Values is wanted, [v] for a single one, not {describe(parameters)}")
    found = list(parameters)
    for i, p in enumerate(found):
        if not isinstance(p, Value):
            raise TypeError(f"parameter {i} is a Value, not {describe(p)}")
    return found


def gradient(p: Value) -> float:
    """Return the gradient of ``p`` as a number, also after ``backward(create_graph=True)``."""
    g = p._grad
    return g.data if isinstance(g, Value) else g


def at_least(least: float, name: str, x: Any) -> float:
    """Return ``x`` as a float.

    Raises ``TypeError`` where it is not a number, ``ValueError`` where it is not finite or below ``least``.
    """
    return _bounded(name, x, f"a finite number from {least:g} on", lambda number: number >= least)


def within(name: str, x: Any) -> float:
    """Return ``x``, a number from 0 to below 1, as a float; raises as ``at_least`` does."""
    return _bounded(name, x, "a number from 0 to below 1", lambda number: 0.0 <= number < 1.0)


def _bounded(name: str, x: Any, wanted: str, good: Callable[[float], bool]) -> float:
    try:
        number = as_float(x)
    except OverflowError:
        raise ValueError(f"{name} is {wanted}, not {describe(x)}") from None
    if number is None:
        raise TypeError(f"{name}: {not_a_number(x, wanted)}")
    if not math.isfinite(number) or not good(number):
        raise ValueError(f"{name} is {wanted}, not {number!r}")
    return number
