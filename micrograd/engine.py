"""The engine: ``Value``, a number that remembers how it was made, and the backward pass.

Every operation on Values makes a new node of a graph. A node records its **operands** in order and, for the backward
pass, the numbers that they had at that moment. ``backward()`` visits the graph from the result to its leaves, each node
after everything that uses it, and hands every operand its share of the gradient. A node that was used several times
receives several shares and **adds them up**: this is all there is to sharing a bias over a batch
(``db = dout.sum(axis=0)``) and to broadcasting, which is nothing but sharing a node.

>>> b = Value(0.5, label="b")                       # one bias ...
>>> loss = (Value(1.0) + b) * 10 + (Value(2.0) + b) * 100   # ... that feeds two samples
>>> loss.backward()
>>> b.grad                                          # 10 from one, 100 from the other
110.0

The closure of a node is the rule of its operation together with the numbers captured by the forward pass. The rule is
shared by all nodes of one operation and written once, in the table (``micrograd/ops``); the captured numbers sit in the
node itself. So a node is one object for Python's garbage collector instead of three, which is what the speed of eager
graphs hangs on; ``node._backward`` puts the two together again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn, final

from micrograd import _copying, _modes
from micrograd._node import Node, real
from micrograd.errors import StaleValueError, describe, not_a_number
from micrograd.ops import Op, operations
from micrograd.ops.floats import as_float

__all__ = ["Value"]

_add, _mul = operations()["add"], operations()["mul"]
_new = object.__new__


@final
class Value(Node):
    """One real number in an expression graph.

    Args:
        data: an int, bool, float, ``Fraction`` or NumPy scalar; kept as a float.
        label: the name that pictures and error messages show.

    Raises ``TypeError`` for anything that is not a real number, ``OverflowError`` for an int beyond all floats.

    >>> x = Value(3.0, label="x")
    >>> y = x * x + 2
    >>> y.backward()
    >>> x
    Value(data=3.0, grad=6.0, label='x')
    >>> y.op, y.operands[1]
    ('add', 2.0)
    """

    __slots__ = ()

    def __init__(self, data: Any, *, label: str = "") -> None:
        if type(data) is not float:
            data = real(data)
        self._data = self._out = data
        self._grad = 0.0
        self._scope = ""
        self._op_row = self._left = self._right = self._a = self._b = None
        self._visit = None
        self.label = label
        if _modes.active:
            self._enter(_modes.current())

    def __init_subclass__(cls) -> NoReturn:
        raise TypeError("Value is final: new behaviour comes from new operations, micrograd.op(...)")

    # --- building the graph -----------------------------------------------------------------------------------

    # ``+`` and ``*`` of two Values are most of every graph and are written out by hand; a test holds them to
    # ``_apply``, where everything else goes.

    def __add__(self, other: Any) -> Any:
        if type(other) is not Value or _modes.unusual:
            return self.__micrograd_op__(_add, (self, other))
        node = _new(Value)
        a = node._a = self._data
        b = node._b = other._data
        node._data = node._out = a + b
        node._grad = 0.0
        node._label = node._scope = ""
        if _modes.active:
            mode = _modes.latest()
            node._scope = mode.scope if mode.open else _modes.current().scope
        node._op_row = _add
        node._visit = None
        node._left = self
        node._right = other
        return node

    def __mul__(self, other: Any) -> Any:
        if type(other) is not Value or _modes.unusual:
            return self.__micrograd_op__(_mul, (self, other))
        node = _new(Value)
        a = node._a = self._data
        b = node._b = other._data
        node._data = node._out = a * b
        node._grad = 0.0
        node._label = node._scope = ""
        if _modes.active:
            mode = _modes.latest()
            node._scope = mode.scope if mode.open else _modes.current().scope
        node._op_row = _mul
        node._visit = None
        node._left = self
        node._right = other
        return node

    def __micrograd_op__(self, op: Op, operands: tuple[Any, ...]) -> Any:
        """Apply ``op``: operators, methods and functions of the table arrive here."""
        for x in operands:
            if type(x) is not Value and type(x) is not float:
                numbers = tuple([x if type(x) is Value else as_float(x) for x in operands])
                if None in numbers:
                    stranger = operands[numbers.index(None)]
                    if type(stranger).__module__ not in ("builtins", "decimal"):
                        return NotImplemented  # an array, or a kind that may know what to do with a Value
                    raise TypeError(f"{op.name}: {not_a_number(stranger, 'a real number or a Value')}")
                operands = numbers
                break
        return _apply(op, operands)

    def _record(self, op: Op, operands: tuple[Any, ...], numbers: tuple[float, ...]) -> None:
        """Remember how this node was made, for the backward pass."""
        self._op_row = op
        if op.arity == 2:
            self._left, self._right = operands
            self._a, self._b = numbers
        elif op.arity == 1:
            self._left, self._right = operands[0], None
            self._a, self._b = numbers[0], None
        else:
            self._left, self._right = operands, None
            self._a, self._b = numbers, None

    def _enter(self, mode: _modes.Mode) -> None:
        """Let the mode of this thread or task mark the node that was just built."""
        self._scope = mode.scope
        if mode.detector is not None:
            mode.detector.built(self)
        if not mode.recording:
            self._op_row = self._left = self._right = self._a = self._b = None

    @property
    def _backward(self) -> Callable[[], None]:
        """The local backward closure: call it to add this node's shares to the gradients of its parents."""

        def backward() -> None:
            for operand, share in shares(self, self._grad):
                operand._grad += share

        return backward

    # --- the backward pass ------------------------------------------------------------------------------------

    def backward(self, gradient: Any = 1.0, *, create_graph: bool = False) -> None:
        """Add the derivative of this node with respect to every leaf below it to the leaf's ``grad``.

        Leaves accumulate over calls; the ``grad`` of a node between starts afresh, so a second call adds exactly one
        more gradient to each leaf. If anything raises, all gradients are as they were.

        Args:
            gradient: the upstream gradient of this node, a number (or a Value, with ``create_graph``).
            create_graph: compute the gradients as Values, which can be differentiated again. They are stored in
                ``grad``, so leaf and gradient refer to each other and only the garbage collector frees them.

        Raises ``TypeError`` for a gradient that is not a number, ``StaleValueError`` where ``create_graph`` meets an
        operand whose ``data`` changed since the forward pass, ``AnomalyError`` inside ``detect_anomaly()``.

        >>> x = Value(2.0)
        >>> (x ** 3).backward(create_graph=True)
        >>> first = x.grad                         # 3 x**2
        >>> x.grad = 0.0
        >>> first.backward(); first.data, x.grad   # 6 x
        (12.0, 12.0)
        """
        if type(gradient) is not float and not (create_graph and type(gradient) is Value):
            gradient = real(gradient, "a number as upstream gradient")
        order, leaves = reverse_sweep([(self, gradient)], create_graph=create_graph)
        _commit(order, leaves, create_graph)

    # --- copies -----------------------------------------------------------------------------------------------

    def __copy__(self) -> Value:
        return _copying.clone(self, lambda x: x)

    def __deepcopy__(self, memo: dict[int, Any]) -> Value:
        return _copying.deep_copy(self, memo)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return _copying.reduce(self)


