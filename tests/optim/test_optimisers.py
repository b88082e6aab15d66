"""Protects the optimisers: every step against formulas written out here, what they refuse, and a state that is restored
whole or not at all.
"""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from support import same

import micrograd as mg
from micrograd import Value, optim

STEPS = 30
Step = tuple[list[float], list[float]]  # gradients, and the parameters after the step


def parameters(count: int = 5, seed: int = 0) -> list[Value]:
    rng = random.Random(seed)
    return [Value(rng.gauss(0.0, 1.0)) for _ in range(count)]


def gradients(count: int = 5, seed: int = 1) -> Iterator[list[float]]:
    rng = random.Random(seed)
    while True:
        yield [rng.gauss(0.0, 1.0) * 10.0 ** rng.uniform(-3.0, 1.0) for _ in range(count)]


def run(optimiser: Any, values: list[Value], steps: int = STEPS, seed: int = 1) -> list[list[float]]:
    found = []
    for numbers, _ in zip(gradients(len(values), seed), range(steps)):
        for p, g in zip(values, numbers):
            p.grad = g
        optimiser.step()
        found.append([p.data for p in values])
    return found


# --- the formulas, one parameter at a time ----------------------------------------------------------------------


def sgd(p: float, lr: float, momentum: float, nesterov: bool, decay: float) -> Callable[[float], float]:
    v: float | None = None

    def step(g: float) -> float:
        nonlocal p, v
        g = g + decay * p
        v = g if v is None else momentum * v + g
        p = p - lr * (g + momentum * v if nesterov else v)
        return p

    return step


def adam(p: float, lr: float, b1: float, b2: float, eps: float, decay: float, apart: bool) -> Callable[[float], float]:
    m = v = 0.0
    t = 0

    def step(g: float) -> float:
        nonlocal p, m, v, t
        t += 1
        if apart:
            p = p - lr * decay * p
        else:
            g = g + decay * p
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        p = p - lr * (m / (1 - b1**t)) / (math.sqrt(v / (1 - b2**t)) + eps)
        return p

    return step


@pytest.mark.parametrize("lr", [0.1, 3.0])
@pytest.mark.parametrize("decay", [0.0, 0.05])
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True), (0.3, True)])
def test_sgd_is_its_formula(lr: float, decay: float, momentum: float, nesterov: bool) -> None:
    values = parameters()
    steps = [sgd(p.data, lr, momentum, nesterov, decay) for p in values]
    found = run(optim.SGD(values, lr, momentum, nesterov, decay), values)
    for numbers, after in zip(gradients(), found):
        assert after == pytest.approx([step(g) for step, g in zip(steps, numbers)], rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("kind", [optim.Adam, optim.AdamW])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.0, 0.5), (0.4, 0.9)])
@pytest.mark.parametrize("eps", [1e-8, 0.1])
@pytest.mark.parametrize("decay", [0.0, 0.05])
def test_adam_is_its_formula(kind: type[optim.Adam], betas: tuple[float, float], eps: float, decay: float) -> None:
    values = parameters()
    steps = [adam(p.data, 0.05, *betas, eps, decay, kind is optim.AdamW) for p in values]
    found = run(kind(values, 0.05, betas, eps, decay), values)
    for numbers, after in zip(gradients(), found):
        assert after == pytest.approx([step(g) for step, g in zip(steps, numbers)], rel=1e-12, abs=1e-12)


def test_the_defaults_are_pytorchs() -> None:
    assert optim.SGD(parameters(), 1.0).state_dict()["settings"] == {
        "lr": 1.0,
        "momentum": 0.0,
        "nesterov": False,
        "weight_decay": 0.0,
    }
    settings = {"lr": 1e-3, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.0}
    assert optim.Adam(parameters()).state_dict()["settings"] == settings
    assert optim.AdamW(parameters()).state_dict()["settings"] == {**settings, "weight_decay": 1e-2}


def test_without_momentum_a_step_is_micrograd_01s() -> None:
    values, twins = parameters(), parameters()
    run(optim.SGD(values, 0.3), values)
    for numbers, _ in zip(gradients(), range(STEPS)):
        for p, g in zip(twins, numbers):
            p.data -= 0.3 * g
    assert same([p.data for p in values], [p.data for p in twins])


