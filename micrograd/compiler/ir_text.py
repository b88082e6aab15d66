"""How LLVM's assembly language writes numbers and types."""

from __future__ import annotations

import struct
from collections.abc import Callable

__all__ = ["ARITHMETIC", "COMPARISONS", "INTRINSICS", "Types", "number"]

ARITHMETIC = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
COMPARISONS = {"gt": "ogt", "ge": "oge", "lt": "olt", "le": "ole", "eq": "oeq"}
INTRINSICS = {"abs": "fabs", "sqrt": "sqrt", "copysign": "copysign"}
"""How LLVM calls an operation."""


def number(x: float) -> str:
    """Return a float as LLVM writes it: its bits.

    >>> number(1.0)
    '0x3FF0000000000000'
    """
    return f"0x{struct.unpack('<Q', struct.pack('<d', x))[0]:016X}"


class Types:
    """The types of a number, of a truth value and of an index, in one lane or in several.

    >>> Types(1).number, Types(4).number, Types(4).constant(1.0)
    ('double', '<4 x double>', 'splat (double 0x3FF0000000000000)')
    """

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        self.align = 8 * lanes
        several = lanes > 1
        self.number = f"<{lanes} x double>" if several else "double"
        self.boolean = f"<{lanes} x i1>" if several else "i1"
        self.integer = f"<{lanes} x i64>" if several else "i64"
        self.suffix = f"v{lanes}f64" if several else "f64"  # of an intrinsic function

    def constant(self, x: float) -> str:
        """Return a number, the same in every lane."""
        return number(x) if self.lanes == 1 else f"splat (double {number(x)})"

    def splat(self, line: Callable[[str], str], scalar: str) -> str:
        """Return one number in every lane; ``line`` adds an instruction and gives the name of its result."""
        if self.lanes == 1:
            return scalar
        first = line(f"insertelement {self.number} poison, double {scalar}, i64 0")
        everywhere = f"<{self.lanes} x i32> zeroinitializer"
        return line(f"shufflevector {self.number} {first}, {self.number} poison, {everywhere}")

    def integer_constant(self, k: int) -> str:
        """Return an int, the same in every lane."""
        return str(k) if self.lanes == 1 else f"splat (i64 {k})"
