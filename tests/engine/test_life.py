"""Protects the life of a graph: in whatever order nodes are built, differentiated, changed, copied, pickled, dropped,
every number is the one that the definition gives.

The judge is a model that knows nothing of the engine: records of what was applied to what, and a gradient that is, by
the definition, the sum over the uses of a node. All numbers are small multiples of powers of two, so the order of the
sums does not matter, and everything is compared exactly.
"""

from __future__ import annotations

import copy
import gc
import operator
import pickle
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from threading import Barrier
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support import registered

import micrograd as mg
from micrograd import StaleValueError, Value
from micrograd.engine import captured

# --- the model --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """An operation: how the engine is asked for it, what it computes, and its partial derivatives."""

    call: Callable[..., Any]
    forward: Callable[..., float]
    partials: Callable[..., Sequence[float]]
    operands: int


KINDS: dict[str, Kind] = {
    "add": Kind(operator.add, operator.add, lambda a, b: (1, 1), 2),
    "mul": Kind(operator.mul, operator.mul, lambda a, b: (b, a), 2),
    "sub": Kind(operator.sub, operator.sub, lambda a, b: (1, -1), 2),
    "neg": Kind(operator.neg, operator.neg, lambda a: (-1,), 1),
    "relu": Kind(mg.relu, lambda a: max(a, 0.0), lambda a: (a > 0,), 1),
    "abs": Kind(abs, abs, lambda a: ((a > 0) - (a < 0),), 1),
    "maximum": Kind(mg.maximum, max, lambda a, b: (0.5, 0.5) if a == b else (a > b, a < b), 2),
    "where": Kind(mg.where, lambda c, a, b: a if c else b, lambda c, a, b: (0, bool(c), not c), 3),
    "sum": Kind(lambda *xs: mg.sum(xs), lambda *xs: sum(xs), lambda *xs: (1,) * len(xs), 4),
    # The user's own square, whose rule can be made to raise.
    "fuse": Kind(lambda a: mg.operations()["fuse"](a), lambda a: a * a, lambda a: (2 * a,), 1),
}


@dataclass(eq=False)
class Record:
    """What the model knows of a node; ``numbers`` are those of the operands when it was built."""

    data: float
    grad: float = 0.0
    op: str = ""
    operands: tuple[Record | float, ...] = ()
    numbers: tuple[float, ...] = ()

    @property
    def out(self) -> float:
        return KINDS[self.op].forward(*self.numbers)

    @property
    def uses(self) -> list[tuple[Record, float]]:
        """The operands that are nodes, each with the partial derivative of this node."""
        if not self.op:
            return []
        partials = KINDS[self.op].partials(*self.numbers)
        return [(x, float(partial)) for x, partial in zip(self.operands, partials) if isinstance(x, Record)]

    @property
    def is_stale(self) -> bool:
        changed = any(isinstance(x, Record) and x.data != then for x, then in zip(self.operands, self.numbers))
        return self.op != "" and (changed or self.data != self.out)


def number_of(x: Record | float) -> float:
    return x.data if isinstance(x, Record) else x


def applied(op: str, operands: Sequence[Record | float]) -> Record:
    numbers = tuple(map(number_of, operands))
    return Record(KINDS[op].forward(*numbers), 0.0, op, tuple(operands), numbers)


def below(roots: Iterable[Record]) -> list[Record]:
    """Return the records below ``roots``, operands first."""
    found: dict[Record, None] = {}

    def visit(record: Record) -> None:
        if record not in found:
            for x in record.operands:
                if isinstance(x, Record):
                    visit(x)
            found[record] = None

    for root in roots:
        visit(root)
    return list(found)


def gradients(root: Record, upstream: float, size: Callable[[float], float] = float) -> dict[Record, float]:
    """Return the gradient of every record below ``root``: the sum over its uses."""
    used: defaultdict[Record, list[tuple[Record, float]]] = defaultdict(list)
    records = below([root])
    for user in records:
        for x, partial in user.uses:
            used[x].append((user, size(partial)))

    @cache
    def gradient(x: Record) -> float:
        return size(upstream) if x is root else sum(gradient(user) * partial for user, partial in used[x])

    return {x: gradient(x) for x in reversed(records)}


