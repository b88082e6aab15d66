"""Where Graphviz put everything: the coordinates of boxes, edges and frames, with y going down as in an SVG."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from micrograd.pictures.dot import Direction, dot_source, scopes_of
from micrograd.pictures.engines import TIMEOUT, rendered
from micrograd.pictures.picture import Picture

__all__ = ["Layout", "Place", "Route", "place"]

Point = tuple[float, float]

_GAP = 3.0


@dataclass(frozen=True)
class Place:
    """A rectangle by its centre; ``title`` is where the text of a frame goes."""

    x: float
    y: float
    width: float
    height: float
    title: Point | None = None


@dataclass(frozen=True)
class Route:
    """The way of an edge: the control points of a cubic Bézier spline, the tip of its head, and where its text goes."""

    points: tuple[Point, ...]
    tip: Point
    text: Point | None


@dataclass(frozen=True)
class Layout:
    """Coordinates of a picture, in points.

    Attributes:
        width, height: of the whole.
        boxes: places by the keys of boxes.
        routes: in the order of the picture's arrows.
        scopes: the frames, outer ones first.
        notes: the middle of the text below, where there is one.
    """

    width: float
    height: float
    boxes: Mapping[str, Place]
    routes: Sequence[Route]
    scopes: Mapping[tuple[str, ...], Place]
    notes: Point | None


def place(
    picture: Picture, *, direction: Direction = "LR", quick: bool = False, timeout: float | None = TIMEOUT
) -> Layout:
    """Return the coordinates that Graphviz gives ``picture``.

    Args:
        picture: what to place.
        direction: where the arrows go.
        quick: whether a large graph is laid out with less care: straight edges without room for their texts.
        timeout: in seconds.

    Raises ``DrawingError`` where Graphviz is missing, fails or takes too long.
    """
    dot = dot_source(picture, direction=direction, quick=quick)
    return _read(json.loads(rendered(dot, "json0", timeout=timeout)), picture, direction)


def _read(found: Mapping[str, Any], picture: Picture, direction: Direction) -> Layout:
    _, _, width, height = _numbers(found["bb"])
    flip: Callable[[str], Point] = lambda text: _flipped(text, height)
    scopes, boxes, frames = scopes_of(picture), {}, {}
    for item in found.get("objects", ()):
        if "bb" in item:
            left, low, right, high = _numbers(item["bb"])
            title = flip(item["lp"]) if "lp" in item else None
            path = scopes[int(item["name"].removeprefix("cluster_"))]
            middle = ((left + right) / 2, height - (low + high) / 2)
            frames[path] = Place(*middle, right - left, high - low, title)
        else:
            x, y = flip(item["pos"])
            boxes[item["name"]] = Place(x, y, float(item["width"]) * 72, float(item["height"]) * 72)
    routes: dict[int, Route] = {}
    for item in found.get("edges", ()):
        number = int(item["id"].removeprefix("a"))
        arrow = picture.arrows[number]
        text = _beside(flip(item["lp"]), direction) if "lp" in item else None
        if "pos" in item:
            routes[number] = _routed(item["pos"], text, height)
        else:
            routes[number] = _direct(boxes[arrow.tail], boxes[arrow.head], direction)
    notes = flip(found["lp"]) if "lp" in found else None
    return Layout(
        width=width,
        height=height,
        boxes=boxes,
        routes=[routes[number] for number in range(len(picture.arrows))],
        scopes={path: frames[path] for path in scopes if path in frames},
        notes=notes,
    )


def _beside(text: Point, direction: Direction) -> Point:
    """Return the place of an edge's text, which Graphviz puts so close to the line that they touch, a bit further."""
    x, y = text
    return (x, y - _GAP) if direction in ("LR", "RL") else (x + _GAP, y)


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _flipped(text: str, height: float) -> Point:
    x, y = _numbers(text)[:2]
    return x, height - y


def _routed(text: str, label: Point | None, height: float) -> Route:
    """Return the route that ``dot`` writes as ``e,TIP POINT POINT ...``."""
    points, tip = [], None
    for part in text.partition(";")[0].split():
        if part.startswith("e,"):
            tip = _flipped(part[2:], height)
        elif not part.startswith("s,"):
            points.append(_flipped(part, height))
    return Route(tuple(points), tip or points[-1], label)


def _direct(tail: Place, head: Place, direction: Direction) -> Route:
    """Return a curve between the sides of two boxes that face each other, for an edge that Graphviz did not route."""
    along = 1.0 if direction in ("LR", "TB") else -1.0
    if direction in ("LR", "RL"):
        start, end = (tail.x + along * tail.width / 2, tail.y), (head.x - along * head.width / 2, head.y)
        bend = along * max(20.0, abs(end[0] - start[0]) / 2)
        middle = ((start[0] + bend, start[1]), (end[0] - bend, end[1]))
    else:
        start, end = (tail.x, tail.y + along * tail.height / 2), (head.x, head.y - along * head.height / 2)
        bend = along * max(20.0, abs(end[1] - start[1]) / 2)
        middle = ((start[0], start[1] + bend), (end[0], end[1] - bend))
    return Route((start, *middle, end), end, None)
