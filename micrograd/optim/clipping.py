"""Gradient clipping, between ``backward()`` and ``step()``."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from micrograd.optim.numbers import at_least, gradient, values_of

__all__ = ["clip_gradient_norm", "clip_gradient_value"]


def clip_gradient_norm(parameters: Iterable[Any], largest: float) -> float:
    """Scale all gradients together so that their Euclidean norm is at most ``largest``; return the norm before.

    The gradients are multiplied by ``largest / (norm + 1e-6)`` where that is below 1, as
    ``torch.nn.utils.clip_grad_norm_`` does it (Pascanu et al., *On the difficulty of training recurrent neural
    networks*, 2013, algorithm 1, has no 1e-6). As there, a nan among the gradients makes the norm and all gradients
    nan, and an infinite one the others 0 and itself nan. Where all are finite and only their norm is beyond all
    floats, it is returned as inf, and the gradients are scaled by what it would be.

    Args:
        parameters: the Values whose gradients are meant.
        largest: the norm allowed, a number from 0 on.

    Raises ``TypeError`` for what is not a Value or a number, ``ValueError`` for a number below 0 or not finite.

    >>> import micrograd as mg
    >>> a, b = mg.Value(0.0), mg.Value(0.0)
    >>> a.grad, b.grad = 3.0, -4.0
    >>> clip_gradient_norm([a, b], 1.0), round(a.grad, 6), round(b.grad, 6)
    (5.0, 0.6, -0.8)
    """
    values = values_of(parameters)
    limit = at_least(0.0, "largest", largest)
    gradients = [gradient(p) for p in values]
    # hypot of an infinity and a nan is inf
    norm = math.nan if any(g != g for g in gradients) else math.hypot(*gradients)
    peak = max(map(abs, gradients), default=0.0)
    if norm == math.inf and peak < math.inf:
        parts = [g / peak for g in gradients]  # their norm is a float; 1e-6 beside that of the gradients is nothing
        factor = limit / math.hypot(*parts)
    else:
        parts, factor = gradients, limit / (norm + 1e-6)
        if factor >= 1.0:
            return norm
    for p, part in zip(values, parts):
        p._grad = part * factor
    return norm


def clip_gradient_value(parameters: Iterable[Any], largest: float) -> None:
    """Bring each gradient into the range from ``-largest`` to ``largest``; one that is nan stays nan.

    Args:
        parameters: the Values whose gradients are meant.
        largest: the bound, a number from 0 on.

    Raises ``TypeError`` for what is not a Value or a number, ``ValueError`` for a number below 0 or not finite.

    >>> import micrograd as mg
    >>> a, b = mg.Value(0.0), mg.Value(0.0)
    >>> a.grad, b.grad = 0.5, -4.0
    >>> clip_gradient_value([a, b], 1.0)
    >>> a.grad, b.grad
    (0.5, -1.0)
    """
    values = values_of(parameters)
    limit = at_least(0.0, "largest", largest)
    for p in values:
        g = gradient(p)
        p._grad = limit if g > limit else -limit if g < -limit else g
