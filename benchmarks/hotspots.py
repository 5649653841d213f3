"""Where a request's time goes: functions by own time, with calls per request.

cProfile inflates small functions; read it for what is called and how often,
and `bin/bench` for what it costs.
"""

from __future__ import annotations

import contextlib
import cProfile
import os
import pstats
import time
from collections.abc import Iterable, Iterator
from typing import TextIO

from benchmarks.programs import load
from benchmarks.worker import prepare

__all__ = ["profile"]

REQUESTS = 2_000
PACKAGES = ("site-packages" + os.sep, "src" + os.sep, "lib" + os.sep)


def profile(names: Iterable[str], workload: str) -> None:
    """Print a table for each of the programs *names*."""
    with _silenced() as report:
        for name in names:
            print(_profile(name, workload), file=report)


def _profile(name: str, workload: str, rows: int = 45) -> str:
    """Return a table of the *rows* costliest functions of program *name*."""
    app, request = prepare(load(name), workload)
    plain = min(app.turn(request, REQUESTS) for _ in range(5)) / REQUESTS
    profiler = cProfile.Profile(time.process_time)
    profiler.enable()
    app.turn(request, REQUESTS)
    profiler.disable()
    return _table(name, workload, plain, pstats.Stats(profiler), rows)


def _table(name: str, workload: str, plain: float, stats: pstats.Stats, rows: int) -> str:
    entries = stats.stats.items()  # type: ignore[attr-defined]  # there, but not declared
    calls = sum(entry[1] for _, entry in entries) / REQUESTS
    lines = [
        f"{name}, {workload}: {plain * 1e6:.1f} us quietest unprofiled, {calls:.0f} calls",
        f"{'calls':>6} {'own us':>7} {'cum us':>7}  function",
    ]
    ranked = sorted(entries, key=lambda item: item[1][2], reverse=True)
    for where, (_, count, own, cumulated, _) in ranked[:rows]:
        per = (
            f"{count / REQUESTS:6.1f} {own / REQUESTS * 1e6:7.2f} {cumulated / REQUESTS * 1e6:7.2f}"
        )
        lines.append(f"{per}  {_name(where)}")
    return "\n".join(lines)


def _name(where: tuple[str, int, str]) -> str:
    file, line, function = where
    if file == "~":
        return function
    for part in PACKAGES:
        if part in file:
            file = file.rpartition(part)[2]
            break
    return f"{file}:{line} {function}"


@contextlib.contextmanager
def _silenced() -> Iterator[TextIO]:
    """Send what applications write to /dev/null; yield the real standard output."""
    report = os.dup(1)
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    with os.fdopen(report, "w") as out:
        yield out
