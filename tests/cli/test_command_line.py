"""Protects the command line as a program: its entry point, exit codes, pipes, terminals and interrupts."""

from __future__ import annotations

import json
import os
import re
import select
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import micrograd
from micrograd import cli
from micrograd.cli import COMMANDS, main

ENVIRONMENT = {
    **{name: text for name, text in os.environ.items() if name not in ("FORCE_COLOR", "TTY_COMPATIBLE", "NO_COLOR")},
    "PYTHONPATH": str(Path(micrograd.__file__).parents[1]),
    "PYTHONUTF8": "1",
    "PYTHONWARNINGS": "error",
}
PROGRAM = [sys.executable, "-m", "micrograd"]


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments], capture_output=True, encoding="utf-8", env=ENVIRONMENT, timeout=120, **options
    )


# --- what it prints ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_help(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS)
    assert max(map(len, text.split("\n"))) <= 100


def test_the_examples_of_the_help_work(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # some write files
    main([])
    examples = [line.strip() for line in capsys.readouterr().out.split("\n") if line.startswith("  micrograd ")]
    assert len(examples) >= 5
    for example in examples:
        arguments = shlex.split(example)[1:]
        assert main(arguments + ["--epochs", "1"] * (arguments[0] == "demo")) == 0, example


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert main([command, "--help"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"usage: micrograd {command} ")
    assert captured.err == ""


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_version(capsys: pytest.CaptureFixture[str], option: str) -> None:
    assert main([option]) == 0
    assert capsys.readouterr().out == f"micrograd {micrograd.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gard"], "unknown command 'gard' (one of: grad, ops, check, demo, bench, cache); did you mean 'grad'?"),
        (["--nonsense"], "unknown command '--nonsense' (one of: grad, ops, check, demo, bench, cache)"),
        (["\x1b[2J"], "unknown command '\ufffd[2J' (one of: grad, ops, check, demo, bench, cache)"),
        (["\udcff" * 1000], "unknown command '\ufffd"),
    ],
)
def test_unknown_commands(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"micrograd: error: {message}")
    assert captured.err.count("\n") == 1


# --- as a program -----------------------------------------------------------------------------------------------


def test_python_m_micrograd() -> None:
    result = run("grad", "tanh(w*x + b)", "w=0.5", "x=2", "b=-1", "--json")
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout)["gradient"] == {"w": 2.0, "x": 0.5, "b": 1.0}


def test_a_pipe_gets_no_escape_sequences() -> None:
    for arguments in (["grad", "x*x", "x=3", "--explain", "x"], ["ops"], ["demo", "--epochs", "2", "--hidden", "1"]):
        result = run(*arguments)
        assert (result.returncode, result.stderr) == (0, "")
        assert "\x1b" not in result.stdout
        assert "│" not in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["grad", "__import__('os').system('echo executed')"],
        ["grad", "-" * 10_000],
        ["grad", "(" * 10_000],
        ["grad", "x", "x=text"],
        ["nonsense"],
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments: list[str]) -> None:
    start = time.perf_counter()
    result = run(*arguments)
    assert time.perf_counter() - start < 20.0
    assert result.returncode == 2
    assert result.stdout == ""
    assert re.fullmatch("micrograd( grad)?: error: [^\n]+\n", result.stderr)


@pytest.mark.skipif(os.name != "posix", reason="arguments are bytes on POSIX systems only")
def test_bytes_that_are_not_text_are_refused() -> None:
    result = subprocess.run(
        [os.fsencode(x) for x in PROGRAM] + [b"grad", b"x + \xff", b"x=1"], capture_output=True, env=ENVIRONMENT
    )
    assert result.returncode == 2
    assert result.stderr == (
        b"micrograd grad: error: the character U+DCFF has no meaning in an expression;"
        b" names and numbers are written in ASCII (column 5)\n"
    )


def test_an_encoding_without_greek_is_no_crash() -> None:
    environment = {**ENVIRONMENT, "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    result = subprocess.run([*PROGRAM, "ops", "sum"], capture_output=True, env=environment)
    assert result.returncode == 0
    assert b"[?]" in result.stdout


@pytest.mark.skipif(os.name != "posix", reason="pipes and signals of POSIX systems")
def test_a_closed_pipe_is_quiet() -> None:
    process = subprocess.Popen(
        [*PROGRAM, "ops", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
    )
    assert process.stdout is not None
    process.stdout.close()
    _, errors = process.communicate(timeout=60)
    assert errors == b""
    assert process.returncode == 141


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full of Linux")
def test_a_full_disk_is_one_line() -> None:
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [*PROGRAM, "ops"], stdout=full, stderr=subprocess.PIPE, env=ENVIRONMENT, encoding="utf-8", check=False
        )
    assert result.returncode == 1
    assert result.stderr == "micrograd ops: error: cannot write: No space left on device\n"


@pytest.mark.skipif(os.name != "posix", reason="pipes and signals of POSIX systems")
def test_ctrl_c_is_one_line_and_exit_code_130() -> None:
    process = subprocess.Popen(
        [*PROGRAM, "demo", "--epochs", "100000", "--hidden", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        encoding="utf-8",
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("training"):
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == "micrograd demo: error: interrupted\n"


@pytest.mark.skipif(os.name != "posix", reason="terminals of POSIX systems")
def test_a_terminal_gets_a_drawn_table_and_a_bar_within_its_width() -> None:
    pty: Any = pytest.importorskip("pty")
    parent, child = pty.openpty()
    environment = {**ENVIRONMENT, "TERM": "xterm-256color", "COLUMNS": "80"}
    process = subprocess.Popen(
        [*PROGRAM, "demo", "--epochs", "3", "--hidden", "2"], stdout=child, stderr=child, stdin=child, env=environment
    )
    os.close(child)
    received = b""
    while select.select([parent], [], [], 60)[0]:
        try:
            chunk = os.read(parent, 65536)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        received += chunk
    os.close(parent)
    assert process.wait(60) == 0
    text = received.decode()
    assert "\x1b[1m" in text
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "\n")
    assert "╭──" in plain
    assert "━ 3/3 loss" in plain
    assert max(map(len, plain.split("\n"))) <= 80


# --- what cannot be caused from outside ---------------------------------------------------------------------------


def test_exit_codes_of_exceptions(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def ends_with(error: BaseException) -> int:
        def fail(arguments: Any) -> int:
            raise error

        monkeypatch.setattr(cli, "_run", fail)
        return main(["ops"])

    assert ends_with(KeyboardInterrupt()) == 130
    assert ends_with(BrokenPipeError()) == 141
    assert ends_with(OSError(28, "No space left on device")) == 1
    assert ends_with(SystemExit()) == 0
    assert ends_with(SystemExit(2)) == 2
    assert capsys.readouterr().err == (
        "micrograd ops: error: interrupted\nmicrograd ops: error: cannot write: No space left on device\n"
    )


def test_what_follows_a_failed_write_goes_nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(arguments: Any) -> int:
        raise BrokenPipeError

    monkeypatch.setattr(cli, "_run", fail)
    with open(tmp_path / "output", "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert main(["ops"]) == 141
        print("nobody reads this")
    assert (tmp_path / "output").read_text() == ""


def test_no_standard_output_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["ops", "tanh"]) == 0
    assert main(["grad", "1+1"]) == 0
