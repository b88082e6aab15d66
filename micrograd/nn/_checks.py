"""What the parts of a network ask of their arguments, in the words that all of them use."""

from __future__ import annotations

import difflib
import math
import operator
from collections.abc import Iterable
from typing import Any

from micrograd.arrays import is_array
from micrograd.errors import TraceError, describe, not_among
from micrograd.ops import Operand
from micrograd.ops.floats import as_int

__all__ = ["check_size", "is_chosen_later", "listed", "row_of", "unknown", "whole"]


def check_size(what: str, size: Any) -> int:
    """Return a size as a plain int; ``TypeError`` where it is none (NumPy's are), ``ValueError`` for one below 1."""
    return as_int(f"the size of {what}", size, 1)


def listed(x: Any, wanted: str) -> list[Any]:
    """Return an iterable or an array as a list (of lists, for an array of several axes)."""
    if is_array(x) and x.shape != ():
        return x.tolist()  # type: ignore[no-any-return]
    if isinstance(x, (str, bytes, dict)) or not isinstance(x, Iterable):
        raise TypeError(f"expected {wanted} but got {describe(x)}")
    return list(x)


def row_of(owner: object, x: Any, size: int) -> list[Any]:
    """Return the inputs of a part of a network as a list; ``ValueError`` where they are not ``size`` numbers."""
    row = listed(x, f"a row of {size} inputs for {owner!r}") if type(x) is not list else x
    if len(row) != size:
        raise ValueError(f"{owner!r} takes {size} inputs, {len(row)} came")
    for kind in set(map(type, row)):
        if kind is list or hasattr(kind, "__array_function__"):
            raise ValueError(f"{owner!r} takes one row of {size} inputs; several rows came: call it once for each")
    return row


def is_chosen_later(x: Any) -> bool:
    """Tell whether ``x`` stands for an int that compiled code is given at each call."""
    return isinstance(x, Operand) and x.chosen_later


def whole(what: str, x: Any, size: int) -> Any:
    """Return a label or a token as an int from 0 to ``size - 1``; compiled code asks the same of it at every call."""
    if is_chosen_later(x):
        return x.__micrograd_choice__(what, size)
    if isinstance(x, float) and not (math.isfinite(x) and x == math.floor(x)):
        raise ValueError(not_among(what, size, describe(x)))
    try:
        number = operator.index(x)
    except TraceError as refusal:  # a symbol of a float; below its own words stands the line of the user's code
        _, newline, line = str(refusal).partition("\n")
        step = "pass ints to the compiled function (a bool is a float there)"
        raise TraceError(not_among(what, size, f"the float {x!r}: {step}{newline}{line}")) from None
    except TypeError:
        step = "; convert it with int(...)" if isinstance(x, float) else ""
        raise TypeError(not_among(what, size, describe(x) + step)) from None
    if isinstance(x, bool):
        raise TypeError(not_among(what, size, f"{x}; convert it with int(...)"))
    if not 0 <= number < size:
        raise ValueError(not_among(what, size, number))
    return number


def unknown(what: str, name: str, allowed: Iterable[str], otherwise: str) -> ValueError:
    """Return the error for a name that is not ``allowed``: what is, the nearest one, and what may come instead.

    >>> unknown("colour", "bleu", ["blue", "red"], "a number")
    ValueError("unknown colour 'bleu'; did you mean 'blue'? (one of: blue, red; or a number)")
    """
    names = list(allowed)
    near = difflib.get_close_matches(name[:40], names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return ValueError(f"unknown {what} {name!r}{hint} (one of: {', '.join(names)}; or {otherwise})")
