"""C2: a character-level GPT, compiled: mean loss over a batch of documents, with the gradient of all 4,192 parameters.

The architecture is microgpt's: token and position embeddings, RMSNorm, one layer of causal attention with 4 heads and
an MLP four times as wide with relu, both added to what they read, and a linear readout. 16 dimensions, at most 16
positions, 27 characters, no biases. The loss is the mean cross entropy of the next character.

In the mix, documents have different lengths, as names do; every engine gets them grouped by length.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from statistics import NormalDist, median
from typing import Any

from benchmarks.compiled import Case, Entry, Runner, compete, tell
from benchmarks.report import Report
from benchmarks.rounds import Session

__all__ = ["EPSILON", "HEADS", "REPEAT", "SHAPES", "SIZES", "SUMMARY", "groups", "problem", "run"]

SUMMARY = "compiled: loss of a GPT with 4,192 parameters over SIZE documents, and its gradient"
SIZES = (8, 64, 256)
REPEAT = 10

MIX = 0
"""Stands for a length: documents of different lengths."""

LENGTH = 8
"""Characters predicted in a document, where all are of one length."""

HEADS = 4
EPSILON = 1e-5
"""What RMSNorm adds to the mean of the squares."""

_CHARACTERS, _POSITIONS, _WIDTH = 27, 16, 16

SHAPES = {
    "token": (_CHARACTERS, _WIDTH),
    "position": (_POSITIONS, _WIDTH),
    "query": (_WIDTH, _WIDTH),
    "key": (_WIDTH, _WIDTH),
    "value": (_WIDTH, _WIDTH),
    "output": (_WIDTH, _WIDTH),
    "widen": (4 * _WIDTH, _WIDTH),
    "narrow": (_WIDTH, 4 * _WIDTH),
    "readout": (_CHARACTERS, _WIDTH),
}
"""The parameters: matrices with a row for every character, position or output."""

COMPILED = (
    Entry("ours", "c2", "micrograd (ours)"),
    Entry("ours", "c2 fastmath", "micrograd, fastmath"),
    Entry("jax", "c2", "JAX jit, vmap"),
    Entry("torch", "c2", "PyTorch tensors"),
)
BASELINE = (
    Entry("microgpt", "c2", "microgpt.py's Value", every=5),
    Entry("microgpt", "c2 paused", "the same, collector paused", every=5),
)


def problem(length: int, batch: int) -> dict[str, Any]:
    """Return parameters by name, and documents (number, length + 1) by their length; both are random, seed 1."""
    rng = random.Random(1)
    parameters = {
        name: [[rng.gauss(0.0, 0.3) for _ in range(columns)] for _ in range(rows)]
        for name, (rows, columns) in SHAPES.items()
    }
    documents: dict[str, list[list[int]]] = {}
    end = _CHARACTERS - 1
    for i in range(batch):
        predicted = length if length != MIX else _length_of_a_name((i + 0.5) / batch)
        letters = [rng.randrange(end) for _ in range(predicted - 1)]
        documents.setdefault(str(predicted), []).append([end, *letters, end])
    return {"parameters": parameters, "documents": documents}


def _length_of_a_name(quantile: float) -> int:
    """Return 1 plus the letters of a name, 3 to 15: about 57,000 nodes on average, for microgpt.py's ``Value``."""
    return 1 + min(max(round(NormalDist(6.5, 1.7).inv_cdf(quantile)), 3), 15)


def groups(problem: Mapping[str, Any]) -> list[tuple[float, Any]]:
    """Return the documents of each length with their share in the batch."""
    documents = list(problem["documents"].values())
    total = sum(map(len, documents))
    return [(len(group) / total, group) for group in documents]


def run(session: Session) -> Report:
    """Measure every engine at every size, for one length and for the mix; the baseline at the smallest size only."""
    smallest = min(session.sizes)
    cases = [
        Case(
            f"{f'T={length}' if length != MIX else 'mix'}, N={batch}",
            (length, batch),
            (*COMPILED, *(BASELINE if batch == smallest else ())),
            per=batch,
        )
        for length in (LENGTH, MIX)
        for batch in session.sizes
    ]
    runners, pace, missing = compete(session, cases)
    return tell(
        "c2",
        f"C2: {SUMMARY.replace('SIZE', ' and '.join(map(str, session.sizes)))}",
        "us/document",
        (runners, pace, missing),
        [
            f"T: characters predicted in each document; mix: {_average(smallest)} on average",
            *_speedups(runners),
        ],
    )


def _average(batch: int) -> str:
    lengths = [int(length) for length, group in problem(MIX, batch)["documents"].items() for _ in group]
    return f"{sum(lengths) / len(lengths):.1f}"


def _speedups(runners: list[Runner]) -> list[str]:
    """Say how many times quicker than the baseline ours is at every size."""
    lines = []
    for kind in ("T=", "mix"):
        timed = [r for r in runners if r.turns and r.case.label.startswith(kind)]
        base = [r for r in timed if r.entry is BASELINE[0]]
        ours = [r for r in timed if r.entry is COMPILED[0]]
        if base and ours:
            per_document = [median(t["seconds"] for t in r.turns.values()) / r.case.per for r in (*base, *ours)]
            ratios = [f"{per_document[0] / x:,.0f} (N={r.case.per})" for r, x in zip(ours, per_document[1:])]
            which = base[0].case.label.partition(",")[0]
            lines.append(f"{which}: ours is quicker than microgpt.py's Value by a factor of {', '.join(ratios)}")
    return lines
