"""A clock that stands still until a test moves it.

    clock.now                     an aware moment, in UTC
    clock.move_to("2030-01-01T12:00:00Z")
    clock.advance(90)             seconds, or a timedelta

It is `carboy.base.clock` that is moved: timestamps, expiry, whatever Carboy times. What
asks the operating system, such as `time.sleep`, goes on in real time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from carboy.base import clock as base

__all__ = ["Clock", "frozen"]


class Clock:
    """The hands. Durations go on as they do, plus what was advanced."""

    def __init__(self, now_s: float) -> None:
        self._now_s = now_s
        self._ahead_s = 0.0

    @property
    def now(self) -> datetime:
        """This moment, in UTC."""
        return datetime.fromtimestamp(self._now_s, UTC)

    def move_to(self, moment: datetime | str | float) -> None:
        """Set the clock. moment: with its time zone, as text in ISO 8601, or seconds since 1970.

        Raises ValueError for a moment without a time zone.
        """
        if isinstance(moment, str):
            moment = datetime.fromisoformat(moment)
        if isinstance(moment, datetime):
            if moment.tzinfo is None:
                raise ValueError("A moment needs its time zone, as in 2030-01-01T12:00:00Z.")
            moment = moment.timestamp()
        self._ahead_s += max(0.0, moment - self._now_s)
        self._now_s = float(moment)

    def advance(self, seconds: float | timedelta) -> None:
        """Let time pass. Raises ValueError for less than none; see `move_to`."""
        passed = seconds.total_seconds() if isinstance(seconds, timedelta) else float(seconds)
        if passed < 0:
            raise ValueError("Time does not go backwards; use clock.move_to(...).")
        self.move_to(self._now_s + passed)

    def now_s(self) -> float:
        """Stand in for `base.clock.now_s`."""
        return self._now_s

    def ticks_s(self) -> float:
        """Stand in for `base.clock.ticks_s`."""
        return time.perf_counter() + self._ahead_s


@contextmanager
def frozen() -> Iterator[Clock]:
    """Stop the clock inside `with`, at the last full second."""
    hands = Clock(float(int(time.time())))
    real = base.now_s, base.ticks_s
    base.now_s, base.ticks_s = hands.now_s, hands.ticks_s
    try:
        yield hands
    finally:
        base.now_s, base.ticks_s = real
