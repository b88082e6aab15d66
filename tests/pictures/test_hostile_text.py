"""Protects the reader from text: whatever a label, a scope, an operation or a title holds, it arrives as that text.

Everything is read back with a real XML parser, from our own SVG and from the one that Graphviz makes of the DOT text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support import registered
from svg_reading import NAMESPACE, boxes, edges, frames, notes

import micrograd as mg
from micrograd import Value
from micrograd.pictures.drawing import Drawing
from micrograd.pictures.engines import rendered
from micrograd.pictures.text import NAME_LENGTH

HOSTILE = [
    "</script>",
    "<script>alert(1)</script>",
    "<b>",
    "<b>bold</b>",
    "<<b>x</b>>",
    "&",
    "&amp;",
    "&lt;",
    "&#60;",
    "&nbsp;",
    "&#x110000;",
    '"',
    "'",
    '\\"',
    "\\",
    "\\\\",
    "tail\\",
    "\\N",
    "\\G",
    "\\L",
    "\\E",
    "\\l\\r\\n",
    "{|}",
    "{a|<port>b}",
    "two\nlines\r\n",
    "\ttab",
    "]]>",
    "<!-- -->",
    "\u05d0\u05d1\u05d2 abc",
    "\u202eabc\u202c",
    "\u200f\u2066x",
    "\U0001f600\U0001f469\u200d\U0001f4bb",
    "e\u0301" * 30,
    "\uff37\uff29\uff24\uff25" * 10,
    "\x00",
    "a\x00b\x1b[2J\x7f\x9b",
    "\ud800",
    "x\udfffy",
    "\ufeff\ufffe\uffff",
    "\u2028\x85",
    "z" * 10_000,
    "&" * 10_000,
    "\\" * 10_000,
    "  two  spaces  ",
    "cluster_0",
    "n0",
    "node",
    "Graph",
    "digraph",
    "strict",
    "->",
    "-1.5",
    "//",
    "javascript:alert(1)",
    "url(https://example.org)",
    'x" URL="https://example.org',
    'x" onload="alert(1)',
    "%s{0}",
]

texts = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(codec=None), min_size=1, max_size=40))


def shown(text: str) -> str:
    """Return what a reader is to see of ``text``, said independently of the code under test."""
    return "".join(
        "\ufffd" if ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 or ord(c) in (0xFFFE, 0xFFFF) else c for c in text
    )


def short(text: str) -> str:
    return shown(text) if len(text) <= NAME_LENGTH else shown(text[: NAME_LENGTH - 3]) + "..."


def drawing_of(labels: Sequence[str], scope: str = "", title: str = "") -> Drawing:
    """Return the drawing of a sum of leaves, one for each label, in a scope."""

    def build() -> Value:
        total: Value = mg.sum([Value(1.0, label=label) for label in labels])
        return total

    if not scope.strip("/"):
        return mg.draw(build(), title=title)
    with mg.scope(scope):
        return mg.draw(build(), title=title)


def assert_inert(svg: str) -> None:
    """Check that an SVG has nothing but shapes and texts: no link, no script, no id, nothing that is fetched."""
    allowed = {"svg", "style", "rect", "ellipse", "g", "title", "path", "text"}
    attributes = {"class", "width", "height", "viewBox", "role", "aria-label", "transform", "d", "x", "y", "rx", "ry"}
    attributes |= {"cx", "cy", "stroke-width", "data-scope", "data-node", "data-edge", "data-tail", "data-head"}
    for element in ElementTree.fromstring(svg).iter():
        assert element.tag.removeprefix(NAMESPACE) in allowed
        assert set(element.attrib) <= attributes
    (sheet,) = ElementTree.fromstring(svg).findall(f"{NAMESPACE}style")
    assert not re.search(r"url|import|expression|@(?!media)", sheet.text or "")


@given(st.lists(texts, min_size=1, max_size=6), texts, texts)
@example(HOSTILE, "a/</title>/b", "</svg>")
@example(["x"], "s", "&" * 10_000)
@settings(max_examples=30)
def test_svg_shows_the_same_text(labels: list[str], scope: str, title: str) -> None:
    drawing = drawing_of(labels, scope, title)
    svg = drawing.svg
    assert_inert(svg)
    leaves = [shape for shape in boxes(svg) if "leaf" in shape.classes]
    assert [shape.text("name") for shape in leaves] == [short(label) for label in labels]
    for label, shape in zip(labels, leaves):
        assert shape.tooltip.startswith(f"{shown(label)}; a leaf; data 1.0")
    parts = [shown(part) for part in scope.split("/") if part]
    assert [shape.tooltip for shape in frames(svg)] == ["/".join(parts[: k + 1]) for k in range(len(parts))]
    assert [shape.text("name") for shape in frames(svg)] == [short(part) for part in parts]
    called = shown(title) if len(title) <= 200 else shown(title[:197]) + "..."
    assert ElementTree.fromstring(svg).get("aria-label") == f"Graph of {called}"
    assert notes(svg)[0] == called
    assert re.fullmatch(r"<drawing of [^\x00-\x1f\ud800-\udfff]*: \d+ boxes>", repr(drawing))
    svg.encode()


@given(st.lists(texts, min_size=1, max_size=6), texts)
@example(HOSTILE, "a/</title>/b\\N")
@settings(max_examples=30)
def test_graphviz_shows_the_same_text(labels: list[str], scope: str) -> None:
    dot = drawing_of(labels, scope).dot
    root = ElementTree.fromstring(rendered(dot, "svg"))
    spaces = str.maketrans({"\xa0": " "})  # Graphviz keeps runs of spaces by making some of them wider ones
    found = [(text.text or "").translate(spaces) for text in root.iter(f"{NAMESPACE}text")]
    tooltips = [
        (a.get("{http://www.w3.org/1999/xlink}title") or "").translate(spaces) for a in root.iter(f"{NAMESPACE}a")
    ]
    for label in labels:
        seen = short(label).translate(spaces)
        # A line of nothing but spaces is no text in Graphviz's SVG.
        assert not seen.strip() or seen in found
        cut = label in ("&" * 10_000, "\\" * 10_000)
        start = shown(label)[:390] if cut else f"{shown(label)}; a leaf"
        assert any(tooltip.startswith(start.translate(spaces)) for tooltip in tooltips)
    assert len(list(root.iter(f"{NAMESPACE}script"))) == 0
    assert {a.get("{http://www.w3.org/1999/xlink}href") for a in root.iter(f"{NAMESPACE}a")} <= {None}


@pytest.mark.parametrize("engine", ["dot", "pygraphviz"])
def test_every_engine_takes_all_of_it(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if engine == "pygraphviz":
        pytest.importorskip("pygraphviz")
        monkeypatch.setenv("PATH", "")
    drawing = drawing_of(HOSTILE, "/".join(text for text in HOSTILE if "/" not in text)[:3000], "title")
    assert [shape.text("name") for shape in boxes(drawing.svg)][:-1] == [short(label) for label in HOSTILE]
    root = ElementTree.fromstring(rendered(drawing.dot, "svg"))
    found = {(text.text or "").replace("\xa0", " ") for text in root.iter(f"{NAMESPACE}text")}
    assert {short(label) for label in HOSTILE} <= found


@given(texts.filter(str.strip))
@settings(max_examples=25)
def test_symbols_of_operations_are_text_too(symbol: str) -> None:
    rule = lambda g, out, a, b: g
    with registered("hostile_op", forward=lambda a, b: a + b, vjp=(rule, rule), symbol=symbol) as op:
        x = Value(1.0, label="x")
        for style in ("boxes", "bipartite"):
            svg = mg.draw(op(x, x), style=style).svg
            assert_inert(svg)
            assert short(symbol) in [shape.text("op") for shape in boxes(svg)]


def test_names_of_variables_are_text_too() -> None:
    x, y = Value(1.0), Value(2.0)
    svg = mg.draw(x * y, names={"</title><b>": x, "table": {"]]>\x00\ud800": y}}).svg
    assert_inert(svg)
    assert [shape.text("name") for shape in boxes(svg)][:2] == ["</title><b>", "table[']]>\\x00\\ud800']"]


def test_a_label_is_cut_in_the_box_and_whole_in_the_tooltip() -> None:
    label = "abcdefghij" * 1000
    svg = drawing_of([label]).svg
    (shape, _) = boxes(svg)
    assert shape.text("name") == "abcdefghijabcdefghija..."
    assert shape.tooltip == f"{label}; a leaf; data 1.0; gradient not computed"
    (arrow,) = edges(svg)
    assert len(arrow.tooltip) < 200  # not once more at each use


def test_a_tooltip_that_graphviz_could_not_read_is_cut_there() -> None:
    with mg.scope("s" * 10_000):
        x = Value(1.0, label="&" * 10_000)
    drawing = mg.draw(x)
    assert boxes(drawing.svg)[0].tooltip.count("&") == 10_000
    assert max(len(line.encode()) for line in drawing.dot.splitlines()) < 17_000
    assert b"&amp;&amp;&amp;..." in rendered(drawing.dot, "svg")


def test_two_drawings_on_one_page_leave_one_another_alone() -> None:
    first, second = mg.draw(Value(1.0), theme="dark").svg, mg.draw(Value(2.0), theme="light").svg
    names = []
    for svg in (first, second):
        root = ElementTree.fromstring(svg)
        (name,) = set((root.get("class") or "").split()) - {"micrograd"}
        names.append(name)
        sheet = root.findtext(f"{NAMESPACE}style") or ""
        rules = re.sub(r"@media[^{]*\{(.*)\}", r"\1", sheet)
        for selectors in re.findall(r"([^{}]+)\{[^}]*\}", rules):
            assert all(part.strip().startswith(f".{name}") for part in selectors.split(","))
        assert "id=" not in svg
    assert names[0] != names[1]
