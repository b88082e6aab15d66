"""The compiler: ``micrograd.compile`` captures a function once and runs it, and its derivatives, as native code.

The stages, one file each, in the order in which a program passes through them:

- ``trace`` calls the function on symbols; ``program`` is what comes out, with its grammar and printer; ``verify`` holds
  the laws that it keeps.
- ``chains`` finds dot products; ``derive`` adds the reverse pass or forward mode; ``builder`` and ``rewrite`` fold
  constants, simplify, and share what is there already while instructions are added.
- ``lower`` expands operations into those that backends spell; ``kernel`` places every number in memory; ``schedule``
  orders the work; ``llvm_ir`` and ``run_ir`` write LLVM's assembly language; ``jit`` makes machine code of it.
- ``native`` runs it; ``python_source`` is the slow backend that all others are held to; ``c_source`` and ``js_source``
  are exports.
- ``compiled`` is what the user holds; ``variant`` one structure of its arguments.
"""

from micrograd.compiler.compiled import Compiled, compile
from micrograd.compiler.program import Program
from micrograd.compiler.verify import verify

__all__ = ["Compiled", "Program", "compile", "verify"]
