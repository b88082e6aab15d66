"""The engine of this repository: functions of scalars and lists, compiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import micrograd as mg
from benchmarks.c1 import layers
from benchmarks.c2 import EPSILON, HEADS, groups
from benchmarks.c4 import COLUMNS
from benchmarks.c5 import execute
from benchmarks.e1 import LAYERS
from benchmarks.forms import Forms, Prepared, gathered
from benchmarks.t1 import function as checked_function
from micrograd.nn import MLP
from micrograd.testing import Program, gradcheck

__all__ = ["load"]

Problem = Mapping[str, Any]
Vector = list[Any]


def load() -> Forms:
    """Return the forms."""
    return Forms(
        version=mg.__version__,
        forms={
            "c1": _c1,
            "c1 fastmath": lambda problem: _c1(problem, fastmath=True),
            "c1 captured": c1_captured,
            "c1 unrolled": c1_unrolled,
            "c2": _c2,
            "c2 fastmath": lambda problem: _c2(problem, fastmath=True),
            "c3": c3,
            "c3 hessian": c3_hessian,
            "c4": _c4,
            "c4 fastmath": lambda problem: _c4(problem, fastmath=True),
            "c5": c5,
            "t1": t1,
        },
        judge=accuses,
    )


def _compiled(function: Callable[..., Any], argnums: int | Sequence[int] = 0, **options: Any) -> Any:
    """Compile, from nothing: what an earlier process left on disk is not used."""
    return mg.compile(function, argnums=argnums, cache=False, **options)


class _About(Mapping[str, Any]):
    """What compiled code says of itself, read when it is asked for: after the first call."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled

    def __getitem__(self, name: str) -> Any:
        return self._compiled.stats[name]

    def __iter__(self) -> Any:
        return iter(self._compiled.stats)

    def __len__(self) -> int:
        return len(self._compiled.stats)


# --- C1 ------------------------------------------------------------------------------------------------------


def _hinge(parameters: Any, point: Any, label: Any) -> Any:
    signal: Any = point
    *hidden, last = layers(parameters)
    for layer in hidden:
        signal = [mg.relu(mg.dot(row[:-1], signal) + row[-1]) for row in layer]
    (row,) = last
    return mg.relu(1.0 - label * (mg.dot(row[:-1], signal) + row[-1]))


def _c1(problem: Problem, **options: Any) -> Prepared:
    parameters, points, classes = problem["parameters"], problem["points"], problem["classes"]
    loss = _compiled(_hinge, batched=("point", "label"), reduce="mean", **options)
    return Prepared(lambda: loss.value_and_grad(parameters, points, classes), _About(loss))


def c1_captured(problem: Problem) -> Prepared:
    """Prepare C1 as a training loop has it: the parameters are Values of a model, which receive gradients."""
    points, classes = problem["points"], problem["classes"]
    model = MLP(LAYERS[0], LAYERS[1:])
    leaves = model.parameters()
    for leaf, x in zip(leaves, problem["parameters"].tolist(), strict=True):
        leaf.data = x

    def hinge(point: Any, label: Any) -> Any:
        return (1.0 - label * model(point)).relu()

    loss = _compiled(hinge, batched=("point", "label"), reduce="mean")

    def call() -> Any:
        model.zero_grad()
        value = loss.backward(points, classes)
        return value, [leaf.grad for leaf in leaves]

    return Prepared(call, _About(loss))


def c1_unrolled(problem: Problem) -> Prepared:
    """Prepare C1 with all samples in one graph, as it is without ``batched``."""
    parameters, points, classes = problem["parameters"], problem["points"], problem["classes"]

    def mean(parameters: Any, points: Any, classes: Any) -> Any:
        losses = [_hinge(parameters, point, label) for point, label in zip(points, classes)]
        return mg.sum(losses) / len(losses)

    loss = _compiled(mean)
    return Prepared(lambda: loss.value_and_grad(parameters, points, classes), _About(loss))


# --- C2 ------------------------------------------------------------------------------------------------------


def _linear(matrix: Any, x: Vector) -> Vector:
    return [mg.dot(row, x) for row in matrix]


def _added(x: Vector, y: Vector) -> Vector:
    return [a + b for a, b in zip(x, y)]


def _normed(x: Vector) -> Vector:
    scale = 1.0 / mg.sqrt(mg.dot(x, x) / len(x) + EPSILON)
    return [v * scale for v in x]


