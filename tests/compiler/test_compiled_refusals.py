"""Protects what a compiled function refuses: the error says what came and what to do, names the user's line where there
is one, and leaves gradients, variants and earlier results as they were.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support import registered, run_python

import micrograd as mg
from micrograd import CompilationError, TraceError, Value

pytest.importorskip("llvmlite", reason="the backend 'llvm' needs llvmlite")

BACKENDS = ("python", "llvm")
RUNS = ("__call__", "value_and_grad", "grad", "backward", "hessian", "trace")


@pytest.fixture
def w() -> Value:
    leaf = Value(2.0)
    leaf.grad = 5.0
    return leaf


def runs(f: Any) -> list[Callable[..., Any]]:
    return [getattr(f, name) for name in RUNS]


# --- options ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"backend": "cuda"}, ValueError, r"unknown backend 'cuda' \(one of: llvm, python\)"),
        ({"reduce": "max"}, ValueError, r"reduce is 'sum', 'mean' or None, not 'max' \(type str\)"),
        ({"reduce": "sum"}, ValueError, "name the arguments that have them"),
        ({"batched": "z"}, ValueError, r"batched names 'z', which f does not take \(arguments: x, y\)"),
        ({"batched": ("x", "q", "z")}, ValueError, "batched names 'q', 'z'"),
        ({"threads": 0}, ValueError, "threads is a whole number from 1 on, not 0"),
        ({"threads": 1.5}, ValueError, r"1.5 \(type float\)"),
        ({"speed": "high"}, TypeError, "speed"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], error: type[Exception], message: str) -> None:
    def f(x: Any, y: Any) -> Any:
        return x * y

    with pytest.raises(error, match=message):
        mg.compile(f, **options)


@pytest.mark.parametrize("thing", [3.0, "f", None.__class__, [1]])
def test_what_is_not_a_function_of_named_arguments(thing: Any) -> None:
    if isinstance(thing, type):
        with pytest.raises(TypeError, match="any keyword arguments"):
            mg.compile(lambda x, **rest: x)
        return
    with pytest.raises(TypeError, match="takes a function, not"):
        mg.compile(thing)


def test_a_method_is_told_how() -> None:
    class Model:
        @mg.compile
        def loss(self, x: Any) -> Any:
            return x

    with pytest.raises(TypeError, match=r"compile inside, as in self\.loss = micrograd\.compile\(self\._loss\)"):
        Model().loss  # noqa: B018


# --- arguments --------------------------------------------------------------------------------------------------

ARGUMENTS: list[tuple[Any, str]] = [
    ("text", r"'text' \(type str\)"),
    (b"bytes", "type bytes"),
    (None, "None"),
    (1 + 2j, "complex"),
    (np.array([1.0 + 1.0j]), "complex128"),
    (np.array([1.0, None], dtype=object), "dtype object"),
    (np.array(["a"]), "dtype <U1"),
    (np.array(["2020-01-01"], dtype="datetime64[D]"), "dtype datetime64"),
    (Value(1.0), "pass its .data"),
    ([1.0, Value(1.0)], "pass its .data"),
    ({"a": [1.0, "b"]}, "'b'"),
    ({1.0, 2.0}, "type set"),
    (lambda: 1.0, "type function"),
    (mg.array([1.0, 2.0]), "dtype object"),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("x", "message"), ARGUMENTS, ids=[message for _, message in ARGUMENTS])
def test_arguments_that_are_not_made_of_numbers(x: Any, message: str, backend: str, w: Value) -> None:
    f = mg.compile(lambda x: w * x, backend=backend)
    assert f(1.0) == 2.0
    for run in runs(f):
        with pytest.raises(TypeError, match=message):
            run(x)
    assert len(f.variants) == 1
    assert (w.grad, w.data) == (5.0, 2.0)
    assert f.backward(1.0) == 2.0
    assert w.grad == 6.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_batched_arguments_are_arrays_of_one_number_of_samples(backend: str, w: Value) -> None:
    f = mg.compile(lambda x, y: w * x[0] * y, backend=backend, batched=("x", "y"), reduce="sum")
    x, y = np.ones((4, 2)), np.ones(4)
    assert f(x, y) == 8.0
    refusals: list[tuple[Any, Any, type[Exception], str]] = [
        (x, np.ones(3), ValueError, "x has 4 samples and y has 3"),
        (np.ones((0, 2)), y, ValueError, "x has 0 samples and y has 4"),
        (x, 1.0, TypeError, "a batched argument is an array with one row per sample, not 1.0"),
        (x, np.float64(1.0), TypeError, "one row per sample"),
        (x, np.array(1.0), TypeError, "one row per sample"),
        (x, 3, TypeError, "one row per sample"),
        (x, None, TypeError, "one row per sample"),
        (x, [1.0, 2.0, 3.0, 4.0], TypeError, "one row per sample"),
    ]
    for a, b, error, message in refusals:
        for name in ("__call__", "value_and_grad", "backward"):
            with pytest.raises(error, match=message):
                getattr(f, name)(a, b)
    assert w.grad == 5.0
    assert f(x, y) == 8.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_shapes_that_the_function_cannot_use_are_numpy_s_own_errors(backend: str) -> None:
    f = mg.compile(lambda x, y: (x + y).sum(), backend=backend)
    with pytest.raises(ValueError, match="broadcast"):
        f(np.ones(2), np.ones(3))
    assert f(np.ones(2), np.ones(2)) == 4.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_argnums_that_are_not_there(backend: str) -> None:
    f = mg.compile(lambda x, i: mg.take([x, 2.0 * x], i), backend=backend)
    assert f(3.0, 1) == 6.0
    for argnums in (2, -3, (0, 5)):
        with pytest.raises(ValueError, match="is out of range"):
            f.grad(3.0, 1, argnums=argnums)
    for bad in ("x", (0.0,), 1.5, True):
        with pytest.raises((TypeError, ValueError), match="argnums"):
            f.grad(3.0, 1, argnums=bad)
    with pytest.raises(TypeError, match="i holds ints, which have no derivative"):
        f.grad(3.0, 1, argnums=1)
    with pytest.raises(TypeError, match="i holds ints"):
        f.hvp((3.0, 1), (1.0, 1))
    assert f.grad(3.0, 1) == (2.0,)


@pytest.mark.parametrize("argnums", [(0, 0), (0, -2), ()])
def test_argnums_name_each_argument_once_as_in_micrograd_grad(argnums: Any) -> None:
    f = lambda x, y: x * y
    with pytest.raises(ValueError, match="argnums"):
        mg.grad(f, argnums=argnums)(2.0, 3.0)
    compiled = mg.compile(f, backend="python")
    with pytest.raises(ValueError, match="argnums"):
        compiled.grad(2.0, 3.0, argnums=argnums)


@pytest.mark.parametrize("backend", BACKENDS)
def test_directions_that_do_not_fit(backend: str) -> None:
    f = mg.compile(lambda x, y: (x * x).sum() * y, backend=backend)
    x = np.ones(3)
    for run in (f.jvp, f.hvp):
        with pytest.raises(TypeError, match="primals and tangents are tuples"):
            run(x, x)
        with pytest.raises(ValueError, match="2 primals and 1 tangents"):
            run((x, 1.0), (x,))
        with pytest.raises(ValueError, match="tangent 0 has not the structure of its primal"):
            run((x, 1.0), (np.ones(2), None))
        with pytest.raises(ValueError, match="tangent 0 has not the structure"):
            run((x, 1.0), (1.0, None))
        with pytest.raises((TypeError, ValueError)):
            run((x, 1.0), (None, "a"))
    assert f.jvp((x, 1.0), (x, 1.0)) == (3.0, 9.0)


# --- functions that cannot be captured --------------------------------------------------------------------------


def condition(x: Any) -> Any:
    if x > 0.0:  # the line of condition
        return x
    return -x


def truth(x: Any) -> Any:
    return x if x else -x  # the line of truth


def loop(x: Any) -> Any:
    while x * 2.0:  # the line of loop
        x = x - 1.0
    return x


def converted(x: Any) -> Any:
    return mg.exp(float(x * 2.0))  # the line of converted


def mathematical(x: Any) -> Any:
    return math.exp(x)  # the line of mathematical


def inspected(x: Any) -> Any:
    return Value(x.data) * x  # the line of inspected


def gradient_inside(x: Any) -> Any:
    (x * x).backward()  # the line of gradient_inside
    return x


def compared(x: Any) -> Any:
    return x * 2.0 if x == 0.0 else x  # the line of compared


def chained_comparison(x: Any) -> Any:
    return mg.where(0.0 < x < 1.0, x, 0.0)  # the line of chained_comparison


def whole(x: Any) -> Any:
    return [x, x][int(x)]  # the line of whole


def predicate_as_a_number(x: Any) -> Any:
    return x * (x > 0.0)  # the line of predicate_as_a_number


def predicate_in_a_sum(x: Any) -> Any:
    return mg.sum([x > 0.0, x])  # the line of predicate_in_a_sum


def formatted(x: Any) -> Any:
    print(f"{x:.3f}")  # the line of formatted
    return x


def largest(x: Any) -> Any:
    return max(x, x * x)  # the line of largest


REFUSED: list[tuple[Callable[[Any], Any], str]] = [
    (condition, "micrograd.where"),
    (truth, "micrograd.where"),
    (loop, "micrograd.where"),
    (converted, "micrograd.exp"),
    (mathematical, "micrograd.exp"),
    (inspected, r"\.data"),
    (gradient_inside, r"\.backward"),
    (compared, "micrograd.eq"),
    (chained_comparison, "micrograd.where"),
    (whole, "micrograd.take"),
    (predicate_as_a_number, "micrograd.where"),
    (predicate_in_a_sum, "micrograd.where"),
    (formatted, "print"),
    (largest, "micrograd.where"),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("f", "way_out"), REFUSED, ids=[f.__name__ for f, _ in REFUSED])
def test_what_asks_a_symbol_for_its_number_is_refused_with_its_line(
    f: Callable[[Any], Any], way_out: str, backend: str
) -> None:
    compiled = mg.compile(f, backend=backend)
    for _ in range(2):  # a second call meets no remains of the first
        with pytest.raises(TraceError, match=way_out) as caught:
            compiled(1.0)
        message = str(caught.value)
        assert f"# the line of {f.__name__}" in message
        number = f.__code__.co_firstlineno
        line = re.search(r"at test_compiled_refusals\.py, line (\d+): ", message)
        assert line is not None
        assert number < int(line[1]) <= number + 2
    assert compiled.variants == []
    assert isinstance(caught.value, TypeError)


RESULTS: list[tuple[Any, str]] = [
    (lambda x: None, "returned None"),
    (lambda x: 3.0, r"returned 3.0 \(type float\)"),
    (lambda x: [x, x], r"returned \[.*list\)"),
    (lambda x: (x,), "type tuple"),
    (lambda x: {"loss": x}, "type dict"),
    (lambda x: np.array([x, x]), "type ndarray"),
    (lambda x: x > 0.0, "Predicate"),
    (lambda x: "text", "returned 'text'"),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("f", "message"), RESULTS)
def test_a_function_returns_one_value(f: Any, message: str, backend: str) -> None:
    compiled = mg.compile(f, backend=backend)
    for run in runs(compiled):
        with pytest.raises(TraceError, match=message) as caught:
            run(1.0)
        assert "one Value" in str(caught.value)
    assert compiled.variants == []


def test_an_array_without_axes_is_one_value() -> None:
    f = mg.compile(lambda x: np.array(x.sum()), backend="python")
    assert f(np.ones(3)) == 3.0


INTS: list[Callable[[Any, Any], Any]] = [
    lambda i, x: i * x,
    lambda i, x: x + i,
    lambda i, x: x**i,
    lambda i, x: [x, x][i],
    lambda i, x: mg.where(i, x, 0.0),
    lambda i, x: mg.exp(i) + x,
    lambda i, x: x if i == 0 else -x,
    lambda i, x: x if i > 0 else -x,
    lambda i, x: x if i else -x,
    lambda i, x: mg.sum([x for _ in range(i)]),
    lambda i, x: mg.sum([x, i]),
    lambda i, x: x * float(i),
    lambda i, x: mg.take([i, x], i),
]


@pytest.mark.parametrize("f", INTS)
def test_an_int_only_chooses(f: Callable[[Any, Any], Any]) -> None:
    compiled = mg.compile(f)
    with pytest.raises(TraceError, match="float where a number is meant") as caught:
        compiled(1, 2.0)
    assert "test_compiled_refusals.py, line" in str(caught.value)
    arrays = mg.compile(lambda i, x: f(i[0], x))
    with pytest.raises(TraceError, match="float where a number is meant"):
        arrays(np.array([1, 2]), 2.0)


def test_a_symbol_that_outlives_its_call_is_refused() -> None:
    kept: list[Any] = []

    def keep(x: Any) -> Any:
        kept.append(x)
        return x * 2.0

    mg.compile(keep)(1.0)
    with pytest.raises(TraceError, match="outlived the call"):
        kept[0] * 2.0
    with pytest.raises(TraceError, match=r"another|outlived"):
        mg.compile(lambda x: x * kept[0])(1.0)
    with pytest.raises(TraceError, match=r"another|outlived"):
        mg.compile(lambda x: kept[0])(1.0)


def test_a_symbol_and_something_that_is_no_number() -> None:
    for f in (lambda x: x + "a", lambda x: x * None, lambda x: mg.maximum(x, "b"), lambda x: mg.sum([x, [1.0]])):
        with pytest.raises(TypeError):
            mg.compile(f)(1.0)


def test_a_derivative_inside_of_the_function_is_refused_with_the_way_out() -> None:
    for f in (lambda x: mg.grad(lambda t: t**3)(x), lambda x: Value(x) ** 3):
        with pytest.raises(TypeError, match=r"<symbol %0> .*; .* derivatives are taken of the compiled function"):
            mg.compile(f)(2.0)


def test_an_exception_of_the_function_s_own_passes_and_the_next_call_works() -> None:
    broken = True

    def f(x: Any) -> Any:
        if broken:
            raise KeyError("inside")
        return x * x

    compiled = mg.compile(f)
    with pytest.raises(KeyError, match="inside"):
        compiled(2.0)
    broken = False
    assert compiled(2.0) == 4.0


def test_a_refused_backward_leaves_gradients_and_the_next_call_as_they_were(w: Value) -> None:
    def f(x: Any) -> Any:
        return w * x if x > 0.0 else x

    compiled = mg.compile(f)
    with pytest.raises(TraceError):
        compiled.backward(1.0)
    assert w.grad == 5.0
    eager = f(Value(1.0))
    eager.backward()
    assert w.grad == 6.0


# --- llvmlite and users' operations -----------------------------------------------------------------------------

_WITHOUT = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "llvmlite":
            raise ModuleNotFoundError(f"No module named {name!r}", name="llvmlite")

sys.meta_path.insert(0, Blocker())
import micrograd as mg

w = mg.Value(3.0)
f = mg.compile(lambda x: w * x * x)
try:
    f.backward(2.0)
except ImportError as error:
    print(error)
print(w.grad)
g = mg.compile(lambda x: w * x * x, backend="python")
print(g.value_and_grad(2.0), g.backward(2.0), w.grad)
print(f.trace(2.0).source("python").count("def "))
"""


