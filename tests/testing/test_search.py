"""Protects the search for wrong gradients and the count over random programs: what they find, report and keep."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from support import registered

import micrograd as mg
from micrograd import Value
from micrograd.testing import Program, Report
from micrograd.testing import search as search_module
from micrograd.testing import tally as tally_module
from micrograd.testing.search import SEARCHING, SHRINKING, counts_text, search
from micrograd.testing.tally import FAILED, KINDS, Case, Tally, check_programs


def detached(x: Any) -> Any:
    return x * x.data


# --- search -------------------------------------------------------------------------------------------------------


def test_a_right_gradient_is_right_everywhere() -> None:
    stages: list[tuple[str, str]] = []
    finding = search(
        lambda x, y: mg.log(x) * y, ["(0, inf)", "[-1, 1]"], examples=40, advance=lambda *x: stages.append(x)
    )
    assert (finding.verdict, finding.tried, finding.shrinking) == ("right", {"right": 40}, 0)
    assert (finding.report, finding.error) == (None, None)
    assert stages == [(SEARCHING, f"{n} right") for n in range(1, 41)]


def test_the_inputs_lie_in_their_domains_and_repeat_with_the_seed() -> None:
    def seen(seed: int) -> list[tuple[float, float]]:
        found: list[tuple[float, float]] = []

        def f(x: Any, y: Any) -> Any:
            found.append((x.data, y.data))
            return x * y

        assert search(f, ["(2, 3)", "(-inf, 0) | (5, inf)"], examples=15, seed=seed, order=1).verdict == "right"
        return found

    first = seen(1)
    nudged = 1e-6  # a check calls the function beside the point, too
    assert all(2 - nudged <= x <= 3 + nudged and (y <= nudged or y >= 5 - nudged) for x, y in first)
    assert seen(1) == first
    assert seen(2) != first


def test_a_wrong_gradient_is_made_simple_and_every_failing_input_is_kept() -> None:
    kept: list[Report] = []
    stages: list[str] = []
    finding = search(
        lambda x, y: mg.where(x + y > 3.0, detached(x), x * x) + y,
        ["[0, 100]", "[0, 100]"],
        examples=500,
        keep=kept.append,
        advance=lambda stage, figures: stages.append(stage),
    )
    assert finding.verdict == "wrong"
    assert finding.report is not None
    assert finding.tried["wrong"] == 1
    assert finding.inputs == finding.report.inputs == kept[-1].inputs
    x, y = finding.inputs
    assert x + y > 3.0
    assert x == int(x)
    assert y == int(y)
    assert len({report.inputs for report in kept}) > 1
    assert all(report.verdict == "wrong" for report in kept)
    assert stages == sorted(stages)  # searching before shrinking
    assert {SEARCHING, SHRINKING} == set(stages) or finding.tried == {"wrong": 1}


def test_shrinking_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module, "SHRINK_CALLS", 2)
    finding = search(lambda x: mg.where(x > 20.0, detached(x), x), ["[0, 1000]"], seed=4)
    assert (finding.verdict, finding.shrinking) == ("wrong", 2)


def test_a_function_that_stops_failing_is_still_reported() -> None:
    calls = 0

    def f(x: Any) -> Any:
        nonlocal calls
        calls += 1
        return detached(x) if calls < 30 else x * x

    finding = search(f, ["[1, 8]"])
    assert finding.verdict == "wrong"
    assert finding.report is not None
    assert finding.report.inputs == finding.inputs


def test_the_next_search_begins_with_what_failed(tmp_path: Path) -> None:
    def f(x: Any) -> Any:
        return mg.where(x > 7.5, detached(x), x * x)

    first = search(f, ["[0, 8]"], examples=500, seed=1, order=1, folder=tmp_path / "database")
    assert first.verdict == "wrong"
    again = search(f, ["[0, 8]"], examples=1, seed=2, order=1, folder=tmp_path / "database")
    assert (again.verdict, again.inputs, again.tried) == ("wrong", first.inputs, {"wrong": 1})
    assert search(f, ["[0, 8]"], examples=1, seed=2, order=1).verdict == "right"


def test_what_the_function_raises_is_found_with_the_simplest_inputs() -> None:
    def f(x: Any) -> Any:
        return x * math.sqrt(x.data - 5.0)

    finding = search(f, ["(-inf, inf)"])
    assert isinstance(finding.error, ValueError)
    assert (finding.verdict, finding.inputs) == ("inconclusive", (0.0,))

    def leaves(x: Value) -> Value:
        raise SystemExit(0)

    assert isinstance(search(leaves, ["(-inf, inf)"]).error, SystemExit)


def test_a_wrong_gradient_is_more_than_a_function_that_raises() -> None:
    def f(x: Any) -> Any:
        return detached(x) * math.sqrt(abs(x.data) - 0.5)

    for seed in range(4):
        finding = search(f, ["(-inf, inf)"], seed=seed)
        if finding.verdict == "wrong":
            assert finding.error is None
            assert finding.report is not None
            assert finding.report.inputs == finding.inputs
        else:
            assert isinstance(finding.error, ValueError)
    assert search(f, ["[0.6, 8]"]).verdict == "wrong"
    assert search(lambda x: f(x + 0.0), ["[0.51, 8]"]).verdict == "wrong"


def test_ctrl_c_goes_through_and_what_failed_is_kept(tmp_path: Path) -> None:
    kept: list[Report] = []

    def f(x: Any) -> Any:
        if kept:
            raise KeyboardInterrupt
        return x * (x.data if x.data > 20.0 else x)

    with pytest.raises(KeyboardInterrupt):
        search(f, ["[1.5, 777]"], keep=kept.append, folder=tmp_path, seed=3)
    assert kept
    assert any(path.is_file() for path in tmp_path.rglob("*"))


def test_kinks_are_judged_and_doubts_are_not() -> None:
    kink = search(lambda x: mg.relu(x - x.data), ["[1, 8]"], examples=10)
    assert kink.verdict in ("not differentiable here", "wrong")
    doubt = search(mg.log, ["(-8, -1)"], examples=10)
    assert (doubt.verdict, doubt.tried) == ("inconclusive", {"inconclusive": 10})
    assert doubt.report is not None
    assert "outside of its domain" in doubt.report.reason
    assert counts_text({"inconclusive": 2, "wrong": 1, "right": 0}) == "2 inconclusive, 1 wrong"


def test_domains_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="is not a union of intervals"):
        search(detached, ["[1"])
    with pytest.raises(ValueError, match="count is at least 1"):
        search(detached, [])


# --- tally --------------------------------------------------------------------------------------------------------


def summary(tally: Tally) -> Any:
    return tally.counts, tally.partials, tally.worst, tally.cases


def test_programs_are_counted_by_kind_and_verdict() -> None:
    figures: list[str] = []
    tally = check_programs(45, seed=2, edges=True, advance=figures.append)
    assert list(tally.counts) == list(KINDS)
    assert {kind: counts.total() for kind, counts in tally.counts.items()} == dict.fromkeys(KINDS, 15)
    assert tally.total["wrong"] == tally.total[FAILED] == 0
    assert tally.total["right"] > 20
    assert tally.total["not differentiable here"] > 0
    assert tally.partials > 45
    assert 0.0 <= tally.worst <= 1.0
    assert len(figures) == 45
    assert figures[-1] == counts_text(tally.total)
    assert summary(check_programs(45, seed=2, edges=True)) == summary(tally)
    assert summary(check_programs(45, seed=3, edges=True)) != summary(tally)


def test_a_planted_fault_is_found_and_every_case_is_kept() -> None:
    kept: list[Case] = []
    with registered("planted", forward=lambda a: a * 3.0, vjp=(lambda g, out, a: g * 3.001,)):
        tally = check_programs(60, order=1, keep=kept.append)
    assert tally.total.total() == 60
    assert tally.total["wrong"] == len(tally.cases) > 0
    assert kept == tally.cases
    for case in kept:
        assert any(name == "planted" for name, *_ in case.program.instructions)
        assert case.report is not None
        assert case.report.culprit is not None
        assert case.report.culprit.node.op == "planted"


def test_a_check_that_fails_is_a_case(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(program: Program, *inputs: float, order: int) -> Report:
        raise OverflowError("too large")

    monkeypatch.setattr("micrograd.testing.tally.gradcheck", fail)
    tally = check_programs(3)
    assert tally.total == {FAILED: 3}
    assert [case.error for case in tally.cases] == ["OverflowError: too large"] * 3


@pytest.fixture
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally_module, "_CHUNK", 8)
    monkeypatch.setattr(tally_module, "_WORTH", 1)


@pytest.mark.usefixtures("_small_chunks")
def test_processes_share_the_work() -> None:
    figures: list[str] = []
    tally = check_programs(44, edges=True, order=1, jobs=2, advance=figures.append)
    sizes = {kind: counts.total() for kind, counts in tally.counts.items()}
    assert sizes == {"ordinary": 16, "at the edges": 16, "near kinks": 12}
    assert tally.cases == []
    assert len(figures) == 44


@pytest.mark.usefixtures("_small_chunks")
def test_a_process_that_lacks_an_operation_says_so() -> None:
    with (
        registered("only_here", forward=lambda a: a, vjp=(lambda g, out, a: g,)),
        pytest.raises(LookupError, match="only_here"),
    ):
        check_programs(16, jobs=2)


@pytest.mark.parametrize(("count", "jobs"), [(0, 1), (1, 0)])
def test_counts_are_at_least_one(count: int, jobs: int) -> None:
    with pytest.raises(ValueError, match="count and jobs are at least 1"):
        check_programs(count, jobs=jobs)
