"""Compares optimisers, clipping and schedules with PyTorch, step by step.

PyTorch's vector code contracts ``a + b * c`` into one rounding where the processor can, and its square root of many
numbers is not always the nearest float. Told not to contract (``ATEN_CPU_CAPABILITY=default``) and given the exact
root, it has the same bits as ours after every step.
"""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from support import run_python

from micrograd import Value, optim

pytest.importorskip("torch")
pytestmark = pytest.mark.oracles

CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1, "betas": [0.8, 0.99], "eps": 1e-4, "weight_decay": 0.1}),
    ("Adam", {"betas": [0.3, 0.9]}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.1, "betas": [0.8, 0.99], "eps": 1e-4, "weight_decay": 0.5}),
]
STEPS, COUNT = 60, 37

PYTORCH = """
import json, math, pathlib, sys, torch

def exact_root(t):
    return torch.tensor([math.sqrt(x) for x in t.tolist()], dtype=torch.float64)

if sys.argv[2] == "exact":
    torch.Tensor.sqrt = exact_root
for name, settings, start, gradients in json.loads(pathlib.Path(sys.argv[1]).read_text()):
    if "betas" in settings:
        settings["betas"] = tuple(settings["betas"])
    w = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimiser = getattr(torch.optim, name)([w], foreach=False, **settings)
    steps = []
    for row in gradients:
        w.grad = torch.tensor(row, dtype=torch.float64)
        optimiser.step()
        steps.append(w.tolist())
    print(json.dumps(steps))
"""


def work() -> list[tuple[str, dict[str, Any], list[float], list[list[float]]]]:
    """Return each case with parameters and the gradients of all steps."""
    rng = random.Random(4)
    start = [rng.gauss(0.0, 1.0) for _ in range(COUNT)]
    gradients = [[rng.gauss(0.0, 1.0) * 10.0 ** rng.uniform(-3, 1) for _ in start] for _ in range(STEPS)]
    gradients[3] = [0.0] * COUNT
    return [(name, settings, start, gradients) for name, settings in CASES]


def pytorchs(folder: Path, exact: bool) -> list[list[list[float]]]:
    file = folder / "work.json"
    file.write_text(json.dumps(work()))
    environment = {"ATEN_CPU_CAPABILITY": "default"} if exact else {}
    printed = run_python(PYTORCH, str(file), "exact" if exact else "usual", **environment)
    return [json.loads(line) for line in printed.splitlines()]


def ours() -> list[list[list[float]]]:
    cases = []
    for name, settings, start, gradients in work():
        values = [Value(x) for x in start]
        optimiser = getattr(optim, name)(values, **settings)
        steps = []
        for row in gradients:
            for p, g in zip(values, row):
                p.grad = g
            optimiser.step()
            steps.append([p.data for p in values])
        cases.append(steps)
    return cases


@pytest.mark.slow
def test_every_step_has_pytorchs_bits(tmp_path: Path) -> None:
    for case, mine, theirs in zip(CASES, ours(), pytorchs(tmp_path, exact=True), strict=True):
        assert mine == theirs, case


@pytest.mark.slow
def test_as_pytorch_runs_here_the_steps_agree_to_rounding(tmp_path: Path) -> None:
    for case, mine, theirs in zip(CASES, ours(), pytorchs(tmp_path, exact=False), strict=True):
        for a, b in zip(mine, theirs, strict=True):
            assert a == pytest.approx(b, rel=1e-13, abs=1e-13), case


def test_clipping() -> None:
    import torch

    rng = random.Random(2)
    for largest in (1e-3, 0.5, 1.0, 100.0):
        numbers = [rng.gauss(0.0, 1.0) for _ in range(COUNT)]
        for clip in ("norm", "value"):
            values = [Value(0.0) for _ in numbers]
            tensor = torch.zeros(COUNT, dtype=torch.float64, requires_grad=True)
            tensor.grad = torch.tensor(numbers, dtype=torch.float64)
            for p, g in zip(values, numbers):
                p.grad = g
            ours = getattr(optim, f"clip_gradient_{clip}")(values, largest)
            theirs = getattr(torch.nn.utils, f"clip_grad_{clip}_")([tensor], largest)
            if clip == "norm":
                assert ours == pytest.approx(theirs.item(), rel=1e-14)
            assert tensor.grad is not None
            assert [p.grad for p in values] == pytest.approx(tensor.grad.tolist(), rel=1e-14)


@pytest.mark.parametrize("numbers", [[math.nan, 1.0], [math.inf, 1.0, -2.0], [-math.inf, math.nan]])
def test_clipping_what_is_not_finite(numbers: list[float]) -> None:
    import torch

    values = [Value(0.0) for _ in numbers]
    for p, g in zip(values, numbers):
        p.grad = g
    tensor = torch.zeros(len(numbers), dtype=torch.float64, requires_grad=True)
    tensor.grad = torch.tensor(numbers, dtype=torch.float64)
    ours, theirs = optim.clip_gradient_norm(values, 1.0), torch.nn.utils.clip_grad_norm_([tensor], 1.0)
    assert repr(ours) == repr(theirs.item())
    assert tensor.grad is not None
    assert [p.grad for p in values] == pytest.approx(tensor.grad.tolist(), nan_ok=True)


def test_schedules() -> None:
    import torch
    from torch.optim import lr_scheduler

    rate, steps = 0.2, 40
    makers: list[tuple[Any, Any]] = [
        (optim.LinearRate(steps, 1.0, 0.1), lambda o: lr_scheduler.LinearLR(o, 1.0, 0.1, steps)),
        (optim.CosineRate(steps, end=0.05), lambda o: lr_scheduler.CosineAnnealingLR(o, steps, 0.05 * rate)),
        (optim.ExponentialRate(0.97), lambda o: lr_scheduler.ExponentialLR(o, 0.97)),
        (optim.StepRate(7, 0.3), lambda o: lr_scheduler.StepLR(o, 7, 0.3)),
        (optim.ConstantRate(0.5), lambda o: lr_scheduler.ConstantLR(o, 0.5, 1000)),
    ]
    for schedule, make in makers:
        optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate)
        theirs = make(optimiser)
        for k in range(steps):
            assert rate * schedule(k) == pytest.approx(theirs.get_last_lr()[0], rel=1e-12), (schedule, k)
            optimiser.step()
            theirs.step()
