"""Protects threads that build and differentiate graphs at the same time: each gets the bits that it would get alone,
also where parameters are shared and read through functional derivatives.
"""

from __future__ import annotations

import pickle
import random
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from support import same

import micrograd as mg
from micrograd import Value

THREADS = 8


@pytest.fixture(autouse=True)
def _switch_often() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


STEPS: list[Callable[[Any, Any, Any], Any]] = [
    lambda a, b, c: a + b,
    lambda a, b, c: a * b * 0.5,
    lambda a, b, c: mg.tanh(a - c),
    lambda a, b, c: mg.sum([a, b, c, 0.1]),
    lambda a, b, c: mg.where(mg.gt(a, b), a, c),
    lambda a, b, c: mg.sin(a) / 2,
]


def random_graph(seed: int, parameters: list[Value]) -> Any:
    rng = random.Random(seed)
    pool: list[Any] = [*parameters, 0.5]
    for _ in range(150):
        operands = [rng.choice(pool[-20:]) for _ in range(3)]
        pool.append(rng.choice(STEPS)(*operands))
    return mg.tanh(mg.mean([x for x in pool if isinstance(x, Value)]))


def new_parameters() -> list[Value]:
    rng = random.Random(5)
    return [Value(rng.uniform(-1.0, 1.0)) for _ in range(5)]


def at_once(work: Callable[[int], Any]) -> list[Any]:
    start = Barrier(THREADS)

    def run(seed: int) -> list[Any]:
        start.wait(30)
        return [work(seed) for _ in range(4)]

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def one_after_the_other(work: Callable[[int], Any]) -> list[Any]:
    return [[work(seed) for _ in range(4)] for seed in range(THREADS)]


def separate(seed: int) -> list[float]:
    parameters = new_parameters()
    root = random_graph(seed, parameters)
    root.backward()
    return [root.data, *[p.grad for p in parameters]]


def separate_second_order(seed: int) -> list[float]:
    parameters = new_parameters()[:2]
    root = mg.tanh(parameters[0] * parameters[1] + seed) * parameters[0]
    root.backward(create_graph=True)
    slope = parameters[0].grad
    parameters[0].grad = parameters[1].grad = 0.0
    slope.backward()
    return [slope.data, *[p.grad for p in parameters]]


def with_modes(seed: int) -> list[Any]:
    parameters = new_parameters()
    with mg.scope(f"thread{seed}"), mg.detect_anomaly():
        root = random_graph(seed, parameters)
        root.backward()
        with mg.no_grad():
            cut = root * 2
    assert cut.parents == ()
    return [root.scope, root.data, *[p.grad for p in parameters]]


def copied(seed: int) -> list[float]:
    parameters = new_parameters()
    root = random_graph(seed, parameters)
    parameters, root = pickle.loads(pickle.dumps((parameters, root)))
    root.backward()
    return [root.data, *[p.grad for p in parameters]]


@pytest.mark.parametrize("work", [separate, separate_second_order, with_modes, copied])
def test_separate_graphs(work: Callable[[int], Any]) -> None:
    assert same(at_once(work), one_after_the_other(work))


def test_parameters_shared_through_functional_derivatives() -> None:
    parameters = new_parameters()

    def work(seed: int) -> Any:
        # The parameters are captured, and constants; the leaves that are differentiated belong to the call.
        own = mg.grad(lambda x: random_graph(seed, [*parameters, x]))(0.25)
        second = mg.grad(mg.grad(lambda x: mg.tanh(x * parameters[0] + parameters[1] * x * x)))(0.5 + seed)
        return own, second

    assert same(at_once(work), one_after_the_other(work))
    assert [p.grad for p in parameters] == [0.0] * 5


def test_parameters_shared_by_reading() -> None:
    parameters = new_parameters()

    def work(seed: int) -> Any:
        return mg.value_and_grad(lambda ps: random_graph(seed, list(ps)))([p.data for p in parameters])

    assert same(at_once(work), one_after_the_other(work))


def test_backward_in_another_thread_than_the_forward_pass() -> None:
    parameters = new_parameters()
    root = random_graph(1, parameters)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(root.backward).result()
    assert same([root.data, *[p.grad for p in parameters]], separate(1))