def test_without_llvmlite_the_error_says_how_to_get_it_and_python_works() -> None:
    message, grad, results, definitions = run_python(_WITHOUT).splitlines()
    assert message == (
        "micrograd.compile(backend='llvm') needs llvmlite, which is not installed; in the checkout of micrograd: pip"
        " install '.[compile]'"
    )
    assert float(grad) == 0.0
    assert results == "(12.0, 12.0) 12.0 4.0"
    assert definitions == "1"


def test_a_user_s_operation_in_plain_python_runs_on_the_python_backend_only() -> None:
    with registered(
        "staircase", forward=lambda a: float(math.floor(a)) + a, vjp=(lambda g, out, a: g * 1.0,)
    ) as staircase:
        f = lambda x: staircase(x) * x
        python = mg.compile(f, backend="python")
        assert python.value_and_grad(2.5) == (11.25, 7.0)
        assert python.value_and_grad(2.5) == mg.value_and_grad(f)(2.5)
        llvm = mg.compile(f)
        for run in (llvm, llvm.value_and_grad, llvm.backward, llvm.hessian):
            with pytest.raises(CompilationError, match=r"'staircase' has no native form.*backend='python'"):
                run(2.5)


def bent_rule(g: Any, out: Any, a: Any) -> Any:
    return g * math.copysign(1.0, a) if a != 0.0 else g


