"""One operation of the table in JavaScript: its value, and what its rule makes of an upstream gradient.

The text comes from the row, by the way that every program goes: the operation is written down on symbols, the reverse
pass calls its rule, ``lower`` expands what has no spelling, ``js_source`` writes the rest. So a page that computes with
these scripts knows no derivative that the table does not.
"""

from __future__ import annotations

from micrograd.compiler.builder import Builder
from micrograd.compiler.derive import gradient
from micrograd.compiler.js_source import js_expression
from micrograd.compiler.lower import lowered
from micrograd.compiler.program import Program
from micrograd.errors import CompilationError
from micrograd.ops import Op, operations

__all__ = ["operation_script"]

_PARAMETERS = ("seed", "argument", "argument_gradient")
_LONGEST_REASON = 200


def operation_script(op: Op, operands: int) -> str:
    """Return ``(seed, x, gradient) => value`` for ``op``, as a JavaScript expression.

    ``x`` holds the numbers of the operands. ``gradient``, of the same length, is overwritten with every operand's share
    of the upstream gradient ``seed``; with a seed of 1 these are the local derivatives. Nothing is done about a seed
    of 0: who calls gives no share then, as the engine does.

    Args:
        op: a row of the table.
        operands: how many flat operands. The last one of ``take`` is its index, which has no gradient.

    Raises ``CompilationError`` where there is no such script: for a number of operands that the operation does not
    take, a row that is not in the table (any more), and a user's operation whose forward function or rule is Python
    that does not run on symbols.

    >>> from micrograd import mul
    >>> print(operation_script(mul, 2))
    (() => {
      "use strict";
      return (seed, argument, argument_gradient) => {
        const v2 = argument[0] * argument[1];
        const v4 = seed * argument[0];
        const v5 = seed * argument[1];
        argument_gradient[0] = v5;
        argument_gradient[1] = v4;
        return v2;
      };
    })()
    """
    if operations().get(op.name) is not op:
        raise CompilationError(f"{op.name!r} is not in the table of operations, or was defined anew since")
    fewest = 2 if op.name == "take" else 1
    if operands < fewest if op.arity is None else operands != op.arity:
        wanted = f"at least {fewest}" if op.arity is None else str(op.arity)
        raise CompilationError(f"{op.name!r} has no script of {operands} operands: it takes {wanted}")
    program = _lowered(op, _derived(op, operands))
    first = []
    if op.name == "take":  # the index is a float among floats; between whole numbers, Python's int() cuts it
        first.append(f"const index = [Math.trunc(argument[{operands - 1}])];")
    if not program.gradients:
        first.append("argument_gradient.fill(0);")
    return js_expression(program, _PARAMETERS, widths={"argument": operands}, first=first)


def _derived(op: Op, operands: int) -> Program:
    """Return the program of the operation and of all its shares."""
    b = Builder(rewriting=False)
    leaves = [b.leaf("argument", k) for k in range(operands)]
    if op.name == "take":
        leaves[-1] = b.leaf("index", 0)
    written = b.program(outputs={"value": b.emit(op.name, tuple(leaves))})
    # The plain program, not the careful one: it has the infinities and nans that the rule itself has.
    try:
        program = gradient(written, lambda kind, payload: kind == "argument", seeded=True, scatter=False)
    except Exception as error:  # a user's rule may be any Python and fail in any way
        raise _refusal(op, "its derivative rule", f"{type(error).__name__}: {error}") from error
    if op.name in program.notes:
        raise _refusal(op, "its derivative rule", program.notes[op.name])
    return program


def _lowered(op: Op, program: Program) -> Program:
    """Return the program in what JavaScript spells."""
    try:
        return lowered(program)
    except CompilationError as error:
        cause = error.__cause__ or error
        raise _refusal(op, "its forward function", f"{type(cause).__name__}: {cause}") from error


def _refusal(op: Op, what: str, why: str) -> CompilationError:
    reason = " ".join(why.split())
    if len(reason) > _LONGEST_REASON:
        reason = f"{reason[:_LONGEST_REASON]}…"
    return CompilationError(
        f"{op.name!r} has no JavaScript form: {what} is Python that does not run on symbols ({reason})"
    )
