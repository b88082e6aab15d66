"""Protects ``micrograd bench`` and ``micrograd cache``: results are compared before they are timed, what is not
installed is said to be so, and the cache is found and emptied. Times themselves are never asserted.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from micrograd.cli import bench_workloads, main
from micrograd.compiler import cache


@pytest.fixture
def only_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jax", None)
    monkeypatch.setitem(sys.modules, "torch", None)


@pytest.mark.usefixtures("only_ours")
def test_a_table_for_each_workload(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "rosenbrock", "options", "--rounds", "1"]) == 0
    text = capsys.readouterr().out
    assert text.count("micrograd, compiled") == 2
    assert text.count("micrograd, eager") == 1  # a loop of ten thousand prices is nothing to wait for
    assert "network" not in text
    assert "Not installed: JAX jit, PyTorch." in " ".join(text.split())


@pytest.mark.usefixtures("only_ours")
def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "network", "--rounds", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["results"]) == ["network"]
    seconds = found["results"]["network"]
    assert list(seconds) == ["micrograd, compiled", "micrograd, eager"]
    assert all(x > 0.0 for x in seconds.values())
    assert found["not installed"] == ["JAX jit", "PyTorch"]


@pytest.mark.usefixtures("only_ours")
def test_engines_that_disagree_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    workload = bench_workloads.WORKLOADS["rosenbrock"]
    wrong = dict(workload.engines) | {"micrograd, eager": lambda: lambda: (1.0, [0.0] * 10)}
    monkeypatch.setitem(bench_workloads.WORKLOADS, "rosenbrock", bench_workloads.Workload(workload.summary, wrong))
    with pytest.raises(ArithmeticError, match="micrograd, eager and micrograd disagree on Rosenbrock"):
        main(["bench", "rosenbrock", "--rounds", "1"])


@pytest.mark.parametrize("arguments", [["nonsense"], ["--rounds", "0"], ["--rounds", "x"]])
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *arguments]) == 2
    assert capsys.readouterr().err.startswith("micrograd bench: error: ")


def test_without_llvmlite_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> object:
        raise ImportError("micrograd.compile(backend='llvm') needs llvmlite, which is not installed")

    workload = bench_workloads.Workload("one", {"micrograd, compiled": missing})  # type: ignore[dict-item]
    monkeypatch.setitem(bench_workloads.WORKLOADS, "rosenbrock", workload)
    assert main(["bench", "rosenbrock"]) == 1
    assert "needs llvmlite, which is not installed" in capsys.readouterr().err


def test_cache_tells_and_clears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MICROGRAD_CACHE", str(tmp_path / "here"))
    assert main(["cache"]) == 0
    assert capsys.readouterr().out == f"0 entries of compiled code in {tmp_path / 'here'}: 0.0 MiB of at most 256 MiB\n"
    cache.store("one", bytes(2**20))
    assert main(["cache"]) == 0
    assert capsys.readouterr().out.startswith(f"1 entry of compiled code in {tmp_path / 'here'}: 1.0 MiB")
    assert main(["cache", "--clear"]) == 0
    assert capsys.readouterr().out == f"1 entry deleted from {tmp_path / 'here'}\n"
    assert cache.entries() == []
