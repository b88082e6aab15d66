"""Protects ``no_grad``, ``scope`` and ``pause_gc``: what they do, how they nest, that they end when they end, and that
threads, tasks and suspended generators never see one another's.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import micrograd as mg
from micrograd import Value, _modes


@pytest.fixture(autouse=True)
def _nothing_stays_open() -> Iterator[None]:
    assert not _modes.active
    yield
    assert not _modes.active
    assert _modes.current().outer is None
    assert (Value(1.0) * 2).parents
    assert gc.isenabled()


def records() -> bool:
    x = Value(3.0)
    results = [x * 2, x + x, -x, mg.tanh(x), mg.sum([x, x]), mg.where(x, x, 0.0)]
    parents = {bool(result.parents) for result in results}
    assert len(parents) == 1
    return parents.pop()


def scope_here() -> str:
    x = Value(1.0)
    scopes: set[str] = {x.scope, (x + x).scope, (x * 2).scope, mg.sum([x]).scope}
    assert len(scopes) == 1
    return scopes.pop()


# --- no_grad ----------------------------------------------------------------------------------------------------


def test_under_no_grad_results_are_leaves() -> None:
    x = Value(3.0, label="x")
    with mg.no_grad():
        y = x * x + mg.exp(x)
        y.label = "y"
    assert y.data == pytest.approx(29.085536923187668)
    assert (y.op, y._op, y.operands, y.parents, y.label) == ("", "", (), (), "y")
    y.backward()
    assert (x.grad, y.grad) == (0.0, 1.0)
    z = y * x
    z.backward()
    assert (x.grad, y.grad) == (y.data, 1.0 + 3.0)


def test_backward_works_under_no_grad() -> None:
    x = Value(3.0)
    y = x * x
    with mg.no_grad():
        y.backward()
    assert x.grad == 6.0


def test_no_grad_nests_and_ends() -> None:
    assert records()
    with mg.no_grad():
        assert not records()
        with mg.no_grad(), mg.scope("a"):
            assert not records()
        assert not records()
        with _modes.recording():
            assert records()
        assert not records()
    assert records()


@pytest.mark.parametrize("block", [mg.no_grad, mg.detect_anomaly, lambda: mg.scope("a"), _modes.recording])
def test_an_exception_inside_ends_the_block(block: Any) -> None:
    with pytest.raises(KeyError, match="inside"), block():
        raise KeyError("inside")
    assert records()
    assert scope_here() == ""


# --- scope ------------------------------------------------------------------------------------------------------


def test_scopes_nest() -> None:
    assert scope_here() == ""
    with mg.scope("layer1"):
        assert scope_here() == "layer1"
        with mg.scope("neuron3"):
            assert scope_here() == "layer1/neuron3"
        with mg.scope("a/b"), mg.no_grad():
            assert scope_here() == "layer1/a/b"
        assert scope_here() == "layer1"
    assert scope_here() == ""


def test_a_scope_marks_nodes_and_not_their_parents() -> None:
    x = Value(1.0)
    with mg.scope("inner"):
        y = x * 2
    z = y * 3
    assert [v.scope for v in (x, y, z)] == ["", "inner", ""]


@pytest.mark.parametrize("name", [None, 3, b"layer", ["layer"]])
def test_a_scope_is_named_by_text(name: Any) -> None:
    with pytest.raises(TypeError, match=r"a scope is named by text such as 'layer1/neuron3', not .* \(type"):
        mg.scope(name)


@pytest.mark.parametrize("name", ["", "/", "//"])
def test_a_scope_needs_a_name(name: str) -> None:
    with pytest.raises(ValueError, match="a scope needs a name such as 'layer1/neuron3', not"):
        mg.scope(name)


# --- decorators -------------------------------------------------------------------------------------------------


def test_blocks_are_decorators() -> None:
    @mg.no_grad()
    def cut() -> bool:
        return records()

    @mg.scope("layer")
    def named(depth: int = 0) -> str:
        return named(depth - 1) if depth else scope_here()

    for _ in range(2):
        assert not cut()
        assert named() == "layer"
        with mg.scope("net"):  # the decorator looks at what surrounds the call, not the definition
            assert named() == "net/layer"
        assert named(2) == "layer/layer/layer"
    assert records()


def test_a_block_that_was_made_early_looks_around_when_it_is_entered() -> None:
    block = mg.scope("inner")
    with mg.scope("outer"), block:
        assert scope_here() == "outer/inner"


# --- generators, threads, tasks ---------------------------------------------------------------------------------


def test_a_generator_that_is_suspended_in_a_block_may_outlive_one_around_it() -> None:
    def steps() -> Iterator[str]:
        with mg.scope("a"):
            yield scope_here()

    generator = steps()
    assert next(generator) == "a"
    with mg.scope("b"):
        next(generator, None)
        assert scope_here() == "a/b"
    assert scope_here() == ""


def test_a_generator_may_be_closed_by_another_thread() -> None:
    def steps() -> Iterator[None]:
        with mg.no_grad():
            yield

    generator = steps()
    next(generator)
    assert not records()
    closer = threading.Thread(target=generator.close)  # type: ignore[attr-defined]
    closer.start()
    closer.join()
    assert records()


def test_a_context_that_was_copied_inside_a_block_ends_with_it() -> None:
    with mg.no_grad():
        copied = contextvars.copy_context()
        assert copied.run(records) is False
    assert copied.run(records) is True
    with mg.scope("somebody else's"):
        assert copied.run(records) is True
        assert copied.run(scope_here) == ""


def test_threads_have_modes_of_their_own() -> None:
    inside, go = threading.Event(), threading.Event()

    def other() -> tuple[bool, str]:
        inside.set()
        assert go.wait(10)
        found = records(), scope_here()
        with mg.scope("other"):
            return found[0], found[1] + scope_here()

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(other)
        assert inside.wait(10)
        with mg.no_grad(), mg.scope("main"):
            go.set()
            assert future.result(10) == (True, "other")
            assert (records(), scope_here()) == (False, "main")


def test_many_threads_enter_and_leave_at_once() -> None:
    def work(seed: int) -> None:
        for i in range(200):
            with mg.scope(f"thread{seed}"):
                if (seed + i) % 3:
                    with mg.no_grad():
                        assert not records()
                assert (records(), scope_here()) == (True, f"thread{seed}")
            assert (records(), scope_here()) == (True, "")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))


def test_tasks_have_modes_of_their_own() -> None:
    async def cutting(entered: asyncio.Event, leave: asyncio.Event) -> None:
        with mg.no_grad(), mg.scope("task"):
            entered.set()
            await leave.wait()
            assert (records(), scope_here()) == (False, "task")

    async def main() -> None:
        entered, leave = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(cutting(entered, leave))
        await entered.wait()
        assert (records(), scope_here()) == (True, "")
        with mg.scope("main"):
            leave.set()
            await task
            assert (records(), scope_here()) == (True, "main")

    asyncio.run(main())


@pytest.mark.parametrize("somebody_elses", [False, True])
def test_a_task_that_outlives_the_block_it_was_started_in_is_free(somebody_elses: bool) -> None:
    async def child(go: asyncio.Event) -> list[bool]:
        found = [records()]
        await go.wait()
        return [*found, records()]

    async def main() -> list[bool]:
        go = asyncio.Event()
        with mg.no_grad():
            task = asyncio.create_task(child(go))
            await asyncio.sleep(0)
        go.set()
        if somebody_elses:  # whether any other block is open must not matter
            with mg.scope("elsewhere"):
                return await task
        return await task

    assert asyncio.run(main()) == [False, True]


# --- pause_gc ---------------------------------------------------------------------------------------------------


def test_pause_gc_is_counted() -> None:
    with mg.pause_gc():
        assert not gc.isenabled()
        with mg.pause_gc():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_pause_gc_ends_with_an_exception_and_decorates() -> None:
    @mg.pause_gc()
    def paused() -> bool:
        return gc.isenabled()

    assert not paused()
    with pytest.raises(KeyError), mg.pause_gc():
        raise KeyError
    assert gc.isenabled()
    assert not paused()
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with mg.pause_gc(), mg.pause_gc():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_pause_gc_ends_with_the_last_thread() -> None:
    first, second, done = threading.Event(), threading.Event(), threading.Event()

    def pausing(entered: threading.Event, leave: threading.Event) -> None:
        with mg.pause_gc():
            entered.set()
            assert leave.wait(10)

    with ThreadPoolExecutor(2) as pool:
        leave_first = threading.Event()
        a = pool.submit(pausing, first, leave_first)
        b = pool.submit(pausing, second, done)
        assert first.wait(10)
        assert second.wait(10)
        leave_first.set()
        a.result(10)
        assert not gc.isenabled()
        done.set()
        b.result(10)
    assert gc.isenabled()


def test_many_threads_pause_at_once() -> None:
    def work(seed: int) -> None:
        for _ in range(300):
            with mg.pause_gc():
                assert not gc.isenabled()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert gc.isenabled()


# --- one block, entered more than once ------------------------------------------------------------------------------


def test_a_block_that_is_open_cannot_be_entered_again() -> None:
    block = mg.no_grad()
    with block, pytest.raises(RuntimeError, match="open already"):
        block.__enter__()
    assert not _modes.active
    assert (mg.Value(2.0) * 3).parents
    with block:  # but one after the other it can
        assert not (mg.Value(2.0) * 3).parents
    assert not _modes.active
    with pytest.raises(RuntimeError, match="was not entered"):
        block.__exit__(None, None, None)


def test_two_threads_cannot_share_an_open_block() -> None:
    block, found = mg.scope("S"), []

    def enter() -> None:
        try:
            block.__enter__()
        except RuntimeError as error:
            found.append(error)

    with block:
        other = threading.Thread(target=enter)
        other.start()
        other.join()
    assert len(found) == 1
    assert not _modes.active
    assert mg.Value(1.0).scope == ""


def test_what_would_run_outside_of_the_block_is_not_decorated() -> None:
    def numbers() -> Iterator[int]:
        yield 1

    async def later() -> None: ...

    for function in (numbers, later):
        with pytest.raises(TypeError, match=f"{function.__name__} would run outside of the block"):
            mg.no_grad()(function)
