"""How much of the machine is ours: CPUs and memory, with container limits.

    affinity, cgroup v2 cpu.max, cgroup v1 cfs quota   ->  cpus()
    cgroup v2 memory.max, v1 limit_in_bytes            ->  memory_bytes()
    both                                               ->  workers(), threads()

Source: Linux Documentation/admin-guide/cgroup-v2.rst ("cpu.max", "memory.max").
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["cpus", "memory_bytes", "threads", "workers"]

WORKER_BYTES = 150_000_000  # an application with its libraries, and room for a few requests
THREADS = 8  # per worker; they wait for databases, so more of them than CPUs
MAX_THREADS = 32


def cpus(root: Path = Path("/sys/fs/cgroup"), of: Path = Path("/proc/self/cgroup")) -> float:
    """Return the CPUs this process may use: 0.5 in a pod limited to half a CPU."""
    limits = [_quota(folder) for folder in _groups(root, of)]
    return min([_affinity(), *(limit for limit in limits if limit)])


def memory_bytes(
    root: Path = Path("/sys/fs/cgroup"), of: Path = Path("/proc/self/cgroup")
) -> int | None:
    """Return the memory limit of the container in bytes, or None without one."""
    limits = [_memory(folder) for folder in _groups(root, of)]
    return min((limit for limit in limits if limit), default=None)


def workers(cpu: float, memory: int | None) -> int:
    """Return how many worker processes: one per CPU, as many as memory holds."""
    fit = memory // WORKER_BYTES if memory else 1_000
    return max(1, min(round(cpu), fit))


def threads(cpu: float, workers: int) -> int:
    """Return how many threads per worker: more when there are more CPUs than workers."""
    return max(THREADS, min(MAX_THREADS, round(THREADS * cpu / workers)))


def _affinity() -> float:
    try:
        return float(len(os.sched_getaffinity(0)))
    except AttributeError:  # not on macOS
        return float(os.cpu_count() or 1)


def _groups(root: Path, of: Path) -> Iterator[Path]:
    """Yield the cgroup folders that limit this process: its own and those above."""
    try:
        lines = of.read_text("ascii", "replace").splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        base = root / controllers if controllers else root
        for folder in (base / path.lstrip("/"), *(base / path.lstrip("/")).parents):
            if folder == root.parent:
                break
            yield folder


def _quota(folder: Path) -> float | None:
    """Return the CPUs that *folder* allows; None when it does not limit them."""
    quota, _, period = _read(folder / "cpu.max").partition(" ")  # "50000 100000" or "max 100000"
    if not quota:
        quota, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
    try:
        share = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None
    return share if share > 0 else None


def _memory(folder: Path) -> int | None:
    text = _read(folder / "memory.max") or _read(folder / "memory.limit_in_bytes")
    # v1 says "no limit" with a number near 2**63
    return int(text) if text.isdigit() and int(text) < 2**60 else None


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace").strip()
    except OSError:
        return ""
