"""karpathy/micrograd 0.1, the package of the same name, from the directory that MICROGRAD01 names."""

from __future__ import annotations

import importlib
import os
import sys
from operator import attrgetter, methodcaller
from pathlib import Path

from benchmarks.engine import Engine, collector_disabled, nothing_to_renew, set_gradients_to_zero

__all__ = ["load"]


def load() -> Engine:
    """Return the engine, ready to run.

    Raises ``ModuleNotFoundError`` where MICROGRAD01 is not set or names a directory without the package.
    """
    directory = os.environ.get("MICROGRAD01")
    if not directory:
        raise ModuleNotFoundError("MICROGRAD01 is not set")
    package = Path(directory).resolve() / "micrograd"
    if not (package / "engine.py").is_file():
        raise ModuleNotFoundError(f"there is no micrograd in {directory}")
    if "micrograd" in sys.modules:
        raise RuntimeError("another micrograd is imported in this process already; each engine needs its own process")
    sys.path.insert(0, str(package.parent))
    value = importlib.import_module("micrograd.engine").Value
    if "__slots__" in vars(value) or not hasattr(value(0.0), "_prev"):
        raise ModuleNotFoundError(f"the micrograd in {directory} is not version 0.1")
    return Engine(
        version="0.1.0",
        parameter=value,
        constant=value,
        relu=methodcaller("relu"),
        number=attrgetter("data"),
        gradient=attrgetter("grad"),
        begin=set_gradients_to_zero,
        backward=methodcaller("backward"),
        paused=collector_disabled,
        renew=nothing_to_renew,
    )
