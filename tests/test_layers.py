"""Protects the floors of the house: imports only look down, are where a reader looks for them, and stay few.

What is read are the files (with ``ast``), not what happens to be loaded; only the last tests start Python.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "micrograd"

# From the ground up. A name that ends in "." stands for a folder; files of one row do not import each other, but for
# those of one folder and for the engine's own four.
FLOORS: list[set[str]] = [
    {"errors", "_console", "_files", "_deps"},
    {"ops."},
    {"engine", "_node", "_modes", "_copying"},
    {"arrays", "graph", "graph_file"},
    {"_structure"},
    {"functional"},
    {"nn", "testing."},
    {"__init__"},
    {"cli."},
    {"__main__"},
]
ENGINE = FLOORS[2]

# Heavy or optional packages, and the one file that may name each of them. NumPy comes through _deps and is nowhere
# imported; ``testing`` is for tests and has Hypothesis.
OPTIONAL = {"rich": {"_console"}, "hypothesis": {"testing.strategies"}, "numpy": set(), "mpmath": set(), "torch": set()}
# Where an import may stand inside a function: the faces, which load a command or a wing when it is asked for; _deps,
# whose purpose that is; and _console, because an account prints itself and ``import micrograd`` must stay light.
LATE = {"__init__", "cli.__init__", "_deps", "_console", "testing.__init__"}


def modules() -> dict[str, Path]:
    return {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in sorted(PACKAGE.rglob("*.py"))}


def unit(module: str) -> str:
    """Return the entry of FLOORS that a module belongs to."""
    return f"{module.split('.')[0]}." if "." in module else module


def floor(module: str) -> int:
    found = [i for i, names in enumerate(FLOORS) if unit(module) in names]
    assert len(found) == 1, f"micrograd/{module}: give it its place in FLOORS"
    return found[0]


def imported(path: Path) -> list[tuple[str, ast.AST, bool]]:
    """Return what a file imports at run time: full names, and whether inside a function."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: list[tuple[str, ast.AST, bool]] = []

    def visit(node: ast.AST, late: bool) -> None:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return  # read by type checkers only
        if isinstance(node, ast.Import):
            found.extend((alias.name, node, late) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            assert node.module is not None
            found.extend((f"{node.module}.{alias.name}", node, late) for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child, late or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)))

    visit(tree, False)
    return found


def own(name: str) -> str | None:
    """Return the module of micrograd that an imported name lies in, or None for another package."""
    if name != "micrograd" and not name.startswith("micrograd."):
        return None
    parts = name.split(".")[1:]
    known = modules()
    while parts:
        for candidate in (".".join(parts), ".".join([*parts, "__init__"])):
            if candidate in known:
                return candidate
        parts.pop()
    return "__init__"


@pytest.mark.parametrize("module", modules())
def test_imports_look_down(module: str) -> None:
    for name, _, _ in imported(modules()[module]):
        target = own(name)
        if target is None or target == module:
            continue
        if unit(target) == unit(module) and "." in unit(module):
            continue  # one folder; it has no circle, or Python would not load it
        if {module, target} <= ENGINE:
            continue
        assert floor(target) < floor(module), f"micrograd/{module} imports {name}, from its own floor or above"


@pytest.mark.parametrize("module", modules())
def test_imports_stand_at_the_top(module: str) -> None:
    late = [name for name, _, inside in imported(modules()[module]) if inside]
    assert not late or module in LATE, f"micrograd/{module} imports {late} inside a function"


@pytest.mark.parametrize("module", modules())
def test_each_optional_package_has_one_door(module: str) -> None:
    for name, _, _ in imported(modules()[module]):
        top = name.split(".")[0]
        assert own(name) is not None or top in sys.stdlib_module_names or module in OPTIONAL[top]


def test_the_engine_imports_nothing_outside_the_standard_library() -> None:
    program = "import sys, micrograd; print(*{name.split('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-S", "-c", program], cwd=PACKAGE.parent, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    strangers = set(run.stdout.split()) - set(sys.stdlib_module_names) - {"micrograd", "__main__", "__mp_main__"}
    assert strangers == set()


def test_nothing_imports_the_whole_package_from_inside() -> None:
    """``import micrograd`` inside the package would hide an import that looks up."""
    for module, path in modules().items():
        names = [name for name, node, _ in imported(path) if isinstance(node, ast.Import)]
        assert "micrograd" not in names or module == "__main__", module


def test_files_have_one_subject() -> None:
    """A file of the package is at most some 400 lines long; one more subject wants one more file."""
    lengths = {module: len(path.read_text(encoding="utf-8").splitlines()) for module, path in modules().items()}
    assert {module: length for module, length in lengths.items() if length > 480} == {}
