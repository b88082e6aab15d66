"""Protects tapes, which stand for machine code where a program is too large for LLVM: the tests of machine code once
more, with every program made a tape.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("llvmlite", reason="the backend 'llvm' needs llvmlite")

from test_compiled_large import (
    test_a_convolution_shares_its_kernel_between_places,
    test_dot_products_of_every_length_have_the_eager_bits,
    test_dot_products_with_repeats_constants_and_awkward_numbers,
    test_layers_of_neurons,
    test_programs_that_are_cut_into_parts,
)
from test_compiled_operations import (
    test_graphs_of_exact_operations_have_the_eager_bits_on_any_numbers,
    test_no_upstream_gradient_gives_no_share_whatever_the_local_derivative,
    test_value_and_gradient_are_those_of_eager_code,
)
from test_compiled_programs import test_threads_share_what_is_the_same_for_every_sample

from micrograd.compiler import build
from micrograd.compiler.account import Account
from micrograd.compiler.kernel import Shape
from micrograd.compiler.program import Program

__all__ = [
    "test_a_convolution_shares_its_kernel_between_places",
    "test_dot_products_of_every_length_have_the_eager_bits",
    "test_dot_products_with_repeats_constants_and_awkward_numbers",
    "test_graphs_of_exact_operations_have_the_eager_bits_on_any_numbers",
    "test_layers_of_neurons",
    "test_no_upstream_gradient_gives_no_share_whatever_the_local_derivative",
    "test_programs_that_are_cut_into_parts",
    "test_threads_share_what_is_the_same_for_every_sample",
    "test_value_and_gradient_are_those_of_eager_code",
]


@pytest.fixture(autouse=True, scope="module")
def no_program_is_small_enough() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "LARGE", -1)
        yield


def test_what_ran_was_a_tape() -> None:
    account = Account()
    program = Program(["argument", "mul"], [(0,), (0, 0)], {"value": 1})
    assert build.assembly(program, Shape(arguments=1), 4, False, account)[2] is not None
