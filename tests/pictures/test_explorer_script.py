"""Protects the arithmetic of the explorer's page without a browser: its files about graphs and passes run in node, and
what they compute is held to ``backward()`` and to Python's way of writing numbers.
"""

from __future__ import annotations

import json
import math
import random
import shutil
import struct
import subprocess
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from support import registered, same

import micrograd as mg
from micrograd import Value
from micrograd.pictures import explorer as explorer_module
from micrograd.pictures.page_data import forms_of, page_data
from micrograd.pictures.record import of_pass
from micrograd.pictures.text import number

_FILES = ("numbers", "naming", "graph", "pass", "words")  # those that know no page

_PASS = """
const exact = (numbers) => Array.from(numbers, (x) => (Object.is(x, -0) ? "-0.0" : String(x)));
const answer = (pass) => {
  const steps = Array.from({ length: graph.lastStep + 1 }, (_, step) => stepWords(graph, pass, step));
  const ids = Array.from({ length: graph.size }, (_, id) => id);
  const ends = Array.from({ length: graph.size }, (_, id) => gradientAt(graph, pass, id, graph.lastStep).total);
  return { data: exact(pass.data), gradient: exact(pass.gradient), ends: exact(ends), local: exact(pass.local),
           share: exact(pass.share), steps, formulas: ids.map((id) => gradientFormula(graph, pass, id, graph.lastStep)),
           titles: graph.titles };
};
const graph = readGraph(data);
const passes = points.map((point) => {
  const inputs = Float64Array.from(graph.data);
  for (const [id, x] of point) inputs[id] = Number(x);
  return answer(computedPass(graph, scripts, inputs));
});
console.log(JSON.stringify({ recorded: answer(recordedPass(graph)), passes }));
"""


