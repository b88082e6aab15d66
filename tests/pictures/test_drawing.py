"""Protects ``draw`` and ``Drawing`` as a whole: arguments, files, notebooks, threads, one text in every process."""

from __future__ import annotations

import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from support import run_python, same, snapshot, wild_graphs
from svg_reading import boxes

import micrograd as mg
from micrograd import Value
from micrograd.nn import MLP


def neuron() -> Any:
    return (Value(0.5, label="x") * Value(-2.0, label="w") + 1.0).tanh()


# --- arguments ----------------------------------------------------------------------------------------------------

STRANGER = Value(7.0, label="stranger")
WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"direction": "up"}, ValueError, r"unknown direction 'up' \(one of: LR, RL, TB, BT\)"),
    ({"direction": None}, ValueError, "unknown direction None"),
    ({"style": "circles"}, ValueError, r"unknown style 'circles' \(one of: boxes, bipartite\)"),
    ({"theme": "blue"}, ValueError, r"unknown theme 'blue' \(one of: auto, light, dark\)"),
    ({"theme": ["dark"]}, ValueError, "unknown theme"),
    ({"digits": 0}, ValueError, "digits is 1 or more, at most 17, not 0"),
    ({"digits": 18}, ValueError, "digits is 1 or more, at most 17, not 18"),
    ({"digits": 4.0}, TypeError, r"digits is a whole number, not 4\.0 \(type float\)"),
    ({"digits": True}, TypeError, "digits is a whole number, not True"),
    ({"hops": -1}, ValueError, "hops is 0 or more, not -1"),
    ({"hops": None}, TypeError, "hops is a whole number, not None"),
    ({"depth": -1}, ValueError, "depth is 0 or more, not -1"),
    ({"depth": "1"}, TypeError, "depth is a whole number, not '1'"),
    ({"proxies": -1}, ValueError, "proxies is 0 or more, not -1"),
    ({"limit": 0}, ValueError, "limit is 1 or more, not 0"),
    ({"limit": 2.5}, TypeError, r"limit is a whole number, not 2\.5"),
    ({"collapse": 5}, TypeError, r"collapse is a list of scopes such as \['layer1'\], not 5"),
    ({"collapse": [5]}, TypeError, r"collapse is a list of scopes such as \['layer1'\], not \[5\]"),
    ({"collapse": ["no"]}, ValueError, r"unknown scope 'no' to collapse \(one of: the graph has none\)"),
    ({"around": 5}, TypeError, "around is a Value of the graph, not 5"),
    ({"around": STRANGER}, ValueError, r"around is not in the graph: Value\(stranger=7\.0\)"),
    ({"title": 5}, TypeError, "a title is text, not 5"),
    ({"names": 5}, TypeError, r"names is a mapping such as locals\(\), not 5"),
    ({"timeout": "1"}, TypeError, "timeout is a number of seconds, not '1'"),
    ({"timeout": 0}, ValueError, "timeout is more than 0 seconds, not 0"),
    ({"timeout": float("nan")}, ValueError, "timeout is more than 0 seconds, not nan"),
    ({"culprit": 5}, TypeError, "culprit is a pair, a node and the position of an operand, not 5"),
    ({"culprit": (5, 0)}, TypeError, "culprit is a Value of the graph, not 5"),
    ({"culprit": (STRANGER, 0)}, ValueError, "culprit is not in the graph"),
]


