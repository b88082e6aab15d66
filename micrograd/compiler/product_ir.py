"""Loops for matrix products, in LLVM's assembly language.

The loops work on tiles: a few rows times a few columns whose sums stay in registers while k runs. Each sum is added up
from its first product to its last, so tiles change nothing about the bits. Products of one shape share a function.
"""

from __future__ import annotations

from collections.abc import Callable

from micrograd.compiler.ir_text import Types
from micrograd.compiler.schedule import Matrix, Product

__all__ = ["ProductCode"]


class ProductCode:
    """The functions of the products of a module."""

    def __init__(self, types: Types, flags: str) -> None:
        self.types = types
        self.flags = flags
        self.functions: list[str] = []
        self.addresses = 0
        self._names: dict[Product, str] = {}

    def call(self, product: Product) -> list[str]:
        """Return the instructions that call the function of a product, whose places are given by addresses."""
        shape = Product(
            product.rows,
            product.columns,
            product.depth,
            _at_zero(product.a),
            _at_zero(product.b),
            product.initial and _at_zero(product.initial),
            _at_zero(product.out),
            product.adds,
        )
        name = self._names.get(shape)
        if name is None:
            name = self._names[shape] = f"product{len(self._names)}"
            self.functions.append(_Loops(self.types, self.flags, shape).function(name))
        lines = []
        operands = []
        for matrix in (product.a, product.b, product.initial or product.out, product.out):
            unit = 1 if matrix.region == "U" else self.types.lanes
            self.addresses += 1
            register = f"%p{self.addresses}"
            lines.append(f"{register} = getelementptr double, ptr %{matrix.region}, i64 {matrix.first * unit}")
            operands.append(f"ptr {register}")
        return [*lines, f"call void @{name}({', '.join(operands)})"]


def _at_zero(matrix: Matrix) -> Matrix:
    return Matrix(matrix.region, 0, matrix.by_row, matrix.by_column)


