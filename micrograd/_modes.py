"""Context managers that change how nodes are built: ``no_grad``, ``detect_anomaly``, ``scope``; and ``pause_gc``.

The first three live in one context variable, so each thread and each asyncio task has its own. Looking a context
variable up for every node would cost a fair part of the arithmetic; ``active`` holds the modes of the ``with`` blocks
that are open anywhere in the process, and while it is empty nobody looks.
"""

from __future__ import annotations

import functools
import gc
import linecache
import math
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from micrograd.errors import AnomalyError, describe

__all__ = [
    "AnomalyDetector",
    "Block",
    "Mode",
    "current",
    "detect_anomaly",
    "no_grad",
    "outside",
    "pause_gc",
    "recording",
    "scope",
]

P = ParamSpec("P")
R = TypeVar("R")

_SUSPENDED = 0x20 | 0x80 | 0x200  # generators, coroutines and both in one, in the flags of their code

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep


class Mode:
    """How nodes are being built in this thread or task.

    Attributes:
        recording: whether results remember how they were made.
        detector: what looks at every number, if anything does.
        scope: the scope that new nodes belong to.
        outer: the mode of the ``with`` block around.
        open: whether the block of this mode is still running.
    """

    __slots__ = ("detector", "open", "outer", "recording", "scope")

    def __init__(
        self,
        recording: bool = True,
        detector: AnomalyDetector | None = None,
        scope: str = "",
        outer: Mode | None = None,
    ) -> None:
        self.recording = recording
        self.detector = detector
        self.scope = scope
        self.outer = outer
        self.open = True


_mode: ContextVar[Mode] = ContextVar("micrograd_mode", default=Mode())
latest = _mode.get
"""The mode of the last block that was entered in this thread or task; it counts while it is open."""
active: set[Mode] = set()
unusual: set[Mode] = set()
"""Those of ``active`` that do more than name a scope."""


def current() -> Mode:
    """Return the mode of this thread or task.

    A task that was started inside a ``with`` block may outlive it, and so may a generator that stopped in one; a block
    that has ended counts for nobody.
    """
    mode = latest()
    while not mode.open:
        mode = mode.outer  # type: ignore[assignment]  # the outermost mode has no block and stays open
    return mode


class Block:
    """A ``with`` block in which nodes are built in another mode; also a decorator.

    Entering and leaving is as quick as it can be: networks open one for every neuron.

    Raises ``RuntimeError`` where a block is entered that is open already, in this thread or another, ``TypeError`` for
    a generator or a coroutine to decorate, which would run outside of the block.
    """

    __slots__ = ("_change", "_mode")

    def __init__(self, change: Callable[[Mode], Mode]) -> None:
        self._change = change
        self._mode: Mode | None = None

    def __enter__(self) -> None:
        if self._mode is not None:
            raise RuntimeError("this block is open already; call no_grad(), scope(...) anew for each with statement")
        self._mode = mode = self._change(current())
        active.add(mode)
        if mode.detector is not None or not mode.recording:
            unusual.add(mode)
        _mode.set(mode)

    def __exit__(self, *_: object) -> None:
        mode, self._mode = self._mode, None
        if mode is None:
            raise RuntimeError("this block was not entered")
        mode.open = False
        active.discard(mode)
        unusual.discard(mode)
        _mode.set(current())

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Return ``function`` run inside such a block, a new one for every call."""
        code = getattr(function, "__code__", None)
        if code is not None and code.co_flags & _SUSPENDED:
            raise TypeError(f"{code.co_name} would run outside of the block; write the with statement inside of it")

        @functools.wraps(function)
        def inside(*args: P.args, **kwargs: P.kwargs) -> R:
            with Block(self._change):
                return function(*args, **kwargs)

        return inside


def no_grad() -> Block:
    """Return a context (or decorator) in which results are leaves: nothing is recorded, nothing can be differentiated.

    >>> import micrograd as mg
    >>> x = mg.Value(3.0)
    >>> with mg.no_grad():
    ...     y = x * x
    >>> y.parents
    ()
    """
    return Block(lambda outer: Mode(False, outer.detector, outer.scope, outer))


def recording() -> Block:
    """Return a context in which nodes are recorded, whatever surrounds it."""
    return Block(lambda outer: Mode(True, outer.detector, outer.scope, outer))


def outside() -> Block:
    """Return a context in which nodes are built as if no other surrounded it."""
    return Block(lambda outer: Mode(outer=outer))


def scope(name: str) -> Block:
    """Return a context (or decorator) that names the nodes built in it, as ``"layer1/neuron3"``; scopes nest.

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
    return Block(
        lambda outer: Mode(outer.recording, outer.detector, f"{outer.scope}/{name}" if outer.scope else name, outer)
    )


def detect_anomaly() -> Block:
    """Return a context (or decorator) that raises ``AnomalyError`` at the first value or gradient that is not finite.

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
    return Block(lambda outer: Mode(outer.recording, outer.detector or AnomalyDetector(), outer.scope, outer))


class AnomalyDetector:
    """Remembers where each node was built, and raises at the first number that is not finite."""

    def __init__(self) -> None:
        self._lines: WeakKeyDictionary[Any, str] = WeakKeyDictionary()

    def built(self, node: Any) -> None:
        """Note where ``node`` was built, and check its value."""
        line = self._lines[node] = _users_line()
        if not math.isfinite(node.data):
            raise AnomalyError(f"{node.call_text()} gave {node.data}\n  at {line}")

    def reached(self, node: Any, consumer: Any, share: float, total: float) -> None:
        """Check the contribution that ``consumer`` sends to its operand ``node``, and the sum so far."""
        if not math.isfinite(share):
            what = f"the gradient that {consumer.call_text()} sends to {node.name_text()} is {share}"
        elif not math.isfinite(total):
            what = f"with the gradient that {consumer.call_text()} sends, that of {node.name_text()} adds up to {total}"
        else:
            return
        raise AnomalyError(f"{what}\n  built at {self._lines.get(consumer, 'a line outside detect_anomaly()')}")

    def stored(self, leaf: Any, total: float) -> None:
        """Check the gradient of ``leaf`` with what it had from earlier passes."""
        if not math.isfinite(total):
            raise AnomalyError(f"the gradient of {leaf.name_text()} adds up to {total}; it was {leaf.grad!r} before")


def _users_line() -> str:
    """Return the innermost line on the stack that is not micrograd's own."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    name, number = frame.f_code.co_filename, frame.f_lineno
    text = linecache.getline(name, number, frame.f_globals).strip()
    return f"{name}:{number}" + (f"\n    {text}" if text else "")


_lock = threading.Lock()
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
