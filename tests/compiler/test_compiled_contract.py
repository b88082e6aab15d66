"""Protects what ``mg.compile`` promises its user: captured Values are parameters, arguments are whatever nests numbers,
results are the user's own, choices are made at run time, and the compiled function shows what it did.
"""

from __future__ import annotations

import inspect
import random
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support import same

import micrograd as mg
from micrograd import Value

pytest.importorskip("llvmlite", reason="the backend 'llvm' needs llvmlite")

BACKENDS = ("python", "llvm")
pytestmark = pytest.mark.parametrize("backend", BACKENDS)
Point = namedtuple("Point", "x y")


def eager_gradients(out: Value, *leaves: Value) -> list[float]:
    """Return what ``backward`` adds to each leaf, and leave the gradients as they were."""
    before = [leaf.grad for leaf in leaves]
    for leaf in leaves:
        leaf.grad = 0.0
    out.backward()
    found = [leaf.grad for leaf in leaves]
    for leaf, grad in zip(leaves, before):
        leaf.grad = grad
    return found


# --- captured Values --------------------------------------------------------------------------------------------


def test_parameters_are_read_at_every_call_and_their_gradients_accumulate(backend: str) -> None:
    w, b, stranger = Value(3.0, label="w"), Value(-1.0), Value(9.0)
    f = mg.compile(lambda x: mg.tanh(w * x + b) * w, backend=backend)
    w.grad, stranger.grad = 10.0, 5.0
    expected = [10.0, 0.0]
    for data, x in [(3.0, 0.5), (0.25, -1.0), (-2.0, 0.5)]:
        w.data = data
        truth = mg.tanh(w * x + b) * w
        expected = [g + more for g, more in zip(expected, eager_gradients(truth, w, b))]
        assert f.backward(x) == pytest.approx(truth.data, rel=1e-15)
        assert [w.grad, b.grad] == pytest.approx(expected, rel=1e-14)
        assert f(x) == pytest.approx(truth.data, rel=1e-15)
    assert (stranger.grad, stranger.data) == (5.0, 9.0)
    assert len(f.variants) == 1
    assert w.label == "w"


def test_calls_that_are_not_backward_touch_no_grad(backend: str) -> None:
    w = Value(2.0)
    w.grad = 7.0
    f = mg.compile(lambda x: w * x * x, backend=backend)
    assert f(3.0) == 18.0
    assert f.value_and_grad(3.0) == (18.0, 12.0)
    assert f.grad(3.0) == 12.0
    assert f.hessian(3.0) == 4.0
    assert f.hvp((3.0,), (2.0,)) == 8.0
    assert f.jvp((3.0,), (2.0,)) == (18.0, 24.0)
    assert (w.grad, w.data) == (7.0, 2.0)


def test_a_leaf_shared_in_several_places_gets_the_sum(backend: str) -> None:
    w, other = Value(1.5), Value(-0.5)
    inner = mg.sin(w) * other

    def f(x: Any) -> Any:
        return mg.sum([w * x, w * w, inner * w, inner, mg.exp(inner), x])

    expected = eager_gradients(f(0.75), w, other)
    compiled = mg.compile(f, backend=backend)
    compiled.backward(0.75)
    assert [w.grad, other.grad] == pytest.approx(expected, rel=1e-14)


def test_a_captured_interior_node_is_recomputed_from_its_leaves(backend: str) -> None:
    w, c = Value(2.0), Value(5.0)
    square = w * w + c
    square.grad = 4.0
    f = mg.compile(lambda x: square * x, backend=backend)
    assert f(1.0) == 9.0
    w.data = 3.0
    assert f(1.0) == 14.0
    assert square.data == 9.0  # the node itself keeps what it was computed as
    assert f.backward(2.0) == 28.0
    assert (w.grad, c.grad, square.grad) == (12.0, 2.0, 4.0)


def test_a_graph_without_arguments(backend: str) -> None:
    w = Value(0.5)
    loss = mg.log(w) * w
    f = mg.compile(lambda: loss, backend=backend)
    assert f() == pytest.approx(loss.data, rel=1e-15)
    assert f.value_and_grad() == (f(), ())
    assert f.backward() == f()
    assert w.grad == pytest.approx(np.log(0.5) + 1.0, rel=1e-14)
    leaf = mg.compile(lambda: w, backend=backend)
    w.grad = 0.0
    assert (leaf.backward(), w.grad) == (0.5, 1.0)


