"""What the exports to C and to JavaScript share: the body of a program, which the two languages spell almost alike.

Leaves and constants are read where they are used (``argument[3]``), every other result is a local variable named after
its instruction (``v17``). The exports add what differs: how a number is written, and what stands around a body.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from micrograd.compiler.program import CHAIN, LEAVES, PER_SAMPLE, Program, renumbered, without_dead_code
from micrograd.errors import CompilationError

__all__ = ["ARRAYS", "INDICES", "Body", "Dialect", "Read", "Unit", "checked", "described"]

ARRAYS = {
    "argument": "argument",
    "parameter": "parameter",
    "sample": "sample",
    "index": "index",
    "sample_index": "sample_index",
    "tangent": "direction",
}
"""The array that holds the leaves of a kind, in the order in which a function takes them."""

INDICES = ("index", "sample_index")
_LONGEST_CHAIN = 500  # products in one unit, so that a part of a big function can end between two

Read = Callable[[int], str]


@dataclass(frozen=True)
class Dialect:
    """How a language writes what the two write differently.

    Attributes:
        spelling: for each operation its text, with ``{0}``, ``{1}`` for the operands.
        constant: what declares a local number.
        variable: what declares one that changes.
        nan: text of a nan.
        infinity: text of an infinity.
        converted: text of an index as a number.
    """

    spelling: Mapping[str, str]
    constant: str
    variable: str
    nan: str
    infinity: str
    converted: str

    def number(self, x: float) -> str:
        """Return the text of a number, which gives the same bits again; of a nan without its sign and payload."""
        if x != x:
            return self.nan
        if x in (float("inf"), float("-inf")):
            return self.infinity if x > 0.0 else f"(-{self.infinity})"
        return repr(x) if repr(x)[0] != "-" else f"({x!r})"


class Unit(NamedTuple):
    """Lines that belong together: an instruction, or something that goes out."""

    lines: Callable[[Read], list[str]]
    reads: tuple[int, ...]
    defines: int | None = None
    writes: str = ""  # the array that it writes to


class Body:
    """The units of a program, and the arrays that they read and write.

    Attributes:
        program: without what no output needs.
        widths: the number of elements of each array that is read, by its kind of leaf; of one sample's elements, for
            what differs from sample to sample.
        gradients: for each kind of leaf with a gradient, whether some element has to be set to 0 first.
        units: in order.
        has_seed: whether the program reads the upstream gradient.

    Raises ``CompilationError`` for an operation without a spelling: the program is not lowered.
    """

    def __init__(self, program: Program, dialect: Dialect, *, batched: bool, widths: Mapping[str, int] | None) -> None:
        self.program = _with_short_chains(without_dead_code(program))
        self.dialect = dialect
        self.batched = batched
        self.widths = self._widths(widths or {})
        self.gradients: dict[str, bool] = {}
        self.units = [*self._instructions(), *self._outgoing()]
        self.has_seed = "seed" in self.program.ops

    def _widths(self, given: Mapping[str, int]) -> dict[str, int]:
        found = {kind: given.get(kind, 0) for kind in ARRAYS}
        for op, operands in zip(self.program.ops, self.program.operands):
            if op in ARRAYS:
                found[op] = max(found[op], operands[0] + 1)
        return {kind: width for kind, width in found.items() if width > 0}

    def differs(self, kind: str) -> bool:
        """Tell whether every sample has elements of its own."""
        return self.batched and kind in PER_SAMPLE

    def parameters(self, reduce: str | None) -> list[str]:
        """Return the parameters of the public function: what is read, then what is written."""
        each = self.batched and reduce is None and "value" in self.program.outputs
        return [*["n"][: int(self.batched)], *self._arrays(), *["value"][: int(each)], *self._tangent()]

    def parameters_of_one(self) -> list[str]:
        """Return those of the function of one sample."""
        return [*self._arrays(), *self._tangent()]

    def _arrays(self) -> list[str]:
        return [*[ARRAYS[kind] for kind in self.widths], *[f"{kind}_gradient" for kind in self.gradients]]

    def _tangent(self) -> list[str]:
        return ["tangent"] if "tangent" in self.program.outputs else []

    def array_of(self, x: int) -> str:
        """Return the array that instruction ``x`` reads, or ``"seed"``, or nothing."""
        op = self.program.ops[x]
        return op if op == "seed" else ARRAYS.get(op, "")

    def leaf(self, x: int) -> str | None:
        """Return the text of a leaf or a constant, ``None`` for what is computed."""
        op, operands = self.program.ops[x], self.program.operands[x]
        if op == "constant":
            return self.dialect.number(operands[0])
        if op == "seed":
            return op
        if op not in ARRAYS:
            return None
        element = f"{ARRAYS[op]}[{operands[0]}]"
        return self.dialect.converted.format(element) if op in INDICES else element

    def _instructions(self) -> Iterable[Unit]:
        spelling = self.dialect.spelling
        for i, (op, operands) in enumerate(zip(self.program.ops, self.program.operands)):
            if op in LEAVES:
                continue
            if op == CHAIN:
                yield Unit(partial(self._chain, i), operands, i)
            elif op == "take":
                yield Unit(partial(self._take, i), operands, i)
            elif op in spelling:
                yield Unit(partial(self._plain, i), operands, i)
            else:
                raise CompilationError(f"%{i} = {op} has no spelling; lower the program first")

    def _plain(self, i: int, read: Read) -> list[str]:
        text = self.dialect.spelling[self.program.ops[i]].format(*map(read, self.program.operands[i]))
        return [f"{self.dialect.constant} v{i} = {text};"]

    def _chain(self, i: int, read: Read) -> list[str]:
        initial, *rest = self.program.operands[i]
        half = len(rest) // 2
        return [
            f"{self.dialect.variable} v{i} = {read(initial)};",
            *[f"v{i} += {read(x)} * {read(y)};" for x, y in zip(rest[:half], rest[half:])],
        ]

    def _take(self, i: int, read: Read) -> list[str]:
        *values, index = self.program.operands[i]
        chosen = self._index(index)
        if isinstance(chosen, int):
            return [f"{self.dialect.constant} v{i} = {read(values[chosen])};"]
        inside, element = self._progression(values, chosen, "")
        if element:
            return [f"{self.dialect.constant} v{i} = {inside} ? {element} : {self.dialect.nan};"]
        return [
            f"{self.dialect.variable} v{i} = {self.dialect.nan};",
            f"switch ({chosen}) {{",
            *[f"case {k}: v{i} = {read(x)}; break;" for k, x in enumerate(values)],
            "}",
        ]

    def _index(self, index: int) -> int | str:
        """Return a place that is known, or the text of an element that holds it."""
        op, (payload, *_) = self.program.ops[index], self.program.operands[index]
        if op == "constant":
            return int(payload)
        if op not in INDICES:
            raise CompilationError(f"%{index} = {op} chooses an operand of take; only an index or a constant can")
        return f"{ARRAYS[op]}[{payload}]"

    def _progression(self, leaves: Sequence[int], chosen: str, suffix: str) -> tuple[str, str]:
        """Return a condition and an element, for leaves of one kind that lie at equal distances in their array."""
        ops, operands = self.program.ops, self.program.operands
        if any(ops[x] not in ARRAYS or ops[x] in INDICES for x in leaves):
            return "", ""
        places = [operands[x][0] for x in leaves]
        step = places[1] - places[0] if len(places) > 1 else 0
        if {ops[x] for x in leaves} != {ops[leaves[0]]} or places != [places[0] + step * k for k in range(len(places))]:
            return "", ""
        inside = f"{chosen} >= 0 && {chosen} < {len(places)}"
        place = chosen if step == 1 else f"{step} * {chosen}"
        return inside, f"{ARRAYS[ops[leaves[0]]]}{suffix}[{f'{places[0]} + ' if places[0] else ''}{place}]"

    # --- what goes out ------------------------------------------------------------------------------------------

    def _outgoing(self) -> Iterable[Unit]:
        ops, operands = self.program.ops, self.program.operands
        written: dict[str, set[int]] = {}
        for leaf, gradient in self.program.gradients.items():
            kind, place = ops[leaf], operands[leaf][0]
            places = written.setdefault(kind, set())
            adding = place in places or (self.batched and not self.differs(kind))
            places.add(place)
            yield self._gradient(f"{kind}_gradient", f"{kind}_gradient[{place}] {'+=' if adding else '='} ", gradient)
        for leaves, index, gradient in self.program.scatters:
            chosen = self._index(index)
            if isinstance(chosen, int):
                leaves = (leaves[chosen],)
            for kind in {ops[x] for x in leaves}:
                written.setdefault(kind, set())
            yield from self._scatter(leaves, chosen, index, gradient)
        self.gradients = {kind: len(written[kind]) < self.widths[kind] for kind in ARRAYS if kind in written}
        if "tangent" in self.program.outputs:
            yield self._gradient("tangent", "tangent[0] = ", self.program.outputs["tangent"])

    def _gradient(self, array: str, target: str, gradient: int) -> Unit:
        return Unit(lambda read: [f"{target}{read(gradient)};"], (gradient,), writes=array)

    def _scatter(self, leaves: tuple[int, ...], chosen: int | str, index: int, gradient: int) -> Iterable[Unit]:
        ops, operands = self.program.ops, self.program.operands
        if isinstance(chosen, int):
            kind, place = ops[leaves[0]], operands[leaves[0]][0]
            yield self._gradient(f"{kind}_gradient", f"{kind}_gradient[{place}] += ", gradient)
            return
        inside, element = self._progression(leaves, chosen, "_gradient")
        if element:
            lines = lambda read: [f"if ({inside}) {{ {element} += {read(gradient)}; }}"]
            yield Unit(lines, (gradient, index), writes=f"{ops[leaves[0]]}_gradient")
            return
        for kind in dict.fromkeys(ops[x] for x in leaves):  # a unit writes one array
            cases = [(k, operands[x][0]) for k, x in enumerate(leaves) if ops[x] == kind]
            yield Unit(
                partial(self._cases, kind, chosen, cases, gradient), (gradient, index), writes=f"{kind}_gradient"
            )

    def _cases(self, kind: str, chosen: str, cases: list[tuple[int, int]], gradient: int, read: Read) -> list[str]:
        lines = [f"case {k}: {kind}_gradient[{place}] += {read(gradient)}; break;" for k, place in cases]
        return [f"switch ({chosen}) {{", *lines, "default: break;", "}"]


def _with_short_chains(program: Program) -> Program:
    """Return the program with long chains cut: a chain starts from its first operand, so one continues another."""
    if max(map(len, program.operands), default=0) <= 2 * _LONGEST_CHAIN + 1:
        return program
    ops: list[str] = []
    operands: list[tuple[Any, ...]] = []
    number: list[int] = []
    for op, old in zip(program.ops, program.operands):
        if op == CHAIN:
            total, *rest = [number[x] for x in old]
            half = len(rest) // 2
            for k in range(0, half, _LONGEST_CHAIN):
                end = min(k + _LONGEST_CHAIN, half)
                ops.append(CHAIN)
                operands.append((total, *rest[k:end], *rest[half + k : half + end]))
                total = len(ops) - 1
        else:
            ops.append(op)
            operands.append(old if op in LEAVES else tuple([number[x] for x in old]))
        number.append(len(ops) - 1)
    return renumbered(program, ops, operands, number)


# --- names and comments -----------------------------------------------------------------------------------------

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
# Nothing that ends a comment or a string, joins lines, begins a tag or a trigraph, or turns the direction of writing.
_PLAIN = re.compile(r"[^A-Za-z0-9 _\[\]().,:;=+\-'\"#%@!&|^~${}]")
_LONGEST_TEXT = 200


def checked(name: str, reserved: Iterable[str], language: str, batched: bool, reduce: str | None) -> None:
    """Raise ``ValueError`` for a function that cannot be called ``name``, or a ``reduce`` that is not known."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"the name of a function is letters, digits and _, from a letter on, 63 at most; not {name!r}")
    if name in reserved:
        raise ValueError(f"{name!r} has a meaning in {language}; choose another name")
    if reduce not in ("sum", "mean", None):
        raise ValueError(f"unknown reduce {reduce!r} (one of: 'sum', 'mean', None)")
    if reduce is not None and not batched:
        raise ValueError("reduce needs batched=True: a single sample has nothing to reduce")


