"""Protects checkpoints: a training that was killed, again and again, ends with the bits of one that was not; a damaged
file, another model's file and a folder that cannot be written change nothing.
"""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import ROOT, same
from training_cases import fitted, hinge, network, numbers, two_moons

import micrograd as mg
from micrograd import Value, nn, optim
from micrograd.errors import ModelFileError
from micrograd.nn.training_data import Samples

MAKERS: dict[str, Callable[[list[Value]], optim.Optimiser]] = {
    "sgd": lambda ps: optim.SGD(ps, 0.1),
    "momentum": lambda ps: optim.SGD(ps, 0.1, momentum=0.9, nesterov=True),
    "adam": lambda ps: optim.Adam(ps, 0.02),
    "adamw": lambda ps: optim.AdamW(ps, 0.02),
}
OPTIONS: dict[str, Any] = {"batch_size": 4, "seed": 7, "schedule": optim.CosineRate(60, warmup=5)}


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("validated", [False, True])
def test_a_resumed_training_has_the_bits_of_a_whole_one(kind: str, validated: bool, tmp_path: Path) -> None:
    data, file = two_moons(10), tmp_path / "training.json"
    options = {**OPTIONS, "validation": two_moons(5, seed=2)} if validated else OPTIONS
    whole = network(4)
    optimiser = MAKERS[kind](whole.parameters())
    expected = fitted(whole, data, optimiser, epochs=9, **options)
    for epochs in (2, 3, 7, 9):
        model = network(4, seed=epochs)  # other numbers: those of the file count
        other = MAKERS[kind](model.parameters())
        other.lr = 3.0
        history = fitted(model, data, other, epochs=epochs, checkpoint=file, **options) if epochs > 2 else None
        if history is None:
            model = network(4)
            history = fitted(model, data, MAKERS[kind](model.parameters()), epochs=2, checkpoint=file, **options)
    assert history is not None
    assert same(numbers(model), numbers(whole))
    assert same(other.state_dict(), optimiser.state_dict())
    assert history == expected
    assert (history.resumed_after, expected.resumed_after) == (7, 0)
    assert "resumed after epoch 7" in repr(history)
    assert len(history.seconds) == 9
    # and once more, where nothing is left to do
    before = file.read_bytes()
    model = network(4, seed=3)
    assert fitted(model, data, MAKERS[kind](model.parameters()), epochs=5, checkpoint=file, **options) == expected
    assert same(numbers(model), numbers(whole))
    assert file.read_bytes() == before


def test_an_early_stop_is_resumed_too(tmp_path: Path) -> None:
    data, file = two_moons(12, noise=0.6), tmp_path / "training.json"
    options: dict[str, Any] = {
        "batch_size": 4,
        "validation": two_moons(12, seed=2, noise=0.6),
        "patience": 5,
    }
    whole = network(8)
    expected = fitted(whole, data, optim.SGD(whole.parameters(), 0.3), epochs=300, **options)
    assert expected.stopped_early
    for epochs in (*range(1, expected.epochs, 3), 300, 300):
        model = network(8)
        optimiser = optim.SGD(model.parameters(), 0.3)
        history = fitted(model, data, optimiser, epochs=epochs, checkpoint=file, **options)
    assert history == expected
    assert same(numbers(model), numbers(whole))


def test_resume_false_begins_anew(tmp_path: Path) -> None:
    data, file = two_moons(6), tmp_path / "training.json"
    found = []
    for resume in (True, False):
        model = network(3)
        history = fitted(model, data, checkpoint=file, resume=resume)
        assert history.resumed_after == 0
        found.append(numbers(model))
    assert same(*found)


def test_the_first_checkpoint_holds_the_beginning(tmp_path: Path) -> None:
    file = tmp_path / "training.json"
    model = network(3)
    before = numbers(model)

    def fails(x: Any, y: Any) -> Any:
        if file.exists():
            raise RuntimeError("killed")
        return hinge(model)(x, y)

    with pytest.raises(RuntimeError, match="killed"):
        nn.fit(model, two_moons(6), fails, optim.SGD(model.parameters(), 0.1), epochs=3, checkpoint=file)
    twin = network(3, seed=9)
    history = fitted(twin, two_moons(6), checkpoint=file)
    assert history.resumed_after == 0
    model.zero_grad()
    assert numbers(model) == before
    fitted(model, two_moons(6))
    assert same(numbers(twin), numbers(model))