def second_derivative(root: Record, i: Record, j: Record) -> float:
    """Return the derivative with respect to two leaves, by carrying both directions and their product forward."""
    along: dict[Record, tuple[float, float, float]] = {}
    for record in below([root]):
        parts = [(partial, *along[x]) for x, partial in record.uses]
        di = sum(partial * a for partial, a, _, _ in parts) + (record is i)
        dj = sum(partial * a for partial, _, a, _ in parts) + (record is j)
        dij = sum(partial * a for partial, _, _, a in parts)
        if record.op == "mul" and len(parts) == 2:
            (_, ai, aj, _), (_, bi, bj, _) = parts
            dij += ai * bj + aj * bi
        elif record.op == "fuse":
            dij += 2 * parts[0][1] * parts[0][2]
        along[record] = (di, dj, dij)
    return along[root][2]


def duplicated(roots: Sequence[Record]) -> list[Record]:
    """Return copies of ``roots`` and of all below, with identity kept among them."""
    copies: dict[Any, Any] = {}
    for record in below(roots):
        copies[record] = replace(record, operands=tuple(copies.get(x, x) for x in record.operands))
    return [copies[root] for root in roots]


# --- the engine beside it ---------------------------------------------------------------------------------------

Named = tuple[Value, Record]


def paired(named: Iterable[Named]) -> Iterator[Named]:
    """Yield every node below ``named`` with its record, operands later; each has one partner, always the same."""
    partner: dict[Record, Value] = {}
    stack = list(named)
    while stack:
        node, record = stack.pop()
        if record in partner:
            assert partner[record] is node
            continue
        partner[record] = node
        assert len(node.operands) == len(record.operands)
        for x, y in zip(node.operands, record.operands):
            assert isinstance(x, Value) == isinstance(y, Record)
            if isinstance(y, Record):
                stack.append((x, y))
            else:
                assert x == y
        yield node, record
    assert len({*partner.values()}) == len(partner)


def assert_same(named: Iterable[Named]) -> None:
    for node, record in paired(named):
        assert (node.op, node.data, type(node.grad), node.grad) == (record.op, record.data, float, record.grad)
        assert not record.op or (captured(node), node._out) == (record.numbers, record.out)


class BlownError(Exception):
    """What the rule of ``fuse`` raises."""


class Fuse:
    """Whether the rule of ``fuse`` raises."""

    armed = False

    @classmethod
    def rule(cls, g: Any, out: Any, a: Any) -> Any:
        if cls.armed:
            raise BlownError
        return g * (2.0 * a)


places = st.integers(0, 9)  # counted from the newest name, around and around
small = st.sampled_from([1.0, 2.0, -1.0, 3.0, 0.0, -2.0])
instructions = st.sampled_from([*KINDS, "add", "mul", "mul", "mul", "fuse"]).flatmap(
    lambda op: st.tuples(st.just(op), st.lists(places | places | small, min_size=(n := KINDS[op].operands), max_size=n))
)
upstreams = st.sampled_from([1.0, 0.0, 2.0, -1.0, 0.5])
LARGEST = 1000.0  # of a number in a graph
LARGEST_GRADIENT = 2.0**20


