"""PyTorch: float64 tensors on one thread, operation by operation, or compiled by ``torch.compile``."""

# mypy: disable-error-code="misc"

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.nn import functional

from benchmarks.c1 import layers
from benchmarks.c2 import EPSILON, HEADS, groups
from benchmarks.c4 import COLUMNS
from benchmarks.forms import Forms, Prepared, gathered
from benchmarks.t1 import function as checked_function
from micrograd.testing import Program

__all__ = ["load"]

Problem = Mapping[str, Any]
Function = Callable[..., Any]


def load() -> Forms:
    """Return the forms."""
    torch.set_num_threads(1)
    return Forms(
        version=str(torch.__version__),
        forms={
            "c1": lambda problem: _c1(problem, _hinge),
            "c1 compile": lambda problem: _c1(problem, torch.compile(_hinge)),
            "c2": c2,
            "c3": c3,
            "c3 hessian": c3_hessian,
            "c4": lambda problem: _c4(problem, _prices),
            "c4 compile": lambda problem: _c4(problem, torch.compile(_prices)),
            "t1": t1,
        },
        judge=accuses,
    )


def _leaves(arrays: Sequence[Any]) -> list[Any]:
    """Return tensors that share the memory of NumPy arrays, and receive gradients."""
    return [torch.from_numpy(array).requires_grad_() for array in arrays]


# --- C1 ------------------------------------------------------------------------------------------------------


def _hinge(parameters: Any, points: Any, classes: Any) -> Any:
    signal = points
    *hidden, last = layers(parameters)
    for layer in hidden:
        signal = torch.relu(functional.linear(signal, layer[:, :-1], layer[:, -1]))
    scores = functional.linear(signal, last[:, :-1], last[:, -1])[:, 0]
    return torch.relu(1.0 - classes * scores).mean()


def _c1(problem: Problem, loss: Function) -> Prepared:
    def call() -> Any:
        parameters = torch.from_numpy(problem["parameters"]).requires_grad_()
        value = loss(parameters, torch.from_numpy(problem["points"]), torch.from_numpy(problem["classes"]))
        (gradient,) = torch.autograd.grad(value, parameters)
        return value.item(), gradient.numpy()

    return Prepared(call)


# --- C2 ------------------------------------------------------------------------------------------------------


def _normed(x: Any) -> Any:
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + EPSILON)


def _documents(parameters: Mapping[str, Any], tokens: Any) -> Any:
    """Return the mean loss of documents of one length."""
    batch, length = tokens.shape[0], tokens.shape[1] - 1
    x = _normed(functional.embedding(tokens[:, :-1], parameters["token"]) + parameters["position"][:length])
    normed = _normed(x)
    queries, keys, values = (
        functional.linear(normed, parameters[name]).view(batch, length, HEADS, -1).transpose(1, 2)
        for name in ("query", "key", "value")
    )
    attended = functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)
    x = x + functional.linear(attended.transpose(1, 2).reshape(batch, length, -1), parameters["output"])
    x = x + functional.linear(torch.relu(functional.linear(_normed(x), parameters["widen"])), parameters["narrow"])
    logits = functional.linear(x, parameters["readout"])
    return functional.cross_entropy(logits.view(batch * length, -1), tokens[:, 1:].reshape(-1))


def c2(problem: Problem) -> Prepared:
    names, arrays = zip(*problem["parameters"].items())

    def prepared(documents: Any) -> Prepared:
        def call() -> Any:
            leaves = _leaves(arrays)
            value = _documents(dict(zip(names, leaves)), torch.from_numpy(documents))
            gradients = torch.autograd.grad(value, leaves)
            return value.item(), {name: gradient.numpy() for name, gradient in zip(names, gradients)}

        return Prepared(call)

    return gathered([(weight, prepared(documents)) for weight, documents in groups(problem)])


# --- C3 ------------------------------------------------------------------------------------------------------


def _rosenbrock(x: Any) -> Any:
    return (100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2).sum()


def c3(problem: Problem) -> Prepared:
    def call() -> Any:
        x = torch.from_numpy(problem["x"]).requires_grad_()
        value = _rosenbrock(x)
        (gradient,) = torch.autograd.grad(value, x)
        return value.item(), gradient.numpy()

    return Prepared(call)


def c3_hessian(problem: Problem) -> Prepared:
    hessian = torch.func.hessian(_rosenbrock)
    return Prepared(lambda: hessian(torch.from_numpy(problem["x"])).numpy())


# --- C4 ------------------------------------------------------------------------------------------------------


def _prices(spot: Any, strike: Any, years: Any, rate: Any, sigma: Any) -> Any:
    deviation = sigma * torch.sqrt(years)
    d1 = (torch.log(spot / strike) + (rate + 0.5 * sigma * sigma) * years) / deviation
    d2 = d1 - deviation
    return spot * _normal(d1) - strike * torch.exp(-rate * years) * _normal(d2)


def _normal(d: Any) -> Any:
    return 0.5 * torch.erfc(d * -(0.5**0.5))


def _c4(problem: Problem, prices: Function) -> Prepared:
    columns = [problem[name] for name in COLUMNS]

    def call() -> Any:
        leaves = _leaves(columns)
        values = prices(*leaves)
        gradients = torch.autograd.grad(values.sum(), leaves)
        return values.detach().numpy(), tuple(gradient.numpy() for gradient in gradients)

    return Prepared(call)


# --- T1 ------------------------------------------------------------------------------------------------------


def t1(problem: Problem) -> Prepared:
    def f(*xs: Any) -> Any:
        return checked_function(torch, *xs)

    def call() -> Any:
        inputs = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in problem["x"].tolist()]
        right = torch.autograd.gradcheck(f, inputs)
        if problem["order"] == 2:
            right = torch.autograd.gradgradcheck(f, inputs) and right
        return f(*inputs).item(), float(right)

    return Prepared(call)


# --- T2 ------------------------------------------------------------------------------------------------------


def accuses(program: Program, gradient: Callable[[Sequence[float]], list[float]]) -> bool:
    """Judge a gradient as PyTorch does that of a function with a backward pass of its own."""

    class Judged(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *inputs: Any) -> Any:
            ctx.numbers = [x.item() for x in inputs]
            return torch.tensor(program(*ctx.numbers), dtype=torch.float64)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return tuple(g * share for share in gradient(ctx.numbers))

    inputs = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in program.inputs]
    return not torch.autograd.gradcheck(Judged.apply, inputs, raise_exception=False, check_undefined_grad=False)
