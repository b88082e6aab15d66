"""What ``micrograd check`` is asked to check: functions and modules of the user, and points to check them at.

A function is named as ``module:function``, where the module is looked for in the current folder first, or as
``path/to/file.py:function``. What the user's code raises is an error of one line that names the user's line.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import micrograd
from micrograd._console import clean, shorten
from micrograd.cli.expression import CONSTANTS, near, parse
from micrograd.errors import ExpressionError, describe
from micrograd.ops import Op
from micrograd.testing.program import Program
from micrograd.testing.replay import Source

__all__ = [
    "Parameters",
    "Target",
    "aside",
    "import_target",
    "import_user_module",
    "on_the_path",
    "raised",
    "read_number",
]

_NOT_NUMBERS = re.compile(
    r"\b(list|List|dict|Dict|tuple|Tuple|set|str|Sequence|Mapping|Iterable|Iterator|Collection|ndarray|NDArray)\b"
)


@contextmanager
def on_the_path(folder: str) -> Iterator[None]:
    """Look for modules in ``folder`` first, as Python does for a script."""
    before = list(sys.path)
    sys.path[:] = [folder, *[x for x in before if x not in ("", folder)]]
    try:
        yield
    finally:
        sys.path[:] = before


def aside() -> redirect_stdout[Any]:
    """Return a context for code of the user's: what it prints goes to standard error, apart from verdict and JSON."""
    return redirect_stdout(sys.stderr)


# --- modules ----------------------------------------------------------------------------------------------------


def import_user_module(text: str) -> tuple[ModuleType, Source]:
    """Import ``module`` or ``path/to/file.py`` and return it, with where it is.

    Raises ``ExpressionError`` where there is no such module, and for whatever it raises itself.
    """
    name = text
    file = Path(text) if text.endswith(".py") or "/" in text or os.sep in text else None
    if file is not None:
        name = _name_of_file(file)
    if not name or not all(name.split(".")):
        raise ExpressionError(f"{_shown(text)} is not the name of a module")
    try:
        with aside():
            module = importlib.import_module(name)
    except (Exception, SystemExit) as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and (name == missing or name.startswith(missing + ".")):
            known = [path.stem for path in Path().glob("*.py")] + [path.parent.name for path in Path().glob("*/*.py")]
            raise ExpressionError(
                f"no module named {_shown(missing)} in this folder or among what is installed{near(missing, known)}"
            ) from None
        raise ExpressionError(f"{raised(error)} (while {_shown(text)} was imported)") from None
    expected = file or Path(*name.split(".")).with_suffix(".py")
    if expected.is_file() and not _is_from(module, expected):
        raise ExpressionError(
            f"another module is called {name!r} ({_short(getattr(module, '__file__', None) or 'part of Python')});"
            f" rename {_shown(str(expected))}"
        )
    return module, Source(name, root=_root(module))


def _name_of_file(file: Path) -> str:
    """Return the module name of a file, within the packages that it lies in, and put their folder on the path."""
    if not file.is_file():
        there = [path.name for path in file.parent.glob("*.py")] if file.parent.is_dir() else []
        raise ExpressionError(f"there is no file {_shown(str(file))}{near(file.name, there)}")
    parts, folder = [file.stem] if file.stem != "__init__" else [], file.resolve().parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    if "." in file.stem:
        raise ExpressionError(f"a file with a dot in its name cannot be imported; rename {_shown(str(file))}")
    sys.path.insert(0, str(folder))
    return ".".join(parts)


def _is_from(module: ModuleType, file: Path) -> bool:
    origin = getattr(module, "__file__", None)
    return origin is not None and os.path.exists(origin) and os.path.samefile(origin, file)


def _root(module: ModuleType) -> Path | None:
    """Return the folder that has to be on the path for ``module``; ``None`` where it is installed or built in."""
    origin = getattr(module, "__file__", None)
    if origin is None or _is_installed(origin) or module.__name__.partition(".")[0] == "micrograd":
        return None
    levels = module.__name__.count(".") + (Path(origin).stem == "__init__")
    return Path(origin).resolve().parents[levels]


def _is_installed(file: str) -> bool:
    library = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    return any(Path(file).is_relative_to(folder) for folder in library) or "site-packages" in Path(file).parts


# --- functions --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Parameters:
    """The arguments that a function takes.

    Attributes:
        least: how many it needs; ``None`` where nothing is known.
        most: how many it takes; ``None`` for any number.
        names: of those that it needs.
        trouble: why it cannot be called with numbers alone, or empty.
    """

    least: int | None
    most: int | None
    names: tuple[str, ...] = ()
    trouble: str = ""


