"""Protects the export to C: what a compiler makes of it gives eager code's numbers, without a warning."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from source_batches import all_cases, batch_cases, corner_cases, long_case, scatter_cases, tangent_cases
from source_cases import HOSTILE, Call, Case, captured, derived, operation_cases

from micrograd.compiler.c_source import c_source
from micrograd.compiler.program import Program
from micrograd.errors import CompilationError

STRICT = "-std=c11 -Wall -Wextra -pedantic -Werror".split()
GUARD = 12345.0


def source_of(case: Case) -> str:
    return c_source(case.program, name=case.name, **case.options)


def compiled(compiler: str, source: str, target: Path, *options: str) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    path = target.with_suffix(".c")
    path.write_text(source, encoding="utf-8")
    command = [compiler, *STRICT, *options, "-o", str(target), str(path), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")


class Library:
    """Functions of a shared library, called with arrays that stand between guards."""

    def __init__(self, path: Path) -> None:
        self.library = ctypes.CDLL(str(path))

    def run(self, case: Case) -> list[dict[str, Any]]:
        function = getattr(self.library, case.name)
        function.restype = ctypes.c_double if case.returns else None
        return [self.call(function, call) for call in case.calls]

    def call(self, function: Any, call: Call) -> dict[str, Any]:
        arguments: list[Any] = [] if call.samples is None else [ctypes.c_size_t(call.samples)]
        for array, numbers in call.reads.items():
            kind: Any = ctypes.c_int64 if "index" in array else ctypes.c_double
            arguments.append((kind * len(numbers))(*numbers))
        written: dict[str, Any] = {}
        for array, size in call.writes.items():
            written[array] = (ctypes.c_double * (size + 2))(*[GUARD] * (size + 2))
            arguments.append(ctypes.byref(written[array], 8))
        result = function(*arguments)
        for numbers in written.values():
            assert numbers[0] == numbers[-1] == GUARD
        return {"return": result, **{array: numbers[1:-1] for array, numbers in written.items()}}


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return all_cases()


@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_every_case_gives_eager_numbers(compiler: str, cases: Sequence[Case], tmp_path: Path) -> None:
    target = tmp_path / "cases.so"
    compiled(compiler, "\n".join(map(source_of, cases)), target, "-O1", "-shared", "-fPIC")
    library = Library(target)
    for case in cases:
        case.check(library.run(case), f"c, {compiler}")


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_a_long_program_is_cut_into_parts(compiler: str, tmp_path: Path) -> None:
    case = long_case()
    source = source_of(case)
    assert source.count("static void long_one_part") > 5
    assert max(part.count(";") for part in source.split("static void")) < 2500
    target = tmp_path / "long.so"
    compiled(compiler, source, target, "-O1", "-shared", "-fPIC")
    case.check(Library(target).run(case), f"c, {compiler}")


# --- a program of its own, with sanitizers ----------------------------------------------------------------------


def text_of(x: float) -> str:
    return "NAN" if x != x else f"{'-' if x < 0 else ''}INFINITY" if x in (float("inf"), float("-inf")) else x.hex()


def program_of(cases: Sequence[Case]) -> str:
    """Return a C program that makes every call and prints what comes back."""
    lines = ["#include <stdio.h>", "int main(void) {"]
    for case in cases:
        for call in case.calls:
            lines.append("{")
            arguments = [] if call.samples is None else [str(call.samples)]
            for array, numbers in call.reads.items():
                kind = "int64_t" if "index" in array else "double"
                texts = [str(x) if "index" in array else text_of(float(x)) for x in numbers]
                if texts:
                    lines.append(f"const {kind} {array}[{len(texts)}] = {{{', '.join(texts)}}};")
                arguments.append(array if texts else "NULL")
            for array, size in call.writes.items():
                if size:
                    lines.append(f"double {array}[{size}];")
                arguments.append(array if size else "NULL")
            result = f"{case.name}({', '.join(arguments)})"
            lines.append(f'printf("return %a\\n", {result});' if case.returns else f"{result};")
            for array, size in call.writes.items():
                lines += [f'printf("{array} %a\\n", {array}[{k}]);' for k in range(size)]
            lines.append('printf("\\n"); }')
    return "\n".join([*map(source_of, cases), *lines, "return 0; }", ""])


def printed(text: str, cases: Sequence[Case]) -> list[list[dict[str, Any]]]:
    blocks = iter(text.split("\n\n"))
    results: list[list[dict[str, Any]]] = []
    for case in cases:
        results.append([])
        for call in case.calls:
            result: dict[str, Any] = {array: [] for array in call.writes}
            for line in next(blocks).split("\n"):
                array, _, number = line.partition(" ")
                if array == "return":
                    result[array] = float.fromhex(number)
                elif array:
                    result[array].append(float.fromhex(number))
            results[-1].append(result)
    return results


@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_sanitizers_find_nothing(compiler: str, tmp_path: Path) -> None:
    chosen = [*batch_cases(), *scatter_cases(), *tangent_cases(), *corner_cases()]
    for case in operation_cases():
        if case.name in ("power_2", "where_3", "clamp_3", "fmod_2", "logsumexp_3", "dot_10", "take_3"):
            case.calls = []  # 200 calls of one function would take a compiler longer than the function
            chosen.append(case)
    target = tmp_path / "cases"
    options = ["-O1", "-g", "-fsanitize=undefined,address", "-fno-sanitize-recover=all"]
    compiled(compiler, program_of(chosen), target, *options)
    done = subprocess.run([str(target)], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    for case, results in zip(chosen, printed(done.stdout, chosen), strict=True):
        if case.calls:
            case.check(results, f"c, {compiler} with sanitizers")


# --- the text ---------------------------------------------------------------------------------------------------


def example_in(source: str) -> str:
    lines = [line[7:] for line in source.partition(" */")[0].splitlines() if line.startswith(" *     ")]
    return "\n".join(lines[lines.index("#include <stddef.h>") :])


@pytest.mark.parametrize("make", [batch_cases, scatter_cases, tangent_cases, corner_cases])
def test_the_example_in_the_comment_is_a_program(make: Any, tmp_path: Path) -> None:
    for case in make():
        source = source_of(case)
        target = tmp_path / case.name
        compiled("gcc", source + example_in(source) + "\n", target)
        output = subprocess.run([str(target)], capture_output=True, text=True, check=True, timeout=60).stdout
        numbers = {array: float(number) for array, number in map(str.split, output.splitlines())}
        assert len(numbers) == len(case.calls[0].writes) + case.returns


def test_hostile_texts_stay_in_the_comment(tmp_path: Path) -> None:
    program = derived(captured(lambda x: x * x, 1))
    source = c_source(program, name="square", legend={"argument": HOSTILE, "parameter": HOSTILE})
    assert source.isascii()
    assert source.count("*/") == source.count("/*") == 1
    assert source.partition("*/")[2] == c_source(program, name="square").partition("*/")[2]
    for compiler in ("gcc", "clang"):
        compiled(compiler, source, tmp_path / "hostile.so", "-shared", "-fPIC")


@pytest.mark.parametrize(
    "name",
    ["", "1x", "int", "main", "exp", "sinf", "malloc", "NAN", "int64_t", "_x", "x y", "f(){}", "naïve", "x" * 64, 3],
)
def test_names_that_c_cannot_use_are_refused(name: Any) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(name))):
        c_source(Program(["argument"], [(0,)], {"value": 0}), name=name)


def test_what_cannot_be_exported_is_refused() -> None:
    program = Program(["argument", "relu"], [(0,), (0,)], {"value": 1})
    with pytest.raises(CompilationError, match="%1 = relu"):
        c_source(program)
    computed = Program(["argument", "argument", "exp", "take"], [(0,), (1,), (0,), (0, 1, 2)], {"value": 3})
    with pytest.raises(CompilationError, match="only an index or a constant"):
        c_source(computed)
    with pytest.raises(ValueError, match="reduce needs batched"):
        c_source(derived(program), reduce="sum")
    with pytest.raises(ValueError, match="unknown reduce 'max'"):
        c_source(derived(program), batched=True, reduce="max")
