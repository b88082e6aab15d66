"""A line that tells how far a run has come: a bar in a terminal, one line per stage elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

__all__ = ["Display", "display"]


@dataclass
class Display:
    """Shows runs as they start; ``start`` and ``tick`` fit ``rounds.Session``."""

    console: Console
    bar: Progress | None = None
    _task: TaskID | None = field(default=None, init=False)
    _stage: str = field(default="", init=False)

    def start(self, total: int) -> None:
        """Announce how many runs are to come."""
        if self.bar is not None:
            self._task = self.bar.add_task("", total=total)

    def tick(self, text: str) -> None:
        """Tell which run starts now, as ``"stage: run"``."""
        if self.bar is not None and self._task is not None:
            self.bar.update(self._task, description=text, advance=1)
        elif (stage := text.partition(":")[0]) != self._stage:
            self._stage = stage
            self.console.print(stage, markup=False, highlight=False)


@contextmanager
def display(quiet: bool) -> Iterator[Display]:
    """Return a display on standard error, where it does not mix with the results; ``quiet`` shows nothing."""
    console = Console(stderr=True, quiet=quiet)
    if quiet or not console.is_terminal:
        yield Display(console)
        return
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True) as bar:
        yield Display(console, bar)
