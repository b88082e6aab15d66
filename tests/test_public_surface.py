"""Protects the public names: which they are, that every one of them works when all modules are loaded (a function and a
module of one name would overwrite each other), that type checkers see the methods, and that programs for micrograd 0.1
still run.
"""

from __future__ import annotations

import builtins
import importlib
import inspect
import math
import pkgutil
import random
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from support import registered, run_python

import micrograd as mg
from micrograd.ops import stubs

NAMES = """
    AnomalyError CompilationError DrawingError ExpressionError GradientError GraphFileError ModelFileError
    StaleValueError TraceError
    Accuracy Op Value op operations
    array data_of grad_of
    detect_anomaly no_grad pause_gc scope
    grad hessian hvp jacobian jvp value_and_grad vjp
    explain load save statistics topological_order
    draw explore

    add div mul neg pos power sub
    clamp copysign eq fabs ge gt isnan le lt maximum minimum where
    acos acosh asin asinh atan atan2 atanh cbrt cos cosh degrees erf erfc exp exp2 expm1 fmod hypot
    log log10 log1p log2 radians sin sinh sqrt tan tanh
    elu gelu leaky_relu relu sigmoid silu softplus
    dist dot logsumexp mean prod softmax take
""".split()
NOT_STARRED = ["abs", "compile", "pow", "sum"]  # a star import must not replace the builtins
WINGS = {
    "nn": """
        MLP Layer Module Neuron
        Block CausalSelfAttention Embedding GPT Linear RMSNorm
        History fit
        binary_cross_entropy cross_entropy hinge mean_squared_error
    """.split(),
    "optim": """
        SGD Adam AdamW Optimiser
        clip_gradient_norm clip_gradient_value
        ConstantRate CosineRate ExponentialRate LinearRate StepRate
    """.split(),
    "testing": """
        Culprit Figures Outcome Program Report
        assert_gradients check_operation gradcheck
        broadcastable_arrays expressions inputs program_of programs values
    """.split(),
}


def submodules() -> list[str]:
    names = [module.name for module in pkgutil.walk_packages(mg.__path__, "micrograd.")]
    return [name for name in names if not name.endswith(".__main__")]


@pytest.fixture(scope="module", autouse=True)
def _everything_is_loaded() -> None:
    for name in submodules():
        importlib.import_module(name)


# --- which names ------------------------------------------------------------------------------------------------


def test_the_public_names_are_these() -> None:
    assert sorted(mg.__all__) == sorted(NAMES)
    assert len(mg.__all__) == len(set(mg.__all__))


@pytest.mark.parametrize("wing", WINGS)
def test_the_names_of_a_wing_are_these(wing: str) -> None:
    module = getattr(mg, wing)
    assert module is importlib.import_module(f"micrograd.{wing}")
    assert sorted(module.__all__) == sorted(WINGS[wing])
    assert set(WINGS[wing]) <= set(dir(module))


def test_every_module_says_what_is_public_and_has_it() -> None:
    for name in submodules():
        module = importlib.import_module(name)
        assert [n for n in module.__all__ if not hasattr(module, n)] == [], name
        assert module.__doc__, name


def test_a_star_import_replaces_no_builtin() -> None:
    assert set(mg.__all__).isdisjoint(vars(builtins))
    for name in {*NOT_STARRED} - {"compile"}:
        assert getattr(mg, name) is mg.operations()[name if name != "pow" else "power"]


def test_every_operation_is_a_function_of_the_package() -> None:
    for name, operation in mg.operations().items():
        assert getattr(mg, name) is operation


def test_names_are_listed_for_completion() -> None:
    assert {*NAMES, *NOT_STARRED, *WINGS} <= set(dir(mg))


def test_a_users_operation_is_found_and_a_missing_name_refused() -> None:
    with registered("quarter", forward=lambda a: a / 4, vjp=(lambda g, out, a: g * 0.25,)) as quarter:
        assert mg.quarter is quarter
        assert "quarter" in dir(mg)
    with pytest.raises(AttributeError, match="module 'micrograd' has no attribute 'quarter'"):
        _ = mg.quarter


