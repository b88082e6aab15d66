"""Protects the README's word: its commands print what it shows, and name files that exist.

The Python examples of the README are doctests and run with the suite.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from micrograd.cli import main

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
CONSOLE = re.findall(r"^```console\n\$ (micrograd .*)\n((?:.*\n)*?)```$", TEXT, flags=re.MULTILINE)


@pytest.mark.parametrize(("command", "shown"), CONSOLE)
def test_a_command_prints_what_is_shown(
    command: str, shown: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # pictures are written there
    assert main(shlex.split(command)[1:]) == 0
    assert capsys.readouterr().out == shown


def test_there_are_commands_to_check() -> None:
    assert CONSOLE


def test_links_lead_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", TEXT) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_two_commands_are_there() -> None:
    assert "pip install '.[pictures]' && micrograd demo\n" in TEXT
    assert "pip install -e '.[test]' && python -m pytest\n" in TEXT
