"""micrograd: a scalar automatic-differentiation engine to read, see, trust and run."""

__version__ = "0.2.0"

from micrograd.engine import Value
from micrograd.ops import *
from micrograd.ops import op, Op, operations
from micrograd.ops.arithmetic import *
from micrograd.ops.selection import *
from micrograd.ops.elementary import *
from micrograd.ops.activations import *
from micrograd.ops.reductions import *
from micrograd._modes import no_grad, detect_anomaly, scope, pause_gc
