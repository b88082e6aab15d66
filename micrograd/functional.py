"""Derivatives of functions: ``grad``, ``value_and_grad``, ``jacobian``, ``hessian``, ``hvp``, ``jvp``, ``vjp``.

The names and ``argnums`` are JAX's. Arguments are floats, nested lists, tuples, dicts and NumPy arrays of them, and
derivatives come back in the same structure. No ``.grad`` is read or written. Values that the function captures are
constants; but inside another derivative everything stays connected, so derivatives nest to any order::

    grad(grad(f))(x)

Each call gives the function fresh leaves, so an inner derivative never mixes up its own variable with that of an outer
one ("perturbation confusion"; Siskind and Pearlmutter, 2005).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from micrograd import _modes
from micrograd._structure import flatten
from micrograd.engine import Value, captured, interior_order, reverse_sweep
from micrograd.errors import describe, not_a_number
from micrograd.ops import operations
from micrograd.ops.floats import as_float

__all__ = ["grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"]

_pos = operations()["pos"]
_depth: ContextVar[int] = ContextVar("micrograd_derivatives_around", default=0)

Argnums = int | Sequence[int]


class _Call:
    """One call of ``f`` with fresh leaves in place of the numbers of some arguments.

    Attributes:
        inputs: the leaves.
        input_structure: that of the differentiated arguments together.
        outside: for every leaf the Value of the caller that it stands for, or None.
        outputs: the flat results, Values and constants.
        output_structure: theirs.
        on_values: whether derivatives are Values: inside another derivative, or of an argument that is a Value.
    """

    def __init__(self, f: Callable[..., Any], arguments: Any, call: Callable[[Any], Any]) -> None:
        given, self.input_structure = flatten(arguments)
        numbers = [_number(x, f) for x in given]
        self.on_values = _depth.get() > 0 or any(isinstance(x, Value) for x in given)
        self.inputs = [Value(x) for x in numbers]
        with _modes.recording(), _inside():
            result = call(self.input_structure.rebuild(self.inputs))
        self.outside = [x if isinstance(x, Value) else None for x in given]
        self.outputs, self.output_structure = flatten(result)
        for x in self.outputs:
            if not isinstance(x, Value) and as_float(x) is None:
                raise TypeError(f"{_name(f)} returned {describe(x)}; return Values or numbers, alone or nested")

    def gradients(self, cotangents: Sequence[Any]) -> list[Any]:
        """Return the derivative of ``sum(cotangent * output)`` with respect to every input."""
        seeds = [(x, g) for x, g in zip(self.outputs, cotangents) if isinstance(x, Value)]
        for leaf in self.inputs:
            leaf._op_row = leaf._left = leaf._a = None
        try:
            order, leaves = reverse_sweep(seeds, create_graph=self.on_values)
        finally:
            self.connect()
        if self.on_values:
            for node in order:
                node._adjoint = 0.0  # a Value here would keep the graph of the gradient alive
        return [leaves.get(x, 0.0) for x in self.inputs]

    def connect(self) -> None:
        """Make every input that stands for a Value of the caller a copy of it.

        ``f`` and the sweeps see leaves, and stop there; whoever uses the derivatives sees how they depend on the
        caller's Values, and can differentiate again.
        """
        for leaf, outer in zip(self.inputs, self.outside):
            if outer is not None:
                leaf._op_row, leaf._left, leaf._a = _pos, outer, outer.data

    def value(self) -> Any:
        """Return the result of the call: Values where derivatives are, else numbers."""
        plain = [x if self.on_values else _plain(x) for x in self.outputs]
        return self.output_structure.rebuild(plain)


@contextmanager
def _inside() -> Iterator[None]:
    token = _depth.set(_depth.get() + 1)
    try:
        yield
    finally:
        _depth.reset(token)


def _plain(x: Any) -> float:
    return x.data if isinstance(x, Value) else float(x)


def _name(f: Any) -> str:
    return str(getattr(f, "__name__", f))


def _number(x: Any, f: Any) -> float:
    if isinstance(x, Value):
        return x.data
    number = as_float(x)
    if number is None:
        raise TypeError(f"{_name(f)}: {not_a_number(x, 'a real number in a differentiated argument')}")
    return number


def differentiated(f: Any, argnums: Argnums, arguments: Sequence[Any]) -> list[int]:
    """Return the positions that ``argnums`` names; refuse what names none, or one twice."""
    if not isinstance(argnums, (int, Sequence)):
        raise TypeError(f"argnums is an int or a sequence of ints, not {describe(argnums)}")
    wanted = [argnums] if isinstance(argnums, int) else list(argnums)
    positions = []
    for n in wanted:
        if not isinstance(n, int) or isinstance(n, bool):
            raise TypeError(f"argnums is an int or a sequence of ints, not {describe(argnums)}")
        if not -len(arguments) <= n < len(arguments):
            raise ValueError(f"argnums={n} is out of range: {_name(f)} was called with {len(arguments)} arguments")
        positions.append(n % len(arguments))
    if not positions or len(set(positions)) != len(positions):
        raise ValueError(f"argnums names each differentiated argument once, not {describe(argnums)}")
    return positions


def _call_at(f: Callable[..., Any], argnums: Argnums, arguments: tuple[Any, ...], options: dict[str, Any]) -> _Call:
    """Call ``f`` with fresh leaves in the arguments that ``argnums`` names."""
    positions = differentiated(f, argnums, arguments)

    def call(fresh: Sequence[Any]) -> Any:
        complete = list(arguments)
        for position, argument in zip(positions, fresh):
            complete[position] = argument
        return f(*complete, **options)

    return _Call(f, tuple(arguments[p] for p in positions), call)


def _function(f: Any) -> Callable[..., Any]:
    if not callable(f):
        raise TypeError(f"expected a function to differentiate, not {describe(f)}")
    return f  # type: ignore[no-any-return]


def _only(argnums: Argnums, derivatives: tuple[Any, ...]) -> Any:
    """Return one derivative for an int, a tuple for a sequence, as JAX does."""
    return derivatives[0] if isinstance(argnums, int) else derivatives


def value_and_grad(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., tuple[Any, Any]]:
    """Return a function that gives the value of ``f`` and its gradient.

    Args:
        f: a function of numbers and nested structures of them that returns one Value.
        argnums: the argument to differentiate, or several, then the gradient is a tuple.

    Raises ``TypeError`` when an argument is not made of numbers or ``f`` does not return one Value or number.

    >>> import micrograd as mg
    >>> value_and_grad(lambda p: p["w"] * mg.exp(p["b"]))({"w": 2.0, "b": 0.0})
    (2.0, {'w': 1.0, 'b': 2.0})
    """
    _function(f)

    @functools.wraps(f, assigned=("__name__", "__qualname__", "__module__"), updated=())
    def value_and_gradient(*arguments: Any, **options: Any) -> tuple[Any, Any]:
        call = _call_at(f, argnums, arguments, options)
        if call.output_structure != flatten(0.0)[1]:
            raise TypeError(
                f"a gradient needs a function of one result, {_name(f)} returned {len(call.outputs)} of them in a"
                " container; use jacobian, or add them up with micrograd.sum"
            )
        found = call.gradients([1.0])
        return call.value(), _only(argnums, call.input_structure.rebuild(found))

    return value_and_gradient


def grad(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return a function that gives the gradient of ``f``, in the structure of the argument.

    Arguments and exceptions are those of ``value_and_grad``.

    >>> f = lambda x: x ** 3
    >>> grad(f)(2.0), grad(grad(f))(2.0), grad(grad(grad(f)))(2.0)
    (12.0, 12.0, 6.0)
    """
    both = value_and_grad(f, argnums)

    @functools.wraps(f, assigned=("__name__", "__qualname__", "__module__"), updated=())
    def gradient(*arguments: Any, **options: Any) -> Any:
        return both(*arguments, **options)[1]

    return gradient


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Return ``f(*primals)`` and a function from a cotangent of the result to those of all the arguments.

    Raises ``ValueError`` when the cotangent has another structure than the result.

    >>> value, pullback = vjp(lambda x, y: [x * y, x + y], 3.0, 5.0)
    >>> value, pullback([1.0, 0.0]), pullback([0.0, 1.0])
    ([15.0, 8.0], (5.0, 3.0), (1.0, 1.0))
    """
    call = _Call(_function(f), primals, lambda fresh: f(*fresh))
    call.connect()

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        given, structure = flatten(cotangent)
        if structure != call.output_structure:
            raise ValueError(f"the cotangent {describe(cotangent)} has another structure than the result of {_name(f)}")
        found = call.gradients([x if isinstance(x, Value) else _number(x, f) for x in given])
        return call.input_structure.rebuild(found)  # type: ignore[no-any-return]

    return call.value(), pullback


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """Return ``f(*primals)`` and its derivative in the direction ``tangents``: forward mode, one pass.

    Args:
        f: a function of as many arguments as ``primals`` has; its result may be nested.
        primals: the arguments.
        tangents: a direction for each of them, in the same structure.

    Raises ``ValueError`` when the structures differ.

    >>> jvp(lambda x, y: [x * y, x + y], (3.0, 5.0), (1.0, 0.0))
    ([15.0, 8.0], [5.0, 1.0])
    """
    primals, tangents = tuple(primals), tuple(tangents)
    directions, structure = flatten(tangents)
    if structure != flatten(primals)[1]:
        raise ValueError(f"tangents {describe(tangents)} have another structure than primals {describe(primals)}")
    directions = [x if isinstance(x, Value) else _number(x, f) for x in directions]
    call = _Call(_function(f), primals, lambda fresh: f(*fresh))
    on_values = call.on_values = call.on_values or any(isinstance(x, Value) for x in directions)
    tangent: dict[Value, Any] = dict(zip(call.inputs, directions))
    with _modes.recording():
        for node in interior_order([x for x in call.outputs if isinstance(x, Value)]):
            moving = [x for x in node.parents if _moves(tangent.get(x, 0.0))]
            if moving:
                tangent[node] = _directional(node, tangent, on_values)
    call.connect()
    moved = [tangent.get(x, 0.0) if isinstance(x, Value) else 0.0 for x in call.outputs]
    return call.value(), call.output_structure.rebuild(moved)


def _moves(tangent: Any) -> bool:
    return isinstance(tangent, Value) or tangent != 0.0


def _directional(node: Value, tangent: dict[Value, Any], on_values: bool) -> Any:
    """Return the sum of local derivative times tangent over the operands: the rules are linear in ``g``."""
    operands = node.operands
    wanted = [isinstance(x, Value) and _moves(tangent.get(x, 0.0)) for x in operands]
    primal, result = (operands, node) if on_values else (captured(node), node._out)
    slopes = node._op_row.contributions(1.0, result, primal, wanted)  # type: ignore[union-attr]
    total: Any = 0.0
    for x, slope, want in zip(operands, slopes, wanted):
        if want:
            total = total + slope * tangent[x]
    return total


def jacobian(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return a function that gives the derivative of every result of ``f``: results outside, arguments inside.

    The result has the structure of what ``f`` returns, and in each of its leaves the structure of the argument; for
    arrays the shape is ``result.shape + argument.shape``. One backward sweep per result.

    Arguments and exceptions are those of ``value_and_grad``, except that ``f`` may return nested Values.

    >>> jacobian(lambda x: [x[0] * x[1], x[0] + x[1]])([3.0, 5.0])
    [[5.0, 3.0], [1.0, 1.0]]
    """
    _function(f)

    @functools.wraps(f, assigned=("__name__", "__qualname__", "__module__"), updated=())
    def derivative(*arguments: Any, **options: Any) -> Any:
        call = _call_at(f, argnums, arguments, options)
        count = len(call.outputs)
        rows: list[Any] = []
        for i in range(count):
            rows += call.gradients([1.0 if j == i else 0.0 for j in range(count)])
        if isinstance(argnums, int):
            single = flatten(arguments[argnums])[1]
            return call.output_structure.nest(single, rows)
        return call.output_structure.nest(call.input_structure, rows)

    return derivative


def hessian(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return a function that gives all second derivatives of ``f``: the Jacobian of its gradient.

    Arguments and exceptions are those of ``value_and_grad``.

    >>> hessian(lambda x: x[0] ** 2 * x[1])([3.0, 5.0])
    [[10.0, 6.0], [6.0, 0.0]]
    """
    return jacobian(grad(f, argnums), argnums)


def hvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """Return the Hessian of ``f`` at ``primals`` times ``tangents``, without making the Hessian.

    Forward over reverse (Pearlmutter, 1994): a small multiple of the cost of one gradient. The result has the structure
    of the argument, or is a tuple where ``f`` has several.

    Raises ``ValueError`` when the structures of ``primals`` and ``tangents`` differ.

    >>> hvp(lambda x: x[0] ** 2 * x[1], ([3.0, 5.0],), ([1.0, 0.0],))
    [10.0, 6.0]
    """
    primals = tuple(primals)
    gradient = grad(f, 0 if len(primals) == 1 else tuple(range(len(primals))))
    return jvp(gradient, primals, tangents)[1]
