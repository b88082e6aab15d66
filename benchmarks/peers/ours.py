"""The engine of this repository."""

from __future__ import annotations

from operator import attrgetter, methodcaller

import micrograd
from benchmarks.engine import Engine, nothing_to_renew, set_gradients_to_zero
from micrograd import Value

__all__ = ["load"]


def load() -> Engine:
    """Return the engine, ready to run."""
    return Engine(
        version=micrograd.__version__,
        parameter=Value,
        constant=Value,
        relu=methodcaller("relu"),
        number=attrgetter("data"),
        gradient=attrgetter("grad"),
        begin=set_gradients_to_zero,
        backward=methodcaller("backward"),
        paused=micrograd.pause_gc,
        renew=nothing_to_renew,
    )
