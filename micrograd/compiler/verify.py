"""The verifier: every law that a ``Program`` keeps, checked after each stage in the tests."""

from __future__ import annotations

from typing import Any, NoReturn

from micrograd.compiler.program import CHAIN, LEAVES, SHARE, Program
from micrograd.ops import operations

__all__ = ["VerificationError", "verify"]

_NO_NUMBER = ("index", "sample_index")
_DIFFERENTIABLE = ("argument", "sample", "parameter")


class VerificationError(AssertionError):
    """Raised by ``verify``: the program is not well formed, which is a fault of the compiler."""


def verify(program: Program, stage: str = "") -> Program:
    """Return ``program``; raise ``VerificationError`` naming the first instruction that breaks a law.

    >>> verify(Program(["argument", "mul"], [(0,), (0, 1)], outputs={"value": 1}))
    Traceback (most recent call last):
    ...
    micrograd.compiler.verify.VerificationError: %1 = mul %0, %1: operand %1 is not defined above
    """
    if len(program.ops) != len(program.operands):
        _fail(stage, f"{len(program.ops)} operations, {len(program.operands)} lists of operands")
    table = operations()
    for i, (op, operands) in enumerate(zip(program.ops, program.operands)):
        if op in LEAVES:
            _verify_leaf(stage, i, op, operands)
            continue
        for place, x in enumerate(operands):
            if type(x) is not int or not 0 <= x < i:
                _fail(stage, f"{_shown(i, op, operands)}: operand %{x} is not defined above")
            chooses = op == "take" and place == len(operands) - 1
            if program.ops[x] in _NO_NUMBER and not chooses and op != "eq":
                _fail(stage, f"{_shown(i, op, operands)}: %{x} is an index, which only take and eq read")
        if op == CHAIN:
            if len(operands) % 2 == 0 or len(operands) < 3:
                _fail(stage, f"{_shown(i, op, operands)}: a chain has an initial value and pairs")
        elif SHARE in op:
            if op.partition(SHARE)[0] not in table:
                _fail(stage, f"{_shown(i, op, operands)}: no such operation")
        elif op not in table:
            _fail(stage, f"{_shown(i, op, operands)}: no such operation")
        elif table[op].arity is not None and table[op].arity != len(operands):
            _fail(stage, f"{_shown(i, op, operands)}: {op} takes {table[op].arity} operands")
    for x in program.roots():
        if type(x) is not int or not 0 <= x < len(program.ops):
            _fail(stage, f"output %{x} is not defined")
    for leaf in [*program.gradients, *[x for leaves, _, _ in program.scatters for x in leaves]]:
        if program.ops[leaf] not in _DIFFERENTIABLE:
            _fail(stage, f"%{leaf} = {program.ops[leaf]} has no gradient")
    return program


def _shown(i: int, op: str, operands: tuple[int, ...]) -> str:
    return f"%{i} = {op} {', '.join(f'%{x}' for x in operands)}"


def _verify_leaf(stage: str, i: int, op: str, operands: tuple[Any, ...]) -> None:
    wanted: tuple[type, ...] = () if op == "seed" else (float,) if op == "constant" else (int,)
    if tuple(map(type, operands)) != wanted:
        _fail(stage, f"%{i} = {op} with payload {operands!r}")


def _fail(stage: str, message: str) -> NoReturn:
    raise VerificationError(f"after {stage}: {message}" if stage else message)
