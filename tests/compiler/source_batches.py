"""Cases of the exports beyond one point of one function: batches, indices, directions, corners, a long program."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from source_cases import (
    Call,
    Case,
    Results,
    captured,
    derived,
    eager,
    everything,
    interpreted,
    near,
    operation_cases,
    program_cases,
    same,
)

import micrograd as mg
from micrograd import Value
from micrograd.compiler.arguments import Leaf
from micrograd.compiler.chains import with_chains
from micrograd.compiler.derive import gradient, tangent
from micrograd.compiler.lower import lowered
from micrograd.compiler.program import Program
from micrograd.compiler.trace import Choice, Index, Input, Recorder, record
from micrograd.compiler.verify import verify

inf, nan = math.inf, math.nan

WEIGHTS = tuple(0.1 * k - 0.33 for k in range(6))
ARGUMENTS = (0.7, -1.3)


def _network(w: Sequence[Any], a: Sequence[Any], x: Sequence[Any], i: Any, j: Any) -> Any:
    """Every kind of leaf: a chain, leaves chosen at equal distances, of mixed kinds, and samples chosen."""
    hidden = mg.dot([*w, a[0]], [*x, *x, a[1]]).tanh()
    chosen = mg.take(w[1::2], j) * x[0] + mg.take(a, i) * mg.take([w[0], a[1], w[4]], j)
    return hidden * chosen + mg.take(x, j) * w[5]


def _network_program(**options: Any) -> Program:
    recorder = Recorder()
    w = [Value(x) for x in WEIGHTS]

    def leaf(kind: str, count: int) -> list[Any]:
        return [Input(recorder, recorder.leaf(kind, k)) for k in range(count)]

    choices: dict[Choice, int] = {}
    i, j = Leaf("i", "int", None, False, 0), Leaf("j", "int", None, True, 1)
    of_all, of_samples = Index(recorder, {Choice(0, 2): 0}, 0, i), Index(recorder, choices, 1, j)
    a, x = leaf("argument", 2), leaf("sample", 3)
    program = record(lambda *_: _network(w, a, x, of_all, of_samples), recorder, (), {})
    assert choices == {Choice(1, 3): 0}
    order = [w.index(p) for p in recorder.parameters]
    # Parameters are numbered as they are met; the tests keep the order of the list.
    program.operands = [
        (order[operands[0]],) if op == "parameter" else operands for op, operands in zip(program.ops, program.operands)
    ]
    return derived(program, **options)


def _batch(n: int) -> tuple[list[list[float]], list[int]]:
    drawn = random.Random(n)
    return [[drawn.uniform(-2.0, 2.0) for _ in range(3)] for _ in range(n)], [drawn.randrange(3) for _ in range(n)]


def batch_cases() -> Iterator[Case]:
    """Return cases of batches of 0, 1 and 5 samples, of every reduction."""
    for reduce in ("sum", "mean", None):
        yield _batch_case(f"batch_{reduce}", reduce)


def _batch_case(name: str, reduce: str | None) -> Case:
    program = _network_program(seeded=True)
    shapes = (0, 1, 5)
    calls = []
    for n in shapes:
        rows, choices = _batch(n)
        writes = {"argument_gradient": 2, "parameter_gradient": 6, "sample_gradient": 3 * n}
        if reduce is None:
            writes["value"] = n
        reads: dict[str, Sequence[float]] = {"argument": ARGUMENTS, "parameter": WEIGHTS}
        reads |= {"sample": [x for row in rows for x in row], "index": [1], "sample_index": choices}
        calls.append(Call(reads, writes, n))

    def check(results: Sequence[Results], backend: str) -> None:
        for n, result in zip(shapes, results, strict=True):
            w, a = [Value(x) for x in WEIGHTS], [Value(x) for x in ARGUMENTS]
            rows, choices = _batch(n)
            xs = [[Value(x) for x in row] for row in rows]
            values = [_network(w, a, x, 1, j) for x, j in zip(xs, choices)]
            total = mg.sum(values) if values else None
            if total is not None:
                total = total / float(n) if reduce == "mean" else total
                total.backward()
            if reduce is None:
                assert all(map(near, result["value"], [v.data for v in values]))
            else:
                wanted = total.data if total is not None else nan if reduce == "mean" else 0.0
                assert near(result["return"], wanted), (backend, n, result)
            for key, leaves in (("argument", a), ("parameter", w), ("sample", [v for x in xs for v in x])):
                got = result[f"{key}_gradient"]
                assert len(got) == len(leaves)
                assert all(near(g, v.grad) for g, v in zip(got, leaves)), (backend, n, key, result)

    return Case(name, program, calls, check, {"batched": True, "reduce": reduce})


def scatter_cases() -> Iterator[Case]:
    """Return one sample with indices in range and out of range: nan instead of a number, and no gradient."""
    program = _network_program()
    x = (0.4, -0.6, 1.1)
    choices = [(i, j) for i in (0, 1) for j in (0, 1, 2)]
    outside = [(-1, 0), (2, 0), (0, 3), (0, -1), (0, 2**31 - 1), (-(2**31), 0)]

    def check(results: Sequence[Results], backend: str) -> None:
        for (i, j), result in zip(choices + outside, results, strict=True):
            if (i, j) in outside:
                assert math.isnan(result["return"]), (backend, i, j, result)
                continue
            w, a, xs = [[Value(number) for number in numbers] for numbers in (WEIGHTS, ARGUMENTS, x)]
            value = _network(w, a, xs, i, j)
            value.backward()
            assert near(result["return"], value.data), (backend, i, j, result)
            for key, leaves in (("argument", a), ("parameter", w), ("sample", xs)):
                assert all(near(g, v.grad) for g, v in zip(result[f"{key}_gradient"], leaves)), (backend, i, j, key)

    calls = [
        Call(
            {"argument": ARGUMENTS, "parameter": WEIGHTS, "sample": x, "index": [i], "sample_index": [j]},
            {"argument_gradient": 2, "parameter_gradient": 6, "sample_gradient": 3},
        )
        for i, j in choices + outside
    ]
    yield Case("choosing", program, calls, check)


# --- directional derivatives ------------------------------------------------------------------------------------


def _curved(x: Any, y: Any) -> Any:
    return mg.tanh(x * y) * x + mg.exp(y)


def tangent_cases() -> Iterator[Case]:
    """Return a Hessian-vector product, of one point and of a batch of directions."""
    direction = (0.3, -1.1)
    point = (0.8, -0.4)
    along = lambda kind, payload: payload if kind == "argument" else None
    plain = verify(tangent(with_chains(captured(_curved, 2)), along), "tangent")
    second = verify(tangent(gradient(captured(_curved, 2), everything, scatter=False), along), "tangent")
    directions = [direction, (1.0, 0.0), (0.0, 2.0)]

    def wanted(v: Sequence[float]) -> tuple[float, list[float]]:
        slope = sum(g * t for g, t in zip(eager(_curved, point)[1], v))
        return slope, [float(x) for x in mg.hvp(_curved, point, v)]

    def check_one(results: Sequence[Results], backend: str) -> None:
        slope, product = wanted(direction)
        assert near(results[0]["tangent"][0], slope), backend
        assert all(map(near, results[0]["argument_gradient"], product)), backend

    calls = [Call({"argument": point, "direction": direction}, {"argument_gradient": 2, "tangent": 1})]
    yield Case("curvature", lowered(second), calls, check_one)

    for reduce in ("sum", "mean", None):

        def check(results: Sequence[Results], backend: str, reduce: str | None = reduce) -> None:
            slopes = [wanted(v)[0] for v in directions]
            if reduce is None:
                assert all(map(near, results[0]["tangent"], slopes)), backend
                assert all(near(x, eager(_curved, point)[0]) for x in results[0]["value"]), backend
            else:
                assert near(results[0]["tangent"][0], sum(slopes) / (3 if reduce == "mean" else 1)), backend

        reads = {"argument": point, "direction": sum(directions, ())}
        writes = {"value": 3, "tangent": 3} if reduce is None else {"tangent": 1}
        options = {"batched": True, "reduce": reduce}
        yield Case(f"slope_{reduce}", lowered(plain), [Call(reads, writes, 3)], check, options)


def corner_cases() -> Iterator[Case]:
    """Return programs that read little: a constant, an argument that goes out as it is, one that is never read."""

    def expect(*wanted: tuple[float, list[float]]) -> Callable[[Sequence[Results], str], None]:
        def check(results: Sequence[Results], backend: str) -> None:
            for (value, slopes), result in zip(wanted, results, strict=True):
                assert same(result["return"], value, signed=True), backend
                assert [*result.get("argument_gradient", [])] == slopes, backend

        return check

    for name, x in (("zero", -0.0), ("least", -5e-324), ("largest", 1.7976931348623157e308), ("nothing", nan)):
        yield Case(f"constant_{name}", Program(["constant"], [(x,)], {"value": 0}), [Call({})], expect((x, [])))
    yield Case("infinite", Program(["constant"], [(-inf,)], {"value": 0}), [Call({})], expect((-inf, [])))
    yield Case(
        "itself",
        derived(captured(lambda x: x, 1)),
        [Call({"argument": [-0.0]}, {"argument_gradient": 1})],
        expect((-0.0, [1.0])),
    )
    yield Case(
        "second",
        derived(captured(lambda x, y: -y, 2)),
        [Call({"argument": [nan, 2.0, 5.0]}, {"argument_gradient": 3})],
        expect((-2.0, [0.0, -1.0, 0.0])),
        {"widths": {"argument": 3}},
    )
    unread = derived(captured(lambda x, y: x + y, 2))
    unread.outputs.clear()
    yield Case(
        "unread", unread, [Call({"argument": [1.0, 2.0]}, {"argument_gradient": 2})], lambda results, backend: None
    )
    yield Case(
        "seed",
        derived(captured(lambda x: x * 3.0, 1), seeded=True),
        [Call({"argument": [2.0]}, {"argument_gradient": 1})],
        expect((6.0, [3.0])),
    )


def long_program(count: int) -> Callable[..., Any]:
    """Return a function of four numbers that takes about ``count`` operations, with one chain through all of them."""

    def f(*xs: Any) -> Any:
        pool = list(xs)
        drawn = random.Random(count)
        while len(pool) < count:
            a, b = (pool[-1 - drawn.randrange(min(len(pool), 200))] for _ in range(2))
            pool.append(mg.tanh(a * b + 0.5) if drawn.random() < 0.2 else 0.5 * (a - b))
        return mg.dot(pool, pool[::-1])

    return f


def long_case(count: int = 1500) -> Case:
    """Return a program that is cut into parts, and whose chain is."""
    f = long_program(count)
    numbers = (0.3, -0.2, 0.9, 1.4)
    program = derived(captured(f, 4))

    def check(results: Sequence[Results], backend: str) -> None:
        value, by_argument = interpreted(program, numbers)
        compare = same if backend.startswith("c") else near
        assert compare(results[0]["return"], value)
        assert all(compare(results[0]["argument_gradient"][k], x) for k, x in by_argument.items())

    return Case("long_one", program, [Call({"argument": numbers}, {"argument_gradient": 4})], check)


def all_cases() -> list[Case]:
    """Return every case but the long one."""
    return [
        *operation_cases(),
        *program_cases(),
        *batch_cases(),
        *scatter_cases(),
        *tangent_cases(),
        *corner_cases(),
    ]
