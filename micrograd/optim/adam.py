"""``Adam`` and ``AdamW``: steps measured by running means of the gradient and of its square."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from micrograd.errors import describe
from micrograd.ops.floats import divide
from micrograd.optim.numbers import at_least, within
from micrograd.optim.optimiser import Optimiser

__all__ = ["Adam", "AdamW"]


class Adam(Optimiser):
    """Adam (Kingma and Ba, *Adam: a method for stochastic optimization*, 2015, algorithm 1).

    In the t-th step, for every parameter p with gradient g::

        g += weight_decay * p
        m = beta1 * m + (1 - beta1) * g         # m = v = 0 before the first step
        v = beta2 * v + (1 - beta2) * g * g
        p -= lr / (1 - beta1**t) * m / (sqrt(v) / sqrt(1 - beta2**t) + eps)

    in the order in which PyTorch computes it: m as ``m + (1 - beta1) * (g - m)``, for ``beta1`` above 0.5.

    Args:
        parameters: the Values to change, leaves of the graph.
        lr: the learning rate: about as far as a parameter moves in one step.
        betas: how much of m and of v stays from step to step, each from 0 to below 1.
        eps: keeps the quotient finite where v is 0.
        weight_decay: added to the gradient, times p, as an L2 term would; ``AdamW`` keeps it out of m and v.

    Raises ``TypeError`` for what is not a Value or a number; ``ValueError`` for parameters that an optimiser cannot
    take and for numbers out of range.

    >>> import micrograd as mg
    >>> w = mg.Value(1.0)
    >>> optimiser = Adam([w], lr=0.1)
    >>> w.grad = 1e-3
    >>> optimiser.step()
    >>> round(w.data, 5)                        # the first step is lr long, whatever the gradient
    0.9
    """

    _squares = frozenset(["square"])

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = 1e-3,
        betas: Sequence[float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        settings = self._checked({"betas": betas, "eps": eps, "weight_decay": weight_decay})
        super().__init__(parameters, lr, settings, ("mean", "square"))

    def _checked(self, settings: dict[str, Any]) -> dict[str, Any]:
        betas = settings["betas"]
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise ValueError(f"betas are two numbers such as (0.9, 0.999), not {describe(betas)}")
        return {
            "betas": (within("betas[0]", betas[0]), within("betas[1]", betas[1])),
            "eps": at_least(0.0, "eps", settings["eps"]),
            "weight_decay": at_least(0.0, "weight_decay", settings["weight_decay"]),
        }

    def _update(self, numbers: list[float], gradients: list[float], step: int) -> list[float]:
        decay = self._settings["weight_decay"]
        if decay:
            gradients = [g + decay * p for g, p in zip(gradients, numbers)]
        return self._moved(numbers, gradients, step)

    def _moved(self, numbers: list[float], gradients: list[float], step: int) -> list[float]:
        (beta1, beta2), eps = self._settings["betas"], self._settings["eps"]
        weight = 1.0 - beta1
        if weight < 0.5:  # torch.lerp: from the end that is nearer
            mean = [m + weight * (g - m) for m, g in zip(self._memory["mean"], gradients)]
        else:
            mean = [g - (g - m) * (1.0 - weight) for m, g in zip(self._memory["mean"], gradients)]
        square = [v * beta2 + (1.0 - beta2) * g * g for v, g in zip(self._memory["square"], gradients)]
        self._memory["mean"], self._memory["square"] = mean, square
        length = -(self._lr / (1.0 - beta1**step))
        root = math.sqrt(1.0 - beta2**step)
        if eps > 0.0:
            return [p + length * m / (math.sqrt(v) / root + eps) for p, m, v in zip(numbers, mean, square)]
        return [p + divide(length * m, math.sqrt(v) / root) for p, m, v in zip(numbers, mean, square)]


class AdamW(Adam):
    """Adam with the decay of the weights apart (Loshchilov and Hutter, *Decoupled weight decay regularization*, 2019).

    ``p *= 1 - lr * weight_decay`` comes before Adam's step, and m and v see the gradient alone, as in PyTorch.

    Args:
        parameters: the Values to change, leaves of the graph.
        lr: the learning rate.
        betas: as of ``Adam``.
        eps: as of ``Adam``.
        weight_decay: how fast the parameters shrink.

    Raises what ``Adam`` raises.

    >>> import micrograd as mg
    >>> w = mg.Value(2.0)                       # its gradient is 0: only the decay moves it
    >>> AdamW([w], lr=0.5, weight_decay=0.5).step()
    >>> w.data
    1.5
    """

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = 1e-3,
        betas: Sequence[float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(parameters, lr, betas, eps, weight_decay)

    def _update(self, numbers: list[float], gradients: list[float], step: int) -> list[float]:
        kept = 1.0 - self._lr * self._settings["weight_decay"]
        return self._moved([p * kept for p in numbers], gradients, step)
