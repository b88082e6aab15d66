"""A compiled function as text in other languages, with what its numbers mean."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping, Sequence

from micrograd.compiler import jit
from micrograd.compiler.account import Account
from micrograd.compiler.arguments import Leaf
from micrograd.compiler.build import assembly
from micrograd.compiler.c_source import c_source
from micrograd.compiler.js_source import js_source
from micrograd.compiler.kernel import Shape
from micrograd.compiler.lower import lowered
from micrograd.compiler.program import Program
from micrograd.compiler.python_source import python_source

__all__ = ["LANGUAGES", "exported", "legend_of"]

LANGUAGES = ("c", "js", "llvm", "python")


def exported(
    language: str,
    program: Program,
    shape: Shape,
    *,
    name: str,
    reduce: str | None,
    fastmath: bool,
    legend: Mapping[str, Sequence[str]],
) -> str:
    """Return ``program`` in one of ``LANGUAGES``.

    Args:
        language: which one.
        program: in the operations of the table.
        shape: what goes in, and what is asked.
        name: of the function; what a language does not allow in a name becomes ``_``.
        reduce: how the samples of a batch are taken together.
        fastmath: for LLVM, whether arithmetic may be contracted and reordered.
        legend: what each array holds, by kind of leaf.
    """
    identifier = re.sub(r"\W", "_", name, flags=re.ASCII).strip("_") or "function"
    if identifier[0].isdigit() or keyword.iskeyword(identifier):
        identifier = f"f_{identifier}"
    if language == "python":
        return python_source(program, identifier)
    if language == "llvm":
        return "\n".join(assembly(program, shape, jit.lanes(), fastmath, Account())[1])
    write = c_source if language == "c" else js_source
    widths = {
        "argument": shape.arguments,
        "parameter": shape.parameters,
        "index": shape.indices,
        "sample": sum(shape.samples),
        "sample_index": shape.sample_indices,
        "tangent": shape.tangents,
    }
    return write(
        lowered(program),
        name=f"{identifier}_value_and_grad",
        batched=shape.batched,
        reduce=reduce,
        widths={kind: width for kind, width in widths.items() if width},
        legend=legend,
    )


def legend_of(leaves: Sequence[Leaf], parameters: Sequence[str]) -> dict[str, list[str]]:
    """Return what the arrays of an export hold: the elements of arguments, and parameters by their labels."""
    legend: dict[str, list[str]] = {}
    for leaf in leaves:
        if leaf.kind == "float" and leaf.size:
            last = leaf.first + leaf.size - 1
            where = f"[{leaf.first}]" if leaf.size == 1 else f"[{leaf.first}] to [{last}]"
            shape = "" if not leaf.shape else f", shape {leaf.shape}"
            legend.setdefault("sample" if leaf.batched else "argument", []).append(f"{where}: {leaf.name}{shape}")
    for k, label in enumerate(parameters):
        if label:
            legend.setdefault("parameter", []).append(f"[{k}]: {label}")
    return legend
