"""Protects the strategies that users are given: programs that are what they promise, reach every operation, print as
Python, shrink to what matters, and refuse what makes no program; and that none of it is needed without Hypothesis.
"""

from __future__ import annotations

import math
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from table_rows import ROWS

import micrograd as mg
from micrograd import Value, testing
from micrograd.testing import Program, programs, values

any_program = programs(operations=ROWS.values())


def pool_of(program: Program) -> list[float]:
    """Return the inputs and every result, computed by the table's functions on floats alone."""
    pool = list(program.inputs)
    for name, *operands in program.instructions:
        pool.append(ROWS[name].forward(*[pool[x] if type(x) is int else x for x in operands]))
    return pool


# --- programs ---------------------------------------------------------------------------------------------------


@given(any_program)
def test_a_program_stays_where_it_has_a_derivative(program: Program) -> None:
    pool = pool_of(program)
    assert all(x == 0.0 or 1e-6 <= abs(x) <= 1e6 for x in pool)
    for name, *operands in program.instructions:
        row = ROWS[name]
        numbers = [pool[x] if type(x) is int else x for x in operands]
        assert any(type(x) is int for x in operands)
        if row.arity is not None:
            assert all(domain.contains(x) for domain, x in zip(row.domain, numbers, strict=True))
        assert row.kinks is None or all(abs(quantity) >= 1e-3 for quantity in row.kinks(*numbers))


@given(any_program)
def test_a_program_computes_the_same_on_floats_and_values(program: Program) -> None:
    wanted = pool_of(program)[-1]
    assert program(*program.inputs) == wanted
    result = program(*map(Value, program.inputs))
    assert result.data == wanted
    half = [x if i % 2 else Value(x) for i, x in enumerate(program.inputs)]
    mixed = program(*half)
    assert (mixed.data if type(mixed) is Value else mixed) == wanted


@given(any_program)
def test_the_repr_of_a_program_is_python_that_makes_it_again(program: Program) -> None:
    again = eval(repr(program), {"Program": Program})
    assert again == program
    assert hash(again) == hash(program)
    assert again(*again.inputs) == program(*program.inputs)


@given(programs(max_inputs=2, max_instructions=3, operations=["add", mg.tanh]))
def test_a_program_keeps_the_limits_that_were_asked_for(program: Program) -> None:
    assert 1 <= len(program.inputs) <= 2
    assert len(program.instructions) <= 3
    assert {name for name, *_ in program.instructions} <= {"add", "tanh"}


def test_a_program_without_instructions_is_its_last_input() -> None:
    assert find(programs(max_instructions=0), lambda program: True) == Program((0.0,), ())
    assert Program((3.0, 4.0), ())(5.0, 6.0) == 6.0


@given(any_program)
def test_every_input_is_used(program: Program) -> None:
    used = {x for _, *operands in program.instructions for x in operands if type(x) is int}
    assert used >= set(range(len(program.inputs))) or len(program.instructions) == 0


@pytest.mark.parametrize("name", ROWS)
def test_every_operation_is_reached(name: str) -> None:
    program = find(
        programs(operations=["add", "neg", name]),
        lambda program: any(used == name for used, *_ in program.instructions),
        settings=settings(phases=[Phase.generate], max_examples=500, derandomize=True, database=None),
    )
    assert math.isfinite(program(*program.inputs))


