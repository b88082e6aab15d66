"""Protects ``micrograd check``: its verdicts and exit codes, the errors of one line, and that nothing found is lost."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import ROOT, run_python

from micrograd.cli import check_output, main
from micrograd.ops import table
from micrograd.testing.operations import PROPERTIES

pytestmark = pytest.mark.usefixtures("table_as_it_was")

CLIFF = 'cliff = mg.op("cliff", forward=lambda a: a * a, vjp=(lambda g, out, a: {factor} * g * a,))\n'
MODEL = """\
import math
import os
import micrograd as mg

{cliff}
number = 3.0

def product(x, y):
    print("said by the function")
    return mg.log(x) * y

def steep(x, y):
    return mg.tanh(cliff(x) + y) * y

def read(x):
    return x * x.data

def line(x): return mg.relu(x)
def flat(x): return mg.Value(1.0) + 0.0 * x.data
def log(x): return mg.log(x)
def root(x, y): return x * y + 0.0 * math.floor(math.sqrt(y.data) * 0.0)
def zero(x): return x * (1 / 0)
def nothing(x): pass
def many(*xs): return mg.sum(xs)
def listed(xs: list[float]): return mg.sum(xs)
def unlisted(xs): return mg.sum([x for x in xs])
def defaults(x=1.0, y=2.0): return x * y
def keyword(x, *, k): return x * k
def none(): return mg.Value(1.0)
def leaves(x): raise SystemExit(0)
def shouts(x): raise ValueError("\\x1b[2J red\\nsecond line")
def named(x): return cliff(mg.Value(1.0, label="\\x1b[2J") * x)

def later(x):
    if os.path.exists("micrograd-check/replay_model_later.py"):
        raise KeyboardInterrupt
    return x * (x.data if x.data > 2.0 else x)

class Net:
    w = mg.Value(2.0)
    def loss(self, x): return self.w * x * x
    @staticmethod
    def sine(x): return x.sin()
    class Inner:
        @classmethod
        def cosine(cls, x): return x.cos()

class Big:
    def __init__(self, size): pass
    def loss(self, x): return x

net = Net()
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a user's modules, which is the current one."""
    known = set(sys.modules)
    (tmp_path / "model.py").write_text(MODEL.format(cliff=CLIFF.format(factor=2.001)))
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "package" / "inner.py").write_text("from .helper import read\n\ndef f(x): return read(x)\n")
    (tmp_path / "package" / "helper.py").write_text("def read(x): return x * x.data\n")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def check(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = main(["check", *arguments])
    return status, capsys.readouterr().out


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    def refuse(constant: str) -> float:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(check(capsys, "--json", *arguments)[1], parse_constant=refuse)


def run_script(path: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-W", "error", str(path)], capture_output=True, text=True, env=environment, cwd="/", timeout=60
    )


# --- at a point ---------------------------------------------------------------------------------------------------


def test_a_right_gradient(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["check", "model:product", "--at", "1.0", "pi/6"])
    captured = capsys.readouterr()
    assert status == 0
    assert captured.out.startswith(
        "right: model:product at (1.0, 0.5235987755982988)\n  product at (1.0, 0.5235987755982988): right\n    2 oper"
    )
    assert captured.err.startswith("said by the function\n")  # apart from the verdict
    assert not (project / "micrograd-check").exists()


@pytest.mark.parametrize(
    ("arguments", "inputs"),
    [
        (["--at=-1", "-2"], [-1.0, -2.0]),
        (["--at=-1", "--at=-2"], [-2.0]),
        (["--at", "-1", "-2"], [-1.0, -2.0]),
        (["--at", "-1e0", "-(1+1)"], [-1.0, -2.0]),
        (["--at", "1/2", "-pi"], [0.5, -3.141592653589793]),
        (["--at", "0", "-0.0", "--order", "1"], [0.0, -0.0]),
    ],
)
def test_negative_numbers_and_expressions(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], inputs: list[float]
) -> None:
    report = as_json(capsys, "model:defaults", *arguments)["report"]
    assert (report["verdict"], repr(report["inputs"])) == ("right", repr(inputs))


