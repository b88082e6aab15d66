"""Protects the floors of the house: a file imports only from floors below its own, wings do not know one another, heavy
packages are touched in one place, and ``import micrograd`` needs nothing but the standard library.

The imports are read, not run: a file that no test happens to load is held to the rules too.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from support import run_python

import micrograd as mg

PACKAGE = Path(mg.__file__).parent

# Files and folders, from the ground up. A file may import what stands on a line above its own, and, as long as nothing
# goes round in a circle, what stands on its own line; but one wing may not import another.
FLOORS: list[set[str]] = [
    {"errors", "_console", "_files", "_json", "_deps", "_version"},
    {"ops"},
    {"_modes", "_node", "_copying", "engine"},
    {"arrays", "graph", "graph_file"},
    {"_structure", "functional"},
    {"nn", "optim", "pictures", "testing", "compiler"},
    {"distributed"},
    {"cli", "pytest_plugin", "__init__", "__main__"},
]
WINGS = FLOORS[5]
BETWEEN_WINGS = {("pictures", "compiler")}  # the explorer runs on the compiler's JavaScript

FUNCTIONS_MAY_IMPORT = {"cli", "pytest_plugin", "__init__", "__main__", "_deps", "_console"}
IMPORTLIB = {"_deps", "__init__", "cli", "testing"}  # loading on demand: the faces, and the face of a wing
HEAVY = {"numpy": {"arrays", "compiler"}, "rich": {"_console"}, "hypothesis": {"testing"}}

LOADED_AT_ONCE = """
    micrograd micrograd._console micrograd._copying micrograd._deps micrograd._files micrograd._json micrograd._modes
    micrograd._node micrograd._structure micrograd._version
    micrograd.arrays micrograd.engine micrograd.errors micrograd.functional micrograd.graph
    micrograd.graph_file micrograd.ops micrograd.ops.activations micrograd.ops.arithmetic micrograd.ops.domain
    micrograd.ops.elementary micrograd.ops.floats micrograd.ops.operand micrograd.ops.reductions
    micrograd.ops.selection micrograd.ops.table
""".split()
STANDARD_LIBRARY = """
    __future__ builtins collections contextlib contextvars dataclasses errno functools gc html importlib json keyword
    linecache math numbers operator os re secrets stat sys textwrap threading types typing unicodedata weakref
