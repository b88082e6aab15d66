"""``draw``: a graph as a picture, and ``Drawing``, what it gives: DOT, SVG, files, and display in notebooks."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, final

from micrograd._files import write_atomically
from micrograd.engine import Value
from micrograd.errors import DrawingError, describe
from micrograd.pictures.checks import check_count, check_timeout, check_title
from micrograd.pictures.dot import DIRECTIONS, Direction, dot_source
from micrograd.pictures.engines import TIMEOUT, rendered
from micrograd.pictures.layout import place
from micrograd.pictures.picture import STYLES, Picture, Style, compose
from micrograd.pictures.record import Record, path_of, record
from micrograd.pictures.reduction import Plan, affordable, by_scopes, neighbourhood
from micrograd.pictures.svg import svg_source
from micrograd.pictures.text import cut, times
from micrograd.pictures.theme import THEMES, Theme

__all__ = ["FORMATS", "Drawing", "draw"]

FORMATS = ("svg", "png", "pdf", "dot")


@final
class Drawing:
    """A picture of a graph, as ``draw`` gives it. A notebook shows it by itself.

    The numbers are those of the moment when it was drawn.
    """

    def __init__(self, picture: Picture, direction: Direction, theme: Theme, timeout: float | None) -> None:
        self._picture = picture
        self._direction = direction
        self._theme: Theme = theme
        self._timeout = timeout

    @cached_property
    def dot(self) -> str:
        """The picture in DOT, the language of Graphviz. Needs the package graphviz, and no engine."""
        theme = "dark" if self._theme == "dark" else "light"
        return dot_source(self._picture, direction=self._direction, theme=theme)

    @cached_property
    def svg(self) -> str:
        """The picture as SVG. Raises ``DrawingError`` where Graphviz is missing, fails or takes too long."""
        layout = place(self._picture, direction=self._direction, timeout=self._timeout)
        return svg_source(self._picture, layout, theme=self._theme)

    @property
    def notes(self) -> tuple[str, ...]:
        """What stands below the picture: that it was reduced, for instance."""
        return tuple(self._picture.notes)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture to ``path``, whose ending says how: ``.svg``, ``.png``, ``.pdf`` or ``.dot``.

        Returns the path. The file is written whole or not at all.

        Raises ``ValueError`` for another ending, ``DrawingError`` where Graphviz cannot draw, ``OSError`` where the
        file system refuses.
        """
        target = Path(path)
        format = target.suffix.removeprefix(".").lower()
        if format not in FORMATS:
            came = f"{target.suffix!r}" if target.suffix else f"{target.name!r} without an ending"
            raise ValueError(f"unknown format {came} (one of: {', '.join(f'.{name}' for name in FORMATS)})")
        if not target.parent.is_dir():
            raise FileNotFoundError(f"there is no folder {os.fspath(target.parent)!r} to write {target.name!r} to")
        write_atomically(target, self._content(format))
        return target

    def _content(self, format: str) -> str | bytes:
        if format == "svg":
            return self.svg
        return self.dot if format == "dot" else rendered(self.dot, format, timeout=self._timeout)

    def __repr__(self) -> str:
        return f"<drawing of {cut(self._picture.title, 60)}: {times(len(self._picture.boxes), 'box')}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        try:
            return {"image/svg+xml": self.svg, "text/plain": repr(self)}
        except (DrawingError, ImportError) as error:  # a cell that ends with a drawing still shows something
            return {"text/plain": f"{self!r}\n{error}"}