def test_the_engine_is_imported_as_in_micrograd_01() -> None:
    from micrograd.engine import Value
    from micrograd.nn import MLP, Layer, Module, Neuron

    assert Value is mg.Value
    assert issubclass(MLP, Module)
    assert (Layer, Neuron) == (mg.nn.Layer, mg.nn.Neuron)


# --- every one of them works ------------------------------------------------------------------------------------


def v(x: float = 0.5) -> mg.Value:
    return mg.Value(x)


def saved_and_loaded(folder: Path) -> float:
    mg.save(v(), folder / "v.json")
    return float(mg.load(folder / "v.json").data)


def registering() -> float:
    with registered("fifth", forward=lambda a: a / 5, vjp=(lambda g, out, a: g * 0.2,)) as fifth:
        return float(fifth(v(10.0)).data)


def inside(block: Any) -> bool:
    with block:
        return True


def gradient(function: Callable[[mg.Value], Any]) -> float:
    x = v()
    function(x).backward()
    return float(x.grad)


def is_strategy(x: Any) -> bool:
    return isinstance(x, st.SearchStrategy)


def culprit() -> tuple[Any, ...]:
    with registered("twofold", forward=lambda a: a, vjp=(lambda g, out, a: 2.0 * g,)) as twofold:
        found = mg.testing.gradcheck(twofold, 3.0).culprit
        assert isinstance(found, mg.testing.Culprit)
        return found.operand, found.engine, found.expected


def stepped(optimiser: Any, **settings: float) -> float:
    x = v()
    (x * 2.0).backward()
    optimiser([x], **settings).step()
    return float(x.data)


def fitted() -> Any:
    model = mg.nn.Neuron(1)
    optimiser = mg.optim.SGD(model.parameters(), lr=0.1)
    return mg.nn.fit(model, [1.0, 2.0], lambda x: model([x]), optimiser, epochs=3, progress=False)


