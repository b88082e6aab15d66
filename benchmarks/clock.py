"""The clock of all workloads: time of the processor, so that the turns of other programs are not counted.

Every engine runs on one thread; on a machine with nothing else to do this is the time on the wall.
"""

from __future__ import annotations

from time import get_clock_info, perf_counter, process_time

__all__ = ["clock"]

# Windows counts the processor's time in steps of 16 ms, which is no clock for a step of 10 ms.
clock = process_time if get_clock_info("process_time").resolution < 1e-5 else perf_counter
