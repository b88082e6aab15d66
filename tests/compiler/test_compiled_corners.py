"""Protects corners in which two good parts could meet badly: layouts of products that want the same numbers in two
places, quick calls after other calls, second derivatives where an upstream gradient is zero, modes, users' operations
that change, arguments without elements.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import registered, run_python

import micrograd as mg
from micrograd.compiler import products, schedule

BACKENDS = ("llvm", "python")


# --- where products leave their results ---------------------------------------------------------------------------


@pytest.fixture
def loops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "SMALLEST", 4)
    monkeypatch.setattr(schedule.scheduled, "__kwdefaults__", {"small": 0, "large": float("inf")})


REARRANGED: list[Callable[[Any], Any]] = [
    lambda h: np.roll(h, 1),
    lambda h: h[::-1],
    lambda h: h[: len(h) // 2 + 1],
    lambda h: np.concatenate([h[2:], h[:3]]),
    lambda h: h * h[0],
    lambda h: h,
]


@pytest.mark.usefixtures("loops")
@settings(max_examples=60)
@given(
    st.lists(st.sampled_from([4, 5, 8, 13]), min_size=2, max_size=4),
    st.lists(st.integers(0, len(REARRANGED) - 1), min_size=3, max_size=3),
    st.booleans(),
)
def test_linear_layers_on_rearranged_numbers(sizes: list[int], which: list[int], batched: bool) -> None:
    rng = np.random.default_rng(0)

    def f(weights: list[Any], x: Any) -> Any:
        h, seen = x, []
        for w, k in zip(weights, which):
            h = REARRANGED[k](w @ h)
            seen.append(h)
        return mg.sum([v * v for part in seen for v in part])

    width, weights = sizes[0], []
    for size, k in zip(sizes[1:], which):
        weights.append(rng.normal(size=(size, width)) / width)
        width = len(REARRANGED[k](np.zeros(size)))
    x = rng.normal(size=(11, sizes[0])) if batched else rng.normal(size=sizes[0])
    options: dict[str, Any] = {"batched": ("x",), "reduce": "sum"} if batched else {}
    got = mg.compile(f, cache=False, **options).value_and_grad(weights, x)
    wanted = mg.compile(f, backend="python", **options).value_and_grad(weights, x)
    np.testing.assert_allclose(got[0], wanted[0], rtol=1e-11)
    for g, h in zip([*got[1][0], got[1][1]], [*wanted[1][0], wanted[1][1]]):
        np.testing.assert_allclose(g, h, rtol=1e-9, atol=1e-13)


def test_a_permuted_layer_between_two_larger_ones() -> None:
    rng = np.random.default_rng(0)
    a, b, x = rng.normal(size=(64, 32)), rng.normal(size=(64, 64)), rng.normal(size=32)
    f = mg.compile(lambda a, b, x: ((b @ np.roll(a @ x, 1)) ** 2).sum(), argnums=0, cache=False)
    assert f(a, b, x) == pytest.approx(((b @ np.roll(a @ x, 1)) ** 2).sum(), rel=1e-12)


# --- quick calls ----------------------------------------------------------------------------------------------------


def test_a_quick_call_is_only_for_the_arrays_it_was_made_for() -> None:
    f = mg.compile(lambda w, x: w[0] * x, batched="x", reduce="sum", argnums=0, cache=False)
    w, x = np.array([2.0]), np.arange(8.0)
    for arrays in [(w, x), (w, x), (w.astype("f4"), x.astype("f4")), (w, x.astype("f4")), (w, x.astype(">f8")), (w, x)]:
        for _ in range(2):
            value, gradient = f.value_and_grad(*arrays)
            assert (value, gradient.tolist()) == (56.0, [28.0])
    for kind in ("f2", "?"):
        ones = np.ones(8, kind)
        assert f.value_and_grad(w, ones)[0] == f.value_and_grad(w, ones)[0] == 16.0


def test_quick_calls_and_default_arguments() -> None:
    f = mg.compile(lambda x, s=2.0: (x * s).sum(), argnums=0, cache=False)
    for _ in range(3):
        value, gradient = f.value_and_grad(np.ones(3))
        assert (value, gradient.tolist()) == (6.0, [2.0] * 3)
    g = mg.compile(lambda x: x * x, cache=False)
    assert g.value_and_grad(np.array(3.0))[0] == 9.0
    assert g.value_and_grad(x=2.0) == (4.0, 4.0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_types_of_results_do_not_depend_on_what_came_before(backend: str) -> None:
    f = mg.compile(lambda x: x * x, backend=backend)
    for _ in range(2):
        assert isinstance(f.value_and_grad(np.array(3.0))[1], np.ndarray)
        assert type(f.value_and_grad(3.0)[1]) is float


def test_program_and_stats_are_those_of_the_call_before() -> None:
    f = mg.compile(lambda x: mg.sum(x), cache=False)
    for size in (2, 3, 2, 3):
        f.value_and_grad(np.ones(size))
        assert f.stats["nodes"] == 1
        assert str(f.program).count("argument") == size


def test_a_users_object_with_attributes() -> None:
    class Function:
        def __init__(self) -> None:
            self.grad = 1.0

        def __call__(self, x: Any) -> Any:
            return x * x

    assert mg.compile(Function(), backend="python").grad(3.0) == 6.0


# --- zero upstream gradients, second order ------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda x: x[0] * x[1] * x[2] + mg.where(x[3] > 0.0, mg.log(x[3]), x[3]), [1.0, 5.0, 0.0, 0.0]),
        (lambda x: (x[0] * x[1] - 2.0) * x[2] + mg.where(x[3] > 0.0, mg.sqrt(x[3]), x[3]), [1.0, 2.0, 0.0, 0.0]),
    ],
)
def test_hessians_where_an_upstream_gradient_is_zero(backend: str, f: Any, x: list[float]) -> None:
    compiled = mg.compile(f, backend=backend, cache=False)
    assert np.allclose(compiled.hessian(x), mg.hessian(f)(x))
    for k in range(len(x)):
        direction = [float(i == k) for i in range(len(x))]
        assert np.allclose(compiled.hvp((x,), (direction,)), mg.hvp(f, (x,), (direction,)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_direction_that_stays_does_not_meet_an_infinite_slope(backend: str) -> None:
    f = mg.compile(lambda x, y: mg.sqrt(x) + y, backend=backend, cache=False)
    assert f.jvp((0.0, 1.0), (0.0, 1.0)) == (1.0, 1.0)


@pytest.mark.parametrize("samples", [1, 8])
def test_fastmath_keeps_infinities(samples: int) -> None:
    f = mg.compile(lambda x: mg.logsumexp([x, float("-inf"), 1.0]), batched="x", fastmath=True, cache=False)
    assert f(np.ones(samples)) == pytest.approx([1.0 + np.log(2.0)] * samples)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_negative_zero_is_chosen_as_it_is(backend: str) -> None:
    f = mg.compile(lambda a, b, i: mg.take([a, b], i), backend=backend, cache=False)
    assert repr(f(-0.0, 1.0, 0)) == repr(f.value_and_grad(-0.0, 1.0, 0)[0]) == "-0.0"


# --- modes, and functions inside functions ------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_mode_of_the_first_call_is_no_part_of_the_function(backend: str) -> None:
    w = mg.Value(2.0)
    loss = mg.compile(lambda x: w * x + 0.1 * (w * w), backend=backend, cache=False)
    with mg.no_grad():
        loss(1.0)
    loss.backward(1.0)
    assert w.grad == pytest.approx(1.4)
    w.data = 3.0
    assert loss(1.0) == pytest.approx(3.9)


def test_detect_anomaly_looks_at_compiled_results() -> None:
    w = mg.Value(0.0)
    f = mg.compile(lambda x: mg.log(w) * x, cache=False)
    with mg.detect_anomaly(), pytest.raises(mg.AnomalyError, match="its value is not finite"):
        f.backward(1.0)
    assert w.grad == 0.0
    assert f(1.0) == float("-inf")


def test_a_compiled_function_inside_another() -> None:
    w = mg.Value(3.0)
    g = mg.compile(lambda x: w * x, cache=False)
    f = mg.compile(lambda x: x * g(2.0) + g(x), cache=False)
    assert f(1.0) == 9.0
    w.data = 5.0
    assert f(1.0) == 15.0
    f.backward(1.0)
    assert w.grad == 3.0
    fixed = mg.compile(lambda x: x * g.value_and_grad(2.0)[0], cache=False)
    with pytest.raises(mg.TraceError, match="would be a fixed"):
        fixed(1.0)


# --- users' operations that change --------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_operation_defined_anew_is_captured_anew(backend: str) -> None:
    with registered("gain", forward=lambda a: 2.0 * a, vjp=(lambda g, out, a: 2.0 * g,)) as gain:
        f = mg.compile(lambda x: mg.operations()["gain"](x), backend=backend, cache=False)
        assert (f(1.0), f.value_and_grad(1.0)) == (2.0, (2.0, 2.0))
        node = gain(mg.Value(1.0))
        mg.op("gain", forward=lambda a: 7.0 * a, vjp=(lambda g, out, a: 7.0 * g,))
        assert (f(1.0), f.value_and_grad(1.0)) == (7.0, (7.0, 7.0))
        with pytest.raises(mg.TraceError, match="an earlier definition of 'gain'"):
            mg.compile(lambda x: node * x, backend=backend, cache=False)(1.0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_a_users_rule_reads_is_read_at_each_capture(backend: str) -> None:
    beta = [1.0]
    with registered("spike", forward=lambda a: a * 1.0, vjp=(lambda g, out, a: g * beta[0],)) as spike:
        assert mg.compile(lambda x: spike(x), backend=backend, cache=False).grad(1.0) == 1.0
        beta[0] = 5.0
        assert mg.compile(lambda x: spike(x), backend=backend, cache=False).grad(1.0) == 5.0


def test_the_error_in_a_users_rule_is_told() -> None:
    rule = lambda g, out, a: g * undefined_name  # type: ignore[name-defined]  # noqa: F821
    with registered("broken", forward=lambda a: a * 2.0, vjp=(rule,)) as broken:
        f = mg.compile(lambda x: broken(x), cache=False)
        with pytest.raises(mg.CompilationError, match="NameError: name 'undefined_name'"):
            f.grad(1.0)


# --- arguments ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_arguments_without_elements(backend: str) -> None:
    f = mg.compile(lambda x, y: y + mg.sum(x), backend=backend, cache=False)
    value, gradient = f.value_and_grad(np.zeros(0), 1.0, argnums=0)
    assert (value, gradient.shape) == (1.0, (0,))
    assert f.hessian(np.zeros(0), 1.0, argnums=0).shape == (0, 0)
    assert f.value_and_grad(np.zeros(0), 1.0)[1][1] == 1.0
    b = mg.compile(lambda x, y: y + mg.sum(x), batched=("x", "y"), reduce="sum", backend=backend, cache=False)
    value, (empty, ones) = b.value_and_grad(np.zeros((3, 0)), np.ones(3))
    assert (value, empty.shape, ones.tolist()) == (3.0, (3, 0), [1.0] * 3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_batched_arguments_of_any_number(backend: str) -> None:
    f = mg.compile(lambda *xs: mg.sum([x.sum() for x in xs]), batched="xs", reduce="mean", backend=backend, cache=False)
    assert f(np.ones((4, 2)), np.ones((4, 3))) == 5.0
    with pytest.raises(ValueError, match="none of the batched arguments"):
        f()


def test_options_that_cannot_be() -> None:
    wrong: list[Any] = [1.5, "x", [0.5], True]
    for argnums in wrong:
        with pytest.raises(TypeError, match="argnums is an int"):
            mg.compile(lambda x: x, argnums=argnums)
    f = mg.compile(lambda x: x)
    with pytest.raises(TypeError, match="is compiled already"):
        mg.compile(f)
    with pytest.raises(TypeError, match="is compiled already"):
        mg.compile(backend="python")(f)
    with pytest.raises(ValueError, match="no argument moves"):
        f.jvp((2.0,), (None,))


def test_what_is_not_a_number_is_to_be_bound_first() -> None:
    f = mg.compile(lambda x, mode: x, backend="python")
    with pytest.raises(TypeError, match=r"bind what is not a number first, with functools\.partial"):
        f(1.0, "train")
    with pytest.raises(TypeError, match="does not see the mask"):
        f(np.ma.masked_array([1.0, 2.0], [True, False]), 1.0)


def test_a_comparison_is_not_compared() -> None:
    def f(x: Any) -> Any:
        return x * 2.0 if (x > 0.0) == True else x * 3.0  # noqa: E712

    with pytest.raises(mg.TraceError, match="both branches"):
        mg.compile(f, backend="python")(1.0)


def test_native_code_goes_with_its_function() -> None:
    printed = run_python(
        """
import gc, weakref
import numpy as np
import micrograd as mg
gc.disable()
f = mg.compile(lambda x: (x * x).sum(), cache=False)
f.value_and_grad(np.ones(3))
(runner,) = f._last().runners.values()
gone = weakref.ref(runner)
del runner, f
print(gone() is None)
"""
    )
    assert printed == "True\n"


def test_a_user_without_a_home_has_no_cache() -> None:
    printed = run_python(
        """
import pathlib, warnings
import micrograd as mg
from micrograd.compiler import build
def homeless():
    raise RuntimeError("Could not determine home directory.")
pathlib.Path.home = homeless
build.WORTHWHILE = 0.0
warnings.simplefilter("ignore", RuntimeWarning)
print(mg.compile(lambda x: x * x)(3.0))
""",
        MICROGRAD_CACHE="",
        XDG_CACHE_HOME="",
    )
    assert printed == "9.0\n"
