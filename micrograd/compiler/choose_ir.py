"""Numbers chosen at run time, in LLVM's assembly language: reading one of several, and adding to one of several."""

from __future__ import annotations

from micrograd.compiler.ir_text import Types

__all__ = ["chooser"]


def chooser(name: str, types: Types, kind: str, step: int, table: str | None, per_lane: bool) -> str:
    """Return the text of a function that chooses by an index, in every lane.

    Args:
        name: of the function.
        types: of the lanes.
        kind: ``"take"`` reads uniform numbers from ``%base`` on; ``"give"`` adds ``%g`` to accumulators, each lane to
            its own.
        step: how far apart the choices are.
        table: instead of a step, the name of an array with the distance of each choice from the first.
        per_lane: whether each lane has an index of its own at ``%index``; else there is one.
    """
    t, lanes = types.number, types.lanes
    gives = kind == "give"
    operands = f"ptr %base, ptr %index{f', {t} %g' if gives else ''}"
    lines = [f"define internal {'void' if gives else t} @{name}({operands}) #1 {{"]
    result = "poison"
    for lane in range(lanes):
        lines.append(f"  %at{lane} = getelementptr i64, ptr %index, i64 {lane if per_lane else 0}")
        lines.append(f"  %k{lane} = load i64, ptr %at{lane}, align 8")
        if table is None:
            lines.append(f"  %d{lane} = mul i64 %k{lane}, {step}")
        else:
            lines.append(f"  %in{lane} = getelementptr i64, ptr @{table}, i64 %k{lane}")
            lines.append(f"  %d{lane} = load i64, ptr %in{lane}, align 8")
        if not gives:
            lines.append(f"  %p{lane} = getelementptr double, ptr %base, i64 %d{lane}")
            lines.append(f"  %x{lane} = load double, ptr %p{lane}, align 8")
            if lanes == 1:
                result = "%x0"
            else:
                lines.append(f"  %v{lane} = insertelement {t} {result}, double %x{lane}, i64 {lane}")
                result = f"%v{lane}"
            continue
        lines.append(f"  %s{lane} = mul i64 %d{lane}, {lanes}")
        lines.append(f"  %o{lane} = add i64 %s{lane}, {lane}")
        lines.append(f"  %p{lane} = getelementptr double, ptr %base, i64 %o{lane}")
        share = "%g" if lanes == 1 else f"%g{lane}"
        if lanes > 1:
            lines.append(f"  {share} = extractelement {t} %g, i64 {lane}")
        lines.append(f"  %x{lane} = load double, ptr %p{lane}, align 8")
        lines.append(f"  %y{lane} = fadd double %x{lane}, {share}")
        lines.append(f"  store double %y{lane}, ptr %p{lane}, align 8")
    return "\n".join([*lines, "  ret void" if gives else f"  ret {t} {result}", "}"])
