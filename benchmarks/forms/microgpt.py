"""The baseline of C2: the GPT scalar by scalar in plain Python, one document after another."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.forms import Forms, Prepared
from benchmarks.gpt import document, operations
from benchmarks.peers.microgpt import Value

__all__ = ["load"]


def load() -> Forms:
    """Return the forms."""
    return Forms(
        version="design of 2026",
        forms={
            "c2": lambda problem: _c2(problem, paused=False),
            "c2 paused": lambda problem: _c2(problem, paused=True),
        },
    )


def _c2(problem: Mapping[str, Any], paused: bool) -> Prepared:
    parameters = {name: [[Value(x) for x in row] for row in a.tolist()] for name, a in problem["parameters"].items()}
    leaves = [p for matrix in parameters.values() for row in matrix for p in row]
    documents = [tokens for group in problem["documents"].values() for tokens in group.tolist()]

    def call() -> Any:
        total = 0.0
        for p in leaves:
            p.grad = 0.0
        for tokens in documents:
            loss = document(parameters, tokens) / len(documents)
            loss.backward()
            total += loss.data
        gradients = {name: np.array([[p.grad for p in row] for row in matrix]) for name, matrix in parameters.items()}
        return total, gradients

    if paused:
        gc.disable()
    sizes = [operations(document(parameters, tokens)) for tokens in documents]
    return Prepared(call, {"operations per document": sum(sizes) / len(sizes)})
