"""One framework in a process of its own, answering the coordinator over pipes.

    python -m benchmarks.worker PROGRAM WORKLOAD LOG

Reads one JSON object per line from standard input, writes one per line to
standard output. What the application itself writes to standard output or error
(Carboy's log lines) goes to the file LOG, which is emptied between turns.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from importlib import metadata
from typing import Any

from benchmarks.drive import Driver, driver
from benchmarks.programs import NotOffered, Program, load
from benchmarks.workloads import WITH_SESSION, Shot, Wrong, begin, check, shot

SETTLE_S = 0.06  # three times Carboy's LOG_HOLD, so a turn pays for all of its lines
WARM_UP = 300  # requests, so that caches, lazy imports and the specializer settle


def main(name: str, workload: str, log: str) -> None:
    """Serve turns until standard input ends."""
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    log_fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    os.dup2(log_fd, 1)
    os.dup2(log_fd, 2)

    def reply(**values: Any) -> None:
        replies.write(json.dumps(values) + "\n")

    try:
        program = load(name)
        app, request = prepare(program, workload)
        _settled()
        writes = os.fstat(log_fd).st_size > 0
        reply(title=program.TITLE, versions=_versions(program))
        for line in sys.stdin:
            os.ftruncate(log_fd, 0)
            count = json.loads(line)["count"]
            app.turn(request, 2)  # brings code and data back into the processor's caches
            seconds = app.turn(request, count)
            if writes:
                seconds += _settled()
            reply(seconds=seconds, log_bytes=os.fstat(log_fd).st_size)
    except NotOffered as reason:
        reply(not_offered=str(reason))
    except Exception:
        reply(error=traceback.format_exc())


def prepare(program: Program, workload: str) -> tuple[Driver, Shot]:
    """Build, open a session where needed, check one answer, warm up.

    Raises Wrong when the answer is not what the workload asks for.
    """
    app = driver(program.KIND, program.build(workload))
    request = shot(workload)
    if workload in WITH_SESSION:
        opened = app.send(begin())
        if opened.status != 200 or not opened.cookies:
            raise Wrong(f"no session was opened: {opened}")
        token = (program.TOKEN_FIELD, opened.body.decode()) if program.TOKEN_FIELD else None
        request = shot(workload, cookies=opened.cookies, token=token)
    check(workload, app.send(request))
    app.turn(request, WARM_UP)
    check(workload, app.send(request))
    return app, request


def _settled() -> float:
    """Wait until log lines that were held are written; return what that took of CPU seconds."""
    began = time.process_time()
    time.sleep(SETTLE_S)
    return time.process_time() - began


def _versions(program: Program) -> dict[str, str]:
    return {name: metadata.version(name) for name in program.DISTRIBUTIONS}


if __name__ == "__main__":
    main(*sys.argv[1:])
