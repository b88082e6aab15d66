"""C4: Black-Scholes prices of many options, each with its five first partial derivatives (the Greeks), compiled."""

from __future__ import annotations

import random
from typing import Any

from benchmarks.compiled import Case, Entry, compete, tell
from benchmarks.report import Report
from benchmarks.rounds import Session

__all__ = ["COLUMNS", "REPEAT", "SIZES", "SUMMARY", "problem", "run"]

SUMMARY = "compiled: Black-Scholes prices of SIZE European calls, and five partial derivatives of each"
SIZES = (100_000,)
REPEAT = 15

COLUMNS = ("spot", "strike", "years", "rate", "sigma")
"""What a price depends on, and is differentiated by."""

ENTRIES = (
    Entry("ours", "c4", "micrograd (ours)"),
    Entry("ours", "c4 fastmath", "micrograd, fastmath"),
    Entry("jax", "c4", "JAX jit, vmap"),
    Entry("torch", "c4", "PyTorch tensors"),
    Entry("torch", "c4 compile", "torch.compile"),
    Entry("casadi", "c4", "CasADi SX, map", every=5),
    Entry("casadi", "c4 gcc", "CasADi SX, map, gcc -O3 native"),
)


def problem(options: int) -> dict[str, Any]:
    """Return the five columns, random: strikes within a quarter of the spot, three months to two years."""
    rng = random.Random(1)
    spot = [rng.uniform(50.0, 150.0) for _ in range(options)]
    return {
        "spot": spot,
        "strike": [s * rng.uniform(0.8, 1.25) for s in spot],
        "years": [rng.uniform(0.25, 2.0) for _ in spot],
        "rate": [rng.uniform(0.0, 0.1) for _ in spot],
        "sigma": [rng.uniform(0.15, 0.5) for _ in spot],
    }


def run(session: Session) -> Report:
    """Measure every engine at every size."""
    cases = [Case(f"N={size}", (size,), ENTRIES) for size in session.sizes]
    return tell(
        "c4",
        f"C4: {SUMMARY.replace('SIZE', ' and '.join(f'{size:,}' for size in session.sizes))}",
        "us",
        compete(session, cases),
    )
