"""Losses: one number that says how far a model is off, over one sample or a batch.

All take lists or arrays, work on Values and inside ``micrograd.compile``, and give by default the mean over the batch.
Those on logits never form a probability first, so they lose no small ones, and nothing overflows before the loss
itself, or the sum of a batch, does.

>>> from micrograd import Value
>>> logits = [Value(1e300), Value(0.0)]
>>> cross_entropy(logits, 0).data, cross_entropy(logits, 1).data
(0.0, 1e+300)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from micrograd.arrays import is_array
from micrograd.errors import describe
from micrograd.nn._checks import is_chosen_later, listed, whole
from micrograd.ops import Operand, logsumexp, mean, relu, softplus, sum, take
from micrograd.ops.floats import as_float

__all__ = ["binary_cross_entropy", "cross_entropy", "hinge", "mean_squared_error"]


def mean_squared_error(outputs: Any, targets: Any, *, reduce: str | None = "mean") -> Any:
    """Return the mean of ``(output - target)**2``, over all numbers.

    Args:
        outputs: one Value, or nested lists or an array of them.
        targets: numbers, in the same shape.
        reduce: ``"mean"``, ``"sum"``, or ``None`` for a list of the single terms.

    Raises ``ValueError`` for shapes that differ, empty ones, or an unknown ``reduce``; ``TypeError`` for what is not a
    number.

    >>> from micrograd import Value
    >>> mean_squared_error([Value(1.0), Value(4.0)], [0.0, 2.0]).data
    2.5
    """
    terms = [(output - target) * (output - target) for output, target in _pairs("outputs", outputs, targets)]
    return _reduced(terms, reduce)


def hinge(scores: Any, labels: Any, *, reduce: str | None = "mean") -> Any:
    """Return the mean of ``relu(1 - label * score)``: 0 where a score has its label's sign by a margin of 1.

    C. Cortes, V. Vapnik, "Support-vector networks", Machine Learning 20, 1995.

    Args:
        scores: one Value, or a list or array of them.
        labels: -1 or 1 for each.
        reduce: ``"mean"``, ``"sum"``, or ``None`` for a list of the single terms.

    Raises ``ValueError`` for other labels, numbers that differ, or an empty batch; compiled code does not look at
    labels that are arguments (``fit`` does, before it begins).

    >>> from micrograd import Value
    >>> hinge([Value(2.0), Value(0.5)], [1, -1]).data
    0.75
    """
    pairs = _pairs("scores", scores, labels, lambda x: x in (-1.0, 1.0), "a label of the hinge loss is -1 or 1")
    return _reduced([relu(1.0 - label * score) for score, label in pairs], reduce)


def cross_entropy(logits: Any, labels: Any, *, reduce: str | None = "mean") -> Any:
    """Return ``-log(softmax(logits)[label])``, its mean over a batch.

    Computed as ``logsumexp(logits - logits[label])``, which is exact to the last digits where the loss is small too.

    Args:
        logits: for one sample a list or array with a Value for every class; for a batch, one such row per sample.
        labels: for one sample an int from 0 to the number of classes - 1; for a batch, one int per row. Inside
            ``micrograd.compile`` ints that are arguments choose at every call.
        reduce: ``"mean"``, ``"sum"``, or ``None`` for a list of the single terms.

    Raises ``ValueError`` for a label that is out of range or not whole, numbers of rows and labels that differ, and an
    empty batch; ``TypeError`` for labels that are not ints.

    >>> from micrograd import Value
    >>> logits = [Value(0.0), Value(0.0), Value(5.0)]
    >>> round(cross_entropy(logits, 2).data, 4)
    0.0134
    >>> round(cross_entropy([logits, logits], [0, 2]).data, 4)
    2.5134
    """
    _check_reduce(reduce)
    if is_chosen_later(labels) or not (isinstance(labels, Iterable) and getattr(labels, "shape", None) != ()):
        return _reduced([_surprise(logits, labels)], reduce)
    rows, chosen = listed(logits, "a row of logits for every label"), listed(labels, "a label for every row")
    if len(rows) != len(chosen):
        raise ValueError(f"{len(rows)} rows of logits and {len(chosen)} labels came; a batch has one label per row")
    checked = [(row, whole("a label", label, len(row))) for row, label in zip(map(_classes, rows), chosen)]
    return _reduced([_surprise(row, label) for row, label in checked], reduce)


def _classes(logits: Any) -> list[Any]:
    if isinstance(logits, Operand) or as_float(logits) is not None:
        raise TypeError(
            f"cross_entropy takes a logit for every class, as a list; got {describe(logits)}; a model of one score has"
            " binary_cross_entropy"
        )
    row = listed(logits, "a logit for every class")
    if not row:
        raise ValueError("cross_entropy takes a logit for every class, an empty row came")
    if any(isinstance(x, (list, tuple)) or is_array(x) for x in row):
        raise ValueError("a batch of rows of logits needs a label for every row, a list of them")
    return row


def _surprise(logits: Any, label: Any) -> Any:
    row = _classes(logits)
    chosen = take(row, whole("a label", label, len(row)))
    return logsumexp([x - chosen for x in row])


def binary_cross_entropy(logits: Any, targets: Any, *, reduce: str | None = "mean") -> Any:
    """Return ``-t * log(p) - (1 - t) * log(1 - p)`` for ``p = sigmoid(logit)``, its mean over a batch.

    Computed as ``t * softplus(-logit) + (1 - t) * softplus(logit)``, in which nothing cancels.

    Args:
        logits: one Value, or a list or array of them.
        targets: for each, 0 or 1, or a probability between.
        reduce: ``"mean"``, ``"sum"``, or ``None`` for a list of the single terms.

    Raises ``ValueError`` for targets beyond 0 and 1, numbers that differ, or an empty batch; compiled code does not
    look at targets that are arguments (``fit`` does, before it begins).

    >>> import math
    >>> from micrograd import Value
    >>> binary_cross_entropy([Value(0.0), Value(1e4)], [1, 1]).data == math.log(2.0) / 2
    True
    """
    pairs = _pairs("logits", logits, targets, lambda x: 0.0 <= x <= 1.0, "a target is a probability from 0 to 1")
    return _reduced([t * softplus(-logit) + (1.0 - t) * softplus(logit) for logit, t in pairs], reduce)


# --- what the losses share --------------------------------------------------------------------------------------


def _pairs(
    what: str, outputs: Any, targets: Any, allowed: Callable[[float], bool] | None = None, rule: str = ""
) -> list[tuple[Any, Any]]:
    """Return every output with its target, both flat; ``ValueError`` where shapes differ or a target is not allowed."""
    flat_outputs, shape = _flat(what, outputs)
    flat_targets, target_shape = _flat("targets", targets)
    if shape != target_shape:
        raise ValueError(f"{what} of shape {shape} and targets of shape {target_shape} came; they differ")
    if not flat_outputs:
        raise ValueError(f"a loss over no {what} is not defined; the batch is empty")
    if allowed is not None:
        for target in flat_targets:
            if not isinstance(target, Operand) and not allowed(target):
                raise ValueError(f"{rule}, not {describe(target)}")
    return list(zip(flat_outputs, flat_targets))


def _flat(what: str, x: Any) -> tuple[list[Any], tuple[int, ...]]:
    """Return the numbers and Values in nested lists and arrays, and the shape."""
    if isinstance(x, Operand):
        return [x], ()
    if is_array(x) and x.shape == ():
        x = x.item()
        return _flat(what, x)
    number = as_float(x) if not isinstance(x, (list, tuple)) else None
    if number is not None:
        return [number], ()
    parts = [_flat(what, part) for part in listed(x, f"{what} made of numbers and Values")]
    shapes = [shape for _, shape in parts]
    if any(shape != shapes[0] for shape in shapes):
        raise ValueError(f"{what} are rows of one length, or a list without rows; got {describe(x)}")
    return [item for items, _ in parts for item in items], (len(parts), *(shapes[0] if shapes else ()))


def _check_reduce(reduce: Any) -> None:
    if reduce not in ("mean", "sum", None):
        raise ValueError(f"reduce is 'mean', 'sum' or None, not {describe(reduce)}")


def _reduced(terms: list[Any], reduce: str | None) -> Any:
    _check_reduce(reduce)
    if not terms:
        raise ValueError("a loss over no samples is not defined; the batch is empty")
    if reduce is None:
        return terms
    if len(terms) == 1:
        return terms[0]
    return mean(terms) if reduce == "mean" else sum(terms)
