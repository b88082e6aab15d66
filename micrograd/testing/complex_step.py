"""The complex step: derivatives without differences, for operations that can be evaluated at complex numbers.

``f'(x) = Im f(x + ih) / h`` for an analytic ``f`` and any tiny ``h``: nothing is subtracted, so nothing cancels
(Squire and Trapp, SIAM Review 40, 1998). Python's ``math`` refuses complex numbers and ``abs`` of one is not analytic.
So a forward function is not handed a ``complex``, but an operand that carries one, and that flows through operators and
the operations of the table; a function that does anything else with it says no, and has no complex step.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from micrograd.ops import Op, Operand
from micrograd.ops.floats import as_float
from micrograd.ops.selection import PREDICATES

__all__ = ["complex_step"]

_STEP = 2.0**-300  # relative; its square is nothing beside any number that matters here


class _NoComplexFormError(TypeError):
    """The function asked for something that complex numbers do not have."""


class _Step(Operand):
    """A number that was moved a tiny step into the complex plane."""

    __slots__ = ("z",)

    def __init__(self, z: complex) -> None:
        self.z = z

    def __micrograd_op__(self, op: Op, operands: tuple[Any, ...]) -> Any:
        numbers: list[complex] = [x.z if isinstance(x, _Step) else complex(x) for x in operands]
        if op.name in PREDICATES:
            return op.forward(*[z.real for z in numbers])
        form = _FORMS.get(op.name)
        if form is None:
            result: Any = op.forward(*operands)
            return result if isinstance(result, _Step) else _Step(complex(result))
        return _Step(form(*numbers))

    # A branch is taken by the real part: the step is too small to change it.
    def __lt__(self, other: Any) -> bool:
        return self.z.real < _real(other)

    def __le__(self, other: Any) -> bool:
        return self.z.real <= _real(other)

    def __gt__(self, other: Any) -> bool:
        return self.z.real > _real(other)

    def __ge__(self, other: Any) -> bool:
        return self.z.real >= _real(other)

    def __eq__(self, other: object) -> bool:
        return self.z.real == _real(other)

    def __ne__(self, other: object) -> bool:
        return self.z.real != _real(other)

    __hash__ = None  # type: ignore[assignment]

    def __float__(self) -> NoReturn:
        raise _NoComplexFormError

    __int__ = __index__ = __bool__ = __float__


def _real(x: Any) -> float:
    if isinstance(x, _Step):
        return x.z.real
    number = as_float(x)
    if number is None:
        raise _NoComplexFormError
    return number


def _power(a: complex, b: complex) -> complex:
    if b.imag == 0.0 and b.real == math.floor(b.real) and abs(b.real) <= 64.0:
        return a ** int(b.real)  # real for a negative base
    if a.real <= 0.0:
        raise _NoComplexFormError
    return cmath.exp(b * cmath.log(a))


def _scaled(a: complex, by: float) -> complex:
    return complex(a.real * by, a.imag * by)


# The complex forms of operations. Those that select follow the real part.
_FORMS: dict[str, Callable[..., complex]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
    "pos": lambda a: a,
    "power": _power,
    "sqrt": cmath.sqrt,
    "exp": cmath.exp,
    "exp2": lambda a: cmath.exp(_scaled(a, math.log(2.0))),
    "log": cmath.log,
    "log2": lambda a: _scaled(cmath.log(a), 1.0 / math.log(2.0)),
    "log10": cmath.log10,
    "sin": cmath.sin,
    "cos": cmath.cos,
    "tan": cmath.tan,
    "asin": cmath.asin,
    "acos": cmath.acos,
    "atan": cmath.atan,
    "sinh": cmath.sinh,
    "cosh": cmath.cosh,
    "tanh": cmath.tanh,
    "asinh": cmath.asinh,
    "acosh": cmath.acosh,
    "atanh": cmath.atanh,
    "degrees": lambda a: _scaled(a, 180.0 / math.pi),
    "radians": lambda a: _scaled(a, math.pi / 180.0),
    "where": lambda condition, a, b: a if condition.real != 0.0 else b,
    "abs": lambda a: a if a.real > 0.0 else -a,
    "relu": lambda a: a if a.real > 0.0 else 0j,
    "leaky_relu": lambda a, slope: a if a.real > 0.0 else slope * a,
    "maximum": lambda a, b: a if a.real >= b.real else b,
    "minimum": lambda a, b: a if a.real <= b.real else b,
    "clamp": lambda a, low, high: high if max(a.real, low.real) > high.real else low if a.real < low.real else a,
    "copysign": lambda a, b: _scaled(a, math.copysign(1.0, a.real) * math.copysign(1.0, b.real)),
    "fmod": lambda a, b: a - _scaled(b, math.trunc(a.real / b.real)),
    "take": lambda *operands: operands[int(operands[-1].real)],
    "sum": lambda *xs: sum(xs, 0j),
    "mean": lambda *xs: _scaled(sum(xs, 0j), 1.0 / len(xs)),
    "prod": lambda *xs: math.prod(xs, start=1 + 0j),
    "dot": lambda *xs: sum([x * y for x, y in zip(xs[: len(xs) // 2], xs[len(xs) // 2 :])], 0j),
    "dist": lambda *xs: cmath.sqrt(sum([(x - y) ** 2 for x, y in zip(xs[: len(xs) // 2], xs[len(xs) // 2 :])], 0j)),
}


def complex_step(op: Op, operands: Sequence[float], places: Sequence[int]) -> list[float] | None:
    """Return the partial derivatives of ``op`` at a point; ``None`` where it has no complex form there.

    Args:
        op: the operation, whose forward function is evaluated.
        operands: the point.
        places: the operands to differentiate by.

    >>> from micrograd import sin, erf
    >>> complex_step(sin, [0.0], [0]), complex_step(erf, [0.0], [0])
    ([1.0], None)
    """
    gradient = []
    for place in places:
        slope = _slope(op, operands, place, _STEP)
        again = _slope(op, operands, place, _STEP * 2.0**-40)
        if slope is None or again is None or abs(slope - again) > 1e-12 * abs(slope):
            return None  # not analytic here: the slope depends on the step
        gradient.append(slope)
    return gradient


def _slope(op: Op, operands: Sequence[float], place: int, step: float) -> float | None:
    moved: list[Any] = list(operands)
    if math.isfinite(operands[place]):  # not so in the branch that ``where`` does not take
        step *= max(abs(operands[place]), 1e-150)
    moved[place] = _Step(complex(operands[place], step))
    try:
        result = moved[place].__micrograd_op__(op, tuple(moved))
    except (TypeError, AttributeError, ArithmeticError, ValueError):
        return None  # Python's own functions for floats, and poles of those for complex numbers
    z = result.z if isinstance(result, _Step) else complex(result)
    return z.imag / step if math.isfinite(z.real) and math.isfinite(z.imag / step) else None
