"""pytest's way to the tests of operations and gradients; silent until it is asked for.

- ``pytest --micrograd-ops`` adds a test for every property of every operation, ``micrograd-ops::tanh::partials``. They
  are collected behind all others, when the modules that register operations are imported. ``-k "tanh and partials"``
  chooses among them.
- The fixture ``gradcheck`` is ``micrograd.testing.assert_gradients``, to the order that the settings say.
- Settings, in any of pytest's files: ``micrograd_ops`` (``all``, ``mine`` for those that are not built in, or names),
  ``micrograd_examples`` (points per test, 50) and ``micrograd_order`` (of the fixture, 2).

Every pytest run on a machine where micrograd is installed imports this file, so nothing else is imported before it is
needed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from micrograd.ops import Op
    from micrograd.testing.operations import Outcome

__all__ = ["OperationItem", "OperationNode", "OperationsNode", "gradcheck"]

_NAME = "micrograd-ops"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add one option and three settings."""
    group = parser.getgroup("micrograd")
    group.addoption(
        "--micrograd-ops",
        action="store_true",
        default=False,
        help="test every operation of micrograd that the setting micrograd_ops chooses, yours included",
    )
    parser.addini(
        "micrograd_ops",
        "the operations that --micrograd-ops tests: 'all', 'mine' for those that are not built in, or names",
        type="args",
        default=["all"],
    )
    parser.addini("micrograd_examples", "about how many points --micrograd-ops tries for each property", default="50")
    parser.addini("micrograd_order", "the order of derivatives that the fixture gradcheck checks, 1 or 2", default="2")


# --- settings ---------------------------------------------------------------------------------------------------


def _examples(config: pytest.Config) -> int:
    text = str(config.getini("micrograd_examples")).strip()
    if not (text.isascii() and text.isdecimal() and 1 <= len(text) <= 9 and int(text) >= 1):
        raise pytest.UsageError(f"micrograd_examples is a whole number from 1 on, not {text!r}")
    return int(text)


def _order(config: pytest.Config) -> int:
    text = str(config.getini("micrograd_order")).strip()
    if text not in ("1", "2"):
        raise pytest.UsageError(f"micrograd_order is 1 or 2, not {text!r}")
    return int(text)


def _chosen(config: pytest.Config) -> list[Op]:
    """Return the operations that the setting chooses, those of the user's modules among them."""
    from micrograd.ops import operations
    from micrograd.ops.table import is_builtin

    words: list[str] = config.getini("micrograd_ops")
    table = operations()
    if words in (["all"], []):
        return list(table.values())
    if words == ["mine"]:
        return [op for op in table.values() if not is_builtin(op)]
    unknown = [word for word in words if word not in table]
    if unknown:
        mine = [op.name for op in table.values() if not is_builtin(op)]
        raise pytest.UsageError(
            f"micrograd_ops names {unknown[0]!r}, which is no registered operation ('all', 'mine', or names from"
            f" 'micrograd ops'; of your own there are {', '.join(mine) or 'none'})"
        )
    return [table[word] for word in dict.fromkeys(words)]


def pytest_configure(config: pytest.Config) -> None:
    """Refuse settings that cannot be, before anything is collected."""
    _order(config)
    _examples(config)


# --- items ------------------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Put the operations behind everything else that a session collects; they are listed when their turn comes."""
    if isinstance(collector, OperationsNode):
        _chosen(collector.config)  # here, where a UsageError ends the session and is no error of collection
    report = yield
    if isinstance(collector, pytest.Session) and collector.config.getoption("micrograd_ops") and report.passed:
        report.result = [*report.result, OperationsNode.from_parent(collector, name=_NAME, nodeid=_NAME)]
    return report


class OperationsNode(pytest.Collector):
    """The operations that ``micrograd_ops`` chooses."""

    def collect(self) -> Iterator[pytest.Collector]:
        """Generate a collector for each."""
        for op in _chosen(self.config):
            node: OperationNode = OperationNode.from_parent(self, name=op.name)
            node.operation = op
            yield node


class OperationNode(pytest.Collector):
    """One operation."""

    operation: Op

    def collect(self) -> Iterator[pytest.Item]:
        """Generate a test for each property."""
        from micrograd.testing.operations import PROPERTIES

        for name in PROPERTIES:
            item: OperationItem = OperationItem.from_parent(self, name=name.replace(" ", "-"))
            item.operation, item.property = self.operation, name
            yield item


class OperationItem(pytest.Item):
    """One property of one operation."""

    operation: Op
    property: str

    def runtest(self) -> None:
        """Check the property; where nothing could be judged nothing was tested, and that is a failure too."""
        from micrograd.testing.operations import DOES_NOT_APPLY, check_operation
        from micrograd.testing.report import RIGHT

        outcome = check_operation(
            self.operation, self.property, examples=_examples(self.config), compile=_compiler(self.property)
        )
        if outcome.verdict == DOES_NOT_APPLY:
            pytest.skip(f"does not apply: {outcome.detail}")
        if outcome.verdict != RIGHT:
            raise _OutcomeError(outcome)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show what was found out, and no traceback of the checker."""
        if isinstance(excinfo.value, _OutcomeError):
            return excinfo.value.text
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        """Say where the test is: nowhere in a file."""
        return self.path, None, f"{self.operation.name}: {self.property}"


class _OutcomeError(Exception):
    """An operation that is wrong, or of which nothing can be told."""

    def __init__(self, outcome: Outcome) -> None:
        self.text = str(outcome)
        if outcome.verdict == "inconclusive":
            self.text += "\n  nothing could be judged, so nothing was tested"
        super().__init__(self.text)


def _compiler(property: str) -> Callable[..., Any] | None:
    if property != "compiled":
        return None
    import micrograd

    return micrograd.compile


# --- fixture ----------------------------------------------------------------------------------------------------


@pytest.fixture(name="gradcheck")
def gradcheck(pytestconfig: pytest.Config) -> Callable[..., Any]:
    """``gradcheck(f, *inputs)`` fails with a report where a gradient is wrong; ``order=``, ``oracle=`` as usual."""
    from micrograd.testing import assert_gradients

    usual = _order(pytestconfig)

    def check(f: Callable[..., Any], *inputs: Any, order: int = usual, **options: Any) -> Any:
        __tracebackhide__ = True
        return assert_gradients(f, *inputs, order=order, **options)

    return check
