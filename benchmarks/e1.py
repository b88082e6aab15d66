"""E1: one training step of a small network, scalar by scalar: build the loss, differentiate it, drop it.

An MLP ``[2, 16, 16, 1]`` with relu on two-moons samples, hinge loss plus L2; about 65,000 nodes for 100 samples. The
model below is the same for every engine. Loss and all 337 gradients must agree with ours to 1e-9, in every step.
"""

from __future__ import annotations

import gc
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from itertools import pairwise
from typing import Any

from benchmarks import control
from benchmarks.clock import clock
from benchmarks.engine import Engine
from benchmarks.peers import Peer
from benchmarks.processes import Worker, WorkerError
from benchmarks.report import Cell, Report, milliseconds, ratio
from benchmarks.rounds import Rounds, Session, attempt, enlist, play, runs

__all__ = [
    "LAYERS",
    "REPEAT",
    "SIZES",
    "SUMMARY",
    "disagreement",
    "initial_parameters",
    "network",
    "prepare",
    "run",
    "score",
    "two_moons",
]

SUMMARY = "one training step of an MLP [2, 16, 16, 1], scalar by scalar, for SIZE two-moons samples"
SIZES = (100,)
REPEAT = 15

LAYERS = (2, 16, 16, 1)
_ALPHA = 1e-4  # of the L2 term
_TOLERANCE = 1e-9
_WARM_UP = 2

Neuron = tuple[Sequence[Any], Any]  # weights and bias
Network = Sequence[Sequence[Neuron]]


# --- the workload, in the engine's own process ---------------------------------------------------------------


def two_moons(samples: int, seed: int = 1337, noise: float = 0.1) -> list[tuple[tuple[float, float], float]]:
    """Return points of two interleaving half circles, each with its class, 1.0 or -1.0."""
    rng = random.Random(seed)
    points = []
    for i in range(samples):
        angle = math.pi * rng.random()
        upper = i % 2 == 0
        x = math.cos(angle) if upper else 1.0 - math.cos(angle)
        y = math.sin(angle) if upper else 0.5 - math.sin(angle)
        points.append(((x + rng.gauss(0.0, noise), y + rng.gauss(0.0, noise)), 1.0 if upper else -1.0))
    return points


def initial_parameters() -> list[float]:
    """Return the network's parameters layer by layer, neuron by neuron: weights, then bias."""
    rng = random.Random(1)
    count = sum((inputs + 1) * outputs for inputs, outputs in pairwise(LAYERS))
    return [rng.uniform(-1.0, 1.0) for _ in range(count)]


def network(parameters: Sequence[Any]) -> Network:
    """Arrange parameters, in the order of ``initial_parameters``, in layers of neurons."""
    following = iter(parameters)
    return [
        [([next(following) for _ in range(inputs)], next(following)) for _ in range(outputs)]
        for inputs, outputs in pairwise(LAYERS)
    ]


def score(neurons: Network, x: Sequence[Any], relu: Callable[[Any], Any]) -> Any:
    """Return the output of a network, with relu in every layer but the last."""
    *hidden, last = neurons
    for layer in hidden:
        x = [relu(sum((w * v for w, v in zip(weights, x)), bias)) for weights, bias in layer]
    ((weights, bias),) = last
    return sum((w * v for w, v in zip(weights, x)), bias)


def _loss(engine: Engine, neurons: Network, parameters: Iterable[Any], data: Sequence[Any]) -> Any:
    relu, constant = engine.relu, engine.constant
    losses = [relu(1.0 + -y * score(neurons, [constant(v) for v in x], relu)) for x, y in data]
    return sum(losses) * (1.0 / len(losses)) + _ALPHA * sum(p * p for p in parameters)


def prepare(engine: Engine, setting: str, size: int) -> Callable[[], dict[str, Any]]:
    """Return a function that makes one step and returns its seconds, its loss and all gradients.

    The graph dies within the time that is taken. Where the setting is "paused", the collector rests during the step and
    cleans up between steps; else it is left alone, as in a user's training loop.
    """
    paused = setting == "paused"
    data = two_moons(size)
    numbers = initial_parameters()
    parameters = [engine.parameter(x) for x in numbers]
    neurons = network(parameters)

    def step() -> float:
        engine.begin(parameters)
        loss = _loss(engine, neurons, parameters, data)
        engine.backward(loss)
        return engine.number(loss)

    def run() -> dict[str, Any]:
        nonlocal parameters, neurons
        if engine.rebuilds:
            parameters, neurons = [], []
            engine.renew()
            parameters = [engine.parameter(x) for x in numbers]
            neurons = network(parameters)
        if paused:
            gc.collect()
        with engine.paused() if paused else nullcontext():
            start = clock()
            loss = step()
            seconds = clock() - start  # before the collector wakes up and finds what 0.1's cycles left behind
        return {"seconds": seconds, "loss": loss, "gradients": [engine.gradient(p) for p in parameters]}

    return run


