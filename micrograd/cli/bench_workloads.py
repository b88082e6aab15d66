"""The workloads of ``micrograd bench``, each for the compiled engine, the eager one, and the frameworks.

Every engine gets NumPy arrays and gives a value and gradients as NumPy arrays.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from micrograd import _deps, ops
from micrograd._structure import flatten
from micrograd.arrays import array, from_flat, grad_of
from micrograd.compiler import compile as compiled
from micrograd.ops import relu

__all__ = ["ENGINES", "WORKLOADS", "Workload", "agree"]

ENGINES = ("micrograd, compiled", "micrograd, eager", "JAX jit", "PyTorch")

Call = Callable[[], Any]


@dataclass(frozen=True)
class Workload:
    """What is computed, and how each engine prepares it; preparing raises ``ImportError`` where it is not installed."""

    summary: str
    engines: Mapping[str, Callable[[], Call]]


def agree(workload: Workload, engine: str, result: Any, expected: Any) -> None:
    """Raise ``ArithmeticError`` where an engine's value or gradients are not ours."""
    got, wanted = flatten(result)[0], flatten(expected)[0]
    if len(got) != len(wanted) or not all(math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-12) for x, y in zip(got, wanted)):
        raise ArithmeticError(f"{engine} and micrograd disagree on {workload.summary}")


def _jax() -> Any:
    jax = _deps.require("jax", extra="bench", purpose="this measurement")
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_cpu_enable_async_dispatch", False)  # a second thread, only to wait for it, costs more
    return jax


def _torch() -> Any:
    torch = _deps.require("torch", extra="bench", purpose="this measurement")
    torch.set_num_threads(1)
    return torch


def _jax_call(function: Callable[..., Any], *arguments: Any, argnums: Any = 0) -> Call:
    jax = _jax()
    run = jax.jit(jax.value_and_grad(function, argnums=argnums))

    def call() -> Any:
        value, gradients = run(*arguments)
        return float(value), gradients.__array__()

    return call


# --- a network, its loss over a batch ----------------------------------------------------------------------------

_SIZES = (2, 16, 16, 1)
_SAMPLES = 100


def _layers(parameters: Any, sizes: tuple[int, ...] = _SIZES) -> list[tuple[Any, Any]]:
    """Return weights and biases of each layer, cut out of one flat array."""
    layers = []
    start = 0
    for fan_in, fan_out in pairwise(sizes):
        middle, end = start + fan_in * fan_out, start + (fan_in + 1) * fan_out
        layers.append((parameters[start:middle].reshape(fan_out, fan_in), parameters[middle:end]))
        start = end
    return layers


def _network_data() -> tuple[Any, Any, Any]:
    rng = random.Random(0)
    count = sum((a + 1) * b for a, b in pairwise(_SIZES))
    points = [rng.gauss(0.0, 1.0) for _ in range(2 * _SAMPLES)]
    labels = [1.0 if x * y > 0.0 else -1.0 for x, y in zip(points[::2], points[1::2])]
    parameters = [rng.gauss(0.0, 0.3) for _ in range(count)]
    return from_flat(parameters, (count,)), from_flat(points, (_SAMPLES, 2)), from_flat(labels, (_SAMPLES,))


def _hinge(parameters: Any, point: Any, label: Any) -> Any:
    """Return the hinge loss of one sample, scalar by scalar."""
    *hidden, (weights, biases) = _layers(parameters)
    signal = point
    for w, b in hidden:
        signal = [relu(sum((wi * xi for wi, xi in zip(row, signal)), bias)) for row, bias in zip(w, b)]
    score = sum((wi * xi for wi, xi in zip(weights[0], signal)), biases[0])
    return relu(1.0 - label * score)


def _network_compiled() -> Call:
    parameters, points, labels = _network_data()
    loss = compiled(_hinge, batched=("point", "label"), reduce="mean", argnums=0)
    return lambda: loss.value_and_grad(parameters, points, labels)


def _network_eager() -> Call:
    parameters, points, labels = _network_data()

    def call() -> Any:
        leaves = array(parameters)
        value = ops.mean([_hinge(leaves, point, label) for point, label in zip(points.tolist(), labels.tolist())])
        value.backward()
        return value.data, grad_of(leaves)

    return call


def _tensor_loss(parameters: Any, points: Any, labels: Any, positive: Callable[[Any], Any]) -> Any:
    *hidden, (weights, biases) = _layers(parameters)
    signal = points
    for w, b in hidden:
        signal = positive(signal @ w.T + b)
    return positive(1.0 - labels * (signal @ weights[0] + biases[0])).mean()


