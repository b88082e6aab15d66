"""Protects readability: contrast of every colour on what it stands on, and a style sheet that keeps to its picture."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from svg_reading import NAMESPACE

import micrograd as mg
from micrograd import Value
from micrograd.pictures.picture import Box
from micrograd.pictures.theme import CHARACTER, FONT, PALETTES, size_of

GROUNDS = ("paper", "box", "leaf", "scope")
TEXTS = ("ink", "quiet", "positive", "negative", "zero", "bad")
LINES = ("line", "positive", "negative", "zero", "root", "bad", "ink")


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2.2."""
    assert re.fullmatch(r"#[0-9a-f]{6}", colour)
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_the_instrument() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", PALETTES)
@pytest.mark.parametrize("ground", GROUNDS)
def test_contrast(theme: str, ground: str) -> None:
    palette = PALETTES[theme]
    texts = {name: contrast(palette[name], palette[ground]) for name in TEXTS}
    assert {name: x for name, x in texts.items() if x < 4.5} == {}
    lines = {name: contrast(palette[name], palette[ground]) for name in LINES}
    assert {name: x for name, x in lines.items() if x < 3.0} == {}


def test_palettes_have_the_same_colours() -> None:
    assert set(PALETTES["light"]) == set(PALETTES["dark"])


def sheet(theme: str) -> str:
    svg = mg.draw(Value(1.0, label="x"), theme=theme).svg  # type: ignore[arg-type]
    return ElementTree.fromstring(svg).findtext(f"{NAMESPACE}style") or ""


def test_the_theme_is_in_the_style_sheet() -> None:
    light, dark = PALETTES["light"]["paper"], PALETTES["dark"]["paper"]
    assert (light in sheet("light"), dark in sheet("light"), "@media" in sheet("light")) == (True, False, False)
    assert (light in sheet("dark"), dark in sheet("dark"), "@media" in sheet("dark")) == (False, True, False)
    before, _, after = sheet("auto").partition("@media (prefers-color-scheme:dark)")
    assert light in before
    assert dark in after


@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
def test_every_rule_is_about_this_picture_and_every_variable_is_set(theme: str) -> None:
    text = sheet(theme)
    (figure,) = set(re.findall(r"\.(micrograd-[0-9a-f]{10})", text))
    rules = re.sub(r"@media[^{]*\{(.*?\})\}", r"\1", text)
    assert rules.count("{") == rules.count("}") > 20
    for selectors in re.findall(r"([^{}]+)\{", rules):
        assert all(part.strip().startswith(f".{figure}") for part in selectors.split(","))
    assert set(re.findall(r"var\(--(\w+)\)", text)) <= set(PALETTES["light"])


def test_dot_has_the_colours_of_its_theme() -> None:
    x = Value(1.0, label="x")
    for theme, palette in [("auto", "light"), ("light", "light"), ("dark", "dark")]:
        dot = mg.draw(x * 2.0, theme=theme).dot  # type: ignore[arg-type]
        assert set(re.findall(r"#[0-9a-f]{6}", dot)) <= set(PALETTES[palette].values())


@pytest.mark.parametrize("text", ["data 123456", "\uff37\uff29\uff24\uff25 wide", "e\u0301e\u0301", ""])
def test_a_box_is_as_wide_as_its_widest_line(text: str) -> None:
    columns = {"data 123456": 11, "\uff37\uff29\uff24\uff25 wide": 13, "e\u0301e\u0301": 2, "": 0}[text]
    wide, high = size_of(Box("n0", "leaf", (("name", text), ("data", "x")), ""))
    assert wide >= columns * CHARACTER * FONT + 10
    assert high > 2 * FONT
