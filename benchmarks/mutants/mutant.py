"""``Mutant``: one fault, planted by replacing a piece of one file."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CATEGORIES", "Mutant", "PatchError"]

CATEGORIES = {
    "sweep": "shares are added up",
    "order": "every node once, after all its uses",
    "recording": "what a node records",
    "promises": "what backward() promises",
    "rules": "derivative rules: factors, signs, operands",
    "kinks": "kinks and awkward points",
    "second": "derivatives of derivatives",
    "many": "operations of many operands",
    "functional": "grad, jvp, hvp, jacobian",
    "walks": "accounts, copies, files",
    "compiler": "the compiler",
}
"""What faults are about, by the name that a mutant gives."""


class PatchError(ValueError):
    """Raised for a mutant that does not fit the source: its text is not there, or is there too often."""


@dataclass(frozen=True)
class Mutant:
    """One fault.

    Attributes:
        name: for the command line.
        says: what is wrong, in one sentence.
        category: a key of ``CATEGORIES``.
        file: below ``micrograd/``.
        before: the text that is replaced. It occurs once, or ``nth`` says which of several it is, from 1.
        after: what stands there instead.
        judges: who can see such a fault at all; the toolkit looks at gradients of operations and of programs.
        proof: for a mutant that is no fault, why nobody can tell it from the original.
    """

    name: str
    says: str
    category: str
    file: str
    before: str
    after: str
    nth: int = 0
    judges: tuple[str, ...] = ("own", "toolkit")
    proof: str = ""

    def patched(self, source: str) -> str:
        """Return the file's text with the fault in it.

        Raises ``PatchError`` where ``before`` is not there as often as the mutant says.

        >>> fault = Mutant("overwrite", "a share replaces the sum", "sweep", "engine.py", "+= share", "= share")
        >>> fault.patched("x.grad += share")
        'x.grad = share'
        """
        count = source.count(self.before)
        if count < self.nth or (self.nth == 0 and count != 1):
            raise PatchError(
                f"mutant {self.name!r}: micrograd/{self.file} has the text {count} times, expected"
                f" {self.nth or 1}: {self.before!r}"
            )
        start = -1
        for _ in range(self.nth or 1):
            start = source.index(self.before, start + 1)
        return source[:start] + self.after + source[start + len(self.before) :]
