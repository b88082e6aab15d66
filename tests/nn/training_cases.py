"""What the tests of training share: two moons, small networks, and ``fit`` with the loss of them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

from micrograd import nn, optim

Data = tuple[list[list[float]], list[float]]


def two_moons(samples: int, seed: int = 1337, noise: float = 0.1) -> Data:
    """Points of two interleaving half circles, and their classes, 1.0 and -1.0."""
    rng = random.Random(seed)
    points, labels = [], []
    for i in range(samples):
        angle, upper = math.pi * rng.random(), i % 2 == 0
        x = math.cos(angle) if upper else 1.0 - math.cos(angle)
        y = math.sin(angle) if upper else 0.5 - math.sin(angle)
        points.append([x + rng.gauss(0.0, noise), y + rng.gauss(0.0, noise)])
        labels.append(1.0 if upper else -1.0)
    return points, labels


def network(*sizes: int, seed: int = 0) -> nn.MLP:
    return nn.MLP(2, [*sizes, 1], rng=random.Random(seed))


def hinge(model: nn.MLP) -> Callable[[Any, Any], Any]:
    return lambda x, y: (1.0 - y * model(x)).relu()


def numbers(model: Any) -> list[float]:
    return [p.data for p in model.parameters()]


def accuracy(model: nn.MLP, data: Data) -> float:
    hits = [(model(x).data > 0.0) == (y > 0.0) for x, y in zip(*data)]
    return hits.count(True) / len(hits)


def fitted(model: nn.MLP, data: Any, optimiser: Any = None, **options: Any) -> nn.History:
    options = {"epochs": 3, "progress": False, **options}
    return nn.fit(model, data, hinge(model), optimiser or optim.SGD(model.parameters(), 0.1), **options)
