"""Mutants that cannot be told from the original, each with its proof. A judge that finds one gives a false alarm."""

from __future__ import annotations

from functools import partial

from benchmarks.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

_engine = partial(Mutant, file="engine.py")

MUTANTS = [
    _engine(
        name="sum-commuted",
        says="the number of a + b is computed as b + a",
        category="recording",
        before="node._data = node._out = a + b",
        after="node._data = node._out = b + a",
        proof="both are floats, and IEEE 754 addition commutes bit for bit, but for which of two nans comes out",
    ),
    _engine(
        name="product-commuted",
        says="the number of a * b is computed as b * a",
        category="recording",
        before="node._data = node._out = a * b",
        after="node._data = node._out = b * a",
        proof="both are floats, and IEEE 754 multiplication commutes bit for bit, but for which of two nans comes out",
    ),
    _engine(
        name="total-commuted",
        says="a leaf's share is added to the sum from the left",
        category="sweep",
        before="leaves[right] = received(right, 0.0) + share",
        after="leaves[right] = share + received(right, 0.0)",
        proof="the fast sweep adds floats only; their addition commutes, and the order of the shares is the same",
    ),
    _engine(
        name="zero-as-false",
        says="the fast sweep asks whether a gradient is false, not whether it is 0",
        category="sweep",
        before="if g == 0.0:  # no gradient, no share",
        after="if not g:  # no gradient, no share",
        proof="in the fast sweep g is a float, and 0.0 and -0.0 are the only ones that are false (nan is true)",
    ),
    _engine(
        name="stale-without-shortcut",
        says="numbers that are the same object are compared by their text, too",
        category="promises",
        before="type(x) is Value and x._data is not then and repr(x._data) != repr(then)",
        after="type(x) is Value and repr(x._data) != repr(then)",
        proof="an object has the same text as itself, so the comparison left out can only be false; it saves time",
    ),
    _engine(
        name="shares-always-converted",
        says="a share that is a float goes through the conversion of other numbers",
        category="sweep",
        before="return share if type(share) is float else real(",
        after="return real(",
        proof="float(x) of a float is x itself, and as_float returns float(x) for every float",
    ),
    Mutant(
        name="sigmoid-at-0",
        says="the sigmoid takes the branch of negative operands at 0",
        category="kinks",
        file="ops/activations.py",
        before="if a >= 0.0:\n        return 1.0 / (1.0 + math.exp(-a))",
        after="if a > 0.0:\n        return 1.0 / (1.0 + math.exp(-a))",
        proof="at 0.0 and -0.0 both branches give 1 / (1 + 1), exactly; elsewhere the branch is the same",
    ),
    Mutant(
        name="softplus-at-0",
        says="softplus adds 0.0 at -0.0 where it added the operand",
        category="kinks",
        file="ops/activations.py",
        before="(0.0 if a < 0.0 else a) + math.log1p",
        after="(0.0 if a <= 0.0 else a) + math.log1p",
        proof="the other summand is log(2) there, and adding 0.0 or -0.0 to it changes no bit",
    ),
    Mutant(
        name="compiled-predicate-varies",
        says="a comparison counts as something that a derivative flows through",
        category="compiler",
        file="compiler/derive.py",
        before="elif op not in PREDICATES:",
        after="elif op:",
        judges=("own",),
        proof="its rule gives the constant 0 for every operand, which is not handed on, and what was computed for the"
        " comparison itself is dead code, which is removed",
    ),
]
