"""Protects the stages of the compiler: each hands on a well-formed program, rewriting keeps every bit, the printed text
is what the grammar says, derivatives written out by hand are the table's, and everything grows with the program only.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support import registered, same, wild_graphs
from table_rows import ROWS, sizes

import micrograd as mg
from micrograd import Value
from micrograd.compiler.account import Account
from micrograd.compiler.arguments import Leaf
from micrograd.compiler.build import assembly
from micrograd.compiler.builder import Builder
from micrograd.compiler.chains import SHORTEST, with_chains
from micrograd.compiler.derive import gradient, tangent
from micrograd.compiler.kernel import Shape
from micrograd.compiler.lower import PRIMITIVES, lowered
from micrograd.compiler.program import CHAIN, LEAVES, Program, live, without_dead_code
from micrograd.compiler.trace import Index, Input, Recorder, record
from micrograd.compiler.verify import VerificationError, verify
from micrograd.testing import programs

AWKWARD = (0.0, -0.0, 1.0, -1.0, 2.0, 0.5, 3.0, 5e-324, 1e-300, 1e300, -1e300, math.inf, -math.inf, math.nan)
wild = st.sampled_from(AWKWARD) | st.floats(-4.0, 4.0) | st.floats()


def captured(f: Callable[..., Any], count: int) -> Program:
    """Return the program of a function of ``count`` floats."""
    recorder = Recorder()
    return record(f, recorder, tuple(Input(recorder, recorder.leaf("argument", k)) for k in range(count)), {})


def everything(kind: str, payload: Any) -> bool:
    return kind in ("argument", "sample", "parameter")


def along(kind: str, payload: Any) -> int | None:
    return int(payload) if kind == "argument" else None


def stages(program: Program) -> Iterator[tuple[str, Program]]:
    """Return what every stage makes of a program."""
    yield "record", program
    chained = with_chains(program)
    yield "chains", chained
    for name, source in (("", program), (" of chains", chained)):
        for careful in (False, True):
            label = f"{' careful' * careful}{name}"
            reverse = gradient(source, everything, careful=careful)
            yield f"gradient{label}", reverse
            seeded = gradient(source, everything, seeded=True, scatter=False, careful=careful)
            yield f"seeded gradient{label}", seeded
            forward = tangent(source, along, careful=careful)
            yield f"tangent{label}", forward
            second = tangent(gradient(source, everything, scatter=False), along, careful=careful)
            yield f"tangent of gradient{label}", second
            for derived in (reverse, seeded, forward, second):
                yield f"lowered{label}", lowered(derived)


def evaluated(program: Program, leaf: Callable[[str, Any], float]) -> list[float]:
    """Return every instruction's result: each operation by the forward function of its row."""
    found: list[float] = []
    for op, operands in zip(program.ops, program.operands):
        if op in LEAVES:
            payload: Any = operands[0] if operands else None
            found.append(payload if op == "constant" else leaf(op, payload))
        elif op == CHAIN:
            total, *rest = [found[x] for x in operands]
            for x, y in zip(rest[: len(rest) // 2], rest[len(rest) // 2 :]):
                total += x * y
            found.append(total)
        else:
            found.append(ROWS[op].forward(*[found[x] for x in operands]))
    return found


def results(program: Program, numbers: Sequence[float], direction: Sequence[float] = ()) -> dict[Any, float]:
    """Return what goes out: the outputs by name, gradients by the number of the argument."""
    found = evaluated(
        program, lambda kind, k: 1.0 if kind == "seed" else direction[k] if kind == "tangent" else numbers[k]
    )
    by_argument: dict[Any, float] = {name: found[x] for name, x in program.outputs.items()}
    by_argument |= {program.operands[leaf][0]: found[x] for leaf, x in program.gradients.items()}
    return by_argument


# --- every stage is well formed ---------------------------------------------------------------------------------


@settings(max_examples=150)
@given(programs(operations=ROWS.values()))
def test_every_stage_of_a_random_program_is_well_formed(program: Any) -> None:
    for name, stage in stages(captured(lambda *xs: +program(*xs), len(program.inputs))):
        verify(stage, name)
        if name.startswith("lowered"):
            assert {op for op in stage.ops if op not in LEAVES} <= PRIMITIVES, name


@settings(max_examples=60)
@given(wild_graphs())
def test_every_stage_of_a_captured_graph_is_well_formed(graph: list[Value]) -> None:
    recorder = Recorder()
    program = record(lambda: graph[-1], recorder, (), {})
    assert all(p.op == "" for p in recorder.parameters)
    for name, stage in stages(program):
        verify(stage, name)


def test_ints_in_a_users_rule_are_floats_in_every_stage() -> None:
    with (
        registered("tripled", forward=lambda a: 3 * a + 0, vjp=(lambda g, out, a: 3 * g,)) as tripled,
        registered("level", forward=lambda a: 0 * a + 7, vjp=(lambda g, out, a: 0,)) as level,
    ):
        for name, stage in stages(captured(lambda x: tripled(x) * x + level(x), 1)):
            verify(stage, name)


def neuron(*xs: Any) -> Any:
    half = len(xs) // 2
    return mg.tanh(sum(w * x for w, x in zip(xs[:half], xs[half:])) + 0.5)


HAND_MADE: list[tuple[str, Callable[..., Any], int]] = [
    ("itself", lambda x: x, 1),
    ("constant", lambda x: x * 0.0 + 1.0, 1),
    ("a neuron", neuron, 16),
    ("a square", lambda x: x * x, 1),
    ("a power of powers", lambda x, y: (x**2) ** y + x**-1 + y**3 + x**0 + x**0.5, 2),
    ("a quotient of itself", lambda x: x / x, 1),
    ("shared chains", lambda *xs: mg.dot(xs[:5], xs[5:]) * mg.dot(xs[:5], xs[:5]), 10),
    ("a chain used twice", lambda *xs: (lambda s: s * s + s)(sum(a * b for a, b in zip(xs[:6], xs[6:]))), 12),
    ("a chain of one symbol", lambda x: x * x + x * x + x * x + x * x + x * x, 1),
    ("predicates", lambda x, y: mg.where(mg.gt(x, y) * mg.isnan(x) + mg.le(y, 0.0), mg.eq(x, y) * x, y), 2),
    ("dead code", lambda x, y: [mg.exp(y), x * 2.0][1], 2),
    ("cancelled signs", lambda x, y: (-x) * -1.0 - (-y) + (+x).__neg__().__neg__() + (-x) + (-(x * -1.0)) * (-y), 2),
]


@pytest.mark.parametrize(("name", "f", "count"), HAND_MADE, ids=[name for name, _, _ in HAND_MADE])
def test_hand_made_programs_keep_their_value_through_every_stage(name: str, f: Callable[..., Any], count: int) -> None:
    numbers = [math.sin(3.0 * k + 1.0) + 1.5 for k in range(count)]
    leaves = [Value(x) for x in numbers]
    out = f(*leaves)
    out.backward()
    direction = [math.cos(k) for k in range(count)]
    slope, product = mg.jvp(f, numbers, direction)[1], mg.hvp(f, numbers, direction)
    if count == 1:
        product = (product,)
    for stage, program in stages(captured(f, count)):
        verify(program, stage)
        found = results(program, numbers, direction)
        assert found["value"] == pytest.approx(out.data, rel=1e-13)
        if "tangent" in program.outputs:
            assert found["tangent"] == pytest.approx(slope, rel=1e-11, abs=1e-13)
        second = "tangent" in program.outputs
        wanted = product if second else [leaf.grad for leaf in leaves]
        for k, g in found.items():
            if isinstance(k, int):
                assert g == pytest.approx(wanted[k], rel=1e-11, abs=1e-12), (stage, k)


def test_choices_at_run_time_are_well_formed_in_every_stage() -> None:
    recorder = Recorder()
    x = [Input(recorder, recorder.leaf("argument", k)) for k in range(3)]
    w = [Value(float(k)) for k in range(3)]
    one, each = [Index(recorder, {}, 0, Leaf("i", "int", None, batched, 0)) for batched in (False, True)]

    def f() -> Any:
        total = mg.take(w, each) * mg.take(x, one) + mg.take([x[0] * 2.0, x[1]], one)
        return mg.exp(total) + mg.take([w[0], x[0]], each)

    program = record(f, recorder, (), {})
    assert gradient(program, everything).scatters
    for name, stage in stages(program):
        verify(stage, name)


# --- the verifier -----------------------------------------------------------------------------------------------

MALFORMED: list[tuple[str, Program, str]] = [
    ("lengths differ", Program(["argument", "neg"], [(0,)]), "2 operations, 1 lists"),
    ("later operand", Program(["argument", "add"], [(0,), (0, 2)]), "%2 is not defined above"),
    ("its own operand", Program(["argument", "add"], [(0,), (1, 0)]), "%1 is not defined above"),
    ("negative operand", Program(["argument", "neg"], [(0,), (-1,)]), "%-1 is not defined above"),
    ("operand is a float", Program(["argument", "neg"], [(0,), (0.0,)]), "is not defined above"),
    ("operand is a bool", Program(["argument", "neg"], [(0,), (False,)]), "is not defined above"),
    ("no such operation", Program(["argument", "nag"], [(0,), (0,)]), "no such operation"),
    ("too many operands", Program(["argument", "neg"], [(0,), (0, 0)]), "neg takes 1 operands"),
    ("too few operands", Program(["argument", "add"], [(0,), (0,)]), "add takes 2 operands"),
    ("even chain", Program(["argument", CHAIN], [(0,), (0, 0)]), "a chain has an initial value and pairs"),
    ("empty chain", Program(["argument", CHAIN], [(0,), (0,)]), "a chain has an initial value and pairs"),
    ("constant int", Program(["constant"], [(1,)]), "constant with payload"),
    ("constant without number", Program(["constant"], [()]), "constant with payload"),
    ("argument without number", Program(["argument"], [()]), "argument with payload"),
    ("argument with a float", Program(["argument"], [(1.0,)]), "argument with payload"),
    ("argument with two", Program(["argument"], [(0, 1)]), "argument with payload"),
    ("seed with number", Program(["seed"], [(0,)]), "seed with payload"),
    ("index as a number", Program(["index", "neg"], [(0,), (0,)]), "which only take and eq read"),
    (
        "index as a value",
        Program(["argument", "index", "take"], [(0,), (0,), (1, 0, 0)]),
        "which only take and eq read",
    ),
    ("output missing", Program(["argument"], [(0,)], outputs={"value": 1}), "output %1 is not defined"),
    ("output negative", Program(["argument"], [(0,)], outputs={"value": -1}), "output %-1 is not defined"),
    ("gradient missing", Program(["argument"], [(0,)], gradients={0: 3}), "output %3 is not defined"),
    ("leaf missing", Program(["argument"], [(0,)], gradients={7: 0}), "output %7 is not defined"),
    ("gradient of a constant", Program(["constant"], [(1.0,)], gradients={0: 0}), "has no gradient"),
    ("gradient of a result", Program(["argument", "neg"], [(0,), (0,)], gradients={1: 0}), "has no gradient"),
    ("scatter to a constant", Program(["constant", "index"], [(1.0,), (0,)], scatters=[((0,), 1, 0)]), "no gradient"),
    ("scatter missing", Program(["argument", "index"], [(0,), (0,)], scatters=[((0,), 1, 5)]), "%5 is not defined"),
]


@pytest.mark.parametrize(("name", "program", "message"), MALFORMED, ids=[name for name, _, _ in MALFORMED])
def test_the_verifier_rejects_what_is_malformed(name: str, program: Program, message: str) -> None:
    with pytest.raises(VerificationError, match=re.escape(message)) as caught:
        verify(program)
    assert isinstance(caught.value, AssertionError)
    with pytest.raises(VerificationError, match=r"^after lowering: "):
        verify(program, "lowering")


def test_the_verifier_returns_what_is_well_formed() -> None:
    program = Program(["argument", "mul"], [(0,), (0, 0)], outputs={"value": 1}, gradients={0: 1})
    assert verify(program) is program


# --- the printed text -------------------------------------------------------------------------------------------


def parsed(text: str) -> Program:
    """Read the grammar in the docstring of ``program.py``."""
    program = Program([], [])
    number: Any = lambda operand: int(re.fullmatch(r"%(\d+)", operand)[1])  # type: ignore[index]
    for line in text.splitlines():
        if match := re.fullmatch(r"%(\d+) = (\w+)(.*)", line):
            assert int(match[1]) == len(program.ops), line
            op, rest = match[2], match[3].strip()
            program.ops.append(op)
            if op == "constant":
                program.operands.append((float(rest),))
            elif op in LEAVES:
                program.operands.append((int(rest),) if rest else ())
            else:
                program.operands.append(tuple(number(x) for x in rest.split(", ")) if rest else ())
        elif match := re.fullmatch(r"(value|tangent) (%\d+)", line):
            assert match[1] not in program.outputs
            program.outputs[match[1]] = number(match[2])
        elif match := re.fullmatch(r"gradient of (%\d+): (%\d+)", line):
            program.gradients[number(match[1])] = number(match[2])
        else:
            match = re.fullmatch(r"gradient of ((?:%\d+ ?)+)\[(%\d+)\]: (%\d+)", line)
            assert match is not None, f"not in the grammar: {line!r}"
            leaves = tuple(number(x) for x in match[1].split())
            program.scatters.append((leaves, number(match[2]), number(match[3])))
    return program


@settings(max_examples=60)
@given(programs(operations=ROWS.values()))
def test_printed_programs_read_back_as_they_were(program: Any) -> None:
    for _, stage in stages(captured(lambda *xs: +program(*xs), len(program.inputs))):
        again = parsed(str(stage))
        assert repr(again) == repr(stage)
        assert str(again) == str(stage)


def test_every_kind_of_leaf_and_output_is_in_the_grammar() -> None:
    leaves: list[tuple[str, tuple[Any, ...]]] = [
        ("constant", (-0.0,)),
        ("constant", (math.inf,)),
        ("constant", (5e-324,)),
        *[(kind, (3,)) for kind in ("argument", "sample", "parameter", "index", "sample_index", "tangent")],
        ("seed", ()),
    ]
    program = Program(
        [op for op, _ in leaves] + ["take"],
        [x for _, x in leaves] + [(3, 4, 5, 6)],
        {"value": 10, "tangent": 9},
        {3: 9, 4: 0},
        [((3, 5), 6, 9), ((3, 3, 3), 7, 9)],
    )
    verify(program)
    assert {op for op, _ in leaves} == LEAVES
    assert repr(parsed(str(program))) == repr(program)
    assert parsed("%0 = constant nan").operands[0][0] != parsed("%0 = constant nan").operands[0][0]


# --- rewriting keeps bits ---------------------------------------------------------------------------------------


def rewritten(op: str, shape: Sequence[Any], numbers: Sequence[float]) -> tuple[float, float]:
    """Return the result with and without rewriting, of ``op`` over operands made as ``shape`` says.

    A shape is a float, a place among the numbers, or an operation over such.
    """

    def made(b: Builder, part: Any) -> int:
        if isinstance(part, float):
            return b.constant(part)
        if isinstance(part, int):
            return b.leaf("argument", part)
        name, *rest = part
        return b.emit(name, tuple(made(b, x) for x in rest))

    both = []
    for rewriting in (True, False):
        b = Builder(rewriting=rewriting)
        root = made(b, (op, *shape))
        program = b.program(outputs={"value": root})
        both.append(results(verify(program), numbers)["value"])
    return both[0], both[1]


SIMPLIFIED: list[tuple[str, tuple[Any, ...]]] = [
    *[("add", (0, x)) for x in (0.0, -0.0, 1.0)],
    *[("add", (x, 0)) for x in (0.0, -0.0)],
    ("add", (0, ("neg", 1))),
    ("add", (("neg", 0), 1)),
    ("add", (("neg", 0), ("neg", 1))),
    ("add", (0, ("neg", 0))),
    *[("sub", (0, x)) for x in (0.0, -0.0)],
    *[("sub", (x, 0)) for x in (0.0, -0.0)],
    ("sub", (0, ("neg", 1))),
    ("sub", (("neg", 0), 1)),
    ("sub", (0, 0)),
    *[("mul", (0, x)) for x in (1.0, -1.0, 0.0, -0.0, 2.0)],
    *[("mul", (x, 0)) for x in (1.0, -1.0, 0.0, -0.0)],
    ("mul", (("neg", 0), ("neg", 1))),
    ("mul", (("neg", 0), 1)),
    ("mul", (0.0, ("gt", 0, 1))),
    ("mul", (("isnan", 0), 0.0)),
    ("mul", (-0.0, ("gt", 0, 1))),
    *[("div", (0, x)) for x in (1.0, -1.0, 2.0, -0.25, 2.0**-1000, 2.0**1000, 2.0**1023, 5e-324, 3.0, 0.0, -0.0)],
    *[("div", (0, x)) for x in (math.inf, -math.inf, 2.0**-1022, 2.0**-1074, 0.1)],
    ("div", (0, 0)),
    ("neg", (("neg", 0),)),
    ("neg", (("sub", 0, 1),)),
    ("pos", (0,)),
    *[("power", (0, x)) for x in (0.0, -0.0, 1.0, -1.0, 2.0, 0.5, -2.0)],
    ("power", (1.0, 0)),
    *[("where", (condition, 0, 1)) for condition in (0.0, -0.0, 1.0, math.nan, math.inf)],
    ("where", (0, 1, 1)),
    ("where", (("gt", 0, 1), 0, ("neg", 1))),
    ("abs", (("neg", 0),)),
    ("maximum", (0, 0)),
    ("eq", (0, 0)),
    ("gt", (0, 0)),
    ("add", (("add", 0.5, 0.25), 0)),
    ("mul", (("mul", 0, 2.0), 0.5)),
]


@pytest.mark.parametrize(("op", "shape"), SIMPLIFIED)
def test_a_simplification_keeps_every_bit(op: str, shape: tuple[Any, ...]) -> None:
    for x in (*AWKWARD, 1.0 / 3.0, -7.25, 2.2250738585072014e-308, 1.7976931348623157e308):
        for y in AWKWARD:
            new, old = rewritten(op, shape, (x, y))
            if op == "power" and shape[-1] not in (1.0, -1.0, 0.0, -0.0):
                continue  # products, within the bounds of ERRORS.md
            assert same(new, old), (op, shape, x, y)


@given(wild, st.sampled_from([2.0, 3.0, 4.0]))
@example(1.1837, 4.0)
@example(-0.0, 3.0)
def test_powers_that_become_products_are_near(x: float, exponent: float) -> None:
    new, old = rewritten("power", (0, exponent), (x, 0.0))
    if not (math.isfinite(old) and abs(old) >= sys.float_info.min):
        assert same(new, old) or max(abs(new), abs(old)) <= 2.0 * sys.float_info.min or math.isinf(old)
        return
    # 2 ulps of its own, 1 of the C library's
    assert abs(new - old) <= 3.0 * math.ulp(old)


@settings(max_examples=200)
@given(st.data())
def test_random_instructions_with_rewriting_have_the_bits_of_those_without(data: st.DataObject) -> None:
    names = [*("add", "sub", "mul", "div", "neg", "where", "gt", "eq", "abs", "pos", "maximum") * 2, "isnan", "sqrt"]
    plain, rewriting = Builder(rewriting=False), Builder()
    numbers = data.draw(st.lists(wild, min_size=2, max_size=3))
    pools = [[b.leaf("argument", k) for k in range(len(numbers))] for b in (plain, rewriting)]
    constants = data.draw(st.lists(wild, min_size=2, max_size=3))
    for b, pool in zip((plain, rewriting), pools):
        pool += [b.constant(x) for x in constants]
    for _ in range(data.draw(st.integers(1, 14))):
        op = data.draw(st.sampled_from(names))
        places = [data.draw(st.integers(0, len(pools[0]) - 1)) for _ in range(ROWS[op].arity or 2)]
        for b, pool in zip((plain, rewriting), pools):
            pool.append(b.emit(op, tuple(pool[x] for x in places)))
    old, new = [
        evaluated(verify(b.program(outputs={"value": pool[-1]})), lambda kind, k: numbers[k])
        for b, pool in zip((plain, rewriting), pools)
    ]
    for x, y in zip(*pools):
        assert same(old[x], new[y])
    computing = [sum(op not in LEAVES for op in b.ops) for b in (plain, rewriting)]  # a constant may come in addition
    assert computing[1] <= computing[0]


def test_an_instruction_that_is_there_already_is_shared() -> None:
    b = Builder()
    x, y = b.leaf("argument", 0), b.leaf("argument", 1)
    assert b.emit("mul", (x, y)) == b.emit("mul", (x, y))
    assert b.emit("sin", (x,)) == b.emit("sin", (x,))
    assert b.emit("add", (b.constant(1.0), b.constant(2.0))) == b.constant(3.0)
    assert b.constant(0.0) != b.constant(-0.0)
    assert b.constant(math.nan) == b.constant(math.nan)


def test_what_no_output_needs_is_left_out() -> None:
    program = captured(lambda x, y: [mg.exp(y), mg.sin(x), x * 2.0][2], 2)
    kept = verify(without_dead_code(program))
    assert "exp" not in kept.ops
    assert kept.count() == 1
    assert all(live(kept))
    assert repr(without_dead_code(kept)) == repr(kept)


# --- chains -----------------------------------------------------------------------------------------------------


def sums_of_products(count: int, start: Any, product: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def f(*xs: Any) -> Any:
        total = start
        for a, b in zip(xs[:count], xs[count:]):
            total = total + product(a, b)
        return total

    return f


@pytest.mark.parametrize("start", [0.0, -0.0, 1.5, None])
@pytest.mark.parametrize("count", [1, SHORTEST - 1, SHORTEST, SHORTEST + 1, 9])
def test_dot_products_become_chains_and_keep_their_bits(count: int, start: float | None) -> None:
    def f(*xs: Any) -> Any:
        terms = [a * b for a, b in zip(xs[:count], xs[count:])]
        total = terms.pop(0) if start is None else start
        for term in terms:
            total = total + term
        return total

    program = captured(f, 2 * count)
    chained = verify(with_chains(program))
    assert (CHAIN in chained.ops) == (count >= SHORTEST)
    if CHAIN in chained.ops:
        assert chained.count() == 1
    for seed in range(20):
        numbers = [AWKWARD[(seed * 5 + 7 * k * k) % len(AWKWARD)] for k in range(2 * count)]
        if seed % 2:
            numbers = [math.sin(seed * k) * 10.0 ** (k % 5) for k in range(2 * count)]
        old = results(program, numbers)["value"]
        assert same(results(chained, numbers)["value"], old)
        assert same(results(lowered(chained), numbers)["value"], old)


def test_a_partial_sum_that_is_used_elsewhere_ends_a_chain() -> None:
    def f(*xs: Any) -> Any:
        total: Any = xs[0] * xs[1]
        for k in range(2, 12, 2):
            total = total + xs[k] * xs[k + 1]
            if k == 6:
                partial = total
        return total * partial

    program = captured(f, 12)
    chained = verify(with_chains(program))
    numbers = [math.sin(k + 1.0) for k in range(12)]
    assert same(results(chained, numbers)["value"], results(program, numbers)["value"])


@pytest.mark.parametrize("place", range(6))
def test_a_product_that_is_used_elsewhere_stays_an_instruction(place: int) -> None:
    def f(*xs: Any) -> Any:
        products = [xs[k] * xs[k + 1] for k in range(0, 12, 2)]
        total = products[0]
        for product in products[1:]:
            total = total + product
        return total + mg.exp(products[place])

    program = captured(f, 12)
    chained = verify(with_chains(program))
    numbers = [math.sin(k + 1.0) for k in range(12)]
    assert same(results(chained, numbers)["value"], results(program, numbers)["value"])
    assert "exp" in chained.ops


# --- shares written out by hand ---------------------------------------------------------------------------------


def with_table_rules(program: Program) -> Program:
    """Return the program with additions, multiplications and chains under names whose rules are the table's."""
    b = Builder(rewriting=False)
    number: list[int] = []
    for op, operands in zip(program.ops, program.operands):
        if op in LEAVES:
            number.append(b.leaf(op, *operands))
            continue
        places = [number[x] for x in operands]
        if op == CHAIN:
            initial, *rest = places
            # as a sum and a dot product, which derive.py hands to the table
            number.append(b.emit("sum", (initial, b.emit("dot", tuple(rest)))))
        elif op == "mul":
            number.append(b.emit("prod", tuple(places)))
        elif op == "add":
            number.append(b.emit("sum", tuple(places)))
        else:
            number.append(b.emit(op, tuple(places)))
    return b.program(outputs={name: number[x] for name, x in program.outputs.items()})


@settings(max_examples=100)
@given(programs(operations=["add", "mul", "dot", "tanh", "sub"], max_instructions=10))
def test_handwritten_shares_of_add_mul_and_chain_are_those_of_the_table(program: Any) -> None:
    numbers = program.inputs
    chained = with_chains(captured(lambda *xs: +program(*xs), len(numbers)))
    judge = gradient(with_table_rules(chained), everything)
    direction = [math.cos(k) for k in range(len(numbers))]
    for careful in (False, True):
        found, wanted = results(gradient(chained, everything, careful=careful), numbers), results(judge, numbers)
        for key in found.keys() | wanted.keys():  # no gradient at all is a gradient of 0
            assert found.get(key, 0.0) == pytest.approx(wanted.get(key, 0.0), rel=1e-11, abs=1e-12)
        slope = results(tangent(chained, along, careful=careful), numbers, direction)["tangent"]
        terms = [wanted.get(k, 0.0) * d for k, d in enumerate(direction)]
        assert slope == pytest.approx(math.fsum(terms), rel=1e-10, abs=1e-10 * (1.0 + sum(map(abs, terms))))


@pytest.mark.parametrize("op", ["add", "mul"])
@given(g=wild, a=wild, b=wild)
def test_each_handwritten_share_has_the_bits_of_the_rule(op: str, g: float, a: float, b: float) -> None:
    program = captured(lambda x, y: x + y if op == "add" else x * y, 2)
    derived = gradient(program, everything, seeded=True)
    found = evaluated(derived, lambda kind, k: g if kind == "seed" else (a, b)[k])
    got = [found[derived.gradients[leaf]] for leaf in sorted(derived.gradients)]
    assert same(got, ROWS[op].contributions(g, ROWS[op].forward(a, b), (a, b)))


def test_shares_of_a_chain_are_products_with_the_upstream_gradient() -> None:
    count = 5
    program = Program(
        ["argument"] * (2 * count + 1) + [CHAIN],
        [(k,) for k in range(2 * count + 1)] + [tuple(range(2 * count + 1))],
        outputs={"value": 2 * count + 1},
    )
    numbers = [math.sin(k) for k in range(2 * count + 1)]
    derived = verify(gradient(verify(program), everything, seeded=True))
    found = evaluated(derived, lambda kind, k: -3.0 if kind == "seed" else numbers[k])
    got = [found[derived.gradients[leaf]] for leaf in sorted(derived.gradients)]
    xs, ys = numbers[1 : 1 + count], numbers[1 + count :]
    assert got == [-3.0, *[-3.0 * y for y in ys], *[-3.0 * x for x in xs]]


def test_an_upstream_gradient_of_zero_hands_out_nothing_in_the_careful_program() -> None:
    program = captured(lambda x, c: mg.where(mg.gt(c, 0.0), mg.log(x), x) + 0.0 * mg.sqrt(x), 2)
    careful = gradient(program, everything, careful=True)
    assert results(careful, [0.0, -1.0])[0] == 1.0
    assert results(careful, [1.0, 1.0])[0] == 1.0


# --- everything grows with the program only ---------------------------------------------------------------------


def deep(count: int) -> Callable[..., Any]:
    def f(x: Any, y: Any) -> Any:
        for k in range(count // 4):
            x = mg.tanh(x * y + (0.5 + k % 3))
            y = y * 0.999
        return x + y

    return f


def deep_in_python(count: int) -> Callable[..., Any]:
    def f(x: Any, y: Any) -> Any:
        for _ in range(count):
            x = x * y
        return x

    return f


def wide(count: int) -> Callable[..., Any]:
    return lambda x, y: mg.sum([mg.sin(x * (1.0 + k)) for k in range(count // 2)]) * y


def shared(count: int) -> Callable[..., Any]:
    """Every result is used twice: the number of paths doubles with every step."""

    def f(x: Any, y: Any) -> Any:
        for _ in range(count // 2):
            x = (x + x) * 0.5
        return x * y

    return f


FAMILIES = {"deep": deep, "a chain of products": deep_in_python, "wide": wide, "shared": shared}


def sizes_of_stages(f: Callable[..., Any]) -> dict[str, int]:
    program = captured(f, 2)
    chained = with_chains(program)
    reverse = gradient(chained, everything)
    found = {
        "record": len(program),
        "chains": len(chained),
        "gradient": len(reverse),
        "careful": len(gradient(chained, everything, careful=True)),
        "tangent": len(tangent(chained, along)),
        "second": len(tangent(gradient(chained, everything, scatter=False), along)),
    }
    found["lowered"] = len(lowered(reverse))
    shape = Shape(arguments=2, wanted=(("argument", 0), ("argument", 1)))
    found["lines of llvm"] = sum(text.count("\n") for text in texts_of(reverse, shape, 1))
    found["lines of text"] = str(reverse).count("\n")
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_every_stage_grows_linearly(family: str) -> None:
    limit = sys.getrecursionlimit()
    small, large = [sizes_of_stages(FAMILIES[family](n)) for n in (1_000, 10_000)]
    for stage, count in large.items():
        # A small program is one function for LLVM; a large one pays for what goes from part to part.
        assert count <= (15.0 if stage == "lines of llvm" else 10.5) * small[stage], stage
        assert count <= 40 * 10_000, stage
    assert sys.getrecursionlimit() == limit


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_every_stage_grows_linearly_where_it_is_large(family: str) -> None:
    middle, large = [sizes_of_stages(FAMILIES[family](n)) for n in (5_000, 20_000)]
    for stage, count in large.items():
        assert count <= 4.2 * middle[stage], stage


@pytest.mark.slow
@pytest.mark.parametrize("family", ["deep", "wide"])
def test_very_large_graphs_pass_through_the_stages(family: str) -> None:
    program = captured(FAMILIES[family](100_000), 2)  # far beyond Python's recursion limit
    assert program.count() > 90_000
    derived = lowered(gradient(with_chains(program), everything))
    assert derived.count() < 4_000_000
    assert derived.gradients
    assert len(derived.outputs) == 1


def test_a_deep_captured_graph_is_compiled_without_recursion() -> None:
    w = Value(1.0)
    node: Any = w
    for _ in range(20_000):
        node = node * 0.9999 + 0.0001
    f = mg.compile(lambda: node, backend="python")
    assert f.backward() == node.data
    assert w.grad == pytest.approx(0.9999**20_000, rel=1e-9)


# --- LLVM's own opinion -----------------------------------------------------------------------------------------


def texts_of(program: Program, shape: Shape, lanes: int, fastmath: bool = False) -> list[str]:
    """Return the modules of a program, in LLVM's assembly language."""
    texts = assembly(program, shape, lanes, fastmath, Account())[1]
    return [text for text in texts if text]


def batch_program(f: Callable[..., Any], count: int) -> Program:
    recorder = Recorder()
    return record(f, recorder, tuple(Input(recorder, recorder.leaf("sample", k)) for k in range(count)), {})


@pytest.mark.parametrize("lanes", [1, 2, 4, 8])
def test_llvm_accepts_the_text_of_every_operation(lanes: int) -> None:
    jit = pytest.importorskip("micrograd.compiler.jit")
    pytest.importorskip("llvmlite", reason="LLVM's verifier comes with llvmlite")
    for name, row in ROWS.items():
        size = next(iter(sizes(row)))
        if name == "take":
            continue
        f = lambda *xs, row=row: row.apply(xs)
        if lanes == 1:
            program = gradient(captured(f, size), everything)
            shape = Shape(arguments=size, wanted=tuple(("argument", k) for k in range(size)))
        else:
            program = gradient(batch_program(f, size), everything, careful=lanes == 4)
            wanted = tuple(("sample", k) for k in range(size))
            shape = Shape(samples=(size,), wanted=wanted, rows=lanes == 2)
        for fastmath in (False, True):
            for text in texts_of(program, shape, lanes, fastmath):
                jit.verified(text)


@settings(max_examples=40)
@given(programs(operations=[name for name in ROWS if name != "take"]), st.sampled_from([1, 4, 8]))
def test_llvm_accepts_the_text_of_random_programs(program: Any, lanes: int) -> None:
    jit = pytest.importorskip("micrograd.compiler.jit")
    pytest.importorskip("llvmlite", reason="LLVM's verifier comes with llvmlite")
    count = len(program.inputs)
    f = lambda *xs: +program(*xs)
    if lanes == 1:
        derived = gradient(with_chains(captured(f, count)), everything)
        shape = Shape(arguments=count, wanted=tuple(("argument", k) for k in range(count)))
    else:
        derived = gradient(with_chains(batch_program(f, count)), everything, seeded=True)
        shape = Shape(samples=(count,), wanted=tuple(("sample", k) for k in range(count)))
    for text in texts_of(derived, shape, lanes):
        jit.verified(text)


def test_the_text_is_the_same_in_every_run() -> None:
    f = FAMILIES["deep"](2_000)
    shape = Shape(arguments=2, wanted=(("argument", 0), ("argument", 1)))
    one, other = [texts_of(gradient(captured(f, 2), everything), shape, 1) for _ in range(2)]
    assert one == other
