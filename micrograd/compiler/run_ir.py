"""The entry of native code: blocks of samples, columns in and out, and the one sum over the lanes.

``run(ctx)`` gets the address of an array of 64-bit words, in the order of ``CONTEXT`` and followed by one address for
each column, those going in first. A batch that is no multiple of the lanes begins with a block in which the last of its
samples fills the other lanes; what those lanes accumulated is then set to zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from micrograd.compiler.ir_text import Types
from micrograd.compiler.kernel import Column, Kernel

__all__ = ["CONTEXT", "driver"]

CONTEXT = ("uniforms", "indices", "workspace", "accumulators", "totals", "begin", "end")
_PARTS = ("U", "I", "W", "A", "G", "begin", "end")


def driver(kernel: Kernel, types: Types, calls: Sequence[Sequence[str]]) -> str:
    """Return the text of the functions ``run``, ``block`` and what they call."""
    body = "\n".join(f"  {line}" for call in calls for line in call)
    block = f"define internal void @block(ptr %U, ptr %W, ptr %A, ptr %I) #1 {{\n{body}\n  ret void\n}}"
    parts = ["declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)", block, _check(kernel)]
    if not kernel.shape.batched:
        return "\n".join([*parts, _single(kernel)])
    return "\n".join([*parts, _columns(kernel, types), _reduction(kernel, types), _batched(kernel, types)])


def _header(kernel: Kernel) -> list[str]:
    """Return the loads of the context."""
    lines = []
    for place, name in enumerate(_PARTS):
        kind = "i64" if name in ("begin", "end") else "ptr"
        lines.append(f"  %at_{name} = getelementptr i64, ptr %ctx, i64 {place}")
        lines.append(f"  %{name} = load {kind}, ptr %at_{name}, align 8")
    for place, column in enumerate([*kernel.columns_in, *kernel.columns_out], start=len(_PARTS)):
        lines.append(f"  %at_{column.name} = getelementptr i64, ptr %ctx, i64 {place}")
        lines.append(f"  %{column.name} = load ptr, ptr %at_{column.name}, align 8")
    return lines


def _zero(kernel: Kernel) -> str:
    size = 8 * kernel.lanes * (kernel.accumulators + 1)
    return f"  call void @llvm.memset.p0.i64(ptr align 8 %A, i8 0, i64 {size}, i1 false)"


_BLOCK = "  call void @block(ptr %U, ptr %W, ptr %A, ptr %I)"


def _single(kernel: Kernel) -> str:
    zero = [_zero(kernel)] if kernel.program.scatters else []
    check = ["  call void @check(ptr %G)"]
    return "\n".join(["define void @run(ptr %ctx) #1 {", *_header(kernel), *zero, _BLOCK, *check, "  ret void", "}"])


def _check(kernel: Kernel) -> str:
    """Return the function that writes after the totals whether something is nan: a nan, or else 0.

    Results for each sample have been looked at already; what was found is what stands there.
    """
    count = kernel.accumulators
    found = "%found" if kernel.shape.batched else "0x0000000000000000"
    return f"""define internal void @check(ptr %G) #1 {{
entry:
  %end = getelementptr double, ptr %G, i64 {count}
  %found = load double, ptr %end, align 8
  br label %test
test:
  %k = phi i64 [ 0, %entry ], [ %next, %loop ]
  %so_far = phi double [ {found}, %entry ], [ %worse, %loop ]
  %more = icmp slt i64 %k, {count}
  br i1 %more, label %loop, label %done
loop:
  %slot = getelementptr double, ptr %G, i64 %k
  %x = load double, ptr %slot, align 8
  %bad = fcmp uno double %x, %x
  %worse = select i1 %bad, double %x, double %so_far
  %next = add i64 %k, 1
  br label %test