# --- the comparison, in the parent ---------------------------------------------------------------------------


class _Trainer:
    """One engine, in a process that lives as long as the run, whose every step is compared with our first."""

    def __init__(self, peer: Peer, collector: str, size: int, reference: dict[str, Any]) -> None:
        self.peer, self.collector = peer, collector
        self.worker = Worker("e1", f"peers.{peer.key}", collector, size)
        self.outcome = ""
        self._reference = reference

    def run(self) -> float:
        result = self.worker.run()
        if not self._reference:
            self._reference.update(result)  # ours: it is the first to run
        if difference := disagreement(result, self._reference):
            raise WorkerError(f"its result is wrong, so it is not timed: {difference}")
        return float(result["seconds"])


def disagreement(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """Return where two results differ by more than 1e-9 relative, empty where they agree.

    A gradient whose terms cancel has no relative accuracy: an error of 1e-13 times the largest gradient is let pass.
    """
    if not math.isclose(theirs["loss"], ours["loss"], rel_tol=_TOLERANCE):
        return f"a loss of {theirs['loss']!r}, ours is {ours['loss']!r}"
    floor = 1e-13 * max(abs(g) for g in ours["gradients"])
    for i, (their, our) in enumerate(zip(theirs["gradients"], ours["gradients"], strict=True)):
        if not math.isclose(their, our, rel_tol=_TOLERANCE, abs_tol=floor):
            return f"{their!r} as gradient of parameter {i}, ours is {our!r}"
    return ""


def run(session: Session) -> Report:
    """Measure every engine with the collector paused and on; raises ``WorkerError`` where ours fails."""
    reference: dict[str, Any] = {}
    with ExitStack() as stack:
        control_run = stack.enter_context(control.started())

        def start(peer: Peer, collector: str) -> _Trainer:
            trainer = _Trainer(peer, collector, session.size, reference)
            stack.callback(trainer.worker.close)
            return trainer

        trainers, missing = enlist(session, start)
        with session.progress(_WARM_UP * len(trainers) + runs(session, trainers)) as advance:
            for _ in range(_WARM_UP):
                for trainer in trainers:
                    if not trainer.outcome:
                        attempt(trainer, advance, "warming up")
            rounds = play(session, trainers, control_run, advance)
    return _report(session, trainers, rounds, missing)


def _report(session: Session, trainers: Sequence[_Trainer], rounds: Rounds, missing: Sequence[str]) -> Report:
    rows: list[tuple[Cell, ...]] = []
    results = []
    for trainer in trainers:
        steps = rounds.seconds[trainer.peer.key, trainer.collector]
        if trainer.outcome or not steps:
            continue
        timing = rounds.timing(trainer)
        rows.append(
            (
                trainer.peer.title,
                trainer.collector,
                float(len(steps)),
                milliseconds(timing.minimum),
                milliseconds(timing.median),
                ratio(timing.of_minima),
                ratio(timing.paired),
            )
        )
        who = {"engine": trainer.peer.key, "version": trainer.worker.version, "collector": trainer.collector}
        results.append({**who, **vars(timing), "seconds": steps})
    steady, noisy = control.judge(rounds.control)
    agree = f"loss and all {len(initial_parameters())} gradients of every timed step agree to a relative {_TOLERANCE:g}"
    failed = [f"{t.peer.title}, collector {t.collector}: {t.outcome}" for t in trainers if t.outcome]
    return Report(
        name="e1",
        title=f"E1: {SUMMARY.replace('SIZE', str(session.size))}",
        columns=("engine", "collector", "steps", "min ms", "median ms", "x ours, min", "x ours, paired"),
        rows=rows,
        notes=[agree, *steady, *missing],
        problems=[*failed, *noisy],
        data={"size": session.size, "control": rounds.control, "results": results},
    )
