"""Checkpoints of a training: everything that the next epoch depends on, in one JSON file.

The file is one object, written whole or not at all, with floats that read back to the same bits::

    {"format": "micrograd checkpoint", "version": 1, "model": "MLP(2 -> 1, 3 parameters)",
     "run": {"samples": 100, "data": "9f86d081884c7d65", "batch_size": 10, "seed": 0, "validation": null},
     "parameters": {"layers.0.neurons.0.w.0": 0.25, ...}, "optimiser": {...},
     "history": {"losses": [0.7, 0.3], ...}, "best": null}
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from micrograd import _console, _json
from micrograd.errors import ModelFileError, describe
from micrograd.nn import state as states

__all__ = ["Best", "Checkpoint", "History", "Saved"]

_VERSION = 1
_DIGESTS = {"data": "data", "validation": "validation data"}
_LISTS = ("losses", "validation", "rates", "seconds")


@dataclass
class History:
    """What ``fit`` returns: plain numbers, in the first four lists one for every whole epoch.

    Attributes:
        losses: the mean loss over the samples, each as it was when its batch came.
        validation: the mean loss over the validation data after the epoch; empty without such data.
        rates: the learning rate of the last step of the epoch.
        seconds: how long the epoch took, validation included. Histories are compared without it, and without
            ``batch_losses``, ``resumed_after`` and ``interrupted``: a resumed training equals a whole one.
        batch_losses: the mean loss of every batch that this call of ``fit`` made a step on; not kept in checkpoints.
        steps: how many steps were made, those of an epoch that was interrupted included.
        best_epoch: the epoch with the lowest validation loss, counted from 1; ``None`` without validation data.
        resumed_after: how many of the epochs were read from a checkpoint.
        stopped_early: whether the patience ran out.
        interrupted: whether Ctrl-C ended the training.

    >>> History(losses=[0.7, 0.3], rates=[0.1, 0.1], seconds=[1.5, 1.5], steps=20)
    History(2 epochs, 20 steps, loss 0.7 -> 0.3, 3.0 s)
    """

    losses: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list, compare=False)
    steps: int = 0
    best_epoch: int | None = None
    resumed_after: int = field(default=0, compare=False)
    stopped_early: bool = False
    interrupted: bool = field(default=False, compare=False)
    batch_losses: list[float] = field(default_factory=list, compare=False)

    @property
    def epochs(self) -> int:
        """How many whole epochs there were."""
        return len(self.losses)

    def __repr__(self) -> str:
        parts = [f"{self.epochs} epochs", f"{self.steps} steps"]
        for name, numbers in (("loss", self.losses), ("validation", self.validation)):
            if numbers:
                parts.append(f"{name} " + " -> ".join(f"{x:.4g}" for x in (numbers[0], *numbers[1:][-1:])))
        if self.best_epoch is not None:
            parts.append(f"best after epoch {self.best_epoch}")
        parts.append(f"{sum(self.seconds):.1f} s")
        if self.resumed_after:
            parts.append(f"resumed after epoch {self.resumed_after}")
        parts += ["stopped early"] * self.stopped_early + ["interrupted"] * self.interrupted
        return f"History({', '.join(parts)})"


@dataclass(frozen=True)
class Best:
    """The lowest validation loss so far, and the numbers of the parameters that had it."""

    loss: float
    numbers: list[float]


class Saved(NamedTuple):
    """What a checkpoint holds: all numbers of the model, the optimiser's state, the history, the best epoch."""

    numbers: list[float]
    optimiser: Any
    history: History
    best: Best | None


