"""Faults in the table of operations: kinks, awkward points, second derivatives, operations of many operands."""

from __future__ import annotations

from functools import partial

from benchmarks.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

_kink = partial(Mutant, category="kinks")
_second = partial(Mutant, category="second")
_many = partial(Mutant, category="many", file="ops/reductions.py")

_MAXIMUM = """\
        lambda g, out, a, b: where(lt(a, b), 0.0, where(eq(a, b), 0.5 * g, g)),
        lambda g, out, a, b: where(gt(a, b), 0.0, where(eq(a, b), 0.5 * g, g)),
    ),
    kinks=lambda a, b: (a - b,),
    accuracy=_EXACT,
    reference=lambda mp, a, b: max(a, b),
"""

KINKS = [
    _kink(
        name="relu-leaks",
        says="relu lets a millionth of the gradient through where it is flat",
        file="ops/activations.py",
        before="where(out, g, 0.0)",
        after="where(out, g, 1e-6 * g)",
    ),
    _kink(
        name="relu-at-0",
        says="the derivative of relu at 0 is 1",
        file="ops/activations.py",
        before="where(out, g, 0.0)",
        after="where(out, g, where(le(0.0, a), g, 0.0))",
    ),
    _kink(
        name="relu-at-nan",
        says="relu stops the gradient of a nan",
        file="ops/activations.py",
        before="where(out, g, 0.0)",
        after="where(gt(a, 0.0), g, 0.0)",
    ),
    _kink(
        name="elu-at-0",
        says="the derivative of elu at 0 is 1, whatever alpha is",
        file="ops/activations.py",
        before="where(le(a, 0.0), g * (alpha * exp(a)), g)",
        after="where(gt(0.0, a), g * (alpha * exp(a)), g)",
    ),
    _kink(
        name="abs-at-0",
        says="the derivative of abs at 0 is 1",
        file="ops/selection.py",
        before="where(lt(a, 0.0), -g, 0.0)",
        after="where(lt(a, 0.0), -g, g)",
    ),
    _kink(
        name="ties-to-the-first",
        says="the first of two equal operands of maximum gets all of the gradient",
        file="ops/selection.py",
        before=_MAXIMUM,
        after=_MAXIMUM.replace("0.5 * g", "g", 1).replace("0.5 * g", "0.0"),
    ),
    _kink(
        name="ties-twice",
        says="both of two equal operands of maximum get all of the gradient",
        file="ops/selection.py",
        before=_MAXIMUM,
        after=_MAXIMUM.replace("0.5 * g", "g"),
    ),
    _kink(
        name="minimum-of-the-larger",
        says="the larger operand of minimum gets the gradient",
        file="ops/selection.py",
        before="lambda g, out, a, b: where(gt(a, b), 0.0",
        after="lambda g, out, a, b: where(lt(a, b), 0.0",
        nth=2,
    ),
    _kink(
        name="maximum-at-nan",
        says="maximum(nan, b) is b",
        file="ops/selection.py",
        before="return a if a >= b or a != a else b",
        after="return a if a >= b else b",
    ),
    _kink(
        name="clamp-at-the-bound",
        says="an operand of clamp at its lower bound gets no gradient",
        file="ops/selection.py",
        before="ge(a, low) * le(a, high)",
        after="gt(a, low) * le(a, high)",
    ),
    _kink(
        name="where-other-branch",
        says="where hands the gradient to the branch that it did not take",
        file="ops/selection.py",
        before="lambda g, out, condition, a, b: where(condition, 0.0, g)",
        after="lambda g, out, condition, a, b: where(condition, g, 0.0)",
    ),
    _kink(
        name="where-both-branches",
        says="where hands the gradient to both branches",
        file="ops/selection.py",
        before="lambda g, out, condition, a, b: where(condition, 0.0, g)",
        after="lambda g, out, condition, a, b: g",
    ),
    _kink(
        name="where-by-product",
        says="where multiplies by its condition, which is wrong for a condition that is not 0 or 1",
        file="ops/selection.py",
        before="lambda g, out, condition, a, b: where(condition, g, 0.0)",
        after="lambda g, out, condition, a, b: g * condition",
    ),
    _kink(
        name="predicate-with-gradient",
        says="a comparison hands its gradient to its operands",
        file="ops/selection.py",
        before="    return 0.0\n",
        after="    return g\n",
    ),
    _kink(
        name="zero-to-the-zero",
        says="the derivative of 0**0 with respect to the base is nan",
        file="ops/elementary.py",
        before="where(eq(a, 0.0) * eq(b, 0.0), 0.0, g * (b * power(a, b - 1.0)))",
        after="g * (b * power(a, b - 1.0))",
    ),
    _kink(
        name="zero-to-a-power",
        says="the derivative of 0**b with respect to the exponent is nan",
        file="ops/elementary.py",
        before="where(eq(a, 0.0) * ge(b, 0.0), 0.0, g * (out * log(a)))",
        after="g * (out * log(a))",
    ),
    _kink(
        name="division-by-minus-zero",
        says="a division by -0.0 gives an infinity of the wrong sign",
        file="ops/floats.py",
        before="return math.copysign(_inf, a) * math.copysign(1.0, b)",
        after="return math.copysign(_inf, a)",
    ),
    _kink(
        name="odd-power-of-minus-zero",
        says="an odd negative power of -0.0 is inf",
        file="ops/floats.py",
        before="return math.copysign(_inf, a) if _is_odd(b) else _inf",
        after="return _inf",
    ),
]