done:
  store double %so_far, ptr %end, align 8
  ret void
}}"""


def _columns(kernel: Kernel, types: Types) -> str:
    """Return the functions that copy the columns of the samples ``%s``, ..., ``%last`` into the workspace and back."""
    functions = []
    for going_in, columns in ((True, kernel.columns_in), (False, kernel.columns_out)):
        for column in columns:
            functions.append(_copy(types, column, going_in))
    return "\n".join(functions)


def _copy(types: Types, column: Column, going_in: bool) -> str:
    """Return the function that copies one column for the block from sample ``%s``; lanes past ``%last`` repeat it.

    Rows of samples become slots of lanes, and back. Whole squares are turned in registers, the rest goes number by
    number; a single number per sample is in its place already, as long as no lane repeats.
    """
    return _Copy(types, column, going_in).text()


class _Copy:
    def __init__(self, types: Types, column: Column, going_in: bool) -> None:
        self.types = types
        self.lanes = types.lanes
        self.column = column
        self.going_in = going_in
        self.lines: list[str] = []
        self.fresh = 0

    def text(self) -> str:
        width, lanes = self.column.width, self.lanes
        head = f"define internal void @copy_{self.column.name}(ptr %W, ptr %column, i64 %s, i64 %last) #1 {{\nentry:"
        if width == 0:
            return f"{head}\n  ret void\n}}"
        if width == 1 and lanes > 1:
            self.as_it_is()
        for lane in range(lanes):
            over = self.line(f"icmp sgt i64 {self.line(f'add i64 %s, {lane}')}, %last")
            sample = self.line(f"select i1 {over}, i64 %last, i64 {self.line(f'add i64 %s, {lane}')}")
            self.lines.append(
                f"  %row{lane} = getelementptr i64, ptr %column, i64 {self.line(f'mul i64 {sample}, {width}')}"
            )
        squares = width - width % lanes if lanes > 1 else 0
        if squares:
            self.loop("square", 0, squares, lanes, self.square)
        if squares < width:
            self.loop("single", squares, width, 1, self.single)
        return "\n".join([head, *self.lines, "  ret void", "}"])

    def line(self, text: str) -> str:
        self.fresh += 1
        self.lines.append(f"  %x{self.fresh} = {text}")
        return f"%x{self.fresh}"

    def slot(self, k: str) -> str:
        """Return the address of the slot of number ``k`` of a sample."""
        offset = self.line(f"mul i64 {k}, {self.lanes}")
        return self.line(
            f"getelementptr i64, ptr %W, i64 {self.line(f'add i64 {offset}, {self.column.first * self.lanes}')}"
        )

    def as_it_is(self) -> None:
        """Write the way for a single number per sample."""
        t, wide = self.types.integer, self.types.align
        end = self.line(f"add i64 %s, {self.lanes - 1}")
        whole = self.line(f"icmp sle i64 {end}, %last")
        self.lines.append(f"  br i1 {whole}, label %together, label %apart\ntogether:")
        outer, inner = self.line("getelementptr i64, ptr %column, i64 %s"), self.slot("0")
        if self.going_in:
            self.lines.append(f"  store {t} {self.line(f'load {t}, ptr {outer}, align 8')}, ptr {inner}, align {wide}")
        else:
            self.lines.append(f"  store {t} {self.line(f'load {t}, ptr {inner}, align {wide}')}, ptr {outer}, align 8")
        self.lines.append("  ret void\napart:")

    def loop(self, name: str, start: int, stop: int, step: int, body: Callable[[str], None]) -> None:
        """Write a loop over numbers of a sample."""
        self.lines.append(f"  br label %before_{name}\nbefore_{name}:\n  br label %{name}\n{name}:")
        self.lines.append(f"  %k_{name} = phi i64 [ {start}, %before_{name} ], [ %next_{name}, %{name} ]")
        body(f"%k_{name}")
        self.lines.append(f"  %next_{name} = add i64 %k_{name}, {step}")
        self.lines.append(f"  %more_{name} = icmp slt i64 %next_{name}, {stop}")
        self.lines.append(f"  br i1 %more_{name}, label %{name}, label %after_{name}\nafter_{name}:")

    def single(self, k: str) -> None:
        slot = self.slot(k)
        for lane in range(self.lanes):
            outer = self.line(f"getelementptr i64, ptr %row{lane}, i64 {k}")
            inner = self.line(f"getelementptr i64, ptr {slot}, i64 {lane}")
            source, target = (outer, inner) if self.going_in else (inner, outer)
            self.lines.append(f"  store i64 {self.line(f'load i64, ptr {source}, align 8')}, ptr {target}, align 8")

    def square(self, k: str) -> None:
        """Turn as many numbers of each sample as there are lanes."""
        t, lanes, wide = self.types.integer, self.lanes, self.types.align
        slot = self.slot(k)
        rows = [self.line(f"getelementptr i64, ptr %row{lane}, i64 {k}") for lane in range(lanes)]
        slots = [self.line(f"getelementptr i64, ptr {slot}, i64 {lane * lanes}") for lane in range(lanes)]
        sources, targets = (rows, slots) if self.going_in else (slots, rows)
        align_in, align_out = (8, wide) if self.going_in else (wide, 8)
        turned = self.turned([self.line(f"load {t}, ptr {x}, align {align_in}") for x in sources])
        for x, target in zip(turned, targets):
            self.lines.append(f"  store {t} {x}, ptr {target}, align {align_out}")

    def turned(self, lines: list[str]) -> list[str]:
        """Return the columns of a square: blocks change places across the diagonal, the blocks in them in turn."""
        t, lanes = self.types.integer, self.lanes
        size = lanes // 2
        while size:
            upper = [p if not p & size else lanes + p - size for p in range(lanes)]
            lower = [p + size if not p & size else lanes + p for p in range(lanes)]
            for i in [i for i in range(lanes) if not i & size]:
                a, b = lines[i], lines[i + size]
                lines[i] = self.line(f"shufflevector {t} {a}, {t} {b}, <{lanes} x i32> {_mask(upper)}")
                lines[i + size] = self.line(f"shufflevector {t} {a}, {t} {b}, <{lanes} x i32> {_mask(lower)}")
            size //= 2
        return lines


def _mask(places: Sequence[int]) -> str:
    return f"<{', '.join(f'i32 {p}' for p in places)}>"


def _reduction(kernel: Kernel, types: Types) -> str:
    """Return the functions that sum accumulators over the lanes, and that clear the lanes from ``%used`` on."""
    lanes, t, align = types.lanes, types.number, types.align
    loop = f"""entry:
  br label %loop
