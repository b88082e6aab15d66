"""The engines that are measured, ours first, then from quick to slow. A peer that is missing is reported, not required.

Every module here has ``load() -> Engine`` and is imported in a process of its own: heaps do not disturb each other
(long-lived objects change how often the garbage collector runs), and two packages named micrograd can be measured.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ENGINES", "OURS", "Peer"]


@dataclass(frozen=True)
class Peer:
    """An engine that can be measured: ``every`` is 5 where it is so slow that each fifth round has to do."""

    key: str
    title: str
    install: str
    every: int = 1
    native: bool = False  # keeps its graph in memory that Python does not see


OURS = Peer("ours", "micrograd (ours)", "pip install .")

ENGINES = (
    OURS,
    Peer("xad", "XAD (C++ tape)", "pip install 'xad>=1.5'", native=True),
    Peer("microgpt", "microgpt.py's Value", "part of this repository"),
    Peer(
        "micrograd01",
        "micrograd 0.1",
        "pip install --no-deps --target DIR micrograd==0.1.0, then --micrograd01 DIR (or MICROGRAD01=DIR)",
    ),
    Peer("torch", "PyTorch 0-d tensors", "pip install 'torch>=2.2'", every=5, native=True),
)