def test_a_wrong_gradient_names_its_culprit(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = check(capsys, "model:steep", "--at", "3", "-8.5")
    assert status == 1
    lines = text.split("\n")
    assert lines[:2] == ["wrong: model:steep at (3.0, -8.5)", "  steep at (3.0, -8.5): wrong"]
    assert "    at         cliff(3.0), operand 0 (3.0)" in lines
    assert "    expected   6.0" in lines
    assert "      program = Program(inputs=(3.0,), instructions=(('cliff', 0),))" in lines
    folder = Path("micrograd-check")
    assert lines[-3:] == [
        f"replay: {folder / 'replay_model_steep.py'}",
        f"picture: {folder / 'replay_model_steep.svg'}",
        "",
    ]
    picture = (folder / "replay_model_steep.svg").read_text(encoding="utf-8")
    assert picture.count('class="edge unknown culprit"') == 1
    assert "the engine says " in picture
    assert ", expected 6.0" in picture


def test_json_holds_all_of_a_wrong_gradient(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(capsys, "model:steep", "--at", "3", "-8.5", "--folder", "else where")
    assert (found["function"], found["verdict"]) == ("model:steep", "wrong")
    culprit = found["report"]["culprit"]
    assert (culprit["call"], culprit["operand"], culprit["order"]) == ("cliff(3.0)", 0, 1)
    assert (culprit["engine"], culprit["expected"]) == (2.001 * 3.0, 6.0)
    assert found["report"]["program"] == "Program(inputs=(3.0,), instructions=(('cliff', 0),))"
    assert Path(found["replay"]).parent == Path("else where")
    assert Path(found["replay"]).is_file()
    assert Path(found["picture"]) == Path(found["replay"]).with_suffix(".svg")


def test_at_a_kink_the_convention_was_verified(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = check(capsys, "model:line", "--at", "0")
    assert status == 0
    assert text.startswith("not differentiable here: model:line at (0.0)\n")
    assert "relu has a kink here: relu(0.0)" in text


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["model:log", "--at", "-1"], "outside of its domain (0, inf)"),
        (["model:log", "--at", "inf"], "input 0 is inf; a derivative needs finite inputs"),
        (["model:flat", "--at", "1"], "does not depend on the inputs"),
    ],
)
def test_what_cannot_be_judged_is_no_success(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    status, text = check(capsys, *arguments)
    assert status == 2
    assert text.startswith(f"inconclusive: {arguments[0]} at (")
    assert reason in text
    found = as_json(capsys, *arguments)
    assert found["verdict"] == "inconclusive"
    assert reason in found["report"]["reason"]


@pytest.mark.parametrize(
    "target",
    [
        "model.py:net.loss",
        "./model.py:Net.loss",
        "model:Net.sine",
        "model:Net.Inner.cosine",
        "model:net.sine",
        "micrograd:tanh",
        "micrograd.ops:tanh",
    ],
)
def test_names_of_functions(project: Path, capsys: pytest.CaptureFixture[str], target: str) -> None:
    status, text = check(capsys, target, "--at", "0.5")
    assert (status, text.split("\n")[0]) == (0, f"right: {target} at (0.5)")


@pytest.mark.parametrize("target", ["package.inner:f", "package/inner.py:f", "{}/package/inner.py:f"])
def test_a_file_in_a_package_is_imported_as_its_module(
    project: Path, capsys: pytest.CaptureFixture[str], target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = target.format(project)
    if target.startswith("/"):
        (project / "elsewhere").mkdir()
        monkeypatch.chdir(project / "elsewhere")
    found = as_json(capsys, target, "--at", "3")
    assert (found["verdict"], found["report"]["culprit"]["expected"]) == ("wrong", pytest.approx(6.0))
    script = Path(found["replay"]).resolve()
    assert "from package.inner import f as function" in script.read_text()
    assert run_script(script).returncode == 1


# --- a search -----------------------------------------------------------------------------------------------------


def test_a_search_that_finds_nothing_wrong(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = check(capsys, "model:product", "--in", "(0, inf)", "[-1, 1]", "--examples", "30")
    assert (status, text) == (0, "right: model:product at 30 inputs in (0, inf) x [-1, 1]: 30 right\n")
    assert {path.name for path in project.iterdir()} <= {"__pycache__", "model.py", "package"}


def test_a_search_counts_what_it_cannot_judge(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(capsys, "model:log", "--examples", "30")
    assert found["verdict"] == "right"
    assert found["domains"] == ["(-inf, inf)"]
    assert sum(found["tried"].values()) == 30
    assert min(found["tried"]["right"], found["tried"]["inconclusive"]) > 0
    status, text = check(capsys, "model:log", "--in", "(-3, -1)", "--examples", "5")
    assert status == 2
    assert text.startswith("inconclusive: model:log at 5 inputs in (-3, -1): 5 inconclusive\n  inconclusive at (-")


def test_a_search_shrinks_and_can_be_repeated(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = as_json(capsys, "model:read", "--in", "[1.5, 8]", "--folder", "a")
    assert (first["verdict"], first["report"]["inputs"]) == ("wrong", [2.0])
    again = as_json(capsys, "model:read", "--in", "[1.5, 8]", "--folder", "b")
    elsewhere = {"replay": "", "picture": ""}
    assert {**again, **elsewhere} == {**first, **elsewhere}
    database = as_json(capsys, "model:read", "--in", "[1.5, 8]", "--folder", "b", "--seed", "5")
    assert (database["report"]["inputs"], database["tried"]) == ([2.0], {"wrong": 1})


def test_an_operation_is_searched_in_its_own_domain(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(capsys, "micrograd:atanh", "--examples", "20", "--order", "1", "--edges")
    assert (found["domains"], found["verdict"]) == (["(-1, 1)"], "right")
    assert sum(found["tried"].values()) == 20


# --- errors -------------------------------------------------------------------------------------------------------

USAGE = [
    ([], "name a function, module:function, or ask for --ops or --programs N (see micrograd check --help)"),
    (["model"], "'model' does not name a function; write module:function, or file.py:function"),
    (["3"], "numbers belong behind --at"),
    (["model:product", "1", "2"], "one function at a time, '1' is one more; numbers belong behind --at"),
    (["--at", "1", "2", "model:product"], "name the function before --at or --in: model:product --at ..."),
    (["modle:f"], "no module named 'modle' in this folder or among what is installed; did you mean 'model'?"),
    (["package.iner:f"], "no module named 'package.iner'"),
    ([".:f"], "'.' is not the name of a module"),
    (["package/iner.py:f"], "there is no file 'package/iner.py'; did you mean 'inner.py'?"),
    (["model:prodct"], "'model' has no 'prodct'; did you mean 'product'?"),
    (["model:zzzzzzz"], "'model' has no 'zzzzzzz'; it has Big, Net, defaults, flat, keyword, later, ..."),
    (["model:net.los"], "'net' has no 'los'; did you mean 'loss'?"),
    (["model:number"], "'model:number' is 3.0 (type float), not a function"),
    (["model:net"], "not a function"),
    (["model:Big.loss"], "'Big.loss' is a method, and Big() raises TypeError: Big.__init__() missing 1 required"),
    (["model:product", "--at", "1"], "model:product takes 2 arguments (x, y), --at has 1 number"),
    (["model:read", "--at", "1", "2"], "model:read takes 1 argument (x), --at has 2 numbers"),
    (["model:defaults", "--at", "1", "2", "3"], "model:defaults takes 0 to 2 arguments, --at has 3 numbers"),
    (["model:product", "--in", "(0,1)", "(0,1)", "(0,1)"], "takes 2 arguments (x, y), --in has 3 domains"),
    (["model:none", "--at", "1"], "model:none takes no arguments, so there is nothing to differentiate by"),
    (["model:none"], "model:none takes no arguments"),
    (["model:many"], "how many numbers model:many takes does not show; give one domain for each, --in '(0, inf)'"),
    (["model:defaults"], "how many numbers model:defaults takes does not show"),
    (["model:listed"], "its parameter 'xs' is no number but list[float]; write a small function of numbers around it"),
    (["model:keyword", "--at", "1"], "it needs the keyword argument 'k'"),
    (["model:read", "--in", "[1"], "--in: domain '[1' is not a union of intervals such as '(0, inf)' or '[-1, 1]'"),
    (["model:read", "--in", "(0, 5e-324)"], "--in: there is no float in the domain (0, 4.94066e-324)"),
    (["model:read", "--at", "x"], "cannot read the number 'x': 'x' is not a number"),
    (["model:read", "--at", "p"], "did you mean 'pi'?"),
    (["model:read", "--at", "1", "--in", "(0,1)"], "argument --in: not allowed with argument --at"),
    (["model:read", "--only", "tanh"], "--only goes with --ops"),
    (["model:read", "--at", "1", "--examples", "3"], "--examples goes with a search or --ops"),
    (["model:read", "--at", "1", "--seed", "0"], "--seed goes with a search or --programs"),
    (["--ops", "--edges"], "--edges goes with a search or --programs"),
    (["--programs", "0"], "expected a whole number from 1 to 1000000000, got '0'"),
    (["model:read", "--order", "3"], "invalid choice: 3"),
    (["model:read", "--folder", "model.py"], "--folder: 'model.py' is a file"),
    (["--ops", "--only", "tnh"], "--only: unknown operation 'tnh'; did you mean 'tanh'?"),
    (["--ops", "package"], "package registers no operations; --only NAME checks one of the others"),
    (["--programs", "5", "modle"], "no module named 'modle'"),
    (["\x1b[2J:f"], "'\ufffd[2J'"),
    (["model:\x1b[2J"], "'model' has no '\ufffd[2J'"),
    (["model:\udcff"], "'model' has no '\ufffd'"),
]
RAISES = [
    (["model:root", "--at", "1", "-1"], "model.py:22: ValueError: math domain error (at (1.0, -1.0))"),
    (["model:root"], "ValueError: math domain error (at ("),
    (["model:zero"], "model.py:23: ZeroDivisionError: division by zero (at (0.0)); --in says"),
    (["model:nothing", "--at", "1"], "model.py:24: nothing returned None (type NoneType); a gradient needs a function"),
    (["model:leaves"], "model.py:31: SystemExit: 0 (at (0.0))"),
    (["model:shouts"], "model.py:32: ValueError: \ufffd[2J red second line (at (0.0))"),
    (["model:unlisted"], "TypeError: 'Value' object is not iterable (at (0.0)); write a small function of numbers"),
    (["math:sin", "--at", "1"], "TypeError: a Value does not turn into a float by itself"),
    (["micrograd:sum", "--at", "1"], "TypeError: sum() takes an iterable of operands"),
]


@pytest.mark.parametrize(("arguments", "message"), USAGE + RAISES)
def test_errors_are_one_line(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["check", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("micrograd check: error: ") == 1
    line = captured.err[captured.err.index("micrograd check: error: ") :]
    assert message in line
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert "\x1b" not in line
    assert not list(project.glob("micrograd-check/*.py"))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import no_such_module", "broken.py:1: ModuleNotFoundError: No module named 'no_such_module'"),
        ("x = 1\ndef f(:\n", "broken.py:2: SyntaxError: "),
        ("x = 1\ny = x / 0\n", "broken.py:2: ZeroDivisionError: division by zero"),
        ("import json\n\njson.loads('[')\n", "broken.py:3: JSONDecodeError: "),
        ("raise SystemExit(0)\n", "broken.py:1: SystemExit: 0"),
    ],
)
@pytest.mark.parametrize("target", ["broken:f", "broken.py:f"])
def test_a_module_that_raises_when_it_is_imported(
    project: Path, capsys: pytest.CaptureFixture[str], source: str, message: str, target: str
) -> None:
    (project / "broken.py").write_text(source)
    assert main(["check", target]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"micrograd check: error: {message}")
    assert error.endswith(f"(while {target[:-2]!r} was imported)\n")


@pytest.mark.parametrize("target", ["./json.py:f", "json:f"])
def test_a_file_with_the_name_of_a_loaded_module(
    project: Path, capsys: pytest.CaptureFixture[str], target: str
) -> None:
    (project / "json.py").write_text("def f(x): return x\n")
    assert main(["check", target]) == 2
    error = capsys.readouterr().err
    assert "another module is called 'json' (" in error
    assert "; rename 'json.py'" in error


def test_the_path_is_as_before(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = list(sys.path)
    check(capsys, "package/inner.py:f", "--at", "1")
    check(capsys, "package/inner.py:g")
    assert sys.path == before


def test_hostile_labels_do_not_reach_the_terminal(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = check(capsys, "model:named", "--at", "1")
    assert status == 1
    assert "\x1b" not in text


# --- what is found is kept ----------------------------------------------------------------------------------------


def test_a_replay_script_tells_right_from_wrong(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check(capsys, "model:steep")
    script = project / "micrograd-check" / "replay_model_steep.py"
    done = run_script(script)
    assert (done.returncode, done.stderr) == (1, "")
    assert "steep at (" in done.stdout
    assert "the program at (0.0): wrong" in done.stdout
    (project / "model.py").write_text(MODEL.format(cliff=CLIFF.format(factor=2)))
    done = run_script(script)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split("\n")[0].endswith("): right")


def test_what_is_found_is_on_disk_before_anything_is_printed(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("micrograd.cli.check_search.print_verdict", fail)
    assert main(["check", "model:read"]) == 141
    folder = project / "micrograd-check"
    assert run_script(folder / "replay_model_read.py").returncode == 1
    assert any(path.is_file() for path in (folder / "examples" / "model_read").rglob("*"))


def test_ctrl_c_leaves_what_was_found(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "model:later"]) == 130
    captured = capsys.readouterr()
    folder = project / "micrograd-check"
    assert captured.out == ""
    assert captured.err.endswith(
        f"a wrong gradient was found before; replay: {Path('micrograd-check', 'replay_model_later.py')}\n"
        "micrograd check: error: interrupted\n"
    )
    assert "gradcheck(function, " in (folder / "replay_model_later.py").read_text()
    assert any(path.is_file() for path in (folder / "examples" / "model_later").rglob("*"))


def test_a_folder_that_cannot_be_written_changes_no_verdict(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(check_output, "write_atomically", refuse)
    assert main(["check", "model:read", "--at", "2"]) == 1
    captured = capsys.readouterr()
    assert captured.out.startswith("wrong: model:read at (2.0)\n")
    assert "replay:" not in captured.out
    assert captured.err == (
        "micrograd check: error: cannot write the replay script"
        f" {Path('micrograd-check', 'replay_model_read.py')}: Permission denied\n"
    )


# --- operations ---------------------------------------------------------------------------------------------------


def test_operations_get_a_mark_for_every_property(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = check(capsys, "--ops", "--only", "tanh", "mul", "--examples", "5")
    assert status == 0
    title, columns, _, first, second, *_ = text.split("\n")
    assert title == "right: 2 operations"
    assert all(name in columns for name in PROPERTIES)
    assert first.startswith("tanh       ok ")
    assert second.startswith("mul        ok ")
    assert "WRONG" not in text


def test_the_operations_of_a_module_are_checked(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = check(capsys, "--ops", "model", "--examples", "10")
    assert status == 1
    lines = text.split("\n")
    assert lines[0] == "wrong: cliff of one operation"
    assert [line.split()[:3] for line in lines if line.startswith("cliff  ")] == [["cliff", "-", "WRONG"]]
    assert any(line.startswith("cliff, partials: wrong") for line in lines)
    script = project / "micrograd-check" / "replay_cliff_partials.py"
    assert f"  replay: {script.relative_to(project)}" in lines
    done = run_script(script)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("cliff, partials: wrong")
    (project / "model.py").write_text(MODEL.format(cliff=CLIFF.format(factor=2)))
    assert run_script(script).returncode == 0


def test_operations_as_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(capsys, "--ops", "model", "--only", "cliff", "--examples", "5")
    assert found["verdict"] == "wrong"
    assert [x["property"] for x in found["outcomes"]] == list(PROPERTIES)
    wrong = {x["property"]: x for x in found["outcomes"] if x["verdict"] == "wrong"}
    assert "Program(inputs=(" in wrong["partials"]["program"]
    assert Path(wrong["partials"]["replay"]).is_file()


def test_an_operation_that_raises_is_wrong(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "rude.py").write_text(
        "import micrograd as mg\n\ndef forward(a):\n    return nobody\n\n"
        'mg.op("rude", forward=forward, vjp=(lambda g, out, a: g,))\n'
    )
    found = as_json(capsys, "--ops", "rude", "--examples", "5")
    assert found["verdict"] == "wrong"
    assert "NameError" in found["outcomes"][1]["detail"]


# --- programs -----------------------------------------------------------------------------------------------------


def test_random_programs_are_right(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = check(capsys, "--programs", "30", "--edges", "--seed", "3")
    assert status == 0
    lines = [line.split("  ") for line in text.split("\n")]
    assert lines[0] == ["right: 30 programs"]
    assert [line[0] for line in lines[3:7]] == ["ordinary", "at the edges", "near kinks", "all"]
    assert [line.split()[-1] for line in text.split("\n")[3:7]] == ["0", "0", "0", "0"]


def test_a_wrong_operation_is_found_by_random_programs(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(capsys, "--programs", "60", "model", "--order", "1")
    assert found["verdict"] == "wrong"
    assert found["programs"] == 60
    assert found["counts"]["ordinary"]["wrong"] == len(found["cases"]) > 0
    case = found["cases"][0]
    assert case["report"]["culprit"]["call"].startswith("cliff(")
    done = run_script(project / case["replay"])
    assert (done.returncode, done.stderr) == (1, "")
    assert "import model" in (project / case["replay"]).read_text()


# --- the rest -----------------------------------------------------------------------------------------------------


def test_the_examples_of_the_help_work(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "model.py").write_text("def loss(x, y, z=1.0): return x * y + z\n")
    (project / "src").mkdir()
    (project / "src" / "model.py").write_text("class Net:\n    def loss(self, x): return x * x\n\n\nnet = Net()\n")
    (project / "my_operations.py").write_text(f"import micrograd as mg\n{CLIFF.format(factor=2)}")
    _, text = check(capsys, "--help")
    examples = [line.strip() for line in text.split("\n") if line.startswith("  micrograd check")]
    assert len(examples) >= 5
    for example in examples:
        arguments = shlex.split(example.replace("100000", "20").replace("1000", "20"))[1:]
        assert main(arguments) == 0, example
        sys.modules.pop("model", None)
        table._table.pop("cliff", None)


def test_a_point_needs_no_hypothesis(project: Path) -> None:
    program = """
import sys
sys.modules["hypothesis"] = None
from micrograd.cli import main
print(main(["check", "model:product", "--at", "1", "2"]), main(["check", "model:product"]))
"""
    printed = run_python(program)
    assert printed.startswith("right: model:product at (1.0, 2.0)\n")
    assert printed.endswith("0 2\n")


def test_a_search_leaves_nothing_behind(project: Path) -> None:
    program = """
from micrograd.cli import main
print(main(["check", "model:product", "--in", "(0, inf)", "--examples", "5"]))
"""
    printed = run_python(program, PYTHONDONTWRITEBYTECODE="1")
    assert printed.endswith("5 right\n0\n")
    assert {path.name for path in project.iterdir()} == {"model.py", "package"}
