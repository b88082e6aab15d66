"""Protects derivatives of derivatives through ``backward(create_graph=True)``: closed forms up to the fourth order,
mixed partials, what is stored where, operands that changed since, the awkward points at second order, no memory kept.
"""

from __future__ import annotations

import gc
import math
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support import registered, same, tame_numbers, wild_graphs

import micrograd as mg
from micrograd import StaleValueError, Value
from micrograd.engine import reverse_sweep

Function = Callable[[Any], Any]

# f, then the n-th derivative at x as a function of (n, x).
CLOSED_FORMS: dict[str, tuple[Function, Callable[[int, float], float]]] = {
    "x**5": (lambda x: x**5, lambda n, x: math.perm(5, n) * x ** (5 - n)),
    "product": (lambda x: x * x * x * x, lambda n, x: math.perm(4, n) * x ** (4 - n)),
    "exp(2x)": (lambda x: mg.exp(2 * x), lambda n, x: 2.0**n * math.exp(2 * x)),
    "sin": (mg.sin, lambda n, x: math.sin(x + n * math.pi / 2)),
    "cos": (mg.cos, lambda n, x: math.cos(x + n * math.pi / 2)),
    "1/x": (lambda x: 1 / x, lambda n, x: (-1) ** n * math.factorial(n) / x ** (n + 1)),
    "log": (mg.log, lambda n, x: (-1) ** (n - 1) * math.factorial(n - 1) / x**n),
    "x*exp(x)": (lambda x: x * mg.exp(x), lambda n, x: (x + n) * math.exp(x)),
    "sqrt": (mg.sqrt, lambda n, x: math.prod(0.5 - k for k in range(n)) * x ** (0.5 - n)),
    "2**x": (lambda x: 2**x, lambda n, x: math.log(2) ** n * 2**x),
    "sinh": (mg.sinh, lambda n, x: math.cosh(x) if n % 2 else math.sinh(x)),
    "mean": (lambda x: mg.mean([x, x * x, x**3]), lambda n, x: [0, 1 + 2 * x + 3 * x * x, 2 + 6 * x, 6, 0][n] / 3),
    "prod": (lambda x: mg.prod([x, 2.0, x, x]), lambda n, x: 2 * math.perm(3, n) * x ** max(3 - n, 0)),
    "dot": (lambda x: mg.dot([x, 3.0], [x, x]), lambda n, x: [0, 2 * x + 3, 2, 0, 0][n]),
    "logsumexp": (lambda x: mg.logsumexp([x, x]), lambda n, x: 1.0 if n == 1 else 0.0),
    "sigmoid": (
        mg.sigmoid,
        lambda n, x: (lambda s: [0, s - s**2, s - 3 * s**2 + 2 * s**3, s - 7 * s**2 + 12 * s**3 - 6 * s**4][n])(
            1 / (1 + math.exp(-x))
        ),
    ),
}


def derivatives(f: Function, at: float, orders: int) -> list[float]:
    x = Value(at)
    y = f(x)
    found: list[float] = []
    while len(found) < orders:
        x.grad = 0.0
        y.backward(create_graph=True)
        if type(x.grad) is float:  # the last derivative was a constant
            return [*found, *[0.0] * (orders - len(found))]
        y = x.grad
        found.append(y.data)
    return found


@pytest.mark.parametrize("name", CLOSED_FORMS)
@settings(max_examples=20)
@given(x=st.floats(0.25, 3.0))
def test_derivatives_of_any_order(name: str, x: float) -> None:
    f, closed_form = CLOSED_FORMS[name]
    orders = 3 if name == "sigmoid" else 4
    expected = [closed_form(n, x) for n in range(1, orders + 1)]
    size = max(map(abs, expected))
    assert derivatives(f, x, orders) == pytest.approx(expected, rel=1e-12, abs=1e-13 * size)


