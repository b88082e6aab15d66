"""The disk cache of machine code: what one process compiled, the next one loads.

An entry is a file named after the hash of everything that the code depends on: the text given to LLVM, the processor
and its features, the versions of LLVM and micrograd. It holds a line of identification, the hash of the code, and the
code. An entry that is damaged, or not one of ours, is ignored and written anew. Files are written whole or not at all,
so processes may share the cache at the same time.

The cache is in ``folder()``: where the environment variable ``MICROGRAD_CACHE`` says, else ``micrograd`` in the user's
cache folder. It is used only while the folder belongs to the user and nobody else may write there, for what is in it
is run. It stays below ``LIMIT`` bytes; the entries used longest ago go first. ``micrograd cache --clear`` empties it,
and so does deleting the folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import warnings
from pathlib import Path

from micrograd._files import write_atomically

__all__ = ["LIMIT", "clear", "entries", "folder", "load", "store"]

LIMIT = 256 * 2**20
_SUFFIX = ".code"
_FIRST_LINE = b"micrograd machine code 1\n"


def folder() -> Path:
    """Return where the cache is, or would be."""
    chosen = os.environ.get("MICROGRAD_CACHE")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
    else:
        base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "micrograd"


def key(*parts: str) -> str:
    """Return the name of the entry for code that depends on ``parts``.

    >>> key("text", "cpu") == key("text", "cpu"), key("text", "cpu") == key("textc", "pu")
    (True, False)
    """
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(f"{len(data)} ".encode() + data)
    return digest.hexdigest()


def load(name: str) -> bytes | None:
    """Return the code of an entry, or ``None`` where there is none that is whole."""
    place = _private_folder(create=False)
    if place is None:
        return None
    path = place / (name + _SUFFIX)
    try:
        content = path.read_bytes()
    except OSError:
        return None
    head, checksum, code = (
        content[: len(_FIRST_LINE)],
        content[len(_FIRST_LINE) :][:32],
        content[len(_FIRST_LINE) + 32 :],
    )
    if head != _FIRST_LINE or hashlib.sha256(name.encode() + code).digest() != checksum:
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # used now
    return code


def store(name: str, code: bytes) -> None:
    """Keep code under a name; a file system that refuses is no reason to fail."""
    place = _private_folder(create=True)
    if place is None:
        return
    content = _FIRST_LINE + hashlib.sha256(name.encode() + code).digest() + code
    try:
        write_atomically(place / (name + _SUFFIX), content)
    except OSError as error:
        warnings.warn(f"machine code is not kept for the next process: {error}", RuntimeWarning, stacklevel=2)
        return
    _shrink()


def entries() -> list[tuple[Path, int, float]]:
    """Return the files of the cache with size and time of last use, the oldest first."""
    found = []
    with contextlib.suppress(OSError, RuntimeError):
        for path in folder().glob(f"*{_SUFFIX}"):
            with contextlib.suppress(OSError):  # gone in the meantime
                status = path.stat()
                found.append((path, status.st_size, status.st_mtime))
    return sorted(found, key=lambda entry: (entry[2], entry[0].name))


def clear() -> int:
    """Delete all entries and return how many there were."""
    found = entries()
    for path, _, _ in found:
        path.unlink(missing_ok=True)
    return len(found)


def _shrink() -> None:
    found = entries()
    total = sum(size for _, size, _ in found)
    for path, size, _ in found:
        if total <= LIMIT:
            return
        with contextlib.suppress(OSError):
            path.unlink()
        total -= size


def _private_folder(*, create: bool) -> Path | None:
    """Return the folder, if it belongs to the user alone."""
    try:
        place = folder()
        if create:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = place.stat()
    except (OSError, RuntimeError) as error:  # RuntimeError: a user without a home
        if create:
            warnings.warn(f"machine code is not kept for the next process: {error}", RuntimeWarning, stacklevel=3)
        return None
    if sys.platform != "win32" and (status.st_uid != os.getuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
        if create:
            warnings.warn(
                f"{place} is not used as a cache of machine code: others may write there (chmod 700 makes it private)",
                RuntimeWarning,
                stacklevel=3,
            )
        return None
    return place