def test_a_quadratic_is_brought_to_its_minimum() -> None:
    for make in (
        lambda ps: optim.SGD(ps, 0.1),
        lambda ps: optim.SGD(ps, 0.05, momentum=0.9, nesterov=True),
        lambda ps: optim.Adam(ps, 0.1),
        lambda ps: optim.AdamW(ps, 0.1, weight_decay=0.0),
    ):
        x, y = Value(3.0), Value(-2.0)
        optimiser = make([x, y])
        for _ in range(400):
            optimiser.zero_grad()
            ((x - 1.0) ** 2 + 3.0 * (y + x) ** 2).backward()
            optimiser.step()
        assert [x.data, y.data] == pytest.approx([1.0, -1.0], abs=1e-3)


# --- gradients ---------------------------------------------------------------------------------------------------


def test_zero_grad() -> None:
    values = parameters()
    optimiser = optim.SGD(values, 0.1)
    for p in values:
        p.grad = 3.0
    optimiser.zero_grad()
    assert [p.grad for p in values] == [0.0] * 5


def test_a_gradient_of_zero_counts() -> None:
    w = Value(1.0)
    optimiser = optim.SGD([w], 1.0, momentum=0.5, weight_decay=0.25)
    optimiser.step()
    assert w.data == 0.75
    w.grad = 0.0
    optimiser.step()
    assert w.data == 0.75 - (0.5 * 0.25 + 0.25 * 0.75)


def test_a_gradient_that_is_not_finite_is_not_hidden() -> None:
    for optimiser in (optim.SGD(v := parameters(3), 0.1, momentum=0.9), optim.Adam(w := parameters(3))):
        values = v if isinstance(optimiser, optim.SGD) else w
        before = [p.data for p in values]
        for g in (math.nan, 1.0):
            for p in values[:2]:
                p.grad = g
            optimiser.step()
        assert [math.isnan(p.data) for p in values] == [True, True, False]  # and it stays so
        assert values[2].data == before[2]
        optimiser.load_state_dict(json.loads(json.dumps(optimiser.state_dict())))
    values = parameters(1)
    values[0].grad = math.inf
    optim.SGD(values, 0.1).step()
    assert values[0].data == -math.inf


def test_an_eps_of_zero_divides_as_ieee_754() -> None:
    values = parameters(2)
    values[0].grad = 1.0
    optim.Adam(values, 0.1, eps=0.0).step()
    assert math.isfinite(values[0].data)
    assert math.isnan(values[1].data)  # 0 / 0, as in PyTorch


def test_a_gradient_that_is_a_value_counts_as_its_number() -> None:
    x = Value(2.0)
    (x**3).backward(create_graph=True)
    optim.SGD([x], 0.5).step()
    assert x.data == 2.0 - 0.5 * 12.0


def test_the_learning_rate_may_be_changed() -> None:
    w = Value(0.0)
    optimiser = optim.SGD([w], 1.0)
    w.grad = 1.0
    for lr in (1.0, 0.5, 0.25):
        optimiser.lr = lr
        optimiser.step()
    assert w.data == -1.75
    for bad, error in ((-1.0, ValueError), (math.nan, ValueError), (math.inf, ValueError), ("1", TypeError)):
        with pytest.raises(error, match="lr"):
            optimiser.lr = bad
    assert optimiser.lr == 0.25


# --- what is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: optim.SGD([], 0.1), ValueError, "at least one parameter"),
        (lambda: optim.SGD([1.0], 0.1), TypeError, "parameter 0 is a Value, not 1.0"),
        (lambda: optim.SGD(Value(1.0), 0.1), TypeError, r"\[v\] for a single one"),  # type: ignore[arg-type]
        (lambda: optim.SGD("w", 0.1), TypeError, "iterable of Values"),
        (lambda: optim.SGD(None, 0.1), TypeError, "iterable of Values"),  # type: ignore[arg-type]
        (lambda: optim.SGD(mg.nn.MLP(2, [1]), 0.1), TypeError, "model.parameters()"),  # type: ignore[arg-type]
        (lambda: optim.SGD([Value(1.0) * 2.0], 0.1), ValueError, "parameter 0 is the result of mul"),
        (lambda: optim.SGD([v := Value(1.0), Value(2.0), v], 0.1), ValueError, "parameter 2 is parameter 0 again"),
        (lambda: optim.SGD([Value(1.0)], -0.1), ValueError, "lr is a finite number from 0 on, not -0.1"),
        (lambda: optim.SGD([Value(1.0)], "0.1"), TypeError, "lr"),  # type: ignore[arg-type]
        (lambda: optim.SGD([Value(1.0)], lr=10**400), ValueError, "lr is a finite number from 0 on, not 1000"),
        (lambda: optim.Adam([Value(1.0)], betas=(10**400, 0.9)), ValueError, r"betas\[0\] is a number from 0 to below"),
        (lambda: optim.SGD([Value(1.0)], 0.1, momentum=-1), ValueError, "momentum"),
        (lambda: optim.SGD([Value(1.0)], 0.1, nesterov=True), ValueError, "momentum above 0"),
        (lambda: optim.SGD([Value(1.0)], 0.1, 0.9, 1), TypeError, "True or False"),  # type: ignore[arg-type]
        (lambda: optim.SGD([Value(1.0)], 0.1, weight_decay=math.inf), ValueError, "weight_decay"),
        (lambda: optim.Adam([Value(1.0)], betas=(0.9, 1.0)), ValueError, r"betas\[1\]"),
        (lambda: optim.Adam([Value(1.0)], betas=(-0.1, 0.9)), ValueError, r"betas\[0\]"),
        (lambda: optim.Adam([Value(1.0)], betas=0.9), ValueError, "betas are two numbers"),  # type: ignore[arg-type]
        (lambda: optim.Adam([Value(1.0)], eps=-1e-8), ValueError, "eps"),
        (lambda: optim.AdamW([Value(1.0)], weight_decay=-1.0), ValueError, "weight_decay"),
        (lambda: optim.Optimiser([Value(1.0)], 0.1).step(), NotImplementedError, "write _update"),
    ],
)
def test_what_cannot_be_used_is_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


