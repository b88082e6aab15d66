"""Writing results between two markers of a Markdown file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

__all__ = ["MarkerError", "check_markers", "replace_sections", "write_sections"]


class MarkerError(ValueError):
    """Raised for a file that does not have exactly one pair of markers, in order, for a workload."""


def _markers(name: str) -> tuple[str, str]:
    return f"<!-- benchmarks:{name} -->", f"<!-- /benchmarks:{name} -->"


def replace_sections(text: str, sections: Mapping[str, str], source: str = "the text") -> str:
    """Return ``text`` with what is between the markers of each name replaced.

    Raises ``MarkerError``, naming ``source``, where a pair of markers is missing, doubled or in the wrong order.

    >>> replace_sections("<!-- benchmarks:e1 -->old<!-- /benchmarks:e1 -->", {"e1": "new"})
    '<!-- benchmarks:e1 -->\\nnew\\n<!-- /benchmarks:e1 -->'
    """
    for name, section in sections.items():
        opening, closing = _markers(name)
        for marker in (opening, closing):
            if (count := text.count(marker)) != 1:
                raise MarkerError(
                    f"{source} has the marker {marker} {count} times and needs it once;"
                    f" the results go between {opening} and {closing}"
                )
        before, _, rest = text.partition(opening)
        if closing not in rest:
            raise MarkerError(f"{source} has {closing} before {opening}; exchange the two")
        after = rest.partition(closing)[2]
        text = f"{before}{opening}\n{section}\n{closing}{after}"
    return text


def check_markers(path: Path, names: Iterable[str]) -> None:
    """Raise what ``write_sections`` would raise, before minutes are spent on measuring."""
    replace_sections(_read(path), dict.fromkeys(names, ""), source=str(path))


def write_sections(path: Path, sections: Mapping[str, str]) -> None:
    """Replace the sections of a file: either all of it is written, or the file stays as it was.

    Raises ``MarkerError`` as ``replace_sections`` does, ``OSError`` where the file cannot be read or written.
    """
    target = path.resolve()  # through a symbolic link, not over it
    text = replace_sections(_read(target), sections, source=str(path))
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.chmod(temporary, target.stat().st_mode)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def _read(path: Path) -> str:
    with path.open(encoding="utf-8", newline="") as file:
        return file.read()
