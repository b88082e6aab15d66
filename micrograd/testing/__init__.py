"""Tests of gradients, for this library and for programs that use it.

``gradcheck`` gives a verdict on the gradient of any function at a point, ``assert_gradients`` raises where it is wrong;
both need nothing but the standard library, and use mpmath where it is installed. The strategies draw inputs and whole
programs for Hypothesis. ``check_operation`` tests an operation by what its row of the table says.

The verdict on a function:

=========================  ============================================================================================
``check.py``               ``gradcheck``, ``assert_gradients``: what is judged, in which order
``recording.py``           calls of the function; ``influences.py``: is it what its graph says?
``rules.py``               the first level: every rule against an oracle; ``rule_derivatives.py``: and its derivative
``kinks.py``               where there is no derivative, and what the engine has to give there
``passes.py``              the second level: the backward pass against forward mode; ``second_passes.py``: and its
                           derivative; ``laws.py``: and results that are known to the last bit
``report.py``              what is found out: ``Report``, ``Culprit``; ``findings.py``: about one rule
``program.py``             ``Program``, straight-line code; ``shrink.py`` makes it short
=========================  ============================================================================================

The oracles: ``oracles.py`` asks the best of ``exact.py`` (mpmath), ``complex_step.py`` and ``differences.py``;
``credible.py`` says when a weak one may accuse, ``rounding.py`` how far rounding may carry a result.

What is drawn: ``strategies.py`` (programs and expressions), ``input_strategies.py``, ``array_strategies.py``.

What is tested of an operation: ``operations.py`` is the face of ``properties.py``, ``domain_edges.py``,
``compiled_form.py`` and ``random_graphs.py``; ``points.py`` says where they look.

What the command line does with it: ``search.py`` looks for an input with a wrong gradient, ``tally.py`` judges many
programs, ``replay.py`` writes scripts that show a failure again.

The strategies need Hypothesis, an optional dependency: they are loaded when they are first asked for, and
``import micrograd.testing`` works without it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from micrograd._deps import require
from micrograd.testing.check import assert_gradients, gradcheck
from micrograd.testing.operations import Outcome, check_operation
from micrograd.testing.program import Program, program_of
from micrograd.testing.report import Culprit, Figures, Report

if TYPE_CHECKING:
    from micrograd.testing.array_strategies import broadcastable_arrays as broadcastable_arrays
    from micrograd.testing.input_strategies import inputs as inputs
    from micrograd.testing.input_strategies import values as values
    from micrograd.testing.strategies import expressions as expressions
    from micrograd.testing.strategies import programs as programs

_STRATEGIES = {
    "broadcastable_arrays": "array_strategies",
    "expressions": "strategies",
    "inputs": "input_strategies",
    "programs": "strategies",
    "values": "input_strategies",
}

__all__ = [
    "Culprit",
    "Figures",
    "Outcome",
    "Program",
    "Report",
    "assert_gradients",
    "broadcastable_arrays",
    "check_operation",
    "expressions",
    "gradcheck",
    "inputs",
    "program_of",
    "programs",
    "values",
]


def __getattr__(name: str) -> Any:
    if name in _STRATEGIES:
        require("hypothesis", extra="test", purpose=f"micrograd.testing.{name}")
        return getattr(import_module(f"micrograd.testing.{_STRATEGIES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
