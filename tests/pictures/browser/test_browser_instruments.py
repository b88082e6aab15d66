"""Protects the instruments of the browser tests: each of them notices what it is there to notice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Browser, started
from selenium.webdriver.common.keys import Keys

PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>A page</title>
<style>
  body {{ background: #fff; color: #000 }}
  @media (prefers-color-scheme: dark) {{ body {{ background: #000; color: #fff }} }}
</style></head>
<body><main><h1>A page</h1>{body}</main></body>
</html>
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as found:
        yield found


def page(folder: Path, body: str) -> Path:
    path = folder / "page.html"
    path.write_text(PAGE.format(body=body), encoding="utf-8")
    return path


def test_a_page_without_faults(browser: Browser, tmp_path: Path) -> None:
    browser.open(page(tmp_path, "<p>text</p>"))
    assert (browser.requests(), browser.console(), browser.violations()) == ([], [], [])


@pytest.mark.parametrize(
    ("body", "url"),
    [
        ('<img alt="" src="https://example.org/a.png">', "https://example.org/a.png"),
        ('<link rel="stylesheet" href="https://example.org/a.css">', "https://example.org/a.css"),
        ("<script>fetch('http://127.0.0.1:9/x').catch(() => 0)</script>", "http://127.0.0.1:9/x"),
        ("<script>new WebSocket('wss://example.org/y')</script>", "wss://example.org/y"),
        ("<style>@import url(other.css);</style>", "{folder}/other.css"),
        ("<script>navigator.sendBeacon('https://example.org/z')</script>", "https://example.org/z"),
        ('<iframe title="a" src="inner.html"></iframe>', "{folder}/inner.html"),
    ],
)
def test_a_request_is_seen(browser: Browser, tmp_path: Path, body: str, url: str) -> None:
    browser.open(page(tmp_path, body))
    assert url.format(folder=tmp_path.as_uri()) in browser.requests()
    browser.open(page(tmp_path, ""))
    assert browser.requests() == []


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("console.error('broken glass')", "broken glass"),
        ("console.warn('thin ice')", "thin ice"),
        ("throw new Error('a stone')", "a stone"),
        ("Promise.reject(new Error('a straw'))", "a straw"),
        ("document.querySelector('#nothing').remove()", "TypeError"),
    ],
)
def test_what_the_console_says_is_seen(browser: Browser, tmp_path: Path, script: str, told: str) -> None:
    browser.open(page(tmp_path, f"<script>{script}</script>"))
    (message,) = browser.console()
    assert told in message


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ('<p style="color: #ccc">pale</p>', "color-contrast"),
        ("<button></button>", "button-name"),
        ('<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">', "image-alt"),
        ('<input type="range">', "label"),
    ],
)
def test_a_barrier_is_seen(browser: Browser, tmp_path: Path, body: str, rule: str) -> None:
    browser.open(page(tmp_path, body))
    assert any(found.startswith(rule) for found in browser.violations())


def test_preferences(browser: Browser, tmp_path: Path) -> None:
    asked = "return [matchMedia('(prefers-color-scheme: dark)').matches,"
    asked += " matchMedia('(prefers-reduced-motion: reduce)').matches, getComputedStyle(document.body).color]"
    path = page(tmp_path, '<p style="color: #888">grey</p>')
    browser.open(path, dark=True, reduced_motion=True)
    assert browser.run(asked) == [True, True, "rgb(255, 255, 255)"]
    assert browser.violations() == []
    browser.media()
    assert browser.run(asked) == [False, False, "rgb(0, 0, 0)"]
    assert len(browser.violations()) == 1  # this grey is for the dark only


def test_keys_and_focus(browser: Browser, tmp_path: Path) -> None:
    browser.open(page(tmp_path, '<button>one</button><input aria-label="two"><input type="range" aria-label="three">'))
    browser.press(Keys.TAB)
    assert browser.focused().text == "one"
    browser.press(Keys.TAB, "a", "b")
    assert browser.focused().get_property("value") == "ab"
    browser.press(Keys.TAB, Keys.ARROW_RIGHT)
    assert browser.focused().get_property("value") == "51"
    browser.press(Keys.TAB, Keys.TAB, holding=Keys.SHIFT)
    assert browser.focused().text == "one"


def test_sizes_and_waiting(browser: Browser, tmp_path: Path) -> None:
    browser.open(page(tmp_path, "<script>setTimeout(() => { document.title = 'late' }, 200)</script>"))
    browser.wait("return document.title === 'late'")
    browser.resize(320, 500)
    assert browser.run("return [innerWidth, innerHeight]") == [320, 500]
    browser.restore()
    assert browser.run("return innerWidth") > 1000
    assert browser.element("h1").text == "A page"
