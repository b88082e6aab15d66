"""Protects the backward pass on random programs: shared results, repeated operands, dead code, every operation.

The judge is the package's own checker: rules are held to oracles, the backward pass to forward mode. Then come the
laws that every gradient obeys. Programs of up to a dozen instructions are where a missing ``+=``, a wrong order of
visits or a stale number shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from table_rows import ROWS

import micrograd as mg
from micrograd import Value
from micrograd.testing import Program, assert_gradients, expressions, gradcheck, programs
from micrograd.testing.rounding import path_bound, path_sizes

TINY = 1e-290  # an ulp of nothing: products of a dozen small derivatives may come near underflow

any_program = programs(operations=ROWS.values())
factors = st.floats(0.01, 100.0) | st.floats(-100.0, -0.01)


def run(program: Program) -> tuple[list[Value], Value]:
    inputs = [Value(x) for x in program.inputs]
    return inputs, program(*inputs)


def gradient(program: Program, upstream: float = 1.0) -> list[float]:
    inputs, out = run(program)
    out.backward(upstream)
    return [x.grad for x in inputs]


def sizes(program: Program) -> list[float]:
    """Return for each input what its gradient would be if nothing cancelled."""
    inputs, out = run(program)
    found = path_sizes(out)
    return [found.get(x, 0.0) for x in inputs]


def bound(program: Program, size: float) -> float:
    """Return what the rounding of a gradient may amount to."""
    return path_bound(sum(len(operands) for _, *operands in program.instructions), size) + TINY


# --- against the oracles and forward mode -----------------------------------------------------------------------


@settings(max_examples=300)
@given(any_program)
def test_first_and_second_derivatives_are_right(program: Program) -> None:
    assert assert_gradients(program, *program.inputs).verdict == "right"


@settings(max_examples=150)
@given(programs(operations=ROWS.values(), near_kinks=True))
def test_at_kinks_and_beside_them_nothing_is_wrong(program: Program) -> None:
    assert gradcheck(program, *program.inputs).verdict != "wrong"


@settings(max_examples=150)
@given(programs(operations=ROWS.values(), edges=True))
def test_at_the_edges_of_floats_and_of_domains_nothing_is_wrong(program: Program) -> None:
    assert gradcheck(program, *program.inputs).verdict != "wrong"


@given(expressions(operations=ROWS.values()))
def test_trees_are_right(program: Program) -> None:
    assert assert_gradients(program, *program.inputs).verdict == "right"


# --- laws -------------------------------------------------------------------------------------------------------


@given(any_program)
def test_a_power_of_two_upstream_scales_the_gradient_exactly(program: Program) -> None:
    assert gradient(program, -4.0) == [-4.0 * g for g in gradient(program)]


@given(any_program, factors, factors)
def test_the_gradient_is_linear_in_the_upstream_gradient(program: Program, a: float, b: float) -> None:
    for one, other, both, size in zip(
        gradient(program, a), gradient(program, b), gradient(program, a + b), sizes(program), strict=True
    ):
        assert abs(one + other - both) <= bound(program, (abs(a) + abs(b)) * size)


@given(any_program)
def test_no_upstream_gradient_gives_no_gradient(program: Program) -> None:
    assert gradient(program, 0.0) == [0.0] * len(program.inputs)


def duplicated(program: Program) -> tuple[Program, list[int]]:
    """Return a program in which every use of an input is an input of its own, and whose copy each of them is."""
    count = len(program.inputs)
    uses = [x for _, *operands in program.instructions for x in operands if type(x) is int and x < count]
    copies = iter(range(len(uses)))
    instructions = []
    for name, *operands in program.instructions:
        moved: list[Any] = [name]
        for x in operands:
            if type(x) is int:
                moved.append(next(copies) if x < count else x - count + len(uses))
            else:
                moved.append(x)
        instructions.append(tuple(moved))
    return Program(tuple(program.inputs[x] for x in uses), tuple(instructions)), uses


@given(any_program.filter(lambda program: bool(program.instructions)))
def test_sharing_an_input_adds_up_what_its_copies_would_get(program: Program) -> None:
    apart, owners = duplicated(program)
    assert apart(*apart.inputs) == program(*program.inputs)
    separate = gradient(apart)
    for i, (g, size) in enumerate(zip(gradient(program), sizes(program))):
        parts = [part for part, owner in zip(separate, owners) if owner == i]
        assert abs(g - sum(parts)) <= bound(program, size)
        if len(parts) < 2:
            assert g == sum(parts)  # nothing was added up, nothing was rounded


@given(any_program)
def test_a_second_backward_pass_adds_exactly_one_more_gradient_to_leaves_and_nothing_between(program: Program) -> None:
    inputs, out = run(program)
    nodes = mg.topological_order(out)
    numbers = [node.data for node in nodes]
    out.backward()
    once = [node.grad for node in nodes]
    out.backward()
    for node, g in zip(nodes, once):
        assert node.grad == (g if node.op else g + g)
    assert [node.data for node in nodes] == numbers
    assert [x.data for x in inputs] == list(program.inputs)


@given(any_program)
def test_a_fresh_graph_gives_the_same_bits(program: Program) -> None:
    assert [g.hex() for g in gradient(program)] == [g.hex() for g in gradient(program)]


@given(any_program)
def test_the_differentiable_backward_pass_computes_the_same_numbers(program: Program) -> None:
    inputs, out = run(program)
    out.backward(create_graph=True)
    assert [x.grad.data if type(x.grad) is Value else x.grad for x in inputs] == gradient(program)


@given(any_program)
def test_gradients_of_different_results_of_one_graph_do_not_disturb_each_other(program: Program) -> None:
    inputs, out = run(program)
    nodes = [node for node in mg.topological_order(out) if node.op]
    wanted = gradient(program)
    for node in nodes[:-1]:
        node.backward()
    for x in inputs:
        x.grad = 0.0
    out.backward()
    assert [x.grad for x in inputs] == wanted


@given(any_program, st.data())
def test_an_input_that_is_a_number_is_not_differentiated_and_changes_nothing(
    program: Program, data: st.DataObject
) -> None:
    constant = data.draw(st.lists(st.booleans(), min_size=len(program.inputs), max_size=len(program.inputs)))
    mixed: Sequence[Any] = [x if fixed else Value(x) for x, fixed in zip(program.inputs, constant)]
    out = program(*mixed)
    assert (out.data if type(out) is Value else out) == program(*program.inputs)
    if type(out) is Value:
        out.backward()
        for x, g in zip(mixed, gradient(program)):
            assert type(x) is float or x.grad == g
