"""What a workload needs of an engine: nine functions, so that one piece of model code serves all of them."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

__all__ = ["Engine", "collector_disabled", "nothing_to_renew", "set_gradients_to_zero"]


@dataclass(frozen=True)
class Engine:
    """One engine, ready to run.

    Attributes:
        version: what its package calls itself.
        parameter: a float to a leaf that receives a gradient.
        constant: a float to whatever this engine's users multiply by: a leaf, or the float itself.
        relu: the engine's own.
        number: a node to its float.
        gradient: a parameter to the float that ``backward`` left there.
        begin: called with the parameters at the start of every step: sets gradients to zero, or starts a new recording.
        backward: differentiate a result.
        paused: a context in which Python's garbage collector rests.
        renew: forget everything recorded; called between steps, when no node of the step before is alive.
        rebuilds: whether parameters have to be made anew after ``renew``.
    """

    version: str
    parameter: Callable[[float], Any]
    constant: Callable[[float], Any]
    relu: Callable[[Any], Any]
    number: Callable[[Any], float]
    gradient: Callable[[Any], float]
    begin: Callable[[Iterable[Any]], None]
    backward: Callable[[Any], None]
    paused: Callable[[], AbstractContextManager[None]]
    renew: Callable[[], None]
    rebuilds: bool = False


@contextmanager
def collector_disabled() -> Iterator[None]:
    """Pause the garbage collector by hand, as one does where the engine has no context for it."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def set_gradients_to_zero(parameters: Iterable[Any]) -> None:
    """Start a step of an engine that accumulates into ``grad``."""
    for p in parameters:
        p.grad = 0.0


def nothing_to_renew() -> None:
    """Do nothing: a graph that is not referred to is gone."""