loop:
  %k = phi i64 [ 0, %entry ], [ %next, %loop ]
  %offset = mul i64 %k, {lanes}
  %slot = getelementptr double, ptr %A, i64 %offset
  %x = load {t}, ptr %slot, align {align}
{{body}}
  %next = add i64 %k, 1
  %more = icmp sle i64 %next, {kernel.accumulators}
  br i1 %more, label %loop, label %done
done:
  ret void
}}}}"""
    mask = ", ".join(f"i64 {lane}" for lane in range(lanes))
    clear = f"""  %one = insertelement {types.integer} poison, i64 %used, i64 0
  %all = shufflevector {types.integer} %one, {types.integer} poison, <{lanes} x i32> zeroinitializer
  %keep = icmp slt {types.integer} <{mask}>, %all
  %kept = select {types.boolean} %keep, {t} %x, {t} zeroinitializer
  store {t} %kept, ptr %slot, align {align}"""
    total = f"""  %total = call reassoc double @llvm.vector.reduce.fadd.{types.suffix}(double -0.0, {t} %x)
  %place = getelementptr double, ptr %G, i64 %k
  store double %total, ptr %place, align 8"""
    return "\n".join(
        [
            f"declare double @llvm.vector.reduce.fadd.{types.suffix}(double, {t})",
            "define internal void @clear(ptr %A, i64 %used) #1 {",
            loop.format(body=clear),
            "define internal void @total(ptr %A, ptr %G) #1 {",
            loop.format(body=total),
        ]
    )


def _batched(kernel: Kernel, types: Types) -> str:
    def step(sample: str, last: str) -> list[str]:
        copy = "  call void @copy_{0}(ptr %W, ptr %{0}, i64 {1}, i64 {2})"
        return [
            *[copy.format(column.name, sample, last) for column in kernel.columns_in],
            _BLOCK,
            *[copy.format(column.name, sample, last) for column in kernel.columns_out],
        ]

    return "\n".join(
        [
            "define void @run(ptr %ctx) #1 {",
            "entry:",
            *_header(kernel),
            _zero(kernel),
            "  %count = sub i64 %end, %begin",
            f"  %rest = srem i64 %count, {types.lanes}",
            "  %after = add i64 %begin, %rest",
            "  %uneven = icmp sgt i64 %rest, 0",
            "  br i1 %uneven, label %partial, label %blocks",
            "partial:",
            "  %last_partial = sub i64 %after, 1",
            *step("%begin", "%last_partial"),
            "  call void @clear(ptr %A, i64 %rest)",
            "  br label %blocks",
            "blocks:",
            "  %some = icmp slt i64 %after, %end",
            "  br i1 %some, label %loop, label %finish",
            "loop:",
            "  %s = phi i64 [ %after, %blocks ], [ %s_next, %loop ]",
            *step("%s", "%end"),
            f"  %s_next = add i64 %s, {types.lanes}",
            "  %more = icmp slt i64 %s_next, %end",
            "  br i1 %more, label %loop, label %finish",
            "finish:",
            "  call void @total(ptr %A, ptr %G)",
            "  call void @check(ptr %G)",
            "  ret void",
            "}",
        ]
    )