def test_a_checkpoint_is_plain_json_with_names(tmp_path: Path) -> None:
    file = tmp_path / "training.json"
    model = network(3)
    fitted(model, two_moons(6), checkpoint=file, batch_size=2)
    content = json.loads(file.read_text())
    assert content["parameters"] == dict(zip([name for name, _ in model.named_parameters()], numbers(model)))
    digest = Samples(two_moons(6)).digest
    assert content["run"] == {"samples": 6, "data": digest, "batch_size": 2, "seed": 0, "validation": None}
    assert content["optimiser"]["optimiser"] == "SGD"
    assert len(content["history"]["losses"]) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["training.json"]


def test_a_model_without_names_is_saved_by_position(tmp_path: Path) -> None:
    class Pair:
        def __init__(self) -> None:
            self.values = [Value(0.0), Value(1.0)]

        def parameters(self) -> list[Value]:
            return self.values

    file = tmp_path / "training.json"
    for epochs in (2, 4):
        pair = Pair()
        a, b = pair.values
        nn.fit(
            pair,
            [1.0, 2.0],
            lambda x, a=a, b=b: (a * x + b) ** 2,
            optim.SGD([a, b], 0.01),
            epochs=epochs,
            checkpoint=file,
            progress=False,
        )
    assert json.loads(file.read_text())["parameters"] == {"0": a.data, "1": b.data}


def test_numbers_that_overflowed_do_not_reach_the_checkpoint(tmp_path: Path) -> None:
    file = tmp_path / "training.json"
    w = Value(1.0)
    model = nn.Module()
    model.w = w  # type: ignore[attr-defined]
    with pytest.raises(mg.AnomalyError, match=r"epoch 1, after step 1: the parameter w is -inf \(is lr too large\?\)"):
        nn.fit(model, [1e200], lambda x: w * x, optim.SGD([w], 1e200), epochs=3, checkpoint=file, progress=False)
    assert json.loads(file.read_text())["parameters"] == {"w": 1.0}


def test_the_checkpoint_of_other_data_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "training.json"
    model, (points, labels) = network(2), two_moons(8)
    fitted(model, (points, labels), checkpoint=file)
    before = numbers(model)
    other = [[*points[0][:1], points[0][1] + 1e-9], *points[1:]]
    for wrong in ((other, labels), (points, [*labels[:-1], 1.0])):
        with pytest.raises(ModelFileError, match="it is of a training with other data"):
            fitted(model, wrong, checkpoint=file, epochs=4)
        assert numbers(model) == before
    fitted(model, [(tuple(x), int(y)) for x, y in zip(np.array(points), labels)], checkpoint=file, epochs=4)
    assert numbers(model) != before


def test_a_model_that_broke_down_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    file = tmp_path / "training.json"
    model, whole, data = network(3), network(3), two_moons(6)
    fitted(whole, data, epochs=5)
    fitted(model, data, epochs=2, checkpoint=file)
    model.parameters()[2].data = math.nan
    with pytest.raises(mg.AnomalyError, match=r"the parameter layers.0.neurons.0.b is nan, before the training"):
        fitted(model, data, epochs=5)
    history = fitted(model, data, epochs=5, checkpoint=file)
    assert history.resumed_after == 2
    assert numbers(model) == numbers(whole)


def test_a_checkpoint_whose_numbers_break_the_loss_is_named(tmp_path: Path) -> None:
    file = tmp_path / "training.json"
    w = Value(1.0)
    model = nn.Module()
    model.w = w  # type: ignore[attr-defined]

    def loss(x: float) -> Any:
        return (w * x) ** 2

    nn.fit(model, [1.0], loss, optim.SGD([w], 1e200), epochs=1, checkpoint=file, progress=False)
    w.data = 1.0
    with pytest.raises(mg.AnomalyError, match=r"sample 0 is inf, with the parameters in .*json; resume=False begins"):
        nn.fit(model, [1.0], loss, optim.SGD([w], 0.1), epochs=2, checkpoint=file, progress=False)
    assert w.data == 1.0


