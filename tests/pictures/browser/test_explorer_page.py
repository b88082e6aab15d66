"""Protects the explorer's page as a file: it needs nothing beside itself, lets nothing in, and works in the frame of a
notebook, with a mouse, and when the graph is large.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import Browser, started
from explorer_page import Page
from selenium.webdriver.common.action_chains import ActionChains

import micrograd as mg
from micrograd import Value
from micrograd.pictures.explorer import explore


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as found:
        yield found


def neuron() -> Any:
    w, x, b = Value(0.75, label="w"), Value(-1.5, label="x"), Value(0.25, label="b")
    with mg.scope("neuron"):
        return mg.tanh(w * x + b) * b


def test_the_file_names_no_other_place(tmp_path: Path) -> None:
    text = explore(neuron(), tmp_path / "page.html").html
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == text
    assert set(re.findall(r"\w+://[^\s\"'<>)]*", text)) <= {"http://www.w3.org/2000/svg"}  # the name of a language
    markup, _, style = text.partition("<script")[0].partition("<style>")
    assert not re.search(r"\s(src|srcset|href|xlink:href|action|data|poster|style)=", markup + style)
    assert not re.search(r"@import|url\((?!#)|image-set", style)


def test_nothing_is_asked_for_whatever_is_done(browser: Browser, tmp_path: Path) -> None:
    page = Page(browser, neuron(), tmp_path)
    for id in ("first", "forward", "play", "play", "last", "zoom-in", "zoom-out", "fit", "collapse-all", "expand-all"):
        page.click(id)
    page.at([{"w": 2.0, "x": -1.0, "b": 0.0}])
    page.click("reset")
    browser.media(dark=True, reduced_motion=True)
    for size in ((500, 400), (1600, 1000)):
        browser.resize(*size)
    browser.restore()
    browser.expect_quiet()


@pytest.mark.parametrize(
    "script",
    [
        "new Image().src = 'https://example.org/a.png'",
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'document.title = 1'}))",
        "document.body.insertAdjacentHTML('beforeend', `<p style='color: red' onclick='1'>x</p>`)",
        "fetch('https://example.org/').catch(() => 0)",
    ],
)
def test_the_policy_lets_nothing_in(browser: Browser, tmp_path: Path, script: str) -> None:
    Page(browser, neuron(), tmp_path)
    browser.expect_quiet()
    title = browser.run("return document.title")
    browser.run(script)
    assert any("Content Security Policy" in message for message in browser.console())
    assert [url for url in browser.requests() if url not in browser.refused()] == []
    assert browser.run("return document.title") == title


def test_it_works_in_the_frame_of_a_notebook(browser: Browser, tmp_path: Path) -> None:
    frame = explore(neuron())._repr_html_()
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><html lang=en><title>Notebook</title>{frame}<div id=mine></div>", encoding="utf-8")
    browser.open(path)
    browser.driver.switch_to.frame(browser.element("iframe"))
    try:
        assert str(browser.element("#words").text).startswith("step 12 of 12: ")
        browser.element("#first").click()
        assert str(browser.element("#words").text).startswith("step 0 of 12: ")
        browser.element("#open-help").click()
        assert browser.run("return document.getElementById('help').open")
        alone = "try { return String(parent.document.title) } catch (error) { return error.name }"
        assert browser.run(alone) == "SecurityError"
    finally:
        browser.driver.switch_to.default_content()
    assert [url for url in browser.requests() if not url.startswith("about:")] == []
    assert browser.console() == []


def test_the_mouse_selects_and_moves(browser: Browser, tmp_path: Path) -> None:
    page = Page(browser, neuron(), tmp_path, digits=4)
    box = browser.element(f"g.node[data-node='{len(page.nodes) - 1}']")
    box.click()
    assert str(browser.element("#selected-heading").text).startswith("mul")
    view = "return document.querySelector('#graph svg').getAttribute('viewBox')"
    before = browser.run(view)
    ActionChains(browser.driver, duration=20).click_and_hold(box).move_by_offset(-60, 40).release().perform()
    assert browser.run(view) != before
    assert str(browser.element("#selected-heading").text).startswith("mul")  # a drag is no click
    page.click("fit")
    browser.elements("#selected-body button.link")[0].click()  # a line of the account leads to the other node
    assert not str(browser.element("#selected-heading").text).startswith("mul #6")
    browser.expect_quiet()


def test_the_slider_of_the_steps_is_a_slider(browser: Browser, tmp_path: Path) -> None:
    page = Page(browser, neuron(), tmp_path, digits=4)
    slider = browser.element("#scrub")
    width = int(slider.size["width"])
    ActionChains(browser.driver, duration=0).move_to_element_with_offset(slider, 0, 0).click().perform()
    middle = int(str(slider.get_property("value")))
    assert 4 <= middle <= page.last_step() - 4
    assert slider.get_attribute("aria-valuetext") == page.words()
    ActionChains(browser.driver, duration=0).click_and_hold(slider).move_by_offset(-width, 0).release().perform()
    assert page.words().startswith("step 0 ")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of a graph with more than 500 nodes, which are small when all of them are seen."""
    model = mg.nn.MLP(4, [8, 8, 1])
    total: Any = Value(0.0, label="start")
    for k in range(3):
        with mg.scope(f"sample{k}"):
            total = total + model([0.1 * k, -0.2, 0.3, 0.1 * (k % 3)]) ** 2
    assert len(mg.topological_order(total)) > 500
    return explore(total).save(tmp_path_factory.mktemp("large") / "page.html")


