"""Protects random programs and expressions: they are what they promise, reach every operation, print as Python, go to
kinks and edges where they are asked to, shrink to what matters, and refuse what makes no program; and none of it is
needed without Hypothesis.
"""

from __future__ import annotations

import math
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from support import registered, same
from table_rows import PAIRED, ROWS

import micrograd as mg
from micrograd import Op, Value, testing
from micrograd.testing.input_strategies import beside
from micrograd.testing.program import Program
from micrograd.testing.strategies import expressions, programs

EPSILON = sys.float_info.epsilon

any_program = programs(operations=ROWS.values())
any_expression = expressions(operations=ROWS.values())
program_near_kinks = programs(operations=ROWS.values(), near_kinks=True)
program_at_edges = programs(operations=ROWS.values(), edges=True)
# Every kind, plain ones first.
EVERY_KIND: dict[str, st.SearchStrategy[Program]] = {
    "programs": any_program,
    "near kinks": program_near_kinks,
    "edges": program_at_edges,
    "edges near kinks": programs(operations=ROWS.values(), edges=True, near_kinks=True),
    "expressions": any_expression,
    "expressions near kinks": expressions(operations=ROWS.values(), near_kinks=True),
    "expressions at edges": expressions(operations=ROWS.values(), edges=True),
}
every_kind = pytest.mark.parametrize("kind", EVERY_KIND)


def steps(program: Program) -> Iterator[tuple[Op, list[Any], list[float], float]]:
    """Yield the operation of each instruction, its operands, their numbers, and the result, by the table alone."""
    pool = list(program.inputs)
    for name, *operands in program.instructions:
        numbers = [pool[x] if type(x) is int else x for x in operands]
        pool.append(ROWS[name].forward(*numbers))
        yield ROWS[name], operands, numbers, pool[-1]


def results_of(program: Program) -> list[float]:
    return [*program.inputs, *[result for *_, result in steps(program)]]


def names_of(program: Program) -> list[str]:
    return [name for name, *_ in program.instructions]


def uses_in(program: Program) -> Counter[int]:
    return Counter(x for _, *operands in program.instructions for x in operands if type(x) is int)


def seen_in(
    strategy: st.SearchStrategy[Program], look: Callable[[Program, Counter[str]], None], examples: int = 300
) -> Counter[str]:
    """Return what ``look`` counted in so many programs."""
    seen: Counter[str] = Counter()

    @settings(max_examples=examples, derandomize=True, database=None)
    @given(strategy)
    def run(program: Program) -> None:
        seen["programs"] += 1
        look(program, seen)

    run()
    return seen


# --- programs ---------------------------------------------------------------------------------------------------


@given(any_program | any_expression)
def test_a_program_stays_where_it_has_a_derivative(program: Program) -> None:
    assert all(x == 0.0 or 1e-6 <= abs(x) <= 1e6 for x in results_of(program))
    for row, _, numbers, _ in steps(program):
        if row.arity is not None:
            assert all(domain.contains(x) for domain, x in zip(row.domain, numbers, strict=True))
        assert row.kinks is None or all(abs(quantity) >= 1e-3 for quantity in row.kinks(*numbers))


@every_kind
def test_an_instruction_is_one_that_a_user_could_write(kind: str) -> None:
    @given(EVERY_KIND[kind])
    def check(program: Program) -> None:
        for row, operands, _, _ in steps(program):
            assert any(type(x) is int for x in operands)
            assert row.arity is None or len(operands) == row.arity
            assert row.name not in PAIRED or len(operands) % 2 == 0
            assert row.name != "take" or operands[-1] in map(float, range(len(operands) - 1))
            assert all(type(x) is int or math.isfinite(x) for x in operands)

    check()


@every_kind
def test_a_program_computes_the_same_on_floats_and_values(kind: str) -> None:
    @given(EVERY_KIND[kind])
    def check(program: Program) -> None:
        wanted = results_of(program)[-1]
        assert same(program(*program.inputs), wanted)
        assert same(program(*map(Value, program.inputs)).data, wanted)
        mixed = program(*[x if i % 2 else Value(x) for i, x in enumerate(program.inputs)])
        assert same(mixed.data if type(mixed) is Value else mixed, wanted)

    check()


