"""The parent's side of ``worker``: start an engine in a process of its own, ask it for one run at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

__all__ = ["COLLECTOR", "NotInstalledError", "Worker", "WorkerError"]

_ROOT = Path(__file__).resolve().parent.parent

COLLECTOR = ("paused", "on")
"""Python's garbage collector: resting during a step, or with Python's defaults and never called by us."""

_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "NPROC": "1",  # of XLA's pool; the flags above do not bound it
    "PJRT_NPROC": "1",  # the same, in newer versions
    "JAX_PLATFORMS": "cpu",
    "JAX_ENABLE_X64": "1",
}


class NotInstalledError(Exception):
    """Raised where an engine's package is missing."""


class WorkerError(RuntimeError):
    """Raised where a process reports an exception or ends without an answer."""


class Worker:
    """One engine in a process of its own; a context manager that ends the process.

    Args:
        task: a module of this package that has ``prepare``.
        engine: a module of this package that has ``load``, empty for a task that needs none.
        setting: what ``prepare`` is to prepare; for scalar workloads one of ``COLLECTOR``.
        sizes: how large the workload is.

    Raises ``NotInstalledError`` where the engine's package is missing, ``WorkerError`` for any other failure.
    """

    def __init__(self, task: str, engine: str, setting: str, *sizes: int) -> None:
        self._name = f"{task} on {engine or 'Python'}, {setting}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", task, engine, setting, *map(str, sizes)],
            cwd=_ROOT,
            env=os.environ | _ONE_THREAD,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self.version = str(self._receive()["version"])
        except BaseException:
            self.close()
            raise

    def run(self, patience: float | None = None) -> dict[str, Any]:
        """Run the workload once and return its answer; ``WorkerError`` where it failed.

        A process that has not answered after ``patience`` seconds is ended, and has failed.
        """
        if patience is None:
            return self._run()
        timer = threading.Timer(patience, self._process.kill)
        timer.start()
        try:
            return self._run()
        except WorkerError:
            if timer.is_alive():
                raise
            raise WorkerError(f"{self._name}: no result after {patience:.0f} s") from None
        finally:
            timer.cancel()

    def _run(self) -> dict[str, Any]:
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
