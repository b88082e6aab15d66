"""Protects the workload of pages: its graphs have the sizes they are named by, and its figures are there."""

from __future__ import annotations

import json
import shutil

import pytest

import micrograd as mg
from benchmarks import p1
from benchmarks.__main__ import main


@pytest.mark.parametrize("size", p1.SIZES)
def test_the_graphs_are_as_large_as_they_are_called(size: int) -> None:
    assert size * 0.8 <= mg.statistics(p1.loss_of(size)).nodes <= size * 1.2


@pytest.mark.slow
def test_a_small_page_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("selenium", reason="the workload drives a browser with selenium")
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        pytest.skip("the workload needs chromium and chromedriver")
    assert main(["p1", "--size", "10", "--repeat", "1", "--json", "--quiet"]) == 0
    (workload,) = json.loads(capsys.readouterr().out)["workloads"]
    (result,) = workload["results"]
    (run,) = result["runs"]
    assert run["nodes"] == 9
    assert run["steps"] == 9 + 8  # a value for each node; then the gradient of the root, and one += for every use
    assert all(run[key] > 0.0 for key in ("write", "bytes", "paint", "ready", "step", "scrub", "input"))
