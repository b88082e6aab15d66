"""XAD: a tape in C++ that Python's operators record on.

How to record the same function again and again was found by comparing gradients, not in the documentation:

- ``newRecording`` alone is right, but a number's slot on the tape is never used again, so the tape grows by 8 bytes
  per operation and step and each step is a little slower than the last (4 % after 60 steps of E1).
- ``clearAll`` starts afresh and is the quickest, provided that **every** number of the step before is gone first,
  parameters included: one that dies later takes a slot of the new recording with it, and one that survives keeps its
  old slot, for which ``registerInput`` does nothing. Both give wrong gradients without an error.

So parameters are made anew for every step, outside the timing, as a training loop on XAD does by updating them.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from operator import attrgetter
from typing import Any

import xad.math
from xad.adj_1st import Real, Tape

from benchmarks.engine import Engine, collector_disabled

__all__ = ["load"]


def load() -> Engine:
    """Return the engine, ready to run, with its tape activated."""
    tape = Tape()
    tape.activate()

    def parameter(x: float) -> Any:
        real = Real(x)
        tape.registerInput(real)
        return real

    def begin(parameters: Iterable[Any]) -> None:
        tape.newRecording()

    def backward(result: Any) -> None:
        tape.registerOutput(result)
        result.derivative = 1.0
        tape.computeAdjoints()

    return Engine(
        version=version("xad"),
        parameter=parameter,
        constant=float,  # its operators take floats directly, without a node
        relu=lambda x: xad.math.max(x, 0.0),
        number=attrgetter("value"),
        gradient=attrgetter("derivative"),
        begin=begin,
        backward=backward,
        paused=collector_disabled,
        renew=tape.clearAll,
        rebuilds=True,
    )
