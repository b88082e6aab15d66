"""PyTorch's functions under the names of our table, for tests that compare the two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

__all__ = ["differentiated", "functions", "torch"]


def torch() -> Any:
    """Return the module, or skip the test that asks for it."""
    return pytest.importorskip("torch", reason="compares with PyTorch: pip install '.[oracles]'")


def functions() -> dict[str, Callable[..., Any]]:
    """Return PyTorch's function of flat tensors for every operation that it has under one name or another."""
    t = torch()
    f = t.nn.functional

    def halves(xs: Sequence[Any]) -> tuple[Any, Any]:
        return t.stack(xs[: len(xs) // 2]), t.stack(xs[len(xs) // 2 :])

    same_name = (
        *("abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "clamp", "copysign", "cos", "cosh"),
        *("div", "erf", "erfc", "exp", "exp2", "expm1", "fmod", "hypot", "log", "log10", "log1p", "log2", "maximum"),
        *("minimum", "mul", "neg", "relu", "sigmoid", "sin", "sinh", "sqrt", "sub", "tan", "tanh", "add"),
    )

    def predicate(name: str) -> Callable[..., Any]:
        return lambda a, b: getattr(t, name)(a, b).double()

    return {
        **{name: getattr(t, name) for name in same_name},
        **{name: predicate(name) for name in ("gt", "ge", "lt", "le", "eq")},
        "isnan": lambda a: t.isnan(a).double(),
        "pos": t.positive,
        "power": t.pow,
        "degrees": t.rad2deg,
        "radians": t.deg2rad,
        "where": lambda condition, a, b: t.where(condition != 0.0, a, b),
        "leaky_relu": lambda a, slope: f.leaky_relu(a, slope.item()),  # the slope is a number there
        "elu": lambda a, alpha: f.elu(a, alpha.item()),
        "gelu": f.gelu,
        "silu": f.silu,
        "softplus": f.softplus,
        "sum": lambda *xs: t.stack(xs).sum(),
        "prod": lambda *xs: t.stack(xs).prod(),
        "mean": lambda *xs: t.stack(xs).mean(),
        "logsumexp": lambda *xs: t.logsumexp(t.stack(xs), 0),
        "dot": lambda *xs: t.dot(*halves(xs)),
        "dist": lambda *xs: t.dist(*halves(xs)),
    }


def differentiated(f: Callable[..., Any], numbers: Sequence[float]) -> tuple[float, list[float]]:
    """Return value and gradient of a function of tensors."""
    t = torch()
    tensors = [t.tensor(x, dtype=t.float64, requires_grad=True) for x in numbers]
    out = f(*tensors)
    if out.requires_grad:
        out.backward()
    return out.item(), [0.0 if x.grad is None else x.grad.item() for x in tensors]
