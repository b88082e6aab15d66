"""C1: mean hinge loss of an MLP [2, 16, 16, 1] over a batch, with the gradient of all 337 parameters, compiled.

The network, the samples and the parameters are those of E1. The parameters are one flat array: layer by layer, neuron
by neuron, weights and then bias.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from benchmarks.compiled import Case, Entry, compete, tell
from benchmarks.e1 import LAYERS, initial_parameters, two_moons
from benchmarks.report import Report
from benchmarks.rounds import Session

__all__ = ["ENTRIES", "REPEAT", "SIZES", "SUMMARY", "layers", "problem", "run"]

SUMMARY = "compiled: loss of an MLP [2, 16, 16, 1] over SIZE two-moons samples, and the gradient of 337 parameters"
SIZES = (100, 1024)
REPEAT = 15

ENTRIES = (
    Entry("ours", "c1", "micrograd (ours)"),
    Entry("ours", "c1 captured", "micrograd, captured Values"),
    Entry("ours", "c1 fastmath", "micrograd, fastmath"),
    Entry("jax", "c1", "JAX jit"),
    Entry("jax", "c1 resident", "JAX jit, its own arrays"),
    Entry("torch", "c1", "PyTorch tensors"),
    Entry("torch", "c1 compile", "torch.compile"),
    Entry("casadi", "c1", "CasADi SX"),
    Entry("casadi", "c1 gcc", "CasADi SX, gcc -O3 native"),
    Entry("xad", "c1", "XAD (C++ tape)", every=5),
)


def problem(samples: int) -> dict[str, Any]:
    """Return parameters (337), points (samples, 2) and classes (samples), 1.0 or -1.0."""
    data = two_moons(samples)
    return {
        "parameters": initial_parameters(),
        "points": [list(point) for point, _ in data],
        "classes": [label for _, label in data],
    }


def layers(parameters: Any) -> Iterator[Any]:
    """Cut a flat array of parameters into one matrix per layer: a row per neuron, its bias last."""
    start = 0
    for inputs, outputs in pairwise(LAYERS):
        end = start + (inputs + 1) * outputs
        yield parameters[start:end].reshape(outputs, inputs + 1)
        start = end


def run(session: Session) -> Report:
    """Measure every engine at every size."""
    cases = [Case(f"N={size}", (size,), ENTRIES) for size in session.sizes]
    return tell(
        "c1",
        f"C1: {SUMMARY.replace('SIZE', ' and '.join(map(str, session.sizes)))}",
        "us",
        compete(session, cases),
        ["JAX with its own arrays is given data that is there already, and its gradient stays there"],
    )
