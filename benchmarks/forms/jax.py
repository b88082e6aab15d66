"""JAX: traced once, compiled by XLA, in float64 and on one thread (the environment says so, see ``processes``).

Calls are not dispatched asynchronously: handing each to a second thread, only to wait for it, doubles a short call.
"""

# mypy: disable-error-code="import-not-found, no-untyped-call"

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erfc
from jax.test_util import check_grads, check_vjp

from benchmarks import c1 as c1_workload
from benchmarks import c2 as c2_workload
from benchmarks import c4 as c4_workload
from benchmarks import c5 as c5_workload
from benchmarks.forms import Forms, Prepared, gathered
from benchmarks.t1 import function as checked_function

__all__ = ["load"]

Problem = Mapping[str, Any]


def load() -> Forms:
    """Return the forms; the configuration of 64 bits is checked."""
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    if jnp.zeros(1).dtype != jnp.float64:
        raise RuntimeError("JAX computes in float32; JAX_ENABLE_X64=1 is to be set before it is imported")
    return Forms(
        version=jax.__version__,
        forms={
            "c1": c1,
            "c1 resident": c1_resident,
            "c2": c2,
            "c3": c3,
            "c3 hessian": c3_hessian,
            "c4": c4,
            "c5": c5,
            "t1": t1,
        },
        judge=accuses,
    )


def _numbers(tree: Any) -> Any:
    """Wait for a result, and return it as numbers and NumPy arrays."""
    return jax.tree_util.tree_map(np.asarray, tree)


# --- C1 ------------------------------------------------------------------------------------------------------


def _hinge(parameters: Any, points: Any, classes: Any) -> Any:
    signal = points
    *hidden, last = c1_workload.layers(parameters)
    for layer in hidden:
        signal = jax.nn.relu(signal @ layer[:, :-1].T + layer[:, -1])
    scores = signal @ last[0, :-1] + last[0, -1]
    return jnp.mean(jax.nn.relu(1.0 - classes * scores))


def c1(problem: Problem) -> Prepared:
    parameters, points, classes = problem["parameters"], problem["points"], problem["classes"]
    function = jax.jit(jax.value_and_grad(_hinge))
    return Prepared(lambda: _numbers(function(parameters, points, classes)))


def c1_resident(problem: Problem) -> Prepared:
    arguments = [jnp.asarray(problem[name]) for name in ("parameters", "points", "classes")]
    function = jax.jit(jax.value_and_grad(_hinge))
    return Prepared(lambda: jax.block_until_ready(function(*arguments)))


# --- C2 ------------------------------------------------------------------------------------------------------


def _normed(x: Any) -> Any:
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + c2_workload.EPSILON)


def _document(parameters: Any, tokens: Any) -> Any:
    """Return the loss of one document."""
    length = tokens.shape[0] - 1
    split = length, c2_workload.HEADS, -1
    x = _normed(parameters["token"][tokens[:-1]] + parameters["position"][:length])
    normed = _normed(x)
    queries, keys, values = ((normed @ parameters[name].T).reshape(split) for name in ("query", "key", "value"))
    scores = jnp.einsum("ihd,jhd->hij", queries, keys) / np.sqrt(queries.shape[-1])
    weights = jax.nn.softmax(jnp.where(np.tril(np.ones((length, length), bool)), scores, -jnp.inf))
    attended = jnp.einsum("hij,jhd->ihd", weights, values).reshape(length, -1)
    x = x + attended @ parameters["output"].T
    x = x + jax.nn.relu(_normed(x) @ parameters["widen"].T) @ parameters["narrow"].T
    logits = x @ parameters["readout"].T
    right = jnp.take_along_axis(logits, tokens[1:, None], axis=1)[:, 0]
    return jnp.mean(jax.nn.logsumexp(logits, axis=-1) - right)


def c2(problem: Problem) -> Prepared:
    parameters = problem["parameters"]

    def loss(parameters: Any, documents: Any) -> Any:
        return jnp.mean(jax.vmap(_document, (None, 0))(parameters, documents))

    function = jax.jit(jax.value_and_grad(loss))

    def prepared(documents: Any) -> Prepared:
        return Prepared(lambda: _numbers(function(parameters, documents)))

    return gathered([(weight, prepared(documents)) for weight, documents in c2_workload.groups(problem)])


# --- C3 ------------------------------------------------------------------------------------------------------


def _rosenbrock(x: Any) -> Any:
    return jnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def c3(problem: Problem) -> Prepared:
    x = problem["x"]
    function = jax.jit(jax.value_and_grad(_rosenbrock))
    return Prepared(lambda: _numbers(function(x)))


def c3_hessian(problem: Problem) -> Prepared:
    x = problem["x"]
    function = jax.jit(jax.hessian(_rosenbrock))
    return Prepared(lambda: np.asarray(function(x)))


# --- C4 ------------------------------------------------------------------------------------------------------


def _price(spot: Any, strike: Any, years: Any, rate: Any, sigma: Any) -> Any:
    deviation = sigma * jnp.sqrt(years)
    d1 = (jnp.log(spot / strike) + (rate + 0.5 * sigma * sigma) * years) / deviation
    d2 = d1 - deviation
    return spot * _normal(d1) - strike * jnp.exp(-rate * years) * _normal(d2)


def _normal(d: Any) -> Any:
    return 0.5 * erfc(d * -(0.5**0.5))


def c4(problem: Problem) -> Prepared:
    columns = [problem[name] for name in c4_workload.COLUMNS]
    function = jax.jit(jax.vmap(jax.value_and_grad(_price, argnums=tuple(range(len(columns))))))
    return Prepared(lambda: _numbers(function(*columns)))


# --- C5 ------------------------------------------------------------------------------------------------------


def c5(problem: Problem) -> Prepared:
    inputs, program = problem["inputs"], problem["program"]
    operations = {"exp": jnp.exp, "tanh": jnp.tanh, "sin": jnp.sin}

    def unrolled(x: Any) -> Any:
        return c5_workload.execute(program, list(x), operations)

    function = jax.jit(jax.value_and_grad(unrolled))
    return Prepared(lambda: _numbers(function(inputs)))


# --- T1 ------------------------------------------------------------------------------------------------------


def t1(problem: Problem) -> Prepared:
    def f(*xs: Any) -> Any:
        return checked_function(jnp, *xs)

    quick = jax.jit(f)

    def call() -> Any:
        inputs = problem["x"].tolist()
        check_grads(quick, inputs, order=problem["order"], modes=["rev"])  # raises where it finds a difference
        return quick(*inputs).item(), 1.0

    return Prepared(call)


# --- T2 ------------------------------------------------------------------------------------------------------


def accuses(program: Any, gradient: Any) -> bool:
    """Judge a gradient as JAX does a function and its vjp."""

    def f(*inputs: Any) -> Any:
        return np.float64(program(*map(float, inputs)))

    def f_vjp(*inputs: Any) -> Any:
        shares = gradient(list(map(float, inputs)))
        return f(*inputs), lambda g: tuple(np.float64(g * share) for share in shares)

    try:
        check_vjp(f, f_vjp, tuple(map(np.float64, program.inputs)))
    except AssertionError:
        return True
    return False
