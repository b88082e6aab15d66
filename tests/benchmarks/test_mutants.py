"""Protects the suite of mutants: every fault fits the source as it is now, verdicts are what they are counted as, a
judge that complains about sound code stops everything, and nothing is left behind.
"""

from __future__ import annotations

import ast
import asyncio
import doctest
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.mutants import command, harness
from benchmarks.mutants import mutant as mutant_module
from benchmarks.mutants.faults import MUTANTS
from benchmarks.mutants.harness import ControlError, Verdict, examine
from benchmarks.mutants.judges import JUDGES, Command, JudgeError, OwnTests, Toolkit
from benchmarks.mutants.mutant import CATEGORIES, Mutant, PatchError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_fits_the_source_and_changes_the_program(mutant: Mutant) -> None:
    source = (ROOT / "micrograd" / mutant.file).read_text(encoding="utf-8")
    patched = mutant.patched(source)
    assert ast.dump(ast.parse(patched)) != ast.dump(ast.parse(source))
    assert mutant.category in CATEGORIES
    assert "own" in mutant.judges
    assert set(mutant.judges) <= {judge.name for judge in JUDGES}


def test_doctests() -> None:
    assert doctest.testmod(mutant_module).failed == 0


def test_names_and_patches_are_unique() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert len({(m.file, m.before, m.after, m.nth) for m in MUTANTS}) == len(MUTANTS)
    assert {mutant.category for mutant in MUTANTS} == set(CATEGORIES)


def fault(name: str = "fault", before: str = "a + b", after: str = "a - b", nth: int = 0, proof: str = "") -> Mutant:
    return Mutant(name, "the sum is a difference", "sweep", "sums.py", before, after, nth, ("stub",), proof)


@pytest.mark.parametrize(("before", "nth"), [("a + b", 0), ("a + b", 3), ("a * b", 0), ("a * b", 1)])
def test_a_mutant_that_does_not_fit_is_refused(before: str, nth: int) -> None:
    with pytest.raises(PatchError, match=r"mutant 'fault': micrograd/sums\.py has the text \d times, expected"):
        fault(before=before, nth=nth).patched("a + b, a + b")


def test_the_nth_occurrence_is_replaced() -> None:
    assert fault(nth=1).patched("a + b, a + b") == "a - b, a + b"
    assert fault(nth=2).patched("a + b, a + b") == "a + b, a - b"