X = 0.5
# For each public name a call and what it returns; an operation is called with numbers, and differentiated.
EXAMPLES: dict[str, tuple[Callable[[], Any], Any]] = {
    "AnomalyError": (lambda: issubclass(mg.AnomalyError, ArithmeticError), True),
    "ExpressionError": (lambda: str(mg.ExpressionError("no", 3)), "no (column 3)"),
    "GradientError": (lambda: issubclass(mg.GradientError, AssertionError), True),
    "ModelFileError": (lambda: issubclass(mg.ModelFileError, ValueError), True),
    "GraphFileError": (lambda: issubclass(mg.GraphFileError, ValueError), True),
    "DrawingError": (lambda: issubclass(mg.DrawingError, RuntimeError), True),
    "draw": (lambda: "n0 -> n1" in mg.draw(v() * 2).dot, True),
    "explore": (lambda: mg.explore(v() * 2, title="twice").title, "twice"),
    "CompilationError": (lambda: issubclass(mg.CompilationError, RuntimeError), True),
    "TraceError": (lambda: issubclass(mg.TraceError, TypeError), True),
    "compile": (lambda: mg.compile(lambda x: x * x, backend="python")(3.0), 9.0),
    "StaleValueError": (lambda: issubclass(mg.StaleValueError, RuntimeError), True),
    "Accuracy": (lambda: mg.Accuracy(value=1.0).value, 1.0),
    "Op": (lambda: isinstance(mg.tanh, mg.Op), True),
    "Value": (lambda: (v() * 2 + 1).data, 2.0),
    "op": (registering, 2.0),
    "operations": (lambda: mg.operations()["mul"].symbol, "*"),
    "array": (lambda: (mg.array([1.0, 2.0]) * 2)[1].data, 4.0),
    "data_of": (lambda: list(mg.data_of(mg.array([1.0, 2.0]))), [1.0, 2.0]),
    "grad_of": (lambda: list(mg.grad_of([v(), v()])), [0.0, 0.0]),
    "detect_anomaly": (lambda: inside(mg.detect_anomaly()), True),
    "no_grad": (lambda: inside(mg.no_grad()), True),
    "pause_gc": (lambda: inside(mg.pause_gc()), True),
    "scope": (lambda: inside(mg.scope("s")), True),
    "grad": (lambda: mg.grad(lambda x: x**3)(2.0), 12.0),
    "hessian": (lambda: mg.hessian(lambda x: x**3)(2.0), 12.0),
    "hvp": (lambda: mg.hvp(lambda x: x**3, (2.0,), (1.0,)), 12.0),
    "jacobian": (lambda: mg.jacobian(lambda x: [x, x * x])(2.0), [1.0, 4.0]),
    "jvp": (lambda: mg.jvp(lambda x: x**3, (2.0,), (1.0,)), (8.0, 12.0)),
    "value_and_grad": (lambda: mg.value_and_grad(lambda x: x**3)(2.0), (8.0, 12.0)),
    "vjp": (lambda: mg.vjp(lambda x: x**3, 2.0)[1](1.0), (12.0,)),
    "explain": (lambda: (lambda x: mg.explain(x, x * x).gradient)(v(3.0)), 6.0),
    "statistics": (lambda: mg.statistics(v() * 2).nodes, 2),
    "topological_order": (lambda: len(mg.topological_order(v() * 2)), 2),
    "add": (lambda: (mg.add(X, 2.0), gradient(lambda x: mg.add(x, x))), (2.5, 2.0)),
    "sub": (lambda: (mg.sub(X, 2.0), gradient(lambda x: mg.sub(1.0, x))), (-1.5, -1.0)),
    "mul": (lambda: (mg.mul(X, 2.0), gradient(lambda x: mg.mul(x, x))), (1.0, 1.0)),
    "div": (lambda: (mg.div(X, 2.0), gradient(lambda x: mg.div(1.0, x))), (0.25, -4.0)),
    "neg": (lambda: (mg.neg(X), gradient(mg.neg)), (-0.5, -1.0)),
    "pos": (lambda: (mg.pos(X), gradient(mg.pos)), (0.5, 1.0)),
    "power": (lambda: (mg.power(X, 2), gradient(lambda x: mg.power(x, 3))), (0.25, 0.75)),
    "pow": (lambda: (mg.pow(X, 2), gradient(lambda x: mg.pow(x, 3))), (0.25, 0.75)),
    "abs": (lambda: (mg.abs(-X), gradient(lambda x: mg.abs(-x))), (0.5, 1.0)),
    "fabs": (lambda: (mg.fabs(-X), gradient(lambda x: mg.fabs(-x))), (0.5, 1.0)),
    "clamp": (lambda: (mg.clamp(X, 0.0, 0.25), gradient(lambda x: mg.clamp(x, high=1.0))), (0.25, 1.0)),
    "copysign": (lambda: (mg.copysign(X, -1.0), gradient(lambda x: mg.copysign(x, -1.0))), (-0.5, -1.0)),
    "eq": (lambda: (mg.eq(X, X), gradient(lambda x: mg.eq(x, 1.0))), (1.0, 0.0)),
    "ge": (lambda: (mg.ge(X, 1.0), gradient(lambda x: mg.ge(x, 1.0))), (0.0, 0.0)),
    "gt": (lambda: (mg.gt(X, 1.0), gradient(lambda x: mg.gt(x, 1.0))), (0.0, 0.0)),
    "le": (lambda: (mg.le(X, 1.0), gradient(lambda x: mg.le(x, 1.0))), (1.0, 0.0)),
    "lt": (lambda: (mg.lt(X, 1.0), gradient(lambda x: mg.lt(x, 1.0))), (1.0, 0.0)),
    "isnan": (lambda: (mg.isnan(math.nan), gradient(mg.isnan)), (1.0, 0.0)),
    "maximum": (lambda: (mg.maximum(X, 1.0), gradient(lambda x: mg.maximum(x, x))), (1.0, 1.0)),
    "minimum": (lambda: (mg.minimum(X, 1.0), gradient(lambda x: mg.minimum(x, 1.0))), (0.5, 1.0)),
    "where": (lambda: (mg.where(1.0, X, 2.0), gradient(lambda x: mg.where(0.0, 1.0, x))), (0.5, 1.0)),
    "acos": (lambda: (mg.acos(X), gradient(mg.acos)), (math.acos(X), -1 / math.sqrt(0.75))),
    "acosh": (lambda: (mg.acosh(2.0), gradient(lambda x: mg.acosh(x + 1.5))), (math.acosh(2.0), 1 / math.sqrt(3))),
    "asin": (lambda: (mg.asin(X), gradient(mg.asin)), (math.asin(X), 1 / math.sqrt(0.75))),
    "asinh": (lambda: (mg.asinh(X), gradient(mg.asinh)), (math.asinh(X), 1 / math.sqrt(1.25))),
    "atan": (lambda: (mg.atan(X), gradient(mg.atan)), (math.atan(X), 0.8)),
    "atan2": (lambda: (mg.atan2(X, 1.0), gradient(lambda x: mg.atan2(x, 1.0))), (math.atan(X), 0.8)),
    "atanh": (lambda: (mg.atanh(X), gradient(mg.atanh)), (math.atanh(X), 4 / 3)),
    "cbrt": (lambda: (mg.cbrt(8.0), gradient(lambda x: mg.cbrt(x + 7.5))), (2.0, 1 / 12)),
    "cos": (lambda: (mg.cos(X), gradient(mg.cos)), (math.cos(X), -math.sin(X))),
    "cosh": (lambda: (mg.cosh(X), gradient(mg.cosh)), (math.cosh(X), math.sinh(X))),
    "degrees": (lambda: (mg.degrees(math.pi), gradient(mg.degrees)), (180.0, 180 / math.pi)),
    "erf": (lambda: (mg.erf(X), gradient(mg.erf)), (math.erf(X), 2 / math.sqrt(math.pi) * math.exp(-0.25))),
    "erfc": (lambda: (mg.erfc(X), gradient(mg.erfc)), (math.erfc(X), -2 / math.sqrt(math.pi) * math.exp(-0.25))),
    "exp": (lambda: (mg.exp(X), gradient(mg.exp)), (math.exp(X), math.exp(X))),
    "exp2": (lambda: (mg.exp2(X), gradient(mg.exp2)), (math.sqrt(2), math.sqrt(2) * math.log(2))),
    "expm1": (lambda: (mg.expm1(X), gradient(mg.expm1)), (math.expm1(X), math.exp(X))),
    "fmod": (lambda: (mg.fmod(2.5, 1.0), gradient(lambda x: mg.fmod(x, 0.3))), (0.5, 1.0)),
    "hypot": (lambda: (mg.hypot(3.0, 4.0), gradient(lambda x: mg.hypot(x, x))), (5.0, math.sqrt(2))),
    "log": (lambda: (mg.log(X), gradient(mg.log)), (math.log(X), 2.0)),
    "log10": (lambda: (mg.log10(100.0), gradient(mg.log10)), (2.0, 2 / math.log(10))),
    "log1p": (lambda: (mg.log1p(X), gradient(mg.log1p)), (math.log1p(X), 2 / 3)),
    "log2": (lambda: (mg.log2(8.0), gradient(mg.log2)), (3.0, 2 / math.log(2))),
    "radians": (lambda: (mg.radians(180.0), gradient(mg.radians)), (math.pi, math.pi / 180)),
    "sin": (lambda: (mg.sin(X), gradient(mg.sin)), (math.sin(X), math.cos(X))),
    "sinh": (lambda: (mg.sinh(X), gradient(mg.sinh)), (math.sinh(X), math.cosh(X))),
    "sqrt": (lambda: (mg.sqrt(4.0), gradient(lambda x: mg.sqrt(x + 3.5))), (2.0, 0.25)),
    "tan": (lambda: (mg.tan(X), gradient(mg.tan)), (math.tan(X), 1 + math.tan(X) ** 2)),
    "tanh": (lambda: (mg.tanh(X), gradient(mg.tanh)), (math.tanh(X), 1 - math.tanh(X) ** 2)),
    "elu": (lambda: (mg.elu(-X, alpha=2.0), gradient(mg.elu)), (2 * math.expm1(-X), 1.0)),
    "gelu": (lambda: (mg.gelu(0.0), gradient(lambda x: mg.gelu(x - 0.5))), (0.0, 0.5)),
    "leaky_relu": (lambda: (mg.leaky_relu(-X), gradient(lambda x: mg.leaky_relu(-x, slope=0.5))), (-0.005, -0.5)),
    "relu": (lambda: (mg.relu(-X), gradient(mg.relu)), (0.0, 1.0)),
    "sigmoid": (lambda: (mg.sigmoid(0.0), gradient(lambda x: mg.sigmoid(x - 0.5))), (0.5, 0.25)),
    "silu": (lambda: (mg.silu(0.0), gradient(lambda x: mg.silu(x - 0.5))), (0.0, 0.5)),
    "softplus": (lambda: (mg.softplus(0.0), gradient(lambda x: mg.softplus(x - 0.5))), (math.log(2), 0.5)),
    "dist": (lambda: (mg.dist([0.0, 0.0], [3.0, 4.0]), gradient(lambda x: mg.dist([x], [0.0]))), (5.0, 1.0)),
    "dot": (lambda: (mg.dot([1.0, 2.0], [3.0, 4.0]), gradient(lambda x: mg.dot([x], [x]))), (11.0, 1.0)),
    "logsumexp": (lambda: (mg.logsumexp([0.0, 0.0]), gradient(lambda x: mg.logsumexp([x, X]))), (math.log(2), 0.5)),
    "mean": (lambda: (mg.mean([1.0, 2.0]), gradient(lambda x: mg.mean([x, 0.0]))), (1.5, 0.5)),
    "prod": (lambda: (mg.prod([2.0, 3.0]), gradient(lambda x: mg.prod([x, 0.0, 2.0]))), (6.0, 0.0)),
    "softmax": (lambda: mg.softmax([0.0, 0.0]), [0.5, 0.5]),
    "sum": (lambda: (mg.sum([1.0, 2.0]), gradient(lambda x: mg.sum([x, x]))), (3.0, 2.0)),
    "take": (lambda: (mg.take([1.0, 2.0], 1), gradient(lambda x: mg.take([x, 1.0], 0))), (2.0, 1.0)),
    "nn.Module": (lambda: mg.nn.Module().parameters(), []),
    "nn.Neuron": (lambda: len(mg.nn.Neuron(3).parameters()), 4),
    "nn.Layer": (lambda: len(mg.nn.Layer(3, 2)([1.0, 2.0, 3.0])), 2),
    "nn.MLP": (lambda: len(mg.nn.MLP(2, [16, 16, 1]).parameters()), 337),
    "nn.Linear": (lambda: len(mg.nn.Linear(3, 2)([1.0, 2.0, 3.0])), 2),
    "nn.Embedding": (lambda: len(mg.nn.Embedding(3, 2)(1)), 2),
    "nn.RMSNorm": (lambda: mg.nn.RMSNorm(2, epsilon=0.0)([2.0, 2.0]), [1.0, 1.0]),
    "nn.CausalSelfAttention": (lambda: len(mg.nn.CausalSelfAttention(4, 2)([[0.0] * 4] * 3)), 3),
    "nn.Block": (lambda: len(mg.nn.Block(4, 2)([[0.0] * 4] * 3)), 3),
    "nn.GPT": (lambda: len(mg.nn.GPT(27, 16).parameters()), 4192),
    "nn.fit": (lambda: fitted().steps, 3),
    "nn.History": (lambda: isinstance(fitted(), mg.nn.History), True),
    "nn.mean_squared_error": (lambda: mg.nn.mean_squared_error([1.0, 2.0], [0.0, 0.0]), 2.5),
    "nn.hinge": (lambda: mg.nn.hinge([0.5, 2.0], [1, -1]), 1.75),
    "nn.cross_entropy": (lambda: mg.nn.cross_entropy([X, X], 1), math.log(2)),
    "nn.binary_cross_entropy": (lambda: mg.nn.binary_cross_entropy(0.0, 1), math.log(2)),
    "optim.SGD": (lambda: stepped(mg.optim.SGD, lr=0.25, momentum=0.9), 0.0),
    "optim.Adam": (lambda: stepped(mg.optim.Adam, lr=0.25, eps=0.0), 0.25),
    "optim.AdamW": (lambda: stepped(mg.optim.AdamW, lr=0.25, eps=0.0, weight_decay=1.0), 0.125),
    "optim.Optimiser": (lambda: issubclass(mg.optim.AdamW, mg.optim.Optimiser), True),
    "optim.clip_gradient_norm": (lambda: mg.optim.clip_gradient_norm([v()], 1.0), 0.0),
    "optim.clip_gradient_value": (lambda: mg.optim.clip_gradient_value([v()], 1.0), None),
    "optim.ConstantRate": (lambda: mg.optim.ConstantRate(0.5)(7), 0.5),
    "optim.CosineRate": (lambda: mg.optim.CosineRate(10)(5), 0.5),
    "optim.ExponentialRate": (lambda: mg.optim.ExponentialRate(0.5)(2), 0.25),
    "optim.LinearRate": (lambda: mg.optim.LinearRate(100, end=0.1)(50), 0.55),
    "optim.StepRate": (lambda: mg.optim.StepRate(2, decay=0.5)(3), 0.5),
    "testing.Program": (lambda: mg.testing.Program((3.0,), (("mul", 0, 0),))(3.0), 9.0),
    "testing.program_of": (lambda: (lambda x: mg.testing.program_of(x * x, [x])(3.0))(v()), 9.0),
    "testing.gradcheck": (lambda: mg.testing.gradcheck(mg.tanh, X).verdict, "right"),
    "testing.assert_gradients": (lambda: mg.testing.assert_gradients(mg.relu, 0.0).verdict, "not differentiable here"),
    "testing.Report": (lambda: isinstance(mg.testing.gradcheck(mg.tanh, X), mg.testing.Report), True),
    "testing.Figures": (lambda: mg.testing.gradcheck(mg.tanh, X).figures, mg.testing.Figures(1, 1, 1, 1, 1, 0.0, 2)),
    "testing.Culprit": (lambda: culprit(), (0, 2.0, 1.0)),
    "testing.check_operation": (lambda: mg.testing.check_operation(mg.tanh, "second order").verdict, "right"),
    "testing.Outcome": (lambda: mg.testing.Outcome("tanh", "value", "right", 3, "").checked, 3),
    "testing.broadcastable_arrays": (lambda: is_strategy(mg.testing.broadcastable_arrays()), True),
    "testing.expressions": (lambda: is_strategy(mg.testing.expressions()), True),
    "testing.inputs": (lambda: is_strategy(mg.testing.inputs()), True),
    "testing.programs": (lambda: is_strategy(mg.testing.programs()), True),
    "testing.values": (lambda: is_strategy(mg.testing.values()), True),
}
NEED_A_FOLDER = {"load", "save"}


