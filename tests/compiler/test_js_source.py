"""Protects the export to JavaScript: node finds eager code's numbers, and the text is safe in a page."""

from __future__ import annotations

import json
import math
import random
import re
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

import mpmath
import pytest
from source_batches import all_cases, batch_cases, corner_cases, long_case, scatter_cases, tangent_cases
from source_cases import HOSTILE, Case, captured, derived

from micrograd.compiler.js_source import js_source
from micrograd.compiler.program import Program
from micrograd.errors import CompilationError

# Calls come as JSON, which has no nan: numbers are texts both ways.
_RUN = """
const text = (x) => (Object.is(x, -0) ? "-0.0" : String(x));
const answers = requests.map(([f, samples, reads, writes]) => {
  const inputs = reads.map(([name, numbers]) => {
    const kind = name.includes("index") ? Int32Array : Float64Array;
    return kind.from(numbers.map(Number));
  });
  const outputs = writes.map((size) => new Float64Array(size).fill(12345));
  const result = f(...(samples === null ? [] : [samples]), ...inputs, ...outputs);
  return [result === undefined ? null : text(result), outputs.map((array) => Array.from(array, text))];
});
console.log(JSON.stringify(answers));
"""


def source_of(case: Case) -> str:
    return js_source(case.program, name=case.name, **case.options)


def node(script: str) -> str:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    done = subprocess.run(["node"], input=script, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def text_of(x: float) -> str:
    return "NaN" if x != x else repr(x).replace("inf", "Infinity")


def run(cases: Sequence[Case]) -> list[list[dict[str, Any]]]:
    """Make every call of every case, in one process."""
    requests = []
    for case in cases:
        for call in case.calls:
            reads = [[array, list(map(text_of, numbers))] for array, numbers in call.reads.items()]
            asked = json.dumps([call.samples, reads, list(call.writes.values())])
            requests.append(f"[{case.name}, ...{asked}]")
    script = [*map(source_of, cases), "const requests = [", ",\n".join(requests), "];", _RUN]
    answers = iter(json.loads(node("\n".join(script))))
    results: list[list[dict[str, Any]]] = []
    for case in cases:
        results.append([])
        for call in case.calls:
            returned, arrays = next(answers)
            result: dict[str, Any] = {name: list(map(float, x)) for name, x in zip(call.writes, arrays, strict=True)}
            result["return"] = None if returned is None else float(returned)
            results[-1].append(result)
    return results


@pytest.mark.slow
def test_every_case_gives_eager_numbers() -> None:
    cases = all_cases()
    for case, results in zip(cases, run(cases), strict=True):
        case.check(results, "js")


def test_a_long_program_runs() -> None:
    case = long_case()
    (results,) = run([case])
    case.check(results, "js")


# --- functions that JavaScript lacks ----------------------------------------------------------------------------


def values_of(name: str, points: Sequence[float]) -> list[float]:
    f = js_source(Program(["argument", name], [(0,), (0,)], {"value": 1}))
    script = f"{f}\nconsole.log(JSON.stringify({json.dumps(points)}.map((x) => String(f([x])))));"
    return list(map(float, json.loads(node(script))))


@pytest.mark.parametrize(("name", "ulps"), [("erf", 2.0), ("erfc", 5.0), ("exp2", 2.0)])
def test_the_stated_accuracy(name: str, ulps: float) -> None:
    drawn = random.Random(name)
    points = [drawn.uniform(-28.0, 28.0) for _ in range(1500)] + [drawn.uniform(-6.5, 6.5) for _ in range(2500)]
    points += [drawn.uniform(-1.2, 1.2) for _ in range(2500)] + [10.0 ** drawn.uniform(-300.0, 0.0) for _ in range(200)]
    points += [0.5, 1.0, -1.0, 6.0, math.nextafter(0.5, 0.0), math.nextafter(1.0, 2.0), 26.55, 27.2]
    exact = {"erf": mpmath.erf, "erfc": mpmath.erfc, "exp2": lambda x: mpmath.power(2, x)}[name]
    with mpmath.workprec(160):
        worst = max(
            (float(abs(mpmath.mpf(y) - exact(mpmath.mpf(x))) / math.ulp(y)), x)
            for x, y in zip(points, values_of(name, points), strict=True)
        )
    assert worst[0] <= ulps, worst


# --- the text ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [batch_cases, scatter_cases, tangent_cases, corner_cases])
def test_the_example_in_the_comment_runs(make: Any) -> None:
    for case in make():
        source = source_of(case)
        lines = [line[7:] for line in source.partition(" */")[0].splitlines() if line.startswith(" *     ")]
        start = next(k for k, line in enumerate(lines) if line.startswith(("const ", "console")))
        assert node("\n".join([source, *lines[start:]]))


@pytest.mark.parametrize("name", ["f", "square"])
def test_hostile_texts_stay_in_the_comment(name: str) -> None:
    program = derived(captured(lambda x, y: x * y, 2))
    source = js_source(program, name=name, legend={"argument": HOSTILE, "parameter": HOSTILE})
    assert source.isascii()
    assert source.count("*/") == source.count("/*") == 1
    assert source.partition("*/")[2] == js_source(program, name=name).partition("*/")[2]
    assert node(f"{source}\nconsole.log({name}([3, 4], [0, 0]));") == "12\n"


def test_the_text_may_stand_in_a_page() -> None:
    for case in all_cases():
        assert not re.search(r"</|<!--|<script|-->|\]\]>", source_of(case), re.IGNORECASE)


@pytest.mark.parametrize("name", ["", "1x", "let", "Math", "top", "eval", "_x", "x y", "f(){}", "naïve", "x" * 64, 3])
def test_names_that_javascript_cannot_use_are_refused(name: Any) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(name))):
        js_source(Program(["argument"], [(0,)], {"value": 0}), name=name)


def test_what_cannot_be_exported_is_refused() -> None:
    program = Program(["argument", "relu"], [(0,), (0,)], {"value": 1})
    with pytest.raises(CompilationError, match="%1 = relu"):
        js_source(program)
    with pytest.raises(ValueError, match="reduce needs batched"):
        js_source(derived(program), reduce="sum")
