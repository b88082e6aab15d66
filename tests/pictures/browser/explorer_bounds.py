"""How far the page's numbers may be from Python's after an input changed: the error model, with the scripts' 4 ulps.

Both run the same operations in the same order, so an operation that IEEE 754 rounds in one way only adds a difference
just where its operands differ already. The rest is the sum over paths of ``micrograd.testing.rounding``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from operation_calls import EXACT, ULPS

from micrograd import Value
from micrograd.compiler.derive import gradient
from micrograd.compiler.program import CHAIN, LEAVES
from micrograd.compiler.trace import Input, Recorder, record
from micrograd.ops import operations
from micrograd.testing.program import Program
from micrograd.testing.rounding import carried, path_bound, path_sizes


def bounds(program: Program, numbers: Sequence[float]) -> tuple[float, list[float]]:
    """Return by how much the page's value of ``program`` and its gradients may differ from Python's."""
    recorder = Recorder()
    symbols = tuple(Input(recorder, recorder.leaf("argument", k)) for k in range(len(numbers)))
    written = gradient(record(program, recorder, symbols, {}), lambda kind, payload: True, scatter=False)
    found: list[tuple[float, float]] = []
    for op, operands in zip(written.ops, written.operands):
        if op in LEAVES:
            found.append((operands[0] if op == "constant" else numbers[operands[0]], 0.0))
        elif op == CHAIN:
            found.append(_chain([found[x] for x in operands]))
        else:
            found.append(_one(op, [found[x] for x in operands]))
    slopes = {written.operands[leaf][0]: found[x][1] for leaf, x in written.gradients.items()}
    return found[written.outputs["value"]][1], [
        slopes.get(k, 0.0) + other for k, other in enumerate(_other_order(program, numbers, any(slopes.values())))
    ]


def _one(op: str, operands: Sequence[tuple[float, float]]) -> tuple[float, float]:
    row, numbers, errors = operations()[op], [x for x, _ in operands], [error for _, error in operands]
    result = row.forward(*numbers)
    size = max(abs(result), 1.0 if row.accuracy.absolute else 0.0)
    if row.arity is None:
        terms = [abs(x * slope) for x, slope in zip(numbers, row.contributions(1.0, result, numbers))]
        size = max(size, math.fsum(filter(math.isfinite, terms)))
    rounding = math.ulp(size) if op in EXACT else ULPS * math.ulp(size)
    own = 0.0 if op in EXACT and not any(errors) else rounding
    return result, carried(row, numbers, result, errors) + own


def _chain(operands: Sequence[tuple[float, float]]) -> tuple[float, float]:
    total: Any = operands[0]
    half = len(operands) // 2
    for x, y in zip(operands[1 : half + 1], operands[half + 1 :]):
        total = _one("add", [total, _one("mul", [x, y])])
    found: tuple[float, float] = total
    return found


def _other_order(program: Program, numbers: Sequence[float], inexact: bool) -> list[float]:
    """Return what the order may change in which gradients are added up: in this file it is not the engine's."""
    values = [Value(x) for x in numbers]
    sizes = path_sizes(program(*values))
    uses = sum(len(operands) for _, *operands in program.instructions)
    return [path_bound(uses, sizes.get(x, 0.0)) if inexact else 0.0 for x in values]