def test_every_public_name_has_an_example() -> None:
    public = {*NAMES, *NOT_STARRED, *[f"{wing}.{name}" for wing, names in WINGS.items() for name in names]}
    assert public == {*EXAMPLES, *NEED_A_FOLDER}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_of_a_public_name(name: str) -> None:
    call, expected = EXAMPLES[name]
    result = call()
    if isinstance(expected, float) or (isinstance(expected, tuple) and isinstance(expected[0], float)):
        assert result == pytest.approx(expected, rel=1e-14, abs=1e-15)
    else:
        assert result == expected


def test_saving_and_loading(tmp_path: Path) -> None:
    assert saved_and_loaded(tmp_path) == 0.5


def test_no_public_name_is_a_module() -> None:
    for name in [*NAMES, *NOT_STARRED]:
        thing = getattr(mg, name)
        assert callable(thing), name
        assert not isinstance(thing, ModuleType), name
        assert inspect.getdoc(thing), name


def test_the_order_of_imports_does_not_matter() -> None:
    program = """
import importlib, sys
names = sys.argv[1].split()
for name in (names if sys.argv[2] == "forward" else reversed(names)):
    importlib.import_module(name)
import micrograd as mg
print(type(mg.op).__name__, type(mg.grad).__name__, type(mg.sum).__name__, type(mg.array).__name__, mg.testing.__name__)
"""
    for direction in ("forward", "backward"):
        printed = run_python(program, " ".join(submodules()), direction)
        assert printed == "function function Op function micrograd.testing\n"


