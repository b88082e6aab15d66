"""Protects models in files: every float comes back exactly, a file is written whole or not at all, and a damaged,
foreign or other model's file is refused before anything is changed.
"""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import same

from micrograd import ModelFileError, nn


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.json"


def test_a_model_comes_back_exactly(path: Path) -> None:
    model, twin = nn.GPT(5, 4, width=4, heads=2), nn.GPT(5, 4, width=4, heads=2)
    model.save(path)
    twin.load(path)
    assert same(list(twin.state_dict().items()), list(model.state_dict().items()))
    assert path.read_text().startswith('{"format": "micrograd model", "version": 1, "model": "GPT(5 tokens, block 4,')


@given(st.lists(st.floats(allow_nan=False), min_size=3, max_size=3))
def test_every_float_comes_back_exactly(tmp_path_factory: pytest.TempPathFactory, numbers: list[float]) -> None:
    path = tmp_path_factory.getbasetemp() / "floats.json"
    model, twin = nn.Neuron(2), nn.Neuron(2)
    model.load_state_dict(dict(zip(model.state_dict(), numbers)))
    model.save(path)
    twin.load(path)
    assert same([p.data for p in twin.parameters()], numbers)


def test_nan_is_written_and_refused_when_it_is_read(path: Path) -> None:
    model = nn.Neuron(2)
    model.b.data = math.nan
    model.save(path)
    assert json.loads(path.read_text())["parameters"]["b"] == "nan"
    twin = nn.Neuron(2)
    with pytest.raises(ModelFileError, match=r"model\.json: 'b' is nan"):
        twin.load(path)
    assert twin.b.data == 0.0


def test_a_failed_write_leaves_the_old_file(path: Path) -> None:
    model = nn.Neuron(2)
    model.save(path)
    before = path.read_bytes()
    ambiguous = nn.Module()
    ambiguous.table = {1: nn.Neuron(1), "1": nn.Neuron(1)}  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="are named"):
        ambiguous.save(path)
    with pytest.raises(OSError, match="No such file"):
        model.save(path.parent / "missing" / "model.json")
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(FileNotFoundError):
        model.load(path.parent / "other.json")
    with pytest.raises(TypeError):
        model.load(0)  # type: ignore[arg-type]  # not the standard input


PARAMETERS = {"w.0": 1.0, "w.1": -2.0, "b": 0.5}
FILE = {"format": "micrograd model", "version": 1, "model": "ReLUNeuron(2)", "parameters": PARAMETERS}


def with_entry(name: str, x: Any) -> dict[str, Any]:
    return {**FILE, "parameters": {**PARAMETERS, name: x}}


REFUSED: dict[str, tuple[Any, str]] = {
    "empty": (b"", "not JSON, or cut off: Expecting value"),
    "cut off": (json.dumps(FILE)[:70].encode(), r"not JSON, or cut off: .* \(char \d+\)"),
    "binary": (b"\x80\x04\x95\xff", "not a text file in UTF-8; a model is saved as JSON"),
    "nan of JavaScript": (b'{"format": NaN}', "NaN is not JSON; it is written as the text 'nan'"),
    "ten thousand brackets": (b"[" * 10_000, "nested too deeply to be a model"),
    "an entry twice": (b'{"parameters": {"b": 1, "b": 2}}', "an object has an entry twice"),
    "a list": ([1.0], "not a model of micrograd: it lacks the entry 'format': 'micrograd model'"),
    "a graph": ({**FILE, "format": "micrograd graph"}, "not a model of micrograd"),
    "the future": ({**FILE, "version": 2}, r"version 2 \(type int\); this micrograd reads version 1"),
    "version true": ({**FILE, "version": True}, r"version True"),
    "no parameters": ({"format": "micrograd model", "version": 1}, "'parameters' is an object of numbers by name"),
    "a list of parameters": ({**FILE, "parameters": [1.0]}, "'parameters' is an object of numbers by name"),
    "text": (with_entry("b", "0.5"), r"'b': '0.5' \(type str\) is not a number"),
    "a boolean": (with_entry("b", True), r"'b': True \(type bool\) is not a number"),
    "null": (with_entry("b", None), r"'b': None .* is not a number"),
    "nothing hashable": (with_entry("b", [1.0]), r"'b': \[1.0\] .* is not a number"),
    "beyond floats": (with_entry("b", 10**400), "'b': 1000.* larger than any float"),
    "another model": (
        {**FILE, "model": "TanhNeuron(3)", "parameters": {**PARAMETERS, "w.2": 1.0}},
        r"not the state of ReLUNeuron\(2\), but of TanhNeuron\(3\): 'w.2' is unexpected",
    ),
    "text that commands a terminal": (
        {**FILE, "model": "\x1b[2J", "parameters": {"\x1b[31m": 1.0}},
        r"not the state of ReLUNeuron\(2\), but of \ufffd\[2J: .*; '\\x1b\[31m' is unexpected",
    ),
    "one missing": (
        {**FILE, "parameters": {"b": 1.0}, "model": 5},
        r"not the state of ReLUNeuron\(2\): 'w.0', 'w.1' are missing",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_does_not_fit_changes_nothing(path: Path, case: str) -> None:
    content, words = REFUSED[case]
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    model = nn.Neuron(2, rng=random.Random(0))
    before = model.state_dict()
    with pytest.raises(ModelFileError, match=rf"^.*model\.json: {words}"):
        model.load(path)
    assert model.state_dict() == before
    path.write_text(json.dumps(FILE))
    model.load(path)
    assert model.state_dict() == PARAMETERS


def test_a_file_cut_at_any_place_is_refused(path: Path) -> None:
    text = json.dumps(FILE)
    model = nn.Neuron(2)
    for end in range(len(text)):
        path.write_text(text[:end])
        with pytest.raises(ModelFileError):
            model.load(path)
