"""Protects the numbers of the explorer's page: they are Python's, also after an input moved, in the browser itself."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from chromium import Browser, started
from explorer_bounds import bounds
from explorer_page import Page
from hypothesis import HealthCheck, Phase, given, settings
from operation_calls import ANSWERS, calls_of, departure, eager, shapes, written
from selenium.webdriver.common.keys import Keys
from support import same
from table_rows import ROWS

import micrograd as mg
from micrograd import Value
from micrograd.compiler.operation_script import operation_script
from micrograd.testing.program import Program
from micrograd.testing.strategies import programs


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as found:
        yield found


def labelled(program: Program, numbers: Sequence[float]) -> tuple[list[Value], Value]:
    """Return inputs with names and the root of a program, which is never one of the inputs."""
    inputs = [Value(x, label=f"x{k}") for k, x in enumerate(numbers)]
    return inputs, program(*inputs)


def drawn(count: int) -> list[Program]:
    """Return random programs of which every one has a graph, the same in every run of a profile."""
    found: list[Program] = []

    @settings(max_examples=count, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(programs(max_instructions=15))
    def collect(program: Program) -> None:
        if program.instructions:
            found.append(program)

    collect()
    return found


# --- every operation --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ROWS)
def test_scripts_agree_with_the_engine_in_this_browser(browser: Browser, name: str) -> None:
    """The node of the compiler's own tests and the browser may have different ``Math``."""
    asked = [(n, calls_of(name, n)) for operation, n in shapes() if operation == name]
    requests = ",\n".join(f"[{operation_script(ROWS[name], n)}, arguments[0][{k}]]" for k, (n, _) in enumerate(asked))
    script = f"return ({ANSWERS.strip()})([{requests}]);"
    answers = browser.run(script, [list(map(written, calls)) for _, calls in asked])
    told = [
        departure(name, call, list(map(float, answer)))
        for (_, calls), rows in zip(asked, answers, strict=True)
        for call, answer in zip(calls, rows, strict=True)
    ]
    assert list(filter(None, told)) == []


@pytest.mark.slow
@pytest.mark.parametrize(("name", "operands"), shapes())
def test_an_operation_in_the_page_follows_its_inputs(
    browser: Browser, tmp_path: Path, name: str, operands: int
) -> None:
    finite = [call for call in calls_of(name, operands) if all(map(math.isfinite, call))]
    calls = random.Random(name).sample(finite, min(60, len(finite)))
    if name == "take":
        calls = [(*call[:-1], calls[0][-1]) for call in calls]  # the index is a number of the graph, no input
    size = operands - (name == "take")
    x = [Value(1.0 + k, label=f"x{k}") for k in range(size)]
    page = Page(browser, ROWS[name].apply((*x, *([calls[0][-1]] if name == "take" else []))), tmp_path)
    place = [[node["name"] for node in page.nodes].index(leaf.label) for leaf in x]
    assert page.nodes[-1]["script"] == f"{name}/{operands}"
    points = [{leaf.label: number for leaf, number in zip(x, call[1:])} for call in calls]
    for call, found in zip(calls, page.at(points), strict=True):
        _, wanted = eager(name, (1.0, *call[1:]))
        got = [found[-1][0], *[found[k][1] for k in place]]
        # A gradient is a sum that starts from 0, so a share of -0 shows as 0; all else is the script's.
        answer = [got[0], *[w if g == w == 0.0 else g for g, w in zip(got[1:], wanted)], *[0.0][: name == "take"]]
        assert departure(name, (1.0, *call[1:]), answer) == ""
    assert [id for id, node in enumerate(page.nodes) if node["frozen"]] == []
    browser.expect_quiet()


# --- whole graphs -----------------------------------------------------------------------------------------------


def of_python(root: Value, page: Page) -> list[tuple[float, float]]:
    """Return value and gradient of every node as ``backward()`` leaves them, in the order of the page."""
    order = mg.topological_order(root)
    for node in order:
        node.grad = 0.0
    root.backward()
    assert [node.op for node in order] == [node["op"] for node in page.nodes]
    return [(node.data, node.grad) for node in order]


