"""Compares trainings with a compiled step, or a compiled loss, with eager ones."""

from __future__ import annotations

import copy
import math
import random
from typing import Any

import numpy as np
import pytest
from training_cases import accuracy, fitted, hinge, network, numbers, two_moons

import micrograd as mg
from micrograd import Value, nn, optim

pytest.importorskip("llvmlite")


def compiled(model: nn.MLP, **options: Any) -> Any:
    return mg.compile(hinge(model), **{"batched": ("x", "y"), "reduce": "mean", **options})


@pytest.mark.parametrize("backend", ["llvm", "python"])
@pytest.mark.parametrize("batch_size", [None, 4, 1])
def test_a_compiled_step_trains_as_the_eager_loss(backend: str, batch_size: int | None) -> None:
    data, validation = two_moons(10), two_moons(6, seed=4)
    model, twin = network(5), network(5)
    options: dict[str, Any] = {"epochs": 6, "batch_size": batch_size, "validation": validation, "patience": 3}
    found = fitted(model, data, optim.Adam(model.parameters(), 0.05), step=compiled(model, backend=backend), **options)
    eager = fitted(twin, data, optim.Adam(twin.parameters(), 0.05), **options)
    assert found.losses == pytest.approx(eager.losses, rel=1e-9)
    assert found.validation == pytest.approx(eager.validation, rel=1e-9)
    assert numbers(model) == pytest.approx(numbers(twin), rel=1e-9)
    assert (found.steps, found.best_epoch) == (eager.steps, eager.best_epoch)


def test_karpathys_two_moons_compiled() -> None:
    data = two_moons(100)
    model = network(16, 16)
    fitted(
        model,
        data,
        optim.SGD(model.parameters(), lr=1.0, weight_decay=2e-4),
        epochs=100,
        schedule=optim.LinearRate(100, end=0.1),
        step=compiled(model),
    )
    assert accuracy(model, data) == 1.0


def test_data_of_all_forms_is_given_to_a_step_as_arrays() -> None:
    points, labels = two_moons(8)
    found = []
    for data in (
        (points, labels),
        (np.array(points), np.array(labels)),
        [(tuple(x), label) for x, label in zip(points, labels)],
        (points, list(map(int, labels))),  # whole numbers that the loss computes with
    ):
        model = network(3)
        fitted(model, data, batch_size=3, step=compiled(model))
        found.append(numbers(model))
    assert all(other == found[0] for other in found)


@pytest.mark.parametrize("kind", [list, np.array])
def test_whole_numbers_choose_in_a_step(kind: Any) -> None:
    rng = random.Random(0)
    points, labels = [[rng.random(), rng.random()] for _ in range(9)], [i % 3 for i in range(9)]
    models = [nn.MLP(2, [4, 3], rng=random.Random(1)) for _ in range(2)]

    def trained(model: nn.MLP, native: bool) -> nn.History:
        def loss(x: Any, y: Any) -> Any:
            return nn.cross_entropy(model(x), y)

        return nn.fit(
            model,
            (kind(points), kind(labels)),
            loss,
            optim.SGD(model.parameters(), 0.5),
            epochs=4,
            batch_size=4,
            step=mg.compile(loss, batched=("x", "y"), reduce="mean") if native else None,
            progress=False,
        )

    found = [trained(models[0], True), trained(models[1], False)]
    assert found[0].losses == pytest.approx(found[1].losses, rel=1e-9)
    assert numbers(models[0]) == pytest.approx(numbers(models[1]), rel=1e-9)


@pytest.mark.parametrize("kind", [list, np.array])
@pytest.mark.parametrize("compiled_loss", [False, True])
def test_whole_features_are_numbers_beside_labels_that_choose(kind: Any, compiled_loss: bool) -> None:
    rng = random.Random(0)
    points, labels = [[rng.randrange(17), rng.randrange(17)] for _ in range(9)], [i % 3 for i in range(9)]
    results = []
    for native in (False, True):
        model = nn.MLP(2, [4, 3], rng=random.Random(1))

        def loss(x: Any, y: Any, model: nn.MLP = model) -> Any:
            return nn.cross_entropy(model(x), y)

        step = None
        function: Any = loss
        if native and compiled_loss:
            function = mg.compile(lambda x, y: loss(x, y), backend="python")
        elif native:
            step = mg.compile(lambda x, y: loss(x, y), batched=("x", "y"), reduce="mean", backend="python")
        data = (kind(points), kind(labels))
        optimiser = optim.SGD(model.parameters(), 0.01)
        nn.fit(model, data, function, optimiser, epochs=4, step=step, progress=False)
        results.append(numbers(model))
    assert results[0] == pytest.approx(results[1], rel=1e-9)


