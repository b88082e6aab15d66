"""Protects the lesson at the centre: a shared bias receives the sum of what every sample sends back.

Three texts on the gradient of a bias, as programs. In each, NumPy's formula stands beside the same layer made of
Values, where nobody wrote a formula: one bias node feeds the sum node of every sample, and its gradients add up.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import micrograd as mg

Array = np.ndarray[Any, Any]


def layer_of_values(x: Array, w: Array, b: Array, dout: Array) -> tuple[Any, Any, Any, Any]:
    """Run ``out = x @ w + b`` on Values and send ``dout`` back; return the four arrays of Values."""
    vx, vw, vb = mg.array(x), mg.array(w), mg.array(b)
    out = vx @ vw + vb
    (out * dout).sum().backward()  # the upstream gradient of out[n, m] is dout[n, m]
    return vx, vw, vb, out


# --- (a) the affine layer: out = x @ w + b, shapes N x D, D x M, 1 x M -------------------------------------------


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_the_affine_layer(n: int, d: int, m: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, w, b, dout = (rng.normal(size=shape) for shape in ((n, d), (d, m), (1, m), (n, m)))

    # Forward and backward with NumPy.
    out = x @ w + b
    dx, dw, db = dout @ w.T, x.T @ dout, dout.sum(axis=0)

    vx, vw, vb, vout = layer_of_values(x, w, b, dout)
    np.testing.assert_allclose(mg.data_of(vout), out, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(mg.grad_of(vx), dx, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(mg.grad_of(vw), dw, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(mg.grad_of(vb)[0], db, rtol=1e-12, atol=1e-12)

    # The invisible input: a column of ones that the bias is the weight of.
    ix = np.ones((n, 1))
    np.testing.assert_array_equal(ix @ b + x @ w, out)
    np.testing.assert_allclose(mg.grad_of(vb), ix.T @ dout, rtol=1e-12, atol=1e-12)


def test_one_bias_node_feeds_every_sample() -> None:
    x, w, b, dout = np.ones((4, 2)), np.ones((2, 3)), np.zeros((1, 3)), np.arange(12.0).reshape(4, 3)
    _, _, vb, out = layer_of_values(x, w, b, dout)
    for column in range(3):
        bias = vb[0, column]
        loss = mg.sum([out[n, column] * dout[n, column] for n in range(4)])
        account = mg.explain(bias, loss)
        assert [use.consumer for use in account] == [out[n, column] for n in reversed(range(4))]
        assert [use.local for use in account] == [1.0] * 4  # addition passes the gradient on ...
        assert [use.share for use in account] == dout[::-1, column].tolist()  # ... one share per sample ...
        assert account.gradient == dout[:, column].sum() == bias.grad  # ... and the bias adds them up


# --- (b) two samples, three classes, four inputs: along which axis? ----------------------------------------------

S, M, INPUTS = 2, 3, 4


def bias_gradient() -> tuple[Array, Array]:
    rng = np.random.default_rng(7)
    x, w, b = rng.normal(size=(S, INPUTS)), rng.normal(size=(INPUTS, M)), rng.normal(size=(1, M))
    upstream = rng.normal(size=(S, M))  # one row per sample, one column per class
    _, _, vb, _ = layer_of_values(x, w, b, upstream)
    return upstream, mg.grad_of(vb)[0]


def test_samples_as_rows_the_sum_runs_down_the_columns() -> None:
    upstream, gradient = bias_gradient()
    assert upstream.shape == (S, M)
    np.testing.assert_allclose(gradient, upstream.sum(axis=0), rtol=1e-15)
    np.testing.assert_allclose(gradient, np.ones(S) @ upstream, rtol=1e-15)
    assert upstream.sum(axis=1).shape != gradient.shape  # the other axis does not even have the bias's shape


def test_samples_as_columns_the_sum_runs_along_the_rows() -> None:
    upstream, gradient = bias_gradient()
    transposed = upstream.T  # M x S, as the Jacobian of a scalar by a matrix is often written
    assert transposed.shape == (M, S)
    np.testing.assert_allclose(gradient, transposed.sum(axis=1), rtol=1e-15)
    np.testing.assert_allclose(gradient, transposed @ np.ones(S), rtol=1e-15)


def test_in_either_layout_the_axis_that_vanishes_is_that_of_the_samples() -> None:
    upstream, gradient = bias_gradient()
    by_hand = [sum(upstream[s, m] for s in range(S)) for m in range(M)]
    np.testing.assert_allclose(gradient, by_hand, rtol=1e-15)


# --- (c) gradient through addition, plain and broadcast ----------------------------------------------------------


def test_addition_passes_the_gradient_to_both() -> None:
    x, y = mg.Value(2.0), mg.Value(-5.0)
    (x + y).backward(0.75)
    assert x.grad == y.grad == 0.75


def test_broadcast_addition_sums_over_the_axis_of_repetition() -> None:
    rng = np.random.default_rng(3)
    small, large, dout = rng.normal(size=(2, 3)), rng.normal(size=(4, 2, 3)), rng.normal(size=(4, 2, 3))
    a, b = mg.array(small), mg.array(large)
    out = a + b
    assert out.shape == (4, 2, 3)
    np.testing.assert_array_equal(mg.data_of(out), small + large)
    (out * dout).sum().backward()
    np.testing.assert_allclose(mg.grad_of(a), dout.sum(axis=0), rtol=1e-14)
    np.testing.assert_array_equal(mg.grad_of(b), dout)
    assert all(out[k, i, j].parents == (a[i, j], b[k, i, j]) for k in range(4) for i in range(2) for j in range(3))


@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=3), st.integers(0, 2**32 - 1))
def test_any_two_shapes_that_go_together(shapes: hnp.BroadcastableShapes, seed: int) -> None:
    rng = np.random.default_rng(seed)
    operands = [mg.array(rng.normal(size=shape)) for shape in shapes.input_shapes]
    dout = rng.normal(size=shapes.result_shape)
    out = np.asarray(operands[0] + operands[1])
    assert out.shape == shapes.result_shape
    mg.sum(np.asarray(out * dout).ravel()).backward()
    for a in operands:
        expected = dout.sum(axis=tuple(range(dout.ndim - a.ndim)))
        repeated = tuple(i for i in range(a.ndim) if a.shape[i] == 1)
        np.testing.assert_allclose(mg.grad_of(a), expected.sum(axis=repeated, keepdims=True), rtol=1e-12, atol=1e-12)


@given(st.integers(2, 4), st.integers(2, 4))
def test_shapes_that_do_not_go_together_give_numpys_own_error(n: int, m: int) -> None:
    if n == m:
        m += 1
    with pytest.raises(ValueError, match="broadcast") as numpys:
        np.zeros((2, n)) + np.zeros((2, m))
    with pytest.raises(ValueError, match="broadcast") as ours:
        mg.array(np.zeros((2, n))) + mg.array(np.zeros((2, m)))
    assert str(ours.value) == str(numpys.value)
