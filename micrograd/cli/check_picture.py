"""The picture of a wrong gradient: the graph below the operation to blame, with its edge marked."""

from __future__ import annotations

from pathlib import Path

from micrograd.cli.picture_files import write_picture
from micrograd.engine import Value
from micrograd.pictures import draw
from micrograd.testing.report import Culprit

__all__ = ["draw_culprit"]


def draw_culprit(culprit: Culprit | None, script: Path | None) -> Path | None:
    """Draw the culprit beside its replay script, and return where the picture is.

    ``None`` where there is nothing to draw, or where it cannot be drawn; the reason is one line on standard error.
    """
    if culprit is None or script is None:
        return None

    def write(path: Path) -> None:
        node, operand = culprit.node, culprit.operand
        if operand is not None and not isinstance(node.operands[operand], Value):
            operand = None  # a number that should have been a node: there is no edge to mark
        title = f"{culprit.what}: the engine says {culprit.engine!r}, expected {culprit.expected!r}"
        draw(node, around=node, hops=4, culprit=(node, operand), title=title).save(path)

    path = script.with_suffix(".svg")
    return path if write_picture("picture", path, write, program="micrograd check", quiet=True) else None
