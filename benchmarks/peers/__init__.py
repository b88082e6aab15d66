"""The engines that are measured, ours first. A peer that is missing is reported, not required.

Every module here has ``load() -> Engine`` and is imported in a process of its own: heaps do not disturb each other
(long-lived objects change how often the garbage collector runs), and two packages named micrograd can be measured.
What an engine does in the compiled workloads stands in ``forms``.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ENGINES", "OURS", "Peer"]


@dataclass(frozen=True)
class Peer:
    """An engine that can be measured.

    Attributes:
        key: its name on the command line, and of its modules in ``peers`` and ``forms``.
        title: its name in tables.
        install: the command that gets it.
        every: 5 where it is so slow, scalar by scalar, that each fifth round has to do.
        native: whether it keeps its graph in memory that Python does not see.
        scalar: whether it takes part in the scalar workloads, E1 and E2.
    """

    key: str
    title: str
    install: str
    every: int = 1
    native: bool = False
    scalar: bool = True


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
    Peer("jax", "JAX", "pip install 'jax>=0.4'", scalar=False),
    Peer("casadi", "CasADi", "pip install 'casadi>=3.6'", scalar=False),
    Peer("scipy", "SciPy", "pip install 'scipy>=1.10'", scalar=False),
)
