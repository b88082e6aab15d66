"""Protects the taking apart of nested arguments: nothing is lost, reordered or changed in type."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from micrograd._structure import flatten

numbers = st.floats(allow_nan=False)
trees = st.recursive(
    numbers,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(trees)
def test_a_tree_is_rebuilt_as_it_was(tree: Any) -> None:
    leaves, structure = flatten(tree)
    assert all(type(leaf) is float for leaf in leaves)
    again = structure.rebuild(leaves)
    assert again == tree
    assert type(again) is type(tree)
    assert structure.size() == len(leaves)
    assert flatten(again)[1] == structure


@given(trees, trees)
def test_nesting_has_the_leaves_of_both(outer: Any, inner: Any) -> None:
    outer_leaves, outer_structure = flatten(outer)
    inner_leaves, inner_structure = flatten(inner)
    count = len(outer_leaves) * len(inner_leaves)
    nested = outer_structure.nest(inner_structure, [float(i) for i in range(count)])
    assert flatten(nested)[0] == [float(i) for i in range(count)]


def test_containers_keys_lengths_and_shapes_make_the_structure() -> None:
    same = [
        ([1.0, (2.0,)], [3.0, (4.0,)]),
        ({"a": 1.0, "b": 2.0}, {"b": 5.0, "a": 6.0}),
        (np.zeros((2, 3)), np.ones((2, 3))),
    ]
    other = [
        ([1.0], (1.0,)),
        ([1.0], [1.0, 2.0]),
        ({"a": 1.0}, {"b": 1.0}),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.zeros(1), 1.0),
        (np.zeros(2), [0.0, 0.0]),
    ]
    assert all(flatten(a)[1] == flatten(b)[1] for a, b in same)
    assert not any(flatten(a)[1] == flatten(b)[1] for a, b in other)


def test_an_empty_array_keeps_its_shape() -> None:
    leaves, structure = flatten({"a": np.zeros((0, 3))})
    assert leaves == []
    assert structure.rebuild([])["a"].shape == (0, 3)