@pytest.mark.parametrize("kind", [list, np.array])
def test_whole_labels_are_numbers_where_a_compiled_loss_computes_with_them(kind: Any) -> None:
    points, labels = two_moons(12)
    results = []
    for column in (labels, kind([int(label) for label in labels])):
        model = network(3)
        loss = mg.compile(hinge(model), backend="python")
        nn.fit(model, (points, column), loss, optim.SGD(model.parameters(), 0.1), epochs=2, progress=False)
        results.append(numbers(model))
    assert results[0] == results[1]


def test_what_compiled_code_says_of_the_likeliest_reading_is_said() -> None:
    model = network(2)
    step = mg.compile(
        lambda x, y: model(x) if y > 0 else -model(x), batched=("x", "y"), reduce="mean", backend="python"
    )
    with pytest.raises(mg.TraceError, match="a condition is not possible"):
        fitted(model, (two_moons(4)[0], [1, -1, 1, -1]), step=step)


def test_a_compiled_loss_of_one_sample_takes_samples_of_any_length() -> None:
    documents = [[1.0, 2.0], [3.0], [0.5, -1.0, 2.0], [1.5]]
    found = []
    for native in (True, False):
        w, b = Value(0.5), Value(-0.25)

        def loss(xs: Any, w: Value = w, b: Value = b) -> Any:
            return mg.mean([(mg.tanh(w * x + b) - 0.5) ** 2 for x in xs])

        model = nn.Module()
        model.w, model.b = w, b  # type: ignore[attr-defined]
        function = mg.compile(lambda xs: loss(xs)) if native else loss
        history = nn.fit(
            model, documents, function, optim.SGD([w, b], 0.5), epochs=5, batch_size=3, progress=False, seed=1
        )
        found.append((history.losses, w.data, b.data))
    for one, other in zip(*found):
        assert one == pytest.approx(other, rel=1e-9)


def test_a_step_that_is_another_function_is_refused() -> None:
    data = two_moons(6)
    model = network(3)
    before = numbers(model)
    other = network(3, seed=9)
    ragged = ([*data[0][:5], [1.0, 2.0, 3.0]], data[1])
    cases: list[tuple[Any, Any, str]] = [
        (data, compiled(model, reduce="sum"), r"for samples \[0, 5, 1, 2\], and the mean of loss is"),
        (data, compiled(model, reduce=None), r"array\(.* for samples \[0, 5, 1, 2\]"),
        (data, compiled(other), "compile the same function"),
        (ragged, compiled(model), "takes 2 inputs, 3 came"),
        ((data[0], [["a"]] * 6), compiled(model), "."),
    ]
    for wrong, step, message in cases:
        with pytest.raises((ValueError, TypeError), match=message):
            fitted(model, wrong, step=step)
        assert numbers(model) == before
        assert {p.grad for p in model.parameters()} == {0.0}
    with pytest.raises(ValueError, match=r"sample 1, argument 0: 3 entries, and sample 0 has 2 entries; a compiled"):
        nn.fit(
            model,
            [[0.0, 1.0], [1.0, 2.0, 3.0]],
            lambda xs: model(xs[:2]),
            optim.SGD(model.parameters(), 0.1),
            epochs=1,
            step=mg.compile(lambda xs: model(xs[:2]), batched="xs", reduce="mean"),
        )


def test_a_loss_that_is_not_finite_stops_a_compiled_training() -> None:
    w = Value(1.0)
    model = nn.Module()
    model.w = w  # type: ignore[attr-defined]
    optimiser = optim.SGD([w], 1e200)
    step = mg.compile(lambda x: (w * x) ** 2, batched="x", reduce="mean")
    with pytest.raises(mg.AnomalyError, match=r"epoch 2, after step 1: the mean loss of 1 samples is inf"):
        nn.fit(model, [1e3], lambda x: (w * x) ** 2, optimiser, epochs=9, step=step, progress=False)
    assert w.data == 1.0 - 1e200 * 2e6


