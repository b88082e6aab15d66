"""SVG of a placed picture: text, without ids, links, scripts or anything that is fetched.

Nothing has an id, and the style sheet holds only for the class that its own root element has, so any number of pictures
can stand on one page. The same elements, with their classes and ``data-`` attributes, are what the explorer animates.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from micrograd.pictures.layout import Layout, Place, Point, Route
from micrograd.pictures.picture import Arrow, Box, Line, Picture
from micrograd.pictures.text import TITLE_LENGTH, clean, cut
from micrograd.pictures.theme import EDGE_FONT, FONT, LINE, Theme, style_sheet

__all__ = ["MARGIN", "svg_source"]

MARGIN = 8.0
"""Around the picture, in pixels."""
_HEAD = 6.0  # length of an arrow's head
_STACK = 3.0  # how far a box for many nodes shows the one below it


def svg_source(picture: Picture, layout: Layout, *, theme: Theme = "auto", style: bool = True) -> str:
    """Return the SVG of ``picture``, placed as ``layout`` says.

    Args:
        picture: boxes, arrows, notes.
        layout: their coordinates.
        theme: ``"light"``, ``"dark"``, or ``"auto"`` for what the reader's system prefers.
        style: whether the style sheet stands in the SVG; a page may bring its own.
    """
    body = [*_scopes(layout)]
    for number, (arrow, route) in enumerate(zip(picture.arrows, layout.routes)):
        body += _arrow(number, arrow, route)
    for box in picture.boxes:
        body += _box(box, layout.boxes[box.key])
    if layout.notes is not None:
        body += [
            '<g class="notes">',
            *_lines([("note", note) for note in picture.notes], 0.0, layout.notes[1], EDGE_FONT),
            "</g>",
        ]
    wide, high = math.ceil(layout.width + 2 * MARGIN), math.ceil(layout.height + 2 * MARGIN)
    content = "\n".join(body)
    figure = "micrograd-" + hashlib.sha256(f"{theme}{content}".encode()).hexdigest()[:10]
    label = _quoted(f"Graph of {cut(picture.title, TITLE_LENGTH)}")
    sheet = f"<style>\n{escape(style_sheet(figure, theme))}</style>\n" if style else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="micrograd {figure}" width="{wide}" height="{high}"'
        f' viewBox="0 0 {wide} {high}" role="img" aria-label={label}>\n'
        f"{sheet}"
        f'<rect class="paper" width="{wide}" height="{high}"/>\n'
        f'<g transform="translate({MARGIN:g} {MARGIN:g})">\n{content}\n</g>\n</svg>\n'
    )


def _quoted(text: str) -> str:
    return quoteattr(clean(text))


def _n(x: float) -> str:
    return f"{x:.1f}".removesuffix(".0")


def _lines(lines: Sequence[Line], x: float, y: float, size: float) -> Iterator[str]:
    """Return the texts of ``lines`` around the middle (x, y)."""
    first = y - (len(lines) - 1) / 2 * LINE * size + 0.35 * size
    for row, (role, text) in enumerate(lines):
        baseline = first + row * LINE * size
        yield f'<text class="{role}" x="{_n(x)}" y="{_n(baseline)}">{escape(clean(text))}</text>'


def _scopes(layout: Layout) -> Iterator[str]:
    for path, frame in layout.scopes.items():
        yield f'<g class="scope" data-scope={_quoted("/".join(path))}><title>{escape("/".join(path))}</title>'
        yield _rectangle(frame, 6)
        if frame.title is not None:
            yield from _lines([("name", cut(path[-1]))], *frame.title, FONT)
        yield "</g>"


def _rectangle(place: Place, radius: float, shift: float = 0.0) -> str:
    x, y = place.x - place.width / 2 + shift, place.y - place.height / 2 - shift
    return f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(place.width)}" height="{_n(place.height)}" rx="{radius:g}"/>'


def _box(box: Box, place: Place) -> Iterator[str]:
    classes = " ".join(["node", box.kind, *box.marks])
    index = "" if box.node is None else f' data-node="{box.node}"'
    yield f'<g class="{classes}"{index}><title>{escape(clean(box.tooltip))}</title>'
    if box.kind == "symbol":
        yield (
            f'<ellipse cx="{_n(place.x)}" cy="{_n(place.y)}" rx="{_n(place.width / 2)}" ry="{_n(place.height / 2)}"/>'
        )
    else:
        if box.kind in ("scope", "alike"):
            yield _rectangle(place, 4, _STACK)
        yield _rectangle(place, 8 if box.kind in ("leaf", "proxy") else 3)
    yield from _lines(box.lines, place.x, place.y, FONT)
    yield "</g>"


def _arrow(number: int, arrow: Arrow, route: Route) -> Iterator[str]:
    index = "" if arrow.edge is None else f' data-edge="{arrow.edge}"'
    ends = f' data-tail="{arrow.tail[1:]}" data-head="{arrow.head[1:]}"' if arrow.edge is not None else ""
    classes = " ".join(["edge", arrow.sign, *arrow.marks])
    weight = 1 + 3 * arrow.weight
    start, *rest = route.points
    curve = f"M{_point(start)}C{' '.join(map(_point, rest))}"
    yield f'<g class="{classes}"{index}{ends}><title>{escape(clean(arrow.tooltip))}</title>'
    yield f'<path class="line" d="{curve}" stroke-width="{weight:.2g}"/>'
    yield f'<path class="head" d="{_head(route, weight)}"/>'
    if route.text is not None:
        yield from _lines(arrow.lines, *route.text, EDGE_FONT)
    yield "</g>"


def _point(point: Point) -> str:
    return f"{_n(point[0])},{_n(point[1])}"


def _head(route: Route, weight: float) -> str:
    """Return the triangle at the tip of a route, in the direction in which the route arrives."""
    tip = route.tip
    before = next((p for p in reversed(route.points) if math.dist(p, tip) > 0.5), route.points[0])
    length = math.dist(before, tip) or 1.0
    dx, dy = (tip[0] - before[0]) / length, (tip[1] - before[1]) / length
    size, half = _HEAD + weight, (_HEAD + weight) / 2.4
    base = (tip[0] - size * dx, tip[1] - size * dy)
    left, right = (base[0] - half * dy, base[1] + half * dx), (base[0] + half * dy, base[1] - half * dx)
    return f"M{_point(tip)}L{_point(left)}L{_point(right)}Z"
