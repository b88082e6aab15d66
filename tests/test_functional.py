"""Protects derivatives of functions: values against closed forms, structures as JAX returns them, nesting to any order,
constants that are captured, and refusals that leave nothing behind.
"""

from __future__ import annotations

import math
from collections import namedtuple
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import micrograd as mg
from micrograd import Value

moderate = st.floats(-3.0, 3.0)


def rosenbrock(x: Any) -> Any:
    return mg.sum([100.0 * (b - a * a) ** 2 + (1.0 - a) ** 2 for a, b in pairwise(x)])


def rosenbrock_gradient(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    g = np.zeros_like(x)
    g[:-1] += -400.0 * x[:-1] * (x[1:] - x[:-1] ** 2) - 2.0 * (1.0 - x[:-1])
    g[1:] += 200.0 * (x[1:] - x[:-1] ** 2)
    return g


def rosenbrock_hessian(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    n = len(x)
    h = np.zeros((n, n))
    for i in range(n - 1):
        h[i, i] += 1200.0 * x[i] ** 2 - 400.0 * x[i + 1] + 2.0
        h[i + 1, i + 1] += 200.0
        h[i, i + 1] -= 400.0 * x[i]
        h[i + 1, i] -= 400.0 * x[i]
    return h


# --- first order ------------------------------------------------------------------------------------------------


@given(moderate, moderate)
def test_gradient_of_a_closed_form(x: float, y: float) -> None:
    value, (dx, dy) = mg.value_and_grad(lambda x, y: mg.sin(x) * y + y * y, argnums=(0, 1))(x, y)
    assert value == math.sin(x) * y + y * y
    assert dx == pytest.approx(math.cos(x) * y, rel=1e-14, abs=1e-300)
    assert dy == pytest.approx(math.sin(x) + 2 * y, rel=1e-14, abs=1e-15)


def test_results_are_plain_floats() -> None:
    value, gradient = mg.value_and_grad(lambda x: x * 2)(3)
    assert type(value) is float
    assert type(gradient) is float
    assert (value, gradient) == (6.0, 2.0)


def test_an_array_comes_back_as_an_array() -> None:
    x = np.linspace(-1.0, 1.5, 6)
    gradient = mg.grad(rosenbrock)(x)
    assert gradient.dtype == np.float64
    np.testing.assert_allclose(gradient, rosenbrock_gradient(x), rtol=1e-13)
    np.testing.assert_array_equal(mg.grad(lambda a: (a * a).sum())(np.arange(6).reshape(2, 3)), [[0, 2, 4], [6, 8, 10]])


def test_a_structure_comes_back_as_it_went_in() -> None:
    Point = namedtuple("Point", "x y")
    tree = {"layers": [(np.array([1.0, 2.0]), 3.0), (np.array([4.0]), 5.0)], "point": Point(6.0, [7.0])}

    def f(t: Any) -> Any:
        total = t["point"].x * 10 + t["point"].y[0] * 20
        for w, b in t["layers"]:
            total = total + (w * w).sum() + b * b
        return total

    g = mg.grad(f)(tree)
    assert list(g) == ["layers", "point"]
    assert type(g["point"]) is Point
    assert g["point"] == Point(10.0, [20.0])
    assert type(g["layers"][0]) is tuple
    np.testing.assert_array_equal(g["layers"][0][0], [2.0, 4.0])
    assert g["layers"][1][1] == 10.0


def test_arguments_that_are_not_differentiated_pass_untouched() -> None:
    def f(kind: str, x: Any, table: dict[str, Any], *, power: int) -> Any:
        assert isinstance(power, int)
        return table[kind] * x**power

    assert mg.grad(f, argnums=1)("a", 3.0, {"a": 2.0}, power=2) == 12.0
    assert mg.grad(f, argnums=-2)("a", 3.0, {"a": 2.0}, power=2) == 12.0


def test_one_argnum_gives_one_derivative_and_a_sequence_gives_a_tuple() -> None:
    f = lambda x, y: x * y
    assert mg.grad(f, argnums=1)(2.0, 5.0) == 2.0
    assert mg.grad(f, argnums=(1,))(2.0, 5.0) == (2.0,)
    assert mg.grad(f, argnums=[1, 0])(2.0, 5.0) == (2.0, 5.0)


def test_constant_results_have_zero_gradients() -> None:
    assert mg.value_and_grad(lambda x: 7)(3.0) == (7.0, 0.0)
    assert mg.grad(lambda x, y: y * 2, argnums=(0, 1))(1.0, 2.0) == (0.0, 2.0)
    assert mg.grad(lambda x: x)(5.0) == 1.0


def test_captured_values_are_constants_and_no_grad_is_touched() -> None:
    w = Value(2.0)
    w.grad = 7.0
    inner = w * 3
    inner.grad = 11.0
    assert mg.grad(lambda x: inner * x * w)(5.0) == 12.0
    assert (w.grad, inner.grad) == (7.0, 11.0)


def test_it_differentiates_inside_no_grad() -> None:
    with mg.no_grad():
        assert mg.grad(lambda x: x * x)(3.0) == 6.0
        assert mg.hessian(lambda x: x**3)(2.0) == 12.0


# --- higher orders ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", range(1, 6))
def test_derivatives_of_any_order(order: int) -> None:
    f: Any = mg.exp
    g: Any = lambda x: mg.sin(2.0 * x)
    for _ in range(order):
        f, g = mg.grad(f), mg.grad(g)
    assert f(0.5) == pytest.approx(math.exp(0.5), rel=1e-12)
    cycle = [math.sin(0.6), math.cos(0.6), -math.sin(0.6), -math.cos(0.6)]
    assert g(0.3) == pytest.approx(2.0**order * cycle[order % 4], rel=1e-12)


def test_nested_variables_are_not_confused() -> None:
    # d/dx [x * d/dy (x * y)] = d/dx [x * x] = 2 x; confusing x and y would give 3 x or 4 x
    assert mg.grad(lambda x: x * mg.grad(lambda y: x * y)(1.0))(5.0) == 10.0
    assert mg.grad(lambda x: x * mg.grad(lambda y: x * y)(x))(5.0) == 10.0
    assert mg.grad(lambda x: mg.grad(lambda y: x * x * y * y)(x))(2.0) == 24.0  # d/dx 2 x**3
    assert mg.jvp(lambda x: x * mg.jvp(lambda y: x + y, (1.0,), (1.0,))[1], (3.0,), (1.0,)) == (3.0, 1.0)


def test_an_inner_derivative_at_a_number_stays_connected() -> None:
    assert mg.grad(lambda x: mg.grad(lambda y: x * y * y)(3.0))(2.0) == 6.0
    assert mg.grad(lambda x: mg.hvp(lambda y: x * y**3, (2.0,), (1.0,)))(5.0) == 12.0
    assert mg.grad(lambda x: mg.vjp(lambda y: x * y * y, 3.0)[1](1.0)[0])(2.0) == 6.0


def test_derivatives_at_a_value_are_values_of_the_caller() -> None:
    x = Value(3.0)
    slope = mg.grad(lambda y: y**3)(x)
    assert isinstance(slope, Value)
    assert slope.data == 27.0
    slope.backward()
    assert x.grad == 18.0


@given(st.lists(st.floats(-2.0, 2.0), min_size=2, max_size=5))
def test_hessian_hvp_and_jacobian_of_the_gradient_agree(point: list[float]) -> None:
    x = np.array(point)
    expected = rosenbrock_hessian(x)
    hessian = mg.hessian(rosenbrock)(x)
    assert hessian.shape == expected.shape
    np.testing.assert_allclose(hessian, expected, rtol=1e-12, atol=1e-10)
    direction = np.cos(np.arange(len(x)))
    np.testing.assert_allclose(mg.hvp(rosenbrock, (x,), (direction,)), expected @ direction, rtol=1e-9, atol=1e-8)
    nested = mg.hessian(rosenbrock)(point)
    assert isinstance(nested[0], list)
    np.testing.assert_array_equal(np.array(nested), hessian)


def test_hessian_over_several_arguments() -> None:
    f = lambda x, y: x * x * y + y**3
    assert mg.hessian(f, argnums=(0, 1))(2.0, 3.0) == ((6.0, 4.0), (4.0, 18.0))
    assert mg.hvp(f, (2.0, 3.0), (1.0, 2.0)) == (6.0 + 8.0, 4.0 + 36.0)
    assert mg.hessian(f)(2.0, 3.0) == 6.0


# --- jacobian, jvp, vjp -----------------------------------------------------------------------------------------


def test_jacobian_has_results_outside_and_arguments_inside() -> None:
    m = np.arange(6.0).reshape(2, 3)
    x = np.array([1.0, -2.0, 3.0])
    np.testing.assert_array_equal(mg.jacobian(lambda v: m @ v)(x), m)
    by_list = mg.jacobian(lambda v: list(m @ np.array(v, dtype=object)))([1.0, -2.0, 3.0])
    assert by_list == m.tolist()
    mixed = mg.jacobian(lambda d: m @ d["v"] + d["b"])({"v": x, "b": 1.0})
    np.testing.assert_array_equal(mixed["v"], m)
    np.testing.assert_array_equal(mixed["b"], [1.0, 1.0])
    rows = mg.jacobian(lambda v: {"sum": v.sum(), "none": 3.0})(x)
    np.testing.assert_array_equal(rows["sum"], [1.0, 1.0, 1.0])
    np.testing.assert_array_equal(rows["none"], [0.0, 0.0, 0.0])


def test_jacobian_of_arrays_has_the_axes_of_both() -> None:
    x = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    j = mg.jacobian(lambda a: a.T * 2.0)(x)
    assert j.shape == (3, 2, 2, 3)
    for i in range(3):
        for k in range(2):
            expected = np.zeros((2, 3))
            expected[k, i] = 2.0
            np.testing.assert_array_equal(j[i, k], expected)
    left, right = mg.jacobian(lambda a, b: a * b, argnums=(0, 1))(np.array([2.0, 3.0]), 5.0)
    np.testing.assert_array_equal(left, [[5.0, 0.0], [0.0, 5.0]])
    np.testing.assert_array_equal(right, [2.0, 3.0])


@given(st.lists(moderate, min_size=3, max_size=3), st.lists(moderate, min_size=3, max_size=3))
def test_forward_and_reverse_mode_agree(point: list[float], direction: list[float]) -> None:
    def f(x: Any) -> Any:
        shared = mg.tanh(x[0] * x[1])
        return [shared * x[2], mg.sum([shared, x[0], 2.0]), mg.logsumexp(x), mg.where(x[0] > 0, x[1], shared), 4.0]

    value, tangent = mg.jvp(f, (point,), (direction,))
    jacobian = np.array(mg.jacobian(f)(point))
    np.testing.assert_allclose(tangent, jacobian @ np.array(direction), rtol=1e-12, atol=1e-13)
    again, pullback = mg.vjp(f, point)
    assert again == value
    cotangent = [1.0, -2.0, 0.5, 3.0, 9.0]
    np.testing.assert_allclose(pullback(cotangent)[0], np.array(cotangent) @ jacobian, rtol=1e-12, atol=1e-13)
    assert pullback(cotangent) == pullback(cotangent)


def test_a_direction_of_zero_moves_nothing_even_at_an_infinite_slope() -> None:
    assert mg.jvp(lambda x, y: mg.sqrt(x) + y, (0.0, 1.0), (0.0, 1.0)) == (1.0, 1.0)


# --- refusals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mg.grad(3.0), TypeError, "expected a function"),  # type: ignore[arg-type]
        (lambda: mg.grad(lambda x: x)("1.0"), TypeError, r"'1.0' \(type str\)"),
        (lambda: mg.grad(lambda x: x)([1.0, None]), TypeError, "None"),
        (lambda: mg.grad(lambda x: [x, x])(1.0), TypeError, "use jacobian"),
        (lambda: mg.grad(lambda x: "text")(1.0), TypeError, "returned 'text'"),
        (lambda: mg.grad(lambda x: None)(1.0), TypeError, "returned None"),
        (lambda: mg.grad(lambda x: x, argnums=1)(1.0), ValueError, "argnums=1 is out of range"),
        (lambda: mg.grad(lambda x, y: x, argnums=(0, 0))(1.0, 2.0), ValueError, "once"),
        (lambda: mg.grad(lambda x: x, argnums=())(1.0), ValueError, "argnums"),
        (lambda: mg.grad(lambda x: x, argnums=1.0)(1.0), TypeError, "argnums"),  # type: ignore[arg-type]
        (lambda: mg.jvp(lambda x: x, (1.0,), (1.0, 2.0)), ValueError, "another structure"),
        (lambda: mg.jvp(lambda x: x, ([1.0],), (1.0,)), ValueError, "another structure"),
        (lambda: mg.jvp(lambda x: x, (1.0,), ("1",)), TypeError, "type str"),
        (lambda: mg.vjp(lambda x: [x, x], 1.0)[1](1.0), ValueError, "another structure"),
        (lambda: mg.hvp(lambda x: x * x, (1.0,), ()), ValueError, "another structure"),
        (lambda: mg.grad(lambda x: x)(10**400), OverflowError, "too large"),
    ],
)
def test_what_cannot_be_used_is_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_an_exception_in_the_function_leaves_no_trace() -> None:
    def broken(x: Any) -> Any:
        raise KeyError("inside")

    with pytest.raises(KeyError, match="inside"):
        mg.grad(broken)(1.0)
    assert type(mg.grad(lambda x: x * x)(2.0)) is float  # not inside another derivative any more
