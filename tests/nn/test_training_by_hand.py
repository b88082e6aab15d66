"""Protects training written as a loop, as programs for micrograd 0.1 have it: step by step the numbers of plain Python,
of the example that made micrograd known, and losses that go to zero on a small batch.
"""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest

import micrograd as mg
from micrograd import nn

Weights = list[list[float]]


class Plain:
    """A network with one hidden layer of tanh and one output, with its derivatives by hand; no Values anywhere."""

    def __init__(self, nin: int, hidden: int, seed: int) -> None:
        rng = random.Random(seed)
        self.w = [[rng.uniform(-1, 1) for _ in range(nin)] for _ in range(hidden)]
        self.b = [0.0] * hidden
        self.v = [rng.uniform(-1, 1) for _ in range(hidden)]
        self.c = 0.0

    def step(self, xs: Weights, ys: list[float], rate: float) -> float:
        """Return the mean squared error, and take one step of gradient descent."""
        dw = [[0.0] * len(row) for row in self.w]
        db, dv, dc, loss = [0.0] * len(self.b), [0.0] * len(self.v), 0.0, 0.0
        for x, y in zip(xs, ys):
            h = [math.tanh(b + sum(w * s for w, s in zip(row, x))) for row, b in zip(self.w, self.b)]
            error = self.c + sum(v * a for v, a in zip(self.v, h)) - y
            loss += error * error / len(xs)
            g = 2 * error / len(xs)
            dc += g
            for k, a in enumerate(h):
                dv[k] += g * a
                slope = g * self.v[k] * (1 - a * a)
                db[k] += slope
                for i, s in enumerate(x):
                    dw[k][i] += slope * s
        self.w = [[w - rate * d for w, d in zip(row, row_d)] for row, row_d in zip(self.w, dw)]
        self.b = [b - rate * d for b, d in zip(self.b, db)]
        self.v = [v - rate * d for v, d in zip(self.v, dv)]
        self.c -= rate * dc
        return loss


@pytest.mark.parametrize("fused", [False, True])
def test_every_step_is_that_of_plain_python(fused: bool) -> None:
    rng = random.Random(4)
    xs = [[rng.gauss(0, 1), rng.gauss(0, 1), rng.gauss(0, 1)] for _ in range(8)]
    ys = [math.sin(x[0]) * x[1] for x in xs]
    model, plain = nn.MLP(3, [5, 1], activation="tanh", fused=fused, rng=random.Random(9)), Plain(3, 5, 9)
    for _ in range(25):
        loss = nn.mean_squared_error([model(x) for x in xs], ys)
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= 0.2 * p.grad
        assert loss.data == pytest.approx(plain.step(xs, ys, 0.2), rel=1e-11)
    numbers = [x for row, b in zip(plain.w, plain.b) for x in (*row, b)] + [*plain.v, plain.c]
    assert [p.data for p in model.parameters()] == pytest.approx(numbers, rel=1e-10)


# --- karpathy's two moons ---------------------------------------------------------------------------------------


def moons(samples: int = 100, noise: float = 0.1, seed: int = 1337) -> tuple[Any, Any]:
    """Return what ``sklearn.datasets.make_moons`` returns after ``numpy.random.seed(seed)``, with labels -1 and 1."""
    rng = np.random.RandomState(seed)
    t = np.linspace(0, np.pi, samples // 2)
    points = np.vstack([np.append(np.cos(t), 1 - np.cos(t)), np.append(np.sin(t), 0.5 - np.sin(t))]).T
    labels = np.repeat([-1.0, 1.0], samples // 2)
    order = np.arange(samples)
    rng.shuffle(order)
    return points[order] + rng.normal(scale=noise, size=points.shape), labels[order]


def accuracy(model: nn.MLP, points: Any, labels: Any) -> float:
    return float(np.mean([(model(x).data > 0) == (y > 0) for x, y in zip(points, labels)]))


def test_the_first_steps_of_the_demo_of_micrograd_01() -> None:
    """The losses are those that the notebook of micrograd 0.1 shows, to the last digits that rounding leaves alone."""
    from micrograd.engine import Value
    from micrograd.nn import MLP

    points, labels = moons()
    random.seed(1337)
    model = MLP(2, [16, 16, 1])
    published = [(0.8958441028683222, 0.50), (1.7235905336972022, 0.81)]
    for k, (expected, share) in enumerate(published):
        inputs = [list(map(Value, row)) for row in points]
        scores = list(map(model, inputs))
        losses = [(1 + -yi * scorei).relu() for yi, scorei in zip(labels, scores)]
        data_loss = sum(losses) * (1.0 / len(losses))
        total = data_loss + 1e-4 * sum(p * p for p in model.parameters())
        right = [(yi > 0) == (scorei.data > 0) for yi, scorei in zip(labels, scores)]
        assert total.data == pytest.approx(expected, rel=1e-13)
        assert sum(right) / len(right) == share
        model.zero_grad()
        total.backward()
        for p in model.parameters():
            p.data -= (1.0 - 0.9 * k / 100) * p.grad


def test_the_demo_of_micrograd_01_reaches_its_100_percent_compiled() -> None:
    pytest.importorskip("llvmlite")
    points, labels = moons()
    random.seed(1337)
    model = nn.MLP(2, [16, 16, 1])
    loss = mg.compile(lambda x, y: nn.hinge(model(x), y), batched=("x", "y"), reduce="mean")
    parameters, losses = model.parameters(), []
    for k in range(100):
        model.zero_grad()
        losses.append(loss.backward(points, labels) + 1e-4 * sum(p.data**2 for p in parameters))
        for p in parameters:
            p.data -= (1.0 - 0.9 * k / 100) * (p.grad + 2e-4 * p.data)
    assert losses[:2] == pytest.approx([0.8958441028683222, 1.7235905336972022], rel=1e-13)
    assert losses[-1] < 0.02
    assert accuracy(model, points, labels) == 1.0


# --- a small batch, by heart ------------------------------------------------------------------------------------

XS = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
XOR: dict[str, tuple[Any, int, list[Any], float]] = {
    "mean_squared_error": (nn.mean_squared_error, 1, [0.0, 1.0, 1.0, 0.0], 1e-6),
    "hinge": (nn.hinge, 1, [-1, 1, 1, -1], 0.0),
    "cross_entropy": (nn.cross_entropy, 2, [0, 1, 1, 0], 0.01),
    "binary_cross_entropy": (nn.binary_cross_entropy, 1, [0, 1, 1, 0], 0.01),
}


@pytest.mark.parametrize("name", XOR)
def test_a_small_batch_is_learned_by_heart(name: str) -> None:
    loss, nout, labels, enough = XOR[name]
    model = nn.MLP(2, [8, nout], activation="tanh", fused=True, rng=random.Random(1))
    value = math.inf
    for _ in range(1500):
        total = loss([model(x) for x in XS], labels)
        value = total.data
        if value <= enough:
            break
        model.zero_grad()
        total.backward()
        for p in model.parameters():
            p.data -= 0.3 * p.grad
    assert value <= enough
