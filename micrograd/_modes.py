"""Context managers that change how nodes are built: ``no_grad``, ``detect_anomaly``, ``scope``; and ``pause_gc``.

The first three live in one context variable, so each thread and each asyncio task has its own. Looking a context
variable up for every node would cost more than the arithmetic; ``active`` counts the ``with`` blocks that are open
anywhere in the process, and while it is 0 nobody looks.
"""

from __future__ import annotations

import gc
import linecache
import math
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

from micrograd.errors import AnomalyError, describe

__all__ = ["AnomalyDetector", "Mode", "current", "detect_anomaly", "no_grad", "pause_gc", "recording", "scope"]

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep


@dataclass(frozen=True)
class Mode:
    """How nodes are being built in this thread or task."""

    recording: bool = True
    detector: AnomalyDetector | None = None
    scope: str = ""


_mode: ContextVar[Mode] = ContextVar("micrograd_mode", default=Mode())
_lock = threading.Lock()
active = 0

current = _mode.get


@contextmanager
def _changed(**changes: Any) -> Iterator[None]:
    global active
    with _lock:
        active += 1
    token = _mode.set(replace(_mode.get(), **changes))
    try:
        yield
    finally:
        _mode.reset(token)
        with _lock:
            active -= 1


def no_grad() -> AbstractContextManager[None]:
    """Return a context (or decorator) in which results are leaves: nothing is recorded, nothing can be differentiated.

    >>> import micrograd as mg
    >>> x = mg.Value(3.0)
    >>> with mg.no_grad():
    ...     y = x * x
    >>> y.parents
    ()
    """
    return _changed(recording=False)


def recording() -> AbstractContextManager[None]:
    """Return a context in which nodes are recorded, whatever surrounds it."""
    return _changed(recording=True)


def scope(name: str) -> AbstractContextManager[None]:
    """Return a context that names the nodes built in it, as ``"layer1/neuron3"``; scopes nest.

    Raises ``TypeError`` for a name that is not text, ``ValueError`` for an empty one.

    >>> import micrograd as mg
    >>> with mg.scope("layer1"), mg.scope("neuron3"):
    ...     y = mg.Value(2.0) * 3
    >>> y.scope
    'layer1/neuron3'
    """
    if not isinstance(name, str):
        raise TypeError(f"a scope is named by text such as 'layer1/neuron3', not {describe(name)}")
    if not name.strip("/"):
        raise ValueError(f"a scope needs a name such as 'layer1/neuron3', not {name!r}")
    outer = current().scope
    return _changed(scope=f"{outer}/{name}" if outer else name)


def detect_anomaly() -> AbstractContextManager[None]:
    """Return a context that raises ``AnomalyError`` at the first value or gradient that is not finite.

    The error names the operation, its operands with their labels, and the line of your program that built the node.
    Recording those lines makes building graphs several times slower: use it to find a fault, not in a training loop.

    >>> import micrograd as mg
    >>> with mg.detect_anomaly():
    ...     mg.log(mg.Value(0.0, label="rate"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    micrograd.errors.AnomalyError: log(rate=0.0) gave -inf
      at ...
    """
    return _changed(detector=AnomalyDetector())


class AnomalyDetector:
    """Remembers where each node was built, and raises at the first number that is not finite."""

    def __init__(self) -> None:
        self._lines: WeakKeyDictionary[Any, str] = WeakKeyDictionary()

    def built(self, node: Any) -> None:
        """Note where ``node`` was built, and check its value."""
        line = self._lines[node] = _users_line()
        if not math.isfinite(node.data):
            raise AnomalyError(f"{node.call_text()} gave {node.data}\n  at {line}")

    def reached(self, node: Any, consumer: Any, gradient: float) -> None:
        """Check the contribution that ``consumer`` sends to its operand ``node``."""
        if not math.isfinite(gradient):
            line = self._lines.get(consumer, "a line outside detect_anomaly()")
            raise AnomalyError(
                f"the gradient that {consumer.call_text()} sends to {node.name_text()} is {gradient}\n  built at {line}"
            )


def _users_line() -> str:
    """Return the innermost line on the stack that is not micrograd's own."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    name, number = frame.f_code.co_filename, frame.f_lineno
    text = linecache.getline(name, number, frame.f_globals).strip()
    return f"{name}:{number}" + (f"\n    {text}" if text else "")


_pauses = 0
_was_enabled = False


@contextmanager
def pause_gc() -> Iterator[None]:
    """Keep Python's cyclic garbage collector off while a graph is built.

    Building a large graph triggers full collections that walk every node again and find nothing, because graphs have no
    cycles: they are freed by reference counting all the same. The pause holds for the **whole process**, is counted,
    and ends when the last ``with`` block in any thread does.

    >>> import gc, micrograd as mg
    >>> with mg.pause_gc():
    ...     gc.isenabled()
    False
    """
    global _pauses, _was_enabled
    with _lock:
        if _pauses == 0:
            _was_enabled = gc.isenabled()
            gc.disable()
        _pauses += 1
    try:
        yield
    finally:
        with _lock:
            _pauses -= 1
            if _pauses == 0 and _was_enabled:
                gc.enable()
