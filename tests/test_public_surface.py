"""Protects the public names: which there are, that each can be called after every file has been imported, that no
module takes a function's name, and that programs written for micrograd 0.1 run.
"""

from __future__ import annotations

import builtins
import importlib
import pkgutil
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import micrograd as mg
from micrograd import Value
from micrograd.ops import stubs

NAMES = """
Accuracy AnomalyError ExpressionError GraphFileError Op StaleValueError Value
array data_of detect_anomaly explain grad grad_of hessian hvp jacobian jvp load no_grad op operations pause_gc save
scope statistics topological_order value_and_grad vjp
add div mul neg pos sub
clamp copysign eq fabs ge gt isnan le lt maximum minimum where
acos acosh asin asinh atan atan2 atanh cbrt cos cosh degrees erf erfc exp exp2 expm1 fmod hypot log log10 log1p log2
power radians sin sinh sqrt tan tanh
elu gelu leaky_relu relu sigmoid silu softplus
dist dot logsumexp mean prod softmax take
""".split()
BUILTINS = ["abs", "pow", "sum"]  # public, but not for ``from micrograd import *``


def test_all_is_pinned() -> None:
    assert sorted(mg.__all__) == sorted(NAMES)
    assert not [name for name in mg.__all__ if hasattr(builtins, name)]
    assert all(callable(getattr(mg, name)) for name in [*NAMES, *BUILTINS])


def test_a_star_import_leaves_the_builtins_alone() -> None:
    namespace: dict[str, Any] = {}
    exec("from micrograd import *\nresult = sum([1, 2]), abs(-1), pow(2, 3)", namespace)
    assert namespace["result"] == (3, 1, 8)
    assert namespace["tanh"] is mg.tanh


def import_everything() -> list[str]:
    names = [module.name for module in pkgutil.walk_packages(mg.__path__, "micrograd.")]
    for name in names:
        if not name.endswith("__main__"):
            importlib.import_module(name)
    return names


def _saved(folder: Path) -> Any:
    path = folder / "graph.json"
    mg.save(Value(2.0) * 3, path)
    return mg.load(path)


x = Value(0.5)
CALLS: dict[str, Callable[[Path], Any]] = {
    "Accuracy": lambda folder: mg.Accuracy(value=1.0).value,
    "AnomalyError": lambda folder: str(mg.AnomalyError("text")),
    "ExpressionError": lambda folder: mg.ExpressionError("text", 3).column,
    "GraphFileError": lambda folder: isinstance(mg.GraphFileError("text"), ValueError),
    "Op": lambda folder: isinstance(mg.tanh, mg.Op),
    "StaleValueError": lambda folder: isinstance(mg.StaleValueError("text"), RuntimeError),
    "Value": lambda folder: Value(1).data,
    "array": lambda folder: mg.array([1.0]).shape,
    "data_of": lambda folder: mg.data_of([x]).tolist(),
    "detect_anomaly": lambda folder: mg.detect_anomaly().__enter__(),
    "explain": lambda folder: mg.explain(x, x * x).gradient,
    "grad": lambda folder: mg.grad(mg.tanh)(0.0),
    "grad_of": lambda folder: mg.grad_of([Value(1.0)]).tolist(),
    "hessian": lambda folder: mg.hessian(lambda v: v**3)(2.0),
    "hvp": lambda folder: mg.hvp(lambda v: v**3, (2.0,), (1.0,)),
    "jacobian": lambda folder: mg.jacobian(lambda v: [v, v * 2])(2.0),
    "jvp": lambda folder: mg.jvp(lambda v: v * v, (2.0,), (1.0,)),
    "load": lambda folder: _saved(folder).data,
    "no_grad": lambda folder: mg.no_grad()(lambda: (x * x).parents)(),
    "op": lambda folder: mg.op("twice", forward=lambda a: 2 * a, vjp=(lambda g, out, a: 2 * g,))(3.0),
    "operations": lambda folder: mg.operations()["tanh"] is mg.tanh,
    "pause_gc": lambda folder: mg.pause_gc()(lambda: 1)(),
    "save": lambda folder: _saved(folder).operands[1],
    "scope": lambda folder: mg.scope("a")(lambda: (x * x).scope)(),
    "statistics": lambda folder: mg.statistics(x * x).edges,
    "topological_order": lambda folder: len(mg.topological_order(x * x)),
    "value_and_grad": lambda folder: mg.value_and_grad(mg.exp)(0.0),
    "vjp": lambda folder: mg.vjp(lambda v: v * v, 3.0)[1](1.0),
    "softmax": lambda folder: len(mg.softmax([1.0, 2.0])),
}
RESULTS = {
    "Accuracy": 1.0,
    "AnomalyError": "text",
    "ExpressionError": 3,
    "Value": 1.0,
    "array": (1,),
    "data_of": [0.5],
    "detect_anomaly": None,
    "explain": 1.0,
    "grad": 1.0,
    "grad_of": [0.0],
    "hessian": 12.0,
    "hvp": 12.0,
    "jacobian": [1.0, 2.0],
    "jvp": (4.0, 4.0),
    "load": 6.0,
    "no_grad": (),
    "op": 6.0,
    "pause_gc": 1,
    "save": 3.0,
    "scope": "a",
    "statistics": 2,
    "topological_order": 2,
    "value_and_grad": (1.0, 1.0),
    "vjp": (6.0,),
    "softmax": 2,
}


