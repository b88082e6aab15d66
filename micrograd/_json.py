"""JSON files of micrograd: how floats are written exactly, and how a damaged or foreign file is refused.

Every file is one object with the entries ``format`` and ``version``. Infinities and nan are the texts ``"inf"``,
``"-inf"``, ``"nan"`` and ``"-nan"``; Python writes every other float with the digits that give it back.
"""

from __future__ import annotations

import json
import math
import os
from typing import Any, NoReturn

from micrograd import _files
from micrograd.errors import describe

__all__ = ["number", "read", "write", "written"]


def written(x: float) -> float | str:
    """Return a float as the file has it.

    >>> written(0.1), written(float("-inf"))
    (0.1, '-inf')
    """
    if math.isfinite(x):
        return x
    return "-nan" if x != x and math.copysign(1.0, x) < 0.0 else repr(x)  # ``copysign`` sees the sign of a nan


def number(x: Any) -> float:
    """Return the float that stands in a file; ``ValueError`` for anything else, or an int beyond all floats.

    >>> number(3), number("inf")
    (3.0, inf)
    """
    if isinstance(x, (int, float)) and not isinstance(x, bool):
        try:
            return float(x)
        except OverflowError:
            raise ValueError(f"{describe(x)} is larger than any float") from None
    if isinstance(x, str) and x in ("inf", "-inf", "nan", "-nan"):
        return float(x)
    raise ValueError(f"{describe(x)} is not a number")


def write(path: str | os.PathLike[str], content: dict[str, Any]) -> None:
    """Write ``content`` whole or not at all."""
    _files.write_atomically(path, json.dumps(content, ensure_ascii=True, allow_nan=False, indent=None) + "\n")


def read(path: str | os.PathLike[str], kind: str, version: int, error: type[ValueError]) -> dict[str, Any]:
    """Return the object in a file that ``format`` declares to be a ``"micrograd {kind}"`` of this ``version``.

    Raises ``error``, with the file's name and what is wrong with it; ``OSError`` when it cannot be read.
    """
    name = os.fspath(path)  # before ``open``, which takes an int for a file that is open already

    def refuse(why: str) -> NoReturn:
        raise error(f"{name}: {why}")

    with open(path, encoding="utf-8") as file:
        try:
            content = json.load(file, parse_constant=_no_constant, object_pairs_hook=_object)
        except UnicodeDecodeError:
            refuse(f"not a text file in UTF-8; a {kind} is saved as JSON")
        except json.JSONDecodeError as caught:
            refuse(f"not JSON, or cut off: {caught}")
        except RecursionError:
            refuse(f"nested too deeply to be a {kind} of micrograd")
        except ValueError as caught:  # what JSON allows and the file does not have
            refuse(str(caught))
    if not isinstance(content, dict) or content.get("format") != f"micrograd {kind}":
        refuse(f"not a {kind} of micrograd: it lacks the entry 'format': {f'micrograd {kind}'!r}")
    found = content.get("version")
    if type(found) is not int or found != version:
        refuse(f"version {describe(found)}; this micrograd reads version {version}")
    return content


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON; it is written as the text {text.removesuffix('inity').lower()!r}")


def _object(entries: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(entries)
    if len(content) != len(entries):
        raise ValueError(f"an object has an entry twice: {describe(entries)}")
    return content