def _apply(op: Op, operands: tuple[Any, ...]) -> Value:
    """Make the node of ``op`` applied to Values and floats, at least one Value among them."""
    numbers: tuple[float, ...]
    if op.arity == 1:
        numbers = (operands[0]._data,)
    elif op.arity == 2:
        left, right = operands
        numbers = (left._data if type(left) is Value else left, right._data if type(right) is Value else right)
    else:
        numbers = tuple([x._data if type(x) is Value else x for x in operands])
    data = op.forward(*numbers)
    if type(data) is not float:
        data = real(data, f"a real number from the forward function of {op.name!r}")
    node = _new(Value)
    node._data = node._out = data
    node._grad = 0.0
    node._label = node._scope = ""
    node._visit = None
    node._record(op, operands, numbers)
    if _modes.active:
        node._enter(_modes.current())
    return node


def captured(node: Value) -> tuple[float, ...]:
    """Return the numbers of the operands when ``node`` was computed."""
    if type(node._left) is tuple:
        return node._a  # type: ignore[no-any-return]
    return (node._a,) if node._right is None else (node._a, node._b)


def shares(node: Value, g: float) -> list[tuple[Value, float]]:
    """Return what ``node`` hands each parent of an upstream gradient ``g``, one entry per use, in order.

    No gradient, no share: a ``g`` of zero contributes exactly zero, whatever the local derivative.
    """
    if node._op_row is None:
        return []
    operands = node.operands
    if g == 0.0:
        return [(x, 0.0) for x in operands if type(x) is Value]
    return [(x, _exact(share, node)) for x, share in _contributions(node, g, node._out, captured(node))]