def test_a_model_of_the_library_trains(backend: str) -> None:
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(23, 2)), np.sign(rng.normal(size=23))
    model = mg.nn.MLP(2, [4, 3, 1], rng=random.Random(1))
    twin = mg.nn.MLP(2, [4, 3, 1], rng=random.Random(1))
    term: Any = lambda model, x, y: (1.0 - y * model(x)).relu()
    loss = mg.compile(lambda x, y: term(model, x, y), backend=backend, batched=("x", "y"), reduce="mean")
    for _ in range(3):
        model.zero_grad()
        twin.zero_grad()
        eager = mg.mean([term(twin, row, target) for row, target in zip(x.tolist(), y.tolist())])
        eager.backward()
        assert loss.backward(x, y) == pytest.approx(eager.data, rel=1e-13)
        for p, q in zip(model.parameters(), twin.parameters(), strict=True):
            assert p.grad == pytest.approx(q.grad, rel=1e-11, abs=1e-14)
            p.data -= 0.1 * p.grad
            q.data -= 0.1 * q.grad
    assert len(loss.variants) == 1


def test_gradients_add_up_over_the_samples_of_a_batch_and_over_calls(backend: str) -> None:
    w = Value(2.0)
    f = mg.compile(lambda x: w * x, backend=backend, batched="x", reduce="sum")
    each = mg.compile(lambda x: w * x, backend=backend, batched="x")
    x = np.arange(5.0)
    assert (f.backward(x), w.grad) == (20.0, 10.0)
    assert (f.backward(x[:2]), w.grad) == (2.0, 11.0)
    np.testing.assert_array_equal(each.backward(x), 2.0 * x)  # every sample's own value
    assert w.grad == 21.0


# --- arguments --------------------------------------------------------------------------------------------------


def test_arguments_nest_and_gradients_come_back_in_the_same_structure(backend: str) -> None:
    def f(t: Any, scale: Any) -> Any:
        total = t["point"].x * 10.0 + t["point"].y[0] * 20.0 * scale
        for w, b in t["layers"]:
            total = total + (w * w).sum() * scale + b * b
        return total

    tree = {"layers": [(np.array([[1.0, 2.0]]), 3.0), (np.array([4.0]), 5.0)], "point": Point(6.0, [7.0])}
    g, by_scale = mg.compile(f, backend=backend).grad(tree, 2.0)
    assert list(g) == ["layers", "point"]
    assert type(g["point"]) is Point
    assert g["point"] == Point(10.0, [40.0])
    assert type(g["layers"]) is list
    assert type(g["layers"][0]) is tuple
    np.testing.assert_array_equal(g["layers"][0][0], [[4.0, 8.0]])
    assert g["layers"][0][1] == 6.0
    np.testing.assert_array_equal(g["layers"][1][0], [16.0])
    assert by_scale == 140.0 + 5.0 + 16.0
    eager = mg.grad(f, argnums=(0, 1))(tree, 2.0)
    assert repr(eager) == repr((g, by_scale))


@pytest.mark.parametrize(
    ("x", "kind"),
    [
        (2.5, float),
        (np.float64(2.5), float),
        (np.float32(2.5), float),
        (True, float),
        (np.bool_(True), float),
        (np.array(2.5), float),
    ],
)
def test_numbers_of_every_kind(x: Any, kind: Any, backend: str) -> None:
    f = mg.compile(lambda x: x * x + 1.0, backend=backend)
    value, gradient = f.value_and_grad(x)
    assert (value, gradient) == (float(x) ** 2 + 1.0, 2.0 * float(x))
    assert type(value) is type(f(x)) is kind
    assert np.shape(gradient) == ()


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (0,), (2, 0), (2, 1, 2)])
def test_arrays_of_every_shape(shape: tuple[int, ...], backend: str) -> None:
    x = np.cos(np.arange(np.prod(shape))).reshape(shape)
    f = mg.compile(lambda x, c: mg.sum([c, *np.ravel(x * x * c).tolist()]), backend=backend)
    value, (gradient, by_c) = f.value_and_grad(x, 3.0)
    assert value == pytest.approx(float((x * x).sum()) * 3.0 + 3.0, rel=1e-14)
    assert np.shape(gradient) == shape
    np.testing.assert_allclose(gradient, 6.0 * x, rtol=1e-15)
    assert by_c == pytest.approx(float((x * x).sum()) + 1.0, rel=1e-14)


