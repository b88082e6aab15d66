"""Protects replay scripts: they are Python that runs, at the exact floats, wherever the folders are."""

from __future__ import annotations

import ast
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import ROOT, registered

from micrograd.testing import Program, gradcheck
from micrograd.testing.replay import Source, operation_script, program_source, replay_script
from micrograd.testing.strategies import programs

LONG = Program((0.1, -2.5), tuple(("add", k, k + 1) for k in range(12)))


def run(script: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment, cwd="/")


# --- the text -----------------------------------------------------------------------------------------------------


@given(programs() | programs(edges=True), st.sampled_from([0, 10, 60, 110]))
def test_the_source_of_a_program_makes_it_again(program: Program, column: int) -> None:
    source = program_source(program, column)
    again = eval(source, {"Program": Program})
    assert repr(again) == repr(program)
    assert max(column + len(source.split("\n")[0]), *map(len, source.split("\n"))) <= 120


def test_numbers_that_python_does_not_write_and_long_programs() -> None:
    assert program_source(Program((math.inf, -0.0), (("add", 0, math.nan),))) == (
        'Program(inputs=(float("inf"), -0.0), instructions=(("add", 0, float("nan")),))'
    )
    assert program_source(LONG, 10, indent=4).split("\n")[:5] == [
        "Program(",
        "        inputs=(0.1, -2.5),",
        "        instructions=(",
        '            ("add", 0, 1),',
        '            ("add", 1, 2),',
    ]
    wide = Program(tuple(float(k) + 0.125 for k in range(40)), (("sum", *range(40)), ("neg", 40)))
    source = program_source(wide)
    assert max(map(len, source.split("\n"))) <= 120
    assert repr(eval(source, {"Program": Program})) == repr(wide)


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        (Source("model", "f"), ["from model import f as function"]),
        (Source("model", "function"), ["from model import function"]),
        (Source("pkg.model", "net.loss"), ["from pkg.model import net", "function = net.loss"]),
        (Source("model", "Net().loss"), ["from model import Net", "function = Net().loss"]),
        (Source("my-model", "f"), ["import importlib", 'function = importlib.import_module("my-model").f']),
    ],
)
def test_a_script_imports_the_function(source: Source, lines: list[str]) -> None:
    script = replay_script(gradcheck(lambda x: x * x, 0.1 + 0.2), ".", function=source)
    ast.parse(script)
    assert all(line in script.split("\n") for line in lines)
    assert "report = gradcheck(function, 0.30000000000000004)" in script
    assert "Program" not in script
    assert "sys.path" not in script


def test_a_script_of_first_order_with_many_inputs() -> None:
    report = gradcheck(lambda *xs: xs[0] * xs[1], *[k + 0.123456789 for k in range(20)], order=1)
    script = replay_script(report, ".", function=Source("model", "f"))
    ast.parse(script)
    assert "\n    function,\n    0.123456789,\n" in script
    assert "\n    order=1,\n)" in script
    assert max(map(len, script.split("\n"))) <= 120


def test_a_script_is_about_one_thing() -> None:
    program = Program((1.0,), (("tanh", 0),))
    report = gradcheck(program, 1.0)
    with pytest.raises(ValueError, match="either a function"):
        replay_script(report, ".")
    with pytest.raises(ValueError, match="either a function"):
        replay_script(report, ".", function=Source("model", "f"), program=program)
    with pytest.raises(ValueError, match="either a function"):
        replay_script(None, ".", function=Source("model", "f"))


# --- it runs ------------------------------------------------------------------------------------------------------


def planted(folder: Path, factor: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    registering = f'mg.op("planted", forward=lambda a: a * 3.0, vjp=(lambda g, out, a: g * {factor},))'
    (folder / "my_ops.py").write_text(f"import micrograd as mg\n\n{registering}\n")


@pytest.mark.parametrize("place", ["src", "src/replays", "replays/deep/er", "."])
def test_a_script_finds_its_module_from_anywhere(tmp_path: Path, place: str) -> None:
    planted(tmp_path / "src", "3.001")
    (tmp_path / "src" / "model.py").write_text("import my_ops\n\ndef f(x): return x.planted() * x\n")
    with registered("planted", forward=lambda a: a * 3.0, vjp=(lambda g, out, a: g * 3.001,)):
        report = gradcheck(lambda x: x.planted() * x, 0.7)
    assert report.program is not None
    folder = tmp_path / place
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "replay.py"
    script.write_text(replay_script(report, folder, function=Source("model", "f", tmp_path / "src")))
    assert str(tmp_path) not in script.read_text()
    done = run(script)
    assert (done.returncode, done.stderr) == (1, "")
    assert "f at (0.7): wrong" in done.stdout
    assert "the program at (0.7): wrong" in done.stdout
    planted(tmp_path / "src", "3")
    assert run(script).returncode == 0


def test_scripts_of_programs_and_operations(tmp_path: Path) -> None:
    planted(tmp_path, "3.001")
    modules = [Source("my_ops", root=tmp_path)]
    with registered("planted", forward=lambda a: a * 3.0, vjp=(lambda g, out, a: g * 3.001,)):
        program = Program((0.5, 0.25), (("mul", 0, 1), ("planted", 2), ("tanh", 3)))
        report = gradcheck(program, *program.inputs, order=1)
        of_program = replay_script(report, tmp_path, program=program, modules=modules)
        of_operation = operation_script("planted", "partials", tmp_path, modules=modules, program=report.program)
    (tmp_path / "program.py").write_text(of_program)
    (tmp_path / "operation.py").write_text(of_operation)
    done = run(tmp_path / "program.py")
    assert (done.returncode, done.stderr) == (1, "")
    assert "order=1" in of_program
    assert done.stdout.count(": wrong") == 2
    done = run(tmp_path / "operation.py")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("planted, partials: wrong")
    planted(tmp_path, "3")
    assert run(tmp_path / "program.py").returncode == 0
    assert run(tmp_path / "operation.py").returncode == 0


def test_a_script_without_a_report_runs_the_check_again(tmp_path: Path) -> None:
    program = Program((0.5,), (("tanh", 0),))
    script = tmp_path / "replay.py"
    script.write_text(replay_script(None, tmp_path, program=program))
    done = run(script)
    assert (done.returncode, done.stdout.split("\n")[0]) == (0, "the program at (0.5): right")
