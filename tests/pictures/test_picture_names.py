"""Protects where names of boxes come from: labels first, then the variables that hold the nodes."""

from __future__ import annotations

import time
from typing import Any

import pytest
from svg_reading import boxes

import micrograd as mg
from micrograd import Value
from micrograd.pictures.names import names_of


def named(variables: Any) -> list[str]:
    return list(names_of(variables).values())


def test_locals_name_the_nodes_and_labels_win() -> None:
    x, weight = Value(2.0), Value(3.0, label="w")
    product = x * weight
    svg = mg.draw(product, names=locals()).svg
    assert [shape.text("name") for shape in boxes(svg)] == ["x", "w", "product"]
    assert [shape.text("name") for shape in boxes(mg.draw(product).svg)] == ["", "w", ""]


def test_a_name_that_is_set_later_does_not_change_a_drawing() -> None:
    x = Value(2.0)
    drawing = mg.draw(x * 2.0, names={"x": x})
    x.label = "other"
    x.data = 7.0
    assert [shape.text("name") for shape in boxes(drawing.svg)] == ["x", ""]
    assert boxes(drawing.svg)[0].text("data") == "data 2"


def test_containers_are_looked_into() -> None:
    np = pytest.importorskip("numpy")
    a, b, c, d, e, f = (Value(float(i)) for i in range(6))
    found = names_of(
        {
            "xs": [a, (b, 1.0)],
            "table": {"left": c, 3: [d]},
            "matrix": np.array([[e], [f]], dtype=object),
            "numbers": np.ones(3),
            "text": "abc",
        }
    )
    assert found == {
        a: "xs[0]",
        b: "xs[1][0]",
        c: "table['left']",
        d: "table[3][0]",
        e: "matrix[0][0]",
        f: "matrix[1][0]",
    }
    assert named({"one": np.array(a, dtype=object)}) == ["one"]


def test_the_first_name_counts() -> None:
    x = Value(1.0)
    assert named({"x": x, "y": x, "xs": [x]}) == ["x"]


@pytest.mark.parametrize("name", ["_", "_3", "__builtins__", "In", "Out", 5])
def test_what_is_no_name_of_the_users_is_left_out(name: object) -> None:
    assert named({name: [Value(1.0)]}) == []


def test_lists_that_hold_themselves() -> None:
    x = Value(1.0)
    xs: list[Any] = [x]
    xs.append(xs)
    loop: dict[str, Any] = {"xs": xs}
    loop["loop"] = loop
    assert named({"xs": xs, "loop": loop}) == ["xs[0]"]


def test_a_whole_data_set_among_the_variables_costs_little() -> None:
    x = Value(1.0)
    data = [[float(i)] * 4 for i in range(1000)] * 3000  # three million rows
    started = time.perf_counter()
    assert named({"x": x, "data": data, "rows": dict.fromkeys(range(1_000_000), 0.0)}) == ["x"]
    assert time.perf_counter() - started < 5.0  # a fraction of a second; minutes for every element


def test_a_variable_with_a_strange_key_or_a_broken_repr_does_no_harm() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("no text")

    x, y = Value(1.0), Value(2.0)
    assert named({"x": x, "strange": {Broken(): 1.0, ("a", 2): y}, "object": Broken()}) == ["x", "strange[('a', 2)]"]


@pytest.mark.parametrize("names", [5, "x", [("x", 1)], {1}])
def test_names_are_a_mapping(names: Any) -> None:
    with pytest.raises(TypeError, match=r"names is a mapping such as locals\(\), not "):
        mg.draw(Value(1.0), names=names)
