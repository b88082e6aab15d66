"""Tests of gradients, for this library and for programs that use it.

=================  ================================================================
``strategies.py``  Hypothesis strategies: ``values``, and ``programs`` at random
=================  ================================================================

The strategies need Hypothesis, an optional dependency: they are loaded when they are first asked for, and
``import micrograd.testing`` works without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from micrograd._deps import require

if TYPE_CHECKING:
    from micrograd.testing.strategies import Program as Program
    from micrograd.testing.strategies import programs as programs
    from micrograd.testing.strategies import values as values

__all__ = ["Program", "programs", "values"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        require("hypothesis", extra="test", purpose=f"micrograd.testing.{name}")
        return getattr(import_module("micrograd.testing.strategies"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