@pytest.mark.parametrize("name", [*NAMES, *BUILTINS])
def test_every_public_name_works_after_every_file_was_imported(name: str, tmp_path: Path) -> None:
    import_everything()
    if name in CALLS:
        assert CALLS[name](tmp_path) == RESULTS.get(name, True)
        return
    operation = getattr(mg, name)
    assert isinstance(operation, mg.Op), f"{name}: write a call of it in CALLS"
    operands = [0.25, 0.5, 0.75][: operation.arity or 2]
    if operation.name in ("dot", "dist"):
        arguments: tuple[Any, ...] = ([0.25], [0.5])
    elif operation.name == "take":
        arguments = ([0.25, 0.5], 1)
    elif operation.arity is None:
        arguments = (operands,)
    else:
        arguments = tuple(operands) if name != "acosh" else (1.5,)
    wrap: Callable[[Any], Any] = lambda v: [Value(u) for u in v] if isinstance(v, list) else Value(v)
    on_values = operation(*[wrap(a) if not isinstance(a, int) else a for a in arguments])
    assert on_values.data == operation(*arguments)
    assert on_values.op == operation.name


def test_no_module_takes_the_name_of_a_function() -> None:
    modules = {name.rpartition(".")[2] for name in import_everything() if name.count(".") == 1}
    assert modules.isdisjoint([*NAMES, *BUILTINS])
    assert mg.nn.MLP(2, [1]).parameters()
    assert "nn" in dir(mg)
    assert "tanh" in dir(mg)


def test_a_users_operation_is_found_in_the_package() -> None:
    thrice = mg.op("thrice", forward=lambda a: 3 * a, vjp=(lambda g, out, a: 3 * g,))
    assert mg.thrice is thrice
    with pytest.raises(AttributeError, match="no_such_name"):
        mg.no_such_name  # noqa: B018


def test_what_type_checkers_see_is_what_there_is() -> None:
    path = Path(stubs.__file__).with_name("operand.pyi")
    assert path.read_text(encoding="utf-8") == stubs.stub_text(), "run python -m micrograd.ops.stubs"
    assert (Path(mg.__file__).parent / "py.typed").exists()


# --- micrograd 0.1 ----------------------------------------------------------------------------------------------


def test_a_program_for_micrograd_01() -> None:
    from micrograd.engine import Value
    from micrograd.nn import MLP

    a, b = Value(-4.0), Value(2.0)
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
    g.backward()
    assert f"{g.data:.4f}" == "24.7041"
    assert f"{a.grad:.4f}" == "138.8338"
    assert f"{b.grad:.4f}" == "645.5773"
    assert c._op == "+"
    assert (a * b)._prev == {a, b}
    assert a._op == ""

    random.seed(1337)
    model = MLP(2, [16, 16, 1])
    assert len(model.parameters()) == 337
    for _ in range(3):
        inputs = [list(map(Value, row)) for row in np.array([[0.5, 1.0], [-1.0, 0.25]])]
        losses = [(1 + -y * score).relu() for y, score in zip([1, -1], map(model, inputs))]
        loss = sum(losses) * (1.0 / len(losses)) + 1e-4 * sum(p * p for p in model.parameters())
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= 0.1 * p.grad
    assert loss.data == loss.data


def test_the_backward_pass_by_hand() -> None:
    a, b = Value(2.0), Value(-3.0)
    product = a * b
    out = product.tanh()
    out.grad = 1.0
    out._backward()
    product._backward()
    a._backward()  # of a leaf: nothing to do
    by_hand = (a.grad, b.grad, product.grad)
    a.grad = b.grad = 0.0
    out.backward()
    assert (a.grad, b.grad, product.grad) == by_hand
    assert a.grad == pytest.approx(-3.0 * (1 - mg.tanh(-6.0) ** 2))
