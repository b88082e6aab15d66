"""Protects the strategies for what goes into a function: Values, tuples of numbers inside a domain with the edges where
they are asked for, and arrays that broadcast; and that bad arguments are told so.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from support import same

import micrograd as mg
from micrograd import Value
from micrograd.ops.domain import Domain
from micrograd.testing.array_strategies import broadcastable_arrays
from micrograd.testing.input_strategies import inputs, values

# --- values -----------------------------------------------------------------------------------------------------


@given(values(min_value=-2.0, max_value=3.0))
def test_values_are_leaves_within_their_bounds(v: Value) -> None:
    assert type(v) is Value
    assert -2.0 <= v.data <= 3.0
    assert (v.parents, v.grad, v.label) == ((), 0.0, "")


@given(values())
def test_values_are_finite_unless_told_otherwise(v: Value) -> None:
    assert math.isfinite(v.data)


def test_values_can_be_told_otherwise() -> None:
    assert math.isnan(find(values(allow_nan=True), lambda v: v.data != v.data).data)
    assert find(values(allow_infinity=True), lambda v: math.isinf(v.data)).data == math.inf


@given(st.lists(values(), min_size=2, max_size=2))
def test_values_are_new_nodes_each_time(pair: list[Value]) -> None:
    assert pair[0] is not pair[1]


# --- inputs -----------------------------------------------------------------------------------------------------

DOMAINS = [
    "(-inf, inf)",
    "(0, inf)",
    "[0, inf)",
    "(-inf, 0) | (0, inf)",
    "[-1, 1]",
    "(-1, 1)",
    "(0, 0.001)",
    "[-1e-3, 1e-3]",
    "(10, 20)",
    "(-inf, -100]",
    "(3.999, 10)",
    "(1e300, inf)",
    "[1, 1.0000000000000002]",
    "(0, 5e-324]",
    "[-1, -0.5) | (0.5, 1]",
]


@pytest.mark.parametrize("edges", [False, True])
@pytest.mark.parametrize("domain", DOMAINS)
def test_inputs_lie_in_their_domain(domain: str, edges: bool) -> None:
    inside = Domain.parse(domain)

    @settings(max_examples=60)
    @given(inputs(2, domain, edges=edges))
    def check(numbers: tuple[float, ...]) -> None:
        assert type(numbers) is tuple
        assert len(numbers) == 2
        assert all(type(x) is float and math.isfinite(x) and inside.contains(x) for x in numbers)

    check()


@given(inputs(3, "[-1, 1]"))
def test_ordinary_inputs_are_moderate_and_clear_of_the_border(numbers: tuple[float, ...]) -> None:
    assert all(x == 0.0 or 0.01 <= abs(x) <= 0.999 for x in numbers)
    assert all(math.copysign(1.0, x) == 1.0 for x in numbers if x == 0.0)


@given(inputs(2, "(-inf, 0) | (0, inf)"))
def test_ordinary_inputs_of_a_union_come_from_both_sides_and_are_moderate(numbers: tuple[float, ...]) -> None:
    assert all(0.01 <= abs(x) <= 4.0 for x in numbers)


@given(inputs(2, ["(0, inf)", Domain.parse("(-inf, 0)")], edges=True))
def test_each_input_has_a_domain_of_its_own(numbers: tuple[float, ...]) -> None:
    assert numbers[0] > 0.0 > numbers[1]


EDGES_OF: list[tuple[str, list[float]]] = [
    ("(-inf, inf)", [0.0, -0.0, 1.0, -1.0, 1e-300, -1e-300, 1e300, -1e300]),
    ("(0, inf)", [1.0, 5e-324, 1e-300, 1e300]),
    ("[-1, 1]", [-1.0, 1.0, math.nextafter(1.0, 0.0), math.nextafter(-1.0, 0.0), 0.0, -0.0]),
    ("(-1, 1)", [math.nextafter(1.0, 0.0), math.nextafter(-1.0, 0.0), 1e-300]),
    ("(2, 3]", [3.0, math.nextafter(2.0, 3.0), math.nextafter(3.0, 2.0)]),
]


@pytest.mark.parametrize(("domain", "wanted"), EDGES_OF, ids=[case[0] for case in EDGES_OF])
def test_every_edge_of_a_domain_is_met(domain: str, wanted: list[float]) -> None:
    met: Counter[str] = Counter()

    @settings(max_examples=400, database=None)
    @given(inputs(2, domain, edges=True))
    def look(numbers: tuple[float, ...]) -> None:
        met.update(map(repr, numbers))
        met["tie"] += same(*numbers)

    look()
    assert all(met[repr(x)] for x in wanted), met
    assert met["tie"] >= 20


def test_simple_inputs_come_first() -> None:
    assert find(inputs(3), lambda numbers: True) == (0.0, 0.0, 0.0)
    assert find(inputs(2, "(0, inf)", edges=True), lambda pair: pair[0] > pair[1]) == (2.0, 1.0)
    assert find(inputs(1, "(10, 20)"), lambda numbers: numbers[0] > 12.5) == (13.0,)
    assert find(inputs(2, edges=True), lambda pair: pair[0] == pair[1] > 2.0) == (3.0, 3.0)


@pytest.mark.parametrize(
    ("arguments", "kind", "told"),
    [
        ((0,), ValueError, "count is at least 1, not 0"),
        ((2.0,), TypeError, r"count is a whole number, 1 or more, not 2.0 \(type float\)"),
        ((True,), TypeError, r"count is a whole number, 1 or more, not True \(type bool\)"),
        ((1, "positive"), ValueError, "domain 'positive' is not a union of intervals such as"),
        ((2, ["(0, 1)"]), ValueError, "domain has 1 entries for 2 inputs; give one for each, or one text for all"),
        ((1, 3.0), TypeError, r"domain is text such as '\(0, inf\)', or one such text per input, not 3.0"),
        ((1, [3.0]), TypeError, "domain is text such as"),
        ((1, "(0, 5e-324)"), ValueError, "there is no float in the domain"),
    ],
)
def test_what_makes_no_inputs(arguments: Any, kind: type[Exception], told: str) -> None:
    for edges in (False, True):
        with pytest.raises(kind, match=told):
            inputs(*arguments, edges=edges)


# --- arrays -----------------------------------------------------------------------------------------------------


@given(broadcastable_arrays(count=3, max_dims=2, max_side=3))
def test_arrays_broadcast_and_keep_the_limits_that_were_asked_for(arrays: tuple[Any, ...]) -> None:
    assert len(arrays) == 3
    shape = np.broadcast_shapes(*[a.shape for a in arrays])
    assert all(1 <= side <= 3 for side in shape)
    for a in arrays:
        assert a.dtype == np.float64
        assert 1 <= a.ndim <= 2
        assert np.isfinite(a).all()
        assert ((a == 0.0) | ((np.abs(a) >= 0.01) & (np.abs(a) <= 4.0))).all()


@given(broadcastable_arrays())
def test_the_gradient_of_the_smaller_array_is_a_sum_over_its_uses(pair: tuple[Any, Any]) -> None:
    a, b = map(mg.array, pair)
    (a * b).sum().backward()
    everywhere = np.broadcast_to(pair[1], np.broadcast_shapes(pair[0].shape, pair[1].shape))
    missing = everywhere.ndim - pair[0].ndim
    summed = everywhere.sum(axis=tuple(range(missing)))
    short = tuple(i for i, side in enumerate(pair[0].shape) if side == 1)
    assert np.allclose(mg.grad_of(a), summed.sum(axis=short, keepdims=True), rtol=1e-12, atol=1e-12)


def test_the_shapes_in_which_sharing_shows_are_met() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=200, database=None)
    @given(broadcastable_arrays())
    def look(pair: tuple[Any, Any]) -> None:
        a, b = pair
        seen["a dimension is missing"] += a.ndim != b.ndim
        seen["a side of 1 is stretched"] += any(x != y for x, y in zip(a.shape[::-1], b.shape[::-1]))
        seen["the same shape"] += a.shape == b.shape
        seen["both are stretched"] += np.broadcast_shapes(a.shape, b.shape) not in (a.shape, b.shape)
        seen["unequal numbers"] += len({*a.flat}) > 1

    look()
    assert len(seen) == 5
    assert all(number >= 10 for number in seen.values()), seen


def test_arrays_of_other_elements_and_without_dimensions() -> None:
    ones = broadcastable_arrays(count=1, elements=st.just(1.0), min_dims=0)
    (a,) = find(ones, lambda arrays: arrays[0].ndim == 0)
    assert (a.shape, float(a)) == ((), 1.0)


@pytest.mark.parametrize(
    ("arguments", "kind", "told"),
    [
        ({"count": 0}, ValueError, "count is at least 1, not 0"),
        ({"max_side": 0}, ValueError, "max_side is at least 1, not 0"),
        ({"min_dims": -1}, ValueError, "min_dims is at least 0, not -1"),
        ({"max_dims": 0}, ValueError, "max_dims is at least min_dims, 1, and at most 32, as in NumPy; not 0"),
        ({"max_dims": 33}, ValueError, "max_dims is at least min_dims, 1, and at most 32, as in NumPy; not 33"),
        ({"max_side": "4"}, TypeError, r"max_side is a whole number, 1 or more, not '4' \(type str\)"),
    ],
)
def test_what_makes_no_arrays(arguments: Any, kind: type[Exception], told: str) -> None:
    with pytest.raises(kind, match=told):
        broadcastable_arrays(**arguments)
