"""Protects ``micrograd grad``: the numbers it prints, in tables and in JSON, and the errors of its arguments."""

from __future__ import annotations

import json
import math
import shlex
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from micrograd.cli import main


def output(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["grad", *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def report(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    def refuse(constant: str) -> float:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(output(capsys, "--json", *arguments), parse_constant=refuse)


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert output(capsys, "tanh(w*x + b)", "w=0.5", "x=2", "b=-1").split("\n") == [
        "tanh(w*x + b) = 0",
        "variable  value  derivative",
        "--------  -----  ----------",
        "w           0.5         2",
        "x           2           0.5",
        "b          -1           1",
        "",
    ]


def test_the_account_of_a_shared_bias(capsys: pytest.CaptureFixture[str]) -> None:
    text = output(capsys, "(w + b - 1)**2 + (3*w + b - 2)**2", "w=0.5", "b=0", "--explain", "b")
    _, account = text.split("\n\n")
    title, columns, _, first, second, footer, _ = account.split("\n")
    assert title == "Why the derivative with respect to b is -2: 2 uses, 2 terms"
    assert columns.split("  ")[-1] == "share"
    assert [line.split()[-3:] for line in (first, second)] == [["1", "-1", "-1"], ["1", "-1", "-1"]]
    assert footer == "the shares, added from top to bottom: -2.0"


def test_an_account_of_one_use_and_of_none(capsys: pytest.CaptureFixture[str]) -> None:
    text = output(capsys, "x*2 + 0*y", "x=3", "y=1", "--explain", "x", "--explain=y")
    assert "Why the derivative with respect to x is 2: one use, one term" in text
    assert "Why the derivative with respect to y is 0: one use, one term" in text
    text = output(capsys, "x", "x=3", "--explain", "x")
    assert "Why the derivative with respect to x is 1: the expression is x itself" in text


def test_the_hessian(capsys: pytest.CaptureFixture[str]) -> None:
    text = output(capsys, "x**2 * y**3", "x=2", "y=-1", "--hessian")
    assert text.split("\n\n")[1].split("\n") == [
        "second derivatives (Hessian)",
        "    x    y",
        "-  --  ---",
        "x  -2   12",
        "y  12  -24",
        "",
    ]


def test_an_expression_without_variables_is_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    assert output(capsys, "2*pi") == "2*pi = 6.28319\n"
    assert report(capsys, "2*pi") == {
        "expression": "2*pi", "variables": {}, "value": 2 * math.pi, "gradient": {}
    }  # fmt: skip


def test_json_holds_every_bit(capsys: pytest.CaptureFixture[str]) -> None:
    x = 0.1 + 0.2
    result = report(capsys, "sin(x) * y", f"x={x!r}", "y=1/3", "--hessian", "--explain", "y")
    assert result["expression"] == "sin(x) * y"
    assert result["variables"] == {"x": x, "y": 1 / 3}
    assert result["value"] == math.sin(x) * (1 / 3)
    assert result["gradient"] == {"x": (1 / 3) * math.cos(x), "y": math.sin(x)}
    assert result["hessian"] == [[pytest.approx(-math.sin(x) / 3), math.cos(x)], [math.cos(x), 0.0]]
    account = result["explain"]["y"]
    assert account["gradient"] == math.sin(x)
    (use,) = account["uses"]
    assert use["operation"] == "mul"
    assert use["position"] == 1
    assert (use["local"], use["incoming"], use["share"]) == (math.sin(x), 1.0, math.sin(x))


def test_json_writes_nan_and_infinities_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    result = report(capsys, "log(x) + y", "x=0", "y=nan", "--hessian", "--explain", "x")
    assert result["value"] == "nan"
    assert result["variables"] == {"x": 0.0, "y": "nan"}
    assert result["gradient"] == {"x": "inf", "y": 1.0}
    assert result["hessian"][0][0] == "-inf"
    assert result["explain"]["x"]["uses"][0]["local"] == "inf"


def test_a_small_derivative_is_not_rounded_to_zero(capsys: pytest.CaptureFixture[str]) -> None:
    assert "1e-300" in output(capsys, "1e-300 * x", "x=1")


@pytest.mark.parametrize(
    "arguments",
    [
        ["-x*y", "x=2", "y=3"],
        [" -x*y", "x=2", "y=3"],
        ["-x*y", "--hessian", "x=2", "--explain", "x", "y=3"],
        ["--hessian", "-x*y", "y=3", "x=2"],
        ["---x*y", "x=2", "y=3"],
        ["--", "-x*y", "x=2", "y=3"],
    ],
)
def test_an_expression_may_start_with_a_minus_and_options_may_stand_anywhere(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert report(capsys, *arguments)["value"] == -6.0


def test_a_long_sum_of_one_variable_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    result = report(capsys, "b" + "+b" * 1999, "b=0.1", "--explain", "b")
    assert result["gradient"] == {"b": 2000.0}
    assert len(result["explain"]["b"]["uses"]) == 2000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the expression is empty"),
        ([""], "the expression is empty"),
        (["x*y", "x=1"], "no value for y; add y=NUMBER"),
        (["x", "x=1", "--explain", "y"], "--explain y: no such variable"),
        (["xx", "xx=1", "--explain", "x"], "--explain x: no such variable; did you mean 'xx'?"),
        (["2*pi", "--explain", "pi"], "--explain pi: no such variable"),
        (["2", "--hessian"], "--hessian needs a variable, and the expression has none"),
        (["x", "x=1", "--jso"], "unrecognized arguments: --jso (see micrograd grad --help)"),
        (["x", "x=1", "--explain"], "argument --explain: expected one argument"),
        (["x", "*", "y"], "expected NAME=NUMBER, got '*'; an expression with spaces needs quotes around it"),
        (["__import__('os').system('echo no')"], "text has no place among numbers (column 12)"),
        (["-" * 4000], "nested more than 100 deep"),
        (["-" * 10_000], "the expression has 10,00"),
        (["(" * 10_000], "the expression has 10,000 characters"),
        (["x\0", "x=1"], "the character U+0000 has no meaning in an expression (column 2)"),
        (["\udcff"], "the character U+DCFF has no meaning"),
        (["tanh(1, 2)"], "tanh() takes 1 operand, 2 came (column 1)"),
    ],
)
def test_errors_are_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert main(["grad", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("micrograd grad: error: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.err.endswith("\n")


def test_pictures_are_written_and_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    svg, html = tmp_path / "graph.svg", tmp_path / "graph.html"
    text = output(capsys, "w*x + b", "w=2", "x=3", "b=1", "--svg", str(svg), "--html", str(html))
    assert text.endswith(f"picture: {svg}\npage: {html}\n")
    picture = ElementTree.parse(svg).getroot()
    shown = ["".join(element.itertext()) for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"w", "x", "b", "data 7", "grad 3", "w*x + b"} <= set(shown)
    assert "<title>w*x + b" in html.read_text(encoding="utf-8")


def test_json_stays_json_beside_a_picture(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    svg = tmp_path / "graph.svg"
    assert report(capsys, "x*x", "x=2", "--svg", str(svg))["value"] == 4.0
    assert svg.exists()


@pytest.mark.parametrize(("option", "file"), [("--svg", "graph.png"), ("--svg", "graph"), ("--html", "graph.svg")])
def test_a_picture_has_the_ending_of_its_format(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, option: str, file: str
) -> None:
    assert main(["grad", "x*x", "x=2", option, str(tmp_path / file)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"{option}: the name of the file ends in .{option[2:]}, not " in captured.err
    assert list(tmp_path.iterdir()) == []


def test_a_picture_needs_its_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["grad", "x*x", "x=2", "--svg", str(tmp_path / "missing" / "graph.svg")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "--svg: there is no folder " in captured.err


def test_a_picture_that_cannot_be_drawn_costs_the_numbers_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("micrograd.pictures.engines.is_installed", lambda package: False)
    assert main(["grad", "x*x", "x=2", "--svg", str(tmp_path / "graph.svg")]) == 1
    captured = capsys.readouterr()
    assert "x*x = 4" in captured.out
    assert captured.err.startswith("micrograd grad: error: no Graphviz was found")
    assert captured.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_examples_of_the_help_work(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    examples = [line.strip() for line in output(capsys, "--help").split("\n") if line.startswith("  micrograd grad")]
    assert len(examples) >= 3
    for example in examples:
        assert main(shlex.split(example)[1:]) == 0