@pytest.mark.slow
def test_random_graphs(browser: Browser, tmp_path: Path) -> None:
    compared = changed = 0
    for number, program in enumerate(drawn(40)):
        rng = random.Random(number)
        _, root = labelled(program, program.inputs)
        if not root.op:
            continue
        page = Page(browser, root, tmp_path)
        assert same(page.numbers(), of_python(root, page)), program
        names = [node["name"] for node in page.nodes]
        points = [[x * rng.uniform(0.999, 1.001) + rng.uniform(-1e-4, 1e-4) for x in program.inputs] for _ in range(4)]
        asked = [{f"x{k}": x for k, x in enumerate(point) if f"x{k}" in names} for point in points]
        for point, found in zip(points, page.at(asked), strict=True):
            inputs, root = labelled(program, point)
            root.backward()
            value_bound, gradient_bounds = bounds(program, point)
            assert near(found[-1][0], root.data, value_bound), (program, point)
            for x, bound in zip(inputs, gradient_bounds, strict=True):
                if x.label in names:
                    got = found[names.index(x.label)][1]
                    assert near(got, x.grad, bound), (program, point, x.label, got, x.grad, bound)
                    compared += 1
                    changed += got != x.grad
        browser.expect_quiet()
    assert compared > 100
    assert changed > 0  # or the bounds were not needed, and prove nothing


def near(got: float, wanted: float, bound: float) -> bool:
    return got == wanted or (got != got and wanted != wanted) or abs(got - wanted) <= bound or bound != bound


def test_the_bounds_are_tight() -> None:
    exact = Program((3.0, 2.0), (("mul", 0, 1), ("add", 2, 0), ("relu", 3), ("div", 4, 1)))
    assert bounds(exact, exact.inputs) == (0.0, [0.0, 0.0])
    other = Program((0.3, 2.0), (("exp", 0), ("mul", 2, 1), ("log", 3)))
    value, slopes = bounds(other, other.inputs)
    assert 4 * 2.0**-53 < value < 20 * 2.0**-52
    assert all(2.0**-53 < bound < 100 * 2.0**-52 for bound in slopes)


# --- inputs -----------------------------------------------------------------------------------------------------


NUMBERS = {"w": 0.75, "x": -1.5, "b": 0.125, "zero": 0.0}


def network(numbers: dict[str, float]) -> tuple[dict[str, Value], Value]:
    leaves = {name: Value(x, label=name) for name, x in numbers.items()}
    w, x, b, zero = leaves.values()
    with mg.scope("layer"):
        hidden = mg.relu(w * x + b) + mg.tanh(w * b)
    return leaves, hidden * hidden - b / 2.0 + mg.where(zero, mg.log(zero), x)


def expected(**changes: float) -> dict[str, tuple[float, float]]:
    leaves, root = network({**NUMBERS, **changes})
    root.backward()
    return {name: (x.data, x.grad) for name, x in leaves.items()}


def close(got: Any, wanted: dict[str, tuple[float, float]]) -> bool:
    return all(
        got[name][0] == x and abs(got[name][1] - grad) <= 1e-13 * max(1.0, abs(grad))
        for name, (x, grad) in wanted.items()
    )


def type_in(field: Any, text: str) -> None:
    """Type over what a field holds, as a reader does: ``clear()`` would leave the field in between."""
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(Keys.DELETE, text)


def test_a_number_that_is_typed(browser: Browser, tmp_path: Path) -> None:
    _, root = network(NUMBERS)
    page = Page(browser, root, tmp_path)
    before = page.snapshot()
    assert browser.element("#provenance").text == ""
    field = browser.element("[aria-label='w, value']")
    type_in(field, "-2.5")
    field.send_keys(Keys.TAB)
    assert close(page.named(), expected(w=-2.5))
    assert "computed in this page" in browser.element("#provenance").text
    type_in(field, "1e300")
    assert close(page.named(), expected(w=1e300))
    page.click("reset")
    assert page.snapshot() == before
    browser.expect_quiet()


