"""The server process: Granian or gunicorn on a socket that the launcher opened.

    python -m carboy.cli.serve PLAN FD...
        granian: main process, forks workers     each worker: enter()
        gunicorn: arbiter, forks workers         each worker: enter()

The launcher keeps the listening sockets open, so a worker that is replaced leaves
its waiting connections to its successor instead of resetting them.
"""

from __future__ import annotations

import ctypes
import os
import random
import signal
import socket
import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carboy.cli.plan import Plan

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["main"]

READY = "ready"
"""Folder in the runtime directory; each worker that serves has a file there, named by its pid."""

LIFETIME_SPREAD = 0.1  # of the lifetime: replicas started together do not restart together
PR_SET_PDEATHSIG = 1


def main(plan_json: str, fds: list[int]) -> None:
    """Serve until told to stop. Raises what the server raises."""
    _die_with_parent()
    plan = Plan.from_json(plan_json)
    {"granian": _granian, "gunicorn": _gunicorn}[plan.server](plan, fds)


def enter(plan: Plan) -> Flask:
    """Import and seal the application in a new worker, and tell the launcher."""
    _die_with_parent()
    from carboy.cli.load import load

    app = load(plan.target)
    if hasattr(app, "seal"):
        app.seal()
    return app


def report_ready() -> None:
    """Leave this worker's file in the runtime directory."""
    Path(os.environ["CARBOY_RUNTIME_DIR"], READY, str(os.getpid())).touch()


def lifetime_s(plan: Plan) -> float:
    """Return this process's share of the mean lifetime, in seconds."""
    return plan.recycle_s * random.uniform(1 - LIFETIME_SPREAD, 1 + LIFETIME_SPREAD)


def _die_with_parent() -> None:
    """Ask Linux for a TERM when the parent dies, however it dies: no orphans."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


# -- Granian --


def _granian(plan: Plan, fds: list[int]) -> None:
    import multiprocessing

    from granian.constants import Interfaces
    from granian.log import LogLevels

    multiprocessing.set_start_method("fork")  # workers inherit the sockets
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # meant for workers
    server = _granian_class(plan, fds)(
        plan.path,
        interface=Interfaces.WSGI,
        address=plan.host,
        port=plan.port,
        workers=plan.workers,
        blocking_threads=plan.threads,
        backlog=plan.backlog,
        websockets=False,
        log_level=LogLevels.error,
        log_dictconfig=_granian_logs(),
        respawn_failed_workers=True,
        workers_lifetime=int(max(60, lifetime_s(plan))) if plan.recycle_s else None,
        workers_kill_timeout=max(1, round(plan.drain_s)),
    )
    server.serve(target_loader=_granian_worker(plan), wrap_loader=False)


def _granian_class(plan: Plan, fds: list[int]) -> Any:
    """Return Granian's server on inherited sockets, one per worker.

    Granian's own way on Linux lets each worker open its socket (SO_REUSEPORT):
    when a worker is replaced, the kernel resets the connections in its queue.
    One socket for all is no better: a burst of connections goes to one worker.
    """
    from granian.net import SocketHolder
    from granian.server.mp import MPServer

    class InheritingServer(MPServer):
        def _init_shared_socket(self) -> None:
            self._ssp = None
            self._holders = [SocketHolder(fd, False, plan.backlog) for fd in fds]
            self._sockets = [socket.socket(fileno=fd) for fd in fds]

        def _spawn_worker(self, idx: int, target: Any, callback_loader: Any) -> Any:
            self._shd = self._holders[idx % len(fds)]
            self._sso = self._sockets[idx % len(fds)]
            return super()._spawn_worker(idx, target, callback_loader)

    return InheritingServer


def _granian_logs() -> dict[str, Any]:
    from granian.log import LOGGING_CONFIG

    handlers = LOGGING_CONFIG["handlers"].items()
    return {"handlers": {name: {**one, "stream": "ext://sys.stderr"} for name, one in handlers}}


def _granian_worker(plan: Plan) -> Callable[[], Any]:
    def loader() -> Any:
        app = enter(plan)
        _close_granian_environ()
        _close_connections_on_usr1()
        report_ready()
        return app

    return loader


def _close_granian_environ() -> None:
    """Keep the process environment out of every request's environ.

    SECURITY: granian.wsgi starts each environ from dict(os.environ), so a page
    that prints its environ would print SECRET_KEY. The application keeps its
    os.environ; only granian.wsgi sees an empty one. Checked with Granian 2.8.7.
    """
    import granian.wsgi

    if vars(granian.wsgi).get("os") is not os:
        raise RuntimeError(
            "granian.wsgi has changed: Carboy cannot keep the process environment out of "
            "requests. Use a Granian that is listed in pyproject.toml, or --server gunicorn."
        )
    vars(granian.wsgi)["os"] = types.SimpleNamespace(environ={})


def _close_connections_on_usr1() -> None:
    """While draining, end each connection with its response, so that clients move on.

    Costs nothing before: the class that takes the response is exchanged.
    """
    import granian.wsgi

    class ClosingResponse(granian.wsgi.Response):  # type: ignore[misc]  # granian.wsgi is untyped
        def __call__(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            super().__call__(status, [*headers, ("Connection", "close")], exc_info)

    def close(*_: object) -> None:
        vars(granian.wsgi)["Response"] = ClosingResponse

    signal.signal(signal.SIGUSR1, close)


# -- gunicorn --


def _gunicorn(plan: Plan, fds: list[int]) -> None:
    from gunicorn.app.base import BaseApplication

    class Application(BaseApplication):  # type: ignore[misc]  # gunicorn is untyped
        def load_config(self) -> None:
            for name, value in _gunicorn_settings(plan, fds).items():
                self.cfg.set(name, value)

        def load(self) -> Flask:
            return enter(plan)

    Application().run()


def _gunicorn_settings(plan: Plan, fds: list[int]) -> dict[str, Any]:
    return {
        "bind": [f"fd://{fd}" for fd in fds],
        "workers": plan.workers,
        "worker_class": "gthread",
        "threads": plan.threads,
        "backlog": plan.backlog,
        "graceful_timeout": round(plan.drain_s),
        "keepalive": 30,
        "loglevel": "warning",
        "control_socket_disable": True,  # since 25.1 it listens in the home directory otherwise
        "worker_tmp_dir": os.environ["CARBOY_RUNTIME_DIR"],
        "post_worker_init": _gunicorn_worker(plan),
        "pre_request": _close_when_draining,
    }


_draining = threading.Event()


def _close_when_draining(worker: Any, request: Any) -> None:
    """Say "Connection: close" in the response. Closing after one that did not is a reset."""
    if _draining.is_set():
        request.force_close()


def _gunicorn_worker(plan: Plan) -> Callable[[Any], None]:
    def started(worker: Any) -> None:
        signal.signal(signal.SIGUSR1, lambda *_: _draining.set())
        if plan.recycle_s:
            ending = (os.getpid(), signal.SIGTERM)
            timer = threading.Timer(lifetime_s(plan), os.kill, ending)
            timer.daemon = True
            timer.start()
        report_ready()

    return started


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    main(sys.argv[1], [int(fd) for fd in sys.argv[2:]])
