"""``python -m benchmarks``: run workloads on this engine and its peers, print tables, write them into a README."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from benchmarks import e1, e2
from benchmarks.peers import ENGINES, OURS, Peer
from benchmarks.processes import WorkerError
from benchmarks.progress import display
from benchmarks.readme import MarkerError, check_markers, write_sections
from benchmarks.report import Report, as_json, as_markdown, show
from benchmarks.rounds import Session

__all__ = ["main"]


@dataclass(frozen=True)
class Workload:
    """A file of this folder: what it measures, how large and how often if nothing else is asked for."""

    summary: str
    size: int
    repeat: int
    run: Callable[[Session], Report]


WORKLOADS = {
    "e1": Workload(e1.SUMMARY, e1.SIZE, e1.REPEAT, e1.run),
    "e2": Workload(e2.SUMMARY, e2.SIZE, e2.REPEAT, e2.run),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure this engine and its peers side by side. Exit status: 0 measured, 1 failed or doubtful"
        " (engines disagree, the machine was noisy), 2 wrong usage.",
    )
    parser.add_argument(
        "workloads", nargs="*", metavar="WORKLOAD", help=f"{_either(WORKLOADS)}; all of them if none is named"
    )
    parser.add_argument("--list", action="store_true", help="list workloads and engines, measure nothing")
    parser.add_argument("--repeat", type=_positive, metavar="N", help="rounds that are timed")
    parser.add_argument("--size", type=_positive, metavar="N", help="samples of e1, additions of e2; for one workload")
    parser.add_argument(
        "--engines", type=_engines, metavar="A,B", help="only these beside ours: " + ", ".join(_peer_keys())
    )
    parser.add_argument(
        "--micrograd01", type=Path, metavar="DIR", help="where micrograd 0.1 is installed (or set MICROGRAD01)"
    )
    parser.add_argument(
        "--write-readme",
        type=Path,
        metavar="FILE",
        help="replace what is between <!-- benchmarks:e1 --> and <!-- /benchmarks:e1 -->",
    )
    parser.add_argument("--json", action="store_true", help="print everything measured as JSON instead of tables")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    return parser


def _either(names: Sequence[str] | dict[str, Workload]) -> str:
    return " or ".join(names)


def _peer_keys() -> list[str]:
    return [peer.key for peer in ENGINES if peer is not OURS]


def _positive(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, not {text!r}")
    return number


def _engines(text: str) -> tuple[Peer, ...]:
    keys = text.split(",")
    for key in keys:
        if key not in (OURS.key, *_peer_keys()):
            raise argparse.ArgumentTypeError(f"unknown engine {key!r} (one of: {', '.join(_peer_keys())})")
    return tuple(peer for peer in ENGINES if peer is OURS or peer.key in keys)


def _command(options: argparse.Namespace) -> str:
    """Return the command that measures the same again, on any machine."""
    words = ["python -m benchmarks", *options.workloads]
    if options.repeat:
        words.append(f"--repeat {options.repeat}")
    if options.size:
        words.append(f"--size {options.size}")
    if options.engines:
        words.append("--engines " + ",".join(peer.key for peer in options.engines))
    if "MICROGRAD01" in os.environ:
        words.append("--micrograd01 DIR")
    return " ".join(words)


def _show_list(console: Console) -> None:
    table = RichTable("workload", "what is measured", "size", "rounds", box=None)
    for name, workload in WORKLOADS.items():
        table.add_row(name, workload.summary, f"{workload.size:,}", str(workload.repeat))
    console.print(table)
    console.print()
    engines = RichTable("engine", "what it is", "how to get it", box=None)
    for peer in ENGINES:
        engines.add_row(peer.key, peer.title, peer.install)
    console.print(engines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    console = Console()
    if options.list:
        _show_list(console)
        return 0
    names = list(dict.fromkeys(options.workloads)) or list(WORKLOADS)
    for name in names:
        if name not in WORKLOADS:
            parser.error(f"unknown workload {name!r} (one of: {', '.join(WORKLOADS)})")
    if options.size and len(names) > 1:
        parser.error(f"--size is for one workload, and {len(names)} were to run: {', '.join(names)}")
    if options.micrograd01:
        os.environ["MICROGRAD01"] = str(options.micrograd01.resolve())
    command = _command(options)
    try:
        if options.write_readme:
            check_markers(options.write_readme, names)
        with display(options.quiet) as progress:
            reports = []
            for name in names:
                workload = WORKLOADS[name]
                reports.append(
                    workload.run(
                        Session(
                            repeat=options.repeat or workload.repeat,
                            size=options.size or workload.size,
                            engines=options.engines or ENGINES,
                            start=progress.start,
                            tick=progress.tick,
                        )
                    )
                )
        if options.json:
            print(as_json(reports, command))
        else:
            for report in reports:
                show(report, console)
        if options.write_readme:
            write_sections(options.write_readme, {r.name: as_markdown(r, command) for r in reports})
    except (MarkerError, OSError, WorkerError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted, nothing was written", file=sys.stderr)
        return 130
    return 1 if any(report.problems for report in reports) else 0


if __name__ == "__main__":
    sys.exit(main())
