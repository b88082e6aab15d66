"""``explore``: a graph as one HTML file that steps through the pass, says why, and computes anew when an input moves.

The file needs no network and no other file. Python draws the picture and writes the graph as JSON with its own numbers;
the operations come along as JavaScript that the compiler makes of the table, so the page knows no derivative of its
own. A Content-Security-Policy allows the one script and the one style sheet of the page, and nothing else.

The page itself is in the folder ``page``: a template, a style sheet, and plain JavaScript without a framework or a
build step. Its files are put together here, in the order in which they use one another. ``numbers``, ``naming``,
``graph``, ``pass`` and ``words`` are pure functions; ``store`` holds the one state, of which everything that is seen is
a function; all others show a part of it.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, final

from micrograd._files import write_atomically
from micrograd.engine import Value
from micrograd.pictures.checks import check_count, check_timeout, check_title
from micrograd.pictures.dot import DIRECTIONS, Direction
from micrograd.pictures.engines import TIMEOUT
from micrograd.pictures.layout import place
from micrograd.pictures.page_data import Form, forms_of, page_data
from micrograd.pictures.picture import Box, compose
from micrograd.pictures.record import Record, of_pass
from micrograd.pictures.reduction import SPAN, by_scopes, cost
from micrograd.pictures.svg import svg_source
from micrograd.pictures.text import TITLE_LENGTH, cut
from micrograd.pictures.theme import PALETTES, style_sheet

__all__ = ["Explorer", "explore"]

_ASSETS = Path(__file__).parent / "page"
_SCRIPTS = (  # in the order in which they stand in the one script of the page
    *("numbers", "naming", "graph", "pass", "words"),  # what a graph, a pass and their words are: no page
    *("dom", "elements", "picture", "camera", "folding"),
    *("transport", "inputs", "selection", "search", "table"),
    *("focus", "keys", "store", "actions", "explorer"),
)

_HEIGHT = 720  # of the frame in a notebook, in pixels
_PROXIES = 12  # a leaf used by more nodes than this is drawn at each use
_CAREFUL = 500  # boxes up to which the layout makes room for the texts of edges
_WAITING = {"data": "data not computed", "grad": "grad not computed"}
_AROUND = 14  # letters of a number's line beside its digits: "grad -1.5e-300 …" without the figures
_ENDINGS = (".html", ".htm")


@final
class Explorer:
    """A page about a graph, as ``explore`` makes it. A notebook shows it by itself.

    Attributes:
        html: the page, a whole HTML document.
        title: what it is called.
    """

    def __init__(self, title: str, html: str) -> None:
        self.title = title
        self.html = html

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page to ``path``, whole or not at all, and return the path.

        Raises ``OSError`` where there is no such folder, or the file system refuses.
        """
        target = Path(path)
        if not target.parent.is_dir():
            raise FileNotFoundError(f"there is no folder {os.fspath(target.parent)!r} to write {target.name!r} to")
        write_atomically(target, self.html)
        return target

    def __repr__(self) -> str:
        return f"<explorer of {self.title}: {len(self.html):,} characters of HTML>"

    def _repr_html_(self) -> str:
        # A frame of its own: neither the page nor the notebook can reach the other.
        return (
            f'<iframe sandbox="allow-scripts" width="100%" height="{_HEIGHT}" title="{html.escape(self.title)}"'
            f' srcdoc="{html.escape(self.html)}"></iframe>'
        )


