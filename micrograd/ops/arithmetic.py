"""Rows of the table: arithmetic.

A rule reads ``(g, out, *operands)``: the upstream gradient, the saved result, the operands. Rules are written with
``+ - *`` and with operations only: Python's own ``/`` and ``**`` raise where IEEE 754 gives a number, and an ``if``
cannot be traced.
"""

from __future__ import annotations

import operator

from micrograd.ops import floats
from micrograd.ops.table import Accuracy, Op, row

__all__ = ["add", "div", "mul", "neg", "pos", "sub"]

_EXACT = Accuracy(value=0.5, derivative=0.5)

add: Op = row(
    "add",
    symbol="+",
    operator="add",
    forward=operator.add,
    vjp=(lambda g, out, a, b: g, lambda g, out, a, b: g),
    accuracy=_EXACT,
    reference=lambda mp, a, b: a + b,
    summary="sum of two operands",
)

sub: Op = row(
    "sub",
    symbol="-",
    operator="sub",
    forward=operator.sub,
    vjp=(lambda g, out, a, b: g, lambda g, out, a, b: -g),
    accuracy=_EXACT,
    reference=lambda mp, a, b: a - b,
    summary="difference of two operands",
)

mul: Op = row(
    "mul",
    symbol="*",
    operator="mul",
    forward=operator.mul,
    vjp=(lambda g, out, a, b: g * b, lambda g, out, a, b: g * a),
    accuracy=_EXACT,
    reference=lambda mp, a, b: a * b,
    summary="product of two operands",
)

div: Op = row(
    "div",
    symbol="/",
    operator="truediv",
    forward=floats.divide,
    vjp=(lambda g, out, a, b: div(g, b), lambda g, out, a, b: div(-g * out, b)),
    domain=("(-inf, inf)", "(-inf, 0) | (0, inf)"),
    accuracy=Accuracy(value=0.5),
    reference=lambda mp, a, b: a / b,
    summary="quotient of two operands, by one division",
)

neg: Op = row(
    "neg",
    symbol="-",
    operator="neg",
    method=False,
    forward=operator.neg,
    vjp=(lambda g, out, a: -g,),
    accuracy=_EXACT,
    reference=lambda mp, a: -a,
    summary="the operand with its sign changed",
)

pos: Op = row(
    "pos",
    symbol="+",
    operator="pos",
    method=False,
    forward=operator.pos,
    vjp=(lambda g, out, a: g,),
    accuracy=_EXACT,
    reference=lambda mp, a: a,
    summary="the operand itself, as a node of its own",
)