def test_programs_have_the_shapes_in_which_backward_passes_go_wrong() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=300, derandomize=True, database=None)
    @given(any_program)
    def look(program: Program) -> None:
        count = len(program.inputs)
        uses = [[x for x in operands if type(x) is int] for _, *operands in program.instructions]
        totals = Counter(x for operands in uses for x in operands)
        last = count + len(uses) - 1
        seen["programs"] += 1
        seen["an input is shared"] += any(totals[i] > 1 for i in range(count))
        seen["a result is shared"] += any(totals[i] > 1 for i in range(count, last))
        seen["an operand is repeated"] += any(len(set(operands)) < len(operands) for operands in uses)
        seen["a result is never used"] += any(totals[i] == 0 for i in range(count, last))
        seen["an operand is a number"] += any(type(x) is float for i in program.instructions for x in i[1:])
        seen["more than six instructions"] += len(uses) > 6

    look()
    assert all(number >= seen["programs"] // 10 for number in seen.values()), seen


# --- shrinking --------------------------------------------------------------------------------------------------

SHRUNK: list[tuple[str, Callable[[Program], bool], int]] = [
    ("one operation", lambda program: "exp" in names_of(program), 1),
    ("an operation with a domain", lambda program: "sqrt" in names_of(program), 2),
    ("an operation twice", lambda program: names_of(program).count("mul") == 2, 2),
    ("a chain", lambda program: any(i[0] == "tanh" and i[1] >= len(program.inputs) for i in program.instructions), 2),
    ("a number", lambda program: program(*program.inputs) > 2.5, 2),
]


def names_of(program: Program) -> list[str]:
    return [name for name, *_ in program.instructions]


@pytest.mark.parametrize(("fault", "size"), [case[1:] for case in SHRUNK], ids=[case[0] for case in SHRUNK])
def test_a_failing_program_shrinks_to_what_matters(fault: Callable[[Program], bool], size: int) -> None:
    few = programs(max_instructions=6, operations=["add", "neg", "mul", "exp", "sqrt", "tanh"])
    program = find(few, fault, settings=settings(derandomize=True, database=None, max_examples=200))
    assert len(program.instructions) <= size
    assert len(program.inputs) == 1
    assert program.inputs[0] in (0.0, 1.0, 2.0, 3.0)
    assert all(type(x) is not float or x == int(x) for i in program.instructions for x in i[1:])


# --- the class --------------------------------------------------------------------------------------------------


def test_a_program_runs_on_whatever_flows_through_operations() -> None:
    program = Program(inputs=(1.0, 2.0), instructions=(("mul", 0, 1), ("sub", 2, 0.5), ("div", 3, 1)))
    assert program(1, 2) == 0.75
    columns = program(mg.array([1.0, 3.0]), mg.array([2.0, 4.0]))
    assert mg.data_of(columns).tolist() == [0.75, 2.875]
    assert isinstance(columns, np.ndarray)


def test_operators_are_used_where_a_user_would() -> None:
    x = Value(2.0)
    program = Program((2.0,), (("add", 0, 0), ("power", 1, 2.0), ("neg", 2), ("abs", 3)))
    y = program(x)
    assert (y.data, y.op) == (16.0, "abs")
    assert y.parents[0].parents[0].operands[1] == 2.0


@pytest.mark.parametrize(
    ("inputs", "instructions", "kind", "told"),
    [
        ((), (), ValueError, "a program needs at least one input"),
        ((1.0,), (("add", 0, 1),), ValueError, r"an int below 1 that names an earlier result.*has 1 \(type int\)"),
        ((1.0,), (("add", 0, -1),), ValueError, r"has -1 \(type int\)"),
        ((1.0,), (("add", 0, "x"),), ValueError, r"has 'x' \(type str\)"),
        ((1.0,), (("add", 0, True),), ValueError, r"has True \(type bool\)"),
        ((1.0,), (("no_such_operation", 0),), LookupError, "no operation named 'no_such_operation'"),
    ],
)
def test_what_is_no_program(inputs: Any, instructions: Any, kind: type[Exception], told: str) -> None:
    with pytest.raises(kind, match=told):
        Program(inputs, instructions)


def test_a_call_takes_one_argument_per_input() -> None:
    with pytest.raises(TypeError, match="the program takes 1 arguments, 2 came"):
        Program((1.0,), ())(1.0, 2.0)


@pytest.mark.parametrize(
    ("arguments", "kind", "told"),
    [
        ({"max_inputs": 0}, ValueError, "max_inputs is at least 1"),
        ({"max_instructions": -1}, ValueError, "max_instructions at least 0"),
        ({"operations": []}, ValueError, "no operations to choose from; leave `operations` out"),
        ({"operations": ["no_such_operation"]}, LookupError, "no operation named"),
    ],
)
def test_what_allows_no_program(arguments: Any, kind: type[Exception], told: str) -> None:
    with pytest.raises(kind, match=told):
        programs(**arguments)


@pytest.mark.usefixtures("table_as_it_was")
def test_the_whole_table_is_the_default_the_users_operations_included() -> None:
    mg.op("halved", forward=lambda a: 0.5 * a, vjp=(lambda g, out, a: 0.5 * g,))
    program = find(programs(), lambda program: any(name == "halved" for name, *_ in program.instructions))
    assert program.instructions == (("halved", 0),)


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


# --- without Hypothesis -----------------------------------------------------------------------------------------

WITHOUT = """
import sys
sys.modules["hypothesis"] = None
import micrograd.testing as testing
assert {"Program", "programs", "values"} <= set(dir(testing))
for name in testing.__all__:
    if hasattr(sys.modules.get("micrograd.testing.strategies"), name):
        raise SystemExit("loaded too early")
try:
    testing.programs
except ImportError as error:
    print(error)
"""


def test_without_hypothesis_the_package_loads_and_tells_how_to_get_the_strategies() -> None:
    run = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False)
    assert run.stderr == ""
    assert "micrograd.testing.programs needs hypothesis" in run.stdout
    assert "pip install '.[test]'" in run.stdout


def test_what_is_not_there() -> None:
    with pytest.raises(AttributeError, match=r"module 'micrograd.testing' has no attribute 'no_such_name'"):
        _ = testing.no_such_name
