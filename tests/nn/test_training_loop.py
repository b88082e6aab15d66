"""Protects ``fit``: its numbers against loops written by hand, what it refuses before anything is changed, early stop,
and Ctrl-C.
"""

from __future__ import annotations

import gc
import math
import random
import signal
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support import same
from training_cases import Data, accuracy, fitted, hinge, network, numbers, two_moons

import micrograd as mg
from micrograd import Value, nn, optim
from micrograd.nn.training_data import Samples, order

# --- the numbers -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_karpathys_two_moons_reach_full_accuracy() -> None:
    """16-16-1, 100 samples, hinge loss, L2 of 1e-4, 100 steps of SGD at the rate 1.0 - 0.9 * k / 100."""
    data = two_moons(100)
    model = nn.MLP(2, [16, 16, 1], fused=True, rng=random.Random(0))  # the same numbers from fewer nodes

    def loss(batch: Data) -> Any:
        losses = [(1 + -y * model(x)).relu() for x, y in zip(*batch)]
        return mg.mean(losses) + 1e-4 * mg.sum([p * p for p in model.parameters()])

    history = nn.fit(
        model,
        [list(data)],  # the term of the model makes it a loss of the whole batch
        loss,
        optim.SGD(model.parameters(), lr=1.0),
        epochs=100,
        schedule=lambda k: 1.0 - 0.9 * k / 100,
        progress=False,
    )
    assert accuracy(model, data) == 1.0
    assert history.steps == 100
    assert history.rates == [1.0 - 0.9 * k / 100 for k in range(100)]

    twin = network(16, 16)
    fitted(
        twin,
        data,
        optim.SGD(twin.parameters(), lr=1.0, weight_decay=2e-4),
        epochs=100,
        schedule=optim.LinearRate(100, end=0.1),
    )
    assert accuracy(twin, data) == 1.0


def test_a_batch_as_one_sample_has_the_bits_of_a_loop_by_hand() -> None:
    data = two_moons(10)
    model, twin = network(4), network(4)

    def loss(of: nn.MLP) -> Any:
        losses = [(1 + -y * of(x)).relu() for x, y in zip(*data)]
        return mg.mean(losses) + 1e-4 * mg.sum([p * p for p in of.parameters()])

    history = nn.fit(
        model,
        [0],
        lambda _: loss(model),
        optim.SGD(model.parameters(), 1.0),
        epochs=12,
        schedule=lambda k: 1.0 - 0.9 * k / 12,
        progress=False,
    )
    losses = []
    for k in range(12):
        total = loss(twin)
        twin.zero_grad()
        total.backward()
        for p in twin.parameters():
            p.data -= (1.0 - 0.9 * k / 12) * p.grad
        losses.append(total.data)
    assert same(history.losses, losses)
    assert same(numbers(model), numbers(twin))


@pytest.mark.parametrize("batch_size", [None, 1, 3, 7, 50])
def test_batches_are_means_in_the_order_of_the_seed(batch_size: int | None) -> None:
    data = two_moons(7)
    model, twin = network(3), network(3)
    history = fitted(model, data, batch_size=batch_size, seed=5, schedule=optim.LinearRate(20))
    losses, means, k = [], [], 0
    size = min(batch_size or 7, 7)
    for epoch in range(3):
        indices = order(7, None if size == 7 else 5, epoch)
        seen = []
        for start in range(0, 7, size):
            batch = [hinge(twin)(data[0][i], data[1][i]) for i in indices[start : start + size]]
            twin.zero_grad()
            mg.mean(batch).backward()
            for p in twin.parameters():
                p.data -= 0.1 * (1.0 - k / 20) * p.grad
            seen += [out.data for out in batch]
            means.append(math.fsum(seen[-len(batch) :]) / len(batch))
            k += 1
        losses.append(math.fsum(seen) / 7)
    assert history.losses == pytest.approx(losses, rel=1e-12)
    assert len(history.batch_losses) == history.steps
    assert history.batch_losses == (history.losses if size == 7 else pytest.approx(means, rel=1e-12))
    assert numbers(model) == pytest.approx(numbers(twin), rel=1e-12)
    assert history.steps == k == 3 * math.ceil(7 / size)