def described(body: Body, reduce: str | None, legend: Mapping[str, Sequence[str]] | None) -> list[str]:
    """Return what a comment says about the arrays and about the result."""
    lines = ["n: the number of samples. Arrays of samples lie row by row.", ""] if body.batched else []
    for kind, width in body.widths.items():
        lines.append(f"{ARRAYS[kind]}[{f'n * {width}' if body.differs(kind) else width}]")
        lines += [f"    {harmless(text)}" for text in (legend or {}).get(kind, ())]
    for kind in body.gradients:
        summed = ", summed over the samples" if body.batched and not body.differs(kind) else ""
        lines.append(f"{kind}_gradient: of the elements of {ARRAYS[kind]}{summed}; 0 where there is none")
    each = body.batched and reduce is None
    if "tangent" in body.program.outputs:
        lines.append(
            "tangent[n]: the derivative along direction" if each else "tangent[1]: the derivative along direction"
        )
    if "value" in body.program.outputs:
        result = f"the {reduce} of the samples' values" if reduce else "the value"
        lines += ["", "The values of the samples go to value[n]." if each else f"Returns {result}."]
    return [*lines, ""]


def harmless(text: str) -> str:
    """Return the text as it may stand in a comment, whoever wrote it.

    >>> harmless("x[0]: */ θ")
    'x[0]: U+002AU+002F U+03B8'
    """
    return _PLAIN.sub(lambda match: f"U+{ord(match[0]):04X}", text[:_LONGEST_TEXT])
