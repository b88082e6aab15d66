"""Arguments of a command: argparse, with errors of one line and expressions that may start with a minus."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from typing import NoReturn

from micrograd._console import error_line, shorten

__all__ = ["Parser", "checked", "not_an_option"]


class Parser(argparse.ArgumentParser):
    """The parser of one command.

    A wrong argument ends in one line and exit code 2; the usage, which argparse prints above it, would hide the line.
    """

    def __init__(self, command: str, *, usage: str, description: str, epilog: str = "") -> None:
        super().__init__(
            prog=f"micrograd {command}",
            usage=f"micrograd {command} {usage}",
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Print one line and end with exit code 2."""
        error_line(self.prog, f"{message} (see {self.prog} --help)")
        self.exit(2)


def checked(read: Callable[[str], float], what: str, allowed: Callable[[float], bool]) -> Callable[[str], float]:
    """Return an argparse ``type`` that reads a number and refuses, in words, what is not ``allowed``.

    >>> checked(int, "a number of at least 1", lambda n: n >= 1)("0")
    Traceback (most recent call last):
    ...
    argparse.ArgumentTypeError: expected a number of at least 1, got '0'
    """

    def convert(text: str) -> float:
        try:
            if text.isascii():
                number = read(text)
                if allowed(number):
                    return number
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f"expected {what}, got {shorten(text, 40)!r}")

    return convert


def not_an_option(arguments: Sequence[str]) -> list[str]:
    """Return ``arguments`` with a space before each that starts with a minus and is no option: an expression.

    argparse takes whatever starts with a minus for an option; expressions do not mind the space. After ``--`` nothing
    is an option.

    >>> not_an_option(["-x*y", "x=2", "--json", "-h", "---x", "--", "--x"])
    [' -x*y', 'x=2', '--json', '-h', ' ---x', ' --x']
    """
    before, after = list(arguments), []
    if "--" in before:
        split = before.index("--")
        before, after = before[:split], before[split + 1 :]
    expressions = [x for x in before if x.startswith("-") and not re.match(r"-h$|--[a-z]", x)]
    return [" " + x if x in expressions else x for x in before] + [" " + x if x.startswith("-") else x for x in after]
