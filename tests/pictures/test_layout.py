"""Protects how coordinates are read from Graphviz: everything has its place, in every direction and in both manners."""

from __future__ import annotations

import json
import math
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import wild_graphs

import micrograd as mg
from micrograd import Value
from micrograd.pictures.dot import DIRECTIONS, Direction
from micrograd.pictures.engines import rendered
from micrograd.pictures.layout import Layout, Place, place
from micrograd.pictures.picture import Picture, compose
from micrograd.pictures.record import record
from micrograd.pictures.reduction import by_scopes
from micrograd.pictures.theme import CHARACTER, EDGE_FONT, LINE


def picture_of(root: Value) -> Picture:
    graph = record([root])
    return compose(graph, by_scopes(graph), proxies=None)


def assert_whole(picture: Picture, layout: Layout) -> None:
    """Check that everything has a place inside the picture, and that arrows lead from box to box."""
    assert set(layout.boxes) == {box.key for box in picture.boxes}
    assert len(layout.routes) == len(picture.arrows)
    for at in [*layout.boxes.values(), *layout.scopes.values()]:
        assert -1 < at.x - at.width / 2 < at.x + at.width / 2 < layout.width + 1
        assert -1 < at.y - at.height / 2 < at.y + at.height / 2 < layout.height + 1
    for arrow, route in zip(picture.arrows, layout.routes):
        assert len(route.points) % 3 == 1
        assert distance(route.points[0], layout.boxes[arrow.tail]) < 3.0
        assert distance(route.tip, layout.boxes[arrow.head]) < 3.0
        assert math.dist(route.points[-1], route.tip) < 12.0


def distance(point: tuple[float, float], at: Place) -> float:
    """Return how far ``point`` is from the border of a box or, where it is inside, 0."""
    return math.hypot(
        max(0.0, abs(point[0] - at.x) - at.width / 2),
        max(0.0, abs(point[1] - at.y) - at.height / 2),
    )


@given(wild_graphs(), st.sampled_from(get_args(Direction)), st.booleans())
@settings(max_examples=25)
def test_everything_has_its_place(pool: list[Value], direction: Direction, quick: bool) -> None:
    picture = picture_of(pool[-1])
    layout = place(picture, direction=direction, quick=quick)
    assert_whole(picture, layout)
    labelled = [route.text is not None for route in layout.routes]
    assert set(labelled) <= {not quick}
    assert (layout.notes is None) == (not picture.notes)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_an_edge_that_graphviz_lost_is_drawn_from_side_to_side(
    direction: Direction, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_routes(*arguments: Any, **options: Any) -> bytes:
        found = json.loads(rendered(*arguments, **options))
        for edge in found["edges"]:
            del edge["pos"]
        return json.dumps(found).encode()

    monkeypatch.setattr("micrograd.pictures.layout.rendered", without_routes)
    picture = picture_of((Value(1.0) * Value(2.0)).exp())
    layout = place(picture, direction=direction)
    assert_whole(picture, layout)
    axis, sign = {"LR": (0, 1), "RL": (0, -1), "TB": (1, 1), "BT": (1, -1)}[direction]
    for arrow, route in zip(picture.arrows, layout.routes):
        tail, head = layout.boxes[arrow.tail], layout.boxes[arrow.head]
        sizes = [(at.width, at.height)[axis] / 2 for at in (tail, head)]
        assert route.points[0][axis] == pytest.approx((tail.x, tail.y)[axis] + sign * sizes[0])
        assert route.tip[axis] == pytest.approx((head.x, head.y)[axis] - sign * sizes[1])


def test_frames_hold_what_is_in_them() -> None:
    with mg.scope("outer"), mg.scope("inner"):
        y = Value(2.0, label="x") * 3.0
    picture = picture_of(y * 2.0)
    layout = place(picture)
    assert list(layout.scopes) == [("outer",), ("outer", "inner")]
    outer, inner = layout.scopes.values()
    assert outer.title is not None
    assert inner.title is not None
    assert outer.title[1] < inner.title[1]
    for at in (inner, *[layout.boxes[box.key] for box in picture.boxes if box.scope]):
        assert outer.x - outer.width / 2 < at.x - at.width / 2
        assert at.y + at.height / 2 < outer.y + outer.height / 2


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_text_of_an_edge_stands_beside_its_line(direction: Direction) -> None:
    y = Value(0.5, label="x").sin().sin()
    y.backward()
    picture = picture_of(y)
    layout = place(picture, direction=direction)
    for arrow, route in zip(picture.arrows, layout.routes):
        assert route.text is not None
        (x, y_line), (x_text, y_text) = route.points[1], route.text
        if direction in ("LR", "RL"):
            gap = y_line - y_text - len(arrow.lines) * LINE * EDGE_FONT / 2
        else:
            gap = x_text - x - max(len(text) for _, text in arrow.lines) * CHARACTER * EDGE_FONT / 2
        assert 0.0 < gap < 8.0


def test_sizes_are_given_and_the_same_whatever_the_fonts() -> None:
    picture = picture_of(Value(2.0, label="x") * 3.0)
    layout = place(picture)
    assert [(round(at.width), round(at.height)) for at in layout.boxes.values()] == [(142, 55), (142, 55)]
