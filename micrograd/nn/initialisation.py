"""The numbers that weights start from, drawn from ``random.Random``, so that a seed gives the same network again.

============  ==================================================================  ======================================
``uniform``   uniform between -1 and 1                                            micrograd 0.1
``glorot``    uniform between -a and a, ``a = sqrt(6 / (inputs + outputs))``      Glorot and Bengio (2010), equation 16
``he``        normal, standard deviation ``sqrt(2 / inputs)``; for relu           He and others (2015), equation 10
============  ==================================================================  ======================================

X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010;
K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers", ICCV 2015.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any, Protocol

from micrograd.errors import describe
from micrograd.nn._checks import unknown

__all__ = ["INITIALISATIONS", "Initialisation", "Source", "source_of", "weights"]


class Source(Protocol):
    """A source of random numbers: a ``random.Random``, or the module ``random`` itself."""

    def uniform(self, a: float, b: float, /) -> float:
        """Return a number between ``a`` and ``b``."""

    def gauss(self, mu: float, sigma: float, /) -> float:
        """Return a normally distributed number."""


Initialisation = str | Callable[[], float]

INITIALISATIONS = ("uniform", "glorot", "he")


def source_of(rng: Any) -> Source:
    """Return ``rng``, or Python's global ``random`` for ``None``; ``TypeError`` for a seed, which is no source."""
    if rng is None:
        return random
    if not hasattr(rng, "uniform") or not hasattr(rng, "gauss"):
        raise TypeError(f"rng is a source of random numbers such as random.Random(0), not {describe(rng)}")
    return rng  # type: ignore[no-any-return]


def weights(init: Initialisation, nin: int, nout: int, rng: Any = None) -> Callable[[], float]:
    """Return a function that draws one weight of a layer.

    Args:
        init: a name of the list above, or a function that draws a weight, which is returned as it is.
        nin: the number of inputs.
        nout: the number of neurons.
        rng: a ``random.Random``; Python's global ``random`` by default.

    Raises ``ValueError`` for an unknown name, ``TypeError`` for something else than a name or a function.

    >>> draw = weights("he", 8, 4, random.Random(0))
    >>> round(draw(), 3)
    0.471
    """
    source = source_of(rng)
    if callable(init):
        return init
    if not isinstance(init, str):
        raise TypeError(f"init is a name such as 'glorot', or a function that draws a weight, not {describe(init)}")
    if init == "uniform":
        return lambda: source.uniform(-1, 1)
    if init == "glorot":
        bound = math.sqrt(6.0 / (nin + nout))
        return lambda: source.uniform(-bound, bound)
    if init == "he":
        deviation = math.sqrt(2.0 / nin)
        return lambda: source.gauss(0.0, deviation)
    raise unknown("initialisation", init, INITIALISATIONS, "a function that draws a weight")
