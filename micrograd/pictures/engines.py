"""Graphviz, which places boxes and routes edges: the system's ``dot``, else the one inside the package pygraphviz.

Either runs in a process of its own with a time limit, so that no graph, however tangled, can hang or crash Python.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from micrograd._deps import is_installed
from micrograd.errors import DrawingError

__all__ = ["TIMEOUT", "command", "rendered"]

TIMEOUT = 60.0
"""Seconds after which a drawing is given up."""

_FOREVER = 1e6  # seconds; the system's clock has no room for much more
_EMBEDDED = Path(__file__).with_name("embedded.py")
_MISSING = (
    "no Graphviz was found: neither a program 'dot' on PATH nor the package pygraphviz, which brings its own;"
    " in the checkout of micrograd: pip install '.[pictures]' (the text in DOT, draw(...).dot, needs neither)"
)


def command(format: str) -> list[str]:
    """Return the command that draws the graph on its standard input in one of Graphviz's formats.

    Raises ``DrawingError`` where no Graphviz is installed.
    """
    program = shutil.which("dot")
    if program is not None:
        return [program, f"-T{format}"]
    if is_installed("pygraphviz"):
        return [sys.executable, "-P", os.fspath(_EMBEDDED), format]
    raise DrawingError(_MISSING)


def rendered(dot: str, format: str, *, timeout: float | None = TIMEOUT) -> bytes:
    """Return ``dot``, a graph in DOT, drawn in one of Graphviz's formats.

    Raises ``DrawingError`` where no Graphviz is installed, where it takes longer than ``timeout`` seconds, and where it
    fails.
    """
    words = command(format)
    try:
        limit = timeout if timeout is not None and timeout < _FOREVER else None
        done = subprocess.run(words, input=dot.encode(), capture_output=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        raise DrawingError(
            f"Graphviz did not place the graph within {timeout:g} s; draw a part of it, draw(root, around=node,"
            " hops=2), collapse its scopes, draw(root, depth=0), or allow fewer boxes, draw(root, limit=200);"
            " explore(root) shows all of a graph, so give it the graph of fewer samples"
        ) from None
    except OSError as error:
        raise DrawingError(f"Graphviz, {words[0]}, cannot be started: {error.strerror or error}") from None
    if done.returncode != 0 or not done.stdout:
        ended = f"it ended with code {done.returncode}{'' if done.stdout else ' and no output'}"
        said = done.stderr.decode(errors="replace").strip() or ended
        raise DrawingError(f"Graphviz failed: {said.splitlines()[-1][:300]}")
    return done.stdout
