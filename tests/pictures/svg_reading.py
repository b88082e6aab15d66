"""Pictures as their readers see them: boxes, arrows, frames and notes, read back from the SVG by a real XML parser."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree

NAMESPACE = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Shape:
    """A box, an arrow or a frame."""

    classes: frozenset[str]
    tooltip: str
    lines: tuple[tuple[str, str], ...]
    element: ElementTree.Element

    def text(self, role: str) -> str:
        """Return the lines of ``role``; empty where there is none."""
        return "\n".join(text for found, text in self.lines if found == role)

    @property
    def index(self) -> int:
        """The node or the edge that it stands for."""
        found = self.element.get("data-node") or self.element.get("data-edge")
        assert found is not None
        return int(found)

    @property
    def path(self) -> list[tuple[float, float]]:
        """The points of an arrow, from its tail to its head."""
        line = self.element.find(f"{NAMESPACE}path[@class='line']")
        assert line is not None
        return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+),(-?[\d.]+)", line.get("d", ""))]

    @property
    def head(self) -> list[tuple[float, float]]:
        """The corners of an arrow's head, its tip first."""
        head = self.element.find(f"{NAMESPACE}path[@class='head']")
        assert head is not None
        return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+),(-?[\d.]+)", head.get("d", ""))]

    @property
    def width(self) -> float:
        """The width of an arrow's line."""
        line = self.element.find(f"{NAMESPACE}path[@class='line']")
        assert line is not None
        return float(line.get("stroke-width", ""))

    @property
    def middle(self) -> tuple[float, float]:
        """The centre of a box."""
        rectangle = self.element.find(f"{NAMESPACE}rect")
        assert rectangle is not None
        x, y, wide, high = (float(rectangle.get(name, "")) for name in ("x", "y", "width", "height"))
        return x + wide / 2, y + high / 2


def _shapes(svg: str, kind: str) -> list[Shape]:
    shapes = []
    for g in ElementTree.fromstring(svg).iter(f"{NAMESPACE}g"):
        classes = frozenset((g.get("class") or "").split())
        if kind in classes:
            texts = [(text.get("class") or "", text.text or "") for text in g.findall(f"{NAMESPACE}text")]
            shapes.append(Shape(classes, g.findtext(f"{NAMESPACE}title") or "", tuple(texts), g))
    return shapes


def boxes(svg: str) -> list[Shape]:
    """Return all boxes."""
    return _shapes(svg, "node")


def edges(svg: str) -> list[Shape]:
    """Return all arrows."""
    return _shapes(svg, "edge")


def frames(svg: str) -> list[Shape]:
    """Return the frames of scopes that are open."""
    return [shape for shape in _shapes(svg, "scope") if "node" not in shape.classes]


def notes(svg: str) -> list[str]:
    """Return what stands below the picture."""
    return [text for shape in _shapes(svg, "notes") for _, text in shape.lines]


def box(svg: str, name: str) -> Shape:
    """Return the one box of this name, or, where none has it, of this operation."""
    named = [shape for shape in boxes(svg) if shape.text("name") == name]
    found = named or [shape for shape in boxes(svg) if shape.text("op") == name]
    assert len(found) == 1, (name, [shape.lines for shape in boxes(svg)])
    return found[0]
