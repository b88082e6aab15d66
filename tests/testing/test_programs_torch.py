"""Protects the backward pass against a second judge: PyTorch, on random programs of all operations that both have."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given, settings
from torch_functions import differentiated, functions, torch

from micrograd import Value
from micrograd.testing import Program, programs
from micrograd.testing.rounding import path_sizes

pytestmark = pytest.mark.oracles

# Not PyTorch's: cbrt and take. Numbers there: the slopes of leaky_relu and elu. A straight line above 20: softplus.
# Another derivative far below 0: expm1. Turn the last bit of a large operand into anything at all: fmod, tan, power.
LEFT_OUT = {"cbrt", "take", "leaky_relu", "elu", "softplus", "expm1", "fmod", "tan", "power"}


def on_tensors(program: Program, *tensors: Any) -> Any:
    table, t = functions(), torch()
    pool = list(tensors)
    for name, *operands in program.instructions:
        pool.append(table[name](*[pool[x] if type(x) is int else t.tensor(x, dtype=t.float64) for x in operands]))
    return pool[-1]


def test_gradients_of_random_programs_are_those_of_pytorch() -> None:
    shared = sorted(set(functions()) - LEFT_OUT)
    judged = 0

    @settings(max_examples=200)
    @given(programs(max_instructions=8, operations=shared))
    def holds(program: Program) -> None:
        nonlocal judged
        inputs = [Value(x) for x in program.inputs]
        out = program(*inputs)
        out.backward()
        sizes = path_sizes(out)
        value, gradient = differentiated(lambda *tensors: on_tensors(program, *tensors), program.inputs)
        assert out.data == pytest.approx(value, rel=1e-9, abs=1e-9)
        for x, g in zip(inputs, gradient):
            assert abs(x.grad - g) <= 1e-7 * sizes.get(x, 0.0) + sys.float_info.min
            judged += g != 0.0

    holds()
    assert judged > 100
