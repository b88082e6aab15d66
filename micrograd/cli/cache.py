"""``micrograd cache``: where compiled code is kept on disk, how much there is, and how to be rid of it."""

from __future__ import annotations

from collections.abc import Sequence

from micrograd._console import say
from micrograd.cli.parser import Parser
from micrograd.compiler import cache

__all__ = ["run"]


def run(arguments: Sequence[str]) -> int:
    """Run the command with its ``arguments`` and return its exit code."""
    parser = Parser(
        "cache",
        usage="[--clear]",
        description="Tell where machine code is kept for the next process, and how much of it there is.",
        epilog="The environment variable MICROGRAD_CACHE names another folder.",
    )
    parser.add_argument("--clear", action="store_true", help="delete it")
    options = parser.parse_args(arguments)
    if options.clear:
        count = cache.clear()
        say(f"{count} {_entries(count)} deleted from {cache.folder()}")
        return 0
    entries = cache.entries()
    size = sum(size for _, size, _ in entries)
    say(
        f"{len(entries)} {_entries(len(entries))} of compiled code in {cache.folder()}:"
        f" {size / 2**20:.1f} MiB of at most {cache.LIMIT / 2**20:.0f} MiB"
    )
    return 0


def _entries(count: int) -> str:
    return "entry" if count == 1 else "entries"
