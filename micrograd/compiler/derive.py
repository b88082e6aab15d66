"""Derivatives of a program, as more instructions of the same kind: the reverse pass, and forward mode.

Both call the rules of the table on symbols. The reverse pass hands every operand its share of the upstream gradient and
adds the shares up where a result was used several times. Forward mode uses the same rules: a rule is linear in its
upstream gradient, so with an operand's tangent in that place it gives that operand's share of the result's tangent.

Addition, multiplication and ``chain`` are written out here, because their shares are products and sums of products that
become chains in turn; a test holds them to the table.

The engine's promise "no gradient, no share" (a zero contributes zero, whatever the local derivative) differs from plain
arithmetic only where ``0 * inf`` gives nan. So the plain program runs, and where a result is nan the ``careful`` one,
which looks at every share, says whether it really is. (A user's rule that compares its upstream gradient with a number
could hide such a nan; a rule is linear in it.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from micrograd.compiler.builder import Builder
from micrograd.compiler.chains import SHORTEST
from micrograd.compiler.program import CHAIN, LEAVES, SHARE, Program, Scatter, live, without_dead_code
from micrograd.compiler.template import Templates
from micrograd.errors import CompilationError
from micrograd.ops.selection import PREDICATES
from micrograd.ops.table import Op, is_builtin, operation_named

__all__ = ["gradient", "simplified", "tangent"]


def gradient(
    program: Program,
    wanted: Callable[[str, Any], bool],
    *,
    seeded: bool = False,
    scatter: bool = True,
    careful: bool = False,
) -> Program:
    """Return the program that gives the value and its gradient with respect to the leaves that are ``wanted``.

    Args:
        program: with one output, ``"value"``.
        wanted: tells by kind and payload which leaves.
        seeded: whether the upstream gradient is a leaf, ``seed``; else it is 1.
        scatter: whether a ``take`` of leaves hands its gradient to the leaf that was chosen. Without, all the leaves
            get a share, most of them 0: a program that can be differentiated again.
        careful: whether every share asks if there is an upstream gradient at all.

    >>> p = Program(["argument", "tanh", "mul"], [(0,), (0,), (1, 0)], outputs={"value": 2})   # tanh(a) * a
    >>> print(gradient(p, lambda kind, payload: True))
    %0 = argument 0
    %1 = tanh %0
    %2 = mul %1, %0
    %3 = constant 1.0
    %4 = mul %1, %1
    %5 = sub %3, %4
    %6 = mul %0, %5
    %7 = add %1, %6
    value %2
    gradient of %0: %7
    """
    return _Reverse(program, wanted, scatter, careful).run(seeded)


def simplified(program: Program) -> Program:
    """Return the program as a derivative would have it: constants folded, powers as products, nothing dead."""
    adding = _Adding(program, careful=False)
    outputs = {name: adding.number[x] for name, x in program.outputs.items()}
    return without_dead_code(adding.b.program(outputs=outputs))


class _Adding:
    """A program being extended: the forward instructions, by their old numbers, and shares that wait to be added up."""

    def __init__(self, program: Program, careful: bool) -> None:
        self.program = program
        self.careful = careful
        self.b = Builder()
        mark = live(program)
        self.number = [-1] * len(mark)
        ops, operands, number, b = program.ops, program.operands, self.number, self.b
        for i, op in enumerate(ops):
            if mark[i]:
                if op in LEAVES:
                    number[i] = b.leaf(op, *operands[i])
                else:
                    number[i] = b.emit(op, tuple([number[x] for x in operands[i]]))
        self.live = mark

    def varied(self, wanted: Callable[[str, Any], bool]) -> bytearray:
        """Return a mark for everything that depends on a wanted leaf."""
        ops, operands = self.program.ops, self.program.operands
        mark = bytearray(len(ops))
        for i, op in enumerate(ops):
            if self.live[i]:
                if op in LEAVES:
                    mark[i] = bool(operands[i]) and wanted(op, operands[i][0])
                elif op not in PREDICATES:
                    for x in operands[i]:
                        if mark[x]:
                            mark[i] = 1
                            break
        return mark

    def shares(self, op: Op, wanted: Sequence[bool], inputs: Sequence[int]) -> list[int | None]:
        """Return what the rule of ``op`` gives each operand that is wanted; ``inputs`` are g, out and the operands.

        A user's rule may be any Python. Where it does not run on symbols, its share is an instruction of its own, which
        calls the rule: ``softsign.share0``. The ``python`` backend can do that.
        """

        def rule(g: Any, out: Any, *symbols: Any) -> list[Any]:
            found = op.contributions(g, out, symbols, wanted)
            return [x if want else None for x, want in zip(found, wanted)]

        b = self.b
        if is_builtin(op) and op.arity is not None:
            return _rules.get(b, (op, tuple(wanted)), rule, inputs)
        try:
            return [None if x is None else b.place(x) for x in rule(*map(b.symbol, inputs))]
        except Exception as error:
            if is_builtin(op):
                raise
            b.notes[op.name] = f"{type(error).__name__}: {error}"
            return [b.emit(f"{op.name}{SHARE}{k}", tuple(inputs)) if want else None for k, want in enumerate(wanted)]

    def guarded(self, g: int, share: int) -> int:
        """Return the share, or 0 where there is no upstream gradient and the local derivative made a nan of that.

        A share that is a number stays: where a second derivative is taken, it still depends on its upstream gradient.
        """
        b = self.b
        if share == g or b.number(g) is not None or (b.ops[share] == "neg" and b.operands[share] == (g,)):
            return share
        zero = b.constant(0.0)
        lost = b.emit("mul", (b.emit("eq", (g, zero)), b.emit("isnan", (share,))))
        return b.emit("where", (lost, zero, share))

    def settled(self, terms: Sequence[Any]) -> int:
        """Return the sum of shares, of which a pair is a product: a chain, where there are many products."""
        b = self.b
        if len(terms) == 1:
            (x,) = terms
            return b.emit("mul", x) if type(x) is tuple else x
        pairs = [x for x in terms if type(x) is tuple]
        if len(pairs) < SHORTEST:
            numbers = [b.emit("mul", x) if type(x) is tuple else x for x in terms]
            return _summed(b, numbers)
        singles = [x for x in terms if type(x) is int]
        initial = _summed(b, singles) if singles else b.constant(-0.0)
        return b.emit(CHAIN, (initial, *[x for x, _ in pairs], *[y for _, y in pairs]))


def _summed(b: Builder, numbers: Sequence[int]) -> int:
    total = numbers[0]
    for x in numbers[1:]:
        total = b.emit("add", (total, x))
    return total


_rules = Templates()


class _Reverse(_Adding):
    def __init__(self, program: Program, wanted: Callable[[str, Any], bool], scatter: bool, careful: bool) -> None:
        super().__init__(program, careful)
        self.wanted = self.varied(wanted)
        self.scatter = scatter
        self.terms: dict[int, list[Any]] = {}
        self.scatters: list[Scatter] = []

    def run(self, seeded: bool) -> Program:
        program, b, terms = self.program, self.b, self.terms
        root = program.outputs["value"]
        self.push(root, b.leaf("seed") if seeded else b.constant(1.0))
        gradients: dict[int, int] = {}
        for i in range(len(program.ops) - 1, -1, -1):
            collected = terms.pop(i, None)
            if collected is None:
                continue
            g = self.settled(collected)
            op = program.ops[i]
            if op in LEAVES:
                gradients[self.number[i]] = g
            elif b.number(g) == 0.0:
                continue  # no gradient, no share
            elif op == "add":
                for x in program.operands[i]:
                    self.push(x, g)
            elif op == "mul":
                self.push_products(g, program.operands[i])
            elif op == CHAIN:
                initial, *rest = program.operands[i]
                self.push(initial, g)
                half = len(rest) // 2
                for pair in zip(rest[:half], rest[half:]):
                    self.push_products(g, pair)
            elif op == "take" and (chosen := b.number(self.number[program.operands[i][-1]])) is not None:
                self.push(program.operands[i][int(chosen)], g)
            elif op == "take" and self.scatter and self.chooses_leaves(i):
                *values, index = [self.number[x] for x in program.operands[i]]
                self.scatters.append((tuple(values), index, g))
            else:
                self.push_shares(i, g, _differentiable(op))
        value = self.number[root]
        return without_dead_code(
            b.program(outputs={"value": value}, gradients=dict(sorted(gradients.items())), scatters=self.scatters)
        )

    def push(self, x: int, share: Any) -> None:
        if self.wanted[x]:
            if x in self.terms:
                self.terms[x].append(share)
            else:
                self.terms[x] = [share]

    def push_products(self, g: int, pair: tuple[int, int]) -> None:
        x, y = pair
        number = self.number
        one = self.b.number(g) == 1.0
        for target, factor in ((x, number[y]), (y, number[x])):
            if self.wanted[target]:
                if self.careful:
                    self.push(target, self.guarded(g, self.b.emit("mul", (g, factor))))
                else:
                    self.push(target, factor if one else (g, factor))

    def push_shares(self, i: int, g: int, op: Op) -> None:
        operands = self.program.operands[i]
        wanted = [bool(self.wanted[x]) for x in operands]
        inputs = [g, self.number[i], *[self.number[x] for x in operands]]
        for x, share in zip(operands, self.shares(op, wanted, inputs)):
            if share is not None and self.b.number(share) != 0.0:
                self.push(x, self.guarded(g, share) if self.careful else share)

    def chooses_leaves(self, i: int) -> bool:
        *values, _ = self.program.operands[i]
        return all(self.wanted[x] and self.program.ops[x] in ("argument", "parameter") for x in values)


def tangent(program: Program, direction: Callable[[str, Any], int | None], *, careful: bool = False) -> Program:
    """Return the directional derivative of every output of ``program`` along a direction given at run time.

    The tangent of ``"value"`` goes out as ``"tangent"``; the gradients that go out are the tangents of the gradients,
    which is a Hessian-vector product.

    Args:
        program: with ``"value"``, gradients or both, and no scatters.
        careful: whether every share asks if there is a direction at all.
        direction: the number of the ``tangent`` leaf that belongs to a leaf, by its kind and payload; ``None`` where
            the direction has no component.

    >>> p = Program(["argument", "mul"], [(0,), (0, 0)], outputs={"value": 1})
    >>> print(tangent(p, lambda kind, payload: payload))
    %0 = argument 0
    %1 = mul %0, %0
    %2 = tangent 0
    %3 = mul %2, %0
    %4 = add %3, %3
    value %1
    tangent %4
    """
    return _Forward(program, careful).run(direction)


class _Forward(_Adding):
    def run(self, direction: Callable[[str, Any], int | None]) -> Program:
        program, b, number = self.program, self.b, self.number
        self.dots: dict[int, int] = {}
        for i, op in enumerate(program.ops):
            if not self.live[i] or op in PREDICATES:
                continue
            if op in LEAVES:
                k = direction(op, program.operands[i][0]) if program.operands[i] else None
                if k is not None:
                    self.dots[i] = b.leaf("tangent", k)
                continue
            if not any(x in self.dots for x in program.operands[i]):
                continue
            terms = self.terms(i, op)
            if terms and b.number(dot := self.settled(terms)) != 0.0:
                self.dots[i] = dot
        outputs = dict(program.outputs)
        zero = b.constant(0.0)
        result = {name: number[x] for name, x in outputs.items()}
        if "value" in outputs:
            result["tangent"] = self.dots.get(outputs["value"], zero)
        gradients = {number[leaf]: self.dots.get(x, zero) for leaf, x in program.gradients.items()}
        return without_dead_code(b.program(outputs=result, gradients=gradients))

    def terms(self, i: int, op: str) -> list[Any]:
        b, number, dots = self.b, self.number, self.dots
        operands = self.program.operands[i]
        if op == "add":
            return [dots[x] for x in operands if x in dots]
        if op in ("mul", CHAIN):
            half = len(operands) // 2
            initial = operands[: len(operands) % 2]
            terms: list[Any] = [dots[x] for x in initial if x in dots]
            for x, y in zip(operands[len(initial) : len(initial) + half], operands[len(initial) + half :]):
                for moving, other in ((x, y), (y, x)):
                    if moving in dots:
                        pair = (dots[moving], number[other])
                        terms.append(self.guarded(dots[moving], b.emit("mul", pair)) if self.careful else pair)
            return terms
        row = _differentiable(op)
        if isinstance(row.vjp, tuple):
            found = []
            for k, x in enumerate(operands):
                if x in dots:
                    only = [j == k for j in range(len(operands))]
                    share = self.shares(row, only, [dots[x], number[i], *[number[y] for y in operands]])[k]
                    assert share is not None
                    found.append((dots[x], share))
        else:
            wanted = [x in dots for x in operands]
            slopes = self.shares(row, wanted, [b.constant(1.0), number[i], *[number[x] for x in operands]])
            found = [(dots[x], b.emit("mul", (s, dots[x]))) for x, s in zip(operands, slopes) if s is not None]
        return [self.guarded(t, share) if self.careful else share for t, share in found if b.number(share) != 0.0]


def _differentiable(op: str) -> Op:
    """Return the row of an operation; ``CompilationError`` for a rule that is opaque and has no derivative itself."""
    if SHARE in op:
        raise CompilationError(
            f"the rule of {op.partition(SHARE)[0]!r} cannot be differentiated again: it is not written with + - * and"
            " operations of micrograd"
        )
    return operation_named(op)
