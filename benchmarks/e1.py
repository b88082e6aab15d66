"""E1: one training step of a small network, scalar by scalar: build the loss, differentiate it, drop it.

An MLP ``[2, 16, 16, 1]`` with relu on two-moons samples, hinge loss plus L2; about 65,000 nodes for 100 samples. The
model below is the same for every engine. Loss and all 337 gradients must agree with ours to 1e-9, in every step.
"""

from __future__ import annotations

import gc
import math
import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, nullcontext
from time import perf_counter
from typing import Any

from benchmarks import control
from benchmarks.engine import Engine
from benchmarks.peers import OURS, Peer
from benchmarks.processes import COLLECTOR, NotInstalledError, Worker, WorkerError
from benchmarks.report import Report, Table, milliseconds, ratio
from benchmarks.rounds import Session, Timing, alternate, compare, missing_note

__all__ = ["REPEAT", "SIZE", "SUMMARY", "disagreement", "prepare", "run", "two_moons"]

SUMMARY = "one training step of an MLP [2, 16, 16, 1], scalar by scalar, for SIZE two-moons samples"
SIZE = 100
REPEAT = 15

_LAYERS = (2, 16, 16, 1)
_ALPHA = 1e-4  # of the L2 term
_TOLERANCE = 1e-9
_WARM_UP = 2
_CONTROL_SIZE = 400_000

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


def _initial_parameters() -> list[float]:
    rng = random.Random(1)
    count = sum((inputs + 1) * outputs for inputs, outputs in zip(_LAYERS, _LAYERS[1:]))
    return [rng.uniform(-1.0, 1.0) for _ in range(count)]


def _network(parameters: Sequence[Any]) -> Network:
    following = iter(parameters)
    return [
        [([next(following) for _ in range(inputs)], next(following)) for _ in range(outputs)]
        for inputs, outputs in zip(_LAYERS, _LAYERS[1:])
    ]


def _score(network: Network, x: Sequence[Any], relu: Callable[[Any], Any]) -> Any:
    *hidden, last = network
    for layer in hidden:
        x = [relu(sum((w * v for w, v in zip(weights, x)), bias)) for weights, bias in layer]
    ((weights, bias),) = last
    return sum((w * v for w, v in zip(weights, x)), bias)


def _loss(engine: Engine, network: Network, parameters: Iterable[Any], data: Sequence[Any]) -> Any:
    relu, constant = engine.relu, engine.constant
    losses = [relu(1.0 + -y * _score(network, [constant(v) for v in x], relu)) for x, y in data]
    return sum(losses) * (1.0 / len(losses)) + _ALPHA * sum(p * p for p in parameters)


def prepare(engine: Engine, paused: bool, size: int) -> Callable[[], dict[str, Any]]:
    """Return a function that makes one step and returns its seconds, its loss and all gradients.

    The graph dies within the time that is taken. With ``paused``, the collector rests during the step and cleans up
    between steps; else it is left alone, as in a user's training loop.
    """
    data = two_moons(size)
    numbers = _initial_parameters()
    parameters = [engine.parameter(x) for x in numbers]
    network = _network(parameters)

    def step() -> float:
        engine.begin(parameters)
        loss = _loss(engine, network, parameters, data)
        engine.backward(loss)
        return engine.number(loss)

    def run() -> dict[str, Any]:
        nonlocal parameters, network
        if engine.rebuilds:
            parameters, network = [], []
            engine.renew()
            parameters = [engine.parameter(x) for x in numbers]
            network = _network(parameters)
        if paused:
            gc.collect()
        start = perf_counter()
        with engine.paused() if paused else nullcontext():
            loss = step()
        seconds = perf_counter() - start
        return {"seconds": seconds, "loss": loss, "gradients": [engine.gradient(p) for p in parameters]}

    return run


# --- the comparison, in the parent ---------------------------------------------------------------------------


def disagreement(theirs: dict[str, Any], ours: dict[str, Any]) -> str:
    """Return where two results differ by more than 1e-9 relative, empty where they agree.

    A gradient that is a sum of cancelling terms has no relative accuracy: an absolute error of 1e-13 times the largest
    gradient is let pass.
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
    missing: dict[str, str] = {}
    problems: list[str] = []
    workers: dict[tuple[Peer, str], Worker] = {}
    reference: dict[str, Any] = {}

    def one_step(key: tuple[Peer, str]) -> float | None:
        peer, collector = key
        try:
            result = workers[key].run()
        except WorkerError as error:
            if peer is OURS:
                raise
            problems.append(f"{peer.title}, collector {collector}: {error}")
            return None
        reference.update(result if not reference else {})
        if difference := disagreement(result, reference):
            problems.append(f"{peer.title}, collector {collector}, is not timed, its result is wrong: {difference}")
            return None
        return float(result["seconds"])

    with ExitStack() as stack:
        steady = stack.enter_context(Worker("control", "", "on", _CONTROL_SIZE))
        for collector in COLLECTOR:
            for peer in session.engines:
                try:
                    workers[peer, collector] = stack.enter_context(Worker("e1", peer.key, collector, session.size))
                except NotInstalledError as error:
                    missing[peer.key] = str(error)
                except WorkerError as error:
                    problems.append(str(error))
        session.start((session.repeat + _WARM_UP) * len(workers))
        ready = dict.fromkeys(workers, True)
        for _ in range(_WARM_UP):
            for key in [key for key in workers if ready[key]]:
                session.tick(f"warming up, comparing gradients: {key[0].title}, collector {key[1]}")
                ready[key] = one_step(key) is not None
        pace: list[float] = []

        def tick(key: tuple[Peer, str], number: int) -> None:
            if len(pace) == number:  # the control opens every round
                pace.append(float(steady.run()["seconds"]))
            session.tick(f"round {number + 1} of {session.repeat}: {key[0].title}, collector {key[1]}")

        seconds = alternate(
            {key: lambda key=key: one_step(key) for key in workers if ready[key]},  # type: ignore[misc]
            session.repeat,
            lambda key: key[0].every,
            tick,
        )
    return _report(session, seconds, pace, problems, missing_note(missing))


def _report(
    session: Session,
    seconds: dict[tuple[Peer, str], dict[int, float]],
    pace: list[float],
    problems: list[str],
    missing: list[str],
) -> Report:
    is_steady, verdict = control.judge(pace)
    rows, results = [], []
    for (peer, collector), times in seconds.items():
        if times:
            timing: Timing = compare(times, seconds[OURS, collector])
            rows.append(
                (
                    peer.title,
                    collector,
                    str(len(times)),
                    milliseconds(timing.minimum),
                    milliseconds(timing.median),
                    ratio(timing.of_minima),
                    ratio(timing.paired),
                )
            )
            results.append({"engine": peer.key, "collector": collector, "seconds": times, **vars(timing)})
    agree = f"the loss and all {len(_initial_parameters())} gradients of every step agree to {_TOLERANCE:g}"
    return Report(
        name="e1",
        title=f"E1: {SUMMARY.replace('SIZE', str(session.size))}",
        table=Table(
            ("engine", "collector", "steps", "minimum", "median", "times ours, minima", "times ours, paired"), rows
        ),
        notes=[agree, *([verdict] if is_steady else []), *missing],
        problems=[*problems, *([] if is_steady else [verdict])],
        data={"size": session.size, "control": pace, "results": results},
    )
