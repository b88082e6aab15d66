"""PyTorch with one 0-d float64 tensor per number, on one thread: what a scalar graph costs in a tensor framework."""

from __future__ import annotations

from collections.abc import Iterable
from operator import methodcaller
from typing import Any

import torch

from benchmarks.engine import Engine, collector_disabled, nothing_to_renew

__all__ = ["load"]


def load() -> Engine:
    """Return the engine, ready to run."""
    torch.set_num_threads(1)

    def begin(parameters: Iterable[Any]) -> None:
        for p in parameters:
            p.grad = None

    return Engine(
        version=str(torch.__version__),
        parameter=lambda x: torch.tensor(x, dtype=torch.float64, requires_grad=True),
        constant=float,  # tensors take floats directly, which is quicker than a tensor for each
        relu=torch.relu,
        number=methodcaller("item"),
        gradient=lambda p: p.grad.item(),
        begin=begin,
        backward=methodcaller("backward"),
        paused=collector_disabled,
        renew=nothing_to_renew,
    )
