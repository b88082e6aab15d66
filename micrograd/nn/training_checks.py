"""What ``fit`` asks of its arguments, before anything is changed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from micrograd.engine import Value
from micrograd.errors import describe
from micrograd.nn.module import Module, state_of
from micrograd.ops.floats import as_float

__all__ = ["check_optimiser", "kept_by", "parameters_of", "rate_of", "scheduled"]


def parameters_of(model: Any) -> dict[str, Value]:
    """Return the parameters by name, by position where the model has no names."""
    if not callable(getattr(model, "parameters", None)):
        raise TypeError(f"a model has parameters(), which returns the Values to train; {describe(model)} has not")
    values = list(model.parameters())
    for i, p in enumerate(values):
        if not isinstance(p, Value) or p.op:
            raise TypeError(f"parameter {i} of the model is a Value that no operation made, not {describe(p)}")
    if not values:
        raise ValueError(f"the model has no parameters to train: {describe(model)}")
    named = dict(model.named_parameters()) if callable(getattr(model, "named_parameters", None)) else {}
    if [*named.values()] == values:
        return named
    return _by_position(values)


def kept_by(model: Any, parameters: dict[str, Value]) -> dict[str, Value]:
    """Return what a checkpoint holds: the parameters, and what a module keeps beside them."""
    named = state_of(model) if isinstance(model, Module) else [*parameters.items()]
    kept = dict(named)
    return kept if len(kept) == len(named) else _by_position([p for _, p in named])


def _by_position(values: Iterable[Value]) -> dict[str, Value]:
    return {str(i): p for i, p in enumerate(dict.fromkeys(values))}


def check_optimiser(optimiser: Any, parameters: dict[str, Value], schedule: Any, checkpoint: Any) -> None:
    """Raise for an optimiser that lacks what the training asks of it, or that trains something else."""
    wanted = ["step"] + ["lr"] * (schedule is not None)
    wanted += ["state_dict", "load_state_dict"] * (checkpoint is not None)
    for name in wanted:
        if not hasattr(optimiser, name) or isinstance(optimiser, type):
            example = "optim.SGD(model.parameters(), lr=0.1)"
            raise TypeError(f"an optimiser has {name}, as {example} has; not {describe(optimiser)}")
    known = set(parameters.values())
    owned = getattr(optimiser, "parameters", [])
    strange = [i for i, p in enumerate(owned() if callable(owned) else owned) if p not in known]
    if strange:
        raise ValueError(f"parameter {strange[0]} of the optimiser is not one of the model's; is it of another model?")


def rate_of(optimiser: Any) -> float:
    """Return the learning rate, nan for an optimiser that has none."""
    rate = as_float(getattr(optimiser, "lr", None))
    return math.nan if rate is None else rate


def scheduled(rate: float, schedule: Callable[[int], Any], k: int) -> float:
    """Return the learning rate of step ``k``; ``ValueError`` for what no optimiser takes."""
    found = schedule(k)
    try:
        factor = as_float(found)
    except OverflowError:
        factor = math.inf
    if factor is None or not 0.0 <= rate * factor < math.inf:
        raise ValueError(
            f"schedule({k}) gives the factor of lr = {rate!r}, a finite number from 0 on; it gave {describe(found)}"
        )
    return rate * factor