def _attended(query: Vector, keys: Sequence[Vector], values: Sequence[Vector]) -> Vector:
    """Return what one position sees: for every head, the mean of the values, weighted by how keys match the query."""
    width = len(query) // HEADS
    seen = []
    for start in range(0, len(query), width):
        part = slice(start, start + width)
        weights = mg.softmax([mg.dot(query[part], key[part]) / width**0.5 for key in keys])
        seen += [mg.dot(weights, column) for column in zip(*(value[part] for value in values))]
    return seen


def _document(parameters: Mapping[str, Any], tokens: Any) -> Any:
    """Return the loss of one document; its tokens are not known before a call."""
    keys: list[Vector] = []
    values: list[Vector] = []
    losses = []
    for position, (token, target) in enumerate(pairwise(tokens)):
        embedded = [mg.take(column, token) for column in parameters["token"].T]
        x = _normed(_added(embedded, parameters["position"][position]))
        normed = _normed(x)
        keys.append(_linear(parameters["key"], normed))
        values.append(_linear(parameters["value"], normed))
        seen = _attended(_linear(parameters["query"], normed), keys, values)
        x = _added(x, _linear(parameters["output"], seen))
        widened = [mg.relu(v) for v in _linear(parameters["widen"], _normed(x))]
        x = _added(x, _linear(parameters["narrow"], widened))
        logits = _linear(parameters["readout"], x)
        losses.append(mg.logsumexp(logits) - mg.take(logits, target))
    return mg.sum(losses) / len(losses)


def _c2(problem: Problem, **options: Any) -> Prepared:
    parameters = problem["parameters"]

    def prepared(documents: Any) -> Prepared:
        loss = _compiled(_document, batched=("tokens",), reduce="mean", **options)
        return Prepared(lambda: loss.value_and_grad(parameters, documents), _About(loss))

    return gathered([(weight, prepared(documents)) for weight, documents in groups(problem)])


# --- C3 ------------------------------------------------------------------------------------------------------


def _rosenbrock(x: Any) -> Any:
    return mg.sum([100.0 * (b - a * a) ** 2 + (1.0 - a) ** 2 for a, b in pairwise(x)])


def c3(problem: Problem) -> Prepared:
    x = problem["x"]
    function = _compiled(_rosenbrock)
    return Prepared(lambda: function.value_and_grad(x), _About(function))


def c3_hessian(problem: Problem) -> Prepared:
    x = problem["x"]
    function = _compiled(_rosenbrock)
    return Prepared(lambda: function.hessian(x), _About(function))


# --- C4 ------------------------------------------------------------------------------------------------------


def _price(spot: Any, strike: Any, years: Any, rate: Any, sigma: Any) -> Any:
    deviation = sigma * mg.sqrt(years)
    d1 = (mg.log(spot / strike) + (rate + 0.5 * sigma * sigma) * years) / deviation
    d2 = d1 - deviation
    return spot * _normal(d1) - strike * mg.exp(-rate * years) * _normal(d2)


def _normal(d: Any) -> Any:
    return 0.5 * mg.erfc(d * -(0.5**0.5))


def _c4(problem: Problem, **options: Any) -> Prepared:
    columns = [problem[name] for name in COLUMNS]
    price = _compiled(_price, batched=COLUMNS, reduce=None, argnums=tuple(range(len(COLUMNS))), **options)
    return Prepared(lambda: price.value_and_grad(*columns), _About(price))


# --- C5 ------------------------------------------------------------------------------------------------------


def c5(problem: Problem) -> Prepared:
    inputs, program = problem["inputs"], problem["program"]
    functions: Mapping[str, Callable[[Any], Any]] = {"exp": mg.exp, "tanh": mg.tanh, "sin": mg.sin}

    def unrolled(x: Any) -> Any:
        return execute(program, list(x), functions)

    compiled = _compiled(unrolled)
    return Prepared(lambda: compiled.value_and_grad(inputs), _About(compiled))


# --- T1, T2 --------------------------------------------------------------------------------------------------


def t1(problem: Problem) -> Prepared:
    def f(*xs: Any) -> Any:
        return checked_function(mg, *xs)

    def call() -> Any:
        inputs = problem["x"].tolist()
        report = gradcheck(f, *inputs, order=int(problem["order"]))
        return f(*inputs), float(report.verdict == "right")

    return Prepared(call)


def accuses(program: Program, gradient: Callable[[Sequence[float]], list[float]]) -> bool:
    """Judge the gradient of a program; ours looks at the program itself."""
    return gradcheck(program, *program.inputs, order=1).verdict == "wrong"
