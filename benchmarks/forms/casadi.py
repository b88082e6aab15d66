"""CasADi: SX expressions, in its virtual machine or as generated C that gcc compiles with -O3.

Arrays go in and out through its buffers: bound once, no copies. CasADi stores matrices column by column, so an array of
samples with a row for each is a matrix with a column for each.
"""

# mypy: disable-error-code="import-not-found, attr-defined"

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import casadi as ca
import numpy as np

from benchmarks.c4 import COLUMNS
from benchmarks.c5 import execute
from benchmarks.e1 import LAYERS
from benchmarks.forms import Forms, Prepared

__all__ = ["load"]

Problem = Mapping[str, Any]


def load() -> Forms:
    """Return the forms."""
    return Forms(
        version=ca.__version__,
        forms={
            "c1": lambda problem: _c1(problem, compiled=False),
            "c1 gcc": lambda problem: _c1(problem, compiled=True),
            "c3": c3,
            "c3 buffer": lambda problem: _c3_buffer(problem, compiled=False),
            "c3 gcc": lambda problem: _c3_buffer(problem, compiled=True),
            "c3 hessian": c3_hessian,
            "c3 hessian buffer": c3_hessian_buffer,
            "c4": lambda problem: _c4(problem, compiled=False),
            "c4 gcc": lambda problem: _c4(problem, compiled=True),
            "c5": c5,
        },
    )


def _by_gcc(function: Any) -> Any:
    """Return the function as machine code: C that CasADi writes, and that ``$CC`` or gcc compiles."""
    compiler = shutil.which(os.environ.get("CC", "gcc"))
    if not compiler:
        raise RuntimeError("there is no C compiler here; install gcc, or name another one in CC")
    with tempfile.TemporaryDirectory() as directory:
        generator = ca.CodeGenerator("generated.c")
        generator.add(function)
        generator.generate(directory + os.sep)
        source, library = Path(directory, "generated.c"), Path(directory, "generated.so")
        subprocess.run([compiler, "-O3", "-march=native", "-fPIC", "-shared", source, "-o", library], check=True)
        return ca.external(function.name(), str(library))


def _bound(function: Any, arguments: Sequence[Any], results: Sequence[Any]) -> Any:
    """Return a function of nothing that reads and writes these arrays."""
    buffer, evaluate = function.buffer()
    for i, array in enumerate(arguments):
        buffer.set_arg(i, memoryview(array))
    for i, array in enumerate(results):
        buffer.set_res(i, memoryview(array))
    evaluate.alive = buffer, arguments, results  # it does not keep them alive itself
    return evaluate


# --- C1 ------------------------------------------------------------------------------------------------------


def _c1(problem: Problem, compiled: bool) -> Prepared:
    samples = len(problem["classes"])
    parameters, x, y = ca.SX.sym("parameters", len(problem["parameters"])), ca.SX.sym("x", 2), ca.SX.sym("y")
    signal, start = x, 0
    for inputs, outputs in pairwise(LAYERS):
        end = start + (inputs + 1) * outputs
        layer = ca.reshape(parameters[start:end], inputs + 1, outputs).T
        signal = layer[:, :-1] @ signal + layer[:, -1]
        if outputs != LAYERS[-1]:
            signal = _relu(signal)
        start = end
    share = _relu(1.0 - y * signal) / samples
    one = ca.Function("one", [parameters, x, y], [share, ca.gradient(share, parameters)])
    batch = one.map("batch", "serial", samples, [0], [0, 1])  # the parameters are shared, the results added up
    value, gradient = np.empty(1), np.empty(len(problem["parameters"]))
    evaluate = _bound(
        _by_gcc(batch) if compiled else batch,
        [problem["parameters"], problem["points"], problem["classes"]],
        [value, gradient],
    )

    def call() -> Any:
        evaluate()
        return value[0], gradient

    return Prepared(call)


def _relu(x: Any) -> Any:
    return ca.fmax(x, 0.0)


# --- C3 ------------------------------------------------------------------------------------------------------


def _rosenbrock(size: int) -> tuple[Any, Any]:
    x = ca.SX.sym("x", size)
    return x, ca.sum1(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def _c3(size: int) -> Any:
    x, value = _rosenbrock(size)
    return ca.Function("rosenbrock", [x], [value, ca.gradient(value, x)])


def c3(problem: Problem) -> Prepared:
    x = problem["x"]
    function = _c3(len(x))

    def call() -> Any:
        value, gradient = function(x)
        return float(value), gradient.full()

    return Prepared(call)


def _c3_buffer(problem: Problem, compiled: bool) -> Prepared:
    x = problem["x"]
    function = _c3(len(x))
    value, gradient = np.empty(1), np.empty(len(x))
    evaluate = _bound(_by_gcc(function) if compiled else function, [x], [value, gradient])

    def call() -> Any:
        evaluate()
        return value[0], gradient

    return Prepared(call)


def c3_hessian(problem: Problem) -> Prepared:
    point = problem["x"]
    x, value = _rosenbrock(len(point))
    function = ca.Function("hessian", [x], [ca.hessian(value, x)[0]])
    return Prepared(lambda: function(point).full())


def c3_hessian_buffer(problem: Problem) -> Prepared:
    point = problem["x"]
    x, value = _rosenbrock(len(point))
    function = ca.Function("hessian", [x], [ca.densify(ca.hessian(value, x)[0])])
    hessian = np.empty((len(point), len(point)))
    evaluate = _bound(function, [point], [hessian])

    def call() -> Any:
        evaluate()
        return hessian

    return Prepared(call)


# --- C4 ------------------------------------------------------------------------------------------------------


def _c4(problem: Problem, compiled: bool) -> Prepared:
    options = len(problem["spot"])
    spot, strike, years, rate, sigma = variables = [ca.SX.sym(name) for name in COLUMNS]
    deviation = sigma * ca.sqrt(years)
    d1 = (ca.log(spot / strike) + (rate + 0.5 * sigma * sigma) * years) / deviation
    d2 = d1 - deviation
    price = spot * _normal(d1) - strike * ca.exp(-rate * years) * _normal(d2)
    one = ca.Function("one", variables, [price, *(ca.gradient(price, x) for x in variables)])
    results = [np.empty(options) for _ in range(1 + len(variables))]
    batch = one.map("batch", "serial", options, [], [])
    evaluate = _bound(_by_gcc(batch) if compiled else batch, [problem[name] for name in COLUMNS], results)

    def call() -> Any:
        evaluate()
        return results

    return Prepared(call)


def _normal(d: Any) -> Any:
    return 0.5 + 0.5 * ca.erf(d * 0.5**0.5)


# --- C5 ------------------------------------------------------------------------------------------------------


def c5(problem: Problem) -> Prepared:
    inputs = problem["inputs"]
    x = ca.SX.sym("x", len(inputs))
    value = execute(problem["program"], ca.vertsplit(x), {"exp": ca.exp, "tanh": ca.tanh, "sin": ca.sin})
    function = ca.Function("unrolled", [x], [value, ca.gradient(value, x)])

    def call() -> Any:
        value, gradient = function(inputs)
        return float(value), gradient.full()

    return Prepared(call)