def test_the_order_of_an_epoch_depends_on_seed_and_epoch_alone() -> None:
    assert order(10, 3, 4) == order(10, 3, 4)
    assert sorted(order(10, 3, 4)) == list(range(10))
    assert len({tuple(order(10, seed, epoch)) for seed in range(5) for epoch in range(5)}) == 25
    assert order(5, None, 3) == [0, 1, 2, 3, 4]
    random.seed(1)
    before = random.getstate()
    order(10, 0, 0)
    assert random.getstate() == before  # the user's own source of chance is left alone


@pytest.mark.parametrize("make", [lambda ps: optim.SGD(ps, 0.1), lambda ps: optim.Adam(ps, 0.05)])
def test_a_batch_is_learned_by_heart(make: Callable[[list[Value]], optim.Optimiser]) -> None:
    rng = random.Random(3)
    data = [[rng.uniform(-1, 1) for _ in range(2)] for _ in range(6)], [rng.choice([-1.0, 1.0]) for _ in range(6)]
    model = network(16)
    history = fitted(model, data, make(model.parameters()), epochs=300)
    assert history.losses[0] > 1.0
    assert history.losses[-1] == 0.0
    assert accuracy(model, data) == 1.0


def test_all_forms_of_data_give_the_same_bits() -> None:
    points, labels = two_moons(6)
    found = []
    for data in (
        (points, labels),
        (tuple(points), tuple(labels)),
        list(zip(points, labels)),
        (np.array(points), np.array(labels)),
        [(np.array(x), label) for x, label in zip(points, labels)],
        (points, list(map(int, labels))),
        ([list(map(Value, x)) for x in points], labels),
    ):
        model = network(3)
        fitted(model, data, batch_size=2)
        found.append(numbers(model))
    assert all(same(other, found[0]) for other in found)
    model = network(3)
    rows = [[*x, label] for x, label in zip(points, labels)]
    for samples in (rows, np.array(rows), (rows,)):
        model = network(3)
        loss = hinge(model)
        nn.fit(
            model,
            samples,
            lambda row: loss(row[:2], row[2]),  # noqa: B023
            optim.SGD(model.parameters(), 0.1),
            epochs=3,
            batch_size=2,
            progress=False,
        )
        assert same(numbers(model), found[0])


def test_clipping_comes_before_the_step() -> None:
    model = network(4)
    norms: list[float] = []
    start = numbers(model)
    fitted(
        model,
        two_moons(6),
        optim.SGD(model.parameters(), 1.0),
        epochs=1,
        clip=lambda ps: norms.append(optim.clip_gradient_norm(ps, 0.01)),
    )
    moved = math.dist(start, numbers(model))
    assert norms[0] > 0.01
    assert moved == pytest.approx(0.01, rel=1e-3)


def test_a_part_of_the_parameters_may_be_trained() -> None:
    model = network(4)
    start = numbers(model)
    last = model.layers[-1].parameters()
    fitted(model, two_moons(6), optim.SGD(last, 0.1))
    now = numbers(model)
    assert now[: -len(last)] == start[: -len(last)]
    assert now[-len(last) :] != start[-len(last) :]


def test_a_model_needs_parameters_and_nothing_else() -> None:
    line = Holder([Value(0.0), Value(0.0)])
    data = [(x, 2.0 * x - 1.0) for x in (-1.0, 0.0, 1.0)]
    a, b = line.values
    nn.fit(
        line, data, lambda x, y: (a * x + b - y) ** 2, optim.SGD([a, b], 0.3), epochs=100, progress=False, patience=None
    )
    assert numbers(line) == pytest.approx([2.0, -1.0], abs=1e-6)


def test_the_history_is_plain_and_readable() -> None:
    model = network(4)
    seen: list[int] = []
    history = fitted(
        model, two_moons(6), epochs=4, batch_size=4, validation=two_moons(4), callback=lambda h: seen.append(h.epochs)
    )
    assert seen == [1, 2, 3, 4]
    assert [len(x) for x in (history.losses, history.validation, history.rates, history.seconds)] == [4] * 4
    assert all(type(x) is float for x in (*history.losses, *history.validation, *history.rates, *history.seconds))
    assert history.rates == [0.1] * 4
    assert repr(history).startswith(f"History(4 epochs, 8 steps, loss {history.losses[0]:.4g} -> ")
    assert "best after epoch" in repr(history)
    assert [history.interrupted, history.stopped_early, history.resumed_after] == [False, False, 0]