@pytest.mark.parametrize("lr", ["missing", None])
def test_an_optimiser_without_a_rate_resumes_to_an_equal_history(lr: Any, tmp_path: Path) -> None:
    class Own:
        def __init__(self, model: nn.MLP) -> None:
            self.parameters = model.parameters()
            if lr is None:
                self.lr = None

        def step(self) -> None:
            for p in self.parameters:
                p.data -= 0.1 * p.grad

        def state_dict(self) -> dict[str, Any]:
            return {}

        def load_state_dict(self, state: dict[str, Any]) -> None:
            assert state == {}

    file = tmp_path / "training.json"
    models = [network(2), network(2)]
    fitted(models[0], two_moons(6), Own(models[0]), epochs=2, checkpoint=file)
    resumed = fitted(models[0], two_moons(6), Own(models[0]), epochs=4, checkpoint=file)
    assert resumed == fitted(models[1], two_moons(6), Own(models[1]), epochs=4)
    assert numbers(models[0]) == numbers(models[1])


def test_a_checkpoint_that_is_tried_in_vain_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "training.json"
    model = network(3)
    fitted(model, two_moons(6), checkpoint=file)
    twin = network(3, seed=5)
    before = numbers(twin)
    with pytest.raises(ValueError, match="is -1 or 1, not"):
        nn.fit(
            twin,
            two_moons(6),
            lambda x, y: nn.hinge(twin(x), y * 2.0),
            optim.SGD(twin.parameters(), 0.1),
            epochs=9,
            checkpoint=file,
        )
    assert numbers(twin) == before


def test_what_is_frozen_is_in_the_checkpoint(tmp_path: Path) -> None:
    class Tuned(nn.Module):
        def __init__(self, seed: int) -> None:
            self.body, self.head = (nn.Neuron(1, rng=random.Random(seed + i)) for i in range(2))

        def parameters(self) -> list[Value]:
            return self.head.parameters()

    def trained(model: Tuned, epochs: int, **options: Any) -> Tuned:
        def loss(x: list[float]) -> Any:
            return (model.head([model.body(x)]) - 1.0) ** 2

        optimiser = optim.Adam(model.parameters(), 0.1)
        nn.fit(model, [[1.0], [-2.0]], loss, optimiser, epochs=epochs, progress=False, **options)
        return model

    file = tmp_path / "training.json"
    trained(Tuned(0), 2, checkpoint=file)
    resumed, whole = trained(Tuned(5), 4, checkpoint=file), trained(Tuned(0), 4)
    assert resumed.state_dict() == whole.state_dict()
    assert resumed.body.b.data == Tuned(0).body.b.data


# --- a real process, killed ------------------------------------------------------------------------------------

PROGRAM = """
import random, sys
from micrograd import nn, optim

rng = random.Random(5)
points = [[rng.uniform(-1, 1), rng.uniform(-1, 1)] for _ in range(12)]
labels = [1 if x * y > 0 else -1 for x, y in points]
model = nn.MLP(2, [6, 1], rng=random.Random(1))
print("ready", flush=True)
history = nn.fit(
    model, (points, labels), lambda x, y: nn.hinge(model(x), y), optim.Adam(model.parameters(), 0.02), epochs=60,
    batch_size=5, schedule=optim.CosineRate(180, warmup=9), validation=(points[:4], labels[:4]), patience=50,
    checkpoint=sys.argv[1], callback=lambda h: print(h.epochs, flush=True), progress=False,
)
print("done", history.epochs, history.steps, [p.data for p in model.parameters()], history.losses, history.validation)
"""


