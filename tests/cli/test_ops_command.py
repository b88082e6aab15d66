"""Protects ``micrograd ops``: every operation is listed, in each form, with its domain and derivative."""

from __future__ import annotations

import json
from typing import Any

import pytest

from micrograd.cli import main
from micrograd.cli import ops as command
from micrograd.ops import operations
from micrograd.ops.formula import derivative, markdown_table, usage


def output(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["ops", *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_a_pipe_gets_one_line_for_each_operation(capsys: pytest.CaptureFixture[str]) -> None:
    heading, rule, *lines, legend, end = output(capsys).split("\n")
    assert heading.split("  ")[0] == "operation"
    assert set(rule) == {"-", " "}
    assert legend == "g is the upstream gradient, out the result"
    assert end == ""
    assert len(lines) == len(operations())
    for line, op in zip(lines, operations().values()):
        assert line.startswith(usage(op))
        assert op.summary in line
        assert line.endswith(", ".join(derivative(op)))


def test_a_terminal_gets_cards(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "is_terminal", lambda: True)
    text = output(capsys)
    for op in operations().values():
        assert f"{usage(op)}   {op.summary}" in text
        assert f"    {derivative(op)[0]}" in text or f"+= {derivative(op)[0]}" in text


@pytest.mark.parametrize(
    ("name", "card"),
    [
        ("tanh", "tanh(a)   hyperbolic tangent\n    a.grad += g * (1 - out * out)\n"),
        ("log", "log(a)   natural logarithm\n    defined for (0, inf)\n    a.grad += g / a\n"),
        (
            "div",
            "a / b   quotient of two operands, by one division\n    defined for b: (-inf, 0) | (0, inf)\n"
            "    a.grad += g / b\n    b.grad += -g * out / b\n",
        ),
        (
            "sum",
            "sum([a, b, c])   sum of the operands, from left to right   [Σ]\n"
            "    a.grad += g\n    b.grad += g\n    c.grad += g\n    and so on, for any number of operands\n",
        ),
    ],
)
def test_a_card(capsys: pytest.CaptureFixture[str], name: str, card: str) -> None:
    assert output(capsys, name) == card + "g is the upstream gradient, out the result\n"


def test_names_choose_and_order(capsys: pytest.CaptureFixture[str]) -> None:
    text = output(capsys, "tanh", "pow", "abs")
    assert text.index("tanh(a)") < text.index("a ** b") < text.index("abs(a)")


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    entries: list[dict[str, Any]] = json.loads(output(capsys, "--json"))
    assert [entry["name"] for entry in entries] == list(operations())
    (entry,) = json.loads(output(capsys, "div", "--json"))
    assert entry == {
        "name": "div",
        "symbol": "/",
        "usage": "a / b",
        "operands": ["a", "b"],
        "domain": ["(-inf, inf)", "(-inf, 0) | (0, inf)"],
        "derivative": {"a": "g / b", "b": "-g * out / b"},
        "summary": "quotient of two operands, by one division",
    }
    (entry,) = json.loads(output(capsys, "--json", "dot"))
    assert entry["operands"] is None


def test_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    assert output(capsys, "--markdown") == markdown_table(operations().values())
    assert output(capsys, "--markdown", "mul") == markdown_table([operations()["mul"]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tnah"], "unknown operation 'tnah'; did you mean 'tanh'?"),
        (["zzzz"], "unknown operation 'zzzz'; 'micrograd ops' lists them all"),
        (["tanh", "a\x1b[2J"], "unknown operation 'a\ufffd[2J'"),
        ([""], "unknown operation ''"),
        (["x" * 5000], "unknown operation 'xxx"),
        (["--json", "--markdown"], "argument --markdown: not allowed with argument --json"),
        (["--xml"], "unrecognized arguments: --xml"),
    ],
)
def test_errors_are_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert main(["ops", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"micrograd ops: error: {message}")
    assert captured.err.count("\n") == 1