def _contributions(node: Value, g: Any, out: Any, operands: tuple[Any, ...]) -> list[tuple[Value, Any]]:
    """Return what the rule of ``node`` makes of the upstream gradient ``g``, for each parent."""
    wanted = [type(x) is Value for x in node.operands]
    contributions = node._op_row.contributions(g, out, operands, wanted)  # type: ignore[union-attr]
    return [(x, share) for x, share, want in zip(node.operands, contributions, wanted) if want]


def _exact(share: Any, node: Value) -> float:
    return share if type(share) is float else real(share, f"a real number from the derivative rule of {node.op!r}")


def interior_order(roots: Iterable[Value]) -> list[Value]:
    """Return the nodes below ``roots`` that are not leaves, operands always before what uses them; zero their adjoints.

    Depth first and without recursion; the order is that of the program, the same in every process. A node is marked
    with the visit that saw it, not looked up in a set: half the time and none of the memory.
    """
    visit = object()
    order: list[Value] = []
    stack: list[Value] = []
    rest: dict[Value, Any] = {}  # for nodes of many operands: those not visited yet
    emit, push, pop = order.append, stack.append, stack.pop
    for root in roots:
        if root._op_row is None or root._visit is visit:
            continue
        node = root
        node._visit = visit
        while True:
            left = node._left
            if type(left) is Value:
                if left._op_row is not None and left._visit is not visit:
                    left._visit = visit
                    push(node)
                    node = left
                    continue
            elif type(left) is tuple:
                for x in rest.setdefault(node, iter(left)):
                    if type(x) is Value and x._op_row is not None and x._visit is not visit:
                        x._visit = visit
                        push(node)
                        node = x
                        break
                else:
                    del rest[node]
                    node._adjoint = 0.0
                    emit(node)
                    if not stack:
                        break
                    node = pop()
                continue
            right = node._right
            if type(right) is Value and right._op_row is not None and right._visit is not visit:
                right._visit = visit
                push(node)
                node = right
                continue
            node._adjoint = 0.0
            emit(node)
            if not stack:
                break
            node = pop()
    return order


def reverse_sweep(
    seeds: Sequence[tuple[Value, Any]], *, create_graph: bool = False
) -> tuple[list[Value], dict[Value, Any]]:
    """Carry the upstream gradients ``seeds`` down to the leaves and touch no ``grad``.

    Returns the interior nodes, each with its gradient in ``_adjoint``, and the gradients of the leaves.
    """
    order = interior_order([root for root, _ in seeds])
    leaves: dict[Value, Any] = {}
    detector = _modes.current().detector if _modes.active else None
    if create_graph:
        try:
            with _modes.recording():
                _sow(seeds, leaves)
                _sweep_checked(order, leaves, detector, create_graph)
        except BaseException:
            _forget(order)
            for node in order:
                node._visit = None  # a picture tells by it, and by an adjoint of 0, that a gradient is computed and 0
            raise
    else:
        _sow(seeds, leaves)
        if detector is not None:
            _sweep_checked(order, leaves, detector, create_graph)
        else:
            _sweep(order, leaves)
    return order, leaves


def _sow(seeds: Sequence[tuple[Value, Any]], leaves: dict[Value, Any]) -> None:
    for root, gradient in seeds:
        if root._op_row is None:
            leaves[root] = _plus(leaves.get(root, 0.0), gradient)
        else:
            root._adjoint = _plus(root._adjoint, gradient)


def _forget(order: list[Value]) -> None:
    """Drop adjoints that are Values: they would keep the graph of the gradient alive."""
    for node in order:
        node._adjoint = 0.0


