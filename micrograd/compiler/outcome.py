"""What one run of a compiled program gives, on whatever backend."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Outcome"]


@dataclass(slots=True)
class Outcome:
    """Results of a run.

    Attributes:
        value: a float, or an array of one value per sample.
        tangent: its directional derivative, where there is a direction.
        gradients: for each wanted leaf its gradient, a float or an array.
        parameters: the gradients of the parameters, where they were asked for.
        doubtful: whether a gradient is nan, so that the careful program has to be asked.
    """

    value: Any = None
    tangent: Any = None
    gradients: list[Any] = field(default_factory=list)
    parameters: list[float] = field(default_factory=list)
    doubtful: bool = False