@dataclass(frozen=True)
class Target:
    """A function to check, as the user named it, and where it comes from."""

    text: str
    function: Callable[..., Any]
    source: Source

    def parameters(self) -> Parameters:
        """Return what the function takes."""
        f = self.function
        if isinstance(f, (Op, Program)):
            count = f.arity if isinstance(f, Op) else len(f.inputs)
            return Parameters(count, count)
        try:
            signature = inspect.signature(f)
        except (TypeError, ValueError):
            return Parameters(None, None)
        positional = [
            p for p in signature.parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        needed = [p for p in positional if p.default is p.empty]
        trouble = ""
        for p in signature.parameters.values():
            if p.kind == p.KEYWORD_ONLY and p.default is p.empty:
                trouble = f"it needs the keyword argument {p.name!r}"
        for p in needed:
            wanted = "" if p.annotation is p.empty else inspect.formatannotation(p.annotation)
            if _NOT_NUMBERS.search(wanted):
                trouble = f"its parameter {p.name!r} is no number but {shorten(wanted, 60)}"
        rest = any(p.kind == p.VAR_POSITIONAL for p in signature.parameters.values())
        return Parameters(len(needed), None if rest else len(positional), tuple(p.name for p in needed), trouble)

    @property
    def place(self) -> str:
        """Where the function is defined, ``"model.py:12"``, or empty."""
        code = getattr(inspect.unwrap(getattr(self.function, "__func__", self.function)), "__code__", None)
        return "" if code is None else f"{_short(code.co_filename)}:{code.co_firstlineno}"


def import_target(text: str) -> Target:
    """Return the function that ``module:function`` or ``file.py:function`` names.

    A method that is named through its class is that of an instance made without arguments.

    Raises ``ExpressionError`` where there is no such module or function, or where it is something else.
    """
    module_text, colon, attribute = text.strip().rpartition(":")
    if not colon or not module_text or not attribute:
        hint = "module:function, or file.py:function" + ("; numbers belong behind --at" if _is_number(text) else "")
        raise ExpressionError(f"{_shown(text)} does not name a function; write {hint}")
    module, source = import_user_module(module_text)
    found: Any = module
    way = ""
    for name in attribute.split("."):
        owner = found
        try:
            found = getattr(owner, name)
        except AttributeError:
            shown = f"{_shown(module_text)}" if owner is module else f"{_shown(way)}"
            known = [x for x in dir(owner) if not x.startswith("_") and callable(getattr(owner, x, None))]
            hint = near(name, known) or (f"; it has {_some(_own(known, owner))}" if _own(known, owner) else "")
            raise ExpressionError(f"{shown} has no {_shown(name)}{hint}") from None
        except Exception as error:
            raise ExpressionError(raised(error)) from None
        if isinstance(owner, type) and inspect.isfunction(found) and not _is_static(owner, name):
            found = getattr(_instance(owner, f"{way}.{name}"), name)
            way += "()"
        way = f"{way}.{name}" if way else name
    if not callable(found):
        raise ExpressionError(f"{_shown(text)} is {describe(found)}, not a function")
    return Target(text.strip(), found, Source(source.module, way, source.root))


def _is_static(owner: type, name: str) -> bool:
    return isinstance(inspect.getattr_static(owner, name), staticmethod)


def _instance(owner: type, method: str) -> Any:
    try:
        with aside():
            return owner()
    except Exception as error:
        raise ExpressionError(
            f"{_shown(method)} is a method, and {owner.__name__}() raises {type(error).__name__}:"
            f" {_line(error, 100)}; make an object in the module and name that: module:object.{method.split('.')[-1]}"
        ) from None


def _own(names: Iterable[str], owner: Any) -> list[str]:
    """Return those of ``names`` that are defined in the module itself, not imported into it."""
    if not isinstance(owner, ModuleType):
        return list(names)
    return [x for x in names if getattr(getattr(owner, x), "__module__", None) == owner.__name__]


def _some(names: Sequence[str]) -> str:
    return clean(", ".join(names[:6]) + (", ..." if len(names) > 6 else ""))


# --- points -----------------------------------------------------------------------------------------------------


def read_number(text: str) -> float:
    """Return the number that a text such as ``-1.5`` or ``pi/6`` spells.

    Raises ``ExpressionError`` for anything else.

    >>> read_number(" -pi/2")
    -1.5707963267948966
    """
    try:
        expression = parse(text)
        unknown = [x for x in expression.names if x not in CONSTANTS]
        if unknown:
            raise ExpressionError(f"{shorten(unknown[0], 30)!r} is not a number{near(unknown[0].lower(), CONSTANTS)}")
        return float(expression.evaluate({}))
    except ExpressionError as error:
        raise ExpressionError(f"cannot read the number {_shown(text)}: {error}") from None


def _is_number(text: str) -> bool:
    try:
        read_number(text)
    except ExpressionError:
        return False
    return True


# --- what the user's code raises ----------------------------------------------------------------------------------


def raised(error: BaseException) -> str:
    """Return ``file:line: what was raised``, where the line is the deepest one of the user's own.

    Empty in front where no line of the user took part: what the library says about a result, for instance.
    """
    place = ""
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError) and error.filename:
        place = f"{_short(error.filename)}:{error.lineno or 1}: "
    else:
        ours = str(Path(micrograd.__file__).parent)
        others = [x for x in frames if not x.filename.startswith((ours, "<frozen"))]
        theirs = [x for x in others if not _is_installed(x.filename)]
        if others:
            last = (theirs or others)[-1]
            place = f"{_short(last.filename)}:{last.lineno}: "
    message = _line(error.msg if isinstance(error, SyntaxError) else error, 240)
    return f"{place}{type(error).__name__}{': ' if message else ''}{message}"


def _line(error: object, limit: int) -> str:
    try:
        text = str(error)
    except Exception:  # a broken __str__ must not hide the error that is being reported
        text = ""
    return clean(shorten(" ".join(text.split()), limit))


def _short(file: str) -> str:
    """Return the path of a file as seen from here, where it is below this folder."""
    try:
        way = os.path.relpath(file)
    except ValueError:  # another drive
        return clean(file)
    return clean(file if way.startswith("..") else way)


def _shown(text: str) -> str:
    return repr(clean(shorten(text.strip(), 60)))
