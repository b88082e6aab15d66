"""Schedules of the learning rate: callables that give, for step k = 0, 1, ..., the factor of ``lr``.

Any function of the step is a schedule. ``nn.fit`` takes one; a loop of one's own sets the rate::

    rate = optimiser.lr
    for k in range(steps):
        optimiser.lr = rate * schedule(k)

>>> karpathys = LinearRate(100, end=0.1)         # 1.0 - 0.9 * k / 100
>>> karpathys(0), karpathys(50), karpathys(100)
(1.0, 0.55, 0.1)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from micrograd.ops.floats import as_int
from micrograd.optim.numbers import at_least

__all__ = ["ConstantRate", "CosineRate", "ExponentialRate", "LinearRate", "StepRate"]


@dataclass(frozen=True)
class ConstantRate:
    """The same factor in every step.

    Args:
        factor: a number from 0 on.

    Raises ``TypeError`` and ``ValueError`` for anything else.

    >>> ConstantRate(0.5)(1000)
    0.5
    """

    factor: float = 1.0

    def __post_init__(self) -> None:
        at_least(0.0, "factor", self.factor)

    def __call__(self, k: int) -> float:
        """Return the factor of step ``k``."""
        return float(self.factor)


@dataclass(frozen=True)
class LinearRate:
    """From ``start`` to ``end`` on a straight line, then ``end``; PyTorch's ``LinearLR``.

    The factor of step k is ``start - (start - end) * k / steps``.

    Args:
        steps: where ``end`` is reached.
        start: the factor of step 0.
        end: the factor of step ``steps`` and all later ones.

    Raises ``TypeError`` for what is not a number, ``ValueError`` for numbers below 0 and less than one step.

    >>> [LinearRate(4, end=0.0)(k) for k in range(6)]
    [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    """

    steps: int
    start: float = 1.0
    end: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", as_int("steps", self.steps, 1))
        at_least(0.0, "start", self.start)
        at_least(0.0, "end", self.end)

    def __call__(self, k: int) -> float:
        """Return the factor of step ``k``."""
        if k >= self.steps:
            return float(self.end)
        return self.start - (self.start - self.end) * k / self.steps


@dataclass(frozen=True)
class CosineRate:
    """Half a cosine from 1 down to ``end``, after a straight warm-up.

    Without warm-up the factor of step k is ``end + (1 - end) * (1 + cos(pi * k / steps)) / 2``: one descent of
    Loshchilov and Hutter (*SGDR: stochastic gradient descent with warm restarts*, 2017, equation 5), PyTorch's
    ``CosineAnnealingLR`` with ``T_max=steps`` and ``eta_min=end * lr``. The ``warmup`` first steps have the factors
    ``1 / warmup, 2 / warmup, ..., 1``, and the cosine takes the steps that are left.

    Args:
        steps: where ``end`` is reached, counted from step 0, warm-up included.
        warmup: how many steps lead up to the factor 1; fewer than ``steps``.
        end: the factor of step ``steps`` and all later ones.

    Raises ``TypeError`` for what is not a number, ``ValueError`` for numbers below 0, less than one step and a warm-up
    that leaves none.

    >>> [round(CosineRate(6, warmup=2)(k), 3) for k in range(8)]
    [0.5, 1.0, 1.0, 0.854, 0.5, 0.146, 0.0, 0.0]
    """

    steps: int
    warmup: int = 0
    end: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", as_int("steps", self.steps, 1))
        object.__setattr__(self, "warmup", as_int("warmup", self.warmup, 0))
        at_least(0.0, "end", self.end)
        if self.warmup >= self.steps:
            raise ValueError(f"a warm-up of {self.warmup} steps leaves none of {self.steps} for the cosine")

    def __call__(self, k: int) -> float:
        """Return the factor of step ``k``."""
        if k < self.warmup:
            return (k + 1) / self.warmup
        if k >= self.steps:
            return float(self.end)
        angle = math.pi * (k - self.warmup) / (self.steps - self.warmup)
        return self.end + (1.0 - self.end) * (1.0 + math.cos(angle)) / 2.0


@dataclass(frozen=True)
class ExponentialRate:
    """A factor that shrinks in every step: ``decay ** k``; PyTorch's ``ExponentialLR``.

    Args:
        decay: a number from 0 on, 0.999 for instance.

    Raises ``TypeError`` for what is not a number, ``ValueError`` for a number below 0.

    >>> [ExponentialRate(0.5)(k) for k in range(4)]
    [1.0, 0.5, 0.25, 0.125]
    """

    decay: float

    def __post_init__(self) -> None:
        at_least(0.0, "decay", self.decay)

    def __call__(self, k: int) -> float:
        """Return the factor of step ``k``."""
        return _power(self.decay, k)


@dataclass(frozen=True)
class StepRate:
    """A factor that shrinks every so many steps: ``decay ** (k // every)``; PyTorch's ``StepLR``.

    Args:
        every: the number of steps between two cuts.
        decay: what the factor is multiplied by in each of them.

    Raises ``TypeError`` for what is not a number, ``ValueError`` for a number below 0 and less than one step.

    >>> [StepRate(2, decay=0.5)(k) for k in range(6)]
    [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    """

    every: int
    decay: float = 0.1

    def __post_init__(self) -> None:
        object.__setattr__(self, "every", as_int("every", self.every, 1))
        at_least(0.0, "decay", self.decay)

    def __call__(self, k: int) -> float:
        """Return the factor of step ``k``."""
        return _power(self.decay, k // self.every)


def _power(decay: float, k: int) -> float:
    try:
        return float(decay) ** k
    except OverflowError:
        return math.inf  # as the product of k factors is; what a learning rate may be, others say
