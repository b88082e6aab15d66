"""Writing a file whole or not at all.

>>> import tempfile, pathlib
>>> with tempfile.TemporaryDirectory() as folder:
...     path = pathlib.Path(folder, "graph.json")
...     write_atomically(path, "{}")
...     path.read_text()
'{}'
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat

__all__ = ["write_atomically"]


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write ``content`` to ``path`` so that a reader finds the old file or the new one, never a part.

    The content goes to a temporary file beside the target, reaches the disk, and takes the target's place in one step.
    If anything fails, the target is untouched and the temporary file is gone. An existing file keeps its permissions.
    A symbolic link stays a link: what it points to is replaced. A device or a pipe (``/dev/stdout``) has no place to
    take, and is written to directly.

    Args:
        path: where; its folder must exist.
        content: bytes, or text that is written as UTF-8 with the line ends that it has.

    Raises ``TypeError`` for content that is neither, ``UnicodeEncodeError`` for text with lone surrogates, ``OSError``
    where the file system refuses.
    """
    if isinstance(content, str):
        content = content.encode("utf-8")
    elif not isinstance(content, bytes):
        raise TypeError(f"content is text or bytes, not {type(content).__name__}")
    target = os.path.realpath(path)
    mode = _permissions(target)
    if mode is not None and not stat.S_ISREG(mode):
        with open(path, "wb") as stream:  # a folder raises IsADirectoryError here
            stream.write(content)
        return
    # os.replace needs no right to write the old file, only its folder; a write-protected file is meant to stay.
    if mode is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "the file is write-protected", os.fspath(path))
    temporary = os.path.join(os.path.dirname(target), f".{secrets.token_hex(8)}.tmp")
    # Not tempfile.mkstemp: its files are readable by the owner alone, whatever the umask says.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        if mode is not None:
            os.chmod(temporary, stat.S_IMODE(mode))
        os.replace(temporary, target)
    except BaseException:  # Ctrl-C must not leave it behind either
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _permissions(path: str) -> int | None:
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None