# --- type checkers ----------------------------------------------------------------------------------------------


def test_type_checkers_see_the_methods_of_the_table() -> None:
    stub = Path(inspect.getfile(stubs)).with_name("operand.pyi").read_text(encoding="utf-8")
    assert stub == stubs.stub_text(), "run python -m micrograd.ops.stubs"


def test_the_package_says_that_it_is_typed() -> None:
    assert Path(mg.__file__).with_name("py.typed").exists()


# --- programs for micrograd 0.1 ---------------------------------------------------------------------------------


def test_the_readme_of_micrograd_01() -> None:
    from micrograd.engine import Value

    a = Value(-4.0)
    b = Value(2.0)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    assert f"{g.data:.4f}" == "24.7041"
    g.backward()
    assert f"{a.grad:.4f}" == "138.8338"
    assert f"{b.grad:.4f}" == "645.5773"


def test_training_as_in_micrograd_01() -> None:
    from micrograd.engine import Value
    from micrograd.nn import MLP

    random.seed(1337)
    model = MLP(2, [16, 16, 1])
    assert str(model).startswith("MLP(2 -> 16 -> 16 -> 1, relu, 337 parameters)")
    xs = [[random.uniform(-1, 1), random.uniform(-1, 1)] for _ in range(20)]
    ys = [1 if x[0] > x[1] else -1 for x in xs]

    def loss() -> Any:
        inputs = [list(map(Value, row)) for row in xs]
        scores = list(map(model, inputs))
        losses = [(1 + -yi * scorei).relu() for yi, scorei in zip(ys, scores)]
        data_loss = sum(losses) * (1.0 / len(losses))
        return data_loss + 1e-4 * sum(p * p for p in model.parameters())

    first = loss().data
    for _ in range(20):
        total = loss()
        model.zero_grad()
        total.backward()
        for p in model.parameters():
            p.data -= 0.1 * p.grad
    assert loss().data < 0.5 * first


def test_drawing_as_in_micrograd_01() -> None:
    root: Any = (mg.Value(2.0) * -3.0 + 1.0).tanh()
    nodes, edges = set(), set()

    def build(node: Any) -> None:
        if node not in nodes:
            nodes.add(node)
            for child in node._prev:
                edges.add((child, node))
                build(child)

    build(root)
    assert (len(nodes), len(edges)) == (4, 3)
    assert {node._op for node in nodes} == {"", "*", "+", "tanh"}
    assert f"{root.data:.4f} {root.grad:.4f}" == "-0.9999 0.0000"


def test_numpy_prints_and_holds_values() -> None:
    a = mg.array([1.0, 2.0])
    assert repr(np.sum(a)) == "Value(data=3.0, grad=0.0)"