# --- the harness, with a package of one line and a judge of one command -----------------------------------------


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project to plant faults in, and an empty folder for temporary ones."""
    source = tmp_path / "source"
    for folder in ("micrograd", "tests"):
        (source / folder).mkdir(parents=True)
    for name in ("setup.cfg", "pyproject.toml", "micrograd/__init__.py"):
        (source / name).write_text("", encoding="utf-8")
    (source / "micrograd" / "sums.py").write_text("def total(a, b):\n    return a + b\n", encoding="utf-8")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return source


def left_behind() -> list[Path]:
    return list(Path(tempfile.gettempdir()).iterdir())


class Stub:
    """A judge of one statement, which runs in the copy."""

    name = "stub"
    title = "stub"
    patience = 2.0

    def __init__(self, statement: str) -> None:
        self.command = (sys.executable, "-c", f"import sys; from micrograd.sums import total\n{statement}")

    def control(self, mutants: Sequence[Mutant], folder: Path) -> list[Command]:
        return [self.command]

    def trials(self, mutant: Mutant, folder: Path) -> list[Command]:
        return [self.command]

    def found(self, status: int, output: str) -> str:
        if status not in (0, 1):
            raise JudgeError(f"status {status}")
        return "the sum is wrong" if status else ""


def verdicts(source: Path, statement: str, *mutants: Mutant) -> list[Verdict]:
    return examine(source, mutants, [Stub(statement)])


def test_a_fault_is_killed_and_what_is_none_survives(source: Path) -> None:
    commuted = fault("commuted", after="b + a", proof="addition commutes")
    first, second = verdicts(source, "assert total(1, 2) == 3", fault(), commuted)
    assert (first.mutant, first.killed, first.how, first.broken) == (fault(), True, "the sum is wrong", "")
    assert (second.mutant, second.killed, second.how, second.broken) == (commuted, False, "", "")
    assert "a + b" in (source / "micrograd" / "sums.py").read_text(encoding="utf-8")
    assert left_behind() == []


def test_a_fault_that_a_judge_cannot_see_survives(source: Path) -> None:
    (verdict,) = verdicts(source, "assert total(1, 0) == 1", fault())
    assert not verdict.killed


def test_a_judge_that_fails_is_reported_and_counts_as_neither(source: Path) -> None:
    (verdict,) = verdicts(source, "sys.exit(0 if total(1, 2) == 3 else 7)", fault())
    assert (verdict.killed, verdict.broken) == (False, "status 7")


@pytest.mark.parametrize(
    "endless", ["while total(1, 2) != 3: pass", "import time; time.sleep(200 * (3 - total(1, 2)))"]
)
def test_a_fault_that_never_ends_is_killed(endless: str, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "_PATIENCE", 0.2)
    (verdict,) = verdicts(source, endless, fault())
    assert verdict.killed
    assert verdict.how.startswith("no end within")
    assert left_behind() == []


def test_a_judge_that_complains_about_sound_code_stops_everything(source: Path) -> None:
    with pytest.raises(ControlError, match="the sum is wrong"):
        verdicts(source, "assert total(1, 2) == 4", fault())
    assert left_behind() == []


def test_a_patch_that_does_not_fit_leaves_nothing_behind(source: Path) -> None:
    with pytest.raises(PatchError, match=r"micrograd/sums\.py has the text 0 times"):
        verdicts(source, "", fault(before="a * b"))
    with pytest.raises(FileNotFoundError):
        verdicts(source / "micrograd", "", fault())
    assert left_behind() == []


def test_an_interrupt_leaves_nothing_behind(source: Path) -> None:
    async def interrupted() -> None:
        judge = Stub("import time; time.sleep(0.0 if total(1, 2) == 3 else 600.0)")
        started = asyncio.Event()
        task = asyncio.create_task(
            harness._examine(source, [fault()], [judge], 2, lambda figures: started.set())  # after the control
        )
        await started.wait()
        await asyncio.sleep(0.3)
        assert len(left_behind()) == 2
        task.cancel()  # what Ctrl-C does
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(interrupted())
    assert left_behind() == []


# --- the judges -------------------------------------------------------------------------------------------------


def test_what_pytest_says() -> None:
    found = OwnTests().found
    assert found(0, "5 passed") == ""
    assert found(1, "FAILED tests/ops/test_x.py::test_a[1] - assert 1 == 2\n") == "ops/test_x.py::test_a[1]"
    assert found(4, "E   NameError: name 'x' is not defined\n") == (
        "the package fails when it is imported: NameError: name 'x' is not defined"
    )
    assert found(-11, "") == "the process ended with SIGSEGV"
    with pytest.raises(JudgeError, match="no tests ran"):
        found(5, "no tests ran in 0.01s")


def test_what_the_toolkit_says() -> None:
    found = Toolkit().found
    assert found(0, "all right") == ""
    assert found(1, "1 operation is wrong\n") == "1 operation is wrong"
    assert found(1, "neg  ok 61\n\nrelu, kinks: wrong (0 checked)\n  relu(0.0): documented to be 0\n  got 1.0\n") == (
        "relu, kinks: wrong (0 checked): relu(0.0): documented to be 0"
    )
    assert found(1, "judging 1/3  1 right\nordinary: NameError: name 'x'\n  Program(\n") == "NameError: name 'x'"
    assert found(1, "Traceback (most recent call last):\n  ...\nKeyError: 'x'\n") == "the engine raises: KeyError: 'x'"
    with pytest.raises(JudgeError, match="ended with status 2: unknown option"):
        found(2, "unknown option\n")


def test_own_tests_run_every_file_of_their_suite_once(tmp_path: Path) -> None:
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    for category in CATEGORIES:
        mutant = next(mutant for mutant in MUTANTS if mutant.category == category)
        trials, control = [
            [x for run in runs for x in run if x.endswith(".py")]
            for runs in (OwnTests().trials(mutant, tmp_path), OwnTests().control([mutant], tmp_path))
        ]
        assert len(trials) > 10
        assert sorted(trials) == sorted(control)
        assert len(set(trials)) == len(trials)


# --- the command ------------------------------------------------------------------------------------------------


def test_the_report_counts_faults_alarms_and_failures() -> None:
    found, missed, broken = fault("found"), fault("missed"), fault("broken")
    silent, alarm = fault("silent", proof="the same"), fault("alarm", proof="the same")
    mutants = [found, missed, broken, silent, alarm]
    killed = {"found": "how", "alarm": "why"}
    result = command.report(
        mutants,
        [Stub("")],
        [Verdict(m, "stub", m.name in killed, killed.get(m.name, ""), "", 1.0) for m in mutants if m is not broken]
        + [Verdict(broken, "stub", False, "", "status 7", 1.0)],
    )
    assert result.rows[0] == [CATEGORIES["sweep"], 3.0, "1 of 2", 2.0]
    assert result.rows[-1] == ["all", 3.0, "1 of 2", 2.0]
    text = "\n".join(result.notes)
    assert "50.0% of the faults that it is asked about are found; false alarms at code without a fault: 1 of 3" in text
    assert "not found by the stub: missed (the sum is a difference)" in text
    assert "no fault, silent: the sum is a difference; the same" in text
    assert "false alarm of stub: alarm (why)" in result.problems
    assert "stub failed on broken: status 7" in result.problems


def test_the_list_has_every_mutant_and_every_proof(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mutants", "--list"]) == 0
    text = capsys.readouterr().out
    assert all(mutant.name in text and mutant.proof in text for mutant in MUTANTS)


def test_the_command_prints_every_verdict(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def examined(source: Path, mutants: Sequence[Mutant], judges: Sequence[object], **options: object) -> list[Verdict]:
        return [Verdict(mutant, "own", True, "a test", "", 1.0) for mutant in mutants]

    monkeypatch.setattr(command, "examine", examined)
    arguments = ["mutants", "--only", "breadth-first", "--judge", "own", "--quiet", "--json"]
    assert main(arguments) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["command"] == "python -m benchmarks mutants --only breadth-first --judge own"
    (verdict,) = content["workloads"][0]["verdicts"]
    assert (verdict["mutant"], verdict["killed"], verdict["how"]) == ("breadth-first", True, "a test")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "no-such"], "unknown mutant 'no-such'; --list shows all"),
        (["--only", "account-one-use", "--judge", "toolkit"], "the 'toolkit' judge cannot see such a fault"),
        (["--judge", "nobody"], "invalid choice: 'nobody'"),
    ],
)
def test_wrong_usage_says_what_came_and_what_is_allowed(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["mutants", *arguments])
    assert exit_info.value.code == 2
    assert message in capsys.readouterr().err


def test_a_file_without_markers_is_refused_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("nothing", encoding="utf-8")
    assert main(["mutants", "--only", "breadth-first", "--quiet", "--write-readme", str(readme)]) == 1
    assert "has the marker <!-- benchmarks:mutants --> 0 times" in capsys.readouterr().err
