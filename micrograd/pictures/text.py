"""What pictures do to text and numbers: user text becomes inert, long text short, and no number a false zero.

Labels are data. A control character could not stand in an SVG at all, so those of C0, lone surrogates and the two
characters that XML excludes are shown as U+FFFD. Everything else is kept as it is, and every writer escapes it in the
way of its own format.
"""

from __future__ import annotations

import math
import re

from micrograd._console import columns_of, shorten

__all__ = ["NAME_LENGTH", "SHOWN", "TITLE_LENGTH", "clean", "cut", "glyph", "number", "times", "width"]

NAME_LENGTH = 24
"""How much of a name a box shows; the tooltip has all of it."""
TITLE_LENGTH = 200
"""How much of a title a picture and a page show."""
SHOWN = 6
"""How many operands of a call stand in words."""

# C0 controls, lone surrogates, and what XML 1.0 excludes beside them.
_UNSHOWABLE = re.compile("[\x00-\x1f\ud800-\udfff\ufffe\uffff]")


def clean(text: str) -> str:
    r"""Return ``text`` with U+FFFD for each character that a picture cannot hold.

    >>> clean("a\x00b\nc") == "a\ufffdb\ufffdc"
    True
    """
    return _UNSHOWABLE.sub("\ufffd", text)


def cut(text: str, limit: int = NAME_LENGTH) -> str:
    """Return ``text``, cleaned, and cut to ``limit`` characters with ``...`` where something is missing.

    >>> cut("the loss of the first batch", 12)
    'the loss ...'
    """
    return clean(shorten(text, limit))


def number(x: float, digits: int = 4) -> str:
    """Return ``x`` with ``digits`` significant digits; whole numbers below a million in full.

    >>> number(2 / 3), number(-1.5e-9), number(123456.0), number(float("nan"))
    ('0.6667', '-1.5e-09', '123456', 'nan')
    """
    if math.isfinite(x) and abs(x) < 1e6 and x == math.floor(x):
        return f"{x:.0f}"
    return f"{x:.{digits}g}"


def glyph(x: float) -> str:
    """Return the sign of a contribution as a mark, so that it does not hang on colour alone.

    >>> glyph(0.5), glyph(-0.5), glyph(0.0), glyph(float("nan"))
    ('▲', '▼', '●', '?')
    """
    return "?" if x != x else "▲" if x > 0.0 else "▼" if x < 0.0 else "●"


def times(count: int, noun: str) -> str:
    """Return a count with its noun.

    >>> times(1, "node"), times(12345, "node")
    ('1 node', '12,345 nodes')
    """
    return f"{count:,} {noun}{'' if count == 1 else 'es' if noun.endswith('x') else 's'}"


def width(text: str) -> int:
    """Return how many columns ``text`` takes in a font of fixed width."""
    return columns_of(text)
