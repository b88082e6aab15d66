"""What the tests of both exports share: programs captured from functions, what eager code says about them, and bounds.

A ``Case`` is a program and calls of it. ``check`` runs over the results of all calls, whoever made them.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from table_rows import PAIRED, ROWS, sizes

import micrograd as mg
from micrograd import Value
from micrograd.compiler.chains import with_chains
from micrograd.compiler.derive import gradient
from micrograd.compiler.lower import lowered
from micrograd.compiler.program import CHAIN, LEAVES, Program
from micrograd.compiler.trace import Input, Recorder, record
from micrograd.compiler.verify import verify
from micrograd.testing.strategies import programs

inf, nan = math.inf, math.nan

# The bounds, in ulps of the result (of 1 at least, for rows whose accuracy is absolute).
EXACT = frozenset(
    "abs add clamp copysign div dot eq ge gt isnan le leaky_relu lt maximum mean minimum mul neg pos prod relu sqrt sub"
    " sum take where degrees radians".split()
)
VALUE_ULPS = 4.0
DERIVATIVE_ULPS = 16.0
PROGRAM_BOUND = 1e-11  # of a program: relative, and absolute below 1; a dozen operations amplify what each rounds

AWKWARD = (0.0, -0.0, 1.0, -1.0, 2.0, -8.0, 1 / 3, 1e-300, 1e300, inf, -inf, nan)
FEWER = (0.0, -0.0, 1.0, -2.5, inf, -inf, nan)
ORDINARY = (0.3, 0.7, -0.45, 1.7, -2.2, 3.9, 12.5, -30.0)


@dataclass
class Call:
    """One call: arrays that are read and sizes of arrays that are written, both in the order of the parameters."""

    reads: Mapping[str, Sequence[float]]
    writes: Mapping[str, int] = field(default_factory=dict)
    samples: int | None = None


Results = Mapping[str, Any]  # by array; the result under "return"


@dataclass
class Case:
    """A function to export, calls of it, and what tests their results."""

    name: str
    program: Program
    calls: list[Call]
    check: Callable[[Sequence[Results], str], None]
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def returns(self) -> bool:
        return "value" in self.program.outputs and not (
            self.options.get("batched") and self.options.get("reduce") is None
        )


def same(got: float, want: float, ulps: float = 0.0, least: float = 0.0, signed: bool = False) -> bool:
    """Tell whether two floats agree to ``ulps`` of the wanted one, or of ``least`` where that is more."""
    if math.isnan(got) or math.isnan(want):
        return math.isnan(got) and math.isnan(want)
    if got == want:
        return not signed or math.copysign(1.0, got) == math.copysign(1.0, want)
    return math.isfinite(got) and abs(got - want) <= ulps * math.ulp(max(abs(want), least))


def near(got: float, want: float) -> bool:
    """Tell whether a program's result agrees."""
    if math.isnan(got) or math.isnan(want) or math.isinf(want):
        return same(got, want)
    return abs(got - want) <= PROGRAM_BOUND * max(1.0, abs(want))


def everything(kind: str, payload: Any) -> bool:
    return kind in ("argument", "parameter", "sample")


def derived(program: Program, **options: Any) -> Program:
    """Return the lowered program of the value and all gradients; every stage is verified."""
    chained = verify(with_chains(verify(program, "capture")), "chains")
    reverse = verify(gradient(chained, everything, **options), "gradient")
    return verify(lowered(reverse), "lowering")


def captured(f: Callable[..., Any], count: int) -> Program:
    """Return the program of a function of ``count`` floats."""
    recorder = Recorder()
    return record(f, recorder, tuple(Input(recorder, recorder.leaf("argument", k)) for k in range(count)), {})


def eager(f: Callable[..., Any], numbers: Sequence[float]) -> tuple[float, list[float]]:
    """Return the value and the gradient that Values give."""
    values = [Value(x) for x in numbers]
    result = f(*values)
    result.backward()
    return result.data, [x.grad for x in values]


