"""Graphs as JSON files: ``save`` and ``load``.

The file is one object::

    {"format": "micrograd graph", "version": 1,
     "nodes": [{"data": 2.0, "grad": 0.0, "label": "x", "scope": ""},
               {"op": "mul", "operands": [0, {"number": 3.0}], "captured": [2.0, 3.0], "out": 6.0,
                "data": 6.0, "grad": 0.0, "label": "", "scope": ""}],
     "roots": 1}

A node comes after its operands; an operand is the position of a node, or a number. ``captured`` and ``out`` are the
numbers of the forward pass. ``roots`` is the position of the saved Value, or lists and objects of positions, as they
were given to ``save``. Infinities and nan are the texts ``"inf"``, ``"-inf"``, ``"nan"`` and ``"-nan"``. An operation
is named as in the table; one that is registered by the user has to be registered before ``load`` too.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NoReturn

from micrograd import _json
from micrograd._copying import operands_first
from micrograd._modes import outside, pause_gc
from micrograd.engine import Value, captured
from micrograd.errors import GraphFileError, describe
from micrograd.ops import Op, operations

__all__ = ["load", "save"]

_VERSION = 1


def save(graph: Any, path: str | os.PathLike[str]) -> None:
    """Write the graph below one Value, or below every Value in nested lists, tuples and dicts, as JSON.

    Values are written once, however many share them. A gradient that is a Value is written as its number. The file is
    written whole or not at all.

    Raises ``TypeError`` when something else than a Value is to be saved, ``ValueError`` for containers without end,
    ``OSError`` when the file cannot be written.

    >>> import tempfile, pathlib
    >>> x = Value(2.0, label="x")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save({"x": x, "y": x * x}, pathlib.Path(folder, "graph.json"))
    ...     again = load(pathlib.Path(folder, "graph.json"))
    >>> again["y"].backward()
    >>> again["x"]
    Value(data=2.0, grad=4.0, label='x')
    """
    roots: list[Value] = []
    try:
        _map_roots(graph, roots.append)
    except RecursionError:
        raise ValueError("the graph to save is nested too deeply, or holds itself") from None
    order = operands_first(roots)
    position = {node: i for i, node in enumerate(order)}
    content = {
        "format": "micrograd graph",
        "version": _VERSION,
        "nodes": [_entry(node, position) for node in order],
        "roots": _map_roots(graph, position.__getitem__),
    }
    _json.write(path, content)


def _map_roots(graph: Any, function: Callable[[Value], Any]) -> Any:
    if isinstance(graph, Value):
        return function(graph)
    if isinstance(graph, (list, tuple)):
        return [_map_roots(item, function) for item in graph]
    if isinstance(graph, dict) and all(isinstance(key, str) for key in graph):
        return {key: _map_roots(item, function) for key, item in graph.items()}
    raise TypeError(f"a Value is saved, or lists, tuples and dicts (with text as keys) of them; not {describe(graph)}")


def _entry(node: Value, position: dict[Value, int]) -> dict[str, Any]:
    grad = node.grad.data if isinstance(node.grad, Value) else node.grad
    entry = {"data": _json.written(node.data), "grad": _json.written(grad), "label": node.label, "scope": node.scope}
    if not node.op:
        return entry
    operands = [position[x] if isinstance(x, Value) else {"number": _json.written(x)} for x in node.operands]
    numbers = [_json.written(x) for x in captured(node)]
    return {"op": node.op, "operands": operands, "captured": numbers, "out": _json.written(node._out), **entry}


def load(path: str | os.PathLike[str]) -> Any:
    """Read what ``save`` wrote: a Value, or lists and dicts of Values (a tuple comes back as a list).

    Raises ``GraphFileError`` for a damaged or foreign file, saying where; ``OSError`` when it cannot be read.
    """

    def refuse(why: str) -> NoReturn:
        raise GraphFileError(f"{os.fspath(path)}: {why}")

    content = _json.read(path, "graph", _VERSION, GraphFileError)
    nodes: list[Value] = []
    entries = content.get("nodes")
    if not isinstance(entries, list):
        refuse("'nodes' is not a list")
    with outside(), pause_gc():
        for i, entry in enumerate(entries):
            try:
                nodes.append(_node(entry, nodes))
            except (ValueError, TypeError, LookupError, OverflowError) as error:
                refuse(f"node {i}: {error.args[0]}")
    try:
        return _roots(content.get("roots"), nodes)
    except ValueError as error:
        refuse(f"roots: {error}")
    except RecursionError:
        refuse("roots: nested too deeply")


def _node(entry: Any, nodes: list[Value]) -> Value:
    if not isinstance(entry, dict):
        raise ValueError(f"expected an object, found {describe(entry)}")
    node = Value(_read(entry, "data"))
    node.grad = _read(entry, "grad")
    node.label = entry.get("label", "")
    scope = entry.get("scope", "")
    if not isinstance(scope, str):
        raise ValueError(f"'scope' is text, not {describe(scope)}")
    node._scope = scope
    if "op" not in entry:
        for key in ("operands", "captured", "out"):
            if key in entry:
                raise ValueError(f"'op' is missing beside {key!r}")
        return node
    op = _operation(entry["op"])
    given, captured_numbers = entry.get("operands"), entry.get("captured")
    if not isinstance(given, list) or not isinstance(captured_numbers, list) or len(given) != len(captured_numbers):
        raise ValueError("'operands' and 'captured' are lists of one length")
    if op.arity is not None and len(given) != op.arity:
        raise ValueError(f"{op.name!r} takes {op.arity} operands, {len(given)} are listed")
    operands, numbers = [_operand(x, nodes) for x in given], [_json.number(x) for x in captured_numbers]
    if not any(isinstance(x, Value) for x in operands):
        raise ValueError(f"{op.name!r} is applied to numbers alone, which makes no node")
    for x, number in zip(operands, numbers):
        if not isinstance(x, Value) and repr(x) != repr(number):
            raise ValueError(f"the number {x!r} among the operands was captured as {number!r}")
    node._out = _read(entry, "out")
    node._record(op, tuple(operands), tuple(numbers))
    return node


def _operation(name: Any) -> Op:
    if not isinstance(name, str) or name not in operations():
        raise LookupError(
            f"unknown operation {describe(name)}; register it with micrograd.op(...) before the file is loaded"
        )
    return operations()[name]


def _operand(x: Any, nodes: list[Value]) -> Value | float:
    if isinstance(x, dict) and x.keys() == {"number"}:
        return _json.number(x["number"])
    return nodes[_position(x, nodes)]


def _position(x: Any, nodes: list[Value]) -> int:
    if not isinstance(x, int) or isinstance(x, bool) or not 0 <= x < len(nodes):
        raise ValueError(f"{describe(x)} is not the position of one of the {len(nodes)} nodes before it")
    return x


def _roots(x: Any, nodes: list[Value]) -> Any:
    if isinstance(x, list):
        return [_roots(item, nodes) for item in x]
    if isinstance(x, dict):
        return {key: _roots(item, nodes) for key, item in x.items()}
    return nodes[_position(x, nodes)]


def _read(entry: dict[str, Any], key: str) -> float:
    if key not in entry:
        raise ValueError(f"{key!r} is missing")
    return _json.number(entry[key])
