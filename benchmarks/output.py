"""How reports are shown: a table in the terminal, Markdown, JSON; and how Markdown gets between a file's markers."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.report import Cell, Report
from micrograd._console import number, print_table, say
from micrograd._files import write_atomically

__all__ = ["MarkerError", "as_json", "as_markdown", "check_markers", "machine", "replace_sections", "show", "write"]


def machine() -> str:
    """Name the interpreter and the machine in one line, without any path."""
    processor = platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        processor = models[0] if models else processor
    interpreter = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{interpreter}, {platform.system()}, {processor}, {os.cpu_count()} cores"


def show(report: Report) -> None:
    """Print a report."""
    print_table(report.columns, report.rows, title=report.title)
    for note in report.notes:
        say(note)
    for problem in report.problems:
        say(problem, style="bold red")
    say()


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else number(cell)


def as_markdown(report: Report, command: str) -> str:
    """Return a report as Markdown, with the command that reproduces it and the machine it was made on."""
    is_number = [any(isinstance(row[i], float) for row in report.rows) for i in range(len(report.columns))]
    table = [report.columns, ["--:" if right else "---" for right in is_number], *report.rows]
    lines = [report.title + ":", "", *["| " + " | ".join(map(_text, row)) + " |" for row in table], ""]
    lines += [f"- {note}" for note in (*report.notes, *report.problems)]
    lines += [f"- `{command}` on {machine()}"]
    return "\n".join(lines)


def as_json(reports: Sequence[Report], command: str) -> str:
    """Return everything that was measured, for programs."""
    documents = [
        {"workload": r.name, "title": r.title, "notes": list(r.notes), "problems": list(r.problems), **r.data}
        for r in reports
    ]
    return json.dumps({"command": command, "machine": machine(), "workloads": documents}, indent=2)


# --- sections of a Markdown file -----------------------------------------------------------------------------


class MarkerError(ValueError):
    """Raised for a file that does not have exactly one pair of markers, in order, for a workload."""


def replace_sections(text: str, sections: Mapping[str, str], source: str = "the text") -> str:
    r"""Return ``text`` with what is between the markers of each name replaced.

    Raises ``MarkerError``, naming ``source``, where a pair of markers is missing, doubled or in the wrong order.

    >>> replace_sections("<!-- benchmarks:e1 -->old<!-- /benchmarks:e1 -->", {"e1": "new"})
    '<!-- benchmarks:e1 -->\nnew\n<!-- /benchmarks:e1 -->'
    """
    for name, section in sections.items():
        opening, closing = f"<!-- benchmarks:{name} -->", f"<!-- /benchmarks:{name} -->"
        for marker in (opening, closing):
            if (count := text.count(marker)) != 1:
                raise MarkerError(
                    f"{source} has the marker {marker} {count} times and needs it once;"
                    f" the results go between {opening} and {closing}"
                )
        before, _, rest = text.partition(opening)
        if closing not in rest:
            raise MarkerError(f"{source} has {closing} before {opening}; exchange the two")
        text = f"{before}{opening}\n{section}\n{closing}{rest.partition(closing)[2]}"
    return text


def check_markers(path: Path, names: Iterable[str]) -> None:
    """Raise what ``write`` would raise for the file as it is, before minutes are spent on measuring."""
    replace_sections(_read(path), dict.fromkeys(names, ""), source=str(path))


def write(path: Path, sections: Mapping[str, str]) -> None:
    """Replace the sections of a file: either all of it is written, or the file stays as it was.

    Raises ``MarkerError`` as ``replace_sections`` does, ``OSError`` where the file cannot be read or written.
    """
    write_atomically(path, replace_sections(_read(path), sections, source=str(path)))


def _read(path: Path) -> str:
    with path.open(encoding="utf-8", newline="") as file:  # line ends stay what they are
        return file.read()
