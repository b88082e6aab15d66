"""Protects the explorer's page as a file: it is whole, asks for nothing, runs only its own script; labels are data."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from support import registered

import micrograd as mg
from micrograd import Value
from micrograd.pictures import explorer as explorer_module
from micrograd.pictures.explorer import Explorer, explore
from micrograd.pictures.record import of_pass
from micrograd.pictures.text import clean

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<!-- <script>",
    "]]></svg><style>*{display:none}</style>",
    "\"'><img src=x onerror=alert(1)>",
    "{{script}}{{data}}",
    "&lt;&#60;&amp;",
    "\u2028\u2029\u202e",
    "lone \ud800 surrogate",
    "bell \x07 null \x00 escape \x1b line\nreturn\r",
    "__proto__",
    "\\u003c\\",
)


class Reading(HTMLParser):
    """What a reader of HTML finds in a page: tags, attributes, and the texts of scripts, styles and the title."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: dict[str, list[str]] = {"script": [], "style": [], "title": [], "h1": []}
        self._open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self._open.append(tag)
        if tag in self.texts:
            self.texts[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            del self._open[len(self._open) - 1 - self._open[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in self.texts:
            self.texts[self._open[-1]][-1] += data

    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.texts["script"][0])
        return found

    def policy(self) -> str:
        (policy,) = [
            value for tag, name, value in self.attributes if (tag, name) == ("meta", "content") and "src" in value
        ]
        return policy


def neuron() -> Value:
    w, x, b = Value(0.5, label="w"), Value(-2.0, label="x"), Value(0.25, label="b")
    y: Value = mg.tanh(w * x + b * 2.0)
    y.label = "y"
    return y


def hostile() -> Value:
    total: Any = Value(1.0)
    for text in HOSTILE:
        with mg.scope(text.replace("/", "")):
            total = total + Value(2.0, label=text)
            total.label = text
    root: Value = total
    return root


def read(root: Value, **options: Any) -> Reading:
    return Reading(explore(root, **options).html)


def sums(data: dict[str, Any]) -> list[float]:
    """Return the gradients: 1 for the root, and the sums of shares for the others."""
    totals = [0.0] * len(data["nodes"])
    totals[data["root"]] = 1.0
    for consumer in data["reverse"]:
        for edge in data["edges"]:
            if edge["consumer"] == consumer:
                totals[edge["operand"]] += edge["share"]
    return totals


def texts_of(data: dict[str, Any]) -> list[str]:
    return [node["name"] for node in data["nodes"]]


# --- what the page holds ----------------------------------------------------------------------------------------


def test_the_data_are_the_graph() -> None:
    root = neuron()
    data = read(root).data()
    assert texts_of(data) == ["w", "x", "", "b", "", "", "y"]
    assert [node["op"] for node in data["nodes"]] == ["", "", "mul", "", "mul", "add", "tanh"]
    assert [node["operands"] for node in data["nodes"]][2:5] == [[0, 1], [], [3, {"number": 2.0}]]
    assert [node["script"] for node in data["nodes"]][2:] == ["mul/2", None, "mul/2", "add/2", "tanh/1"]
    assert data["nodes"][4]["call"] == "mul(b, 2)"
    assert (data["root"], data["digits"]) == (6, 4)
    assert root.grad == 0.0  # no gradient was touched
    order = mg.topological_order(root)
    root.backward()
    assert [node["data"] for node in data["nodes"]] == [node.data for node in order]
    assert sums(data) == [node.grad for node in order]
    assert [data["nodes"][id]["op"] for id in data["reverse"]] == ["tanh", "add", "mul", "mul"]


def test_edges_stand_by_consumer_and_position_and_add_up_to_the_gradients() -> None:
    x, y = Value(3.0, label="x"), Value(-0.5, label="y")
    root = x * x * y + mg.sum([x, y, x])
    data = read(root).data()
    places = [(edge["consumer"], edge["position"]) for edge in data["edges"]]
    assert places == sorted(places)
    root.backward()
    assert sums(data) == [node.grad for node in mg.topological_order(root)]


def test_numbers_that_json_does_not_have_are_texts() -> None:
    x = Value(0.0, label="x")
    data = read(mg.log(x) - mg.div(x, x) * 0.0 + mg.exp(Value(1000.0))).data()
    numbers = [node["data"] for node in data["nodes"]]
    assert {"-inf", "nan", "inf"} <= {number for number in numbers if isinstance(number, str)}


def test_an_operation_without_javascript_is_frozen_and_says_why() -> None:
    with registered("shout", forward=lambda a: float(f"{a}1"), vjp=(lambda g, out, a: g * float(str(a)),)) as shout:
        data = read(shout(Value(2.0, label="x")) * 3.0).data()
    node = data["nodes"][1]
    assert node["script"] is None
    assert "no JavaScript form" in node["frozen"]
    assert [other["frozen"] for other in data["nodes"] if other["op"] != "shout"] == ["", ""]


def test_a_script_for_each_operation_and_number_of_operands() -> None:
    x = Value(1.0)
    page = explore(mg.sum([x * x, x, x]) + mg.sum([x, x]) * x)
    for name in ("mul/2", "sum/3", "sum/2", "add/2"):
        assert page.html.count(f'"{name}": (() => {{') == 1


def test_the_picture_has_every_node_and_edge() -> None:
    reading = read(neuron())
    found = {
        name: [value for _, other, value in reading.attributes if other == name] for name in ("data-node", "data-edge")
    }
    assert sorted(map(int, found["data-node"])) == list(range(7))
    assert sorted(map(int, found["data-edge"])) == list(range(6))


# --- what the page may do ---------------------------------------------------------------------------------------


def digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@pytest.mark.parametrize("make", [neuron, hostile])
def test_the_policy_allows_the_one_script_and_the_one_style_and_nothing_else(make: Any) -> None:
    reading = read(make())
    (style,) = reading.texts["style"]
    _, script = reading.texts["script"]
    assert reading.policy().split("; ") == [
        "default-src 'none'",
        f"script-src {digest(script)}",
        f"style-src {digest(style)}",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    head = explore(neuron()).html.partition("<title>")[0]
    assert "Content-Security-Policy" in head  # before anything that it is about


def test_the_page_asks_for_nothing() -> None:
    reading = read(hostile())
    names = {name for _, name, _ in reading.attributes}
    assert names & {"src", "href", "srcset", "style", "action", "xlink:href", "background", "poster"} == set()
    assert [name for name in names if name.startswith("on")] == []
    assert {"link", "img", "iframe", "object", "embed", "base", "form", "a", "image", "use"} & set(
        reading.tags
    ) == set()
    style, script = reading.texts["style"][0], reading.texts["script"][1]
    assert re.findall(r"url\(|@import|expression\(", style) == []
    pattern = r"\b(?:eval|Function|fetch|XMLHttpRequest|WebSocket|import|localStorage|innerHTML|outerHTML)\s*[(.=]"
    assert re.findall(pattern, script) == []
    assert set(re.findall(r"\w+://[^\s\"'<>]*", explore(hostile()).html)) == {"http://www.w3.org/2000/svg"}  # a name


def test_the_page_has_one_kind_of_line_end() -> None:
    html = explore(hostile()).html
    assert "\r" not in html  # a reader of HTML would make it a line feed, and the hashes would be others
    html.encode("utf-8")


# --- labels are data --------------------------------------------------------------------------------------------


def test_hostile_labels_stay_inert_and_whole() -> None:
    plain, found = read(neuron()), read(hostile())
    assert found.tags.count("script") == plain.tags.count("script") == 2
    assert found.tags.count("style") == plain.tags.count("style") == 1
    assert set(found.tags) <= set(plain.tags)
    assert {clean(text) for text in HOSTILE} <= set(texts_of(found.data()))
    assert {clean(text.replace("/", "")) for text in HOSTILE} <= {node["scope"] for node in found.data()["nodes"]}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_title(text: str) -> None:
    reading = read(neuron(), title=text)
    assert reading.texts["h1"] == [clean(text)]
    assert reading.texts["title"][0] == f"{clean(text)} · micrograd"


def test_no_control_character_and_no_lone_surrogate_gets_through() -> None:
    html = explore(hostile(), title="\ud800\x00").html
    data = Reading(html).texts["script"][0]
    for text in (html, json.dumps(json.loads(data), ensure_ascii=False)):
        assert re.findall("[\x00-\x08\x0b-\x1f\ud800-\udfff]", text) == []


def test_names_of_variables_and_a_long_title() -> None:
    w = Value(1.0)
    loss = w * 2.0
    reading = read(loss, names={"w": w, "loss": loss}, title="t" * 1000)
    assert texts_of(reading.data()) == ["w", "loss"]
    assert len(reading.texts["h1"][0]) == 200


# --- the file and the frame -------------------------------------------------------------------------------------


def test_a_path_is_written_and_the_page_comes_back(tmp_path: Path) -> None:
    page = explore(neuron(), tmp_path / "y.html")
    assert isinstance(page, Explorer)
    assert (tmp_path / "y.html").read_text(encoding="utf-8") == page.html
    assert page.save(str(tmp_path / "z.html")) == tmp_path / "z.html"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["y.html", "z.html"]
    assert repr(page) == f"<explorer of y: {len(page.html):,} characters of HTML>"


def test_the_same_graph_gives_the_same_page() -> None:
    assert explore(neuron()).html == explore(neuron()).html


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*missing' to write 'y.html' to"):
        explore(neuron(), tmp_path / "missing" / "y.html")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "y.html").mkdir()
    with pytest.raises(OSError, match="directory"):
        explore(neuron(), tmp_path / "y.html")
    assert [file.name for file in tmp_path.rglob("*")] == ["y.html"]


def test_a_failure_on_the_way_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "y.html"
    path.write_text("old", encoding="utf-8")

    def fail(source: str, target: str) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="the disk is full"):
        explore(neuron(), path)
    assert [file.read_text(encoding="utf-8") for file in tmp_path.iterdir()] == ["old"]


def test_a_notebook_shows_the_page_in_a_frame_of_its_own() -> None:
    page = explore(neuron(), title='<y> & "z"')
    reading = Reading(page._repr_html_())
    assert reading.tags == ["iframe"]
    attributes = {name: value for _, name, value in reading.attributes}
    assert attributes["srcdoc"] == page.html
    assert attributes["sandbox"] == "allow-scripts"
    assert attributes["title"] == '<y> & "z"'


# --- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("root", [2.0, None, "loss", [Value(1.0)]])
def test_a_root_that_is_no_value(root: Any) -> None:
    with pytest.raises(TypeError, match="root is a Value, not"):
        explore(root)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"digits": 0}, ValueError, "digits is 1 or more, at most 17, not 0"),
        ({"digits": 18}, ValueError, "digits is 1 or more, at most 17, not 18"),
        ({"digits": 2.5}, TypeError, "digits is a whole number, not 2.5"),
        ({"digits": True}, TypeError, "digits is a whole number, not True"),
        ({"direction": "up"}, ValueError, "unknown direction 'up'"),
        ({"names": ["w"]}, TypeError, "names is a mapping"),
        ({"title": 5}, TypeError, "a title is text, not 5"),
        ({"timeout": "long"}, TypeError, "timeout is a number of seconds, not 'long'"),
        ({"timeout": True}, TypeError, "timeout is a number of seconds, not True"),
        ({"timeout": 0}, ValueError, "timeout is more than 0 seconds, not 0"),
        ({"path": "y.svg"}, ValueError, r"unknown format '.svg' \(one of: .html, .htm\)"),
        ({"path": ""}, ValueError, r"unknown format '' without an ending \(one of: .html, .htm\)"),
    ],
)
def test_arguments_that_make_no_sense(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        explore(neuron(), **options)


def test_a_rule_that_raises_is_named() -> None:
    def unfinished(g: Any, out: Any, a: Any) -> Any:
        raise KeyError("todo")

    with registered("wip", forward=lambda a: a, vjp=(unfinished,)) as wip:
        root = wip(Value(2.0)) * 3.0
        message = r"the derivative rule of wip raises KeyError\('todo'\); draw\(root\) shows the graph"
        with pytest.raises(mg.DrawingError, match=message) as caught:
            explore(root)
    assert isinstance(caught.value.__cause__, KeyError)


# --- the files of the page --------------------------------------------------------------------------------------


def assets() -> Sequence[Path]:
    return sorted(explorer_module._ASSETS.iterdir())


def test_every_file_of_the_page_is_used_and_short() -> None:
    scripts = {f"{name}.js" for name in explorer_module._SCRIPTS}
    assert {path.name for path in assets()} == scripts | {"page.html", "explorer.css"}
    for path in assets():
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") < 400, path.name
        assert max(map(len, text.splitlines())) <= 120, path.name
        assert "</script" not in text or path.name == "page.html"
        assert "<!--" not in text
        assert "\t" not in text
        assert "\r" not in text


def test_the_page_of_a_single_leaf() -> None:
    reading = read(Value(2.5, label="alone"))
    assert (reading.data()["reverse"], reading.data()["edges"]) == ([], [])


def test_what_the_record_notes_the_page_notes() -> None:
    x = Value(1.0)
    y = x * 2.0
    x.data = 5.0
    assert read(y).data()["notes"] == list(of_pass(y).notes)
    assert "changed since the forward pass" in read(y).data()["notes"][0]
