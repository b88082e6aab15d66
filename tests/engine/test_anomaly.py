"""Protects ``detect_anomaly``: it stops at the first value or gradient that is not finite, before anything is stored,
and names the operation, the operands with their labels, and the user's line with its source.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from support import registered, same, wild_graphs

import micrograd as mg
from micrograd import AnomalyError, Value, nn


def line_of(text: str) -> str:
    """Return file, number and source of the only line of this file that ends with the comment ``text``."""
    lines = inspect.getsource(inspect.getmodule(line_of)).splitlines()  # type: ignore[arg-type]
    ((number, source),) = [(i, line) for i, line in enumerate(lines, 1) if line.endswith(f"# {text}")]
    return f"{__file__}:{number}\n    {source.strip()}"


def test_a_value_that_is_not_finite() -> None:
    rate = Value(0.0, label="rate")
    with mg.detect_anomaly(), pytest.raises(AnomalyError) as caught:
        mg.log(rate)  # the logarithm
    assert str(caught.value) == f"log(rate=0.0) gave -inf\n  at {line_of('the logarithm')}"
    assert isinstance(caught.value, ArithmeticError)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda x: x / 0.0, "div(x=1.0, 0.0) gave inf"),
        (lambda x: x * 1e308 * 1e308, "mul(1e+308, 1e+308) gave inf"),
        (lambda x: x * 1e308 + x * 1e308, "add(1e+308, 1e+308) gave inf"),
        (lambda x: mg.sum([x, 1.0, math.inf, x]), "sum(x=1.0, 1.0, inf, x=1.0) gave inf"),
        (lambda x: mg.where(x, math.nan, 0.0), "where(x=1.0, nan, 0.0) gave nan"),
        (
            lambda x: mg.prod([x, *[1e100] * 9]),
            "prod(x=1.0, 1e+100, 1e+100, 1e+100, 1e+100, 1e+100, ... 10 operands in all) gave inf",
        ),
        (lambda x: Value(math.nan, label="start"), "Value(start=nan) gave nan"),
        (lambda x: (x - 2.0) ** 0.5, "power(-1.0, 0.5) gave nan"),
    ],
)
def test_the_operation_and_its_operands_are_named(build: Callable[[Any], Any], words: str) -> None:
    with mg.detect_anomaly(), pytest.raises(AnomalyError) as caught:
        build(Value(1.0, label="x"))
    first, second, *_ = str(caught.value).split("\n")
    assert first == words
    assert second.startswith(f"  at {__file__}:")


def test_a_gradient_that_is_not_finite() -> None:
    with mg.detect_anomaly():
        x = Value(0.0, label="x")
        y = mg.sqrt(x)  # the root
        z = y * 3
        with pytest.raises(AnomalyError) as caught:
            z.backward()
    assert str(caught.value) == (
        f"the gradient that sqrt(x=0.0) sends to x=0.0 is inf\n  built at {line_of('the root')}"
    )
    assert [v.grad for v in (x, y, z)] == [0.0, 0.0, 0.0]


def test_a_label_of_the_consumer_is_named() -> None:
    with mg.detect_anomaly():
        x = Value(0.0)
        y = mg.sqrt(x)
        y.label = "speed"
        with pytest.raises(AnomalyError, match=r"sqrt\(0\.0\) labelled 'speed' sends to 0\.0 is inf"):
            (y * 3).backward()


def test_labels_cannot_command_the_terminal() -> None:
    x = Value(0.0, label="\x1b[2J\n<script>\udc80")
    with mg.detect_anomaly(), pytest.raises(AnomalyError) as caught:
        mg.log(x)
    assert str(caught.value).startswith("log(\ufffd[2J\ufffd<script>\ufffd=0.0) gave -inf\n  at ")


def test_a_node_from_outside_is_said_to_be() -> None:
    x = Value(0.0)
    y = mg.sqrt(x)
    with (
        mg.detect_anomaly(),
        pytest.raises(AnomalyError, match=r"is inf\n  built at a line outside detect_anomaly\(\)"),
    ):
        y.backward()


def test_gradients_that_overflow_only_together() -> None:
    x = Value(1.0, label="x")
    with mg.detect_anomaly():
        y = x * 1e308 - x * -1e308 * 0.5
        with pytest.raises(
            AnomalyError, match=r"with the gradient that mul\(.*\) sends, that of x=1\.0 adds up to inf"
        ):
            y.backward(1.5)
    assert x.grad == 0.0


def test_a_gradient_that_overflows_only_with_the_one_before() -> None:
    x = Value(1.0, label="x")
    x.grad = 1.5e308
    with mg.detect_anomaly():
        y = x * 1e308
        with pytest.raises(AnomalyError, match=r"the gradient of x=1\.0 adds up to inf; it was 1\.5e\+308 before"):
            y.backward()
        assert (x.grad, y.grad) == (1.5e308, 0.0)
        with pytest.raises(AnomalyError, match=r"the gradient of x=1\.0 adds up to nan"):
            x.backward(math.nan)
    assert x.grad == 1.5e308


def test_what_no_gradient_reaches_is_not_looked_at() -> None:
    with mg.detect_anomaly():
        x = Value(0.0)
        y = mg.where(0.0, mg.sqrt(x), x)
        y.backward()
    assert x.grad == 1.0


def test_gradients_as_nodes_are_checked_too() -> None:
    x = Value(0.0, label="x")
    with mg.detect_anomaly():
        y = mg.sqrt(x)
        with pytest.raises(AnomalyError, match=r"div\(1\.0, 0\.0\) gave inf\n  at ") as caught:
            y.backward(create_graph=True)
    assert f"{__file__}:" in str(caught.value)
    assert x.grad == 0.0


def test_micrograds_own_lines_are_not_the_users() -> None:
    model = nn.MLP(2, [2, 1])
    with mg.detect_anomaly(), pytest.raises(AnomalyError) as caught:
        model([math.inf, 0.0])  # the network
    assert line_of("the network") in str(caught.value)


def test_the_line_of_code_without_a_file_is_a_number() -> None:
    code = compile("\n\nmg.log(x)", "<no file>", "exec")
    with mg.detect_anomaly(), pytest.raises(AnomalyError) as caught:
        exec(code, {"mg": mg, "x": Value(0.0)})
    assert str(caught.value) == "log(0.0) gave -inf\n  at <no file>:3"


# --- blocks -----------------------------------------------------------------------------------------------------


def test_it_ends_with_the_block() -> None:
    with mg.detect_anomaly():
        pass
    assert mg.log(Value(0.0)).data == -math.inf


def test_it_works_inside_no_grad() -> None:
    with mg.detect_anomaly(), mg.no_grad(), pytest.raises(AnomalyError, match=r"^log\(rate=0\.0\) gave -inf\n  at "):
        mg.log(Value(0.0, label="rate"))


def test_an_inner_block_knows_the_lines_of_the_outer() -> None:
    with mg.detect_anomaly():
        y = mg.sqrt(Value(0.0))  # the outer block
        with mg.detect_anomaly(), pytest.raises(AnomalyError) as caught:
            y.backward()
    assert line_of("the outer block") in str(caught.value)


def test_it_decorates() -> None:
    @mg.detect_anomaly()
    def loss(x: Value) -> Any:
        return mg.log(x) * 2

    assert loss(Value(1.0)).data == 0.0
    for _ in range(2):
        with pytest.raises(AnomalyError, match="log"):
            loss(Value(0.0))
    assert mg.log(Value(0.0)).data == -math.inf


def test_a_users_rule_is_checked() -> None:
    with registered("steep", forward=lambda a: a, vjp=(lambda g, out, a: g * math.inf,)) as steep:
        x = Value(1.0, label="x")
        with mg.detect_anomaly(), pytest.raises(AnomalyError, match=r"steep\(x=1\.0\) sends to x=1\.0 is inf"):
            steep(x).backward()
        assert x.grad == 0.0


@given(wild_graphs())
def test_it_lets_no_infinite_gradient_pass_and_changes_no_other(pool: list[Value]) -> None:
    pool[-1].backward()
    plain = [node.grad for node in pool]
    for node in pool:
        node.grad = 0.0
    try:
        with mg.detect_anomaly():
            pool[-1].backward()
    except AnomalyError:
        assert [node.grad for node in pool] == [0.0] * len(pool)
    else:
        assert all(map(math.isfinite, plain))
        assert same([node.grad for node in pool], plain)
