"""Protects what a person reads: numbers whole and aligned, foreign text harmless, no escape sequence in a pipe."""

from __future__ import annotations

import io
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import micrograd
from micrograd import _console
from micrograd._console import (
    clean,
    error_line,
    is_terminal,
    json_number,
    number,
    paragraph,
    print_table,
    progress,
    say,
    shorten,
    table_text,
)

ESCAPE = "\x1b"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True

    def plain(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue())


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    return Terminal()


# --- numbers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (0.5, "0.5"),
        (0.1 + 0.2, "0.3"),
        (1 / 3, "0.333333"),
        (123456789.0, "123456789"),
        (1e9, "1e+09"),
        (-2.0, "-2"),
        (0.0, "0"),
        (-0.0, "-0"),
        (5e-324, "4.94066e-324"),
        (1.7976931348623157e308, "1.79769e+308"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "nan"),
        (3, "3"),
    ],
)
def test_numbers_are_short(x: float, text: str) -> None:
    assert number(x) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_no_number_is_shown_as_zero_but_zero(x: float) -> None:
    assert (float(number(x)) == 0.0) == (x == 0.0)
    assert math.isclose(float(number(x)), x, rel_tol=6e-6, abs_tol=0.0) or abs(x) > 1.797e308


@given(st.floats())
def test_json_numbers_lose_nothing(x: float) -> None:
    carried = json_number(x)
    assert isinstance(carried, str) != math.isfinite(x)
    assert repr(float(carried)) == repr(x)


# --- foreign text -----------------------------------------------------------------------------------------------


@given(st.text(st.characters()))
def test_cleaned_text_has_nothing_that_commands_a_terminal(text: str) -> None:
    cleaned = clean(text)
    assert len(cleaned) == len(text)
    cleaned.encode()  # no lone surrogates
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", cleaned)


def test_harmless_text_stays() -> None:
    text = "σ(w·x + b) 日本 👩‍🔬 é"
    assert clean(text) == text


def test_shorten_cuts_at_the_limit() -> None:
    assert shorten("x" * 60) == "x" * 60
    assert shorten("x" * 61) == "x" * 57 + "..."


# --- tables -----------------------------------------------------------------------------------------------------


def test_decimal_points_stand_below_one_another() -> None:
    rows: list[list[str | float]] = [["w", 0.5], ["long name", -123.25], ["tiny", 1e-9], ["n", math.nan], ["i", 7.0]]
    lines = table_text(["name", "gradient"], rows).split("\n")
    assert lines == [
        "name       gradient",
        "---------  --------",
        "w             0.5",
        "long name  -123.25",
        "tiny          1e-09",
        "n           nan",
        "i             7",
    ]


def test_an_ellipsis_may_stand_among_numbers_but_other_text_makes_a_column_of_text() -> None:
    assert table_text(["n"], [[10.5], ["..."], [3]]).split("\n") == ["   n", "----", "10.5", " ...", " 3"]
    assert table_text(["n"], [[10.5], ["none"]]).split("\n") == ["n", "----", "10.5", "none"]
    assert table_text(["n"], [["..."], [""]]).split("\n") == ["n", "---", "...", ""]


def test_title_footer_and_no_rows() -> None:
    assert table_text(["a", "bc"], [], title="t", footer="x\ny") == "t\na  bc\n-  --\nx\ny"


def test_wide_characters_take_two_columns_and_combining_marks_none() -> None:
    lines = table_text(["name", "x"], [["日本", 1], ["e\u0301", 2], ["abcd", 3]]).split("\n")
    assert lines[2:] == ["日本  1", "e\u0301     2", "abcd  3"]


def test_user_text_in_a_table_is_data() -> None:
    text = table_text(["[bold]name"], [["a\nb\x1b[31m\ud800"]], title="t\tt")
    assert text == "t\ufffdt\n[bold]name\n----------\na\ufffdb\ufffd[31m\ufffd"


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="a row of 1 cells came for 2 columns"):
        table_text(["a", "b"], [[1.0]])


def test_a_table_for_a_pipe_is_plain_text() -> None:
    stream = io.StringIO()
    print_table(["name", "x"], [["[red]w[/red]", 0.5]], title="t", footer="f", file=stream)
    assert stream.getvalue() == table_text(["name", "x"], [["[red]w[/red]", 0.5]], title="t", footer="f") + "\n"