def test_progress_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    fitted(network(2), two_moons(6), epochs=2, batch_size=3, progress=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["1/4", "2/4", "3/4", "4/4"]
    assert all("loss" in line and "lr 0.1" in line and "samples/s" in line for line in lines)
    fitted(network(2), two_moons(6), epochs=2, batch_size=3, progress=True, validation=two_moons(4))
    lines = capsys.readouterr().out.splitlines()
    assert ["validation" in line for line in lines] == [False, False, True, True]
    fitted(network(2), two_moons(6), epochs=20, batch_size=3, progress=True, validation=two_moons(4))
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("training 20/20  loss")
    assert "validation" in lines[-1]
    fitted(network(2), two_moons(6))
    assert capsys.readouterr().out == ""


def test_the_collector_rests_and_wakes_up() -> None:
    model = network(2)
    loss, states = hinge(model), []

    def watched(x: Any, y: Any) -> Any:
        states.append(gc.isenabled())
        return loss(x, y)

    nn.fit(model, two_moons(4), watched, optim.SGD(model.parameters(), 0.1), epochs=2, progress=False)
    assert states[-8:] == [False] * 8
    assert gc.isenabled()


def test_it_trains_inside_no_grad() -> None:
    model, twin = network(2), network(2)
    with mg.no_grad():
        fitted(model, two_moons(4))
    fitted(twin, two_moons(4))
    assert same(numbers(model), numbers(twin))


def test_it_trains_in_a_thread() -> None:
    model, twin = network(2), network(2)
    thread = threading.Thread(target=lambda: fitted(model, two_moons(4)))
    thread.start()
    thread.join()
    fitted(twin, two_moons(4))
    assert same(numbers(model), numbers(twin))


# --- early stop --------------------------------------------------------------------------------------------------


def test_patience_stops_and_brings_back_the_best() -> None:
    model = network(8)
    kept: list[list[float]] = []
    history = fitted(
        model,
        two_moons(12, noise=0.6),
        optim.SGD(model.parameters(), 0.3),
        epochs=300,
        batch_size=4,
        validation=two_moons(12, seed=2, noise=0.6),
        patience=5,
        callback=lambda h: kept.append(numbers(model)),
    )
    assert history.stopped_early
    assert history.best_epoch == history.epochs - 5
    assert history.validation[history.best_epoch - 1] == min(history.validation)
    assert same(numbers(model), kept[history.best_epoch - 1])


def test_the_best_comes_back_where_the_epochs_end_first() -> None:
    model = network(2)
    values = iter([9.0, 3.0, 1.0, 1.0, 4.0])  # the first is for the trial before the training
    kept: list[list[float]] = []

    def rated(x: Any, y: Any) -> Any:
        return hinge(model)(x, y) if y < 2.0 else Value(0.0) * 0.0 + (next(values) if len(kept) < 4 else 0.0)

    history = nn.fit(
        model,
        two_moons(4),
        rated,
        optim.SGD(model.parameters(), 0.1),
        epochs=4,
        validation=[([0.0, 0.0], 2.0)],
        patience=3,
        callback=lambda h: kept.append(numbers(model)),
        progress=False,
    )
    assert (history.validation, history.best_epoch, history.stopped_early) == ([3.0, 1.0, 1.0, 4.0], 2, False)
    assert same(numbers(model), kept[1])


# --- what is refused, before anything is changed ---------------------------------------------------------------


NAN = math.nan
X4, Y4 = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]], [1.0, 1.0, -1.0, -1.0]


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ([], ValueError, "data: at least one sample is needed"),
        (([], []), ValueError, "at least one sample"),
        ((), ValueError, "a tuple holds columns"),
        (None, TypeError, "a sequence of samples"),
        ("text", TypeError, "a sequence of samples"),
        (iter([1]), TypeError, "a sequence of samples"),
        ((X4, 3), TypeError, "column 1 is a sequence"),
        (np.array(3.0), TypeError, "an array with one row for each"),
        ((X4, Y4[:3]), ValueError, "the columns hold 4, 3 samples"),
        ([([0.0, 1.0], 1.0), ([1.0, 0.0],)], ValueError, "sample 0 is .*, and sample 1 is"),
        ([([0.0, 1.0], 1.0), [1.0, 0.0]], ValueError, "sample 0 is .*, and sample 1 is"),
        (([*X4[:3], [0.0, NAN]], Y4), ValueError, "sample 3, argument 0, column 1 is nan"),
        (([*X4[:1], [math.inf, 0.0], *X4[:2]], Y4), ValueError, "sample 1, argument 0, column 0 is inf"),
        ((X4, [1.0, 1.0, NAN, 1.0]), ValueError, "sample 2, argument 1 is nan"),
        ((np.array([*X4[:3], [NAN, 0.0]]), np.array(Y4)), ValueError, "sample 3, argument 0, column 0 is nan"),
        (([[Value(NAN), 1.0]], [1.0]), ValueError, "sample 0, argument 0, column 0 is nan"),
        (([[0.0, 1.0, 2.0]] * 4, Y4), ValueError, "sample 0 .*takes 2 inputs, 3 came"),
        (([*X4[:3], [0.0]], Y4), ValueError, r"sample 3 \(1 entries, one entry\): .*takes 2 inputs, 1 came"),
        (([[0.0, 1.0]] * 3 + [[[0.0], 1.0]], Y4), ValueError, "sample 3 .*several rows came"),
        (X4, TypeError, "missing 1 required positional argument"),
    ],
)
def test_bad_data_is_refused_before_anything_is_changed(data: Any, error: type[Exception], message: str) -> None:
    model = network(3)
    for p in model.parameters():
        p.grad = 7.0
    before = numbers(model)
    optimiser = optim.SGD(model.parameters(), 0.1, momentum=0.9)
    with pytest.raises(error, match=message):
        fitted(model, data, optimiser, batch_size=1)
    if data is not X4:  # as validation too
        with pytest.raises(error, match=message.replace("data:", "validation:")):
            fitted(model, (X4, Y4), optimiser, batch_size=1, validation=data if data is not None else 3)
    assert numbers(model) == before
    assert {p.grad for p in model.parameters()} == {7.0}
    assert optimiser.steps == 0


