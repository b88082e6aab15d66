"""What the forms of ``micrograd check`` share: replay scripts in their folder, reports as text and as JSON."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, Generic, TypeVar

from micrograd._console import error_line, json_number, say
from micrograd._files import write_atomically
from micrograd.testing.report import INCONCLUSIVE, NOT_DIFFERENTIABLE, RIGHT, WRONG, Report

__all__ = ["EXIT_CODES", "Keeper", "print_verdict", "report_as_json", "slug", "writable"]

EXIT_CODES = {RIGHT: 0, NOT_DIFFERENTIABLE: 0, WRONG: 1, INCONCLUSIVE: 2}

_STYLES = {RIGHT: "bold green", WRONG: "bold red"}
_PROGRAM = "micrograd check"
_Found = TypeVar("_Found")


class Keeper(Generic[_Found]):
    """Writes the replay script of what was found to be wrong, each time over the one before of the same run.

    It is called before anything is printed, so neither a closed pipe nor Ctrl-C loses a failing example. What another
    run left stays: the script gets a number behind its name then.

    Attributes:
        path: where the script is; ``None`` as long as there is none.
    """

    def __init__(self, folder: Path, name: str, script: Callable[[_Found], str]) -> None:
        self.path: Path | None = None
        self._folder, self._name = folder, f"replay_{slug(name)}"
        self._script = script
        self._text = ""

    def __call__(self, found: _Found) -> None:
        text = self._script(found)
        if text == self._text:
            return
        self._text = text
        target = self.path or self._free(text)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomically(target, text)
        except OSError as error:
            if self.path is None:
                error_line(_PROGRAM, f"cannot write the replay script {target}: {error.strerror or error}")
        else:
            self.path = target

    def _free(self, text: str) -> Path:
        """Return the first path that has no other script; the same one is written again."""
        for number in count(1):
            target = self._folder / f"{self._name}{f'_{number}' if number > 1 else ''}.py"
            try:
                if not target.exists() or target.read_text(encoding="utf-8") == text:
                    break
            except (OSError, UnicodeDecodeError):
                continue
        return target

    def tell(self, picture: Path | None = None) -> None:
        """Say where the script is, and the picture beside it."""
        for what, path in (("replay", self.path), ("picture", picture)):
            if path is not None:
                say(f"{what}: {path}")

    def interrupted(self) -> None:
        """Say where the script is when Ctrl-C has come."""
        if self.path is not None:
            error_line(_PROGRAM, f"a wrong gradient was found before; replay: {self.path}", file=sys.stderr)


def slug(text: str) -> str:
    """Return ``text`` as the name of a file.

    >>> slug("pkg/model.py:net.loss")
    'pkg_model_py_net_loss'
    """
    return re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")[:80] or "function"


def writable(folder: Path) -> bool:
    """Tell whether files can be written below ``folder``, which need not be there yet."""
    there = next(x for x in (folder.absolute(), *folder.absolute().parents) if x.exists())
    return there.is_dir() and os.access(there, os.W_OK)


def print_verdict(verdict: str, text: str) -> None:
    """Print the first line: the verdict in its colour, and on what."""
    say((verdict, _STYLES.get(verdict, "bold yellow")), f": {text}")


def report_as_json(report: Report | None) -> dict[str, Any] | None:
    """Return everything in a report that JSON can carry."""
    if report is None:
        return None
    culprit, figures = report.culprit, report.figures
    return {
        "verdict": report.verdict,
        "reason": report.reason,
        "function": report.function,
        "inputs": [json_number(x) for x in report.inputs],
        "oracle": report.oracle,
        "order": figures.order,
        "operations": figures.operations,
        "partials": figures.partials,
        "worst": json_number(figures.worst),
        "culprit": None
        if culprit is None
        else {
            "call": culprit.call,
            "operand": culprit.operand,
            "what": culprit.what,
            "order": culprit.order,
            "engine": json_number(culprit.engine),
            "expected": json_number(culprit.expected),
            "bound": json_number(culprit.bound),
            "oracles": list(culprit.oracles),
        },
        "program": None if report.program is None else repr(report.program),
    }
