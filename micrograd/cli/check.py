"""``micrograd check``: is a gradient right? Of a function, of operations, of random programs."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from micrograd._console import clean, error_line, shorten
from micrograd.cli.check_target import import_target, on_the_path, read_number
from micrograd.cli.parser import Parser, checked, not_an_option
from micrograd.errors import ExpressionError
from micrograd.ops.domain import Domain

__all__ = ["run"]

_EPILOG = """\
A function takes numbers and returns a Value (or several, in a list, tuple or dict). It is named as
module:function, from this folder or installed, or as path/to/file.py:function; attributes have dots:
model:net.loss, model:Net.loss (of an object made by Net()).

verdicts and exit codes:
  0  right: every rule agrees with its oracle, and the backward pass with forward mode
  0  not differentiable here: a kink; the engine's slope lies between those on both sides, as documented
  1  wrong: the report names the operation and the operand, and a replay script is written
  2  inconclusive: nothing could be judged, and the reason is given
  2  arguments that cannot be used, and functions that raise
A search is right where at least one input was judged and none was wrong. 130 is Ctrl-C.

The folder of --folder gets a replay script for everything that is wrong, before anything is printed,
for a function a picture of its graph with the wrong edge marked, and Hypothesis' database of failing
examples, which the next search of the function begins with.

examples:
  micrograd check model:loss --at 1.0 -2 pi/6
  micrograd check model:loss --in "(0, inf)" "[-1, 1]" --examples 1000
  micrograd check src/model.py:net.loss --json
  micrograd check --ops --only tanh log
  micrograd check --ops my_operations
  micrograd check --programs 100000 --edges --jobs 2
"""
_SEVERAL = ("--at", "--in", "--only")


def run(arguments: Sequence[str]) -> int:
    """Run the command with its ``arguments`` and return its exit code."""
    parser = _parser()
    options = parser.parse_intermixed_args(not_an_option(_apart(arguments)))
    _refuse_combinations(parser, options)
    folder = Path(options.folder)
    if folder.exists() and not folder.is_dir():
        parser.error(f"--folder: {clean(options.folder)!r} is a file")
    try:
        with on_the_path(os.getcwd()), _no_traces():
            return _checked(options, folder)
    except ImportError as error:
        if error.name not in ("hypothesis", "numpy"):
            raise
        error_line(
            "micrograd check",
            f"this needs {error.name}, which is not installed; in the checkout of micrograd: pip install '.[test]'."
            " A function at a point, --at, needs nothing else",
        )
        return 2


def _parser() -> Parser:
    parser = Parser(
        "check",
        usage="module:function [--at NUMBER ... | --in DOMAIN ...] | --ops [MODULE ...] | --programs N [MODULE ...]",
        description="Tell whether a gradient is right, and what is wrong with it.",
        epilog=_EPILOG,
    )
    whole = checked(int, "a whole number from 1 to 1000000000", lambda n: 1 <= n <= 10**9)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="module:function; modules with --ops, --programs")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--at", nargs="+", metavar="NUMBER", help="judge at this point; pi/6 is a number too")
    what.add_argument(
        "--in",
        nargs="+",
        dest="domains",
        metavar="DOMAIN",
        help="search here, '(0, inf)' or '[-1, 0) | (0, 1]', one for all arguments or for each (default: the reals)",
    )
    what.add_argument("--ops", action="store_true", help="check operations; those that the modules named register")
    what.add_argument("--programs", type=whole, metavar="N", help="judge N random programs over all operations")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="with --ops: these operations")
    parser.add_argument("--order", type=int, choices=(1, 2), default=2, help="of the derivatives (default: 2)")
    parser.add_argument("--examples", type=whole, metavar="N", help="of a search (default: 200), of a property (50)")
    parser.add_argument("--edges", action="store_true", help="search, or draw programs, also where functions fail")
    parser.add_argument(
        "--seed",
        type=checked(int, "a whole number from 0 on", lambda n: n >= 0),
        metavar="S",
        help="the same one tries the same inputs (default: 0)",
    )
    parser.add_argument(
        "--jobs",
        type=checked(int, "a whole number from 1 to 64", lambda n: 1 <= n <= 64),
        metavar="N",
        help="with --programs: processes (default: one for each processor)",
    )
    parser.add_argument(
        "--folder", default="micrograd-check", metavar="DIR", help="for what is found (default: ./micrograd-check)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON; nan and infinities are strings")
    return parser


def _apart(arguments: Sequence[str]) -> list[str]:
    """Return ``--at=-1`` as ``--at -1``, so that more numbers may follow."""
    apart: list[str] = []
    for x in arguments:
        option, equals, value = x.partition("=")
        apart += [option, value] if equals and option in _SEVERAL else [x]
    return apart


def _refuse_combinations(parser: Parser, options: Any) -> None:
    searches = not (options.at or options.ops or options.programs)
    for option, given, allowed, where in (
        ("--only", options.only, options.ops, "--ops"),
        ("--jobs", options.jobs, options.programs, "--programs"),
        ("--examples", options.examples, searches or options.ops, "a search or --ops"),
        ("--edges", options.edges, searches or options.programs, "a search or --programs"),
        ("--seed", options.seed is not None, searches or options.programs, "a search or --programs"),
        ("--order 1", options.order == 1, not options.ops, "a function or --programs"),
    ):
        if given and not allowed:
            parser.error(f"{option} goes with {where}")
    if options.ops or options.programs:
        return
    if not options.targets:
        for text in (*(options.at or []), *(options.domains or [])):
            if ":" in text:
                parser.error(f"name the function before --at or --in: {clean(shorten(text, 40))} --at ...")
        parser.error("name a function, module:function, or ask for --ops or --programs N")
    if len(options.targets) > 1:
        second = clean(shorten(options.targets[1].strip(), 40))
        hint = "; numbers belong behind --at" if re.match(r"[-+.\d]", second) else ""
        parser.error(f"one function at a time, {second!r} is one more{hint}")


def _checked(options: Any, folder: Path) -> int:
    seed = options.seed or 0
    common = {"folder": folder, "as_json": options.json}
    if options.ops or options.programs:
        from micrograd.cli import check_table

        if options.ops:
            return check_table.check_operations(
                options.targets, options.only or [], examples=options.examples or 50, **common
            )
        return check_table.check_random_programs(
            options.programs,
            options.targets,
            seed=seed,
            edges=options.edges,
            order=options.order,
            jobs=options.jobs or _processors(),
            **common,
        )
    numbers = [read_number(text) for text in options.at or []]
    domains = [_domain(text) for text in options.domains or []]
    target = import_target(options.targets[0])
    if numbers:
        from micrograd.cli import check_function

        return check_function.check_at(target, numbers, order=options.order, **common)
    from micrograd.cli import check_search

    return check_search.check_inside(
        target,
        domains,
        examples=options.examples or 200,
        order=options.order,
        seed=seed,
        edges=options.edges,
        **common,
    )


def _domain(text: str) -> Domain:
    try:
        return Domain.parse(text)
    except ValueError as error:
        raise ExpressionError(f"--in: {error}") from None


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _no_traces() -> Iterator[None]:
    """Let Hypothesis keep what it knows about the sources in a folder that goes away, not in the user's."""
    name = "HYPOTHESIS_STORAGE_DIRECTORY"
    if name in os.environ or "hypothesis" in sys.modules:  # where it is at home is settled then
        yield
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ[name] = folder
        try:
            yield
        finally:
            del os.environ[name]
