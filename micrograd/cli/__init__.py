"""The command line: ``micrograd grad``, ``ops``, ``check``, ``demo``, ``bench``, ``cache``.

A command is a module with ``run(arguments) -> exit code``, loaded when it is asked for. What ends every command alike
is here: one line for an error, 130 for Ctrl-C, silence when the reader of a pipe has gone.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from micrograd._console import clean, error_line, shorten
from micrograd.errors import ExpressionError

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "grad": "the value of an expression and its derivatives",
    "ops": "the operations, where they are defined, and their derivatives",
    "check": "is a gradient right? of a function, of operations, of random programs",
    "demo": "train a small network on Fisher's irises and account for one of its gradients",
    "bench": "what compiling gains on this machine, beside the frameworks that are installed",
    "cache": "where compiled code is kept, and how to delete it",
}
_HELP = """\
usage: micrograd COMMAND ...

Scalar automatic differentiation: derivatives of any expression, and why they are what they are.

commands:
{commands}

examples:
  micrograd grad "tanh(w*x + b)" w=0.5 x=2 b=-1
  micrograd grad "x**2 * sin(y)" x=3 y=pi/6 --hessian
  micrograd grad "(w + b - 1)**2 + (3*w + b - 2)**2" w=0.5 b=0 --explain b
  micrograd ops tanh log
  micrograd check micrograd:hypot --at 3 4
  micrograd demo
  micrograd bench

'micrograd COMMAND --help' explains a command, 'micrograd --version' prints the version.
"""
_INTERRUPTED, _CLOSED_PIPE = 130, 141  # as shells report a program that SIGINT or SIGPIPE ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, or 2 for arguments that cannot be used.

    Args:
        arguments: those after the program's name; ``sys.argv`` if not given.

    >>> main(["grad", "x*x", "x=3"])
    x*x = 9
    variable  value  derivative
    --------  -----  ----------
    x             3           6
    0
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    known = bool(arguments) and arguments[0] in COMMANDS
    program = f"micrograd {arguments[0]}" if known else "micrograd"
    # Σ and accents on a terminal of another encoding: a question mark is better than no output.
    if getattr(sys.stdout, "errors", "") == "strict" and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    try:
        status = _run(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where a closed pipe is still an exception that can be caught
        return status
    except SystemExit as end:  # argparse, after --help or an error
        return end.code if isinstance(end.code, int) else 0
    except ExpressionError as error:
        error_line(program, str(error))
        return 2
    except KeyboardInterrupt:
        error_line(program, "interrupted")
        return _INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        return _CLOSED_PIPE
    except OSError as error:
        _discard_output()
        error_line(program, f"cannot write: {error.strerror or error}")
        return 1


def _run(arguments: Sequence[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        width = max(map(len, COMMANDS))
        print(_HELP.format(commands="\n".join(f"  {name:{width}}  {text}" for name, text in COMMANDS.items())), end="")
        return 0
    command = arguments[0]
    if command in ("-V", "--version"):
        from micrograd import __version__

        print(f"micrograd {__version__}")
        return 0
    if command not in COMMANDS:
        from micrograd.cli.expression import near

        shown = clean(shorten(command, 40))
        raise ExpressionError(f"unknown command {shown!r} (one of: {', '.join(COMMANDS)}){near(command, COMMANDS)}")
    return int(importlib.import_module(f"micrograd.cli.{command}").run(arguments[1:]))


def _discard_output() -> None:
    """Let the rest of the output go nowhere: Python would complain again when it closes standard output."""
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):  # replaced by something that is no file
        return
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), descriptor)
