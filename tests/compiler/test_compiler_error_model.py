"""Protects ``micrograd/compiler/ERRORS.md``: what the page claims is what this machine does.

Every function that compiled code takes from the C library or from libmvec is measured against mpmath, one sample at a
time and in vectors of every width that this processor has. ``points`` draws the same points first, however many,
so the quick test and the long one look at the same places.
"""

from __future__ import annotations

import math
import platform
import random
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import error_model
import numpy as np
import pytest
from error_model import EPSILON, PAGE, error, points, sum_bound, table, truth
from table_rows import ROWS

import micrograd as mg
from micrograd import Value
from micrograd.compiler.lower import LIBRARY
from micrograd.compiler.vector_math import libmvec

pytest.importorskip("llvmlite", reason="the backend 'llvm' needs llvmlite")

from micrograd.compiler import jit

WIDTHS = (2, 4, 8)
GLIBC = platform.libc_ver()[0] == "glibc" and platform.machine() in ("x86_64", "AMD64")


def measured(name: str, operands: Sequence[tuple[float, ...]], lanes: int) -> list[float]:
    """Return what compiled code gives at each point, in vectors of ``lanes`` numbers or (1) in single ones."""
    row = ROWS[name]
    f = (lambda x: row(x)) if row.arity == 1 else (lambda x, y: row(x, y))
    if lanes == 1:
        one = mg.compile(f, cache=False)
        return [one(*point) for point in operands]
    jit.target()  # loads libmvec, for the widest vectors
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jit, "lanes", lambda: lanes)
        several = mg.compile(f, batched=("x", "y")[: row.arity], cache=False)
        columns = [np.ascontiguousarray(column) for column in np.array(operands).T]
        return several(*columns).tolist()  # type: ignore[no-any-return]


def largest_error(name: str, count: int, lanes: int) -> tuple[float, tuple[float, ...]]:
    """Return the largest error in ulps, and where it was met."""
    at = points(name, count)
    errors = [error(got, truth(name, point)) for got, point in zip(measured(name, at, lanes), at)]
    worst = max(range(count), key=errors.__getitem__)
    return errors[worst], at[worst]


def hold(name: str, count: int, lanes: int) -> None:
    if not GLIBC:
        pytest.skip("the page's table is measured with glibc on x86-64")
    if lanes > jit.lanes():
        pytest.skip(f"this processor has vectors of {jit.lanes()} numbers")
    if lanes > 1 and name not in libmvec(lanes):
        pytest.skip(f"no vector function {name} here: the C library is called")
    found, at = largest_error(name, count, lanes)
    assert found <= table()[name][lanes], f"{name}{at} is off by {found:.2f} ulps in {lanes} lanes"


# --- the table --------------------------------------------------------------------------------------------------


def test_the_table_lists_every_function_of_the_library_once() -> None:
    assert set(table()) == LIBRARY
    assert all(1 in bounds for bounds in table().values())
    assert list(table()) == sorted(table())


def test_the_table_has_a_bound_where_this_machine_has_a_vector_function() -> None:
    for lanes in WIDTHS:
        for name in libmvec(lanes):
            assert lanes in table()[name]


@pytest.mark.parametrize("lanes", [1, *WIDTHS])
@pytest.mark.parametrize("name", sorted(LIBRARY))
def test_a_function_is_as_exact_as_the_page_says(name: str, lanes: int) -> None:
    hold(name, 400, lanes)


@pytest.mark.slow
@pytest.mark.parametrize("lanes", [1, *WIDTHS])
@pytest.mark.parametrize("name", sorted(LIBRARY))
def test_a_function_is_as_exact_as_the_page_says_at_many_points(name: str, lanes: int) -> None:
    hold(name, 6000, lanes)


def test_the_measure_itself_notices_an_ulp() -> None:
    wanted = truth("exp", (1.0,))
    assert error(math.e, wanted) < 0.5
    assert 0.5 < error(math.nextafter(math.e, 3.0), wanted) < 1.5
    assert error(math.inf, wanted) == math.inf
    assert points("log", 50) == points("log", 100)[:50]


