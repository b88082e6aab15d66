"""Protects the oracles: what each says about a derivative is true within the error that it states, and where it cannot
tell it says nothing.
"""

from __future__ import annotations

import math
import random

import pytest
from support import registered
from table_rows import ROWS

import micrograd as mg
from micrograd.testing import gradcheck
from micrograd.testing.complex_step import complex_step
from micrograd.testing.differences import one_sided, slope
from micrograd.testing.exact import exact
from micrograd.testing.oracles import ORACLES, estimates, reach, sides

SMOOTH = [row for row in ROWS.values() if row.arity == 1 and row.name != "isnan"]


def points(name: str, count: int) -> list[float]:
    rng = random.Random(name)
    (domain,) = ROWS[name].domain
    drawn = (rng.choice((-1.0, 1.0)) * 10.0 ** rng.uniform(-3.0, 1.0) for _ in range(100 * count))
    return [x for x in drawn if domain.contains(x)][:count]


@pytest.mark.parametrize("name", [row.name for row in SMOOTH])
@pytest.mark.parametrize("oracle", ["complex step", "differences"])
def test_a_weak_oracle_is_right_within_the_error_that_it_states(name: str, oracle: str) -> None:
    row = ROWS[name]
    judged = 0
    for x in points(name, 40):
        truth = exact(row, [x])
        found = next(estimates(row, [x], [0], oracle=oracle), None)
        if truth is None or found is None:
            continue
        judged += 1
        assert abs(found.partials[0] - float(truth.gradient[0])) <= found.errors[0] + 4.0 * math.ulp(found.partials[0])
    assert judged >= 20 or (oracle == "complex step" and not judged), "too few points to protect anything"


def test_differences_are_good_to_many_digits() -> None:
    for name in ("exp", "sin", "tanh", "log1p", "sigmoid"):
        for x in points(name, 20):
            found, truth = slope(ROWS[name].forward, x), exact(ROWS[name], [x])
            assert found is not None
            assert truth is not None
            assert abs(found.value - float(truth.gradient[0])) <= 1e-7 * max(1e-3, abs(found.value))


def test_the_exact_oracle_knows_calculus() -> None:
    truth = exact(mg.power, [2.0, 3.0], order=2)
    assert truth is not None
    assert [float(d) for d in truth.gradient] == [12.0, 8.0 * math.log(2.0)]
    cross = 4.0 + 12.0 * math.log(2.0)
    assert math.isclose(float(truth.hessian[0][1]), cross, rel_tol=1e-15)
    assert float(truth.hessian[0][0]) == 12.0
    assert exact(mg.power, [2.0, 3.0], [1]).gradient == truth.gradient[1:]  # type: ignore[union-attr]


@pytest.mark.parametrize("x", [1e-300, -1e-300, 1e-179, 1e-20, 1.0, 1e20, 300.0])
def test_second_derivatives_are_exact_at_every_magnitude(x: float) -> None:
    truth = exact(mg.expm1, [x], order=2)
    assert truth is not None
    assert math.isclose(float(truth.hessian[0][0]), mg.exp(x), rel_tol=1e-14)


@pytest.mark.parametrize(
    ("name", "at"),
    [("abs", (0.0,)), ("relu", (0.0,)), ("sqrt", (0.0,)), ("asin", (1.0,)), ("log", (-1.0,)), ("maximum", (2.0, 2.0))],
)
def test_at_kinks_borders_and_outside_the_exact_oracle_says_nothing(name: str, at: tuple[float, ...]) -> None:
    assert exact(ROWS[name], at) is None


def test_a_reference_of_too_few_digits_is_doubted_and_not_the_rule() -> None:
    with registered(
        "coarse", forward=math.sin, vjp=(lambda g, out, a: g * mg.cos(a),), reference=lambda mp, a: mp.mpf(math.sin(a))
    ) as coarse:
        report = gradcheck(coarse, 0.5)  # the same at every point around: mpmath is told that the slope is 0
        assert report.verdict == "inconclusive"
        assert "the reference of coarse contradicts its forward function" in report.reason


