"""Fisher's irises: 150 flowers, read from ``micrograd/data/iris.csv`` (its README cites the source).

>>> flowers = load()
>>> len(flowers), flowers[0]
(150, Flower(number=1, measurements=(5.1, 3.5, 1.4, 0.2), species='setosa'))
"""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from importlib import resources
from statistics import fmean, pstdev
from typing import NamedTuple

__all__ = ["SPECIES", "Flower", "load", "split", "standardised"]

SPECIES = ("setosa", "versicolor", "virginica")


class Flower(NamedTuple):
    """One flower: its place in the data set, from 1; four measurements; its species."""

    number: int
    measurements: tuple[float, ...]
    species: str

    @property
    def label(self) -> int:
        """The index of the species."""
        return SPECIES.index(self.species)


def load() -> list[Flower]:
    """Return the 150 flowers in the order of the data set, measurements in centimetres."""
    text = resources.files("micrograd").joinpath("data", "iris.csv").read_text(encoding="utf-8")
    _header, *rows = csv.reader(text.splitlines())
    return [Flower(i, tuple(map(float, row[:-1])), row[-1]) for i, row in enumerate(rows, start=1)]


def split(flowers: Sequence[Flower], rng: random.Random, held_out: int = 10) -> tuple[list[Flower], list[Flower]]:
    """Return the flowers to learn from and those held out, of every species ``held_out`` at random, both shuffled.

    >>> training, test = split(load(), random.Random(0))
    >>> len(training), len(test)
    (120, 30)
    """
    training, rest = [], []
    for species in SPECIES:
        group = [flower for flower in flowers if flower.species == species]
        rng.shuffle(group)
        rest += group[:held_out]
        training += group[held_out:]
    rng.shuffle(training)
    rng.shuffle(rest)
    return training, rest


def standardised(flowers: Sequence[Flower], like: Sequence[Flower]) -> list[Flower]:
    """Return ``flowers`` with each measurement shifted and scaled so that it has mean 0 and deviation 1 over ``like``.

    ``like`` are the flowers to learn from, for the held-out ones too: their statistics must not leak into training.
    """
    columns = list(zip(*(flower.measurements for flower in like)))
    means, deviations = [fmean(c) for c in columns], [pstdev(c) for c in columns]
    return [
        flower._replace(measurements=tuple((x - m) / s for x, m, s in zip(flower.measurements, means, deviations)))
        for flower in flowers
    ]
