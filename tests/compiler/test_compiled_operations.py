"""Protects every operation of the table, compiled: value and gradient as eager code gives them, at ordinary points and
where IEEE 754 has something to say; on every backend; one sample at a time and in batches, which are other code.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import error_model
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import registered, same, wild_graphs
from table_rows import ROWS, sizes

import micrograd as mg
from micrograd import Value

pytest.importorskip("llvmlite", reason="the backend 'llvm' needs llvmlite")

inf, nan = math.inf, math.nan
AWKWARD = (0.0, -0.0, 1.0, -1.0, 2.0, -8.0, 1 / 3, 1e-300, 1e300, 5e-324, -5e-324, inf, -inf, nan)
FEWER = (0.0, -0.0, 1.0, -2.5, 1e300, inf, -inf, nan)
ORDINARY = (0.3, 0.7, -0.45, 1.7, -2.2, 3.9, 12.5, -30.0)
BACKENDS = ("python", "llvm")
COMPOSITE = 4.0  # ulps of a value, and
DERIVATIVE = 16.0  # of a derivative: what ERRORS.md allows operations that are made of several functions

CASES = [(name, size) for name, row in ROWS.items() for size in sizes(row)]


def points(name: str, size: int) -> list[tuple[float, ...]]:
    if size == 1:
        return [(x,) for x in AWKWARD + ORDINARY]
    if size == 2:
        return [*itertools.product(AWKWARD, repeat=2), *itertools.product(ORDINARY, repeat=2)]
    rng = random.Random(name)
    drawn = [tuple(rng.choice(FEWER) for _ in range(size)) for _ in range(150)]
    return drawn + [tuple(rng.choice(ORDINARY) for _ in range(size)) for _ in range(40)]


def eager(name: str, operands: Sequence[float], rest: tuple[int, ...]) -> tuple[float, list[float]]:
    leaves = [Value(x) for x in operands]
    out = ROWS[name].apply((*leaves, *rest))
    out.backward()
    return out.data, [leaf.grad for leaf in leaves]


def ulps_apart(got: float, wanted: float, least: float) -> float:
    if got == wanted or (got != got and wanted != wanted):
        return 0.0
    if not (math.isfinite(got) and math.isfinite(wanted)):
        return inf
    return abs(got - wanted) / math.ulp(max(abs(wanted), least))


def allowed(name: str, backend: str, batched: bool) -> tuple[float, float]:
    """Return how many ulps value and derivative may be apart from the eager ones."""
    if name in error_model.EXACT:
        return 0.0, 1.0
    if backend == "python":
        return 0.0, DERIVATIVE
    if name not in error_model.table():
        return COMPOSITE + ROWS[name].accuracy.value, DERIVATIVE
    bounds = error_model.table()[name]
    return bounds[1] + (max(bounds.values()) if batched else bounds[1]), DERIVATIVE


@pytest.mark.parametrize(("name", "size"), CASES, ids=[f"{name}_{size}" for name, size in CASES])
def test_value_and_gradient_are_those_of_eager_code(name: str, size: int) -> None:
    row = ROWS[name]
    rest = (size - 1,) if name == "take" else ()
    at = points(name, size)
    wanted = [eager(name, operands, rest) for operands in at]
    rows = np.array(at)
    least = 1.0 if row.accuracy.absolute else 0.0

    def f(x: Any) -> Any:
        return row.apply((*x.tolist(), *rest))

    for backend in BACKENDS:
        one = mg.compile(f, backend=backend)
        several = mg.compile(f, backend=backend, batched="x")
        values, gradients = several.value_and_grad(rows)
        results = {
            "one by one": [one.value_and_grad(x) for x in rows],
            "in a batch": list(zip(values.tolist(), gradients)),
        }
        assert same(several(rows).tolist(), values.tolist())
        for how, found in results.items():
            value_ulps, derivative_ulps = allowed(name, backend, how == "in a batch")
            for operands, (value, gradient), (true_value, true_gradient) in zip(at, found, wanted):
                message = (
                    f"{name}{operands} {how} on {backend}: {value!r}, {gradient.tolist()}; eager {true_value!r},"
                    f" {true_gradient}"
                )
                if value_ulps == 0.0:
                    assert same(value, true_value), message
                assert ulps_apart(value, true_value, least) <= value_ulps, message
                for g, true_g in zip(gradient.tolist(), true_gradient):
                    assert ulps_apart(g, true_g, least) <= derivative_ulps, message


# --- no gradient, no share --------------------------------------------------------------------------------------

SINGULAR: dict[str, Callable[[Any], Any]] = {
    "log of what was not chosen": lambda x: mg.where(x > 0.0, mg.log(x), x),
    "root of what was not chosen": lambda x: mg.where(x > 0.0, mg.sqrt(x), -x),
    "quotient of what was not chosen": lambda x: mg.where(
        x == x if isinstance(x, float) else mg.eq(x, 0.0), x, 1.0 / x
    ),
    "power of what was not chosen": lambda x: mg.where(x >= 1.0, x, mg.where(x > 0.0, x**-1.5, 2.0 * x)),
    "relu of a singular function": lambda x: mg.relu(-mg.exp(x * 1000.0)) + x,
    "a product with a relu": lambda x: mg.relu(x) * mg.log(x) + x,
    "a maximum that hides it": lambda x: mg.maximum(mg.log(x), -5.0) + x,
    "a clamp that hides it": lambda x: mg.clamp(mg.div(1.0, x), -2.0, 2.0) * 3.0,
    "a zero that is a number": lambda x: 0.0 * mg.sqrt(x) + x,
    "a sum with a zero weight": lambda x: mg.dot([0.0, 1.0, 2.0, 0.0, 0.0], [mg.sqrt(x), x, x, mg.log(x), mg.cbrt(x)]),
    "a length of zero": lambda x: mg.where(x > 0.0, mg.hypot(x, x), x),
    "masked scores": lambda x: mg.logsumexp([mg.where(x > 0.5, x, -inf), 1.0, x]),
    "two singular functions, one after the other": lambda x: mg.where(x > 0.0, mg.sqrt(mg.log(x)), 7.0 * x),
}
AT = (0.0, -0.0, 1.0, -1.0, 0.25, 1e-300, inf, -inf, nan)


@pytest.mark.parametrize("name", SINGULAR)
def test_no_upstream_gradient_gives_no_share_whatever_the_local_derivative(name: str) -> None:
    f = SINGULAR[name]
    wanted = []
    for at in AT:
        x = Value(at)
        out = f(x)
        out.backward()
        wanted.append((out.data, x.grad))
    for backend in BACKENDS:
        one = mg.compile(f, backend=backend)
        several = mg.compile(f, backend=backend, batched="x")
        values, gradients = several.value_and_grad(np.array(AT))
        for k, at in enumerate(AT):
            for found in (one.value_and_grad(at), (values[k], gradients[k])):
                for got, eager_result in zip(found, wanted[k]):
                    assert ulps_apart(got, eager_result, 1e-300) <= DERIVATIVE, (name, backend, at, found, wanted[k])


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_branch_that_was_not_chosen_stays_out_of_second_derivatives_and_sums(backend: str) -> None:
    f = mg.compile(lambda x: mg.where(x > 0.0, mg.log(x), x * x), backend=backend)
    assert f.value_and_grad(0.0) == (0.0, 0.0)
    assert f.hessian(0.0) == 2.0
    assert f.hvp((0.0,), (3.0,)) == 6.0
    assert f.jvp((0.0,), (1.0,)) == (0.0, 0.0)
    w = Value(2.0)
    g = mg.compile(lambda x: w * mg.where(x > 0.0, mg.sqrt(x), 3.0 * x), backend=backend, batched="x", reduce="mean")
    x = np.array([0.0, 4.0, -1.0])
    value, gradient = g.value_and_grad(x)
    assert value == pytest.approx(2.0 * (0.0 + 2.0 - 3.0) / 3.0, rel=1e-15)
    np.testing.assert_allclose(gradient, [2.0, 1.0 / 6.0, 2.0], rtol=1e-15)
    g.backward(x)
    assert w.grad == pytest.approx(-1.0 / 3.0, rel=1e-15)


# --- anything on anything ---------------------------------------------------------------------------------------

_EXACT = [name for name in error_model.EXACT if name in ROWS and name != "take"]


@settings(max_examples=150)
@given(wild_graphs())
def test_any_graph_of_captured_nodes_has_its_own_value_on_the_python_backend(graph: list[Value]) -> None:
    root = graph[-1]
    compiled = mg.compile(lambda: root, backend="python")
    if not any(v.op == "power" for v in graph):  # exponents 2, 3 and 4 become products
        assert same(compiled(), root.data)
    value = compiled.backward()
    gradients = {v: v.grad for v in graph if not v.op}
    for v in graph:
        v.grad = 0.0
    root.backward()
    if same(value, root.data) and all(math.isfinite(v.data) and abs(v.data) < 1e6 for v in graph):
        for leaf, got in gradients.items():
            if math.isfinite(leaf.grad) and abs(leaf.grad) < 1e6:
                assert got == pytest.approx(leaf.grad, rel=1e-6, abs=1e-6)


@settings(max_examples=60)
@given(st.data())
def test_graphs_of_exact_operations_have_the_eager_bits_on_any_numbers(data: st.DataObject) -> None:
    numbers = st.one_of(st.sampled_from(AWKWARD), st.floats(-4.0, 4.0), st.floats())
    pool: list[Any] = [Value(x) for x in data.draw(st.lists(numbers, min_size=2, max_size=3))]
    for _ in range(data.draw(st.integers(1, 10))):
        row = ROWS[data.draw(st.sampled_from(_EXACT))]
        count = row.arity or 4
        pool.append(row.apply(tuple(data.draw(st.sampled_from(pool)) for _ in range(count))))
    root = pool[-1]
    # A nan's sign is not specified: copysign may read it.
    assert same(mg.compile(lambda: root)(), root.data) or any(v.op == "copysign" for v in pool)


def test_a_rule_may_choose_by_a_comparison() -> None:
    with registered(
        "bent",
        forward=lambda a: mg.where(a > 0, a * a, -a),
        vjp=(lambda g, out, a: g * mg.where(a > 0, 2 * a, mg.where(a <= -5.0, 0.5, -1)),),
    ) as bent:
        for x in (3.0, 0.0, -2.0, -5.0, -7.0):
            value, slope = mg.compile(lambda x: bent(x) * 1.0, backend="python").value_and_grad(x)
            leaf = Value(x)
            out = bent(leaf)
            out.backward()
            assert (value, slope) == (out.data, leaf.grad)
