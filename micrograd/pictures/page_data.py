"""The graph as the explorer's page reads it: JSON with Python's own numbers, and its operations in JavaScript.

Steps of the backward pass follow ``reverse`` and, within a node, the positions of its operands: the engine's own order,
so that sums of shares come out as ``backward()`` has them, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from micrograd._console import json_number
from micrograd.compiler.operation_script import operation_script
from micrograd.engine import Value
from micrograd.errors import CompilationError
from micrograd.ops import Op
from micrograd.pictures.record import Edge, Node, Record
from micrograd.pictures.text import SHOWN, clean, number

__all__ = ["Form", "forms_of", "page_data"]


@dataclass(frozen=True)
class Form:
    """How the page computes a node.

    Attributes:
        script: the name of its script; ``None`` for a leaf, and where there is no script.
        source: the script, a JavaScript expression.
        frozen: why an operation has no script.
    """

    script: str | None = None
    source: str = ""
    frozen: str = ""


def forms_of(values: Sequence[Value]) -> list[Form]:
    """Return how the page computes each node.

    >>> x = Value(2.0)
    >>> [form.script for form in forms_of([x, x * x])]
    [None, 'mul/2']
    """
    known: dict[tuple[Op, int], Form] = {}
    forms = []
    for v in values:
        op, count = v._op_row, len(v.operands)
        if op is None:
            forms.append(Form())
            continue
        if (op, count) not in known:
            known[op, count] = _form(op, count)
        forms.append(known[op, count])
    return forms


def _form(op: Op, count: int) -> Form:
    try:
        return Form(f"{op.name}/{count}", operation_script(op, count))
    except CompilationError as error:
        return Form(frozen=clean(str(error)))


def page_data(record: Record, forms: Sequence[Form], *, digits: int) -> dict[str, Any]:
    """Return the graph as plain data for JSON, in which nan and infinities are texts.

    Args:
        record: the graph with the gradients of a pass.
        forms: how the page computes each node.
        digits: significant digits of the numbers that the page shows.
    """
    index = {v: i for i, v in enumerate(record.values)}
    return {
        "root": record.roots[0],
        "digits": digits,
        "nodes": [
            _node(node, form, _call(v, index, record, digits), _operands(v, index))
            for v, node, form in zip(record.values, record.nodes, forms)
        ],
        "reverse": list(record.reverse),
        "edges": [_edge(edge) for edge in record.edges],
        "notes": list(record.notes),
    }


def _node(node: Node, form: Form, call: str, operands: Sequence[Any]) -> dict[str, Any]:
    return {
        "name": node.name,
        "op": node.op,
        "shown": node.shown,
        "call": call,
        "operands": operands,
        "data": json_number(node.data),
        "scope": "/".join(node.scope),
        "script": form.script,
        "frozen": form.frozen,
    }


def _operands(v: Value, index: Mapping[Value, int]) -> list[Any]:
    return [index[x] if isinstance(x, Value) else {"number": json_number(x)} for x in v.operands]


def _call(v: Value, index: Mapping[Value, int], record: Record, digits: int) -> str:
    """Return how a node was made, in words: ``mul(w, 2)``; nothing for a leaf."""
    if not v.op:
        return ""

    def words(x: Value | float) -> str:
        if not isinstance(x, Value):
            return number(x, digits)
        node = record.nodes[index[x]]
        return node.name or node.op or "leaf"

    shown = [words(x) for x in v.operands[:SHOWN]]
    if len(v.operands) > SHOWN:
        shown.append(f"... {len(v.operands)} operands")
    return f"{v.op}({', '.join(shown)})"


def _edge(edge: Edge) -> dict[str, Any]:
    return {
        "operand": edge.operand,
        "consumer": edge.consumer,
        "position": edge.position,
        "local": _number(edge.local),
        "share": _number(edge.share),
    }


def _number(x: float | None) -> float | str | None:
    return None if x is None else json_number(x)
