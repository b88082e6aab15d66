"""``Calls``: which variant of a compiled function a call belongs to, captured now if it is the first of its kind."""

from __future__ import annotations

import inspect
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from micrograd.compiler.arguments import Passed, key_of
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
        call: list[Passed] = []
        if self._simple and not keywords and len(args) == len(self._names):
            key: Any = tuple([key_of(x, batched) for x, batched in zip(args, self._batched)])
            variant = self.variants.get(key)
            if variant is not None and not (variant.own_rows and variant.is_stale()):
                return variant, list(args)
        else:
            call = self._bound(args, keywords)
            keys = [key_of(x.value, x.batched) for x in call]
            key = tuple(keys) if self._simple else tuple(zip([x.name for x in call], keys))
        with self.lock:
            variant = self.variants.get(key)
            if variant is None or variant.is_stale():
                call = call or self._bound(args, keywords)
                if self._settings.batched and not any(x.batched for x in call):
                    raise ValueError(f"none of the batched arguments {sorted(self._settings.batched)} came")
                variant = self.variants[key] = Variant(self._f, call, self._settings)
                if len(self.variants) > VARIANTS:
                    self.variants.popitem(last=False)
        return variant, list(args) if not call else [x.value for x in call]

    def _bound(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> list[Passed]:
        bound = self._signature.bind(*args, **keywords)
        bound.apply_defaults()
        call: list[Passed] = []
        for name, x in bound.arguments.items():
            kind, batched = self._signature.parameters[name].kind, name in self._settings.batched
            if kind is inspect.Parameter.VAR_POSITIONAL:
                call += [Passed(f"{name}[{i}]", part, batched, False) for i, part in enumerate(x)]
            else:
                call.append(Passed(name, x, batched, kind is inspect.Parameter.KEYWORD_ONLY))
        return call