class Life(RuleBasedStateMachine):
    """Names, and everything that a user may do to what they stand for."""

    def __init__(self) -> None:
        super().__init__()
        self.named: list[Named] = []

    def at(self, place: int) -> Named:
        return self.named[~place % len(self.named)]

    def result_at(self, place: int, needs: str = "") -> Named:
        """Return a node that was computed, as far as there is one; with an operation that it ``needs`` below it."""
        results = [pair for pair in self.named if pair[1].op] or self.named
        if needs:
            results = [pair for pair in results if any(x.op == needs for x in below([pair[1]]))] or results
        return results[~place % len(results)]

    def name(self, node: Value, record: Record) -> None:
        self.named.append((node, record))

    def is_exact(self, root: Record, upstream: float = 1.0) -> bool:
        """Tell whether the gradients of ``root`` are sums of few bits, so that no order of adding them rounds."""
        sizes = gradients(root, upstream, size=abs).values()
        ties = sum(record.op == "maximum" and len({*record.numbers}) == 1 for record in below([root]))
        largest = max(abs(record.grad) for record in below([root]))
        return ties <= 8 and largest + max(sizes) <= LARGEST_GRADIENT

    @invariant()
    def every_number_is_that_of_the_model(self) -> None:
        assert_same(self.named)

    # --- building

    @initialize(numbers=st.lists(small, min_size=2, max_size=4), code=st.lists(instructions, min_size=5, max_size=15))
    def first_graph(self, numbers: list[float], code: list[tuple[str, list[int | float]]]) -> None:
        for x in numbers:
            self.leaf(x)
        self.nodes(code, recording=True)

    @rule(x=small)
    def leaf(self, x: float) -> None:
        self.name(Value(x), Record(x))

    @rule(code=st.lists(instructions, min_size=1, max_size=5), recording=st.sampled_from([True, True, True, False]))
    def nodes(self, code: list[tuple[str, list[int | float]]], recording: bool) -> None:
        for op, operands in code:
            if not any(type(x) is int for x in operands):
                operands = [0, *operands[1:]]
            pairs = [self.at(x) if type(x) is int else (x, x) for x in operands]
            record = applied(op, [y for _, y in pairs])
            if abs(record.data) > LARGEST:
                continue
            if recording:
                self.name(KINDS[op].call(*[x for x, _ in pairs]), record)
            else:
                with mg.no_grad():
                    self.name(KINDS[op].call(*[x for x, _ in pairs]), Record(record.data))

    @rule(place=places, leaf=places)
    def add_a_leaf_to_a_fuse(self, place: int, leaf: int) -> None:
        leaves = [pair for pair in self.named if not pair[1].op] or self.named
        (x, y), (node, record) = leaves[~leaf % len(leaves)], self.result_at(place)
        total = applied("add", [y, applied("fuse", [record])])
        if abs(total.data) <= LARGEST:  # the backward pass reaches the leaf before it fails at the fuse
            self.name(x + KINDS["fuse"].call(node), total)

    @rule(place=places)
    def build_again_from_the_same_leaves(self, place: int) -> None:
        root, record = self.result_at(place)
        order = [(x, y) for x, y in paired([(root, record)])]
        nodes = {y: x for x, y in order}
        again: dict[Any, Any] = {}
        for y in below([record]):
            again[y] = applied(y.op, [again.get(x, x) for x in y.operands]) if y.op else y
            if abs(again[y].data) > LARGEST:
                return
        built: dict[Any, Any] = {}
        for y in below([record]):
            built[y] = KINDS[y.op].call(*[built.get(x, x) for x in y.operands]) if y.op else nodes[y]
        self.name(built[record], again[record])

    # --- changing

    @rule(place=places, x=small)
    def change_the_number(self, place: int, x: float) -> None:
        node, record = self.at(place)
        node.data = record.data = x

    @rule(place=places)
    def change_every_number_below(self, place: int) -> None:
        for node, record in [*paired([self.result_at(place)])]:
            node.data = record.data = 1.0 - record.data

    @rule(place=places, x=st.just(0.0) | small)
    def set_the_gradient(self, place: int, x: float) -> None:
        node, record = self.at(place)
        node.grad = record.grad = x

    # --- differentiating

    @rule(place=places, upstream=upstreams, times=st.integers(1, 2))
    def backward(self, place: int, upstream: float, times: int) -> None:
        root, record = self.result_at(place)
        for _ in range(times):
            if self.is_exact(record, upstream):
                root.backward(upstream)
                self.receive(gradients(record, upstream))

    def receive(self, found: dict[Record, float]) -> None:
        for record, g in found.items():
            record.grad = g if record.op else record.grad + g

    @rule(place=places, upstream=upstreams)
    def backward_that_may_raise(self, place: int, upstream: float) -> None:
        root, record = self.result_at(place, needs="fuse")
        if not self.is_exact(record, upstream):
            return
        found = gradients(record, upstream)
        Fuse.armed = True
        try:
            if any(x.op == "fuse" and g != 0.0 for x, g in found.items()):
                with pytest.raises(BlownError):
                    root.backward(upstream)
            else:
                root.backward(upstream)
                self.receive(found)
        finally:
            Fuse.armed = False

    @rule(place=places, armed=st.booleans())
    def backward_with_create_graph(self, place: int, armed: bool) -> None:
        root, record = self.result_at(place, needs="mul")
        if not self.is_exact(record):
            return
        found = gradients(record, 1.0)
        stale = [x for x in found if x.is_stale]
        fuses = [x for x in found if x.op == "fuse" and armed]
        Fuse.armed = armed
        try:
            root.backward(create_graph=True)
        except (BlownError, StaleValueError):
            assert stale or fuses
            return  # and the invariant says that nothing has changed
        finally:
            Fuse.armed = False
        assert not any(found[x] for x in (*stale, *fuses))
        nodes = [(x, y) for x, y in paired([(root, record)])]
        leaves = [(x, y) for x, y in nodes if not y.op]
        for x, y in nodes:
            assert type(x.grad) is Value
            assert x.grad.data == found[y] + (0.0 if y.op else y.grad)
        for (leaf, i), (other, j) in product(leaves[:3], repeat=2):
            first = leaf.grad
            for x, _ in leaves:
                x.grad = 0.0
            first.backward()
            assert other.grad == second_derivative(record, i, j)
            for x, y in nodes:
                x.grad = y.grad = 0.0
            root.backward(create_graph=True)
        for x, y in nodes:
            x.grad = y.grad = 0.0

    @rule(chosen=st.lists(places, min_size=2, max_size=3))
    def backward_in_threads(self, chosen: list[int]) -> None:
        named = [self.result_at(place) for place in chosen]
        graphs = [(copy.deepcopy(root), duplicated([record])[0]) for root, record in named]
        if not all(self.is_exact(record) for _, record in graphs):
            return
        start = Barrier(len(graphs))

        def run(root: Value) -> None:
            start.wait(30)
            root.backward()

        with ThreadPoolExecutor(len(graphs)) as pool:
            list(pool.map(run, [root for root, _ in graphs]))
        for _, record in graphs:
            self.receive(gradients(record, 1.0))
        assert_same(graphs)

    # --- copying

    @rule(place=places)
    def copy_one_node(self, place: int) -> None:
        node, record = self.at(place)
        self.name(copy.copy(node), replace(record))

    @rule(chosen=st.lists(places, min_size=1, max_size=3))
    def copy_deeply(self, chosen: list[int]) -> None:
        nodes, records = zip(*map(self.at, chosen))
        self.named += zip(copy.deepcopy(nodes), duplicated(records))

    @rule(chosen=st.lists(places, min_size=1, max_size=3), protocol=st.integers(0, pickle.HIGHEST_PROTOCOL))
    def pickle_and_read_again(self, chosen: list[int], protocol: int) -> None:
        nodes, records = zip(*map(self.at, chosen))
        self.named += zip(pickle.loads(pickle.dumps(nodes, protocol)), duplicated(records))

    # --- dying

    @precondition(lambda self: len(self.named) > 2)
    @rule(chosen=st.lists(places, min_size=1, max_size=4))
    def drop_names(self, chosen: list[int]) -> None:
        enabled = gc.isenabled()
        gc.disable()  # a graph goes with its last name, and does not wait for the collector
        try:
            watched = {y: weakref.ref(x) for x, y in paired(self.named)}
            for place in chosen[: len(self.named) - 2]:
                del self.named[~place % len(self.named)]
            alive = {*below([record for _, record in self.named])}
            for record, ref in watched.items():
                assert (ref() is not None) == (record in alive)
        finally:
            if enabled:
                gc.enable()


def test_whatever_happens_to_a_graph_its_numbers_are_those_of_the_definition() -> None:
    with registered("fuse", forward=lambda a: a * a, vjp=(Fuse.rule,)):
        run_state_machine_as_test(Life, settings=settings(max_examples=120, stateful_step_count=40))
