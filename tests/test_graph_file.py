"""Protects saved graphs: they come back bit for bit and differentiate as before; a file that is damaged, foreign or too
new is refused by one kind of exception that says which file and where; and the old file survives a failure.
"""

from __future__ import annotations

import copy
import errno
import json
import math
import os
import random
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import registered, same, snapshot, wild_graphs

import micrograd as mg
from micrograd import GraphFileError, Value

shared_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "graph.json"


def graph() -> dict[str, Any]:
    """Return a graph that has a bit of everything."""
    x, w = Value(2.0, label="x"), Value(0.1, label="w")
    with mg.scope("layer1"):
        hidden = mg.tanh(x * w + 1.0)
    root = mg.sum([hidden, x, 0.5]) / hidden
    root.backward()
    w.data = 0.2  # stepped since the forward pass
    return {"parameters": [x, w], "root": root}


def there_and_back(thing: Any, path: Path) -> Any:
    mg.save(thing, path)
    return mg.load(path)


# --- round trips ------------------------------------------------------------------------------------------------


@shared_folder
@given(pool=wild_graphs(size=20), label=st.text(), number=st.floats())
def test_any_graph_comes_back_bit_for_bit(tmp_path: Path, pool: list[Value], label: str, number: float) -> None:
    for i, node in enumerate(pool):
        node.label = f"{label}{i}"
    pool[len(pool) // 2].backward()
    pool[0].data = number  # stepped since the forward pass
    again = there_and_back(pool, tmp_path / "graph.json")
    assert same(snapshot(again), snapshot(pool))
    again[-1].backward()
    pool[-1].backward()
    assert same(snapshot(again), snapshot(pool))


def test_the_numbers_of_the_forward_pass_are_kept(path: Path) -> None:
    x = Value(2.0)
    y = x * x
    x.data = 10.0
    again = there_and_back([x, y], path)
    assert (again[0].data, again[1].data) == (10.0, 4.0)
    again[1].backward()
    assert again[0].grad == 4.0
    with pytest.raises(mg.StaleValueError):
        again[1].backward(create_graph=True)


def test_infinities_and_nan_are_texts_and_zero_keeps_its_sign(path: Path) -> None:
    values = [Value(x) for x in (math.inf, -math.inf, math.nan, -0.0, 5e-324, 1.7976931348623157e308, 0.1)]
    values[0].grad = math.nan
    again = there_and_back(values, path)
    assert same([v.data for v in again], [v.data for v in values])
    assert math.isnan(again[0].grad)
    content = json.loads(path.read_text(), parse_constant=lambda text: pytest.fail(f"{text} is not JSON"))
    assert [node["data"] for node in content["nodes"][:4]] == ["inf", "-inf", "nan", -0.0]


def test_containers_come_back_and_nodes_stay_shared(path: Path) -> None:
    x = Value(2.0)
    y = x * x
    again = there_and_back({"a": (x, [y]), "b": {"c": y, "": []}}, path)
    assert again == {"a": [again["a"][0], [again["b"]["c"]]], "b": {"c": again["b"]["c"], "": []}}
    assert again["b"]["c"].parents == (again["a"][0],) * 2
    assert there_and_back([], path) == []
    assert there_and_back(x, path).data == 2.0


def test_a_gradient_that_is_a_node_is_saved_as_its_number(path: Path) -> None:
    x = Value(2.0)
    (x**3).backward(create_graph=True)
    assert there_and_back(x, path).grad == 12.0


@pytest.mark.parametrize("label", ["", "<script>", "\x1b[2J", "\udc80", '"}],', "a\nb", "β" * 1000, "\x00"])
def test_any_label_comes_back(path: Path, label: str) -> None:
    x = Value(1.0, label=label)
    again = there_and_back(x, path)
    assert again.label == label
    assert all(ord(c) < 128 and (c == "\n" or c.isprintable()) for c in path.read_text("utf-8"))


def test_a_deep_graph_needs_no_recursion(path: Path) -> None:
    x = y = Value(1.0)
    for _ in range(20_000):
        y = y + x
    again = there_and_back([x, y], path)
    again[1].backward()
    assert again[0].grad == 20_001.0


def test_modes_around_do_not_mark_what_is_loaded(path: Path) -> None:
    mg.save(mg.log(Value(0.0)) * 2, path)
    with mg.no_grad(), mg.scope("elsewhere"), mg.detect_anomaly():
        again = mg.load(path)
    assert [(v.op, v.scope) for v in mg.topological_order(again)] == [("", ""), ("log", ""), ("mul", "")]


def test_paths_are_text_bytes_or_path_objects(path: Path) -> None:
    for spelled in (path, str(path), os.fsencode(path)):
        mg.save(Value(3.0), spelled)  # type: ignore[arg-type]
        assert mg.load(spelled).data == 3.0  # type: ignore[arg-type]


def test_the_file_is_as_documented(path: Path) -> None:
    x = Value(2.0, label="x")
    with mg.scope("s"):
        y = x * 3
    x.data = 5.0
    mg.save([y, {"x": x}], path)
    assert json.loads(path.read_text()) == {
        "format": "micrograd graph",
        "version": 1,
        "nodes": [
            {"data": 5.0, "grad": 0.0, "label": "x", "scope": ""},
            {
                **{"op": "mul", "operands": [0, {"number": 3.0}], "captured": [2.0, 3.0], "out": 6.0},
                **{"data": 6.0, "grad": 0.0, "label": "", "scope": "s"},
            },
        ],
        "roots": [1, {"x": 0}],
    }
    assert path.read_text().endswith("}\n")


# --- users' operations ------------------------------------------------------------------------------------------


def test_a_users_operation_goes_by_its_name(path: Path) -> None:
    with registered("twice", forward=lambda a: 2 * a, vjp=(lambda g, out, a: 2 * g,)) as twice:
        again = there_and_back(twice(Value(3.0)), path)
        assert again._op_row is twice
        again.backward()
        assert again.parents[0].grad == 2.0
    words = r"graph\.json: node 1: unknown operation 'twice' \(type str\); register it with micrograd\.op\(\.\.\.\)"
    with pytest.raises(GraphFileError, match=words):
        mg.load(path)


# --- what cannot be saved ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("thing", [None, 1.0, "x", {1: Value(1.0)}, [Value(1.0), 2.0], {Value(1.0)}, iter([])])
def test_only_values_in_containers_are_saved(path: Path, thing: Any) -> None:
    with pytest.raises(TypeError, match=r"a Value is saved, or lists, tuples and dicts .* of them; not .* \(type"):
        mg.save(thing, path)
    assert not path.exists()


def test_containers_without_end_are_refused(path: Path) -> None:
    endless: list[Any] = [Value(1.0)]
    endless.append(endless)
    with pytest.raises(ValueError, match="nested too deeply, or holds itself"):
        mg.save(endless, path)
    assert not path.exists()


# --- atomic -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failing", ["replace", "fsync", "open"])
def test_a_failure_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    mg.save(Value(1.0), path)
    before = path.read_bytes()

    def full(*arguments: Any, **options: Any) -> Any:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(os, failing, full)
    with pytest.raises(OSError, match="no space left"):
        mg.save(Value(2.0), path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_graph_that_cannot_be_saved_leaves_the_old_file(path: Path) -> None:
    mg.save(Value(1.0), path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        mg.save([Value(2.0), None], path)
    assert path.read_bytes() == before


def test_the_permissions_of_an_existing_file_stay(path: Path) -> None:
    mg.save(Value(1.0), path)
    path.chmod(0o640)
    mg.save(Value(2.0), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert mg.load(path).data == 2.0


def test_errors_of_the_file_system_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        mg.load(tmp_path / "missing.json")
    with pytest.raises(IsADirectoryError):
        mg.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        mg.save(Value(1.0), tmp_path / "no" / "folder.json")
    with pytest.raises(TypeError):
        mg.load(3)  # type: ignore[arg-type]


# --- files that are refused -------------------------------------------------------------------------------------

LEAF = {"data": 2.0, "grad": 0.0, "label": "", "scope": ""}
MUL = {**LEAF, "op": "mul", "operands": [0, 0], "captured": [2.0, 2.0], "out": 4.0}
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
    "data beyond floats": (nodes({**LEAF, "data": 10**400}), "node 0: int too large to convert to float"),
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
        "nested too deeply",
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


@shared_folder
@settings(max_examples=400)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 4))
def test_a_mutated_file_loads_or_is_refused_and_nothing_else(tmp_path: Path, seed: int, count: int) -> None:
    path = tmp_path / "graph.json"
    mg.save(graph(), path)
    dice = random.Random(seed)
    content = json.loads(path.read_text())
    for _ in range(count):
        content = mutate(content, dice)
    path.write_text(json.dumps(content))
    try:
        again = mg.load(path)
    except GraphFileError as error:
        assert str(error).startswith(f"{path}: ")
        return
    mg.save(again, path)  # what loads is a graph: it can be saved, walked and read again
    assert same(json.loads(path.read_text())["roots"], json.loads(path.read_text())["roots"])


@shared_folder
@settings(max_examples=300)
@given(data=st.data())
def test_a_file_with_damaged_bytes_loads_or_is_refused_and_nothing_else(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "graph.json"
    mg.save(graph(), path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content)
    try:
        mg.load(path)
    except GraphFileError as error:
        assert str(error).startswith(f"{path}: ")
