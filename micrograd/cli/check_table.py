"""``micrograd check --ops`` and ``--programs``: the table of operations, one by one and in random programs."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import micrograd
from micrograd._console import Cell, clean, print_table, progress, say, shorten
from micrograd.cli.check_output import EXIT_CODES, Keeper, print_verdict, report_as_json
from micrograd.cli.check_target import aside, import_user_module, raised
from micrograd.cli.expression import known_operations, near
from micrograd.errors import ExpressionError
from micrograd.ops import Op, operations
from micrograd.testing.operations import PROPERTIES, Outcome, check_operation
from micrograd.testing.replay import Source, operation_script, program_source, replay_script
from micrograd.testing.report import INCONCLUSIVE, NOT_DIFFERENTIABLE, RIGHT, WRONG
from micrograd.testing.tally import FAILED, Case, Tally, check_programs

__all__ = ["check_operations", "check_random_programs"]


def check_operations(modules: Sequence[str], only: Sequence[str], *, examples: int, folder: Path, as_json: bool) -> int:
    """Check every property of every operation, or of those asked for, and return the exit code."""
    sources, chosen = _chosen(modules, only)
    compile = micrograd.compile if find_spec("numpy") is not None else None
    outcomes: list[tuple[Outcome, Path | None]] = []
    with aside(), progress("checking", len(chosen) * len(PROPERTIES), file=sys.stderr) as advance:
        for op in chosen:
            for name in PROPERTIES:
                outcome = _outcome(op, name, examples, compile)
                keeper = _outcome_keeper(outcome, sources, examples, compile is not None, folder)
                if outcome.verdict == WRONG:
                    keeper(outcome)
                outcomes.append((outcome, keeper.path))
                wrong = sum(x.verdict == WRONG for x, _ in outcomes)
                advance(f"{op.name}, {name}" + (f"  {wrong} wrong" if wrong else ""))
    verdicts = {x.verdict for x, _ in outcomes}
    verdict = next((x for x in (WRONG, RIGHT) if x in verdicts), INCONCLUSIVE)
    (_print_operations_json if as_json else _print_operations)(verdict, chosen, outcomes)
    return EXIT_CODES[verdict]


def _chosen(modules: Sequence[str], only: Sequence[str]) -> tuple[list[Source], list[Op]]:
    before = dict(operations())
    sources = [import_user_module(text)[1] for text in modules]
    if only:
        return sources, [_named(name) for name in dict.fromkeys(only)]
    if not modules:
        return sources, list(operations().values())
    registered = [op for name, op in operations().items() if before.get(name) is not op]
    if not registered:
        which = f"{clean(modules[0])} registers" if len(modules) == 1 else "these modules register"
        raise ExpressionError(f"{which} no operations; --only NAME checks one of the others")
    return sources, registered


def _named(name: str) -> Op:
    op = known_operations().get(name)
    if op is None:
        hint = near(name, known_operations()) or "; 'micrograd ops' lists them all"
        raise ExpressionError(f"--only: unknown operation {clean(shorten(name, 40))!r}{hint}")
    return op


def _outcome(op: Op, name: str, examples: int, compile: Callable[..., Any] | None) -> Outcome:
    try:
        return check_operation(op, name, examples=examples, compile=compile)
    except ImportError:
        raise
    except (Exception, SystemExit) as error:  # a user's operation may raise whatever it likes
        return Outcome(op.name, name, WRONG, 0, raised(error))


def _outcome_keeper(
    outcome: Outcome, sources: Sequence[Source], examples: int, compiled: bool, folder: Path
) -> Keeper[Outcome]:
    return Keeper(
        folder,
        f"{outcome.operation} {outcome.property}",
        lambda x: operation_script(
            x.operation, x.property, folder, modules=sources, program=x.program, examples=examples, compiled=compiled
        ),
    )


def _mark(outcome: Outcome) -> str:
    marks = {RIGHT: f"ok {outcome.checked}", WRONG: "WRONG", INCONCLUSIVE: "?"}
    return marks.get(outcome.verdict, "-")


def _print_operations(verdict: str, chosen: Sequence[Op], outcomes: Sequence[tuple[Outcome, Path | None]]) -> None:
    wrong = {x.operation for x, _ in outcomes if x.verdict == WRONG}
    many = "one operation" if len(chosen) == 1 else f"{len(chosen)} operations"
    print_verdict(verdict, f"{', '.join(sorted(wrong))} of {many}" if wrong else many)
    marks = iter(_mark(x) for x, _ in outcomes)
    rows: list[list[Cell]] = [[op.name, *[next(marks) for _ in PROPERTIES]] for op in chosen]
    print_table(
        ("operation", *PROPERTIES),
        rows,
        footer="ok and how many points or programs were judged; - does not apply; ? nothing could be judged",
    )
    for outcome, path in outcomes:
        if outcome.verdict == WRONG:
            say()
            say(str(outcome))
            if path is not None:
                say(f"  replay: {path}")
    doubtful = [x for x, _ in outcomes if x.verdict == INCONCLUSIVE]
    if doubtful:
        say()
    for outcome in doubtful:
        say(f"? {outcome.operation}, {outcome.property}: {shorten(outcome.detail, 200)}", style="dim")


def _print_operations_json(verdict: str, chosen: Sequence[Op], outcomes: Sequence[tuple[Outcome, Path | None]]) -> None:
    found = [
        {
            "operation": x.operation,
            "property": x.property,
            "verdict": x.verdict,
            "checked": x.checked,
            "detail": x.detail,
            "report": report_as_json(x.report),
            "program": None if x.program is None else repr(x.program),
            "replay": None if path is None else str(path),
        }
        for x, path in outcomes
    ]
    print(json.dumps({"verdict": verdict, "properties": PROPERTIES, "outcomes": found}, indent=2, allow_nan=False))


# --- random programs ----------------------------------------------------------------------------------------------


def check_random_programs(
    count: int,
    modules: Sequence[str],
    *,
    seed: int,
    edges: bool,
    order: int,
    jobs: int,
    folder: Path,
    as_json: bool,
) -> int:
    """Judge random programs over the whole table, print the tally, and return the exit code."""
    sources = [import_user_module(text)[1] for text in modules]
    keepers: list[Keeper[Case]] = []

    def keep(case: Case) -> None:
        keeper: Keeper[Case] = Keeper(
            folder, f"program {seed} {len(keepers) + 1}", lambda x: _script(x, folder, sources)
        )
        keepers.append(keeper)
        keeper(case)

    try:
        with aside(), progress("judging programs", count, file=sys.stderr) as advance:
            tally = check_programs(
                count,
                seed=seed,
                edges=edges,
                order=order,
                jobs=jobs,
                modules=[source.module for source in sources],
                keep=keep,
                advance=advance,
            )
    except KeyboardInterrupt:
        for keeper in keepers[:1]:
            keeper.interrupted()
        raise
    except BrokenExecutor as error:
        raise ExpressionError(f"a process that judged programs died ({error}); try --jobs 1") from None
    total = tally.total
    judged = [verdict for verdict in (RIGHT, NOT_DIFFERENTIABLE) if total[verdict]]
    verdict = WRONG if tally.cases else judged[0] if judged else INCONCLUSIVE
    paths = [keeper.path for keeper in keepers]
    (_print_tally_json if as_json else _print_tally)(verdict, tally, paths)
    return EXIT_CODES[verdict]


def _script(case: Case, folder: Path, sources: Sequence[Source]) -> str:
    return replay_script(case.report, folder, program=case.program, modules=sources)


_COLUMNS = {
    RIGHT: "right",
    NOT_DIFFERENTIABLE: "at kinks",
    INCONCLUSIVE: "inconclusive",
    WRONG: "wrong",
    FAILED: "check failed",
}


_SHOWN = 10  # cases that are printed in full; one broken operation breaks many programs


def _print_tally(verdict: str, tally: Tally, paths: Sequence[Path | None]) -> None:
    total = tally.total
    bad = f"{len(tally.cases)} of " if tally.cases else ""
    print_verdict(verdict, f"{bad}{total.total():,} programs")
    shown = {x: name for x, name in _COLUMNS.items() if x != FAILED or total[FAILED]}
    counts = {**tally.counts, **({"all": total} if len(tally.counts) > 1 else {})}
    rows: list[list[Cell]] = [[kind, float(of.total()), *[float(of[x]) for x in shown]] for kind, of in counts.items()]
    print_table(
        ("programs", "judged", *shown.values()),
        rows,
        footer=f"{tally.partials:,} partial derivatives held to an oracle; the largest error of those that are right"
        f" is {tally.worst:.2g} of what is allowed",
    )
    for case, path in list(zip(tally.cases, paths))[:_SHOWN]:
        say()
        say(f"{case.kind}: {case.error or case.report}")
        say(program_source(case.program), indent=2)
        if path is not None:
            say(f"  replay: {path}")
    if len(tally.cases) > _SHOWN:
        blamed = Counter(x.report.culprit.node.op for x in tally.cases if x.report is not None and x.report.culprit)
        names = ", ".join(f"{name} {count}" for name, count in blamed.most_common(6))
        say()
        say(f"and {len(tally.cases) - _SHOWN} more, each with its replay script; blamed in all: {names}")


def _print_tally_json(verdict: str, tally: Tally, paths: Sequence[Path | None]) -> None:
    cases = [
        {
            "kind": case.kind,
            "program": repr(case.program),
            "error": case.error,
            "report": report_as_json(case.report),
            "replay": None if path is None else str(path),
        }
        for case, path in zip(tally.cases, paths)
    ]
    print(
        json.dumps(
            {
                "verdict": verdict,
                "programs": tally.total.total(),
                "counts": tally.counts,
                "partials": tally.partials,
                "worst": tally.worst,
                "cases": cases,
            },
            indent=2,
            allow_nan=False,
        )
    )