SECOND = [
    _second(
        name="tanh-detached",
        says="the rule of tanh reads a constant in place of its result",
        file="ops/elementary.py",
        before="g * (1.0 - out * out)",
        after='g * (1.0 - getattr(out, "data", out) * getattr(out, "data", out))',
    ),
    _second(
        name="tanh-half-detached",
        says="the rule of tanh reads a constant in place of one of its two results",
        file="ops/elementary.py",
        before="g * (1.0 - out * out)",
        after='g * (1.0 - getattr(out, "data", out) * out)',
    ),
    _second(
        name="exp-detached",
        says="the rule of exp reads a constant in place of its result",
        file="ops/elementary.py",
        before="vjp=(lambda g, out, a: g * out,)",
        after='vjp=(lambda g, out, a: g * getattr(out, "data", out),)',
    ),
    _second(
        name="mul-detached",
        says="the rule of a product reads a constant in place of the right factor",
        file="ops/arithmetic.py",
        before="lambda g, out, a, b: g * b,",
        after='lambda g, out, a, b: g * getattr(b, "data", b),',
    ),
    _second(
        name="sigmoid-detached",
        says="the rule of the sigmoid reads a constant in place of its result",
        file="ops/activations.py",
        before="g * (out * (1.0 - out))",
        after='g * (getattr(out, "data", out) * (1.0 - getattr(out, "data", out)))',
    ),
    _second(
        name="upstream-detached",
        says="the rule of a quotient reads a constant in place of the gradient that arrives",
        file="ops/arithmetic.py",
        before="lambda g, out, a, b: div(g, b),",
        after='lambda g, out, a, b: div(getattr(g, "data", g), b),',
    ),
    _second(
        name="results-captured",
        says="with create_graph, every rule reads its result as a number",
        file="engine.py",
        before="_contributions(node, g, node, node.operands)",
        after="_contributions(node, g, node._out, node.operands)",
    ),
    _second(
        name="operands-captured",
        says="with create_graph, every rule reads its operands as numbers",
        file="engine.py",
        before="_contributions(node, g, node, node.operands)",
        after="_contributions(node, g, node, captured(node))",
    ),
    _second(
        name="gradient-detached",
        says="with create_graph, the gradient that arrives at a node is taken for a number",
        file="engine.py",
        before="_contributions(node, g, node, node.operands)",
        after="_contributions(node, _number(g), node, node.operands)",
    ),
    _second(
        name="power-constant-exponent",
        says="the rule of a**b says 0 at b == 0 for every a, and loses the derivative of that share",
        file="ops/elementary.py",
        before="where(eq(a, 0.0) * eq(b, 0.0), 0.0, g * (b * power(a, b - 1.0)))",
        after="where(eq(b, 0.0), 0.0, g * (b * power(a, b - 1.0)))",
    ),
]

MANY = [
    _many(
        name="sum-forgets-the-last",
        says="the last operand of a sum gets no gradient",
        before="[g] * len(xs)",
        after="[g] * (len(xs) - 1) + [0.0]",
        nth=1,
    ),
    _many(
        name="mean-divisor",
        says="the shares of a mean are divided by one operand too few",
        before="div(g, float(len(xs)))",
        after="div(g, float(max(1, len(xs) - 1)))",
    ),
    _many(
        name="prod-swapped",
        says="the shares of a product of many come in reverse",
        before="    shares.reverse()\n",
        after="",
    ),
    _many(
        name="prod-by-division",
        says="the shares of a product of many are found by division, nan where an operand is 0",
        before="    vjp=_products_of_others,\n",
        after="    vjp=lambda g, out, *xs: [g * div(out, x) for x in xs],\n",
    ),
    _many(
        name="logsumexp-swapped",
        says="the shares of logsumexp come in reverse",
        before="return [weight * scale for weight in weights]",
        after="return [weight * scale for weight in reversed(weights)]",
    ),
    _many(
        name="logsumexp-not-normalised",
        says="the weights of logsumexp do not add up to 1 where the operands are large",
        before="scale = div(g, sum(weights))",
        after="scale = g",
    ),
    _many(
        name="dot-swapped",
        says="the shares of a dot product's two sequences are exchanged",
        before="return [g * y for y in operands[half:]] + [g * x for x in operands[:half]]",
        after="return [g * x for x in operands[:half]] + [g * y for y in operands[half:]]",
    ),
    _many(
        name="dot-reversed",
        says="the second sequence of a dot product gets its shares in reverse",
        before="[g * x for x in operands[:half]]",
        after="[g * x for x in operands[:half][::-1]]",
    ),
    _many(
        name="dist-sign",
        says="the second point of a distance gets a share of the wrong sign",
        before="left + [-share for share in left]",
        after="left + left",
    ),
    _many(
        name="take-leaks",
        says="take hands a millionth of the gradient to operands that were not taken",
        before="where(eq(index, float(i)), g, 0.0)",
        after="where(eq(index, float(i)), g, 1e-6 * g)",
    ),
    _many(
        name="softmax-detached",
        says="softmax takes its normaliser for a constant",
        before="return [exp(x - normaliser) for x in operands]",
        after='return [exp(x - getattr(normaliser, "data", normaliser)) for x in operands]',
    ),
]

MUTANTS = [*KINKS, *SECOND, *MANY]
