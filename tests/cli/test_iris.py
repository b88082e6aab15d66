"""Protects the data of the demo: Fisher's figures, an honest split, statistics of the training flowers alone."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from statistics import fmean, pstdev

import pytest

import micrograd
from micrograd.cli.iris import SPECIES, Flower, load, split, standardised

FLOWERS = load()


def test_there_are_fifty_flowers_of_each_species() -> None:
    assert len(FLOWERS) == 150
    assert Counter(flower.species for flower in FLOWERS) == dict.fromkeys(SPECIES, 50)
    assert [flower.number for flower in FLOWERS] == list(range(1, 151))
    assert all(len(flower.measurements) == 4 and min(flower.measurements) > 0.0 for flower in FLOWERS)
    assert [flower.label for flower in FLOWERS] == [0] * 50 + [1] * 50 + [2] * 50


def test_means_are_those_of_the_literature() -> None:
    # Fisher's table 2 of 1936, in centimetres.
    expected = {
        "setosa": (5.006, 3.428, 1.462, 0.246),
        "versicolor": (5.936, 2.770, 4.260, 1.326),
        "virginica": (6.588, 2.974, 5.552, 2.026),
    }
    for species, means in expected.items():
        columns = zip(*(flower.measurements for flower in FLOWERS if flower.species == species))
        assert [round(fmean(column), 3) for column in columns] == list(means)


def test_the_two_flowers_that_other_copies_have_wrong() -> None:
    assert FLOWERS[34].measurements == (4.9, 3.1, 1.5, 0.2)
    assert FLOWERS[37].measurements == (4.9, 3.6, 1.4, 0.1)


def test_the_file_is_scikit_learns() -> None:
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn, whose copy is the reference, is missing")
    reference = datasets.load_iris()
    assert [list(flower.measurements) for flower in FLOWERS] == reference.data.tolist()
    assert [flower.label for flower in FLOWERS] == reference.target.tolist()
    assert list(SPECIES) == list(reference.target_names)


def test_the_source_is_cited_beside_the_file() -> None:
    text = Path(micrograd.__file__).with_name("data").joinpath("README.md").read_text(encoding="utf-8")
    for part in ("Fisher", "1936", "UCI", "CC BY 4.0", "scikit-learn"):
        assert part in text


def test_the_split_is_seeded_and_stratified_and_loses_no_flower() -> None:
    training, held_out = split(FLOWERS, random.Random(7))
    assert Counter(flower.species for flower in held_out) == dict.fromkeys(SPECIES, 10)
    assert sorted(training + held_out) == FLOWERS
    assert (training, held_out) == split(FLOWERS, random.Random(7))
    assert held_out != split(FLOWERS, random.Random(8))[1]


def test_the_training_flowers_are_standardised_and_the_others_with_their_statistics() -> None:
    training, held_out = split(FLOWERS, random.Random(0))
    scaled = standardised(training, training)
    for column in zip(*(flower.measurements for flower in scaled)):
        assert fmean(column) == pytest.approx(0.0, abs=1e-12)
        assert pstdev(column) == pytest.approx(1.0)
    assert [(flower.number, flower.species) for flower in scaled] == [(f.number, f.species) for f in training]
    two = [Flower(1, (1.0,), "setosa"), Flower(2, (3.0,), "setosa")]
    assert [f.measurements for f in standardised([Flower(3, (5.0,), "setosa")], two)] == [(3.0,)]
    assert len(standardised(held_out, training)) == 30
