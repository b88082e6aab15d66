"""Protects programs and the way to them: a program runs on whatever flows through operations, prints as Python, refuses
what is no code; and the program of a recorded graph computes the bits of that graph, whatever its shape and size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import registered, run_python, same, wild_graphs
from table_rows import ROWS

import micrograd as mg
from micrograd import Value
from micrograd.testing.program import Program, program_of
from micrograd.testing.strategies import expressions, programs

any_program = programs(operations=ROWS.values()) | programs(operations=ROWS.values(), edges=True)
arguments = st.sampled_from([0.0, -0.0, 1.0, -2.0, 0.3, 1e300, math.inf, math.nan]) | st.floats(-4.0, 4.0)


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


def test_the_repr_is_python_also_for_numbers_that_python_does_not_write() -> None:
    program = Program((math.inf, -0.0), (("add", 0, -math.inf), ("mul", 2, math.nan), ("neg", 1)))
    wanted = (
        "Program(inputs=(float('inf'), -0.0), "
        "instructions=(('add', 0, float('-inf')), ('mul', 2, float('nan')), ('neg', 1)))"
    )
    assert repr(program) == wanted
    assert repr(eval(wanted, {"Program": Program})) == wanted
    assert repr(Program((1.0,), ())) == "Program(inputs=(1.0,), instructions=())"


def test_neither_hypothesis_nor_numpy_is_needed() -> None:
    code = """
