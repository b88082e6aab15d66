"""Protects the loading of graphs: a file that is damaged, foreign, cut off or too new is refused by one kind of
exception, which says which file and where in it; nothing else comes out, however the file was changed.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import micrograd as mg
from micrograd import GraphFileError, Value


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "graph.json"


# --- files that are refused -------------------------------------------------------------------------------------

LEAF = {"data": 2.0, "grad": 0.0, "label": "", "scope": ""}
MUL = {**LEAF, "data": 4.0, "op": "mul", "operands": [0, 0], "captured": [2.0, 2.0], "out": 4.0}
FILE = {"format": "micrograd graph", "version": 1, "nodes": [LEAF, MUL], "roots": 1}


def without(entry: dict[str, Any], key: str) -> dict[str, Any]:
    return {k: v for k, v in entry.items() if k != key}


def nodes(*entries: Any) -> dict[str, Any]:
    return {**FILE, "nodes": list(entries), "roots": 0}


REFUSED: dict[str, tuple[Any, str]] = {
    "empty": (b"", "not JSON, or cut off: Expecting value: line 1 column 1"),
    "not json": (b"x = 3\n", "not JSON, or cut off: .* line 1 column 1"),
    "cut off": (json.dumps(FILE)[:60].encode(), r"not JSON, or cut off: .* \(char \d+\)"),
    "two files": (json.dumps(FILE).encode() * 2, "not JSON, or cut off: Extra data: line 1"),
    "binary": (b"\x80\x04\x95\xff\xfe", "not a text file in UTF-8; a graph is saved as JSON"),
    "utf-16": (json.dumps(FILE).encode("utf-16"), "not a text file in UTF-8"),
    "byte order mark": (json.dumps(FILE).encode("utf-8-sig"), "not JSON, or cut off: Unexpected UTF-8 BOM"),
    "NUL bytes": (b"\x00" * 10, "not JSON"),
    "nan of JavaScript": (b'{"format": NaN}', "NaN is not JSON; it is written as the text 'nan'"),
    "infinity of JavaScript": (b'{"format": -Infinity}', "-Infinity is not JSON; it is written as the text '-inf'"),
    "ten thousand brackets": (b"[" * 10_000, "nested too deeply"),
    "ten thousand objects": (b'{"a":' * 10_000, "nested too deeply"),
    "a huge int": (b'{"format": ' + b"9" * 5000 + b"}", "Exceeds the limit"),
    "an entry twice": (
        b'{"format": 1, "format": 2}',
        r"an object has an entry twice: \[\('format', 1\), \('format', 2",
    ),
    "foreign list": ([1, 2], "not a graph of micrograd: it lacks the entry 'format': 'micrograd graph'"),
    "foreign number": (3, "not a graph of micrograd"),
    "foreign object": ({"weights": []}, "not a graph of micrograd"),
    "format of another kind": ({**FILE, "format": ["micrograd graph"]}, "not a graph of micrograd"),
    "too new": ({**FILE, "version": 2}, r"version 2 \(type int\); this micrograd reads version 1"),
    "no version": (without(FILE, "version"), r"version None \(type NoneType\); this micrograd reads version 1"),
    "version true": ({**FILE, "version": True}, r"version True \(type bool\)"),
    "version 1.0": ({**FILE, "version": 1.0}, r"version 1\.0 \(type float\)"),
    "no nodes": (without(FILE, "nodes"), "'nodes' is not a list"),
    "nodes of another kind": ({**FILE, "nodes": {"0": LEAF}}, "'nodes' is not a list"),
    "a node of another kind": (nodes(3), r"node 0: expected an object, found 3 \(type int\)"),
    "no data": (nodes(without(LEAF, "data")), "node 0: 'data' is missing"),
    "no grad": (nodes(LEAF, without(LEAF, "grad")), "node 1: 'grad' is missing"),
    "data of another kind": (nodes({**LEAF, "data": "2.0"}), r"node 0: '2\.0' \(type str\) is not a number"),
    "data null": (nodes({**LEAF, "data": None}), r"node 0: None \(type NoneType\) is not a number"),
    "data true": (nodes({**LEAF, "data": True}), r"node 0: True \(type bool\) is not a number"),
    "data beyond floats": (nodes({**LEAF, "data": 10**400}), "node 0: 1000.* is larger than any float"),
    "grad of another kind": (nodes({**LEAF, "grad": [0.0]}), r"node 0: \[0\.0\] \(type list\) is not a number"),
    "label of another kind": (nodes({**LEAF, "label": 3}), r"node 0: a label is text, not 3 \(type int\)"),
    "scope of another kind": (nodes({**LEAF, "scope": []}), r"node 0: 'scope' is text, not \[\] \(type list\)"),
    "unknown operation": (
        nodes(LEAF, {**MUL, "op": "mull"}),
        r"node 1: unknown operation 'mull' \(type str\); register",
    ),
    "operation of another kind": (nodes(LEAF, {**MUL, "op": ["mul"]}), r"node 1: unknown operation \['mul'\]"),
    "operation null": (nodes(LEAF, {**MUL, "op": None}), "node 1: unknown operation None"),
    "no operation": (nodes(LEAF, without(MUL, "op")), "node 1: 'op' is missing beside 'operands'"),
    "no operands": (nodes(LEAF, without(MUL, "operands")), "node 1: 'operands' and 'captured' are lists of one length"),
    "no captured": (nodes(LEAF, without(MUL, "captured")), "node 1: 'operands' and 'captured' are lists of one length"),
    "captured too short": (nodes(LEAF, {**MUL, "captured": [2.0]}), "node 1: .* lists of one length"),
    "captured of another kind": (nodes(LEAF, {**MUL, "captured": [2.0, "x"]}), "node 1: 'x' .* is not a number"),
    "no out": (nodes(LEAF, without(MUL, "out")), "node 1: 'out' is missing"),
    "wrong arity": (
        nodes(LEAF, {**MUL, "operands": [0], "captured": [2.0]}),
        "node 1: 'mul' takes 2 operands, 1 are listed",
    ),
    "forward reference": (
        nodes({**MUL, "operands": [0, 1]}, LEAF),
        r"node 0: 0 \(type int\) is not the position of one of the 0 nodes before it",
    ),
    "reference to itself": (nodes(LEAF, {**MUL, "operands": [0, 1]}), "node 1: 1 .* the 1 nodes before it"),
    "negative reference": (nodes(LEAF, {**MUL, "operands": [0, -1]}), "node 1: -1 .* is not the position"),
    "reference true": (nodes(LEAF, LEAF, {**MUL, "operands": [0, True]}), "node 2: True .* is not the position"),
    "reference by text": (nodes(LEAF, {**MUL, "operands": [0, "0"]}), "node 1: '0' .* is not the position"),
    "reference by float": (nodes(LEAF, {**MUL, "operands": [0, 0.0]}), "node 1: 0.0 .* is not the position"),
    "operand with more": (
        nodes(LEAF, {**MUL, "operands": [0, {"number": 2.0, "x": 1}]}),
        r"node 1: \{'number': 2\.0, 'x': 1\} .* is not the position",
    ),
    "operand that is no number": (
        nodes(LEAF, {**MUL, "operands": [0, {"number": "2"}]}),
        "node 1: '2' .* not a number",
    ),
    "number captured as another": (
        nodes(LEAF, {**MUL, "operands": [0, {"number": 3.0}]}),
        r"node 1: the number 3\.0 among the operands was captured as 2\.0",
    ),
    "numbers alone": (
        nodes({**MUL, "operands": [{"number": 2.0}, {"number": 2.0}]}),
        "node 0: 'mul' is applied to numbers alone, which makes no node",
    ),
    "a sum of nothing": (
        nodes({**MUL, "op": "sum", "operands": [], "captured": []}),
        "node 0: 'sum' is applied to numbers alone",
    ),
    "no roots": (without(FILE, "roots"), r"roots: None \(type NoneType\) is not the position of one of the 2 nodes"),
    "root beyond": ({**FILE, "roots": 2}, r"roots: 2 \(type int\) is not the position of one of the 2 nodes"),
    "root of another kind": ({**FILE, "roots": {"a": ["0"]}}, r"roots: '0' \(type str\) is not the position"),
    "roots nested deeply": (
        json.dumps(FILE).replace('"roots": 1', '"roots": ' + "[" * 600 + "]" * 600).encode(),
        "(roots: )?nested too deeply",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_is_no_graph_is_refused_with_its_path_and_the_place(path: Path, case: str) -> None:
    content, words = REFUSED[case]
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    with pytest.raises(GraphFileError, match=rf"^.*graph\.json: {words}") as caught:
        mg.load(path)
    assert isinstance(caught.value, ValueError)
    assert len(str(caught.value)) < 400 + len(str(path))


def test_the_model_of_the_refused_files_is_sound(path: Path) -> None:
    path.write_text(json.dumps(FILE))
    root = mg.load(path)
    root.backward()
    assert (root.data, root.parents[0].grad) == (4.0, 4.0)


def test_what_a_newer_version_might_add_to_a_node_is_ignored(path: Path) -> None:
    path.write_text(json.dumps(nodes({**LEAF, "colour": "red"})))
    assert mg.load(path).data == 2.0
    path.write_text(json.dumps(nodes({"data": 1, "grad": 0})))
    assert repr(mg.load(path)) == "Value(data=1.0, grad=0.0)"


def graph() -> dict[str, Any]:
    """Return a graph that has a bit of everything."""
    x, w = Value(2.0, label="x"), Value(0.1, label="w")
    with mg.scope("layer1"):
        hidden = mg.tanh(x * w + 1.0)
    root = mg.sum([hidden, x, 0.5]) / hidden
    root.backward()
    w.data = 0.2  # stepped since the forward pass
    return {"parameters": [x, w], "root": root}


# --- mutations --------------------------------------------------------------------------------------------------

JUNK: list[Any] = [
    None,
    True,
    -1,
    0,
    1,
    2,
    10**400,
    0.5,
    "",
    "nan",
    "mul",
    "dot",
    "take",
    "sum",
    [],
    {},
    {"number": 1.0},
]


def places(tree: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [at, *[place for key, part in inside for place in places(part, (*at, key))]]


def mutate(tree: Any, dice: random.Random) -> Any:
    place = dice.choice(places(tree)[1:])
    parent = tree
    for key in place[:-1]:
        parent = parent[key]
    change: Callable[[], object] = dice.choice(
        [
            lambda: parent.pop(place[-1]),
            lambda: parent.__setitem__(place[-1], copy.deepcopy(dice.choice(JUNK))),
            lambda: parent.__setitem__(place[-1], [parent[place[-1]]]),
            lambda: parent.insert(0, parent[-1]) if isinstance(parent, list) else parent.update(extra=1),
        ]
    )
    change()
    return tree


def saved(path: Path) -> bytes:
    """Return the content of a graph file that has a bit of everything."""
    if not path.exists():
        mg.save(graph(), path)
    return path.read_bytes()


def loads_or_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        again = mg.load(path)
    except GraphFileError as error:
        message = str(error)
    else:
        mg.statistics(*every_value(again))
        return
    assert message.startswith(f"{path}: ")


def every_value(tree: Any) -> list[Value]:
    if isinstance(tree, Value):
        return [tree]
    return [value for part in (tree.values() if isinstance(tree, dict) else tree) for value in every_value(part)]


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), count=st.integers(1, 4))
def test_a_changed_file_loads_or_is_refused(tmp_path: Path, seed: int, count: int) -> None:
    dice = random.Random(seed)
    content = json.loads(saved(tmp_path / "sound.json"))
    for _ in range(count):
        content = mutate(content, dice)
    loads_or_is_refused(tmp_path / "graph.json", json.dumps(content).encode())


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_with_damaged_bytes_loads_or_is_refused(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(saved(tmp_path / "sound.json"))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    loads_or_is_refused(tmp_path / "graph.json", bytes(content))


def test_every_cut_is_noticed(path: Path) -> None:
    content = saved(path)
    for length in range(0, len(content) - 2, 7):
        path.write_bytes(content[:length])
        with pytest.raises(GraphFileError, match="not JSON, or cut off"):
            mg.load(path)