@pytest.mark.parametrize(("options", "error", "message"), WRONG, ids=[str(row[0]) for row in WRONG])
def test_arguments_that_make_no_sense(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        mg.draw(neuron(), **options)


def test_a_culprit_has_an_operand_that_is_a_node() -> None:
    y = neuron()
    inner = y.parents[0]
    with pytest.raises(ValueError, match=r"operand 1 of the culprit is not a node: add\("):
        mg.draw(y, culprit=(inner, 1))
    with pytest.raises(ValueError, match="operand 2 of the culprit is not a node"):
        mg.draw(y, culprit=(inner, 2))
    with pytest.raises(TypeError, match="the position of the culprit's operand is a whole number"):
        mg.draw(y, culprit=(inner, "0"))  # type: ignore[arg-type]


@pytest.mark.parametrize("roots", [(), (5.0,), ([Value(1.0)],), (Value(1.0), None)])
def test_roots_are_values(roots: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError, match="root"):
        mg.draw(*roots)


# --- files --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["y.svg", "y.SVG", "y.dot", "y.Png", "a.b.pdf"])
def test_save_writes_what_the_ending_says(name: str, tmp_path: Path) -> None:
    drawing = mg.draw(neuron())
    assert drawing.save(os.fspath(tmp_path / name)) == tmp_path / name
    content = (tmp_path / name).read_bytes()
    assert os.listdir(tmp_path) == [name]
    if name.lower().endswith("svg"):
        assert content == drawing.svg.encode()
    elif name.endswith("dot"):
        assert content == drawing.dot.encode()


@pytest.mark.parametrize(
    ("name", "came"), [("y.jpg", "'.jpg'"), ("y", "'y' without an ending"), (".svg", "'.svg' without an ending")]
)
def test_another_ending_is_refused(name: str, came: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"unknown format {came} \\(one of: .svg, .png, .pdf, .dot\\)"):
        mg.draw(neuron()).save(tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no folder '.*missing' to write 'y.svg' to"):
        mg.draw(neuron()).save(tmp_path / "missing" / "y.svg")
    (tmp_path / "file").write_text("")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        mg.draw(neuron()).save(tmp_path / "file" / "y.svg")


def test_a_folder_in_the_way_and_a_path_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "y.svg").mkdir()
    with pytest.raises(IsADirectoryError):
        mg.draw(neuron()).save(tmp_path / "y.svg")

    def refuse(*arguments: Any) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError):
        mg.draw(neuron()).save(tmp_path / "z.dot")
    assert os.listdir(tmp_path) == ["y.svg"]


def test_a_drawing_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "y.svg"
    path.write_text("old")
    drawing = mg.draw(neuron())
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("micrograd.pictures.engines.is_installed", lambda package: False)
    with pytest.raises(mg.DrawingError):
        drawing.save(path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["y.svg"]


# --- notebooks ----------------------------------------------------------------------------------------------------


def test_a_notebook_shows_the_svg() -> None:
    drawing = mg.draw(neuron())
    assert drawing._repr_mimebundle_() == {"image/svg+xml": drawing.svg, "text/plain": "<drawing of tanh: 5 boxes>"}
    assert drawing._repr_mimebundle_(include=["image/svg+xml"], exclude=None)["image/svg+xml"] == drawing.svg
    assert drawing.svg is drawing.svg


def test_a_drawing_is_of_its_moment() -> None:
    y = neuron()
    drawing = mg.draw(y)
    y.backward()
    y.label = "y"
    assert [shape.text("grad") for shape in boxes(drawing.svg)] == ["grad not computed"] * 5
    assert "grad 1" in boxes(mg.draw(y).svg)[-1].text("grad")


@given(wild_graphs())
@settings(max_examples=10)
def test_drawing_changes_no_node(pool: list[Value]) -> None:
    for computed in (False, True):
        if computed:
            pool[-1].backward()
        before, flags = snapshot(pool), [v._visit for v in pool]
        drawing = mg.draw(pool[-1], names={"pool": pool}, limit=20)
        assert len(drawing.svg) + len(drawing.dot) > 0
        assert same(snapshot(pool), before)
        assert [v._visit for v in pool] == flags


# --- threads and processes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [2, 8])
def test_threads_draw_at_once(threads: int) -> None:
    graphs = [MLP(2, [2, 1], rng=random.Random(i))([Value(0.1 * i), Value(1.0)]) for i in range(threads)]
    alone = [mg.draw(y).svg for y in graphs]
    start = threading.Barrier(threads)

    def draw(y: Value) -> str:
        start.wait(timeout=60)
        return mg.draw(y).svg

    with ThreadPoolExecutor(threads) as pool:
        assert list(pool.map(draw, graphs)) == alone


def test_threads_draw_the_same_graph_and_the_same_drawing() -> None:
    y = neuron()
    drawing = mg.draw(y)
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(lambda _: drawing.svg, range(4)))) == 1
        assert set(pool.map(lambda _: mg.draw(y).svg, range(4))) == {drawing.svg}


def test_the_same_graph_gives_the_same_text_in_every_process() -> None:
    program = """
import random, hashlib
import micrograd as mg
from micrograd.nn import MLP
model = MLP(2, [4, 3, 1], rng=random.Random(0))
shared = mg.Value(0.5, label="shared")
loss = mg.sum([model([shared, mg.Value(float(i))]) for i in range(9)])
loss.backward()
pictures = [mg.draw(loss, depth=1), mg.draw(loss, proxies=2, around=shared), mg.draw(loss, limit=50)]
for picture in pictures:
    print(hashlib.sha256(picture.dot.encode()).hexdigest(), hashlib.sha256(picture.svg.encode()).hexdigest())
"""
    printed = [run_python(program, PYTHONHASHSEED=seed) for seed in ("1", "2")]
    assert printed[0] == printed[1]
    assert len(set(printed[0].split())) == 6
