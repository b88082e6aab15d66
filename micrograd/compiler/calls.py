"""``Calls``: which variant of a compiled function a call belongs to, captured now if it is the first of its kind."""

from __future__ import annotations

import inspect
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from micrograd.compiler.arguments import key_of
from micrograd.compiler.variant import Settings, Variant

__all__ = ["VARIANTS", "Calls"]

VARIANTS = 64
"""Structures of arguments that are kept; the one that was captured longest ago goes first."""


class Calls:
    """The variants of one function.

    Args:
        f: the user's function.
        name: what messages call it.
        settings: how to compile.

    Raises ``ValueError`` for a batched name that is not an argument, ``TypeError`` for a function that takes any
    keyword arguments.
    """

    def __init__(self, f: Callable[..., Any], name: str, settings: Settings) -> None:
        self.variants: OrderedDict[Any, Variant] = OrderedDict()
        self.lock = threading.RLock()
        self._f = f
        self._settings = settings
        self._signature = inspect.signature(f)
        kinds = [p.kind for p in self._signature.parameters.values()]
        self._simple = all(kind is inspect.Parameter.POSITIONAL_OR_KEYWORD for kind in kinds)
        self._names = tuple(self._signature.parameters)
        self._batched = tuple([name in settings.batched for name in self._names])
        unknown = sorted(settings.batched.difference(self._names))
        if unknown:
            raise ValueError(
                f"batched names {', '.join(map(repr, unknown))}, which {name} does not take (arguments:"
                f" {', '.join(self._names) or 'none'})"
            )
        if inspect.Parameter.VAR_KEYWORD in kinds:
            raise TypeError(f"{name} takes any keyword arguments; a compiled function names its arguments")

    def variant(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Variant, list[Any]]:
        """Return the variant for a call, and the values of its arguments in order."""
        if self._simple and not keywords and len(args) == len(self._names):
            key: Any = tuple([key_of(x, batched) for x, batched in zip(args, self._batched)])
            variant = self.variants.get(key)
            if variant is not None:
                return variant, list(args)
            call = [(name, x, False) for name, x in zip(self._names, args)]
        else:
            call = self._bound(args, keywords)
            keys = [key_of(x, name in self._settings.batched) for name, x, _ in call]
            key = tuple(keys) if self._simple else tuple(zip([name for name, _, _ in call], keys))
        with self.lock:
            variant = self.variants.get(key)
            if variant is None:
                variant = self.variants[key] = Variant(self._f, call, self._settings)
                if len(self.variants) > VARIANTS:
                    self.variants.popitem(last=False)
        return variant, [x for _, x, _ in call]

    def _bound(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> list[tuple[str, Any, bool]]:
        """Return name and value of each argument, and whether it is passed by name."""
        bound = self._signature.bind(*args, **keywords)
        bound.apply_defaults()
        call: list[tuple[str, Any, bool]] = []
        for name, x in bound.arguments.items():
            kind = self._signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_POSITIONAL:
                call += [(f"{name}[{i}]", part, False) for i, part in enumerate(x)]
            else:
                call.append((name, x, kind is inspect.Parameter.KEYWORD_ONLY))
        return call
