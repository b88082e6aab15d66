"""Protects compiled functions in company: optimisers of SciPy, pickles, threads, forked and spawned processes."""

from __future__ import annotations

import copy
import gc
import json
import os
import pickle
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from support import run_python, same

import micrograd as mg
from micrograd import Value

pytest.importorskip("llvmlite", reason="the backend 'llvm' needs llvmlite")

BACKENDS = ("python", "llvm")
scale = Value(1.0)


def rosenbrock(x: Any) -> Any:
    return mg.sum([100.0 * (b - a * a) ** 2 + (1.0 - a) ** 2 for a, b in pairwise(x)])


@mg.compile(batched="x", reduce="mean")  # type: ignore[untyped-decorator]
def decorated(x: Any, c: Any) -> Any:
    """Return a curve, averaged."""
    return mg.tanh(x * c) * scale


def plain(x: Any) -> Any:
    return mg.sin(x) * x


# --- SciPy ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_scipy_minimises_a_compiled_function(backend: str) -> None:
    optimize = pytest.importorskip("scipy.optimize", reason="SciPy is not installed")
    f = mg.compile(rosenbrock, backend=backend)
    start = np.array([1.2, 0.8, 0.5, 0.7, 1.4])
    kept = start.copy()
    for method in ("BFGS", "L-BFGS-B", "CG"):
        found = optimize.minimize(f.value_and_grad, start, jac=True, method=method, options={"maxiter": 2000})
        assert found.success, (method, found.message)
        np.testing.assert_allclose(found.x, np.ones(5), atol=1e-3)
    newton = optimize.minimize(f, start, jac=f.grad, hess=f.hessian, method="Newton-CG", options={"xtol": 1e-9})
    np.testing.assert_allclose(newton.x, np.ones(5), atol=1e-6)
    trust = optimize.minimize(
        f, start, jac=f.grad, hessp=lambda x, v: f.hvp((x,), (v,)), method="trust-ncg", options={"gtol": 1e-9}
    )
    np.testing.assert_allclose(trust.x, np.ones(5), atol=1e-6)
    assert optimize.check_grad(f, f.grad, start) < 1e-3
    np.testing.assert_array_equal(start, kept)


@pytest.mark.parametrize("backend", BACKENDS)
def test_scipy_fits_a_curve_with_a_value_for_every_sample(backend: str) -> None:
    optimize = pytest.importorskip("scipy.optimize", reason="SciPy is not installed")
    f = mg.compile(lambda t, p: p[0] * mg.exp(-p[1] * t) + p[2], backend=backend, batched="t")
    t = np.linspace(0.0, 4.0, 30)
    truth = np.array([2.5, 1.3, 0.5])
    y = f(t, truth)
    found = optimize.least_squares(
        lambda p: f(t, p) - y, np.ones(3), jac=lambda p: f.grad(t, p, argnums=1), method="lm", xtol=1e-14, ftol=1e-14
    )
    np.testing.assert_allclose(found.x, truth, rtol=1e-8)


# --- copies -----------------------------------------------------------------------------------------------------


def test_a_decorated_function_is_pickled_by_its_name() -> None:
    again = pickle.loads(pickle.dumps(decorated))
    assert again is decorated
    assert len(pickle.dumps(decorated)) < 200
    assert copy.deepcopy(decorated) is decorated
    assert again(np.zeros(3), 1.0) == 0.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_compiled_function_of_a_module_is_pickled_with_its_options(backend: str) -> None:
    f = mg.compile(plain, backend=backend, batched="x", reduce="sum", argnums=0, threads=2)
    x = np.linspace(0.0, 1.0, 40)
    value = f(x)
    again = pickle.loads(pickle.dumps(f))
    assert again is not f
    assert again.variants == []
    assert again.__name__ == "plain"
    assert same(again(x), value)
    np.testing.assert_array_equal(again.grad(x), f.grad(x))


def test_a_function_that_cannot_be_pickled_says_so() -> None:
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(mg.compile(lambda x: x))


def test_compiled_functions_and_their_parameters_are_freed() -> None:
    w = Value(1.0)
    f = mg.compile(lambda x: w * x)
    assert f.value_and_grad(np.array(2.0))[0] == 2.0
    assert f.backward(2.0) == 2.0
    gone = weakref.ref(f)
    del f
    gc.collect()
    assert gone() is None


# --- threads ----------------------------------------------------------------------------------------------------


def calls(f: Any, each: Any, total: Any) -> list[Callable[[int], Any]]:
    rows: Any = lambda k: np.linspace(0.0, 1.0 + k, 60).reshape(20, 3)
    return [
        lambda k: f(np.full(3, 0.1 * k)),
        lambda k: f.value_and_grad(np.full(3, 0.1 * k))[1].tolist(),
        lambda k: f.hessian(np.full(3, 0.1 * k)).tolist(),
        lambda k: f(np.full(2 + k % 5, 0.1 * k)),  # other structures of arguments, compiled by whoever comes first
        lambda k: each(rows(k)).tolist(),
        lambda k: each.grad(rows(k)).tolist(),
        lambda k: total.value_and_grad(rows(k))[1].tolist(),
    ]


