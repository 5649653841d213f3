"""Interleaved rounds: every framework takes a short turn, again and again.

    start(names, workload) -> workers     play(workers, rounds) -> seconds[name][round]

Only one worker runs at a time; the order is shuffled anew each round. A round
is short, so whatever else the machine does hits all of a round's turns alike,
and ratios are taken within rounds.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.environment import CACHE, ROOT, interpreter

__all__ = ["Failed", "Outcome", "Worker", "measure"]

TURN_S = 0.020  # CPU seconds: long beside the clock's tick, short beside the noise
FEWEST = 10  # requests per turn, however slow
START_S = 60.0


class Failed(Exception):
    """A worker could not do its work; str() is what it said."""


@dataclass
class Outcome:
    """What one framework did in one workload.

    micros: CPU microseconds per request, one per round; empty when not offered.
    log_bytes: written by the application per request, in the last round.
    """

    title: str = ""
    micros: list[float] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    not_offered: str = ""
    log_bytes: float = 0.0


class Worker:
    """A framework's process and the pipe to it."""

    def __init__(self, name: str, workload: str) -> None:
        self.name = name
        self.count = FEWEST
        self.outcome = Outcome()
        logs = CACHE / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            [interpreter(), "-m", "benchmarks.worker", name, workload, logs / f"{name}.log"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._introduce(self._read())

    def _introduce(self, said: dict[str, Any]) -> None:
        self.outcome.not_offered = said.get("not_offered", "")
        self.outcome.title = said.get("title", "")
        self.outcome.versions = said.get("versions", {})

    @property
    def offered(self) -> bool:
        """False when the framework does not have this workload."""
        return not self.outcome.not_offered

    def turn(self, count: int) -> float:
        """Let the worker answer *count* requests; return CPU seconds."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"count": count}) + "\n")
        self.process.stdin.flush()
        said = self._read()
        self.outcome.log_bytes = said["log_bytes"] / (count + 2)
        return float(said["seconds"])

    def calibrate(self) -> None:
        """Choose how many requests make a turn of TURN_S."""
        each = min(self.turn(50) for _ in range(2)) / 50
        self.count = max(FEWEST, min(20_000, int(TURN_S / each)))

    def stop(self) -> None:
        """Close the pipe, which ends the worker; make sure that it is gone."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        said: dict[str, Any] = json.loads(line) if line else {"error": "it ended without a word"}
        if "error" in said:
            self.stop()
            raise Failed(f"{self.name}: {said['error']}")
        return said


def measure(names: Iterable[str], workload: str, rounds: int) -> dict[str, Outcome]:
    """Run *workload* in each program, *rounds* times interleaved.

    Raises Failed when a program breaks or answers wrongly.
    """
    workers: list[Worker] = []
    try:
        for name in names:
            workers.append(Worker(name, workload))
        playing = [worker for worker in workers if worker.offered]
        for worker in playing:
            worker.calibrate()
        _play(playing, rounds)
        return {worker.name: worker.outcome for worker in workers}
    finally:
        for worker in workers:
            worker.stop()


def _play(workers: list[Worker], rounds: int) -> None:
    order, dice = list(workers), random.Random(42)
    for _ in range(rounds):
        dice.shuffle(order)
        for worker in order:
            worker.outcome.micros.append(worker.turn(worker.count) / worker.count * 1e6)
