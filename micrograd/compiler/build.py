"""From a program to native code: lowering, schedule, LLVM's assembly language, machine code."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import astuple

from micrograd._version import __version__
from micrograd.compiler import cache, jit
from micrograd.compiler.account import Account
from micrograd.compiler.arguments import Leaf
from micrograd.compiler.kernel import Kernel, Shape
from micrograd.compiler.llvm_ir import modules
from micrograd.compiler.lower import lowered
from micrograd.compiler.native import Native
from micrograd.compiler.program import Program
from micrograd.compiler.schedule import SMALL, scheduled
from micrograd.compiler.tape import Tape, fits

__all__ = ["WORTHWHILE", "assembly", "native"]

WORTHWHILE = 0.02
"""Seconds that LLVM has to take for its code to be kept on disk."""

LARGE = 20_000
"""Instructions outside of loops beyond which they are a tape: half the time to compile, 1.5 times the time to run."""


def assembly(
    program: Program, shape: Shape, lanes: int, fastmath: bool, account: Account
) -> tuple[Kernel, tuple[str, str], Tape | None]:
    """Return the kernel of a program, its text in LLVM's assembly language (``llvm_ir.modules``), and its tape."""
    with account.timed("lowering"):
        kernel = Kernel(lowered(program), shape, lanes)
    with account.timed("schedule"):
        schedule = scheduled(kernel, large=LARGE if fits(kernel) else math.inf)
        tape = Tape(kernel, schedule) if schedule.is_large else None
    with account.timed("assembly"):
        quick = schedule.size > SMALL and tape is None
        return kernel, modules(kernel, schedule, fastmath=fastmath, quick=quick, tape=tape), tape


def native(
    program: Program,
    shape: Shape,
    leaves: Sequence[Leaf],
    wanted: Sequence[Leaf],
    *,
    fastmath: bool,
    threads: int,
    cached: bool,
    account: Account,
) -> Native:
    """Return the machine code of a program, ready to be called."""
    kernel, (main, parts), tape = assembly(program, shape, jit.lanes(), fastmath, account)
    with account.timed("llvm"):
        images = [_translated(main, 1, cached)]
        if parts:
            images.append(_translated(parts, 0, cached))
    account.code_bytes += sum(map(len, images))
    with account.timed("link"):
        code = jit.link(images, ["run"] if tape is None else ["run", "tape_code", "tape_numbers"])
        if tape is not None:
            code.point("tape_code", tape.code)
            code.point("tape_numbers", tape.numbers)
            account.code_bytes += tape.code.itemsize * len(tape.code)
    return Native(kernel, code, leaves, wanted, threads)


def _translated(text: str, level: int, cached: bool) -> bytes:
    """Return machine code: from the disk, where an earlier process left it, or LLVM's."""
    if not cached:
        return jit.translate(text, level)
    target = jit.target()
    name = cache.key(text, str(level), *astuple(target), __version__)
    code = cache.load(name)
    if code is None:
        start = time.perf_counter()
        code = jit.translate(text, level)
        if time.perf_counter() - start > WORTHWHILE:
            cache.store(name, code)
    return code
