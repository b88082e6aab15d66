"""Capture: one call of the user's function on symbols, written down as a ``Program``.

What Python decides while it runs (loops, lengths, numbers) is fixed by the call. What depends on a symbol is not known,
so a condition on one is refused; ``x > 0`` gives a predicate that only ``where`` accepts. Values that the function
captures become parameters; a captured interior node is part of the graph and is written down from its leaves.

The layout of the arguments is ``arguments.py``'s: this file is handed a function that places leaves.
"""

from __future__ import annotations

import contextlib
import linecache
import sys
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from micrograd import _modes
from micrograd.compiler.builder import Builder, Compared
from micrograd.compiler.program import Program
from micrograd.engine import Value
from micrograd.errors import TraceError, describe, not_a_number
from micrograd.ops import Op, Operand, operations
from micrograd.ops.floats import as_float

if TYPE_CHECKING:
    from micrograd.compiler.arguments import Leaf

__all__ = ["Index", "Input", "Recorder", "capturing", "record"]

_capturing: ContextVar[bool] = ContextVar("micrograd_capturing", default=False)


def capturing() -> bool:
    """Tell whether a function is being captured in this thread or task."""
    return _capturing.get()


_NOT_THE_USERS = (str(Path(__file__).parent.parent), contextlib.__file__)  # a decorated function passes the latter


class Recorder(Builder):
    """The program of one call, and the Values that the function captured."""

    def __init__(self) -> None:
        super().__init__(rewriting=False)
        self.parameters: list[Value] = []
        self.open = True
        self._captured: dict[Value, int] = {}

    def place(self, x: Any) -> int:
        """Return the instruction of an operand: a symbol of this call, a captured Value, or a number."""
        kind = type(x)
        if kind is Input:
            if x._recorder is not self:
                raise TraceError(_at_line("a symbol of one compiled function came into another one"))
            return x._number  # type: ignore[no-any-return]
        if kind is float:
            return self.constant(x)
        if kind is Value:
            return self._capture(x)
        number = as_float(x)
        if number is None:
            raise TypeError(not_a_number(x, "a real number or a Value"))
        return self.constant(number)

    def _capture(self, v: Value) -> int:
        """Return the instruction of a captured node; what it was made of is written down first, each node once."""
        captured = self._captured
        stack = [v]
        while stack:
            node = stack[-1]
            if node in captured:
                stack.pop()
                continue
            row = node._op_row
            if row is None:
                captured[node] = self.leaf("parameter", len(self.parameters))
                self.parameters.append(node)
                continue
            if operations().get(row.name) is not row:
                raise TraceError(
                    f"{node!r} was made by an earlier definition of {row.name!r}; build it anew with the one of now"
                )
            missing = [x for x in node.operands if type(x) is Value and x not in captured]
            if missing:
                stack.extend(reversed(missing))
            else:
                places = [captured[x] if type(x) is Value else self.constant(x) for x in node.operands]
                captured[node] = self.emit(row.name, tuple(places))
        return captured[v]


