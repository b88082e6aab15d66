"""Protects the scripts of single operations: node finds the engine's values and shares, for every row of the table."""

from __future__ import annotations

import json
import math
import random
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from typing import Any

import pytest
from operation_calls import ANSWERS, AWKWARD, EXACT, Call, calls_of, departure, eager, shapes, ulps_apart, written
from support import registered
from table_rows import ROWS

import micrograd as mg
from micrograd import CompilationError, Value
from micrograd.compiler.operation_script import operation_script
from micrograd.ops import Op
from micrograd.ops.table import is_builtin

inf, nan = math.inf, math.nan

Answer = list[float]


def answers(asked: Sequence[tuple[Op, int, Sequence[Call]]]) -> list[list[Answer]]:
    """Make every call of every operation, in one process."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    requests = [f"[{operation_script(op, n)}, {json.dumps(list(map(written, calls)))}]" for op, n, calls in asked]
    script = f"console.log(JSON.stringify(({ANSWERS.strip()})([\n{','.join(requests)}\n])));"
    done = subprocess.run(["node"], input=script, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    return [[list(map(float, row)) for row in rows] for rows in json.loads(done.stdout)]


def answer(op: Op, *call: float) -> Answer:
    return answers([(op, len(call) - 1, [call])])[0][0]


# --- the whole table --------------------------------------------------------------------------------------------

Table = dict[tuple[str, int], list[tuple[Call, Answer]]]


@pytest.fixture(scope="module")
def table() -> Table:
    asked = [(ROWS[name], n, calls_of(name, n)) for name, n in shapes()]
    found = answers(asked)
    return {
        (op.name, n): list(zip(calls, rows, strict=True)) for (op, n, calls), rows in zip(asked, found, strict=True)
    }


@pytest.mark.parametrize("name", ROWS)
def test_value_and_shares_are_the_engines(table: Table, name: str) -> None:
    found = [case for (operation, _), cases in table.items() if operation == name for case in cases]
    assert len(found) >= 200
    assert list(filter(None, [departure(name, call, answer) for call, answer in found])) == []


def test_every_row_is_asked_about_and_where_it_matters(table: Table) -> None:
    builtin = {name for name, row in mg.operations().items() if is_builtin(row)}
    assert {name for name, _ in table} == builtin == set(ROWS)
    assert set(EXACT) < builtin
    for (name, _), cases in table.items():
        ordinary = [call for call, _ in cases if all(map(math.isfinite, call)) and math.isfinite(eager(name, call)[0])]
        assert len(ordinary) >= 80, name
        assert len({repr(call[1]) for call, _ in cases} & {repr(x) for x in AWKWARD}) >= 12, name


def test_the_bounds_would_notice() -> None:
    one = (1.0, 0.7, -1.3)
    value, (left, right) = eager("mul", one)
    assert departure("mul", one, [value, left, right]) == ""
    assert "the value" in departure("mul", one, [math.nextafter(value, 0.0), left, right])
    assert "operand 1" in departure("mul", one, [value, left, math.nextafter(right, 9.0)])
    assert "operand 0" in departure("mul", (1.0, 2.0, 0.0), [0.0, -0.0, 2.0])
    point = (2.0, 0.7)
    value, (share,) = eager("exp", point)
    assert departure("exp", point, [value + 4 * math.ulp(value), share - 4 * math.ulp(share)]) == ""
    assert "5 ulps" in departure("exp", point, [value + 5 * math.ulp(value), share])
    assert "the value" in departure("exp", point, [nan, share])
    assert ulps_apart(inf, 1.0) == inf


def test_hypot_has_pythons_bits() -> None:
    rng = random.Random(0)
    calls = [(1.0, *[rng.uniform(-1.0, 1.0) * 10.0 ** rng.uniform(-290, 307) for _ in range(2)]) for _ in range(500)]
    calls += [(1.0, x, x * rng.uniform(-3.0, 3.0)) for _, x, _ in calls]
    (found,) = answers([(mg.hypot, 2, calls)])
    assert [value for value, *_ in found] == [math.hypot(a, b) for _, a, b in calls]


# --- operations of any number of operands -----------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.arity is None])
def test_a_thousand_operands(name: str) -> None:
    row = ROWS[name]
    numbers = [math.sin(k) + 0.1 for k in range(1000)]
    if name == "take":
        numbers[-1] = 321.0
    started = time.perf_counter()
    text = operation_script(row, 1000)
    assert time.perf_counter() - started < 5.0  # it takes a tenth of a second where nothing else runs
    assert len(operation_script(row, 2000)) < 2.2 * len(text)
    call = (0.7, *numbers)
    value, wanted = eager(name, call)
    found, *shares = answer(row, *call)
    assert ulps_apart(found, value) <= (0.0 if name in EXACT else 4.0)
    assert max(map(ulps_apart, shares, wanted)) <= (0.0 if name in EXACT else 16.0)


def test_take_chooses_at_run_time() -> None:
    numbers = (5.0, -6.0, 7.0)
    chosen = (0.0, 1.0, 2.0, 1.9, 3.0, -1.0, nan, inf)
    (found,) = answers([(mg.take, 4, [(0.5, *numbers, index) for index in chosen])])
    for index, (value, *shares) in zip(chosen, found, strict=True):
        place = int(index) if math.isfinite(index) else -1
        assert ulps_apart(value, numbers[place] if 0 <= place < 3 else nan) == 0.0
        assert shares == [0.5 if k == place else 0.0 for k in range(3)] + [0.0]


# --- users' operations ------------------------------------------------------------------------------------------


def test_a_users_operation() -> None:
    with registered(
        "softsign",
        forward=lambda a: a / (1 + abs(a)),
        vjp=(lambda g, out, a: g * (1 - abs(out)) * (1 - abs(out)),),
    ) as op:
        assert answer(op, 2.0, 1.0) == [0.5, 0.5]
        assert math.isnan(answer(op, 1.0, -inf)[0])


def test_a_users_operation_of_any_number_of_operands() -> None:
    forward = lambda *xs: mg.sigmoid(mg.sum(xs))
    with registered("gate", forward=forward, vjp=lambda g, out, *xs: [g * (out * (1.0 - out)) for _ in xs]) as op:
        found = answer(op, 3.0, 1.0, -1.0, 0.0)
        assert found == [0.5, 0.75, 0.75, 0.75]
        with registered("gates", forward=lambda a: mg.mean([op.apply((a, a)), 1]), vjp=(lambda g, out, a: g,)) as outer:
            assert answer(outer, 1.0, 0.0) == [0.75, 1.0]


def test_whatever_a_row_may_return_is_a_number() -> None:
    with registered("one", forward=lambda a: 1, vjp=(lambda g, out, a: 0,)) as op:
        assert answer(op, 2.0, 7.0) == [1.0, 0.0]
    with registered("third", forward=lambda a, b: b, vjp=(lambda g, out, a, b: g * 0.5, lambda g, out, a, b: g)) as op:
        assert answer(op, 2.0, 7.0, 8.0) == [8.0, 1.0, 2.0]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "forward of Python": (
        {"forward": lambda a: math.exp(a), "vjp": (lambda g, out, a: g * out,)},
        "its forward function is Python that does not run on symbols (TypeError: ",
    ),
    "forward that decides": (
        {"forward": lambda a: a if a > 0 else 0.0, "vjp": (lambda g, out, a: g,)},
        "its forward function is Python that does not run on symbols (TypeError: a rule that decides",
    ),
    "forward of no number": (
        {"forward": lambda a: "many", "vjp": (lambda g, out, a: g,)},
        "its forward function is Python that does not run on symbols (TypeError: expected a real number",
    ),
    "rule of Python": (
        {"forward": lambda a: a, "vjp": (lambda g, out, a: g * math.cos(a),)},
        "its derivative rule is Python that does not run on symbols (TypeError: ",
    ),
    "rule of another length": (
        {"forward": lambda *xs: xs[0], "vjp": lambda g, out, *xs: [g]},
        "its derivative rule is Python that does not run on symbols (ValueError: ",
    ),
    "rule that fails": (
        {"forward": lambda a: a, "vjp": (lambda g, out, a: ROWS["no\nsuch" * 100],)},
        "its derivative rule",
    ),
    "operations without end": ({"forward": lambda a: mg.operations()["odd"](a), "vjp": (lambda g, out, a: g,)}, "end"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_python_that_does_not_run_on_symbols_is_refused(why: str) -> None:
    fields, reason = REFUSED[why]
    with registered("odd", **fields) as op:
        with pytest.raises(CompilationError, match=re.escape(reason)) as caught:
            operation_script(op, 2 if op.arity is None else op.arity)
        text = str(caught.value)
        assert text.startswith("'odd' has no JavaScript form: ")
        assert "\n" not in text
        assert len(text) < 350


def test_only_rows_of_the_table_have_scripts() -> None:
    with registered("brief", forward=lambda a: a, vjp=(lambda g, out, a: g,)) as op:
        operation_script(op, 1)
        with (
            registered("brief", forward=lambda a: a + a, vjp=(lambda g, out, a: g + g,)),
            pytest.raises(CompilationError, match="'brief' is not in the table of operations"),
        ):
            operation_script(op, 1)
    with pytest.raises(CompilationError, match="'brief' is not in the table"):
        operation_script(op, 1)


@pytest.mark.parametrize(
    ("op", "operands", "wanted"), [(mg.mul, 3, "2"), (mg.tanh, 0, "1"), (mg.sum, 0, "at least 1"), (mg.take, 1, "2")]
)
def test_numbers_of_operands_that_cannot_be(op: Op, operands: int, wanted: str) -> None:
    with pytest.raises(CompilationError, match=f"no script of {operands} operands: it takes .*{wanted}"):
        operation_script(op, operands)


# --- the text ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "operands"), shapes())
def test_the_text_may_stand_in_a_page(name: str, operands: int) -> None:
    text = operation_script(ROWS[name], operands)
    assert text.isascii()
    assert text == operation_script(ROWS[name], operands)
    assert not re.search(r"</|<!--|<script|-->|\]\]>|`", text, re.IGNORECASE)


def test_what_the_page_makes_of_a_seed_of_zero_is_left_to_it() -> None:
    x = Value(0.0)
    y = mg.log(x)
    (y * 0.0).backward()
    assert x.grad == 0.0  # no gradient, no share
    assert math.isnan(answer(mg.log, 0.0, 0.0)[1])
