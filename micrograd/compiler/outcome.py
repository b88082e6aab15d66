"""What one run of a compiled program gives, on whatever backend."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["Outcome"]


class Outcome(NamedTuple):
    """Results of a run.

    Attributes:
        value: a float, or an array of one value per sample.
        gradients: for each wanted leaf its gradient, a float or an array.
        parameters: the gradients of the parameters, where they were asked for.
        tangent: the value's directional derivative, where there is a direction.
        doubtful: whether a result is nan, so that the careful program has to be asked.
    """

    value: Any
    gradients: list[Any]
    parameters: list[float]
    tangent: Any = None
    doubtful: bool = False
