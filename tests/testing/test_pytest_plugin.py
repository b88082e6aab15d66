"""Protects what pytest shows of operations and gradients: nothing until it is asked, then one test per property.

Each test runs pytest in a process and a folder of its own.
"""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from support import ROOT

pytest.importorskip("mpmath", reason="the messages name the oracles that accuse, mpmath among them")

OPERATIONS = """
import math
import micrograd as mg

bad = mg.op("bad", forward=lambda a: a * a, vjp=(lambda g, out, a: g * a,), reference=lambda mp, a: a * a)
good = mg.op("good", forward=lambda a: a * a * a, vjp=(lambda g, out, a: 3.0 * g * a * a,))

def test_that_imports_them():
    assert good(2.0) == 8.0
"""


def run_pytest(folder: Path, *arguments: str, settings: str = "", **files: str) -> tuple[int, str]:
    """Run pytest on ``files`` and return its exit code and what it printed."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(text), encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n" + textwrap.dedent(settings), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "micrograd.pytest_plugin", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env={
            **os.environ,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # the plugin is loaded by name, installed or not
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.returncode, done.stdout + done.stderr


def test_pytest_finds_the_plugin_where_micrograd_is_installed() -> None:
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    assert settings["options.entry_points"]["pytest11"].strip() == "micrograd = micrograd.pytest_plugin"


def test_without_the_option_nothing_is_added_and_nothing_is_loaded(tmp_path: Path) -> None:
    test = """
    import sys

    def test_what_is_loaded():
        loaded = {name.partition(".")[0] for name in sys.modules}
        assert "micrograd.pytest_plugin" in sys.modules
        assert "micrograd.testing" not in sys.modules and "micrograd.compiler" not in sys.modules
        assert not loaded & {"hypothesis", "mpmath", "numpy", "llvmlite"}
    """
    code, text = run_pytest(tmp_path, "-v", test_plain=test)
    assert code == 0, text
    assert "1 passed" in text
    assert "micrograd-ops" not in text


def test_a_wrong_rule_fails_with_a_report_and_a_right_one_passes(tmp_path: Path) -> None:
    code, text = run_pytest(tmp_path, "--micrograd-ops", "-rA", settings="micrograd_ops = mine", test_mine=OPERATIONS)
    assert code == 1, text
    assert "collected 15 items" in text
    assert "FAILED micrograd-ops::bad::partials" in text
    assert "FAILED micrograd-ops::bad::second-order" in text
    assert "FAILED micrograd-ops::bad::random-graphs" in text
    assert "the rule's derivative by operand 0 is wrong (says mpmath, complex step, differences)" in text
    assert "print(gradcheck(program, *program.inputs, order=1))" in text
    assert "Traceback" not in text
    assert "_OutcomeError" not in text
    for name in ("value", "domain-edges"):
        assert f"PASSED micrograd-ops::bad::{name}" in text
    for name in ("partials", "domain-edges", "second-order", "random-graphs"):
        assert f"PASSED micrograd-ops::good::{name}" in text
    assert "does not apply: the row has no reference" in text
    assert text.index("test_mine.py") < text.index("micrograd-ops")
    code, text = run_pytest(tmp_path, "--micrograd-ops", "-x", settings="micrograd_ops = good bad")
    assert code == 1
    assert "stopping after 1 failures" in text
    assert "1 failed" in text


def test_tests_are_chosen_by_name_and_listed_also_where_there_are_no_files(tmp_path: Path) -> None:
    code, text = run_pytest(tmp_path, "--micrograd-ops", "--collect-only", "-q", "-k", "tanh and not atanh")
    assert code == 0, text
    assert text.splitlines()[:7] == [
        f"micrograd-ops::tanh::{name}"
        for name in ("value", "partials", "kinks", "domain-edges", "second-order", "random-graphs", "compiled")
    ]
    code, text = run_pytest(tmp_path, "--micrograd-ops", "-v", "-k", "logsumexp and partials")
    assert code == 0, text
    assert "micrograd-ops::logsumexp::partials PASSED" in text
    assert "1 passed" in text
    code, text = run_pytest(
        tmp_path, "--micrograd-ops", "--collect-only", "-q", settings="micrograd_ops = relu exp relu"
    )
    assert "14 tests collected" in text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("micrograd_order = 3", "micrograd_order is 1 or 2, not '3'"),
        ("micrograd_examples = many", "micrograd_examples is a whole number from 1 on, not 'many'"),
        ("micrograd_examples = 0", "micrograd_examples is a whole number from 1 on, not '0'"),
        ("micrograd_ops = tanh tahn", "micrograd_ops names 'tahn', which is no registered operation ('all', 'mine'"),
    ],
)
def test_settings_that_cannot_be_end_the_run_with_one_line(tmp_path: Path, settings: str, message: str) -> None:
    code, text = run_pytest(tmp_path, "--micrograd-ops", settings=settings)
    assert code == 4, text
    assert message in text
    assert "Traceback" not in text


def test_where_nothing_could_be_judged_the_test_fails(tmp_path: Path) -> None:
    refuses = """
    import micrograd as mg

    def forward(a):
        raise ValueError("not today")

    mg.op("refuses", forward=forward, vjp=(lambda g, out, a: g,))
    def test_nothing(): pass
    """
    code, text = run_pytest(
        tmp_path,
        "--micrograd-ops",
        "-k",
        "refuses and partials",
        settings="micrograd_ops = mine\nmicrograd_examples = 5",
        test_refuses=refuses,
    )
    assert code == 1, text
    assert "refuses, partials: inconclusive (0 checked)" in text
    assert "the forward function of refuses refuses" in text
    assert "nothing could be judged, so nothing was tested" in text


def test_the_fixture_checks_gradients_to_the_order_of_the_settings(tmp_path: Path) -> None:
    tests = """
    import pytest
    import micrograd as mg
    from micrograd import GradientError

    half = mg.op("half", forward=lambda a: a * a, vjp=(lambda g, out, a: 2.0 * g * getattr(a, "data", a),))

    def test_right(gradcheck):
        assert gradcheck(lambda x, y: mg.sin(x) * y, 0.5, 2.0).verdict == "right"

    def test_order(gradcheck):
        gradcheck(half, 3.0)

    def test_own_order(gradcheck):
        assert gradcheck(half, 3.0, order=1, oracle="differences").figures.order == 1
        with pytest.raises(GradientError, match="second derivative"):
            gradcheck(half, 3.0, order=2)
    """
    code, text = run_pytest(tmp_path, "-rf", test_order=tests)
    assert code == 1, text
    assert "1 failed, 2 passed" in text
    assert "FAILED test_order.py::test_order - micrograd.errors.GradientError" in text
    assert "the second derivative that the rule gives" in text
    code, text = run_pytest(tmp_path, settings="micrograd_order = 1")
    assert code == 0, text