@pytest.mark.parametrize("wrong", [3, -1])
def test_a_label_out_of_range_is_found_wherever_it_is(wrong: int) -> None:
    model = nn.MLP(2, [3], rng=random.Random(0))
    before = numbers(model)
    rng = random.Random(1)
    labels = [rng.randrange(3) for _ in range(50)]
    labels[33] = wrong
    data = [[rng.random(), rng.random()] for _ in labels], labels
    with pytest.raises(ValueError, match=rf"data: sample 33 .*a label is an int from 0 to 2, not {wrong}"):
        nn.fit(
            model,
            data,
            lambda x, y: nn.cross_entropy(model(x), y),
            optim.SGD(model.parameters(), 0.1),
            epochs=1,
            batch_size=1,
            progress=False,
        )
    assert numbers(model) == before


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": 0}, ValueError, "epochs is at least 1, not 0"),
        ({"epochs": 1.5}, TypeError, "epochs is an int, not 1.5"),
        ({"epochs": None}, TypeError, "epochs is an int"),
        ({"batch_size": 0}, ValueError, "batch_size is at least 1"),
        ({"batch_size": True}, TypeError, "batch_size is an int"),
        ({"seed": 0.5}, TypeError, "seed is an int or None"),
        ({"schedule": 0.5}, TypeError, "schedule is a function"),
        ({"clip": 1.0}, TypeError, "clip is a function"),
        ({"callback": 1.0}, TypeError, "callback is a function"),
        ({"patience": 3}, ValueError, "give validation"),
        ({"patience": 0, "validation": (X4, Y4)}, ValueError, "patience is at least 1"),
        ({"step": lambda x, y: 0.0}, TypeError, "step is the loss compiled"),
        ({"optimiser": optim.SGD}, TypeError, "an optimiser has step"),
        ({"optimiser": 3}, TypeError, "an optimiser has step"),
        ({"optimiser": optim.SGD([Value(1.0)], 0.1)}, ValueError, "is it of another model"),
        ({"schedule": lambda k: NAN}, ValueError, r"schedule\(0\) gives the factor"),
        ({"schedule": lambda k: "1"}, ValueError, r"schedule\(0\) gives the factor"),
        ({"schedule": lambda k: -1.0}, ValueError, r"schedule\(0\) gives the factor of lr = 0.1"),
        ({"schedule": lambda k: 10**400}, ValueError, r"schedule\(0\) gives the factor of lr = 0.1"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], error: type[Exception], message: str) -> None:
    model = network(2)
    before = numbers(model)
    optimiser = optim.SGD(model.parameters(), 0.1)
    with pytest.raises(error, match=message):
        fitted(model, (X4, Y4), options.pop("optimiser", optimiser), **options)
    assert numbers(model) == before
    assert optimiser.lr == 0.1


