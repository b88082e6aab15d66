"""Protects totality: no operation and no rule raises, whatever floats come; each gives what IEEE 754 and C99 say."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from table_rows import ROWS, sizes

from micrograd import Value
from micrograd.ops import Op
from micrograd.ops.floats import as_float, divide, power, total

inf, nan = math.inf, math.nan
LARGEST = math.nextafter(inf, 0.0)
SMALLEST = math.nextafter(0.0, 1.0)

any_float = st.floats() | st.sampled_from(
    (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -8.0, 710.0, -746.0, LARGEST, -LARGEST, SMALLEST, -SMALLEST, inf, -inf, nan)
)


def same(a: float, b: float) -> bool:
    """Tell whether two floats are one, the sign of zero included."""
    return (a == b and math.copysign(1.0, a) == math.copysign(1.0, b)) or (a != a and b != b)


# --- the whole table --------------------------------------------------------------------------------------------


def operands_of(row: Op) -> st.SearchStrategy[list[float]]:
    lists = st.sampled_from(tuple(sizes(row))).flatmap(lambda size: st.lists(any_float, min_size=size, max_size=size))
    if row.name == "take":
        return lists.flatmap(lambda xs: st.integers(0, len(xs) - 1).map(lambda index: [*xs, float(index)]))
    return lists


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
@settings(max_examples=60)
@given(data=st.data())
def test_no_operation_and_no_rule_raises_for_any_float(row: Op, data: st.DataObject) -> None:
    operands = data.draw(operands_of(row))
    out = row.apply(tuple(operands))
    assert type(out) is float
    g = data.draw(any_float)
    assert all(type(share) is float for share in row.contributions(g, out, operands))
    leaves: list[Any] = [Value(x) for x in operands]
    if row.name == "take":
        leaves[-1] = operands[-1]
    result = row.apply(tuple(leaves))
    assert same(result.data, out)
    result.backward(g)
    result.backward(g, create_graph=True)
    if row.kinks is not None:
        assert all(isinstance(quantity, float) for quantity in row.kinks(*operands))


# --- division ---------------------------------------------------------------------------------------------------


@given(any_float, any_float)
@example(SMALLEST, LARGEST)
def test_division_is_that_of_the_processor(a: float, b: float) -> None:
    with np.errstate(all="ignore"):
        assert same(divide(a, b), float(np.float64(a) / np.float64(b)))


# --- powers: C99, annex F.9.4.4 ---------------------------------------------------------------------------------

ODD, EVEN, HALF = 3.0, 2.0, 0.5

POWERS: list[tuple[float, float, float]] = [
    # a zero base
    (0.0, -ODD, inf),
    (-0.0, -ODD, -inf),
    (0.0, -EVEN, inf),
    (-0.0, -EVEN, inf),
    (0.0, -HALF, inf),
    (-0.0, -HALF, inf),
    (0.0, -inf, inf),
    (-0.0, -inf, inf),
    (0.0, ODD, 0.0),
    (-0.0, ODD, -0.0),
    (0.0, EVEN, 0.0),
    (-0.0, EVEN, 0.0),
    (-0.0, HALF, 0.0),
    (-0.0, inf, 0.0),
    (-0.0, -(2.0**53 + 2.0), inf),  # from here on every float is even
    (-0.0, -(2.0**53 - 1.0), -inf),  # the largest odd one
    # bases of size 1
    (-1.0, inf, 1.0),
    (-1.0, -inf, 1.0),
    (-1.0, 2.0**53 - 1.0, -1.0),
    (1.0, nan, 1.0),
    (1.0, inf, 1.0),
    # an exponent of 0
    (nan, 0.0, 1.0),
    (nan, -0.0, 1.0),
    (inf, 0.0, 1.0),
    (-inf, -0.0, 1.0),
    # a negative base
    (-8.0, 1 / 3, nan),
    (-8.0, 3.0, -512.0),
    (-8.0, -1.0, -0.125),
    # an infinite exponent
    (0.5, -inf, inf),
    (-0.5, -inf, inf),
    (2.0, -inf, 0.0),
    (-2.0, -inf, 0.0),
    (0.5, inf, 0.0),
    (2.0, inf, inf),
    (-2.0, inf, inf),
    # an infinite base
    (-inf, -ODD, -0.0),
    (-inf, -EVEN, 0.0),
    (-inf, -HALF, 0.0),
    (-inf, ODD, -inf),
    (-inf, EVEN, inf),
    (-inf, HALF, inf),
    (inf, -HALF, 0.0),
    (inf, HALF, inf),
    # nan
    (nan, 1.0, nan),
    (2.0, nan, nan),
    (-1.0, nan, nan),
    # overflow and underflow, where Python raises or not
    (1e300, 2.0, inf),
    (-1e300, 2.0, inf),
    (-1e300, 3.0, -inf),
    (-1e300, -3.0, -0.0),
    (1e-300, 2.0, 0.0),
    (-SMALLEST, -3.0, -inf),
    (-SMALLEST, -2.0, inf),
]


@pytest.mark.parametrize(("a", "b", "value"), POWERS)
def test_powers_are_those_of_c99(a: float, b: float, value: float) -> None:
    assert same(power(a, b), value)
    assert same((Value(a) ** Value(b)).data, value)
    assert same((Value(a) ** b).data, value)
    assert same((a ** Value(b)).data, value)


@given(any_float, any_float | st.integers(-9, 9).map(float))
def test_powers_are_those_of_the_c_library(a: float, b: float) -> None:
    with np.errstate(all="ignore"):
        assert power(a, b) == pytest.approx(float(np.float64(a) ** np.float64(b)), rel=1e-13, nan_ok=True)


# --- functions of math ------------------------------------------------------------------------------------------

NUMPY: dict[str, Callable[..., Any]] = {
    "acos": np.arccos,
    "acosh": np.arccosh,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "atanh": np.arctanh,
    "cbrt": np.cbrt,
    "copysign": np.copysign,
    "cos": np.cos,
    "cosh": np.cosh,
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "fmod": np.fmod,
    "hypot": np.hypot,
    "log": np.log,
    "log10": np.log10,
    "log1p": np.log1p,
    "log2": np.log2,
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "tan": np.tan,
    "tanh": np.tanh,
}


@pytest.mark.parametrize("name", NUMPY)
@settings(max_examples=60)
@given(data=st.data())
def test_where_python_raises_the_table_gives_what_the_c_library_gives(name: str, data: st.DataObject) -> None:
    row = ROWS[name]
    operands = [data.draw(any_float) for _ in range(row.arity or 0)]
    with np.errstate(all="ignore"):
        wanted = float(NUMPY[name](*map(np.float64, operands)))
    got = row.forward(*operands)
    if max(abs(got), abs(wanted)) > 1e308:
        return  # an ulp more or less is an overflow or none
    assert got == pytest.approx(wanted, rel=1e-13, abs=1e-320, nan_ok=True)
    if wanted == 0.0 or math.isinf(wanted):
        assert same(got, wanted)


def test_total_asks_the_pole_and_the_overflow() -> None:
    def fails(a: float) -> float:
        raise (ValueError if a < 0.0 else OverflowError)

    assert math.isnan(total(fails)(-1.0))
    assert total(fails)(1.0) == inf
    assert total(fails, pole=lambda a: a - 1.0)(-1.0) == -2.0
    assert total(fails, overflow=lambda a: -a)(2.0) == -2.0

    def broken(a: float) -> float:
        raise RuntimeError("another kind")

    with pytest.raises(RuntimeError):
        total(broken)(1.0)


# --- what is a number -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "number"),
    [
        (1, 1.0),
        (True, 1.0),
        (False, 0.0),
        (Fraction(1, 4), 0.25),
        (np.float32(0.5), 0.5),
        (np.int8(-3), -3.0),
        (np.bool_(True), 1.0),
        (np.bool_(False), 0.0),
        ("1", None),
        (b"1", None),
        (1j, None),
        (np.complex128(1.0), None),
        (None, None),
        ([1.0], None),
        (np.array(1.0), None),
        (np.array(True), None),
        (Value(1.0), None),
    ],
)
def test_as_float(x: object, number: float | None) -> None:
    got = as_float(x)
    assert got == number
    assert got is None or type(got) is float


def test_an_int_beyond_all_floats_is_refused() -> None:
    with pytest.raises(OverflowError):
        as_float(10**400)
