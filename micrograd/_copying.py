"""Copies and pickles of graphs of any depth, without recursion.

Python would copy a node by copying its operands first, and meet its recursion limit after a few hundred nodes. Here a
graph is laid out as a list, operands before what uses them; then no node has to descend into another.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from micrograd._modes import pause_gc

if TYPE_CHECKING:
    from micrograd.engine import Value

__all__ = ["clone", "deep_copy", "operands_first", "reduce", "restore"]

_FIELDS = ("_op_row", "_left", "_right", "_a", "_b", "_out", "_data", "_grad", "_label", "_scope")


def operands_first(roots: Iterable[Value]) -> list[Value]:
    """Return every node below ``roots``, leaves included, operands before what uses them."""
    return list(_visited(roots))


def _visited(roots: Iterable[Value]) -> Iterator[Value]:
    seen: set[Value] = set()
    stack: list[Value | None] = []
    for root in roots:
        stack.append(root)
        while stack:
            node = stack.pop()
            if node is None:  # everything below the node under it has been visited
                yield stack.pop()  # type: ignore[misc]
            elif node not in seen:
                seen.add(node)
                stack += (node, None)
                stack += [x for x in reversed(node.parents) if x not in seen]


def _with_gradients(root: Value) -> tuple[list[Value], list[tuple[Value, Value]]]:
    """Return the graph of ``root`` and of every gradient in it that is a node, and the pairs (node, gradient)."""
    roots, order, pairs = [root], [], []
    for node in _visited(roots):
        order.append(node)
        if type(node._grad) is type(root):
            pairs.append((node, node._grad))
            roots.append(node._grad)  # the visit goes on to it
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


class _Writing(threading.local):
    """The listing that a pickler of this thread is writing."""

    listing: Callable[[], _Listing | None] = staticmethod(lambda: None)


_writing = _Writing()


class _Listing:
    """The nodes of one graph, pickled as a list: each in its turn, when its operands are in the pickle already.

    The pickler remembers every node, so nodes shared with whatever else is in the same pickle keep their identity. From
    this object to its ``_End``, which follows it in the pickle, no node of the list descends into its operands. Only a
    weak reference says so: a pickler that fails on the way takes it along.
    """

    def __init__(self, order: list[Value]) -> None:
        self.order, self.nodes = order, frozenset(order)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        self.outer, _writing.listing = _writing.listing, weakref.ref(self)
        return list, (), None, iter(self.order)


class _End:
    """Marks in a pickle where a listing ends."""

    def __init__(self, listing: _Listing) -> None:
        self._listing = listing

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        _writing.listing = self._listing.outer
        return tuple, ()


def reduce(node: Value) -> tuple[Any, ...]:
    """Return what ``pickle`` needs: the node alone where its operands come first anyway, else its whole graph."""
    fields = [getattr(node, field) for field in _FIELDS]
    has_node_as_grad = type(node._grad) is type(node)
    if has_node_as_grad:
        fields[_FIELDS.index("_grad")] = 0.0
    listing = _writing.listing()
    if (listing is not None and node in listing.nodes) or (node._op_row is None and not has_node_as_grad):
        return restore, (type(node), *fields)
    order, pairs = _with_gradients(node)
    listing = _Listing(order)
    return _root_of, (listing, _End(listing), order.index(node), pairs)


def restore(kind: type[Value], *fields: Any) -> Value:
    """Return a node with these ``fields``, whatever mode surrounds it."""
    node = object.__new__(kind)
    node._visit = None
    for field, x in zip(_FIELDS, fields, strict=True):
        setattr(node, field, x)
    return node


def _root_of(nodes: list[Value], end: tuple[()], index: int, pairs: list[tuple[Value, Value]]) -> Value:
    for node, grad in pairs:
        node._grad = grad
    return nodes[index]