@dataclass(frozen=True)
class Checkpoint:
    """Where a training is saved, and what it has to agree with when it is resumed.

    Args:
        path: the file.
        names: the names of the model's parameters.
        model: the model in one line, for messages.
        run: what the batches depend on.
    """

    path: str | os.PathLike[str]
    names: Sequence[str]
    model: str
    run: dict[str, Any]

    def write(self, numbers: Sequence[float], optimiser: Any, history: History, best: Best | None) -> None:
        """Save the state after a whole epoch; ``OSError`` where the file cannot be written: the old one is kept."""
        content = {
            "format": "micrograd checkpoint",
            "version": _VERSION,
            "model": self.model,
            "run": self.run,
            "parameters": self._named(numbers),
            "optimiser": _written(optimiser),
            "history": {
                **{name: _written(getattr(history, name)) for name in _LISTS},
                "steps": history.steps,
                "best_epoch": history.best_epoch,
            },
            "best": None if best is None else {"loss": best.loss, "parameters": self._named(best.numbers)},
        }
        _json.write(self.path, content)

    def _named(self, numbers: Sequence[float]) -> dict[str, Any]:
        return {name: _json.written(x) for name, x in zip(self.names, numbers)}

    def read(self) -> Saved:
        """Return what the file holds.

        Raises ``ModelFileError`` for a damaged or foreign file and for the checkpoint of another model, of other data
        or of another division into batches; ``OSError`` when it cannot be read.
        """
        content = _json.read(self.path, "checkpoint", _VERSION, ModelFileError)
        try:
            wanted = {"format", "version", "model", "run", "parameters", "optimiser", "history", "best"}
            if content.keys() != wanted:
                raise ValueError(f"its entries are {', '.join(sorted(content))}; expected {', '.join(sorted(wanted))}")
            numbers = self._numbers(content["parameters"], content["model"])
            self._compare_models(content["model"])
            self._compare(content["run"])
            history = self._history(content["history"])
            best = self._best(content["best"], content["model"])
            if (best is None) is not (history.best_epoch is None):
                raise ValueError("'best' and 'best_epoch' do not go together")
        except ValueError as error:
            raise ModelFileError(f"{os.fspath(self.path)}: {error}") from None
        return Saved(numbers, _read(content["optimiser"]), history, best)

    def _numbers(self, parameters: Any, saved: Any) -> list[float]:
        if not isinstance(parameters, dict):
            raise ValueError(f"'parameters' is an object of numbers by name, not {describe(parameters)}")
        model = self.model
        if parameters.keys() != set(self.names) and isinstance(saved, str):
            model = f"{model}, but of {_console.clean(saved[:200])}"
        return states.matched({name: _json.number(x) for name, x in parameters.items()}, self.names, model)

    def _compare_models(self, saved: Any) -> None:
        """Refuse a model of another make whose parameters have the same names; an address says nothing about it."""
        if isinstance(saved, str) and saved != self.model and " at 0x" not in saved + self.model:
            raise ValueError(f"it is of {_console.clean(saved[:200])}, and this model is {self.model}")

    def _compare(self, run: Any) -> None:
        if not isinstance(run, dict) or run.keys() != self.run.keys():
            raise ValueError(f"'run' is an object with {', '.join(self.run)}, not {describe(run)}")
        for name, x in self.run.items():
            if run[name] == x and type(run[name]) is type(x):
                continue
            if name in _DIGESTS:
                raise ValueError(f"it is of a training with other {_DIGESTS[name]}")
            raise ValueError(f"it is of a training with {name}={describe(run[name])}, this one has {name}={x!r}")

    def _history(self, saved: Any) -> History:
        if not isinstance(saved, dict) or saved.keys() != {*_LISTS, "steps", "best_epoch"}:
            raise ValueError(f"'history' is not what fit writes: {describe(saved)}")
        lists = {}
        for name in _LISTS:
            if not isinstance(saved[name], list):
                raise ValueError(f"{name!r} of the history is a list of numbers, not {describe(saved[name])}")
            found = [_json.number(x) for x in saved[name]]
            lists[name] = [x if x == x else math.nan for x in found]  # which equals itself in a list
        epochs = len(lists["losses"])
        lengths = {name: epochs if name != "validation" or self.run["validation"] else 0 for name in _LISTS}
        steps, best = saved["steps"], saved["best_epoch"]
        size = self.run["batch_size"] or self.run["samples"]
        if (
            any(len(lists[name]) != lengths[name] for name in _LISTS)
            or type(steps) is not int
            or steps != epochs * -(-self.run["samples"] // size)
            or not (best is None or (type(best) is int and 1 <= best <= epochs))
        ):
            raise ValueError("the history does not add up: its lists, steps and best epoch are of different trainings")
        losses, validation, rates, seconds = [lists[name] for name in _LISTS]
        return History(losses, validation, rates, seconds, steps, best, epochs)

    def _best(self, saved: Any, model: Any) -> Best | None:
        if saved is None:
            return None
        if not isinstance(saved, dict) or saved.keys() != {"loss", "parameters"}:
            raise ValueError(f"'best' is an object with loss and parameters, not {describe(saved)}")
        return Best(_json.number(saved["loss"]), self._numbers(saved["parameters"], model))


def _written(tree: Any) -> Any:
    """Return plain data with every float as JSON carries it."""
    if isinstance(tree, dict):
        return {key: _written(part) for key, part in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [_written(part) for part in tree]
    return _json.written(tree) if isinstance(tree, float) else tree


def _read(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _read(part) for key, part in tree.items()}
    if isinstance(tree, list):
        return [_read(part) for part in tree]
    return float(tree) if isinstance(tree, str) and tree in ("nan", "-nan", "inf", "-inf") else tree