@given(st.floats(-2.0, 2.0), st.floats(0.5, 2.0))
def test_mixed_partials_and_their_symmetry(a: float, b: float) -> None:
    def mixed(first: int) -> float:
        x = (Value(a), Value(b))
        y = mg.sin(x[0] * x[1]) + x[0] ** 2 * mg.log(x[1])
        y.backward(create_graph=True)
        slope = x[first].grad
        x[0].grad = x[1].grad = 0.0
        slope.backward()
        return float(x[1 - first].grad)

    expected = math.cos(a * b) - a * b * math.sin(a * b) + 2 * a / b
    assert mixed(0) == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert mixed(1) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@given(wild_graphs(numbers=tame_numbers))
def test_the_first_derivative_equals_that_on_numbers(pool: list[Value]) -> None:
    pool[-1].backward()
    first = {node: node.grad for node in mg.topological_order(pool[-1])}
    assume(all(map(math.isfinite, first.values())))
    for node in first:
        node.grad = 0.0
    pool[-1].backward(create_graph=True)
    assert {type(node.grad) for node in first} == {Value}
    assert {node: node.grad.data for node in first} == first


# --- what is stored ---------------------------------------------------------------------------------------------


def test_gradients_are_values_everywhere_below_the_root() -> None:
    x, unused = Value(2.0), Value(3.0)
    hidden = x * x
    y = mg.where(hidden > 0, hidden, unused) + mg.gt(x * 3, 0.0)
    y.backward(create_graph=True)
    assert all(type(node.grad) is Value for node in mg.topological_order(y))
    assert (x.grad.data, hidden.grad.data, unused.grad.data, y.grad.data) == (4.0, 1.0, 0.0, 1.0)
    unused.grad.backward()  # a constant zero, but a node like any other
    assert x.grad.data == 4.0


def test_values_accumulate_on_floats_and_floats_on_values() -> None:
    x = Value(2.0)
    (x**3).backward()
    (x**3).backward(create_graph=True)
    assert x.grad.data == 24.0
    total = x.grad
    (x**3).backward()
    assert float(x.grad.data) == 36.0
    x.grad = 0.0
    total.backward()
    assert x.grad == 12.0  # only one of the two was differentiable: 6 x


def test_a_share_that_zero_times_infinity_would_spoil_stores_a_zero() -> None:
    x, w = Value(0.0), Value(2.0)
    y = w * (mg.sqrt(x) * 0.0) + x
    y.backward(create_graph=True)
    assert (x.grad.data, w.grad.data) == (1.0, 0.0)
    alone = Value(0.0)
    (mg.sqrt(alone) * 0.0).backward(create_graph=True)
    assert same((type(alone.grad), alone.grad.data), (Value, 0.0))


def test_adding_nothing_makes_no_node() -> None:
    x = Value(2.0)
    (mg.gt(x, 1.0) + x**2 + mg.lt(x, 1.0)).backward(create_graph=True)
    assert (x.grad.data, x.grad.op) == (4.0, "where")  # the rule of the power, and no sum around it
    slope = x.grad
    (mg.gt(x, 1.0) * 2.0).backward(create_graph=True)
    assert x.grad is slope


def test_a_zero_upstream_gradient_stores_values_too() -> None:
    x = Value(2.0)
    (x * 3).backward(0.0, create_graph=True)
    assert same((type(x.grad), x.grad.data), (Value, 0.0))


@pytest.mark.parametrize("surrounded", [False, True])
def test_the_upstream_gradient_may_be_a_node_and_stays_connected(surrounded: bool) -> None:
    x, v = Value(2.0), Value(5.0)
    y = x**3
    with mg.no_grad() if surrounded else mg.scope("any"):
        y.backward(v, create_graph=True)
        x.backward(v, create_graph=True)
    assert x.grad.data == 5.0 * 12.0 + 5.0
    slope = x.grad
    slope.backward()
    assert v.grad == 12.0 + 1.0


def test_upstream_gradients_of_one_node_add_up_and_stay_connected() -> None:
    x, v, w = Value(2.0), Value(5.0), Value(7.0)
    y = x**3
    with mg.no_grad():
        _, leaves = reverse_sweep([(y, v), (x, w), (y, w), (x, v)], create_graph=True)
    assert leaves[x].data == 12.0 * 12.0 + 12.0
    leaves[x].backward()
    assert (v.grad, w.grad) == (13.0, 13.0)


