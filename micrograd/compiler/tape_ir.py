"""The loop that runs a tape, in LLVM's assembly language.

Each operation ends with a jump of its own to the next one, not with a return to one common place: the processor then
foresees where the jump goes from where it comes (Ertl and Gregg, "The Structure and Performance of Efficient
Interpreters", Journal of Instruction-Level Parallelism 5, 2003).
"""

from __future__ import annotations

from collections.abc import Callable

from micrograd.compiler.ir_text import ARITHMETIC, COMPARISONS, INTRINSICS, Types
from micrograd.compiler.tape import FIELDS, OPERATIONS
from micrograd.ops import operations

__all__ = ["tape_call", "tape_function"]

_BLOCKS = len(OPERATIONS)

Namer = Callable[[str, int], str]


def tape_call(start: int, place: int) -> list[str]:
    """Return the instructions that run the tape from instruction ``start`` to the next ``stop``."""
    return [
        f"%tape{place} = load ptr, ptr @tape_code, align 8",
        f"%segment{place} = getelementptr i32, ptr %tape{place}, i64 {start * FIELDS}",
        f"call void @tape(ptr %segment{place}, ptr %U, ptr %W, ptr %A)",
    ]


def tape_function(types: Types, flags: str, doubt: int, intrinsic: Namer, library: Namer) -> str:
    """Return the text of ``tape``, and of the variables that say where the tape and its numbers are.

    Args:
        types: of the lanes.
        flags: of arithmetic.
        doubt: the accumulator that notes a nan among results for each sample.
        intrinsic: gives the function of LLVM for an operation and its number of operands.
        library: gives the function of the C library for an operation and its number of operands.
    """
    targets = ", ".join(f"ptr blockaddress(@tape, %op{k})" for k in range(_BLOCKS))
    lines = [
        "@tape_code = global ptr null",
        "@tape_numbers = global ptr null",
        f"@tape_targets = internal constant [{_BLOCKS} x ptr] [{targets}]",
        "define internal void @tape(ptr %code, ptr %U, ptr %W, ptr %A) #1 {",
        "entry:",
        "  %numbers = load ptr, ptr @tape_numbers, align 8",
        *_jump("%code", "first"),
    ]
    for k, op in enumerate(OPERATIONS):
        here = ", ".join(["[ %code, %entry ]", *[f"[ %next{x}, %op{x} ]" for x in range(_BLOCKS) if _goes_on(x)]])
        lines += [f"op{k}:", f"  %here{k} = phi ptr {here}"]
        if op == "stop":
            lines.append("  ret void")
            continue
        lines += _Operation(types, flags, k).lines(op, doubt, intrinsic, library)
        lines.append(f"  %next{k} = getelementptr i32, ptr %here{k}, i64 {FIELDS}")
        lines += _jump(f"%next{k}", str(k))
    return "\n".join([*lines, "}"])


def _goes_on(k: int) -> bool:
    return OPERATIONS[k] != "stop"


def _jump(pointer: str, name: str) -> list[str]:
    """Return the jump to the operation of the instruction at ``pointer``."""
    return [
        f"  %op_{name} = load i32, ptr {pointer}, align 4",
        f"  %wide_{name} = zext i32 %op_{name} to i64",
        f"  %entry_{name} = getelementptr ptr, ptr @tape_targets, i64 %wide_{name}",
        f"  %target_{name} = load ptr, ptr %entry_{name}, align 8",
        f"  indirectbr ptr %target_{name}, [ {', '.join(f'label %op{k}' for k in range(_BLOCKS))} ]",
    ]


class _Operation:
    """The code of one operation."""

    def __init__(self, types: Types, flags: str, k: int) -> None:
        self.types = types
        self.flags = flags
        self.k = k
        self.text: list[str] = []
        self.fresh = 0

    def line(self, text: str) -> str:
        self.fresh += 1
        name = f"%x{self.k}_{self.fresh}"
        self.text.append(f"  {name} = {text}")
        return name

    def field(self, place: int) -> str:
        pointer = self.line(f"getelementptr i32, ptr %here{self.k}, i64 {place}")
        return self.line(f"zext i32 {self.line(f'load i32, ptr {pointer}, align 4')} to i64")

    def slot(self, place: int, region: str = "W") -> str:
        return self.line(f"getelementptr {self.types.number}, ptr %{region}, i64 {self.field(place)}")

    def operand(self, place: int) -> str:
        return self.load(self.slot(place + 2))

    def load(self, pointer: str) -> str:
        return self.line(f"load {self.types.number}, ptr {pointer}, align {self.types.align}")

    def store(self, value: str, pointer: str) -> None:
        self.text.append(f"  store {self.types.number} {value}, ptr {pointer}, align {self.types.align}")

    def lines(self, op: str, doubt: int, intrinsic: Namer, library: Namer) -> list[str]:
        if op in ("accumulate", "store"):
            total, x = self.slot(1, "A"), self.operand(0)
            if op == "accumulate":
                x = self.line(f"fadd {self.types.number} {self.load(total)}, {x}")
            self.store(x, total)
            return self.text
        x = self.result(op, intrinsic, library)
        if op == "result":
            t, b = self.types.number, self.types.boolean
            note = self.line(f"getelementptr {t}, ptr %A, i64 {doubt}")
            bad = self.line(f"fcmp uno {t} {x}, {x}")
            self.store(self.line(f"select {b} {bad}, {t} {x}, {t} {self.load(note)}"), note)
        self.store(x, self.slot(1))
        return self.text

    def result(self, op: str, intrinsic: Namer, library: Namer) -> str:
        t, b, flags, constant = self.types.number, self.types.boolean, self.flags, self.types.constant
        if op in ("copy", "result"):
            return self.operand(0)
        if op in ("constant", "uniform"):
            source = "%numbers" if op == "constant" else "%U"
            pointer = self.line(f"getelementptr double, ptr {source}, i64 {self.field(2)}")
            return self.types.splat(self.line, self.line(f"load double, ptr {pointer}, align 8"))
        if op == "neg":
            return self.line(f"fneg {t} {self.operand(0)}")
        if op == "isnan":
            test = self.line(f"fcmp uno {t} {self.operand(0)}, {constant(0.0)}")
            return self.line(f"select {b} {test}, {t} {constant(1.0)}, {t} {constant(0.0)}")
        if op in ARITHMETIC:
            return self.line(f"{ARITHMETIC[op]}{flags} {t} {self.operand(0)}, {self.operand(1)}")
        if op in COMPARISONS:
            test = self.line(f"fcmp {COMPARISONS[op]} {t} {self.operand(0)}, {self.operand(1)}")
            return self.line(f"select {b} {test}, {t} {constant(1.0)}, {t} {constant(0.0)}")
        if op == "where":
            test = self.line(f"fcmp une {t} {self.operand(0)}, {constant(0.0)}")
            return self.line(f"select {b} {test}, {t} {self.operand(1)}, {t} {self.operand(2)}")
        if op == "product_added":
            product = self.line(f"fmul{flags} {t} {self.operand(1)}, {self.operand(2)}")
            return self.line(f"fadd{flags} {t} {self.operand(0)}, {product}")
        arity = operations()[op].arity or 0
        name = (intrinsic if op in INTRINSICS else library)(op, arity)
        return self.line(f"call {t} @{name}({', '.join(f'{t} {self.operand(n)}' for n in range(arity))})")
