'''Python scripts that show a wrong gradient again, for the person who mends it: ``replay_script``.

A script imports what is wrong from where it is, checks it at the exact floats, and ends with 1 as long as the gradient
is wrong. It needs neither the command that wrote it nor Hypothesis.

>>> from micrograd.testing.program import Program
>>> print(program_source(Program((2.0,), (("log", 0),))))
Program(inputs=(2.0,), instructions=(("log", 0),))
'''

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from micrograd.testing.program import Program
from micrograd.testing.report import Report

__all__ = ["Source", "import_lines", "program_source", "replay_script", "script_text"]

_WIDTH = 120
_END = 'sys.exit({"wrong": 1, "inconclusive": 2}.get(report.verdict, 0))'


@dataclass(frozen=True)
class Source:
    """Where another process finds a module, or something in it.

    Attributes:
        module: the name to import.
        attribute: what is meant in it, ``"loss"``, ``"net.loss"`` or ``"Net().loss"``; empty for the module as a whole.
        root: the folder that has to be on the path; ``None`` where Python finds the module anyway.
    """

    module: str
    attribute: str = ""
    root: Path | None = None


def replay_script(
    report: Report,
    folder: str | os.PathLike[str],
    *,
    function: Source | None = None,
    program: Program | None = None,
    modules: Sequence[Source] = (),
) -> str:
    """Return a script that checks again what ``report`` is about.

    Args:
        report: what was found out; its inputs and its shortest program go into the script.
        folder: where the script will be; modules are looked for relative to it.
        function: the function that was checked; or
        program: the program.
        modules: those that register the operations of a program.

    Raises ``ValueError`` unless there is either a function or a program.

    >>> from micrograd.testing import gradcheck
    >>> program = Program((0.5,), (("tanh", 0),))
    >>> print(replay_script(gradcheck(program, 0.5), ".", program=program))
    """
    if (function is None) == (program is None):
        raise ValueError("a script checks either a function or a program")
    shown = None if report.program == program else report.program
    wants = "Program, gradcheck" if program is not None or shown is not None else "gradcheck"
    order = "" if report.figures.order == 2 else ", order=1"
    if function is not None:
        last = [call_source("report = gradcheck", ["function", *map(_number, report.inputs)], order)]
    else:
        assert program is not None
        last = [
            f"program = {program_source(program, len('program = '))}",
            f"report = gradcheck(program, *program.inputs{order})",
        ]
    last.append("print(report)")
    if shown is not None:
        text = program_source(shown, len("    shortest = "), indent=4)
        last += [
            'if report.verdict == "wrong":',
            f"    shortest = {text}",
            f"    print(gradcheck(shortest, *shortest.inputs{order}))",
        ]
    return script_text(
        folder, function, modules, [f"from micrograd.testing import {wants}"], [*last, _END], needs_function=True
    )


def script_text(
    folder: str | os.PathLike[str],
    function: Source | None,
    modules: Sequence[Source],
    imports: Sequence[str],
    body: Sequence[str],
    *,
    needs_function: bool = False,
) -> str:
    """Return a script: what every one of them begins with, ``imports``, an empty line, ``body``."""
    what = f"the gradient of {function.module}:{function.attribute}" if function is not None else "a gradient"
    sources = [*modules, *([function] if function is not None else [])]
    roots = dict.fromkeys(source.root for source in sources if source.root is not None)
    named = [line for source in sources for line in import_lines(source)]
    lines = [
        f'"""Shows {_plain(what)} that `micrograd check` found to be wrong.',
        "",
        "Mend it and run this file again: it ends with 1 as long as the gradient is wrong, with 0 when it is right.",
        '"""',
        "",
        *(["import importlib"] if any("importlib" in line for line in named) else []),
        "import sys",
        *(["from pathlib import Path"] if roots else []),
        "",
        *[f"sys.path.insert(0, {_place(root, folder)})" for root in roots],
        *([""] if roots else []),
        *dict.fromkeys([*named, *imports]),
        "",
        *body,
    ]
    return "\n".join(lines) + "\n"


def import_lines(source: Source) -> list[str]:
    """Return the lines that import ``source``; what it has as its attribute is called ``function`` then.

    >>> import_lines(Source("pkg.model", "net.loss"))
    ['from pkg.model import net', 'function = net.loss']
    """
    ordinary = all(part.isidentifier() for part in source.module.split("."))
    if not source.attribute:
        return [f"import {source.module}" if ordinary else f"importlib.import_module({_text(source.module)})"]
    if not ordinary:
        return [f"function = importlib.import_module({_text(source.module)}).{source.attribute}"]
    first = re.match(r"\w*", source.attribute)[0]  # type: ignore[index]  # \w* matches everything
    if first == source.attribute:
        return [f"from {source.module} import {first}" + ("" if first == "function" else " as function")]
    return [f"from {source.module} import {first}", f"function = {source.attribute}"]


def program_source(program: Program, column: int = 0, *, indent: int = 0) -> str:
    """Return Python that makes ``program``, formatted: on one line where it fits, else one line per instruction.

    Args:
        program: the program.
        column: how much stands before it on its first line.
        indent: how far its last line is indented.
    """
    inputs = [_number(x) for x in program.inputs]
    instructions = [[_text(name), *map(_operand, operands)] for name, *operands in program.instructions]
    line = f"Program(inputs={_tuple(inputs)}, instructions={_tuple(map(_tuple, instructions))})"
    if column + len(line) <= _WIDTH:
        return line
    inner, innermost = " " * (indent + 4), " " * (indent + 8)
    lines = ["Program(", f"{inner}inputs={_broken(inputs, len(inner) + 8)},", f"{inner}instructions=("]
    lines += [f"{innermost}{_broken(instruction, len(innermost))}," for instruction in instructions]
    return "\n".join([*lines, f"{inner}),", f"{' ' * indent})"])


def call_source(function: str, arguments: Sequence[str], options: str = "") -> str:
    """Return a call, on one line where it fits, else with one line per argument."""
    line = f"{function}({', '.join(arguments)}{options})"
    if len(line) <= _WIDTH:
        return line
    last = [f"    {options.removeprefix(', ')},"] if options else []
    return "\n".join([f"{function}(", *[f"    {x}," for x in arguments], *last, ")"])


def _broken(items: Sequence[str], column: int) -> str:
    """Return a tuple whose first line begins at ``column``, with one item per line where it does not fit in one."""
    line = _tuple(items)
    if column + len(line) + 1 <= _WIDTH:
        return line
    before = " " * (column // 4 * 4)
    return "\n".join(["(", *[f"{before}    {x}," for x in items], f"{before})"])


def _tuple(items: Iterable[str]) -> str:
    texts = list(items)
    return f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})"


def _operand(x: Any) -> str:
    return repr(x) if type(x) is int else _number(x)


def _number(x: float) -> str:
    return repr(x) if math.isfinite(x) else f"float({_text(str(x))})"


def _text(text: str) -> str:
    """Return Python that makes ``text``, in double quotes where that is as well."""
    shown = repr(text)
    return f'"{shown[1:-1]}"' if shown[0] == "'" and '"' not in shown else shown


def _plain(text: str) -> str:
    """Return ``text`` as it may stand in a docstring."""
    return text.replace("\\", "/").replace('"', "'")


def _place(root: Path, folder: str | os.PathLike[str]) -> str:
    """Return an expression for the folder ``root``, relative to the script where there is a way."""
    try:
        way = Path(os.path.relpath(root, folder)).as_posix()
    except ValueError:  # another drive
        return _text(str(root))
    return f"str((Path(__file__).parent / {_text(way)}).resolve())"
