"""Protects the benchmarks: they run, refuse wrong results, and say what is missing. No time is asserted."""

from __future__ import annotations

import doctest
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import control, e1
from benchmarks.__main__ import main
from benchmarks.output import MarkerError, as_markdown, replace_sections
from benchmarks.report import Report

MARKERS = "<!-- benchmarks:{0} -->{1}<!-- /benchmarks:{0} -->"


def measure(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    status = main([*arguments, "--repeat", "1", "--quiet", "--json"])
    (workload,) = json.loads(capsys.readouterr().out)["workloads"]
    assert all("NOISY" in problem for problem in workload["problems"])
    assert status == (1 if workload["problems"] else 0)
    return dict(workload)


def test_e1_runs_and_engines_agree(capsys: pytest.CaptureFixture[str]) -> None:
    workload = measure(capsys, "e1", "--size", "2", "--engines", "microgpt")
    who = [(result["engine"], result["collector"]) for result in workload["results"]]
    assert who == [("ours", "paused"), ("microgpt", "paused"), ("ours", "on"), ("microgpt", "on")]
    assert "337 gradients of every timed step agree" in workload["notes"][0]


def test_e2_frees_all_and_reports_the_depth_of_a_recursive_peer(capsys: pytest.CaptureFixture[str]) -> None:
    workload = measure(capsys, "e2", "--size", "5000", "--engines", "microgpt")
    ours, theirs, *_ = workload["results"]
    assert (ours["engine"], theirs["engine"]) == ("ours", "microgpt")
    assert ours["remaining"] < 1000
    assert "stops at" in theirs["outcome"]
    assert theirs["outcome"] in "".join(workload["notes"])


def test_a_missing_peer_is_listed_with_the_command_that_gets_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MICROGRAD01", raising=False)
    workload = measure(capsys, "e1", "--size", "1", "--engines", "micrograd01")
    assert [result["engine"] for result in workload["results"]] == ["ours", "ours"]
    (note,) = [note for note in workload["notes"] if "not installed" in note]
    assert "pip install --no-deps --target DIR micrograd==0.1.0" in note


def test_a_wrong_gradient_is_found() -> None:
    right = {"loss": 1.0, "gradients": [0.5, 1e-20, -3.0]}
    assert e1.disagreement(right, right) == ""
    assert e1.disagreement(right | {"gradients": [0.5, 0.0, -3.0]}, right) == ""  # terms that cancel
    assert "parameter 2" in e1.disagreement(right | {"gradients": [0.5, 1e-20, -3.0000001]}, right)
    assert "loss" in e1.disagreement(right | {"loss": 1.0000001}, right)


def test_noise_is_a_problem_and_steadiness_a_note() -> None:
    assert control.judge([1.0, 1.2, 1.2])[1] == []
    notes, problems = control.judge([1.0, 1.3, 1.3])
    assert notes == []
    assert "TOO NOISY TO JUDGE" in problems[0]


def test_results_go_between_the_markers_and_nowhere_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\r\n" + MARKERS.format("e1", "old") + "\nafter, ü", encoding="utf-8", newline="")
    arguments = ["e1", "--size", "1", "--repeat", "1", "--engines", "microgpt", "--quiet"]
    main([*arguments, "--write-readme", str(readme)])
    text = readme.read_bytes().decode()
    assert text.startswith("before\r\n<!-- benchmarks:e1 -->\nE1: ")
    assert text.endswith("<!-- /benchmarks:e1 -->\nafter, ü")
    assert "| micrograd (ours) | paused | 1 |" in text
    assert "`python -m benchmarks e1 --repeat 1 --size 1 --engines microgpt` on " in text
    assert "old" not in text
    assert str(tmp_path) not in text


def test_a_file_without_markers_is_refused_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(MARKERS.format("e1", ""))
    assert main(["e1", "e2", "--write-readme", str(readme)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "README.md has the marker <!-- benchmarks:e2 --> 0 times and needs it once" in captured.err
    assert readme.read_text() == MARKERS.format("e1", "")


@pytest.mark.parametrize(
    "text",
    [
        "<!-- benchmarks:e1 -->",
        "<!-- /benchmarks:e1 --><!-- benchmarks:e1 -->",
        MARKERS.format("e1", "") * 2,
    ],
)
def test_markers_that_are_single_doubled_or_exchanged_are_refused(text: str) -> None:
    with pytest.raises(MarkerError, match="benchmarks:e1"):
        replace_sections(text, {"e1": "new"})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["e9"], "unknown workload 'e9' (one of: e1, e2, c1, c2, c3, c4, c5, t1, t2, p1)"),
        (
            ["e1", "--engines", "numpy"],
            "unknown engine 'numpy' (one of: xad, microgpt, micrograd01, torch, jax, casadi, scipy)",
        ),
        (["e1", "--repeat", "0"], "expected a whole number from 1 on, not '0'"),
        (["e1", "e2", "--size", "5"], "--size is for one workload, and 2 were to run: e1, e2"),
    ],
)
def test_wrong_usage_says_what_came_and_what_is_allowed(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == 2
    assert message in capsys.readouterr().err


def test_list_names_workloads_and_engines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in ("e1", "e2", "c1", "c5", "ours", "xad", "microgpt", "torch", "jax"))


def test_markdown_has_a_heading_for_every_cell() -> None:
    report = Report("e1", "E1", ["engine", "ms"], [["ours", 1.5]], ["steady"], ["a problem"])
    lines = as_markdown(report, "python -m benchmarks e1").splitlines()
    assert lines[2:5] == ["| engine | ms |", "| --- | --: |", "| ours | 1.5 |"]
    assert lines[6:8] == ["- steady", "- a problem"]


@pytest.mark.parametrize("name", ["control", "output", "report", "rounds"])
def test_doctests(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"benchmarks.{name}")).failed == 0


def test_processes_of_other_engines_do_not_see_this_micrograd() -> None:
    """A worker imports its engine first, and what the workloads import is free of this package."""
    modules = "worker, turns, gpt, forms.microgpt, e1, e2, c1, c2, c3, c4, c5".split(", ")
    code = f"import sys, benchmarks.{', benchmarks.'.join(modules)}; print('micrograd' in sys.modules)"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