@pytest.mark.parametrize("backend", BACKENDS)
def test_eight_threads_at_once_get_each_their_own_results(backend: str) -> None:
    def term(x: Any) -> Any:
        return mg.sum([mg.tanh(a * 1.5) * a for a in x])

    def made() -> list[Callable[[int], Any]]:
        f = mg.compile(term, backend=backend)
        each = mg.compile(term, backend=backend, batched="x")
        total = mg.compile(term, backend=backend, batched="x", reduce="sum", threads=2)
        return calls(f, each, total)

    inputs = range(24)
    wanted = [[call(k) for k in inputs] for call in made()]
    for shared in (made(), made()):  # nothing is compiled yet: all threads ask for everything at once
        barrier = threading.Barrier(8)

        def work(thread: int, shared: list[Callable[[int], Any]] = shared, barrier: Any = barrier) -> list[Any]:
            barrier.wait()
            order = [(i, k) for k in inputs for i in range(len(shared))]
            order = order[thread * 7 :] + order[: thread * 7]
            return [(i, k, shared[i](k)) for i, k in order]

        with ThreadPoolExecutor(8) as pool:
            for found in pool.map(work, range(8)):
                for i, k, result in found:
                    assert same(result, wanted[i][k]), (i, k)


def test_captures_in_threads_do_not_mix() -> None:
    """Two functions are captured at the same time; each has its own symbols."""
    barrier = threading.Barrier(4)

    def work(k: int) -> list[float]:
        w = Value(float(k))

        def f(x: Any) -> Any:
            barrier.wait()
            total = x * w
            for _ in range(200):
                total = total + w
            barrier.wait()
            return total

        compiled = mg.compile(f, backend="python")
        return [compiled(1.0), compiled.backward(2.0), w.grad]

    with ThreadPoolExecutor(4) as pool:
        for k, found in enumerate(pool.map(work, range(4))):
            assert found == [201.0 * k, 202.0 * k, 202.0]


# --- processes --------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_forked_child_calls_and_compiles(backend: str) -> None:
    f = mg.compile(rosenbrock, backend=backend)
    total = mg.compile(plain, backend=backend, batched="x", reduce="sum", threads=2)
    x, rows = np.array([0.5, -1.0, 2.0]), np.linspace(0.0, 1.0, 100)
    wanted = [f(x), *f.grad(x).tolist(), total(rows)]
    fresh = [rosenbrock([0.5, -1.0]), *mg.grad(rosenbrock)([0.5, -1.0])]
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            found = [f(x), *f.grad(x).tolist(), total(rows), f(x[:2]), *f.grad(x[:2]).tolist()]
            os.write(writer, json.dumps(found).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    assert json.loads(answer) == pytest.approx([*wanted, *fresh], rel=1e-14)
    assert [f(x), *f.grad(x).tolist(), total(rows)] == wanted


_SPAWN = """
import json, multiprocessing, sys
import numpy as np

def main():
    import test_compiled_company as company
    x = np.linspace(-1.0, 1.0, 21)
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        one = pool.apply(company.decorated, (x, 2.0))
        value, (by_x, by_c) = pool.apply(company.decorated.value_and_grad, (x, 2.0))
    print(json.dumps([one, value, by_x.tolist(), by_c]))

if __name__ == "__main__":
    main()
"""


@pytest.mark.slow
def test_a_spawned_child_calls_a_decorated_function(tmp_path: Any) -> None:
    script = tmp_path / "spawning.py"
    script.write_text(_SPAWN)
    here = os.path.dirname(__file__)
    path = os.pathsep.join([here, os.path.dirname(here), os.environ.get("PYTHONPATH", "")])
    program = "import runpy, sys; sys.argv = [sys.argv[1]]; runpy.run_path(sys.argv[0], run_name='__main__')"
    answer = json.loads(run_python(program, str(script), PYTHONPATH=path))
    x = np.linspace(-1.0, 1.0, 21)
    value, (by_x, by_c) = decorated.value_and_grad(x, 2.0)
    assert answer[0] == answer[1] == value
    assert answer[2] == by_x.tolist()
    assert answer[3] == by_c


def test_the_same_program_gives_the_same_bits_in_another_process() -> None:
    program = """
import numpy as np, micrograd as mg
f = mg.compile(lambda x: mg.exp(mg.sin(x * 3.0)) * x, batched="x", reduce="sum")
value, gradient = f.value_and_grad(np.linspace(-2.0, 2.0, 77))
print(repr((value, gradient.tolist())))
"""
    assert run_python(program, PYTHONHASHSEED="1") == run_python(program, PYTHONHASHSEED="2", MICROGRAD_CACHE="")


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    program = """
import sys
import micrograd as mg
f = mg.compile(lambda x: x * x, backend="python")
assert f.value_and_grad(3.0) == (9.0, 6.0)
print(sorted(name for name in ("llvmlite", "hypothesis", "mpmath", "scipy") if name in sys.modules))
"""
    assert run_python(program).strip() == "[]"
    assert sys.version_info >= (3, 11)
