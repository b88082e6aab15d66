"""C5: how long it takes from a Python function to its first value and gradient, per node of the graph, as graphs grow.

Two kinds of graphs: those of C1 and C2, and unrolled ones, which are straight lines of ``+ - * /``, ``exp``, ``tanh``
and ``sin`` on scalars with shared operands, without any array that a compiler could keep rolled up. Every measurement
has a new process. A peer that takes longer than ``PATIENCE`` is stopped, and not asked for a larger graph.
"""

from __future__ import annotations

import math
import operator
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks import c1, c2, control
from benchmarks.compiled import Entry, disagreement, last_line
from benchmarks.e1 import network, score
from benchmarks.gpt import document, operations
from benchmarks.peers import OURS, Peer
from benchmarks.peers.microgpt import Value
from benchmarks.processes import NotInstalledError, Worker, WorkerError
from benchmarks.report import Cell, Report, ratio, significant
from benchmarks.rounds import Session

__all__ = ["PATIENCE", "REPEAT", "SIZES", "SUMMARY", "execute", "problem", "run"]

SUMMARY = "time from a function to its first value and gradient: C1, C2, and unrolled graphs of SIZE nodes"
SIZES = (1_000, 10_000, 100_000, 1_000_000)
REPEAT = 3

PATIENCE = 60.0
"""Seconds after which a peer is stopped, and ours is not asked a second time."""

_INPUTS = 16
_LIVE = 64  # values that wait for their use, so that no node of a program is dead
_RECENT = 1000  # how far back a shared operand lies, at most
_BATCH, _DOCUMENTS = 100, 8  # of C1 and C2

_UNROLLED = (
    Entry("ours", "c5", "micrograd (ours)"),
    Entry("jax", "c5", "JAX jit"),
    Entry("casadi", "c5", "CasADi SX"),
)


# --- the workload, in the engine's own process ---------------------------------------------------------------

Step = tuple[str, int, int]
"""An operation and the numbers of its operands; a function has one, and -1 for the other."""

_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {"exp": math.exp, "tanh": math.tanh, "sin": math.sin}


def execute(program: Sequence[Step], inputs: Sequence[Any], functions: Mapping[str, Callable[[Any], Any]]) -> Any:
    """Run a program on any kind of numbers, and return its last value."""
    values = list(inputs)
    for name, a, b in program:
        values.append(_OPERATORS[name](values[a], values[b]) if b >= 0 else functions[name](values[a]))
    return values[-1]


def problem(size: int) -> dict[str, Any]:
    """Return inputs, and a random program of ``size`` steps: every value is used, and small."""
    rng = random.Random(1)
    values = [rng.uniform(-2.0, 2.0) for _ in range(_INPUTS)]
    inputs, live, program = list(values), list(range(_INPUTS)), []
    choices = [*_OPERATORS, *_OPERATORS, *_FUNCTIONS]

    def step(name: str, a: int, b: int = -1) -> None:
        values.append(_OPERATORS[name](values[a], values[b]) if b >= 0 else _FUNCTIONS[name](values[a]))
        program.append((name, a, b))

    while len(program) + len(live) - 1 < size:
        name = choices[rng.randrange(len(choices))]
        place = rng.randrange(len(live))
        a, b = live[place], _shared(rng, len(values))
        if name in _OPERATORS and _harmless(name, values[a], values[b]):
            step(name, a, b)
        elif name == "tanh" or (name == "exp" and values[a] < 1.0):
            step(name, a)
        else:
            step("sin", a)
        if len(live) < _LIVE and len(program) + len(live) < size:
            live.append(len(values) - 1)
        else:
            live[place] = len(values) - 1
    total = live.pop()
    while live:
        step("+", total, live.pop())
        total = len(values) - 1
    return {"inputs": inputs, "program": tuple(program)}


def _shared(rng: random.Random, count: int) -> int:
    """Return an operand that others use too: an input, every second time, or one of the recent values."""
    return rng.randrange(_INPUTS) if rng.random() < 0.5 else rng.randrange(max(0, count - _RECENT), count)


