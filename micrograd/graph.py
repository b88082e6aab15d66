"""Walks over a graph: its order, its size, and the account of a gradient.

``explain`` is the heart: the gradient of a node is a **sum with one term for every use of the node**. For a bias that
feeds the sum node of every sample, the account lists one term per sample, and their sum is ``db = dout.sum(axis=0)``.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from micrograd import _console
from micrograd._copying import operands_first
from micrograd.engine import Value, reverse_sweep, shares
from micrograd.errors import describe

__all__ = ["Account", "Statistics", "Use", "explain", "statistics", "topological_order", "untraced_pass"]


def _checked(what: str, x: object) -> Value:
    if not isinstance(x, Value):
        raise TypeError(f"{what} is a Value, not {describe(x)}")
    return x


def topological_order(*roots: Value) -> list[Value]:
    """Return every node below ``roots``, leaves included, operands always before what uses them.

    Deterministic, and without recursion.

    Raises ``TypeError`` for something that is not a Value.

    >>> x = Value(2.0, label="x")
    >>> y = x * x + 1
    >>> [v.op or v.label for v in topological_order(y)]
    ['x', 'mul', 'add']
    """
    return operands_first([_checked("a root", root) for root in roots])


@dataclass(frozen=True)
class Statistics:
    """The size of a graph.

    Attributes:
        nodes: how many nodes there are, leaves included.
        leaves: how many of them are leaves.
        edges: how many uses: ``x * x`` is two edges from x.
        depth: edges on the longest path from a leaf to a root.
        uses: for every node, how often it is an operand.
        operations: how many nodes each operation made.
    """

    nodes: int
    leaves: int
    edges: int
    depth: int
    uses: dict[Value, int]
    operations: dict[str, int]

    def __str__(self) -> str:
        made = "".join(f", {count} {name}" for name, count in self.operations.items())
        return f"{self.nodes} nodes ({self.leaves} leaves{made}), {self.edges} edges, depth {self.depth}"


def statistics(*roots: Value) -> Statistics:
    """Return the size of the graph below ``roots``.

    Raises ``TypeError`` for something that is not a Value.

    >>> x = Value(2.0)
    >>> print(statistics(x * x + x))
    3 nodes (1 leaves, 1 mul, 1 add), 4 edges, depth 2
    """
    order = topological_order(*roots)
    uses = dict.fromkeys(order, 0)
    depth: dict[Value, int] = {}
    operations: Counter[str] = Counter()
    for node in order:
        parents = node.parents
        for parent in parents:
            uses[parent] += 1
        depth[node] = 1 + max(depth[parent] for parent in parents) if parents else 0
        if node.op:
            operations[node.op] += 1
    return Statistics(
        nodes=len(order),
        leaves=len(order) - operations.total(),
        edges=sum(uses.values()),
        depth=max(depth.values(), default=0),
        uses=uses,
        operations=dict(operations),
    )


@dataclass(frozen=True)
class Use:
    """One use of a node: the term that it contributes to the node's gradient.

    Attributes:
        consumer: the node that has the explained one as an operand.
        position: which of its operands that is, from 0.
        local: the local derivative of the consumer with respect to this operand.
        incoming: the gradient that arrives at the consumer.
        share: their product as the engine computed it (rules may divide where this table multiplies: the last bit can
            differ); exactly 0 where nothing arrives, whatever the local derivative.
    """

    consumer: Value
    position: int
    local: float
    incoming: float
    share: float

    def __str__(self) -> str:
        return self.consumer.call_text()


@dataclass(frozen=True, repr=False)
class Account:
    """Why a gradient is what it is: one line per use, in the order in which the engine adds them up.

    It prints as a table, at Python's prompt too.

    Attributes:
        value: the explained node.
        root: the node whose derivative this is.
        uses: the terms.
        columns: the headings of the account as a table.
    """

    value: Value
    root: Value
    uses: tuple[Use, ...]
    columns: ClassVar[tuple[str, ...]] = ("used by", "local derivative", "incoming gradient", "share")

    @property
    def gradient(self) -> float:
        """The sum of the shares in the order of ``uses``: the engine's own result, bit for bit."""
        total = 1.0 if self.value is self.root else 0.0
        for use in self.uses:
            total += use.share
        return total

    def __iter__(self) -> Iterator[Use]:
        return iter(self.uses)

    def __len__(self) -> int:
        return len(self.uses)

    def _title(self) -> str:
        name = self.value.label or self.value.op or "v"
        return _console.clean(f"d {self.root.label or self.root.op or 'root'} / d {name}")

    def rows(self) -> list[list[str | float]]:
        """Return the account as a table's rows, under ``columns``."""
        return [[str(use), use.local, use.incoming, use.share] for use in self.uses]

    def _remark(self) -> str:
        if self.value is self.root:
            return "the node is the root itself: its derivative is 1"
        if not self.uses:
            return "the root does not use this node: its derivative is 0"
        return f"the {len(self.uses)} share{'s'[: len(self.uses) > 1]} add up to {self.gradient!r}"

    def __str__(self) -> str:
        if not self.uses:
            return f"{self._title()}: {self._remark()}"
        return _console.table_text(self.columns, self.rows(), title=self._title(), footer=self._remark())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(column)}</th>" for column in self.columns)
        body = "".join(
            f"<tr><td>{html.escape(str(use))}</td>"
            + "".join(f"<td>{_console.number(x)}</td>" for x in (use.local, use.incoming, use.share))
            + "</tr>"
            for use in self.uses
        )
        caption = f"<caption>{html.escape(f'{self._title()}: {self._remark()}')}</caption>"
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def explain(v: Value, root: Value) -> Account:
    """Return the account of ``d root / d v``: for each use of ``v`` the consumer, the local derivative, the incoming
    gradient and their product.

    The terms, added in the order printed, give the gradient of ``backward()`` bit for bit. No ``.grad`` is touched.

    Raises ``TypeError`` for something that is not a Value.

    >>> b = Value(0.5, label="b")
    >>> loss = (b + 1.0) * 10 + (b + 2.0) * 100
    >>> account = explain(b, loss)
    >>> [use.share for use in account], account.gradient
    ([100.0, 10.0], 110.0)
    """
    _checked("the node to explain", v)
    _checked("the root", root)
    order, gradients = untraced_pass(root)
    uses = []
    for consumer in reversed(order):
        if v in consumer.parents:
            incoming = gradients[consumer]
            pairs = zip(_positions(consumer), shares(consumer, incoming), shares(consumer, 1.0))
            uses += [
                Use(consumer, position, local, incoming, share)
                for position, (operand, share), (_, local) in pairs
                if operand is v
            ]
    return Account(v, root, tuple(uses))


def untraced_pass(root: Value) -> tuple[list[Value], dict[Value, float]]:
    """Run a backward pass that leaves the nodes as they were, the traces of earlier passes included.

    Returns the interior nodes, operands first, and the gradients of all nodes that it reached.
    """
    before = [(v, v._visit, v._adjoint if v._visit is not None else 0.0) for v in topological_order(root) if v.op]
    order, leaves = reverse_sweep([(root, 1.0)])
    gradients = {v: v._adjoint for v in order} | leaves
    for v, visit, adjoint in before:
        v._visit, v._adjoint = visit, adjoint
    return order, gradients


def _positions(consumer: Value) -> list[int]:
    return [i for i, x in enumerate(consumer.operands) if isinstance(x, Value)]
