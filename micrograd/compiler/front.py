"""``compile``: the face of the compiler."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from micrograd.compiler.compiled import Compiled
from micrograd.compiler.variant import Settings
from micrograd.errors import describe

__all__ = ["BACKENDS", "compile"]

BACKENDS = ("llvm", "python")
_REDUCTIONS = ("sum", "mean", None)


def compile(
    f: Callable[..., Any] | None = None,
    *,
    batched: str | Iterable[str] = (),
    reduce: str | None = None,
    argnums: int | Sequence[int] | None = None,
    backend: str = "llvm",
    fastmath: bool = False,
    threads: int = 1,
    cache: bool = True,
) -> Any:
    """Return ``f`` as a function that runs native code; also a decorator, with or without options.

    ``f`` is called once for each structure of arguments, on symbols, and what it does with them is compiled: so it must
    be pure. It takes floats, NumPy arrays, nested lists, tuples and dicts of them, and ints where ``micrograd.take``
    chooses by them; it returns one Value. Values that it captures are parameters, read at every call.

    Args:
        f: the function.
        batched: the names of the arguments that carry a leading axis of samples; ``f`` sees one sample.
        reduce: ``"sum"`` or ``"mean"`` over the samples, or ``None``: every sample's own value and gradient.
        argnums: the arguments that ``value_and_grad`` differentiates, a position or several; all but ints if ``None``.
        backend: ``"llvm"``, or ``"python"``, which needs nothing but the standard library and is slow.
        fastmath: let the compiler contract a product and a sum, and reorder sums: not the eager engine's bits any more.
        threads: into how many threads a batch is divided.
        cache: keep machine code on disk, for the next process.

    Raises ``ValueError`` and ``TypeError`` for options that cannot be; ``TraceError`` at the first call where ``f``
    cannot be captured; ``ImportError`` where llvmlite or NumPy is missing.

    >>> import micrograd as mg
    >>> w = mg.Value(3.0)
    >>> @mg.compile
    ... def f(x):
    ...     return w * x * x
    >>> f(2.0), f.value_and_grad(2.0)
    (12.0, (12.0, 12.0))
    >>> f.backward(2.0), w.grad
    (12.0, 4.0)
    """
    names = frozenset([batched] if isinstance(batched, str) else batched)
    if reduce not in _REDUCTIONS:
        raise ValueError(f"reduce is 'sum', 'mean' or None, not {describe(reduce)}")
    if backend not in BACKENDS:
        raise ValueError(f"unknown backend {backend!r} (one of: {', '.join(BACKENDS)})")
    if not isinstance(threads, int) or threads < 1:
        raise ValueError(f"threads is a whole number from 1 on, not {describe(threads)}")
    if reduce is not None and not names:
        raise ValueError(f"reduce={reduce!r} is about samples; name the arguments that have them, batched=('x', ...)")
    numbers = [argnums] if argnums is None or isinstance(argnums, int) else argnums
    if not isinstance(numbers, Sequence) or any(n is not None and type(n) is not int for n in numbers):
        raise TypeError(f"argnums is an int or a sequence of ints, not {describe(argnums)}")
    settings = Settings(names, reduce, backend, bool(fastmath), threads, bool(cache))

    def compiled(function: Callable[..., Any]) -> Compiled:
        if isinstance(function, Compiled):
            raise TypeError(f"{function!r} is compiled already; compile the function itself, {function.__wrapped__!r}")
        return Compiled(function, settings, argnums)

    return compiled if f is None else compiled(f)
