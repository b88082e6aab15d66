"""Protects the way to Graphviz: either engine draws, none hangs, and what goes wrong is one clear error."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from support import run_python
from svg_reading import boxes

import micrograd as mg
from micrograd import DrawingError, Value
from micrograd.pictures import engines
from micrograd.pictures.engines import rendered

SIGNATURES = {"svg": b"<svg", "png": b"\x89PNG\r\n", "pdf": b"%PDF-", "dot": b"digraph"}
SYSTEM = shutil.which("dot")


def neuron() -> Any:
    return (Value(0.5, label="x") * Value(-2.0, label="w")).tanh()


@pytest.fixture(params=["system", "embedded"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Leave one engine only."""
    if request.param == "system":
        if SYSTEM is None:
            pytest.skip("no program dot on this machine")
        monkeypatch.setattr(engines, "is_installed", lambda package: False)
    else:
        pytest.importorskip("pygraphviz")
        monkeypatch.setenv("PATH", "")
    return str(request.param)


def put_on_path(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``script`` be the only program on PATH, under the name of ``dot``."""
    program = folder / "dot"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", os.fspath(folder))


@pytest.mark.parametrize("format", SIGNATURES)
def test_each_engine_draws_each_format(engine: str, format: str, tmp_path: Path) -> None:
    path = mg.draw(neuron()).save(tmp_path / f"picture.{format}")
    content = path.read_bytes()
    assert content.startswith(SIGNATURES[format])
    assert len(content) > 400
    assert os.listdir(tmp_path) == [path.name]


def test_each_engine_gives_the_same_picture_but_for_places(engine: str) -> None:
    shown = [(shape.index, shape.lines) for shape in boxes(mg.draw(neuron()).svg)]
    assert [lines[-2] for _, lines in shown] == [("data", f"data {x}") for x in ("0.5", "-2", "-1", "-0.7616")]


def test_the_system_engine_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_on_path(tmp_path, "echo mine", monkeypatch)
    assert rendered("digraph{}", "svg") == b"mine\n"
    assert engines.command("svg") == [os.fspath(tmp_path / "dot"), "-Tsvg"]


def test_without_an_engine_the_error_names_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(engines, "is_installed", lambda package: False)
    drawing = mg.draw(neuron())
    with pytest.raises(DrawingError, match=r"neither a program 'dot' on PATH nor .*pip install '\.\[pictures\]'"):
        drawing.save(tmp_path / "y.svg")
    assert os.listdir(tmp_path) == []
    assert drawing.save(tmp_path / "y.dot").read_text(encoding="utf-8") == drawing.dot
    shown = drawing._repr_mimebundle_()
    assert list(shown) == ["text/plain"]
    assert shown["text/plain"].startswith("<drawing of tanh: 4 boxes>\nno Graphviz was found")


def test_an_engine_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_on_path(tmp_path, f"echo $$ > {tmp_path}/pid\nexec /bin/sleep 60", monkeypatch)
    drawing = mg.draw(neuron(), timeout=0.5)
    started = time.perf_counter()
    with pytest.raises(DrawingError, match=r"did not place the graph within 0\.5 s; .*around=node.*depth=0.*limit="):
        drawing.save(tmp_path / "y.png")
    assert time.perf_counter() - started < 20.0
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):  # gone, and waited for
        os.kill(pid, 0)
    assert sorted(os.listdir(tmp_path)) == ["dot", "pid"]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (
            "echo 'Warning: x' >&2; echo 'Error: syntax error in line 1' >&2; exit 1",
            "failed: Error: syntax error in line",
        ),
        ("echo '<svg>'; exit 2", "failed: it ended with code 2$"),
        ("exit 3", "failed: it ended with code 3 and no output"),
        ("exit 0", "failed: it ended with code 0 and no output"),
        ("kill -SEGV $$", "failed: it ended with code -11 and no output"),
    ],
)
def test_an_engine_that_fails_says_why(
    script: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_on_path(tmp_path, script, monkeypatch)
    with pytest.raises(DrawingError, match=message):
        rendered("digraph{}" * 100_000, "svg")  # more than a pipe holds: nobody reads it


def test_an_engine_that_cannot_be_started_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "dot"
    program.write_bytes(b"\x7fELF nonsense")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    with pytest.raises(DrawingError, match="cannot be started: Exec format error"):
        rendered("digraph{}", "svg")


def test_the_embedded_engine_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pygraphviz")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DrawingError, match=r"Graphviz failed: .*DotError: Invalid Input"):
        rendered("no graph", "svg")


def test_a_graph_that_is_too_much_ends_in_time(engine: str) -> None:
    everything = "".join(f"{a}->{(a * a + b) % 400};" for a in range(400) for b in range(10))
    started = time.perf_counter()
    with pytest.raises(DrawingError, match="did not place the graph within 1 s"):
        rendered(f"digraph{{{everything}}}", "json0", timeout=1)
    assert time.perf_counter() - started < 20.0


def test_without_the_package_graphviz_the_error_names_the_extra() -> None:
    program = """
import sys
sys.modules["graphviz"] = None
import micrograd as mg
drawing = mg.draw(mg.Value(2.0, label="x"))
for attribute in ("dot", "svg"):
    try:
        getattr(drawing, attribute)
    except ImportError as error:
        print(error)
print(drawing._repr_mimebundle_()["text/plain"].splitlines()[0])
"""
    printed = run_python(program).splitlines()
    assert printed[0] == printed[1]
    assert printed[0].startswith("micrograd.draw needs graphviz, which is ")
    assert printed[0].endswith("pip install '.[pictures]'")
    assert printed[2] == "<drawing of x: 1 box>"


def test_importing_pictures_loads_neither_engine_nor_graphviz() -> None:
    program = "import sys, micrograd.pictures; print(*{'graphviz', 'pygraphviz', 'numpy'} & set(sys.modules))"
    assert run_python(program).split() == []
