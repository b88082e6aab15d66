"""Protects compiled random programs: values, gradients, second derivatives and directions as eager code gives them, on
both backends; batches of awkward sizes, every reduction, several threads.

A bundle is many programs in one compiled function, ``dot(w, values)``: the gradient with respect to ``w`` is every
program's value, and with ``w = 1`` every program has its own gradient. One compilation instead of fifty.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import error_model
import numpy as np
import pytest
from error_model import agree, bounds, sum_bound
from hypothesis import HealthCheck, Phase, given, settings
from support import same
from table_rows import ROWS

import micrograd as mg
from micrograd import Value
from micrograd.compiler.lower import lowered
from micrograd.compiler.program import Program as Compiled
from micrograd.testing import Program, programs
from micrograd.testing.rounding import path_bound, path_sizes

pytest.importorskip("llvmlite", reason="the backend 'llvm' needs llvmlite")

from micrograd.compiler import jit

BACKENDS = ("python", "llvm")
Array = np.ndarray[Any, Any]


@functools.cache
def drawn(count: int, names: tuple[str, ...] = tuple(ROWS)) -> list[Program]:
    """Return random programs, the same in every run of a profile."""
    found: list[Program] = []

    @settings(max_examples=count, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(programs(operations=names))
    def collect(program: Program) -> None:
        found.append(program)

    collect()
    return found


class Bundle:
    """Programs, to be compiled together."""

    def __init__(self, members: Sequence[Program]) -> None:
        self.members = members
        ends = np.cumsum([len(p.inputs) for p in members])
        self.spans = [slice(int(end) - len(p.inputs), int(end)) for end, p in zip(ends, members)]
        self.inputs = np.array([x for p in members for x in p.inputs])
        self.weights = np.ones(len(members))

    def __call__(self, x: Any, w: Any) -> Any:
        return mg.dot(w.tolist(), self.each(x))

    def each(self, x: Any) -> list[Any]:
        numbers = x.tolist()
        return [p(*numbers[span]) for p, span in zip(self.members, self.spans)]

    def eager(self, x: Array) -> tuple[list[float], list[float]]:
        """Return every program's value, and all gradients one after another."""
        values, gradients = [], []
        for p, span in zip(self.members, self.spans):
            leaves = [Value(number) for number in x.tolist()[span]]
            out = p(*leaves)
            if isinstance(out, Value):
                out.backward()
                out = out.data
            values.append(out)
            gradients += [leaf.grad for leaf in leaves]
        return values, gradients


def bundle_of(part: int, size: int) -> Bundle:
    """Return the ``part``-th bundle of ``size`` of the programs."""
    return Bundle(drawn(300)[part * size : (part + 1) * size])


def off(program: Compiled, leaf: Callable[[str, Any], float]) -> dict[Any, float]:
    """Return how far compiled and eager results may be apart, by output and by the number of an argument."""
    limit: dict[Any, float] = {}
    for stage in (program, lowered(program)):  # what eager code does, and what native code does
        found = bounds(stage, leaf)
        keyed = {**stage.outputs, **{stage.operands[leaf][0]: g for leaf, g in stage.gradients.items()}}
        for key, number in keyed.items():
            limit[key] = limit.get(key, 0.0) + 2.0 * found[number][1]  # twice: the second order
    return limit


def leaves(arguments: Sequence[float], direction: Sequence[float] = ()) -> Callable[[str, Any], float]:
    def leaf(kind: str, payload: Any) -> float:
        return direction[payload] if kind == "tangent" else 1.0 if kind == "seed" else arguments[payload]

    return leaf


# --- one sample -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", range(5))
@pytest.mark.parametrize("backend", BACKENDS)
def test_values_and_gradients_of_random_programs(backend: str, part: int) -> None:
    bundle = bundle_of(part, 60)
    f = mg.compile(bundle, backend=backend)
    x, w = bundle.inputs, bundle.weights
    values, gradients = bundle.eager(x)
    _, (by_input, by_weight) = f.value_and_grad(x, w)
    limit = off(f.program, leaves([*x, *w]))
    for k, (got, wanted) in enumerate(zip(by_weight.tolist(), values)):
        assert agree(got, wanted, limit.get(len(x) + k, 0.0)), bundle.members[k]
    for k, (got, wanted) in enumerate(zip(by_input.tolist(), gradients)):
        assert agree(got, wanted, limit.get(k, 0.0)), (member(bundle, k), got, wanted)


def member(bundle: Bundle, k: int) -> Program:
    return next(p for p, span in zip(bundle.members, bundle.spans) if k < span.stop)