def draw(
    *roots: Value,
    direction: Direction = "LR",
    style: Style = "boxes",
    digits: int = 4,
    names: Mapping[str, Any] | None = None,
    theme: Theme = "auto",
    depth: int | None = None,
    collapse: Collection[str] = (),
    around: Value | None = None,
    hops: int = 2,
    proxies: int | None = 12,
    limit: int | None = 500,
    title: str = "",
    culprit: tuple[Value, int | None] | None = None,
    timeout: float | None = TIMEOUT,
) -> Drawing:
    """Return a picture of the graph below ``roots``.

    A box is a value with its operation, its number and its gradient ("not computed" before ``backward()``). Every edge
    is one use: it shows the local derivative and, after ``backward()``, what the use adds to the gradient. A node that
    is used several times says so: its gradient is the sum over its edges.

    Args:
        roots: what to draw, one result or several.
        direction: where the arrows go: ``"LR"``, ``"RL"``, ``"TB"`` or ``"BT"``.
        style: ``"boxes"``, or ``"bipartite"`` for values and operations apart.
        digits: significant digits of the numbers, 1 to 17.
        names: names for nodes without a label, as ``locals()`` gives them.
        theme: ``"light"``, ``"dark"``, or ``"auto"``: what the reader's system prefers (light in PNG and PDF).
        depth: how many levels of scopes are open; ``None`` opens all that fit.
        collapse: scopes to draw as one box, such as ``["layer1"]``.
        around: draw only what is near this node ...
        hops: ... at most so many edges away; what shares no more than a much-used node or a long sum is not near.
        proxies: a node used by more boxes than this is drawn as a small box at each use; ``None`` for never.
        limit: how many boxes may be drawn before the picture is simplified, and says so; ``None`` for any number.
        title: a line below the picture, and what it is called for readers who do not see it.
        culprit: an edge to mark as wrong: its consumer, and which of its operands (``None`` marks the node alone).
        timeout: how long Graphviz may take, in seconds.

    Raises ``TypeError`` and ``ValueError`` for arguments that make no sense; ``ImportError`` (with the way to get it)
    where the package graphviz is missing. Graphviz itself is asked when the drawing is shown or saved.

    >>> x = Value(3.0, label="x")
    >>> y = x * x
    >>> y.backward()
    >>> drawing = draw(y)
    >>> drawing
    <drawing of mul: 2 boxes>
    >>> drawing.dot.count("n0 -> n1")
    2
    """
    for what, given, allowed in (
        ("direction", direction, DIRECTIONS),
        ("style", style, STYLES),
        ("theme", theme, THEMES),
    ):
        if given not in allowed:
            raise ValueError(f"unknown {what} {given!r} (one of: {', '.join(allowed)})")
    check_count("digits", digits, 1, 17)
    check_count("hops", hops, 0)
    for what, count in (("depth", depth), ("proxies", proxies), ("limit", limit)):
        if count is not None:
            check_count(what, count, 1 if what == "limit" else 0)
    check_title(title)
    check_timeout(timeout)
    graph = record(roots, names, digits)
    index = {v: i for i, v in enumerate(graph.values)}
    centre = None if around is None else _found(index, around, "around")
    marked = None if culprit is None else _marked(index, culprit)
    plan = by_scopes(graph, depth, collapsed := _scopes(graph, collapse))
    if centre is not None:
        plan = _near(graph, plan, centre, hops, proxies)
    if limit is not None:
        wanted = centre if centre is not None else marked[0] if marked is not None else None
        plan = affordable(
            graph,
            plan,
            most=limit,
            proxies=proxies,
            centres=graph.roots if wanted is None else [wanted],
            collapsed=collapsed,
            whole=wanted is None,
        )
    picture = compose(graph, plan, digits=digits, style=style, proxies=proxies, culprit=marked, title=title)
    return Drawing(picture, direction, theme, timeout)


def _found(index: Mapping[Value, int], node: object, what: str) -> int:
    if not isinstance(node, Value):
        raise TypeError(f"{what} is a Value of the graph, not {describe(node)}")
    if node not in index:
        raise ValueError(f"{what} is not in the graph: {node.call_text()}")
    return index[node]


def _marked(index: Mapping[Value, int], culprit: object) -> tuple[int, int | None]:
    if not isinstance(culprit, tuple) or len(culprit) != 2:
        raise TypeError(f"culprit is a pair, a node and the position of an operand, not {describe(culprit)}")
    node, position = culprit
    found = _found(index, node, "culprit")
    if position is not None:
        check_count("the position of the culprit's operand", position, 0)
        if position >= len(node.operands) or not isinstance(node.operands[position], Value):
            raise ValueError(f"operand {position} of the culprit is not a node: {node.call_text()}")
    return found, position


def _scopes(graph: Record, collapse: object) -> set[tuple[str, ...]]:
    """Return the scopes that are named in ``collapse``."""
    given = [collapse] if isinstance(collapse, str) else collapse
    if not isinstance(given, Collection) or not all(isinstance(name, str) for name in given):
        raise TypeError(f"collapse is a list of scopes such as ['layer1'], not {describe(collapse)}")
    scopes = {scope[:k] for scope in {node.scope for node in graph.nodes} for k in range(1, len(scope) + 1)}
    collapsed = {path_of(name) for name in given}
    for path in sorted(collapsed - scopes):
        known = ", ".join(sorted("/".join(scope) for scope in scopes)[:10]) or "the graph has none"
        raise ValueError(f"unknown scope {'/'.join(path)!r} to collapse (one of: {known})")
    return collapsed


def _near(graph: Record, plan: Plan, centre: int, hops: int, proxies: int | None) -> Plan:
    part = neighbourhood(graph, plan, [centre], hops=hops, proxies=proxies)
    shown = sum(len(group.members) for group in part.groups)
    if shown == len(graph.nodes):
        return plan
    whole = times(len(graph.nodes), "node")
    note = f"{shown:,} of {whole}: those within {times(hops, 'edge')} of the node asked for"
    return Plan(part.groups, part.group_of, (note,))
