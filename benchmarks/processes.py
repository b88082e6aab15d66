"""The parent's side of ``worker``: start an engine in a process of its own, ask it for one run at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

__all__ = ["COLLECTOR", "NotInstalledError", "Worker", "WorkerError"]

_ROOT = Path(__file__).resolve().parent.parent

COLLECTOR = ("paused", "on")
"""Python's garbage collector: resting during a step, or with Python's defaults and never called by us."""


class NotInstalledError(Exception):
    """Raised where an engine's package is missing."""


class WorkerError(RuntimeError):
    """Raised where a process reports an exception or ends without an answer."""


class Worker:
    """One engine in a process of its own; a context manager that ends the process.

    Args:
        workload: a module of this package that has ``prepare``.
        engine: the key of a peer, empty for a workload that needs none.
        collector: one of ``COLLECTOR``.
        size: how large the workload is.

    Raises ``NotInstalledError`` where the engine's package is missing, ``WorkerError`` for any other failure.
    """

    def __init__(self, workload: str, engine: str, collector: str, size: int) -> None:
        self._name = f"{workload} on {engine or 'Python'}, collector {collector}"
        one_thread = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", workload, engine, collector, str(size)],
            cwd=_ROOT,
            env=os.environ | one_thread,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self.version = str(self._receive()["version"])
        except BaseException:
            self.close()
            raise

    def run(self) -> dict[str, Any]:
        """Run the workload once and return its answer; ``WorkerError`` where it failed."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write("run\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the process is gone, and reading its answer says so
        return self._receive()

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise WorkerError(f"{self._name}: the process ended with status {self._process.wait()} and no answer")
        answer: dict[str, Any] = json.loads(line)
        if "missing" in answer:
            raise NotInstalledError(answer["missing"])
        if "failed" in answer:
            raise WorkerError(f"{self._name} failed:\n{answer['failed']}")
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
