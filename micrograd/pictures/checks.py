"""What ``draw`` and ``explore`` refuse alike: arguments that make no sense."""

from __future__ import annotations

from micrograd.errors import describe

__all__ = ["check_count", "check_timeout", "check_title"]


def check_count(what: str, count: object, least: int, most: int | None = None) -> None:
    """Raise ``TypeError`` or ``ValueError`` unless ``count`` is a whole number from ``least`` to ``most``."""
    if not isinstance(count, int) or isinstance(count, bool):
        raise TypeError(f"{what} is a whole number, not {describe(count)}")
    if count < least or (most is not None and count > most):
        raise ValueError(f"{what} is {least} or more{f', at most {most}' if most else ''}, not {count}")


def check_title(title: object) -> None:
    """Raise ``TypeError`` unless ``title`` is text."""
    if not isinstance(title, str):
        raise TypeError(f"a title is text, not {describe(title)}")


def check_timeout(timeout: object) -> None:
    """Raise ``TypeError`` or ``ValueError`` unless ``timeout`` is a number of seconds above 0, or ``None``."""
    if timeout is None:
        return
    if not isinstance(timeout, (int, float)) or isinstance(timeout, bool):
        raise TypeError(f"timeout is a number of seconds, not {describe(timeout)}")
    if not timeout > 0.0:
        raise ValueError(f"timeout is more than 0 seconds, not {timeout!r}")
