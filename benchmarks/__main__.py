"""``python -m benchmarks``: run workloads on this engine and its peers, print tables, write them into a README."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import c1, c2, c3, c4, c5, e1, e2, p1, t1, t2
from benchmarks.mutants import command as mutants
from benchmarks.output import MarkerError, as_json, as_markdown, check_markers, show, write
from benchmarks.peers import ENGINES, OURS, Peer
from benchmarks.processes import WorkerError
from benchmarks.report import Report
from benchmarks.rounds import Session
from micrograd._console import error_line, print_table, progress

__all__ = ["main"]


@dataclass(frozen=True)
class Workload:
    """A file of this folder: what it measures, how large and how often if nothing else is asked for.

    ``scalar`` workloads are for engines that record scalar by scalar.
    """

    summary: str
    sizes: tuple[int, ...]
    repeat: int
    run: Callable[[Session], Report]
    scalar: bool = False


WORKLOADS = {
    "e1": Workload(e1.SUMMARY, e1.SIZES, e1.REPEAT, e1.run, scalar=True),
    "e2": Workload(e2.SUMMARY, e2.SIZES, e2.REPEAT, e2.run, scalar=True),
    "c1": Workload(c1.SUMMARY, c1.SIZES, c1.REPEAT, c1.run),
    "c2": Workload(c2.SUMMARY, c2.SIZES, c2.REPEAT, c2.run),
    "c3": Workload(c3.SUMMARY, c3.SIZES, c3.REPEAT, c3.run),
    "c4": Workload(c4.SUMMARY, c4.SIZES, c4.REPEAT, c4.run),
    "c5": Workload(c5.SUMMARY, c5.SIZES, c5.REPEAT, c5.run),
    "t1": Workload(t1.SUMMARY, t1.SIZES, t1.REPEAT, t1.run),
    "t2": Workload(t2.SUMMARY, t2.SIZES, t2.REPEAT, t2.run),
    "p1": Workload(p1.SUMMARY, p1.SIZES, p1.REPEAT, p1.run),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure this engine and its peers side by side. Exit status: 0 measured, 1 failed or doubtful"
        " (engines disagree, the machine was noisy), 2 wrong usage.",
        epilog="Another command, python -m benchmarks mutants, plants faults and counts who finds them; it has a --help"
        " of its own.",
    )
    parser.add_argument(
        "workloads", nargs="*", metavar="WORKLOAD", help=f"{', '.join(WORKLOADS)}; all if none is named"
    )
    parser.add_argument("--list", action="store_true", help="list workloads and engines, measure nothing")
    parser.add_argument("--repeat", type=_positive, metavar="N", help="rounds that are timed")
    parser.add_argument("--size", type=_positive, metavar="N", help="the SIZE that --list shows; for one workload")
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
        words.append("--engines " + ",".join(peer.key for peer in options.engines if peer is not OURS))
    if "MICROGRAD01" in os.environ and any(peer.key == "micrograd01" for peer in options.engines or ENGINES):
        words.append("--micrograd01 DIR")
    return " ".join(words)


def _show_list() -> None:
    rows = [
        [name, " ".join(f"{size:,}" for size in workload.sizes), f"{workload.repeat}", workload.summary]
        for name, workload in WORKLOADS.items()
    ]
    print_table(["workload", "SIZE", "rounds", "what is measured"], rows)
    print()
    print_table(["engine", "what it is", "how to get it"], [[peer.key, peer.title, peer.install] for peer in ENGINES])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] == ["mutants"]:
        return mutants.main(arguments[1:])
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.list:
        _show_list()
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
        reports = [_measure(name, options) for name in names]
        if options.json:
            print(as_json(reports, command))
        else:
            for report in reports:
                show(report)
        if options.write_readme:
            write(options.write_readme, {report.name: as_markdown(report, command) for report in reports})
    except (MarkerError, OSError, UnicodeError) as error:
        error_line(parser.prog, str(error))
        return 1
    except WorkerError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)  # its traceback, in full
        return 1
    except KeyboardInterrupt:
        error_line(parser.prog, "interrupted")
        return 130
    return 1 if any(report.problems for report in reports) else 0


def _measure(name: str, options: argparse.Namespace) -> Report:
    workload = WORKLOADS[name]
    sizes = (options.size,) if options.size else workload.sizes
    engines = tuple(peer for peer in options.engines or ENGINES if peer.scalar or not workload.scalar)
    session = Session(options.repeat or workload.repeat, sizes, engines)
    if not options.quiet:
        session = replace(session, progress=lambda total: progress(name, total, file=sys.stderr))
    return workload.run(session)


if __name__ == "__main__":
    sys.exit(main())
