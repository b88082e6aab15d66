"""What a check found out: the verdict, the figures, and the edge to blame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from micrograd._console import clean
from micrograd.engine import Value
from micrograd.testing.program import Program

__all__ = ["INCONCLUSIVE", "NOT_DIFFERENTIABLE", "RIGHT", "WRONG", "Culprit", "Figures", "Report"]

RIGHT, WRONG = "right", "wrong"
NOT_DIFFERENTIABLE, INCONCLUSIVE = "not differentiable here", "inconclusive"


@dataclass(frozen=True)
class Culprit:
    """The edge at which the engine and the oracle first disagree, from the result on.

    Attributes:
        node: the node whose rule, or whose use of an operand, is wrong.
        operand: which of its operands, from 0; ``None`` where it is the node as a whole.
        call: how the node was made, ``"log(x=2.0)"``.
        what: what is wrong, in words.
        order: of the derivative: 1 or 2, and 0 for a value.
        engine: the engine's number.
        expected: the oracle's.
        bound: how far they may be apart.
        oracles: the oracles that agree that it is wrong.
    """

    node: Value
    operand: int | None
    call: str
    what: str
    order: int
    engine: float
    expected: float
    bound: float
    oracles: tuple[str, ...]

    @property
    def edge(self) -> str:
        """The node and the operand, as text."""
        if self.operand is None:
            return self.call
        x = self.node.operands[self.operand]
        name = x.name_text() if isinstance(x, Value) else repr(x)
        return f"{self.call}, operand {self.operand} ({name})"


@dataclass(frozen=True)
class Figures:
    """How much was checked, and how near to the limits it came.

    Attributes:
        inputs: how many numbers were differentiated by.
        outputs: how many results were differentiated.
        operations: nodes with an influence on a result.
        rules: different rules at different points that were held to an oracle.
        partials: how many partial derivatives of them.
        worst: the largest error of a partial derivative, as a part of what was allowed.
        order: of the derivatives.
    """

    inputs: int = 0
    outputs: int = 0
    operations: int = 0
    rules: int = 0
    partials: int = 0
    worst: float = 0.0
    order: int = 1


@dataclass(frozen=True)
class Report:
    """The result of ``gradcheck``.

    Attributes:
        verdict: ``"right"``, ``"wrong"``, ``"not differentiable here"`` or ``"inconclusive"``.
        oracle: the weakest oracle that the verdict rests on: ``"mpmath"``, ``"complex step"``, ``"differences"``; for
            a wrong one the strongest that accuses; empty where none was asked.
        reason: why, in a sentence; empty for a gradient that is right.
        function: the name of the function.
        inputs: the point.
        figures: how much was checked.
        culprit: the edge to blame for a wrong gradient, else ``None``.
        program: the shortest program that shows it, where there is one; its ``repr`` is Python that runs.
    """

    verdict: str
    oracle: str
    reason: str
    function: str
    inputs: tuple[float, ...]
    figures: Figures
    culprit: Culprit | None = None
    program: Program | None = None

    def __str__(self) -> str:
        lines = [clean(f"{self.function} at {_listed(self.inputs)}: {self.verdict}")]
        if self.reason:
            lines.append(f"  {clean(self.reason)}")
        culprit = self.culprit
        if culprit is not None:
            lines += [
                clean(f"  at         {culprit.edge}"),
                f"  engine     {culprit.engine!r}",
                f"  expected   {culprit.expected!r}",
                f"  allowed    {culprit.bound:.3g} apart; they are {abs(culprit.engine - culprit.expected):.3g}",
            ]
            if culprit.oracles:
                lines.append(f"  oracles    {', '.join(culprit.oracles)}")
        if self.program is not None:
            lines += [
                "  shortest program that shows it:",
                "    from micrograd.testing import Program, gradcheck",
                f"    program = {self.program!r}",
                f"    print(gradcheck(program, *program.inputs{'' if self.figures.order == 2 else ', order=1'}))",
            ]
        if culprit is None and self.figures.operations:
            done = self.figures
            lines.append(
                f"  {done.operations} operations, {done.partials} partial derivatives held to {self.oracle or 'none'},"
                f" order {done.order}; the largest error is {done.worst:.2g} of what is allowed"
            )
        return "\n".join(lines)


def _listed(numbers: Sequence[float]) -> str:
    shown = ", ".join(map(repr, numbers[:8]))
    return f"({shown}{f', ... {len(numbers)} numbers in all' if len(numbers) > 8 else ''})"