@pytest.mark.slow
def test_axe_finds_nothing_in_a_large_graph(browser: Browser, large: Path) -> None:
    browser.open(large)
    assert browser.violations() == []


@pytest.mark.slow
def test_a_large_graph(browser: Browser, large: Path) -> None:
    browser.open(large)
    browser.wait("return document.querySelector('g.cover') !== null")  # it opens collapsed
    provenance = "return document.getElementById('provenance').textContent"
    assert browser.run(provenance) == ""
    took = browser.run("""
        const field = document.querySelector("#input-list input[type=number]");
        const started = performance.now();
        for (const x of [0.5, 0.25, -0.5]) {
          field.value = x;
          field.dispatchEvent(new Event("input"));
        }
        document.getElementById("first").click();
        document.getElementById("last").click();
        document.getElementById("expand-all").click();
        return performance.now() - started;
    """)
    assert took < 10_000.0
    assert "computed in this page" in browser.run(provenance)
    browser.run("document.getElementById('reset').click()")
    assert browser.run(provenance) == ""
    browser.expect_quiet()


def test_the_key_c_opens_the_outer_scope_that_hides_the_selected_node(browser: Browser, tmp_path: Path) -> None:
    w = Value(0.75, label="w")
    with mg.scope("outer/inner"):
        hidden = mg.tanh(w)
    page = Page(browser, hidden * 2.0, tmp_path)
    browser.run("document.querySelector('g.node[data-node=\"1\"]').dispatchEvent(new Event('click', {bubbles: true}))")
    page.click("collapse-all")
    browser.element("#selected-heading").click()
    browser.press("c")
    shown = "return [...document.querySelectorAll('.scope-toggle')].map((x) => x.getAttribute('aria-expanded'))"
    assert browser.run(shown) == ["true", "false"]
    browser.press("c")
    assert browser.run(shown) == ["true", "true"]


def test_inputs_of_the_same_name_are_told_apart_and_found_by_their_scope(browser: Browser, tmp_path: Path) -> None:
    leaves = []
    for k in range(20):
        with mg.scope(f"neuron{k}"):
            leaves.append(Value(0.1 * k, label="b"))
    Page(browser, mg.sum(leaves), tmp_path)
    names = "return [...document.querySelectorAll('#input-list input[type=range]')].map((x) => x.ariaLabel)"
    assert browser.run(names)[:2] == ["neuron0/b, slider", "neuron1/b, slider"]
    browser.element("#input-filter").send_keys("neuron17")
    assert browser.run(names) == ["neuron17/b, slider"]
    browser.element("#search").send_keys("neuron1")
    assert browser.element("#hits").text == "11 hits"
