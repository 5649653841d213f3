"""The measurement: CPU per request in process, then requests per second under servers.

measure(rounds, seconds)  ->  the section `resources` of the record
table(section)            ->  it, as lines of text
"""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks import servers
from benchmarks.data import shop
from benchmarks.environment import CACHE, ROOT, interpreter
from benchmarks.resources.programs import ORDER, PATHS, SERVERS
from benchmarks.rounds import Failed

__all__ = ["measure", "table"]

COUNT = 40  # requests of a turn, for the slowest
ME = {"X-User": str(shop.ME)}


def measure(rounds: int, seconds: int) -> dict[str, Any]:
    """Return the figures. rounds: in process, and a third of them under servers."""
    folder = tempfile.mkdtemp(prefix="carboy-bench-")
    try:
        url = f"sqlite:///{folder}/shop.db"
        shop.fill(url)
        section: dict[str, Any] = {"titles": {}, "versions": {}, "rounds": rounds}
        section["cpu_us"] = _in_process(url, rounds, section)
        section["per_second"] = _under_servers(url, max(3, rounds // 3), seconds)
    finally:
        shutil.rmtree(folder)
    section["method"] = (
        f"20 of 10,000 rows on SQLite, as the policy lets one person see them. {rounds} interleaved"
        f" rounds in process; wrk with {servers.CONNECTIONS} connections for {seconds} s a round,"
        " one worker process on one core, each under its best server."
    )
    return section


def table(section: dict[str, Any]) -> list[str]:
    """Return the figures as lines: medians, and what Carboy is to each other one."""
    ours = {name: statistics.median(each) for name, each in section["cpu_us"].items()}
    best = _best(section)
    lines = ["| program | CPU us per request | x Carboy | requests/s | server | Carboy is |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for name in ORDER:
        server, rate = best[name]
        lines.append(
            f"| {section['titles'][name]} | {ours[name]:.0f} | {ours[name] / ours['carboy']:.1f}"
            f" | {rate:.0f} | {server} | {best['carboy'][1] / rate:.1f} x |"
        )
    return [*lines, "", section["method"]]


def _best(section: dict[str, Any]) -> dict[str, tuple[str, float]]:
    found = {}
    for name, by_server in section["per_second"].items():
        medians = {server: statistics.median(each) for server, each in by_server.items()}
        server = max(medians, key=lambda one: medians[one])
        found[name] = (server, medians[server])
    return found


# In process


def _in_process(url: str, rounds: int, section: dict[str, Any]) -> dict[str, list[float]]:
    logs = CACHE / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    workers = {}
    try:
        answers = {}
        for name in ORDER:
            command = [interpreter(), "-m", "benchmarks.resources.worker", name, url]
            workers[name] = subprocess.Popen(
                [*command, str(logs / f"resources_{name}.log")],
                cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            said = _read(name, workers[name])
            answers[name] = said["rows"].encode()
            section["titles"][name] = said["title"]
            section["versions"] |= said["versions"]
        for name in ORDER[1:]:
            if not shop.same(answers[ORDER[0]], answers[name]):
                raise Failed(f"{name} answers other rows: {answers[name][:300]!r}")
        found: dict[str, list[float]] = {name: [] for name in ORDER}
        order, dice = list(ORDER), random.Random(42)
        for _ in range(rounds):
            dice.shuffle(order)
            for name in order:
                count = COUNT * (5 if name == "carboy" else 1)
                _tell(workers[name], count)
                found[name].append(_read(name, workers[name]) / count * 1e6)
        return found
    finally:
        for worker in workers.values():
            worker.kill()
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                if pipe:
                    pipe.close()


def _tell(worker: subprocess.Popen[str], count: int) -> None:
    assert worker.stdin is not None
    worker.stdin.write(f"{count}\n")
    worker.stdin.flush()


def _read(name: str, worker: subprocess.Popen[str]) -> Any:
    assert worker.stdout is not None
    line = worker.stdout.readline()
    if not line:
        log = CACHE / "logs" / f"resources_{name}.log"
        raise Failed(f"{name} ended: {log.read_text()[-2000:]}")
    return json.loads(line)


# Under servers


def _under_servers(url: str, rounds: int, seconds: int) -> dict[str, dict[str, list[float]]]:
    servers.require_wrk()
    sites = {
        (name, server): _start(name, server, url) for name in ORDER for server in SERVERS[name]
    }
    found: dict[str, dict[str, list[float]]] = {name: {} for name in ORDER}
    try:
        for (name, _), (_, port) in sites.items():
            _wait(name, port)
        order, dice = list(sites), random.Random(42)
        for number in range(rounds):
            dice.shuffle(order)
            for name, server in order:
                address = f"http://127.0.0.1:{sites[name, server][1]}{PATHS[name]}"
                if not number:
                    _wrk(address, 1)
                found[name].setdefault(server, []).append(_wrk(address, seconds))
        return found
    finally:
        for process, _ in sites.values():
            process.terminate()
        for process, _ in sites.values():
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _start(name: str, server: str, url: str) -> tuple[subprocess.Popen[bytes], int]:
    port = servers._free_port()
    command = [*servers.COMMANDS[server], "--port", str(port)]
    kept = {one: os.environ[one] for one in servers.ENVIRONMENT if one in os.environ}
    log = (CACHE / "logs" / f"resources_{name}_{server}.log").open("wb")
    with log:
        process = subprocess.Popen(
            [*servers._pinned(0), interpreter(), *command, "benchmarks.resources.serve:app"],
            cwd=ROOT, env={**kept, "BENCH_PROGRAM": name, "BENCH_URL": url}, stdout=log, stderr=log,
        )  # fmt: skip
    return process, port


def _wait(name: str, port: int) -> None:
    deadline = time.monotonic() + servers.START_S
    asked = urllib.request.Request(f"http://127.0.0.1:{port}{PATHS[name]}", headers=ME)
    while True:
        try:
            with urllib.request.urlopen(asked, timeout=5) as answer:
                assert answer.status == 200
                return
        except OSError as refused:
            if time.monotonic() > deadline:
                logs = Path(CACHE / "logs").glob(f"resources_{name}_*.log")
                said = "".join(log.read_text()[-1000:] for log in logs)
                raise Failed(f"{name}: {refused}\n{said}") from refused
            time.sleep(0.2)


def _wrk(address: str, seconds: int) -> float:
    headers = [part for name, value in ME.items() for part in ("-H", f"{name}: {value}")]
    load = [f"-c{servers.CONNECTIONS}", f"-d{seconds}s", "--latency", *headers]
    done = subprocess.run(
        [*servers._pinned(1), "wrk", "-t1", *load, address],
        capture_output=True, text=True, timeout=seconds + 30, check=True,
    )  # fmt: skip
    return servers.said_by_wrk(done.stdout)[0]


if __name__ == "__main__":
    print("\n".join(table(measure(int(sys.argv[1]), int(sys.argv[2])))))