LAYOUTS: dict[str, Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]] = {
    "as it is": lambda x: x,
    "in Fortran's order": np.asfortranarray,
    "every other one": lambda x: np.repeat(x, 2, axis=0)[::2],
    "backwards": lambda x: np.ascontiguousarray(x[::-1])[::-1],
    "transposed": lambda x: np.ascontiguousarray(x.T).T,
    "float32": lambda x: x.astype(np.float32),
    "big-endian": lambda x: x.astype(">f8"),
    "not aligned": lambda x: np.frombuffer(b"." + x.tobytes(), dtype=np.float64, offset=1).reshape(x.shape),
    "read-only": lambda x: np.frombuffer(x.tobytes()).reshape(x.shape),
    "booleans": lambda x: x > 0.0,
    "a broadcast row": lambda x: np.broadcast_to(x[0], x.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("batched", [False, True])
def test_arrays_in_any_layout_are_read_and_never_written(layout: str, batched: bool, backend: str) -> None:
    x = np.cos(np.arange(33.0)).reshape(11, 3)
    given = LAYOUTS[layout](x)
    before = given.tobytes()
    numbers = given.astype(np.float64)
    if batched:
        f = mg.compile(lambda x: mg.tanh(x).sum(), backend=backend, batched="x", reduce="sum")
    else:
        f = mg.compile(lambda x: mg.tanh(x).sum(), backend=backend)
    for _ in range(2):
        value, gradient = f.value_and_grad(given)
        assert value == pytest.approx(float(np.tanh(numbers).sum()), rel=1e-13)
        np.testing.assert_allclose(gradient, 1.0 - np.tanh(numbers) ** 2, rtol=1e-13)
        assert gradient.shape == x.shape
    assert given.tobytes() == before


def test_results_are_fresh_and_a_later_call_leaves_them_alone(backend: str) -> None:
    w = mg.array([1.0, 2.0])
    plain = mg.compile(lambda x: (w * x * x).sum(), backend=backend)
    each = mg.compile(lambda x: (w * x * x).sum(), backend=backend, batched="x")
    total = mg.compile(lambda x, s: (w * x * x).sum() * s, backend=backend, batched="x", reduce="sum")
    x = np.array([1.0, 3.0])
    rows = np.arange(10.0).reshape(5, 2)
    calls: list[Callable[[float], Any]] = [
        lambda k: plain.grad(x * k),
        lambda k: plain.hessian(x * k),
        lambda k: plain.hvp((x * k,), (x,)),
        lambda k: each(rows * k),
        lambda k: each.grad(rows * k),
        lambda k: total.grad(rows * k, np.array([2.0])[0])[0],
    ]
    for call in calls:
        first = call(1.0)
        kept = first.copy()
        for k in (2.0, 3.0, 4.0):
            later = call(k)
            assert not np.shares_memory(first, later)
            assert not np.shares_memory(first, x)
            assert not np.shares_memory(first, rows)
        np.testing.assert_array_equal(first, kept)
        first[...] = np.nan  # it is the user's
        np.testing.assert_array_equal(call(1.0), kept)


def test_keywords_defaults_and_any_number_of_arguments(backend: str) -> None:
    def f(x: Any, y: Any = 2.0, *rest: Any, k: Any = 3.0) -> Any:
        total = x * y * k
        for r in rest:
            total = total + r * r
        return total

    compiled = mg.compile(f, backend=backend)
    assert compiled(5.0) == 30.0
    assert compiled(5.0, 1.0) == 15.0
    assert compiled(y=1.0, x=5.0) == 15.0
    assert compiled(5.0, k=1.0) == 10.0
    assert compiled(5.0, 1.0, 2.0, 3.0) == 28.0
    assert compiled.grad(5.0) == (6.0, 15.0, 10.0)
    assert compiled.grad(5.0, 1.0, 2.0, 3.0) == (3.0, 15.0, 4.0, 6.0, 5.0)
    assert compiled.grad(5.0, 1.0, argnums=1) == 15.0
    for arguments, keywords in ((), {}), ((1.0,), {"z": 1.0}), ((1.0,), {"x": 2.0}):
        with pytest.raises(TypeError):
            compiled(*arguments, **keywords)


def test_argnums_in_every_form(backend: str) -> None:
    f = lambda x, y, z: x * y * y + z
    compiled = mg.compile(f, backend=backend)
    assert compiled.grad(2.0, 3.0, 1.0) == (9.0, 12.0, 1.0)
    assert compiled.grad(2.0, 3.0, 1.0, argnums=1) == 12.0
    assert compiled.grad(2.0, 3.0, 1.0, argnums=-3) == 9.0
    assert compiled.grad(2.0, 3.0, 1.0, argnums=(1,)) == (12.0,)
    assert compiled.grad(2.0, 3.0, 1.0, argnums=[2, 0]) == (1.0, 9.0)
    assert compiled.value_and_grad(2.0, 3.0, 1.0, argnums=(0, 2)) == (19.0, (9.0, 1.0))
    assert mg.compile(f, backend=backend, argnums=1).grad(2.0, 3.0, 1.0) == 12.0
    assert mg.compile(f, backend=backend, argnums=(1, 0)).grad(2.0, 3.0, 1.0) == (12.0, 9.0)
    assert mg.compile(f, backend=backend, argnums=1).grad(2.0, 3.0, 1.0, argnums=0) == 9.0
    assert mg.compile(lambda x: x * x, backend=backend).grad(3.0) == 6.0
    assert compiled.hessian(2.0, 3.0, 1.0, argnums=(0, 1)) == ((0.0, 6.0), (6.0, 4.0))
    assert compiled.hessian(2.0, 3.0, 1.0, argnums=1) == 4.0


def test_an_argument_that_has_no_influence_has_a_gradient_of_zero(backend: str) -> None:
    f = mg.compile(lambda x, y: y * 2.0, backend=backend)
    x = np.ones((2, 2))
    value, (by_x, by_y) = f.value_and_grad(x, 3.0)
    assert (value, by_y) == (6.0, 2.0)
    np.testing.assert_array_equal(by_x, np.zeros((2, 2)))
    np.testing.assert_array_equal(f.hessian(x, 3.0, argnums=0), np.zeros((2, 2, 2, 2)))
    np.testing.assert_array_equal(f.hvp((x, 3.0), (x, None)), np.zeros((2, 2)))
    assert f.jvp((x, 3.0), (x, None)) == (6.0, 0.0)
    batched = mg.compile(lambda x, y: y * 2.0, backend=backend, batched="x")
    values, (by_x, by_y) = batched.value_and_grad(np.ones((3, 2)), 1.0)
    assert (values.tolist(), by_x.tolist(), by_y.tolist()) == ([2.0] * 3, [[0.0, 0.0]] * 3, [2.0] * 3)


def test_the_argument_itself_and_a_value_alone(backend: str) -> None:
    f = mg.compile(lambda x: x, backend=backend)
    assert f.value_and_grad(-0.0) == (0.0, 1.0)
    assert same(f(-0.0), -0.0)
    w = Value(4.0)
    g = mg.compile(lambda x: w, backend=backend)
    assert g.value_and_grad(1.0) == (4.0, 0.0)
    assert g.backward(1.0) == 4.0
    assert w.grad == 1.0
    h = mg.compile(lambda x, i: x[1], backend=backend, batched="x")
    values, (gradient, _) = h.value_and_grad(np.arange(6.0).reshape(2, 3), 1.5)
    assert (values.tolist(), gradient.tolist()) == ([1.0, 4.0], [[0.0, 1.0, 0.0]] * 2)


def test_nested_hessians_have_the_structure_that_eager_ones_have(backend: str) -> None:
    def f(p: Any) -> Any:
        return p["w"][0] * p["w"][1] * p["b"] + mg.exp(p["b"]) * p["m"].sum()

    p = {"w": [1.0, 2.0], "b": 0.5, "m": np.array([1.0, -1.0])}
    got, wanted = mg.compile(f, backend=backend).hessian(p), mg.hessian(f)(p)
    flat: Any = lambda tree: [x for leaf in _leaves(tree) for x in np.ravel(leaf).tolist()]
    assert flat(got) == pytest.approx(flat(wanted), rel=1e-14)
    assert _shape(got) == _shape(wanted)


def _leaves(tree: Any) -> list[Any]:
    parts = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, (list, tuple)) else None
    return [tree] if parts is None else [leaf for part in parts for leaf in _leaves(part)]


def _shape(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _shape(part) for key, part in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree), [_shape(part) for part in tree]
    return np.shape(tree)


# --- choices at run time ----------------------------------------------------------------------------------------


def test_take_with_an_int_argument(backend: str) -> None:
    rows = mg.array(np.arange(12.0).reshape(4, 3), label="row")
    f = mg.compile(lambda i, j, x: mg.take(rows[:, 0].tolist(), i) * x + mg.take([x, x * x, 3.0], j), backend=backend)
    choices: list[tuple[Any, Any]] = [(0, 0), (3, 1), (-1, 2), (-4, -3), (np.int64(2), np.int32(-1))]
    for i, j in choices:
        for v in rows.ravel():
            v.grad = 0.0
        x = 2.5
        eager = mg.take(rows[:, 0].tolist(), i) * x + mg.take([x, x * x, 3.0], j)
        assert f(i, j, x) == eager.data
        assert f.backward(i, j, x) == eager.data
        assert [v.grad for v in rows[:, 0]] == [x if k == int(i) % 4 else 0.0 for k in range(4)]
        wanted = rows[int(i), 0].data + [1.0, 2.0 * x, 0.0][int(j) % 3]
        assert f.grad(i, j, x) == (wanted,)
        assert f.grad(i, j, x, argnums=2) == wanted
    assert len(f.variants) == 1


def test_take_with_an_int_that_is_known_when_the_function_is_captured(backend: str) -> None:
    w = [Value(1.0), Value(2.0), Value(3.0)]
    f = mg.compile(lambda x, c: mg.take(w, 1) * mg.take(x.tolist(), -1) * mg.take([c, x[0] * c], 0), backend=backend)
    x = np.array([5.0, 7.0])
    assert f(x, 2.0) == 28.0
    value, (by_x, by_c) = f.value_and_grad(x, 2.0)
    assert (value, by_x.tolist(), by_c) == (28.0, [0.0, 4.0], 14.0)
    f.backward(x, 2.0)
    assert [v.grad for v in w] == [0.0, 14.0, 0.0]


@pytest.mark.parametrize("reduce", ["sum", "mean", None])
def test_take_with_an_int_for_every_sample(reduce: str | None, backend: str) -> None:
    """Rows of an embedding: each sample's gradient goes to the row that it chose."""
    table = mg.array(np.linspace(-1.0, 1.0, 10).reshape(5, 2))
    ids = np.array([0, 4, -1, 2, 2, 2, 1, -5, 3, 0, 2])
    y = np.cos(np.arange(11.0))

    def loss(i: Any, y: Any) -> Any:
        row = [mg.take(table[:, k].tolist(), i) for k in range(2)]
        return mg.tanh(row[0] * y) + row[1] * row[1]

    f = mg.compile(loss, backend=backend, batched=("i", "y"), reduce=reduce)
    terms = [loss(int(i), float(target)) for i, target in zip(ids, y)]
    total = mg.sum(terms) / (11.0 if reduce == "mean" else 1.0)
    wanted = eager_gradients(total, *table.ravel())
    got = f.backward(ids, y)
    if reduce is None:
        np.testing.assert_allclose(got, [t.data for t in terms], rtol=1e-13)
    else:
        assert got == pytest.approx(total.data, rel=1e-13)
    np.testing.assert_allclose(mg.grad_of(table).ravel(), wanted, rtol=1e-12, atol=1e-15)
    assert f.program.scatters or reduce is None
    gradient = f.grad(ids, y)
    assert len(gradient) == 1
    assert gradient[0].shape == (11,)
    for narrow in (np.int8, np.uint16, np.int32):
        np.testing.assert_array_equal(f((ids % 5).astype(narrow), y), f(ids, y))


def test_take_of_arguments_hands_its_gradient_to_the_argument_that_was_chosen(backend: str) -> None:
    weights = np.array([0.5, -1.0, 2.0])
    f = mg.compile(lambda p, i: mg.take(p.tolist(), i) ** 2, backend=backend)
    for i in range(-3, 3):
        value, (gradient,) = f.value_and_grad(weights, i)
        assert value == weights[i] ** 2
        expected = np.zeros(3)
        expected[i] = 2.0 * weights[i]
        np.testing.assert_array_equal(gradient, expected)
        hessian = np.zeros((3, 3))
        hessian[i, i] = 2.0
        np.testing.assert_array_equal(f.hessian(weights, i, argnums=0), hessian)
        np.testing.assert_array_equal(f.hvp((weights, i), (weights, None)), expected)
        assert f.jvp((weights, i), (weights, None))[1] == 2.0 * weights[i] ** 2
    each = mg.compile(lambda p, i: mg.take(p.tolist(), i) ** 2, backend=backend, batched="i")
    ids = np.array([2, 0, 0, -2])
    values, (gradient,) = each.value_and_grad(weights, ids)
    np.testing.assert_array_equal(values, weights[ids] ** 2)
    np.testing.assert_array_equal(gradient, [[2.0 * w * (k == i % 3) for k, w in enumerate(weights)] for i in ids])


def test_take_from_samples_and_from_interior_results(backend: str) -> None:
    w = Value(0.5)
    f = mg.compile(
        lambda x, i: mg.take([x[0], mg.sin(x[1] * w), x[2] * x[2]], i),
        backend=backend,
        batched=("x", "i"),
        reduce="sum",
    )
    x = np.arange(15.0).reshape(5, 3) / 7.0
    ids = np.array([0, 1, 2, 1, -3])
    value, (gradient,) = f.value_and_grad(x, ids)
    wanted = [x[0, 0], np.sin(x[1, 1] * 0.5), x[2, 2] ** 2, np.sin(x[3, 1] * 0.5), x[4, 0]]
    assert value == pytest.approx(sum(wanted), rel=1e-14)
    expected = np.zeros((5, 3))
    expected[[0, 4], 0] = 1.0
    expected[[1, 3], 1] = 0.5 * np.cos(x[[1, 3], 1] * 0.5)
    expected[2, 2] = 2.0 * x[2, 2]
    np.testing.assert_allclose(gradient, expected, rtol=1e-14)
    f.backward(x, ids)
    assert w.grad == pytest.approx(float((x[[1, 3], 1] * np.cos(x[[1, 3], 1] * 0.5)).sum()), rel=1e-13)


@pytest.mark.parametrize("index", [3, -4, 10**9, -(10**18)])
def test_an_index_out_of_range_is_refused_before_anything_runs(index: int, backend: str) -> None:
    w = [Value(1.0), Value(2.0), Value(3.0)]
    f = mg.compile(lambda i, x: mg.take(w, i) * x, backend=backend)
    each = mg.compile(lambda ids, x: mg.take(w, ids) * x, backend=backend, batched=("ids", "x"), reduce="sum")
    x = np.ones(4)
    for call in (f, f.value_and_grad, f.backward):
        call(1, 2.0)
        w[1].grad = 0.0
        with pytest.raises(IndexError, match=rf"i: index {index} is out of range for take\(\) of 3 operands"):
            call(index, 2.0)
    for call in (each, each.value_and_grad, each.backward):
        with pytest.raises(IndexError, match=rf"ids: index {index} is out of range"):
            call(np.array([0, index, 1, 2]), x)
    assert [v.grad for v in w] == [0.0, 0.0, 0.0]
    assert f(-1, 2.0) == 6.0


def test_an_index_beyond_all_ints_does_not_wrap_around(backend: str) -> None:
    w = [Value(1.0), Value(2.0), Value(3.0)]
    one = mg.compile(lambda i, x: mg.take(w, i) * x, backend=backend)
    each = mg.compile(lambda i, x: mg.take(w, i) * x, backend=backend, batched=("i", "x"))
    with pytest.raises(IndexError, match=str(2**64 - 1)):
        one(2**64 - 1, 1.0)
    with pytest.raises(IndexError, match=str(2**64 - 1)):
        each(np.array([1, 2**64 - 1], dtype=np.uint64), np.ones(2))


def test_one_int_chooses_from_several_lists_and_each_checks_its_own_length(backend: str) -> None:
    a, b = [1.0, 2.0, 3.0], [10.0, 20.0]
    f = mg.compile(lambda i, x: mg.take(a, i) * x + mg.take(b, i), backend=backend)
    assert f(-1, 1.0) == 23.0
    assert f(0, 1.0) == 11.0
    with pytest.raises(IndexError, match="of 2 operands"):
        f(2, 1.0)
    ids = mg.compile(lambda i, x: mg.take(a, i[0]) * x + mg.take(b, i[1]), backend=backend)
    assert ids(np.array([2, -1]), 1.0) == 23.0
    with pytest.raises(IndexError, match="i, element 1: index 2"):
        ids(np.array([2, 2]), 1.0)


# --- one value, whoever asks ------------------------------------------------------------------------------------


POLYNOMIALS: list[Callable[[Any], Any]] = [
    lambda x: x**3,
    lambda x: x**4 / 3.0 - (-x) ** 2 * x**-1.0,
    lambda x: x**3 + mg.sin(x * x) * 2.0 + mg.sum([x, 0.1, x, -x, x * x]),
]


@pytest.mark.parametrize("f", POLYNOMIALS)
def test_every_way_to_call_returns_the_same_bits_of_the_value(f: Callable[[Any], Any], backend: str) -> None:
    one = mg.compile(f, backend=backend)
    several = mg.compile(f, backend=backend, batched="x")
    x = np.linspace(0.5, 2.0, 101)
    values = several(x)
    assert same(several.value_and_grad(x)[0].tolist(), values.tolist())
    assert same(several.backward(x).tolist(), values.tolist())
    for number in x.tolist():
        value = one(number)
        assert same(one.value_and_grad(number)[0], value)
        assert same(one.backward(number), value)
        assert same(one.jvp((number,), (1.0,))[0], value)
        assert same(one(np.array(number)), value)
        assert same(one.value_and_grad(np.array(number))[0], value)


# --- what a compiled function shows -----------------------------------------------------------------------------


def test_each_structure_of_arguments_is_a_variant(backend: str) -> None:
    captured = []

    def f(x: Any, y: Any = 1.0) -> Any:
        captured.append(type(x))
        return mg.sum(np.ravel(x).tolist()) * y if isinstance(x, np.ndarray) else x * y

    compiled = mg.compile(f, backend=backend)
    assert compiled.variants == []
    for x in (1.0, 2.0, np.float64(3.0), np.ones(2), np.ones(2, dtype=np.float32), np.ones((2, 1)), 4.0):
        compiled(x)
        compiled(x, 2.0)
    assert len(captured) == 3
    assert len(compiled.variants) == 3
    assert "x: float[2]" in compiled.variants[1]
    assert "3 variants" in repr(compiled)
    compiled.clear()
    assert compiled.variants == []
    assert compiled(1.0) == 1.0
    assert len(captured) == 4


def test_clear_lets_the_function_be_captured_anew(backend: str) -> None:
    factor = 2.0
    f = mg.compile(lambda x: x * factor, backend=backend)
    x = np.array(3.0)
    assert f(x) == 6.0
    factor = 5.0
    assert f(x) == 6.0  # what Python decides was decided when the function was captured
    f.clear()
    assert f(x) == 15.0
    g = mg.compile(lambda x: (x * factor).sum(), backend=backend)
    row = np.ones(3)
    assert [g.value_and_grad(row)[0] for _ in range(3)] == [15.0] * 3
    factor = 1.0
    g.clear()
    assert g.value_and_grad(row)[0] == 3.0


def test_more_variants_than_are_kept(backend: str) -> None:
    f = mg.compile(lambda x: (x * x).sum(), backend=backend)
    last = 66 if backend == "python" else 3
    for n in range(1, last):
        assert f(np.full(n, 2.0)) == 4.0 * n
    assert len(f.variants) <= 64
    assert f(np.full(1, 2.0)) == 4.0
    assert f.value_and_grad(np.full(2, 2.0))[1].tolist() == [4.0, 4.0]


def test_trace_captures_and_runs_nothing(backend: str) -> None:
    w = Value(1.0)
    f = mg.compile(lambda x: w * x, backend=backend)
    for name in ("program", "stats"):
        with pytest.raises(RuntimeError, match="has not been captured yet"):
            getattr(f, name)
    with pytest.raises(RuntimeError, match="has not been captured yet"):
        f.source("python")
    assert f.trace(2.0) is f
    assert len(f.variants) == 1
    assert w.grad == 0.0
    assert "def" in f.source("python")


def test_program_and_stats_tell_what_ran_last(backend: str) -> None:
    w = Value(0.5)
    f = mg.compile(lambda x: mg.exp(x * w) + x, backend=backend)
    f(1.0)
    assert str(f.program).splitlines()[-1].startswith("value")
    assert not f.program.gradients
    f.value_and_grad(1.0)
    assert len(f.program.gradients) == 1
    f.backward(1.0)
    stats = f.stats
    assert stats["nodes"] == 3
    assert stats["parameters"] == 1
    assert stats["instructions"] == f.program.count()
    assert stats["seconds"]["capture"] > 0.0
    if backend == "llvm":
        assert stats["bytes"] > 100
    f.jvp((1.0,), (1.0,))
    assert "tangent" in f.program.outputs
    assert str(f.program) == str(f.program)


def test_source_in_python_is_a_program_that_runs(backend: str) -> None:
    w = Value(0.5)

    def curve(x: Any, y: Any) -> Any:
        return mg.exp(x * w) * y + x / y

    f = mg.compile(curve, backend=backend).trace(1.0, 2.0)
    namespace: dict[str, Any] = {}
    exec(f.source("python"), namespace)
    outputs, gradients, chosen = namespace["curve"]([1.0, 2.0], [], [0.5], [], [], [], 1.0)
    value, by_argument = f.value_and_grad(1.0, 2.0)
    assert outputs[0] == pytest.approx(value, rel=1e-14)
    f.backward(1.0, 2.0)
    # in the order of the program, whatever that is
    assert sorted(gradients) == pytest.approx(sorted([*by_argument, w.grad]), rel=1e-14)
    assert chosen == ()


def test_source_of_a_function_without_a_name_is_python_too(backend: str) -> None:
    f = mg.compile(lambda x: x * 2.0, backend=backend)
    f(1.0)
    compile(f.source("python"), "<source>", "exec")


def test_source_in_llvm_is_what_llvm_accepts(backend: str) -> None:
    f = mg.compile(lambda x: mg.tanh(x) * x, backend=backend, batched="x", reduce="sum")
    f(np.ones(3))
    text = f.source("llvm")
    assert "define" in text
    assert "fmul" in text
    from micrograd.compiler import jit

    jit.verified(text)


def test_an_unknown_language_is_refused(backend: str) -> None:
    f = mg.compile(lambda x: x, backend=backend).trace(1.0)
    with pytest.raises(ValueError, match="unknown language 'fortran'"):
        f.source("fortran")


def test_the_decorated_function_looks_like_the_function(backend: str) -> None:
    @mg.compile(backend=backend)  # type: ignore[untyped-decorator]
    def well_named(x: float, y: float = 2.0) -> Any:
        """Say what it does."""
        return x * y

    assert well_named.__name__ == "well_named"
    assert well_named.__doc__ == "Say what it does."
    assert str(inspect.signature(well_named)).startswith("(x: ")
    assert well_named.__wrapped__(3.0) == 6.0
    assert well_named(3.0) == 6.0


def test_what_a_function_says_is_captured_once(backend: str) -> None:
    """Python runs once, so a random number or a loop over an outer list is what it was then."""
    items = [1.0, 2.0]
    f = mg.compile(lambda x: mg.sum([x * item for item in items]), backend=backend)
    assert f(1.0) == 3.0
    items.append(10.0)
    assert f(1.0) == 3.0


def test_predicates_combine_and_choose(backend: str) -> None:
    f = mg.compile(
        lambda x, y: mg.where((x > 0.0) & (y <= 1.0), x, mg.where((x < -1.0) | (y > 2.0) | False, y, x * y)),
        backend=backend,
    )
    for x in (-2.0, -0.5, 0.0, 0.5):
        for y in (0.5, 1.0, 1.5, 3.0):
            wanted = x if x > 0.0 and y <= 1.0 else y if x < -1.0 or y > 2.0 else x * y
            assert f(x, y) == wanted
    g = mg.compile(lambda x: mg.where(x <= 0.5, 1.0, x), backend=backend)
    assert (g(0.5), g(0.75)) == (1.0, 0.75)


def test_arrays_of_symbols_do_what_arrays_of_values_do(backend: str) -> None:
    m = np.arange(6.0).reshape(2, 3)

    def f(x: Any) -> Any:
        hidden = mg.maximum(m @ x, 0.5) + np.tanh(x[:2])
        return (hidden.reshape(1, 2) * np.array([[1.0], [2.0]])).sum() + x.mean() + x.T.sum(axis=0) + abs(x).sum()

    x = np.array([0.5, -1.0, 0.25])
    value, gradient = mg.compile(f, backend=backend).value_and_grad(x)
    true_value, true_gradient = mg.value_and_grad(f)(x)
    assert value == pytest.approx(true_value, rel=1e-14)
    np.testing.assert_allclose(gradient, true_gradient, rtol=1e-13)
