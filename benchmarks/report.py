"""What a workload found: tables and sentences; as text for the terminal, as Markdown, as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable

__all__ = ["Report", "Table", "as_json", "as_markdown", "machine", "milliseconds", "ratio", "show"]


@dataclass(frozen=True)
class Table:
    """Rows of text under columns; the first ``text_columns`` are words, the others figures."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    text_columns: int = 2


@dataclass(frozen=True)
class Report:
    """What one run of one workload found.

    Attributes:
        name: the workload's.
        title: what was measured, in one line.
        table: the figures.
        notes: sentences below the table.
        problems: what makes the figures worthless or doubtful; shown with the notes, and in the exit status.
        data: everything measured, as JSON can write it.
    """

    name: str
    title: str
    table: Table
    notes: Sequence[str]
    problems: Sequence[str] = ()
    data: dict[str, Any] = field(default_factory=dict)


def machine() -> str:
    """Name the interpreter and the machine in one line, without any path."""
    processor = platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                processor = line.partition(":")[2].strip()
                break
    interpreter = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{interpreter}, {platform.system()}, {processor}, {os.cpu_count()} cores"


def milliseconds(seconds: float | None) -> str:
    """Format a time: ``12.3 ms``; a dash for none."""
    return "-" if seconds is None else f"{seconds * 1e3:,.1f} ms"


def ratio(value: float | None) -> str:
    """Format a ratio with three figures: ``0.87``, ``12.3``; a dash for none."""
    if value is None:
        return "-"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def show(report: Report, console: Console) -> None:
    """Print a report."""
    table = RichTable(title=report.title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for number, column in enumerate(report.table.columns):
        table.add_column(column, justify="left" if number < report.table.text_columns else "right")
    for row in report.table.rows:
        table.add_row(*row)
    console.print(table)
    for note in report.notes:
        console.print(note, markup=False, highlight=False)
    for problem in report.problems:
        console.print(problem, style="bold red", markup=False, highlight=False)
    console.print()


def as_markdown(report: Report, command: str) -> str:
    """Return a report as Markdown, with the command that reproduces it and the machine it was made on."""
    bars = ["---" if number < report.table.text_columns else "--:" for number in range(len(report.table.columns))]
    lines = [report.title + ":", ""]
    lines += ["| " + " | ".join(row) + " |" for row in (report.table.columns, bars, *report.table.rows)]
    lines += ["", *[f"- {note}" for note in (*report.notes, *report.problems)]]
    lines += [f"- `{command}` on {machine()}"]
    return "\n".join(lines)


def as_json(reports: Sequence[Report], command: str) -> str:
    """Return everything that was measured, for programs."""
    documents = [
        {"workload": r.name, "title": r.title, "notes": list(r.notes), "problems": list(r.problems), **r.data}
        for r in reports
    ]
    return json.dumps({"command": command, "machine": machine(), "workloads": documents}, indent=2)