def test_labels_in_an_array_of_ints_are_numbers_where_the_step_computes_with_them() -> None:
    points, labels = two_moons(12)
    results = []
    for column in (labels, np.array(labels).astype(int), [int(label) for label in labels]):
        model = network(3)
        step = mg.compile(hinge(model), batched=("x", "y"), reduce="mean", backend="python")
        fitted(model, (np.array(points), column), step=step, epochs=2)
        results.append(numbers(model))
    assert results[0] == results[1] == results[2]


def test_many_whole_features_are_read_in_as_many_trials() -> None:
    count = 0
    weights = [Value(0.1) for _ in range(24)]

    def loss(*columns: Any) -> Any:
        nonlocal count
        count += 1
        return nn.mean_squared_error(mg.dot(weights, columns[:-1]), columns[-1])

    data = tuple([0, 3, i, 4] for i in range(25))
    names = ", ".join(f"x{i}" for i in range(25))
    native = eval(f"lambda {names}: loss({names})", {"loss": loss})
    step = mg.compile(native, batched=names.split(", "), reduce="mean", backend="python")
    model = nn.Module()
    model.weights = weights  # type: ignore[attr-defined]
    history = nn.fit(model, data, loss, optim.SGD(weights, 1e-4), epochs=2, step=step, progress=False)
    assert history.losses[1] < history.losses[0]
    assert count <= 26 + 2 * 4 + 4  # of compiled code: once, and once more for each feature


def test_ints_among_floats_and_in_dicts_are_numbers() -> None:
    rows = [[0.5, 1.0], [1, 0], [0, 0.5]]
    found = []
    for native in (True, False):
        model = network(3)
        embedding = nn.Embedding(2, 2, rng=random.Random(0))

        def mixed(x: Any, y: Any, model: nn.MLP = model) -> Any:
            return nn.hinge(model(x), y)

        def named(sample: Any, model: nn.MLP = model, embedding: nn.Embedding = embedding) -> Any:
            row = embedding(sample["token"])
            return nn.hinge(model([a + b for a, b in zip(row, sample["x"])]), sample["y"]) + row[0] * sample["y"]

        data = (rows, [1, -1, 1])
        nn.fit(
            model,
            data,
            mg.compile(lambda x, y: mixed(x, y), backend="python") if native else mixed,
            optim.SGD(model.parameters(), 0.1),
            epochs=2,
            progress=False,
        )
        dicts = [{"token": i % 2, "x": x, "y": y} for i, (x, y) in enumerate(zip(*data))]
        both = [*model.parameters(), *embedding.parameters()]
        whole = nn.Module()
        whole.parts = both  # type: ignore[attr-defined]
        function = mg.compile(lambda sample: named(sample), backend="python") if native else named
        nn.fit(whole, dicts, function, optim.SGD(both, 0.1), epochs=2, progress=False)
        found.append([p.data for p in both])
    assert found[0] == pytest.approx(found[1], rel=1e-12)


def test_a_compiled_loss_refuses_the_labels_that_the_plain_one_refuses() -> None:
    model = network(2)
    before = numbers(model)
    points = [[0.5, 1.0], [1.0, 0.0], [0.0, 0.5]]
    cases: list[tuple[Any, list[int], str]] = [
        (lambda x, y: nn.binary_cross_entropy(model(x), y), [1, -1, 1], "sample 1 .*probability from 0 to 1, not -1"),
        (lambda x, y: nn.hinge(model(x), y), [1, 0, -1], "sample 1 .*: a label of the hinge loss is -1 or 1, not 0"),
    ]
    for loss, labels, message in cases:
        native, optimiser = mg.compile(loss, backend="python"), optim.SGD(model.parameters(), 0.1)
        with pytest.raises(ValueError, match=message):
            nn.fit(model, (points, labels), native, optimiser, epochs=1, progress=False)
        assert numbers(model) == before


