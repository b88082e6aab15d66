"""llvmlite: from the text of a module to machine code in memory, and the facts about this machine's processor."""

from __future__ import annotations

import ctypes
import functools
import itertools
import os
import threading
from array import array
from dataclasses import dataclass
from typing import Any

from micrograd import _deps
from micrograd.compiler.vector_math import LIBMVEC, libmvec

__all__ = ["Code", "lanes", "link", "target", "translate", "verified"]

_lock = threading.Lock()  # LLVM's own state is shared by all threads
_names = itertools.count()


def _renew_lock() -> None:
    """Give a forked child a lock that no thread holds: threads do not come along."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


@functools.cache
def _llvm() -> Any:
    binding = _deps.require("llvmlite.binding", extra="compile", purpose="micrograd.compile(backend='llvm')")
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    if libmvec(lanes()):
        binding.load_library_permanently(LIBMVEC)
    return binding


@dataclass(frozen=True)
class Target:
    """What machine code is made for; part of the key of the disk cache."""

    triple: str
    cpu: str
    features: str
    version: str


@functools.cache
def target() -> Target:
    """Return this machine's target."""
    llvm = _llvm()
    return Target(
        llvm.get_default_triple(),
        llvm.get_host_cpu_name(),
        llvm.get_host_cpu_features().flatten(),
        ".".join(map(str, llvm.llvm_version_info)),
    )


@functools.cache
def lanes() -> int:
    """Return how many float64 a vector register of this processor holds."""
    binding = _deps.require("llvmlite.binding", extra="compile", purpose="micrograd.compile(backend='llvm')")
    features = binding.get_host_cpu_features()
    return 8 if features.get("avx512f") else 4 if features.get("avx2") else 2


def _machine(level: int) -> Any:
    llvm, t = _llvm(), target()
    return llvm.Target.from_triple(t.triple).create_target_machine(
        cpu=t.cpu, features=t.features, opt=level, reloc="pic", codemodel="small"
    )


def verified(text: str) -> Any:
    """Parse the text of a module and return it; LLVM's verifier raises ``RuntimeError`` for one that is not valid."""
    module = _llvm().parse_assembly(text)
    module.verify()
    return module


def translate(text: str, level: int) -> bytes:
    """Return the machine code of a module as an object file.

    Args:
        text: LLVM's assembly language.
        level: of the code generator: 1 allocates registers with care, 0 quickly.
    """
    with _lock:
        return bytes(_machine(level).emit_object(_llvm().parse_assembly(text)))


class Code:
    """Machine code in memory: it stays as long as this object does."""

    def __init__(self, library: Any) -> None:
        self._library = library
        self._kept: list[Any] = []

    def __getitem__(self, symbol: str) -> int:
        """Return the address of an exported symbol."""
        return int(self._library[symbol])

    def point(self, symbol: str, target: array[Any]) -> None:
        """Let a variable of the code point to an array, which is kept alive."""
        self._kept.append(target)
        ctypes.c_void_p.from_address(self[symbol]).value = target.buffer_info()[0]


def link(objects: list[bytes], symbols: list[str]) -> Code:
    """Load object files; the code gives the addresses of ``symbols``."""
    llvm = _llvm()
    with _lock:
        session = _session()
        builder = llvm.JITLibraryBuilder()
        for image in objects:
            builder = builder.add_object_img(image)
        for symbol in symbols:
            builder = builder.export_symbol(symbol)
        return Code(builder.add_current_process().link(session, f"micrograd{next(_names)}"))


@functools.cache
def _session() -> Any:
    return _llvm().create_lljit_compiler(_machine(1))
