"""gunicorn, the second server: threads, the launcher's socket, no control socket."""

from __future__ import annotations

import importlib
import os
import signal
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from carboy.cli.serve import enter, lifetime_s, report_ready

if TYPE_CHECKING:
    from flask import Flask

    from carboy.cli.plan import Plan

__all__ = ["serve", "settings"]

KEEP_ALIVE_S = 30  # above the idle time of common proxies would be better, but costs a slot each


def serve(plan: Plan, fds: list[int]) -> None:
    """Run gunicorn on the listening sockets *fds* until TERM."""
    base: Any = importlib.import_module("gunicorn.app.base").BaseApplication

    class Application(base):  # type: ignore[misc]  # gunicorn is untyped
        def load_config(self) -> None:
            for name, value in settings(plan, fds).items():
                self.cfg.set(name, value)

        def load(self) -> Flask:
            return enter(plan)

    Application().run()


def settings(plan: Plan, fds: list[int]) -> dict[str, Any]:
    """Return gunicorn's settings for *plan*."""
    return {
        "bind": [f"fd://{fd}" for fd in fds],
        "workers": plan.workers,
        "worker_class": "gthread",
        "threads": plan.threads,
        "backlog": plan.backlog,
        "graceful_timeout": round(plan.drain_s),
        "keepalive": KEEP_ALIVE_S,
        "loglevel": "warning",
        "control_socket_disable": True,  # since 25.1 it listens in the home directory otherwise
        # SECURITY: its default believes X-Forwarded-Proto from loopback. Whom to believe is
        # TRUSTED_PROXIES' to say (web/proxies.py), which sees the headers untouched.
        "forwarded_allow_ips": "",
        "worker_tmp_dir": os.environ["CARBOY_RUNTIME_DIR"],
        "post_worker_init": _started(plan),
        "pre_request": _close_when_draining,
    }


_draining = threading.Event()


def _close_when_draining(worker: Any, request: Any) -> None:
    """Say "Connection: close" in the response. Closing after one that did not is a reset."""
    if _draining.is_set():
        request.force_close()


def _started(plan: Plan) -> Callable[[Any], None]:
    def started(worker: Any) -> None:
        signal.signal(signal.SIGUSR1, lambda *_: _draining.set())
        if plan.recycle_s:
            _end_after(lifetime_s(plan))
        report_ready()

    return started


def _end_after(seconds: float) -> None:
    """Let this worker finish its requests and go; the arbiter starts another."""
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGTERM))
    timer.daemon = True
    timer.start()
