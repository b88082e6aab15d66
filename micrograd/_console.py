"""Everything that micrograd writes to a terminal: tables, progress, one-line errors, numbers.

On a terminal there is colour and box drawing; into a pipe or a file goes plain text without one escape sequence. Text
that came from outside (labels, expressions) is data: rich's markup in it is not interpreted, and characters that would
command the terminal are shown as U+FFFD. Numbers are never wrapped and never cut.

rich is imported inside functions, where something is drawn on a terminal: ``import micrograd`` passes through this
module, because an account prints itself as a table, and would be twice as slow with rich.
"""

from __future__ import annotations

import math
import os
import sys
import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "Cell",
    "clean",
    "columns_of",
    "error_line",
    "is_terminal",
    "json_number",
    "number",
    "paragraph",
    "print_table",
    "progress",
    "say",
    "shorten",
    "table_text",
]

Cell = str | float  # an int is a float to a type checker

_GAP = "  "
_ELLIPSES = ("", "...", "…")  # what a column of numbers may hold beside numbers
# Line ends, and the controls that reverse the direction of text: "Cf" as a whole would break joined emoji.
_COMMANDS = frozenset("\u2028\u2029\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_REPORTS = 8  # lines of progress where there is no terminal


def number(x: float) -> str:
    """Return ``x`` as tables show it: about six significant digits, whole numbers in full, and never a false zero.

    >>> number(1 / 3), number(1e-300), number(1234567.0), number(float("nan"))
    ('0.333333', '1e-300', '1234567', 'nan')
    """
    if math.isfinite(x) and x == math.floor(x) and abs(x) < 1e9:
        return f"{x:.0f}"
    return f"{x:.6g}"


def json_number(x: float) -> float | str:
    """Return ``x`` as JSON can carry it: the exact float, or ``"nan"``, ``"inf"``, ``"-inf"``.

    >>> json_number(0.1), json_number(float("-inf"))
    (0.1, '-inf')
    """
    return x if math.isfinite(x) else str(x)


def clean(text: str) -> str:
    r"""Return ``text`` with every character that could command a terminal replaced by U+FFFD.

    These are the control characters (line ends among them), lone surrogates, and the marks that turn the direction of
    text around.

    >>> clean("b\x1b[2J") == "b\ufffd[2J"
    True
    """
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs") or c in _COMMANDS else c for c in text)


def shorten(text: str, limit: int = 60) -> str:
    """Return ``text`` cut to ``limit`` characters, with ``...`` where something is missing.

    >>> shorten("a + b + c + d", 8)
    'a + b...'
    """
    return text if len(text) <= limit else text[: limit - 3] + "..."


def is_terminal(file: TextIO | None = None) -> bool:
    """Tell whether ``file`` (standard output, if not given) is a terminal that can show more than plain text."""
    stream = sys.stdout if file is None else file
    if stream is None or stream.closed or not stream.isatty():  # pythonw and daemons have no standard output
        return False
    return os.environ.get("TERM", "") not in ("dumb", "unknown")


# --- tables -----------------------------------------------------------------------------------------------------


def table_text(
    columns: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    title: str | None = None,
    footer: str | None = None,
) -> str:
    """Return a table as plain text, without a line end after the last line.

    Args:
        columns: the headings.
        rows: cells; a float is shown as ``number`` shows it, a text as it is but for control characters. A column of
            numbers (in which a text may only be empty or an ellipsis) has its decimal points below one another.
        title: a line above the table.
        footer: lines below it.

    Raises ``ValueError`` for a row of another length than the headings.

    >>> print(table_text(["name", "gradient"], [["w", 2.0], ["b", -0.25]], title="tanh(w + b)"))
    tanh(w + b)
    name  gradient
    ----  --------
    w         2
    b        -0.25
    """
    table = _Table(columns, rows)
    lines = [] if title is None else [clean(title)]
    lines += table.lines()
    if footer is not None:
        lines += [clean(line) for line in footer.split("\n")]
    return "\n".join(lines)


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    title: str | None = None,
    footer: str | None = None,
    file: TextIO | None = None,
) -> None:
    """Print a table: drawn on a terminal, as ``table_text`` anywhere else. The arguments are those of ``table_text``.

    On a narrow terminal long texts fold; where even that is not enough, lines run over the edge, because half a number
    is worse than a broken line.
    """
    if not is_terminal(file):
        print(table_text(columns, rows, title=title, footer=footer), file=file)
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = _Table(columns, rows)
    drawn = Table(box=box.ROUNDED, header_style="bold", border_style="dim", pad_edge=True)
    least = 1
    for width, numeric in zip(table.widths, table.numeric):
        fixed = width if numeric else min(width, 12)
        least += fixed + 3
        drawn.add_column(style="cyan" if numeric else "", no_wrap=numeric, min_width=fixed, overflow="fold")
    for column, heading in zip(drawn.columns, table.padded(table.headings)):
        column.header = Text(heading)
    for row in table.rows:
        drawn.add_row(*(Text(cell, style="dim" if cell.strip() in _ELLIPSES else "") for cell in table.padded(row)))
    if title is not None:
        say(title, style="bold", file=file)
    console = _terminal(file)
    console.width = max(least, console.width)
    console.print(drawn)
    if footer is not None:
        say(footer, style="dim", file=file)