def _network_jax() -> Call:
    jax, (parameters, points, labels) = _jax(), _network_data()
    return _jax_call(lambda p, x, y: _tensor_loss(p, x, y, jax.nn.relu), parameters, points, labels)


def _network_torch() -> Call:
    torch, (parameters, points, labels) = _torch(), _network_data()

    def call() -> Any:
        leaf = torch.tensor(parameters, requires_grad=True)
        value = _tensor_loss(leaf, torch.from_numpy(points), torch.from_numpy(labels), torch.relu)
        value.backward()
        return value.item(), leaf.grad.numpy()

    return call


# --- Rosenbrock's function -----------------------------------------------------------------------------------------


def _start() -> Any:
    return from_flat([-1.0 + 0.25 * k for k in range(10)], (10,))


def _rosenbrock(x: Any) -> Any:
    return (100.0 * (x[1:] - x[:-1] * x[:-1]) ** 2 + (1.0 - x[:-1]) ** 2).sum()


def _rosenbrock_compiled() -> Call:
    x, function = _start(), compiled(_rosenbrock)
    return lambda: function.value_and_grad(x)


def _rosenbrock_eager() -> Call:
    x = _start()

    def call() -> Any:
        leaves = array(x)
        value = _rosenbrock(leaves)
        value.backward()
        return value.data, grad_of(leaves)

    return call


def _rosenbrock_torch() -> Call:
    torch, x = _torch(), _start()

    def call() -> Any:
        leaf = torch.tensor(x, requires_grad=True)
        value = _rosenbrock(leaf)
        value.backward()
        return value.item(), leaf.grad.numpy()

    return call


# --- prices of options -------------------------------------------------------------------------------------------

_OPTIONS = 10_000
_RANGES = {"spot": (50.0, 150.0), "strike": (50.0, 150.0), "years": (0.1, 2.0), "rate": (0.0, 0.1), "sigma": (0.1, 0.5)}


def _market() -> list[Any]:
    rng = random.Random(0)
    return [from_flat([rng.uniform(*bounds) for _ in range(_OPTIONS)], (_OPTIONS,)) for bounds in _RANGES.values()]


def _price(functions: Any, spot: Any, strike: Any, years: Any, rate: Any, sigma: Any) -> Any:
    """Return the price of a European call (Black and Scholes, Journal of Political Economy 81, 1973, equation 13)."""
    deviation = sigma * functions.sqrt(years)
    d1 = (functions.log(spot / strike) + (rate + 0.5 * sigma * sigma) * years) / deviation
    d2 = d1 - deviation
    below = 0.5**0.5
    return 0.5 * (
        spot * functions.erfc(-below * d1) - strike * functions.exp(-rate * years) * functions.erfc(-below * d2)
    )


def _call_price(spot: Any, strike: Any, years: Any, rate: Any, sigma: Any) -> Any:
    return _price(ops, spot, strike, years, rate, sigma)


def _options_compiled() -> Call:
    market = _market()
    price = compiled(_call_price, batched=tuple(_RANGES))
    return lambda: price.value_and_grad(*market)


def _options_jax() -> Call:
    jax, market = _jax(), _market()

    class Functions:
        sqrt, log, exp, erfc = jax.numpy.sqrt, jax.numpy.log, jax.numpy.exp, jax.scipy.special.erfc

    run = jax.jit(jax.vmap(jax.value_and_grad(lambda *x: _price(Functions, *x), argnums=range(len(market)))))

    def call() -> Any:
        values, gradients = run(*market)
        return values.__array__(), tuple([g.__array__() for g in gradients])

    return call


def _options_torch() -> Call:
    torch, market = _torch(), _market()

    def call() -> Any:
        leaves = [torch.tensor(x, requires_grad=True) for x in market]
        values = _price(torch, *leaves)
        values.sum().backward()
        return values.detach().numpy(), tuple([leaf.grad.numpy() for leaf in leaves])

    return call


WORKLOADS = {
    "network": Workload(
        f"loss and gradient of an MLP [2, 16, 16, 1] over {_SAMPLES} samples",
        dict(zip(ENGINES, (_network_compiled, _network_eager, _network_jax, _network_torch))),
    ),
    "rosenbrock": Workload(
        "Rosenbrock's function of 10 numbers, and its gradient",
        dict(
            zip(
                ENGINES,
                (_rosenbrock_compiled, _rosenbrock_eager, lambda: _jax_call(_rosenbrock, _start()), _rosenbrock_torch),
            )
        ),
    ),
    "options": Workload(
        f"{_OPTIONS:,} option prices, and the five derivatives of each",
        {ENGINES[0]: _options_compiled, ENGINES[2]: _options_jax, ENGINES[3]: _options_torch},
    ),
}
