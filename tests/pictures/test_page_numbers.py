"""Protects what the explorer's page shows: numbers of the pass, with room for their digits, in colours one can read."""

from __future__ import annotations

import re

import pytest
from test_page_text import read
from test_picture_theme import contrast

from micrograd import Value
from micrograd.pictures import explorer as explorer_module
from micrograd.pictures.text import number
from micrograd.pictures.theme import CHARACTER, FONT, PALETTES

# --- numbers ----------------------------------------------------------------------------------------------------


def test_after_a_step_of_an_optimiser_the_page_has_the_numbers_of_the_pass() -> None:
    w, x = Value(0.5, label="w"), Value(2.0, label="x")
    hidden = w * x
    loss = hidden * hidden
    before = read(loss).data()
    loss.backward()
    w.data -= 0.1 * w.grad
    hidden.data = 7.0
    loss.data = -1.0
    after = read(loss).data()
    assert [node["data"] for node in after["nodes"]] == [0.5, 2.0, 1.0, 1.0]
    note = "3 numbers changed since the forward pass; the numbers and derivatives shown are those of the pass"
    assert (before["notes"], after["notes"]) == ([], [note])
    assert {**after, "notes": []} == before


@pytest.mark.parametrize("digits", [1, 12, 17])
def test_boxes_have_room_for_the_numbers_that_the_page_writes(digits: int) -> None:
    x = Value(-1.0 / 3e100, label="x")
    reading = read(x * 3.25, digits=digits)
    widths = [
        (float(value) - 2 * 10.0) / (CHARACTER * FONT)
        for tag, name, value in reading.attributes
        if (tag, name) == ("rect", "width") and float(value) < 400
    ]
    longest = f"grad {number(x.data, digits)} …"
    assert min(widths) > len(longest) - 0.1


def test_operands_that_are_numbers_have_the_digits_that_were_asked_for() -> None:
    data = read(Value(2.0, label="x") * (1 / 3), digits=7).data()
    assert (data["nodes"][1]["shown"], data["nodes"][1]["call"]) == ("· * 0.3333333", "mul(x, 0.3333333)")


# --- colours ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("theme", "place"), [("light", 0), ("dark", 1)])
def test_the_contrast_of_the_colours_that_only_the_page_has(theme: str, place: int) -> None:
    css = explorer_module._asset("explorer.css")
    accent, marked = (re.findall(rf"--{name}: (#\w+);", css)[place] for name in ("accent", "marked"))
    palette = PALETTES[theme]
    texts = {"ink": palette["ink"], "quiet": palette["quiet"], "accent": accent}
    assert {name: colour for name, colour in texts.items() if contrast(colour, marked) < 4.5} == {}
    accents = {ground: contrast(accent, palette[ground]) for ground in ("paper", "box", "leaf", "scope")}
    assert {ground: x for ground, x in accents.items() if x < 4.5} == {}