def _sweep(order: list[Value], leaves: dict[Value, Any]) -> None:
    """Run the backward pass on numbers; a test holds it to ``_sweep_checked``, its slow and obvious twin."""
    received = leaves.get
    node = None
    try:
        for node in reversed(order):
            g = node._adjoint
            if g == 0.0:  # no gradient, no share: whatever the local derivative, infinite or nan
                continue
            rules = node._op_row.vjp  # type: ignore[union-attr]
            left = node._left
            right = node._right
            if right is not None:
                out, a, b = node._out, node._a, node._b
                if type(left) is Value:
                    share = rules[0](g, out, a, b)  # type: ignore[index]
                    if left._op_row is None:
                        leaves[left] = received(left, 0.0) + share
                    else:
                        left._adjoint += share
                if type(right) is Value:
                    share = rules[1](g, out, a, b)  # type: ignore[index]
                    if right._op_row is None:
                        leaves[right] = received(right, 0.0) + share
                    else:
                        right._adjoint += share
            elif type(left) is Value:
                share = rules[0](g, node._out, node._a)  # type: ignore[index]
                if left._op_row is None:
                    leaves[left] = received(left, 0.0) + share
                else:
                    left._adjoint += share
            else:
                for operand, share in shares(node, g):
                    if operand._op_row is None:
                        leaves[operand] = received(operand, 0.0) + share
                    else:
                        operand._adjoint += share
    except Exception as error:
        _say_where(error, node)
        raise


def _sweep_checked(order: list[Value], leaves: dict[Value, Any], detector: Any, on_values: bool) -> None:
    """Run the backward pass with every check: on numbers or, for derivatives of derivatives, on the Values."""
    node = None
    pairs: list[tuple[Value, Any]]
    try:
        for node in reversed(order):
            g = node._adjoint
            if type(g) is float and g == 0.0:
                if not on_values:
                    continue
                pairs = [(x, 0.0) for x in node.parents]  # so that each leaf gets a Value
            elif on_values:
                _refuse_stale(node)
                pairs = _contributions(node, g, node, node.operands)
            else:
                pairs = shares(node, g)
            for operand, share in pairs:
                if type(share) is not Value:
                    share = _exact(share, node)
                number = _number(share)
                if _number(g) == 0.0 and not math.isfinite(number):
                    share = number = 0.0  # no gradient, no share: 0 * inf is 0 here
                if operand._op_row is None:
                    total = leaves[operand] = _plus(leaves.get(operand, 0.0), share)
                else:
                    total = operand._adjoint = _plus(operand._adjoint, share)
                if detector is not None:
                    detector.reached(operand, node, number, _number(total))
    except Exception as error:
        _say_where(error, node)
        raise


def _say_where(error: Exception, node: Value | None) -> None:
    error.add_note(f"while computing the gradients of the operands of {node!r}, made by {node.call_text()}")  # type: ignore[union-attr]


def _plus(total: Any, share: Any) -> Any:
    """Return the sum, without a node for adding nothing to a Value, or a Value to nothing."""
    if type(total) is Value:
        return total if type(share) is float and share == 0.0 else total + share
    return share if type(share) is Value and total == 0.0 else total + share


def _refuse_stale(node: Value) -> None:
    """Raise where the numbers under a derivative rule are not those of the forward pass any more."""
    for x, then in zip((*node.operands, node), (*captured(node), node._out)):
        if type(x) is Value and x._data is not then and repr(x._data) != repr(then):  # nan equals nan, -0.0 not 0.0
            raise StaleValueError(
                f"{describe(x)} was {then!r} when the graph was built and was changed since; a derivative that can be"
                f" differentiated again needs the graph as it is now: rebuild it, then call backward(create_graph=True)"
            )


def _commit(order: list[Value], leaves: dict[Value, Any], create_graph: bool) -> None:
    """Store all gradients, after everything that can raise."""
    detector = _modes.current().detector if _modes.active else None
    if create_graph:
        try:
            with _modes.recording():
                totals = {leaf: _as_value(_plus(leaf._grad, g)) for leaf, g in leaves.items()}
                gradients = [_as_value(node._adjoint) for node in order]
        finally:
            _forget(order)
        for node, g in zip(order, gradients):
            node._grad = g
    else:
        totals = {leaf: _plus(leaf._grad, g) for leaf, g in leaves.items()}
        if detector is not None:
            for leaf, g in totals.items():
                detector.stored(leaf, _number(g))
        for node in order:
            node._grad = node._adjoint
    for leaf, g in totals.items():
        leaf._grad = g


def _as_value(g: Any) -> Value:
    return g if type(g) is Value else Value(g)


def _number(g: Any) -> float:
    return g._data if type(g) is Value else g
