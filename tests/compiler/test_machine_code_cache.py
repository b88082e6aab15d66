"""Protects the disk cache: what is kept is found again; what is damaged, foreign or open to others is never run."""

from __future__ import annotations

import multiprocessing
import os
import stat
from pathlib import Path

import pytest
from support import run_python

from micrograd.compiler import build, cache

PROGRAM = """
import sys
import numpy as np
import micrograd as mg
from micrograd.compiler import build, jit

build.WORTHWHILE = 0.0
translated = []
translate = jit.translate
jit.translate = lambda text, level: translated.append(1) or translate(text, level)

f = mg.compile(lambda x: mg.tanh(x[0]) * x[1] + FACTOR, cache=CACHE)
print(f.value_and_grad(np.array([0.5, 2.0])), len(translated))
"""


def run(factor: str = "1.0", cached: bool = True) -> str:
    return run_python(PROGRAM.replace("FACTOR", factor).replace("CACHE", str(cached)))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "cache"
    monkeypatch.setenv("MICROGRAD_CACHE", str(place))
    return place


def test_the_next_process_translates_nothing(folder: Path) -> None:
    first, second = run(), run()
    assert first.endswith(" 1\n")
    assert second.endswith(" 0\n")
    assert first[:-2] == second[:-2]
    assert run("2.0").endswith(" 1\n")  # another program
    assert len(list(folder.iterdir())) == 2
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_function_may_stay_out_of_it(folder: Path) -> None:
    assert run(cached=False).endswith(" 1\n")
    assert not folder.exists()


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "foreign", "renamed"])
def test_a_damaged_entry_is_written_anew(folder: Path, damage: str) -> None:
    good = run()
    (path,) = folder.iterdir()
    content = path.read_bytes()
    if damage == "renamed":  # the code of another program under this one's name
        run("2.0")
        (other,) = [entry for entry in folder.iterdir() if entry != path]
        path.write_bytes(other.read_bytes())
    else:
        changed = {
            "cut": content[:-100],
            "flipped": content[:-100] + bytes([content[-100] ^ 1]) + content[-99:],
            "empty": b"",
            "foreign": b"\x7fELF" + content,
        }
        path.write_bytes(changed[damage])
    assert run() == good  # translated again, with the same result
    assert path.read_bytes() == content
    assert run().endswith(" 0\n")


@pytest.mark.skipif(os.name == "nt", reason="permissions of another kind")
def test_a_folder_in_which_others_may_write_is_not_used(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.warns(RuntimeWarning, match="others may write there"):
        cache.store(cache.key("text"), b"code")
    assert list(folder.iterdir()) == []
    folder.chmod(0o700)
    cache.store(cache.key("text"), b"code")
    assert cache.load(cache.key("text")) == b"code"
    folder.chmod(0o770)
    assert cache.load(cache.key("text")) is None


def test_a_place_that_cannot_be_written_is_said_and_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder")
    monkeypatch.setenv("MICROGRAD_CACHE", str(file / "cache"))
    with pytest.warns(RuntimeWarning, match="not kept for the next process"):
        cache.store("name", b"code")
    assert cache.load("name") is None
    assert cache.entries() == []
    assert file.read_text() == "not a folder"


def test_the_oldest_entries_go_when_it_is_full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "LIMIT", 1000)
    for k in range(12):
        cache.store(f"entry{k}", bytes(100))
        os.utime(folder / f"entry{k}.code", (k, k))
        if k == 5:
            assert cache.load("entry0") is not None  # used: now the youngest
    kept = {path.stem for path, _, _ in cache.entries()}
    assert sum(size for _, size, _ in cache.entries()) <= 1000
    assert "entry0" in kept
    assert "entry11" in kept
    assert "entry1" not in kept


def test_clear_deletes_all_and_leaves_other_files(folder: Path) -> None:
    cache.store("a", b"code")
    cache.store("b", b"code")
    (folder / "note.txt").write_text("mine")
    assert cache.clear() == 2
    assert [path.name for path in folder.iterdir()] == ["note.txt"]
    assert cache.clear() == 0


def _store_many(place: str, k: int) -> None:
    os.environ["MICROGRAD_CACHE"] = place
    for _ in range(50):
        cache.store("shared", bytes([k]) * 50_000)
        code = cache.load("shared")
        assert code is not None
        assert len(set(code)) == 1  # one writer's, whole
        assert len(code) == 50_000


def test_processes_may_share_it(folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_store_many, args=(str(folder), k)) for k in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    assert [path.name for path in folder.iterdir()] == ["shared.code"]


def test_quick_translations_are_not_worth_a_file(folder: Path) -> None:
    assert build.WORTHWHILE > 0.0
    program = PROGRAM.replace("build.WORTHWHILE = 0.0", "build.WORTHWHILE = 1000.0")
    run_python(program.replace("FACTOR", "1.0").replace("CACHE", "True"))
    assert not folder.exists()