def node(script: str) -> Any:
    """Return what ``script`` prints, which is JSON."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    done = subprocess.run(["node"], input=script, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def files() -> str:
    return '"use strict";\n' + "\n".join(explorer_module._asset(f"{name}.js") for name in _FILES)


class Passes:
    """What the page computes for a graph: the recorded pass, and one for each of some points."""

    def __init__(self, root: Value, points: Sequence[dict[Value, float]] = ()) -> None:
        record = of_pass(root)
        forms = forms_of(record.values)
        index = {v: i for i, v in enumerate(record.values)}
        self.order = list(record.values)
        self.data = page_data(record, forms, digits=4)
        scripts = ",".join(f"{json.dumps(f.script)}: {f.source}" for f in forms if f.script)
        asked = [[[index[v], repr(x)] for v, x in point.items()] for point in points]
        found = node(
            f"{files()}\nconst scripts = {{{scripts}}};\nconst data = {json.dumps(self.data)};\n"
            f"const points = {json.dumps(asked)};\n{_PASS}"
        )
        self.recorded: dict[str, list[Any]] = found["recorded"]
        self.passes: list[dict[str, list[Any]]] = found["passes"]


def floats(texts: Sequence[str]) -> list[float]:
    return [float(text) for text in texts]


def of_backward(order: Sequence[Value]) -> tuple[list[float], list[float]]:
    for v in order:
        v.grad = 0.0
    order[-1].backward()
    return [v.data for v in order], [v.grad for v in order]


# --- passes -----------------------------------------------------------------------------------------------------

Leaves = dict[str, Value]


def shared_bias(at: Callable[[str, float], Value]) -> Value:
    b, w = at("b", 0.1), at("w", -0.7)
    samples = [(at(f"x{k}", 0.3 * k - 0.5), 0.25 * k) for k in range(4)]
    total: Any = 0.0
    for x, y in samples:
        error = w * x + b - y
        total = total + error * error
    root: Value = total
    return root


def tangle(at: Callable[[str, float], Value]) -> Value:
    x, y = at("x", 0.3), at("y", -1.7)
    s = x * x + y
    root: Value = s * s * x - s / y + mg.sum([x, s, x, 2.0]) * mg.prod([s, s, y])
    return root


def unreached(at: Callable[[str, float], Value]) -> Value:
    """A node to which no gradient comes, and whose local derivative is infinite."""
    x, zero = at("x", 0.0), at("zero", 0.0)
    root: Value = mg.sqrt(x) * zero + mg.log(x) * zero * 0.0 + x
    return root


def smooth(at: Callable[[str, float], Value]) -> Value:
    x, y = at("x", 0.3), at("y", 1.7)
    root: Value = mg.tanh(x * y) + mg.exp(x) * mg.sigmoid(y) - mg.log(y) ** 2 + mg.logsumexp([x, y, x])
    return root


EXACT = [shared_bias, tangle, unreached]


def built(graph: Callable[[Callable[[str, float], Value]], Value], **changes: float) -> tuple[Leaves, Value]:
    leaves: Leaves = {}

    def at(name: str, x: float) -> Value:
        leaves[name] = Value(changes.get(name, x), label=name)
        return leaves[name]

    return leaves, graph(at)


@pytest.mark.parametrize("graph", [*EXACT, smooth])
def test_the_recorded_pass_ends_with_what_backward_leaves(graph: Any) -> None:
    _, root = built(graph)
    found = Passes(root)
    data, gradients = of_backward(found.order)
    assert same(floats(found.recorded["data"]), data)
    assert same(floats(found.recorded["gradient"]), gradients)
    assert same(floats(found.recorded["ends"]), gradients)


@pytest.mark.parametrize("graph", EXACT)
def test_other_inputs_give_the_bits_of_python_where_ieee_does(graph: Any) -> None:
    rng = random.Random(7)
    leaves, root = built(graph)
    moves = [{name: rng.uniform(-2.0, 2.0) for name in leaves} for _ in range(5)]
    moves.append(dict.fromkeys(leaves, 0.0))
    if graph is unreached:
        moves = [{"x": 0.0, "zero": 0.0}]  # logarithms are not exact elsewhere
    found = Passes(root, [{leaves[name]: x for name, x in move.items()} for move in moves])
    for move, got in zip(moves, found.passes, strict=True):
        _, again = built(graph, **move)
        data, gradients = of_backward(mg.topological_order(again))
        assert same(floats(got["data"]), data), move
        assert same(floats(got["gradient"]), gradients), move


def test_other_inputs_give_nearly_the_numbers_of_python_elsewhere() -> None:
    leaves, root = built(smooth)
    moves = [{"x": 0.5, "y": 0.25}, {"x": -3.0, "y": 11.0}, {"x": 1e-9}]
    found = Passes(root, [{leaves[name]: x for name, x in move.items()} for move in moves])
    for move, got in zip(moves, found.passes, strict=True):
        _, again = built(smooth, **move)
        data, gradients = of_backward(mg.topological_order(again))
        assert floats(got["data"]) == pytest.approx(data, rel=1e-13, abs=1e-13)
        assert floats(got["gradient"]) == pytest.approx(gradients, rel=1e-13, abs=1e-13)


def test_no_gradient_no_share() -> None:
    leaves, root = built(unreached)
    found = Passes(root, [{leaves["zero"]: 0.0}])
    for got in (found.recorded, *found.passes):
        at_sqrt = [k for k, edge in enumerate(found.data["edges"]) if found.order[edge["consumer"]].op == "sqrt"]
        assert [got["local"][k] for k in at_sqrt] == ["Infinity"]
        assert [got["share"][k] for k in at_sqrt] == ["0"]
        assert all(math.isfinite(float(x)) for x in got["share"])


def test_an_operation_without_a_script_keeps_its_value_and_its_derivative() -> None:
    with registered("shout", forward=lambda a: float(f"{a}1"), vjp=(lambda g, out, a: g * float(str(a)),)) as shout:
        x, y = Value(2.5, label="x"), Value(3.0, label="y")
        found = Passes(shout(x) * y, [{x: 9.0, y: 4.0}])
    (got,) = found.passes
    by_name = dict(zip([node["name"] or node["op"] for node in found.data["nodes"]], floats(got["data"])))
    gradients = dict(zip(by_name, floats(got["gradient"])))
    assert by_name == {"x": 9.0, "shout": 2.51, "y": 4.0, "mul": 10.04}
    assert gradients == {"x": 2.5 * 4.0, "shout": 4.0, "y": 2.51, "mul": 1.0}


# --- words ------------------------------------------------------------------------------------------------------


def test_the_words_of_a_pass() -> None:
    x, b = Value(2.0, label="x"), Value(-0.5, label="b")
    y = x * 3.0 + b
    y.label = "y"
    loss = y * y
    loss.label = "loss"
    assert Passes(loss).recorded["steps"] == [
        "step 0 of 9: the inputs have their values, nothing else is computed yet",
        "step 1 of 9: mul #1 = x × 3 = 2 × 3 = 6",
        "step 2 of 9: y = mul #1 + b = 6 + (-0.5) = 5.5",
        "step 3 of 9: loss = y × y = 5.5 × 5.5 = 30.25",
        "step 4 of 9: loss.grad = 1",
        "step 5 of 9: y.grad += 5.5 × 1 = 5.5",
        "step 6 of 9: y.grad += 5.5 × 1 = 11",
        "step 7 of 9: mul #1.grad += 1 × 11 = 11",
        "step 8 of 9: b.grad += 1 × 11 = 11",
        "step 9 of 9: x.grad += 3 × 11 = 33",
    ]


def test_the_words_where_no_gradient_arrives() -> None:
    _, root = built(unreached)
    assert Passes(root).recorded["steps"][-3:] == [
        "step 17 of 19: sqrt #1.grad += 0 × 1 = 0",
        "step 18 of 19: zero.grad += 0 × 1 = 0",
        "step 19 of 19: x.grad += 0 = 1: no gradient arrives at sqrt #1, so it passes none on",
    ]


def test_operations_with_the_names_of_what_every_object_has() -> None:
    with registered(
        "constructor", forward=lambda a, b: a + b, vjp=(lambda g, out, a, b: g, lambda g, out, a, b: g)
    ) as op:
        words = Passes(op(Value(1.0, label="x"), Value(2.0, label="y"))).recorded["steps"]
    assert words[1] == "step 1 of 4: constructor #2 = constructor(x, y) = constructor(1, 2) = 3"


def test_the_words_after_a_step_of_an_optimiser_are_those_of_the_pass() -> None:
    w, x = Value(0.5, label="w"), Value(2.0, label="x")
    loss = (w * x) ** 2
    before = Passes(loss).recorded["steps"]
    loss.backward()
    w.data -= 0.1 * w.grad
    assert Passes(loss).recorded["steps"] == before
    assert before[1] == "step 1 of 6: mul #2 = w × x = 0.5 × 2 = 1"


def test_names_that_occur_more_than_once_have_as_much_of_the_scope_as_tells_them_apart() -> None:
    terms: list[Value] = [Value(1.0, label="alone"), Value(1.0, label="b"), Value(1.0)]
    for path in ("layer0/neuron0", "layer0/neuron1", "layer1/neuron0", "layer1/neuron0"):
        with mg.scope(path):
            terms += [Value(1.0, label="b") * 2.0, Value(1.0, label=path[-1])]
    titles = [title for title in Passes(mg.sum(terms)).recorded["titles"] if not title.startswith(("mul", "sum"))]
    assert titles[:4] == ["alone", "b #1", "leaf #2", "layer0/neuron0/b"]
    assert "neuron1/b" in titles
    assert len(set(titles)) == len(titles) == 11


def test_a_gradient_through_a_frozen_operation_is_said_to_be() -> None:
    with registered("shout", forward=lambda a: float(f"{a}1"), vjp=(lambda g, out, a: g * float(str(a)),)) as shout:
        x, y = Value(2.5, label="x"), Value(3.0, label="y")
        found = Passes(shout(x) * y, [{y: 4.0}])
    marked = [["frozen" in formula for formula in got["formulas"]] for got in (found.recorded, *found.passes)]
    assert marked == [[False] * 4, [True, False, False, False]]
    assert found.passes[0]["formulas"][0].endswith(" (through shout #1, frozen: with Python's numbers)")
    assert found.passes[0]["steps"][-1].endswith(" (through shout #1, frozen: with Python's numbers)")


def nudges(root: Value, id: int, h: float) -> str:
    record = of_pass(root)
    forms = forms_of(record.values)
    scripts = ",".join(f"{json.dumps(f.script)}: {f.source}" for f in forms if f.script)
    said = node(
        f"{files()}\nconst scripts = {{{scripts}}};\n"
        f"const graph = readGraph({json.dumps(page_data(record, forms, digits=4))});\n"
        f"const words = nudgeWords(graph, scripts, recordedPass(graph), graph.data, {id}, {h});\n"
        "console.log(JSON.stringify(words));"
    )
    return str(said)


def test_the_words_of_a_nudge() -> None:
    x, y = Value(2.0, label="x"), Value(1e12, label="y")
    with registered("shout", forward=lambda a: float(f"{a}1"), vjp=(lambda g, out, a: g * float(str(a)),)) as shout:
        root = mg.tanh(shout(x)) + y * y * 2.0
        assert nudges(root, 0, 0.5) == "This cannot be computed here: shout #1 is frozen."
    assert nudges(x * x, 0, 0.5) == "Moving x by 0.5 moves mul #1 by 2.25; grad × h = 2."
    assert nudges(y * y, 0, 1e-6) == "h = 1e-06 is too small: y + h rounds to y."


# --- numbers ----------------------------------------------------------------------------------------------------


def awkward_numbers() -> list[float]:
    rng = random.Random(3)
    anything = [struct.unpack("<d", rng.randbytes(8))[0] for _ in range(3000)]
    ties = [(k + 0.5) / 2**n * 10**p for k in range(0, 2000, 7) for n in (0, 1, 3) for p in (0, 1, 3)]
    decimal = [float(f"{rng.randrange(1, 10**5)}e{rng.randrange(-12, 12)}") for _ in range(3000)]
    special = [
        0.0,
        -0.0,
        math.inf,
        -math.inf,
        math.nan,
        5e-324,
        999999.0,
        1e6,
        999999.5,
        9999.5,
        99995.0,
        0.00009999999,
    ]
    return [*special, *anything, *ties, *[-x for x in ties[:500]], *decimal]


@pytest.mark.parametrize("digits", [1, 4, 6, 17])
def test_numbers_are_written_as_python_writes_them(digits: int) -> None:
    numbers = awkward_numbers()
    texts = node(
        f"{files()}\nconst numbers = {json.dumps([str(x) for x in numbers])};\n"
        "const read = (x) => (x in NOT_FINITE ? decode(x) : Number(x));\n"
        f"console.log(JSON.stringify(numbers.map((x) => formatNumber(read(x), {digits}))));"
    )
    wrong = [(x, got, number(x, digits)) for x, got in zip(numbers, texts, strict=True) if got != number(x, digits)]
    assert wrong == []
