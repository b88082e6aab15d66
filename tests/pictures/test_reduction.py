"""Protects large graphs: whatever the graph, a picture comes in seconds and says in itself what it leaves out."""

from __future__ import annotations

import operator
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import wild_graphs
from svg_reading import box, boxes, edges, notes

import micrograd as mg
from micrograd import Value
from micrograd.nn import MLP
from micrograd.pictures.record import record
from micrograd.pictures.reduction import SPAN, by_scopes, cost, neighbourhood, proxied


def batch(samples: int) -> Any:
    model = MLP(2, [8, 8, 1], rng=random.Random(0))
    errors = []
    for i in range(samples):
        with mg.scope("loss"):
            target = Value(1.0, label=f"y{i}")
        errors.append((model([Value(0.1 * i, label=f"x{i}"), Value(0.5, label=f"z{i}")]) - target) ** 2)
    return mg.sum(errors)


def chain(length: int) -> Value:
    y = Value(0.5, label="x")
    for _ in range(length):
        y = mg.sin(y)
    return y


def tangle(nodes: int) -> tuple[Any, list[Value]]:
    rng = random.Random(0)
    pool = [Value(rng.random(), label=f"x{i}") for i in range(20)]
    made: list[Callable[[Any, Any], Any]] = [operator.add, operator.mul, mg.hypot]
    while len(pool) < nodes:
        pool.append(rng.choice(made)(rng.choice(pool), rng.choice(pool)))
    return mg.sum(pool), pool


def hub(uses: int) -> Any:
    with mg.pause_gc():
        middle = mg.tanh(Value(0.3, label="x"))
        middle.label = "hub"
        return mg.sum([middle * float(i) for i in range(uses)])


# --- large graphs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "remark", "most"),
    [
        (lambda: batch(50), "9,956 nodes, too many to draw one by one: scopes are collapsed (depth=0), and nodes", 12),
        (lambda: chain(10_000), "10,001 nodes, too many to draw: the 60 boxes nearest to the root", 60),
        (lambda: tangle(4_000)[0], "4,001 nodes, too many to draw: the 60 boxes nearest to the root", 60),
        (lambda: hub(2_000), "2,003 nodes, too many to draw one by one: nodes that are made alike", 120),
    ],
    ids=["batch", "chain", "tangle", "hub"],
)
def test_large_graphs_are_drawn_and_say_how(build: Any, remark: str, most: int) -> None:
    root = build()
    root.backward()
    drawing = mg.draw(root, timeout=20.0)
    svg = drawing.svg
    assert notes(svg)[0].startswith(remark), notes(svg)
    assert 2 <= len(boxes(svg)) <= most
    assert [shape for shape in boxes(svg) if "root" in shape.classes]
    assert tuple(notes(svg)) == drawing.notes


def test_a_picture_within_the_limit_is_whole_and_needs_no_remark() -> None:
    y = chain(100)
    assert len(boxes(mg.draw(y).svg)) == 101
    assert [note for note in mg.draw(y).notes if "too many" in note] == []


def test_the_limit_is_on_the_boxes_and_none_is_no_limit() -> None:
    y = chain(100)
    svg = mg.draw(y, limit=100).svg
    assert len(boxes(svg)) == 60
    assert "too many" in notes(svg)[0]
    assert len(boxes(mg.draw(y, limit=101).svg)) == 101
    assert len(boxes(mg.draw(y, limit=None).svg)) == 101
    assert len(boxes(mg.draw(y, limit=1).svg)) == 1


def test_span_counts_as_well_as_boxes() -> None:
    links = []
    y = Value(1.0, label="x")
    for _ in range(150):
        y = mg.sin(y)
        links.append(y)
    total = mg.sum(links)  # 152 boxes, but its edges cross 150 ranks
    graph = record([total])
    needed, span = cost(graph, by_scopes(graph), 12)
    assert needed == 152
    assert span > SPAN
    assert "too many" in mg.draw(total).notes[0]


def test_an_overview_keeps_what_was_asked_to_be_collapsed() -> None:
    with mg.scope("head/first"):
        y = mg.exp(mg.exp(Value(0.1, label="x")))
    for i in range(4):
        with mg.scope(f"body/part{i}"):
            for _ in range(50):
                y = mg.sin(y)
    parts = ["part0", "part1", "part2", "part3"]
    for collapse, head in ((["head"], "head"), ([], "first")):
        drawing = mg.draw(y, limit=100, collapse=collapse)
        assert [shape.text("name") for shape in boxes(drawing.svg)] == [head, *parts]
        assert "scopes are collapsed (depth=1);" in drawing.notes[0]