def test_ints_that_no_float_holds_are_no_ints_of_a_step() -> None:
    w = Value(2.0)
    model = nn.Module()
    model.w = w  # type: ignore[attr-defined]

    def loss(x: Any, y: Any) -> Any:
        return (w * x - y * 1e-18) ** 2

    step = mg.compile(loss, batched=("x", "y"), reduce="mean", backend="python")
    data = ([1.0, 2.0], [10**19, 10**19 + 10**18])
    history = nn.fit(model, data, loss, optim.SGD([w], 0.1), epochs=1, step=step, progress=False)
    assert history.losses == pytest.approx([(8.0**2 + 7.0**2) / 2], rel=1e-12)


def test_a_sum_is_no_mean_where_most_losses_are_0() -> None:
    w = Value(5.0)
    model = nn.Module()
    model.w = w  # type: ignore[attr-defined]

    def loss(x: Any, y: Any) -> Any:
        return nn.hinge(w * x, y)

    xs, ys = [1.0] * 400, [1] * 400
    xs[236] = 0.125  # beside it all losses are 0, and labels and extremes tell nothing of it
    xs[1], xs[2] = 2.0, 0.0625
    for labels in (ys, [*ys[:-2], -1, 1]):
        step = mg.compile(loss, batched=("x", "y"), reduce="sum", backend="python")
        with pytest.raises(ValueError, match="compile the same function, with reduce='mean'"):
            nn.fit(model, (xs, labels), loss, optim.SGD([w], 0.1), epochs=1, step=step, progress=False)
    assert w.data == 5.0


@pytest.mark.parametrize("wrong", [0, 0.5])
def test_a_label_that_the_loss_refuses_is_found_wherever_it_stands(wrong: float) -> None:
    model = network(2)
    before = numbers(model)
    loss = lambda x, y: nn.hinge(model(x), y)
    data = ([[float(k), 1.0] for k in range(9)], [-1, 1, 1, -1, wrong, 1, -1, 1, -1])
    for step in (None, mg.compile(loss, batched=("x", "y"), reduce="mean", backend="python")):
        with pytest.raises(ValueError, match="sample 4"):
            nn.fit(model, data, loss, optim.SGD(model.parameters(), lr=0.1), epochs=1, step=step, progress=False)
        assert numbers(model) == before


def test_a_step_of_a_copy_of_the_model_is_refused() -> None:
    model = network(3)
    step = mg.compile(hinge(copy.deepcopy(model)), batched=("x", "y"), reduce="mean", backend="python")
    with pytest.raises(ValueError, match="of this model and not of a copy"):
        fitted(model, two_moons(6), step=step)


def holder(**values: Any) -> Any:
    model = nn.Module()
    vars(model).update(values)
    return model


def test_a_copy_is_refused_where_all_losses_are_small() -> None:
    model, copy = holder(w=Value(0.5), b=Value(0.0)), holder(w=Value(0.5), b=Value(0.0))
    xs = [0.1 * i for i in range(1, 9)]
    ys = [1e-4 * (2.0 * x + 1.0) for x in xs]

    def loss(x: Any, y: Any, model: Any = model) -> Any:
        return (1e-4 * (model.w * x + model.b) - y) ** 2

    for step in (
        mg.compile(lambda x, y: loss(x, y, copy), batched=("x", "y"), reduce="mean", backend="python"),
        mg.compile(lambda x, y: loss(x, y), batched=("x", "y"), reduce="sum", backend="python"),
    ):
        with pytest.raises(ValueError, match="compile the same function"):
            nn.fit(model, (xs, ys), loss, optim.Adam(model.parameters(), 0.05), epochs=3, step=step, progress=False)
    assert numbers(model) == [0.5, 0.0]


def test_a_perfect_model_may_be_trained_with_fastmath() -> None:
    rng = random.Random(0)
    model, twin = network(4, seed=1), network(4, seed=1)
    xs = [[rng.gauss(0.0, 1.0), rng.gauss(0.0, 1.0)] for _ in range(20)]
    ys = [math.tanh(twin(x).data) for x in xs]

    def loss(x: Any, y: Any) -> Any:
        return (mg.tanh(model(x)) - y) ** 2 + 0.0

    step = mg.compile(loss, batched=("x", "y"), reduce="mean", fastmath=True)
    history = nn.fit(model, (xs, ys), loss, optim.SGD(model.parameters(), 0.1), epochs=2, step=step, progress=False)
    assert history.losses[-1] < 1e-24


