"""Protects what a reader of the drawn SVG sees of a small graph: boxes and arrows, their texts and their order."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from support import registered, tame_numbers, wild_graphs
from svg_reading import box, boxes, edges, frames, notes

import micrograd as mg
from micrograd import Value
from micrograd.pictures.text import glyph, number


def neuron() -> tuple[Value, Value]:
    x, w, b = Value(0.5, label="x"), Value(-2.0, label="w"), Value(0.25, label="b")
    out = mg.tanh(x * w + b)
    out.label = "out"
    return out, b


def test_before_backward_nothing_pretends_to_be_a_gradient() -> None:
    out, _ = neuron()
    svg = mg.draw(out).svg
    assert [shape.text("grad") for shape in boxes(svg)] == ["grad not computed"] * 6
    assert [shape.text("share") for shape in edges(svg)] == [""] * 5
    assert {width for shape in edges(svg) for width in [shape.width]} == {1.0}
    assert notes(svg) == ["on an edge: × local derivative; gradients appear after backward()"]
    assert "gradient not computed" in box(svg, "out").tooltip


def test_after_backward_every_number_is_there() -> None:
    out, _ = neuron()
    out.backward()
    svg = mg.draw(out).svg
    assert box(svg, "x").lines == (("name", "x"), ("data", "data 0.5"), ("grad", "grad -1.193"))
    assert box(svg, "out").lines == (("name", "out"), ("op", "tanh"), ("data", "data -0.6351"), ("grad", "grad 1"))
    assert box(svg, "*").lines == (("op", "*"), ("data", "data -1"), ("grad", "grad 0.5966"))
    assert [(shape.text("local"), shape.text("share")) for shape in edges(svg)] == [
        ("× -2", "▼ -1.193"),
        ("× 0.5", "▲ 0.2983"),
        ("× 1", "▲ 0.5966"),
        ("× 1", "▲ 0.5966"),
        ("× 0.5966", "▲ 0.5966"),
    ]
    assert "root" in box(svg, "out").classes
    assert notes(svg)[-1].startswith("on an edge: × local derivative, and what the edge adds")


@given(wild_graphs(tame_numbers, size=6))
@settings(max_examples=15)
def test_the_picture_is_the_account(pool: list[Value]) -> None:
    root = pool[-1]
    root.backward()
    svg = mg.draw(root, proxies=None).svg
    order = mg.graph.topological_order(root)
    shown = {shape.index: shape for shape in boxes(svg)}
    assert sorted(shown) == list(range(len(order)))
    for i, v in enumerate(order):
        assert shown[i].text("data") == f"data {number(v.data)}"
        assert shown[i].text("grad") == f"grad {number(v.grad)}"
        account = mg.explain(v, root)
        told = sorted((f"× {number(use.local)}", f"{glyph(use.share)} {number(use.share)}") for use in account)
        of_v = [shape for shape in edges(svg) if shape.element.get("data-tail") == str(i)]
        assert sorted((shape.text("local"), shape.text("share")) for shape in of_v) == told
        assert (f"used {len(account)} times" in shown[i].text("uses")) == (len(account) > 1)


def test_a_leaf_alone_is_a_picture() -> None:
    svg = mg.draw(Value(2.0, label="x")).svg
    (shape,) = boxes(svg)
    assert shape.lines == (("name", "x"), ("data", "data 2"), ("grad", "grad not computed"))
    assert {"leaf", "root"} <= shape.classes
    assert (edges(svg), notes(svg)) == ([], [])


def test_several_roots_are_all_marked() -> None:
    x = Value(2.0, label="x")
    first, second = x * 3.0, mg.exp(x)
    svg = mg.draw(first, second).svg
    assert [shape.text("op") for shape in boxes(svg) if "root" in shape.classes] == ["· * 3", "exp"]
    assert box(svg, "x").text("uses") == "used 2 times"


# --- operands in their order --------------------------------------------------------------------------------------

ASYMMETRIC: list[tuple[str, Callable[[Value, Value], Value]]] = [
    ("a - b", lambda a, b: a - b),
    ("b - a", lambda a, b: b - a),
    ("a ** b", lambda a, b: a**b),
    ("b ** a", lambda a, b: b**a),
    ("a - a * b", lambda a, b: a - a * b),
    ("a * b - a", lambda a, b: a * b - a),
    ("a - tanh(b)", lambda a, b: a - mg.tanh(b)),
    ("tanh(b) - a", lambda a, b: mg.tanh(b) - a),
    ("where", lambda a, b: mg.where(a, b, a * b)),
    ("x * x", lambda a, b: a * a),
    ("x ** x", lambda a, b: a**a),
    ("x - x", lambda a, b: a - a),
]


@pytest.mark.parametrize(("name", "build"), ASYMMETRIC, ids=[name for name, _ in ASYMMETRIC])
def test_arrows_arrive_in_the_order_of_the_operands(name: str, build: Callable[[Value, Value], Value]) -> None:
    root = build(Value(3.0, label="a"), Value(2.0, label="b"))
    expected = [i for i, x in enumerate(root.operands) if isinstance(x, Value)]
    for direction, axis in [("LR", 1), ("RL", 1), ("TB", 0), ("BT", 0)]:
        svg = mg.draw(root, direction=direction).svg  # type: ignore[arg-type]
        head = str(len(mg.graph.topological_order(root)) - 1)
        arriving = [shape for shape in edges(svg) if shape.element.get("data-head") == head]
        assert [shape.tooltip.split(" of ")[0] for shape in arriving] == [f"operand {i}" for i in expected]
        ends = [shape.path[-1][axis] for shape in arriving]
        assert ends == sorted(ends), (name, direction)
        assert len(set(ends)) == len(ends)


@pytest.mark.parametrize("direction", ["LR", "RL", "TB", "BT"])
def test_arrows_go_in_the_direction(direction: str) -> None:
    out, _ = neuron()
    svg = mg.draw(out, direction=direction).svg  # type: ignore[arg-type]
    axis, sign = {"LR": (0, 1), "RL": (0, -1), "TB": (1, 1), "BT": (1, -1)}[direction]
    middles = {shape.index: shape.middle for shape in boxes(svg)}
    for shape in edges(svg):
        tail, head = (middles[int(shape.element.get(f"data-{end}", ""))] for end in ("tail", "head"))
        assert sign * tail[axis] < sign * head[axis]
        assert sign * shape.path[0][axis] < sign * shape.path[-1][axis]
        tip, *base = [sign * point[axis] for point in shape.head]
        assert max(base) < tip <= sign * head[axis]


def test_boxes_do_not_cover_one_another() -> None:
    loss = mg.sum([mg.tanh(Value(0.3 * i, label=f"x{i}") * 2.0) for i in range(9)])
    for direction, style in itertools.product(("LR", "TB"), ("boxes", "bipartite")):
        svg = mg.draw(loss, direction=direction, style=style).svg  # type: ignore[arg-type]
        places = []
        for shape in boxes(svg):
            rectangle = shape.element.find("{http://www.w3.org/2000/svg}rect")
            if rectangle is not None:
                places.append([float(rectangle.get(name, "")) for name in ("x", "y", "width", "height")])
        for (x1, y1, w1, h1), (x2, y2, w2, h2) in itertools.combinations(places, 2):
            assert x1 + w1 < x2 or x2 + w2 < x1 or y1 + h1 < y2 or y2 + h2 < y1


# --- signs, sizes, digits -----------------------------------------------------------------------------------------


def test_signs_have_glyphs_classes_and_widths_by_size() -> None:
    a, b, c, d = (Value(1.0, label=name) for name in "abcd")
    loss = mg.sum([a * 4.0, b * -1.0, c * 0.0, d * 0.25])
    loss.backward()
    svg = mg.draw(loss).svg
    by_tail = {shape.element.get("data-tail"): shape for shape in edges(svg)}
    drawn = {name: by_tail[str(box(svg, name).index)] for name in "abcd"}
    assert {name: shape.text("share") for name, shape in drawn.items()} == {
        "a": "▲ 4",
        "b": "▼ -1",
        "c": "● 0",
        "d": "▲ 0.25",
    }
    assert "positive" in drawn["a"].classes
    assert "negative" in drawn["b"].classes
    assert "zero" in drawn["c"].classes
    assert [drawn[name].width for name in "abdc"] == [4.0, 2.5, 1.8, 1.0]


def test_a_share_without_end_is_the_widest_and_one_that_is_no_number_the_thinnest() -> None:
    x, y = Value(0.0, label="x"), Value(2.0, label="y")
    loss = mg.sqrt(x) + y * 3.0
    loss.backward()
    svg = mg.draw(loss).svg
    assert [(shape.text("share"), shape.width) for shape in edges(svg) if "inf" in shape.text("share")] == [
        ("▲ inf", 4.0)
    ]
    loss = mg.sqrt(Value(-1.0))
    loss.backward()
    (shape,) = edges(mg.draw(loss).svg)
    assert (shape.text("share"), shape.width, "unknown" in shape.classes) == ("? nan", 1.0, True)


@pytest.mark.parametrize(
    ("x", "digits", "text"),
    [
        (0.123456789, 4, "0.1235"),
        (1e-300, 4, "1e-300"),
        (-4.94e-324, 4, "-4.941e-324"),
        (123456.0, 2, "123456"),
        (123456.7, 2, "1.2e+05"),
        (2 / 3, 17, "0.66666666666666663"),
        (math.inf, 4, "inf"),
        (math.nan, 4, "nan"),
    ],
)
def test_digits(x: float, digits: int, text: str) -> None:
    assert box(mg.draw(Value(x, label="x"), digits=digits).svg, "x").text("data") == f"data {text}"


def test_no_small_gradient_is_rounded_to_zero() -> None:
    x = Value(1.0, label="x")
    loss = x * 1e-200
    loss.backward()
    svg = mg.draw(loss).svg
    assert box(svg, "x").text("grad") == "grad 1e-200"
    assert edges(svg)[0].text("share") == "▲ 1e-200"


# --- marks --------------------------------------------------------------------------------------------------------


def test_what_is_used_many_times_says_so() -> None:
    out, b = neuron()
    loss = mg.sum([out * b, b, b * b])
    svg = mg.draw(loss).svg
    assert box(svg, "b").text("uses") == "used 5 times"
    assert "its gradient is a sum of 5" in box(svg, "b").tooltip
    assert "shared" in box(svg, "b").classes
    assert "shared" not in box(svg, "x").classes


def test_a_gradient_of_two_passes_says_what_these_edges_gave() -> None:
    w = Value(2.0, label="w")
    y = w * 3.0
    y.backward()
    svg = mg.draw(y).svg
    assert box(svg, "w").text("part") == ""
    y.backward()
    svg = mg.draw(y).svg
    assert (box(svg, "w").text("grad"), box(svg, "w").text("part")) == ("grad 6", "3 from these edges")
    svg = mg.draw(w * 5.0).svg
    assert (box(svg, "w").text("grad"), box(svg, "w").text("part")) == ("grad 6", "of an earlier pass")
    assert notes(svg) == ["on an edge: × local derivative; gradients appear after backward()"]


def test_the_first_number_that_is_not_finite_is_marked_and_no_other() -> None:
    x = Value(0.0, label="x")
    y = mg.log(x) * 2.0 + x
    svg = mg.draw(y).svg
    assert [shape.text("op") for shape in boxes(svg) if "bad" in shape.classes] == ["log"]
    assert box(svg, "log").text("warning") == "! first not finite"


def test_notes_of_the_record_stand_in_the_picture() -> None:
    def rule(g: Any, out: Any, a: Any) -> Any:
        raise NotImplementedError("later")

    with registered("half_done", forward=lambda a: a, vjp=(rule,), symbol="½") as op:
        w = Value(2.0, label="w")
        y = op(w) * w
        w.data = 3.0
        svg = mg.draw(y).svg
        assert edges(svg)[0].text("local") == "rule fails"
        assert "unknown, the rule fails" in edges(svg)[0].tooltip
        assert [note.split(" raises")[0].split(" since")[0] for note in notes(svg)[:2]] == [
            "the derivative rule of half_done",
            "1 number changed",
        ]


def test_the_culprit_is_marked() -> None:
    out, _ = neuron()
    total = out.parents[0]
    product = total.parents[0]
    svg = mg.draw(out, culprit=(total, 1)).svg
    assert [shape.tooltip.split(":")[0] for shape in edges(svg) if "culprit" in shape.classes] == [
        "operand 1 of add(-1.0, b=0.25)"
    ]
    assert [shape.text("op") for shape in boxes(svg) if "culprit" in shape.classes] == ["+"]
    svg = mg.draw(out, culprit=(product, None)).svg
    assert [shape for shape in edges(svg) if "culprit" in shape.classes] == []
    assert "culprit" in box(svg, "*").classes


def test_tooltips_have_the_names_and_every_digit() -> None:
    w, x = Value(1 / 3), Value(2.0, label="x")
    y = w * x * 4.0
    y.backward()
    svg = mg.draw(y, names={"w": w}).svg
    assert box(svg, "w").tooltip == "w; a leaf; data 0.3333333333333333; grad 8.0"
    assert box(svg, "*").tooltip == "mul(w=0.3333333333333333, x=2.0); data 0.6666666666666666; grad 4.0"
    assert edges(svg)[1].tooltip == (
        "operand 1 of mul(w=0.3333333333333333, x=2.0): x=2.0; local derivative 0.3333333333333333;"
        " adds 1.3333333333333333 to the gradient"
    )
    assert "... 7 operands in all" in box(mg.draw(mg.sum([x] * 7)).svg, "Σ").tooltip


# --- values and operations apart ----------------------------------------------------------------------------------


def test_values_and_operations_apart() -> None:
    out, _ = neuron()
    out.backward()
    svg = mg.draw(out, style="bipartite").svg
    symbols = [shape for shape in boxes(svg) if "symbol" in shape.classes]
    assert [shape.text("op") for shape in symbols] == ["*", "+", "tanh"]
    assert all(len(shape.lines) == 1 for shape in symbols)
    assert [shape.text("op") for shape in boxes(svg) if "symbol" not in shape.classes] == [""] * 6
    assert [shape.text("share") for shape in edges(svg) if "data-edge" in shape.element.attrib] == [
        shape.text("share") for shape in edges(mg.draw(out).svg)
    ]
    made = [shape for shape in edges(svg) if "data-edge" not in shape.element.attrib]
    assert [shape.tooltip.split("(")[0] for shape in made] == ["mul", "add", "tanh"]


def test_the_bias_of_a_batch_is_one_box_with_an_edge_for_each_sample() -> None:
    b = Value(0.5, label="b")
    loss = mg.sum([mg.tanh(Value(0.3 * i, label=f"x{i}") + b) for i in range(4)]) / 4.0
    loss.backward()
    svg = mg.draw(loss).svg
    index = str(box(svg, "b").index)
    shares = [shape for shape in edges(svg) if shape.element.get("data-tail") == index]
    assert len(shares) == 4
    assert box(svg, "b").text("uses") == "used 4 times"
    added = [float(shape.tooltip.split("adds ")[1].split(" to ")[0]) for shape in reversed(shares)]
    assert sum(added) == b.grad
    assert frames(svg) == []