def test_nodes_made_alike_are_one_box_with_the_range_of_its_numbers() -> None:
    loss = mg.sum([mg.tanh(Value(float(i), label=f"x{i}")) for i in range(600)])
    svg = mg.draw(loss).svg
    assert [shape.text("name") for shape in boxes(svg)] == ["600 × x0", "600 × tanh", ""]
    assert box(svg, "600 × x0").lines[1:] == (("data", "data 0 to 599"), ("grad", "grad not computed"))
    loss.backward()
    svg = mg.draw(loss).svg
    assert box(svg, "600 × tanh").text("grad") == "grad 1"
    assert [shape.text("local") for shape in edges(svg)] == ["600 edges", "600 edges"]
    assert edges(svg)[1].text("share") == "▲ 600"


def test_contributions_that_overflow_together_are_drawn_as_infinite() -> None:
    x = Value(1.0, label="x")
    with mg.scope("s"):
        y = mg.sum([x * 1e308, x * 1e308])
    (y * 1.0).backward()
    svg = mg.draw(y, depth=0).svg
    assert [shape.text("share") for shape in edges(svg)] == ["▲ inf"]


def test_alike_boxes_with_numbers_that_are_none() -> None:
    loss = mg.sum([mg.sqrt(Value(1.0 - i)) for i in range(600)])
    svg = mg.draw(loss).svg
    assert box(svg, "600 × sqrt").text("data") == "data 0 to 1, or nan"
    loss = mg.sum([mg.sqrt(Value(-1.0)) for _ in range(600)])
    assert box(mg.draw(loss).svg, "600 × sqrt").text("data") == "data nan"


# --- the neighbourhood of a node ----------------------------------------------------------------------------------


def near(root: Value, centre: Value, hops: int, **options: Any) -> set[Value]:
    drawing = mg.draw(root, around=centre, hops=hops, **options)
    order = mg.graph.topological_order(root)
    return {order[shape.index] for shape in boxes(drawing.svg)}


def test_around_a_node() -> None:
    y = chain(50)
    order = mg.graph.topological_order(y)
    for hops in range(4):
        assert near(y, order[25], hops) == set(order[25 - hops : 26 + hops])
    svg = mg.draw(y, around=order[25], hops=1).svg
    assert notes(svg)[0] == "3 of 51 nodes: those within 1 edge of the node asked for"
    assert [shape.text("uses") for shape in boxes(svg)] == ["1 edge not shown", "", "1 edge not shown"]
    assert near(y, y, 99) == set(order)


def test_what_many_share_does_not_make_them_neighbours() -> None:
    bias = Value(0.5, label="b")
    inputs = [Value(float(i), label=f"x{i}") for i in range(20)]
    sums = [x + bias for x in inputs]
    total = mg.sum(sums)
    assert near(total, inputs[3], 2) == {inputs[3], sums[3], bias, total}
    assert near(total, inputs[3], 4) == {inputs[3], sums[3], bias, total}
    assert near(total, inputs[3], 3, proxies=None) == {*inputs[3:4], *sums, bias, total}
    assert near(total, bias, 1) == {bias, *sums}  # what is asked for is shown with all of its own
    assert near(total, total, 1) == {*sums, total}
    double = total * 2.0
    assert near(double, double, 2) == {double, total, *sums}  # and what is below it with all of its operands


def test_a_neighbourhood_that_is_too_large_is_cut_to_the_nearest() -> None:
    root, pool = tangle(1_000)
    drawing = mg.draw(root, around=pool[500], hops=20)
    svg = drawing.svg
    assert len(boxes(svg)) == 60
    assert notes(svg)[0].startswith("1,001 nodes, too many to draw: the 60 boxes nearest to the node asked for")
    assert mg.graph.topological_order(root).index(pool[500]) in [shape.index for shape in boxes(svg)]


