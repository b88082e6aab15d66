"""Protects the benchmarks of compiled code: they run, engines agree, wrong results are refused. No time is asserted."""

from __future__ import annotations

import doctest
import importlib
import json
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("numpy", reason="the compiled workloads take NumPy arrays")

import numpy as np

from benchmarks import c1, c2, c4, c5, compiled, t2, turns
from benchmarks.__main__ import main
from benchmarks.forms import Forms, Prepared, gathered
from benchmarks.gpt import document, operations
from benchmarks.peers.microgpt import Value
from benchmarks.processes import NotInstalledError, Worker, WorkerError

PEERS = {
    "c1": [("jax", "c1"), ("jax", "c1 resident"), ("torch", "c1"), ("casadi", "c1"), ("xad", "c1")],
    "c2": [("jax", "c2"), ("torch", "c2"), ("microgpt", "c2")],
    "c3": [("jax", "c3"), ("torch", "c3"), ("casadi", "c3"), ("casadi", "c3 buffer"), ("scipy", "c3")],
    "c3 hessian": [(e, "c3 hessian") for e in ("jax", "torch", "casadi", "scipy")] + [("casadi", "c3 hessian buffer")],
    "c4": [("jax", "c4"), ("torch", "c4"), ("casadi", "c4")],
    "c5": [("casadi", "c5"), ("jax", "c5")],
    "t1": [("jax", "t1"), ("torch", "t1")],
}
SIZES = {"c1": (3,), "c2": (2, 2), "c3": (4,), "c3 hessian": (4,), "c4": (5,), "c5": (30,), "t1": (2,)}


