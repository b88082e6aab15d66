"""Protects code that is not straight-line: matrix products in loops, and tapes, which give what straight code gives."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import micrograd as mg
from micrograd.compiler import build, products, schedule
from micrograd.compiler.kernel import Kernel
from micrograd.compiler.lower import lowered
from micrograd.compiler.products import groups
from micrograd.compiler.schedule import Part, Product, scheduled
from micrograd.compiler.variant import Request
from micrograd.testing.strategies import Program, programs


@pytest.fixture
def loops_for_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make loops of the smallest products, in the smallest programs."""
    monkeypatch.setattr(products, "SMALLEST", 4)
    monkeypatch.setattr(schedule.scheduled, "__kwdefaults__", {"small": 0, "large": float("inf")})


@pytest.fixture
def tapes_for_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "LARGE", 0)


def layer(weights: Any, biases: Any, x: Any) -> list[Any]:
    return [mg.tanh(sum((w * xi for w, xi in zip(row, x)), b)) for row, b in zip(weights, biases)]


def network(p: dict[str, Any], x: Any) -> Any:
    signal = x
    for k in range(len(p) // 2):
        signal = layer(p[f"w{k}"], p[f"b{k}"], signal)
    return mg.sum(signal)


def parameters(sizes: tuple[int, ...], seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    result = {}
    for k, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        result[f"w{k}"] = rng.normal(size=(fan_out, fan_in)) / fan_in
        result[f"b{k}"] = rng.normal(size=fan_out)
    return result


def both(f: Callable[..., Any], *arguments: Any, **options: Any) -> tuple[Any, Any]:
    """Return value and gradient of the compiled code, and of the backend that all are held to."""
    options = {"argnums": 0, "cache": False, **options}
    return (
        mg.compile(f, **options).value_and_grad(*arguments),
        mg.compile(f, backend="python", **options).value_and_grad(*arguments),
    )


def assert_close(got: Any, wanted: Any) -> None:
    np.testing.assert_allclose(got[0], wanted[0], rtol=1e-12)
    for name in wanted[1]:
        np.testing.assert_allclose(got[1][name], wanted[1][name], rtol=1e-10, atol=1e-14)


# --- products ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("loops_for_everything")
@pytest.mark.parametrize("sizes", [(4, 4, 1), (5, 9, 3), (8, 8, 8), (4, 17, 6, 4), (40, 1, 4)])
@pytest.mark.parametrize("samples", [None, 1, 8, 19])
def test_layers_of_any_size(sizes: tuple[int, ...], samples: int | None) -> None:
    rng, p = np.random.default_rng(1), parameters(sizes)
    if samples is None:
        assert_close(*both(network, p, rng.normal(size=sizes[0])))
    else:
        x = rng.normal(size=(samples, sizes[0]))
        assert_close(*both(network, p, x, batched=("x",), reduce="mean"))


@pytest.mark.usefixtures("loops_for_everything")
def test_sums_over_positions_and_operands_in_either_order() -> None:
    rng, p = np.random.default_rng(2), parameters((6, 5, 7))

    def positions(p: dict[str, Any], xs: Any) -> Any:
        """A layer shared by positions: the gradient of a weight is a dot product over them."""
        total = 0.0
        for x in xs:
            hidden = [mg.dot(x, row) + b for row, b in zip(p["w0"], p["b0"])]
            total = total + mg.sum(layer(p["w1"], p["b1"], [h.relu() for h in hidden]))
        return total

    assert_close(*both(positions, p, rng.normal(size=(5, 6))))
    assert_close(*both(positions, p, rng.normal(size=(11, 5, 6)), batched=("xs",), reduce="sum"))


@pytest.mark.usefixtures("loops_for_everything")
@pytest.mark.parametrize("awkward", [0.0, float("inf"), float("nan"), 1e300])
def test_awkward_numbers_in_loops(awkward: float) -> None:
    p, x = parameters((4, 6, 4)), np.array([0.5, -1.0, awkward, 2.0])
    got, wanted = both(network, p, x)
    np.testing.assert_equal(np.isnan(got[0]), np.isnan(wanted[0]))
    for name in wanted[1]:
        np.testing.assert_allclose(got[1][name], wanted[1][name], rtol=1e-10, atol=1e-300)


def lowered_network(sizes: tuple[int, ...]) -> tuple[Kernel, Any]:
    f = mg.compile(network, argnums=0, cache=False)
    f.trace(parameters(sizes), np.zeros(sizes[0]))
    variant = f._last()
    request = Request(variant.differentiated(0)[0])
    return Kernel(lowered(variant.derived(request)), variant.shape(request), 1), variant


def test_a_layer_is_three_products_and_every_chain_is_in_one() -> None:
    kernel, _ = lowered_network((20, 30, 10))
    found = groups(kernel.program)
    # Forward and weights of both layers; the first layer's inputs want no gradient, so there is one product fewer.
    assert sorted((len(g.a), len(g.b), len(g.a[0])) for g in found) == sorted(
        [(30, 1, 20), (10, 1, 30), (30, 20, 1), (10, 30, 1), (1, 30, 10)]
    )
    members = [x for g in found for x in g.members()]
    assert len(members) == len(set(members))


def test_the_text_of_loops_does_not_grow_with_the_layers() -> None:
    def loops(sizes: tuple[int, ...]) -> int:
        f = mg.compile(network, argnums=0, cache=False).trace(parameters(sizes), np.zeros(sizes[0]))
        text = f.source("llvm")
        return sum(body.count("\n") for body in re.findall(r"void @product\d+.*?\n}", text, re.S))

    assert 0 < loops((64, 64, 64)) == loops((128, 128, 128))


def test_operands_without_a_regular_place_are_copied() -> None:
    kernel, _ = lowered_network((20, 30, 10))
    steps = scheduled(kernel, small=0).steps
    assert any(isinstance(step, Product) for step in steps)

    def shuffled(p: dict[str, Any], x: Any) -> Any:
        order = np.random.default_rng(0).permutation(len(x))
        return mg.sum([mg.sum([w * x[k] for w, k in zip(row, order)]) for row in p["w0"]])

    p, x = parameters((40, 40)), np.random.default_rng(3).normal(size=40)
    del p["b0"]
    assert_close(*both(shuffled, p, x))


# --- tapes ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("tapes_for_everything")
@settings(max_examples=40)
@given(programs(max_inputs=3, max_instructions=12))
def test_a_tape_gives_what_the_python_backend_gives(program: Program) -> None:
    x = np.array(program.inputs)
    got, wanted = both(lambda x: program(*x) + 0.0 * x[0], x)
    np.testing.assert_allclose(got[0], wanted[0], rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(got[1], wanted[1], rtol=1e-9, atol=1e-11)


@pytest.mark.usefixtures("tapes_for_everything")
@pytest.mark.parametrize("reduce", ["sum", "mean", None])
def test_a_tape_runs_batches_and_loops_between_its_segments(reduce: str | None) -> None:
    rng = np.random.default_rng(4)

    def f(w: Any, x: Any, y: Any) -> Any:
        hidden = [mg.where(h > 0.0, mg.exp(-h), h * h) for h in [mg.dot(row, x) for row in w]]
        return mg.sqrt(mg.sum(hidden) + y * y)

    w, x, y = rng.normal(size=(40, 8)), rng.normal(size=(21, 8)), rng.normal(size=21)
    options: dict[str, Any] = {"batched": ("x", "y"), "reduce": reduce, "argnums": (0, 1, 2)}
    got, wanted = both(f, w, x, y, **options)
    np.testing.assert_allclose(got[0], wanted[0], rtol=1e-12)
    for g, h in zip(got[1], wanted[1]):
        np.testing.assert_allclose(g, h, rtol=1e-10, atol=1e-13)


@pytest.mark.usefixtures("tapes_for_everything")
def test_a_tape_finds_the_careful_answer_too() -> None:
    f = mg.compile(lambda x: mg.where(x > 0.0, mg.log(x), x), cache=False)
    assert f.value_and_grad(0.0) == (0.0, 1.0)
    g = mg.compile(lambda x: mg.where(x > 0.0, mg.log(x), x), batched="x", cache=False)
    values, gradients = g.value_and_grad(np.array([0.0, 2.0, -1.0]))
    assert values.tolist() == [0.0, np.log(2.0), -1.0]
    assert gradients.tolist() == [1.0, 0.5, 1.0]


def test_only_very_large_programs_are_tapes() -> None:
    def chained(x: Any, n: int) -> Any:
        for _ in range(n):
            x = mg.sin(x) + 0.5
        return x

    small = mg.compile(lambda x: chained(x, 100), cache=False).trace(0.5)
    large = mg.compile(lambda x: chained(x, build.LARGE // 2), cache=False).trace(0.5)
    assert "@tape" not in small.source("llvm")
    text = large.source("llvm")
    assert "@tape" in text
    assert text.count("\n") < 2000  # the program is data
    value, slope = large.value_and_grad(0.5)
    leaf = mg.Value(0.5)
    eager = chained(leaf, build.LARGE // 2)
    eager.backward()
    assert value == pytest.approx(eager.data, rel=1e-12)
    assert slope == pytest.approx(leaf.grad, rel=1e-9, abs=1e-300)


def test_parts_are_bounded_in_length() -> None:
    kernel, _ = lowered_network((12, 12, 12))
    parts = [step for step in scheduled(kernel, small=10**9).steps if isinstance(step, Part)]
    assert all(len(part.numbers) <= schedule.PART for part in parts)
    computed = [i for part in parts for i in part.numbers]
    assert len(computed) == len(set(computed))


@given(st.integers(1, 6), st.integers(1, 6))
@settings(max_examples=20)
def test_groups_never_depend_on_themselves(rows: int, depth: int) -> None:
    """Recurrent layers: the result of one product is an operand of the next, of the same weights."""

    def recurrent(w: Any, x: Any) -> Any:
        for _ in range(depth):
            x = [mg.dot(row, x) for row in w]
        return mg.sum(x)

    size = 4 * rows
    w = np.random.default_rng(rows).normal(size=(size, size)) / size
    got, wanted = both(recurrent, w, np.ones(size))
    np.testing.assert_allclose(got[0], wanted[0], rtol=1e-11)
    np.testing.assert_allclose(got[1], wanted[1], rtol=1e-9, atol=1e-15)
