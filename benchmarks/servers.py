"""Requests per second under real servers, measured with wrk on loopback.

    Site(program, server).start -> checked -> wrk in interleaved rounds -> stop

One worker process per server, pinned to one core; wrk has another. All sites
stay up, only one is under load at a time. CPU per request is that of the whole
process tree of the server, from /proc.
"""

from __future__ import annotations

import http.client
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.environment import CACHE, ROOT, interpreter
from benchmarks.programs import NotOffered, load
from benchmarks.rounds import Failed
from benchmarks.workloads import Answer, check, shot

__all__ = ["CONNECTIONS", "Load", "measure", "require_wrk", "said_by_wrk"]

CONNECTIONS = 32
START_S = 30.0
ENVIRONMENT = ("PATH", "HOME", "LANG", "PYTHONPATH", "TMPDIR")
"""What a server gets of ours. Granian copies the environment into every WSGI environ,
so a shell with a hundred variables would tax each request (`carboy run` scrubs it)."""

TICK_S = 1 / os.sysconf("SC_CLK_TCK")

GRANIAN = ("-m", "granian", "--workers", "1", "--no-ws", "--host", "127.0.0.1")
COMMANDS: dict[str, tuple[str, ...]] = {
    "granian-wsgi": (*GRANIAN, "--interface", "wsgi", "--blocking-threads", "1"),
    "granian-asgi": (*GRANIAN, "--interface", "asgi", "--loop", "uvloop"),
    "uvicorn": (
        *("-m", "uvicorn", "--loop", "uvloop", "--http", "httptools", "--host", "127.0.0.1"),
        *("--no-access-log", "--log-level", "warning"),
    ),
}


@dataclass
class Load:
    """What one site did under load, one entry per round.

    per_second: requests. cpu_us: CPU microseconds of the server per request.
    latency_ms: median latency.
    """

    per_second: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    latency_ms: list[float] = field(default_factory=list)


class Site:
    """A program running under a server on a free port."""

    def __init__(self, program: str, server: str, workload: str) -> None:
        self.program, self.server, self.workload = program, server, workload
        self.port = _free_port()
        self.load = Load()
        self.log = CACHE / "logs" / f"{program}-{server}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [interpreter(), *COMMANDS[self.server], "--port", str(self.port)]
        own = {"BENCH_PROGRAM": self.program, "BENCH_WORKLOAD": self.workload}
        kept = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
        with self.log.open("wb") as log:
            return subprocess.Popen(
                [*_pinned(0), *command, "benchmarks.serve:app"],
                cwd=ROOT,
                env={**kept, **own},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Return when the site answers rightly; raise Failed when it does not."""
        deadline = time.monotonic() + START_S
        while True:
            try:
                check(self.workload, self._get())
                return
            except OSError as refused:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise Failed(f"{self}: {refused}\n{self.log.read_text()[-2000:]}") from refused
                time.sleep(0.1)

    def _get(self) -> Answer:
        request = shot(self.workload)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            target = f"{request.path}?{request.query}".rstrip("?")
            connection.request(request.method, target)
            answer = connection.getresponse()
            return Answer(answer.status, tuple(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def press(self, seconds: int) -> None:
        """Put the site under load and keep the figures of this round."""
        os.truncate(self.log, 0)
        before = _cpu_seconds(self.process.pid)
        said = _wrk(f"http://127.0.0.1:{self.port}{shot(self.workload).path}", seconds)
        used = _cpu_seconds(self.process.pid) - before
        per_second, latency_ms, requests = said_by_wrk(said)
        self.load.per_second.append(per_second)
        self.load.latency_ms.append(latency_ms)
        self.load.cpu_us.append(used / requests * 1e6)

    def stop(self) -> None:
        """End the server and everything it started."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def __str__(self) -> str:
        return f"{self.program} @ {self.server}"


def said_by_wrk(text: str) -> tuple[float, float, int]:
    """Return (requests per second, median latency in ms, requests) from wrk's report.

    Raises Failed when any answer was an error, or the report is none.
    """
    if "Non-2xx" in text or "Socket errors" in text:
        raise Failed(f"wrk saw errors:\n{text}")
    return (
        float(_found(r"Requests/sec:\s+([\d.]+)", text)),
        _milliseconds(_found(r"(?m)^\s+50%\s+([\d.]+(?:us|ms|s))$", text)),
        int(_found(r"(\d+) requests in", text)),
    )


def require_wrk() -> None:
    """Exit with what to install when wrk is missing."""
    if shutil.which("wrk") is None:
        sys.exit("bin/bench --server measures with wrk, which is not here: apt-get install wrk")


def measure(
    names: Iterable[str], workload: str, rounds: int, seconds: int
) -> dict[str, dict[str, Load]]:
    """Return program -> server -> Load for *workload*.

    rounds, seconds: how often each site is pressed and how long. Raises Failed.
    """
    sites: list[Site] = []
    try:
        for name, server in _pairs(names, workload):
            sites.append(Site(name, server, workload))
            sites[-1].wait()
            _wrk(f"http://127.0.0.1:{sites[-1].port}{shot(workload).path}", 1)
        _play(sites, rounds, seconds)
    finally:
        for site in sites:
            site.stop()
    results: dict[str, dict[str, Load]] = {}
    for site in sites:
        results.setdefault(site.program, {})[site.server] = site.load
    return results


def _pairs(names: Iterable[str], workload: str) -> Iterable[tuple[str, str]]:
    for name in names:
        program = load(name)
        if name.startswith("django"):  # configures the process: asked in the server only
            offered = True
        else:
            offered = _offers(program.build, workload)
        if offered:
            yield from ((name, server) for server in program.SERVERS)


def _offers(build: object, workload: str) -> bool:
    assert callable(build)
    try:
        build(workload)
    except NotOffered:
        return False
    return True


def _play(sites: list[Site], rounds: int, seconds: int) -> None:
    order, dice = list(sites), random.Random(42)
    for number in range(rounds):
        dice.shuffle(order)
        for site in order:
            site.press(seconds)
        print(f"  round {number + 1} of {rounds}", file=sys.stderr)


def _wrk(address: str, seconds: int) -> str:
    command = [*_pinned(1), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency"]
    done = subprocess.run(
        [*command, address], capture_output=True, text=True, timeout=seconds + 30, check=True
    )
    return done.stdout


def _pinned(core: int) -> list[str]:
    """Pin to one core when there are two to tell apart."""
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", str(cores[core])] if len(cores) > 1 else []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _cpu_seconds(root: int) -> float:
    """User and system time of process *root* and all it started, living ones."""
    parents, used = {}, {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it ended while we looked
            continue
        parents[int(entry.name)] = int(fields[1])
        used[int(entry.name)] = (int(fields[11]) + int(fields[12])) * TICK_S
    return sum(seconds for pid, seconds in used.items() if _descends(pid, root, parents))


def _descends(pid: int, root: int, parents: dict[int, int]) -> bool:
    while pid > 1:
        if pid == root:
            return True
        pid = parents.get(pid, 0)
    return False


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise Failed(f"wrk said something else than expected ({pattern}):\n{text}")
    return match.group(1)


def _milliseconds(text: str) -> float:
    """Return wrk's "453.00us", "1.33ms" or "1.02s" as milliseconds."""
    number = text.rstrip("mus")
    return float(number) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[text.removeprefix(number)]
