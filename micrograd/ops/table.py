"""``Op``, one row of the table of operations, and ``op``, which adds one.

An operation is to scalars what a ufunc is to arrays. Called with plain numbers it computes a float. Called with
anything that has the protocol method ``__micrograd_op__`` it hands itself over, so the table knows no engine. Its
rule is written once, and serves numbers, nodes (derivatives of derivatives) and whatever traces the rule.
"""

from __future__ import annotations

import builtins
import functools
import keyword
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NoReturn

from micrograd.errors import describe, not_a_number
from micrograd.ops.domain import REALS, Domain
from micrograd.ops.floats import as_float
from micrograd.ops.operand import Operand, attach_method, attach_operator, detach_method

__all__ = [
    "UNSTATED",
    "Accuracy",
    "Op",
    "forget",
    "handle_arrays",
    "is_builtin",
    "iterate",
    "op",
    "operation_named",
    "operations",
    "row",
]


@dataclass(frozen=True)
class Accuracy:
    """The error that a row promises, in ulps, for operands that are 0 or not subnormal.

    ``value`` bounds the result. ``derivative`` bounds each partial derivative, in ulps times its own condition number
    ``max(1, |x f''(x) / f'(x)|)``, summed over the operands x. With ``absolute`` an ulp is never below that of 1: the
    textbook's ``1 - out * out`` for tanh is exact to an ulp of 1 and no better.

    An operation over n operands promises n times as much: its value in ulps of ``|x f'(x)|``, summed over the operands,
    where that is more than the result, because terms may cancel. No promise is made where a product or a sum of some of
    the operands already overflows or underflows.
    """

    value: float = 2.0
    derivative: float = 4.0
    absolute: bool = False


