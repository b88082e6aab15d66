"""Faults in the table of operations: factors, signs and operands of derivative rules."""

from __future__ import annotations

from functools import partial

from benchmarks.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

_arithmetic = partial(Mutant, category="rules", file="ops/arithmetic.py")
_elementary = partial(Mutant, category="rules", file="ops/elementary.py")
_activation = partial(Mutant, category="rules", file="ops/activations.py")

MUTANTS = [
    _arithmetic(
        name="mul-factor",
        says="the left share of a product is off by a factor of 1.0005",
        before="lambda g, out, a, b: g * b,",
        after="lambda g, out, a, b: g * b * 1.0005,",
    ),
    _arithmetic(
        name="mul-operands",
        says="each factor of a product gets itself in place of the other",
        before="lambda g, out, a, b: g * b, lambda g, out, a, b: g * a",
        after="lambda g, out, a, b: g * a, lambda g, out, a, b: g * b",
    ),
    _arithmetic(
        name="sub-ignores-upstream",
        says="the right operand of a difference gets -1 whatever arrives",
        before="lambda g, out, a, b: -g",
        after="lambda g, out, a, b: -1.0",
    ),
    _arithmetic(
        name="div-factor",
        says="the numerator's share is off by a factor of 1.0005",
        before="lambda g, out, a, b: div(g, b),",
        after="lambda g, out, a, b: 1.0005 * div(g, b),",
    ),
    _arithmetic(
        name="div-sign",
        says="the denominator's share has the wrong sign",
        before="div(-g * out, b)",
        after="div(g * out, b)",
    ),
    _arithmetic(
        name="div-numerator",
        says="the denominator's share reads the numerator in place of the quotient",
        before="div(-g * out, b)",
        after="div(-g * a, b)",
    ),
    _arithmetic(
        name="neg-sign",
        says="the derivative of -a is 1",
        before="vjp=(lambda g, out, a: -g,)",
        after="vjp=(lambda g, out, a: g,)",
    ),
    _elementary(
        name="tanh-factor",
        says="the derivative of tanh is off by a factor of 1.0005",
        before="g * (1.0 - out * out)",
        after="g * (1.0005 * (1.0 - out * out))",
    ),
    _elementary(
        name="tanh-operand",
        says="the derivative of tanh reads the operand in place of the result",
        before="g * (1.0 - out * out)",
        after="g * (1.0 - a * a)",
    ),
    _elementary(
        name="tanh-offset",
        says="the derivative of tanh is off by 1e-9",
        before="g * (1.0 - out * out)",
        after="g * (1.000000001 - out * out)",
    ),
    _elementary(
        name="log-factor",
        says="the derivative of log is off by a factor of 1.0005",
        before="vjp=(lambda g, out, a: div(g, a),)",
        after="vjp=(lambda g, out, a: div(g, a) * 1.0005,)",
    ),
    _elementary(
        name="log1p-is-log",
        says="the derivative of log1p is that of log",
        before="div(g, 1.0 + a)",
        after="div(g, a)",
    ),
    _elementary(
        name="log10-rounded",
        says="the derivative of log10 has its constant to six digits",
        before="math.log10(math.e)",
        after="0.434294",
    ),
    _elementary(
        name="exp-factor",
        says="the derivative of exp is off by a factor of 1.0005",
        before="vjp=(lambda g, out, a: g * out,)",
        after="vjp=(lambda g, out, a: g * out * 1.0005,)",
    ),
    _elementary(
        name="exp-ignores-upstream",
        says="exp hands on its own derivative, whatever arrives",
        before="vjp=(lambda g, out, a: g * out,)",
        after="vjp=(lambda g, out, a: out,)",
    ),
    _elementary(
        name="power-exponent",
        says="the derivative of a**b with respect to a reads a**b in place of a**(b - 1)",
        before="power(a, b - 1.0)",
        after="power(a, b)",
    ),
    _elementary(
        name="power-base",
        says="the derivative of a**b with respect to b reads log(b) in place of log(a)",
        before="out * log(a)",
        after="out * log(b)",
    ),
    _elementary(
        name="sqrt-half",
        says="the derivative of a square root lacks the factor 1/2",
        before="div(g, 2.0 * out)",
        after="div(g, out)",
    ),
    _elementary(
        name="hypot-swapped",
        says="the operands of hypot get each other's shares",
        before="g * div(a, out), lambda g, out, a, b: g * div(b, out)",
        after="g * div(b, out), lambda g, out, a, b: g * div(a, out)",
    ),
    _elementary(
        name="cos-sign",
        says="the derivative of cos is sin",
        before="-g * sin(a)",
        after="g * sin(a)",
    ),
    _elementary(
        name="acos-sign",
        says="the derivative of acos is that of asin",
        before="div(-g, sqrt",
        after="div(g, sqrt",
    ),
    _elementary(
        name="atan2-sign",
        says="the second operand of atan2 gets a share of the wrong sign",
        before="-g * _over_squared_length(a, a, b)",
        after="g * _over_squared_length(a, a, b)",
    ),
    _elementary(
        name="asinh-cancels",
        says="the derivative of asinh squares its operand, which overflows where the derivative is fine",
        before="div(g, hypot(1.0, a))",
        after="div(g, sqrt(1.0 + a * a))",
    ),
    _elementary(
        name="expm1-cancels",
        says="the derivative of expm1 adds 1 to the result, which cancels for negative operands",
        before="g * exp(a),)",
        after="g * (out + 1.0),)",
    ),
    _elementary(
        name="erf-constant",
        says="the derivative of erf lacks the factor 2",
        before="2.0 / math.sqrt(math.pi)",
        after="1.0 / math.sqrt(math.pi)",
    ),
    _elementary(
        name="fmod-second-operand",
        says="the divisor of fmod gets no gradient",
        before="g * div(out - a, b)",
        after="0.0 * g",
    ),
    _activation(
        name="sigmoid-factor",
        says="the derivative of the sigmoid is off by a factor of 1.0005",
        before="g * (out * (1.0 - out))",
        after="g * (out * (1.0005 - out))",
    ),
    _activation(
        name="gelu-term",
        says="the derivative of gelu lacks the term of the density",
        before=" + a * (_ONE_OVER_SQRT_TWO_PI * exp(-0.5 * (a * a)))",
        after="",
    ),
    _activation(
        name="silu-term",
        says="the derivative of silu lacks the term of the sigmoid's own derivative",
        before="g * (sigmoid(a) + out * sigmoid(-a))",
        after="g * sigmoid(a)",
    ),
    _activation(
        name="leaky-relu-slope",
        says="the slope of leaky_relu gets no gradient",
        before="where(gt(a, 0.0), 0.0, g * a)",
        after="where(gt(a, 0.0), 0.0, 0.0)",
    ),
]
