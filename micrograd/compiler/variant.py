"""``Variant``: a function captured for one structure of arguments, and the programs that are made from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from micrograd._modes import pause_gc
from micrograd.compiler.account import Account
from micrograd.compiler.arguments import Arguments, Leaf, Passed
from micrograd.compiler.build import native
from micrograd.compiler.chains import with_chains
from micrograd.compiler.derive import gradient, simplified, tangent
from micrograd.compiler.exports import exported, legend_of
from micrograd.compiler.indices import Choices
from micrograd.compiler.kernel import Shape
from micrograd.compiler.outcome import Outcome
from micrograd.compiler.program import Program
from micrograd.compiler.python_source import Plain
from micrograd.compiler.trace import Choice, Recorder, record
from micrograd.engine import Value
from micrograd.functional import differentiated
from micrograd.ops import operations
from micrograd.ops.table import is_builtin

__all__ = ["Request", "Settings", "Variant"]


@dataclass(frozen=True)
class Settings:
    """How a function is compiled: the options of ``micrograd.compile``."""

    batched: frozenset[str]
    reduce: str | None
    backend: str
    fastmath: bool
    threads: int
    cache: bool


@dataclass(frozen=True)
class Request:
    """One program of a variant.

    Attributes:
        wanted: the leaves of the arguments whose gradients are asked for, by their number.
        parameters: whether the gradients of the parameters are asked for.
        direction: ``""``; ``"one"`` for a directional derivative; ``"rows"`` for one direction in each sample.
        second: whether that direction is one of the gradients: a Hessian-vector product.
        careful: whether every share of a gradient asks if there is an upstream gradient.
    """

    wanted: tuple[int, ...] = ()
    parameters: bool = False
    direction: str = ""
    second: bool = False
    careful: bool = False

    @property
    def asks_back(self) -> bool:
        """Tell whether something is asked of every wanted leaf: its gradient, or the tangent of that."""
        return self.second or not self.direction


class Runner(Protocol):
    """What a backend makes of a program: ``run`` takes the numbers of a call and returns an ``Outcome``.

    Its parameters are the numbers and arrays of the arguments in the order of the leaves, batched ones with ``samples``
    rows; the numbers of the captured leaves; the ints, in range and counted from the front; how many samples there are;
    the upstream gradient of each; and the direction of the tangent, with a row for each sample where there is one for
    each.
    """

    @property
    def run(self) -> Callable[..., Outcome]:
        """Run once."""


class Variant:
    """A captured function.

    Args:
        f: the user's function.
        call: the arguments of the call that is captured.
        settings: how to compile.
    """

    @pause_gc()
    def __init__(self, f: Callable[..., Any], call: Sequence[Passed], settings: Settings) -> None:
        self._f = f
        self.settings = settings
        self.account = Account()
        with self.account.timed("capture"):
            self.arguments = Arguments(call)
            recorder = Recorder()
            choices: dict[bool, dict[Choice, int]] = {False: {}, True: {}}
            symbols = self.arguments.symbols(recorder, choices)
            plain = tuple([x for x, passed in zip(symbols, call) if not passed.by_name])
            keywords = {passed.name: x for x, passed in zip(symbols, call) if passed.by_name}
            captured = record(f, recorder, plain, keywords)
        self.parameters: list[Value] = recorder.parameters
        self.indices = list(choices[False])
        self.sample_indices = list(choices[True])
        self.nodes = captured.count()
        table = operations()
        self.own_rows = [row for op in set(captured.ops) if (row := table.get(op)) is not None and not is_builtin(row)]
        with self.account.timed("chains"):
            self.program = with_chains(captured)
        self.leaves: Sequence[Leaf] = self.arguments.leaves
        self.runners: dict[Request, Runner] = {}
        self.instructions: dict[Request, int] = {}
        self.asked: dict[Any, tuple[tuple[int, ...], bool, tuple[int, ...]]] = {}
        self.latest = Request()
        self.is_flat = all(isinstance(tree, Leaf) for tree in self.arguments.trees)
        self._uniform_ints = Choices(self.leaves, self.indices, batched=False)
        self._sample_ints = Choices(self.leaves, self.sample_indices, batched=True)

    def is_stale(self) -> bool:
        """Tell whether a user's operation in the function was defined anew since."""
        return any(operations().get(row.name) is not row for row in self.own_rows)

    # --- programs ---------------------------------------------------------------------------------------------

    def derived(self, request: Request) -> Program:
        """Return the program of a request, in the operations of the table."""
        wanted = [self.leaves[i] for i in request.wanted]
        places = {_place(leaf, k): None for leaf in wanted for k in range(leaf.size)}

        def asked(kind: str, k: Any) -> bool:
            return (kind, k) in places or (kind == "parameter" and request.parameters)

        numbers = {place: k for k, place in enumerate(places)}
        program = self.program
        with self.account.timed("derivatives"):
            if request.second or not request.direction:
                if request.wanted or request.parameters:
                    program = gradient(
                        program,
                        asked,
                        seeded=self.settings.reduce == "mean",
                        scatter=not request.second and not self._in_rows(request),
                        careful=request.careful,
                    )
                else:
                    program = simplified(program)
            if request.direction:
                program = tangent(program, lambda kind, k: numbers.get((kind, k)), careful=request.careful)
        return program

    def _in_rows(self, request: Request) -> bool:
        return request.direction == "rows" or (bool(self.settings.batched) and self.settings.reduce is None)

    def shape(self, request: Request) -> Shape:
        """Return what goes into the program of a request, and what is asked of it."""
        counts = self.arguments.counts
        wanted = [_place(leaf, k) for leaf in [self.leaves[i] for i in request.wanted] for k in range(leaf.size)]
        return Shape(
            arguments=counts["float", False],
            parameters=len(self.parameters),
            indices=len(self.indices),
            samples=tuple([leaf.size for leaf in self.leaves if leaf.batched and leaf.kind == "float"]),
            sample_indices=len(self.sample_indices),
            tangents=len(wanted) if request.direction else 0,
            tangent_rows=request.direction == "rows",
            wanted=tuple(wanted) if request.asks_back else (),
            parameters_wanted=request.parameters,
            rows=self._in_rows(request),
        )

    def runner(self, request: Request) -> Runner:
        """Return the code of a request, compiled now if it is the first time."""
        runner = self.runners.get(request)
        if runner is None:
            runner = self.runners[request] = self._compiled(request)
        self.latest = request
        return runner

    @pause_gc()
    def _compiled(self, request: Request) -> Runner:
        program, shape = self.derived(request), self.shape(request)
        self.instructions[request] = program.count()
        wanted = [self.leaves[i] for i in request.wanted] if request.asks_back else []
        if self.settings.backend == "python":
            return Plain(program, shape, self.leaves, wanted)
        settings = self.settings
        return native(
            program,
            shape,
            self.leaves,
            wanted,
            fastmath=settings.fastmath,
            threads=settings.threads,
            cached=settings.cache,
            account=self.account,
        )

    # --- arguments --------------------------------------------------------------------------------------------

    def values(self, arguments: Sequence[Any]) -> list[Any]:
        """Return the numbers and arrays in the arguments of a call, in the order of the leaves."""
        return list(arguments) if self.is_flat else self.arguments.flat(arguments)

    def chosen(self, values: Sequence[Any], samples: int) -> tuple[Any, Any]:
        """Return the ints of a call, in range and counted from the front, as the program reads them."""
        indices = sample_indices = None
        if self.indices:
            indices = self._uniform_ints.read(values)
        if self.sample_indices:
            sample_indices = self._sample_ints.read_rows(values, samples)
        return indices, sample_indices

    def differentiated(self, argnums: Any) -> tuple[tuple[int, ...], bool, tuple[int, ...]]:
        """Return the leaves that ``argnums`` means, whether it means one argument, and the arguments' positions.

        Raises ``TypeError`` for an argument of ints, ``ValueError`` for a position that is not there.
        """
        arguments = self.arguments
        count = len(arguments.trees)
        single = isinstance(argnums, int)
        if argnums is None:
            positions = [i for i in range(count) if all(self.leaves[k].kind == "float" for k in arguments.spans[i])]
            single = count == 1
        else:
            positions = differentiated(self._f, argnums, arguments.trees)
        wanted: list[int] = []
        for i in positions:
            for k in arguments.spans[i]:
                if self.leaves[k].kind != "float":
                    raise TypeError(f"{self.leaves[k].name} holds ints, which have no derivative; pass floats")
                wanted.append(k)
        return tuple(wanted), single, tuple(positions)

    # --- reports ----------------------------------------------------------------------------------------------

    def stats(self) -> dict[str, Any]:
        """Return sizes, and seconds by stage."""
        return {
            "nodes": self.nodes,
            "instructions": self.instructions.get(self.latest, self.program.count()),
            "parameters": len(self.parameters),
            "bytes": self.account.code_bytes,
            "seconds": dict(self.account.seconds),
        }

    def source(self, language: str, request: Request, name: str) -> str:
        """Return the program of a request in a language."""
        return exported(
            language,
            self.derived(request),
            self.shape(request),
            name=name,
            reduce=self.settings.reduce,
            fastmath=self.settings.fastmath,
            legend=legend_of(self.leaves, [p.label for p in self.parameters]),
        )


def _place(leaf: Leaf, k: int) -> tuple[str, int]:
    return ("sample" if leaf.batched else "argument", leaf.first + k)
