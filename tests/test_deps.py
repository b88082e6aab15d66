"""Protects the message for an optional dependency that is missing, or there and broken."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from micrograd._deps import require


def test_what_is_installed_is_returned_submodules_included() -> None:
    assert require("json.decoder", extra="x", purpose="this test") is sys.modules["json.decoder"]


def test_the_message_says_what_for_and_how_to_get_it() -> None:
    with pytest.raises(ImportError) as caught:
        require("no_such_module.part", extra="numpy", purpose="micrograd.array")
    assert str(caught.value) == (
        "micrograd.array needs no_such_module, which is not installed; in the checkout of micrograd:"
        " pip install '.[numpy]'"
    )
    assert caught.value.name == "no_such_module"


@pytest.mark.parametrize("content", ["import no_such_module_inside", "raise ImportError('wrong ABI')"])
def test_a_broken_dependency_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    (tmp_path / "micrograd_broken_dependency.py").write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match="is installed but does not load"):
        require("micrograd_broken_dependency", extra="x", purpose="this test")