class Input(Compared):
    """A symbolic Value: an argument of the function that is being compiled, or something computed from one."""

    __slots__ = ("_number", "_recorder")

    def __init__(self, recorder: Recorder, number: int) -> None:
        self._recorder = recorder
        self._number = number

    def __micrograd_op__(self, op: Op, operands: tuple[Any, ...]) -> Any:
        """Write down ``op`` applied to ``operands``."""
        recorder = self._recorder
        if not recorder.open:
            raise TraceError(_at_line("a symbol outlived the call that it belongs to; return it from the function"))
        place = recorder.place
        numbers: list[int] = []
        for i, x in enumerate(operands):
            if type(x) is Input:
                if x._recorder is not recorder:
                    place(x)  # raises
                numbers.append(x._number)
            elif type(x) is Predicate and op is _where and i == 0:
                numbers.append(x._number)
            elif isinstance(x, (Predicate, Index)):
                return x.__micrograd_op__(op, operands)  # take with a run-time index, or else refused
            elif isinstance(x, Operand) and type(x) is not Value:
                return NotImplemented
            else:
                numbers.append(place(x))
        return Input(recorder, recorder.emit(op.name, tuple(numbers)))

    def _compared(self, op: str, other: Any) -> Any:
        if not isinstance(other, (Input, Value)) and as_float(other) is None:
            return NotImplemented
        result = super()._compared(op, other)
        return Predicate(result._recorder, result._number)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Operand):
            return self is other  # a node equals itself, as Values do
        raise _refusal("== with a number", "write micrograd.eq(x, 0.0) inside micrograd.where")

    __hash__ = object.__hash__

    def __bool__(self) -> NoReturn:
        raise _refusal("a condition", "write micrograd.where(condition, a, b), which keeps both branches")

    def __float__(self) -> NoReturn:
        raise _refusal("float()", "use micrograd.exp(x) instead of math.exp(x)")

    def __int__(self) -> NoReturn:
        raise _refusal("int()", "pass an int argument, and choose with micrograd.take(values, index)")

    __index__ = __int__

    def __format__(self, spec: str) -> str:
        if spec:
            raise _refusal("a number to print", "print inside the function shows the symbol, print(x)")
        return repr(self)

    def __getattr__(self, name: str) -> Any:
        if name in ("data", "grad", "backward"):
            raise _refusal(
                f".{name}", "return what you need; gradients come from .backward(...) or .value_and_grad(...)"
            )
        raise AttributeError(f"a symbolic Value has no attribute {name!r}")

    def __repr__(self) -> str:
        return f"<symbol %{self._number}>"


_where, _gt = operations()["where"], operations()["gt"]


class Predicate(Operand):
    """The outcome of a comparison of symbols, for ``where`` to choose by; ``&`` and ``|`` combine two."""

    __slots__ = ("_number", "_recorder")

    def __init__(self, recorder: Recorder, number: int) -> None:
        self._recorder = recorder
        self._number = number

    def __micrograd_op__(self, op: Op, operands: tuple[Any, ...]) -> Any:
        """Let ``where`` choose by this predicate; refuse anything else."""
        if op is _where and operands[0] is self and not any(isinstance(x, Predicate) for x in operands[1:]):
            return Input(self._recorder, self._number).__micrograd_op__(op, operands)
        return self._refused(op)

    def _refused(self, op: Op) -> NoReturn:
        raise TraceError(
            _at_line(
                f"{op.name}() got a comparison such as x > 0; micrograd.where(x > 0, 1.0, 0.0) makes a number of it"
            )
        )

    def __and__(self, other: Any) -> Any:
        return self._combined(other, lambda a, b: a * b)

    def __or__(self, other: Any) -> Any:
        return self._combined(other, lambda a, b: _gt(a + b, 0.0))

    __rand__, __ror__ = __and__, __or__

    def __repr__(self) -> str:
        return f"<comparison %{self._number}>"

    def _combined(self, other: Any, combine: Callable[[Any, Any], Any]) -> Any:
        if isinstance(other, bool):
            right: Any = float(other)
        elif isinstance(other, Predicate):
            right = Input(other._recorder, other._number)
        else:
            return NotImplemented
        both = combine(Input(self._recorder, self._number), right)
        return Predicate(both._recorder, both._number)

    def __bool__(self) -> NoReturn:
        raise _refusal("a condition", "write micrograd.where(condition, a, b), which keeps both branches")

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Operand):
            return self is other
        raise _refusal("== of a comparison", "write micrograd.where(condition, a, b), which keeps both branches")

    __hash__ = object.__hash__


class Choice(NamedTuple):
    """What an int argument chooses from: checked at every call.

    Attributes:
        place: where the int stands among the ints of the arguments.
        size: from how many operands it chooses.
        what: what messages call it, ``"a label"``, where it counts from 0 only; else it may count from the end.
    """

    place: int
    size: int
    what: str = ""


