"""Granian, made safe and patient: inherited sockets, a closed environ, closing responses.

Touches these internals of Granian, checked on 2.8.7: MPServer._init_shared_socket
and ._spawn_worker with _ssp, _shd, _sso; the globals `os` and `Response` of granian.wsgi.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import socket
import time
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from carboy.cli.serve import enter, lifetime_s, report_ready

if TYPE_CHECKING:
    from carboy.cli.plan import Plan

__all__ = ["serve"]

START_S = 1.0  # a new worker imports the application beside the old one for this long
LINGER_S = 1.0  # a worker that is replaced closes connections with their next response
SHORTEST_LIFE_S = 60  # Granian refuses less


def serve(plan: Plan, fds: list[int]) -> None:
    """Run Granian on the listening sockets *fds* until TERM."""
    from granian.constants import Interfaces
    from granian.log import LogLevels

    multiprocessing.set_start_method("fork")  # workers inherit the sockets
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # meant for workers
    server = _server_class(plan, fds)(
        plan.path,
        interface=Interfaces.WSGI,
        address=plan.host,
        port=plan.port,
        workers=plan.workers,
        blocking_threads=plan.threads,
        backlog=plan.backlog,
        websockets=False,
        log_level=LogLevels.error,
        log_dictconfig=_logs(),
        respawn_failed_workers=True,
        respawn_interval=START_S,
        workers_lifetime=int(max(SHORTEST_LIFE_S, lifetime_s(plan))) if plan.recycle_s else None,
        workers_kill_timeout=max(1, round(plan.drain_s)),
    )
    server.serve(target_loader=_loader(plan), wrap_loader=False)


def _server_class(plan: Plan, fds: list[int]) -> Any:
    """Return Granian's server on inherited sockets, one per worker.

    Granian's own way on Linux lets each worker open its socket (SO_REUSEPORT):
    when a worker is replaced, the kernel resets the connections in its queue.
    One socket for all is no better: a burst of connections goes to one worker.
    """
    base: Any = importlib.import_module("granian.server.mp").MPServer
    holder: Any = importlib.import_module("granian.net").SocketHolder

    class InheritingServer(base):  # type: ignore[misc]  # Granian is not typed inside
        def _init_shared_socket(self) -> None:
            self._ssp = None
            self._holders = [holder(fd, False, plan.backlog) for fd in fds]
            self._sockets = [socket.socket(fileno=fd) for fd in fds]

        def _spawn_worker(self, idx: int, target: Any, callback_loader: Any) -> Any:
            self._shd = self._holders[idx % len(fds)]
            self._sso = self._sockets[idx % len(fds)]
            worker = super()._spawn_worker(idx, target, callback_loader)
            worker.terminate = lambda: self._end(worker)
            return worker

        def _end(self, worker: Any) -> None:
            """End a worker; one that is replaced first lets its connections go."""
            if not self.interrupt_signal and worker.is_alive():
                os.kill(worker.inner.pid, signal.SIGUSR1)
                time.sleep(LINGER_S)
            type(worker).terminate(worker)

    return InheritingServer


def _logs() -> dict[str, Any]:
    """Return Granian's logging configuration, on stderr."""
    granian_log: Any = importlib.import_module("granian.log")
    handlers = granian_log.LOGGING_CONFIG["handlers"].items()
    return {"handlers": {name: {**one, "stream": "ext://sys.stderr"} for name, one in handlers}}


# -- in each worker --


def _loader(plan: Plan) -> Callable[[], Any]:
    """Return what Granian calls in a new worker to get the application."""

    def load() -> Any:
        app = enter(plan)
        wsgi = importlib.import_module("granian.wsgi")
        close_environ(wsgi)
        _close_connections_on_usr1(wsgi)
        report_ready()
        return app

    return load


def close_environ(wsgi: types.ModuleType) -> None:
    """Keep the process environment out of every request's environ.

    SECURITY: granian.wsgi starts each environ from dict(os.environ), so a page
    that prints its environ would print SECRET_KEY. The application keeps its
    os.environ; only *wsgi* (granian.wsgi) sees an empty one.
    Raises RuntimeError when that module is not as we know it.
    """
    if vars(wsgi).get("os") is not os:
        raise RuntimeError(
            "granian.wsgi has changed: Carboy cannot keep the process environment out of "
            "requests. Install a Granian that Carboy allows, or use --server gunicorn."
        )
    vars(wsgi)["os"] = types.SimpleNamespace(environ={})


def _close_connections_on_usr1(wsgi: Any) -> None:
    """While draining, end each connection with its response, so that clients move on.

    PERF: nothing before that; the class that takes the response is exchanged.
    """

    class ClosingResponse(wsgi.Response):  # type: ignore[misc]  # Granian is not typed inside
        def __call__(
            self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> None:
            super().__call__(status, [*headers, ("Connection", "close")], exc_info)

    signal.signal(signal.SIGUSR1, lambda *_: setattr(wsgi, "Response", ClosingResponse))
