"""Health: is this process alive, and should it get traffic?

    /healthz   200 while the process can answer; depends on nothing else
    /readyz    200 | 503 {"status": "not ready", "failing": [{"name": "db"}]}
               503 {"status": "draining"} from the moment the launcher got TERM

A probe returns None when all is well, else one line that says what is not. All
probes run at once, each in a thread, with a time limit; the outcome is kept for
a second. So a database that hangs flips readiness within limit + keep = 3 s, and
no probe ever holds more than one thread.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from carboy.base import clock

__all__ = ["Drain", "Probe", "Readiness", "ready_body"]

Probe = Callable[[], str | None]

KEEP_S = 1.0  # seconds an outcome is kept; with LIMIT_S it bounds how late a flip shows
LIMIT_S = 2.0  # seconds a probe may take


class Drain:
    """The flag file `draining`, made by the launcher on TERM.

    directory: CARBOY_RUNTIME_DIR; None means there is never a drain.
    """

    def __init__(self, directory: Path | None) -> None:
        self._flag = None if directory is None else str(directory / "draining")

    def now(self) -> bool:
        """Tell whether this instance is to get no more traffic; one stat."""
        return self._flag is not None and os.path.exists(self._flag)


class Readiness:
    """Runs probes and remembers what they said.

    probes: (name, probe) pairs; names are shown to anyone who asks.
    on_change: called with the failures whenever these became others.
    """

    def __init__(
        self,
        probes: Iterable[tuple[str, Probe]],
        *,
        limit_s: float = LIMIT_S,
        keep_s: float = KEEP_S,
        on_change: Callable[[dict[str, str]], None] | None = None,
    ) -> None:
        self._runs = [_Run(name, probe) for name, probe in probes]
        self._limit_s = limit_s
        self._keep_s = keep_s
        self._on_change = on_change
        self._lock = threading.Lock()
        self._checked_at = float("-inf")
        self._failing: dict[str, str] = {}

    def failing(self) -> dict[str, str]:
        """Return {name: what is wrong} of the probes that fail, or take too long."""
        with self._lock:
            if clock.ticks_s() - self._checked_at >= self._keep_s:
                self._refresh()
            return self._failing

    def _refresh(self) -> None:
        for run in self._runs:
            run.begin()
        until = clock.ticks_s() + self._limit_s
        found = {}
        for run in self._runs:
            trouble = run.outcome(max(0.0, until - clock.ticks_s()), self._limit_s)
            if trouble is not None:
                found[run.name] = trouble
        changed = found.keys() != self._failing.keys()
        self._failing, self._checked_at = found, clock.ticks_s()
        if changed and self._on_change is not None:
            self._on_change(found)


class _Run:
    """One probe and the one thread it may have."""

    def __init__(self, name: str, probe: Probe) -> None:
        self.name = name
        self._probe = probe
        self._thread: threading.Thread | None = None
        self._trouble: str | None = None

    def begin(self) -> None:
        """Start the probe, unless its last run still hangs."""
        if self._thread is not None and self._thread.is_alive():
            return
        # A daemon: a probe that hangs must not keep the process from exiting.
        self._thread = threading.Thread(target=self._work, name=f"probe-{self.name}", daemon=True)
        self._thread.start()

    def outcome(self, wait_s: float, limit_s: float) -> str | None:
        """Return what the probe said, or that it said nothing in time."""
        assert self._thread is not None
        self._thread.join(wait_s)
        if self._thread.is_alive():
            return f"no answer within {limit_s:g} s"
        return self._trouble

    def _work(self) -> None:
        try:
            self._trouble = self._probe()
        except Exception as error:  # a probe that breaks is a probe that fails
            self._trouble = f"{type(error).__name__}: {error}"


def ready_body(failing: dict[str, str], *, draining: bool, in_full: bool) -> bytes:
    """Return the JSON of a readiness answer.

    in_full: with what the probes said, for readers on this machine only.
    """
    body: dict[str, object] = {"status": "ready"}
    if failing:
        body["status"] = "not ready"
        body["failing"] = [
            {"name": name, "reason": reason} if in_full else {"name": name}
            for name, reason in sorted(failing.items())
        ]
    if draining:
        body["status"] = "draining"
    return json.dumps(body).encode() + b"\n"
