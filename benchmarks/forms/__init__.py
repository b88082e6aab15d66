"""How each engine writes the compiled workloads C1 to C5, in the form that is quickest for it.

Every module here has ``load() -> Forms`` and runs in a process of its own. A form takes the workload's problem (NumPy
arrays), does what is done once (tracing, compiling, allocating), and returns a function for what is done at every
call: NumPy arrays in, numbers and NumPy arrays out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Call", "Form", "Forms", "Prepared", "gathered"]

Call = Callable[[], Any]
"""One call of compiled code; what it returns is numbers, arrays, or tuples and dicts of them."""


@dataclass(frozen=True)
class Prepared:
    """A call, and what there is to tell of how it was made, for the JSON."""

    call: Call
    about: Mapping[str, Any] = field(default_factory=dict)


Form = Callable[[Mapping[str, Any]], Prepared]
"""A workload's problem, by name, to a call that solves it."""


@dataclass(frozen=True)
class Forms:
    """One engine's forms: its version, and under the name of a workload and a variant, as in "c1 buffer", each form.

    ``judge`` is its gradient check, for T2.
    """

    version: str
    forms: Mapping[str, Form]
    judge: Callable[..., bool] | None = None


def gathered(parts: Sequence[tuple[float, Prepared]]) -> Prepared:
    """Return a call that adds up the values and the dicts of gradients of several calls, each with its weight."""
    if len(parts) == 1:
        return parts[0][1]
    calls = [(weight, part.call) for weight, part in parts]

    def call() -> Any:
        total = 0.0
        sums: dict[str, Any] = {}
        for weight, part in calls:
            value, gradients = part()
            total += weight * value
            for name, gradient in gradients.items():
                share = weight * gradient
                if name in sums:
                    sums[name] += share
                else:
                    sums[name] = share
        return total, sums

    return Prepared(call, {str(i): part.about for i, (_, part) in enumerate(parts)})