# --- the other claims of the page -------------------------------------------------------------------------------


def test_the_page_is_one_page_and_names_its_helper() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 110
    assert "4(n+1) * eps * A" in text
    assert "tests/compiler/error_model.py" in text


@pytest.mark.parametrize(("exponent", "claim"), [(2.0, 0.5), (3.0, 1.5), (4.0, 2.0)])
@pytest.mark.parametrize("backend", ["python", "llvm"])
def test_powers_that_become_products(exponent: float, claim: float, backend: str) -> None:
    rng = random.Random(1)
    x = np.array([rng.uniform(1.0, 2.0) for _ in range(4000)] + [rng.uniform(1.18, 1.1893) for _ in range(4000)])
    got = mg.compile(lambda x: x**exponent, batched="x", backend=backend)(x).tolist()
    errors = [abs(Fraction(y) - Fraction(a) ** int(exponent)) / Fraction(math.ulp(y)) for a, y in zip(x.tolist(), got)]
    assert max(errors) <= claim


@pytest.mark.parametrize("threads", [1, 2])
def test_sums_over_samples_are_within_their_bound(threads: int) -> None:
    rng = random.Random(2)
    terms = np.array([rng.choice((-1.0, 1.0)) * 10.0 ** rng.uniform(-8.0, 8.0) for _ in range(5001)])
    w = Value(1.0)
    for n in (1, 2, 7, 8, 9, 500, 5001):
        x = terms[:n]
        exact = math.fsum(x.tolist())
        total = mg.compile(lambda x: w * x, batched="x", reduce="sum", threads=threads)
        mean = mg.compile(lambda x: w * x, batched="x", reduce="mean", threads=threads)
        assert abs(total(x) - exact) <= sum_bound(x.tolist())
        w.grad = 0.0
        total.backward(x)
        assert abs(w.grad - exact) <= sum_bound(x.tolist())
        w.grad = 0.0
        assert abs(mean.backward(x) - exact / n) <= sum_bound(x.tolist()) / n + EPSILON * abs(exact / n)
        size = math.fsum(np.abs(x).tolist())
        assert abs(w.grad - exact / n) <= (sum_bound(x.tolist()) + 3.0 * EPSILON * size) / n


def test_the_bound_of_a_program_holds_against_the_exact_result() -> None:
    """Rounding made large on purpose: the bound grows with it, and is not wildly too large where nothing cancels."""
    from micrograd.compiler.builder import Builder

    b = Builder()
    x, y = b.leaf("argument", 0), b.leaf("argument", 1)
    difference = b.emit("sub", (b.emit("exp", (x,)), b.emit("exp", (y,))))
    program = b.program(outputs={"value": b.emit("log", (difference,))})
    numbers = (3.0, 3.0 - 1e-6)
    found, off = error_model.bounds(program, lambda kind, k: numbers[k])[program.outputs["value"]]
    from mpmath import mp

    with mp.workdps(50):
        exact = mp.log(mp.exp(mp.mpf(numbers[0])) - mp.exp(mp.mpf(numbers[1])))
        assert abs(found - exact) <= off
    assert 1e-10 < off < 1e-7


def test_fused_arithmetic_only_comes_with_fastmath() -> None:
    """``x*y + z`` rounds twice in eager code; a fused instruction would round once, and show."""
    rng = random.Random(3)
    rows = np.array([[rng.uniform(-1.0, 1.0) for _ in range(3)] for _ in range(1000)])
    f: Any = lambda r: r[0] * r[1] + r[2] * r[0] - r[1]
    wanted = [f(row) for row in rows.tolist()]
    assert mg.compile(f, batched="r")(rows).tolist() == wanted
    assert [mg.compile(f)(row) for row in rows[:3]] == wanted[:3]
    fast = mg.compile(f, batched="r", fastmath=True)(rows)
    np.testing.assert_allclose(fast, wanted, rtol=1e-12, atol=1e-15)
