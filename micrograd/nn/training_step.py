"""One step of a training: the loss of a batch and its gradient, and how a step stays whole where Ctrl-C comes."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from micrograd._modes import pause_gc
from micrograd.engine import Value
from micrograd.errors import AnomalyError, TraceError, describe
from micrograd.nn.training_data import Field, Samples
from micrograd.ops.floats import as_float

__all__ = ["Objective", "mean_of", "uninterrupted"]

_TELLING = 4  # samples whose loss is not 0, on which a step and the loss are compared
_TRIED = 100  # samples among which one is looked for
_NOTHING = 1e-12  # what is left of a loss that is 0 but for rounding
_AGREE = 1e-6  # between a step and the mean of the loss: fastmath is allowed, a sum in place of a mean is not


class Objective:
    """The mean loss of samples, and its gradient: from single Values, from a compiled loss or from a compiled step."""

    def __init__(self, loss: Callable[..., Any], step: Any, parameters: list[Value], kept: Iterable[Value]) -> None:
        if step is not None and not (callable(step) and callable(getattr(step, "backward", None))):
            raise TypeError(
                "step is the loss compiled over a batch, micrograd.compile(loss, batched=..., reduce='mean'), not"
                f" {describe(step)}"
            )
        self._loss, self._step = loss, step
        self._parameters, self._kept = parameters, list(kept)  # trained ones; frozen ones too
        self._compiled = not isinstance(loss, type) and callable(getattr(loss, "backward", None))
        self._plain = getattr(loss, "__wrapped__", None) if self._compiled else None
        self._arrays: dict[Samples, list[Any]] = {}  # for a compiled step
        self._floats: frozenset[Field] = frozenset()  # for a compiled loss: ints with which it computes

    def check(self, samples: Samples) -> None:
        """Try the loss on samples that stand for all, and the step on two of them; nothing is changed."""
        gradients = [p._grad for p in self._kept]
        losses: dict[int, float] = {}
        try:
            for i, name in samples.probes():
                try:
                    if self._plain is not None:
                        self._plain(*samples[i])  # compiled code does not ask whether a number is a label
                    losses[i] = self._value(samples, i, backward=self._compiled)
                except ValueError as error:
                    raise ValueError(f"{name}: {error}") from error
                except AnomalyError:
                    raise
                except Exception as error:
                    error.add_note(f"{name}, before anything was changed")
                    raise
            if self._step is not None:
                self._check_step(samples, losses)
        finally:
            for p, g in zip(self._kept, gradients):
                p._grad = g

    def _check_step(self, samples: Samples, losses: dict[int, float]) -> None:
        """Compare value and gradient of the step with those of the loss, on samples that have a loss if any has.

        A copy of the model has the same values, a sum is a mean where all losses are 0.
        """
        telling = [i for i, x in losses.items() if x] or self._with_a_loss(samples)
        some = list(dict.fromkeys([0, samples.count - 1, *telling[:_TELLING]]))

        def run(floats: frozenset[Field]) -> Any:
            self._arrays[samples] = samples.arrays(floats)
            return self._step.backward(*self._batch(samples, some))

        self._clear()
        found, slopes = self._read(run)[1], self._gradient()
        # Of every sample by itself: where gradients cancel, rounding goes by their sizes.
        values, gradients = [], []
        for i in some:
            self._clear()
            values += self._each(samples, [i])
            gradients.append(self._gradient())
        number = as_float(found)
        if number is None or not _agree(number, mean_of(values), values):
            raise ValueError(
                f"step gives {describe(found)} for samples {some}, and the mean of loss is {mean_of(values)!r}: compile"
                " the same function, with reduce='mean'"
            )
        largest = [max(map(abs, gradient)) for gradient in gradients]
        if not all(_agree(a, mean_of(parts), largest) for a, parts in zip(slopes, zip(*gradients))):
            raise ValueError(
                f"step gives the model another gradient than loss, for samples {some}: compile the same function, of"
                " this model and not of a copy"
            )

    def _with_a_loss(self, samples: Samples) -> list[int]:
        """Return a sample whose loss is not 0, if there is one among a few that are spread over all."""
        every = -(-samples.count // _TRIED)
        return next(([i] for i in range(0, samples.count, every) if self._value(samples, i, backward=False)), [])

    @staticmethod
    def _read(
        run: Callable[[frozenset[Field]], Any], floats: frozenset[Field] = frozenset()
    ) -> tuple[frozenset[Field], Any]:
        """Run compiled code with floats for ints in those fields with which it computes; return them and the result.

        Ints only choose in compiled code, as labels and tokens do; features that happen to be whole are numbers.
        """
        while True:
            try:
                return floats, run(floats)
            except TraceError as error:
                if error.path is None or error.path in floats:
                    if floats:
                        where = ", ".join(map(_place, sorted(floats, key=str)))
                        error.add_note(f"it computes with the ints in {where}, and was given them as floats")
                    raise
                floats |= {error.path}

    def _clear(self) -> None:
        for p in self._parameters:
            p._grad = 0.0

    def _gradient(self) -> list[float]:
        return [p._grad for p in self._parameters]

    def _each(self, samples: Samples, indices: Sequence[int]) -> list[float]:
        """Return the losses of samples, and add the gradient of their mean."""
        losses = [self._value(samples, i, backward=True, share=1.0 / len(indices)) for i in indices]
        if self._compiled:
            for p in self._parameters:
                p._grad /= len(indices)
        return losses

    def _batch(self, samples: Samples, indices: Sequence[int]) -> list[Any]:
        return [column[indices] for column in self._arrays[samples]]

    def _value(self, samples: Samples, i: int, *, backward: bool, share: float = 1.0) -> float:
        """Return the loss of a sample, and add ``share`` times its gradient (a compiled loss: all of it)."""
        if self._compiled:
            call = self._loss.backward if backward else self._loss  # type: ignore[attr-defined]
            self._floats, out = self._read(lambda floats: call(*samples.sample(i, floats)), self._floats)
        else:
            out = self._loss(*samples[i])
        number = as_float(out) if self._compiled else out.data if isinstance(out, Value) else None
        if number is None:
            raise TypeError(f"loss returns one Value, the loss of one sample; for sample {i} it gave {describe(out)}")
        if not math.isfinite(number):
            raise AnomalyError(f"the loss of {samples.what} sample {i} is {number}")
        if backward and not self._compiled:
            out.backward(share)
        return number

    def gradient(self, samples: Samples, indices: list[int]) -> list[float]:
        """Set the gradients to those of the mean loss of a batch; return the losses, or their mean for each."""
        self._clear()
        count = len(indices)
        if self._step is not None:
            number = float(self._step.backward(*self._batch(samples, indices)))
            if not math.isfinite(number):
                raise AnomalyError(f"the mean loss of {count} samples is {number}")
            return [number] * count
        return self._each(samples, indices)

    def mean(self, samples: Samples) -> float:
        """Return the mean loss of all samples."""
        with pause_gc():
            if self._step is None:
                return mean_of([self._value(samples, i, backward=False) for i in range(samples.count)])
            number = float(self._step(*self._arrays[samples]))
        if not math.isfinite(number):
            raise AnomalyError(f"the mean loss of {samples.what} is {number}")
        return number


def mean_of(numbers: Sequence[float]) -> float:
    """Return the mean of finite numbers, also where their sum is not a float any more."""
    try:
        return math.fsum(numbers) / len(numbers)
    except OverflowError:
        return math.fsum([x / len(numbers) for x in numbers])


def _agree(a: float, b: float, terms: Sequence[float]) -> bool:
    """Tell whether two means of such terms are the same to rounding."""
    return abs(a - b) <= _AGREE * max(map(abs, terms)) + _NOTHING or not (math.isfinite(a) or math.isfinite(b))


def _place(field: Field) -> str:
    position, *way = field
    return f"argument {position}" + "".join(f"[{key!r}]" for key in way)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back Ctrl-C until the block has ended; only the main thread ever gets one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pending: list[tuple[int, Any]] = []
    usual = signal.getsignal(signal.SIGINT)
    if not callable(usual):  # ignored, or not Python's
        yield
        return
    signal.signal(signal.SIGINT, lambda number, frame: pending.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
        if pending:
            usual(*pending[0])
