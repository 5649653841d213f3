"""What starting costs: `import carboy` beside `import flask`, and `carboy --help`.

Each sample is a fresh interpreter; samples are interleaved, CPU time comes from
the kernel (wait4). The bare interpreter is measured along, so that ratios can
be given without it: the strict reading of "x import flask".
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.environment import interpreter

__all__ = ["CASES", "measure", "table"]

NOTHING = "pass"
CASES: dict[str, str] = {
    "interpreter alone": NOTHING,
    "import flask": "import flask",
    "import carboy": "import carboy",
    "from carboy import Carboy": "from carboy import Carboy",
    "Carboy(__name__)": "from carboy import Carboy; Carboy(__name__)",
}
HELP, HELP_CPU = "carboy --help", "carboy --help, CPU"


def measure(rounds: int) -> dict[str, list[float]]:
    """Return case -> seconds by round: CPU, but `carboy --help` alone is wall time."""
    samples: dict[str, list[float]] = {name: [] for name in (*CASES, HELP, HELP_CPU)}
    help_command = [str(Path(interpreter()).with_name("carboy")), "--help"]
    for number in range(rounds + 1):
        for name, code in CASES.items():
            cpu, _ = _run([interpreter(), "-c", code])
            samples[name].append(cpu)
        cpu, wall = _run(help_command)
        samples[HELP].append(wall)
        samples[HELP_CPU].append(cpu)
        if number == 0:  # the first round fills bytecode and disk caches
            for values in samples.values():
                values.clear()
    return samples


def table(samples: dict[str, Sequence[float]]) -> list[tuple[str, float, float, float | None]]:
    """Return (case, median ms, quietest ms, net ratio to `import flask`) rows."""
    rows = []
    alone = samples["interpreter alone"]
    flask = [a - b for a, b in zip(samples["import flask"], alone, strict=True)]
    for name, values in samples.items():
        net = [(a - b) / c for a, b, c in zip(values, alone, flask, strict=True)]
        ratio = statistics.median(net) if name in CASES and CASES[name] != NOTHING else None
        rows.append((name, statistics.median(values) * 1e3, min(values) * 1e3, ratio))
    return rows


def _run(command: list[str]) -> tuple[float, float]:
    """Run *command* silently; return CPU and wall seconds. Raises when it fails."""
    began = time.perf_counter()
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, null, 1)]
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    os.close(null)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - began
    if status != 0:
        raise RuntimeError(f"{command} ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_utime + usage.ru_stime, wall