UNSTATED = Accuracy()
"""The accuracy of a row that states none."""


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Op:
    """One operation: a name, a function on floats, and the rule of its derivative.

    Attributes:
        name: what the table, the method and a saved graph call it.
        symbol: what a picture shows, ``"+"`` for instance.
        forward: floats to a float; never raises for a float, whatever its value.
        vjp: one function ``(g, out, *operands)`` per operand, each returning that operand's share of the upstream
            gradient ``g``; or, for any number of operands, one function that returns all shares.
        domain: where the operation is defined, for each operand; ``None`` where nothing is known.
        kinks: quantities that vanish where the derivative jumps, as a function of the operands.
        accuracy: the error that the row promises, on a C library as good as glibc.
        reference: ``(mp, *operands)`` to the exact value, given mpmath's module; or ``None``.
        flatten: turns the arguments of a call into flat operands, for the operations over iterables.
        summary: one line for the documentation.

    Raises ``TypeError`` when called with something that is neither a number nor an operand.

    >>> import micrograd as mg
    >>> mg.sqrt(9.0), mg.sqrt(mg.Value(9.0))
    (3.0, Value(data=3.0, grad=0.0))
    >>> mg.tanh
    <op tanh>
    """

    name: str
    symbol: str
    forward: Callable[..., float]
    vjp: tuple[Callable[..., Any], ...] | Callable[..., Sequence[Any]]
    domain: tuple[Domain, ...]
    kinks: Callable[..., Iterable[float]] | None
    accuracy: Accuracy
    reference: Callable[..., Any] | None
    flatten: Callable[..., tuple[Any, ...]] | None
    summary: str
    arity: int | None

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        if self.flatten is not None:
            return self.apply(self.flatten(*arguments, **options))
        if options:
            raise TypeError(f"{self.name}() takes no keyword arguments, {', '.join(options)} came")
        return self.apply(arguments)

    def apply(self, operands: tuple[Any, ...]) -> Any:
        """Apply the operation to flat operands; a call of the operation flattens its arguments and comes here."""
        for x in operands:
            if type(x) is not float:
                return self._dispatch(operands)
        if len(operands) != self.arity is not None:
            self._refuse_arity(operands)
        return self.forward(*operands)

    def _refuse_arity(self, operands: tuple[Any, ...]) -> NoReturn:
        plural = "" if self.arity == 1 else "s"
        raise TypeError(f"{self.name}() takes {self.arity} operand{plural}, {len(operands)} came")

    def _dispatch(self, operands: tuple[Any, ...]) -> Any:
        """Convert numbers to floats, then leave the rest to the first kind of operand that knows all the others."""
        if len(operands) != self.arity is not None:
            self._refuse_arity(operands)
        flat: list[Any] = []
        hosts: dict[type, Operand] = {}  # one of each kind: asking every operand of a long row takes quadratic time
        strangers: list[Any] = []
        for x in operands:
            if isinstance(x, Operand):
                hosts.setdefault(type(x), x)
            elif (number := as_float(x)) is not None:
                x = number
            else:
                strangers.append(x)
            flat.append(x)
        if not hosts and not strangers:
            return self.forward(*flat)
        if _array_handler is not None and any(hasattr(type(x), "__array_function__") for x in strangers):
            return _array_handler(self, tuple(flat))
        for x in hosts.values():
            result = x.__micrograd_op__(self, tuple(flat))
            if result is not NotImplemented:
                return result
        if len(hosts) > 1 and not strangers:
            kinds = " and ".join(kind.__name__ for kind in hosts)
            raise TypeError(f"{self.name}(): {kinds} came together, and know nothing of each other")
        raise TypeError(f"{self.name}(): {not_a_number([*strangers, *hosts.values()][0], 'a real number or a Value')}")

    def contributions(
        self, g: Any, out: Any, operands: Sequence[Any], wanted: Sequence[bool] | None = None
    ) -> Sequence[Any]:
        """Return every operand's share of the upstream gradient ``g``.

        The rule of an operand that is not ``wanted`` is not called, and its share is ``None``.
        """
        if isinstance(self.vjp, tuple):
            if wanted is None:
                return [rule(g, out, *operands) for rule in self.vjp]
            return [rule(g, out, *operands) if want else None for rule, want in zip(self.vjp, wanted)]
        shares = self.vjp(g, out, *operands)
        if len(shares) != len(operands):
            raise ValueError(
                f"the rule of {self.name!r} returned {len(shares)} contributions for {len(operands)} operands"
            )
        return shares

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return operation_named, (self.name,)


_table: dict[str, Op] = {}
_builtin_names: set[str] = set()
_array_handler: Callable[[Op, tuple[Any, ...]], Any] | None = None


def handle_arrays(handler: Callable[[Op, tuple[Any, ...]], Any]) -> None:
    """Say how an operation is applied when an operand is an array; the table itself knows none."""
    global _array_handler
    _array_handler = handler


def operations() -> Mapping[str, Op]:
    """Return the table of operations, by name: built-in rows first, then the user's.

    >>> operations()["mul"].symbol
    '*'
    """
    return MappingProxyType(_table)


def is_builtin(operation: Op) -> bool:
    """Tell whether a row is the library's own, not a user's."""
    return operation.name in _builtin_names


def operation_named(name: str) -> Op:
    """Return a row of the table; ``LookupError`` says how to get one that is missing."""
    try:
        return _table[name]
    except KeyError:
        raise LookupError(
            f"no operation named {name!r} is registered; run the code that calls micrograd.op({name!r}, ...) first"
        ) from None


