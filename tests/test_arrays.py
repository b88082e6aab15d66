"""Protects arrays of Values: NumPy's broadcasting, ufuncs, matrix products and reductions give the values and gradients
that NumPy's formulas give; the list of what works is pinned; what NumPy cannot carry is named with what to use.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import micrograd as mg
from micrograd import Value
from micrograd.arrays import INSTEAD, UFUNCS

Array = np.ndarray[Any, Any]


# --- in and out -------------------------------------------------------------------------------------------------


def test_array_makes_a_fresh_labelled_value_for_every_number() -> None:
    a = mg.array(np.arange(6).reshape(2, 3), label="w")
    assert a.shape == (2, 3)
    assert a.dtype == object
    assert a[1, 2].data == 5.0
    assert a[1, 2].label == "w[1,2]"
    assert len({id(v) for v in a.ravel()}) == 6


def test_values_in_an_array_stay_the_nodes_they_are() -> None:
    x = Value(2.0)
    a = mg.array([x, 3, x])
    assert a[0] is x
    assert a[2] is x
    assert a[1].data == 3.0


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0), (1, 2, 3)])
def test_every_shape_goes_in_and_out(shape: tuple[int, ...]) -> None:
    numbers = np.arange(np.prod(shape, dtype=int), dtype=float).reshape(shape)
    np.testing.assert_array_equal(mg.data_of(mg.array(numbers)), numbers)
    assert mg.data_of(mg.array(numbers)).dtype == np.float64


def test_one_value_gives_one_number() -> None:
    x = Value(2.0)
    (x * x).backward()
    assert mg.data_of(x) == 2.0
    assert mg.grad_of(x) == 4.0


def test_a_gradient_that_is_a_value_gives_its_number() -> None:
    w = mg.array([1.0, 2.0])
    (w**3).sum().backward(create_graph=True)
    np.testing.assert_array_equal(mg.grad_of(w), [3.0, 12.0])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mg.array([1.0, "2"]), TypeError, r"'2' \(type str\)"),
        (lambda: mg.array([1j]), TypeError, "complex"),
        (lambda: mg.array(None), TypeError, "None"),
        (lambda: mg.array([[1.0, 2.0], [3.0]]), ValueError, "different lengths"),
        (lambda: mg.data_of(["x"]), TypeError, "'x'"),
        (lambda: mg.grad_of([1.0]), TypeError, "no gradient"),
    ],
)
def test_what_cannot_be_used_is_refused(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


# --- broadcasting is sharing ------------------------------------------------------------------------------------

pairs_of_shapes = hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3)


def unbroadcast(gradient: Array, shape: tuple[int, ...]) -> Array:
    """Sum over the axes along which an operand of ``shape`` was repeated."""
    gradient = gradient.sum(axis=tuple(range(gradient.ndim - len(shape))))
    repeated = tuple(i for i, extent in enumerate(shape) if extent == 1 and gradient.shape[i] != 1)
    return np.asarray(gradient.sum(axis=repeated, keepdims=True))


def check_binary(operation: Any, shapes: hnp.BroadcastableShapes, seed: int, da: Any, db: Any) -> None:
    rng = np.random.default_rng(seed)
    (left_shape, right_shape), shape = shapes.input_shapes, shapes.result_shape
    left, right = rng.uniform(0.5, 2.0, left_shape), rng.uniform(0.5, 2.0, right_shape)
    upstream = rng.normal(size=shape)
    a, b = mg.array(left), mg.array(right)
    out: Any = np.asarray(operation(a, b))
    assert out.shape == shape
    np.testing.assert_allclose(mg.data_of(out), operation(left, right), rtol=1e-15)
    mg.sum((out * upstream).ravel()).backward() if shape else (out[()] * float(upstream)).backward()
    np.testing.assert_allclose(
        mg.grad_of(a), unbroadcast(upstream * da(left, right), left_shape), rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(
        mg.grad_of(b), unbroadcast(upstream * db(left, right), right_shape), rtol=1e-12, atol=1e-12
    )


@given(pairs_of_shapes, st.integers(0, 2**32 - 1))
def test_addition_of_any_two_shapes_that_go_together(shapes: hnp.BroadcastableShapes, seed: int) -> None:
    check_binary(np.add, shapes, seed, lambda a, b: np.ones_like(a + b), lambda a, b: np.ones_like(a + b))


@given(pairs_of_shapes, st.integers(0, 2**32 - 1))
def test_multiplication_and_division_of_any_two_shapes(shapes: hnp.BroadcastableShapes, seed: int) -> None:
    check_binary(np.multiply, shapes, seed, lambda a, b: b + 0 * a, lambda a, b: a + 0 * b)
    check_binary(np.divide, shapes, seed, lambda a, b: 1 / b + 0 * a, lambda a, b: -a / b**2)


@given(pairs_of_shapes, st.integers(0, 2**32 - 1))
def test_operations_of_micrograd_broadcast_like_numpy(shapes: hnp.BroadcastableShapes, seed: int) -> None:
    pick = lambda a, b: np.asarray(mg.maximum(a, b)) if a.dtype == object else np.maximum(a, b)
    check_binary(pick, shapes, seed, lambda a, b: (a > b) * 1.0, lambda a, b: (b > a) * 1.0)


def test_shapes_that_do_not_go_together_give_numpys_own_error() -> None:
    for operation in (np.add, mg.maximum):
        with pytest.raises(ValueError, match=r"shape mismatch|could not be broadcast"):
            operation(mg.array(np.zeros((2, 3))), mg.array(np.zeros((4, 3))))


def test_a_broadcast_element_is_the_same_node() -> None:
    b = mg.array([1.0, 2.0])
    out = np.zeros((3, 2)) + b
    assert all(out[i, j].parents == (b[j],) for i in range(3) for j in range(2))


# --- ufuncs, products, reductions -------------------------------------------------------------------------------

UNARY = [name for name in UFUNCS if getattr(np, name).nin == 1 and name not in ("positive",)]


@pytest.mark.parametrize("name", UNARY)
def test_unary_ufuncs(name: str) -> None:
    ufunc = getattr(np, name)
    points = np.array([1.25, 2.5]) if name == "arccosh" else np.array([0.25, 0.75])
    a = mg.array(points)
    out = ufunc(a)
    np.testing.assert_allclose(mg.data_of(out), ufunc(points), rtol=1e-14)
    out.sum().backward()
    h = 1e-6
    slope = (ufunc(points + h) - ufunc(points - h)) / (2 * h)
    np.testing.assert_allclose(mg.grad_of(a), slope, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "power"])
def test_binary_ufuncs_with_numbers_on_either_side(name: str) -> None:
    ufunc = getattr(np, name)
    points, numbers = np.array([0.5, 2.0, 3.0]), np.array([2.0, 0.5, 1.5])
    a = mg.array(points)
    np.testing.assert_allclose(mg.data_of(ufunc(a, numbers)), ufunc(points, numbers), rtol=1e-15)
    np.testing.assert_allclose(mg.data_of(ufunc(numbers, a)), ufunc(numbers, points), rtol=1e-15)
    np.testing.assert_allclose(mg.data_of(ufunc(a, 2.0)), ufunc(points, 2.0), rtol=1e-15)
    assert all(len(v.parents) == 1 for v in ufunc(a, numbers))


def test_the_list_of_ufuncs_is_complete() -> None:
    """Every ufunc of NumPy works on an array of Values if it is listed, and only then."""
    working = set()
    aliases = {"abs": "absolute", "acos": "arccos", "acosh": "arccosh", "asin": "arcsin", "asinh": "arcsinh"}
    aliases |= {"atan": "arctan", "atan2": "arctan2", "atanh": "arctanh", "true_divide": "divide", "pow": "power"}
    for name in dir(np):
        ufunc = getattr(np, name)
        if not isinstance(ufunc, np.ufunc) or name in aliases or (ufunc.signature and name != "matmul"):
            continue
        a = mg.array([1.25] if name == "arccosh" else [0.5])
        operands = [a] if ufunc.nin == 1 else [a, mg.array([0.25])]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                out = np.asarray(ufunc(*operands[: ufunc.nin]))
        except (TypeError, AttributeError):  # NumPy says either, where an element lacks the method
            continue
        # Comparisons give bools; floor and friends give numbers without a gradient: neither is differentiated.
        if out.size == 1 and isinstance(out.ravel()[0], Value):
            working.add(name)
    listed_elsewhere = {name for name in INSTEAD if hasattr(np, name)}
    assert set(UFUNCS) <= working
    assert working - set(UFUNCS) <= listed_elsewhere


def test_what_numpy_gets_wrong_is_listed_with_what_to_use() -> None:
    a, b = mg.array([1.0, 2.0]), mg.array([1.0, 3.0])
    np.maximum(a, b).sum().backward()
    assert list(mg.grad_of(a)) == [1.0, 0.0]  # NumPy picks one operand at the tie ...
    assert list(mg.grad_of(b)) == [0.0, 1.0]
    a, b = mg.array([1.0, 2.0]), mg.array([1.0, 3.0])
    mg.maximum(a, b).sum().backward()
    assert list(mg.grad_of(a)) == [0.5, 0.0]  # ... where the convention is half to each
    assert list(mg.grad_of(b)) == [0.5, 1.0]
    with pytest.raises(TypeError):
        np.isfinite(a)
    with pytest.raises((TypeError, AttributeError)):
        np.hypot(np.array([3.0]), mg.array([4.0]))  # a float has no method of that name
    assert mg.hypot(np.array([3.0]), mg.array([4.0]))[0].data == 5.0
    mixed = np.array([Value(0.0), 1.0], dtype=object)
    with pytest.raises(TypeError):
        np.exp(mixed)
    assert mg.data_of(mg.exp(mixed)).tolist() == [1.0, pytest.approx(2.718281828459045)]
    for target in INSTEAD.values():
        function = target.removeprefix("micrograd.").split("(")[0].split(" ")[0]
        assert target.startswith("numpy.") or callable(getattr(mg, function))


def test_numpy_numbers_beside_a_value() -> None:
    v = Value(3.0)
    for result in (np.float64(2) * v, v * np.float64(2), np.float32(2) * v, np.int64(2) * v, v * np.int64(2)):
        assert type(result) is Value
        assert result.data == 6.0
        assert result.parents == (v,)
        assert all(type(x) in (Value, float) for x in result.operands)
    left, right = v * np.array([1.0, 2.0]), np.array([1.0, 2.0]) * v
    assert mg.data_of(left).tolist() == mg.data_of(right).tolist() == [3.0, 6.0]
    assert left[1].parents == (v,)
    assert mg.data_of(np.float64(1) - v) == -2.0
    assert mg.data_of(np.float64(6) / v) == 2.0
    assert mg.data_of(np.float64(2) ** v) == 8.0
    exponential: Any = np.exp
    assert exponential(v).data == mg.exp(3.0)


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_matrix_products(n: int, d: int, m: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    left, right, upstream = rng.normal(size=(n, d)), rng.normal(size=(d, m)), rng.normal(size=(n, m))
    x, w = mg.array(left), mg.array(right)
    out = x @ w
    np.testing.assert_allclose(mg.data_of(out), left @ right, rtol=1e-12, atol=1e-12)
    (out * upstream).sum().backward()
    np.testing.assert_allclose(mg.grad_of(x), upstream @ right.T, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(mg.grad_of(w), left.T @ upstream, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(mg.data_of(left @ w), left @ right, rtol=1e-12, atol=1e-12)


def test_reductions() -> None:
    numbers = np.arange(1.0, 7.0).reshape(2, 3)
    a = mg.array(numbers)
    np.testing.assert_array_equal(mg.data_of(a.sum(axis=0)), numbers.sum(axis=0))
    np.testing.assert_array_equal(mg.data_of(a.sum(axis=1, keepdims=True)), numbers.sum(axis=1, keepdims=True))
    np.testing.assert_array_equal(mg.data_of(a.mean(axis=1)), numbers.mean(axis=1))
    np.testing.assert_array_equal(mg.data_of(a.cumsum(axis=1)), numbers.cumsum(axis=1))
    mean: Any = a.mean()
    mean.backward()
    np.testing.assert_allclose(mg.grad_of(a), np.full((2, 3), 1 / 6), rtol=1e-15)
    assert mg.data_of(np.dot(a[0], a[1])) == 32.0


def test_operations_over_an_iterable_run_over_the_first_axis() -> None:
    numbers = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    a = mg.array(numbers)
    assert mg.data_of(mg.sum(a)).tolist() == [9.0, 12.0]
    assert mg.data_of(mg.mean(a)).tolist() == [3.0, 4.0]
    assert mg.data_of(mg.logsumexp(a)).tolist() == pytest.approx(np.log(np.exp(numbers).sum(axis=0)).tolist())
    assert mg.data_of(mg.dot(a, numbers)).tolist() == [35.0, 56.0]
    assert mg.data_of(mg.sum(a.ravel())) == 21.0
    assert all(v.op == "sum" and len(v.parents) == 3 for v in mg.sum(a))
    many = mg.array(np.ones((200, 2)))  # more operands than NumPy's own iterators take
    assert mg.data_of(mg.sum(many)).tolist() == [200.0, 200.0]


def test_numbers_only_give_numbers() -> None:
    result = mg.maximum(np.array([1.0, 5.0]), np.array([3, 2]))
    assert result.dtype == np.float64
    assert result.tolist() == [3.0, 5.0]
    assert type(mg.exp(np.array(0.0))) is np.float64 or mg.exp(np.array(0.0)) == 1.0


def test_no_numpy_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "numpy", None)
    with pytest.raises(ImportError, match=r"\.\[numpy\]"):
        mg.array([1.0])
