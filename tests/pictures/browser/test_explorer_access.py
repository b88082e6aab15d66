"""Protects those who use the explorer's page in their own way: without a mouse, with a screen reader, in the dark, on a
small screen; and everyone from what stands in a label.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import Browser, started
from explorer_page import Page
from selenium.webdriver.common.keys import Keys
from support import registered

import micrograd as mg
from micrograd import Value


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as found:
        yield found


def model() -> Any:
    """Return a graph with everything: scopes in scopes, sharing, shares of all signs, a number that is not finite."""
    w, x, b = Value(0.5, label="w"), Value(-2.0, label="x"), Value(0.25, label="b")
    hidden = []
    with mg.scope("layer1"):
        for k in range(3):
            with mg.scope(f"neuron{k}"):
                hidden.append(mg.relu(w * x * (k - 1.0) + b))
    with mg.scope("layer2"):
        out = mg.sum(hidden) * b - mg.tanh(x)
    return out + mg.log(b - 0.25) * 0.0


# --- axe --------------------------------------------------------------------------------------------------------

STATES = {
    "as it opens": "",
    "half way": "document.getElementById('scrub').value = 9;"
    " document.getElementById('scrub').dispatchEvent(new Event('input'))",
    "a node selected": "document.querySelector('#table-body button').click()",
    "an operation selected": "[...document.querySelectorAll('#table-body button')].at(-1).click()",
    "an input changed": "const field = document.querySelector('#input-list input[type=number]');"
    " field.value = '7'; field.dispatchEvent(new Event('input'))",
    "scopes collapsed": "document.getElementById('collapse-all').click()",
    "neighbours only": "document.querySelector('#table-body button').click();"
    " document.getElementById('hops').value = '1';"
    " document.getElementById('hops').dispatchEvent(new Event('change'))",
    "the help open": "document.getElementById('open-help').click()",
    "a search": "const field = document.getElementById('search'); field.value = 'mul';"
    " field.dispatchEvent(new Event('input'))",
}


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing(browser: Browser, tmp_path: Path, dark: bool) -> None:
    with registered("odd", forward=lambda a: float(str(a)), vjp=(lambda g, out, a: g,)) as odd:
        root = odd(model())
    found = {}
    for state, script in STATES.items():
        Page(browser, root, tmp_path, dark=dark, digits=4)
        browser.run(script)
        found[state] = browser.violations()
        browser.expect_quiet()
    assert found == {state: [] for state in STATES}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_on_a_small_screen(browser: Browser, tmp_path: Path, dark: bool) -> None:
    browser.resize(320, 640)
    try:
        Page(browser, model(), tmp_path, dark=dark, digits=4)
        assert browser.violations() == []
        width = browser.run("return document.documentElement.scrollWidth")
        assert width <= 320  # nothing to scroll sideways for, at 400 % of zoom
    finally:
        browser.restore()


@pytest.mark.parametrize("digits", [4, 12, 17])
def test_no_text_of_the_picture_is_smaller_than_its_box(browser: Browser, tmp_path: Path, digits: int) -> None:
    """The texts that the page writes are longer than those that Python drew: they have to fit for all that."""
    page = Page(browser, model(), tmp_path, digits=digits)
    script = """
        const wide = [];
        for (const group of document.querySelectorAll("#graph g.node")) {
          const box = group.querySelector("rect").getBBox();
          for (const text of group.querySelectorAll("text:not(.mark)")) {
            const { x, width } = text.getBBox();
            const over = Math.max(box.x - x, x + width - box.x - box.width);
            if (over > 2) wide.push(`${text.textContent}: ${over}`);
          }
        }
        return wide;
    """
    found: list[str] = []
    last = page.last_step()
    for step in (0, last // 2, last):
        page.to_step(step)
        found += browser.run(script)
    assert found == []


# --- the keyboard -----------------------------------------------------------------------------------------------


def test_everything_is_reached_by_tab_and_nothing_holds_the_focus(browser: Browser, tmp_path: Path) -> None:
    page = Page(browser, model(), tmp_path, digits=4)
    page.browser.run("document.getElementById('table').open = false")
    describe = "const x = document.activeElement; return x.id || x.getAttribute('aria-label') || x.textContent.trim()"
    seen: list[str] = []
    stops = []
    for _ in range(120):
        browser.press(Keys.TAB)
        if browser.run("return document.activeElement === document.body"):
            break
        seen.append(str(browser.run(describe)))
        if browser.run("return document.activeElement.matches('svg *')"):
            stops.append(page.focused()["op"])
            assert "1" in browser.focused().accessible_name  # its gradient
        outlined = browser.run("""
            const style = getComputedStyle(document.activeElement);
            return style.outlineStyle !== "none" || style.boxShadow !== "none" ||
              document.activeElement.matches("g") || document.activeElement.matches(":focus-visible");
        """)
        assert outlined, seen[-1]
    assert seen.index("search") < seen.index("scrub")
    wanted = {"search", "hops", "zoom-in", "fit", "open-help", "play", "scrub", "speed", "follow", "reset"}
    assert wanted <= set(seen)
    assert {"w, slider", "w, value", "All nodes as a table", "collapse-all"} <= set(seen)
    assert stops == ["add"]  # the graph is one stop, at first its root
    for before in reversed(seen[-5:]):
        browser.press(Keys.TAB, holding=Keys.SHIFT)
        assert browser.run(describe) == before


def test_a_walk_without_a_mouse(browser: Browser, tmp_path: Path) -> None:
    page = Page(browser, model(), tmp_path, digits=4)
    last = page.last_step()
    browser.press(Keys.HOME)
    assert page.words().startswith("step 0 ")
    browser.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    assert page.words().startswith("step 1 ")
    assert status(browser) == page.words()  # what is seen is said
    browser.press(Keys.END)
    assert page.words().startswith(f"step {last} ")
    browser.press(" ")
    browser.wait("return document.getElementById('play').textContent === 'Pause'")
    browser.press("k")
    assert browser.run("return document.getElementById('play').textContent") == "Play"
    browser.press("/")
    assert browser.focused().get_attribute("id") == "search"
    browser.press(*"tanh", Keys.ENTER)
    assert heading(browser).startswith("tanh")
    assert "Selected: tanh" in status(browser)
    for _ in range(40):
        browser.press(Keys.TAB)
        if browser.run("return document.activeElement.matches('g.node')"):
            break
    assert page.focused()["op"] == "tanh"  # the graph is entered where the selection is
    browser.press("o")
    assert page.focused()["name"] == "x"
    browser.press("u")
    before = page.focused()
    browser.press(Keys.ARROW_DOWN)
    assert page.focused() != before
    browser.press(Keys.ARROW_UP)
    assert page.focused() == before
    assert before["op"] in browser.focused().accessible_name
    browser.press(Keys.ENTER)
    assert heading(browser).startswith(before["op"])
    browser.press("w")
    assert browser.focused().get_attribute("id") == "why"
    browser.press("b")
    assert browser.run("return document.getElementById('hops').value") == "1"
    assert browser.elements("g.node.faded")
    browser.press(Keys.ESCAPE)
    assert heading(browser) == "Selected node"
    browser.expect_quiet()


def test_a_scope_closes_and_opens_from_the_keyboard(browser: Browser, tmp_path: Path) -> None:
    Page(browser, model(), tmp_path, digits=4)
    browser.press("/", *"relu", Keys.ENTER)
    browser.run("document.querySelector('g.node.selected').focus()")
    everything = len(visible(browser))
    browser.press("c")
    assert len(visible(browser)) < everything
    cover = browser.run("return document.activeElement.closest('g.cover') !== null")
    assert cover  # the focus stays in the graph
    browser.press(Keys.ENTER)
    assert len(visible(browser)) == everything
    assert browser.run("return document.activeElement.matches('g.node')")
    browser.expect_quiet()


def test_the_help_names_every_key_and_closes(browser: Browser, tmp_path: Path) -> None:
    page = Page(browser, model(), tmp_path, digits=4)
    browser.press("?")
    assert browser.run("return document.getElementById('help').open")
    assert browser.focused().get_attribute("id") == "close-help"
    step = page.words()
    browser.press(Keys.ARROW_LEFT)
    assert page.words() == step  # the page behind does not move
    browser.press(Keys.ESCAPE)
    assert not browser.run("return document.getElementById('help').open")
    browser.press(Keys.ARROW_LEFT)
    assert page.words() != step


def test_single_letters_can_be_switched_off(browser: Browser, tmp_path: Path) -> None:
    page = Page(browser, model(), tmp_path, digits=4)
    browser.run("document.getElementById('letters').checked = false")
    browser.press("t", "k", "?", "/")
    assert browser.run("return [document.getElementById('table').open, document.getElementById('help').open]") == [
        True,
        False,
    ]
    browser.press(Keys.HOME)
    assert page.words().startswith("step 0 ")


def test_less_motion(browser: Browser, tmp_path: Path) -> None:
    Page(browser, model(), tmp_path, reduced_motion=True, digits=4)
    moving = browser.run("""
        return [...document.querySelectorAll("*")].filter((part) => {
          const style = getComputedStyle(part);
          const long = (text) => text.split(",").some((time) => parseFloat(time) > 0.01);
          return long(style.transitionDuration) || (style.animationName !== "none" && long(style.animationDuration));
        }).map((part) => part.tagName + "." + part.getAttribute("class"));
    """)
    assert moving == []


def status(browser: Browser) -> str:
    return str(browser.run("return document.getElementById('status').textContent"))


def heading(browser: Browser) -> str:
    return str(browser.element("#selected-heading").text)


def visible(browser: Browser) -> list[Any]:
    return browser.elements("#graph g.node:not(.hidden)")


# --- labels are data --------------------------------------------------------------------------------------------

HOSTILE = {
    "end of the script": "</script><script>document.title = 'taken'</script>",
    "markup": "<b onmouseover=\"document.title = 'taken'\">bold</b>",
    "an image": "<img src=x onerror=\"document.title = 'taken'\">",
    "a comment": "<!--<script>",
    "end of CDATA": "]]></svg><style>*{display:none}</style>",
    "quotes": "\" onfocus=\"document.title = 'taken'\" x='`${document.title = 'taken'}`",
    "backslashes": "\\u003c\\\\ \\n \\",
    "an entity": "&lt;b&gt; &amp;amp; &#x41;",
    "a mark of the template": "{{script}} {{data}} {title}",
    "separators of lines": "a\u2028b\u2029c",
    "right to left": "\u202e\u05d0\u05d1 desrever \u2066x",
    "emoji": "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "combining": "e\u0301\u0301\u0301\u0301",
    "a lone surrogate": "half \ud83d of it",
    "controls": "nul \x00 bell \x07 escape \x1b[31m \x7f",
    "white": " \t\n ",
    "long": "y" * 10_000,
    "long words": "m w " * 2_500,
    "__proto__": "__proto__",
    "constructor": "constructor",
}


@pytest.mark.parametrize("where", ["label", "scope", "title", "names"])
def test_hostile_texts_arrive_inert(browser: Browser, tmp_path: Path, where: str) -> None:
    total: Any = Value(1.0)
    options: dict[str, Any] = {"digits": 4}
    texts = list(HOSTILE.values()) if where != "title" else ["".join(list(HOSTILE.values())[:6])]
    values = []
    for text in texts:
        x = Value(0.5, label=text if where == "label" else "")
        if where == "scope":
            with mg.scope(text.replace("/", "-")):
                total = total * x
        else:
            total = total * x
        values.append(x)
    if where == "title":
        options["title"] = texts[0]
    if where == "names":
        options["names"] = dict(zip(texts, values))
    page = Page(browser, total, tmp_path, **options)
    assert len(browser.elements("script")) == 2
    assert browser.elements("b, img, main style, svg script, svg style, [onmouseover], [onerror], [onfocus]") == []
    assert "taken" not in str(browser.run("return document.title")).replace("document.title = 'taken'", "")
    for id in range(0, len(page.nodes), 7):
        browser.run("document.querySelectorAll('#table-body button')[arguments[0]].click()", id)
    page.to_step(3)
    page.click("collapse-all")
    browser.press("/", "b")
    assert len(browser.elements("script")) == 2
    assert browser.elements("b, img, main style") == []
    assert float(page.rows()[0][2]) == 1.0
    shown = json.dumps(page.rows())
    assert "\\u0000" not in shown
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    browser.expect_quiet()


@pytest.mark.parametrize("command", ["\u202e", "\u202d\u202e", "\u2067", "\u2069\u202e", "\u202b"])
def test_a_label_cannot_turn_the_numbers_beside_it(browser: Browser, tmp_path: Path, command: str) -> None:
    x = Value(0.31, label=f"{command}weight")
    page = Page(browser, mg.tanh(x * 2.5), tmp_path, digits=4)
    browser.run("document.querySelector('#table-body button').click()")
    script = """
        const number = /[0-9][0-9.]+/g;
        const turned = [];
        const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (walk.nextNode()) {
          const node = walk.currentNode;
          if (node.parentElement.closest("script, style")) continue;
          for (const found of node.data.matchAll(number)) {
            const left = (k) => {
              const range = document.createRange();
              range.setStart(node, found.index + k);
              range.setEnd(node, found.index + k + 1);
              return range.getBoundingClientRect();
            };
            const [first, last] = [left(0), left(found[0].length - 1)];
            if (first.top === last.top && last.left < first.left) turned.push(node.data);
          }
        }
        return turned;
    """
    assert "1.444" in page.words()
    assert browser.run(script) == []


def test_a_label_is_shown_as_it_is(browser: Browser, tmp_path: Path) -> None:
    kept = ["markup", "an entity", "backslashes", "quotes", "emoji", "an image", "__proto__", "a mark of the template"]
    leaves = [Value(1.0, label=HOSTILE[name]) for name in kept]
    page = Page(browser, mg.sum(leaves), tmp_path, digits=4)
    assert [node["name"] for node in page.nodes[:-1]] == [HOSTILE[name] for name in kept]
    for row, name in itertools.zip_longest(page.rows()[:-1], kept):
        text = HOSTILE[name]
        assert row[0] == text or (row[0].endswith("…") and text.startswith(row[0][:-1]))


def test_a_hostile_label_is_accessible_too(browser: Browser, tmp_path: Path) -> None:
    Page(browser, mg.sum([Value(1.0, label=text) for text in HOSTILE.values()]), tmp_path, digits=4)
    assert browser.violations() == []