def op(
    name: str,
    *,
    forward: Callable[..., float],
    vjp: tuple[Callable[..., Any], ...] | Callable[..., Sequence[Any]],
    symbol: str = "",
    domain: str | Sequence[str] | None = None,
    kinks: Sequence[float] | Callable[..., Iterable[float]] | None = None,
    accuracy: Accuracy | None = None,
    reference: Callable[..., Any] | None = None,
    summary: str = "",
) -> Op:
    """Register an operation and return it; it is then a function, a method and a row like any built-in one.

    Args:
        name: an identifier; built-in operations and attributes of ``Value`` cannot be redefined, yours can.
        forward: ``(*floats) -> float``.
        vjp: a tuple with one ``(g, out, *operands)`` per operand, or one such function that returns all
            contributions, for an operation of any number of operands. Written with ``+ - *`` and with operations,
            a rule serves higher derivatives as well.
        symbol: what pictures show; the name, if empty.
        domain: ``"(0, inf)"``, one such text for all operands or one for each.
        kinks: points where the derivative jumps, ``(0.0,)``; or, for several operands, a function of the operands
            that returns quantities which vanish there.
        accuracy: the error that the row promises.
        reference: ``(mp, *operands)`` to the exact value, given mpmath's module.
        summary: one line for the documentation.

    Raises ``TypeError`` or ``ValueError`` when an argument cannot be used; nothing is registered then.

    >>> softsign = op("softsign", forward=lambda a: a / (1 + abs(a)),
    ...               vjp=(lambda g, out, a: g * (1 - abs(out)) * (1 - abs(out)),))
    >>> from micrograd import Value
    >>> x = Value(1.0)
    >>> softsign(x).backward(); x.grad
    0.25
    """
    if isinstance(name, str) and name in _builtin_names:
        raise ValueError(f"{name!r} is a built-in operation and cannot be redefined; choose another name")
    return _register(
        name,
        forward=forward,
        vjp=tuple([_answering(name, rule) for rule in vjp]) if isinstance(vjp, tuple) else vjp,
        symbol=symbol,
        domain=domain,
        kinks=kinks,
        accuracy=accuracy,
        reference=reference,
        summary=summary or f"{name}, registered by micrograd.op",
    )


def forget(name: str) -> None:
    """Take an operation that a user registered out of the table again, its method too; what is not there is let be."""
    if name in _builtin_names:
        raise ValueError(f"{name!r} is a built-in operation and stays")
    if _table.pop(name, None) is not None:
        detach_method(name)


def row(
    name: str,
    *,
    method: bool | None = None,
    numpy_name: str = "",
    operator: str = "",
    **fields: Any,
) -> Op:
    """Add a row to the library's own table.

    Beyond what ``op`` takes: ``operator`` is Python's name of one, ``numpy_name`` the method that a ufunc of another
    name looks for, ``method`` whether an operation of several operands is a method too, ``flatten`` how the arguments
    of a call become flat operands.
    """
    built = _register(name, method=method, **fields)
    _builtin_names.add(name)
    if numpy_name:
        attach_method(built, numpy_name)
    if operator:
        attach_operator(built, operator)
    return built


def _register(
    name: str,
    *,
    forward: Callable[..., float],
    vjp: tuple[Callable[..., Any], ...] | Callable[..., Sequence[Any]],
    symbol: str = "",
    domain: str | Sequence[str] | None = None,
    kinks: Sequence[float] | Callable[..., Iterable[float]] | None = None,
    accuracy: Accuracy | None = None,
    reference: Callable[..., Any] | None = None,
    flatten: Callable[..., tuple[Any, ...]] | None = None,
    summary: str,
    method: bool | None = None,
) -> Op:
    arity = _arity(vjp)
    if accuracy is not None and not isinstance(accuracy, Accuracy):
        raise TypeError(f"accuracy is written Accuracy(value=2.0, derivative=4.0), not {describe(accuracy)}")
    if flatten is not None:
        flatten.__qualname__ = name  # who calls the operation with wrong arguments is told its name
    entry = Op(
        name=_checked_name(name),
        symbol=symbol or name,
        forward=_checked_callable("forward", forward),
        vjp=vjp,
        domain=_domains(domain, arity),
        kinks=_kinks(kinks, arity),
        accuracy=accuracy or UNSTATED,
        reference=None if reference is None else _checked_callable("reference", reference),
        flatten=flatten if flatten or arity is not None else one_iterable(name),
        summary=summary,
        arity=arity,
    )
    _table[name] = entry
    detach_method(name)  # an earlier definition may have had another arity
    if arity == 1 if method is None else method:
        attach_method(entry, name)
    return entry


