"""Protects the verdicts: right for what is right, wrong with the edge to blame for what is wrong, and a clear word for
whatever cannot be told; kinks are known for what they are, and nothing that a check does is left behind.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from support import registered, run_python

import micrograd as mg
from micrograd import GradientError, Value
from micrograd.testing import Program, assert_gradients, gradcheck

inf, nan = math.inf, math.nan


def verdict(f: Callable[..., Any], *inputs: Any, **options: Any) -> str:
    return gradcheck(f, *inputs, **options).verdict


# --- right ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "inputs"),
    [
        (lambda x: x * x, (0.0,)),
        (lambda x: x, (2.0,)),
        (lambda x, y: mg.sin(x * y) + x, (1.5, 2.0)),
        (lambda x: (x - 3.0) ** 2 / (x * x + 1.0), (-0.7,)),
        (lambda x: (x - 3.0) ** 3, (-2.0,)),  # a negative base, and an exponent that is a number
        (lambda x: x**2, (0.0,)),
        (lambda x: mg.where(x > 0.0, mg.log(x), x), (-1.0,)),  # the logarithm is nan, and nothing flows into it
        (lambda xs: mg.logsumexp(xs), ([1.0, -2.0, 700.0],)),
        (lambda p: p["w"] @ p["x"] + p["b"], ({"w": np.ones(3), "x": np.arange(3.0), "b": 0.5},)),
        (lambda x: [x * 2.0, {"square": x * x}, 5.0], (3.0,)),
        (lambda m: (m @ m).sum(), (np.array([[1.0, 2.0], [3.0, 4.0]]),)),
        (lambda v: mg.dot(v, v), ([0.1 * i for i in range(40)],)),
    ],
)
def test_what_is_right_is_right(f: Callable[..., Any], inputs: tuple[Any, ...]) -> None:
    report = gradcheck(f, *inputs)
    assert (report.verdict, report.reason, report.culprit, report.program) == ("right", "", None, None)
    assert 0.0 <= report.figures.worst <= 1.0


def test_a_trick_that_detaches_a_number_and_is_right_is_right() -> None:
    def stable(xs: list[Value]) -> Any:
        peak = max(x.data for x in xs)  # moves with the inputs, and cancels
        return mg.log(mg.sum([mg.exp(x - peak) for x in xs])) + peak

    assert verdict(stable, [1.0, 2.0, 3.0]) == "right"


def test_the_figures_count_what_was_done() -> None:
    figures = gradcheck(lambda x, y: mg.sin(x * y) + mg.sin(x * y), 1.0, 2.0).figures
    assert (figures.inputs, figures.outputs, figures.operations, figures.order) == (2, 1, 5, 2)
    assert figures.rules == 3  # the sine and the product of equal numbers are judged once
    assert figures.partials == 5


def test_inputs_may_be_a_million_times_apart() -> None:
    assert verdict(lambda x, y: x * y + x, 1e-12, 1e12) == "right"


def test_sweeps_that_overflow_are_scaled() -> None:
    def steep(x: Value) -> Any:
        return mg.exp(x * 1e-8) * 1e300 * 1e-300

    assert verdict(steep, 3.0, order=1) == "right"

    def through_the_roof(x: Value) -> Any:
        return ((x * 1e-200) * 1e-200 * 1e200 * 1e200) * 1e200 * 1e200 * 1e-200 * 1e-200

    assert verdict(through_the_roof, 3.0, order=1) in ("right", "inconclusive")


# --- wrong ------------------------------------------------------------------------------------------------------

SLIGHTLY = 1.0005


@pytest.mark.parametrize("oracle", ["best", "mpmath", "complex step", "differences"])
@pytest.mark.parametrize("factor", [SLIGHTLY, -1.0, 0.0, 2.0])
def test_a_wrong_rule_is_caught_and_located_by_every_oracle(oracle: str, factor: float) -> None:
    with registered(
        "cube",
        forward=lambda a: a * a * a,
        vjp=(lambda g, out, a: factor * (g * (3.0 * a * a)),),
        reference=lambda mp, a: a**3,
    ) as cube:
        report = gradcheck(lambda x: mg.exp(cube(mg.sin(x)) * x) + x, 1.2, oracle=oracle)
        assert report.verdict == "wrong"
        culprit = report.culprit
        assert culprit is not None
        assert (culprit.node.op, culprit.operand, culprit.order) == ("cube", 0, 1)
        s = math.sin(1.2)
        assert math.isclose(culprit.expected, 3 * s * s, rel_tol=1e-6)
        assert math.isclose(culprit.engine, factor * 3 * s * s, rel_tol=1e-12)
        assert abs(culprit.engine - culprit.expected) > culprit.bound
        assert set(culprit.oracles) == {"mpmath", "complex step", "differences"}
        assert report.program == Program((s,), (("cube", 0),))
        assert verdict(report.program, *report.program.inputs) == "wrong"


def test_the_first_culprit_from_the_result_on_is_named() -> None:
    with registered("twice", forward=lambda a: a * 2.0, vjp=(lambda g, out, a: g,)) as twice:
        report = gradcheck(lambda x: twice(twice(x) + 1.0), 3.0)
        assert report.culprit is not None
        assert report.culprit.call == "twice(7.0)"


def test_swapped_operands_are_caught() -> None:
    with registered(
        "ratio", forward=lambda a, b: a / b, vjp=(lambda g, out, a, b: -g * a / (b * b), lambda g, out, a, b: g / b)
    ) as ratio:
        report = gradcheck(ratio, 2.0, 3.0)
        assert report.verdict == "wrong"
        assert report.culprit is not None
        assert report.culprit.operand == 0


def test_a_leak_in_the_flat_side_of_relu_is_caught() -> None:
    fields: dict[str, Any] = {
        "forward": lambda a: a if a > 0.0 else 0.0,
        "vjp": (lambda g, out, a: mg.where(mg.gt(a, 0.0), g, 1e-6 * g),),
        "kinks": (0.0,),
    }
    # Just beside the kink too, where central differences of any fixed step would average both sides.
    with registered("leaking", **fields) as leaking:
        for x in (2.0, 1e-7):
            assert verdict(leaking, x) == "right"
            assert verdict(leaking, -x) == "wrong"
    with registered("leaking", **fields, reference=lambda mp, a: max(a, mp.mpf(0))) as leaking:
        for x in (2.0, 1e-7, 1e-300):
            assert verdict(leaking, x) == "right"
            assert verdict(leaking, -x) == "wrong"


def test_a_rule_that_ignores_its_upstream_gradient_is_caught() -> None:
    with registered("careless", forward=math.sin, vjp=(lambda g, out, a: mg.cos(a),)) as careless:
        report = gradcheck(careless, 0.5)  # the upstream gradient of the result is 1: the share is right
        assert report.verdict == "wrong"
        assert "upstream gradient" in report.reason


def test_a_wrong_second_derivative_is_caught_where_the_first_is_right() -> None:
    with registered(
        "detached",
        forward=lambda a: a * a * a,
        vjp=(lambda g, out, a: g * (3.0 * (a.data if isinstance(a, Value) else a) ** 2),),
    ) as detached:
        assert verdict(detached, 2.0, order=1) == "right"
        report = gradcheck(detached, 2.0)
        assert report.verdict == "wrong"
        assert report.culprit is not None
        assert (report.culprit.order, report.culprit.engine, report.culprit.operand) == (2, 0.0, 0)
        assert math.isclose(report.culprit.expected, 12.0, rel_tol=1e-6)


def test_an_influence_that_is_not_recorded_is_caught() -> None:
    report = gradcheck(lambda x: x * x.data, 3.0)
    assert report.verdict == "wrong"
    assert "moves with the inputs and is not connected" in report.reason
    assert report.culprit is not None
    assert (report.culprit.engine, report.culprit.operand) == (3.0, 1)
    assert math.isclose(report.culprit.expected, 6.0, rel_tol=1e-6)
    assert verdict(lambda x: Value(2.0 * x.data), 3.0) == "wrong"
    assert verdict(lambda x: 2.0 * x.data, 3.0) == "wrong"
    assert verdict(lambda x: x + math.exp(x.data), 1.0) == "wrong"


def test_an_influence_that_is_not_recorded_is_caught_among_many_inputs() -> None:
    def f(xs: list[Value]) -> Any:
        return mg.sum(xs) * mg.mean([x.data for x in xs])

    report = gradcheck(f, [0.1 * i + 1.0 for i in range(100)], order=1)
    assert report.verdict == "wrong"
    assert "by all inputs together" in report.reason


def test_a_branch_in_python_is_no_missing_influence() -> None:
    def f(x: Value) -> Any:
        return x * 3.0 if x.data > 1.0 else x * x + 2.0

    assert verdict(f, 2.0) == verdict(f, 0.5) == "right"
    report = gradcheck(f, 1.0)  # the slopes are 2 and 3
    assert report.verdict == "not differentiable here"
    assert "takes another branch" in report.reason
    assert verdict(lambda x: x if x.data > 0.0 else 0.0, 0.0) == "not differentiable here"


def test_a_forward_function_that_is_not_its_reference_is_caught() -> None:
    with registered(
        "sine",
        forward=lambda a: math.sin(a) * 1.001,
        vjp=(lambda g, out, a: g * mg.cos(a),),
        reference=lambda mp, a: mp.sin(a),
    ) as sine:
        report = gradcheck(sine, 0.5)
        assert report.verdict == "wrong"
        assert "reference" in report.reason


def with_one_wrong(shares: list[Any], place: int, factor: float) -> list[Any]:
    return [share * factor if k == place else share for k, share in enumerate(shares)]


@pytest.mark.parametrize("place", [0, 1, 7, 13, 29, 48, 49])
@pytest.mark.parametrize("factor", [-1.0, SLIGHTLY])
def test_one_wrong_share_among_many_is_caught(place: int, factor: float) -> None:
    numbers = [0.1 * i - 1.7 for i in range(50)]
    with registered(
        "total", forward=lambda *xs: sum(xs), vjp=lambda g, out, *xs: with_one_wrong([g] * len(xs), place, factor)
    ) as total:
        assert verdict(lambda xs: total(xs), numbers, order=1) == "wrong"
    with registered(
        "squares",
        forward=lambda *xs: sum(x * x for x in xs),
        vjp=lambda g, out, *xs: with_one_wrong([g * (2.0 * x) for x in xs], place, factor),
    ) as squares:
        assert verdict(lambda xs: squares(xs), numbers, order=1) == "wrong"


def test_a_wrong_second_derivative_of_many_operands_is_caught() -> None:
    for shares, expected in (
        (lambda g, out, *xs: [g * (2.0 * x) for x in xs], "right"),
        (lambda g, out, *xs: [g * (2.0 * getattr(x, "data", x)) for x in xs], "wrong"),
    ):
        with registered("squares", forward=lambda *xs: sum(x * x for x in xs), vjp=shares) as squares:
            assert verdict(lambda xs: squares(xs), [0.3 * i - 1.0 for i in range(20)]) == expected


def test_a_rule_that_is_right_at_the_point_only_is_caught() -> None:
    with registered("cubed", forward=lambda a: a * a * a, vjp=(lambda g, out, a: g * (3.0 * a),)) as cubed:
        assert verdict(cubed, 1.0, order=1) == "right"
        report = gradcheck(cubed, 1.0)
        assert report.verdict == "wrong"
        assert "beside the point" in report.reason


def test_an_infinite_share_is_caught() -> None:
    with registered("steep", forward=lambda a: a * a, vjp=(lambda g, out, a: g * inf,)) as steep:
        assert verdict(steep, 2.0) == "wrong"


@pytest.mark.parametrize(
    ("f", "inputs"),
    [
        (lambda x: x * math.asin(x.data), (1.0,)),  # cannot be called above 1
        (lambda xs: xs[3] * (xs[0].data - xs[7].data) + xs[3], ([1.0] * 8,)),
        (lambda x: x * x + 1e-6 * x.data, (1.0,)),
    ],
)
def test_an_influence_that_is_hard_to_see_is_not_acquitted(f: Callable[..., Any], inputs: tuple[Any, ...]) -> None:
    assert verdict(f, *inputs) in ("wrong", "inconclusive")


def test_a_second_derivative_that_misses_an_influence_is_caught() -> None:
    def root(a: Value) -> Any:
        z = math.sqrt(a.data)  # found outside of the graph, and corrected by one step of Newton inside
        return z + (a - z * z) / (2.0 * z)

    assert verdict(root, 2.0, order=1) == "right"
    report = gradcheck(root, 2.0)
    assert report.verdict == "wrong"
    assert "second derivative by input 0 misses an influence" in report.reason
    assert report.culprit is not None
    assert report.culprit.engine == 0.0
    assert math.isclose(report.culprit.expected, -0.25 / 2.0**1.5, rel_tol=1e-5)


def test_a_jump_to_the_left_is_no_derivative() -> None:
    assert verdict(lambda x: x if x.data >= 0.0 else -x, 0.0) == "not differentiable here"
    assert verdict(lambda x: x if x.data > 0.0 else -x, 0.0) == "not differentiable here"


# --- not wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("forward", [np.sin, lambda a: np.float32(0.5) * a, lambda a: 3, lambda a: a > 0.0])
def test_a_forward_function_may_return_any_number(forward: Callable[[float], Any]) -> None:
    rules: dict[Any, Any] = {np.sin: lambda g, out, a: g * mg.cos(a)}
    rule = rules.get(forward, lambda g, out, a: g * 0.5 if forward(2.0) == 1.0 and forward(1.0) == 0.5 else 0.0 * g)
    with registered("numeric", forward=forward, vjp=(rule,)) as numeric:
        assert verdict(numeric, 2.0, order=1) == "right"


@pytest.mark.parametrize(
    ("f", "inputs"),
    [
        (lambda x: 1e170 * (x / 1e170) ** 2, (1e170,)),
        (lambda x: 1e160 * mg.sin(x / 1e160), (1e160,)),
        (lambda x: mg.mean([x, -1.0, 1.0]), (2.2090496998585438e-05,)),  # numbers cancel
        (lambda x: -1e300 * mg.atan(0.25 * mg.cbrt(x)), (-1e300,)),  # a tangent underflows, a gradient does not
        (lambda x, y: 1e300 * mg.sqrt((x / 1e300) ** 2 + (y / 1e300) ** 2), (1e300, 3e299)),
        (lambda x: mg.sin(1e6 * (x - x.data) + 1e6 * x.data), (1.0,)),
    ],
)
def test_scaled_functions_are_not_accused(f: Callable[..., Any], inputs: tuple[Any, ...]) -> None:
    assert verdict(f, *inputs) in ("right", "inconclusive")


@pytest.mark.parametrize(
    ("forward", "rule", "x"),
    [
        (
            lambda a: 0.5 * a * a if abs(a) <= 1.0 else abs(a) - 0.5,
            lambda g, out, a: mg.where(mg.le(abs(a), 1.0), g * a, g * mg.copysign(1.0, a)),
            1.0,
        ),
        (lambda a: max(a, 0.0) ** 2, lambda g, out, a: g * 2.0 * mg.relu(a), 0.0),
        (lambda a: math.log(math.cosh(a)), lambda g, out, a: g * mg.tanh(a), 1e-5),
        (
            lambda a: math.sin(100.0 * math.pi * a),
            lambda g, out, a: g * (100.0 * math.pi * mg.cos(100.0 * math.pi * a)),
            1000.1,
        ),
        (lambda a: math.exp(-((a / 2e-4) ** 2)), lambda g, out, a: g * out * (-2.0 / 2e-4 / 2e-4) * a, 0.0),
        (lambda a: math.tanh(10.0 * (a - 1.0)), lambda g, out, a: g * ((1.0 - out * out) * 10.0), 1e-7),
        (lambda a: round(a, 3) + 0.0, lambda g, out, a: 0.0 * g, 1.2345),
    ],
)
def test_rules_that_are_right_are_not_accused_at_awkward_points(forward: Any, rule: Any, x: float) -> None:
    with registered("right", forward=forward, vjp=(rule,)) as right:
        assert verdict(right, x, order=1) != "wrong"
        assert verdict(right, x) != "wrong"


def test_a_function_that_changes_now_and_then_is_not_called_wrong() -> None:
    turn = itertools.count()
    assert verdict(lambda x: x * x * (1.0 if next(turn) < 2 else 0.5), 2.0) == "inconclusive"


# --- an accuracy that nobody stated -----------------------------------------------------------------------------


@pytest.mark.parametrize("x", [1e-8, 0.3, 5.0, 1e3, 1e8, -1e8])
def test_a_rule_that_cancels_is_not_accused_of_its_rounding(x: float) -> None:
    with registered(
        "softsign",
        forward=lambda a: a / (1.0 + abs(a)),
        vjp=(lambda g, out, a: g * (1.0 - abs(out)) * (1.0 - abs(out)),),  # loses digits where out is near 1
        kinks=(0.0,),
    ) as softsign:
        assert verdict(softsign, x, order=1) == "right"
        assert verdict(softsign, x) in ("right", "inconclusive")  # nobody sees the second derivative far out


def test_a_stated_accuracy_is_held_to() -> None:
    fields: dict[str, Any] = {
        "forward": lambda a: a / (1.0 + abs(a)),
        "vjp": (lambda g, out, a: g * (1.0 - abs(out)) * (1.0 - abs(out)),),
        "reference": lambda mp, a: a / (1 + mp.fabs(a)),
    }
    with registered("loose", **fields) as loose:
        assert verdict(loose, 1e6) == "right"
    with registered("strict", accuracy=mg.Accuracy(derivative=2.0), **fields) as strict:
        assert verdict(strict, 1e6) == "wrong"


@pytest.mark.parametrize(
    ("forward", "rule", "x", "domain"),
    [
        (lambda a: a**3, lambda g, out, a: 3.0 * a**2 * g, 3.9e-127, None),  # the complex step underflows
        (lambda a: a / (1.0 + abs(a)), lambda g, out, a: g / ((1.0 + abs(a)) * (1.0 + abs(a))), 1e53, None),
        (lambda a: a * math.log(a) if a > 0.0 else 0.0, lambda g, out, a: g * (mg.log(a) + 1.0), 0.0, "[0, inf)"),
        (lambda a: 1.0 - math.cos(a), lambda g, out, a: g * mg.sin(a), -3.7e-10, None),  # cancels to 0 all around
        (lambda a: math.sin(a) / a, lambda g, out, a: g * (mg.cos(a) - out) / a, 2.3e6, None),  # finer than any step
        (lambda a: math.tanh(a), lambda g, out, a: g * (1.0 - out * out), 12.5, None),  # the rule is noisy
    ],
)
def test_a_weak_oracle_does_not_accuse_where_it_cannot_see(forward: Any, rule: Any, x: float, domain: Any) -> None:
    with registered("right", forward=forward, vjp=(rule,), domain=domain) as right:
        assert verdict(right, x, order=1) in ("right", "inconclusive")
        assert verdict(right, x) in ("right", "inconclusive")


def test_a_rule_that_runs_on_numbers_only_is_judged_to_first_order() -> None:
    with registered("plain_sine", forward=math.sin, vjp=(lambda g, out, a: g * math.cos(a),)) as plain_sine:
        assert verdict(plain_sine, 0.5, order=1) == "right"
        report = gradcheck(plain_sine, 0.5)
        assert report.verdict == "inconclusive"
        assert "ask for order=1" in report.reason


# --- kinks, ties, borders ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "inputs"),
    [
        (mg.relu, (0.0,)),
        (abs, (0.0,)),
        (lambda x, y: mg.maximum(x, y) * x, (2.0, 2.0)),
        (lambda x: mg.clamp(x, -1.0, 1.0), (1.0,)),
        (lambda x: mg.leaky_relu(x - 1.0), (1.0,)),
        (lambda x: mg.elu(x, 0.5), (0.0,)),
        (mg.cbrt, (0.0,)),
        (mg.hypot, (0.0, 0.0)),
        (lambda x, y: mg.dist([x, y], [1.0, 2.0]), (1.0, 2.0)),
        (lambda x: mg.fmod(x, 3.0), (6.0,)),
        (mg.sqrt, (0.0,)),
        (mg.asin, (1.0,)),
        (lambda x: x**0.5, (0.0,)),
        (lambda x: mg.where(mg.gt(x, 0.0), x, 0.0), (0.0,)),
        (lambda x: mg.where(x, x + 1.0, 2.0), (0.0,)),
    ],
)
def test_a_kink_is_known_for_what_it_is(f: Callable[..., Any], inputs: tuple[float, ...]) -> None:
    report = gradcheck(f, *inputs)
    assert report.verdict == "not differentiable here"
    assert report.reason
    assert report.culprit is None
    assert_gradients(f, *inputs)  # what the engine gives there is what it promises


@pytest.mark.parametrize("beside", [5e-324, 1e-300, 1e-17, 1e-12, 1e-8, 1e-4])
def test_beside_a_kink_the_derivative_is_judged(beside: float) -> None:
    functions: list[Callable[[Any], Any]] = [mg.relu, mg.abs, lambda x: mg.maximum(x, 0.0), mg.elu]
    for f in functions:
        assert verdict(f, beside, order=1) == "right"
        assert verdict(f, -beside, order=1) == "right"


@pytest.mark.parametrize(
    ("slope", "expected"),
    [
        (0.0, "not differentiable here"),
        (0.5, "not differentiable here"),
        (1.0, "not differentiable here"),
        (1.001, "wrong"),
        (-1e-6, "wrong"),
    ],
)
def test_at_a_kink_the_slope_lies_between_both_sides(slope: float, expected: str) -> None:
    with registered(
        "hinge",
        forward=lambda a: a if a > 0.0 else 0.0,
        vjp=(lambda g, out, a: mg.where(mg.eq(a, 0.0), slope * g, mg.where(mg.gt(a, 0.0), g, 0.0)),),
        kinks=(0.0,),
    ) as hinge:
        assert verdict(hinge, 0.0) == expected


def test_a_kink_that_nobody_listed_is_found() -> None:
    with registered("bent", forward=lambda a: abs(a), vjp=(lambda g, out, a: mg.where(mg.gt(a, 0.0), g, -g),)) as bent:
        assert verdict(bent, 1.0) == verdict(bent, -1.0) == "right"
        assert verdict(bent, 0.0) != "wrong"
    with registered("broken", forward=lambda a: abs(a), vjp=(lambda g, out, a: g * 3.0,)) as broken:
        assert verdict(broken, 0.0) == "wrong"


# --- what cannot be told ----------------------------------------------------------------------------------------


def returns_something_new() -> Callable[[Any], Any]:
    numbers = itertools.count(1)
    return lambda x: x * next(numbers)


def sets_data(x: Value) -> Any:
    x.data = 7.0
    return x * 2.0


@pytest.mark.parametrize(
    ("f", "inputs", "words"),
    [
        (lambda x: mg.log(x), (-1.0,), r"operand 0 of log is -1.0, outside of its domain \(0, inf\)"),
        (lambda x: 1.0 / x, (0.0,), "outside of its domain"),
        (lambda x: mg.exp(x * 1000.0), (1.0,), "exp.* is infinite"),
        (lambda x: x * float("inf"), (1.0,), "operand 1 of mul is inf"),
        (lambda x: x, (nan,), "input 0 is nan"),
        (lambda x, y: x * y, (1.0, -inf), "input 1 is -inf"),
        (lambda x: 3.0, (1.0,), "does not depend on the inputs"),
        (lambda x: Value(3.0) * 2.0, (1.0,), "does not depend on the inputs"),
        (returns_something_new(), (1.0,), "two calls at the same inputs returned"),
        (lambda xs: xs.append(1.0) or mg.sum(xs), ([1.0, 2.0],), "changed its arguments"),
        (sets_data, (1.0,), "changed its inputs"),
    ],
)
def test_what_cannot_be_told_has_its_own_words(f: Callable[..., Any], inputs: tuple[Any, ...], words: str) -> None:
    report = gradcheck(f, *inputs)
    assert report.verdict == "inconclusive"
    assert report.culprit is None
    with pytest.raises(GradientError, match=words):
        assert_gradients(f, *inputs)
    assert assert_gradients(f, *inputs, allow_inconclusive=True).verdict == "inconclusive"


def test_the_word_that_came_first_is_the_origin() -> None:
    report = gradcheck(lambda x: mg.sin(mg.log(x - 5.0) * 2.0) + 1.0, 2.0)
    assert "operand 0 of log is -3.0" in report.reason


@pytest.mark.parametrize("result", ["text", None, [1.0, "text"], 1j])
def test_a_function_that_returns_no_value_is_refused(result: Any) -> None:
    with pytest.raises(TypeError, match="a gradient needs a function that returns a Value"):
        gradcheck(lambda x: result, 1.0)


def test_what_a_function_raises_comes_through_with_a_note() -> None:
    def fails(x: Value) -> Any:
        raise RuntimeError("no luck")

    with pytest.raises(RuntimeError, match="no luck") as caught:
        gradcheck(fails, 1.0)
    assert "called by the gradient check, at (1.0)" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"order": 3}, ValueError, "order is 1 or 2, not 3"),
        ({"order": True}, ValueError, "order is 1 or 2"),
        ({"oracle": "luck"}, ValueError, "unknown oracle 'luck' .one of: best, mpmath, complex step, differences."),
    ],
)
def test_options_that_do_not_exist_are_refused(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        gradcheck(mg.sin, 1.0, **options)


def test_inputs_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(TypeError, match="expected a real number as an input but got 'one'"):
        gradcheck(mg.sin, "one")
    with pytest.raises(TypeError, match="was given no numbers"):
        gradcheck(lambda: Value(1.0))
    with pytest.raises(TypeError, match="expected a function to check"):
        gradcheck(3.0, 1.0)  # type: ignore[arg-type]


# --- nothing is left behind -------------------------------------------------------------------------------------


def test_gradients_of_captured_values_and_of_inputs_stay() -> None:
    w, x = Value(2.0), Value(3.0)
    inner = w * w
    w.grad, x.grad, inner.grad = 5.0, 7.0, 11.0
    assert verdict(lambda a: mg.tanh(a * inner) * w, x) == "right"
    assert (w.grad, x.grad, inner.grad) == (5.0, 7.0, 11.0)
    assert (w.data, x.data, inner.data) == (2.0, 3.0, 4.0)


def test_the_callers_containers_stay() -> None:
    numbers = [1.0, 2.0]
    gradcheck(lambda xs: xs.pop() * xs[0], numbers)
    assert numbers == [1.0, 2.0]


def test_checks_in_threads_leave_shared_gradients_as_they_are() -> None:
    w = Value(2.0)
    w.grad = 7.0
    with ThreadPoolExecutor(4) as pool:
        found = list(
            pool.map(lambda x: verdict(lambda a: mg.sin(a * w) + mg.tanh(a * w), x), [0.1 * i for i in range(1, 30)])
        )
    assert set(found) == {"right"}
    assert w.grad == 7.0


def test_inputs_that_are_moved_for_a_while_are_noticed() -> None:
    def f(x: Value) -> Any:
        y = x * 2.0
        x.data = 5.0
        z = y + x
        x.data = 1.0
        return z

    assert "changed its inputs" in gradcheck(f, 1.0).reason


def test_a_rule_that_raises_says_which_and_where() -> None:
    with registered("broken", forward=lambda a: a, vjp=(lambda g, out, a: 1 / 0,)) as broken:
        with pytest.raises(ZeroDivisionError) as caught:
            gradcheck(broken, 2.0)
        assert any("rule of broken was checked at (2.0)" in note for note in caught.value.__notes__)


def test_a_check_works_inside_no_grad() -> None:
    with mg.no_grad():
        assert verdict(lambda x: x * x, 3.0) == "right"


# --- reports ----------------------------------------------------------------------------------------------------


def test_the_report_of_a_wrong_gradient_says_it_all_and_its_program_runs() -> None:
    with registered(
        "wronglog", forward=math.log, vjp=(lambda g, out, a: g * mg.div(1.0005, a),), domain="(0, inf)"
    ) as wronglog:

        def loss(x: Any, y: Any) -> Any:
            return wronglog(x * y + 1.0) * x

        with pytest.raises(GradientError) as caught:
            assert_gradients(loss, 1.5, 2.0)
        text = str(caught.value)
        lines = [line.strip() for line in text.splitlines()]
        assert "loss at (1.5, 2.0): wrong" in lines[0]
        assert "at         wronglog(4.0), operand 0 (4.0)" in lines
        assert "engine     0.250125" in lines
        assert any(line.startswith(("expected   0.25", "expected   0.2499999")) for line in lines)
        assert any(line.startswith(("oracles    complex step", "oracles    differences")) for line in lines)
        report = caught.value.report
        scope: dict[str, Any] = {}
        start = lines.index("from micrograd.testing import Program, gradcheck")
        exec("\n".join(lines[start : start + 2]), scope)
        assert scope["program"] == report.program == Program((4.0,), (("wronglog", 0),))  # type: ignore[attr-defined]


def test_hostile_labels_arrive_as_text() -> None:
    def f(x: Value) -> Any:
        x.label = "\x1b[2J\n"
        return mg.log(x)

    assert "\x1b" not in str(gradcheck(f, -1.0))


def test_verdicts_do_not_depend_on_the_hash_seed() -> None:
    program = """
