"""Faults in the sweep: how shares are added up, and in which order nodes are visited."""

from __future__ import annotations

from functools import partial

from benchmarks.mutants.mutant import Mutant

__all__ = ["MUTANTS"]

_OWN = ("own",)
_sweep = partial(Mutant, category="sweep", file="engine.py")
_order = partial(Mutant, category="order", file="engine.py")

_BINARY_LEFT = """\
                    share = rules[0](g, out, a, b)  # type: ignore[index]
                    if left._op_row is None:
                        leaves[left] = received(left, 0.0) + share
                    else:
                        left._adjoint += share
"""
_UNARY = """\
                share = rules[0](g, node._out, node._a)  # type: ignore[index]
                if left._op_row is None:
                    leaves[left] = received(left, 0.0) + share
                else:
                    left._adjoint += share
"""
_LEAF, _INTERIOR = "received(left, 0.0) + share", "_adjoint += share"
_RESET = """\
            node._adjoint = 0.0
            emit(node)
            if not stack:
                break
            node = pop()
    return order
"""
_RESET_MANY = """\
                    del rest[node]
                    node._adjoint = 0.0
"""
_START = """\
    visit = object()
    order: list[Value] = []
"""

ADDING_UP = [
    _sweep(
        name="left-leaf-overwritten",
        says="the share of a left operand replaces what its leaf has received",
        before=_BINARY_LEFT,
        after=_BINARY_LEFT.replace(_LEAF, "share"),
    ),
    _sweep(
        name="left-result-overwritten",
        says="the share of a left operand replaces what that result has received",
        before=_BINARY_LEFT,
        after=_BINARY_LEFT.replace(_INTERIOR, "_adjoint = share"),
    ),
    _sweep(
        name="right-leaf-overwritten",
        says="the share of a right operand replaces what its leaf has received",
        before="leaves[right] = received(right, 0.0) + share",
        after="leaves[right] = share",
    ),
    _sweep(
        name="right-result-overwritten",
        says="the share of a right operand replaces what that result has received",
        before="right._adjoint += share",
        after="right._adjoint = share",
    ),
    _sweep(
        name="only-operand-leaf-overwritten",
        says="the share of an only operand replaces what its leaf has received",
        before=_UNARY,
        after=_UNARY.replace(_LEAF, "share"),
    ),
    _sweep(
        name="only-operand-result-overwritten",
        says="the share of an only operand replaces what that result has received",
        before=_UNARY,
        after=_UNARY.replace(_INTERIOR, "_adjoint = share"),
    ),
    _sweep(
        name="leaf-among-many-overwritten",
        says="the share of one of many operands replaces what its leaf has received",
        before="leaves[operand] = received(operand, 0.0) + share",
        after="leaves[operand] = share",
    ),
    _sweep(
        name="result-among-many-overwritten",
        says="the share of one of many operands replaces what that result has received",
        before="operand._adjoint += share",
        after="operand._adjoint = share",
    ),
    _sweep(
        name="checked-leaf-overwritten",
        says="the sweep with every check replaces what a leaf has received",
        before="total = leaves[operand] = _plus(leaves.get(operand, 0.0), share)",
        after="total = leaves[operand] = share",
    ),
    _sweep(
        name="checked-result-overwritten",
        says="the sweep with every check replaces what a result has received",
        before="total = operand._adjoint = _plus(operand._adjoint, share)",
        after="total = operand._adjoint = share",
    ),
    _sweep(
        name="number-beside-value-lost",
        says="a share that is a number is lost beside shares that are Values",
        before="return total if type(share) is float and share == 0.0 else total + share",
        after="return total if type(share) is float else total + share",
    ),
    _sweep(
        name="closure-overwrites",
        says="the closure of a node replaces the gradients of its parents",
        before="operand._grad += share",
        after="operand._grad = share",
        judges=_OWN,
    ),
    _sweep(
        name="square-counted-once",
        says="x * x hands its share to x once",
        before="""\
                if type(right) is Value:
                    share = rules[1]""",
        after="""\
                if type(right) is Value and right is not left:
                    share = rules[1]""",
    ),
    _sweep(
        name="repeated-among-many-counted-once",
        says="an operand that comes twice among many gets the last share only",
        before="return [(x, share) for x, share, want in zip(node.operands, contributions, wanted) if want]",
        after="return list({x: (x, share) for x, share, want in zip(node.operands, contributions, wanted) if want}"
        ".values())",
    ),
    _sweep(
        name="right-share-twice",
        says="a right operand that is a result is visited twice",
        before="right._adjoint += share",
        after="right._adjoint += share + share",
    ),
    _sweep(
        name="tiny-gradients-skipped",
        says="a gradient below 1e-12 counts as none",
        before="if g == 0.0:  # no gradient, no share",
        after="if abs(g) < 1e-12:  # no gradient, no share",
    ),
    _sweep(
        name="negative-gradients-skipped",
        says="a gradient below 0 counts as none",
        before="if g == 0.0:  # no gradient, no share",
        after="if g <= 0.0:  # no gradient, no share",
    ),
    _sweep(
        name="zero-not-skipped",
        says="a gradient of 0 meets an infinite local derivative, and 0 * inf is nan",
        before="if g == 0.0:  # no gradient, no share",
        after="if g is None:  # no gradient, no share",
    ),
    _sweep(
        name="zero-not-skipped-with-values",
        says="derivatives of derivatives: a gradient of 0 meets an infinite local derivative",
        before="if _number(g) == 0.0 and not math.isfinite(number):",
        after="if _number(g) is None and not math.isfinite(number):",
    ),
    _sweep(
        name="zero-not-skipped-in-accounts",
        says="the account and the closure of a node: 0 * inf is nan",
        before="""\
    if g == 0.0:
        return [(x, 0.0) for x in operands if type(x) is Value]
""",
        after="",
        judges=_OWN,
    ),
]