def test_a_user_s_rule_in_plain_python_is_refused_where_a_native_derivative_is_asked() -> None:
    with registered("bent", forward=lambda a: mg.abs(a), vjp=(bent_rule,)) as bent:
        f = mg.compile(lambda x: bent(x) * 2.0)
        assert f(-3.0) == 6.0
        for run in (f.value_and_grad, f.hessian):
            with pytest.raises(CompilationError, match="bent"):
                run(-3.0)
        assert f(-3.0) == 6.0


def test_a_user_s_rule_in_plain_python_runs_on_the_python_backend() -> None:
    with registered("bent", forward=lambda a: mg.abs(a), vjp=(bent_rule,)) as bent:
        f = mg.compile(lambda x: bent(x) * 2.0, backend="python")
        assert f.value_and_grad(-3.0) == (6.0, -2.0)


def test_a_user_s_operation_written_with_operations_runs_everywhere() -> None:
    with registered(
        "swoosh",
        forward=lambda a, b: mg.tanh(a * b) + 0.5 * a,
        vjp=(
            lambda g, out, a, b: g * (b * (1.0 - mg.tanh(a * b) ** 2) + 0.5),
            lambda g, out, a, b: g * (a * (1.0 - mg.tanh(a * b) ** 2)),
        ),
    ) as swoosh:
        w = Value(0.75)
        f = lambda x: swoosh(x, w) * x
        x = np.linspace(-2.0, 2.0, 9)
        wanted = [mg.value_and_grad(f)(float(number)) for number in x]
        for backend in BACKENDS:
            compiled = mg.compile(f, backend=backend)
            several = mg.compile(f, backend=backend, batched="x")
            values, gradients = several.value_and_grad(x)
            for k, (value, gradient) in enumerate(wanted):
                assert compiled.value_and_grad(float(x[k])) == pytest.approx((value, gradient), rel=1e-13)
                assert (values[k], gradients[k]) == pytest.approx((value, gradient), rel=1e-13)
            assert compiled.hessian(0.5) == pytest.approx(mg.hessian(f)(0.5), rel=1e-12)
            w.grad = 0.0
            compiled.backward(0.5)
            assert w.grad == pytest.approx(0.25 * (1.0 - math.tanh(0.375) ** 2), rel=1e-13)