def _harmless(name: str, a: float, b: float) -> bool:
    """Tell whether an operator keeps values small, and derivatives from growing with the length of a program."""
    if name == "*":
        return abs(a) <= 1.0 and abs(b) <= 1.0
    return abs(a) <= 1.0 <= abs(b) if name == "/" else abs(a) + abs(b) <= 2.0


# --- the comparison, in the parent ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _Graph:
    """A graph of a family, its number of nodes, the sizes of the problem, and who compiles it."""

    family: str
    label: str
    nodes: int
    sizes: tuple[int, ...]
    entries: Sequence[Entry]


def _graphs(session: Session) -> list[_Graph]:
    graphs = []
    if len(session.sizes) > 1:  # --size asks for one unrolled graph
        batched = (
            Entry("ours", "c1", "micrograd (ours)"),
            Entry("jax", "c1", "JAX jit"),
            Entry("torch", "c1 compile", "torch.compile"),
            Entry("casadi", "c1 gcc", "CasADi SX, gcc -O3 native"),
        )
        unrolled = (Entry("ours", "c1 unrolled", "micrograd (ours)"),)
        graphs += [
            _Graph("C1", "C1, batched", _nodes_of_c1(1), (_BATCH,), batched),
            _Graph("C1", f"C1, {_BATCH} samples unrolled", _nodes_of_c1(_BATCH), (_BATCH,), unrolled),
        ]
        for length in (8, 16):
            entries = (Entry("ours", "c2", "micrograd (ours)"), Entry("jax", "c2", "JAX jit, vmap"))
            nodes = _nodes_of_c2(length)
            graphs.append(_Graph("C2", f"C2, T={length}", nodes, (length, _DOCUMENTS), entries))
    for size in session.sizes:
        graphs.append(_Graph("unrolled", f"unrolled, {size:,}", max(size, _INPUTS - 1), (size,), _UNROLLED))
    return graphs


def _nodes_of_c1(samples: int) -> int:
    data = c1.problem(samples)
    net = network([Value(x) for x in data["parameters"]])
    losses = [(1.0 + -y * score(net, x, Value.relu)).relu() for x, y in zip(data["points"], data["classes"])]
    return operations(sum(losses[1:], losses[0]))


def _nodes_of_c2(length: int) -> int:
    data = c2.problem(length, 1)
    parameters = {name: [[Value(x) for x in row] for row in matrix] for name, matrix in data["parameters"].items()}
    ((tokens,),) = data["documents"].values()
    return operations(document(parameters, tokens))


@dataclass
class _Compilation:
    """One engine and one graph: seconds of every round, and where it is out, why."""

    graph: _Graph
    entry: Entry
    seconds: dict[int, float] = field(default_factory=dict)
    outcome: str = ""
    version: str = ""
    result: Sequence[float] = ()
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.graph.label}, {self.entry.title}"

    @property
    def too_slow(self) -> bool:
        return max(self.seconds.values(), default=0.0) > PATIENCE

    @property
    def per_node(self) -> float:
        """Microseconds per node, in the quickest round."""
        return min(self.seconds.values()) / self.graph.nodes * 1e6

    def per_node_since(self, smaller: _Compilation) -> float:
        """Microseconds per node that this graph has more than a smaller one."""
        more = min(self.seconds.values()) - min(smaller.seconds.values())
        return more / (self.graph.nodes - smaller.graph.nodes) * 1e6

    def run(self, number: int) -> None:
        """Compile and call once, in a new process; raises ``NotInstalledError``."""
        try:
            with Worker("turns", f"forms.{self.entry.engine}", self.entry.form, *self.graph.sizes) as worker:
                self.version = worker.version
                answer = worker.run(None if self.entry.peer is OURS else PATIENCE)
        except WorkerError as error:
            self.outcome = str(error)
            return
        self.result, self.about = answer["result"], answer["about"]
        self.seconds[number] = answer["seconds"]


