"""The one place that tells time; tests put their own hands on it.

now_s()         wall clock, seconds since the epoch (float)
ticks_s()       monotonic, for durations, seconds (float)
"""

from __future__ import annotations

import time

__all__ = ["now_s", "ticks_s"]

now_s = time.time
ticks_s = time.perf_counter
