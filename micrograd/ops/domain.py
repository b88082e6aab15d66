"""Where an operation is defined: unions of intervals, written as a textbook writes them.

>>> domain = Domain.parse("(-inf, 0) | (0, inf)")
>>> domain.contains(2.0), domain.contains(0.0)
(True, False)
>>> print(domain)
(-inf, 0) | (0, inf)
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

__all__ = ["REALS", "Domain", "Interval"]

_INTERVAL = re.compile(r"\s*([\[(])\s*([^,\s]+)\s*,\s*([^,\s]+)\s*([\])])\s*")


@dataclass(frozen=True)
class Interval:
    """The real numbers between ``low`` and ``high``; each end belongs to it or not."""

    low: float
    high: float
    low_closed: bool = False
    high_closed: bool = False

    def contains(self, x: float) -> bool:
        """Tell whether ``x`` lies in the interval (nan lies in none)."""
        above = self.low <= x if self.low_closed else self.low < x
        below = x <= self.high if self.high_closed else x < self.high
        return above and below

    def __str__(self) -> str:
        left = "[" if self.low_closed else "("
        right = "]" if self.high_closed else ")"
        return f"{left}{self.low:g}, {self.high:g}{right}"


@dataclass(frozen=True)
class Domain:
    """A union of intervals, for one operand."""

    intervals: tuple[Interval, ...]

    @classmethod
    def parse(cls, text: str) -> Domain:
        """Read ``"(0, inf)"`` or ``"(-inf, 0) | (0, inf)"``.

        Raises ``ValueError`` for anything else, empty intervals included.
        """
        intervals = []
        for part in text.split("|"):
            match = _INTERVAL.fullmatch(part)
            try:
                if match is None:
                    raise ValueError
                low, high = float(match[2]), float(match[3])
                if math.isnan(low) or math.isnan(high) or low >= high:
                    raise ValueError
            except ValueError:
                raise ValueError(
                    f"domain {text!r} is not a union of intervals such as '(0, inf)' or '[-1, 1]'"
                ) from None
            intervals.append(Interval(low, high, match[1] == "[", match[4] == "]"))
        return cls(tuple(intervals))

    def contains(self, x: float) -> bool:
        """Tell whether ``x`` lies in one of the intervals."""
        return any(interval.contains(x) for interval in self.intervals)

    def __str__(self) -> str:
        return " | ".join(map(str, self.intervals))


REALS = Domain((Interval(-math.inf, math.inf),))
