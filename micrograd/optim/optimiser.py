"""What all optimisers share: the parameters, the learning rate, and a state that can be saved and restored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from micrograd.engine import Value
from micrograd.errors import describe
from micrograd.ops.floats import as_float
from micrograd.optim.numbers import at_least, gradient, values_of

__all__ = ["Optimiser"]


class Optimiser:
    """The base of ``SGD``, ``Adam`` and ``AdamW``.

    One of your own is a class with ``_update``, which computes the new parameters; the numbers that it keeps from step
    to step, one for each parameter, are lists in ``_memory``, and are saved and restored with the rest.

    Args:
        parameters: the Values to change, leaves of the graph, each of them once.
        lr: the learning rate.
        settings: the other numbers that a step depends on, checked.
        memory: the names of the lists in ``_memory``.

    Raises ``TypeError`` for what is not a Value or a number; ``ValueError`` for no parameters at all, one that comes
    twice, one that is the result of an operation, and a learning rate that is negative or not finite.
    """

    _squares: frozenset[str] = frozenset()  # the names of lists in ``_memory`` whose numbers are never negative

    def __init__(
        self, parameters: Iterable[Any], lr: Any, settings: dict[str, Any] | None = None, memory: tuple[str, ...] = ()
    ) -> None:
        self._parameters = values_of(parameters)
        if not self._parameters:
            raise ValueError("an optimiser needs at least one parameter, and the iterable was empty")
        seen: dict[Value, int] = {}
        for i, p in enumerate(self._parameters):
            if p.op:
                raise ValueError(f"parameter {i} is the result of {p.call_text()}; only a leaf can be changed")
            if seen.setdefault(p, i) != i:
                raise ValueError(f"parameter {i} is parameter {seen[p]} again: {p!r}")
        self.lr = lr
        self._settings = settings or {}
        self._memory = {name: [0.0] * len(self._parameters) for name in memory}
        self._steps = 0

    @property
    def parameters(self) -> list[Value]:
        """The Values that a step changes."""
        return list(self._parameters)

    @property
    def lr(self) -> float:
        """The learning rate; set it to change it, between two steps."""
        return self._lr

    @lr.setter
    def lr(self, lr: Any) -> None:
        self._lr = at_least(0.0, "lr", lr)

    @property
    def steps(self) -> int:
        """How many steps were made."""
        return self._steps

    def step(self) -> None:
        """Change every parameter by its gradient.

        All new numbers are computed before the first parameter is changed. Nothing is hidden: as in PyTorch, a gradient
        that is nan or infinite makes its parameter, and what is remembered of it, nan or infinite.
        """
        parameters = self._parameters
        gradients = [g if type(g := p._grad) is float else gradient(p) for p in parameters]
        numbers = self._update([p._data for p in parameters], gradients, self._steps + 1)
        for p, number in zip(parameters, numbers):
            p._data = number
        self._steps += 1

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0.0."""
        for p in self._parameters:
            p._grad = 0.0

    def _update(self, numbers: list[float], gradients: list[float], step: int) -> list[float]:
        """Return the new numbers of the parameters in the ``step``-th step (the first is 1), and remember."""
        raise NotImplementedError(f"{type(self).__name__} does not say how a step is made: write _update")

    def _checked(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Return settings that were saved; raises ``TypeError`` and ``ValueError`` as the constructor does."""
        return dict(settings)

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the next step depends on but parameters and gradients, as plain data.

        >>> from micrograd.optim import SGD
        >>> SGD([Value(1.0)], lr=0.1).state_dict()["settings"]
        {'lr': 0.1, 'momentum': 0.0, 'nesterov': False, 'weight_decay': 0.0}
        """
        settings = {name: list(x) if isinstance(x, tuple) else x for name, x in self._settings.items()}
        return {
            "optimiser": type(self).__name__,
            "settings": {"lr": self._lr, **settings},
            "parameters": len(self._parameters),
            "steps": self._steps,
            "memory": {name: list(numbers) for name, numbers in self._memory.items()},
        }

    def load_state_dict(self, state: Any) -> None:
        """Restore what ``state_dict`` returned, settings and learning rate included: everything or nothing.

        Raises ``ValueError`` for the state of another kind of optimiser or of another number of parameters, and for a
        damaged one; the optimiser is then as it was.
        """
        name = type(self).__name__
        wanted = Optimiser.state_dict(self)
        _same_keys(f"the state of {name}", state, wanted)
        if state["optimiser"] != name:
            raise ValueError(f"the state is that of another optimiser: {describe(state['optimiser'])}, not {name}")
        count, steps = state["parameters"], state["steps"]
        if type(count) is not int or count != len(self._parameters):
            raise ValueError(f"the state is that of {describe(count)} parameters; there are {len(self._parameters)}")
        if type(steps) is not int or steps < 0:
            raise ValueError(f"'steps' of the state is a whole number from 0 on, not {describe(steps)}")
        _same_keys("'settings' of the state", state["settings"], wanted["settings"])
        _same_keys("'memory' of the state", state["memory"], wanted["memory"])
        memory = {
            key: _numbers(f"{key!r} of the state", state["memory"][key], count, key in self._squares)
            for key in self._memory
        }
        settings = dict(state["settings"])
        try:
            lr = at_least(0.0, "lr", settings.pop("lr"))
            settings = self._checked(settings)
        except (TypeError, ValueError) as error:
            raise ValueError(f"'settings' of the state: {error}") from None
        self._lr, self._settings, self._memory, self._steps = lr, settings, memory, steps

    def __repr__(self) -> str:
        settings = "".join(f", {name}={x!r}" for name, x in self._settings.items())
        return f"{type(self).__name__}({len(self._parameters)} parameters, lr={self._lr!r}{settings})"


def _same_keys(what: str, found: Any, wanted: dict[str, Any]) -> None:
    if not isinstance(found, dict):
        raise ValueError(f"{what} is a dict, not {describe(found)}")
    if found.keys() != wanted.keys():
        raise ValueError(f"{what} has the entries {', '.join(wanted) or 'none'}, not {', '.join(map(str, found))}")


def _numbers(what: str, found: Any, count: int, squares: bool) -> list[float]:
    if not isinstance(found, (list, tuple)) or len(found) != count:
        size = f"{len(found)} entries" if isinstance(found, (list, tuple)) else describe(found)
        raise ValueError(f"{what} is a list of {count} numbers, one for each parameter; {size} came")
    numbers = []
    for i, x in enumerate(found):
        try:
            number = None if isinstance(x, bool) else as_float(x)
        except OverflowError:
            number = None
        if number is None:
            raise ValueError(f"{what}: entry {i} is a number, not {describe(x)}")
        if squares and number < 0.0:
            raise ValueError(f"{what}: entry {i} is a mean of squares, not {number!r}")
        numbers.append(number)
    return numbers