def test_the_complex_step_follows_branches_and_operators_and_refuses_the_rest() -> None:
    with registered(
        "piecewise",
        forward=lambda a: a * a if a > 1.0 else abs(a) / (2.0 - a) if a >= 0.0 else (1.0 - a) ** 2 - 3.0,
        vjp=(lambda g, out, a: g,),
    ) as piecewise:
        assert complex_step(piecewise, [3.0], [0]) == [6.0]
        assert complex_step(piecewise, [-3.0], [0]) == [-8.0]
        (found,) = complex_step(piecewise, [0.5], [0]) or [math.nan]
        assert math.isclose(found, 2.0 / 1.5**2, rel_tol=1e-15)
    with registered("opaque", forward=math.sin, vjp=(lambda g, out, a: g,)) as opaque:
        assert complex_step(opaque, [0.5], [0]) is None
    with registered("rounded", forward=lambda a: float(int(a)), vjp=(lambda g, out, a: 0.0,)) as rounded:
        assert complex_step(rounded, [0.5], [0]) is None
    assert complex_step(mg.sqrt, [0.0], [0]) is None  # the slope depends on the step


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "maximum", "minimum", "copysign", "fmod", "leaky_relu"])
def test_complex_forms_of_two_operands(name: str) -> None:
    row = ROWS[name]
    for at in ((1.5, -0.4), (-2.5, 3.0), (0.3, 0.7)):
        truth = exact(row, at)
        found = complex_step(row, at, [0, 1])
        assert truth is not None
        assert found is not None
        for got, wanted in zip(found, truth.gradient):
            assert math.isclose(got, float(wanted), rel_tol=1e-14, abs_tol=1e-300)


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "dot", "dist"])
def test_complex_forms_of_many_operands(name: str) -> None:
    at = [1.5, -0.4, 2.0, 0.3]
    truth = exact(ROWS[name], at)
    assert truth is not None
    for got, wanted in zip(complex_step(ROWS[name], at, range(4)) or [], truth.gradient, strict=True):
        assert math.isclose(got, float(wanted), rel_tol=1e-14)


def test_differences_stay_inside_the_domain_and_on_their_side_of_a_kink() -> None:
    assert reach(mg.log, [1e-5], 0) == 2.5e-6
    assert reach(mg.relu, [-1e-5], 0) == 2.5e-6
    assert reach(mg.exp, [1e-5], 0) is None
    found = slope(mg.log.forward, 1e-5, reach(mg.log, [1e-5], 0))
    assert found is not None
    assert math.isclose(found.value, 1e5, rel_tol=1e-8)


def test_differences_between_scattered_points_of_a_domain_say_nothing() -> None:
    assert slope(lambda x: 1.0 if x == round(x) else math.nan, 400.0) is None
    assert slope(lambda x: math.nan, 1.0) is None


def test_slopes_on_both_sides() -> None:
    assert [s.value for s in sides(mg.abs, [0.0], 0)] == [-1.0, 1.0]
    assert [s.value for s in sides(mg.clamp, [0.0, 0.0, 1e-300], 0)] == [0.0, 1.0]
    left, right = sides(mg.elu, [0.0, 0.5], 0)
    assert math.isclose(left.value, 0.5, rel_tol=1e-9)
    assert right.value == 1.0
    found = one_sided(math.exp, 1.0, 1.0)
    assert found is not None
    assert abs(found.value - math.e) <= found.error < 1e-6


def test_oracles_from_the_strongest_to_the_weakest() -> None:
    assert list(ORACLES) == ["mpmath", "complex step", "differences"]
    assert [found.oracle for found in estimates(mg.sin, [0.5], [0])] == list(ORACLES)
    assert [found.oracle for found in estimates(mg.erf, [0.5], [0])] == ["mpmath", "differences"]