""".split()


@dataclass(frozen=True)
class Import:
    """One import of one module, as a file has it."""

    file: str  # "ops/table.py"
    module: str  # "micrograd.errors"
    line: int
    in_function: bool
    for_types_only: bool

    @property
    def place(self) -> str:
        return place_of(self.file)


def place_of(file: str) -> str:
    return file.partition("/")[0].removesuffix(".py")


def files() -> list[str]:
    return sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


def module_name(file: str) -> str:
    return ".".join(["micrograd", *file.removesuffix(".py").removesuffix("__init__").strip("/").split("/")]).rstrip(".")


MODULES = {module_name(file): file for file in files()}


def imports_of(file: str) -> Iterator[Import]:
    tree = ast.parse((PACKAGE / file).read_text(encoding="utf-8"))
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: a relative import"
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            modules = [module if module in MODULES else str(node.module) for module in inside]
        else:
            continue
        around = []
        at: ast.AST = node
        while at in parents:
            at = parents[at]
            around.append(at)
        in_function = any(isinstance(x, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) for x in around)
        for_types = any(isinstance(x, ast.If) and "TYPE_CHECKING" in ast.unparse(x.test) for x in around)
        for module in dict.fromkeys(modules):
            yield Import(file, module, node.lineno, in_function, for_types)


IMPORTS = [found for file in files() for found in imports_of(file)]
AT_HOME = [x for x in IMPORTS if x.module in MODULES]


def floor_of(file: str) -> int:
    return next(i for i, places in enumerate(FLOORS) if place_of(file) in places)


def test_every_file_belongs_to_a_floor() -> None:
    known = set().union(*FLOORS)
    assert [file for file in files() if place_of(file) not in known] == []
    assert len(IMPORTS) > 100  # the reading itself works
    assert any(x.module == "rich.table" and x.in_function for x in IMPORTS)
    assert any(x.file == "_copying.py" and x.for_types_only for x in IMPORTS)


def test_what_is_imported_from_the_package_exists() -> None:
    assert [x for x in IMPORTS if x.module.startswith("micrograd") and x.module not in MODULES] == []


def test_a_file_imports_only_from_below() -> None:
    assert [x for x in AT_HOME if floor_of(MODULES[x.module]) > floor_of(x.file)] == []


def test_wings_do_not_import_one_another() -> None:
    across = [
        x
        for x in AT_HOME
        if x.place in WINGS
        and place_of(MODULES[x.module]) in WINGS - {x.place}
        and (x.place, place_of(MODULES[x.module])) not in BETWEEN_WINGS
    ]
    assert across == []


def test_no_imports_in_a_circle() -> None:
    graph: dict[str, set[str]] = {module: set() for module in MODULES}
    for x in AT_HOME:
        # That a package's face imports its parts is no circle: the parts import one another, never the face.
        if not x.for_types_only and not x.in_function and module_name(x.file) != x.module:
            graph[module_name(x.file)].add(x.module)
    assert list(TopologicalSorter(graph).static_order())  # CycleError names the circle


def test_functions_import_only_in_the_faces() -> None:
    assert [x for x in IMPORTS if x.in_function and x.place not in FUNCTIONS_MAY_IMPORT] == []
    assert [x for x in IMPORTS if x.module.partition(".")[0] == "importlib" and x.place not in IMPORTLIB] == []


def outside_packages(file: str) -> set[str]:
    """Return the packages of others that a file touches, by an import or through ``_deps.require``."""
    tree = ast.parse((PACKAGE / file).read_text(encoding="utf-8"))
    required = [
        str(node.args[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("require", "_deps.require")
        and isinstance(node.args[0], ast.Constant)
    ]
    imported = [x.module for x in IMPORTS if x.file == file]
    names = {name.partition(".")[0] for name in (*required, *imported)}
    return names - sys.stdlib_module_names - {"micrograd"}


def test_a_heavy_package_is_touched_in_one_place() -> None:
    touched: dict[str, set[str]] = {}
    for file in files():
        for package in outside_packages(file):
            touched.setdefault(package, set()).add(file)
    for package, places in HEAVY.items():
        assert {place_of(file) for file in touched.pop(package)} <= places
    assert {package: where for package, where in touched.items() if len(where) > 1} == {}


def test_only_arrays_and_the_compiler_know_numpy_and_only_through_the_loader() -> None:
    found = [x for x in IMPORTS if x.module.partition(".")[0] == "numpy" and not x.for_types_only]
    assert [x for x in found if x.place != "compiler"] == []


def test_importing_the_package_needs_only_the_standard_library() -> None:
    program = """
import sys
before = set(sys.modules)
import micrograd
new = set(sys.modules) - before
print(*sorted(name for name in new if name.partition(".")[0] not in sys.stdlib_module_names))
"""
    assert run_python(program).split() == sorted(LOADED_AT_ONCE)


def test_what_is_loaded_at_once_imports_little_of_the_standard_library() -> None:
    direct = {
        x.module.partition(".")[0]
        for x in IMPORTS
        if module_name(x.file) in LOADED_AT_ONCE and not x.for_types_only and not x.in_function
    }
    assert direct - {"micrograd"} <= set(STANDARD_LIBRARY)


@pytest.mark.parametrize("missing", ["numpy", "rich", "hypothesis", "mpmath"])
def test_the_engine_works_without_the_optional_packages(missing: str) -> None:
    program = f"""
import sys
sys.modules[{missing!r}] = None
import micrograd as mg
x = mg.Value(2.0, label="x")
y = mg.tanh(x * x) + mg.sum([x, 1.0])
y.backward()
print(mg.explain(x, y).gradient == x.grad, mg.grad(mg.grad(lambda t: t ** 3))(2.0), mg.nn.MLP(2, [1]))
try:
    mg.array([1.0])
except ImportError as error:
    print(error)
"""
    printed = run_python(program).splitlines()
    assert printed[0] == "True 12.0 MLP(2 -> 1, 3 parameters)"
    if missing == "numpy":
        assert "needs numpy, which is not installed" in printed[1] or "does not load" in printed[1]