def started(file: Path) -> subprocess.Popen[str]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(file)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_a_process_that_is_killed_again_and_again_ends_with_the_same_bits(tmp_path: Path) -> None:
    with started(tmp_path / "whole.json") as process:
        expected = process.communicate()[0].splitlines()[-1]
    assert expected.startswith("done 60 180 ")

    file = tmp_path / "killed.json"
    rng = random.Random(8)
    first: list[int] = []
    for attempt in range(6):
        with started(file) as process:
            assert process.stdout is not None
            wanted = rng.randrange(2, 8)
            lines = [process.stdout.readline().strip() for _ in range(1 + wanted)]
            time.sleep(rng.uniform(0.0, 0.03))  # somewhere in an epoch, or in the writing of the file
            process.kill()
            rest = process.stdout.read()
        assert process.returncode == -signal.SIGKILL, (attempt, rest)
        first.append(int(lines[1]))
        json.loads(file.read_text())  # whole, whenever the kill came
    assert first == sorted(set(first))  # each began where the one before had come to
    assert first[0] == 1

    with started(file) as process:
        lines = process.communicate()[0].splitlines()
    assert int(lines[1]) > first[-1]
    assert lines[-1] == expected


@pytest.mark.slow
def test_ctrl_c_in_a_real_process(tmp_path: Path) -> None:
    with started(tmp_path / "interrupted.json") as process:
        assert process.stdout is not None
        for _ in range(4):
            process.stdout.readline()
        process.send_signal(signal.SIGINT)
        last = process.stdout.read().splitlines()[-1]
    assert process.returncode == 0
    epochs, steps = map(int, last.split()[1:3])
    assert 3 <= epochs < 60
    assert epochs * 3 <= steps < epochs * 3 + 3


# --- what is refused -------------------------------------------------------------------------------------------


def changed(**entries: Any) -> Callable[[dict[str, Any]], Any]:
    def change(content: dict[str, Any]) -> Any:
        for way, x in entries.items():
            *path, last = way.split("__")
            at = content
            for key in path:
                at = at[key]
            if x is ...:
                del at[last]
            else:
                at[last] = x
        return content

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: None, "not a checkpoint of micrograd"),
        (lambda content: {"format": "micrograd model", "version": 1}, "not a checkpoint of micrograd"),
        (changed(version=2), "version 2"),
        (changed(best=...), "its entries are"),
        (changed(parameters=[1.0]), "'parameters' is an object"),
        (changed(parameters__extra=1.0), "not the state of"),
        (changed(parameters={}), "missing"),
        (changed(**{"parameters__layers.0.neurons.0.b": "0.5"}), "not a number"),
        (changed(**{"parameters__layers.0.neurons.0.b": "nan"}), "nan"),
        (changed(run=None), "'run' is an object"),
        (changed(run__samples=7), "a training with samples=7 .*, this one has samples=6"),
        (changed(run__batch_size=3), "with batch_size=3"),
        (changed(run__seed=1), "with seed=1"),
        (changed(run__seed=False), "with seed=False"),
        (changed(model="\x1b[31mx"), "it is of \ufffd\\[31mx, and this model"),
        (changed(run__validation="1234"), "of a training with other validation data"),
        (changed(optimiser={}), "the state of SGD has the entries"),
        (changed(optimiser__optimiser="Adam"), "another optimiser"),
        (changed(optimiser__parameters=3), "that of 3"),
        (changed(optimiser__memory__velocity=[1.0]), "list of 13 numbers"),
        (changed(history=[]), "'history' is not what fit writes"),
        (changed(history__losses=3), "'losses' of the history is a list"),
        (changed(history__losses=["a", 1.0, 1.0]), "'a' .*is not a number"),
        (changed(history__losses=[1.0]), "does not add up"),
        (changed(history__steps=1), "does not add up"),
        (changed(history__steps=9.0), "does not add up"),
        (changed(history__best_epoch=1), "do not go together"),
        (changed(history__best_epoch=7), "does not add up"),
        (changed(best=3), "'best' is an object"),
        (changed(best={"loss": 1.0, "parameters": {}}), "missing"),
    ],
)
def test_a_wrong_checkpoint_changes_nothing(
    change: Callable[[dict[str, Any]], Any], message: str, tmp_path: Path
) -> None:
    file = tmp_path / "training.json"
    model = network(3)
    fitted(model, two_moons(6), optim.SGD(model.parameters(), 0.1, 0.9), checkpoint=file, batch_size=2)
    content = json.dumps(change(json.loads(file.read_text())))
    file.write_text(content)
    twin = network(3, seed=4)
    optimiser = optim.SGD(twin.parameters(), 0.2)
    before = numbers(twin), optimiser.state_dict()
    with pytest.raises(ModelFileError, match=message) as caught:
        fitted(twin, two_moons(6), optimiser, checkpoint=file, batch_size=2)
    assert str(file) in str(caught.value)
    assert same((numbers(twin), optimiser.state_dict()), before)
    assert file.read_text() == content