def _checked_name(name: str) -> str:
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        raise ValueError(f"the name of an operation is an identifier, not {describe(name)}")
    for kind in _kinds_of_operand():
        attribute = getattr(kind, name, None)
        operation = getattr(attribute, "operation", None)
        # ``arcsin`` and ``__neg__`` are operations too, but not those of this name.
        if attribute is not None and (operation is None or operation.name != name):
            raise ValueError(f"{name!r} is an attribute of {kind.__name__}; choose another name")
    return name


def _kinds_of_operand() -> Iterator[type]:
    kinds = [Operand]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    return iter(kinds)


def _checked_callable(what: str, function: Any) -> Any:
    if not callable(function):
        raise TypeError(f"{what} must be a function, not {describe(function)}")
    return function


def _answering(name: str, rule: Any) -> Any:
    """Return a user's rule that answers with a float, or with an operand: backward passes add up without looking.

    A NumPy scalar would turn every gradient that it meets into its own kind, a float32 with seven digits for instance.
    """

    @functools.wraps(_checked_callable("every element of vjp", rule))
    def answer(g: Any, out: Any, *operands: Any) -> Any:
        share = rule(g, out, *operands)
        if type(share) is float or isinstance(share, Operand):
            return share
        number = as_float(share)
        if number is None:
            raise TypeError(not_a_number(share, f"a real number from the derivative rule of {name!r}"))
        return number

    return answer


def _arity(vjp: Any) -> int | None:
    if not isinstance(vjp, tuple):
        if not callable(vjp):
            raise TypeError(
                f"vjp is a tuple with one function (g, out, *operands) per operand, or one function that returns all"
                f" contributions, not {describe(vjp)}"
            )
        return None
    if not vjp:
        raise ValueError("vjp needs one function per operand, and an operation has at least one operand")
    for rule in vjp:
        _checked_callable("every element of vjp", rule)
    return len(vjp)


def _domains(domain: str | Sequence[str] | None, arity: int | None) -> tuple[Domain, ...]:
    if domain is None:
        return (REALS,) * (arity or 1)
    if isinstance(domain, str):
        return (Domain.parse(domain),) * (arity or 1)
    if not isinstance(domain, (tuple, list)) or not all(isinstance(text, str) for text in domain):
        raise TypeError(f"domain is text such as '(0, inf)', or one such text per operand, not {describe(domain)}")
    if len(domain) != (arity or 1):
        raise ValueError(f"domain has {len(domain)} entries for {'all' if arity is None else arity} operands")
    return tuple(Domain.parse(text) for text in domain)


def _kinks(kinks: Any, arity: int | None) -> Callable[..., Iterable[float]] | None:
    if kinks is None or callable(kinks):
        return kinks  # type: ignore[no-any-return]
    points = [as_float(point) for point in kinks] if isinstance(kinks, (tuple, list)) else [None]
    if None in points or arity != 1:
        raise TypeError(
            f"kinks are points such as (0.0,), of an operation of one operand, or a function of the operands, not"
            f" {describe(kinks)}"
        )
    return lambda a: [a - point for point in points]


def one_iterable(name: str) -> Callable[..., tuple[Any, ...]]:
    """Return the ``flatten`` of an operation that is called with one iterable, as ``sum([a, b, c])`` is."""

    def flatten(values: Iterable[Any]) -> tuple[Any, ...]:
        return tuple(iterate(name, values))

    return flatten


def iterate(name: str, values: Any) -> Iterator[Any]:
    """Iterate over ``values``, or raise the ``TypeError`` that shows how ``name`` is called."""
    try:
        return builtins.iter(values)
    except TypeError:
        raise TypeError(
            f"{name}() takes an iterable of operands, as in {name}([a, b, c]); got {describe(values)}"
        ) from None
