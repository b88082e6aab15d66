"""T2: what verdicts are worth: false alarms about right gradients, and how many planted errors are found.

Every judge is asked about the same random programs and the gradients that this engine computes for them: programs at
ordinary points, programs at and beside kinks, and programs in which the derivative of one operation is 0.05 % too
large. The other judges see a function and its gradient, as their users would hand them over.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

import micrograd as mg
from benchmarks.peers import ENGINES, Peer
from benchmarks.processes import NotInstalledError, Worker, WorkerError
from benchmarks.report import Cell, Report
from benchmarks.rounds import Session
from micrograd.ops import table
from micrograd.testing import Program, programs

__all__ = ["REPEAT", "SIZES", "SUMMARY", "Judge", "cases", "prepare", "run"]

SUMMARY = "verdicts on SIZE random programs of each kind: false alarms, and planted errors of 0.05 % that are found"
SIZES = (1000,)
REPEAT = 1

KINDS = ("ordinary", "near kinks", "planted")
FACTOR = 1.0005

JUDGES = {"ours": "gradcheck (ours)", "torch": "PyTorch gradcheck", "jax": "JAX check_vjp"}

Judge = Callable[[Program, Callable[[Sequence[float]], list[float]]], bool]
"""Tells whether the gradient of a program, at its inputs, is found to be wrong."""


# --- the programs ---------------------------------------------------------------------------------------------


def cases(kind: str, count: int) -> Iterator[Program]:
    """Generate ``count`` programs, the same in every process; the wrong operations in planted ones are registered."""
    drawn: list[Program] = []
    enough = 50 * count
    rng = random.Random(f"{kind} {count}")

    @seed(2026)
    @settings(
        max_examples=enough,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(programs(near_kinks=kind == "near kinks"))
    def draw(program: Program) -> None:
        if len(drawn) == count:
            raise StopDrawingError
        if kind == "planted":
            wrong = _planted(program, rng)
            if wrong is not None:
                drawn.append(wrong)
        elif any(x != 0.0 for x in gradient(program)(program.inputs)):
            drawn.append(program)

    with suppress(StopDrawingError):
        draw()
    yield from drawn


class StopDrawingError(Exception):
    """There are programs enough."""


def gradient(program: Program) -> Callable[[Sequence[float]], list[float]]:
    """Return the function that computes the gradient of ``program`` with this engine."""

    def found(inputs: Sequence[float]) -> list[float]:
        leaves = [mg.Value(float(x)) for x in inputs]
        out = program(*leaves)
        if isinstance(out, mg.Value):
            out.backward()
        return [leaf.grad for leaf in leaves]

    return found


def _planted(program: Program, rng: random.Random) -> Program | None:
    """Return ``program`` with an error in one operation; ``None`` where it does not reach the gradient."""
    if not program.instructions:
        return None
    k = rng.randrange(len(program.instructions))
    name, *operands = program.instructions[k]
    instructions = list(program.instructions)
    instructions[k] = (_wrong(name), *operands)
    wrong = Program(program.inputs, tuple(instructions))
    right, found = gradient(program)(program.inputs), gradient(wrong)(program.inputs)
    moved = any(abs(a - b) > 1e-6 * max(map(abs, right)) for a, b in zip(right, found))
    return wrong if moved else None


def _wrong(name: str) -> str:
    """Register the operation with derivatives that are too large, and return what it is called."""
    row, wrong = mg.operations()[name], f"wrong_{name}"
    if wrong in mg.operations():
        return wrong
    vjp: Any
    if isinstance(row.vjp, tuple):
        vjp = tuple(lambda g, out, *xs, rule=rule: rule(g, out, *xs) * FACTOR for rule in row.vjp)
    else:
        vjp = lambda g, out, *xs: [share * FACTOR for share in row.contributions(g, out, xs)]
    mg.op(
        wrong,
        forward=row.forward,
        vjp=vjp,
        domain=[str(domain) for domain in row.domain],
        kinks=row.kinks,
        accuracy=row.accuracy,
        reference=row.reference,
    )
    return wrong


@contextmanager
def _table_as_it_was() -> Iterator[None]:
    names = set(table.operations())
    try:
        yield
    finally:
        for name in set(table.operations()) - names:
            table.forget(name)


# --- one judge, in a process of its own -----------------------------------------------------------------------


def prepare(engine: Any, setting: str, size: int) -> Callable[[], dict[str, Any]]:
    """Return the function that judges one kind of programs and counts the accusations."""
    judge: Judge = engine.judge

    def run() -> dict[str, Any]:
        with _table_as_it_was():
            drawn = list(cases(setting, size))
            accused = [judge(program, gradient(program)) for program in drawn]
        return {"asked": len(drawn), "accused": sum(accused)}

    return run


# --- the comparison, in the parent ----------------------------------------------------------------------------


def run(session: Session) -> Report:
    """Ask every judge that is installed; raises ``WorkerError`` where ours fails."""
    keys = [peer.key for peer in session.engines if peer.key in JUDGES]
    judges: list[Peer] = [peer for peer in ENGINES if peer.key in keys]
    rows: list[tuple[Cell, ...]] = []
    missing, problems, results = [], [], []
    with session.progress(len(judges) * len(KINDS)) as advance:
        for peer in judges:
            found: dict[str, dict[str, Any]] = {}
            version = ""
            for kind in KINDS:
                try:
                    with Worker("t2", f"forms.{peer.key}", kind, session.size) as worker:
                        version = worker.version
                        found[kind] = worker.run()
                except NotInstalledError as error:
                    missing.append(f"not installed: {peer.title} ({error}); get it with: {peer.install}")
                    break
                except WorkerError as error:
                    problems.append(f"{peer.title}: {error}")
                    break
                advance(f"{JUDGES[peer.key]}, {kind}: {found[kind]['accused']} of {found[kind]['asked']} accused")
            if len(found) == len(KINDS):
                rows.append((JUDGES[peer.key], *[f"{f['accused']} of {f['asked']}" for f in found.values()]))
                results.append({"judge": peer.key, "version": version, **found})
                if peer.key == "ours" and (found["ordinary"]["accused"] or found["near kinks"]["accused"]):
                    problems.append("ours raised a false alarm")
    return Report(
        name="t2",
        title=f"T2: {SUMMARY.replace('SIZE', format(session.size, ','))}",
        columns=("judge", "false alarms, ordinary", "false alarms, near kinks", "planted errors found"),
        rows=rows,
        notes=[
            "every judge with its own defaults; the gradients are this engine's, the planted errors reach them",
            *missing,
        ],
        problems=problems,
        data={"size": session.size, "results": results},
    )
