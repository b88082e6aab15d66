"""``micrograd ops``: the table of operations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from micrograd._console import clean, is_terminal, print_table, say, shorten
from micrograd.cli.expression import known_operations, near
from micrograd.cli.parser import Parser
from micrograd.errors import ExpressionError
from micrograd.ops import Op, operations
from micrograd.ops.formula import derivative, domain, markdown_table, operand_names, usage

__all__ = ["run"]

_LEGEND = "g is the upstream gradient, out the result"


def run(arguments: Sequence[str]) -> int:
    """Run the command with its ``arguments`` and return its exit code."""
    parser = Parser(
        "ops",
        usage="[NAME ...] [--json | --markdown]",
        description="Print the operations: how each is written, where it is defined, and its derivative.",
        epilog="examples:\n  micrograd ops\n  micrograd ops tanh power where\n  micrograd ops --markdown",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="show these operations, and all about them")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="print a Markdown table")
    options = parser.parse_intermixed_args(arguments)

    chosen = [_named(name) for name in options.names] or list(operations().values())
    if options.json:
        print(json.dumps([_as_json(op) for op in chosen], indent=2))
    elif options.markdown:
        print(markdown_table(chosen), end="")
    elif options.names or is_terminal():
        for op in chosen:
            _print_card(op)
        say(_LEGEND, style="dim")
    else:  # one line each, for grep
        rows = [[usage(op), domain(op), op.summary, ", ".join(derivative(op))] for op in chosen]
        print_table(("operation", "defined for", "meaning", "share of each operand"), rows, footer=_LEGEND)
    return 0


def _named(name: str) -> Op:
    op = known_operations().get(name)
    if op is None:
        hint = near(name, known_operations()) or "; 'micrograd ops' lists them all"
        raise ExpressionError(f"unknown operation {clean(shorten(name, 40))!r}{hint}")
    return op


def _print_card(op: Op) -> None:
    say((usage(op), "bold cyan"), "   ", op.summary, (f"   [{op.symbol}]" if op.symbol not in usage(op) else "", "dim"))
    if limits := domain(op):
        say(f"defined for {limits}", style="dim", indent=4)
    for name, share in zip(operand_names(op), derivative(op)):
        say(f"{name}.grad += {share}", indent=4)
    if op.arity is None:
        say("and so on, for any number of operands", style="dim", indent=4)


def _as_json(op: Op) -> dict[str, Any]:
    names = operand_names(op)
    return {
        "name": op.name,
        "symbol": op.symbol,
        "usage": usage(op),
        "operands": list(names) if op.arity is not None else None,
        "domain": [str(d) for d in op.domain],
        "derivative": dict(zip(names, derivative(op))),
        "summary": op.summary,
    }