class Index(Operand):
    """An int argument: which operand ``take`` chooses, decided at every call.

    One leaf of the program belongs to a ``Choice``, so that the int can be checked, and counted from the end where it
    is negative and may be, before the program runs.
    """

    __slots__ = ("_argument", "_choices", "_flat", "_recorder", "_what")
    chosen_later = True

    def __init__(
        self, recorder: Recorder, choices: dict[Choice, int], flat: int, argument: Leaf, what: str = ""
    ) -> None:
        self._recorder = recorder
        self._choices = choices  # with the number of the leaf
        self._flat = flat
        self._argument = argument
        self._what = what

    def __micrograd_choice__(self, what: str, size: int) -> Any:
        """Return the index as one that does not count from the end; who asks first says what it is."""
        if self._what:
            return self
        return Index(self._recorder, self._choices, self._flat, self._argument, what)

    def __micrograd_op__(self, op: Op, operands: tuple[Any, ...]) -> Any:
        """Let ``take`` choose by this index; refuse anything else."""
        *values, index = operands
        if op.name != "take" or index is not self or any(isinstance(x, Index) for x in values):
            return self._refused(op)
        if not values:
            raise IndexError("take() of no operands")
        recorder = self._recorder
        choice = Choice(self._flat, len(values), self._what)
        number = self._choices.setdefault(choice, len(self._choices))
        leaf = recorder.leaf("sample_index" if self._argument.batched else "index", number)
        places = [recorder.place(x) for x in values]
        return Input(recorder, recorder.emit("take", (*places, leaf)))

    def _refused(self, op: Op) -> NoReturn:
        raise TraceError(
            _at_line(
                f"{op.name}() got the int argument {self._argument.name}, which only chooses in micrograd.take(values,"
                " index); pass a float where a number is meant"
            ),
            self._argument.path,
        )

    def __repr__(self) -> str:
        return f"<int argument {self._argument.name}>"

    def _not_a_number(self, *others: Any) -> NoReturn:
        raise self._refusal()

    def _refusal(self) -> TraceError:
        return _refusal(
            f"the int argument {self._argument.name} used as a number or as an index of a list",
            "choose with micrograd.take(values, index), or pass a float where a number is meant",
            self._argument.path,
        )

    __bool__ = __int__ = __index__ = __float__ = _not_a_number
    __lt__ = __le__ = __gt__ = __ge__ = _not_a_number

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Operand):
            return self is other
        raise self._refusal()

    __hash__ = object.__hash__


def record(f: Callable[..., Any], recorder: Recorder, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Program:
    """Call ``f`` on symbolic arguments and return the program of its result.

    Raises ``TraceError`` when the result is not one Value, or when ``f`` asks a symbol for its number.
    """
    token = _capturing.set(True)
    try:
        with _modes.outside():  # a no_grad() or scope() around the first call is no part of the function
            result = f(*arguments, **keywords)
        if not isinstance(result, (Input, Value)):
            shape = getattr(result, "shape", None)
            if shape == () and isinstance(result := result.item(), (Input, Value)):
                pass  # NumPy's way of saying a scalar
            else:
                raise TraceError(
                    f"{getattr(f, '__name__', 'the function')} returned {describe(result)}; a compiled function returns"
                    " one Value (micrograd.jacobian differentiates several results)"
                )
        value = recorder.place(result)
    finally:
        recorder.open = False
        _capturing.reset(token)
    return recorder.program(outputs={"value": value})


# --- errors that name the user's line ---------------------------------------------------------------------------


def _refusal(what: str, instead: str, path: tuple[Any, ...] | None = None) -> TraceError:
    return TraceError(_at_line(f"{what} is not possible while a function is compiled: {instead}"), path)


def _at_line(message: str) -> str:
    """Return the message with the line of the user's code that led here."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_NOT_THE_USERS):
        frame = frame.f_back
    if frame is None:
        return message
    path, line = frame.f_code.co_filename, frame.f_lineno
    text = linecache.getline(path, line, frame.f_globals).strip()
    return f"{message}\n  at {Path(path).name}, line {line}" + (f": {text}" if text else "")
