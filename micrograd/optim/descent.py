"""``SGD``: gradient descent with momentum."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from micrograd.errors import describe
from micrograd.optim.numbers import at_least
from micrograd.optim.optimiser import Optimiser

__all__ = ["SGD"]


class SGD(Optimiser):
    """Gradient descent: ``p -= lr * g``, with momentum if wanted.

    In each step, for every parameter p with gradient g::

        g += weight_decay * p
        v = momentum * v + g                    # v = 0 before the first step
        g = g + momentum * v if nesterov else v
        p -= lr * g

    These are PyTorch's formulas with dampening 0: the heavy ball of Polyak (*Some methods of speeding up the
    convergence of iteration methods*, 1964), with the learning rate outside of v, and the form of Nesterov's momentum
    of Sutskever et al. (*On the importance of initialization and momentum in deep learning*, 2013), section 2, with
    the gradient taken at p itself.

    Args:
        parameters: the Values to change, leaves of the graph.
        lr: the learning rate.
        momentum: how much of v stays from step to step.
        nesterov: whether the step looks ahead along v; needs a momentum.
        weight_decay: added to the gradient, times p: an L2 term ``weight_decay / 2 * sum(p * p)`` of the loss.

    Raises ``TypeError`` for what is not a Value or a number; ``ValueError`` for parameters that an optimiser cannot
    take, for negative numbers, and for ``nesterov`` without momentum.

    >>> import micrograd as mg
    >>> w = mg.Value(1.0)
    >>> optimiser = SGD([w], lr=0.5, momentum=0.5)
    >>> for _ in range(2):
    ...     w.grad = 1.0
    ...     optimiser.step()
    >>> w.data, optimiser                       # 1 - 0.5 * 1 - 0.5 * 1.5
    (-0.25, SGD(1 parameters, lr=0.5, momentum=0.5, nesterov=False, weight_decay=0.0))
    """

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        settings = self._checked({"momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay})
        super().__init__(parameters, lr, settings, ("velocity",))

    def _checked(self, settings: dict[str, Any]) -> dict[str, Any]:
        momentum = at_least(0.0, "momentum", settings["momentum"])
        nesterov = settings["nesterov"]
        if not isinstance(nesterov, bool):
            raise TypeError(f"nesterov is True or False, not {describe(nesterov)}")
        if nesterov and momentum == 0.0:
            raise ValueError("nesterov=True needs a momentum above 0")
        decay = at_least(0.0, "weight_decay", settings["weight_decay"])
        return {"momentum": momentum, "nesterov": nesterov, "weight_decay": decay}

    def _update(self, numbers: list[float], gradients: list[float], step: int) -> list[float]:
        momentum, decay, lr = self._settings["momentum"], self._settings["weight_decay"], self._lr
        if decay:
            gradients = [g + decay * p for g, p in zip(gradients, numbers)]
        if momentum:
            velocity = [momentum * v + g for v, g in zip(self._memory["velocity"], gradients)]
            self._memory["velocity"] = velocity
            nesterov = self._settings["nesterov"]
            gradients = [g + momentum * v for g, v in zip(gradients, velocity)] if nesterov else velocity
        return [p - lr * g for p, g in zip(numbers, gradients)]
