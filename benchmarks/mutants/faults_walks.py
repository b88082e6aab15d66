"""Faults in functional derivatives, in the account of a gradient, in copies and files."""

from __future__ import annotations

from functools import partial

from benchmarks.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

_OWN = ("own",)
_functional = partial(Mutant, category="functional", file="functional.py", judges=_OWN)
_walk = partial(Mutant, category="walks", judges=_OWN)

FUNCTIONAL = [
    _functional(
        name="jvp-last-term",
        says="the tangent of a node is its last operand's term, not the sum",
        before="total = total + slope * tangent[x]",
        after="total = slope * tangent[x]",
    ),
    _functional(
        name="jvp-first-operand",
        says="the tangent of a node has a term for its first operand only",
        before="            total = total + slope * tangent[x]\n",
        after="            return slope * tangent[x]\n",
    ),
    _functional(
        name="jvp-operands-captured",
        says="inside another derivative, a tangent takes the operands for numbers",
        before="primal, result = (operands, node) if on_values else",
        after="primal, result = (operands, node) if on_values is None else",
    ),
    _functional(
        name="jvp-directions-detached",
        says="a tangent does not depend on a direction that is a Value",
        before="directions = [x if isinstance(x, Value) else _number(x, f) for x in directions]",
        after="directions = [_number(x, f) for x in directions]",
    ),
    _functional(
        name="jvp-slopes-reversed",
        says="a tangent multiplies every operand with the slope of another",
        before="for x, slope, want in zip(operands, slopes, wanted):",
        after="for x, slope, want in zip(operands, slopes[::-1], wanted):",
    ),
    _functional(
        name="hvp-is-gradient",
        says="a Hessian-vector product is the gradient",
        before="return jvp(gradient, primals, tangents)[1]",
        after="return jvp(gradient, primals, tangents)[0]",
    ),
    _functional(
        name="hvp-reversed",
        says="a Hessian-vector product of several arguments comes in reverse",
        before="return jvp(gradient, primals, tangents)[1]",
        after="found = jvp(gradient, primals, tangents)[1]\n"
        "    return found[::-1] if isinstance(found, tuple) and len(primals) > 1 else found",
    ),
    _functional(
        name="jacobian-transposed",
        says="the numbers of a Jacobian are transposed",
        before="            rows += call.gradients([1.0 if j == i else 0.0 for j in range(count)])\n",
        after="            rows += call.gradients([1.0 if j == i else 0.0 for j in range(count)])\n"
        "        rows = [rows[k % count * len(call.inputs) + k // count] for k in range(len(rows))]\n",
    ),
    _functional(
        name="jacobian-rows-reversed",
        says="the rows of a Jacobian come in reverse",
        before="for i in range(count):",
        after="for i in reversed(range(count)):",
    ),
    _functional(
        name="hessian-detached",
        says="a gradient inside another derivative is a number",
        before="reverse_sweep(seeds, create_graph=self.on_values)",
        after="reverse_sweep(seeds)",
    ),
    _functional(
        name="outer-lost",
        says="a derivative does not depend on the Value of the caller at which it was taken",
        before="        finally:\n            self.connect()\n",
        after="        finally:\n            pass\n",
    ),
    _functional(
        name="inner-derivatives-are-numbers",
        says="a derivative inside another one is a number where its own arguments are",
        before="_depth.set(_depth.get() + 1)",
        after="_depth.set(_depth.get())",
    ),
    _functional(
        name="cotangents-reversed",
        says="the cotangents of several results are handed out in reverse",
        before="zip(self.outputs, cotangents) if isinstance(x, Value)]",
        after="zip(self.outputs, list(cotangents)[::-1]) if isinstance(x, Value)]",
    ),
]

WALKS = [
    _walk(
        name="account-multiplies",
        says="the account of a gradient adds up local times incoming, not the shares",
        file="graph.py",
        before="total += use.share",
        after="total += use.local * use.incoming",
    ),
    _walk(
        name="account-from-leaves",
        says="the account lists the terms in the opposite order",
        file="graph.py",
        before="for consumer in reversed(order):",
        after="for consumer in order:",
    ),
    _walk(
        name="account-one-use",
        says="the account of x * x has one line",
        file="graph.py",
        before="if operand is v\n            ]",
        after="if operand is v\n            ][:1]",
    ),
    _walk(
        name="account-without-root",
        says="the account of the root itself adds up to 0",
        file="graph.py",
        before="total = 1.0 if self.value is self.root else 0.0",
        after="total = 0.0",
    ),
    _walk(
        name="statistics-depth",
        says="the depth of a graph is the length of a shortest path",
        file="graph.py",
        before="1 + max(depth[parent] for parent in parents)",
        after="1 + min(depth[parent] for parent in parents)",
    ),
    _walk(
        name="copies-share-captured",
        says="a copied node captures what its result is now",
        file="_copying.py",
        before="        setattr(copy, field, getattr(node, field))\n",
        after="        setattr(copy, field, getattr(node, field))\n    copy._out = node._data\n",
    ),
    _walk(
        name="copies-without-gradient",
        says="a copied leaf starts with a gradient of 0",
        file="_copying.py",
        before="    if type(node._left) is tuple:\n        copy._left",
        after="    copy._grad = 0.0\n    if type(node._left) is tuple:\n        copy._left",
    ),
    _walk(
        name="copied-twice",
        says="a node shared by two results copied together is copied twice",
        file="_copying.py",
        before="if id(node) not in memo:",
        after="if node is not None:",
    ),
    _walk(
        name="walk-reversed",
        says="a walk over a graph visits the operands of a node in reverse",
        file="_copying.py",
        before="for x in reversed(node.parents) if x not in seen",
        after="for x in node.parents if x not in seen",
    ),
    _walk(
        name="file-captures-current",
        says="a saved graph keeps what the operands are now, not what they were in the forward pass",
        file="graph_file.py",
        before="numbers = [_json.written(x) for x in captured(node)]",
        after="numbers = [_json.written(x.data if isinstance(x, Value) else x) for x in node.operands]",
    ),
    _walk(
        name="file-loses-nan-sign",
        says="a saved graph loses the sign of a nan",
        file="_json.py",
        before='"-nan" if x != x and math.copysign(1.0, x) < 0.0 else repr(x)',
        after="repr(x)",
    ),
]

MUTANTS = [*FUNCTIONAL, *WALKS]
