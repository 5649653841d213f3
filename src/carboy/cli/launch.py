"""The parent of a production server: start, watch, stop without losing a request.

    runtime folder -> preflight -> listener -> server -> ready -> one line
    TERM: flag `draining` (readiness 503) -> lame duck -> door shut -> server TERM
          -> requests finish -> exit 0         a second signal stops at once

The parent imports neither Flask nor the application. It opens the sockets, so
nothing is refused while workers start or are replaced, and starts the server in
a session of its own, so that Ctrl-C reaches the parent alone.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from carboy.base.checks import ERROR, WARNING, Finding
from carboy.base.errors import SetupError
from carboy.cli import preflight
from carboy.cli.environ import scrub
from carboy.cli.listener import address, open_listeners, shut_door
from carboy.cli.serve import READY

if TYPE_CHECKING:
    from carboy.cli.plan import Plan

__all__ = ["launch"]

START_S = 120.0  # an application that imports for longer has hung
SETTLE_S = 0.25  # workers empty the queue behind the shut door: a round trip to anywhere
KILL_S = 3.0  # beyond the drain, before the process group is killed
TICK_S = 0.05


def launch(plan: Plan) -> int:
    """Serve *plan* until a signal. Returns the exit code, 0 after TERM or Ctrl-C.

    Raises SetupError when the application or the address is not fit to serve.
    """
    with Signals() as signals, _runtime_folder() as runtime:
        environ = scrub(os.environ)
        if not _look_first(plan, runtime, environ, signals):
            return 0
        environ.update(_places(runtime))
        with _listeners(plan) as listeners, _server(plan, listeners, environ) as server:
            return _watch(plan, server, listeners, runtime, signals)


class Signals:
    """Signals as a queue: `next()` waits for one. Restores the handlers at exit."""

    WATCHED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)

    def __enter__(self) -> Self:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._fd = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, _noted) for number in self.WATCHED}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._fd)
        self._reader.close()
        self._writer.close()

    def next(self, timeout_s: float | None = None) -> int | None:
        """Return the next signal number, or None after *timeout_s* seconds."""
        ready, _, _ = select.select([self._reader], [], [], timeout_s)
        return self._reader.recv(1)[0] if ready else None

    def stop_within(self, seconds: float) -> int | None:
        """Return TERM, INT or HUP when one comes within *seconds*; children are ignored."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            number = self.next(left)
            if number not in (None, signal.SIGCHLD):
                return number
        return None


def _noted(number: int, frame: object) -> None:
    """Do nothing: the number is in the queue already."""


# -- before the server --