@every_kind
def test_the_repr_of_a_program_is_python_that_makes_it_again(kind: str) -> None:
    @given(EVERY_KIND[kind])
    def check(program: Program) -> None:
        again = eval(repr(program), {"Program": Program})
        assert again == program
        assert hash(again) == hash(program)
        assert repr(again) == repr(program)
        assert same(again(*again.inputs), program(*program.inputs))

    check()


@given(programs(max_inputs=2, max_instructions=3, operations=["add", mg.tanh]))
def test_a_program_keeps_the_limits_that_were_asked_for(program: Program) -> None:
    assert 1 <= len(program.inputs) <= 2
    assert len(program.instructions) <= 3
    assert {name for name, *_ in program.instructions} <= {"add", "tanh"}


def test_a_program_without_instructions_is_its_last_input() -> None:
    assert find(programs(max_instructions=0), lambda program: True) == Program((0.0,), ())
    assert Program((3.0, 4.0), ())(5.0, 6.0) == 6.0


@every_kind
def test_every_input_is_used(kind: str) -> None:
    @given(EVERY_KIND[kind])
    def check(program: Program) -> None:
        assert set(uses_in(program)) >= set(range(len(program.inputs))) or len(program.instructions) == 0

    check()


@pytest.mark.parametrize("name", ROWS)
def test_every_operation_is_reached(name: str) -> None:
    program = find(
        programs(operations=["add", "neg", name]),
        lambda program: any(used == name for used, *_ in program.instructions),
        settings=settings(phases=[Phase.generate], max_examples=500, derandomize=True, database=None),
    )
    assert math.isfinite(program(*program.inputs))


def look_for_shapes(program: Program, seen: Counter[str]) -> None:
    count, uses = len(program.inputs), uses_in(program)
    inner = range(count, count + len(program.instructions) - 1)
    seen["an input is shared"] += any(uses[i] > 1 for i in range(count))
    seen["a result is shared"] += any(uses[i] > 1 for i in inner)
    seen["an operand is repeated"] += any(
        len({*places}) < len(places) for places in [[x for x in i[1:] if type(x) is int] for i in program.instructions]
    )
    seen["a result is never used"] += any(uses[i] == 0 for i in inner)
    seen["an operand is a number"] += any(type(x) is float for i in program.instructions for x in i[1:])
    seen["more than six instructions"] += len(program.instructions) > 6


