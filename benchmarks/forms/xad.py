"""XAD: the network of E1, scalar by scalar, on a tape in C++ that is recorded anew at every call."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import xad.math
from xad.adj_1st import Real, Tape

from benchmarks.e1 import network, score
from benchmarks.forms import Forms, Prepared

__all__ = ["load"]


def load() -> Forms:
    """Return the forms."""
    return Forms(version=version("xad"), forms={"c1": c1})


def _relu(x: Any) -> Any:
    return xad.math.max(x, 0.0)


def c1(problem: Mapping[str, Any]) -> Prepared:
    """Prepare C1. Why the tape is cleared, and the parameters are made anew, stands in ``peers/xad.py``."""
    tape = Tape()
    tape.activate()

    def call() -> Any:
        tape.clearAll()
        parameters = [Real(x) for x in problem["parameters"].tolist()]
        for p in parameters:
            tape.registerInput(p)
        tape.newRecording()
        net = network(parameters)
        points, classes = problem["points"].tolist(), problem["classes"].tolist()
        losses = [_relu(1.0 + -y * score(net, x, _relu)) for x, y in zip(points, classes)]
        loss = sum(losses) * (1.0 / len(losses))
        tape.registerOutput(loss)
        loss.derivative = 1.0
        tape.computeAdjoints()
        return loss.value, np.array([p.derivative for p in parameters])

    return Prepared(call)
