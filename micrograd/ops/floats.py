"""Numbers: what counts as one, and the functions of ``math`` made total.

Python's ``math`` raises where IEEE 754 defines a result (``log(0)`` is ``-inf``, ``exp(1000)`` is ``inf``,
``sqrt(-1)`` is nan). The functions here return that result, so an expression never stops half way; who wants an
exception asks for ``micrograd.detect_anomaly()``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from numbers import Real

from micrograd.errors import describe

__all__ = ["as_float", "as_int", "divide", "power", "total"]

_inf, _nan = math.inf, math.nan


def as_float(x: object) -> float | None:
    """Return the real number ``x`` as a float, or ``None`` when it is not a real number.

    Ints, bools, ``Fraction`` and NumPy's real scalars are numbers; text, complex and arrays are not.

    Raises ``OverflowError`` for an int that no float can hold.

    >>> as_float(True), as_float("1")
    (1.0, None)
    """
    if type(x) is int or type(x) is float or isinstance(x, Real):  # asking an abstract class takes ten times as long
        return float(x)
    # NumPy's bool is the one real scalar that NumPy does not register as a Real.
    dtype = getattr(x, "dtype", None)
    if getattr(dtype, "kind", "") == "b" and not hasattr(type(x), "__array_function__"):
        return 1.0 if x else 0.0
    return None


def as_int(name: str, x: object, least: float = -math.inf, *, wanted: str = "an int") -> int:
    """Return an option that is an int, one of NumPy's for instance, as a plain one.

    Raises ``TypeError`` that names it where it is no int or a bool, ``ValueError`` where it is below ``least``.

    >>> as_int("epochs", 3, 1)
    3
    """
    try:
        number = None if isinstance(x, bool) else operator.index(x)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None:
        raise TypeError(f"{name} is {wanted}, not {describe(x)}")
    if number < least:
        raise ValueError(f"{name} is at least {least}, not {number}")
    return number


def total(
    function: Callable[[float], float],
    pole: Callable[[float], float] = lambda a: _nan,
    overflow: Callable[[float], float] = lambda a: _inf,
) -> Callable[[float], float]:
    """Make a function of ``math`` total: ``pole`` answers where it raises ``ValueError``, ``overflow`` where
    the result is too large.

    >>> total(math.exp)(1000.0)
    inf
    """

    def forward(a: float) -> float:
        try:
            return function(a)
        except ValueError:
            return pole(a)
        except OverflowError:
            return overflow(a)

    return forward


def divide(a: float, b: float) -> float:
    """Return ``a / b`` as IEEE 754 gives it: a zero divisor gives an infinity or nan, never an exception.

    >>> divide(1.0, -0.0), divide(0.0, 0.0)
    (-inf, nan)
    """
    try:
        return a / b
    except ZeroDivisionError:
        if a == 0.0 or a != a:
            return _nan
        return math.copysign(_inf, a) * math.copysign(1.0, b)


def _is_odd(b: float) -> bool:
    return abs(math.fmod(b, 2.0)) == 1.0


def power(a: float, b: float) -> float:
    """Return ``a ** b`` as C99's ``pow`` gives it (annex F.10.4.4): real, never complex, never an exception.

    >>> power(-8.0, 1 / 3), power(-0.0, -1.0)
    (nan, -inf)
    """
    try:
        return math.pow(a, b)
    except ValueError:
        if a != 0.0:
            return _nan  # a negative base and an exponent that is not an integer
        return math.copysign(_inf, a) if _is_odd(b) else _inf
    except OverflowError:
        return -_inf if a < 0.0 and _is_odd(b) else _inf