def test_an_int_that_chooses_may_stand_in_a_list_beside_numbers() -> None:
    found = []
    for native in (True, False):
        linear = nn.Linear(2, 3, rng=random.Random(0))

        def loss(sample: Any, linear: nn.Linear = linear) -> Any:
            return nn.cross_entropy(linear(sample[0]), sample[1])

        function = mg.compile(lambda sample: loss(sample), backend="python") if native else loss
        for data in ([[[0.5, 1.5], 1], [[1.0, 2.0], 2]], [[[1, 2], 0], [[0.5, 2], 2], [[1.5, 0.5], 1]]):
            nn.fit(linear, data, function, optim.SGD(linear.parameters(), 0.1), epochs=2, progress=False)
        found.append(numbers(linear))
    assert found[0] == pytest.approx(found[1], rel=1e-12)


@pytest.mark.parametrize("data", [[[1, 2], [], [3]], [[], [1, 2], [3]], [[], [1.5], [2, 3.0], [1, 2]]])
def test_ints_are_numbers_in_whatever_sample_they_come_first(data: Any) -> None:
    found = []
    for native in (True, False):
        model = holder(w=Value(0.5))

        def loss(xs: Any, w: Value = model.w) -> Any:
            return mg.sum([(w * x - 1.0) ** 2 for x in xs] + [w * w])

        function = mg.compile(lambda xs: loss(xs), backend="python") if native else loss
        nn.fit(model, data, function, optim.SGD([model.w], 0.01), epochs=2, progress=False)
        found.append(model.w.data)
    assert found[0] == pytest.approx(found[1], rel=1e-12)


def test_the_way_to_ints_that_are_both_is_told() -> None:
    linear = nn.Linear(2, 3, rng=random.Random(0))
    loss = mg.compile(lambda x: nn.cross_entropy(linear(x[:2]), x[2]), backend="python")
    with pytest.raises(mg.TraceError, match="a label is an int") as caught:
        nn.fit(linear, [[1, 2, 0]], loss, optim.SGD(linear.parameters(), 0.1), epochs=1)
    assert caught.value.__notes__[0] == "it computes with the ints in argument 0, and was given them as floats"


def test_numbers_in_arrays_of_any_kind_are_numbers_of_a_step() -> None:
    results = []
    for xs in ([1.0, 2.0], [np.array(1.0), np.array(2)], np.array([1.0, 2], dtype=object)):
        model = holder(w=Value(0.5))

        def loss(x: Any, w: Value = model.w) -> Any:
            return (w * x - 1.0) ** 2

        step = mg.compile(lambda x: loss(x), batched="x", reduce="mean", backend="python")
        nn.fit(model, xs, loss, optim.SGD([model.w], 0.1), epochs=2, step=step, progress=False)
        results.append(model.w.data)
    assert results[0] == results[1] == results[2]
    for data, said in (([{"x": 1.0}], "is {'x': 1.0}"), (["ab"], "is 'ab'")):
        with pytest.raises(TypeError, match=f"sample 0, argument 0 {said}.*; a compiled step takes arrays"):
            nn.fit(model, data, lambda x: model.w * 1.0, optim.SGD([model.w], 0.1), epochs=1, step=step)


def test_gradients_of_frozen_values_stay_where_data_are_refused() -> None:
    w, frozen = Value(0.5), Value(0.0)

    class Half(nn.Module):
        def __init__(self) -> None:
            self.w, self.frozen = w, frozen

        def parameters(self) -> list[Value]:
            return [w]

    frozen.grad = 5.0
    loss = mg.compile(lambda x: (w * x - frozen) ** 2, backend="python")
    with pytest.raises(TypeError, match="str"):
        nn.fit(Half(), [1.0, "a"], loss, optim.SGD([w], 0.1), epochs=1, progress=False)
    assert (frozen.grad, w.grad, w.data) == (5.0, 0.0, 0.5)
