"""``micrograd bench``: what compiling gains on this machine, beside the frameworks that are installed.

Three small workloads, measured in turns in one process on one thread, so that a slow moment of the machine hits all
engines alike. The full set, with one process for each engine, is ``python -m benchmarks`` in the checkout.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence

from micrograd._console import error_line, paragraph, print_table, progress, say
from micrograd.cli.bench_workloads import ENGINES, WORKLOADS, Workload, agree
from micrograd.cli.parser import Parser, checked

__all__ = ["run"]

_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "NPROC": "1",  # of the pool of XLA, which those flags do not bound
}
_LONGEST_ROUND = 0.05  # seconds that an engine gets in one round
_OURS = "micrograd, compiled"


def run(arguments: Sequence[str]) -> int:
    """Run the command with its ``arguments`` and return its exit code."""
    parser = Parser(
        "bench",
        usage="[WORKLOAD ...] [--rounds N] [--json]",
        description="Measure compiled functions beside the eager engine and the frameworks that are installed.",
        epilog="\n".join(["workloads:", *[f"  {name:13} {w.summary}" for name, w in WORKLOADS.items()]]),
    )
    rounds = checked(int, "a whole number from 1 to 10000", lambda n: 1 <= n <= 10_000)
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help="only these; all if none is named")
    parser.add_argument(
        "--rounds", type=rounds, default=15, metavar="N", help="turns that each engine gets (default: 15)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    for name in options.workloads:
        if name not in WORKLOADS:
            parser.error(f"unknown workload {name!r} (one of: {', '.join(WORKLOADS)})")
    for variable, setting in _ONE_THREAD.items():
        os.environ.setdefault(variable, setting)  # read by the frameworks when they are loaded, which comes later

    chosen = {name: WORKLOADS[name] for name in options.workloads or WORKLOADS}
    results: dict[str, dict[str, float]] = {}
    missing: set[str] = set()
    try:
        with progress("measuring", len(chosen) * options.rounds, file=sys.stderr) as advance:
            for name, workload in chosen.items():
                results[name] = _measured(name, workload, options.rounds, missing, advance)
    except ImportError as error:
        error_line("micrograd bench", str(error))
        return 1
    if options.json:
        print(json.dumps({"unit": "seconds, median", "results": results, "not installed": sorted(missing)}, indent=2))
        return 0
    _tell(chosen, results, missing)
    return 0


def _measured(
    name: str, workload: Workload, rounds: int, missing: set[str], advance: Callable[[str], None]
) -> dict[str, float]:
    """Return the median of the seconds that one call takes, by engine."""
    calls: dict[str, Callable[[], object]] = {}
    for engine, prepare in workload.engines.items():
        try:
            calls[engine] = prepare()
        except ImportError:
            if engine == _OURS:
                raise
            missing.add(engine)
    expected = calls[_OURS]()
    for engine, call in calls.items():
        agree(workload, engine, call(), expected)
    repeats = {engine: _repeats(call) for engine, call in calls.items()}
    seconds: dict[str, list[float]] = {engine: [] for engine in calls}
    for _ in range(rounds):
        for engine, call in calls.items():
            start = time.perf_counter()
            for _ in range(repeats[engine]):
                call()
            seconds[engine].append((time.perf_counter() - start) / repeats[engine])
        advance(f"{name}  {1e6 * seconds[_OURS][-1]:.4g} us")
    return {engine: statistics.median(times) for engine, times in seconds.items()}


def _repeats(call: Callable[[], object]) -> int:
    """Return how many calls fill a turn: enough that the clock's own time does not count."""
    start = time.perf_counter()
    call()
    return max(1, min(1000, int(_LONGEST_ROUND / max(time.perf_counter() - start, 1e-6))))


def _tell(chosen: dict[str, Workload], results: dict[str, dict[str, float]], missing: set[str]) -> None:
    for name, workload in chosen.items():
        ours = results[name][_OURS]
        rows = [[engine, _microseconds(x), f"{x / ours:.3g}"] for engine, x in results[name].items()]
        print_table(("engine", "us per call", "times ours"), rows, title=f"{name}: {workload.summary}")
        say()
    notes = "Medians of turns in one process, one thread, float64; every result was compared with ours first."
    absent = [engine for engine in ENGINES if engine in missing]
    if absent:
        notes += f" Not installed: {', '.join(absent)}."
    paragraph(notes)


def _microseconds(seconds: float) -> str:
    return f"{1e6 * seconds:,.3g}" if seconds < 1e-3 else f"{1e6 * seconds:,.0f}"