# --- the state -------------------------------------------------------------------------------------------------

MAKERS: dict[str, Callable[[list[Value]], optim.Optimiser]] = {
    "sgd": lambda ps: optim.SGD(ps, 0.1),
    "momentum": lambda ps: optim.SGD(ps, 0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda ps: optim.Adam(ps, 0.1, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.01),
    "adamw": lambda ps: optim.AdamW(ps, 0.1),
}
OTHERS: dict[str, Callable[[list[Value]], optim.Optimiser]] = {
    "sgd": lambda ps: optim.SGD(ps, 7.0, momentum=0.5),
    "momentum": lambda ps: optim.SGD(ps, 7.0),
    "adam": lambda ps: optim.Adam(ps, 7.0),
    "adamw": lambda ps: optim.AdamW(ps, 7.0, eps=1.0),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_a_restored_state_continues_with_the_same_bits(kind: str) -> None:
    values = parameters()
    optimiser = MAKERS[kind](values)
    run(optimiser, values, 7)
    state = json.loads(json.dumps(optimiser.state_dict()))
    twins = [Value(p.data) for p in values]
    other = OTHERS[kind](twins)
    run(other, [*twins], 0)
    other.load_state_dict(state)
    assert repr(other) == repr(optimiser)
    assert other.steps == 7
    assert same(run(optimiser, values, 9, seed=5), run(other, twins, 9, seed=5))
    assert same(other.state_dict(), optimiser.state_dict())


def test_a_state_is_a_copy() -> None:
    values = parameters()
    optimiser = MAKERS["momentum"](values)
    run(optimiser, values, 3)
    state = optimiser.state_dict()
    before = copy.deepcopy(state)
    run(optimiser, values, 3)
    assert state == before
    optimiser.load_state_dict(state)
    run(optimiser, values, 3)
    assert state == before
    now = optimiser.state_dict()
    now["memory"]["velocity"][0] = now["settings"]["lr"] = 99.0
    assert optimiser.state_dict()["memory"]["velocity"][0] != 99.0
    assert optimiser.lr == 0.1


def _changed(path: str, to: Any) -> Callable[[Any], Any]:
    def change(state: Any) -> Any:
        *way, last = path.split("/")
        at = state
        for key in way:
            at = at[int(key)] if isinstance(at, list) else at[key]
        if to is ...:
            del at[last]
        else:
            at[int(last) if isinstance(at, list) else last] = to
        return state

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: None, "is a dict, not None"),
        (lambda state: [state], "is a dict"),
        (lambda state: {}, "has the entries optimiser, settings, parameters, steps, memory, not"),
        (_changed("extra", 1), "has the entries"),
        (_changed("optimiser", "SGD"), "another optimiser: 'SGD'"),
        (_changed("parameters", 6), "that of 6 .*; there are 5"),
        (_changed("parameters", 5.0), "that of 5.0"),
        (_changed("parameters", True), "that of True"),
        (_changed("steps", -1), "'steps' of the state"),
        (_changed("steps", 1.5), "'steps' of the state"),
        (_changed("settings", None), "'settings' of the state is a dict"),
        (_changed("settings/momentum", 0.9), "'settings' of the state has the entries lr, betas, eps"),
        (_changed("settings/lr", "0.1"), "'settings' of the state: lr"),
        (_changed("settings/lr", -0.1), "lr is a finite number"),
        (_changed("settings/eps", None), "eps"),
        (_changed("settings/betas", [0.9]), "betas are two numbers"),
        (_changed("settings/betas/1", 1.5), r"betas\[1\]"),
        (_changed("memory/square", ...), "'memory' of the state has the entries mean, square, not mean"),
        (_changed("memory/mean", [1.0] * 4), "list of 5 numbers, one for each parameter; 4 entries came"),
        (_changed("memory/mean", 3.0), "list of 5 numbers"),
        (_changed("memory/mean/2", "1.0"), "'mean' of the state: entry 2 is a number, not '1.0'"),
        (_changed("memory/square/3", True), "entry 3 is a number, not True"),
        (_changed("memory/square/3", None), "entry 3 is a number, not None"),
        (_changed("memory/mean/0", 10**400), "entry 0 is a number, not 1000"),
        (_changed("settings/lr", 10**400), "'settings' of the state"),
        (_changed("memory/square/4", -1.0), "entry 4 is a mean of squares, not -1.0"),
    ],
)
def test_a_wrong_state_changes_nothing(change: Callable[[Any], Any], message: str) -> None:
    values = parameters()
    optimiser = optim.Adam(values, 0.1)
    run(optimiser, values, 3)
    before = copy.deepcopy(optimiser.state_dict()), [p.data for p in values]
    twins = parameters()
    other = optim.Adam(twins, 0.7, betas=(0.5, 0.6))
    run(other, twins, 5)
    with pytest.raises(ValueError, match=message):
        optimiser.load_state_dict(change(copy.deepcopy(other.state_dict())))
    assert same((optimiser.state_dict(), [p.data for p in values]), before)


