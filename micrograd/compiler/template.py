"""Templates: a rule or an expansion run on symbols once, and copied wherever the same operation comes again.

A rule is a Python function that builds its result operation by operation; most of the time goes into the calls. What it
builds depends on nothing but which operands are constants, so it is built once for each such pattern.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from micrograd.compiler.builder import Builder
from micrograd.compiler.program import LEAVES

__all__ = ["Template", "Templates"]

_MOST = 4096  # patterns kept; a constant is part of a pattern, so there is no end to them


class Template:
    """A few instructions over numbered inputs.

    Args:
        function: from symbols (or floats, for inputs that are constants) to results, ``None`` among them.
        inputs: a float for an input that is a constant, else ``None``.
    """

    def __init__(self, function: Callable[..., Sequence[Any]], inputs: Sequence[float | None]) -> None:
        b = Builder()
        symbols = [b.symbol(b.leaf("argument", k)) if x is None else x for k, x in enumerate(inputs)]
        self.results = [None if x is None else b.place(x) for x in function(*symbols)]
        needed = set(self.results)
        for i in range(len(b.ops) - 1, -1, -1):
            if i in needed and b.ops[i] not in LEAVES:
                needed.update(b.operands[i])
        self.steps = [(i, b.ops[i], b.operands[i]) for i in range(len(b.ops)) if i in needed]
        self.size = len(b.ops)

    def copy(self, b: Builder, inputs: Sequence[int]) -> list[int | None]:
        """Add the instructions to ``b`` and return the results."""
        number = [0] * self.size
        emit = b.emit
        for i, op, operands in self.steps:
            if op == "argument":
                number[i] = inputs[operands[0]]
            elif op == "constant":
                number[i] = b.constant(operands[0])
            else:
                number[i] = emit(op, tuple([number[x] for x in operands]))
        return [None if x is None else number[x] for x in self.results]


class Templates:
    """Templates by operation and pattern."""

    def __init__(self) -> None:
        self._known: dict[Any, Template] = {}

    def get(
        self, b: Builder, key: Any, function: Callable[..., Sequence[Any]], inputs: Sequence[int]
    ) -> list[int | None]:
        """Return the results of ``function`` on instructions ``inputs``; ``key`` stands for the function."""
        numbers = tuple([b.number(x) for x in inputs])
        pattern = (key, repr(numbers))
        template = self._known.get(pattern)
        if template is None:
            if len(self._known) >= _MOST:
                self._known.clear()
            template = self._known[pattern] = Template(function, numbers)
        return template.copy(b, inputs)