@pytest.mark.parametrize("gradient", ["1", None, [1.0]])
def test_an_upstream_gradient_that_is_no_number_is_refused(gradient: Any) -> None:
    x = Value(2.0)
    with pytest.raises(TypeError, match="expected a number as upstream gradient"):
        (x * 3).backward(gradient, create_graph=True)
    assert x.grad == 0.0


def test_no_grad_around_does_not_cut_the_gradient() -> None:
    x = Value(2.0)
    y = x**3
    with mg.no_grad():
        y.backward(create_graph=True)
    slope, x.grad = x.grad, 0.0
    slope.backward()
    assert x.grad == 12.0


def test_the_gradient_of_a_node_between_is_differentiable() -> None:
    x = Value(2.0)
    hidden = x * x
    (hidden**3).backward(create_graph=True)
    slope, x.grad = hidden.grad, 0.0
    assert slope.data == 3 * 16.0
    slope.backward()
    assert x.grad == 6 * 4.0 * 4.0  # d/dx 3 x**4 ... = 12 x**3


# --- operands that changed --------------------------------------------------------------------------------------


def stale_cases() -> dict[str, tuple[Callable[[Value], Value], float, float]]:
    return {
        "leaf": (lambda x: x * x, 2.0, 3.0),
        "to nan": (lambda x: x * x, 2.0, math.nan),
        "from nan": (lambda x: x * x, math.nan, 2.0),
        "sign of zero": (lambda x: x * x, 0.0, -0.0),
        "last bit": (lambda x: x * x, 1.0, math.nextafter(1.0, 2.0)),
        "of many": (lambda x: mg.sum([x, x, 1.0]), 2.0, 3.0),
    }


@pytest.mark.parametrize("case", stale_cases())
def test_an_operand_that_changed_is_refused(case: str) -> None:
    f, before, after = stale_cases()[case]
    x = Value(before, label="x")
    y = f(x)
    x.data = after
    x.grad = 0.25
    words = rf"label='x'\) \(type Value\) was {before} when the graph was built and was changed since; .* rebuild it"
    with pytest.raises(StaleValueError, match=words):
        y.backward(create_graph=True)
    assert (x.grad, y.grad) == (0.25, 0.0)
    y.backward()  # on numbers there is no need to refuse
    x.data = before
    x.grad = 0.0
    y.backward(create_graph=True)
    assert type(x.grad) is Value


def test_a_result_that_was_overwritten_is_refused() -> None:
    x = Value(2.0)
    hidden = x * x
    y = hidden * 3
    hidden.data = 5.0
    with pytest.raises(StaleValueError, match=r"Value\(data=5.0, grad=0.0\) \(type Value\) was 4\.0 when"):
        y.backward(create_graph=True)
    hidden.data, y.data = 4.0, 1.0
    with pytest.raises(StaleValueError, match=r"was 12\.0 when"):
        y.backward(create_graph=True)
    assert (x.grad, hidden.grad) == (0.0, 0.0)


def test_a_nan_that_did_not_change_is_not_stale() -> None:
    x, w = Value(math.nan), Value(2.0)
    y = x * w + w * w
    y.backward(create_graph=True)
    assert x.grad.data == 2.0
    assert math.isnan(w.grad.data)


def test_setting_the_number_that_it_was_is_no_change() -> None:
    x = Value(0.1)
    y = x * x
    x.data = float("0.1")
    y.backward(create_graph=True)
    assert x.grad.data == 0.2


# --- awkward points at second order -----------------------------------------------------------------------------


def second(f: Function, at: float) -> float:
    return derivatives(f, at, 2)[1]


