"""Arrays of Values: NumPy's object arrays, in which broadcasting is nothing but sharing a node.

``array`` makes one, ``data_of`` and ``grad_of`` read it. Everything between is NumPy's own: ``+ - * / **`` and ``@``
with broadcasting, ``.sum(axis=0)``, ``.mean()``, ``.T``, indexing, and the ufuncs listed in ``UFUNCS``, which find the
methods of ``Value``. What NumPy cannot carry over object arrays stands in ``INSTEAD`` with the function to use: all
operations of micrograd broadcast over arrays, mixed with numbers or not.

>>> import numpy as np, micrograd as mg
>>> x, b = mg.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), mg.array([0.5, 0.5])
>>> out = x + b                                    # b is shared by three rows ...
>>> (out * out).sum().backward()
>>> mg.grad_of(b) == (2 * mg.data_of(out)).sum(axis=0)   # ... so db = dout.sum(axis=0)
array([ True,  True])

NumPy is optional: this file asks for it only when an array comes along.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from micrograd import _deps
from micrograd.engine import Value
from micrograd.errors import describe, not_a_number
from micrograd.ops import Op
from micrograd.ops.floats import as_float
from micrograd.ops.table import handle_arrays

if TYPE_CHECKING:
    import numpy as np

__all__ = ["INSTEAD", "UFUNCS", "array", "data_of", "from_flat", "grad_of", "is_array"]

UFUNCS = (
    "absolute",
    "add",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctanh",
    "cbrt",
    "cos",
    "cosh",
    "deg2rad",
    "degrees",
    "divide",
    "exp",
    "exp2",
    "expm1",
    "fabs",
    "log",
    "log10",
    "log1p",
    "log2",
    "matmul",
    "multiply",
    "negative",
    "positive",
    "power",
    "rad2deg",
    "radians",
    "reciprocal",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "subtract",
    "tan",
    "tanh",
)
"""NumPy's ufuncs that work on an array of Values (``divide`` is also ``true_divide``, ``absolute`` also ``abs``)."""

INSTEAD = {
    "arctan2": "micrograd.atan2",
    "clip": "micrograd.clamp",
    "copysign": "micrograd.copysign",
    "fmax": "micrograd.maximum",
    "fmin": "micrograd.minimum",
    "fmod": "micrograd.fmod",
    "hypot": "micrograd.hypot",
    "isfinite": "numpy.isfinite(micrograd.data_of(a))",
    "isinf": "numpy.isinf(micrograd.data_of(a))",
    "isnan": "micrograd.isnan",
    "linalg.norm": "micrograd.sqrt((a * a).sum())",
    "logaddexp": "micrograd.logsumexp([a, b])",
    "maximum": "micrograd.maximum",
    "minimum": "micrograd.minimum",
    "prod": "micrograd.prod (its derivative is exact with zeros too)",
    "sign": "micrograd.copysign(1.0, a)",
    "where": "micrograd.where",
}
"""What NumPy gets wrong, or refuses, on arrays of Values or on arrays of Values and numbers mixed; and what to use."""


def _numpy() -> Any:
    return _deps.require("numpy", extra="numpy", purpose="arrays of Values")


def is_array(x: object) -> bool:
    """Tell whether ``x`` is a NumPy array, without importing NumPy."""
    return hasattr(type(x), "__array_function__") and hasattr(x, "shape")


def array(data: Any, *, label: str = "") -> np.ndarray[Any, Any]:
    """Return an object array with a new Value for every number of ``data``; Values in it stay the nodes they are.

    Args:
        data: a number, nested sequences of one shape, or a NumPy array; any shape.
        label: the elements are labelled ``label[0]``, ``label[0,1]``, ...

    Raises ``TypeError`` for an element that is neither a number nor a Value, ``ValueError`` for ragged sequences.

    >>> array([[1, 2], [3, 4]], label="w")[1, 0]
    Value(data=3.0, grad=0.0, label='w[1,0]')
    """
    np = _numpy()
    source = data if is_array(data) else np.array(data, dtype=object)
    result = np.empty(source.shape, dtype=object)
    for index in np.ndindex(source.shape):
        x = source[index]
        if isinstance(x, Value):
            result[index] = x
            continue
        if isinstance(x, (list, tuple)):
            raise ValueError(f"nested sequences of different lengths do not make an array: {describe(data)}")
        number = as_float(x)
        if number is None:
            raise TypeError(not_a_number(x, "a real number or a Value in an array"))
        result[index] = Value(number, label=f"{label}[{','.join(map(str, index))}]" if label else "")
    return result  # type: ignore[no-any-return]


def data_of(a: Any) -> Any:
    """Return the numbers of an array of Values as float64, in its shape (of one Value: a NumPy float).

    Raises ``TypeError`` for an element that is neither a number nor a Value.

    >>> data_of([Value(1.0), 2.0])
    array([1., 2.])
    """
    return _numbers(a, lambda v: v.data)


def grad_of(a: Any) -> Any:
    """Return the gradients of an array of Values as float64, in its shape (of one Value: a NumPy float).

    Raises ``TypeError`` for an element that is not a Value: a number has no gradient.

    >>> w = array([1.0, 2.0])
    >>> (w * w).sum().backward()
    >>> grad_of(w)
    array([2., 4.])
    """
    return _numbers(a, lambda v: v.grad.data if isinstance(v.grad, Value) else v.grad, numbers_allowed=False)


def _numbers(a: Any, read: Any, numbers_allowed: bool = True) -> Any:
    np = _numpy()
    source = a if is_array(a) else np.array(a, dtype=object)
    result = np.empty(source.shape, dtype=np.float64)
    for index in np.ndindex(source.shape):
        x = source[index]
        number = read(x) if isinstance(x, Value) else as_float(x) if numbers_allowed else None
        if number is None:
            wanted = "a Value or a number" if numbers_allowed else "a Value (a number has no gradient)"
            raise TypeError(not_a_number(x, wanted))
        result[index] = number
    return result[()]


def from_flat(items: Iterable[Any], shape: Sequence[int]) -> np.ndarray[Any, Any]:
    """Return an array of ``shape`` from its elements: float64 where all are numbers, else an object array.

    >>> from_flat([1.0, 2.0], (2, 1))
    array([[1.],
           [2.]])
    """
    np = _numpy()
    elements = list(items)
    plain = all(type(x) is float for x in elements)
    result = np.empty(len(elements), dtype=np.float64 if plain else object)
    for i, x in enumerate(elements):
        result[i] = x
    return result.reshape(shape)  # type: ignore[no-any-return]


def _broadcast(op: Op, operands: tuple[Any, ...]) -> Any:
    """Apply ``op`` element by element; NumPy's own error where the shapes do not go together."""
    np = _numpy()
    sources = [x if is_array(x) else np.array(x, dtype=object) for x in operands]
    shape = np.broadcast_shapes(*[source.shape for source in sources])
    columns = [np.broadcast_to(source, shape).ravel().tolist() for source in sources]
    return from_flat([op.apply(row) for row in zip(*columns)], shape)[()]


handle_arrays(_broadcast)
