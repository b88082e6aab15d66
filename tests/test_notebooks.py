"""Protects the notebooks: each runs from a fresh kernel, and gives the outputs that are committed with it.

Of a picture it is compared what it says, and not where: Graphviz chooses the coordinates, and its versions differ.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import micrograd as mg

nbformat = pytest.importorskip("nbformat", reason="notebooks need pip install '.[notebooks]'")
nbclient = pytest.importorskip("nbclient", reason="notebooks need pip install '.[notebooks]'")

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
TEXT = "{http://www.w3.org/2000/svg}text"
SIZE_OF_A_PAGE = re.compile(r"[\d,]+ characters of HTML")  # the page of an explorer holds coordinates

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def words(svg: str) -> list[str]:
    """Return all texts of a picture, sorted: their order and their places are Graphviz's."""
    return sorted("".join(text.itertext()) for text in ElementTree.fromstring(svg).iter(TEXT))


def says(output: Any) -> str:
    """Return what an output says, without what depends on the version of Graphviz; of HTML its plain text."""
    if "text" in output:
        return str(output["text"])
    data = output["data"]
    plain = SIZE_OF_A_PAGE.sub("a page of HTML", data["text/plain"])
    return "\n".join([plain, *words(data["image/svg+xml"])]) if "image/svg+xml" in data else plain


def shown(notebook: Any) -> list[str]:
    """Return what each cell prints and returns; how a kernel cuts up what is printed depends on its pace."""
    return ["".join(map(says, cell.outputs)) for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.slow
@every_notebook
def test_a_notebook_runs_and_shows_what_is_committed(path: Path) -> None:
    committed = nbformat.read(path, as_version=4)
    fresh = nbformat.read(path, as_version=4)
    for cell in fresh.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    nbclient.NotebookClient(fresh, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute()
    assert shown(fresh) == shown(committed)
    assert shown(fresh)


@every_notebook
def test_a_committed_notebook_was_run_from_top_to_bottom_and_holds_no_trace_of_the_machine(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not any(cell.metadata for cell in cells)
    assert not any(output.output_type == "error" for cell in code for output in cell.outputs)
    assert re.findall(r"/(?:home|root|tmp|Users|site-packages)/\S*", path.read_text(encoding="utf-8")) == []


@every_notebook
def test_the_links_of_a_notebook_lead_to_files(path: Path) -> None:
    text = "".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert [link for link in links if not (path.parent / link).exists()] == []


# --- the comparison itself ------------------------------------------------------------------------------------------


def drawn(**options: Any) -> dict[str, Any]:
    """Return the output of a cell that ends with a picture of ``x * x + 1``."""
    pytest.importorskip("graphviz", reason="pictures need pip install '.[pictures]'")
    x = mg.Value(3.0, label="x")
    y = x * x + 1
    if options.pop("backward", True):
        y.backward()
    return {"data": mg.draw(y, **options)._repr_mimebundle_()}


def test_a_picture_is_compared_by_its_words() -> None:
    one, other = drawn(), drawn(direction="TB")
    assert one["data"]["image/svg+xml"] != other["data"]["image/svg+xml"]
    assert says(one) == says(other)
    assert {"x", "data 3", "grad 6", "used 2 times", "× 3", "▲ 3"} <= set(words(one["data"]["image/svg+xml"]))


@pytest.mark.parametrize("change", [{"backward": False}, {"title": "y"}, {"proxies": 0}], ids=str)
def test_a_picture_that_says_something_else_is_another(change: dict[str, Any]) -> None:
    assert says(drawn(**change)) != says(drawn())


def test_one_changed_number_in_a_picture_is_seen() -> None:
    committed = drawn()
    fresh = {"data": dict(committed["data"])}
    fresh["data"]["image/svg+xml"] = fresh["data"]["image/svg+xml"].replace(">grad 6<", ">grad 3<")
    assert says(fresh) != says(committed)


def test_the_page_of_an_explorer_is_compared_without_its_size() -> None:
    pages = [{"data": {"text/plain": f"<explorer of y: {size} characters of HTML>"}} for size in ("999", "272,147")]
    assert says(pages[0]) == says(pages[1])
    other = {"data": {"text/plain": "<explorer of z: 999 characters of HTML>"}}
    assert says(other) != says(pages[0])