@pytest.mark.parametrize("kind", ["programs", "near kinks", "edges"])
def test_programs_have_the_shapes_in_which_backward_passes_go_wrong(kind: str) -> None:
    seen = seen_in(EVERY_KIND[kind], look_for_shapes)
    assert all(number >= seen["programs"] // 10 for number in seen.values()), seen


# --- expressions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in EVERY_KIND if kind.startswith("expressions")])
def test_in_an_expression_everything_is_used_once(kind: str) -> None:
    @given(EVERY_KIND[kind])
    def check(program: Program) -> None:
        uses = uses_in(program)
        last = len(program.inputs) + len(program.instructions) - 1
        assert uses == Counter(range(last))

    check()


@given(expressions(max_leaves=3, operations=["add", mg.tanh]))
def test_an_expression_keeps_the_limits_that_were_asked_for(program: Program) -> None:
    assert 1 <= len(program.inputs) <= 3
    assert {*names_of(program)} <= {"add", "tanh"}


def test_expressions_have_branches_and_depth() -> None:
    def look(program: Program, seen: Counter[str]) -> None:
        places = [[x for x in i[1:] if type(x) is int and x >= len(program.inputs)] for i in program.instructions]
        seen["an operation joins two results"] += any(len(results) > 1 for results in places)
        seen["three inputs or more"] += len(program.inputs) > 2
        seen["more than four instructions"] += len(program.instructions) > 4

    seen = seen_in(any_expression, look)
    assert all(number >= seen["programs"] // 10 for number in seen.values()), seen


# --- kinks and edges --------------------------------------------------------------------------------------------


def distance_to_kinks(row: Op, numbers: list[float]) -> float:
    """Return how far an operation is from its nearest kink, in ulps of the largest operand, of 1 at least."""
    if row.kinks is None or not all(map(math.isfinite, numbers)):
        return math.inf
    return min(abs(quantity) for quantity in row.kinks(*numbers)) / max(math.ulp(max(map(abs, numbers))), EPSILON)


@given(program_near_kinks | EVERY_KIND["expressions near kinks"])
def test_near_kinks_all_else_is_as_it_is_elsewhere(program: Program) -> None:
    assert all(x == 0.0 or EPSILON <= abs(x) <= 1e6 for x in results_of(program))
    for row, _, numbers, _ in steps(program):
        if row.arity is not None:
            assert all(domain.contains(x) for domain, x in zip(row.domain, numbers, strict=True))


def test_what_is_beside_0_has_neighbours_that_are_0_or_as_far() -> None:
    near = {beside(0.0, k) for k in (-2, -1, 0, 1, 2)}
    assert near == {k * EPSILON for k in (-2, -1, 0, 1, 2)}
    assert {beside(x, k) for x in near for k in (-1, 1)} == {k * EPSILON for k in range(-3, 4)}
    assert beside(3.0, 2) == 3.0 + 4 * EPSILON
    assert (beside(-0.0, 0), math.copysign(1.0, beside(-0.0, 0))) == (0.0, -1.0)


@pytest.mark.parametrize("kind", [kind for kind in EVERY_KIND if kind.endswith("near kinks")])
def test_kinks_are_met_often_where_they_are_asked_for(kind: str) -> None:
    def look(program: Program, seen: Counter[str]) -> None:
        distances = [distance_to_kinks(row, numbers) for row, _, numbers, _ in steps(program) if row.kinks is not None]
        seen["has kinks"] += bool(distances)
        seen["at or beside"] += any(distance <= 4.0 for distance in distances)
        seen["at"] += 0.0 in distances
        seen["beside"] += any(0.0 < distance <= 4.0 for distance in distances)

    seen = seen_in(EVERY_KIND[kind], look)
    assert seen["has kinks"] > seen["programs"] // 2
    assert seen["at or beside"] > seen["has kinks"] // 3
    assert min(seen["at"], seen["beside"]) > seen["has kinks"] // 5


@pytest.mark.parametrize("name", [row.name for row in ROWS.values() if row.kinks is not None])
def test_the_kinks_of_every_operation_are_met(name: str) -> None:
    def at_a_kink(program: Program) -> bool:
        return any(row.name == name and distance_to_kinks(row, numbers) == 0.0 for row, _, numbers, _ in steps(program))

    once = settings(phases=[Phase.generate], max_examples=500, derandomize=True, database=None)
    assert find(programs(operations=["add", "neg", name], near_kinks=True), at_a_kink, settings=once)


def test_a_kink_of_a_users_operation_is_met_where_it_says() -> None:
    with registered("hinge", forward=lambda a: max(a - 3.0, 0.0), vjp=(lambda g, out, a: g * (a > 3.0),), kinks=(3.0,)):
        program = find(programs(operations=["hinge"], near_kinks=True), lambda program: 3.0 in program.inputs)
        assert program == Program((3.0,), (("hinge", 0),))


def test_edges_are_met_often_where_they_are_asked_for() -> None:
    def look(program: Program, seen: Counter[str]) -> None:
        pool = results_of(program)
        numbers = [*program.inputs, *[x for i in program.instructions for x in i[1:] if type(x) is float]]
        seen["0.0"] += any(same(x, 0.0) for x in numbers)
        seen["-0.0"] += any(same(x, -0.0) for x in numbers)
        seen["1 or -1"] += any(abs(x) == 1.0 for x in numbers)
        seen["huge"] += any(abs(x) == 1e300 for x in numbers)
        seen["tiny"] += any(abs(x) == 1e-300 for x in numbers)
        seen["two equal inputs"] += len({*map(repr, program.inputs)}) < len(program.inputs)
        seen["not finite"] += not all(map(math.isfinite, pool))
        seen["a finite result"] += math.isfinite(pool[-1])
        seen["at a kink"] += any(distance_to_kinks(row, numbers) == 0.0 for row, _, numbers, _ in steps(program))
        seen["outside the domain"] += any(
            not domain.contains(x) for row, _, xs, _ in steps(program) for domain, x in zip(row.domain, xs)
        )

    seen = seen_in(program_at_edges, look, examples=1000)  # one edge of many is rarer than a kind of program
    assert all(number >= seen["programs"] // 10 for number in seen.values()), seen
    assert seen["a finite result"] > seen["programs"] // 2


def test_edges_are_not_applied_where_a_users_function_raises() -> None:
    with registered("ln", forward=math.log, vjp=(lambda g, out, a: mg.div(g, a),), domain="(0, inf)"):

        @given(programs(operations=["neg", "ln"], edges=True))
        def check(program: Program) -> None:
            program(*program.inputs)

        check()


# --- shrinking --------------------------------------------------------------------------------------------------

SHRUNK: list[tuple[str, Callable[[Program], bool], int]] = [
    ("one operation", lambda program: "exp" in names_of(program), 1),
    ("an operation with a domain", lambda program: "sqrt" in names_of(program), 2),
    ("an operation twice", lambda program: names_of(program).count("mul") == 2, 2),
    ("a chain", lambda program: any(i[0] == "tanh" and i[1] >= len(program.inputs) for i in program.instructions), 2),
    ("a number", lambda program: program(*program.inputs) > 2.5, 2),
]


@pytest.mark.parametrize(("fault", "size"), [case[1:] for case in SHRUNK], ids=[case[0] for case in SHRUNK])
def test_a_failing_program_shrinks_to_what_matters(fault: Callable[[Program], bool], size: int) -> None:
    few = programs(max_instructions=6, operations=["add", "neg", "mul", "exp", "sqrt", "tanh"])
    program = find(few, fault, settings=settings(derandomize=True, database=None, max_examples=200))
    assert len(program.instructions) <= size
    assert len(program.inputs) == 1
    assert program.inputs[0] in (0.0, 1.0, 2.0, 3.0)
    assert all(type(x) is not float or x == int(x) for i in program.instructions for x in i[1:])


def gradient(program: Program, *, adding: bool) -> list[float]:
    """Return the gradient of the inputs, by a backward pass that adds up the shares of a node, or keeps the last."""
    totals = [0.0] * (len(program.inputs) + len(program.instructions))
    totals[-1] = 1.0
    for place, (row, operands, numbers, out) in reversed([*enumerate(steps(program), start=len(program.inputs))]):
        for x, share in zip(operands, row.contributions(totals[place], out, numbers)):
            if type(x) is int:
                totals[x] = totals[x] + share if adding else share
    return totals[: len(program.inputs)]


def misses_an_addition(program: Program) -> bool:
    return gradient(program, adding=True) != gradient(program, adding=False)


def squares_a_result(program: Program) -> bool:
    first = len(program.inputs)
    return any(i[0] == "mul" and i[1] == i[2] and type(i[1]) is int and i[1] >= first for i in program.instructions)


SIMPLE = ["add", "neg", "mul", "exp", "maximum", "tanh"]
thorough = settings(derandomize=True, database=None, max_examples=300)


@pytest.mark.parametrize("options", [{}, {"near_kinks": True}, {"edges": True}], ids=["plain", "near kinks", "edges"])
def test_a_wrong_gradient_shrinks_to_the_one_instruction_that_shows_it(options: Any) -> None:
    program = find(programs(operations=SIMPLE, **options), misses_an_addition, settings=thorough)
    assert program == Program((0.0,), (("add", 0, 0),))


def test_what_is_wrong_with_sharing_only_is_right_on_trees() -> None:
    with pytest.raises(NoSuchExample):
        find(expressions(operations=SIMPLE), misses_an_addition, settings=thorough)


SHRUNK_ELSEWHERE: list[tuple[str, st.SearchStrategy[Program], Callable[[Program], bool], set[Program]]] = [
    (
        "an operation applied to a shared result",
        programs(operations=SIMPLE),
        squares_a_result,
        {Program((0.0,), (("add", 0, 0), ("mul", 1, 1))), Program((0.0,), (("neg", 0), ("mul", 1, 1)))},
    ),
    (
        "an operation in a tree",
        expressions(operations=SIMPLE),
        lambda program: "exp" in names_of(program),
        {Program((0.0,), (("exp", 0),))},
    ),
    (
        "a tie",
        programs(operations=SIMPLE, near_kinks=True),
        lambda program: any(row.name == "maximum" and x[0] == x[1] for row, _, x, _ in steps(program)),
        {Program((0.0,), (("maximum", 0, 0),))},
    ),
]


@pytest.mark.parametrize(
    ("strategy", "fault", "least"), [case[1:] for case in SHRUNK_ELSEWHERE], ids=[case[0] for case in SHRUNK_ELSEWHERE]
)
def test_other_kinds_shrink_too(
    strategy: st.SearchStrategy[Program], fault: Callable[[Program], bool], least: set[Program]
) -> None:
    assert find(strategy, fault, settings=thorough) in least


# --- what is refused, and the user's operations ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "kind", "told"),
    [
        ({"max_inputs": 0}, ValueError, "max_inputs is at least 1"),
        ({"max_instructions": -1}, ValueError, "max_instructions at least 0"),
        ({"operations": []}, ValueError, "no operations to choose from; leave `operations` out"),
        ({"operations": ["no_such_operation"]}, LookupError, "no operation named"),
    ],
)
def test_what_allows_no_program(arguments: Any, kind: type[Exception], told: str) -> None:
    with pytest.raises(kind, match=told):
        programs(**arguments)


@pytest.mark.parametrize(
    ("arguments", "kind", "told"),
    [
        ({"max_leaves": 0}, ValueError, "max_leaves is at least 1, not 0"),
        ({"operations": []}, ValueError, "no operations to choose from"),
        ({"operations": ["no_such_operation"]}, LookupError, "no operation named"),
    ],
)
def test_what_allows_no_expression(arguments: Any, kind: type[Exception], told: str) -> None:
    with pytest.raises(kind, match=told):
        expressions(**arguments)


@pytest.mark.usefixtures("table_as_it_was")
def test_the_whole_table_is_the_default_the_users_operations_included() -> None:
    mg.op("halved", forward=lambda a: 0.5 * a, vjp=(lambda g, out, a: 0.5 * g,))
    program = find(programs(), lambda program: any(name == "halved" for name, *_ in program.instructions))
    assert program.instructions == (("halved", 0),)


# --- without Hypothesis -----------------------------------------------------------------------------------------

WITHOUT = """
import sys
sys.modules["hypothesis"] = None
import micrograd.testing as testing
assert {"Program", "programs", "values"} <= set(dir(testing))
for name in testing.__all__:
    if hasattr(sys.modules.get("micrograd.testing.strategies"), name):
        raise SystemExit("loaded too early")
try:
    testing.programs
except ImportError as error:
    print(error)
"""


def test_without_hypothesis_the_package_loads_and_tells_how_to_get_the_strategies() -> None:
    run = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False)
    assert run.stderr == ""
    assert "micrograd.testing.programs needs hypothesis" in run.stdout
    assert "pip install '.[test]'" in run.stdout


def test_what_is_not_there() -> None:
    with pytest.raises(AttributeError, match=r"module 'micrograd.testing' has no attribute 'no_such_name'"):
        _ = testing.no_such_name
