"""What the derivative is where there is none: the documented slopes at kinks and ties.

They are PyTorch's: 0 at the kink of ``abs`` and ``relu``, half to each operand at a tie, all of it at a bound of
``clamp``. The table of operations follows them in its rules; here they stand once more as plain numbers, so that a rule
which departs from them by a sign is seen. An operation that is not listed may have any slope between the two sides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

__all__ = ["documented_slopes"]

_SLOPES: dict[str, Callable[..., Sequence[float | None]]] = {
    "abs": lambda a: (0.0,),
    "relu": lambda a: (0.0,),
    "leaky_relu": lambda a, slope: (slope, a),
    "elu": lambda a, alpha: (alpha, 0.0),
    "maximum": lambda a, b: (0.5, 0.5),
    "minimum": lambda a, b: (0.5, 0.5),
    "clamp": lambda a, low, high: (1.0, 0.0, 0.0) if low <= a <= high else (None, None, None),
    "copysign": lambda a, b: (0.0 if a == 0.0 else None, 0.0),
    "cbrt": lambda a: (math.inf,),
    "hypot": lambda a, b: (math.nan, math.nan),
    "dist": lambda *operands: (0.0,) * len(operands),
    "fmod": lambda a, b: (1.0, None),
    **dict.fromkeys(("gt", "ge", "lt", "le", "eq"), lambda a, b: (0.0, 0.0)),
}


def documented_slopes(name: str, operands: Sequence[float]) -> Sequence[float | None]:
    """Return the slope with respect to each operand at a kink; ``None`` where nothing is documented.

    >>> documented_slopes("maximum", [3.0, 3.0])
    (0.5, 0.5)
    """
    slopes = _SLOPES.get(name)
    return (None,) * len(operands) if slopes is None else slopes(*operands)