def test_a_user_s_operation_may_be_written_with_operations_that_are_expanded_themselves() -> None:
    with registered(
        "gate", forward=lambda a: mg.sigmoid(a) * a, vjp=(lambda g, out, a: g * (mg.sigmoid(a) * (1.0 + a - out)),)
    ) as gate:
        f = lambda x: gate(x) * x
        wanted = mg.value_and_grad(f)(0.5)
        assert wanted[0] == pytest.approx(0.25 / (1.0 + math.exp(-0.5)))
        for backend in BACKENDS:
            assert mg.compile(f, backend=backend).value_and_grad(0.5) == pytest.approx(wanted, rel=1e-14)


def test_a_user_s_operation_written_with_itself_is_refused() -> None:
    itself = lambda x: mg.operations()["ouroboros"](x)
    with registered("ouroboros", forward=itself, vjp=(lambda g, out, a: g,)):
        compiled = mg.compile(itself)
        with pytest.raises(CompilationError, match="without end"):
            compiled.trace(1.0).source("c")


def test_an_operation_that_is_registered_anew_is_what_the_next_capture_uses() -> None:
    f = mg.compile(lambda x: mg.operations()["redone"](x), backend="llvm")
    with registered("redone", forward=lambda a: a * 2.0, vjp=(lambda g, out, a: g * 2.0,)):
        assert f.value_and_grad(3.0) == (6.0, 2.0)
    with registered("redone", forward=lambda a: a * 5.0, vjp=(lambda g, out, a: g * 5.0,)):
        f.clear()
        assert f.value_and_grad(3.0) == (15.0, 5.0)
