"""LLVM's assembly language from a ``Kernel``: pure text, no LLVM needed.

The code is straight-line and cut into functions of a few hundred instructions. Numbers that one function makes and
another needs go through the workspace, so no function is large, and the time that LLVM takes grows linearly with the
program; in one function of everything the allocation of registers would grow faster than that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from micrograd.compiler.choose_ir import chooser
from micrograd.compiler.ir_text import ARITHMETIC, COMPARISONS, INTRINSICS, Types
from micrograd.compiler.kernel import Kernel
from micrograd.compiler.product_ir import ProductCode
from micrograd.compiler.products import NOTHING
from micrograd.compiler.program import CHAIN, LEAVES, adds_nothing
from micrograd.compiler.run_ir import driver
from micrograd.compiler.schedule import Part, Product, Schedule
from micrograd.compiler.tape import Tape
from micrograd.compiler.tape_ir import tape_call, tape_function
from micrograd.compiler.vector_math import C_NAMES, libmvec, symbol

__all__ = ["modules"]

# LLVM's quick instruction selection goes through a basic block from its end, and leaves the rest of the block to the
# slow one where it meets an instruction that it does not know. So such instructions begin a new block now and then.
_SLOW = ("select", "fcmp", "insertelement", "shufflevector", "call")
_BLOCK = 16


def modules(
    kernel: Kernel, schedule: Schedule, *, fastmath: bool = False, quick: bool = False, tape: Tape | None = None
) -> tuple[str, str]:
    """Return the text of two modules: one with ``run`` and all loops, and one with the straight-line code.

    The second is empty where straight-line code is in the first, too.

    Args:
        kernel: what to run.
        schedule: in which order.
        fastmath: allow LLVM to contract a product and a sum, and to reorder sums.
        quick: put straight-line code in a module of its own, for LLVM to translate quickly.
        tape: the straight-line code as data, where there is too much of it for LLVM.
    """
    return _Module(kernel, schedule, fastmath, quick).texts(tape)


class _Module:
    """The functions of a module, and what they share."""

    def __init__(self, kernel: Kernel, schedule: Schedule, fastmath: bool, quick: bool) -> None:
        self.quick = quick
        self.kernel = kernel
        self.schedule = schedule
        self.types = Types(kernel.lanes)
        self.flags = " reassoc contract" if fastmath else ""
        self.declared: dict[str, str] = {}
        self.functions: list[str] = []
        self.choosers: dict[tuple[Any, ...], str] = {}
        self.scatters: dict[int, list[tuple[tuple[int, ...], int]]] = {}
        for leaves, index, g in kernel.program.scatters:
            self.scatters.setdefault(g, []).append((leaves, index))

    def texts(self, tape: Tape | None) -> tuple[str, str]:
        calls: list[list[str]] = []
        products = ProductCode(self.types, self.flags)
        names: list[str] = []
        for step in self.schedule.steps:
            if isinstance(step, Product):
                calls.append(products.call(step))
                continue
            if tape is not None:
                calls.append(tape_call(tape.segments[len(names)], len(names)))
                names.append("tape")
                continue
            names.append(f"part{len(names)}")
            self.functions.append(_Part(self, step).function(names[-1], "" if self.quick else "internal "))
            calls.append([f"call void @{names[-1]}(ptr %U, ptr %W, ptr %A, ptr %I)"])
        run = driver(self.kernel, self.types, calls)
        bits = max(self.kernel.lanes * 64, 128)
        width = f'nounwind "prefer-vector-width"="{bits}" "min-legal-vector-width"="{bits}"'
        ending = f"attributes #0 = {{ noinline {width} }}\nattributes #1 = {{ {width} }}\n"
        if tape is not None:
            doubt = self.kernel.accumulators
            self.functions.append(
                tape_function(self.types, self.flags, doubt, self.intrinsic_function, self.library_function)
            )
        parts = [*self.declared.values(), *self.functions]
        if not self.quick:
            return "\n".join([*parts, *products.functions, run, ending]), ""
        declared = [f"declare void @{name}(ptr, ptr, ptr, ptr)" for name in names]
        quickly = ending.replace("noinline", "noinline optnone")
        return "\n".join([*declared, *products.functions, run, ending]), "\n".join([*parts, quickly])

    def declare(self, name: str, result: str, *operands: str) -> str:
        self.declared.setdefault(name, f"declare {result} @{name}({', '.join(operands)})")
        return name

    def chooser(self, kind: str, places: Sequence[int], per_lane: bool) -> tuple[str, int]:
        """Return the function that reads or adds at the place that an index chooses, and the first of the places."""
        first = places[0]
        distances = tuple([place - first for place in places])
        step = distances[1] if len(places) > 1 else 0
        regular = distances == tuple(range(0, step * len(places), step)) if step else len(places) == 1
        key = (kind, step if regular else distances, per_lane)
        if key not in self.choosers:
            name = f"{kind}{len(self.choosers)}"
            self.choosers[key] = name
            table = None
            if not regular:
                table = f"{name}_places"
                listed = ", ".join(f"i64 {x}" for x in distances)
                self.declared[table] = f"@{table} = internal constant [{len(distances)} x i64] [{listed}]"
            self.declared[name] = chooser(name, self.types, kind, step, table, per_lane)
        return self.choosers[key], first

    def intrinsic_function(self, op: str, arity: int) -> str:
        """Return the function that LLVM has for ``op``."""
        t = self.types.number
        return self.declare(f"llvm.{INTRINSICS[op]}.{self.types.suffix}", t, *[t] * arity)

    def library_function(self, op: str, arity: int) -> str:
        """Return the function to call for ``op``: libmvec's, or one that calls the C library for every lane."""
        t, lanes = self.types.number, self.kernel.lanes
        if lanes == 1:
            return self.declare(C_NAMES[op], t, *[t] * arity)
        if op in libmvec(lanes):
            return self.declare(symbol(op, lanes), t, *[t] * arity)
        name = f"each_lane_{C_NAMES[op]}"
        if name not in self.declared:
            scalar = self.declare(C_NAMES[op], "double", *["double"] * arity)
            letters = "ab"[:arity]
            lines = [f"define internal {t} @{name}({', '.join(f'{t} %{x}' for x in letters)}) #0 {{"]
            result = "poison"
            for lane in range(lanes):
                for x in letters:
                    lines.append(f"  %{x}{lane} = extractelement {t} %{x}, i64 {lane}")
                operands = ", ".join(f"double %{x}{lane}" for x in letters)
                lines.append(f"  %r{lane} = call double @{scalar}({operands})")
                lines.append(f"  %v{lane} = insertelement {t} {result}, double %r{lane}, i64 {lane}")
                result = f"%v{lane}"
            self.declared[name] = "\n".join([*lines, f"  ret {t} {result}", "}"])
        return name


