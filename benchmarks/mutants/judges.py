"""Who looks for faults: the project's own tests, and the toolkit for testing gradients.

A judge runs commands in a copy of the package; each ends with status 0 where it finds nothing wrong.
"""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from benchmarks.mutants.mutant import Mutant

__all__ = ["JUDGES", "Command", "Judge", "JudgeError", "OwnTests", "Toolkit"]

Command = tuple[str, ...]


class JudgeError(Exception):
    """Raised where a command says neither that all is well nor that something is wrong."""


class Judge(Protocol):
    """Somebody who looks for a fault.

    Attributes:
        name: for the command line.
        title: for the table.
        patience: how many times as long a command may take as for the package as it is.
    """

    name: str
    title: str
    patience: float

    def control(self, mutants: Sequence[Mutant], folder: Path) -> list[Command]:
        """Return commands that together are all that this judge runs for ``mutants``."""

    def trials(self, mutant: Mutant, folder: Path) -> list[Command]:
        """Return the commands for one mutant, the likeliest to find it first."""

    def found(self, status: int, output: str) -> str:
        """Return how a command that has ended found a fault; empty where it found none.

        Raises ``JudgeError`` where that cannot be told.
        """


def _signalled(status: int) -> str:
    return f"the process ended with {signal.Signals(-status).name}"


# --- the project's own tests ---------------------------------------------------------------------------------

_PLUGIN = "first_failure"  # a module beside the copy: Hypothesis stops at a failure and does not shrink it
_PLUGIN_TEXT = """\
from hypothesis import Phase, settings

settings.register_profile(
    "first_failure", derandomize=True, deadline=None, database=None, phases=[Phase.explicit, Phase.generate]
)
"""

_TOP = ("test_functional.py", "test_graph.py", "test_graph_file.py")

_FIRST = {
    "sweep": ("engine/test_sweeps.py", "engine/test_backward.py", "engine/test_faults_found.py"),
    "order": ("engine/test_sweeps.py", "engine/test_backward.py", "engine/test_memory.py"),
    "recording": ("engine/test_backward.py", "engine/test_building.py", "engine/test_create_graph.py"),
    "promises": ("engine/test_backward.py", "engine/test_create_graph.py", "engine/test_faults_found.py"),
    "rules": ("ops/test_values_and_derivatives.py",),
    "kinks": ("ops/test_awkward_points.py",),
    "second": ("engine/test_create_graph.py", "ops/test_values_and_derivatives.py"),
    "many": ("ops/test_rule_faults_found.py", "ops/test_values_and_derivatives.py"),
    "functional": ("test_functional.py", "engine/test_faults_found.py"),
    "walks": ("test_graph.py", "test_graph_file.py", "engine/test_copies.py", "engine/test_pickles.py"),
    "compiler": ("compiler/test_compiler_stages.py", "compiler/test_compiled_corners.py"),
}
"""Where a mutant of a category is most likely found, below ``tests/``."""

_STATUS_FAILED, _STATUS_NOTHING_RUN = 1, 5


class OwnTests:
    """The quick tests of the package: of the table, the engine and the walks; for the compiler, the compiler's."""

    name = "own"
    title = "own tests"
    patience = 2.0

    def control(self, mutants: Sequence[Mutant], folder: Path) -> list[Command]:
        """Return runs of the suites that the mutants need."""
        suites = dict.fromkeys(m.category == "compiler" for m in mutants)
        return [run for compiler in suites for run in _runs(_suite(compiler, folder), folder)]

    def trials(self, mutant: Mutant, folder: Path) -> list[Command]:
        """Return a run of the files that most likely find the mutant, and runs of the rest of its suite."""
        suite = _suite(mutant.category == "compiler", folder)
        first = [name for name in (f"tests/{x}" for x in _FIRST[mutant.category]) if name in suite]
        return [*_runs(first, folder), *_runs([name for name in suite if name not in first], folder)]

    def found(self, status: int, output: str) -> str:
        """Return the test that failed."""
        if status == 0:
            return ""
        if status == _STATUS_NOTHING_RUN:
            raise JudgeError("no tests ran")
        if status < 0:
            return _signalled(status)
        failures: list[str] = re.findall(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)
        if status == _STATUS_FAILED and failures:
            return failures[0].removeprefix("tests/")
        return f"the package fails when it is imported: {_last_line(output)}"


def _suite(compiler: bool, folder: Path) -> list[str]:
    tests = folder / "tests"
    if compiler:
        found: Iterable[Path] = tests.glob("compiler/test_*.py")
    else:
        subjects = [x for name in ("ops", "engine", "testing") for x in sorted(tests.glob(f"{name}/test_*.py"))]
        found = [*subjects, *[tests / name for name in _TOP]]
    # Not those that compare with PyTorch: they run where it is installed only, and take long to import it.
    return [x.relative_to(folder).as_posix() for x in found if "torch" not in x.name]


def _runs(files: Sequence[str], folder: Path) -> list[Command]:
    """Return runs of test files; the tests of the toolkit apart, for they look at how failures shrink."""
    (folder / f"{_PLUGIN}.py").write_text(_PLUGIN_TEXT, encoding="utf-8")
    shrinking = [name for name in files if name.startswith("tests/testing/")]
    quick = [name for name in files if name not in shrinking]
    options = ["-x", "-q", "-p", "no:cacheprovider", "--tb=line", "-o", "addopts="]
    pytest = (sys.executable, "-m", "pytest", *options, "-m", "not slow and not oracles")
    runs = []
    if quick:
        runs.append((*pytest, "-p", _PLUGIN, f"--hypothesis-profile={_PLUGIN}", *quick))
    if shrinking:
        runs.append((*pytest, *shrinking))
    return runs


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line.removeprefix("E").strip() for line in lines if re.match(r"E\s", line)]
    return (errors or lines or ["no output"])[-1]


# --- the toolkit ---------------------------------------------------------------------------------------------


class Toolkit:
    """``micrograd check``: every operation of the table, and random programs."""

    name = "toolkit"
    title = "toolkit"
    patience = 20.0  # it looks for the shortest program that shows what is wrong

    def control(self, mutants: Sequence[Mutant], folder: Path) -> list[Command]:
        """Return both commands."""
        return self.trials(mutants[0], folder)

    def trials(self, mutant: Mutant, folder: Path) -> list[Command]:
        """Return a check of 300 programs, which is quick, and one of the table."""
        check = (sys.executable, "-m", "micrograd", "check")
        return [(*check, "--programs", "300", "--jobs", "1"), (*check, "--ops")]

    def found(self, status: int, output: str) -> str:
        """Return what the report says, or how the engine itself failed."""
        if status == 0:
            return ""
        if status < 0:
            return _signalled(status)
        if "Traceback (most recent call last)" in output:
            return f"the engine raises: {_last_line(output)}"
        if status == 1:
            complaint = re.search(r"^(\w.*: wrong\b.*)\n\s+(\S.*)$|^\w+: (\w+: .*)$", output, re.MULTILINE)
            return ": ".join(filter(None, complaint.groups())) if complaint else _last_line(output)
        raise JudgeError(f"micrograd check ended with status {status}: {_last_line(output)}")


JUDGES: tuple[Judge, ...] = (OwnTests(), Toolkit())
