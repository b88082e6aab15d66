"""The compiler: ``micrograd.compile`` captures a function once and runs it, and its derivatives, as native code.

The stages, one file each, in the order in which a program passes through them:

- ``trace`` calls the function on symbols; ``program`` is what comes out, with its grammar and printer; ``verify`` holds
  the laws that it keeps.
- ``chains`` finds dot products; ``derive`` adds the reverse pass or forward mode; ``builder`` and ``rewrite`` fold
  constants, simplify, and share what is there already while instructions are added.
- ``lower`` expands operations into those that backends spell; ``kernel`` places every number in memory; ``products``
  finds the layers of a network, ``schedule`` orders the work, ``tape`` holds what is too long for machine code.
- ``llvm_ir`` writes LLVM's assembly language, with ``product_ir``, ``choose_ir``, ``tape_ir`` and ``run_ir``; ``jit``
  makes machine code of it, ``cache`` keeps that for the next process, ``build`` does one after the other.
- ``native`` runs it; ``python_source`` is the slow backend that all others are held to; ``c_source`` and ``js_source``
  are exports; ``operation_script`` is one operation for a page.
- ``front`` has ``compile``; ``compiled`` is what the user holds; ``calls`` finds the ``variant`` for a call, one for
  each structure of its arguments; ``shortcut`` is the way of a call in which nothing is new.
"""

from micrograd.compiler.compiled import Compiled
from micrograd.compiler.front import compile
from micrograd.compiler.program import Program
from micrograd.compiler.verify import verify

__all__ = ["Compiled", "Program", "compile", "verify"]
