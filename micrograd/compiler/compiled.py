"""``Compiled``, the function that ``micrograd.compile`` returns: from a call to results and gradients."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from micrograd import _modes
from micrograd._structure import flatten
from micrograd.arrays import from_flat
from micrograd.compiler.arguments import Leaf, batch_size
from micrograd.compiler.calls import Calls
from micrograd.compiler.exports import LANGUAGES
from micrograd.compiler.outcome import Outcome
from micrograd.compiler.program import Program
from micrograd.compiler.shortcut import Shortcuts
from micrograd.compiler.trace import capturing
from micrograd.compiler.variant import Request, Settings, Variant
from micrograd.errors import AnomalyError, TraceError, describe

__all__ = ["Compiled"]


class Compiled:
    """A function that runs compiled code; made by ``micrograd.compile``."""

    __wrapped__: Callable[..., Any]

    def __init__(self, f: Callable[..., Any], settings: Settings, argnums: int | Sequence[int] | None) -> None:
        if not callable(f):
            raise TypeError(f"micrograd.compile takes a function, not {describe(f)}")
        functools.update_wrapper(self, f, updated=())  # attributes of f must not hide methods
        self._settings = settings
        self._argnums = argnums
        self._calls = Calls(f, self._name, settings)
        self._latest: Variant | None = None
        self._shortcuts = Shortcuts()

    @property
    def _name(self) -> str:
        return getattr(self.__wrapped__, "__name__", type(self.__wrapped__).__name__)

    # --- calls ------------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        """Return the value; of a batch its sum, its mean, or an array of every sample's."""
        if capturing() and not self._settings.batched:
            return self.__wrapped__(*args, **keywords)  # inside another function that is being captured
        variant, values = self._variant(args, keywords)
        return self._run(variant, Request(), values).value

    def value_and_grad(self, *args: Any, argnums: int | Sequence[int] | None = None, **keywords: Any) -> Any:
        """Return the value and the gradients of the arguments, in their own shapes.

        Args:
            *args: the arguments.
            argnums: the positions of the arguments to differentiate: one gradient for an int, a tuple for several. If
                ``None``, those given to ``compile``, or all arguments but ints: one gradient for one argument, else a
                tuple.
            **keywords: arguments by name.
        """
        usual = argnums is None and not keywords
        if usual and not _modes.active and (known := self._shortcuts.find(args)) is not None:
            run, (variant, request) = known
            found = run(args)
            if found is not None:
                self._latest, variant.latest = variant, request
                return found
        variant, values = self._variant(args, keywords)
        wanted, single, positions = self._wanted(variant, argnums)
        request = Request(wanted)
        outcome = self._run(variant, request, values)
        if usual and variant.is_flat and not variant.own_rows:
            samples = batch_size(variant.leaves, values) if self._settings.batched else 0
            mean = self._settings.reduce == "mean"
            self._shortcuts.remember(variant.runners[request], args, samples, mean, single, (variant, request))
        return outcome.value, self._nested(variant, positions, single, outcome.gradients)

    def grad(self, *args: Any, argnums: int | Sequence[int] | None = None, **keywords: Any) -> Any:
        """Return what ``value_and_grad`` returns, without the value."""
        return self.value_and_grad(*args, argnums=argnums, **keywords)[1]

    def backward(self, *args: Any, **keywords: Any) -> Any:
        """Return the value, and add its gradient to ``.grad`` of every captured leaf, as eager code would do."""
        variant, values = self._variant(args, keywords)
        outcome = self._run(variant, Request(parameters=True), values)
        totals = [p._grad + g for p, g in zip(variant.parameters, outcome.parameters)]
        for p, total in zip(variant.parameters, totals):
            p._grad = total
        return outcome.value

    def jvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        """Return the value at ``primals`` and its derivative in the direction ``tangents``, in forward mode.

        Args:
            primals: all arguments.
            tangents: for each argument a direction in its structure; ``None`` for one that stays, as batched arguments
                and ints do.

        >>> from micrograd import compile, sin
        >>> compile(lambda x, y: x * sin(y)).jvp((3.0, 0.0), (None, 2.0))
        (0.0, 6.0)
        """
        _, outcome, _ = self._directional(primals, tangents, second=False)
        return outcome.value, outcome.tangent

    def hvp(self, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
        """Return the Hessian times a direction: the derivative of the gradient, in forward mode over the reverse pass.

        The result has the structure of the one argument that moves, or is a tuple for several.

        Args:
            primals: all arguments.
            tangents: as of ``jvp``.

        >>> from micrograd import compile
        >>> compile(lambda x: x[0] * x[0] * x[1]).hvp(([3.0, 5.0],), ([1.0, 0.0],))
        [10.0, 6.0]
        """
        variant, outcome, positions = self._directional(primals, tangents, second=True)
        return self._nested(variant, positions, len(positions) == 1, outcome.gradients)

    def hessian(self, *args: Any, argnums: int | Sequence[int] | None = None, **keywords: Any) -> Any:
        """Return the second derivatives: for one array argument of shape s, an array of shape s + s.

        For several arguments, or nested ones, the structure of the gradient with that of the gradient in every leaf.
        The directions are the lanes of a batch: eight columns of the matrix at a time, where the processor has eight.

        >>> from micrograd import compile
        >>> compile(lambda x: x[0] * x[0] * x[1]).hessian([3.0, 5.0])
        [[10.0, 6.0], [6.0, 0.0]]
        """
        variant, values = self._variant(args, keywords)
        wanted, single, positions = self._wanted(variant, argnums)
        self._refuse_batched(variant, wanted)
        leaves = [variant.leaves[i] for i in wanted]
        size = sum(leaf.size for leaf in leaves)
        request = Request(wanted, direction="one" if self._settings.batched else "rows", second=True)
        if not self._settings.batched:
            found = self._run(variant, request, values, _identity(size), size).gradients
            if single and leaves == [variant.arguments.trees[positions[0]]] and leaves[0].shape:
                return found[0].reshape(leaves[0].shape * 2)
            columns = [g.reshape(size, -1).tolist() for g in found]
            rows = [[x for column in columns for x in column[k]] for k in range(size)]
        else:
            rows = []
            for k in range(size):
                direction = [float(i == k) for i in range(size)]
                rows.append([x for g in self._run(variant, request, values, direction).gradients for x in _numbers(g)])
        arguments = [values[i] for i in positions]
        structure = flatten(arguments[0] if single else tuple(arguments))[1]
        return structure.nest(structure, [x for row in rows for x in row])

    def trace(self, *args: Any, **keywords: Any) -> Compiled:
        """Capture the function for arguments like these, without running anything, and return this function."""
        self._variant(args, keywords)
        return self

    # --- what is inside ---------------------------------------------------------------------------------------

    @property
    def program(self) -> Program:
        """The program that ran last (or was traced): print it.

        >>> from micrograd import compile
        >>> print(compile(lambda x: x * x + 1.0).trace(2.0).program)
        %0 = argument 0
        %1 = mul %0, %0
        %2 = constant 1.0
        %3 = add %1, %2
        value %3
        """
        variant = self._last()
        return variant.derived(variant.latest)

    @property
    def variants(self) -> list[str]:
        """The structures of arguments that were compiled, the latest last.

        >>> from micrograd import compile, sum
        >>> f = compile(lambda x: sum(x))
        >>> f.trace([1.0, 2.0]).trace([1.0, 2.0, 3.0]).variants
        ['x[0]: float, x[1]: float', 'x[0]: float, x[1]: float, x[2]: float']
        """
        return [", ".join(_leaf_text(leaf) for leaf in v.leaves) for v in self._calls.variants.values()]

    @property
    def stats(self) -> Mapping[str, Any]:
        """Sizes and times of the variant that ran last: nodes, instructions, bytes, and seconds by stage.

        >>> from micrograd import compile, exp
        >>> compile(lambda x: exp(x) * x).trace(1.0).stats["nodes"]
        2
        """
        return self._last().stats()

    def source(self, language: str = "llvm") -> str:
        """Return the program that computes value and gradients, in ``"c"``, ``"js"``, ``"llvm"`` or ``"python"``.

        Raises ``ValueError`` for another language, ``RuntimeError`` before the first call or ``trace``.

        >>> from micrograd import compile
        >>> print(compile(lambda x: x * x).trace(1.0).source("python"))
        def f_lambda(argument, sample, parameter, index, sample_index, tangent, seed):
            v1 = argument[0] * argument[0]
            v2 = argument[0] + argument[0]
            return (v1,), (v2,), ()
        """
        if language not in LANGUAGES:
            raise ValueError(f"unknown language {language!r} (one of: {', '.join(LANGUAGES)})")
        variant = self._last()
        wanted, _, _ = self._wanted(variant, None)
        return variant.source(language, Request(wanted, parameters=True), self._name)

    def clear(self) -> None:
        """Forget all variants; the next call captures the function anew."""
        with self._calls.lock:
            self._calls.variants.clear()
            self._shortcuts.clear()
            self._latest = None

    def __repr__(self) -> str:
        return f"<compiled {self._name}, {len(self._calls.variants)} variants>"

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        raise TypeError(
            f"{self._name} is a method, and a compiled function has no self: compile inside, as in"
            " self.loss = micrograd.compile(self._loss)"
        )

    def __reduce__(self) -> Any:
        module = sys.modules.get(self.__module__)
        name = getattr(self, "__qualname__", "")
        found: Any = module
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is self:
            return name  # a decorated function: pickled as functions are, by its name
        return _rebuilt, (self.__wrapped__, self._settings, self._argnums)

    # --- from a call to code and back -------------------------------------------------------------------------

    def _variant(self, args: tuple[Any, ...], keywords: dict[str, Any]) -> tuple[Variant, list[Any]]:
        if capturing():
            raise TraceError(
                f"{self._name} is compiled, and what it gives inside a function that is being compiled would be a fixed"
                " number; only the value of one without batched arguments can be used there"
            )
        found = self._calls.variant(args, keywords)
        self._latest = found[0]
        return found

    def _run(
        self, variant: Variant, request: Request, arguments: Sequence[Any], direction: Any = None, rows: int = 0
    ) -> Outcome:
        values = variant.values(arguments)
        samples, seed = rows, 1.0
        if self._settings.batched:
            samples = batch_size(variant.leaves, values)
            if self._settings.reduce == "mean":
                if samples == 0:
                    raise ValueError("the mean over no samples is not defined; the batch is empty")
                seed = 1.0 / samples
        indices, sample_indices = variant.chosen(values, samples)
        parameters = [p._data for p in variant.parameters]
        runner = variant.runners.get(request) or self._compile(variant, request)
        variant.latest = request
        outcome = runner.run(values, parameters, indices, sample_indices, samples, seed, direction)
        if outcome.doubtful and not request.careful and (request.wanted or request.parameters):
            return self._run(variant, replace(request, careful=True), arguments, direction, rows)
        if _modes.active and _modes.current().detector is not None:
            self._refuse_anomaly(outcome)
        if self._settings.reduce == "mean":
            value, gradients, parts, tangent, _ = outcome
            return Outcome(value / samples, gradients, parts, None if tangent is None else tangent / samples)
        return outcome

    def _refuse_anomaly(self, outcome: Outcome) -> None:
        """Raise inside ``detect_anomaly()`` where a result is not finite."""
        parts = [("its value", outcome.value), *[("a gradient", g) for g in (*outcome.gradients, outcome.parameters)]]
        for what, part in parts:
            if not all(math.isfinite(x) for x in flatten(part)[0]):
                raise AnomalyError(
                    f"the compiled function {self._name}: {what} is not finite; the function itself, called as it is"
                    " inside detect_anomaly(), names the line"
                )

    def _last(self) -> Variant:
        if self._latest is None:
            raise RuntimeError(f"{self._name} has not been captured yet; call it, or {self._name}.trace(...) first")
        return self._latest

    def _compile(self, variant: Variant, request: Request) -> Any:
        with self._calls.lock:
            return variant.runner(request)

    def _wanted(
        self, variant: Variant, argnums: int | Sequence[int] | None
    ) -> tuple[tuple[int, ...], bool, tuple[int, ...]]:
        """Return the leaves to differentiate, whether one argument was meant, and the arguments' positions."""
        asked = self._argnums if argnums is None else argnums
        key = (type(asked), tuple(asked) if isinstance(asked, list) else asked)  # True is not 1 here
        found = variant.asked.get(key)
        if found is None:
            found = variant.asked[key] = variant.differentiated(asked)
        return found

    def _directional(
        self, primals: Sequence[Any], tangents: Sequence[Any], *, second: bool
    ) -> tuple[Variant, Outcome, tuple[int, ...]]:
        if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
            raise TypeError("primals and tangents are tuples, with one entry for each argument: f.jvp((x,), (v,))")
        if len(primals) != len(tangents):
            raise ValueError(f"{len(primals)} primals and {len(tangents)} tangents came; give None for one that stays")
        variant, values = self._variant(tuple(primals), {})
        positions = tuple([i for i, t in enumerate(tangents) if t is not None])
        if not positions:
            raise ValueError("no argument moves: give at least one tangent that is not None")
        wanted, _, _ = variant.differentiated(positions)
        self._refuse_batched(variant, wanted)
        direction: list[float] = []
        for i in positions:
            numbers, structure = flatten(tangents[i])
            if structure != flatten(primals[i])[1]:
                raise ValueError(f"tangent {i} has not the structure of its primal: {describe(tangents[i])}")
            direction += [float(x) for x in numbers]
        outcome = self._run(variant, Request(wanted, direction="one", second=second), values, direction)
        return variant, outcome, positions

    def _refuse_batched(self, variant: Variant, wanted: Sequence[int]) -> None:
        if self._settings.batched and self._settings.reduce is None:
            raise TypeError("directions and second derivatives of a batch need reduce='sum' or reduce='mean'")
        for i in wanted:
            if variant.leaves[i].batched:
                raise TypeError(
                    f"{variant.leaves[i].name} is batched; directions and second derivatives are those of the other"
                    " arguments (argnums=...)"
                )

    @staticmethod
    def _nested(variant: Variant, positions: Sequence[int], single: bool, gradients: Sequence[Any]) -> Any:
        parts = []
        start = 0
        for i in positions:
            count = len(variant.arguments.spans[i])
            parts.append(variant.arguments.argument(i, gradients[start : start + count]))
            start += count
        return parts[0] if single else tuple(parts)


def _rebuilt(f: Callable[..., Any], settings: Settings, argnums: int | Sequence[int] | None) -> Compiled:
    return Compiled(f, settings, argnums)


@functools.lru_cache(8)
def _identity(size: int) -> Any:
    return from_flat([float(i == k) for k in range(size) for i in range(size)], (size, size))


def _numbers(g: Any) -> list[float]:
    return g.ravel().tolist() if hasattr(g, "ravel") else [g]


def _leaf_text(leaf: Leaf) -> str:
    shape = "" if leaf.shape is None else f"[{', '.join(map(str, leaf.shape))}]"
    return f"{leaf.name}: {'batched ' if leaf.batched else ''}{leaf.kind}{shape}"
