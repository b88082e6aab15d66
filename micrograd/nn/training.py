"""``fit``: the loop that trains a model, from batches to checkpoints.

>>> import random
>>> from micrograd import optim
>>> from micrograd.nn import MLP, hinge
>>> model = MLP(2, [8, 1], rng=random.Random(0))
>>> X, y = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]], [1, 1, -1, -1]
>>> history = fit(model, (X, y), lambda x, label: hinge(model(x), label), optim.SGD(model.parameters(), lr=0.2),
...               epochs=50, schedule=optim.LinearRate(50, end=0.1), progress=False)
>>> history.steps, [model(x).data > 0 for x in X]
(50, [True, True, False, False])
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from micrograd import _console
from micrograd._modes import current, pause_gc, recording
from micrograd.engine import Value
from micrograd.errors import AnomalyError, ModelFileError, describe
from micrograd.nn.training_checks import check_optimiser, kept_by, parameters_of, rate_of, scheduled
from micrograd.nn.training_data import Samples, order
from micrograd.nn.training_files import Best, Checkpoint, History, Saved
from micrograd.nn.training_step import Objective, mean_of, uninterrupted
from micrograd.ops.floats import as_int

__all__ = ["History", "fit"]

_MANY_EPOCHS = 10  # from here on, progress is counted in epochs


def fit(
    model: Any,
    data: Any,
    loss: Callable[..., Any],
    optimiser: Any,
    *,
    epochs: int,
    batch_size: int | None = None,
    seed: int | None = 0,
    step: Any = None,
    schedule: Callable[[int], float] | None = None,
    clip: Callable[[list[Value]], Any] | None = None,
    validation: Any = None,
    patience: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = True,
    callback: Callable[[History], Any] | None = None,
    progress: bool = True,
) -> History:
    """Train a model: bring down the mean of a loss over samples, batch by batch.

    **The loss is that of one sample.** ``loss(x, y)`` takes what one sample of the data holds and returns one Value;
    what is minimised is its mean over the batch. The same function, compiled over a batch, does the same natively::

        def loss(x, y):
            return nn.hinge(model(x), y)

        nn.fit(model, (X, y), loss, optim.SGD(model.parameters(), lr=1.0), epochs=100)
        nn.fit(model, (X, y), loss, optim.SGD(model.parameters(), lr=1.0), epochs=100,
               step=mg.compile(loss, batched=("x", "y"), reduce="mean"))

    A term that belongs to the model and not to a sample, ``alpha * sum(p * p)`` for instance, is the optimiser's
    ``weight_decay=2 * alpha``. A loss that cannot be taken apart into samples takes a whole batch as one sample:
    ``data=[batch]``.

    Everything that can be checked is checked before anything is changed: the loss is tried on one sample of each shape
    and on those with the smallest and the largest whole numbers, so rows of a wrong length and labels out of range are
    found here.

    Ctrl-C ends the training after the last whole step: ``fit`` returns the history with ``interrupted=True``, and the
    model and the optimiser can be used, or trained on. Python's garbage collector rests during each step
    (``micrograd.pause_gc``).

    Args:
        model: anything with ``parameters()``.
        data: a tuple of columns such as ``(X, y)``, each a sequence or a NumPy array with one entry for every sample;
            or a list of samples: of each that is a tuple the items are the arguments of the loss, ``loss(*sample)``,
            anything else is its only argument, ``loss(sample)``.
        loss: a function of one sample that returns a Value; or a compiled one, without ``batched``.
        optimiser: one of ``micrograd.optim``, over parameters of this model; or anything with ``step()``.
        epochs: how often every sample is used, epochs in a checkpoint included.
        batch_size: the number of samples in a step, the last of an epoch may have fewer; all of them if ``None``.
        seed: of the shuffling; the order of an epoch depends on it and on the number of the epoch alone. ``None``
            leaves the samples as they are, and so does a batch of all samples.
        step: the loss compiled over a batch with ``reduce="mean"``, or anything whose ``backward(X, y)`` returns the
            mean loss of a batch, given as arrays, and adds its gradient to the parameters. Lists of whole numbers come
            as ints, which choose in ``micrograd.take``; as floats where the step computes with them.
        schedule: gives the factor of the optimiser's ``lr`` in step k = 0, 1, ... of the training.
        clip: called with the parameters before each step, to change their gradients:
            ``lambda ps: optim.clip_gradient_norm(ps, 1.0)``.
        validation: data whose mean loss is computed after each epoch.
        patience: stop when the validation loss has had no new minimum for so many epochs; and where the training ends
            by itself, or breaks down, give the model the parameters that had the lowest.
        checkpoint: a file that is written before the first epoch and after each one, whole or not at all: a kill at
            any moment leaves the last good one.
        resume: whether to go on from the checkpoint where the file exists, with the same bits as if the training had
            never been interrupted: parameters, optimiser, its learning rate and other settings become those of the
            file, so what an interrupted epoch had done is done again. It has to be of this model, this data, this batch
            size and seed; functions are not compared. If ``False``, begin anew, and replace it.
        callback: called with the history after each epoch, when its checkpoint is written: what it changes is not
            in that checkpoint.
        progress: whether to show loss, learning rate and speed.

    Raises ``TypeError`` and ``ValueError`` for what cannot be trained on, naming the sample and the column, and for
    the checkpoint of another training (``ModelFileError``); ``AnomalyError`` where a loss or a gradient is not finite:
    the parameters are then those after the last step, with ``patience`` those of the best epoch. ``OSError`` where a
    checkpoint cannot be written: the model has the parameters after the last epoch.
    """
    epochs = as_int("epochs", epochs, 1)
    batch_size = None if batch_size is None else as_int("batch_size", batch_size, 1, wanted="an int or None")
    patience = None if patience is None else as_int("patience", patience, 1, wanted="an int or None")
    seed = None if seed is None else as_int("seed", seed, wanted="an int or None")
    for name, function in (("loss", loss), ("schedule", schedule), ("clip", clip), ("callback", callback)):
        if not callable(function) and (name == "loss" or function is not None):
            raise TypeError(f"{name} is a function, not {describe(function)}")
    if patience is not None and validation is None:
        raise ValueError("patience is about the validation loss: give validation=(X, y), the training data if need be")
    parameters = parameters_of(model)
    check_optimiser(optimiser, parameters, schedule, checkpoint)
    samples = Samples(data)
    held_out = None if validation is None else Samples(validation, "validation")
    size = min(batch_size or samples.count, samples.count)
    kept = kept_by(model, parameters)
    objective = Objective(loss, step, list(parameters.values()), kept.values())
    run = _Run(
        parameters, kept, optimiser, objective, samples, held_out, size, seed, schedule, clip, patience, callback
    )
    # While a mode is open, every node looks it up: none is opened where there is nothing to change.
    with nullcontext() if current().recording else recording():
        saved = None if checkpoint is None else run.open(checkpoint, model, bool(resume))
        with run.trying(saved):
            objective.check(samples)
            if held_out is not None:
                objective.check(held_out)
        run.begin(saved)
        return run.train(epochs, progress)


@dataclass
class _Run:
    """One training: what it is made of, and everything that changes from step to step."""

    parameters: dict[str, Value]  # those that are trained
    kept: dict[str, Value]  # those that are saved
    optimiser: Any
    objective: Objective
    samples: Samples
    held_out: Samples | None
    batch_size: int
    seed: int | None
    schedule: Callable[[int], float] | None
    clip: Callable[[list[Value]], Any] | None
    patience: int | None
    callback: Callable[[History], Any] | None
    history: History = field(default_factory=History)
    best: Best | None = None
    checkpoint: Checkpoint | None = None
    rate: float = math.nan

    def __post_init__(self) -> None:
        self.rate = rate_of(self.optimiser)
        if self.batch_size == self.samples.count:
            self.seed = None  # the order of all samples is no matter

    @property
    def steps_per_epoch(self) -> int:
        return -(-self.samples.count // self.batch_size)

    # --- checkpoints ------------------------------------------------------------------------------------------

    def open(self, path: str | os.PathLike[str], model: Any, resume: bool) -> Saved | None:
        """Return what the checkpoint holds, if there is one and it is wanted; nothing is changed yet."""
        text = " ".join(describe(model, 200).rpartition(" (type ")[0].split())
        about = {
            "samples": self.samples.count,
            "data": self.samples.digest,
            "batch_size": self.batch_size,
            "seed": self.seed,
            "validation": None if self.held_out is None else self.held_out.digest,
        }
        self.checkpoint = Checkpoint(path, list(self.kept), text, about)
        return self.checkpoint.read() if resume and os.path.exists(path) else None

    @contextmanager
    def trying(self, saved: Saved | None) -> Iterator[None]:
        """Give the model the numbers with which the training begins, until the block has ended."""
        before = self.numbers()
        try:
            if saved is not None:
                self.give(saved.numbers)
            self.refuse_anomaly(", before the training has begun")
            yield
        except AnomalyError as error:
            if saved is None or self.checkpoint is None:
                raise
            path = os.fspath(self.checkpoint.path)
            raise AnomalyError(f"{error}, with the parameters in {path}; resume=False begins anew") from error
        finally:
            if saved is not None:
                self.give(before)

    def begin(self, saved: Saved | None) -> None:
        """Go on from what was saved, or write the first checkpoint."""
        if saved is None:
            self.save()
            return
        with uninterrupted():
            try:
                self.optimiser.load_state_dict(saved.optimiser)
            except ValueError as error:
                assert self.checkpoint is not None  # from which it was read
                raise ModelFileError(f"{os.fspath(self.checkpoint.path)}: {error}") from error
            self.give(saved.numbers)
            self.history, self.best = saved.history, saved.best
            self.rate = rate_of(self.optimiser)

    def save(self) -> None:
        if self.checkpoint is not None:
            self.checkpoint.write(self.numbers(), self.optimiser.state_dict(), self.history, self.best)

    def numbers(self) -> list[float]:
        return [p.data for p in self.kept.values()]

    def give(self, numbers: Sequence[float]) -> None:
        for p, x in zip(self.kept.values(), numbers):
            p.data = x

    # --- the loop ---------------------------------------------------------------------------------------------

    def train(self, epochs: int, shown: bool) -> History:
        history = self.history
        if shown and history.resumed_after:
            _console.say(f"resumed after epoch {history.resumed_after}")
        left = max(0, epochs - history.epochs)
        by_epoch = left >= _MANY_EPOCHS or self.steps_per_epoch == 1
        total = left if by_epoch else left * self.steps_per_epoch
        bar = _console.progress("training", total) if shown and left else nullcontext(_nothing)
        try:
            with bar as advance:
                while history.epochs < epochs and not self.out_of_patience():
                    self.epoch(advance, by_epoch)
        except KeyboardInterrupt:
            history.interrupted = True
            if shown:
                _console.say(f"interrupted: the model is as after step {history.steps}")
            return history
        except AnomalyError as error:
            where = f"epoch {history.epochs + 1}, after step {history.steps}"
            now = f"those after epoch {history.best_epoch}, the best" if self.bring_back_best() else "as they were then"
            raise AnomalyError(f"{where}: {error}; the parameters are {now}") from error
        self.bring_back_best()
        return history

    def bring_back_best(self) -> bool:
        """Give the model the parameters with the lowest validation loss, where patience watches it."""
        if self.patience is None or self.best is None:
            return False
        with uninterrupted():
            self.give(self.best.numbers)
        return True

    def out_of_patience(self) -> bool:
        history = self.history
        waited = history.epochs - history.best_epoch if history.best_epoch is not None else 0
        history.stopped_early = self.patience is not None and waited >= self.patience
        return history.stopped_early

    def epoch(self, advance: Callable[[str], None], by_epoch: bool) -> None:
        history, samples = self.history, self.samples
        begun = time.perf_counter()
        losses: list[float] = []
        rate = self.rate
        indices = order(samples.count, self.seed, history.epochs)
        for start in range(0, samples.count, self.batch_size):
            before = time.perf_counter()
            batch = indices[start : start + self.batch_size]
            with pause_gc():
                found = self.gradient(batch)
            mean = mean_of(found)
            rate = self.step(mean)
            losses += found
            if not by_epoch:
                speed = len(batch) / max(time.perf_counter() - before, 1e-9)
                advance(_figures(mean, rate, speed, history.validation[-1:]))
        self.refuse_anomaly()
        loss = mean_of(losses)
        speed = samples.count / max(time.perf_counter() - begun, 1e-9)
        held_out = None if self.held_out is None else self.objective.mean(self.held_out)
        with uninterrupted():
            history.losses.append(loss)
            history.rates.append(rate)
            if held_out is not None:
                history.validation.append(held_out)
                if self.best is None or held_out < self.best.loss:
                    self.best = Best(held_out, self.numbers())
                    history.best_epoch = history.epochs
            history.seconds.append(time.perf_counter() - begun)
        try:
            self.save()
        except OSError as error:
            error.add_note(f"the checkpoint is the one before; the model is as after epoch {history.epochs}")
            raise
        if by_epoch:
            advance(_figures(loss, rate, speed, history.validation[-1:]))
        if self.callback is not None:
            self.callback(history)

    def gradient(self, batch: list[int]) -> list[float]:
        """Compute the gradients of a step, refuse those that are not finite, and clip the others."""
        try:
            losses = self.objective.gradient(self.samples, batch)
        except AnomalyError:
            self.refuse_anomaly()  # where parameters overflowed in the step before, that is the cause
            raise
        self.refuse_gradient("")
        if self.clip is not None:
            self.clip([*self.parameters.values()])
            self.refuse_gradient(" after clip")
        return losses

    def refuse_gradient(self, when: str) -> None:
        """Raise where the gradient is not finite."""
        if not all(map(math.isfinite, [p._grad for p in self.parameters.values()])):
            self.refuse_anomaly()
            name, g = next((name, p._grad) for name, p in self.parameters.items() if not math.isfinite(p._grad))
            raise AnomalyError(f"the gradient of {name} is {g}{when}")

    def step(self, loss: float) -> float:
        """Let the optimiser make a step, whole even where Ctrl-C comes; return the learning rate of it."""
        rate = self.rate = rate_of(self.optimiser)  # a callback may have changed it
        if self.schedule is not None:
            rate = scheduled(rate, self.schedule, self.history.steps)
        with uninterrupted():
            if self.schedule is not None:
                self.optimiser.lr = rate
            try:
                self.optimiser.step()
                self.history.steps += 1
                self.history.batch_losses.append(loss)
            finally:
                if self.schedule is not None:
                    self.optimiser.lr = self.rate
        return rate

    def refuse_anomaly(self, hint: str = " (is lr too large?)") -> None:
        """Raise for parameters that overflowed; they never reach a checkpoint."""
        for name, p in self.parameters.items():
            if not math.isfinite(p.data):
                raise AnomalyError(f"the parameter {name} is {p.data}{hint}")


def _nothing(_: str) -> None:
    pass


def _figures(loss: float, rate: float, speed: float, validation: list[float]) -> str:
    parts = [f"loss {_console.number(loss)}", *[f"validation {_console.number(x)}" for x in validation]]
    if rate == rate:
        parts.append(f"lr {_console.number(rate)}")
    return "  ".join([*parts, f"{speed:,.0f} samples/s"])
