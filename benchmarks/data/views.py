"""CPU per request through a view: every program a process, turns interleaved.

    measure(url, rounds)  ->  Outcome per program: microseconds per workload and round

The data part of a request is the request less the same view answering with finished bytes,
taken within a round.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.data.shop import PATHS, same
from benchmarks.environment import CACHE, ROOT, interpreter
from benchmarks.rounds import Failed

__all__ = ["TURN_S", "Outcome", "measure"]

TURN_S = 0.025  # CPU seconds
FEWEST = 10  # requests per turn, however slow


@dataclass
class Outcome:
    """What one program did. micros: CPU microseconds per request, by workload and round."""

    title: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    micros: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in PATHS})


class Worker:
    """A program's process and the pipe to it."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.counts: dict[str, int] = {}
        logs = CACHE / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            [interpreter(), "-m", "benchmarks.data.worker", name, url, logs / f"data_{name}.log"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.outcome = Outcome(**self._read())

    def turn(self, workload: str, count: int) -> float:
        """Let the program answer *count* requests; return CPU seconds."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"workload": workload, "count": count}) + "\n")
        self.process.stdin.flush()
        return float(self._read()["seconds"])

    def calibrate(self) -> None:
        """Choose how many requests make a turn of TURN_S."""
        for workload in PATHS:
            each = min(self.turn(workload, 50) for _ in range(2)) / 50
            self.counts[workload] = max(FEWEST, min(20_000, int(TURN_S / each)))

    def play(self, workload: str) -> None:
        """Take a turn, and keep what a request cost."""
        count = self.counts[workload]
        self.outcome.micros[workload].append(self.turn(workload, count) / count * 1e6)

    def stop(self) -> None:
        """Close the pipe, which ends the process; make sure that it is gone."""
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


def measure(names: Iterable[str], url: str, rounds: int) -> dict[str, Outcome]:
    """Run every workload in each program, *rounds* times interleaved.

    Raises Failed when a program breaks or answers otherwise than the first.
    """
    workers: list[Worker] = []
    try:
        for name in names:
            workers.append(Worker(name, url))
        _compare(workers)
        for worker in workers:
            worker.calibrate()
        turns, dice = [(worker, one) for worker in workers for one in PATHS], random.Random(42)
        for _ in range(rounds):
            dice.shuffle(turns)
            for worker, workload in turns:
                worker.play(workload)
        return {worker.name: worker.outcome for worker in workers}
    finally:
        for worker in workers:
            worker.stop()


def _compare(workers: list[Worker]) -> None:
    first = workers[0].outcome.answers
    for worker in workers[1:]:
        for workload, answer in worker.outcome.answers.items():
            if not same(first[workload].encode(), answer.encode()):
                raise Failed(f"{worker.name} answers {workload} with {answer[:300]}")
