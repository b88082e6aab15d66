"""Protects ``micrograd demo``: it learns, and its account of one bias is the sum of one line per training flower."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from micrograd.cli import main
from micrograd.cli.iris import SPECIES, load
from micrograd.graph import Account


@pytest.fixture(autouse=True)
def _pictures_go_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def output(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["demo", *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def account_lines(text: str) -> list[list[str]]:
    table = text.split("One bias, a line for each flower")[1].split("\n")[3:]
    return [line.split() for line in table[: next(i for i, line in enumerate(table) if line.startswith("the "))]]


def test_the_account_has_one_line_for_each_training_flower(capsys: pytest.CaptureFixture[str]) -> None:
    text = output(capsys, "--epochs", "1", "--hidden", "2", "--all")
    lines = account_lines(text)
    assert len(lines) == 120
    flowers = {flower.number: flower.species for flower in load()}
    assert len({number for number, *_ in lines}) == 120
    total = 0.0
    for number, species, local, incoming, running in lines:
        assert species == flowers[int(number)]
        assert local == "1"
        # Cross-entropy of a softmax: (p - 1)/120 for the bias's own species, p/120 for the others.
        assert -1 / 120 <= float(incoming) <= 0.0 if species == "versicolor" else 0.0 <= float(incoming) <= 1 / 120
        total += float(incoming)
        assert float(running) == pytest.approx(total, rel=1e-4, abs=1e-6)
    gradients = re.findall(r"(?:from top to bottom|computed it): +(-?[0-9.e-]+)", text)
    assert len(gradients) == 2
    assert gradients[0] == gradients[1]
    assert float(gradients[0]) == pytest.approx(total, rel=1e-4)
    assert "the same number, bit for bit" in text


def test_a_long_account_is_shortened(capsys: pytest.CaptureFixture[str]) -> None:
    lines = account_lines(output(capsys, "--epochs", "1", "--hidden", "2"))
    assert len(lines) == 9
    assert lines[5] == ["...", "112", "more", "...", "...", "..."]


def test_a_seed_gives_the_same_output_and_another_seed_another(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--epochs", "2", "--hidden", "1")
    first = output(capsys, *arguments, "--seed", "3")
    assert first == output(capsys, *arguments, "--seed", "3")
    assert first != output(capsys, *arguments, "--seed", "4")


def test_the_species_sums_add_up(capsys: pytest.CaptureFixture[str]) -> None:
    text = output(capsys, "--epochs", "1", "--hidden", "1")
    sums, counts = {}, {}
    for name in (*SPECIES, "all"):
        match = re.search(rf"^{name} +(\d+) +(\S+)$", text, re.MULTILINE)
        assert match is not None
        counts[name], sums[name] = int(match[1]), float(match[2])
    assert counts == {"setosa": 40, "versicolor": 40, "virginica": 40, "all": 120}
    assert sums.pop("all") == pytest.approx(sum(sums.values()), rel=1e-3, abs=1e-6)


@pytest.mark.slow
def test_the_defaults_learn_to_tell_the_species_apart(capsys: pytest.CaptureFixture[str]) -> None:
    text = output(capsys)
    right = {name: int(n) for name, n in re.findall(r"^(training|held out) .*?(\d+) of \d+", text, re.MULTILINE)}
    assert right["training"] >= 114
    assert right["held out"] >= 29  # 96.7 %
    reports = [float(x) for x in re.findall(r"loss (\S+)  accuracy", text)]
    assert len(reports) == 8
    assert reports == sorted(reports, reverse=True)
    assert "\x1b" not in text


def test_a_step_that_is_too_long_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--rate", "1e300", "--epochs", "3"]) == 1
    captured = capsys.readouterr()
    assert captured.err == "micrograd demo: error: the loss is not finite any more; try a smaller --rate\n"


def test_an_account_that_does_not_add_up_would_be_noticed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Account, "gradient", property(lambda self: 0.5))
    assert main(["demo", "--epochs", "1", "--hidden", "1"]) == 1
    assert "not the same number" in capsys.readouterr().out


def test_it_ends_by_naming_the_pictures_that_it_wrote(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = output(capsys, "--epochs", "1", "--hidden", "2", "--folder", "new/folder")
    assert text.split("\n")[-3:] == [
        "the bias and three flowers: new/folder/bias.svg",
        "one flower, step by step: new/folder/flower.html",
        "",
    ]
    picture = ElementTree.parse(tmp_path / "new/folder/bias.svg").getroot()
    shown = ["".join(element.itertext()) for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert "used 3 times" in shown
    assert any(line.startswith("one bias of the network") for line in shown)
    assert "The loss of flower" in (tmp_path / "new/folder/flower.html").read_text(encoding="utf-8")


def test_a_network_too_large_for_a_page_says_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = output(capsys, "--epochs", "1", "--hidden", "100")
    assert re.search(r"no page of one flower: [\d,]+ nodes are too many to step through; --hidden 16 makes fewer", text)
    assert [path.name for path in (tmp_path / "micrograd-demo").iterdir()] == ["bias.svg"]


def test_a_folder_that_cannot_be_made_is_reported(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert main(["demo", "--epochs", "1", "--hidden", "1", "--folder", "file/x"]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("micrograd demo: error: cannot make the folder file/x: ")
    assert "the same number, bit for bit" in captured.out


def test_without_graphviz_the_demo_says_how_to_get_pictures(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("micrograd.cli.demo.is_installed", lambda package: False)
    text = output(capsys, "--epochs", "1", "--hidden", "1")
    assert text.endswith("none: they need Graphviz; in the checkout of micrograd: pip install '.[pictures]'\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "argument --epochs: expected a whole number from 1 to 100000, got '0'"),
        (["--epochs", "1.5"], "argument --epochs: expected a whole number from 1 to 100000, got '1.5'"),
        (["--epochs", "９"], "argument --epochs: expected a whole number"),
        (["--epochs", "9" * 10_000], "argument --epochs: expected a whole number"),
        (["--hidden", "-1"], "argument --hidden: expected a whole number from 1 to 1000"),
        (["--hidden", "1001"], "argument --hidden: expected a whole number from 1 to 1000"),
        (["--rate", "nan"], "argument --rate: expected a positive number, got 'nan'"),
        (["--rate", "inf"], "argument --rate: expected a positive number, got 'inf'"),
        (["--rate", "0"], "argument --rate: expected a positive number, got '0'"),
        (["--rate", "fast\n"], "argument --rate: expected a positive number, got 'fast\\n'"),
        (["--seed", "x"], "argument --seed: expected a whole number, 0 or larger, got 'x'"),
        (["--seed"], "argument --seed: expected one argument"),
        (["more"], "unrecognized arguments: more"),
    ],
)
def test_errors_are_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert main(["demo", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"micrograd demo: error: {message}")
    assert captured.err.count("\n") == 1
