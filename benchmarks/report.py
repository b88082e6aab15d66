"""What a workload found: figures and sentences. How they are shown is in ``output``, which engines' processes skip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Cell", "Report", "milliseconds", "ratio", "significant"]

Cell = str | float


@dataclass(frozen=True)
class Report:
    """What one run of one workload found.

    Attributes:
        name: the workload's.
        title: what was measured, in one line.
        columns: headings; under them words or figures.
        rows: one for each engine and setting.
        notes: sentences below the table.
        problems: what makes figures worthless or doubtful; shown with the notes, and in the exit status.
        data: everything measured, as JSON can write it.
    """

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str]
    problems: Sequence[str] = ()
    data: dict[str, Any] = field(default_factory=dict)


def milliseconds(seconds: float) -> float:
    """Return a time in milliseconds, rounded for a table.

    >>> milliseconds(0.0123456), milliseconds(1.23456)
    (12.3, 1235.0)
    """
    return round(seconds * 1e3, 1 if seconds < 1.0 else 0)


def ratio(value: float) -> float:
    """Return a ratio rounded for a table.

    >>> ratio(0.8765), ratio(12.34)
    (0.88, 12.3)
    """
    return round(value, 2 if value < 10.0 else 1)


def significant(value: float) -> float:
    """Return a figure rounded to three digits, whole from 1000 on.

    >>> significant(0.0123456), significant(12.3456), significant(123456.7)
    (0.0123, 12.3, 123457.0)
    """
    return round(value) * 1.0 if value >= 1000.0 else float(f"{value:.3g}")