def test_where_even_the_nearest_are_a_tangle_there_are_fewer_of_them() -> None:
    pool = [Value(0.01, label="x")]
    for _ in range(100):
        pool.append(mg.sum(pool))
    svg = mg.draw(pool[-1], proxies=None, limit=50).svg
    assert len(boxes(svg)) == 12
    assert notes(svg)[0].startswith("101 nodes, too many to draw: the 12 boxes nearest to the root")


def test_the_longest_edges_that_are_drawn_take_seconds() -> None:
    steps = [Value(1.0, label="x")]
    while len(steps) <= 61:
        steps.append(mg.sin(steps[-1]))
    total = mg.sum(steps[1:])
    graph = record([total])
    _, span = cost(graph, by_scopes(graph), 12)
    assert 0.9 * SPAN < span <= SPAN
    assert len(boxes(mg.draw(total, timeout=20.0).svg)) == 63  # one second; without a limit on its pains, dot takes ten


def test_a_culprit_is_in_the_picture_whatever_the_size() -> None:
    y = chain(10_000)
    node = mg.graph.topological_order(y)[5_000]
    svg = mg.draw(y, culprit=(node, 0)).svg
    assert [shape.index for shape in boxes(svg) if "culprit" in shape.classes] == [5_000]
    assert len([shape for shape in edges(svg) if "culprit" in shape.classes]) == 1


@given(wild_graphs(), st.data())
def test_a_neighbourhood_grows_by_one_edge_at_a_time(pool: list[Value], data: st.DataObject) -> None:
    graph = record([pool[-1]])
    plan = by_scopes(graph)
    centre = data.draw(st.integers(0, len(graph.nodes) - 1))
    links = {(edge.operand, edge.consumer) for edge in graph.edges}
    shown = {centre}
    for hops in range(4):
        part = neighbourhood(graph, plan, [centre], hops=hops, proxies=None)
        assert {i for group in part.groups for i in group.members} == shown
        shown |= {i for link in links if set(link) & shown for i in link}


# --- proxies ------------------------------------------------------------------------------------------------------


def shared(uses: int) -> Any:
    return mg.sum([Value(float(i)) * b for b in [Value(2.0, label="b")] for i in range(uses)])


@pytest.mark.parametrize(("uses", "options", "drawn"), [(12, {}, 1), (13, {}, 14), (13, {"proxies": None}, 1)])
def test_proxies_from_the_thirteenth_use_on(uses: int, options: dict[str, Any], drawn: int) -> None:
    root = shared(uses)
    root.backward()
    svg = mg.draw(root, **options).svg
    named = [shape for shape in boxes(svg) if shape.text("name") == "b"]
    assert len(named) == drawn
    (whole,) = [shape for shape in named if "proxy" not in shape.classes]
    assert whole.text("grad") == f"grad {sum(range(uses))}"
    assert ("drawn at each use" in whole.text("uses")) == (drawn > 1)
    assert {shape.text("data") for shape in named if "proxy" in shape.classes} <= {"2"}
    assert len({shape.index for shape in named}) == 1
    shares = [shape.text("share")[2:] for shape in edges(svg) if "of mul" in shape.tooltip and ": b=" in shape.tooltip]
    assert sorted(map(float, shares)) == list(range(uses))


def test_no_proxies_at_all() -> None:
    svg = mg.draw(shared(2), proxies=0).svg
    assert [shape.classes >= {"proxy"} for shape in boxes(svg)].count(True) == 2 + 2 + 2


def test_a_hub_within_the_limit_is_drawn_with_its_proxies() -> None:
    svg = mg.draw(hub(200)).svg
    proxies = [shape for shape in boxes(svg) if "proxy" in shape.classes]
    assert [shape.text("name") for shape in proxies] == ["hub"] * 200
    svg = mg.draw(hub(200), proxies=None).svg
    assert len([shape for shape in boxes(svg) if shape.text("name") == "hub"]) == 1


@given(wild_graphs(), st.one_of(st.none(), st.integers(0, 3)))
def test_the_cost_is_that_of_what_is_drawn(pool: list[Value], proxies: int | None) -> None:
    graph = record([pool[-1]])
    plan = by_scopes(graph)
    count, span = cost(graph, plan, proxies)
    links = set(plan.edges(graph))
    near_by = proxied(graph, plan, proxies)
    assert count == len(graph.nodes) + len([tail for tail, _ in links if tail in near_by])
    assert span >= len(links)
