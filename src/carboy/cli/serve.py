"""The server process, on sockets that the launcher opened.

    python -m carboy.cli.serve PLAN FD...
        on_granian.py: main process, forks workers      each worker: enter(), report_ready()
        on_gunicorn.py: arbiter, forks workers          each worker: the same

The launcher keeps the listening sockets open, so a worker that is replaced leaves
its waiting connections to its successor instead of resetting them.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import random
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from carboy.cli.plan import Plan

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["READY", "enter", "lifetime_s", "main", "report_ready"]

READY = "ready"
"""Folder in the runtime directory; each worker that serves has a file there, named by its pid."""

LIFETIME_SPREAD = 0.1  # of the lifetime: replicas started together do not restart together
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def main(plan_json: str, fds: list[int]) -> None:
    """Serve until told to stop. Raises what the server raises."""
    _die_with_parent()
    plan = Plan.from_json(plan_json)
    importlib.import_module(f"carboy.cli.on_{plan.server}").serve(plan, fds)


def enter(plan: Plan) -> Flask:
    """Import and seal the application in a new worker. Raises SetupError."""
    _die_with_parent()
    from carboy.cli.load import load

    app = load(plan.target)
    if hasattr(app, "seal"):
        app.seal()
    return app


def report_ready() -> None:
    """Tell the launcher that this worker serves: its file in the runtime directory."""
    Path(os.environ["CARBOY_RUNTIME_DIR"], READY, str(os.getpid())).touch()


def lifetime_s(plan: Plan) -> float:
    """Return this process's share of the mean lifetime, in seconds."""
    spread = random.uniform(-LIFETIME_SPREAD, LIFETIME_SPREAD)  # noqa: S311  # no secret
    return plan.recycle_s * (1 + spread)


def _die_with_parent() -> None:
    """Ask Linux for a TERM when the parent dies, however it dies: no orphans."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


if __name__ == "__main__":
    main(sys.argv[1], [int(fd) for fd in sys.argv[2:]])