class Holder:
    """A model that is nothing but its parameters."""

    def __init__(self, values: list[Any]) -> None:
        self.values = values

    def parameters(self) -> list[Any]:
        return self.values


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (3, TypeError, "a model has parameters()"),
        (nn.Module(), ValueError, "no parameters to train"),
        (Holder([1.0]), TypeError, "parameter 0 of the model is a Value that no operation made, not 1.0"),
        (Holder([Value(1.0), Value(2.0) * 2.0]), TypeError, "parameter 1 of the model is a Value that no operation"),
    ],
)
def test_something_without_parameters_is_refused(model: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        nn.fit(model, (X4, Y4), lambda x, y: Value(1.0), optim.SGD([Value(1.0)], 0.1), epochs=1)


@pytest.mark.parametrize("out", [1.0, None, [Value(1.0), Value(2.0)]])
def test_a_loss_that_is_no_value_is_refused(out: Any) -> None:
    model = network(2)
    with pytest.raises(TypeError, match="loss returns one Value"):
        nn.fit(model, (X4, Y4), lambda x, y: out, optim.SGD(model.parameters(), 0.1), epochs=1)
    with pytest.raises(TypeError, match="loss is a function"):
        nn.fit(model, (X4, Y4), None, optim.SGD(model.parameters(), 0.1), epochs=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", ["loss", "gradient"])
def test_a_number_that_is_not_finite_stops_before_the_step(bad: str) -> None:
    model = network(2)
    kept: list[list[float]] = []
    count = 0

    def loss(x: Any, y: Any) -> Any:
        nonlocal count
        count += 1
        out = hinge(model)(x, y)
        if count == 2 + 4 + 3:  # a trial of each label, an epoch, and three more
            kept.append(numbers(model))
            return out * math.inf if bad == "loss" else out + mg.sqrt(model.parameters()[0] * 0.0)
        return out

    def clip(ps: list[Value]) -> None:
        optim.clip_gradient_norm(ps, 1e9)  # would spread a nan over all

    optimiser = optim.SGD(model.parameters(), 0.1, momentum=0.9)
    what = r"loss of data sample \d" if bad == "loss" else "gradient of layers.0.neurons.0.w.0"
    number = "inf" if bad == "loss" else "nan"
    message = f"epoch 2, after step 6: the {what} is {number}; the parameters are as they were then"
    with pytest.raises(mg.AnomalyError, match=message):
        nn.fit(model, (X4, Y4), loss, optimiser, epochs=5, batch_size=1, progress=False, clip=clip)
    assert same(numbers(model), kept[0])
    assert optimiser.steps == 6


def test_numbers_that_are_not_finite_at_the_start_or_in_the_validation() -> None:
    w = Value(1.0)
    model = Holder([w])
    with pytest.raises(mg.AnomalyError, match="the loss of data sample 0 is inf"):
        nn.fit(model, [1e200], lambda x: w * x * x, optim.SGD([w], 0.1), epochs=1)
    assert w.data == 1.0
    with pytest.raises(mg.AnomalyError, match="epoch 1, after step 1: the loss of validation sample 1 is inf"):
        nn.fit(
            model,
            [1.0],
            lambda x: (w * x) ** 4,
            optim.SGD([w], 1e20),
            epochs=1,
            validation=[0.0, 1e60, 2e60],
            progress=False,
        )
    assert w.data == 1.0 - 4e20


def test_parameters_that_overflowed_are_named_where_the_next_step_fails() -> None:
    w = Value(1.0)
    message = r"epoch 1, after step 1: the parameter 0 is -inf \(is lr too large\?\); the parameters are as they were"
    with pytest.raises(mg.AnomalyError, match=message):
        nn.fit(
            Holder([w]), [1e200, 1e200], lambda x: w * x, optim.SGD([w], 1e200), epochs=3, batch_size=1, progress=False
        )
    assert w.data == -math.inf


def test_the_best_comes_back_where_the_training_breaks_down() -> None:
    w, losses = Value(1.0), iter([0.0, 3.0, 2.0, 5.0, math.inf])  # the first for the trial before the training
    kept: list[float] = []

    def loss(x: float) -> Any:
        return w * x if x else w * 0.0 + next(losses)

    message = "epoch 4, after step 4: the loss of validation sample 0 is inf; the parameters are those after epoch 2"
    with pytest.raises(mg.AnomalyError, match=message):
        nn.fit(
            Holder([w]),
            [1.0],
            loss,
            optim.SGD([w], 0.1),
            epochs=9,
            validation=[0.0],
            patience=5,
            progress=False,
            callback=lambda h: kept.append(w.data),
        )
    assert w.data == kept[1] != kept[2]


def test_losses_whose_sum_is_no_float_have_a_mean() -> None:
    w = Value(1.0)
    history = nn.fit(
        Holder([w]), [1.5e308, 1.7e308], lambda x: w * 0.0 + x, optim.SGD([w], 0.1), epochs=1, progress=False
    )
    assert history.losses == [1.6e308]


def test_samples_may_be_dicts_and_text() -> None:
    w = Value(0.0)
    data = [{"x": [1.0, 2.0], "name": "a"}, {"x": [2.0, 1.0], "name": "b"}]
    nn.fit(Holder([w]), data, lambda s: (w * s["x"][0] - 1.0) ** 2, optim.SGD([w], 0.1), epochs=1, progress=False)
    assert w.data == pytest.approx(0.1 * (1.0 + 2.0))
    data[1]["x"] = [2.0, NAN]
    with pytest.raises(ValueError, match="data: sample 1, argument 0, column 'x', 1 is nan"):
        nn.fit(Holder([w]), data, lambda s: w * s["x"][0], optim.SGD([w], 0.1), epochs=1)


# --- Ctrl-C ------------------------------------------------------------------------------------------------------


class Pressed(optim.SGD):
    """An optimiser that is interrupted in the middle of its k-th step."""

    at = 5

    def _update(self, numbers: list[float], gradients: list[float], step: int) -> list[float]:
        if step == self.at:
            signal.raise_signal(signal.SIGINT)
        return super()._update(numbers, gradients, step)


@pytest.mark.parametrize("place", ["step", "loss", "callback"])
def test_ctrl_c_leaves_the_state_after_the_last_whole_step(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    model, twin = network(4), network(4)
    data = two_moons(6)
    usual = signal.getsignal(signal.SIGINT)
    count = 0

    def loss(x: Any, y: Any) -> Any:
        nonlocal count
        count += 1
        if place == "loss" and count == 6 + 5 * 2 + 1:  # after a trial of each sample, in the sixth batch
            signal.raise_signal(signal.SIGINT)
        return hinge(model)(x, y)

    def callback(history: nn.History) -> None:
        if place == "callback" and history.epochs == 2:
            signal.raise_signal(signal.SIGINT)

    kind = Pressed if place == "step" else optim.SGD
    history = nn.fit(
        model, data, loss, kind(model.parameters(), 0.1, 0.9), epochs=9, batch_size=2, seed=3, callback=callback
    )
    steps = 6 if place == "callback" else 5
    assert history.interrupted
    assert (history.steps, history.epochs) == (steps, steps // 3) == (len(history.batch_losses), len(history.losses))
    assert f"interrupted: the model is as after step {steps}" in capsys.readouterr().out
    assert "interrupted" in repr(history)
    assert signal.getsignal(signal.SIGINT) is usual

    other = optim.SGD(twin.parameters(), 0.1, 0.9)
    batches = [order(6, 3, epoch)[i : i + 2] for epoch in range(2) for i in (0, 2, 4)]
    for batch in batches[:steps]:
        other.zero_grad()
        for i in batch:
            hinge(twin)(data[0][i], data[1][i]).backward(0.5)
        other.step()
    assert same(numbers(model), numbers(twin))


def test_where_ctrl_c_is_ignored_it_stays_so() -> None:
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        model = network(2)
        history = fitted(model, two_moons(4), Pressed(model.parameters(), 0.1), epochs=9)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, usual)
    assert (history.steps, history.interrupted) == (9, False)


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.float64, np.float32, bool, object])
def test_an_array_is_checked_as_the_list_of_its_rows(kind: Any) -> None:
    rng = random.Random(2)
    rows = [[rng.randrange(1, 5) for _ in range(3)] for _ in range(20)]
    rows[5][1], rows[11][2] = 0, 9
    array = np.array(rows, dtype=kind)
    samples, listed = Samples((array, array[:, 0])), Samples((array.tolist(), array[:, 0].tolist()))
    for one, other in zip(samples.arrays(), listed.arrays()):
        assert (one == other).all()
    found = {i for i, _ in samples.probes()}
    assert found == {i for i, _ in listed.probes()} >= ({0, 5} if kind is bool else {0, 5, 11})
    assert samples.digest == listed.digest != Samples((array[::-1], array[:, 0])).digest
    for bad in (math.nan, math.inf, -math.inf):
        if kind in (np.float64, np.float32, object):
            array[7, 2] = bad
            with pytest.raises(ValueError, match=f"sample 7, argument 0, column 2 is {bad}"):
                Samples((array, rows))


def test_the_probes_stand_for_all_samples() -> None:
    samples = Samples(([[1, 2], [3, 4], [5, 6, 7], [-1, 0]], [0, 9, 1, 2]))
    assert [i for i, _ in samples.probes()] == [0, 2, 3, 1]
    assert next(samples.probes())[1] == "data: sample 0 (2 entries, one entry)"
    many = Samples(([0.5 + i for i in range(200)], [[i % 2, 7.0 - (i == 150)] for i in range(200)]))
    assert {i for i, _ in many.probes()} == {0, 199, 1, 150}
    texts = Samples([*["ab", "cd"] * 3, None, "ef"])
    assert [name for _, name in texts.probes()] == [
        "data: sample 0 (one entry of type str)",
        "data: sample 6 (one entry of type NoneType)",
    ]


@pytest.mark.parametrize("kind", [list, np.array])
@pytest.mark.parametrize("several", [False, True])
def test_a_target_that_the_loss_refuses_is_found_among_many(kind: Any, several: bool) -> None:
    rng = random.Random(0)
    points = [[rng.random(), rng.random()] for _ in range(200)]
    if several:
        targets: list[Any] = [[1, -1] for _ in points]
        targets[150] = [0, 1]  # no extreme, and no label of its own
    else:
        targets = [rng.random() for _ in points]
        targets[150] = 50.0
    model = nn.MLP(2, [3, 2 if several else 1], rng=rng)
    before = numbers(model)
    function = nn.hinge if several else nn.binary_cross_entropy

    def loss(x: Any, y: Any) -> Any:
        return function(model(x), y)

    for step in (None, mg.compile(loss, batched=("x", "y"), reduce="mean", backend="python")):
        with pytest.raises(ValueError, match=r"data: sample 150 .*not (50\.0|0)"):
            nn.fit(model, (kind(points), kind(targets)), loss, optim.SGD(model.parameters(), 0.1), epochs=1, step=step)
        assert numbers(model) == before


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (np.float32("nan"), ValueError, "sample 30, argument 0, column 1 is nan"),
        (np.float16("-inf"), ValueError, "sample 30, argument 0, column 1 is -inf"),
        (10**400, ValueError, "sample 30, argument 0, column 1 is inf"),
        (None, TypeError, "got None"),
        ("3.5", TypeError, "got '3.5'"),
    ],
)
def test_what_is_no_finite_number_is_found_wherever_it_is(bad: Any, error: type[Exception], message: str) -> None:
    rng = random.Random(0)
    points: list[list[Any]] = [[rng.random(), rng.random()] for _ in range(200)]
    points[30][1] = bad
    model = network(2)
    before = numbers(model)
    with pytest.raises(error, match=message) as caught:
        fitted(model, (points, [1.0, -1.0] * 100), batch_size=10)
    assert error is ValueError or "sample 30" in caught.value.__notes__[0]
    assert numbers(model) == before