@contextlib.contextmanager
def _runtime_folder() -> Iterator[Path]:
    """Make a private folder (0700) for the processes; it is gone afterwards."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="carboy-"))
    except OSError as error:
        raise _no_folder(error) from error
    (folder / READY).mkdir()
    (folder / "metrics").mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _no_folder(error: OSError) -> SetupError:
    return SetupError(
        "run.folder",
        f"There is no place for the runtime folder: {error.strerror or error}.",
        hint="Name a folder that can be written to, such as a tmpfs: TMPDIR=/run/shop carboy run",
    )


def _places(runtime: Path) -> dict[str, str]:
    return {
        "CARBOY_RUNTIME_DIR": str(runtime),
        "PROMETHEUS_MULTIPROC_DIR": str(runtime / "metrics"),
        "FLASK_RUN_FROM_CLI": "true",
    }


def _look_first(plan: Plan, runtime: Path, environ: dict[str, str], signals: Signals) -> bool:
    """Print what the preflight finds and raise for an ERROR. False when told to stop."""
    output = runtime / "preflight.json"
    looking = _python("preflight", [plan.to_json(), str(output)], environ)
    while looking.poll() is None:
        if signals.stop_within(TICK_S):
            _kill(looking)
            return False
    if looking.returncode or not output.exists():
        raise SetupError(
            "run.refused",
            f"{plan.path} is not served.",
            hint="The reason is above.",
        )
    findings = [finding for finding in preflight.read(output) if finding.level >= WARNING]
    for finding in findings:
        _say(f"{finding}\n")
    _refuse(plan, [finding for finding in findings if finding.level >= ERROR])
    return True


def _refuse(plan: Plan, errors: list[Finding]) -> None:
    if errors:
        count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
        raise SetupError(
            "run.refused",
            f"{plan.path} is not served: {count} above.",
            hint="See them again with: carboy check --production",
        )


def _python(
    module: str, arguments: list[str], environ: dict[str, str], *, fds: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start one of our modules in a session of its own.

    -P keeps files of the current folder from shadowing modules of ours.
    """
    return subprocess.Popen(
        [sys.executable, "-P", "-m", f"carboy.cli.{module}", *arguments],
        env=environ,
        pass_fds=fds,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


# -- the server --


@contextlib.contextmanager
def _listeners(plan: Plan) -> Iterator[list[socket.socket]]:
    """Open one socket per Granian worker; gunicorn's workers take turns on one."""
    listeners = open_listeners(
        plan.host,
        plan.port,
        count=plan.workers if plan.server == "granian" else 1,
        backlog=plan.backlog,
        search=plan.port_search,
    )
    try:
        yield listeners
    finally:
        for listener in listeners:
            listener.close()


@contextlib.contextmanager
def _server(
    plan: Plan, listeners: list[socket.socket], environ: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the server process; whatever happens, none of its processes is left."""
    fds = [listener.fileno() for listener in listeners]
    server = _python("serve", [plan.to_json(), *map(str, fds)], environ, fds=fds)
    try:
        yield server
    finally:
        _kill(server)


def _kill(server: subprocess.Popen[bytes]) -> None:
    """End every process of the session that is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def _watch(
    plan: Plan,
    server: subprocess.Popen[bytes],
    listeners: list[socket.socket],
    runtime: Path,
    signals: Signals,
) -> int:
    stop = _wait_ready(plan, server, runtime, signals)
    if stop is None and server.poll() is None:
        print(_greeting(plan, listeners[0]), flush=True)
        stop = _wait_stop(server, signals)
    if stop is None:
        raise _ended(server)
    return _drain(plan, server, listeners, runtime, signals, stop)


def _wait_ready(
    plan: Plan, server: subprocess.Popen[bytes], runtime: Path, signals: Signals
) -> int | None:
    """Wait for every worker. Returns a stop signal that came meanwhile."""
    end = time.monotonic() + START_S
    while len(_workers(server, runtime)) < plan.workers and server.poll() is None:
        if stop := signals.stop_within(TICK_S):
            return stop
        if time.monotonic() > end:
            raise SetupError(
                "run.slow",
                f"No worker was ready within {START_S:.0f} s.",
                hint="Something at import waits, perhaps for a database that does not answer.",
            )
    return None


def _wait_stop(server: subprocess.Popen[bytes], signals: Signals) -> int | None:
    """Sleep until a signal to stop, or until the server has ended by itself (None)."""
    while server.poll() is None:
        number = signals.next()
        if number == signal.SIGHUP and not sys.stdin.isatty():
            server.send_signal(signal.SIGHUP)  # from a service manager: replace the workers
        elif number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            return number
    return None


def _greeting(plan: Plan, listener: socket.socket) -> str:
    url = address(listener, plan.host)
    count = "1 worker" if plan.workers == 1 else f"{plan.workers} workers"
    return f"Serving {plan.path} on {url} ({plan.server}, {count}, {plan.threads} threads each)"


def _ended(server: subprocess.Popen[bytes]) -> SetupError:
    code = server.returncode
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return SetupError(
        "run.server.ended",
        f"The server ended by itself ({how}).",
        hint="The reason is above.",
    )


# -- stopping --


def _drain(
    plan: Plan,
    server: subprocess.Popen[bytes],
    listeners: list[socket.socket],
    runtime: Path,
    signals: Signals,
    stop: int,
) -> int:
    """Stop so that no request is lost. Always returns 0: being stopped is no failure."""
    (runtime / "draining").touch()
    wait_s = plan.lame_duck_s if stop == signal.SIGTERM else 0.0
    _say(f"Stopping: not ready, still serving for {wait_s:g} s." if wait_s else "Stopping.")
    for pid in _workers(server, runtime):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGUSR1)  # responses close their connections from here on
    if signals.stop_within(wait_s):
        return _at_once()
    for listener in listeners:
        shut_door(listener)
    if signals.stop_within(SETTLE_S):
        return _at_once()
    server.send_signal(signal.SIGTERM)
    if signals.stop_within(SETTLE_S):
        return _at_once()
    for listener in listeners:  # nobody accepts now: refuse instead of keeping people waiting
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
    return _await_end(plan, server, signals)


def _await_end(plan: Plan, server: subprocess.Popen[bytes], signals: Signals) -> int:
    end = time.monotonic() + plan.drain_s + KILL_S
    while server.poll() is None:
        if signals.stop_within(TICK_S):
            return _at_once()
        if time.monotonic() > end:
            _say(f"Some requests did not finish within {plan.drain_s:g} s and were cut off.")
            return 0
    _say("Stopped.")
    return 0


def _at_once() -> int:
    _say("Stopped at once; running requests were cut off.")
    return 0


def _workers(server: subprocess.Popen[bytes], runtime: Path) -> list[int]:
    """Return the pids of the workers that serve: reported ready and still in the session."""
    return [pid for pid in map(int, os.listdir(runtime / READY)) if _session(pid) == server.pid]


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return -1


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
