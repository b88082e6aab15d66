"""What a node of the graph knows, and what it refuses to be taken for.

``Node`` is the record; ``Value`` in ``engine.py`` adds how nodes come to be and how gradients flow back.
"""

from __future__ import annotations

from collections.abc import Callable, KeysView
from numbers import Rational
from typing import Any, ClassVar, NoReturn

from micrograd import _console
from micrograd.errors import describe, not_a_number
from micrograd.ops import Op, Operand
from micrograd.ops.floats import as_float

__all__ = ["Node", "real"]


class Node(Operand):
    """One number, how it was made, and its gradient."""

    # The engine reads and writes these directly; ``data``, ``grad`` and ``label`` are the checked public doors.
    __slots__ = (
        "_data",
        "_grad",  # a float, or a Value after backward(create_graph=True)
        "_label",
        "_scope",
        "_op_row",  # the operation's row of the table; None for a leaf
        "_left",  # the first operand, a Value or a float; or the tuple of all operands, for operations of 3 and more
        "_right",  # the second operand, or None
        "_a",  # captured by the forward pass: the number of ``_left`` (or the tuple of all numbers) ...
        "_b",  # ... that of ``_right`` ...
        "_out",  # ... and the result
        "_adjoint",  # of the backward pass that is running: the gradient so far ...
        "_visit",  # ... and the pass itself, once it has seen the node
        "__weakref__",
    )
    _data: float
    _grad: Any
    _label: str
    _scope: str
    _left: Any
    _right: Any
    _a: Any
    _b: Any
    _out: float
    _adjoint: Any
    _visit: object
    _op_row: Op | None
    __hash__: ClassVar[Callable[[object], int]]  # by identity, as for any object

    # --- what a node knows ------------------------------------------------------------------------------------

    @property
    def data(self) -> float:
        """The number."""
        return self._data

    @data.setter
    def data(self, data: Any) -> None:
        self._data = data if type(data) is float else real(data)

    @property
    def grad(self) -> Any:
        """The gradient that ``backward()`` accumulated here: a float, or a Value after ``create_graph=True``."""
        return self._grad

    @grad.setter
    def grad(self, grad: Any) -> None:
        self._grad = grad if type(grad) is float or isinstance(grad, Node) else real(grad)

    @property
    def label(self) -> str:
        """The name that pictures and messages show."""
        return self._label

    @label.setter
    def label(self, label: str) -> None:
        if not isinstance(label, str):
            raise TypeError(f"a label is text, not {describe(label)}")
        self._label = label

    @property
    def scope(self) -> str:
        """The scope in which the node was built, ``"layer1/neuron3"`` for instance."""
        return self._scope

    @property
    def op(self) -> str:
        """The name of the operation, ``"mul"`` for instance; empty for a leaf."""
        return "" if self._op_row is None else self._op_row.name

    @property
    def operands(self) -> tuple[Any, ...]:
        """Values and numbers that the operation was applied to, in order."""
        if type(self._left) is tuple:
            return self._left
        if self._right is not None:
            return (self._left, self._right)
        return () if self._left is None else (self._left,)

    @property
    def parents(self) -> tuple[Any, ...]:
        """The Values among the operands; ``x * x`` has x twice."""
        return tuple([x for x in self.operands if isinstance(x, Node)])

    @property
    def _prev(self) -> KeysView[Any]:
        """Micrograd 0.1's set of parents; this one keeps their order."""
        return dict.fromkeys(self.parents).keys()

    @property
    def _op(self) -> str:
        """Micrograd 0.1's name of the operation: its symbol."""
        return "" if self._op_row is None else self._op_row.symbol

    def name_text(self) -> str:
        """Return the node as an operand in a message: ``w=0.5`` with its label, else its number."""
        return f"{_console.clean(self._label)}={self._data!r}" if self._label else repr(self._data)

    def call_text(self) -> str:
        """Return how the node was made, as messages show it: ``mul(w=0.5, 2.0)``; six operands at most."""
        if self._op_row is None:
            return f"Value({self.name_text()})"
        operands = self.operands
        shown = [x.name_text() if isinstance(x, Node) else repr(x) for x in operands[:6]]
        if len(operands) > len(shown):
            shown.append(f"... {len(operands)} operands in all")
        return f"{self._op_row.name}({', '.join(shown)})" + (f" labelled {self._label!r}" if self._label else "")

    def __repr__(self) -> str:
        label = f", label={self._label!r}" if self._label else ""
        return f"Value(data={self._data!r}, grad={self._grad!r}{label})"

    def __format__(self, spec: str) -> str:
        return format(self._data, spec) if spec else repr(self)

    # --- what a node refuses, and why -------------------------------------------------------------------------

    def __lt__(self, other: Any) -> bool:
        return NotImplemented if (number := _comparable(other)) is None else bool(self._data < number)

    def __le__(self, other: Any) -> bool:
        return NotImplemented if (number := _comparable(other)) is None else bool(self._data <= number)

    def __gt__(self, other: Any) -> bool:
        return NotImplemented if (number := _comparable(other)) is None else bool(self._data > number)

    def __ge__(self, other: Any) -> bool:
        return NotImplemented if (number := _comparable(other)) is None else bool(self._data >= number)

    def __bool__(self) -> NoReturn:
        raise TypeError("a Value is not true or false; write v.data != 0, or compare: v > 0")

    def __float__(self) -> NoReturn:
        raise TypeError(
            "a Value does not turn into a float by itself, that would lose its gradient; write v.data for the number,"
            " or use micrograd.exp(v) instead of math.exp(v)"
        )

    def __int__(self) -> NoReturn:
        raise TypeError("a Value does not turn into an int by itself; write int(v.data)")


def real(x: Any, wanted: str = "a real number") -> float:
    """Return ``x`` as a float, or raise the ``TypeError`` that says what came and what to do."""
    number = as_float(x)
    if number is None:
        raise TypeError(not_a_number(x, wanted))
    return number


def _comparable(other: Any) -> Any:
    if isinstance(other, Node):
        return other._data
    return other if isinstance(other, Rational) else as_float(other)  # Python compares ints and fractions exactly
