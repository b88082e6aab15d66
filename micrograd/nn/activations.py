"""Activations of a neuron, by the names of the table of operations or as any function of a Value."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from micrograd.errors import describe
from micrograd.nn._checks import unknown
from micrograd.ops import Op, Operand, activations, operations

__all__ = ["ACTIVATIONS", "Activation", "activate", "check_activation", "name_of"]

Activation = str | Callable[[Any], Any]

ACTIVATIONS = MappingProxyType(
    {"linear": operations()["pos"], **{name: operations()[name] for name in (*activations.__all__, "tanh")}}
)
"""The operation behind every name; ``"linear"`` leaves the sum as it is, and makes no node."""


def check_activation(activation: Any) -> Activation:
    """Return the activation; ``ValueError`` lists the names for one that is unknown.

    >>> check_activation("tahn")
    Traceback (most recent call last):
    ...
    ValueError: unknown activation 'tahn'; did you mean 'tanh'? (one of: linear, elu, gelu, leaky_relu, relu, sigmoid,
    silu, softplus, tanh; or a function of a Value)
    """
    if isinstance(activation, str):
        if activation not in ACTIVATIONS:
            raise unknown("activation", activation, ACTIVATIONS, "a function of a Value")
    elif not callable(activation):
        raise TypeError(f"an activation is a name such as 'tanh', or a function of a Value, not {describe(activation)}")
    return activation  # type: ignore[no-any-return]


def activate(activation: Activation, v: Any) -> Any:
    """Return ``activation`` of one Value.

    >>> activate("relu", -2.0), activate(lambda v: v * v, 3.0)
    (0.0, 9.0)
    """
    if activation == "linear":
        return v
    if not isinstance(activation, str):
        return activation(v)
    if isinstance(v, Operand):
        return getattr(v, activation)()  # the method: quicker than the function, which looks at its argument first
    return ACTIVATIONS[activation](v)


def name_of(activation: Activation) -> str:
    """Return how messages call an activation.

    >>> import micrograd as mg
    >>> name_of("relu"), name_of(mg.sin)
    ('relu', 'sin')
    """
    if isinstance(activation, str):
        return activation
    if isinstance(activation, Op):
        return activation.name
    return getattr(activation, "__name__", type(activation).__name__)
