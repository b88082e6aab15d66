"""The table of operations: one row per operation, the only place where a derivative is written.

Where to look:

======================  ==========================================================================
``table.py``            ``Op``, a row of the table; ``op``, which adds one
``operand.py``          what everything that flows through operations shares: operators and methods
``floats.py``           numbers: what counts as one, and libm made total in the sense of IEEE 754
``domain.py``           where an operation is defined, written as intervals
``arithmetic.py``       ``+ - * /`` and signs
``selection.py``        comparisons, ``where``, ``maximum``, ``clamp`` and their kin
``elementary.py``       powers, exponentials, logarithms, trigonometry, hyperbolic and error functions
``activations.py``      relu and its smooth relatives
``reductions.py``       operations over any number of operands: sum, dot, logsumexp, ...
``formula.py``          a rule as a formula that people read, traced from the rule itself
``stubs.py``            what type checkers see of the methods that come from the table
======================  ==========================================================================
"""

from micrograd.ops import activations, arithmetic, elementary, reductions, selection
from micrograd.ops.activations import *
from micrograd.ops.arithmetic import *
from micrograd.ops.elementary import *
from micrograd.ops.elementary import pow as pow
from micrograd.ops.operand import Operand
from micrograd.ops.reductions import *
from micrograd.ops.reductions import sum as sum
from micrograd.ops.selection import *
from micrograd.ops.selection import abs as abs
from micrograd.ops.table import Accuracy, Op, op, operations

__all__ = ["Accuracy", "Op", "Operand", "op", "operations"]
__all__ += arithmetic.__all__
__all__ += selection.__all__
__all__ += elementary.__all__
__all__ += activations.__all__
__all__ += reductions.__all__