def run(session: Session) -> Report:
    """Measure every engine on every graph, in as many rounds as asked for."""
    keys = [peer.key for peer in session.engines]
    compilations = [
        _Compilation(graph, entry) for graph in _graphs(session) for entry in graph.entries if entry.engine in keys
    ]
    missing: dict[Peer, str] = {}
    pace = []
    with control.started("wall") as control_run, session.progress(session.repeat * len(compilations)) as advance:
        for number in range(session.repeat):
            for i, compilation in enumerate(compilations):
                if compilation.entry.peer not in missing and _worth_it(compilation, compilations[:i]):
                    pace.append(control_run())
                    try:
                        compilation.run(number)
                    except NotInstalledError as error:
                        if compilation.entry.peer is OURS:
                            raise WorkerError(f"{OURS.title} cannot be imported: {error}") from error
                        missing[compilation.entry.peer] = str(error)
                    _check(compilation, compilations)
                advance(f"round {number + 1} of {session.repeat}: {compilation.name}")
    lines = [f"not installed: {peer.title} ({why}); get it with: {peer.install}" for peer, why in missing.items()]
    return _report(session, compilations, pace, lines)


def _worth_it(compilation: _Compilation, before: Sequence[_Compilation]) -> bool:
    """Tell whether to run: not after a failure or a long wait, for this graph or a smaller one of the family."""
    if compilation.outcome or compilation.too_slow:
        return False
    smaller = [c for c in before if c.graph.family == compilation.graph.family == "unrolled"]
    for other in smaller:
        if other.entry.engine == compilation.entry.engine and other.outcome:
            compilation.outcome = f"not tried, after {other.graph.label} failed"
            return False
    return True


def _check(compilation: _Compilation, compilations: Sequence[_Compilation]) -> None:
    """Take a compilation out whose result is not that of the first engine for the same graph."""
    first = next(c for c in compilations if c.graph is compilation.graph and (c.result or c is compilation))
    if compilation.result and (difference := disagreement(compilation.result, first.result)):
        compilation.outcome = f"its result is wrong: {difference}"


def _report(session: Session, compilations: Sequence[_Compilation], pace: list[float], missing: list[str]) -> Report:
    rows: list[tuple[Cell, ...]] = []
    results = []
    failed: list[str] = []
    skipped: list[str] = []
    for c in compilations:
        who = {"graph": c.graph.label, "nodes": c.graph.nodes, "engine": c.entry.engine, "form": c.entry.form}
        if c.outcome:
            (skipped if c.outcome.startswith("not tried") or "no result after" in c.outcome else failed).append(
                f"{c.name}: {last_line(c.outcome)}"
            )
            results.append({**who, "outcome": c.outcome})
        if c.outcome or not c.seconds:
            continue
        same = [o for o in compilations if o.graph.family == c.graph.family and o.entry.engine == c.entry.engine]
        timed = sorted((o for o in same if o.seconds and not o.outcome), key=lambda o: o.graph.nodes)
        before = timed[timed.index(c) - 1] if c is not timed[0] else None
        rows.append(
            (
                c.graph.label,
                c.entry.title,
                float(c.graph.nodes),
                significant(min(c.seconds.values())),
                significant(median(c.seconds.values())),
                significant(c.per_node),
                significant(c.per_node_since(before)) if before else "...",
                ratio(c.per_node / timed[0].per_node),
            )
        )
        results.append({**who, "version": c.version, "seconds": c.seconds, "about": c.about})
    steady, noisy = control.judge(pace) if pace else ([], [])
    sizes = " to ".join(f"{size:,}" for size in sorted({session.sizes[0], session.sizes[-1]}))
    return Report(
        name="c5",
        title=f"C5: {SUMMARY.replace('SIZE', sizes)}",
        columns=("graph", "engine", "nodes", "min s", "median s", "us/node", "us/node more", "x smallest"),
        rows=rows,
        notes=[
            "nodes: operations for one sample, as microgpt.py's Value has them; JAX and PyTorch see arrays there",
            "us/node more: time per node that the graph has more than the next smaller one of its kind",
            "x smallest: time per node, as a multiple of the same engine's for its smallest graph of the kind",
            *skipped,
            *steady,
            *missing,
        ],
        problems=[*failed, *noisy],
        data={"control": pace, "results": results},
    )
