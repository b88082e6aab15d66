"""Holds the models of the notebooks to their goals, on real data: digits that are read, names that are learned.

The settings are those of ``notebooks/5_digits.ipynb`` and ``notebooks/6_a_gpt_made_of_scalars.ipynb``. How long it
takes is told there and in the benchmarks: nothing here looks at the clock.
"""

from __future__ import annotations

import random
from importlib.resources import files
from string import ascii_lowercase
from typing import Any

import pytest

import micrograd as mg
from micrograd import nn, optim

np = pytest.importorskip("numpy", reason="compiling needs pip install '.[compile]'")
pytest.importorskip("llvmlite", reason="compiling needs pip install '.[compile]'")

pytestmark = pytest.mark.slow

END = 26


def test_digits_that_were_held_out_are_read() -> None:
    datasets = pytest.importorskip("sklearn.datasets", reason="the digits need pip install '.[notebooks]'")
    selection = pytest.importorskip("sklearn.model_selection", reason="the digits need pip install '.[notebooks]'")
    digits = datasets.load_digits()
    train_x, test_x, train_y, test_y = selection.train_test_split(
        digits.data / 16.0, digits.target, test_size=0.25, random_state=0, stratify=digits.target
    )
    model = nn.MLP(64, [64, 10], activation="gelu", init="he", fused=True, rng=random.Random(0))

    def loss(x: Any, y: Any) -> Any:
        return nn.cross_entropy(model(x), y)

    nn.fit(
        model,
        (train_x, train_y),
        loss,
        optim.Adam(model.parameters(), lr=0.01),
        epochs=20,
        batch_size=32,
        schedule=optim.CosineRate(20 * -(-len(train_x) // 32)),
        step=mg.compile(loss, batched=("x", "y"), reduce="mean"),
        progress=False,
    )
    with mg.no_grad():
        answers = [np.argmax([output.data for output in model(x)]) for x in test_x]
    assert np.mean(answers == test_y) >= 0.97


@pytest.fixture(scope="module")
def documents() -> tuple[list[list[int]], list[list[int]]]:
    """Give the tokens of all names but a thousand, and of the thousand that are held out."""
    pytest.importorskip("names", reason="the names need pip install '.[notebooks]'")
    names: set[str] = set()
    for file in ("dist.all.last", "dist.female.first", "dist.male.first"):
        lines = (files("names") / file).read_text().splitlines()
        names.update(line.split()[0].lower() for line in lines if line)
    shuffled = sorted(names)
    random.Random(0).shuffle(shuffled)
    tokens = [[END, *map(ascii_lowercase.index, name), END] for name in shuffled]
    return tokens[:-1000], tokens[-1000:]


def bigram(learned: list[list[int]], held_out: list[list[int]]) -> float:
    """Return the mean loss of the held-out documents, by the pairs counted in the others."""
    counts = np.ones((27, 27))
    for tokens in learned:
        np.add.at(counts, (tokens[:-1], tokens[1:]), 1)
    surprise = -np.log(counts / counts.sum(axis=1, keepdims=True))
    return float(np.mean([surprise[tokens[:-1], tokens[1:]].mean() for tokens in held_out]))


def test_a_gpt_learns_the_same_compiled_and_eager(documents: Any) -> None:
    found = []
    for native in (True, False):
        model = nn.GPT(27, 16, rng=random.Random(0))
        history = nn.fit(
            model,
            documents[0][:200],
            mg.compile(model.loss) if native else model.loss,
            optim.Adam(model.parameters(), lr=0.01, betas=(0.9, 0.95)),
            epochs=1,
            batch_size=1,
            progress=False,
        )
        found.append(history)
    compiled, eager = found
    assert abs(compiled.losses[0] - eager.losses[0]) < 0.02  # what is asked for; and they are the same to rounding:
    assert compiled.batch_losses == pytest.approx(eager.batch_losses, rel=1e-6)
    assert eager.losses[0] < 3.0  # it did learn: knowing nothing costs log(27), which is 3.3


def test_a_gpt_that_read_5000_names_guesses_better_than_all_pairs_of_letters(documents: Any) -> None:
    learned, held_out = documents
    model = nn.GPT(27, 16, rng=random.Random(0))
    loss = mg.compile(model.loss)
    history = nn.fit(
        model,
        learned[:5000],
        loss,
        optim.Adam(model.parameters(), lr=0.02, betas=(0.9, 0.95)),
        epochs=1,
        batch_size=5,
        schedule=optim.CosineRate(1000, warmup=50),
        progress=False,
    )
    to_beat = bigram(learned, held_out)
    assert 2.5 < to_beat < 2.65
    assert np.mean([loss(tokens) for tokens in held_out]) < to_beat - 0.05
    assert np.mean(history.batch_losses[-200:]) < to_beat - 0.05
