"""Faults in the compiler: in derivatives of programs, in rewriting, in common subexpressions, in expansions."""

from __future__ import annotations

from functools import partial

from benchmarks.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

_compiler = partial(Mutant, category="compiler", judges=("own",))
_derive = partial(_compiler, file="compiler/derive.py")
_rewrite = partial(_compiler, file="compiler/rewrite.py")
_lower = partial(_compiler, file="compiler/lower.py")

MUTANTS = [
    _derive(
        name="compiled-share-overwrites",
        says="a share replaces those that a result has received",
        before="self.terms[x].append(share)",
        after="self.terms[x] = [share]",
    ),
    _derive(
        name="compiled-factors",
        says="each factor of a compiled product gets itself in place of the other",
        before="for target, factor in ((x, number[y]), (y, number[x])):",
        after="for target, factor in ((x, number[x]), (y, number[y])):",
    ),
    _derive(
        name="compiled-zero-times-infinity",
        says="the careful program keeps the nan of 0 * inf",
        before='return b.emit("where", (lost, zero, share))',
        after="return share",
    ),
    _derive(
        name="compiled-sum-of-products",
        says="a sum of many products forgets the shares that are no products",
        before="initial = _summed(b, singles) if singles else b.constant(-0.0)",
        after="initial = b.constant(-0.0)",
    ),
    _derive(
        name="compiled-tangent-of-product",
        says="the tangent of a product has the term of one factor",
        before="for moving, other in ((x, y), (y, x)):\n",
        after="for moving, other in ((x, y),):\n",
    ),
    _derive(
        name="compiled-take",
        says="a take with a known index hands its gradient to the operand before",
        before="self.push(program.operands[i][int(chosen)], g)",
        after="self.push(program.operands[i][int(chosen) - 1], g)",
    ),
    _rewrite(
        name="times-zero",
        says="x * 0 becomes 0, also where x is infinite, nan or negative",
        before="if _is(number, 0.0) and b.ops[right] in PREDICATES:",
        after="if _is(number, 0.0):",
    ),
    _rewrite(
        name="plus-zero",
        says="x + 0.0 becomes x, also where x is -0.0",
        before="if _is(b.constants.get(y), -0.0):",
        after="if b.constants.get(y) == 0.0:",
    ),
    _rewrite(
        name="minus-minus-zero",
        says="x - (-0.0) becomes x, also where x is -0.0",
        before="if _is(b.constants.get(y), 0.0):",
        after="if b.constants.get(y) == 0.0:",
    ),
    _rewrite(
        name="negated-summand",
        says="-x + y becomes x - y",
        before='return b.emit("sub", (y, b.operands[x][0]))',
        after='return b.emit("sub", (b.operands[x][0], y))',
    ),
    _rewrite(
        name="inexact-inverse",
        says="a division by any number becomes a product with its rounded inverse",
        before="math.fabs(math.frexp(number)[0]) == 0.5 and ",
        after="",
    ),
    _rewrite(
        name="cube-is-square",
        says="x**3 becomes x * x",
        before="return square if number == 2.0",
        after="return square if number <= 3.0",
    ),
    _rewrite(
        name="constant-condition",
        says="where with a known condition takes the other branch",
        before="x if number != 0.0 else y",
        after="y if number != 0.0 else x",
    ),
    _compiler(
        name="common-subexpression-unordered",
        says="a - b and b - a count as one common subexpression",
        file="compiler/builder.py",
        before="key = (op, operands)\n",
        after="key = (op, tuple(sorted(operands)))\n",
    ),
    _compiler(
        name="common-subexpression-zeros",
        says="0.0 and -0.0 count as one constant",
        file="compiler/builder.py",
        before="key = (kind, repr(payload))",
        after="key = (kind, payload)",
    ),
    _compiler(
        name="chain-starts-at-zero",
        says="a dot product starts at 0.0, which turns a sum of -0.0 into 0.0",
        file="compiler/chains.py",
        before="initial = constant(-0.0)",
        after="initial = constant(0.0)",
    ),
    _compiler(
        name="chain-takes-shared-sums",
        says="a partial sum that something else uses disappears in a dot product",
        file="compiler/chains.py",
        before="chain = started.pop(x) if x in started and uses[x] == 1 else []",
        after="chain = started.pop(x) if x in started else []",
    ),
    _lower(
        name="compiled-maximum-at-nan",
        says="a compiled maximum(nan, b) is b",
        before="return ops.where(ops.ge(a, b), a, ops.where(ops.isnan(a), a, b))",
        after="return ops.where(ops.ge(a, b), a, b)",
    ),
    _lower(
        name="compiled-relu-at-nan",
        says="a compiled relu(nan) is 0",
        before="ops.where(ops.le(a, 0.0), 0.0, a)",
        after="ops.where(ops.gt(a, 0.0), a, 0.0)",
    ),
    _lower(
        name="compiled-sigmoid-overflows",
        says="a compiled sigmoid divides infinities where its operand is far above 0",
        before="return ops.div(ops.where(ops.lt(a, 0.0), e, 1.0), 1.0 + e)",
        after="return ops.div(ops.exp(a), 1.0 + ops.exp(a))",
    ),
    _lower(
        name="compiled-ties-of-logsumexp",
        says="a compiled logsumexp counts several largest operands once",
        before="ops.log1p(others + (largest - 1.0))",
        after="ops.log1p(others)",
    ),
    _compiler(
        name="generated-chain",
        says="generated Python forgets the products of a chain after the first eight",
        file="compiler/python_source.py",
        before="for start in range(0, half, _TERMS):",
        after="for start in range(0, min(half, _TERMS), _TERMS):",
    ),
    _compiler(
        name="batch-keeps-last",
        says="generated Python gives the gradient of the last sample, not the sum over the batch",
        file="compiler/python_source.py",
        before="totals[key] = totals.get(key, 0.0) + g",
        after="totals[key] = g",
    ),
]
