"""What several test files share: random graphs without any taste, comparison to the last bit, users' operations that go
away again, and Python programs run in a process of their own.
"""

from __future__ import annotations

import operator
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

import micrograd as mg
from micrograd import Op, Value
from micrograd.ops import table
from micrograd.ops.reductions import PAIRED

ROOT = Path(mg.__file__).parent.parent


def same(a: Any, b: Any) -> bool:
    """Tell whether two floats (or lists of them) are equal to the last bit; nan equals nan, 0.0 does not equal -0.0."""
    return repr(a) == repr(b)


def snapshot(nodes: Sequence[Value]) -> list[Any]:
    """Return everything that ``nodes`` record, operands as places in ``nodes``, to be compared by ``same``."""
    place = {node: i for i, node in enumerate(nodes)}
    return [
        (
            *(node.data, node.grad, node.label, node.scope, node.op, node._a, node._b, node.op and node._out),
            [place[x] if isinstance(x, Value) else x for x in node.operands],
        )
        for node in nodes
    ]


def run_python(program: str, *arguments: str, **environment: str) -> str:
    """Run ``program`` in a process of its own, warnings being errors, and return what it printed."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def registered(name: str, **fields: Any) -> Iterator[Op]:
    """Register an operation for the length of a block."""
    try:
        yield mg.op(name, **fields)
    finally:
        table.forget(name)


def operands_of(op: Op, numbers: Sequence[float]) -> list[Any]:
    """Return Values and numbers that ``op`` accepts as flat operands, made from ``numbers`` in turn."""
    count = 4 if op.arity is None else op.arity
    operands: list[Any] = [Value(numbers[i % len(numbers)]) for i in range(count)]
    if op.name == "take":
        operands[-1] = 1.0
    return operands


# --- random graphs ----------------------------------------------------------------------------------------------

Instruction = tuple[str, tuple[Any, ...]]  # an operation and its operands: places in the pool, and numbers
_SIGNS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "power": operator.pow,
}
_AWKWARD = (0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 1e-300, 1e300, float("inf"), float("-inf"), float("nan"))
wild_numbers = st.one_of(st.sampled_from(_AWKWARD), st.floats(-4.0, 4.0), st.floats())
tame_numbers = st.floats(-2.0, 2.0)


@st.composite
def wild_graphs(draw: st.DrawFn, numbers: st.SearchStrategy[float] = wild_numbers, size: int = 12) -> list[Value]:
    """Draw all nodes of a random graph in the order of their making: any operation on anything, results shared.

    Unlike ``micrograd.testing.programs`` it takes no care to stay differentiable, or finite.
    """
    pool = [Value(x) for x in draw(st.lists(numbers, min_size=1, max_size=4))]
    ops = list(mg.operations().values())
    for _ in range(draw(st.integers(1, size))):
        op = draw(st.sampled_from([*ops, *[mg.operations()["add"], mg.operations()["mul"]] * 6]))
        count = op.arity
        if count is None:
            count = draw(st.integers(1, 5))
            count += count % 2 if op.name in PAIRED else 0
        # The youngest nodes come often, so the graphs get deep; and any node may come twice.
        places = st.one_of(st.integers(max(0, len(pool) - 3), len(pool) - 1), st.integers(0, len(pool) - 1))
        operands = [pool[draw(places)] if draw(st.integers(0, 4)) else draw(numbers) for _ in range(count)]
        if not any(isinstance(x, Value) for x in operands):
            operands[draw(st.integers(0, count - 1))] = pool[-1]
        if op.name == "take":
            operands.append(float(draw(st.integers(0, count - 1))))
        pool.append(_SIGNS[op.name](*operands) if op.name in _SIGNS else op.apply(tuple(operands)))
    return pool
