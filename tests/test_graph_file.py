"""Protects saved graphs: they come back bit for bit, whatever their labels, and differentiate as before; what cannot be
saved is refused; and the old file survives a failure.
"""

from __future__ import annotations

import errno
import json
import math
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import registered, same, snapshot, wild_graphs

import micrograd as mg
from micrograd import GraphFileError, Value

in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "graph.json"


def there_and_back(thing: Any, path: Path) -> Any:
    mg.save(thing, path)
    return mg.load(path)


# --- round trips ------------------------------------------------------------------------------------------------


@in_one_folder
@given(pool=wild_graphs(size=20), label=st.text(), number=st.floats())
def test_any_graph_comes_back_bit_for_bit(tmp_path: Path, pool: list[Value], label: str, number: float) -> None:
    for i, node in enumerate(pool):
        node.label = f"{label}{i}"
    pool[len(pool) // 2].backward()
    pool[0].data = pool[-1].data = number  # stepped since the forward pass
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
    values = [Value(x) for x in (math.inf, -math.inf, math.nan, -0.0, 5e-324, 1.7976931348623157e308, 0.1, -math.nan)]
    values[0].grad = math.nan
    again = there_and_back(values, path)
    assert same([v.data for v in again], [v.data for v in values])
    assert [math.copysign(1.0, v.data) for v in again] == [1.0, -1.0, 1.0, -1.0, 1.0, 1.0, 1.0, -1.0]
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


def test_paths_are_text_or_path_objects(path: Path) -> None:
    mg.save(Value(3.0), str(path))
    assert mg.load(path).data == mg.load(str(path)).data == 3.0


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
                "op": "mul",
                "operands": [0, {"number": 3.0}],
                "captured": [2.0, 3.0],
                "out": 6.0,
                "data": 6.0,
                "grad": 0.0,
                "label": "",
                "scope": "s",
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