def test_labels_that_are_equal_and_of_different_kinds_are_tried_each() -> None:
    model = nn.MLP(2, [3, 2], rng=random.Random(0))
    before = numbers(model)

    def loss(x: Any, y: Any) -> Any:
        return nn.cross_entropy(model(x), y)

    for wrong in (True, 1.0):
        data = ([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [1, 0, wrong])
        with pytest.raises(TypeError, match=rf"not {wrong}.*convert it with int"):
            nn.fit(model, data, loss, optim.SGD(model.parameters(), 0.1), epochs=1, batch_size=1, seed=None)
        assert numbers(model) == before
    labels = [np.array(1), np.array(-1)]  # an array without axes is a number
    nn.fit(
        model,
        ([[0.0, 1.0], [1.0, 0.0]], labels),
        lambda x, y: nn.hinge(model(x)[0], y),
        optim.SGD(model.parameters(), 0.1),
        epochs=1,
        progress=False,
    )


def test_a_learning_rate_that_the_callback_changes_counts_and_is_told() -> None:
    for schedule in (None, lambda k: 1.0):
        model = network(2)
        optimiser = optim.SGD(model.parameters(), lr=1.0)

        def halve(history: nn.History, optimiser: Any = optimiser) -> None:
            optimiser.lr /= 2

        history = fitted(model, two_moons(8), optimiser, epochs=4, callback=halve, schedule=schedule)
        assert history.rates == [1.0, 0.5, 0.25, 0.125]
        assert optimiser.lr == 0.0625


def test_the_digest_tells_shapes_keys_and_columns() -> None:
    different = [
        ([[1.0, 2.0], [3.0, 4.0]], [[5.0], [6.0]]),
        ([[1.0], [2.0]], [[3.0, 4.0], [5.0, 6.0]]),
        [{"x": 1.0, "y": 5.0}, {"x": 2.0, "y": 7.0}],
        [{"y": 1.0, "x": 5.0}, {"y": 2.0, "x": 7.0}],
        ["ab", "c"],
        ["a", "bc"],
        [[1.0, 2.0], [3.0]],
        [[1.0], [2.0, 3.0]],
    ]
    assert len({Samples(data).digest for data in different}) == len(different)
    assert Samples(list(np.array(["ab", "c"]))).digest == Samples(["ab", "c"]).digest
    assert Samples((np.array([[1, 2], [3, 4]]), [5, 6])).digest == Samples([((1.0, 2.0), 5), ([3, 4], 6.0)]).digest


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([()], "a tuple holds the arguments of the loss, and sample 0 is empty"),
        ([1.0, 2.0, (1.0,)], r"sample 0 is 1.0 \(type float\), and sample 2 is \(1.0,\) \(type tuple\)"),
        ([[1.0], (2.0,)], r"sample 0 is \[1.0\] \(type list\), and sample 1 is \(2.0,\) \(type tuple\)"),
    ],
)
def test_tuples_among_samples_are_all_of_one_length(data: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Samples(data)


def test_a_clip_that_makes_nan_is_told_from_a_loss_that_does() -> None:
    w = Value(1.0)

    def clip(ps: list[Value]) -> None:
        for p in ps:
            p.grad = math.nan

    with pytest.raises(mg.AnomalyError, match="epoch 1, after step 0: the gradient of 0 is nan after clip"):
        nn.fit(Holder([w]), [1.0], lambda x: w * x, optim.SGD([w], 0.1), epochs=1, clip=clip, progress=False)
    assert w.data == 1.0