class _Part:
    """One function of straight-line code."""

    def __init__(self, module: _Module, part: Part) -> None:
        self.module = module
        self.kernel = module.kernel
        self.program = module.kernel.program
        self.moves = part.moves
        self.numbers = part.numbers
        self.copies = part.copies
        self.t = module.types.number
        self.bools = module.types.boolean
        self.lines: list[str] = []
        self.local: dict[int, str] = {}  # instruction: its name in this function
        self.conditions: dict[int, str] = {}  # instruction: its name as a truth value
        self.pointers: dict[int, str] = {}
        self.own: set[int] = set()  # what this function computes
        self.fresh = 0
        self.block_end = _BLOCK

    def function(self, name: str, linkage: str) -> str:
        program, schedule = self.program, self.module.schedule
        ops, operands = program.ops, program.operands
        for source, target in self.moves:
            self.store("W", target, self.load("W", source))
        slots, outgoing, scatters = schedule.slots, schedule.outgoing, self.module.scatters
        for i in self.numbers:
            op = ops[i]
            if op not in LEAVES and i not in schedule.products:
                self.own.add(i)
                result = _EMIT.get(op, _Part.library)(self, i, op, operands[i])
                if result is not None:
                    self.local[i] = result
                if i in slots:
                    self.store("W", slots[i], self.value(i))
            if i in outgoing:
                self.send(i, outgoing[i])
            for leaves, index in scatters.get(i, ()):
                self.scatter(leaves, index, i)
        for x, slot in self.copies:
            self.store("W", slot, self.module.types.constant(-0.0) if x == NOTHING else self.value(x))
        body = "\n".join(self.lines)
        return f"define {linkage}void @{name}(ptr %U, ptr %W, ptr %A, ptr %I) #0 {{\n{body}\n  ret void\n}}"

    # --- names, memory ----------------------------------------------------------------------------------------

    def line(self, text: str) -> str:
        """Add an instruction and return the name of its result."""
        if self.module.quick and len(self.lines) >= self.block_end and text.startswith(_SLOW):
            self.fresh += 1
            self.lines.append(f"  br label %b{self.fresh}\nb{self.fresh}:")
            self.block_end = len(self.lines) + _BLOCK
        self.fresh += 1
        self.lines.append(f"  %t{self.fresh} = {text}")
        return f"%t{self.fresh}"

    def value(self, x: int) -> str:
        """Return the name of instruction ``x`` in this function, loading it where another one made it."""
        name = self.local.get(x)
        if name is None:
            if x in self.conditions and x in self.own:
                one, zero = self.module.types.constant(1.0), self.module.types.constant(0.0)
                name = self.line(f"select {self.bools} {self.conditions[x]}, {self.t} {one}, {self.t} {zero}")
            else:
                name = self.loaded(x)
            self.local[x] = name
        return name

    def loaded(self, x: int) -> str:
        op, operands = self.program.ops[x], self.program.operands[x]
        kernel, types = self.kernel, self.module.types
        if op == "constant":
            return types.constant(operands[0])
        if op not in LEAVES:
            return self.load("W", self.module.schedule.slots[x])
        slot = kernel.sample_slot(op, *operands) if operands else None
        if slot is None:
            return self.module.types.splat(self.line, self.load_scalar("U", kernel.uniform(op, *operands)))
        return self.load("W", slot)

    def address(self, region: str, offset: int) -> str:
        return self.line(f"getelementptr double, ptr %{region}, i64 {offset}") if offset else f"%{region}"

    def load_scalar(self, region: str, offset: int) -> str:
        return self.line(f"load double, ptr {self.address(region, offset)}, align 8")

    def load(self, region: str, slot: int) -> str:
        types = self.module.types
        return self.line(f"load {self.t}, ptr {self.address(region, slot * types.lanes)}, align {types.align}")

    def store(self, region: str, slot: int, name: str) -> None:
        types = self.module.types
        address = self.address(region, slot * types.lanes)
        self.lines.append(f"  store {self.t} {name}, ptr {address}, align {types.align}")

    def send(self, i: int, targets: Sequence[tuple[str, int]]) -> None:
        """Send a result to accumulators and columns."""
        name = self.value(i)
        for region, slot in targets:
            if region == "W":
                self.store("W", slot, name)
                doubt = self.kernel.accumulators
                is_nan = self.line(f"fcmp uno {self.t} {name}, {name}")
                found = self.line(f"select {self.bools} {is_nan}, {self.t} {name}, {self.t} {self.load('A', doubt)}")
                self.store("A", doubt, found)
            elif region == "A" and self.module.schedule.accumulates:
                total = self.line(f"fadd {self.t} {self.load('A', slot)}, {name}")
                self.store("A", slot, total)
            else:
                self.store("A", slot, name)

    # --- one method for each kind of instruction --------------------------------------------------------------

    def arithmetic(self, i: int, op: str, operands: Sequence[int]) -> str:
        x, y = self.value(operands[0]), self.value(operands[1])
        return self.line(f"{ARITHMETIC[op]}{self.module.flags} {self.t} {x}, {y}")

    def negation(self, i: int, op: str, operands: Sequence[int]) -> str:
        return self.line(f"fneg {self.t} {self.value(operands[0])}")

    def comparison(self, i: int, op: str, operands: Sequence[int]) -> None:
        kinds = [self.program.ops[x] for x in operands]
        for x, kind in zip(operands, kinds):
            if kind in ("index", "sample_index"):
                (other,) = [y for y in operands if y != x]
                condition = self.line(
                    f"icmp eq {self.module.types.integer} {self.chosen(x)},"
                    f" {self.module.types.integer_constant(int(self.program.operands[other][0]))}"
                )
                self.truth(i, condition)
                return
        left, right = [self.value(x) for x in operands]
        self.truth(i, self.line(f"fcmp {COMPARISONS[op]} {self.t} {left}, {right}"))

    def is_nan(self, i: int, op: str, operands: Sequence[int]) -> None:
        x = self.value(operands[0])
        self.truth(i, self.line(f"fcmp uno {self.t} {x}, {x}"))

    def truth(self, i: int, condition: str) -> None:
        """Note a truth value; it becomes a number if somebody wants one."""
        self.conditions[i] = condition

    def where(self, i: int, op: str, operands: Sequence[int]) -> str:
        condition, x, y = operands
        test = self.conditions.get(condition)
        if test is None:  # made elsewhere, or not by a comparison
            zero = self.module.types.constant(0.0)
            test = self.conditions[condition] = self.line(f"fcmp une {self.t} {self.value(condition)}, {zero}")
        return self.line(f"select {self.bools} {test}, {self.t} {self.value(x)}, {self.t} {self.value(y)}")

    def intrinsic(self, i: int, op: str, operands: Sequence[int]) -> str:
        t, name = self.t, self.module.intrinsic_function(op, len(operands))
        return self.line(f"call {t} @{name}({', '.join(f'{t} {self.value(x)}' for x in operands)})")

    def library(self, i: int, op: str, operands: Sequence[int]) -> str:
        t = self.t
        name = self.module.library_function(op, len(operands))
        return self.line(f"call {t} @{name}({', '.join(f'{t} {self.value(x)}' for x in operands)}) #0")

    def chain(self, i: int, op: str, operands: Sequence[int]) -> str:
        initial, *rest = operands
        half = len(rest) // 2
        t, flags = self.t, self.module.flags
        total = "" if adds_nothing(self.program, initial) else self.value(initial)
        for x, y in zip(rest[:half], rest[half:]):
            product = self.line(f"fmul{flags} {t} {self.value(x)}, {self.value(y)}")
            total = self.line(f"fadd{flags} {t} {total}, {product}") if total else product
        return total

    # --- numbers chosen at run time ---------------------------------------------------------------------------

    def chosen(self, x: int) -> str:
        """Return an index: one int, or one for each lane."""
        op, (k,) = self.program.ops[x], self.program.operands[x]
        types = self.module.types
        if op == "sample_index":
            address = self.address("W", (self.kernel.sample_slot(op, k) or 0) * types.lanes)
            return self.line(f"load {types.integer}, ptr {address}, align {types.align}")
        scalar = self.line(f"load i64, ptr {self.line(f'getelementptr i64, ptr %I, i64 {k}')}, align 8")
        if types.lanes == 1:
            return scalar
        first = self.line(f"insertelement {types.integer} poison, i64 {scalar}, i64 0")
        return self.line(
            f"shufflevector {types.integer} {first}, {types.integer} poison, <{types.lanes} x i32> zeroinitializer"
        )

    def pointer(self, x: int) -> str:
        """Return the address of an index: of one int, or of one for each lane."""
        op, (k,) = self.program.ops[x], self.program.operands[x]
        if x not in self.pointers:
            if op == "sample_index":
                self.pointers[x] = self.address("W", (self.kernel.sample_slot(op, k) or 0) * self.module.types.lanes)
            else:
                self.pointers[x] = self.line(f"getelementptr i64, ptr %I, i64 {k}")
        return self.pointers[x]

    def take(self, i: int, op: str, operands: Sequence[int]) -> str:
        *values, index = operands
        places = [self.kernel.uniform(self.program.ops[x], *self.program.operands[x]) for x in values]
        function, base = self.module.chooser("take", places, self.program.ops[index] == "sample_index")
        return self.line(f"call {self.t} @{function}(ptr {self.address('U', base)}, ptr {self.pointer(index)}) #0")

    def scatter(self, leaves: Sequence[int], index: int, gradient: int) -> None:
        """Add a gradient to the accumulator of the leaf that the index chooses, each lane to its own."""
        places = [self.kernel.accumulated[x] for x in leaves]
        function, base = self.module.chooser("give", places, self.program.ops[index] == "sample_index")
        address = self.address("A", base * self.kernel.lanes)
        operands = f"ptr {address}, ptr {self.pointer(index)}, {self.t} {self.value(gradient)}"
        self.lines.append(f"  call void @{function}({operands}) #0")


_EMIT: dict[str, Callable[..., str | None]] = {
    **dict.fromkeys(ARITHMETIC, _Part.arithmetic),
    **dict.fromkeys(COMPARISONS, _Part.comparison),
    **dict.fromkeys(INTRINSICS, _Part.intrinsic),
    "neg": _Part.negation,
    "isnan": _Part.is_nan,
    "where": _Part.where,
    "take": _Part.take,
    CHAIN: _Part.chain,
}
