"""One program in a process of its own; as `benchmarks.worker`, with several requests.

    python -m benchmarks.data.worker PROGRAM URL LOG

Reads {"workload": ..., "count": ...} per line, answers {"seconds": ...}. The first line it
writes holds the answers it gave, which the coordinator compares.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from importlib import metadata
from typing import Any

from benchmarks.data.programs import load
from benchmarks.data.shop import PATHS, shot
from benchmarks.drive import driver
from benchmarks.worker import SETTLE_S, WARM_UP
from benchmarks.workloads import Wrong


def main(name: str, url: str, log: str) -> None:
    """Serve turns until standard input ends."""
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    log_fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    os.dup2(log_fd, 1)
    os.dup2(log_fd, 2)
    try:
        program = load(name)
        blank: dict[str, bytes] = {"list": b"[]", "one": b"{}"}
        app = driver(program.KIND, program.build(url, blank))
        for workload in ("list", "one"):
            blank[workload] = _answer(app, workload)  # as long as the one that is made
        for workload in PATHS:
            app.turn(shot(workload), WARM_UP)
            _answer(app, workload)
        _settled()
        writes = os.fstat(log_fd).st_size > 0
        versions = {one: metadata.version(one) for one in program.DISTRIBUTIONS}
        answers = {workload: body.decode() for workload, body in blank.items()}
        _reply(replies, title=program.TITLE, versions=versions, answers=answers)
        for line in sys.stdin:
            asked = json.loads(line)
            os.ftruncate(log_fd, 0)
            request = shot(asked["workload"])
            app.turn(request, 2)  # brings code and data back into the processor's caches
            seconds = app.turn(request, asked["count"])
            if writes:
                seconds += _settled()
            _reply(replies, seconds=seconds)
    except Exception:
        _reply(replies, error=traceback.format_exc())


def _answer(app: Any, workload: str) -> bytes:
    answer = app.send(shot(workload))
    if answer.status != 200 or answer.content_type != "application/json":
        raise Wrong(f"{workload}: {answer.status} {answer.content_type} {answer.body[:500]!r}")
    return bytes(answer.body)


def _settled() -> float:
    """Wait until held log lines are written; return what that took of CPU seconds."""
    began = time.process_time()
    time.sleep(SETTLE_S)
    return time.process_time() - began


def _reply(replies: Any, **values: Any) -> None:
    replies.write(json.dumps(values) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
