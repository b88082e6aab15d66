"""P1: the page that steps through a pass: how long it takes to write, to appear, to step, and to follow an input.

The loss of a small network, in graphs of about 10, 500 and 5,000 nodes; the page runs in headless Chromium, opened from
the disk. A step is timed from the click to the end of the layout that it causes, in the page's own clock.
"""

from __future__ import annotations

import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import micrograd as mg
from benchmarks.processes import WorkerError
from benchmarks.report import Cell, Report, milliseconds, significant
from benchmarks.rounds import Session
from micrograd.nn import MLP

__all__ = ["REPEAT", "SIZES", "SUMMARY", "loss_of", "run"]

SUMMARY = "the page of a graph of about SIZE nodes: written, shown, stepped through, with an input moved"
SIZES = (10, 500, 5_000)
REPEAT = 5

_STEPS = 200  # that are timed, spread over the pass

# Layers of a network, and samples.
_SHAPES: dict[int, tuple[list[int], int] | None] = {10: None, 500: ([8, 8, 1], 2), 5_000: ([16, 16, 1], 8)}

_TIME_STEPS = """
const [count] = arguments, svg = document.querySelector("svg"), scrub = document.getElementById("scrub");
const last = Number(scrub.max), times = [], forward = document.getElementById("forward");
const go = (step) => { scrub.value = String(step); scrub.dispatchEvent(new Event("input", { bubbles: true })); };
for (let k = 0; k < count; k++) {
  go(Math.floor(k * (last - 1) / count));
  svg.getBoundingClientRect();
  const start = performance.now();
  forward.click();
  svg.getBoundingClientRect();
  times.push(performance.now() - start);
}
go(0);
svg.getBoundingClientRect();
const start = performance.now();
go(last);
svg.getBoundingClientRect();
return { steps: last, times, scrub: performance.now() - start };
"""
_TIME_INPUT = """
const field = document.querySelector("input[type=number]"), svg = document.querySelector("svg");
const before = Number(field.value), start = performance.now();
field.value = String(before + 0.125);
field.dispatchEvent(new Event("input", { bubbles: true }));
field.dispatchEvent(new Event("change", { bubbles: true }));
svg.getBoundingClientRect();
return performance.now() - start;
"""
_TIME_PAINT = """
const paint = performance.getEntriesByName("first-contentful-paint")[0];
const [load] = performance.getEntriesByType("navigation");
return { paint: paint ? paint.startTime : null, ready: load.domComplete };
"""


def loss_of(size: int) -> mg.Value:
    """Return the root of a graph of about ``size`` nodes: one neuron, or a network with a hinge loss."""
    rng = random.Random(size)
    sizes = sorted(_SHAPES)
    shape = _SHAPES[min(sizes, key=lambda known: abs(known - size))]
    if shape is None:
        w, x, b = mg.Value(0.5, label="w"), mg.Value(2.0, label="x"), mg.Value(-0.75, label="b")
        neuron: mg.Value = mg.tanh(w * x + b) ** 2 + b * b
        return neuron
    layers, samples = shape
    model = MLP(2, layers, rng=rng)
    loss: mg.Value = mg.sum([(1.0 - model([rng.random(), rng.random()])).relu() for _ in range(samples)])
    return loss


def run(session: Session) -> Report:
    """Write, open and drive the pages; raises ``WorkerError`` where there is no browser."""
    rows: list[tuple[Cell, ...]] = []
    results = []
    total = len(session.sizes) * session.repeat
    with _browser() as driver, tempfile.TemporaryDirectory() as folder, session.progress(total) as advance:
        for size in session.sizes:
            root, path = loss_of(size), Path(folder, "page.html")
            found = [_measured(driver, root, path, advance) for _ in range(session.repeat)]
            results.append({"size": size, "runs": found})
            median = {key: statistics.median([run[key] for run in found]) for key in found[0]}
            rows.append(
                (
                    f"{median['nodes']:,.0f}",
                    f"{median['steps']:,.0f}",
                    significant(median["write"]),
                    significant(median["bytes"] / 1e6),
                    *[milliseconds(median[key]) for key in ("paint", "ready", "step", "slowest", "scrub", "input")],
                )
            )
    return Report(
        name="p1",
        title=f"P1: {SUMMARY.replace('SIZE', ', '.join(f'{size:,}' for size in session.sizes))}",
        columns=(
            "nodes",
            "steps",
            "written in s",
            "MB",
            "first paint ms",
            "ready ms",
            "a step ms",
            "slowest step ms",
            "first to last step ms",
            "input moved ms",
        ),
        rows=rows,
        notes=[
            f"medians of {session.repeat} pages; {_STEPS} steps of each; Chromium, headless, software rendering",
            "written: Python draws, Graphviz places, and the file is complete",
        ],
        data={"results": results},
    )


def _measured(driver: Any, root: mg.Value, path: Path, advance: Any) -> dict[str, float]:
    start = time.perf_counter()
    mg.explore(root, path)
    written = time.perf_counter() - start
    driver.get(path.as_uri())
    shown, ready = _appearance(driver)
    stepped = driver.execute_script(_TIME_STEPS, _STEPS)
    moved = driver.execute_script(_TIME_INPUT)
    advance(f"written in {written:.1f} s, shown after {shown:.0f} ms")
    return {
        "nodes": mg.statistics(root).nodes,
        "steps": stepped["steps"],
        "write": written,
        "bytes": path.stat().st_size,
        "paint": shown / 1e3,
        "ready": ready / 1e3,
        "step": statistics.median(stepped["times"]) / 1e3,
        "slowest": max(stepped["times"]) / 1e3,
        "scrub": stepped["scrub"] / 1e3,
        "input": moved / 1e3,
    }


def _appearance(driver: Any) -> tuple[float, float]:
    """Return when the page was first painted and when it was ready, in milliseconds from the start of its load."""
    found: dict[str, Any] = {}
    for _ in range(200):  # the entry comes a moment after the paint
        found = driver.execute_script(_TIME_PAINT)
        if found["paint"] is not None:
            return float(found["paint"]), float(found["ready"])
        time.sleep(0.05)
    raise WorkerError("the browser painted nothing within 10 s")


@contextmanager
def _browser() -> Iterator[Any]:
    """Start a headless Chromium for the length of a block."""
    programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    if missing := [name for name, path in programs.items() if path is None]:
        raise WorkerError(f"p1 needs {' and '.join(missing)}; Debian's packages are chromium and chromium-driver")
    try:
        webdriver = import_module("selenium.webdriver")
        service = import_module("selenium.webdriver.chrome.service")
    except ImportError as error:
        raise WorkerError(f"p1 needs {error.name}; get it with: pip install '.[browser]'") from None
    options = webdriver.ChromeOptions()
    options.binary_location = programs["chromium"]
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--window-size=1400,1000"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options, service.Service(programs["chromedriver"]))
    try:
        yield driver
    finally:
        driver.quit()
