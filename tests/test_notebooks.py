"""Protects the notebooks: each runs from a fresh kernel, and gives the outputs that are committed with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="notebooks need pip install '.[notebooks]'")
nbclient = pytest.importorskip("nbclient", reason="notebooks need pip install '.[notebooks]'")

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def shown(notebook: Any) -> list[str]:
    """Return the texts that each cell prints and returns; how a kernel cuts up what is printed depends on its pace."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return ["".join("".join(x.get("text") or x["data"]["text/plain"]) for x in cell.outputs) for cell in cells]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_what_is_committed(path: Path) -> None:
    committed = nbformat.read(path, as_version=4)
    fresh = nbformat.read(path, as_version=4)
    for cell in fresh.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    nbclient.NotebookClient(fresh, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute()
    assert shown(fresh) == shown(committed)
    assert shown(fresh)
