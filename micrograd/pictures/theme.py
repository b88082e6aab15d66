"""Colours and sizes of pictures: one palette for light, one for dark, and the style sheet that both writers share.

Text keeps a contrast of 4.5 to 1 and more on what it stands on (WCAG 2.2, AA). Blue and orange stay apart for readers
who do not tell red from green, and a sign never hangs on its colour alone: there is a glyph beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from micrograd.pictures.picture import Box
from micrograd.pictures.text import width

__all__ = ["CHARACTER", "EDGE_FONT", "FONT", "LINE", "PALETTES", "THEMES", "Theme", "size_of", "style_sheet"]

Theme = Literal["auto", "light", "dark"]
THEMES = ("auto", "light", "dark")

FONT = 12.0
"""Height of letters in boxes, in points of Graphviz, which are pixels of an SVG."""
EDGE_FONT = 10.0
LINE = 1.25
"""From one line to the next, in heights of letters."""
CHARACTER = 0.6
"""Width of a letter in a font of fixed width, in heights of letters. Courier's, and nearly that of all others."""

_PADDING = 10.0
_FAMILY = 'ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",monospace'

PALETTES: Mapping[str, Mapping[str, str]] = {
    "light": {
        "ink": "#1f2328",
        "quiet": "#57606a",
        "paper": "#ffffff",
        "box": "#f6f8fa",
        "line": "#7f8791",
        "leaf": "#fff8e6",
        "scope": "#f0f3f6",
        "positive": "#0b62c4",
        "negative": "#b54708",
        "zero": "#656d76",
        "root": "#1a7f37",
        "bad": "#cf222e",
    },
    "dark": {
        "ink": "#e6edf3",
        "quiet": "#9198a1",
        "paper": "#0d1117",
        "box": "#161b22",
        "line": "#6e7681",
        "leaf": "#2b2111",
        "scope": "#11161d",
        "positive": "#6cb2ff",
        "negative": "#ffa657",
        "zero": "#9198a1",
        "root": "#3fb950",
        "bad": "#ff7b72",
    },
}

_RULES = f"""\
text{{font:{FONT:g}px {_FAMILY};fill:var(--ink);text-anchor:middle;unicode-bidi:isolate;white-space:pre}}
.paper{{fill:var(--paper)}}
.node rect,.node ellipse{{fill:var(--box);stroke:var(--line)}}
.leaf rect,.proxy rect{{fill:var(--leaf)}}
.proxy rect{{stroke-dasharray:3 2}}
.scope>rect{{fill:var(--scope);stroke:var(--line);stroke-dasharray:5 3}}
.name{{font-weight:700}}
.op,.uses,.part,.local,.notes text{{fill:var(--quiet)}}
.edge text,.notes text{{font-size:{EDGE_FONT:g}px}}
.notes text{{text-anchor:start}}
.edge text{{stroke:var(--paper);stroke-width:3px;stroke-linejoin:round;paint-order:stroke}}
.shared rect,.shared ellipse{{stroke:var(--ink);stroke-width:1.6}}
.root rect,.root ellipse{{stroke:var(--root);stroke-width:2.2}}
.bad rect,.culprit rect,.bad ellipse{{stroke:var(--bad);stroke-width:2.6}}
.warning{{fill:var(--bad);font-weight:700}}
.line{{fill:none;stroke:var(--zero)}}
.head,.zero .share{{fill:var(--zero)}}
.positive .line{{stroke:var(--positive)}}.positive .head,.positive .share{{fill:var(--positive)}}
.negative .line{{stroke:var(--negative)}}.negative .head,.negative .share{{fill:var(--negative)}}
.culprit .line{{stroke:var(--bad);stroke-dasharray:6 3}}
.culprit .head,.culprit .local,.culprit .share{{fill:var(--bad)}}
"""


def size_of(box: Box) -> tuple[float, float]:
    """Return width and height of a box, in points, so that its lines fit."""
    columns = max((width(text) for _, text in box.lines), default=1)
    return max(40.0, columns * CHARACTER * FONT + 2 * _PADDING), len(box.lines) * LINE * FONT + _PADDING


def style_sheet(figure: str, theme: Theme) -> str:
    """Return the style sheet of the picture whose root element has the class ``figure``, and of no other on a page."""
    chosen = "dark" if theme == "dark" else "light"
    text = f".{figure}{{{_variables(chosen)}}}\n"
    if theme == "auto":
        text += f"@media (prefers-color-scheme:dark){{.{figure}{{{_variables('dark')}}}}}\n"
    for rule in _RULES.replace("}.", "}\n.").splitlines():
        selectors, _, declarations = rule.partition("{")
        text += ",".join(f".{figure} {selector}" for selector in selectors.split(",")) + "{" + declarations + "\n"
    return text


def _variables(palette: str) -> str:
    return ";".join(f"--{name}:{colour}" for name, colour in PALETTES[palette].items())
