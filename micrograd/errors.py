"""Every exception that micrograd defines, and the words that errors share.

What a Python user would catch anyway is what is raised: the classes below are refinements of
built-in exceptions, so ``except ValueError`` keeps working::

    Exception
    ├── ArithmeticError
    │   └── AnomalyError          a value or a gradient stopped being finite
    ├── AssertionError
    │   └── GradientError         a gradient is wrong, or cannot be told to be right
    ├── RuntimeError
    │   ├── CompilationError      an operation that a backend cannot translate
    │   ├── DrawingError          Graphviz is missing, fails or takes too long
    │   └── StaleValueError       an operand changed since the forward pass
    ├── TypeError
    │   └── TraceError            a function that cannot be captured for compilation
    └── ValueError
        ├── ExpressionError       text that is not an expression of the command line
        ├── GraphFileError        a file that is not a graph this version can load
        └── ModelFileError        a file that does not hold the parameters of a model, or of this one

Everything else is plain ``TypeError``, ``ValueError``, ``IndexError``, ``OverflowError`` or ``ImportError``.
"""

from __future__ import annotations

__all__ = [
    "AnomalyError",
    "CompilationError",
    "DrawingError",
    "ExpressionError",
    "GradientError",
    "GraphFileError",
    "ModelFileError",
    "StaleValueError",
    "TraceError",
    "describe",
    "not_a_number",
    "not_among",
]


class AnomalyError(ArithmeticError):
    """Raised inside ``detect_anomaly()`` at the first value or gradient that is not finite."""


class GradientError(AssertionError):
    """Raised by ``assert_gradients``; ``report`` is what the check found out."""

    def __init__(self, message: str, report: object = None) -> None:
        self.report = report
        super().__init__(message)


class StaleValueError(RuntimeError):
    """Raised by a differentiable backward pass when an operand changed since the forward pass."""


class CompilationError(RuntimeError):
    """Raised for an operation that a backend cannot translate: its rule or its forward function cannot be traced."""


class DrawingError(RuntimeError):
    """Raised where Graphviz is missing, fails, or does not finish in time."""


class TraceError(TypeError):
    """Raised where a function that is being compiled asks a symbol for its number; names the line.

    Where a function computes with an int argument, ``path`` is the position of the argument, then the way in it.
    """

    def __init__(self, message: str, path: tuple[object, ...] | None = None) -> None:
        self.path = path
        super().__init__(message)


class ExpressionError(ValueError):
    """Raised for text that is not an expression of the command line; ``column`` counts from 1."""

    def __init__(self, message: str, column: int | None = None) -> None:
        self.column = column
        super().__init__(message if column is None else f"{message} (column {column})")


class GraphFileError(ValueError):
    """Raised by ``micrograd.load`` for a damaged or foreign file."""


class ModelFileError(ValueError):
    """Raised by ``Module.load`` for a damaged or foreign file, or one with the parameters of another model."""


def describe(x: object, limit: int = 60) -> str:
    """Return ``x`` as an error message shows it: its repr, cut to ``limit`` characters, and its type.

    >>> describe("0.5")
    "'0.5' (type str)"
    """
    try:
        text = repr(x)
    except Exception as error:  # a broken __repr__ must not hide the error that is being reported
        text = f"<repr failed: {type(error).__name__}>"
    if len(text) > limit:
        text = text[: limit - 3] + "..."
    return f"{text} (type {type(x).__name__})"


# What to do instead, by the name of the type that came: no import of NumPy or the engine is needed.
_NEXT_STEP = {
    "str": "convert it first with float(text)",
    "bytes": "convert it first with float(text)",
    "complex": "micrograd is real: differentiate the real and the imaginary part apart",
    "Decimal": "convert it first with float(number)",
    "NoneType": "is a return statement or an argument missing?",
    "list": "use micrograd.array(...) or a loop",
    "tuple": "use micrograd.array(...) or a loop",
    "ndarray": "use micrograd.array(...)",
    "Input": "compute with it as it is; derivatives are taken of the compiled function, as in f.jvp(...)",
    "Value": "it is a node already; +v makes a new node from it, v.data is its number",
}


def not_a_number(x: object, wanted: str = "a real number") -> str:
    """Return the message for something that came where a number belongs.

    >>> not_a_number("0.5")
    "expected a real number but got '0.5' (type str); convert it first with float(text)"
    """
    step = _NEXT_STEP.get(type(x).__name__)
    return f"expected {wanted} but got {describe(x)}" + (f"; {step}" if step else "")


def not_among(what: str, size: int, came: object) -> str:
    """Return the message for something that came where an int chooses one of ``size``.

    >>> not_among("a label", 3, 4)
    'a label is an int from 0 to 2, not 4'
    """
    return f"{what} is an int from 0 to {size - 1}, not {came}"