class _Loops:
    """One function: loops over tiles of rows and columns, and in each the loop over k around the sums of the tile."""

    def __init__(self, types: Types, flags: str, product: Product) -> None:
        self.types = types
        self.flags = flags
        self.product = product
        self.lines: list[str] = []
        self.fresh = 0
        self.block = "entry"  # the basic block that is being written

    def function(self, name: str) -> str:
        product = self.product
        high, wide = _tile(product.rows, product.columns)
        for i, row_count, rows in _spans(product.rows, high):
            for j, column_count, columns in _spans(product.columns, wide):
                self.tiles((i, row_count, rows), (j, column_count, columns))
        body = "\n".join(self.lines)
        return (
            f"define internal void @{name}(ptr noalias %a, ptr noalias %b, ptr %initial, ptr %out) #1 {{\n"
            f"entry:\n{body}\n  ret void\n}}"
        )

    def tiles(self, over_rows: tuple[int, int, int], over_columns: tuple[int, int, int]) -> None:
        """Write the loops over tiles of one size."""
        i, row_count, rows = over_rows
        j, column_count, columns = over_columns
        row, end_rows = self.loop(i, row_count, rows)
        column, end_columns = self.loop(j, column_count, columns)
        self.tile(row, column, rows, columns)
        end_columns()
        end_rows()

    # --- writing ----------------------------------------------------------------------------------------------

    def line(self, text: str) -> str:
        self.fresh += 1
        self.lines.append(f"  %t{self.fresh} = {text}")
        return f"%t{self.fresh}"

    def start(self, label: str) -> None:
        self.lines.append(f"{label}:")
        self.block = label

    def loop(self, first: int, count: int, step: int) -> tuple[str, Callable[[], None]]:
        """Open a loop and return its variable, and the function that closes it; a single turn needs no loop."""
        if count == 1:
            return str(first), lambda: None
        self.fresh += 1
        name = f"{self.fresh}"
        before = self.block
        self.lines.append(f"  br label %loop{name}")
        self.start(f"loop{name}")
        place = len(self.lines)
        self.lines.append("")  # the phi, once the last block of the loop is known

        def close() -> None:
            after = self.line(f"add i64 %i{name}, {step}")
            more = self.line(f"icmp slt i64 {after}, {first + count * step}")
            self.lines[place] = f"  %i{name} = phi i64 [ {first}, %{before} ], [ {after}, %{self.block} ]"
            self.lines.append(f"  br i1 {more}, label %loop{name}, label %after{name}")
            self.start(f"after{name}")

        return f"%i{name}", close

    def offset(self, variable: str, distance: int) -> str:
        """Return ``variable * distance``, counted in numbers."""
        if variable.startswith("%"):
            return variable if distance == 1 else self.line(f"mul i64 {variable}, {distance}")
        return str(int(variable) * distance)

    def moved(self, pointer: str, offset: str) -> str:
        return pointer if offset == "0" else self.line(f"getelementptr double, ptr {pointer}, i64 {offset}")

    def unit(self, matrix: Matrix) -> int:
        return 1 if matrix.region == "U" else self.types.lanes

    def pointers(self, name: str, matrix: Matrix, variable: str, by: int, count: int) -> list[str]:
        """Return the addresses of ``count`` lines from line ``variable`` on, which are ``by`` apart."""
        unit = self.unit(matrix)
        first = self.moved(name, self.offset(variable, by * unit))
        return [first, *[self.moved(first, str(k * by * unit)) for k in range(1, count)]]

    def load(self, matrix: Matrix, pointer: str) -> str:
        t, lanes = self.types.number, self.types.lanes
        if matrix.region != "U" or lanes == 1:
            return self.line(f"load {t}, ptr {pointer}, align {self.types.align}")
        scalar = self.line(f"load double, ptr {pointer}, align 8")
        return self.types.splat(self.line, scalar)

    # --- one tile ---------------------------------------------------------------------------------------------

    def tile(self, i: str, j: str, rows: int, columns: int) -> None:
        product, t = self.product, self.types.number
        a = self.pointers("%a", product.a, i, product.a.by_row, rows)
        b = self.pointers("%b", product.b, j, product.b.by_row, columns)
        cells = [(r, c) for r in range(rows) for c in range(columns)]
        sums = self.initial(i, j, rows, columns, cells)
        sums = self.step("0", a, b, cells, sums) if product.depth == 1 else self.summed(a, b, cells, sums)
        out = product.out
        for r, line in enumerate(self.pointers("%out", out, i, out.by_row, rows)):
            for c, place in enumerate(self.pointers(line, out, j, out.by_column, columns)):
                x = sums[r * columns + c]
                if product.adds:
                    x = self.line(f"fadd{self.flags} {t} {self.load(out, place)}, {x}")
                self.lines.append(f"  store {t} {x}, ptr {place}, align {self.types.align}")

    def initial(self, i: str, j: str, rows: int, columns: int, cells: list[tuple[int, int]]) -> list[str]:
        initial = self.product.initial
        if initial is None:
            return [self.types.constant(-0.0)] * len(cells)
        found = []
        for line in self.pointers("%initial", initial, i, initial.by_row, rows):
            for place in self.pointers(line, initial, j, initial.by_column, columns):
                found.append(self.load(initial, place))
        return found

    def summed(self, a: list[str], b: list[str], cells: list[tuple[int, int]], sums: list[str]) -> list[str]:
        """Write the loop over k."""
        t = self.types.number
        before = self.block
        k, close = self.loop(0, self.product.depth, 1)
        names = [f"%sum{k[2:]}_{n}" for n in range(len(cells))]
        place = len(self.lines)
        self.lines.append("")  # the sums so far, once those of the next turn have names
        after = self.step(k, a, b, cells, names)
        self.lines[place] = "\n".join(
            f"  {name} = phi {t} [ {x}, %{before} ], [ {y}, %{self.block} ]" for name, x, y in zip(names, sums, after)
        )
        close()
        return after

    def step(self, k: str, a: list[str], b: list[str], cells: list[tuple[int, int]], sums: list[str]) -> list[str]:
        """Add the products for one k to the sums."""
        product, t, flags = self.product, self.types.number, self.flags
        by_a = self.offset(k, product.a.by_column * self.unit(product.a))
        by_b = self.offset(k, product.b.by_column * self.unit(product.b))
        left = [self.load(product.a, self.moved(x, by_a)) for x in a]
        right = [self.load(product.b, self.moved(x, by_b)) for x in b]
        result = []
        for (r, c), total in zip(cells, sums):
            x = self.line(f"fmul{flags} {t} {left[r]}, {right[c]}")
            result.append(self.line(f"fadd{flags} {t} {total}, {x}"))
        return result


def _tile(rows: int, columns: int) -> tuple[int, int]:
    """Return the size of a tile: as many sums as hide the time that an addition takes."""
    if columns == 1:
        return min(rows, 8), 1
    if rows == 1:
        return 1, min(columns, 8)
    return min(rows, 4), min(columns, 4)


def _spans(size: int, tile: int) -> list[tuple[int, int, int]]:
    """Return first, count and size of tiles that cover ``size`` lines: whole ones, then a smaller one.

    >>> _spans(10, 4)
    [(0, 2, 4), (8, 1, 2)]
    """
    whole, rest = divmod(size, tile)
    spans = [(0, whole, tile)] if whole else []
    return [*spans, (whole * tile, 1, rest)] if rest else spans
