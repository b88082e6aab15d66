"""Protects the way from a failing program to a short one: what is left still fails, and no part of it can go."""

from __future__ import annotations

from hypothesis import given, settings
from table_rows import ROWS

import micrograd as mg
from micrograd import Value
from micrograd.testing import Program, programs
from micrograd.testing.shrink import shortest


def names(program: Program) -> set[str]:
    return {name for name, *_ in program.instructions}


@settings(max_examples=60)
@given(programs(operations=["add", "mul", "tanh", "exp", "sin"], max_instructions=15))
def test_one_operation_alone_is_left(program: Program) -> None:
    wanted = "tanh" if "tanh" in names(program) else None
    if wanted is None:
        return
    short = shortest(program, lambda candidate: wanted in names(candidate))
    assert [name for name, *_ in short.instructions] == ["tanh"]
    assert len(short.inputs) == 1


def sharing(program: Program) -> bool:
    """Tell whether something is used twice on the way to the result."""
    inputs = [Value(x) for x in program.inputs]
    return any(count > 1 for count in mg.statistics(program(*inputs)).uses.values())


@settings(max_examples=60)
@given(programs(operations=["add", "mul", "tanh"], max_instructions=15))
def test_a_shared_result_is_left_with_what_shares_it(program: Program) -> None:
    if not sharing(program):
        return
    short = shortest(program, sharing)
    assert sharing(short)
    assert len(short.inputs) == len(short.instructions) == 1


@given(programs(operations=[row for row in ROWS.values() if row.reference], max_instructions=10))
def test_what_is_cut_off_becomes_an_input_with_its_number(program: Program) -> None:
    seen: list[Program] = []

    def keep(candidate: Program) -> bool:
        seen.append(candidate)
        return False

    assert shortest(program, keep) == program
    whole = program(*program.inputs)
    last = [candidate for candidate in seen if candidate.instructions[-1][0] == program.instructions[-1][0]]
    for candidate in last[:3]:
        if len(candidate.instructions) == 1:
            assert candidate(*candidate.inputs) == whole or candidate.instructions != program.instructions[-1:]


def test_a_program_of_one_instruction_stays() -> None:
    program = Program((2.0,), (("exp", 0),))
    assert shortest(program, lambda candidate: True) == program