def interpreted(program: Program, numbers: Sequence[float]) -> tuple[float, dict[int, float]]:
    """Return the value and the gradient by argument: each instruction by the forward function of its row."""
    results: list[float] = []
    for op, operands in zip(program.ops, program.operands):
        if op in LEAVES:
            results.append(operands[0] if op == "constant" else numbers[operands[0]])
        elif op == CHAIN:
            total, *rest = [results[x] for x in operands]
            for x, y in zip(rest[: len(rest) // 2], rest[len(rest) // 2 :]):
                total += x * y
            results.append(total)
        else:
            results.append(mg.operations()[op].forward(*[results[x] for x in operands]))
    gradients = {program.operands[leaf][0]: results[x] for leaf, x in program.gradients.items()}
    return results[program.outputs["value"]], gradients


# --- every operation --------------------------------------------------------------------------------------------


def _points(name: str, count: int) -> list[tuple[float, ...]]:
    if count == 1:
        return [(x,) for x in (*AWKWARD, *ORDINARY)]
    if count == 2:
        return [*itertools.product(AWKWARD, repeat=2), *itertools.product(ORDINARY, repeat=2)]
    drawn = random.Random(name)
    points = [tuple(drawn.choice(FEWER) for _ in range(count)) for _ in range(300)]
    return points + [tuple(drawn.choice(ORDINARY) for _ in range(count)) for _ in range(60)]


def operation_cases() -> Iterator[Case]:
    """Return a case for every operation and number of operands, at ordinary and at awkward points."""
    for name, row in ROWS.items():
        for size in sizes(row) if row.arity is None or row.arity > 0 else ():
            if name in PAIRED and size == 6:
                size = 10  # long enough to be a chain
            yield _operation_case(name, size)


def _operation_case(name: str, size: int) -> Case:
    row = ROWS[name]
    constant = (float(size - 1),) if name == "take" else ()
    f = lambda *xs: row.apply((*xs, *constant))
    program = derived(captured(f, size), careful=True)
    points = _points(name, size)
    writes = {"argument_gradient": size} if program.gradients or program.scatters else {}
    options = {"widths": {"argument": size}}

    def check(results: Sequence[Results], backend: str) -> None:
        for point, result in zip(points, results, strict=True):
            value, gradients = eager(f, point)
            exact = name in EXACT
            least = 1.0 if row.accuracy.absolute else 0.0
            told = f"{backend}: {name}{point}: {dict(result)}, eager {value} {gradients}"
            assert same(result["return"], value, 0.0 if exact else VALUE_ULPS, least, signed=exact), told
            got = result.get("argument_gradient", [0.0] * size)
            bound = 1.0 if exact else DERIVATIVE_ULPS  # the order in which an exact rule multiplies may differ
            assert all(same(x, y, bound, least) for x, y in zip(got, gradients, strict=True)), told

    calls = [Call({"argument": point}, writes) for point in points]
    return Case(f"{name}_{size}", program, calls, check, options)


# --- random programs --------------------------------------------------------------------------------------------


def drawn_programs(count: int) -> list[Any]:
    """Return random programs that are differentiable where they stand, the same in every run of a profile."""
    found: list[Any] = []

    @settings(max_examples=count, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(programs())
    def collect(program: Any) -> None:
        found.append(program)

    collect()
    return found


def program_cases(count: int = 250) -> Iterator[Case]:
    """Return a case for each random program."""
    for k, drawn in enumerate(drawn_programs(count)):
        yield _program_case(f"random_{k}", drawn)


def _program_case(name: str, drawn: Any) -> Case:
    numbers = drawn.inputs
    program = derived(captured(drawn, len(numbers)))
    writes = {"argument_gradient": len(numbers)} if program.gradients or program.scatters else {}
    # Same C library, same order: the same bits. Python has its own hypot, and mends pow.
    exact = not {"hypot", "power"} & set(program.ops) and not program.scatters

    def check(results: Sequence[Results], backend: str) -> None:
        (result,) = results
        value, gradients = eager(drawn, numbers)
        got = result.get("argument_gradient", [0.0] * len(numbers))
        told = f"{backend}: {drawn}: {dict(result)}, eager {value} {gradients}"
        assert near(result["return"], value), told
        assert all(map(near, got, gradients)), told
        if exact and backend.startswith("c"):
            value, by_argument = interpreted(program, numbers)
            assert same(result["return"], value, signed=True), told
            assert all(same(got[k], x, signed=True) for k, x in by_argument.items()), told

    return Case(name, program, [Call({"argument": numbers}, writes)], check, {"widths": {"argument": len(numbers)}})


HOSTILE = (
    "*/ int main(void) { return 1; } /*",
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "x\\",
    "line\nbreak \r\u2028\u2029\0",
    "??/",
    "\u202ebidi \ud800 \U0001f600",
    "%s %n",
    "x" * 1000,
)