def test_a_negative_zero_is_typed(browser: Browser, tmp_path: Path) -> None:
    page = Page(browser, mg.div(1.0, Value(2.0, label="x")), tmp_path)
    (found,) = page.at([{"x": -0.0}])
    assert found[-1][0] == -math.inf


def test_a_slider_that_is_dragged(browser: Browser, tmp_path: Path) -> None:
    _, root = network(NUMBERS)
    page = Page(browser, root, tmp_path)
    slider = browser.element("[aria-label='x, slider']")
    seen = []
    for key in (Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT, Keys.PAGE_UP, Keys.END, Keys.HOME):
        slider.send_keys(key)
        x = float(str(browser.element("[aria-label='x, value']").get_property("value")))
        seen.append(x)
        assert close(page.named(), expected(x=x))
    assert len(set(seen)) >= 4
    assert seen[-1] == -4.5  # the reach is twice the number
    browser.run("""
        const slider = document.querySelector("[aria-label='x, slider']");
        for (const x of [-3, 0, 1.23456789, 0.5]) {
          slider.value = x;
          slider.dispatchEvent(new Event("input"));
        }
    """)
    assert close(page.named(), expected(x=0.5))
    browser.expect_quiet()


def test_no_gradient_no_share_in_the_page(browser: Browser, tmp_path: Path) -> None:
    def f(x: Value) -> Any:
        return mg.relu(x) * mg.log(x) + mg.sqrt(x) * 0.0 + mg.where(x, x, mg.div(1.0, x))

    page = Page(browser, f(Value(2.0, label="x")), tmp_path)
    points = (0.0, 1.0, 3.0, -1.0, 1e-300)
    for at, found in zip(points, page.at([{"x": at} for at in points]), strict=True):
        x = Value(at)
        root = f(x)
        root.backward()
        assert near(found[0][1], x.grad, 1e-14 * abs(x.grad)), at
        assert near(found[-1][0], root.data, 1e-14 * abs(root.data)), at
    assert math.isfinite(page.at([{"x": 3.0}])[0][0][1])


@pytest.mark.parametrize("x", [1e308, -1.7976931348623157e308, math.nan, math.inf])
def test_an_input_at_the_end_of_the_numbers(browser: Browser, tmp_path: Path, x: float) -> None:
    page = Page(browser, Value(x, label="x") * 1.0, tmp_path)
    slider, field = browser.element("[aria-label='x, slider']"), browser.element("[aria-label='x, value']")
    least, most = (float(str(slider.get_attribute(name))) for name in ("min", "max"))
    assert math.isfinite(most - least)
    assert least < most
    assert float(str(slider.get_attribute("aria-valuetext"))) == x or x != x
    assert str(field.get_attribute("placeholder")) == ("" if math.isfinite(x) else str(x))
    slider.send_keys(Keys.END)
    assert math.isfinite(page.numbers()[-1][0])
    (found,) = page.at([{"x": -1e308}])
    assert found[-1][0] == -1e308
    assert math.isfinite(float(str(slider.get_attribute("max"))) - float(str(slider.get_attribute("min"))))
    browser.expect_quiet()


@pytest.mark.parametrize(("typed", "shown"), [("1e999", "1e+99"), ("", "0.75"), ("-", "0.75")])
def test_a_field_without_a_number_shows_what_counts(browser: Browser, tmp_path: Path, typed: str, shown: str) -> None:
    page = Page(browser, Value(0.75, label="x") * 2.0, tmp_path)
    field = browser.element("[aria-label='x, value']")
    type_in(field, typed)
    field.send_keys(Keys.TAB)
    assert field.get_property("value") == shown  # 1e99 was a number on the way to 1e999
    assert page.named()["x"][0] == float(shown)