class _Table:
    """Cells as text, with the decimal points of each column of numbers below one another."""

    def __init__(self, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
        self.headings = [clean(heading) for heading in columns]
        given = [list(row) for row in rows]
        for row in given:
            if len(row) != len(self.headings):
                raise ValueError(f"a row of {len(row)} cells came for {len(self.headings)} columns: {row!r}")
        self.numeric, shown = [], []
        for index in range(len(self.headings)):
            cells = [row[index] for row in given]
            numeric = any(not isinstance(cell, str) for cell in cells) and all(
                not isinstance(cell, str) or cell in _ELLIPSES for cell in cells
            )
            texts = [clean(cell) if isinstance(cell, str) else number(cell) for cell in cells]
            self.numeric.append(numeric)
            shown.append(_aligned(texts) if numeric else texts)
        self.widths = [max(map(columns_of, [h, *cells])) for h, cells in zip(self.headings, shown)]
        self.rows = list(zip(*shown)) if given else []

    def lines(self) -> list[str]:
        rules = ["-" * width for width in self.widths]
        return [_GAP.join(self.padded(row)).rstrip() for row in (self.headings, rules, *self.rows)]

    def padded(self, row: Sequence[str]) -> list[str]:
        """Return the cells of ``row`` in the width of their columns: numbers flush right, texts flush left.

        rich is given these too: it would strip the spaces that keep decimal points below one another.
        """
        spaces = [" " * (width - columns_of(cell)) for cell, width in zip(row, self.widths)]
        return [space + cell if flush else cell + space for cell, space, flush in zip(row, spaces, self.numeric)]


def _aligned(numbers: Sequence[str]) -> list[str]:
    """Pad numbers on the right so that, set flush right, their decimal points (or last digits) line up."""
    tails = [len(text) - min([i for i, c in enumerate(text) if c in ".e"], default=len(text)) for text in numbers]
    # "e" opens the exponent of 1e-09; there is none in "nan" and "inf", and an ellipsis stays where it is.
    longest = max(tail for tail, text in zip(tails, numbers) if text not in _ELLIPSES)
    return [text if text in _ELLIPSES else text + " " * (longest - tail) for tail, text in zip(tails, numbers)]


def columns_of(text: str) -> int:
    """Return how many columns ``text`` takes on a terminal: wide characters two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(c) in ("Mn", "Me", "Cf") else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


# --- lines ------------------------------------------------------------------------------------------------------


def say(*parts: str | tuple[str, str], style: str = "", indent: int = 0, file: TextIO | None = None) -> None:
    """Print lines of text; on a terminal in rich's ``style``, and a part that comes with its own style in that.

    Lines that are folded on a terminal keep their ``indent``.

    >>> say(("tanh(a)", "bold"), "   hyperbolic tangent")
    tanh(a)   hyperbolic tangent
    """
    styled = [(part, "") if isinstance(part, str) else part for part in parts]
    cleaned = [("\n".join(map(clean, text.split("\n"))), own) for text, own in styled]
    if not is_terminal(file):
        print(textwrap.indent("".join(text for text, _ in cleaned), " " * indent), file=file)
        return
    from rich.padding import Padding
    from rich.text import Text

    line = Text.assemble(*cleaned, style=style)
    # Only where there is an indent: padding swallows an empty line.
    _terminal(file).print(Padding(line, (0, 0, 0, indent), expand=False) if indent else line)


def paragraph(text: str, *, style: str = "", file: TextIO | None = None) -> None:
    """Print running text, folded to the width of the terminal but to no more than 80 columns, and an empty line.

    >>> paragraph("The gradient of a node is a sum, "
    ...           "with one term for every use of the node. A shared bias is used once by every sample.")
    The gradient of a node is a sum, with one term for every use of the node. A
    shared bias is used once by every sample.
    <BLANKLINE>
    """
    width = min(80, _terminal(file).width) if is_terminal(file) else 80
    say(textwrap.fill(text, width - 1, break_on_hyphens=False) + "\n", style=style, file=file)


def error_line(program: str, message: str, *, file: TextIO | None = None) -> None:
    r"""Print ``program: error: message`` as one line of bounded length on standard error.

    >>> import sys
    >>> error_line("micrograd grad", "no value for b\n", file=sys.stdout)
    micrograd grad: error: no value for b
    """
    line = shorten(" ".join(message.split()), 500)
    print(f"{program}: error: {clean(line)}", file=sys.stderr if file is None else file)


# --- progress ---------------------------------------------------------------------------------------------------


@contextmanager
def progress(what: str, total: int, *, file: TextIO | None = None) -> Iterator[Callable[[str], None]]:
    """Show how far ``total`` steps of long work have come: a bar on a terminal, a few plain lines anywhere else.

    Gives a function to call after each step with the figures of that step.

    >>> with progress("training", 2) as advance:
    ...     for epoch in range(2):
    ...         advance(f"loss {0.5 ** epoch}")
    training 1/2  loss 1.0
    training 2/2  loss 0.5
    """
    if is_terminal(file):
        with _bar(clean(what), total, _terminal(file)) as advance:
            yield advance
        return
    digits = len(str(total))
    shown = {1, *(math.ceil(total * i / (_REPORTS - 1)) for i in range(1, _REPORTS))}
    done = 0

    def report(figures: str = "") -> None:
        nonlocal done
        done += 1
        if done in shown:
            print(f"{clean(what)} {done:{digits}}/{total}  {clean(figures)}".rstrip(), file=file, flush=True)

    yield report


@contextmanager
def _bar(what: str, total: int, console: Console) -> Iterator[Callable[[str], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}", markup=False, style="cyan"),
        TimeElapsedColumn(),
        console=console,
        expand=True,
    ) as bar:
        task = bar.add_task(what, total=total, figures="")

        def advance(figures: str = "") -> None:
            bar.update(task, advance=1, figures=clean(figures))

        yield advance


def _terminal(file: TextIO | None) -> Console:
    from rich.console import Console

    # highlight=False: rich would otherwise colour whatever looks like a number or a path inside text.
    return Console(file=file, highlight=False, soft_wrap=False)
