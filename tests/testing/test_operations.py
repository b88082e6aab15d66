"""Protects the tests that every operation gets for free: no row of the table is accused, and no fault is missed."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from support import registered, run_python
from table_rows import ROWS

import micrograd as mg
from micrograd import Accuracy, Op, engine
from micrograd.errors import CompilationError
from micrograd.ops.selection import PREDICATES
from micrograd.testing import gradcheck
from micrograd.testing.operations import DOES_NOT_APPLY, PROPERTIES, Outcome, check_operation
from micrograd.testing.oracles import has_mpmath

pytest.importorskip("hypothesis", reason="random programs are drawn by Hypothesis")
pytest.importorskip("llvmlite", reason="the backend 'llvm' is one of those that are checked")
if not has_mpmath():
    pytest.skip("mpmath is the oracle that sees small faults", allow_module_level=True)

DIFFERENTIABLE = [row for row in ROWS.values() if row.name not in PREDICATES]
SYMMETRIC = {"add", "sum", "mean"}  # every operand has the same share
LINEAR = {"add", "sub", "neg", "pos", "abs", "maximum", "minimum", "clamp", "copysign", "relu", "degrees", "radians"}
LINEAR |= {"fmod", "sum", "mean", "where", "take"}  # second derivatives are 0
SLOW = ("random graphs",)


def check(op: Op, name: str, **options: Any) -> Outcome:
    return check_operation(op, name, compile=mg.compile, **options)


# --- the table is right -----------------------------------------------------------------------------------------

CASES = [
    pytest.param(row, name, id=f"{row.name}-{name}", marks=[pytest.mark.slow] if name in SLOW else [])
    for name in PROPERTIES
    for row in ROWS.values()
]


@pytest.mark.parametrize(("row", "name"), CASES)
def test_no_row_is_accused(row: Op, name: str) -> None:
    outcome = check(row, name)
    if name == "kinks" and row.kinks is None:
        assert outcome.verdict == DOES_NOT_APPLY
        return
    assert outcome.verdict == "right", str(outcome)
    enough = {"random graphs": 15, "domain edges": 40, "kinks": 50, "compiled": 80}
    assert outcome.checked >= enough.get(name, 30) or row.name == "hypot", "too few points could be judged"
    assert (outcome.operation, outcome.property, outcome.report, outcome.program) == (row.name, name, None, None)


# --- planted faults ---------------------------------------------------------------------------------------------


def with_shares(row: Op, change: Callable[[list[Any]], Sequence[Any]]) -> Op:
    """Return ``row`` with a rule that changes the shares of the right one."""

    def vjp(g: Any, out: Any, *operands: Any) -> Sequence[Any]:
        return change(list(row.contributions(g, out, operands)))

    if row.arity is None:
        return dataclasses.replace(row, vjp=vjp)
    rules = tuple(lambda g, out, *xs, i=i: vjp(g, out, *xs)[i] for i in range(row.arity))
    return dataclasses.replace(row, vjp=rules)


def scaled(x: Any, by: float) -> Any:
    return [scaled(y, by) for y in x] if isinstance(x, list) else x * by


def by_name(rows: Sequence[Op]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.name)


@by_name(DIFFERENTIABLE)
def test_a_derivative_that_is_off_by_a_little_or_has_the_wrong_sign_is_caught(row: Op) -> None:
    for factor in (1.0005, -1.0):
        outcome = check(with_shares(row, functools.partial(scaled, by=factor)), "partials")
        assert outcome.verdict == "wrong"
        assert "derivative by operand" in outcome.detail
        assert f"{row.name}(" in outcome.detail
        assert "got " in outcome.detail
        assert ", expected " in outcome.detail


@by_name(list(ROWS.values()))
def test_a_value_that_is_off_by_a_little_is_caught(row: Op) -> None:
    wrong = dataclasses.replace(row, forward=lambda *operands: row.forward(*operands) * (1.0 + 1e-12))
    outcome = check(wrong, "value")
    assert outcome.verdict == "wrong"
    assert "does not give what the row's reference gives" in outcome.detail


@by_name([row for row in DIFFERENTIABLE if row.arity != 1 and row.name not in SYMMETRIC])
def test_swapped_operands_are_caught(row: Op) -> None:
    assert check(with_shares(row, lambda shares: shares[::-1]), "partials").verdict == "wrong"


@by_name([row for row in DIFFERENTIABLE if row.name not in LINEAR])
def test_a_derivative_of_the_derivative_that_is_lost_is_caught_and_nothing_else_is_said(row: Op) -> None:
    detached = with_shares(row, lambda shares: [getattr(share, "data", share) for share in shares])
    assert check(detached, "partials").verdict == "right"
    outcome = check(detached, "second order")
    assert outcome.verdict == "wrong"
    assert "second derivative" in outcome.detail


JUMPS = {"atan2"}  # beside a jump there is no slope that a share could be held to


@by_name([row for row in DIFFERENTIABLE if row.kinks is not None and row.name not in JUMPS])
def test_a_slope_beyond_both_sides_of_a_kink_is_caught(row: Op) -> None:
    def shares(g: Any, out: Any, *operands: Any) -> Sequence[Any]:
        assert row.kinks is not None
        at_kink = 0.0 in map(abs, row.kinks(*[getattr(x, "data", x) for x in operands]))
        return [7.0 * g] * len(operands) if at_kink else list(row.contributions(g, out, operands))

    if row.arity is None:
        wrong = dataclasses.replace(row, vjp=shares)
    else:
        rules = tuple(lambda g, out, *xs, i=i: shares(g, out, *xs)[i] for i in range(row.arity))
        wrong = dataclasses.replace(row, vjp=rules)
    outcome = check(wrong, "kinks")
    assert outcome.verdict == "wrong"
    assert "at this kink" in outcome.detail
    assert "got 7.0" in outcome.detail


@pytest.mark.parametrize(
    ("name", "forward", "what"),
    [
        ("log", lambda a: math.log(a) if a > 0.0 else -1e9, "outside of the domain"),
        ("sqrt", lambda a: math.sqrt(abs(a)), "outside of the domain"),
        ("log", lambda a: math.log(a), "raised ValueError"),
        ("asin", lambda a: math.nan if abs(a) == 1.0 else ROWS["asin"].forward(a), "nan inside of the domain"),
        ("relu", lambda a: a if a > 0.0 else 0.0, "is nan, and the value is not"),
        ("exp", lambda a: math.exp(a), "raised OverflowError"),
        ("tanh", lambda a: math.inf if abs(a) < 1e-299 else math.tanh(a), "infinite inside of the domain"),
        ("mul", lambda a, b: a * b if a == a else 0.0, "is nan, and the value is not"),
    ],
)
def test_faults_at_the_edges_are_caught(name: str, forward: Callable[..., float], what: str) -> None:
    outcome = check(dataclasses.replace(ROWS[name], forward=forward), "domain edges")
    assert outcome.verdict == "wrong"
    assert what in outcome.detail


def test_a_rule_that_raises_is_caught_at_the_edges() -> None:
    wrong = dataclasses.replace(ROWS["log"], vjp=(lambda g, out, a: g / a,))
    assert "the rule raised ZeroDivisionError" in check(wrong, "domain edges").detail


def test_a_backward_pass_that_multiplies_no_gradient_by_infinity_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def sweep(order: list[mg.Value], leaves: dict[mg.Value, Any]) -> None:
        for node in reversed(order):
            for operand, share in engine._contributions(node, node._adjoint, node._out, engine.captured(node)):
                if operand._op_row is None:
                    leaves[operand] = leaves.get(operand, 0.0) + share
                else:
                    operand._adjoint += share

    monkeypatch.setattr(engine, "_sweep", sweep)
    outcome = check(ROWS["log"], "domain edges")
    assert outcome.verdict == "wrong"
    assert "although where chose another branch" in outcome.detail


# --- users' operations ------------------------------------------------------------------------------------------

USERS: dict[str, dict[str, Any]] = {
    "softsign": {
        "forward": lambda a: a / (1.0 + abs(a)),
        "vjp": (lambda g, out, a: g / ((1.0 + abs(a)) * (1.0 + abs(a))),),
    },
    "exponential": {"forward": math.exp, "vjp": (lambda g, out, a: g * math.exp(a),)},
    "log_odds": {"forward": lambda a: math.log(a / (1.0 - a)), "vjp": (lambda g, out, a: g / (a * (1.0 - a)),)},
    "ramp": {"forward": lambda a: max(a, 0.0), "vjp": (lambda g, out, a: g if a > 0.0 else 0.0,)},
    "cube": {"forward": lambda a: a**3, "vjp": (lambda g, out, a: 3.0 * a**2 * g,)},
    "swish": {
        "forward": lambda a, b: a / (1.0 + math.exp(-a * b)),
        "vjp": (
            lambda g, out, a, b: g * (mg.sigmoid(a * b) + out * b * (1.0 - mg.sigmoid(a * b))),
            lambda g, out, a, b: g * out * a * (1.0 - mg.sigmoid(a * b)),
        ),
    },
    "huber": {
        "forward": lambda a, d: 0.5 * a * a if abs(a) <= d else d * (abs(a) - 0.5 * d),
        "vjp": (
            lambda g, out, a, d: mg.where(mg.le(abs(a), d), g * a, g * d * mg.copysign(1.0, a)),
            lambda g, out, a, d: mg.where(mg.le(abs(a), d), 0.0, g * (abs(a) - d)),
        ),
        "domain": ("(-inf, inf)", "(0, inf)"),
        "kinks": lambda a, d: (a - d, a + d),
    },
    "spread": {
        "forward": lambda *xs: sum((x - sum(xs) / len(xs)) ** 2 for x in xs) / len(xs),
        "vjp": lambda g, out, *xs: [g * 2.0 * (x - sum(xs) / len(xs)) / len(xs) for x in xs],
    },
    "clenched": {
        "forward": lambda a: 1.0 - math.cos(a),
        "vjp": (lambda g, out, a: g * mg.sin(a),),
        "reference": lambda mp, a: 1 - mp.cos(a),
        "accuracy": Accuracy(absolute=True),
    },
}


@pytest.mark.parametrize("name", USERS)
@pytest.mark.parametrize("property", PROPERTIES)
def test_users_operations_that_are_right_are_not_accused(name: str, property: str) -> None:
    with registered(name, **USERS[name]) as op:
        outcome = check(op, property)
    does_not_apply = {
        "value": "reference" not in USERS[name],
        "kinks": "kinks" not in USERS[name],
        "second order": name == "exponential",
    }
    assert outcome.verdict == (DOES_NOT_APPLY if does_not_apply.get(property) else "right"), str(outcome)
    assert outcome.checked > 0 or outcome.detail
    if property == "second order" and name == "exponential":
        assert "the rule of exponential runs on numbers only" in outcome.detail
    if property == "kinks" and name == "ramp":
        assert "ramp bends at (0.0)" in outcome.detail
    if property == "domain edges" and name == "exponential":
        assert "raises at" in outcome.detail


@pytest.mark.parametrize("name", [name for name in USERS if name != "exponential"])
def test_faults_of_users_operations_are_caught_without_a_reference_too(name: str) -> None:
    vjp = USERS[name]["vjp"]
    if isinstance(vjp, tuple):
        vjp = tuple(lambda g, out, *xs, rule=rule: 1.0005 * rule(g, out, *xs) for rule in vjp)
    else:
        vjp = lambda g, out, *xs: [1.0005 * share for share in USERS[name]["vjp"](g, out, *xs)]
    with registered(name, **{**USERS[name], "vjp": vjp}) as op:
        for property in ("partials", "random graphs"):
            outcome = check(op, property)
            assert outcome.verdict == "wrong", str(outcome)
            program, report = outcome.program, outcome.report
            assert program is not None
            assert report is not None
            assert report.culprit is not None
            assert f"{name}(" in report.culprit.call
            assert len(program.instructions) <= 2
            assert gradcheck(program, *program.inputs, order=report.figures.order).verdict == "wrong"
            assert repr(program) in str(outcome)


def test_a_special_case_with_the_right_value_and_the_wrong_derivative_is_caught() -> None:
    rule = lambda g, out, a: mg.where(mg.eq(a, 0.0), 0.0, g * mg.div(mg.cos(a) - out, a))
    with registered("sinc", forward=lambda a: math.sin(a) / a if a else 1.0, vjp=(rule,)) as op:
        assert check(op, "partials").verdict == "right"
        outcome = check(op, "second order")
    assert outcome.verdict == "wrong"
    assert outcome.detail.startswith("sinc(0.0): the second derivative that the rule gives")


def test_an_operation_that_refuses_its_own_domain_is_wrong() -> None:
    root = {"forward": math.sqrt, "vjp": (lambda g, out, a: 0.5 * g / out,), "domain": "[0, inf)"}
    with registered("root", **root) as op:
        outcome = check(op, "domain edges")
    assert outcome.verdict == "wrong"
    assert "the rule raises inside of the domain that the row states" in outcome.detail
    with registered("pole", forward=lambda a: -mg.log(a), vjp=(lambda g, out, a: -g / a,), domain="[0, 1)") as op:
        assert "infinite at a border that belongs to the domain" in check(op, "domain edges").detail


def test_what_is_no_float_or_not_the_same_at_every_call_is_wrong() -> None:
    rule = (lambda g, out, a: 0.0 * g,)
    with registered("step", forward=lambda a: int(a > 0.0), vjp=rule) as op:
        assert "returned 1 (type int), not a float" in check(op, "value").detail
    calls = iter(range(10**9))
    with registered("counter", forward=lambda a: float(next(calls)), vjp=rule) as op:
        assert "is not the same at every call" in check(op, "value").detail
    with registered("typo", forward=lambda a: a, vjp=(lambda g, out, a: g * undefined,)) as op:  # type: ignore[name-defined]  # noqa: F821
        for property in ("partials", "second order", "random graphs", "compiled"):
            assert "NameError: name 'undefined' is not defined" in check(op, property).detail


def test_an_operation_that_refuses_everything_is_inconclusive() -> None:
    def refuses(a: float) -> float:
        raise ValueError("not today")

    with registered("refuses", forward=refuses, vjp=(lambda g, out, a: g,)) as op:
        for property in ("partials", "second order", "random graphs"):
            outcome = check(op, property, examples=5)
            assert (outcome.verdict, outcome.checked) == ("inconclusive", 0), str(outcome)
            assert "refuses" in outcome.detail


def test_an_operation_that_is_not_in_the_table_cannot_stand_in_programs() -> None:
    outcome = check(dataclasses.replace(ROWS["tanh"]), "random graphs")
    assert outcome.verdict == DOES_NOT_APPLY
    assert "the table has no such row" in outcome.detail


# --- compiled code ----------------------------------------------------------------------------------------------


class Changed:
    """A compiled function whose results were changed."""

    def __init__(self, compiled: Any, change: Callable[[Any, Any], Any]) -> None:
        self.compiled, self.change = compiled, change

    def __call__(self, x: Any) -> Any:
        return self.change(*self.compiled.value_and_grad(x))[0]

    def value_and_grad(self, x: Any) -> Any:
        return self.change(*self.compiled.value_and_grad(x))


def changing(change: Callable[[Any, Any], Any], backend: str, batched: bool) -> Callable[..., Any]:
    def compile(f: Callable[..., Any], **options: Any) -> Any:
        compiled = mg.compile(f, **options)
        hit = options["backend"] == backend and ("batched" in options) == batched
        return Changed(compiled, change) if hit else compiled

    return compile


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("backend", ["python", "llvm"])
@pytest.mark.parametrize("name", ["tanh", "mul", "atan2", "logsumexp"])
def test_faults_of_compiled_code_are_caught(name: str, backend: str, batched: bool) -> None:
    for what, change in (
        ("the value", lambda value, grad: (value * (1.0 + 1e-13), grad)),
        ("the derivative by operand", lambda value, grad: (value, scaled(grad, 1.0 + 1e-12))),
    ):
        outcome = check_operation(ROWS[name], "compiled", compile=changing(change, backend, batched))
        assert outcome.verdict == "wrong", f"{what}, {outcome}"
        assert (
            f"compiled with backend '{backend}', {'in a batch' if batched else 'one by one'}, {what}" in outcome.detail
        )
        assert outcome.program is not None


def test_a_compiler_that_raises_is_wrong_and_one_that_cannot_translate_does_not_apply() -> None:
    def broken(f: Any, **options: Any) -> Any:
        return Changed(mg.compile(f, **options), lambda value, grad: 1 / 0)

    def cannot(f: Any, **options: Any) -> Any:
        raise CompilationError("no native form")

    outcome = check_operation(ROWS["tanh"], "compiled", compile=broken)
    assert outcome.verdict == "wrong"
    assert "it raised ZeroDivisionError" in outcome.detail
    outcome = check_operation(ROWS["tanh"], "compiled", compile=cannot)
    assert (outcome.verdict, outcome.checked) == (DOES_NOT_APPLY, 0)
    assert outcome.detail == "python: does not apply, no native form; llvm: does not apply, no native form"
    assert check_operation(ROWS["tanh"], "compiled").verdict == DOES_NOT_APPLY


def test_what_has_no_native_form_is_checked_on_python_and_said() -> None:
    with registered("exponential", **USERS["exponential"]) as op:
        outcome = check(op, "compiled")
    assert outcome.verdict == "right"
    assert "llvm: does not apply, the operation 'exponential' has no native form" in outcome.detail


# --- the same everywhere ----------------------------------------------------------------------------------------

EVERYTHING = """
import micrograd as mg
from micrograd.testing.operations import PROPERTIES, check_operation
bad = mg.op("bad", forward=lambda a, b: a * b, vjp=(lambda g, out, a, b: g * b, lambda g, out, a, b: g * a * 1.001))
for op in (bad, mg.maximum, mg.power):
    for name in PROPERTIES:
        print(check_operation(op, name, examples=20, compile=mg.compile))
"""


def test_outcomes_do_not_depend_on_the_process() -> None:
    first = run_python(EVERYTHING, PYTHONHASHSEED="1")
    assert "bad, partials: wrong" in first
    assert first == run_python(EVERYTHING, PYTHONHASHSEED="2")


def test_what_cannot_be_checked_is_refused() -> None:
    with pytest.raises(ValueError, match=r"unknown property 'speed' \(one of: value, partials"):
        check_operation(ROWS["tanh"], "speed")
    with pytest.raises(TypeError, match=r"expected an operation such as micrograd\.tanh"):
        check_operation(math.tanh, "value")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="examples is at least 1, not 0"):
        check_operation(ROWS["tanh"], "value", examples=0)
    with pytest.raises(TypeError, match=r"examples is a whole number, not 2\.5"):
        check_operation(ROWS["tanh"], "value", examples=2.5)  # type: ignore[arg-type]
