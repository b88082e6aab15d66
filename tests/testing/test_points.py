"""Protects where operations are looked at: points are inside domains, cover every magnitude, and kinks are found."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from support import registered
from table_rows import ROWS

from micrograd.ops import Op
from micrograd.testing import points
from micrograd.testing.points import (
    admitted,
    anywhere,
    at_kinks,
    beside_kinks,
    borders,
    domains,
    inside,
    moderate,
    quantities,
    sizes,
    special,
)

by_name = pytest.mark.parametrize("row", list(ROWS.values()), ids=lambda row: row.name)


@by_name
def test_what_is_drawn_is_inside_the_domain(row: Op) -> None:
    rng = random.Random(row.name)
    for _ in range(100):
        for point in (moderate(rng, row), anywhere(rng, row)):
            assert inside(row, point)
            assert isinstance(row.forward(*point), float)
        assert row.name == "take" or all(abs(x) <= 3.0 for x in moderate(rng, row))


@by_name
def test_the_same_seed_draws_the_same_points(row: Op) -> None:
    def drawn() -> list[Any]:
        rng = random.Random(row.name)
        found: list[Any] = [anywhere(rng, row), moderate(rng, row), special(rng, row), list(borders(rng, row))]
        kinks = at_kinks(rng, row, 8)
        return [*found, kinks, list(beside_kinks(rng, row, kinks))]

    assert repr(drawn()) == repr(drawn())


def test_every_magnitude_is_drawn() -> None:
    rng = random.Random("magnitudes")
    sizes_drawn = [abs(x) for _ in range(500) for x in anywhere(rng, ROWS["mul"])]
    for low, high in ((0.0, 1e-300), (1e-200, 1e-100), (1e-2, 1.0), (1.0, 1e2), (1e100, 1e200), (1e290, 1e308)):
        assert any(low < x < high for x in sizes_drawn)
    assert 0.0 in sizes_drawn
    near_one = [1.0 - abs(x) for _ in range(500) for (x,) in [anywhere(rng, ROWS["asin"])]]
    assert any(0.0 < x < 1e-12 for x in near_one), "nothing close to the border"


@pytest.mark.parametrize(
    ("domain", "low", "high"),
    [("(1e5, inf)", 1e5, math.inf), ("(-inf, -1e9)", -math.inf, -1e9), ("(0.25, 0.2500001)", 0.25, 0.2500001)],
)
def test_domains_that_are_far_away_or_narrow_are_hit_all_the_same(domain: str, low: float, high: float) -> None:
    with registered("narrow", forward=lambda a: a, vjp=(lambda g, out, a: g,), domain=domain) as op:
        rng = random.Random("narrow")
        for draw in (moderate, anywhere):
            drawn = {draw(rng, op)[0] for _ in range(50)}
            assert all(low < x < high for x in drawn)
            assert len(drawn) > 10


def test_nothing_is_promised_for_subnormal_and_very_large_numbers() -> None:
    (real,) = ROWS["exp"].domain
    assert admitted(ROWS["exp"], real, 1.0)
    assert admitted(ROWS["exp"], real, 0.0)
    for x in (5e-324, math.nan, math.inf):
        assert not admitted(ROWS["exp"], real, x)
    assert not admitted(ROWS["prod"], real, 1e61)
    assert not admitted(ROWS["prod"], real, 1e-61)


def test_special_points_have_zeros_of_both_signs_and_ties() -> None:
    found = special(random.Random(0), ROWS["mul"], most=1000)
    assert len(found) == len(points.SPECIAL) ** 2
    assert {"(0.0, -0.0)", "(1.0, 1.0)", "(1e+300, 1e-300)"} <= set(map(repr, found))
    assert len(special(random.Random(0), ROWS["mul"], most=7)) == 7
    assert {p[0] for p in special(random.Random(0), ROWS["log"], most=100)} == {1.0, 2.0, 0.5, 1e-300, 1e300}


def test_borders_are_met_exactly_and_from_both_sides() -> None:
    found = {point[0] for point, place in borders(random.Random(0), ROWS["acosh"])}
    assert {1.0, math.nextafter(1.0, 0.0), math.nextafter(1.0, 2.0), 1.0 - 1e-8, 1.0 + 1e-3, 0.0, 2.0} <= found
    assert not list(borders(random.Random(0), ROWS["mul"]))
    for point, place in borders(random.Random(0), ROWS["power"]):
        others = [x for k, x in enumerate(point) if k != place]
        assert all(0.1 < abs(x) <= 3.0 for x in others)


@by_name
def test_kinks_are_found_wherever_a_row_lists_them(row: Op) -> None:
    rng = random.Random(row.name)
    found = at_kinks(rng, row, 20)
    assert bool(found) == (row.kinks is not None)
    assert len(found) <= 20
    for point in found:
        assert inside(row, point)
        assert 0.0 in quantities(row, point)
    near = list(beside_kinks(rng, row, found))
    assert len(near) >= 3 * bool(found)
    assert all(inside(row, point) and 0.0 not in map(abs, quantities(row, point)) for point in near)
    distances = [min(map(abs, quantities(row, point))) for point in near]
    assert not near or (min(distances) < 1e-5 and max(distances) > 1e-4)


def test_kinks_of_several_operands_are_found_at_every_kind_of_tie() -> None:
    found = at_kinks(random.Random(0), ROWS["clamp"], 60)
    assert any(a == low != high for a, low, high in found)
    assert any(a == high != low for a, low, high in found)
    assert any(low == high != a for a, low, high in found)
    pairs = at_kinks(random.Random(0), ROWS["dist"], 40)
    assert {len(point) for point in pairs} == {2, 4, 6}


def test_kinks_are_found_by_bisection_where_nothing_else_helps() -> None:
    rule = lambda g, out, a: g
    with registered("wave", forward=lambda a: a, vjp=(rule,), kinks=lambda a: (a * a - 2.25, a - 3.7)) as op:
        assert {x for (x,) in at_kinks(random.Random(0), op, 20)} == {1.5, -1.5, 3.7}


def test_a_kinks_function_that_refuses_numbers_has_no_kinks_there() -> None:
    rule = lambda g, out, a: g
    with registered("picky", forward=lambda a: a, vjp=(rule,), kinks=lambda a: (math.log(a),)) as op:
        assert quantities(op, (-1.0,)) == []
        assert at_kinks(random.Random(0), op, 5) == [(1.0,)]


def test_take_has_an_index_behind_its_operands() -> None:
    rng = random.Random(0)
    for _ in range(30):
        *numbers, index = moderate(rng, ROWS["take"])
        assert len(numbers) in sizes(ROWS["take"])
        assert index in range(len(numbers))
    assert len(domains(ROWS["take"], 3)) == 3
