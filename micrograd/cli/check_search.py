"""``micrograd check module:function`` without a point: a search for inputs at which the gradient is wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from micrograd._console import progress, say, shorten
from micrograd.cli.check_function import check_count, complaint, keeper_of, point_text, print_json
from micrograd.cli.check_output import EXIT_CODES, print_verdict, report_as_json, slug, writable
from micrograd.cli.check_picture import draw_culprit
from micrograd.cli.check_target import Target, aside
from micrograd.errors import ExpressionError
from micrograd.ops import Op
from micrograd.ops.domain import REALS, Domain
from micrograd.testing.input_strategies import inputs
from micrograd.testing.report import WRONG
from micrograd.testing.search import SEARCHING, SHRINK_CALLS, Finding, counts_text, search

__all__ = ["check_inside"]


def check_inside(
    target: Target,
    domains: Sequence[Domain],
    *,
    examples: int,
    order: int,
    seed: int,
    edges: bool,
    folder: Path,
    as_json: bool,
) -> int:
    """Search for inputs at which a gradient is wrong, print what is found out, and return the exit code."""
    domains = _domains(target, domains)
    try:
        inputs(len(domains), domains)
    except ValueError as error:  # there may be no float between two borders
        raise ExpressionError(f"--in: {error}") from None
    keeper = keeper_of(target, folder)
    try:
        with aside(), _Bars(target.text, examples) as advance:
            finding = search(
                target.function,
                domains,
                examples=examples,
                order=order,
                seed=seed,
                edges=edges,
                folder=folder / "examples" / slug(target.text) if writable(folder) else None,
                keep=keeper,
                advance=advance,
            )
    except KeyboardInterrupt:
        keeper.interrupted()
        raise
    if finding.error is not None:
        outside = isinstance(finding.error, (ArithmeticError, ValueError)) and all(x == REALS for x in domains)
        hint = "; --in says where a function is defined: --in '(0, inf)'" if outside else ""
        raise complaint(target, finding.error, finding.inputs, hint)
    picture = draw_culprit(finding.report.culprit if finding.report else None, keeper.path)
    if as_json:
        print_json(
            target,
            finding.verdict,
            keeper,
            picture,
            domains=[str(x) for x in domains],
            tried=finding.tried,
            shrinking=finding.shrinking,
            report=report_as_json(finding.report),
        )
    else:
        _print_finding(target, finding, domains)
        keeper.tell(picture)
    return EXIT_CODES[finding.verdict]


def _print_finding(target: Target, finding: Finding, domains: Sequence[Domain]) -> None:
    count = sum(finding.tried.values())
    where = " x ".join(map(str, domains if len(set(domains)) > 1 else domains[:1]))
    tried = f"{count} {'input' if count == 1 else 'inputs'} in {where}: {counts_text(finding.tried)}"
    if finding.verdict == WRONG:
        assert finding.report is not None
        print_verdict(WRONG, f"{target.text} at {point_text(finding.inputs)}")
        say(str(finding.report), indent=2)
        say(f"  {tried}; {finding.shrinking} more to find a simpler one", style="dim")
        return
    print_verdict(finding.verdict, f"{target.text} at {tried}")
    if finding.report is not None:
        say(f"inconclusive at {point_text(finding.report.inputs)}: {finding.report.reason}", indent=2)


def _domains(target: Target, given: Sequence[Domain]) -> list[Domain]:
    """Return one domain for each argument."""
    if len(given) > 1:
        check_count(target, len(given), "--in has", "domain")
        return list(given)
    parameters = target.parameters()
    least = parameters.least
    if not given and isinstance(target.function, Op) and least:
        return list(target.function.domain)
    if not given and not least and parameters.most != 0:
        raise ExpressionError(
            f"how many numbers {target.text} takes does not show; give one domain for each,"
            " --in '(0, inf)' '[-1, 1]', or a point with --at"
        )
    count = least or 1
    check_count(target, count, "--in has", "domain")
    return [given[0] if given else REALS] * count


class _Bars:
    """The progress of a search: a bar for its inputs, and one for those that shrink the failing one."""

    def __init__(self, what: str, examples: int) -> None:
        self._what = what
        self._examples = examples
        self._stage = ""
        self._stack = ExitStack()
        self._advance: Callable[[str], None] = lambda figures: None

    def __enter__(self) -> Callable[[str, str], None]:
        return self.advance

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def advance(self, stage: str, figures: str) -> None:
        if stage != self._stage:
            self._stack.close()
            self._stage = stage
            total = self._examples if stage == SEARCHING else SHRINK_CALLS
            self._advance = self._stack.enter_context(
                progress(f"{stage} {shorten(self._what, 30)}", total, file=sys.stderr)
            )
        self._advance(figures)
