"""Optimisers with PyTorch's formulas and names, gradient clipping, and schedules of the learning rate.

>>> import micrograd as mg
>>> x = mg.Value(3.0)
>>> optimiser = mg.optim.SGD([x], lr=0.25)
>>> for _ in range(3):
...     optimiser.zero_grad()
...     (x * x).backward()
...     optimiser.step()
>>> x.data                                 # 3 * (1 - 2 * 0.25) ** 3
0.375

``backward()`` adds to the gradients that are there, so each step begins with ``zero_grad()``. A parameter of which
the loss does not depend has the gradient 0.0, not none at all: decay and momentum move it all the same.
"""

from __future__ import annotations

from micrograd.optim.adam import Adam, AdamW
from micrograd.optim.clipping import clip_gradient_norm, clip_gradient_value
from micrograd.optim.descent import SGD
from micrograd.optim.optimiser import Optimiser
from micrograd.optim.schedules import ConstantRate, CosineRate, ExponentialRate, LinearRate, StepRate

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "ConstantRate",
    "CosineRate",
    "ExponentialRate",
    "LinearRate",
    "Optimiser",
    "StepRate",
    "clip_gradient_norm",
    "clip_gradient_value",
]
