"""DOT, the language of Graphviz: the text of a picture, written with the package graphviz.

All user text goes through the package's escaping, and ``&`` through ours, because Graphviz reads entities in labels. No
record shapes (their own syntax cannot be escaped reliably), no labels in HTML, and no URLs.

Sizes of boxes are given, not left to Graphviz: the same picture then has the same layout with every engine and
whatever fonts a machine has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from micrograd._deps import require
from micrograd.pictures.picture import Arrow, Box, Line, Picture
from micrograd.pictures.text import clean, cut
from micrograd.pictures.theme import EDGE_FONT, FONT, PALETTES, size_of

__all__ = ["DIRECTIONS", "Direction", "dot_source", "scopes_of"]

Direction = Literal["LR", "RL", "TB", "BT"]
DIRECTIONS = ("LR", "RL", "TB", "BT")

_FAMILY = "Courier"  # Graphviz knows its widths without asking the machine
_LONGEST = 14_000  # bytes of a tooltip: Graphviz reads no text of more than 16,384
_CUT = 400  # characters of one that is longer, or has more backslashes
_CAREFUL = {"nslimit": "10"}  # changes nothing in ordinary graphs; without it, some take ten times as long
_QUICK = {"nslimit": "0.2", "nslimit1": "0.2", "mclimit": "0.1", "searchsize": "5", "splines": "false"}


def dot_source(picture: Picture, *, direction: Direction = "LR", theme: str = "light", quick: bool = False) -> str:
    """Return the DOT text of ``picture``.

    Args:
        picture: boxes, arrows, notes.
        direction: where the arrows go: left to right, right to left, top to bottom, bottom to top.
        theme: the palette, ``"light"`` or ``"dark"``.
        quick: whether a large graph is laid out with less care for short and straight edges.

    Raises ``ImportError`` where the package graphviz is missing.

    >>> from micrograd.pictures.picture import Arrow, Box
    >>> x, y = Box("n0", "leaf", (("name", "x"),), "a leaf"), Box("n1", "operation", (("op", "tanh"),), "tanh(x)")
    >>> print(dot_source(Picture("y", [x, y], [Arrow("n0", "n1", (("local", "× 0.5"),), "")])))  # doctest: +ELLIPSIS
    digraph {
    ...
        n0 -> n1 ...
    }
    <BLANKLINE>
    """
    graphviz = require("graphviz", extra="pictures", purpose="micrograd.draw")
    return _Writer(graphviz, picture, PALETTES[theme]).source(direction, quick)


def scopes_of(picture: Picture) -> list[tuple[str, ...]]:
    """Return every scope that is drawn as a frame, outer ones first; DOT's ``cluster_3`` is the fourth of them."""
    paths = {box.scope[:length] for box in picture.boxes for length in range(1, len(box.scope) + 1)}
    return sorted(paths, key=lambda path: (len(path), path))


class _Writer:
    def __init__(self, graphviz: Any, picture: Picture, palette: Mapping[str, str]) -> None:
        self.graphviz = graphviz
        self.picture = picture
        self.palette = palette

    def source(self, direction: Direction, quick: bool) -> str:
        dot = self.graphviz.Digraph()
        notes = self.picture.notes
        text = self.graphviz.nohtml("".join(f"{self._escaped(note)}" + r"\l" for note in notes))
        label = {"label": text, "labeljust": "l"} if notes else {}
        dot.attr(
            rankdir=direction,
            bgcolor=self.palette["paper"],
            fontname=_FAMILY,
            fontsize=f"{EDGE_FONT:g}",
            fontcolor=self.palette["quiet"],
            nodesep="0.2",
            ranksep="0.35",
            labelloc="b",
            **label,
            **(_QUICK if quick else _CAREFUL),
        )
        dot.attr(
            "node", shape="box", ordering="in", fixedsize="true", fontname=_FAMILY, fontsize=f"{FONT:g}", style="filled"
        )
        dot.attr("edge", fontname=_FAMILY, fontsize=f"{EDGE_FONT:g}", arrowsize="0.6")
        self._scope(dot, ())
        for number, arrow in enumerate(self.picture.arrows):
            self._arrow(dot, number, arrow, with_label=not quick)
        return str(dot.source)

    def _scope(self, dot: Any, path: tuple[str, ...]) -> None:
        """Write the boxes and inner scopes of the scope ``path``; without recursion, scopes may nest at will."""
        numbers = {scope: k for k, scope in enumerate(scopes_of(self.picture))}
        boxes: dict[tuple[str, ...], list[Box]] = {(): [], **{scope: [] for scope in numbers}}
        for box in self.picture.boxes:
            boxes[box.scope].append(box)
        graphs = {scope: dot if not scope else self._cluster(k, scope) for scope, k in [((), 0), *numbers.items()]}
        for scope in sorted(graphs, key=len, reverse=True):
            for box in boxes[scope]:
                self._box(graphs[scope], box)
            if scope:
                graphs[scope[:-1]].subgraph(graphs[scope])

    def _cluster(self, number: int, scope: tuple[str, ...]) -> Any:
        cluster = self.graphviz.Digraph(name=f"cluster_{number}")
        cluster.attr(
            label=self._text([("name", cut(scope[-1]))]),
            style="filled,dashed",
            color=self.palette["line"],
            fillcolor=self.palette["scope"],
            labelloc="t",
        )
        return cluster

    def _box(self, dot: Any, box: Box) -> None:
        wide, high = size_of(box)
        marks = set(box.marks)
        border = "bad" if marks & {"bad", "culprit"} else "root" if "root" in marks else "line"
        look = {"leaf": "filled,rounded", "proxy": "filled,rounded,dashed"}.get(box.kind, "filled")
        extra = {"shape": "ellipse"} if box.kind == "symbol" else {}
        if box.kind in ("scope", "alike"):
            extra["peripheries"] = "2"
        dot.node(
            box.key,
            self._text(box.lines),
            width=f"{wide / 72:.4f}",
            height=f"{high / 72:.4f}",
            style=look,
            color=self.palette[border],
            fillcolor=self.palette["leaf" if box.kind in ("leaf", "proxy") else "box"],
            fontcolor=self.palette["ink"],
            penwidth="2" if marks - {"shared"} else "1",
            tooltip=self._tooltip(box.tooltip),
            **extra,
        )

    def _arrow(self, dot: Any, number: int, arrow: Arrow, *, with_label: bool) -> None:
        culprit = "culprit" in arrow.marks
        colour = self.palette["bad" if culprit else "zero" if arrow.sign == "unknown" else arrow.sign]
        label = {"label": self._text(arrow.lines), "fontcolor": colour} if arrow.lines and with_label else {}
        dot.edge(
            arrow.tail,
            arrow.head,
            id=f"a{number}",
            color=colour,
            penwidth=f"{1 + 3 * arrow.weight:.3g}",
            style="dashed" if culprit else "solid",
            tooltip=self._tooltip(arrow.tooltip),
            **label,
        )

    def _text(self, lines: Sequence[Line]) -> Any:
        return self.graphviz.nohtml(r"\n".join(str(self._escaped(text)) for _, text in lines))

    def _tooltip(self, text: str) -> Any:
        # The package takes a second over a row of 3,000 backslashes.
        if len(clean(text).encode()) + 4 * text.count("&") + text.count('"') > _LONGEST or text.count("\\") > _CUT:
            text = cut(text, _CUT)
        return self._escaped(text.replace("\\", "\\\\"))  # Graphviz reads the escapes of a tooltip twice

    def _escaped(self, text: str) -> Any:
        return self.graphviz.escape(clean(text).replace("&", "&amp;"))