@pytest.mark.parametrize("backend", BACKENDS)
def test_programs_of_exact_operations_have_the_eager_bits(backend: str) -> None:
    names = tuple(name for name in ROWS if name in error_model.EXACT)
    bundle = Bundle(drawn(150, names))
    f = mg.compile(bundle, backend=backend)
    values, gradients = bundle.eager(bundle.inputs)
    _, (by_input, by_weight) = f.value_and_grad(bundle.inputs, bundle.weights)
    # Values come as gradients with respect to w, and a gradient of 0 has no sign: a leaf adds it to 0.0.
    values = [value + 0.0 for value in values]
    assert same((by_weight + 0.0).tolist(), values)
    several = mg.compile(bundle, backend=backend, batched="x")
    _, (_, rows) = several.value_and_grad(np.stack([bundle.inputs] * 3), bundle.weights)
    assert all(same(row, values) for row in (rows + 0.0).tolist())
    for p, span in zip(bundle.members, bundle.spans):
        leaves_of = [Value(x) for x in p.inputs]
        sizes = path_sizes(p(*leaves_of))
        for leaf, got, wanted in zip(leaves_of, by_input[span].tolist(), gradients[span]):
            bound = path_bound(len(p.instructions), sizes.get(leaf, 0.0))
            assert agree(got, wanted, bound), (p, got, wanted)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_program_alone_returns_what_it_returns_in_a_bundle(backend: str) -> None:
    for p in drawn(300)[:40]:
        x = np.array(p.inputs)
        f = _alone(p, backend)
        value, gradient = f.value_and_grad(x)
        limit = off(f.program, leaves(p.inputs))
        bundle = Bundle([p])
        (wanted,), gradients = bundle.eager(x)
        assert agree(value, wanted, limit["value"])
        assert type(value) is float
        assert all(agree(got, g, limit.get(k, 0.0)) for k, (got, g) in enumerate(zip(gradient.tolist(), gradients)))
        again = f(x)
        assert same(again, value)


def _alone(p: Program, backend: str) -> Any:
    return mg.compile(lambda x: +p(*x.tolist()), backend=backend)


# --- second derivatives and directions --------------------------------------------------------------------------


def hessian_of(bundle: Bundle) -> Array:
    """Return, from eager code, the Hessian of the sum of all programs."""
    n = len(bundle.inputs)
    hessian = np.zeros((n, n))
    for p, span in zip(bundle.members, bundle.spans):
        hessian[span, span] = mg.hessian(lambda x, p=p: p(*x))(list(p.inputs))
    return hessian


def direction_of(n: int) -> Array:
    return np.array([2.0 * math.cos(1.7 * k) for k in range(n)])


@pytest.mark.parametrize(("backend", "part"), [("llvm", part) for part in range(15)] + [("python", 0), ("python", 1)])
def test_second_derivatives_of_random_programs(backend: str, part: int) -> None:
    bundle = bundle_of(part, 16)
    x, w = bundle.inputs, bundle.weights
    n = len(x)
    wanted = hessian_of(bundle)
    f = mg.compile(bundle, backend=backend, argnums=0)
    hessian = f.hessian(x, w)
    assert hessian.shape == (n, n)
    program = f.program
    for k in range(n):
        limit = off(program, leaves([*x, *w], [float(i == k) for i in range(n)]))
        # Eager code differentiates in reverse twice: what cancels there may be another sum.
        least = 1e-11 * max(1.0, float(np.abs(wanted[k]).max()))
        for i in range(n):
            got, right = float(hessian[k, i]), float(wanted[k, i])
            assert agree(got, right, limit.get(i, 0.0) + least), (member(bundle, k), k, i, got, right)
    direction = direction_of(n)
    product = f.hvp((x, w), (direction, None))
    np.testing.assert_allclose(product, hessian @ direction, rtol=1e-9, atol=1e-9 * float(np.abs(wanted).max()))


@pytest.mark.parametrize("part", range(5))
@pytest.mark.parametrize("backend", BACKENDS)
def test_directional_derivatives_of_random_programs(backend: str, part: int) -> None:
    bundle = bundle_of(part, 60)
    x, w = bundle.inputs, bundle.weights
    f = mg.compile(bundle, backend=backend)
    values, gradients = bundle.eager(x)
    direction = direction_of(len(x))
    value, tangent = f.jvp((x, w), (direction, None))
    limit = off(f.program, leaves([*x, *w], direction.tolist()))
    terms = [d * g for d, g in zip(direction.tolist(), gradients)]
    assert agree(value, math.fsum(values), limit["value"] + sum_bound(values))
    assert agree(tangent, math.fsum(terms), limit["tangent"] + sum_bound(terms))


# --- batches ----------------------------------------------------------------------------------------------------

