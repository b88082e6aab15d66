"""Rows of the table: operations over any number of operands, called with an iterable.

Sums run from left to right, so a sum has the same bits on every Python and in compiled code.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any

from micrograd.errors import describe
from micrograd.ops.arithmetic import div
from micrograd.ops.elementary import exp
from micrograd.ops.floats import total
from micrograd.ops.operand import Operand
from micrograd.ops.selection import eq, where
from micrograd.ops.table import Accuracy, Op, iterate, row

# ``sum`` is left out: a star import must not replace the builtin.
__all__ = ["dist", "dot", "logsumexp", "mean", "prod", "softmax", "take"]

_exp = total(math.exp)


def _sum(*xs: float) -> float:
    result = 0.0
    for x in xs:
        result += x
    return result


def _prod(*xs: float) -> float:
    result = 1.0
    for x in xs:
        result *= x
    return result


def _products_of_others(g: Any, out: Any, *xs: Any) -> list[Any]:
    """Each operand's share is the product of all the others: no division, so a zero among them stays exact."""
    before: list[Any] = []
    product: Any = g
    for x in xs:
        before.append(product)
        product = product * x
    shares: list[Any] = []
    product = 1.0
    for left, x in zip(reversed(before), reversed(xs)):
        shares.append(left * product)
        product = x * product
    shares.reverse()
    return shares


sum: Op = row(
    "sum",
    symbol="Σ",
    forward=_sum,
    vjp=lambda g, out, *xs: [g] * len(xs),
    accuracy=Accuracy(value=0.5, derivative=0.5),
    reference=lambda mp, *xs: mp.fsum(xs),
    summary="sum of the operands, from left to right",
)

prod: Op = row(
    "prod",
    symbol="Π",
    forward=_prod,
    vjp=_products_of_others,
    accuracy=Accuracy(value=1.0, derivative=1.0),
    reference=lambda mp, *xs: mp.fprod(xs),
    summary="product of the operands",
)


def _operands_of_mean(values: Iterable[Any]) -> tuple[Any, ...]:
    operands = tuple(iterate("mean", values))
    if not operands:
        raise ValueError("mean() of no operands is not defined; give it at least one")
    return operands


mean: Op = row(
    "mean",
    flatten=_operands_of_mean,
    forward=lambda *xs: _sum(*xs) / len(xs),
    vjp=lambda g, out, *xs: [div(g, float(len(xs)))] * len(xs),
    accuracy=Accuracy(value=1.0, derivative=0.5),
    reference=lambda mp, *xs: mp.fsum(xs) / len(xs),
    summary="arithmetic mean of the operands",
)


def _logsumexp(*xs: float) -> float:
    peak = -math.inf
    for x in xs:
        if x != x:
            return math.nan
        peak = x if x > peak else peak
    if math.isinf(peak):
        return peak
    others = list(xs)
    others.remove(peak)
    # The peak adds exp(0) = 1. log1p keeps what the others add where that is far below 1.
    return peak + math.log1p(_sum(*[_exp(x - peak) for x in others]))


def _softmax_shares(g: Any, out: Any, *xs: Any) -> list[Any]:
    """Each operand's share is its weight in the sum."""
    weights = [exp(x - out) for x in xs]
    scale = div(g, sum(weights))  # the weights add up to 1, but for the rounding of out, which cancels here
    return [weight * scale for weight in weights]


logsumexp: Op = row(
    "logsumexp",
    forward=_logsumexp,
    vjp=_softmax_shares,
    accuracy=Accuracy(value=1.0, derivative=2.0),
    reference=lambda mp, *xs: mp.log(mp.fsum([mp.exp(x) for x in xs])),
    summary="log of the sum of exp of the operands, without overflow on the way",
)


PAIRED = frozenset({"dot", "dist"})
"""Operations over two sequences of one length, whose flat operands are the one and then the other."""


def _pairs(name: str) -> Any:
    def flatten(xs: Iterable[Any], ys: Iterable[Any]) -> tuple[Any, ...]:
        left, right = tuple(iterate(name, xs)), tuple(iterate(name, ys))
        if len(left) != len(right):
            raise ValueError(f"{name}() takes two sequences of one length, got {len(left)} and {len(right)} operands")
        return left + right

    return flatten


def _dot(*operands: float) -> float:
    half = len(operands) // 2
    return _sum(*map(operator.mul, operands[:half], operands[half:]))


def _dot_shares(g: Any, out: Any, *operands: Any) -> list[Any]:
    half = len(operands) // 2
    return [g * y for y in operands[half:]] + [g * x for x in operands[:half]]


dot: Op = row(
    "dot",
    symbol="·",
    flatten=_pairs("dot"),
    forward=_dot,
    vjp=_dot_shares,
    accuracy=Accuracy(value=1.0, derivative=0.5),
    reference=lambda mp, *xs: mp.fdot(xs[: len(xs) // 2], xs[len(xs) // 2 :]),
    summary="sum of the products of two sequences, as one node",
)


def _dist(*operands: float) -> float:
    half = len(operands) // 2
    return math.dist(operands[:half], operands[half:])


def _dist_shares(g: Any, out: Any, *operands: Any) -> list[Any]:
    half = len(operands) // 2
    left = [where(eq(out, 0.0), 0.0, g * div(x - y, out)) for x, y in zip(operands[:half], operands[half:])]
    return left + [-share for share in left]


dist: Op = row(
    "dist",
    flatten=_pairs("dist"),
    forward=_dist,
    vjp=_dist_shares,
    kinks=lambda *operands: (_dist(*operands),),
    accuracy=Accuracy(value=1.0, derivative=1.0),
    reference=lambda mp, *xs: mp.sqrt(mp.fsum([(x - y) ** 2 for x, y in zip(xs[: len(xs) // 2], xs[len(xs) // 2 :])])),
    summary="Euclidean distance of two points",
)


def _operands_of_take(values: Iterable[Any], index: Any) -> tuple[Any, ...]:
    operands = tuple(iterate("take", values))
    if isinstance(index, Operand) and index.chosen_later:
        return (*operands, index)
    try:
        position = operator.index(index)
    except TypeError:
        raise TypeError(f"take() takes an int as its index, not {describe(index)}") from None
    if not -len(operands) <= position < len(operands):
        raise IndexError(f"take() index {position} is out of range for {len(operands)} operands")
    return (*operands, float(position % len(operands)))


def _take_shares(g: Any, out: Any, *operands: Any) -> list[Any]:
    *values, index = operands
    return [where(eq(index, float(i)), g, 0.0) for i in range(len(values))] + [0.0]


take: Op = row(
    "take",
    flatten=_operands_of_take,
    forward=lambda *operands: operands[int(operands[-1])],
    vjp=_take_shares,
    accuracy=Accuracy(value=0.0, derivative=0.0),
    reference=lambda mp, *operands: operands[int(operands[-1])],
    summary="the operand at an integer index; the others get no gradient",
)


def softmax(values: Iterable[Any]) -> Sequence[Any]:
    """Return ``exp(x) / sum(exp(x))`` of every operand, as a list; stable for large operands.

    Raises ``TypeError`` for something that is not an iterable of operands.

    >>> [round(share, 3) for share in softmax([0.0, math.log(3.0)])]
    [0.25, 0.75]
    """
    operands = tuple(iterate("softmax", values))
    normaliser = logsumexp(operands)
    return [exp(x - normaliser) for x in operands]
