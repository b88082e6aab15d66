"""The explorer's page as its user sees it: tests read the texts of the page, and act on its controls."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chromium import Browser

from micrograd import Value
from micrograd.pictures.explorer import explore

EXACT = 17  # digits: enough to tell a float from its neighbours

_READ = """
const texts = (row) => [...row.querySelectorAll("th, td")].map((cell) => cell.textContent);
return [...document.querySelectorAll("#table-body tr")].map(texts);
"""
_SET = """
const fields = document.querySelectorAll("#input-list input[type=number]");
const set = (point) => point.forEach(([place, text]) => {
  fields[place].value = text;
  fields[place].dispatchEvent(new Event("input"));
});
const read = () => [...document.querySelectorAll("#table-body tr")].map((row) => {
  const cells = row.querySelectorAll("td");
  return [cells[1].textContent, cells[2].textContent];
});
return arguments[0].map((point) => {
  set(point);
  return read();
});
"""
_STEP = """
const slider = document.getElementById("scrub");
slider.value = arguments[0];
slider.dispatchEvent(new Event("input"));
"""
_SNAPSHOT = """
const classes = (group) => [...group.classList].sort().join(" ");
const text = (part) => `${part.tagName} ${part.getAttribute("stroke-width")} ${part.textContent}`;
const groups = [...document.querySelectorAll("#graph g.node, #graph g.edge")];
const cells = [...document.querySelectorAll("#table-body td")].map((cell) => cell.textContent);
const said = ["phase", "words", "selected-body", "provenance"].map((id) => document.getElementById(id).textContent);
const drawn = groups.map((group) => [classes(group), ...[...group.children].map(text)]);
return JSON.stringify([document.getElementById("scrub").value, said, drawn, cells]);
"""


class Page:
    """The page of a graph of at most 200 nodes and 12 leaves, open in a browser, with its table open."""

    def __init__(self, browser: Browser, root: Value, folder: Path, **options: Any) -> None:
        self.browser = browser
        self.path = folder / "explorer.html"
        media = {name: options.pop(name) for name in ("dark", "reduced_motion") if name in options}
        explore(root, self.path, **{"digits": EXACT, **options})
        browser.open(self.path, **media)
        self.data: dict[str, Any] = json.loads(
            browser.run("return document.getElementById('micrograd-graph').textContent")
        )
        self.nodes: list[dict[str, Any]] = self.data["nodes"]
        leaves = [k for k, node in enumerate(self.nodes) if not node["op"]]
        self.inputs = sorted(leaves, key=lambda k: self.nodes[k]["name"] == "")  # as the page lists them
        self.open_table()

    def open_table(self) -> None:
        """Open the table of all nodes."""
        self.browser.run("document.getElementById('table').open = true")
        rows = min(200, len(self.nodes))
        self.browser.wait("return document.querySelectorAll('#table-body tr').length === arguments[0]", rows)

    def rows(self) -> list[list[str]]:
        """Return the table's texts: name, operation, value, gradient and scope of every node."""
        found: list[list[str]] = self.browser.run(_READ)
        return found

    def numbers(self) -> list[tuple[float, float]]:
        """Return value and gradient of every node."""
        return [(float(value), float(gradient)) for _, _, value, gradient, _ in self.rows()]

    def named(self) -> dict[str, tuple[float, float]]:
        """Return value and gradient by the name of the node, where it has one."""
        return {node["name"]: found for node, found in zip(self.nodes, self.numbers(), strict=True) if node["name"]}

    def at(self, points: Sequence[Mapping[str, float]]) -> list[list[tuple[float, float]]]:
        """Type inputs, by their names, and return value and gradient of every node, for each point."""
        place = {self.nodes[id]["name"]: k for k, id in enumerate(self.inputs)}
        asked = [[[place[name], repr(x)] for name, x in point.items()] for point in points]
        found = self.browser.run(_SET, asked)
        return [[(float(value), float(gradient)) for value, gradient in rows] for rows in found]

    def click(self, id: str) -> None:
        """Press a button by its id."""
        self.browser.run("document.getElementById(arguments[0]).click()", id)

    def to_step(self, step: int) -> None:
        """Move the slider of the steps."""
        script = (
            "const x = document.getElementById('scrub'); x.value = arguments[0]; x.dispatchEvent(new Event('input'))"
        )
        self.browser.run(script, step)

    def focused(self) -> dict[str, Any]:
        """Return the node of the graph that has the focus; fail where another element has it."""
        found = self.browser.run("return document.activeElement.closest('g.node').dataset.node")
        return self.nodes[int(found)]

    def words(self) -> str:
        """Return what the page says about the step."""
        return str(self.browser.element("#words").text)

    def last_step(self) -> int:
        """Return the number of steps."""
        return int(self.browser.run("return document.getElementById('scrub').max"))

    def snapshot(self) -> str:
        """Return everything that the page shows about the step: texts, classes and widths in the picture, the table."""
        return str(self.browser.run(_SNAPSHOT))
