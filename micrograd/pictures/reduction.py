"""What of a graph is drawn: all of it, its scopes collapsed, what is alike as one, or the neighbourhood of a node.

A ``Plan`` puts every node into a group or leaves it out; a box is drawn for each group. How long ``dot`` takes hangs on
the lengths of the edges, counted in ranks, more than on the number of nodes: an edge across 200 ranks is laid out as
200 short ones. So the cost of a plan is the number of its boxes and the summed span of its edges (``cost``), and a
plan that costs too much gives way to the next simpler one, with a note that says so.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from micrograd.pictures.record import Record
from micrograd.pictures.text import times

__all__ = ["SPAN", "Group", "Plan", "affordable", "by_scopes", "cost", "made_of", "neighbourhood", "proxied"]

SPAN = 2_000
"""The summed rank span that ``dot`` lays out in a few seconds."""

_OVERVIEW = 120  # boxes of a picture that is simpler because the graph is too large ...
_TANGLE = 3  # ... and more span than this for each of them makes a tangle of arrows
_DEPTHS = 6  # levels of scopes that are tried
_NEAREST = 60  # boxes of a picture that shows a part because the whole is too large


@dataclass(frozen=True)
class Group:
    """Nodes that are drawn as one box.

    Attributes:
        kind: ``"node"`` for a single one, ``"scope"`` for a collapsed scope, ``"alike"`` for nodes made alike.
        members: indices of its nodes.
        scope: the scopes around the box; for a collapsed scope, its own name comes last.
    """

    kind: str
    members: tuple[int, ...]
    scope: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """Which boxes are drawn.

    Attributes:
        groups: in topological order of their first members.
        group_of: for every node the number of its group; ``None`` for a node that is left out.
        notes: what the reader of the picture has to be told.
    """

    groups: Sequence[Group]
    group_of: Sequence[int | None]
    notes: tuple[str, ...] = field(default=())

    def edges(self, record: Record) -> Iterator[tuple[int, int]]:
        """Return the edges between boxes, as numbers of groups, one for every edge of the graph."""
        for edge in record.edges:
            tail, head = self.group_of[edge.operand], self.group_of[edge.consumer]
            if tail is not None and head is not None and tail != head:
                yield tail, head


def by_scopes(
    record: Record, depth: int | None = None, collapsed: Collection[tuple[str, ...]] = (), *, merged: bool = False
) -> Plan:
    """Return the plan with a box for every node, but for scopes that are collapsed.

    Args:
        record: the graph.
        depth: how many levels of scopes are open; ``None`` for all.
        collapsed: scopes to collapse at whatever depth.
        merged: whether nodes outside of collapsed scopes that are made alike share a box.
    """
    kinds = _kinds(record) if merged else range(len(record.nodes))
    inside: dict[tuple[str, ...], tuple[str, ...] | None] = {}
    for scope in {node.scope for node in record.nodes}:
        levels = (k for k in range(1, len(scope) + 1) if scope[:k] in collapsed or (depth is not None and k > depth))
        level = next(levels, None)
        inside[scope] = None if level is None else scope[:level]
    members: dict[tuple[str, ...] | int, list[int]] = {}
    for i, node in enumerate(record.nodes):
        around = inside[node.scope]
        members.setdefault(kinds[i] if around is None else around, []).append(i)
    groups: list[Group] = []
    group_of: list[int | None] = [None] * len(record.nodes)
    for key, nodes in members.items():
        for i in nodes:
            group_of[i] = len(groups)
        if isinstance(key, tuple):
            groups.append(Group("scope", tuple(nodes), key))
        else:
            kind = "node" if len(nodes) == 1 else "alike"
            groups.append(Group(kind, tuple(nodes), _common([record.nodes[i].scope for i in nodes])))
    return Plan(groups, group_of)


def _kinds(record: Record) -> list[int]:
    """Return a number for each node, equal for nodes made alike: by the same operation of operands that are alike.

    Leaves are alike when their names differ only in digits. So the samples of a batch fall together.
    """
    known: dict[object, int] = {}
    operands: list[list[tuple[int, int]]] = [[] for _ in record.nodes]
    kinds: list[int] = []
    for edge in record.edges:
        operands[edge.consumer].append((edge.position, edge.operand))
    for node, below in zip(record.nodes, operands):
        # Numbers beside the nodes are of no account: the data of a sample differ from those of the next.
        uses = tuple([(position, kinds[i]) for position, i in below])
        made: object = (node.op, uses) if node.op else re.sub(r"\d+", "", node.name)
        kinds.append(known.setdefault((made, re.sub(r"\d+", "", "/".join(node.scope))), len(known)))
    return kinds


def _common(scopes: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    first, last = min(scopes), max(scopes)
    length = next((k for k, (a, b) in enumerate(zip(first, last)) if a != b), min(len(first), len(last)))
    return first[:length]


def neighbourhood(
    record: Record,
    plan: Plan,
    centres: Iterable[int],
    *,
    hops: int | None,
    proxies: int | None,
    most: int | None = None,
) -> Plan:
    """Return the part of ``plan`` that is near the nodes ``centres``, the nearest boxes first.

    What many share does not bring its users near one another: the way goes neither from one user of a hub to the next,
    nor from one term of a long sum to the next.

    Args:
        record: the graph.
        plan: what it is a part of.
        centres: indices of nodes.
        hops: how many edges away a box may be; ``None`` for any number.
        proxies: what has more boxes than this on one side is shared by many.
        most: how many boxes are taken at most.
    """
    operands: list[dict[int, None]] = [{} for _ in plan.groups]
    users: list[dict[int, None]] = [{} for _ in plan.groups]
    for tail, head in plan.edges(record):
        operands[head][tail] = users[tail][head] = None
    many = len(plan.groups) if proxies is None else proxies
    reached = dict.fromkeys([g for i in centres if (g := plan.group_of[i]) is not None])
    border = [(g, True, True) for g in reached]  # and whether the way may go on to its operands, and to its users
    steps = 0
    while border and (hops is None or steps < hops) and (most is None or len(reached) < most):
        found: dict[int, tuple[int, bool, bool]] = {}
        for g, down, up in border:
            for h in operands[g] if down else ():
                found.setdefault(h, (h, True, len(users[h]) <= many))
            for h in users[g] if up else ():
                found.setdefault(h, (h, len(operands[h]) <= many, True))
        border = [way for g, way in found.items() if g not in reached]
        reached |= dict.fromkeys([g for g, _, _ in border])
        steps += 1
    kept = sorted(list(reached)[:most])
    number = {g: k for k, g in enumerate(kept)}
    return Plan(
        [plan.groups[g] for g in kept],
        [None if g is None else number.get(g) for g in plan.group_of],
        plan.notes,
    )


def proxied(record: Record, plan: Plan, most: int | None) -> frozenset[int]:
    """Return the groups that are nodes used by more than ``most`` boxes: each use is drawn with a box of its own.

    One node with edges to everywhere costs ``dot`` more than all the rest, and the reader as well.
    """
    if most is None:
        return frozenset()
    used_by = Counter(tail for tail, _ in set(plan.edges(record)))
    return frozenset(g for g, count in used_by.items() if count > most and plan.groups[g].kind == "node")


def cost(record: Record, plan: Plan, proxies: int | None) -> tuple[int, int]:
    """Return how many boxes a plan draws and the summed rank span of the edges between them.

    A rank is a column of the picture: a box stands one rank behind the last of its operands, and a leaf directly
    before the first box that uses it.
    """
    near = proxied(record, plan, proxies)
    links = set(plan.edges(record))
    edges = {edge for edge in links if edge[0] not in near}
    extra = len(links) - len(edges)
    return len(plan.groups) + extra, extra + _span(edges, len(plan.groups))


def _span(edges: Collection[tuple[int, int]], groups: int) -> int:
    ranks = [0] * groups
    # Groups come in the order of their first members. An edge that runs against it closes a cycle of collapsed scopes.
    for tail, head in sorted(edges, key=lambda edge: edge[1]):
        if tail < head:
            ranks[head] = max(ranks[head], ranks[tail] + 1)
    users: dict[int, list[int]] = {}
    fed = {head for _, head in edges}
    for tail, head in edges:
        if tail not in fed:
            users.setdefault(tail, []).append(ranks[head])
    for leaf, used_at in users.items():
        ranks[leaf] = min(used_at) - 1
    return sum(max(1, abs(ranks[head] - ranks[tail])) for tail, head in edges)


def affordable(
    record: Record,
    plan: Plan,
    *,
    most: int,
    proxies: int | None,
    centres: Sequence[int],
    collapsed: Collection[tuple[str, ...]] = (),
    whole: bool = True,
) -> Plan:
    """Return ``plan``, or where it costs too much, a simpler one that does not.

    Args:
        record: the graph.
        plan: what was asked for.
        most: how many boxes may be drawn.
        proxies: nodes used by more boxes than this are drawn as proxies.
        centres: the nodes that have to be in the picture.
        collapsed: scopes that are collapsed in any case.
        whole: whether ``plan`` is the whole graph and may give way to an overview; else it is cut down to the boxes
            nearest to ``centres``.
    """

    def fits(some: Plan, allowed: int, tangle: float = math.inf) -> bool:
        boxes, span = cost(record, some, proxies)
        return boxes <= allowed and span <= min(SPAN, tangle * boxes)

    if fits(plan, most):
        return plan
    size = times(len(record.nodes), "node")
    part = "draw(..., around=node, hops=2) draws a part of the graph"
    for simpler, how in _overviews(record, collapsed) if whole else ():
        if fits(simpler, min(most, _OVERVIEW), _TANGLE):
            return _noted(simpler, f"{size}, too many to draw one by one: {how}; {part}")
    around = "the root" if whole else "the node asked for"
    count = min(most, _NEAREST)
    nearest = neighbourhood(record, plan, centres, hops=None, proxies=proxies, most=count)
    while count > 1 and not fits(nearest, most):
        count //= 2
        nearest = neighbourhood(record, plan, centres, hops=None, proxies=proxies, most=count)
    shown = times(len(nearest.groups), "box")
    return _noted(nearest, f"{size}, too many to draw: the {shown} nearest to {around}{f'; {part}' if whole else ''}")


def _overviews(record: Record, collapsed: Collection[tuple[str, ...]]) -> Iterator[tuple[Plan, str]]:
    """Return simpler pictures of the whole, from the most detailed one on, with what makes them simpler."""
    deepest = max(len(node.scope) for node in record.nodes)
    depths = [depth for depth in range(deepest - 1, -1, -1) if depth < _DEPTHS]  # who nests deeper asks for a depth
    for depth in depths:
        yield by_scopes(record, depth, collapsed), f"scopes are collapsed (depth={depth})"
    alike = "nodes that are made alike are drawn as one"
    for depth in depths:
        how = f"scopes are collapsed (depth={depth}), and {alike}"
        yield by_scopes(record, depth, collapsed, merged=True), how
    yield by_scopes(record, None, collapsed, merged=True), alike


def _noted(plan: Plan, note: str) -> Plan:
    return Plan(plan.groups, plan.group_of, (*plan.notes, note))


def made_of(record: Record, members: Sequence[int]) -> str:
    """Return what a group is made of: ``"41 nodes: 16 mul, 16 add, 9 leaves"``."""
    kinds = Counter(record.nodes[i].op or ("leaf" if len(members) == 1 else "leaves") for i in members)
    listed = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common(3))
    return f"{times(len(members), 'node')}: {listed}{', ...' if len(kinds) > 3 else ''}"