import sys
sys.modules["hypothesis"] = sys.modules["numpy"] = None
from micrograd import Value
from micrograd.testing.program import program_of
x = Value(3.0)
print(program_of(x * x, [x]))
"""
    assert run_python(code) == "Program(inputs=(3.0,), instructions=(('mul', 0, 0),))\n"


# --- the program of a graph -------------------------------------------------------------------------------------


def leaves_for(program: Program) -> list[Value]:
    return [Value(x) for x in program.inputs]


def numbers_of(program: Program, *numbers: float) -> float:
    result = program(*map(Value, numbers))
    return float(result.data if type(result) is Value else result)  # a number where all is constant


@settings(max_examples=300)
@given(any_program)
def test_the_program_of_a_graph_computes_its_bits(program: Program) -> None:
    leaves = leaves_for(program)
    root = program(*leaves)
    found = program_of(root, leaves)
    assert same(found.inputs, program.inputs)
    assert same(numbers_of(found, *found.inputs), root.data)
    assert same(found(*found.inputs), root.data)  # on floats, too


@given(any_program, st.data())
def test_it_is_the_same_function_elsewhere(program: Program, data: st.DataObject) -> None:
    leaves = leaves_for(program)
    found = program_of(program(*leaves), leaves)
    others = data.draw(st.lists(arguments, min_size=len(leaves), max_size=len(leaves)))
    assert same(numbers_of(found, *others), numbers_of(program, *others))


@given(any_program)
def test_its_graph_has_the_gradients_of_the_first(program: Program) -> None:
    first, second = leaves_for(program), leaves_for(program)
    root = program(*first)
    root.backward()
    program_of(root, first)(*second).backward()
    for x, y in zip(first, second):
        # Nodes may be visited in another order, and then sums are rounded in another way.
        assert same(x.grad, y.grad) or not math.isfinite(x.grad) or y.grad == pytest.approx(x.grad, rel=1e-6, abs=1e-6)


@given(any_program)
def test_the_program_of_its_graph_is_itself(program: Program) -> None:
    leaves = leaves_for(program)
    found = program_of(program(*leaves), leaves)
    again = leaves_for(found)
    assert repr(program_of(found(*again), again)) == repr(found)


@given(any_program)
def test_dead_code_is_left_out(program: Program) -> None:
    leaves = leaves_for(program)
    found = program_of(program(*leaves), leaves)
    last = len(found.inputs) + len(found.instructions) - 1
    used = {x for _, *operands in found.instructions for x in operands if type(x) is int}
    assert used >= set(range(len(found.inputs), last))


@given(expressions(operations=ROWS.values()))
def test_of_an_expression_nothing_is_dead(program: Program) -> None:
    leaves = leaves_for(program)
    found = program_of(program(*leaves), leaves)
    assert sorted(name for name, *_ in found.instructions) == sorted(name for name, *_ in program.instructions)


@given(wild_graphs(size=20))
def test_graphs_without_any_taste(pool: list[Value]) -> None:
    leaves = [node for node in pool if not node.op]
    found = program_of(pool[-1], leaves)
    assert same(numbers_of(found, *found.inputs), pool[-1].data)
    constant = program_of(pool[-1], [Value(1.0)])  # every leaf is a captured constant
    assert same(numbers_of(constant, 1.0), pool[-1].data)


def test_operands_keep_their_order_and_their_sharing() -> None:
    x, y = Value(3.0), Value(4.0)
    product = x * y
    root = mg.sum([product, 2.0, product, y - product])
    instructions = (("mul", 0, 1), ("sub", 1, 2), ("sum", 2, 2.0, 2, 3))
    assert program_of(root, [x, y]) == Program((3.0, 4.0), instructions)


def test_constants_are_the_numbers_of_the_forward_pass() -> None:
    x, w = Value(3.0), Value(2.0)
    root = mg.tanh(w * 0.5) + w * x
    w.data = 100.0
    found = program_of(root, [x])
    assert found.instructions == (("mul", 2.0, 0.5), ("tanh", 1), ("mul", 2.0, 0), ("add", 2, 3))
    assert found(3.0) == root.data


def test_an_input_that_was_changed_is_taken_as_it_is_now() -> None:
    x = Value(3.0)
    root = x * x
    x.data = 5.0
    assert program_of(root, [x]) == Program((5.0,), (("mul", 0, 0),))


@pytest.mark.parametrize(
    ("inputs", "root", "instructions"),
    [
        ("xy", "y", ()),
        ("xy", "x", (("pos", 0),)),
        ("xx", "x", ()),
        ("xy", "z", (("pos", -0.0),)),
        ("xyx", "y", (("pos", 1),)),
    ],
)
def test_a_root_that_is_a_leaf(inputs: str, root: str, instructions: Sequence[Any]) -> None:
    leaves = {"x": Value(1.0), "y": Value(2.0), "z": Value(-0.0)}
    wanted = [leaves[name] for name in inputs]
    found = program_of(leaves[root], wanted)
    assert found.inputs == tuple(x.data for x in wanted)
    assert same(found.instructions, tuple(instructions))
    assert same(numbers_of(found, *found.inputs), leaves[root].data)


def test_what_lies_below_an_input_is_left_out() -> None:
    x = Value(3.0)
    inner = x * x
    root = inner + x
    assert program_of(root, [inner, x]) == Program((9.0, 3.0), (("add", 0, 1),))
    assert program_of(inner, [x, inner]) == Program((3.0, 9.0), ())
    assert program_of(inner, [inner, x]) == Program((9.0, 3.0), (("pos", 0),))


def test_inputs_that_are_not_used_stay() -> None:
    x, y = Value(3.0), Value(4.0)
    assert program_of(-y, [x, y]) == Program((3.0, 4.0), (("neg", 1),))


def test_the_graph_is_left_as_it_was() -> None:
    x = Value(3.0)
    root = x * x + x
    root.backward()
    before = [(v.data, v.grad) for v in (x, *root.parents, root)]
    program_of(root, [x])
    assert [(v.data, v.grad) for v in (x, *root.parents, root)] == before


def test_a_hundred_thousand_nodes_deep_and_wide() -> None:
    x = y = Value(1.0)
    for _ in range(100_000):
        y = y * x
    deep = program_of(y, [x])
    assert len(deep.instructions) == 100_000
    assert deep.instructions[-1] == ("mul", 99_999, 0)
    wide = program_of(mg.sum([x * 2.0 for _ in range(100_000)]), [x])
    assert len(wide.instructions) == 100_001
    assert wide(3.0) == 600_000.0


def test_many_paths_to_one_node() -> None:
    x = y = Value(1.0)
    for _ in range(60):  # 2**60 paths
        y = y * y + y * 0.0
    assert len(program_of(y, [x]).instructions) == 180


def test_what_is_refused() -> None:
    x = Value(1.0)
    with pytest.raises(ValueError, match="a program needs at least one input"):
        program_of(x * x, [])
    with registered("eighth", forward=lambda a: a / 8, vjp=(lambda g, out, a: g * 0.125,)) as eighth:
        root = eighth(x)
        assert program_of(root, [x]).instructions == (("eighth", 0),)
    with pytest.raises(LookupError, match="no operation named 'eighth'"):
        program_of(root, [x])