import micrograd as mg
from micrograd.testing import gradcheck
wrong = mg.op("wrong", forward=lambda a: a * a, vjp=(lambda g, out, a: g * a,))
for f, x in [(lambda x: mg.sin(x) * x + mg.exp(x), 1.5), (lambda x: wrong(x) + wrong(x * 2.0) * x, 1.5)]:
    print(gradcheck(f, x))
"""
    texts = {run_python(program, PYTHONHASHSEED=seed) for seed in ("0", "1", "2")}
    assert len(texts) == 1


def test_verdicts_do_not_depend_on_what_was_checked_before() -> None:
    w = Value(0.5)  # shared by two of them, and captured: its gradient is written by every check
    with registered("halved", forward=lambda a: a * a, vjp=(lambda g, out, a: g * a,)) as wrong:
        checks: list[tuple[Callable[..., Any], tuple[float, ...]]] = [
            (lambda x: mg.sin(x) * x + mg.exp(x), (1.5,)),
            (lambda x: wrong(x) + wrong(x * 2.0) * x, (1.5,)),
            (mg.relu, (0.0,)),
            (lambda x: w * x + mg.tanh(w), (0.25,)),
            (mg.log, (-1.0,)),
            (lambda x: x * w * x.data, (3.0,)),
            (mg.log, (2.0,)),
        ]
        forward = [str(gradcheck(f, *xs)) for f, xs in checks]
        backward = [str(gradcheck(f, *xs)) for f, xs in reversed(checks)]
        assert forward == backward[::-1] == [str(gradcheck(f, *xs)) for f, xs in checks]
        assert len({text.splitlines()[0] for text in forward}) == len(checks)


def test_a_check_needs_nothing_but_the_standard_library() -> None:
    program = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("mpmath", "numpy", "hypothesis", "rich", "llvmlite"):
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Missing())
import importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "mpmath" else real(name, *rest)
import micrograd as mg
from micrograd.testing import gradcheck
report = gradcheck(lambda x, y: mg.exp(mg.sin(x) * y) / (x * x + 1.0) + mg.sigmoid(y), 0.7, 1.3)
print(report.verdict, report.oracle)
wrong = mg.op("wrong", forward=lambda a: a * a, vjp=(lambda g, out, a: g * (2.0005 * a),))
print(gradcheck(wrong, 1.5).verdict)
"""
    assert run_python(program).splitlines() == ["right differences", "wrong"]
