"""Optional dependencies: loaded where they are needed, with a message that tells how to get them."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

__all__ = ["is_installed", "require"]


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import an optional dependency and return it.

    Args:
        module: the name to import, ``"numpy"`` or ``"hypothesis.strategies"``.
        extra: the extra of ``setup.cfg`` that installs it.
        purpose: what needs it, the subject of the message: ``"micrograd.array"``.

    Raises ``ImportError`` that names the purpose and the command that installs the dependency; a dependency that is
    there but does not load is said to be so.

    >>> require("json", extra="test", purpose="this example").loads("[1]")
    [1]
    >>> require("no_such_module", extra="numpy", purpose="micrograd.array")
    Traceback (most recent call last):
    ...
    ImportError: micrograd.array needs no_such_module, which is not installed; in the checkout of micrograd: \
pip install '.[numpy]'
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == package:
            state = "which is not installed"
        else:
            state = f"which is installed but does not load ({error})"
        raise ImportError(
            f"{purpose} needs {package}, {state}; in the checkout of micrograd: pip install '.[{extra}]'",
            name=package,
        ) from error


def is_installed(package: str) -> bool:
    """Tell whether ``package`` can be imported, without importing it.

    >>> is_installed("json"), is_installed("no_such_module")
    (True, False)
    """
    return importlib.util.find_spec(package) is not None
