"""Function calls per request: a measure that is the same on any machine.

    count(app, shot)  ->  calls of Python and C functions that one request makes

    python -m benchmarks.counting  ->  JSON: preset -> workload -> calls

The median of several requests is taken, so that what happens once a second
(a timestamp that is renewed) does not count. Run in a process of its own:
coverage, debuggers and test plugins use the same hook.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import sys
from types import FrameType
from typing import Any

from benchmarks.drive import Wsgi
from benchmarks.programs import Program, load
from benchmarks.worker import prepare
from benchmarks.workloads import NAMES, Shot

__all__ = ["PRESETS", "count", "count_all"]

PRESETS = {"none": "carboy_none", "default": "carboy"}
REQUESTS = 31


def count(app: Wsgi, shot: Shot) -> int:
    """Return how many functions one request calls, Python's and C's alike.

    From calling the application to closing its answer; `start_response` counts.
    """
    gc.disable()  # weak references and finalizers run when they please
    try:
        return int(statistics.median_low([_once(app, shot) for _ in range(REQUESTS)]))
    finally:
        gc.enable()


def count_all() -> dict[str, dict[str, int]]:
    """Return preset -> workload -> calls. What applications write goes to /dev/null."""
    report = {}
    for preset, name in PRESETS.items():
        program = load(name)
        report[preset] = {workload: _prepared(program, workload) for workload in NAMES}
    return report


def _prepared(program: Program, workload: str) -> int:
    app, shot = prepare(program, workload)
    assert isinstance(app, Wsgi)
    return count(app, shot)


def _once(app: Wsgi, shot: Shot) -> int:
    environ, calls = app.environ(shot), 0

    def see(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal calls
        if event in ("call", "c_call"):
            calls += 1

    sys.setprofile(see)
    try:
        result = app.app(environ, app.start_response)
        for _ in result:
            pass
        if hasattr(result, "close"):
            result.close()
    finally:
        sys.setprofile(None)
    return calls - 2  # our own: hasattr and setprofile


def main() -> None:
    """Print the counts as JSON."""
    report = os.fdopen(os.dup(1), "w")
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)  # where log lines go
    json.dump(count_all(), report)
    report.close()


if __name__ == "__main__":
    main()