VISITS = [
    _order(
        name="breadth-first",
        says="nodes are visited breadth first, which is no topological order",
        before=_START,
        after="""\
    found = list(dict.fromkeys(x for x in roots if x._op_row is not None))
    seen = set(found)
    for node in found:
        node._adjoint = 0.0
        for x in node.parents:
            if x._op_row is not None and x not in seen:
                seen.add(x)
                found.append(x)
    return found[::-1]
""",
    ),
    _order(
        name="recursive",
        says="the order is found by recursion, which ends at Python's limit",
        before=_START,
        after="""\
    found: dict[Value, None] = {}

    def descend(node: Value, seen: set[Value]) -> None:
        if node._op_row is not None and node not in seen:
            seen.add(node)
            for x in node.parents:
                descend(x, seen)
            node._adjoint = 0.0
            found[node] = None

    seen: set[Value] = set()
    for root in roots:
        descend(root, seen)
    return list(found)
""",
        judges=_OWN,
    ),
    _order(
        name="not-reversed",
        says="the sweep goes from the leaves to the result",
        before="""\
        for node in reversed(order):
            g = node._adjoint
            if g == 0.0:""",
        after="""\
        for node in order:
            g = node._adjoint
            if g == 0.0:""",
    ),
    _order(
        name="checked-not-reversed",
        says="the sweep with every check goes from the leaves to the result",
        before="""\
        for node in reversed(order):
            g = node._adjoint
            if type(g) is float""",
        after="""\
        for node in order:
            g = node._adjoint
            if type(g) is float""",
    ),
    _order(
        name="square-visited-twice",
        says="a square is visited twice",
        before=_RESET,
        after=_RESET.replace(
            "            emit(node)\n",
            "            emit(node)\n            if right is left:\n                emit(node)\n",
        ),
    ),
    _order(
        name="root-visited-again",
        says="a root below another root is visited a second time",
        before="if root._op_row is None or root._visit is visit:",
        after="if root._op_row is None:",
        judges=_OWN,
    ),
    _order(
        name="results-start-stale",
        says="nodes between start with the gradient of the pass before",
        before=_RESET,
        after=_RESET.replace("node._adjoint = 0.0", "node._adjoint = getattr(node, '_adjoint', 0.0)"),
    ),
    _order(
        name="wide-results-start-stale",
        says="nodes of many operands start with the gradient of the pass before",
        before=_RESET_MANY,
        after=_RESET_MANY.replace("= 0.0", "= getattr(node, '_adjoint', 0.0)"),
    ),
    _order(
        name="wide-nodes-cut",
        says="of a node of many operands, the first eight are followed",
        before="iter(left)",
        after="iter(left[:8])",
    ),
]

MUTANTS = [*ADDING_UP, *VISITS]
