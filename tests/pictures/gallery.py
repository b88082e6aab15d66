"""The gallery: pictures that stand in the README and the notebooks' folder, and that were looked at by eye.

``python tests/pictures/gallery.py`` draws them anew.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import micrograd as mg
from micrograd.nn import MLP
from micrograd.pictures import Drawing

__all__ = ["FOLDER", "GALLERY"]

FOLDER = Path(__file__).parents[2] / "notebooks" / "pictures"


def neuron() -> Drawing:
    """Draw one neuron after its backward pass."""
    w, x, b = mg.Value(0.5, label="w"), mg.Value(2.0, label="x"), mg.Value(-0.75, label="b")
    y = mg.tanh(w * x + b)
    y.label = "y"
    y.backward()
    return mg.draw(y)


def bias() -> Drawing:
    """Draw one bias that four samples share."""
    b = mg.Value(0.1, label="b")
    losses = []
    for k, (z, y) in enumerate([(0.4, 0.0), (-0.8, -0.5), (1.6, 1.2), (0.3, 0.9)]):
        with mg.scope(f"sample {k}"):
            losses.append((z + b - y) ** 2)
    loss = mg.sum(losses)
    loss.label = "loss"
    loss.backward()
    return mg.draw(loss, title="one bias, four samples: the gradient of b is the sum over its four edges")


def _network(samples: int, layers: list[int]) -> mg.Value:
    rng = random.Random(7)
    model = MLP(2, layers, rng=rng)
    losses = [(1.0 - model([rng.uniform(-1, 1), rng.uniform(-1, 1)])).relu() for _ in range(samples)]
    loss: mg.Value = mg.mean(losses)
    loss.label = "loss"
    loss.backward()
    return loss


def network() -> Drawing:
    """Draw a network with two hidden neurons, its scopes open."""
    return mg.draw(_network(1, [2, 1]))


def network_collapsed() -> Drawing:
    """Draw a larger network, a box for each neuron."""
    return mg.draw(_network(1, [4, 3, 1]), depth=1)


def network_dark() -> Drawing:
    """Draw the larger network on a dark page."""
    return mg.draw(_network(1, [4, 3, 1]), depth=1, theme="dark")


def ten_thousand() -> Drawing:
    """Draw 10,000 nodes: a batch through a network, in a picture that simplifies itself."""
    return mg.draw(_network(15, [16, 16, 1]))


GALLERY: dict[str, Callable[[], Drawing]] = {
    "neuron": neuron,
    "bias": bias,
    "network": network,
    "network_collapsed": network_collapsed,
    "network_dark": network_dark,
    "ten_thousand": ten_thousand,
}

if __name__ == "__main__":
    for name, draw in GALLERY.items():
        print(draw().save(FOLDER / f"{name}.svg"))
