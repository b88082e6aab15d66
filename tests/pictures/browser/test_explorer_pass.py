"""Protects the walk through the pass: every step shows what the engine's pass has reached, in both directions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from chromium import Browser, started
from explorer_page import Page
from selenium.webdriver.common.keys import Keys
from support import registered, same

import micrograd as mg
from micrograd import Value
from micrograd.engine import reverse_sweep, shares


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as found:
        yield found


def bias_lesson() -> Any:
    """Three samples through one neuron whose bias they share."""
    w, b = Value(0.7, label="w"), Value(0.1, label="b")
    outputs = []
    for k, (x, y) in enumerate(((1.0, 0.5), (-2.0, 0.1), (0.3, -0.9))):
        with mg.scope(f"sample{k}"):
            outputs.append((mg.tanh(w * x + b) - y) ** 2)
    return mg.mean(outputs)


def tangle() -> Any:
    """A node that is used twice by one operation, by many, and one whose gradient is 0."""
    x, y = Value(0.3, label="x"), Value(-1.7, label="y")
    s = x * x + y
    s.label = "s"
    return s * s * x - mg.maximum(s, y) + mg.relu(y) * mg.exp(x) + mg.dot([s, x, s], [y, s, 2.0])


def awkward() -> Any:
    x = Value(0.0, label="x")
    return mg.log(x) * x + mg.div(x, x) - mg.exp(Value(800.0, label="big"))


def leaf() -> Value:
    return Value(2.5, label="alone")


GRAPHS: list[Callable[[], Any]] = [bias_lesson, tangle, awkward, leaf]


@pytest.mark.parametrize("graph", GRAPHS)
def test_the_end_shows_what_backward_leaves(browser: Browser, tmp_path: Path, graph: Callable[[], Any]) -> None:
    root = graph()
    page = Page(browser, root, tmp_path)
    order = mg.topological_order(root)
    assert [node.grad for node in order] == [0.0] * len(order)  # writing the page touched none
    root.backward()
    wanted = [(node.data, node.grad) for node in order]
    assert same(page.numbers(), wanted)
    browser.element("body").click()
    browser.press(Keys.HOME)
    assert page.words().startswith(f"step 0 of {page.last_step()}")
    for _ in range(page.last_step()):
        browser.press(Keys.ARROW_RIGHT)
    assert page.words().startswith(f"step {page.last_step()} of")
    assert same(page.numbers(), wanted)
    browser.expect_quiet()


def reached(root: Value) -> list[tuple[dict[Value, float], dict[Value, float]]]:
    """Return, after every step, the values and the sums of shares that there are: the pass, written out once more."""
    order = mg.topological_order(root)
    values = {node: node.data for node in order if not node.op}
    gradients: dict[Value, float] = {}
    steps = [(dict(values), dict(gradients))]
    for node in order:
        if node.op:
            values[node] = node.data
            steps.append((dict(values), dict(gradients)))
    gradients[root] = 1.0
    steps.append((dict(values), dict(gradients)))
    interior, _ = reverse_sweep([(root, 1.0)])
    for node in reversed(interior):
        for operand, share in shares(node, gradients.get(node, 0.0)):
            gradients[operand] = gradients.get(operand, 0.0) + share
            steps.append((dict(values), dict(gradients)))
    return steps


@pytest.mark.parametrize("graph", GRAPHS)
def test_every_step_shows_what_the_pass_has_reached(browser: Browser, tmp_path: Path, graph: Callable[[], Any]) -> None:
    root = graph()
    page = Page(browser, root, tmp_path)
    steps, order = reached(root), mg.topological_order(root)
    assert page.last_step() == len(steps) - 1
    for step, (values, gradients) in enumerate(steps):
        page.to_step(step)
        for node, (_, op, value, gradient, _) in zip(order, page.rows(), strict=True):
            assert op == (node.op or "leaf")
            assert shown(value) == (repr(values[node]) if node in values else "not computed"), (step, node)
            assert shown(gradient) == (repr(gradients[node]) if node in gradients else "not computed"), (step, node)


def shown(text: str) -> str:
    """Return a number of the page as Python writes it, without the dots for shares that are still to come."""
    text = text.removesuffix(" …")
    return text if text == "not computed" else repr(float(text))


@pytest.mark.parametrize("graph", [bias_lesson, tangle])
def test_back_and_forth_shows_the_same(browser: Browser, tmp_path: Path, graph: Callable[[], Any]) -> None:
    page = Page(browser, graph(), tmp_path)
    last = page.last_step()
    page.click("first")
    forth = [page.snapshot()]
    for _ in range(last):
        page.click("forward")
        forth.append(page.snapshot())
    assert len(set(forth)) == last + 1
    for step in reversed(range(last)):
        page.click("back")
        assert page.snapshot() == forth[step], step
    for step in (last, 0, last // 2, last - 1, 1, last):
        page.to_step(step)
        assert page.snapshot() == forth[step], step
    browser.expect_quiet()


def test_play_runs_to_the_end_and_stops(browser: Browser, tmp_path: Path) -> None:
    page = Page(browser, tangle(), tmp_path)
    end = page.snapshot()
    browser.run("const speed = document.getElementById('speed'); speed.value = 'fastest'")
    page.click("first")
    start = page.snapshot()
    assert start != end
    page.click("play")
    browser.wait("return document.getElementById('scrub').value === document.getElementById('scrub').max")
    browser.wait("return document.getElementById('play').textContent === 'Play'")
    assert page.snapshot() == end
    page.click("play")  # from the end it starts again
    browser.wait("return Number(document.getElementById('scrub').value) < 10")
    page.click("play")
    stopped = page.words()
    browser.run("return new Promise((done) => setTimeout(done, 300))")
    assert page.words() == stopped


def test_following_a_pass_that_plays_moves_the_view_now_and_then(browser: Browser, tmp_path: Path) -> None:
    page = Page(browser, tangle(), tmp_path)
    browser.run("""
        window.moves = [];
        const svg = document.querySelector("#graph svg");
        const note = () => window.moves.push(performance.now());
        new MutationObserver(note).observe(svg, { attributeFilter: ["viewBox"] });
        document.getElementById("speed").value = "fastest";
    """)
    page.click("first")
    for _ in range(8):
        page.click("zoom-in")
    browser.run("window.moves.length = 0")
    page.click("play")
    browser.wait("return document.getElementById('play').textContent === 'Play'")
    moves = browser.run("return window.moves")
    assert 3 <= len(moves) <= 6  # in 2 seconds; the last one is at the end
    assert all(after - before > 450.0 for before, after in pairwise(moves[:-1]))


def test_steps_after_an_input_moved(browser: Browser, tmp_path: Path) -> None:
    """What is computed in the page is a pass too: its last step has the sums of the shares that it showed."""
    page = Page(browser, bias_lesson(), tmp_path)
    page.at([{"b": -0.35}])
    sums: dict[str, list[float]] = {}
    for step in range(page.last_step() + 1):
        page.to_step(step)
        found = re.fullmatch(r"step \d+ of \d+: (\w+)\.grad \+= .* = (\S+)", page.words())
        if found:
            sums.setdefault(found[1], []).append(float(found[2]))
    assert len(sums["b"]) == 3
    assert page.named()["b"][1] == sums["b"][-1]
    assert page.named()["w"][1] == sums["w"][-1]


def python_only(**fields: Any) -> Any:
    return registered("shout", forward=lambda a: float(f"{a}1"), vjp=(lambda g, out, a: g * float(str(a)),), **fields)


def test_an_operation_without_a_script_stays_frozen(browser: Browser, tmp_path: Path) -> None:
    with python_only() as shout:
        x, y = Value(2.5, label="x"), Value(3.0, label="y")
        root = shout(x) * y
        page = Page(browser, root, tmp_path)
        root.backward()
        assert same(page.numbers(), [(n.data, n.grad) for n in mg.topological_order(root)])
        (frozen,) = [node for node in page.nodes if node["frozen"]]
        assert frozen["op"] == "shout"
        ((*_,),) = page.at([{"y": 4.0}])
        assert page.named()["x"] == (2.5, 2.5 * 4.0)  # Python's local derivative, the gradient of now
        assert page.named()["y"] == (4.0, 2.51)
        browser.expect_quiet()