PATTERNS = 5


def batch(bundle: Bundle, samples: int) -> Array:
    """Return rows that repeat with a period: all in the neighbourhood of the inputs."""
    factors = 1.0 + 1e-5 * np.arange(PATTERNS)
    rows = np.array([bundle.inputs * factor for factor in factors])
    return rows[np.arange(samples) % PATTERNS]


def sizes_of_batches() -> list[int]:
    lanes = jit.lanes()
    return [0, 1, lanes - 1, lanes, lanes + 1, 2 * lanes + 3, 1000]


@pytest.fixture(scope="module")
def batches() -> tuple[Bundle, list[tuple[list[float], list[float]]]]:
    bundle = Bundle(drawn(300)[:40])
    return bundle, [bundle.eager(row) for row in batch(bundle, PATTERNS)]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_sample_has_its_own_value_and_gradient(backend: str, threads: int, batches: Any) -> None:
    bundle, wanted = batches
    w = bundle.weights
    f = mg.compile(bundle, backend=backend, batched="x", threads=threads)
    f.value_and_grad(batch(bundle, 1), w)
    program = f.program
    limits = [_by_leaf(program, row.tolist(), w.tolist()) for row in batch(bundle, PATTERNS)]
    seen: dict[int, Any] = {}
    for n in sizes_of_batches():
        if backend == "python" and n > 100:
            continue
        x = batch(bundle, n)
        values, (by_input, by_weight) = f.value_and_grad(x, w)
        assert values.shape == (n,)
        assert by_input.shape == x.shape
        assert by_weight.shape == (n, len(w))
        for k in range(n):
            row = (values[k], by_input[k].tolist(), by_weight[k].tolist())
            pattern = k % PATTERNS
            if pattern in seen:  # a sample's bits do not depend on its lane, its block or its thread
                assert same(row, seen[pattern])
                continue
            seen[pattern] = row
            right, gradients = wanted[pattern]
            limit = limits[pattern]
            for i, (got, true) in enumerate(zip(row[2], right)):
                assert agree(got, true, limit.get(("argument", i), 0.0)), bundle.members[i]
            for i, (got, true) in enumerate(zip(row[1], gradients)):
                assert agree(got, true, limit.get(("sample", i), 0.0)), member(bundle, i)


