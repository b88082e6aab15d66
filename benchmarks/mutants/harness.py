"""Copies of the package in temporary folders, a fault planted in each, and judges that look for it.

The source is copied once, so that edits made meanwhile reach no mutant. Whatever ends a run, an interrupt included,
ends its processes and removes its folders.
"""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.mutants.judges import Command, Judge, JudgeError
from benchmarks.mutants.mutant import Mutant

try:
    import resource
except ModuleNotFoundError:  # Windows: a mutant that takes all memory is not stopped
    resource = None  # type: ignore[assignment]

__all__ = ["ControlError", "Verdict", "examine", "workshop"]

_COPIED = ("micrograd", "tests", "setup.cfg", "pyproject.toml")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", ".hypothesis", ".*_cache")
_MEMORY = 8 << 30  # bytes of address space for a process: a mutant may visit nodes without end
_PATIENCE = 60.0  # seconds of the processor; a command may take these and a multiple of what sound code takes
_BUSY = 10.0  # times as long on the wall: another program may have the processor


class ControlError(Exception):
    """Raised where a judge finds a fault in the package as it is: nothing that it says of a mutant would count."""


@dataclass(frozen=True)
class Verdict:
    """What a judge says of a mutant.

    Attributes:
        mutant: the mutant.
        judge: the name of the judge.
        killed: whether the fault was found.
        how: by which test, or by what report.
        broken: what went wrong with the judge itself; then ``killed`` means nothing.
        seconds: how long it took.
    """

    mutant: Mutant
    judge: str
    killed: bool
    how: str
    broken: str
    seconds: float


@contextmanager
def workshop(source: Path, mutant: Mutant | None = None) -> Iterator[Path]:
    """Give a temporary copy of what is tested in ``source``, with the fault of ``mutant`` planted in it.

    Raises ``PatchError`` where the mutant does not fit.
    """
    with tempfile.TemporaryDirectory(prefix="micrograd-mutant-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for item in _COPIED:
            if (source / item).is_dir():
                shutil.copytree(source / item, folder / item, ignore=_LEFT_OUT)
            else:
                shutil.copy2(source / item, folder / item)
        (folder / "tmp").mkdir()
        if mutant is not None:
            file = folder / "micrograd" / mutant.file
            file.write_text(mutant.patched(file.read_text(encoding="utf-8")), encoding="utf-8")
        yield folder


def examine(
    source: Path,
    mutants: Sequence[Mutant],
    judges: Sequence[Judge],
    *,
    jobs: int = 2,
    advance: Callable[[str], None] = lambda figures: None,
) -> list[Verdict]:
    """Return what every judge says of every mutant that it can see, in their order.

    Args:
        source: the folder that holds ``micrograd/`` and ``tests/``; nothing in it is changed.
        mutants: the faults.
        judges: who looks for them.
        jobs: how many mutants are looked at, at a time.
        advance: called after the control and after every mutant, with a line about it.

    Raises ``ControlError`` where a judge finds a fault in the package as it is, ``PatchError`` for a mutant that does
    not fit.
    """
    try:
        return asyncio.run(_examine(source, mutants, judges, jobs, advance))
    except ExceptionGroup as group:  # of tasks that failed together: the first says what is wrong
        raise group.exceptions[0] from None


async def _examine(
    source: Path, mutants: Sequence[Mutant], judges: Sequence[Judge], jobs: int, advance: Callable[[str], None]
) -> list[Verdict]:
    turn = asyncio.Semaphore(jobs)
    task = asyncio.current_task()
    if task is not None and sys.platform != "win32":  # Ctrl-C cancels by itself
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with workshop(source) as original:
        for mutant in mutants:  # all fit, or nothing runs
            mutant.patched((original / "micrograd" / mutant.file).read_text(encoding="utf-8"))
        limits = await _control(original, mutants, judges, turn)
        advance("the package as it is: nothing found")

        async def verdicts(mutant: Mutant) -> list[Verdict]:
            async with turn:
                with workshop(original, mutant) as folder:
                    found = [
                        await _verdict(folder, mutant, judge, limits[judge.name])
                        for judge in judges
                        if judge.name in mutant.judges
                    ]
            advance(f"{mutant.name}: {', '.join([f'{v.judge} {_word(v)}' for v in found])}")
            return found

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(verdicts(mutant)) for mutant in mutants]
    return [verdict for task in tasks for verdict in task.result()]


