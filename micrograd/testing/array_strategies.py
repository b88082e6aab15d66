"""Hypothesis strategies for arrays of numbers, whose shapes broadcast together.

Broadcasting is sharing: where a smaller array meets a larger one, each of its elements is one node with several uses,
and its gradient is the sum of what the uses send back. Tests of anything that works on arrays need shapes in which this
happens: sides of 1, and missing dimensions.

>>> from hypothesis import find
>>> find(broadcastable_arrays(max_dims=1), lambda pair: pair[0].size < pair[1].size)
(array([0.]), array([0., 0.]))
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies

from micrograd.errors import describe
from micrograd.ops.domain import REALS
from micrograd.testing.input_strategies import ordinary_numbers

__all__ = ["broadcastable_arrays"]


def broadcastable_arrays(
    count: int = 2,
    max_dims: int = 3,
    max_side: int = 4,
    elements: st.SearchStrategy[float] | None = None,
    *,
    min_dims: int = 1,
) -> st.SearchStrategy[tuple[Any, ...]]:
    """Return a strategy for tuples of NumPy arrays of float64, each of a shape of its own, that broadcast together.

    Args:
        count: how many arrays a tuple has.
        max_dims: the largest number of dimensions.
        max_side: the longest side; the shortest is 1.
        elements: the numbers, for instance ``hypothesis.strategies.floats(1.0, 2.0)``; moderate ones if ``None``.
        min_dims: the smallest number of dimensions; 0 for arrays that are a single number, too.

    Raises ``TypeError`` for a size that is not a whole number, ``ValueError`` for sizes that allow no arrays.

    >>> from hypothesis import given, settings
    >>> import micrograd as mg
    >>> @settings(max_examples=20, derandomize=True, database=None)
    ... @given(broadcastable_arrays(count=2))
    ... def every_element_gets_one_share_for_each_use(pair):
    ...     small, other = [mg.array(numbers) for numbers in pair]
    ...     out = small + other
    ...     out.sum().backward()
    ...     assert (mg.grad_of(small) == out.size // small.size).all()
    >>> every_element_gets_one_share_for_each_use()
    """
    for name, size, least in (
        ("count", count, 1),
        ("min_dims", min_dims, 0),
        ("max_dims", max_dims, 0),
        ("max_side", max_side, 1),
    ):
        if type(size) is not int:
            raise TypeError(f"{name} is a whole number, {least} or more, not {describe(size)}")
        if size < least:
            raise ValueError(f"{name} is at least {least}, not {size}")
    if not min_dims <= max_dims <= 32:
        raise ValueError(f"max_dims is at least min_dims, {min_dims}, and at most 32, as in NumPy; not {max_dims}")
    numbers = ordinary_numbers(REALS) if elements is None else elements
    shapes = numpy_strategies.mutually_broadcastable_shapes(
        num_shapes=count, min_dims=min_dims, max_dims=max_dims, max_side=max_side
    )
    return shapes.flatmap(
        lambda drawn: st.tuples(
            *[numpy_strategies.arrays("float64", shape, elements=numbers) for shape in drawn.input_shapes]
        )
    )
