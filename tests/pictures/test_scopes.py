"""Protects scopes in pictures: frames when they are open, one box with its traffic when they are collapsed."""

from __future__ import annotations

import random

import pytest
from svg_reading import box, boxes, edges, frames, notes

import micrograd as mg
from micrograd import Value
from micrograd.nn import MLP


def network() -> Value:
    out = MLP(2, [3, 1], rng=random.Random(0))([Value(0.5, label="x0"), Value(-1.0, label="x1")])
    assert isinstance(out, Value)
    return out


def scope_boxes(svg: str) -> list[str]:
    return [shape.tooltip.removeprefix("scope ") for shape in boxes(svg) if "scope" in shape.classes]


def test_scopes_are_frames_with_their_names() -> None:
    svg = mg.draw(network()).svg
    assert [shape.tooltip for shape in frames(svg)] == [
        "layer0",
        "layer1",
        "layer0/neuron0",
        "layer0/neuron1",
        "layer0/neuron2",
        "layer1/neuron0",
    ]
    assert [shape.text("name") for shape in frames(svg)][1:3] == ["layer1", "neuron0"]


def test_boxes_stand_inside_their_frames_and_others_outside() -> None:
    svg = mg.draw(network()).svg
    areas = {}
    for shape in frames(svg):
        rectangle = shape.element.find("{http://www.w3.org/2000/svg}rect")
        assert rectangle is not None
        areas[shape.tooltip] = [float(rectangle.get(name, "")) for name in ("x", "y", "width", "height")]
    values = mg.graph.topological_order(network())
    assert len(values) == len(boxes(svg))
    for shape in boxes(svg):
        (x, y), own = shape.middle, values[shape.index].scope
        for name, (left, top, wide, high) in areas.items():
            inside = left < x < left + wide and top < y < top + high
            assert inside == (own == name or own.startswith(f"{name}/"))


@pytest.mark.parametrize(
    ("depth", "collapsed"),
    [
        (0, ["layer0", "layer1"]),
        (1, ["layer0/neuron0", "layer0/neuron1", "layer0/neuron2", "layer1/neuron0"]),
        (2, []),
        (None, []),
    ],
)
def test_depth(depth: int | None, collapsed: list[str]) -> None:
    assert sorted(scope_boxes(mg.draw(network(), depth=depth).svg)) == collapsed


def test_a_collapsed_scope_shows_what_enters_and_leaves_it() -> None:
    out = network()
    out.backward()
    svg = mg.draw(out, collapse=["layer0"]).svg
    layer = box(svg, "layer0")
    assert layer.text("op").startswith("24 nodes: 9 leaves, 6 mul, 6 add")
    assert layer.text("uses") == "6 edges in, 3 out"
    order = mg.graph.topological_order(out)
    inside = {v for v in order if v.scope.startswith("layer0")}
    leaving = [
        shape for shape in edges(svg) if shape.path[0][0] > layer.middle[0] and not shape.element.get("data-edge")
    ]
    crossing = [use.share for v in inside for use in mg.explain(v, out) if use.consumer not in inside]
    assert len(leaving) == len(crossing) == 3
    assert sum(float(shape.tooltip.split()[-1]) for shape in leaving) == pytest.approx(sum(crossing))
    x0 = next(v for v in order if v.label == "x0")
    (entering,) = [shape for shape in edges(svg) if shape.tooltip.endswith(repr(x0.grad))]
    assert (entering.text("local"), entering.tooltip.split(";")[0]) == ("3 edges", "3 edges")


def test_inner_scopes_collapse_alone_and_by_a_single_name() -> None:
    svg = mg.draw(network(), collapse="layer0/neuron1").svg
    assert scope_boxes(svg) == ["layer0/neuron1"]
    assert {shape.tooltip for shape in frames(svg)} == {
        "layer0",
        "layer0/neuron0",
        "layer0/neuron2",
        "layer1",
        "layer1/neuron0",
    }


def test_a_root_in_a_collapsed_scope_marks_its_box() -> None:
    svg = mg.draw(network(), depth=0).svg
    assert ["root" in box(svg, name).classes for name in ("layer0", "layer1")] == [False, True]


def test_a_scope_that_is_left_and_entered_again_draws_as_a_cycle() -> None:
    x = Value(2.0, label="x")
    with mg.scope("in"):
        first = x * 2.0
    outside = mg.exp(first)
    with mg.scope("in"):
        last = outside * 3.0
    last.backward()
    for style in ("boxes", "bipartite"):
        svg = mg.draw(last, collapse=["in"], style=style).svg
        assert box(svg, "in").text("uses") == "2 edges in, 1 out"
        assert len([shape for shape in boxes(svg) if "symbol" not in shape.classes]) == 3
        assert [shape.tooltip for shape in edges(svg) if "contributions" in shape.tooltip] != []


def test_collapsing_keeps_names_with_awkward_characters() -> None:
    with mg.scope("a\x00<b>"):
        y = Value(1.0) * 2.0
    assert scope_boxes(mg.draw(y, collapse=["a\x00<b>"]).svg) == ["a\ufffd<b>"]


def test_scopes_nest_deeply() -> None:
    y = Value(1.0, label="x")
    for depth in range(1, 31):
        with mg.scope("/".join(f"s{i}" for i in range(depth))):
            y = mg.sin(y)
    svg = mg.draw(y).svg
    assert len(frames(svg)) == 30
    assert frames(svg)[-1].tooltip.endswith("/s28/s29")


def test_unknown_scopes_are_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"unknown scope 'layer9' to collapse \(one of: layer0, layer0/neuron0, "):
        mg.draw(network(), collapse=["layer0", "layer9"])
    with pytest.raises(ValueError, match="the graph has none"):
        mg.draw(Value(1.0), collapse=["layer0"])


def test_a_batch_through_a_network_is_one_picture_of_its_scopes() -> None:
    model = MLP(2, [2, 1], rng=random.Random(0))
    loss = mg.sum([model([Value(0.1 * i), Value(1.0)]) for i in range(5)])
    svg = mg.draw(loss, depth=0).svg
    assert scope_boxes(svg) == ["layer1", "layer0"]  # the bias of the second layer is the first node of all
    assert box(svg, "layer1").text("uses") == "10 edges in, 5 out"
    assert [note for note in notes(svg) if "collapsed" in note] == []  # asked for, so nothing to explain