def test_selections_have_the_second_derivative_of_the_branch() -> None:
    assert second(lambda x: mg.where(x > 0, x**3, x**2), 2.0) == 12.0
    assert second(lambda x: mg.where(x > 0, x**3, x**2), -2.0) == 2.0
    assert second(lambda x: mg.relu(x) ** 3, 2.0) == 12.0
    assert [second(mg.relu, at) for at in (2.0, 0.0, -2.0)] == [0.0, 0.0, 0.0]
    assert [second(abs, at) for at in (2.0, 0.0, -2.0)] == [0.0, 0.0, 0.0]
    assert second(lambda x: abs(x) * x, -2.0) == -2.0
    assert second(lambda x: mg.maximum(x * x, x), 2.0) == 2.0
    assert second(lambda x: mg.clamp(x, 0.0, 1.0) ** 2, 0.5) == 2.0
    assert second(lambda x: mg.clamp(x, 0.0, 1.0) ** 2, 3.0) == 0.0


def test_zero_times_infinity_is_zero_at_second_order() -> None:
    x = Value(0.0)
    y = mg.where(x > 0.0, mg.sqrt(x), 0.0)  # sqrt has an infinite slope at 0, in the branch that is not taken
    y.backward(create_graph=True)
    assert same(x.grad.data, 0.0)
    slope, x.grad = x.grad, 0.0
    slope.backward()
    assert same(x.grad, 0.0)


def test_higher_derivatives_of_a_power_at_zero() -> None:
    assert derivatives(lambda x: x**2, 0.0, 4) == [0.0, 2.0, 0.0, 0.0]
    assert derivatives(lambda x: x**3, 0.0, 4) == [0.0, 0.0, 6.0, 0.0]


def test_a_rule_that_does_not_run_on_values_says_so() -> None:
    with registered("bend", forward=math.sin, vjp=(lambda g, out, a: g * math.cos(a),)) as bend:
        x = Value(0.5)
        bend(x).backward()
        assert x.grad == math.cos(0.5)
        with pytest.raises(TypeError, match=r"micrograd\.exp\(v\) instead of math\.exp") as caught:
            bend(x).backward(create_graph=True)
        assert "made by bend(0.5)" in caught.value.__notes__[0]
        assert x.grad == math.cos(0.5)


# --- memory -----------------------------------------------------------------------------------------------------


def test_only_stored_gradients_keep_a_graph_alive() -> None:
    x = Value(2.0)
    hidden = x * x
    y = mg.exp(hidden) * hidden
    y.backward(create_graph=True)
    assert [node._adjoint for node in mg.topological_order(y) if node.op] == [0.0] * 3
    watched = [weakref.ref(node) for node in (x, hidden, y, x.grad, hidden.grad)]
    del x, hidden, y
    gc.collect()
    assert [ref() for ref in watched] == [None] * 5


def test_clearing_the_gradients_frees_the_graph_without_the_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        x = Value(2.0)
        hidden = x * x
        y = mg.exp(hidden) * hidden
        y.backward(create_graph=True)
        watched = [weakref.ref(node) for node in (hidden, y, x.grad, hidden.grad)]
        for node in (x, hidden, *hidden.parents, y, *y.parents):
            node.grad = 0.0
        del hidden, y, node
        assert [ref() for ref in watched] == [None] * 4
    finally:
        gc.enable()


@pytest.mark.parametrize("where", ["rule", "stale", "storing"])
def test_a_failed_pass_leaves_no_cycle_behind(where: str) -> None:
    def bad_rule(g: Any, out: Any, a: Any) -> Any:
        raise ZeroDivisionError

    gc.collect()
    gc.disable()
    try:
        with registered("bad", forward=lambda a: a, vjp=(bad_rule,)) as bad:
            x = Value(1.0)
            start = bad(x) if where == "rule" else x * 1.0
            if where == "stale":
                x.data = 2.0
            if where == "storing":
                x.grad = 1.7e308
            hidden = start * 1.0
            y = mg.exp(hidden) * hidden
            watched = [weakref.ref(node) for node in (start, hidden, y)]
            with mg.detect_anomaly() if where == "storing" else mg.scope("any"):
                try:
                    y.backward(1e308 if where == "storing" else 1.0, create_graph=True)
                except (ZeroDivisionError, StaleValueError, mg.AnomalyError):
                    failed = True
            assert failed
            del start, hidden, y
            assert [ref() for ref in watched] == [None] * 3
    finally:
        gc.enable()
