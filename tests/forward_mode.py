"""Forward-mode differentiation, written for the tests and independent of the library's rules.

A dual number carries a value and its derivative along one direction through the program, from the inputs to the result:
the opposite way to a backward pass, with one partial derivative after another from a calculus textbook. Only the values
are the library's own, so the two ways differ by the rounding of derivatives alone.

The partial derivatives are written with operations, so a dual number of dual numbers gives second derivatives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import micrograd as mg
from micrograd.ops import Op, Operand

__all__ = ["PARTIALS", "Dual", "directional"]


class Dual(Operand):
    """A value, its derivative along the direction, and the sum of the sizes of what was added up to get it.

    The third number is the sum, over all paths from the inputs, of the products of the partial derivatives' sizes:
    rounding errors of any order of summation are a few ulps of it.
    """

    def __init__(self, primal: Any, tangent: Any, size: float = 0.0) -> None:
        self.primal, self.tangent, self.size = primal, tangent, size

    def __micrograd_op__(self, op: Op, operands: tuple[Any, ...]) -> Any:
        primals = [x.primal if isinstance(x, Dual) else x for x in operands]
        out = op.apply(tuple(primals))
        tangent: Any = 0.0
        size = 0.0
        for i, (partial, x) in enumerate(zip(PARTIALS[op.name](out, *primals), operands)):
            if isinstance(x, Dual):
                tangent = tangent + partial * x.tangent
                size += _size(op.name, i, _number(partial), _number(out), list(map(_number, primals))) * x.size
        return Dual(out, tangent, size)


def directional(f: Callable[..., Any], at: Sequence[Any], direction: Sequence[Any]) -> Dual:
    """Return value and derivative of ``f`` along ``direction``."""
    result = f(*[Dual(x, v, abs(_number(v))) for x, v in zip(at, direction)])
    return result if isinstance(result, Dual) else Dual(result, 0.0)


def _number(x: Any) -> float:
    while isinstance(x, Dual):
        x = x.primal
    return float(x)


def _sign(a: Any) -> float:
    return math.copysign(1.0, _number(a))


def _product_of_others(xs: Sequence[Any], i: int) -> Any:
    product: Any = 1.0
    for k, x in enumerate(xs):
        if k != i:
            product = product * x
    return product


def _softmax(out: Any, *xs: Any) -> list[Any]:
    peak = max(map(_number, xs))
    weights = [mg.exp(x - peak) for x in xs]
    total = mg.sum(weights)
    return [weight / total for weight in weights]


def _dot(out: Any, *xs: Any) -> list[Any]:
    half = len(xs) // 2
    return [*xs[half:], *xs[:half]]


def _dist(out: Any, *xs: Any) -> list[Any]:
    half = len(xs) // 2
    left = [(a - b) / out for a, b in zip(xs[:half], xs[half:])]
    return left + [-d for d in left]


def _one_of(count: int, chosen: int) -> list[float]:
    return [1.0 if i == chosen else 0.0 for i in range(count)]


def _clamp(out: Any, a: Any, low: Any, high: Any) -> list[float]:
    if _number(low) > _number(high):
        return _one_of(3, 2)
    return _one_of(3, 1 if _number(a) < _number(low) else 2 if _number(a) > _number(high) else 0)


def _elu(out: Any, a: Any, alpha: Any) -> list[Any]:
    return [1.0, 0.0] if _number(a) > 0.0 else [alpha * mg.exp(a), mg.expm1(a)]


def _gaussian(a: Any) -> Any:
    return mg.exp(-(a * a) / 2.0) / math.sqrt(2.0 * math.pi)


PARTIALS: dict[str, Callable[..., Sequence[Any]]] = {
    # arithmetic
    "add": lambda out, a, b: [1.0, 1.0],
    "sub": lambda out, a, b: [1.0, -1.0],
    "mul": lambda out, a, b: [b, a],
    "div": lambda out, a, b: [1.0 / b, -a / (b * b)],
    "neg": lambda out, a: [-1.0],
    "pos": lambda out, a: [1.0],
    # selection
    **dict.fromkeys(("gt", "ge", "lt", "le", "eq"), lambda out, a, b: [0.0, 0.0]),
    "isnan": lambda out, a: [0.0],
    "where": lambda out, c, a, b: _one_of(3, 1 if _number(c) else 2),
    "abs": lambda out, a: [_sign(a)],
    "maximum": lambda out, a, b: _one_of(2, 0 if _number(a) > _number(b) else 1),
    "minimum": lambda out, a, b: _one_of(2, 0 if _number(a) < _number(b) else 1),
    "clamp": _clamp,
    "copysign": lambda out, a, b: [_sign(a) * _sign(b), 0.0],
    # powers and roots
    "power": lambda out, a, b: [b * out / a, out * mg.log(a)],
    "sqrt": lambda out, a: [0.5 / out],
    "cbrt": lambda out, a: [out / (3.0 * a)],
    "hypot": lambda out, a, b: [a / out, b / out],
    # exponentials and logarithms
    "exp": lambda out, a: [out],
    "exp2": lambda out, a: [math.log(2.0) * out],
    "expm1": lambda out, a: [mg.exp(a)],
    "log": lambda out, a: [1.0 / a],
    "log1p": lambda out, a: [1.0 / (1.0 + a)],
    "log2": lambda out, a: [1.0 / (math.log(2.0) * a)],
    "log10": lambda out, a: [1.0 / (math.log(10.0) * a)],
    # trigonometry
    "sin": lambda out, a: [mg.cos(a)],
    "cos": lambda out, a: [-mg.sin(a)],
    "tan": lambda out, a: [1.0 / (mg.cos(a) * mg.cos(a))],
    "asin": lambda out, a: [1.0 / mg.sqrt((1.0 - a) * (1.0 + a))],
    "acos": lambda out, a: [-1.0 / mg.sqrt((1.0 - a) * (1.0 + a))],
    "atan": lambda out, a: [1.0 / (1.0 + a * a)],
    "atan2": lambda out, a, b: [b / (a * a + b * b), -a / (a * a + b * b)],
    "degrees": lambda out, a: [180.0 / math.pi],
    "radians": lambda out, a: [math.pi / 180.0],
    # hyperbolic functions
    "sinh": lambda out, a: [mg.cosh(a)],
    "cosh": lambda out, a: [mg.sinh(a)],
    "tanh": lambda out, a: [(1.0 - out) * (1.0 + out)],
    "asinh": lambda out, a: [1.0 / mg.sqrt(1.0 + a * a)],
    "acosh": lambda out, a: [1.0 / mg.sqrt((a - 1.0) * (a + 1.0))],
    "atanh": lambda out, a: [1.0 / ((1.0 - a) * (1.0 + a))],
    # error functions and remainders
    "erf": lambda out, a: [2.0 / math.sqrt(math.pi) * mg.exp(-(a * a))],
    "erfc": lambda out, a: [-2.0 / math.sqrt(math.pi) * mg.exp(-(a * a))],
    "fmod": lambda out, a, b: [1.0, -float(math.trunc(_number(a) / _number(b)))],
    # activations
    "relu": lambda out, a: [1.0 if _number(a) > 0.0 else 0.0],
    "leaky_relu": lambda out, a, slope: [1.0, 0.0] if _number(a) > 0.0 else [slope, a],
    "elu": _elu,
    "sigmoid": lambda out, a: [mg.sigmoid(a) * mg.sigmoid(-a)],
    "softplus": lambda out, a: [mg.sigmoid(a)],
    "silu": lambda out, a: [mg.sigmoid(a) * (1.0 + a * mg.sigmoid(-a))],
    "gelu": lambda out, a: [0.5 * (1.0 + mg.erf(a / math.sqrt(2.0))) + a * _gaussian(a)],
    # reductions
    "sum": lambda out, *xs: [1.0] * len(xs),
    "prod": lambda out, *xs: [_product_of_others(xs, i) for i in range(len(xs))],
    "mean": lambda out, *xs: [1.0 / len(xs)] * len(xs),
    "logsumexp": _softmax,
    "dot": _dot,
    "dist": _dist,
    "take": lambda out, *xs: _one_of(len(xs), int(_number(xs[-1]))),
}


def _size(name: str, i: int, partial: float, out: float, operands: Sequence[float]) -> float:
    """Return the size of a partial derivative, as far as its rounding goes: more than itself where a rule subtracts."""
    a = operands[i]
    if name in ("tanh", "sigmoid", "gelu"):  # exact to a few ulps of 1: their rows say so
        return 1.0 + abs(partial)
    if name == "silu":
        return abs(partial) + abs(a) / (2.0 + 2.0 * math.cosh(min(a, 700.0)))
    if name == "power" and i == 0:
        return abs(partial) * (1.0 + abs(math.log(a)))  # of b - 1, rounded
    if name == "logsumexp":
        return abs(partial) * (1.0 + abs(a - out))
    return abs(partial)
