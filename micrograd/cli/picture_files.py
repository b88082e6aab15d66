"""Pictures that commands write: SVG with ``draw``, pages with ``explore``, and what is said when one cannot be made."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from micrograd._console import clean, error_line, say
from micrograd.errors import DrawingError, ExpressionError

__all__ = ["checked_path", "write_picture"]


def checked_path(option: str, path: str | None, ending: str) -> Path | None:
    """Return the path given with ``option``, or raise ``ExpressionError`` where nothing could be written there."""
    if path is None:
        return None
    target = Path(path)
    shown = clean(path)
    if target.suffix.lower() != ending:
        raise ExpressionError(f"{option}: the name of the file ends in {ending}, not {shown!r}")
    if not target.parent.is_dir():
        raise ExpressionError(f"{option}: there is no folder {clean(os.fspath(target.parent))!r}")
    return target


def write_picture(what: str, path: Path, write: Callable[[Path], object], *, program: str, quiet: bool = False) -> bool:
    """Write one picture, say where it is unless ``quiet``, and tell whether it could be written.

    The reason why not is one line on standard error.
    """
    try:
        write(path)
    except (DrawingError, ImportError) as error:
        error_line(program, str(error))
        return False
    except OSError as error:
        error_line(program, f"cannot write {path}: {error.strerror or error}")
        return False
    if not quiet:
        say(f"{what}: {path}")
    return True