def _by_leaf(program: Compiled, row: Sequence[float], weights: Sequence[float]) -> dict[Any, float]:
    def leaf(kind: str, payload: Any) -> float:
        return 1.0 if kind == "seed" else row[payload] if kind == "sample" else weights[payload]

    limit: dict[Any, float] = {}
    for stage in (program, lowered(program)):
        found = bounds(stage, leaf)
        for x, g in stage.gradients.items():
            key = stage.ops[x], stage.operands[x][0]
            limit[key] = limit.get(key, 0.0) + 2.0 * found[g][1]
    return limit


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("reduce", ["sum", "mean"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_reductions_are_sums_over_the_samples(backend: str, reduce: str, threads: int, batches: Any) -> None:
    bundle, _ = batches
    w = bundle.weights
    each = mg.compile(bundle, backend=backend, batched="x")
    f = mg.compile(bundle, backend=backend, batched="x", reduce=reduce, threads=threads)
    for n in sizes_of_batches():
        if n == 0 or (backend == "python" and n > 100):
            continue
        x = batch(bundle, n)
        values, (by_input, by_weight) = each.value_and_grad(x, w)
        value, (mean_by_input, mean_by_weight) = f.value_and_grad(x, w)
        share = n if reduce == "mean" else 1
        assert f(x, w) == value
        _near_sum(value * share, values, n)
        for k in range(len(w)):
            _near_sum(float(mean_by_weight[k]) * share, by_weight[:, k], n)
        np.testing.assert_allclose(mean_by_input * share, by_input, rtol=1e-14 * len(bundle.members))
        again = f.value_and_grad(x, w)
        assert same(again[0], value)
        assert same(again[1][1].tolist(), mean_by_weight.tolist())


def _near_sum(got: float, terms: Array, n: int) -> None:
    listed = terms.tolist()
    assert agree(got, math.fsum(listed), sum_bound(listed) + 2.0 * error_model.EPSILON * math.fsum(map(abs, listed))), n


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_batch_of_no_samples(backend: str) -> None:
    w = Value(2.0)
    empty = np.zeros((0, 3))
    f = lambda x, b: mg.tanh(w * x[0] + x[1]) * x[2] + b
    each = mg.compile(f, backend=backend, batched="x")
    assert each(empty, 1.0).shape == (0,)
    value, (by_x, by_b) = each.value_and_grad(empty, 1.0)
    assert (value.shape, by_x.shape, by_b.shape) == ((0,), (0, 3), (0,))
    total = mg.compile(f, backend=backend, batched="x", reduce="sum")
    value, (by_x, by_b) = total.value_and_grad(empty, 1.0)
    assert same((value, by_x.shape, by_b), (0.0, (0, 3), 0.0))
    assert same(total.backward(empty, 1.0), 0.0)
    assert w.grad == 0.0
    mean = mg.compile(f, backend=backend, batched="x", reduce="mean")
    for call in (mean, mean.value_and_grad, mean.backward):
        with pytest.raises(ValueError, match="mean over no samples"):
            call(empty, 1.0)
    assert w.grad == 0.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_bias_lesson(backend: str) -> None:
    """One bias feeds every sample, so its gradient is the sum over the samples: ``db = sum(dout, axis=0)``."""
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(37, 2)), rng.normal(size=37)
    w, b = mg.array([0.5, -1.5]), Value(0.25)
    f = mg.compile(lambda x, y: mg.tanh((w * x).sum() + b) * y, backend=backend, batched=("x", "y"), reduce="sum")
    f.backward(x, y)
    got = [b.grad, *mg.grad_of(w)]
    for v in (b, *w):
        v.grad = 0.0
    out = mg.sum([mg.tanh((w * row).sum() + b) * target for row, target in zip(x, y)])
    out.backward()
    np.testing.assert_allclose(got, [b.grad, *mg.grad_of(w)], rtol=1e-13)
    slope = (1.0 - np.tanh(x @ mg.data_of(w) + 0.25) ** 2) * y
    assert got[0] == pytest.approx(float(slope.sum(axis=0)), rel=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("reduce", ["sum", "mean"])
def test_second_derivatives_of_a_sum_over_samples(backend: str, reduce: str) -> None:
    rng = np.random.default_rng(3)
    x, p, direction = rng.normal(size=(11, 2)), np.array([0.3, -0.7]), np.array([1.0, 2.0])
    term: Any = lambda x, p: mg.tanh(p[0] * x[0] + p[1]) * x[1] + p[0] * p[0] * p[1]
    f = mg.compile(term, backend=backend, batched="x", reduce=reduce)
    share = 11.0 if reduce == "mean" else 1.0

    def eager(p: Any) -> Any:
        return mg.sum([term(row, p) for row in x]) / share

    close = functools.partial(np.testing.assert_allclose, rtol=1e-12)
    close(f.hessian(x, p, argnums=1), mg.hessian(eager)(p))
    close(f.hvp((x, p), (None, direction)), mg.hvp(eager, (p,), (direction,)))
    close(f.jvp((x, p), (None, direction)), mg.jvp(eager, (p,), (direction,)))
    with pytest.raises(TypeError, match="x is batched"):
        f.hessian(x, p, argnums=0)
    with pytest.raises(TypeError, match="reduce='sum'"):
        mg.compile(term, backend=backend, batched="x").hessian(x, p, argnums=1)


@pytest.mark.parametrize("reduce", [None, "sum", "mean"])
def test_threads_share_what_is_the_same_for_every_sample(reduce: str | None) -> None:
    w = [Value(1.5), Value(-2.0), Value(0.25)]

    def f(x: Any, ids: Any, s: Any, i: Any, j: Any) -> Any:
        return mg.take(w, i) * mg.sin(x * s) + mg.take([s, x, w[1]], j) * mg.take(w, ids) * x

    found = []
    for threads in (1, 2, 3, 7):
        g = mg.compile(f, batched=("x", "ids"), reduce=reduce, threads=threads)
        results: list[float] = []
        for n in (2 * jit.lanes() + 1, 301):
            x, ids = np.cos(np.arange(float(n))), np.arange(n) % 3 - 1
            for i, j in [(0, 0), (2, 1), (-2, 2)]:
                for v in w:
                    v.grad = 0.0
                value, (by_x, by_s) = g.value_and_grad(x, ids, 0.75, i, j)
                g.backward(x, ids, 0.75, i, j)
                results += [*np.ravel(value).tolist(), *by_x.tolist(), *np.ravel(by_s).tolist(), *[v.grad for v in w]]
                if reduce == "sum":
                    total = mg.sum([f(a, int(k), 0.75, i, j) for a, k in zip(x.tolist(), ids)])
                    assert value == pytest.approx(total.data, rel=1e-12)
                    mine = [v.grad for v in w]
                    for v in w:
                        v.grad = 0.0
                    total.backward()
                    assert mine == pytest.approx([v.grad for v in w], rel=1e-11, abs=1e-12)
        found.append(results)
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=1e-12, atol=1e-13)