@pytest.mark.parametrize("damage", ["cut", "bytes", "empty", "zeros"])
def test_a_damaged_checkpoint_changes_nothing(damage: str, tmp_path: Path) -> None:
    file = tmp_path / "training.json"
    model = network(3)
    fitted(model, two_moons(6), checkpoint=file)
    content = file.read_bytes()
    file.write_bytes({"cut": content[:-40], "bytes": b"\xff" + content, "empty": b"", "zeros": bytes(100)}[damage])
    twin = network(3, seed=4)
    before = numbers(twin)
    with pytest.raises(ValueError, match=r"training\.json: not"):
        fitted(twin, two_moons(6), checkpoint=file)
    assert numbers(twin) == before


def test_another_models_checkpoint_names_both(tmp_path: Path) -> None:
    file = tmp_path / "training.json"
    fitted(network(3), two_moons(6), checkpoint=file)
    twin = network(4)
    before = numbers(twin)
    with pytest.raises(ModelFileError, match=r"MLP\(2 -> 4 -> 1.*but of MLP\(2 -> 3 -> 1"):
        fitted(twin, two_moons(6), checkpoint=file)
    assert numbers(twin) == before


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_a_place_that_cannot_be_written_is_found_before_the_training(tmp_path: Path) -> None:
    model = network(3)
    before = numbers(model)
    for path in (tmp_path / "missing" / "training.json", tmp_path):
        with pytest.raises((FileNotFoundError, IsADirectoryError)):
            fitted(model, two_moons(6), checkpoint=path)
        assert numbers(model) == before


def test_a_disk_that_fails_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "training.json"
    model, twin = network(3), network(3)
    writes = 0
    replace = os.replace

    def full(source: Any, target: Any) -> None:
        nonlocal writes
        writes += 1
        if writes == 4:  # the beginning, two epochs, and then no more
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left") as caught:
        fitted(model, two_moons(6), epochs=9, checkpoint=file)
    assert caught.value.__notes__ == ["the checkpoint is the one before; the model is as after epoch 3"]
    monkeypatch.undo()
    assert len(json.loads(file.read_text())["history"]["losses"]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["training.json"]
    fitted(twin, two_moons(6), epochs=3)
    assert same(numbers(model), numbers(twin))  # in memory, three
    fitted(model, two_moons(6), epochs=5, checkpoint=file)
    fitted(twin := network(3), two_moons(6), epochs=5)
    assert same(numbers(model), numbers(twin))


def test_an_optimisers_infinities_come_back(tmp_path: Path) -> None:
    file = tmp_path / "training.json"
    found = []
    for epochs in ((2, 4), (4,)):
        for last in epochs:
            w = Value(1.0)
            model = nn.Module()
            model.w = w  # type: ignore[attr-defined]
            optimiser = optim.Adam([w], 0.1)
            nn.fit(
                model,
                [1e160],
                lambda x, w=w: w * x,
                optimiser,
                epochs=last,
                progress=False,
                checkpoint=file if len(epochs) > 1 else None,
            )
        found.append((w.data, optimiser.state_dict()))
    assert found[0][1]["memory"]["square"] == [math.inf]
    assert same(*found)


def test_the_checkpoint_of_a_model_with_the_same_names_is_refused(tmp_path: Path) -> None:
    path, data = tmp_path / "run.json", ([[1.0], [2.0]], [1.0, -1.0])
    saved = nn.MLP(1, [2, 1], activation="tanh", rng=random.Random(0))
    fitted(saved, data, epochs=2, checkpoint=path)
    other = nn.MLP(1, [2, 1], activation="relu", rng=random.Random(0))
    before = numbers(other)
    with pytest.raises(ModelFileError, match=r"it is of MLP\(1 -> 2 -> 1, tanh, .*this model is MLP.*relu"):
        fitted(other, data, epochs=2, checkpoint=path)
    assert numbers(other) == before
