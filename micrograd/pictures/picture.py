"""What a picture consists of: boxes and arrows with their lines of text, before anything is placed.

Every line has a role (``name``, ``op``, ``data``, ``grad``, ...), which is how a theme finds it. An arrow carries two
facts: the local derivative and, after ``backward()``, what the use adds to the gradient of its operand, with a mark for
the sign and a width for the size.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from micrograd.engine import Value
from micrograd.pictures.record import Edge, Node, Record
from micrograd.pictures.reduction import Group, Plan, made_of, proxied
from micrograd.pictures.text import SHOWN, TITLE_LENGTH, cut, glyph, number, times

__all__ = ["STYLES", "Arrow", "Box", "Line", "Picture", "Style", "compose"]

Style = Literal["boxes", "bipartite"]
STYLES = ("boxes", "bipartite")

Line = tuple[str, str]
"""A role and a text."""

_LEGEND = "on an edge: × local derivative, and what the edge adds to a gradient: ▲ positive, ▼ negative, ● zero"
_LEGEND_BEFORE = "on an edge: × local derivative; gradients appear after backward()"
_CLOSE = 1e-9  # two sums of the same shares in different orders


@dataclass(frozen=True)
class Box:
    """One box of a picture.

    Attributes:
        key: its name in DOT.
        kind: ``leaf``, ``operation``, ``proxy``, ``symbol`` (an operation apart from its value), ``scope``, ``alike``.
        lines: its texts.
        tooltip: everything about it, unabridged.
        scope: the scopes around it.
        node: the index of its node, where it stands for a single one.
        marks: further classes: ``root``, ``shared``, ``bad``, ``culprit``.
    """

    key: str
    kind: str
    lines: tuple[Line, ...]
    tooltip: str
    scope: tuple[str, ...] = ()
    node: int | None = None
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Arrow:
    """One arrow of a picture.

    Attributes:
        tail: the key of the box where it starts.
        head: that of the box where it ends.
        lines: its texts.
        tooltip: everything about it.
        sign: ``positive``, ``negative``, ``zero`` or ``unknown``: the sign of what it contributes.
        weight: 0 to 1, how large that is beside the largest of the picture.
        edge: the index of its edge, where it stands for a single one.
        marks: further classes: ``culprit``.
    """

    tail: str
    head: str
    lines: tuple[Line, ...]
    tooltip: str
    sign: str = "unknown"
    weight: float = 0.0
    edge: int | None = None
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """A picture that waits for its layout: its title, its boxes and arrows, and remarks that stand below it."""

    title: str
    boxes: Sequence[Box]
    arrows: Sequence[Arrow]
    notes: Sequence[str] = field(default=())


def compose(
    record: Record,
    plan: Plan,
    *,
    digits: int = 4,
    style: Style = "boxes",
    proxies: int | None = 12,
    culprit: tuple[int, int | None] | None = None,
    title: str = "",
    legend: bool = True,
) -> Picture:
    """Return the picture of ``record`` in the boxes of ``plan``.

    Args:
        record: the graph.
        plan: which boxes are drawn.
        digits: significant digits of numbers.
        style: ``"boxes"``: one box per value, with its operation; ``"bipartite"``: values and operations apart.
        proxies: a node used by more boxes than this is drawn once with its gradient, and as a small box at each use.
        culprit: the edge that is marked as wrong, by its consumer and the position of the operand, if it is one.
        title: of the picture, and the first line below it; without one it is called by the names of its roots.
        legend: whether a line below the picture explains the edges.
    """
    composer = _Composer(record, plan, digits, style, proxies, culprit)
    boxes, arrows = composer.boxes(), composer.arrows()
    computed = any(edge.share is not None for edge in record.edges)
    notes = [*([cut(title, TITLE_LENGTH)] if title else []), *plan.notes, *record.notes]
    if legend and arrows:
        notes.append(_LEGEND if computed else _LEGEND_BEFORE)
    return Picture(title or record.title(), [*boxes, *composer.extra], arrows, notes)


class _Composer:
    def __init__(
        self,
        record: Record,
        plan: Plan,
        digits: int,
        style: Style,
        proxies: int | None,
        culprit: tuple[int, int | None] | None,
    ) -> None:
        self.record, self.plan, self.digits, self.style, self.culprit = record, plan, digits, style, culprit
        self.proxied = proxied(record, plan, proxies)
        self.largest = max((abs(e.share) for e in record.edges if e.share and math.isfinite(e.share)), default=0.0)
        self.index = {v: i for i, v in enumerate(record.values)}
        self.extra: list[Box] = []  # boxes that arrows bring along: proxies
        links = list(plan.edges(record))
        self.entering, self.leaving = Counter(head for _, head in links), Counter(tail for tail, _ in links)
        self.left_out = Counter[int]()
        for edge in record.edges:
            tail, head = plan.group_of[edge.operand], plan.group_of[edge.consumer]
            if (tail is None) != (head is None):
                self.left_out[head if tail is None else tail] += 1  # type: ignore[index]

    def number(self, x: float) -> str:
        return number(x, self.digits)

    # --- boxes --------------------------------------------------------------------------------------------------

    def boxes(self) -> list[Box]:
        boxes = []
        for g, group in enumerate(self.plan.groups):
            if group.kind != "node":
                boxes.append(self._of_many(g, group))
                continue
            i = group.members[0]
            if self.style == "bipartite" and self.record.nodes[i].op:
                boxes.append(self._symbol(i, group))
            boxes.append(self._of_one(g, i, group))
        return boxes

    def key(self, g: int) -> str:
        group = self.plan.groups[g]
        return f"n{group.members[0]}" if group.kind == "node" else f"g{group.members[0]}"

    def _of_one(self, g: int, i: int, group: Group) -> Box:
        node = self.record.nodes[i]
        lines: list[Line] = [("name", cut(node.name))] if node.name else []
        if node.op and self.style == "boxes":
            lines.append(("op", cut(node.shown)))
        lines += [("data", f"data {self.number(node.data)}"), ("grad", self._gradient(node))]
        if node.grad is not None and node.received is None:
            lines.append(("part", "of an earlier pass"))
        elif node.received is not None and self._differs(i, node, node.received):
            lines.append(("part", f"{self.number(node.received)} from these edges"))
        marks = ["root"] if i in self.record.roots else []
        if node.uses > 1:
            marks.append("shared")
            lines.append(("uses", f"used {node.uses:,} times"))
        if g in self.proxied:
            lines.append(("uses", "drawn at each use"))
        if i == self.record.first_bad:
            marks.append("bad")
            lines.append(("warning", "! first not finite"))
        if g in self.left_out:
            lines.append(("uses", f"{times(self.left_out[g], 'edge')} not shown"))
        if self.culprit is not None and i == self.culprit[0]:
            marks.append("culprit")
        kind = "operation" if node.op else "leaf"
        return Box(self.key(g), kind, tuple(lines), self._tooltip(i), group.scope, i, tuple(marks))

    def _gradient(self, node: Node) -> str:
        return "grad not computed" if node.grad is None else f"grad {self.number(node.grad)}"

    def _differs(self, i: int, node: Node, received: float) -> bool:
        """Tell whether the gradient has more in it than these edges: an earlier pass, or uses outside."""
        if node.grad is None or i in self.record.roots or not math.isfinite(node.grad + received):
            return False
        return abs(node.grad - received) > _CLOSE * max(abs(node.grad), abs(received))

    def _tooltip(self, i: int) -> str:
        node = self.record.nodes[i]
        parts = [node.name] if node.name else []
        parts.append(self._call(i) if node.op else "a leaf")
        parts.append(f"data {node.data!r}")
        parts.append("gradient not computed" if node.grad is None else f"grad {node.grad!r}")
        if node.uses > 1:
            parts.append(f"used {node.uses:,} times: its gradient is a sum of {node.uses:,}")
        if node.scope:
            parts.append(f"scope {'/'.join(node.scope)}")
        return "; ".join(parts)

    def _call(self, i: int) -> str:
        """Return how a node was made, with names and numbers: ``mul(w=0.5, 2.0)``."""
        operands = self.record.values[i].operands
        shown = [self._operand(self.index[x]) if isinstance(x, Value) else repr(x) for x in operands[:SHOWN]]
        if len(operands) > SHOWN:
            shown.append(f"... {len(operands):,} operands in all")
        return f"{self.record.nodes[i].op}({', '.join(shown)})"

    def _operand(self, i: int) -> str:
        node = self.record.nodes[i]
        return f"{cut(node.name)}={node.data!r}" if node.name else repr(node.data)

    def _symbol(self, i: int, group: Group) -> Box:
        return Box(f"o{i}", "symbol", (("op", cut(self.record.nodes[i].shown)),), self._call(i), group.scope, None)

    def _of_many(self, g: int, group: Group) -> Box:
        record, count = self.record, len(group.members)
        first = record.nodes[group.members[0]]
        marks = ("root",) if set(group.members) & set(record.roots) else ()
        if group.kind == "scope":
            lines = [
                ("name", cut(group.scope[-1])),
                ("op", cut(made_of(record, group.members), 40)),
                ("uses", f"{times(self.entering[g], 'edge')} in, {self.leaving[g]:,} out"),
            ]
            return Box(
                self.key(g), "scope", tuple(lines), f"scope {'/'.join(group.scope)}", group.scope[:-1], None, marks
            )
        data = [record.nodes[i].data for i in group.members]
        lines = [
            ("name", f"{count:,} × {cut(first.symbol or first.name or 'leaf')}"),
            ("data", self._range("data", data)),
        ]
        gradients = [x for i in group.members if (x := record.nodes[i].grad) is not None]
        lines.append(("grad", self._range("grad", gradients) if gradients else "grad not computed"))
        return Box(self.key(g), "alike", tuple(lines), made_of(record, group.members), group.scope, None, marks)

    def _range(self, what: str, numbers: Sequence[float]) -> str:
        known = [x for x in numbers if x == x]
        if not known:
            return f"{what} nan"
        low, high = self.number(min(known)), self.number(max(known))
        text = f"{what} {low}" if low == high else f"{what} {low} to {high}"
        return text if len(known) == len(numbers) else f"{text}, or nan"

    # --- arrows -------------------------------------------------------------------------------------------------

    def arrows(self) -> list[Arrow]:
        bundles: dict[tuple[int, int], list[int]] = {}
        for e, edge in enumerate(self.record.edges):
            tail, head = self.plan.group_of[edge.operand], self.plan.group_of[edge.consumer]
            if tail is not None and head is not None and tail != head:
                bundles.setdefault((tail, head), []).append(e)
        arrows: list[Arrow] = []
        for (tail, head), edges in bundles.items():
            single = self.plan.groups[tail].kind == self.plan.groups[head].kind == "node"
            start = self._proxy(tail, head) if tail in self.proxied else self.key(tail)
            end = self._entrance(head)
            if single:
                arrows += [self._of_use(start, end, e) for e in edges]
            else:
                arrows.append(self._of_uses(start, end, [self.record.edges[e] for e in edges]))
        if self.style == "bipartite":
            arrows += [
                Arrow(f"o{i}", f"n{i}", (), self._call(i))
                for group in self.plan.groups
                if group.kind == "node" and self.record.nodes[i := group.members[0]].op
            ]
        return arrows

    def _entrance(self, g: int) -> str:
        key, i = self.key(g), self.plan.groups[g].members[0]
        apart = self.style == "bipartite" and self.plan.groups[g].kind == "node" and self.record.nodes[i].op
        return f"o{i}" if apart else key

    def _proxy(self, tail: int, head: int) -> str:
        i = self.plan.groups[tail].members[0]
        node, key = self.record.nodes[i], f"p{i}_{self.plan.groups[head].members[0]}"
        lines = (("name", cut(node.name or node.shown) or "leaf"), ("data", self.number(node.data)))
        scope = self.plan.groups[head].scope if self.plan.groups[head].kind == "node" else ()
        self.extra.append(Box(key, "proxy", lines, f"one use of {self._tooltip(i)}", scope, i))
        return key

    def _of_use(self, tail: str, head: str, e: int) -> Arrow:
        edge = self.record.edges[e]
        local = "rule fails" if edge.local is None else f"× {self.number(edge.local)}"
        lines = [("local", local)]
        tooltip = (
            f"operand {edge.position} of {self._call(edge.consumer)}: {self._operand(edge.operand)};"
            f" local derivative {'unknown, the rule fails' if edge.local is None else repr(edge.local)}"
        )
        if edge.share is not None:
            lines.append(("share", f"{glyph(edge.share)} {self.number(edge.share)}"))
            tooltip += f"; adds {edge.share!r} to the gradient"
        marks = ("culprit",) if self.culprit == (edge.consumer, edge.position) else ()
        return Arrow(tail, head, tuple(lines), tooltip, _sign(edge.share), self._weight(edge.share), e, marks)

    def _of_uses(self, tail: str, head: str, edges: Sequence[Edge]) -> Arrow:
        """Return one arrow for all edges between two boxes, of which one at least stands for many nodes."""
        lines: list[Line] = [("local", times(len(edges), "edge"))] if len(edges) > 1 else []
        shares = [edge.share for edge in edges if edge.share is not None]
        tooltip = times(len(edges), "edge")
        total = sum(shares)
        if not shares:
            return Arrow(tail, head, tuple(lines), tooltip)
        lines.append(("share", f"{glyph(total)} {self.number(total)}"))
        tooltip += f"; their contributions add up to {total!r}"
        return Arrow(tail, head, tuple(lines), tooltip, _sign(total), self._weight(total))

    def _weight(self, share: float | None) -> float:
        if not share or share != share:
            return 0.0
        return 1.0 if abs(share) >= self.largest else math.sqrt(abs(share) / self.largest)


def _sign(share: float | None) -> str:
    if share is None or share != share:
        return "unknown"
    return "positive" if share > 0.0 else "negative" if share < 0.0 else "zero"
