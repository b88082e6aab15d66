"""``micrograd grad``: the value of an expression, its derivatives, the account of a derivative, and pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from micrograd._console import json_number, number, print_table, say, shorten
from micrograd.cli.assignments import read_assignments
from micrograd.cli.expression import Expression, near, parse
from micrograd.cli.parser import Parser, not_an_option
from micrograd.cli.picture_files import checked_path, write_picture
from micrograd.engine import Value
from micrograd.errors import ExpressionError
from micrograd.functional import hessian
from micrograd.graph import Account, explain

__all__ = ["run"]

_PROGRAM = "micrograd grad"
_EPILOG = """\
The expression has numbers, names, + - * / **, brackets, comparisons, and every operation that
'micrograd ops' lists: tanh(x), maximum(a, b), where(x > 0, x, 0), logsumexp([a, b, c]).
pi, e, tau, inf and nan are constants. A value may be an expression of numbers, such as pi/2.

examples:
  micrograd grad "tanh(w*x + b)" w=0.5 x=2 b=-1
  micrograd grad "(w*1 + b - 2)**2 + (w*3 + b - 4)**2" w=1 b=0 --explain b
  micrograd grad "x**2 * sin(y)" x=3 y=pi/6 --hessian
  micrograd grad "tanh(w*x + b)" w=0.5 x=2 b=-1 --svg graph.svg --html graph.html
  micrograd grad "log(x)" x=0 --json
"""


def run(arguments: Sequence[str]) -> int:
    """Run the command with its ``arguments`` and return its exit code."""
    parser = Parser(
        "grad",
        usage="EXPRESSION [NAME=NUMBER ...] [--explain NAME] [--hessian] [--svg FILE] [--html FILE] [--json]",
        description="Print the value of an expression and its derivatives.",
        epilog=_EPILOG,
    )
    # Not required for argparse, whose message would ask for values too; an empty expression has a better one.
    parser.add_argument("expression", nargs="?", default="", metavar="EXPRESSION", help="in quotes, for the shell")
    parser.add_argument("values", nargs="*", metavar="NAME=NUMBER", help="the value of a variable")
    parser.add_argument(
        "--explain", action="append", default=[], metavar="NAME", help="print why the derivative is what it is"
    )
    parser.add_argument("--hessian", action="store_true", help="print the second derivatives too")
    parser.add_argument("--svg", metavar="FILE", help="draw the graph, with every gradient's account on its edges")
    parser.add_argument("--html", metavar="FILE", help="write a page that steps through the passes, forward and back")
    parser.add_argument("--json", action="store_true", help="print JSON; nan and infinities are strings")
    options = parser.parse_intermixed_args(not_an_option(arguments))

    expression = parse(options.expression.removeprefix(" "))
    values = read_assignments(expression, options.values)
    for name in options.explain:
        if name not in values:
            raise ExpressionError(f"--explain {shorten(name, 30)}: no such variable{near(name, values)}")
    if options.hessian and not values:
        raise ExpressionError("--hessian needs a variable, and the expression has none")
    svg, html = checked_path("--svg", options.svg, ".svg"), checked_path("--html", options.html, ".html")
    leaves = {name: Value(x, label=name) for name, x in values.items()}
    root = _value(expression, leaves)
    root.backward()
    second = _hessian(expression, values) if options.hessian else None
    accounts = {name: explain(leaves[name], root) for name in options.explain}
    (_print_json if options.json else _print_tables)(expression, leaves, root, second, accounts)
    return 0 if _write_pictures(" ".join(expression.text.split()), root, svg, html, quiet=options.json) else 1


def _write_pictures(title: str, root: Value, svg: Path | None, html: Path | None, *, quiet: bool) -> bool:
    """Write the pictures that were asked for, each whether or not the other can be."""
    if svg is None and html is None:
        return True
    from micrograd.pictures import draw, explore

    written = []
    if svg is not None:
        written.append(write_picture("picture", svg, draw(root, title=title).save, program=_PROGRAM, quiet=quiet))
    if html is not None:
        save: Callable[[Path], object] = lambda path: explore(root, path, title=title)
        written.append(write_picture("page", html, save, program=_PROGRAM, quiet=quiet))
    return all(written)


def _value(expression: Expression, leaves: dict[str, Value]) -> Value:
    result = expression.evaluate(leaves)
    return result if isinstance(result, Value) else Value(result)


def _hessian(expression: Expression, values: dict[str, float]) -> list[list[float]]:
    def f(*numbers: Any) -> Value:
        return _value(expression, dict(zip(values, numbers)))

    rows = hessian(f, argnums=range(len(values)))(*values.values())
    return [list(row) for row in rows]


def _print_tables(
    expression: Expression,
    leaves: dict[str, Value],
    root: Value,
    second: list[list[float]] | None,
    accounts: dict[str, Account],
) -> None:
    text = " ".join(expression.text.split())
    result = f"{shorten(text, 200)} = {number(root.data)}"
    if leaves:
        print_table(
            ("variable", "value", "derivative"), [[name, x.data, x.grad] for name, x in leaves.items()], title=result
        )
    else:
        say(result, style="bold")
    if second is not None:
        say()
        rows: list[list[str | float]] = [[name, *row] for name, row in zip(leaves, second)]
        print_table(("", *leaves), rows, title="second derivatives (Hessian)")
    for name, account in accounts.items():
        say()
        _print_account(name, account)


def _print_account(name: str, account: Account) -> None:
    title = f"Why the derivative with respect to {name} is {number(account.gradient)}"
    if account.value is account.root:
        say(f"{title}: the expression is {name} itself", style="bold")
        return
    print_table(
        account.columns,
        account.rows(),
        title=f"{title}: {'one use, one term' if len(account) == 1 else f'{len(account)} uses, {len(account)} terms'}",
        footer=f"the shares, added from top to bottom: {account.gradient!r}" if len(account) > 1 else None,
    )


def _print_json(
    expression: Expression,
    leaves: dict[str, Value],
    root: Value,
    second: list[list[float]] | None,
    accounts: dict[str, Account],
) -> None:
    report: dict[str, Any] = {
        "expression": expression.text,
        "variables": {name: json_number(x.data) for name, x in leaves.items()},
        "value": json_number(root.data),
        "gradient": {name: json_number(x.grad) for name, x in leaves.items()},
    }
    if second is not None:
        report["hessian"] = [[json_number(x) for x in row] for row in second]
    if accounts:
        report["explain"] = {name: _as_json(account) for name, account in accounts.items()}
    print(json.dumps(report, indent=2, allow_nan=False))


def _as_json(account: Account) -> dict[str, Any]:
    uses = [
        {
            "use": str(use),
            "operation": use.consumer.op,
            "position": use.position,
            "local": json_number(use.local),
            "incoming": json_number(use.incoming),
            "share": json_number(use.share),
        }
        for use in account
    ]
    return {"gradient": json_number(account.gradient), "uses": uses}
