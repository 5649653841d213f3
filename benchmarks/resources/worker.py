"""One program in a process of its own: counts come in by line, CPU seconds go out.

python -m benchmarks.resources.worker PROGRAM URL LOG
"""

from __future__ import annotations

import json
import os
import sys
from importlib import metadata

from benchmarks.data.shop import HEADERS
from benchmarks.data.worker import _settled
from benchmarks.drive import driver
from benchmarks.resources.programs import PATHS, load, rows
from benchmarks.worker import WARM_UP
from benchmarks.workloads import Shot


def main(name: str, url: str, log: str) -> None:
    """Serve turns until standard input ends."""
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    log_fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    os.dup2(log_fd, 1)
    os.dup2(log_fd, 2)
    program = load(name)
    app = driver(program.KIND, program.build(url, {}))
    path, _, query = PATHS[name].partition("?")
    shot = Shot("GET", path, query=query, headers=HEADERS)
    answer = app.send(shot)
    assert answer.status == 200, answer
    app.turn(shot, WARM_UP)
    _settled()
    writes = os.fstat(log_fd).st_size > 0
    versions = {one: metadata.version(one) for one in program.DISTRIBUTIONS}
    first = {"rows": rows(name, answer.body).decode(), "title": program.TITLE, "versions": versions}
    replies.write(json.dumps(first) + "\n")
    for line in sys.stdin:
        os.ftruncate(log_fd, 0)
        app.turn(shot, 2)
        seconds = app.turn(shot, int(line))
        replies.write(json.dumps(seconds + (_settled() if writes else 0.0)) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
