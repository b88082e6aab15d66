"""Names for nodes: their labels, and where those are missing, the names of the variables that hold them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from micrograd.engine import Value
from micrograd.errors import describe

__all__ = ["names_of"]

_MOST = 100_000  # elements that are looked at: locals() may hold a whole data set


def names_of(variables: Mapping[str, Any] | None) -> dict[Value, str]:
    """Return a name for every Value that ``variables`` holds, also inside of lists, dicts and object arrays.

    The first name that a node has in ``variables`` counts. Names that begin with an underscore are left out, and so are
    IPython's lists of what was typed and shown, ``In`` and ``Out``.

    Raises ``TypeError`` for something that is not a mapping.

    >>> w, b = [Value(1.0), Value(2.0)], Value(0.0)
    >>> list(names_of({"w": w, "b": b, "n": 3}).values())
    ['w[0]', 'w[1]', 'b']
    """
    if variables is None:
        return {}
    if not isinstance(variables, Mapping):
        raise TypeError(f"names is a mapping such as locals(), not {describe(variables)}")
    found: dict[Value, str] = {}
    budget = iter(range(_MOST))
    for name, x in variables.items():
        if isinstance(name, str) and not name.startswith("_") and name not in ("In", "Out"):
            for path, value in _values(name, x, budget):
                found.setdefault(value, path)
    return found


def _values(path: str, x: Any, budget: Iterator[int], depth: int = 0) -> Iterator[tuple[str, Value]]:
    if type(x).__name__ == "ndarray" and x.dtype == object:
        x = x.tolist()  # of an array without dimensions: what it holds
    if isinstance(x, Value):
        yield path, x
    # Deep enough for layers, neurons and weights; a list may hold itself.
    elif depth < 4 and isinstance(x, (dict, list, tuple)):
        elements: Iterable[tuple[Any, Any]] = x.items() if isinstance(x, dict) else enumerate(x)
        for (key, element), _ in zip(elements, budget):
            if not isinstance(element, (int, float, str)):
                yield from _values(f"{path}[{key!r}]", element, budget, depth + 1)
