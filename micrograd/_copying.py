"""Copies and pickles of graphs of any depth, without recursion.

Python would copy a node by copying its operands first, and meet its recursion limit after a few hundred nodes. Here a
graph is laid out as a list, operands before what uses them; then no node has to descend into another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from micrograd._modes import pause_gc

if TYPE_CHECKING:
    from micrograd.engine import Value

__all__ = ["clone", "deep_copy", "operands_first", "reduce"]

_FIELDS = ("_op_row", "_left", "_right", "_a", "_b", "_out", "_data", "_grad", "_label", "_scope")


def operands_first(roots: list[Value]) -> list[Value]:
    """Return every node below ``roots``, leaves included, operands before what uses them."""
    seen: set[Value] = set()
    order: list[Value] = []
    for root in roots:
        if root in seen:
            continue
        seen.add(root)
        stack = [(root, iter(root.parents))]
        while stack:
            node, rest = stack[-1]
            for x in rest:
                if x not in seen:
                    seen.add(x)
                    stack.append((x, iter(x.parents)))
                    break
            else:
                order.append(node)
                stack.pop()
    return order


def _with_gradients(root: Value) -> tuple[list[Value], list[tuple[Value, Value]]]:
    """Return the graph of ``root`` and of every gradient in it that is a node, and the pairs (node, gradient)."""
    kind = type(root)
    roots, order, pairs = [root], operands_first([root]), []
    examined = 0
    while examined < len(order):
        found = [(node, node._grad) for node in order[examined:] if type(node._grad) is kind]
        examined = len(order)
        pairs += found
        roots += [grad for _, grad in found]
        if found:
            # The order of nodes already listed stays: depth first, an extra root only appends.
            order = operands_first(roots)
    return order, pairs


def clone(node: Value, mapped: Callable[[Any], Any]) -> Value:
    """Return a copy of one node whose operands are ``mapped``; a gradient that is a node is left as it is."""
    copy = object.__new__(type(node))
    copy._visit = None
    for field in _FIELDS:
        setattr(copy, field, getattr(node, field))
    if type(node._left) is tuple:
        copy._left = tuple([mapped(x) for x in node._left])
    else:
        copy._left, copy._right = mapped(node._left), mapped(node._right)
    return copy


def deep_copy(root: Value, memo: dict[int, Any]) -> Value:
    """Return a copy of the graph of ``root``; nodes that ``memo`` knows were copied already."""
    order, pairs = _with_gradients(root)
    kind = type(root)

    def mapped(x: Any) -> Any:
        return memo[id(x)] if type(x) is kind else x

    with pause_gc():
        for node in order:
            if id(node) not in memo:
                memo[id(node)] = clone(node, mapped)
    for node, grad in pairs:
        memo[id(node)]._grad = memo[id(grad)]
    return memo[id(root)]  # type: ignore[no-any-return]


class _Flattening(threading.local):
    """The nodes that a pickle in this thread is writing as a list; each of them is written without descending."""

    def __init__(self) -> None:
        self.nodes: dict[int, int] = {}


_flattening = _Flattening()


class _Layout:
    """The nodes of one graph, pickled as a list: each in its turn, when its operands are in the pickle already.

    The pickler remembers every node, so nodes shared with whatever else is in the same pickle keep their identity.
    """

    def __init__(self, order: list[Value]) -> None:
        self._order = order

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return list, (), None, self._in_turn()

    def _in_turn(self) -> Iterator[Value | None]:
        listed = _flattening.nodes
        for node in self._order:
            listed[id(node)] = listed.get(id(node), 0) + 1
        try:
            yield from self._order
            yield None  # the pickler looks one item ahead: the last node is written only now
        finally:
            for node in self._order:
                listed[id(node)] -= 1
                if not listed[id(node)]:
                    del listed[id(node)]


def reduce(node: Value) -> tuple[Any, ...]:
    """Return what ``pickle`` needs: the node alone where its operands come first anyway, else its whole graph."""
    fields = [getattr(node, field) for field in _FIELDS]
    has_node_as_grad = type(node._grad) is type(node)
    if has_node_as_grad:
        fields[_FIELDS.index("_grad")] = 0.0
    if id(node) in _flattening.nodes or (node._op_row is None and not has_node_as_grad):
        return _restore, (type(node), *fields)
    order, pairs = _with_gradients(node)
    return _root_of, (_Layout(order), order.index(node), pairs)


def _restore(kind: type[Value], *fields: Any) -> Value:
    node = object.__new__(kind)
    node._visit = None
    for field, x in zip(_FIELDS, fields, strict=True):
        setattr(node, field, x)
    return node


def _root_of(nodes: list[Value | None], index: int, pairs: list[tuple[Value, Value]]) -> Value:
    for node, grad in pairs:
        node._grad = grad
    return nodes[index]  # type: ignore[return-value]
