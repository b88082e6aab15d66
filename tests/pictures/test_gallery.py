"""Protects the pictures that are shipped: drawn anew, each says what it said when it was looked at.

Coordinates differ from one Graphviz to the next; texts, classes and widths of lines do not.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest
from gallery import FOLDER, GALLERY


def said(svg: str) -> Counter[tuple[str, str]]:
    """Return what every element of a picture is and says, without its place."""
    found: Counter[tuple[str, str]] = Counter()
    for element in ElementTree.fromstring(svg).iter():
        kind = element.get("class", "") or element.tag.partition("}")[2]
        if kind not in ("svg", "style") and not kind.startswith("micrograd"):
            found[kind, (element.text or "").strip() + element.get("stroke-width", "")] += 1
    return found


@pytest.mark.parametrize("name", GALLERY)
def test_a_picture_says_what_it_said(name: str) -> None:
    committed = Path(FOLDER, f"{name}.svg").read_text(encoding="utf-8")
    assert said(GALLERY[name]().svg) == said(committed)
    assert len(said(committed)) > 10
