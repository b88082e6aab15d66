"""What compiling cost: seconds by stage, bytes of machine code."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Account"]


class Account:
    """Seconds by stage, added up over the programs of a variant."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.code_bytes = 0

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes to ``stage``."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start
