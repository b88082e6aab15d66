"""What ``micrograd/compiler/ERRORS.md`` claims, for the tests: its table, points to hold the machine to it, and bounds.

``bounds`` carries the claims through a program: the error of every instruction is what its operands' errors become, to
first order, and the rounding that the page allows the instruction itself.
"""

from __future__ import annotations

import functools
import math
import random
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mpmath import mp
from table_rows import ROWS, domains

import micrograd.compiler
from micrograd.compiler.program import CHAIN, LEAVES, Program
from micrograd.ops.domain import Domain
from micrograd.testing.rounding import EPSILON, SMALLEST, carried, own_rounding

__all__ = [
    "EPSILON",
    "EXACT",
    "PAGE",
    "agree",
    "bounds",
    "error",
    "points",
    "sum_bound",
    "table",
    "truth",
]

PAGE = Path(micrograd.compiler.__file__).parent / "ERRORS.md"
EXACT = frozenset(
    "abs add clamp copysign div dot eq fmod ge gt isnan le leaky_relu lt maximum mean minimum mul neg pos prod relu"
    " sqrt sub sum take where degrees radians".split()
)
"""Rows whose values are claimed to have the eager engine's bits."""

# --- the table of the page --------------------------------------------------------------------------------------

_LINE = re.compile(r"\| `(\w+)` \| ([\d.]+) \| ([\d.]+|-) \| ([\d.]+|-) \| ([\d.]+|-) \|")


@functools.cache
def table() -> dict[str, dict[int, float]]:
    """Return the page's bounds in ulps by function and lanes, 1 for the scalar C library; none for a dash."""
    found: dict[str, dict[int, float]] = {}
    for name, *cells in _LINE.findall(PAGE.read_text(encoding="utf-8")):
        assert name not in found, f"{name} stands twice in ERRORS.md"
        found[name] = {lanes: float(cell) for lanes, cell in zip((1, 2, 4, 8), cells) if cell != "-"}
    return found


def _worst(name: str) -> float:
    return max(table()[name].values())


# --- points at which functions are measured ---------------------------------------------------------------------

_RANGE = {
    **dict.fromkeys(("exp", "expm1"), (-708.0, 709.7)),
    "exp2": (-1021.0, 1023.9),
    **dict.fromkeys(("sinh", "cosh"), (-710.0, 710.0)),
    "erfc": (-30.0, 26.5),
    "erf": (-30.0, 30.0),
}
"""Where a result is neither infinite nor subnormal, for functions that most floats would take there."""


def points(name: str, count: int) -> list[tuple[float, ...]]:
    """Return operands all over the domain: moderate ones, all magnitudes, and near borders; fewer are the first."""
    rng = random.Random(name)
    row = ROWS[name]
    low, high = _RANGE.get(name, (-1e300, 1e300))
    found: list[tuple[float, ...]] = []
    while len(found) < count:
        operands = tuple(_drawn(rng, domain, low, high) for domain in domains(row, row.arity or 1))
        result = row.forward(*operands)
        if math.isfinite(result) and (result == 0.0 or abs(result) >= SMALLEST):
            found.append(operands)
    return found


def _drawn(rng: random.Random, domain: Domain, low: float, high: float) -> float:
    while True:
        kind = rng.random()
        sign = rng.choice((-1.0, 1.0))
        if kind < 0.4:
            x = rng.uniform(-4.0, 4.0)
        elif kind < 0.6:
            x = sign * 10.0 ** rng.uniform(-3.0, 3.0)
        elif kind < 0.8:
            x = sign * 10.0 ** rng.uniform(-300.0, 300.0)
        else:  # beside a border of the domain, beside 1, or beside a multiple of pi / 2
            interval = rng.choice(domain.intervals)
            borders = [end for end in (interval.low, interval.high) if math.isfinite(end)]
            origin = rng.choice([*borders, 1.0, rng.randrange(1, 1000) * math.pi / 2.0])
            x = origin + sign * 10.0 ** rng.uniform(-17.0, 0.0)
        if domain.contains(x) and low <= x <= high and math.isfinite(x):
            return x


def truth(name: str, operands: Sequence[float]) -> Any:
    """Return what a function gives, to 50 digits and more."""
    if name == "fmod":
        return mp.mpf(math.fmod(*operands))  # exact in C, and out of mpmath's reach for quotients of 1e600
    reference = ROWS[name].reference
    assert reference is not None
    with mp.workdps(50):
        return reference(mp, *[mp.mpf(x) for x in operands])


def error(got: float, wanted: Any) -> float:
    """Return the error of ``got`` in ulps of what is wanted."""
    if not math.isfinite(got):
        return math.inf
    with mp.workdps(50):
        return float(abs(mp.mpf(got) - wanted) / math.ulp(min(float(abs(wanted)), sys.float_info.max)))


# --- bounds -----------------------------------------------------------------------------------------------------


def sum_bound(terms: Sequence[float]) -> float:
    """Return how far two sums over samples, in different orders, may be apart."""
    return len(terms) * EPSILON * math.fsum(map(abs, terms))


def agree(got: float, wanted: float, bound: float = 0.0) -> bool:
    """Tell whether two numbers are as near as ``bound``; nan agrees with nan, and an infinity with itself."""
    if got == wanted or (got != got and wanted != wanted):
        return True
    return abs(got - wanted) <= bound or bound != bound  # a bound that is nan: nothing is claimed


def bounds(program: Program, leaf: Callable[[str, Any], float]) -> list[tuple[float, float]]:
    """Return every instruction's result on plain floats, and by how much native code may differ from the exact one.

    Args:
        program: with any operations of the table; what the page does not list is allowed what its row promises.
        leaf: the number of a leaf, by its kind and payload.
    """
    found: list[tuple[float, float]] = []
    for op, operands in zip(program.ops, program.operands):
        if op in LEAVES:
            payload: Any = operands[0] if operands else None
            found.append((payload if op == "constant" else leaf(op, payload), 0.0))
        elif op == CHAIN:
            found.append(_chained([found[x] for x in operands]))
        else:
            found.append(_one(op, [found[x] for x in operands]))
    return found


def _chained(operands: Sequence[tuple[float, float]]) -> tuple[float, float]:
    (total, off), *rest = operands
    half = len(rest) // 2
    for (x, dx), (y, dy) in zip(rest[:half], rest[half:]):
        total += x * y
        off += abs(x) * dy + abs(y) * dx + EPSILON * (abs(x * y) + abs(total))
    return total, off


def _one(op: str, operands: Sequence[tuple[float, float]]) -> tuple[float, float]:
    row = ROWS[op]
    numbers = [x for x, _ in operands]
    result = row.forward(*numbers)
    return result, _rounding(op, numbers, result) + carried(row, numbers, result, [off for _, off in operands])


def _rounding(op: str, operands: Sequence[float], result: float) -> float:
    """Return what the page allows an instruction; what it does not list is allowed what its row promises."""
    if op not in table() or not math.isfinite(result):
        return own_rounding(ROWS[op], operands, result)
    # hypot is Python's own in eager code, and an exponent of 2, 3 or 4 is no call: both are better than this.
    ulps = 2.0 if op == "power" and operands[1] in (2.0, 3.0, 4.0) else _worst(op)
    return ulps * math.ulp(result)