def test_one_of_your_own() -> None:
    class Signs(optim.Optimiser):
        """Steps of one length."""

        def _update(self, numbers: list[float], gradients: list[float], step: int) -> list[float]:
            self._memory["last"] = gradients
            return [p - math.copysign(self.lr, g) for p, g in zip(numbers, gradients)]

    w = Value(1.0)
    optimiser = Signs([w], 0.25, memory=("last",))
    w.grad = -7.0
    optimiser.step()
    assert w.data == 1.25
    assert optimiser.state_dict()["memory"] == {"last": [-7.0]}
    optimiser.load_state_dict(optimiser.state_dict())
    assert repr(optimiser) == "Signs(1 parameters, lr=0.25)"


# --- clipping --------------------------------------------------------------------------------------------------


def graded(numbers: list[float]) -> list[Value]:
    values = [Value(0.0) for _ in numbers]
    for p, g in zip(values, numbers):
        p.grad = g
    return values


def test_clipping_by_norm() -> None:
    values = graded([3.0, 0.0, -4.0])
    assert optim.clip_gradient_norm(values, 1.0) == 5.0
    assert [p.grad for p in values] == pytest.approx([0.6, 0.0, -0.8], rel=1e-6)
    assert math.hypot(*[p.grad for p in values]) < 1.0
    small = graded([0.3, 0.4])
    assert optim.clip_gradient_norm(small, 1.0) == 0.5
    assert [p.grad for p in small] == [0.3, 0.4]  # to the bit
    huge = graded([3e200, 4e200])
    assert optim.clip_gradient_norm(huge, 1.0) == pytest.approx(5e200)
    assert [p.grad for p in huge] == pytest.approx([0.6, 0.8])
    assert optim.clip_gradient_norm([], 1.0) == 0.0
    nothing = graded([0.0])
    assert optim.clip_gradient_norm(nothing, 0.0) == 0.0


@pytest.mark.parametrize("largest", [1.0, 1e-20, 1e300, 0.0])
def test_clipping_gradients_whose_norm_is_no_float(largest: float) -> None:
    values = graded([1.5e308, -1.5e308, 0.0, 1.5])
    assert optim.clip_gradient_norm(values, largest) == math.inf
    share = largest / math.sqrt(2.0)
    expected = [share, -share, 0.0, largest * (1e-308 / math.sqrt(2.0))]
    assert [p.grad for p in values] == pytest.approx(expected, rel=1e-12, abs=0.0)


def test_clipping_what_is_not_finite_is_pytorchs() -> None:
    values = graded([math.nan, math.inf, 1.0])
    assert math.isnan(optim.clip_gradient_norm(values, 1.0))
    assert all(math.isnan(p.grad) for p in values)
    values = graded([math.inf, 1.0])
    assert optim.clip_gradient_norm(values, 1.0) == math.inf
    assert math.isnan(values[0].grad)
    assert values[1].grad == 0.0