def explore(
    root: Value,
    path: str | os.PathLike[str] | None = None,
    *,
    names: Mapping[str, Any] | None = None,
    title: str | None = None,
    digits: int = 4,
    direction: Direction = "LR",
    timeout: float | None = TIMEOUT,
) -> Explorer:
    """Return a page that steps through the pass from ``root``, and write it to ``path`` where one is given.

    The page computes the gradients of a pass of its own; no ``grad`` is read or touched.

    Args:
        root: the node whose gradient is 1; what it depends on is shown.
        path: where to write the page, ending in .html or .htm; its folder must exist. An existing file is replaced.
        names: names for nodes without a label, as ``locals()`` gives them.
        title: of the page; by default the name of the root.
        digits: significant digits of the numbers, 1 to 17.
        direction: where the arrows of the graph go: ``"LR"``, ``"RL"``, ``"TB"`` or ``"BT"``.
        timeout: how long Graphviz may take, in seconds.

    Raises ``TypeError`` for a root that is not a Value, ``TypeError`` and ``ValueError`` for other arguments that make
    no sense, ``ImportError`` (with the way to get it) where the package graphviz is missing, ``DrawingError`` where
    Graphviz is missing or takes too long and where the rule of an operation raises, ``OSError`` where the file system
    refuses.

    >>> import tempfile, pathlib
    >>> w, x = Value(0.5, label="w"), Value(2.0, label="x")
    >>> loss = (w * x - 3.0) ** 2
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = explore(loss, pathlib.Path(folder, "loss.html"), title="A loss")
    >>> page.title, page.html.startswith("<!DOCTYPE html>")
    ('A loss', True)
    """
    check_count("digits", digits, 1, 17)
    check_timeout(timeout)
    if title is not None:
        check_title(title)
    if direction not in DIRECTIONS:
        raise ValueError(f"unknown direction {direction!r} (one of: {', '.join(DIRECTIONS)})")
    if path is not None:
        _check_ending(path)
    record = of_pass(root, names, digits)
    heading = cut(title or record.title(), TITLE_LENGTH)
    forms = forms_of(record.values)
    data = page_data(record, forms, digits=digits)
    page = _page(heading, data, _drawn(record, digits, direction, timeout), forms)
    explorer = Explorer(heading, page)
    if path is not None:
        explorer.save(path)
    return explorer


def _check_ending(path: str | os.PathLike[str]) -> None:
    target = Path(path)
    if target.suffix.lower() not in _ENDINGS:
        came = repr(target.suffix) if target.suffix else f"{os.fspath(path)!r} without an ending"
        raise ValueError(f"unknown format {came} (one of: {', '.join(_ENDINGS)})")


# --- the picture ----------------------------------------------------------------------------------------------------


def _drawn(record: Record, digits: int, direction: Direction, timeout: float | None) -> str:
    plan = by_scopes(record)
    boxes, span = cost(record, plan, _PROXIES)
    picture = compose(record, plan, digits=digits, proxies=_PROXIES, legend=False)
    arrows = [replace(arrow, tooltip="") for arrow in picture.arrows]  # the page writes its own
    picture = replace(picture, boxes=[_roomy(box, digits) for box in picture.boxes], arrows=arrows, notes=())
    layout = place(picture, direction=direction, quick=boxes > _CAREFUL or span > SPAN, timeout=timeout)
    return svg_source(picture, layout, style=False)


def _roomy(box: Box, digits: int) -> Box:
    """Return ``box`` as it is before anything is computed, with room for every text that the page will put in."""
    waiting = {} if box.kind == "proxy" else {role: text.center(digits + _AROUND) for role, text in _WAITING.items()}
    return replace(box, tooltip="", lines=tuple([(role, waiting.get(role, text)) for role, text in box.lines]))


# --- the page -------------------------------------------------------------------------------------------------------


def _page(title: str, data: Mapping[str, Any], svg: str, forms: Sequence[Form]) -> str:
    style, script = _style(), _script(forms)
    parts = {
        "policy": _policy(style, script),
        "title": html.escape(title),
        "style": style,
        "picture": svg.strip(),
        "data": _inert_json(data),
        "script": script,
    }
    # One pass over the template: what is put in is not searched for marks again.
    return re.sub(r"\{\{(\w+)\}\}", lambda mark: parts[mark[1]], _asset("page.html"))


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _style() -> str:
    light, dark = (_variables(PALETTES[theme]) for theme in ("light", "dark"))
    colours = f":root{{{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
    return f"\n{colours}{style_sheet('micrograd', 'auto')}{_asset('explorer.css')}"


def _variables(palette: Mapping[str, str]) -> str:
    return ";".join(f"--{name}:{colour}" for name, colour in palette.items())


def _script(forms: Sequence[Form]) -> str:
    """Return the one script of the page: the operations of this graph, and the page's own files."""
    sources = {form.script: form.source for form in forms if form.script}
    operations = "".join(f"{json.dumps(name)}: {source},\n" for name, source in sources.items())
    files = "\n".join(_asset(f"{name}.js") for name in _SCRIPTS)
    return f'\n(() => {{\n"use strict";\nconst scripts = {{\n{operations}}};\n{files}}})();\n'


def _policy(style: str, script: str) -> str:
    """Return the policy under which the page runs: its own script and style by their hashes, and nothing else."""
    return (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}';"
        " base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _inert_json(data: object) -> str:
    r"""Return ``data`` as JSON that can stand in a ``script`` element, whatever it holds: ``<``, ``>``, ``&`` escaped.

    >>> _inert_json(["</script>"])
    '["\\u003c/script\\u003e"]'
    """
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))  # ASCII, so U+2028 is escaped too
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")
