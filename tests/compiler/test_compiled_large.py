"""Protects large programs: dot products that run as loops, programs cut into parts and modules, batches of networks;
and the disk cache, which must never give anything but the code that LLVM would give.
"""

from __future__ import annotations

import itertools
import math
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from error_model import EPSILON
from support import run_python, same

import micrograd as mg
from micrograd import Value

pytest.importorskip("llvmlite", reason="the backend 'llvm' needs llvmlite")

from micrograd.compiler import jit

# --- dot products -----------------------------------------------------------------------------------------------


def written(style: str, w: Any, x: Any, b: Any) -> Any:
    """Return a dot product and a bias, as people write them."""
    if style == "sum of products, then the bias":
        return sum(wi * xi for wi, xi in zip(w, x)) + b
    if style == "the bias first":
        total = b
        for wi, xi in zip(w, x):
            total = total + wi * xi
        return total
    if style == "mg.dot":
        return mg.dot(w, x) + b
    return (np.array(w, dtype=object) * np.array(x, dtype=object)).sum() + b


STYLES = ("sum of products, then the bias", "the bias first", "mg.dot", "an array")
COUNTS = (3, 4, 5, 15, 16, 17, 33, 64, 100, 257)


@pytest.mark.parametrize("style", STYLES)
def test_dot_products_of_every_length_have_the_eager_bits(style: str) -> None:
    for count in COUNTS:
        rng = random.Random(count)
        w = [Value(rng.uniform(-2.0, 2.0) * 10.0 ** rng.randrange(-3, 3)) for _ in range(count)]
        b = Value(rng.uniform(-1.0, 1.0))
        rows = np.array([[rng.uniform(-2.0, 2.0) for _ in range(count)] for _ in range(jit.lanes() + 3)])
        f: Any = lambda x, w=w, b=b: written(style, w, list(x), b)
        wanted = [f(row.tolist()).data for row in rows]
        one = mg.compile(_of_one_argument(f))
        several = mg.compile(_of_one_argument(f), batched="x")
        assert same([one(row) for row in rows], wanted)
        assert same(several(rows).tolist(), wanted)
        values, gradients = several.value_and_grad(rows)
        assert same(values.tolist(), wanted)
        assert same(gradients.tolist(), [[v.data for v in w]] * len(rows))
        for v in (*w, b):
            v.grad = 0.0
        several.backward(rows)
        np.testing.assert_allclose([v.grad for v in w], rows.sum(axis=0), rtol=0.0, atol=20 * EPSILON * len(rows))
        assert b.grad == float(len(rows))


def _of_one_argument(f: Any) -> Any:
    return lambda x: f(x.tolist())


@pytest.mark.parametrize("shape", [(1, 8, 1), (2, 5, 4), (7, 16, 3), (16, 16, 16), (33, 9, 17)])
@pytest.mark.parametrize("reduce", [None, "sum"])
def test_layers_of_neurons(shape: tuple[int, int, int], reduce: str | None) -> None:
    """Rows of a matrix against one vector, twice, with everything that is shared between them."""
    inputs, hidden, outputs = shape
    rng = np.random.default_rng(inputs)
    w1, w2 = mg.array(rng.normal(size=(hidden, inputs))), mg.array(rng.normal(size=(outputs, hidden)))
    b1, b2 = mg.array(rng.normal(size=hidden)), mg.array(rng.normal(size=outputs))
    parameters = [*w1.ravel(), *b1, *w2.ravel(), *b2]

    def network(x: Any) -> Any:
        h = np.tanh(w1 @ x + b1)
        return mg.sum(((w2 @ h + b2) ** 2).tolist())

    rows = rng.normal(size=(11, inputs))
    leaves = [mg.array(row) for row in rows]
    outs = [network(x) for x in leaves]
    mg.sum(outs).backward()
    wanted = [p.grad for p in parameters]
    for p in parameters:
        p.grad = 0.0
    f = mg.compile(network, batched="x", reduce=reduce)
    values, by_x = f.value_and_grad(rows)
    if reduce is None:
        np.testing.assert_allclose(values, [out.data for out in outs], rtol=1e-12)
    else:
        assert values == pytest.approx(sum(out.data for out in outs), rel=1e-12)
    np.testing.assert_allclose(by_x, [mg.grad_of(x) for x in leaves], rtol=1e-10, atol=1e-11)
    f.backward(rows)
    np.testing.assert_allclose([p.grad for p in parameters], wanted, rtol=1e-10, atol=1e-11)
    single = mg.compile(network)
    for row, out, x in zip(rows[:3], outs, leaves):
        value, gradient = single.value_and_grad(row)
        assert value == pytest.approx(out.data, rel=1e-12)
        np.testing.assert_allclose(gradient, mg.grad_of(x), rtol=1e-10, atol=1e-11)


def test_a_convolution_shares_its_kernel_between_places() -> None:
    kernel = mg.array([0.5, -1.0, 2.0, 0.25, 1.5])
    x = np.cos(np.arange(40.0))

    def f(x: Any) -> Any:
        return mg.sum([mg.tanh((kernel * x[k : k + 5]).sum()) for k in range(36)])

    compiled = mg.compile(f)
    value, gradient = compiled.value_and_grad(x)
    true_value, true_gradient = mg.value_and_grad(f)(x)
    assert value == pytest.approx(true_value, rel=1e-13)
    np.testing.assert_allclose(gradient, true_gradient, rtol=1e-12, atol=1e-14)
    out = f(mg.array(x))
    out.backward()
    wanted = mg.grad_of(kernel)
    for v in kernel:
        v.grad = 0.0
    compiled.backward(x)
    np.testing.assert_allclose(mg.grad_of(kernel), wanted, rtol=1e-12)


