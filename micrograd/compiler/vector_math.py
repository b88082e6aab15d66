"""Functions of the C library on vectors: what glibc's ``libmvec`` offers, by its mangled names.

Their errors, in ulps against mpmath, are listed in ``ERRORS.md`` and held there by a test.
"""

from __future__ import annotations

import ctypes
import functools

from micrograd.compiler.lower import LIBRARY
from micrograd.ops import operations

__all__ = ["C_NAMES", "LIBMVEC", "libmvec", "symbol"]

LIBMVEC = "libmvec.so.1"
C_NAMES = {name: "pow" if name == "power" else name for name in sorted(LIBRARY)}
"""How C calls a function."""

_PREFIXES = {2: "_ZGVbN2", 4: "_ZGVdN4", 8: "_ZGVeN8"}  # SSE4, AVX2, AVX-512


def symbol(name: str, lanes: int) -> str:
    """Return the name under which libmvec has a function on vectors of ``lanes`` numbers.

    >>> symbol("exp", 8), symbol("power", 4)
    ('_ZGVeN8v_exp', '_ZGVdN4vv_pow')
    """
    return f"{_PREFIXES[lanes]}{'v' * (operations()[name].arity or 0)}_{C_NAMES[name]}"


@functools.cache
def libmvec(lanes: int) -> frozenset[str]:
    """Return the functions that this machine has on vectors of ``lanes`` numbers; none where libmvec is missing."""
    if lanes not in _PREFIXES:
        return frozenset()
    try:
        library = ctypes.CDLL(LIBMVEC)
    except OSError:  # not glibc, or not a processor that libmvec is made for
        return frozenset()
    return frozenset(name for name in LIBRARY if hasattr(library, symbol(name, lanes)))
