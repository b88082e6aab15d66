"""Protects atomic writing: after any failure the old file is there, whole, and nothing else."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path
from typing import Any, NoReturn

import pytest

from micrograd._files import write_atomically


@pytest.mark.parametrize(
    ("content", "expected"), [("löss\r\n", "löss\r\n".encode()), (b"\x00\xff", b"\x00\xff"), ("", b"")]
)
def test_text_is_utf8_and_line_ends_stay(tmp_path: Path, content: Any, expected: bytes) -> None:
    path = tmp_path / "file"
    write_atomically(path, content)
    assert path.read_bytes() == expected
    write_atomically(str(path), b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("step", ["fdopen", "fsync", "chmod", "replace"])
@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "no space"), KeyboardInterrupt()])
def test_a_failure_at_any_step_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, failure: BaseException
) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail(*arguments: Any, **options: Any) -> NoReturn:
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr(os, step, fail)
        with pytest.raises(type(failure)):
            write_atomically(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_failing_write_of_a_new_file_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> NoReturn:
        raise OSError(errno.EIO, "the disk is gone")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="the disk is gone"):
        write_atomically(tmp_path / "file", "new")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("content", [None, 1, ["text"], bytearray(b"x")])
def test_what_is_neither_text_nor_bytes_is_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(TypeError, match="content is text or bytes, not"):
        write_atomically(tmp_path / "file", content)
    assert os.listdir(tmp_path) == []


def test_text_that_utf8_cannot_hold_is_refused_before_the_disk_is_touched(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "\ud800")
    assert path.read_text() == "old"


def test_a_missing_folder_and_a_folder_as_target_are_errors(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "missing" / "file", "x")
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path, "x")
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX systems")
def test_permissions_of_an_existing_file_stay_and_a_new_file_follows_the_umask(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("x")
    old.chmod(0o640)
    umask = os.umask(0o027)
    try:
        write_atomically(old, "y")
        write_atomically(new, "y")
    finally:
        os.umask(umask)
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert stat.S_IMODE(new.stat().st_mode) == 0o640


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX systems")
def test_a_write_protected_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o444)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anything
    with pytest.raises(PermissionError, match="write-protected"):
        write_atomically(path, "new")
    assert path.read_text() == "old"


@pytest.mark.skipif(os.name != "posix", reason="symbolic links need a privilege elsewhere")
def test_a_link_stays_a_link_and_what_it_points_to_changes(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    target, link, dangling = tmp_path / "folder" / "target", tmp_path / "link", tmp_path / "dangling"
    target.write_text("old")
    link.symlink_to(target)
    dangling.symlink_to(tmp_path / "folder" / "later")
    write_atomically(link, "new")
    write_atomically(dangling, "new")
    assert link.is_symlink()
    assert dangling.is_symlink()
    assert target.read_text() == "new"
    assert dangling.read_text() == "new"
    assert sorted(os.listdir(tmp_path / "folder")) == ["later", "target"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes of POSIX systems")
def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    received: list[str] = []
    reader = threading.Thread(target=lambda: received.append(path.read_text()))
    reader.start()
    write_atomically(path, "through the pipe")
    reader.join(10)
    assert received == ["through the pipe"]
    assert stat.S_ISFIFO(path.stat().st_mode)
