"""What an operation's script is asked in JavaScript, and what the engine says to it: points, bounds, numbers as texts.

The bound is 4 ulps of what the engine computes, 0 for what IEEE 754 rounds in one way only. Where no program could keep
it, the yardstick is the row's own: ``Accuracy`` says why.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from typing import Any

from table_rows import ROWS

from micrograd import Value
from micrograd.engine import shares
from micrograd.ops import Op
from micrograd.testing.points import anywhere, at_kinks, borders, moderate, sizes, special

inf, nan = math.inf, math.nan

ULPS = 4.0
EXACT = frozenset(
    "abs add clamp copysign degrees div dot eq fmod ge gt isnan le leaky_relu lt maximum mean minimum mul neg pos prod"
    " radians relu sqrt sub sum take where".split()
)
SHARE_ULPS = {"cbrt": 10.0}
"""The share of cbrt has the square of the root, and glibc's root, which Python's is, is off by up to 3.7 ulps."""

CANCELLING = frozenset({"silu", "logsumexp"})
"""Rows whose rule amplifies the rounding of the result: their bound counts in condition numbers, as the row's does."""

AWKWARD = (0.0, -0.0, 1.0, -1.0, 2.0, -8.0, 0.5, 1 / 3, 1e-300, 1e300, 5e-324, -5e-324, inf, -inf, nan)
SEEDS = (1.0, -1.0, 0.3, -2.7, 1e5, 1e-5, 1e-300, 1e300, inf, -inf, nan)

Call = tuple[float, ...]  # a seed, then the operands


def shapes() -> list[tuple[str, int]]:
    """Return every operation with numbers of flat operands, the index of ``take`` being one of them."""
    return [(name, size + (name == "take")) for name, row in ROWS.items() for size in sizes(row)]


def calls_of(name: str, operands: int) -> list[Call]:
    """Return some hundred calls of an operation: inside of its domain, at borders and kinks, and beyond."""
    row, size = ROWS[name], operands - (name == "take")
    rng = random.Random(f"{name} {operands}")
    points: list[Sequence[float]] = []
    if size <= 2:
        points += itertools.product(AWKWARD, repeat=size)
    else:
        points += [[rng.choice(AWKWARD) for _ in range(size)] for _ in range(150)]
    for _ in range(150):
        ranges = [rng.choice((4.0, 4.0, 40.0, 0.0)) for _ in range(size)]
        points.append([rng.uniform(-most, most) if most else rng.choice(AWKWARD) for most in ranges])
    drawn = [*special(rng, row), *[point for point, _ in borders(rng, row)], *at_kinks(rng, row, 40)]
    drawn += [moderate(rng, row) if k % 2 else anywhere(rng, row) for k in range(200)]
    points += [point[:size] for point in drawn if len(point) == operands]
    calls = []
    for point in points:
        index = [float(rng.randrange(size))] if name == "take" else []
        calls.append((rng.choice((*SEEDS, *[rng.uniform(-3.0, 3.0)] * 20)), *point, *index))
    return calls


def eager(name: str, call: Call) -> tuple[float, list[float]]:
    """Return the value and the shares that the engine gives."""
    node = _node(ROWS[name], call)[0]
    found = [share for _, share in shares(node, call[0])]
    return node.data, [*found, 0.0] if name == "take" else found


def _node(row: Op, call: Call) -> tuple[Value, list[Value]]:
    _, *numbers = call
    leaves = [Value(x) for x in (numbers[:-1] if row.name == "take" else numbers)]
    node: Value = row.apply((*leaves, *numbers[len(leaves) :]))
    return node, leaves


def departure(name: str, call: Call, answer: Sequence[float]) -> str:
    """Return what is wrong with an answer, a value and then the shares; nothing where it is within the bounds."""
    value, wanted = eager(name, call)
    exact, absolute = name in EXACT, ROWS[name].accuracy.absolute
    scale = [1.0 if absolute else 0.0, *[abs(call[0]) if absolute else 0.0] * len(wanted)]
    told = []
    for place, (got, want, least) in enumerate(zip(answer, (value, *wanted), scale, strict=True)):
        apart = ulps_apart(got, want, least)
        if exact and apart == 0.0 and got == got and math.copysign(1.0, got) != math.copysign(1.0, want):
            apart = inf
        most = 0.0 if exact else ULPS if place == 0 else SHARE_ULPS.get(name, ULPS)
        if apart > most and (name not in CANCELLING or apart > most * _condition(name, call, place)):
            what = f"the share of operand {place - 1}" if place else "the value"
            told.append(f"{name}: {what} at {call}: {got!r}, the engine's {want!r}, {apart:.3g} ulps apart")
    return "; ".join(told)


def ulps_apart(got: float, want: float, least: float = 0.0) -> float:
    """Return how many ulps of ``want``, or of ``least`` where that is more, lie between two floats."""
    if got == want or (got != got and want != want):
        return 0.0
    if not (math.isfinite(got) and math.isfinite(want)):
        return inf
    return abs(got - want) / math.ulp(max(abs(want), least))


def _condition(name: str, call: Call, place: int) -> float:
    """Return how much larger the relative error of a result is than that of the operands, 1 at least.

    ``place`` 0 is the value, the others are the shares.
    """
    node, leaves = _node(ROWS[name], (1.0, *call[1:]))
    if place:
        node.backward(create_graph=True)
        share: Any = leaves[place - 1].grad
        for leaf in leaves:
            leaf.grad = 0.0
        node = share
    node.backward()
    moved = sum([abs(leaf.data * leaf.grad) for leaf in leaves])
    amplified: float = moved / abs(node.data)
    return max(1.0, amplified)


# --- numbers as texts -------------------------------------------------------------------------------------------

ANSWERS = """
(requests) => {
  const text = (x) => (Object.is(x, -0) ? "-0.0" : String(x));
  return requests.map(([f, calls]) => calls.map((numbers) => {
    const [seed, ...x] = numbers.map(Number);
    const gradient = new Float64Array(x.length).fill(12345);
    const value = f(seed, Float64Array.from(x), gradient);
    return [value, ...gradient].map(text);
  }));
}
"""
"""A JavaScript function from pairs of a script's function and its calls to values and shares; JSON has no nan."""


def written(call: Call) -> list[str]:
    """Return numbers as texts that JavaScript's ``Number`` reads."""
    return ["NaN" if x != x else repr(x).replace("inf", "Infinity") for x in call]
