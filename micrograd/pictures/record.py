"""The graph as pictures show it: plain data about nodes and edges, read once and without a change to any node.

Two gradients can be shown. A picture shows what ``backward()`` left in the nodes, and says "not computed" where it left
nothing; the explorer shows a pass of its own (``of_pass``), which touches no ``grad``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from micrograd.engine import Value, captured, shares
from micrograd.errors import DrawingError, describe
from micrograd.graph import topological_order, untraced_pass
from micrograd.pictures.names import names_of
from micrograd.pictures.text import SHOWN, clean, number, times

__all__ = ["Edge", "Node", "Record", "of_pass", "path_of", "record"]


@dataclass(frozen=True)
class Node:
    """A node of the graph.

    Attributes:
        name: its label, or the name of its variable; empty where it has neither.
        op: the table's name of its operation; empty for a leaf.
        symbol: how the operation is written, ``+`` for instance.
        shown: what a box shows of the operation: ``+``, ``· * 2``, ``maximum(·, 0)``.
        scope: the scope in which it was built, outermost first.
        data: its number.
        grad: its gradient; ``None`` where no pass has computed one.
        received: what the edges of the picture, and the pass that starts at a root, add up to; ``None`` where no pass
            went along them, so that a gradient comes from elsewhere.
        uses: how often it is an operand in this graph.
    """

    name: str
    op: str
    symbol: str
    shown: str
    scope: tuple[str, ...]
    data: float
    grad: float | None
    received: float | None
    uses: int


@dataclass(frozen=True)
class Edge:
    """One use of a node.

    Attributes:
        operand: the index of the node that is used.
        consumer: that of the node which uses it.
        position: which of the consumer's operands it is.
        local: the local derivative; ``None`` where the rule raises.
        share: what the consumer adds to the operand's gradient; ``None`` where it is not computed.
    """

    operand: int
    consumer: int
    position: int
    local: float | None
    share: float | None


@dataclass(frozen=True)
class Record:
    """A graph as plain data.

    Attributes:
        values: the nodes themselves, operands before what uses them.
        nodes: what is shown of each.
        edges: by consumer, then by position.
        roots: indices of the roots.
        reverse: indices of the interior nodes in the order of ``backward()``; empty for what ``backward()`` left.
        first_bad: the first node whose number or gradient is not finite, if there is one.
        notes: what a reader has to know: rules that raise, numbers that changed since the forward pass.
    """

    values: Sequence[Value]
    nodes: Sequence[Node]
    edges: Sequence[Edge]
    roots: Sequence[int]
    reverse: Sequence[int]
    first_bad: int | None
    notes: Sequence[str]

    def title(self) -> str:
        """Return the name of the picture: that of its roots."""
        return ", ".join([self.nodes[i].name or self.nodes[i].op or "value" for i in self.roots[:3]])


def record(roots: Sequence[Value], names: Mapping[str, Any] | None = None, digits: int = 4) -> Record:
    """Return the graph below ``roots`` with the gradients that ``backward()`` left in its nodes.

    Args:
        roots: one or several.
        names: names for nodes without a label.
        digits: significant digits of numbers that are operands.

    Raises ``TypeError`` for a root that is not a Value, or without a root.

    >>> x = Value(3.0, label="x")
    >>> y = x * x
    >>> [(e.local, e.share) for e in record([y]).edges]
    [(3.0, None), (3.0, None)]
    >>> y.backward()
    >>> [(e.local, e.share) for e in record([y]).edges]
    [(3.0, 3.0), (3.0, 3.0)]
    """
    order = _order(roots)
    computed = _computed(order, roots)
    gradients = [_plain(v.grad) if known else None for v, known in zip(order, computed)]
    return _Reader(order, roots, names_of(names), gradients, digits).record()


def of_pass(root: Value, names: Mapping[str, Any] | None = None, digits: int = 4) -> Record:
    """Return the graph below ``root`` with the gradients of a pass from it, which touches no ``grad``.

    The numbers are those that the forward pass had: with what an optimiser wrote since, no equation would be true.

    Raises ``TypeError`` for a root that is not a Value, ``DrawingError`` where the rule of an operation raises.

    >>> x = Value(3.0)
    >>> of_pass(x * x).nodes[0].grad, x.grad
    (6.0, 0.0)
    """
    order = _order([root])
    interior, found = _passed_from(root, order)
    gradients: list[float | None] = [found.get(v, 0.0) for v in order]
    reader = _Reader(order, [root], names_of(names), gradients, digits, _of_forward(order))
    return reader.record([reader.index[v] for v in reversed(interior)])


def _passed_from(root: Value, order: Sequence[Value]) -> tuple[list[Value], dict[Value, float]]:
    try:
        return untraced_pass(root)
    except Exception:
        for v in reversed(order):
            _expect_shares(v)
        raise  # no rule raises: it came from elsewhere, a detector of anomalies for instance


def _expect_shares(node: Value) -> None:
    try:
        shares(node, 1.0)
    except Exception as error:
        raise DrawingError(f"the derivative rule of {node.op} raises {error!r}; draw(root) shows the graph") from error


def _of_forward(order: Sequence[Value]) -> list[float]:
    """Return the numbers that the nodes had in the forward pass; for a leaf, when it was first used."""
    numbers: dict[Value, float] = {}
    for v in order:
        if v._op_row is None:
            continue
        for x, then in zip(v.operands, captured(v)):
            if isinstance(x, Value):
                numbers.setdefault(x, then)
        numbers[v] = v._out
    return [numbers.get(v, v.data) for v in order]


def path_of(scope: str) -> tuple[str, ...]:
    """Return the scopes in the name of a scope, outermost first: ``("layer1", "neuron3")``."""
    return tuple([clean(part) for part in scope.split("/") if part])


def _order(roots: Sequence[Value]) -> list[Value]:
    if not roots:
        raise TypeError("a picture needs a root: draw(loss)")
    return topological_order(*roots)


def _plain(grad: Any) -> float:
    return float(grad.data if isinstance(grad, Value) else grad)


def _computed(order: Sequence[Value], roots: Sequence[Value]) -> list[bool]:
    """Tell for each node whether a backward pass has reached it.

    A pass reaches everything below the node where it starts. It leaves a gradient that is not 0 at that node, or, where
    what is drawn is only a part of the graph, at least the trace of its visit.
    """
    reached = {root for root in roots if _passed(root)}
    for node in reversed(order):
        if node in reached:
            reached.update(node.parents)
        elif node.op and _passed(node) and _plain(node.grad) != 0.0:
            reached.update((node, *node.parents))  # a pass that began below the root
    return [node in reached for node in order]


def _passed(node: Value) -> bool:
    if isinstance(node.grad, Value) or node.grad != 0.0:
        return True
    # A 0 that a pass left: it set the gradient to what it had summed up. A pass that stores nothing sums up more.
    return node._op_row is not None and node._visit is not None and _plain(node._adjoint) == 0.0


class _Reader:
    """Reads nodes one after the other, operands first."""

    def __init__(
        self,
        order: Sequence[Value],
        roots: Sequence[Value],
        names: Mapping[Value, str],
        gradients: Sequence[float | None],
        digits: int = 4,
        numbers: Sequence[float] | None = None,
    ) -> None:
        self.order = order
        self.roots = roots
        self.names = names
        self.gradients = gradients
        self.digits = digits
        self.numbers = [v.data for v in order] if numbers is None else numbers
        self.kept = "the derivatives" if numbers is None else "the numbers and derivatives shown"
        self.index = {v: i for i, v in enumerate(order)}
        self.notes: list[str] = []

    def record(self, reverse: Sequence[int] = ()) -> Record:
        edges = [edge for v in self.order for edge in self._edges(v)]
        uses, received = [0] * len(self.order), [0.0] * len(self.order)
        for root in self.roots:
            i = self.index[root]
            received[i] = (self.gradients[i] or 0.0) if root.op else 1.0
        for edge in reversed(edges):
            uses[edge.operand] += 1
            received[edge.operand] += edge.share or 0.0
        nodes = [self._node(i, uses[i], received[i]) for i in range(len(self.order))]
        self._note_changes()
        return Record(
            values=self.order,
            nodes=nodes,
            edges=edges,
            roots=[self.index[root] for root in dict.fromkeys(self.roots)],
            reverse=reverse,
            first_bad=next((i for i, node in enumerate(nodes) if not math.isfinite(node.data)), _first_bad(nodes)),
            notes=self.notes,
        )

    def _node(self, i: int, uses: int, received: float) -> Node:
        v, grad = self.order[i], self.gradients[i]
        earlier = grad is None and not v.op and _plain(v.grad) != 0.0  # leaves accumulate: it is there, and it counts
        return Node(
            name=clean(v.label or self.names.get(v, "")),
            op=v.op,
            symbol=clean(v._op),
            shown=clean(_pattern(v, self.digits)),
            scope=path_of(v.scope),
            data=self.numbers[i],
            grad=_plain(v.grad) if earlier else grad,
            received=None if grad is None else received,
            uses=uses,
        )

    def _edges(self, consumer: Value) -> list[Edge]:
        """Return the uses that ``consumer`` makes of its operands, with what its rule says about them."""
        if consumer._op_row is None:
            return []
        positions = [k for k, x in enumerate(consumer.operands) if isinstance(x, Value)]
        local = self._shares(consumer, 1.0)
        incoming = self.gradients[self.index[consumer]]
        handed = [None] * len(local) if incoming is None else self._shares(consumer, incoming)
        return [
            Edge(self.index[x], self.index[consumer], position, derivative, share)
            for x, position, derivative, share in zip(consumer.parents, positions, local, handed)
        ]

    def _shares(self, node: Value, g: float) -> list[float | None]:
        try:
            return [share for _, share in shares(node, g)]
        except Exception as error:  # a rule under construction is what people draw pictures of
            self.notes.append(f"the derivative rule of {node.op} raises {describe(error)}")
            return [None for _ in node.parents]

    def _note_changes(self) -> None:
        interior = [v for v in self.order if v._op_row is not None]
        used = [(x, then) for v in interior for x, then in zip(v.operands, captured(v)) if isinstance(x, Value)]
        made = [(v, v._out) for v in interior]
        changed = {x for x, then in [*used, *made] if repr(x.data) != repr(then)}
        if changed:
            self.notes.append(
                f"{times(len(changed), 'number')} changed since the forward pass; {self.kept} are those of the pass"
            )
        self.notes = list(dict.fromkeys(clean(note) for note in self.notes))


def _first_bad(nodes: Sequence[Node]) -> int | None:
    """Return the node at which the backward pass first met a gradient that is not finite."""
    bad = [i for i, node in enumerate(nodes) if node.grad is not None and not math.isfinite(node.grad)]
    return bad[-1] if bad else None


def _pattern(v: Value, digits: int) -> str:
    """Return the operation with its numbers, and a dot for every operand that is a node."""
    if v._op_row is None:
        return ""
    operands, symbol = v.operands, v._op_row.symbol
    if all(isinstance(x, Value) for x in operands):
        return symbol
    shown = ["·" if isinstance(x, Value) else number(x, digits) for x in operands[:SHOWN]]
    if len(operands) == 2 and not symbol.isidentifier():
        left, right = (f"({text})" if text.startswith("-") else text for text in shown)
        return f"{left} {symbol} {right}"
    if len(operands) > SHOWN:
        shown.append(f"... {len(operands)} operands")
    return f"{v.op}({', '.join(shown)})"