def test_clipping_by_value() -> None:
    values = graded([3.0, -0.5, -4.0, math.nan, math.inf])
    optim.clip_gradient_value(values, 1.0)
    assert same([p.grad for p in values], [1.0, -0.5, -1.0, math.nan, 1.0])


@pytest.mark.parametrize("clip", [optim.clip_gradient_norm, optim.clip_gradient_value])
def test_clipping_refuses(clip: Any) -> None:
    values = graded([3.0])
    for largest, error in ((-1.0, ValueError), (math.nan, ValueError), (10**400, ValueError), ("1", TypeError)):
        with pytest.raises(error, match="largest"):
            clip(values, largest)
    with pytest.raises(TypeError, match="parameter 1 is a Value"):
        clip([*values, 2.0], 1.0)
    assert values[0].grad == 3.0


# --- schedules -------------------------------------------------------------------------------------------------


def test_the_linear_schedule_is_karpathys_to_the_bit() -> None:
    schedule = optim.LinearRate(100, end=0.1)
    assert [schedule(k) for k in range(100)] == [1.0 - 0.9 * k / 100 for k in range(100)]
    assert schedule(100) == schedule(500) == 0.1


def test_schedules_are_their_formulas() -> None:
    cosine = optim.CosineRate(50, warmup=10, end=0.1)
    for k in range(60):
        assert optim.ExponentialRate(0.9)(k) == pytest.approx(math.prod([0.9] * k))
        assert optim.StepRate(7, 0.5)(k) == math.prod([0.5] * (k // 7))
        assert optim.ConstantRate(0.5)(k) == 0.5
        expected = 0.1 + 0.9 * math.cos(math.pi / 2 * (k - 10) / 40) ** 2
        expected = (k + 1) / 10 if k < 10 else expected if k < 50 else 0.1
        assert cosine(k) == pytest.approx(expected, rel=1e-12)
    assert (cosine(9), cosine(10)) == (1.0, 1.0)
    assert optim.ExponentialRate(10)(400) == optim.StepRate(2, decay=10.0)(800) == math.inf  # refused as a rate


def test_schedules_are_plain_data() -> None:
    assert repr(optim.LinearRate(100, end=0.1)) == "LinearRate(steps=100, start=1.0, end=0.1)"
    assert optim.StepRate(3) == optim.StepRate(3, 0.1)


def test_steps_of_numpy_become_plain_ints() -> None:
    linear = optim.LinearRate(np.int64(10))  # type: ignore[arg-type]
    cosine = optim.CosineRate(np.int32(10), warmup=np.uint8(3))  # type: ignore[arg-type]
    step = optim.StepRate(np.int64(2))  # type: ignore[arg-type]
    assert (linear, cosine, step) == (optim.LinearRate(10), optim.CosineRate(10, 3), optim.StepRate(2))
    assert {type(n) for n in (linear.steps, cosine.steps, cosine.warmup, step.every)} == {int}
    assert repr(linear) == "LinearRate(steps=10, start=1.0, end=0.0)"
    assert linear(5) == 0.5


def test_a_rate_beyond_all_floats_changes_nothing() -> None:
    optimiser = optim.SGD([Value(1.0)], 0.25)
    with pytest.raises(ValueError, match="lr is a finite number from 0 on, not 1000"):
        optimiser.lr = 10**400
    assert optimiser.lr == 0.25


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: optim.LinearRate(0), ValueError, "steps is at least 1, not 0"),
        (lambda: optim.LinearRate(1.5), TypeError, "steps is an int"),  # type: ignore[arg-type]
        (lambda: optim.LinearRate(10, end=-1.0), ValueError, "end"),
        (lambda: optim.LinearRate(10, start=math.nan), ValueError, "start"),
        (lambda: optim.CosineRate(10, warmup=10), ValueError, "leaves none"),
        (lambda: optim.CosineRate(10, warmup=-1), ValueError, "at least 0"),
        (lambda: optim.ExponentialRate("0.9"), TypeError, "decay"),  # type: ignore[arg-type]
        (lambda: optim.StepRate(0), ValueError, "every"),
        (lambda: optim.StepRate(True), TypeError, "every"),
        (lambda: optim.StepRate(np.float64(2.0)), TypeError, "every is an int"),  # type: ignore[arg-type]
        (lambda: optim.StepRate(np.int64(0)), ValueError, "every is at least 1, not 0"),  # type: ignore[arg-type]
        (lambda: optim.ExponentialRate(10**400), ValueError, "decay is a finite number from 0 on, not 1000"),
        (lambda: optim.ConstantRate(-1.0), ValueError, "factor"),
    ],
)
def test_schedules_refuse(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