def test_dot_products_with_repeats_constants_and_awkward_numbers() -> None:
    w = [Value(float(k)) for k in range(6)]

    def f(x: Any) -> Any:
        a = mg.dot([w[0]] * 9, x.tolist() + x.tolist() + x.tolist())  # one weight, everywhere
        b = mg.dot(x.tolist() * 3, x.tolist() * 3)  # squares
        c = mg.dot([0.0, -0.0, 1.0, 2.0, -1.0, 0.5], [x[0], x[1], x[2], x[0], w[5], x[1]])
        return mg.where(mg.isnan(a), b, a) + c

    one, several = mg.compile(f), mg.compile(f, batched="x")
    awkward = (0.0, -0.0, 1.0, -2.5, 1e300, math.inf, -math.inf, math.nan)
    rows = np.array(list(itertools.product(awkward, repeat=3)))
    values, gradients = several.value_and_grad(rows)
    for k in range(0, len(rows), 7):
        leaves = mg.array(rows[k])
        out = f(leaves)
        out.backward()
        alone, gradient = one.value_and_grad(rows[k])
        assert same(alone, out.data)
        assert same(float(values[k]), out.data)
        for got in (gradient, gradients[k]):
            np.testing.assert_allclose(got, mg.grad_of(leaves), rtol=1e-12, err_msg=str(rows[k]))


# --- programs in parts ------------------------------------------------------------------------------------------


def tangle(count: int) -> Any:
    """Return a function of three numbers with ``count`` operations, whose results are used near and far."""

    def f(x: Any) -> Any:
        pool = list(x)
        rng = random.Random(count)
        while len(pool) < count:
            a, b = (pool[-1 - rng.randrange(min(len(pool), 300))] for _ in range(2))
            kind = rng.random()
            pool.append(
                mg.tanh(a * b + 0.5) if kind < 0.2 else mg.where(a > b, a, 0.5 * b) if kind < 0.4 else 0.6 * (a - b)
            )
        return mg.dot(pool[-50:], pool[-100:-50])

    return f


@pytest.mark.parametrize("count", [300, 3_000, pytest.param(12_000, marks=pytest.mark.slow)])
def test_programs_that_are_cut_into_parts(count: int) -> None:
    f = tangle(count)
    x = np.array([0.3, -0.2, 0.9])
    python = mg.compile(f, backend="python").value_and_grad(x)
    alone = mg.compile(f).value_and_grad(x)
    rows = np.stack([x, x * 0.5, -x] * 5)
    values, gradients = mg.compile(f, batched="x").value_and_grad(rows)
    assert same(alone[0], python[0])
    np.testing.assert_allclose(alone[1], python[1], rtol=1e-9)
    assert values[0] == pytest.approx(python[0], rel=1e-9, abs=1e-12)
    np.testing.assert_allclose(gradients[0], python[1], rtol=1e-8)
    assert same(values[:12].tolist(), np.tile(values[:3], 4).tolist())
    eager = mg.value_and_grad(f)(x)
    assert same(eager[0], python[0])
    np.testing.assert_allclose(eager[1], python[1], rtol=1e-9)


@pytest.mark.slow
def test_a_hundred_thousand_operations_on_llvm() -> None:
    f = tangle(100_000)
    x = np.array([0.3, -0.2, 0.9])
    value, gradient = mg.compile(f, cache=False).value_and_grad(x)
    eager = mg.value_and_grad(f)(x)
    assert same(value, eager[0])
    np.testing.assert_allclose(gradient, eager[1], rtol=1e-8)


# --- the disk cache ---------------------------------------------------------------------------------------------

_PROGRAM = """
import numpy as np, micrograd as mg
curve = lambda x: mg.sum([mg.tanh(x * (0.1 * k)) * mg.sin(x + k) for k in range(120)])
f = mg.compile(curve, batched="x", reduce="sum")
print(repr(f.value_and_grad(np.linspace(-1.0, 1.0, 19))))
"""
_LENIENT = "import warnings; warnings.simplefilter('ignore')" + _PROGRAM  # where no cache can be, a warning says so


@pytest.mark.slow
def test_what_comes_from_the_disk_is_what_llvm_would_give(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    first = run_python(_PROGRAM, MICROGRAD_CACHE=str(folder))
    files = list(folder.iterdir())
    assert files, "LLVM took long enough for an entry"
    assert run_python(_PROGRAM, MICROGRAD_CACHE=str(folder)) == first
    for damage in (b"", b"garbage", None):
        for file in files:
            if damage is None:
                content = bytearray(file.read_bytes())
                content[len(content) // 2] ^= 1  # one bit
                file.write_bytes(content)
            else:
                file.write_bytes(damage)
        assert run_python(_PROGRAM, MICROGRAD_CACHE=str(folder)) == first
    for file in files:
        assert len(file.read_bytes()) > 100  # written anew
    blocked = tmp_path / "blocked"
    blocked.write_text("a file, not a folder")
    assert run_python(_LENIENT, MICROGRAD_CACHE=str(blocked)) == first


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="no owners of files on this system")
@pytest.mark.slow
def test_a_cache_that_others_may_write_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    run_python(_LENIENT, MICROGRAD_CACHE=str(folder))
    assert list(folder.iterdir()) == []