def test_a_table_on_a_terminal_is_drawn_and_its_text_is_still_data(terminal: Terminal) -> None:
    rows: list[list[str | float]] = [["[red]w[/red]", 0.5], [":smile: \x1b[2J", -12.25]]
    print_table(["name", "x"], rows, title="[b]t", footer="[i]f", file=terminal)
    assert ESCAPE in terminal.getvalue()
    assert terminal.plain().split("\n") == [
        "[b]t",
        "╭──────────────┬────────╮",
        "│ name         │      x │",
        "├──────────────┼────────┤",
        "│ [red]w[/red] │   0.5  │",
        "│ :smile: \ufffd[2J │ -12.25 │",
        "╰──────────────┴────────╯",
        "[i]f",
        "",
    ]


@pytest.mark.parametrize("width", [1, 5, 20, 40])
def test_a_narrow_terminal_folds_text_and_never_cuts_a_number(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    rows: list[list[str | float]] = [["a long name " * 5, 1.23456e-300, -1.23456e300]] * 2
    print_table(["name", "gradient", "value"], rows, file=terminal)
    assert terminal.plain().count("│ 1.23456e-300 │ -1.23456e+300 │") == 2
    assert terminal.plain().count("long") == 10


# --- lines ------------------------------------------------------------------------------------------------------


def test_lines_are_plain_in_a_pipe_and_styled_on_a_terminal(terminal: Terminal) -> None:
    stream = io.StringIO()
    for file in (stream, terminal):
        say("one", ("[b]two[/b]", "bold"), "\nthree", style="red", indent=2, file=file)
        say(file=file)
    assert stream.getvalue() == "  one[b]two[/b]\n  three\n\n"
    assert [line.rstrip() for line in terminal.plain().split("\n")] == ["  one[b]two[/b]", "  three", "", ""]
    assert terminal.getvalue().count(ESCAPE) > 2


def test_paragraphs_are_folded_to_the_terminal(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    paragraph("a gradient is a sum with one term for every use", file=terminal)
    assert terminal.plain() == "a gradient is a sum\nwith one term for\nevery use\n\n"


def test_an_error_is_one_line_of_bounded_length() -> None:
    stream = io.StringIO()
    error_line("micrograd grad", "first\nsecond\x00\x1b[31m" + "x" * 10_000, file=stream)
    assert stream.getvalue().startswith("micrograd grad: error: first second\ufffd\ufffd[31mxxx")
    assert stream.getvalue().count("\n") == 1
    assert len(stream.getvalue()) < 600


# --- progress ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("total", "steps"), [(1, [1]), (3, [1, 2, 3]), (100, [1, 15, 29, 43, 58, 72, 86, 100])])
def test_progress_in_a_pipe_is_a_few_lines_with_the_first_and_the_last(total: int, steps: list[int]) -> None:
    stream = io.StringIO()
    with progress("training", total, file=stream) as advance:
        for i in range(total):
            advance(f"loss {i}\x1b[2J")
    lines = stream.getvalue().split("\n")[:-1]
    assert [int(line.split("/")[0].split()[-1]) for line in lines] == steps
    assert lines[-1] == f"training {total}/{total}  loss {total - 1}\ufffd[2J"


def test_progress_on_a_terminal_is_a_bar(terminal: Terminal) -> None:
    with progress("training", 4, file=terminal) as advance:
        for i in range(4):
            advance(f"loss [b]{i}\x07")
    last = terminal.plain().rstrip("\n").split("\n")[-1]
    assert re.search("training ━+ 4/4 loss \\[b\\]3\ufffd 0:00:0", last)


def test_a_failure_inside_progress_passes_through(terminal: Terminal) -> None:
    def work(file: io.StringIO) -> None:
        with progress("training", 4, file=file) as advance:
            advance("")
            raise KeyboardInterrupt

    for file in (terminal, io.StringIO()):
        with pytest.raises(KeyboardInterrupt):
            work(file)


# --- where the output goes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dumb", "unknown"])
def test_a_terminal_that_knows_no_commands_gets_plain_text(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("TERM", name)
    print_table(["x"], [[1.0]], file=terminal)
    assert terminal.getvalue() == "x\n-\n1\n"


def test_no_output_at_all_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert not is_terminal()
    say("nobody hears this")
    print_table(["x"], [[1.0]])


def test_rich_is_loaded_only_for_a_terminal() -> None:
    program = (
        "import io, sys, micrograd\n"
        "from micrograd import _console\n"
        "_console.print_table(['x'], [[1.0]])\n"
        "print('rich' in sys.modules)"
    )
    root = Path(micrograd.__file__).parents[1]
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
        check=True,
    )
    assert result.stdout == "x\n-\n1\nFalse\n"


def test_all_is_what_the_module_offers() -> None:
    assert all(callable(getattr(_console, name)) for name in _console.__all__ if name != "Cell")
