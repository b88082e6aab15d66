"""``micrograd check module:function``: one function, at a point."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from micrograd._console import say
from micrograd.cli.check_output import EXIT_CODES, Keeper, print_verdict, report_as_json
from micrograd.cli.check_picture import draw_culprit
from micrograd.cli.check_target import Target, aside, raised
from micrograd.errors import ExpressionError
from micrograd.testing.check import gradcheck
from micrograd.testing.replay import replay_script
from micrograd.testing.report import WRONG, Report

__all__ = ["check_at", "check_count", "complaint", "keeper_of", "point_text", "print_json"]

_WRAPPER = "; write a small function of numbers around it: def g(a, b): return f([a, b])"


def check_at(target: Target, numbers: Sequence[float], *, order: int, folder: Path, as_json: bool) -> int:
    """Check a function at a point, print what is found out, and return the exit code."""
    check_count(target, len(numbers), "--at has", "number")
    keeper = keeper_of(target, folder)
    try:
        with aside():
            report = gradcheck(target.function, *numbers, order=order)
    except (Exception, SystemExit) as error:
        raise complaint(target, error, numbers) from None
    if report.verdict == WRONG:
        keeper(report)
    picture = draw_culprit(report.culprit, keeper.path)
    if as_json:
        print_json(target, report.verdict, keeper, picture, report=report_as_json(report))
    else:
        print_verdict(report.verdict, f"{target.text} at {point_text(numbers)}")
        say(str(report), indent=2)
        keeper.tell(picture)
    return EXIT_CODES[report.verdict]


def print_json(
    target: Target, verdict: str, keeper: Keeper[Report], picture: Path | None = None, **fields: Any
) -> None:
    """Print the verdict on a function, and more about it, as one JSON object."""
    files = {name: path and str(path) for name, path in (("replay", keeper.path), ("picture", picture))}
    print(json.dumps({"function": target.text, "verdict": verdict, **fields, **files}, indent=2, allow_nan=False))


def keeper_of(target: Target, folder: Path) -> Keeper[Report]:
    """Return what writes the replay script of a function."""
    return Keeper(folder, target.text, lambda report: replay_script(report, folder, function=target.source))


# --- what a function takes ----------------------------------------------------------------------------------------


def check_count(target: Target, count: int, given: str, unit: str) -> None:
    """Raise ``ExpressionError`` where the function does not take ``count`` numbers."""
    parameters = target.parameters()
    if parameters.trouble:
        raise ExpressionError(f"{target.text} cannot be called with numbers: {parameters.trouble}{_WRAPPER}")
    least, most = parameters.least, parameters.most
    if most == 0:
        raise ExpressionError(f"{target.text} takes no arguments, so there is nothing to differentiate by")
    if least is None or (least <= count and (most is None or count <= most)):
        return
    wanted = f"{least}" if most == least else f"{least} or more" if most is None else f"{least} to {most}"
    names = f" ({', '.join(parameters.names)})" if parameters.names else ""
    plural = "" if wanted == "1" else "s"
    raise ExpressionError(
        f"{target.text} takes {wanted} argument{plural}{names}, {given} {count} {unit}{'' if count == 1 else 's'}"
    )


def complaint(target: Target, error: BaseException, numbers: Sequence[float], hint: str = "") -> ExpressionError:
    """Return the one line about what the function raised, or about what it returned that is no gradient's."""
    text = raised(error)
    if isinstance(error, TypeError) and (
        "object is not iterable" in text or "object is not subscriptable" in text or "has no len()" in text
    ):
        hint = _WRAPPER
    if text.startswith(f"{type(error).__name__}:") and target.place:  # none of its lines is on the way
        text = f"{target.place}: {error}"
    return ExpressionError(f"{text} (at {point_text(numbers)}){hint}")


def point_text(numbers: Sequence[float]) -> str:
    """Return a point as text."""
    shown = ", ".join(map(repr, numbers[:8]))
    return f"({shown}{', ...' if len(numbers) > 8 else ''})"
