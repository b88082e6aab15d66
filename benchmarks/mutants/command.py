"""``python -m benchmarks mutants``: plant faults, see who finds them, write the rates into a README."""

from __future__ import annotations

import argparse
import shlex
import sys
from asyncio import CancelledError
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from benchmarks.mutants.faults import MUTANTS
from benchmarks.mutants.harness import ControlError, Verdict, examine
from benchmarks.mutants.judges import JUDGES, Judge
from benchmarks.mutants.mutant import CATEGORIES, Mutant, PatchError
from benchmarks.output import MarkerError, as_json, as_markdown, check_markers, show, write
from benchmarks.report import Cell, Report
from micrograd._console import error_line, print_table, progress

__all__ = ["main", "report"]

_ROOT = Path(__file__).resolve().parents[2]
_NAME = "mutants"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks mutants",
        description="Plant faults in copies of the package, one at a time, and see who finds them: the project's own"
        " tests, and the toolkit for testing gradients. Exit status: 0 as it should be, 1 a fault that the own tests do"
        " not find, a false alarm or a judge that failed, 2 wrong usage.",
    )
    parser.add_argument("--list", action="store_true", help="list the mutants, run nothing")
    parser.add_argument("--only", action="append", metavar="NAME", help="this mutant (again for several)")
    parser.add_argument("--judge", choices=[judge.name for judge in JUDGES], help="ask one judge only")
    parser.add_argument(
        "--write-readme",
        type=Path,
        metavar="FILE",
        help=f"replace what is between <!-- benchmarks:{_NAME} --> and <!-- /benchmarks:{_NAME} -->",
    )
    parser.add_argument("--json", action="store_true", help="print every verdict as JSON instead of a table")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run the command line and return its exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.list:
        print_table(
            ["mutant", "file", "what is wrong"],
            [[m.name, m.file, m.says + (f" (equivalent: {m.proof})" if m.proof else "")] for m in MUTANTS],
        )
        return 0
    judges = [judge for judge in JUDGES if options.judge in (None, judge.name)]
    names = {mutant.name for mutant in MUTANTS}
    for name in options.only or ():
        if name not in names:
            parser.error(f"unknown mutant {name!r}; --list shows all")
    chosen = [m for m in MUTANTS if not options.only or m.name in options.only]
    mutants = [m for m in chosen if any(judge.name in m.judges for judge in judges)]
    if not mutants:
        parser.error(f"the {options.judge!r} judge cannot see such a fault; leave --judge out")
    command = shlex.join(["python", "-m", "benchmarks", _NAME, *_repeated(options)])
    shown: AbstractContextManager[Callable[[str], None]] = (
        nullcontext(lambda figures: None) if options.quiet else progress(_NAME, len(mutants) + 1, file=sys.stderr)
    )
    try:
        if options.write_readme:
            check_markers(options.write_readme, [_NAME])
        with shown as advance:
            verdicts = examine(_ROOT, mutants, judges, advance=advance)
        result = report(mutants, judges, verdicts)
        if options.json:
            print(as_json([result], command))
        else:
            show(result)
        if options.write_readme:
            write(options.write_readme, {_NAME: as_markdown(result, command)})
    except ControlError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)  # with the end of the judge's output, in full
        return 1
    except (MarkerError, PatchError, OSError, UnicodeError) as error:
        error_line(parser.prog, str(error))
        return 1
    except KeyboardInterrupt:
        error_line(parser.prog, "interrupted")
        return 130
    except CancelledError:
        error_line(parser.prog, "terminated")
        return 143
    return 1 if result.problems else 0


def _repeated(options: argparse.Namespace) -> list[str]:
    words = [word for name in options.only or () for word in ("--only", name)]
    return words + (["--judge", options.judge] if options.judge else [])


def report(mutants: Sequence[Mutant], judges: Sequence[Judge], verdicts: Sequence[Verdict]) -> Report:
    """Return the table: for each category how many faults each judge found, of those that it can see."""
    faults = [v for v in verdicts if not v.mutant.proof and not v.broken]
    rows: list[Sequence[Cell]] = []
    for category, title in CATEGORIES.items():
        members = [m for m in mutants if m.category == category]
        if members:
            rows.append(_row(title, members, judges, faults))
    rows.append(_row("all", mutants, judges, faults))
    alarms = [v for v in verdicts if v.mutant.proof and v.killed]
    titles = {judge.name: judge.title for judge in judges}
    notes: list[str] = []
    problems: list[str] = []
    for judge in judges:
        controls = 1 + sum(v.mutant.proof != "" for v in verdicts if v.judge == judge.name)
        false = sum(v.judge == judge.name for v in alarms)
        notes.append(
            f"{judge.title}: {_rate([v for v in faults if v.judge == judge.name])} of the faults that it is asked about"
            f" are found; false alarms at code without a fault: {false} of {controls}"
        )
    for v in faults:
        if not v.killed:
            sentence = f"not found by the {titles[v.judge]}: {v.mutant.name} ({v.mutant.says})"
            (problems if v.judge == "own" else notes).append(sentence)
    problems += [f"false alarm of {v.judge}: {v.mutant.name} ({v.how})" for v in alarms]
    problems += [f"{v.judge} failed on {v.mutant.name}: {v.broken}" for v in verdicts if v.broken]
    notes += [f"no fault, {m.name}: {m.says}; {m.proof}" for m in mutants if m.proof]
    return Report(
        name=_NAME,
        title="Mutants: faults planted in the package, and who finds them",
        columns=["what is wrong", "faults", *[f"found by the {judge.title}" for judge in judges], "equivalent"],
        rows=rows,
        notes=notes,
        problems=problems,
        data={
            "verdicts": [
                {
                    "mutant": v.mutant.name,
                    "category": v.mutant.category,
                    "equivalent": bool(v.mutant.proof),
                    "judge": v.judge,
                    "killed": v.killed,
                    "how": v.how,
                    "broken": v.broken,
                    "seconds": round(v.seconds, 1),
                }
                for v in verdicts
            ]
        },
    )


def _row(title: str, members: Sequence[Mutant], judges: Sequence[Judge], faults: Sequence[Verdict]) -> list[Cell]:
    inside = [v for v in faults if v.mutant in members]
    found: list[Cell] = [_of([v for v in inside if v.judge == judge.name]) for judge in judges]
    return [title, float(sum(not m.proof for m in members)), *found, float(sum(m.proof != "" for m in members))]


def _of(verdicts: Sequence[Verdict]) -> str:
    return f"{sum(v.killed for v in verdicts)} of {len(verdicts)}" if verdicts else "..."


def _rate(verdicts: Sequence[Verdict]) -> str:
    return f"{100.0 * sum(v.killed for v in verdicts) / len(verdicts):.1f}%" if verdicts else "none"