def _word(verdict: Verdict) -> str:
    return "failed" if verdict.broken else "killed" if verdict.killed else "survived"


async def _control(
    original: Path, mutants: Sequence[Mutant], judges: Sequence[Judge], turn: asyncio.Semaphore
) -> dict[str, float]:
    """Return how long each judge may take for a command; all must find nothing in the package as it is."""

    async def run(judge: Judge, command: Command) -> tuple[str, str, float]:
        async with turn:
            start = time.monotonic()
            status, output = await _run(command, original, None)
            try:
                how = judge.found(status, output)
            except JudgeError as error:
                how = str(error)
        complaint = how and f"{judge.title}: {how}\n{output[-4000:]}"
        return judge.name, complaint, judge.patience * (time.monotonic() - start) + _PATIENCE

    runs = [
        run(judge, command)
        for judge in judges
        for seen in [[mutant for mutant in mutants if judge.name in mutant.judges]]
        if seen
        for command in judge.control(seen, original)
    ]
    limits = {judge.name: 0.0 for judge in judges}
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in runs]
    for name, complaint, limit in [task.result() for task in tasks]:
        if complaint:
            raise ControlError(f"a fault is found in the package as it is, so no verdict would count. {complaint}")
        limits[name] = max(limits[name], limit)
    return limits


async def _verdict(folder: Path, mutant: Mutant, judge: Judge, limit: float) -> Verdict:
    start = time.monotonic()
    how = broken = ""
    for command in judge.trials(mutant, folder):
        try:
            status, output = await _run(command, folder, limit)
            how = judge.found(status, output)
        except TimeoutError:
            how = f"no end within {limit:.0f} seconds of the processor"
        except JudgeError as error:
            broken = str(error)
        if how or broken:
            break
    return Verdict(mutant, judge.name, bool(how), how, broken, time.monotonic() - start)


async def _run(command: Command, folder: Path, limit: float | None) -> tuple[int, str]:
    """Run a command on the package in ``folder``.

    Raises ``TimeoutError`` where it takes more than ``limit`` seconds of the processor, or waits far longer.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=_environment(folder),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,  # so that it can be ended together with the processes that it started
        preexec_fn=partial(_restrain, limit) if resource else None,
    )
    try:
        async with asyncio.timeout(limit and limit * _BUSY):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            _end(process)
            await process.wait()
    assert process.returncode is not None
    if resource and process.returncode == -signal.SIGXCPU:
        raise TimeoutError
    return process.returncode, output.decode("utf-8", "replace")


def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _restrain(seconds: float | None) -> None:
    """Limit the memory and the time of the processor that the process may take."""
    _lower(resource.RLIMIT_AS, _MEMORY)
    if seconds is not None:
        _lower(resource.RLIMIT_CPU, math.ceil(seconds))


def _lower(what: int, limit: int) -> None:
    _, hard = resource.getrlimit(what)
    resource.setrlimit(what, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _environment(folder: Path) -> dict[str, str]:
    """Return an environment in which the package is the copy, and everything that is written stays in the folder."""
    environment = {name: x for name, x in os.environ.items() if not name.startswith(("PYTEST_", "MICROGRAD_"))}
    return environment | {
        "PYTHONPATH": str(folder),
        "MICROGRAD_CACHE": str(folder / "tmp"),
        "TMPDIR": str(folder / "tmp"),
        "OPENBLAS_NUM_THREADS": "1",
        "NO_COLOR": "1",
    }