def measure(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """Run a workload once, on ours and the scalar baseline."""
    status = main([*arguments, "--engines", "microgpt", "--repeat", "1", "--quiet", "--json"])
    (workload,) = json.loads(capsys.readouterr().out)["workloads"]
    assert [problem for problem in workload["problems"] if "NOISY" not in problem and "processors" not in problem] == []
    assert status == (1 if workload["problems"] else 0)
    return dict(workload)


@pytest.mark.parametrize(
    ("arguments", "cases"),
    [
        (["c1", "--size", "3"], ["N=3"]),
        (["c3", "--size", "3"], ["n=3", "Hessian, n=3"]),
        (["c4", "--size", "5"], ["N=5"]),
        (["t1", "--size", "2"], ["order 2"]),
    ],
)
def test_a_workload_runs_on_ours(arguments: list[str], cases: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    workload = measure(capsys, *arguments)
    assert list(dict.fromkeys(result["case"] for result in workload["results"])) == cases
    for result in workload["results"]:
        assert result["engine"] == "ours"
        assert "outcome" not in result
        assert result["turns"]


def test_t2_raises_no_false_alarm_and_finds_every_planted_error(capsys: pytest.CaptureFixture[str]) -> None:
    (result,) = measure(capsys, "t2", "--size", "25")["results"]
    assert {kind: (result[kind]["asked"], result[kind]["accused"]) for kind in t2.KINDS} == {
        "ordinary": (25, 0),
        "near kinks": (25, 0),
        "planted": (25, 25),
    }


@pytest.mark.slow
def test_c2_runs_and_agrees_with_the_baseline(capsys: pytest.CaptureFixture[str]) -> None:
    workload = measure(capsys, "c2", "--size", "2")
    who = {(result["case"], result["engine"]) for result in workload["results"] if "outcome" not in result}
    assert who == {(case, engine) for case in ("T=8, N=2", "mix, N=2") for engine in ("ours", "microgpt")}
    assert any("quicker than microgpt.py's Value" in note for note in workload["notes"])


def test_c5_counts_the_nodes_of_an_unrolled_graph(capsys: pytest.CaptureFixture[str]) -> None:
    (result,) = measure(capsys, "c5", "--size", "40")["results"]
    assert (result["engine"], result["nodes"]) == ("ours", 40)
    assert "outcome" not in result


@pytest.mark.slow
@pytest.mark.parametrize("form", PEERS)
def test_peers_agree_with_each_other(form: str) -> None:
    """Every peer that is installed computes the same numbers, in a process of its own."""
    results = {}
    for engine, variant in PEERS[form]:
        try:
            with Worker("turns", f"forms.{engine}", variant, *SIZES[form]) as worker:
                results[engine, variant] = worker.run()["result"]
        except NotInstalledError:
            continue
    if len(results) < 2:
        pytest.skip("fewer than two of these peers are installed")
    first, *others = results
    for other in others:
        assert compiled.disagreement(results[other], results[first]) == "", other


def test_a_process_that_takes_too_long_is_ended() -> None:
    with (
        Worker("turns", "forms.microgpt", "c2", 16, 500) as worker,
        pytest.raises(WorkerError, match="no result after"),
    ):
        worker.run(patience=0.5)


# --- the problems --------------------------------------------------------------------------------------------


def test_layers_cut_parameters_in_the_order_of_the_scalar_network() -> None:
    parameters = np.arange(337.0)
    first, second, last = c1.layers(parameters)
    assert (first.shape, second.shape, last.shape) == ((16, 3), (16, 17), (1, 17))
    assert [*first.ravel(), *second.ravel(), *last.ravel()] == parameters.tolist()


def test_documents_of_the_mix_have_the_lengths_of_names_and_about_57_000_nodes() -> None:
    data = c2.problem(c2.MIX, 256)
    assert sum(len(row) for matrix in data["parameters"].values() for row in matrix) == 4192
    lengths = [int(length) for length, group in data["documents"].items() for _ in group]
    assert len(lengths) == 256
    assert all(4 <= length <= 16 for length in lengths)
    leaves = {name: [[Value(x) for x in row] for row in matrix] for name, matrix in data["parameters"].items()}
    nodes = {length: operations(document(leaves, data["documents"][str(length)][0])) for length in set(lengths)}
    assert sum(nodes[length] for length in lengths) / 256 == pytest.approx(57_000, rel=0.02)


def test_groups_weigh_documents_equally() -> None:
    data = {"documents": {"2": [[0] * 3] * 3, "3": [[0] * 4]}}
    assert [weight for weight, _ in c2.groups(data)] == [0.75, 0.25]


@pytest.mark.parametrize("size", [15, 16, 100, 5000])
def test_an_unrolled_program_has_its_size_and_no_dead_node(size: int) -> None:
    data = c5.problem(size)
    program = data["program"]
    assert len(program) == size
    used = {operand for _, *operands in program for operand in operands}
    assert used >= set(range(16 + size - 1))
    functions = {"exp": np.exp, "tanh": np.tanh, "sin": np.sin}
    assert abs(c5.execute(program, data["inputs"], functions)) < 100.0


def test_problems_are_the_same_every_time() -> None:
    for workload, sizes in ((c1, (5,)), (c2, (c2.MIX, 5)), (c4, (5,)), (c5, (500,))):
        problem: Callable[..., Any] = workload.problem
        assert problem(*sizes) == problem(*sizes)


# --- turns, and what is refused ------------------------------------------------------------------------------


def test_a_turn_gives_times_and_the_first_run_the_result() -> None:
    run = turns.prepare(Forms("1", {"c3": lambda problem: Prepared(lambda: (1.0, problem["x"]))}), "c3", 2)
    assert run()["result"] == [1.0, *turns.flat(c_problem()).tolist()]
    turn = run()
    assert 0.0 < turn["minimum"] <= turn["seconds"]


def c_problem() -> list[float]:
    problem: dict[str, list[float]] = importlib.import_module("benchmarks.c3").problem(2)
    return problem["x"]


def test_a_result_that_moves_between_calls_is_refused() -> None:
    """As that of an engine that adds to the gradients of the call before."""
    total = np.zeros(2)

    def call() -> Any:
        total[:] += 1.0
        return total.copy()

    run = turns.prepare(Forms("1", {"c3": lambda problem: Prepared(call)}), "c3", 2)
    run()
    with pytest.raises(ArithmeticError, match="moved by"):
        run()


def test_gathered_calls_add_up_with_their_weights() -> None:
    parts = [(0.75, Prepared(lambda: (1.0, {"w": np.ones(2)}))), (0.25, Prepared(lambda: (3.0, {"w": np.zeros(2)})))]
    value, gradients = gathered(parts).call()
    assert value == 1.5
    assert gradients["w"].tolist() == [0.75, 0.75]


def test_a_wrong_number_is_found() -> None:
    right = [1.0, 1e-20, -3.0]
    assert compiled.disagreement(right, right) == ""
    assert compiled.disagreement([1.0, 0.0, -3.0], right) == ""  # terms that cancel
    assert "number 2" in compiled.disagreement([1.0, 0.0, -3.0000001], right)
    assert "number 0" in compiled.disagreement([float("nan"), 0.0, -3.0], right)


@pytest.mark.parametrize("name", ["compiled", "turns"])
def test_doctests(name: str) -> None:
    module = importlib.import_module(f"benchmarks.{name}")
    assert doctest.testmod(module).failed == 0
