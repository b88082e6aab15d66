"""Python scripts that show a wrong gradient again, for the person who mends it: ``replay_script``.

A script imports what is wrong from where it is, checks it at the exact floats, and ends with 1 as long as the gradient
is wrong. It needs neither the command that wrote it nor Hypothesis.

>>> from micrograd.testing.program import Program
>>> print(program_source(Program((2.0,), (("log", 0),))))
Program(inputs=(2.0,), instructions=(("log", 0),))
"""

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

__all__ = ["Source", "operation_script", "program_source", "replay_script"]

_WIDTH = 120
_END = 'sys.exit({{"wrong": 1, "inconclusive": 2}}.get({}.verdict, 0))'


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
    report: Report | None,
    folder: str | os.PathLike[str],
    *,
    function: Source | None = None,
    program: Program | None = None,
    modules: Sequence[Source] = (),
) -> str:
    """Return a script that checks again what ``report`` is about.

    Args:
        report: what was found out; its inputs and its shortest program go into the script. ``None`` for a program that
            the check itself failed on.
        folder: where the script will be; modules are looked for relative to it.
        function: the function that was checked; or
        program: the program.
        modules: those that register the operations of a program.

    Raises ``ValueError`` unless there is either a function and a report, or a program.

    >>> from micrograd.testing import gradcheck
    >>> program = Program((0.5,), (("tanh", 0),))
    >>> script = replay_script(gradcheck(program, 0.5), ".", program=program)
    >>> print(script.partition("gradcheck")[2].strip())
    program = Program(inputs=(0.5,), instructions=(("tanh", 0),))
    report = gradcheck(program, *program.inputs)
    print(report)
    sys.exit({"wrong": 1, "inconclusive": 2}.get(report.verdict, 0))
    """
    if (function is None) == (program is None) or (function is not None and report is None):
        raise ValueError("a script checks either a function that there is a report on, or a program")
    shortest = None if report is None or report.program == program else report.program
    options = ", order=1" if report is not None and report.figures.order == 1 else ""
    if program is not None:
        body = [
            f"program = {program_source(program, len('program = '))}",
            f"report = gradcheck(program, *program.inputs{options})",
        ]
    else:
        assert report is not None
        body = [_call("report = gradcheck", ["function", *map(_number, report.inputs)], options)]
    body += ["print(report)", *_shortest(shortest, "report", options), _END.format("report")]
    names = "Program, gradcheck" if program is not None or shortest is not None else "gradcheck"
    what = "a program" if function is None else f"{function.module}:{function.attribute}"
    sources = [*modules, *([] if function is None else [function])]
    return _script(what, folder, sources, [f"from micrograd.testing import {names}"], body)


def operation_script(
    operation: str,
    property: str,
    folder: str | os.PathLike[str],
    *,
    modules: Sequence[Source] = (),
    program: Program | None = None,
    examples: int = 50,
    compiled: bool = True,
) -> str:
    """Return a script that checks a property of an operation again.

    Args:
        operation: its name.
        property: one of those of ``check_operation``.
        folder: where the script will be.
        modules: those that register operations.
        program: the shortest program that shows what is wrong, where there is one.
        examples: how many points or programs were tried.
        compiled: whether compiled code was checked too.
    """
    imports = [
        "import micrograd",
        *([] if program is None else ["from micrograd.testing import Program, gradcheck"]),
        "from micrograd.testing.operations import check_operation",
    ]
    options = ", compile=micrograd.compile" if compiled else ""
    body = [
        f"operation = micrograd.operations()[{_text(operation)}]",
        f"outcome = check_operation(operation, {_text(property)}, examples={examples}{options})",
        "print(outcome)",
        *_shortest(program, "outcome", ""),
        _END.format("outcome"),
    ]
    return _script(f"the operation {operation}", folder, modules, imports, body)


def _shortest(program: Program | None, result: str, options: str) -> list[str]:
    if program is None:
        return []
    text = program_source(program, len("    shortest = "), indent=4)
    return [
        f'if {result}.verdict == "wrong":',
        f"    shortest = {text}",
        f"    print(gradcheck(shortest, *shortest.inputs{options}))",
    ]


def _script(
    what: str,
    folder: str | os.PathLike[str],
    sources: Sequence[Source],
    imports: Sequence[str],
    body: Sequence[str],
) -> str:
    roots = dict.fromkeys(source.root for source in sources if source.root is not None)
    own = [line for source in sources for line in _import_lines(source)]
    lines = [
        '"""What `micrograd check` found to be wrong, once more: ' + _plain(what) + ".",
        "",
        "Mend it and run this file again: it ends with 1 as long as it is wrong, and with 0 when it is right.",
        '"""',
        "",
        *(["import importlib"] if any("importlib" in line for line in own) else []),
        "import sys",
        *(["from pathlib import Path"] if roots else []),
        "",
        *[f"sys.path.insert(0, {_place(root, folder)})" for root in roots],
        *([""] if roots else []),
        *dict.fromkeys([*imports, *[line for line in own if _is_import(line)]]),
        "",
        *[line for line in own if not _is_import(line)],
        *body,
    ]
    return "\n".join(lines) + "\n"


def _import_lines(source: Source) -> list[str]:
    """Return the lines that import ``source``; what it has as its attribute is called ``function`` then.

    >>> _import_lines(Source("pkg.model", "net.loss"))
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


def _is_import(line: str) -> bool:
    return line.startswith(("import ", "from "))


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
    lines = ["Program(", f"{inner}inputs={_broken(inputs, len(inner) + 7, len(inner))},", f"{inner}instructions=("]
    lines += [f"{innermost}{_broken(instruction, len(innermost), len(innermost))}," for instruction in instructions]
    return "\n".join([*lines, f"{inner}),", f"{' ' * indent})"])


def _call(function: str, arguments: Sequence[str], options: str = "") -> str:
    """Return a call, on one line where it fits, else with one line per argument."""
    line = f"{function}({', '.join(arguments)}{options})"
    if len(line) <= _WIDTH:
        return line
    last = [f"    {options.removeprefix(', ')},"] if options else []
    return "\n".join([f"{function}(", *[f"    {x}," for x in arguments], *last, ")"])


def _broken(items: Sequence[str], column: int, indent: int) -> str:
    """Return a tuple that begins at ``column`` of an indented line, one item per line where it does not fit in one."""
    line = _tuple(items)
    if column + len(line) + 1 <= _WIDTH:
        return line
    before = " " * indent
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
        way = Path(os.path.relpath(os.path.realpath(root), os.path.realpath(folder)))
    except ValueError:  # another drive
        return _text(str(root))
    up = way.parts.count("..")
    rest = "/".join(way.parts[up:])
    return f"str(Path(__file__).resolve().parents[{up}]{f' / {_text(rest)}' if rest else ''})"
