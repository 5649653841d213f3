"""Prometheus metrics by route pattern, for all workers at once.

    count(ctx, status, seconds, size)   three numbers rise in this worker's rows
    exposition(rows, ...)               all workers' rows as Prometheus text

    carboy_requests_total{method,route,status}       counter
    carboy_request_seconds{method,route}             histogram, seconds
    carboy_response_bytes_total{method,route}        counter, bytes of bodies
    carboy_log_lines_lost_total                      counter
    carboy_events_total{event,about}                 counter, what batteries tell: denials
    carboy_info, carboy_workers, carboy_worker_*     gauges and counters by pid

The number of series is bounded by the application, never by its clients: what
matched no route counts under route "-", a method of no standard under "OTHER".
"""

from __future__ import annotations

import os
import platform
import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carboy.observe.doors import DOOR
from carboy.observe.lines import METHODS

if TYPE_CHECKING:
    from carboy.observe.store import Key, Row, Store

__all__ = ["BOUNDS_S", "EVENT", "LOST_LINES", "NOTE", "RequestMetrics", "exposition"]

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets, seconds: Prometheus' own, and two for fast views."""

NOTE = "metrics"  # the key in Lane.notes
LOST_LINES: Key = ("log_lines_lost",)
EVENT = "event"  # the first part of a key; then the event's name, and what it is about

_WIDTH = 2 + len(BOUNDS_S) + 1  # sum of seconds, sum of bytes, buckets, bucket +Inf
GIL = getattr(sys, "_is_gil_enabled", lambda: True)()
_NO_CACHE: dict[tuple[str, int], tuple[int, int]] = {}


class RequestMetrics:
    """Counts finished requests in *store*.

    count: called with (ctx, status, seconds, size) when an answer is done; the
    lane carries `table()` under `NOTE`.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def table(self, pattern: str) -> dict[tuple[str, int], tuple[int, int]]:
        """Return the note of a lane: where its numbers are, by method and status."""
        if pattern == "-":
            return _NO_CACHE  # doors and what matched nothing are told apart each time
        table: dict[tuple[str, int], tuple[int, int]] = {}
        self.store.caches.append(table)
        return table

    def count(self, ctx: Any, status: int, seconds: float, size: int) -> None:
        """Count one finished request. size: bytes of the body, -1 when unknown."""
        # PERF: one look-up, one bisect and four additions: 0.8 us. prometheus_client's
        # own counters and histogram take 6 us for the same.
        lane = ctx.lane
        key = (ctx.environ.get("REQUEST_METHOD", ""), status)
        place = lane.notes.get(NOTE, _NO_CACHE).get(key)
        if place is None:
            place = self._find(lane, ctx.environ, key)
        number, base = place
        if number < 0 or base < 0:
            return
        store = self.store
        bucket = base + 2 + bisect_left(BOUNDS_S, seconds)
        if GIL:  # nothing runs in between: no call, no jump back, no release of the GIL
            values = store.values
            values[number] += 1.0
            values[base] += seconds
            if size > 0:
                values[base + 1] += size
            values[bucket] += 1.0
            return
        with store.lock:  # PERF: 0.2 us
            _record(store.values, number, base, bucket, seconds, size)

    def _find(self, lane: Any, environ: Any, key: tuple[str, int]) -> tuple[int, int]:
        """Return (index of the count, index of the sums) and keep it with the lane."""
        method, status = key
        name = method if method in METHODS else "OTHER"
        route = environ.get(DOOR, "-") if lane.pattern == "-" else lane.pattern
        code = str(status) if 100 <= status <= 599 else "other"
        place = (
            self.store.row(("requests", name, route, code), 1),
            self.store.row(("seconds", name, route), _WIDTH),
        )
        table = lane.notes.get(NOTE)
        if table is None:  # an automatic OPTIONS answer, made after the seal
            table = lane.notes[NOTE] = self.table(lane.pattern)
        if table is not _NO_CACHE and name == method and code != "other":
            table[key] = place
        return place


def _record(
    values: memoryview[float], number: int, base: int, bucket: int, seconds: float, size: int
) -> None:
    values[number] += 1.0
    values[base] += seconds
    values[base + 1] += max(size, 0)
    values[bucket] += 1.0


def exposition(rows: Iterable[Row], workers: Sequence[int], accept: str) -> tuple[bytes, str]:
    """Return (body, content type) of a scrape.

    rows: of all workers; equal keys are added up. workers: living process ids.
    accept: the scraper's Accept header; OpenMetrics is given when it asks for it.
    The application's own prometheus_client metrics follow: those of all workers
    when PROMETHEUS_MULTIPROC_DIR is set, else those of the answering worker.
    """
    # PERF: prometheus_client is imported at the first scrape: 25 ms.
    from prometheus_client import REGISTRY, CollectorRegistry, exposition

    registry = CollectorRegistry()
    registry.register(_Fixed(list(_families(_added_up(rows), workers))))
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from prometheus_client.multiprocess import MultiProcessCollector

        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # theirs
    else:
        registry.register(_Fixed(REGISTRY.collect()))
    encoder, content_type = exposition.choose_encoder(accept)
    return encoder(registry), content_type


class _Fixed:
    """A collector of families that are there already."""

    def __init__(self, families: Iterable[Any]) -> None:
        self._families = families

    def describe(self) -> list[Any]:
        return []  # or the registry would collect, to learn the names

    def collect(self) -> Iterable[Any]:
        return self._families


def _added_up(rows: Iterable[Row]) -> dict[Key, list[float]]:
    totals: dict[Key, list[float]] = {}
    for key, numbers in rows:
        before = totals.get(key)
        totals[key] = (
            list(numbers)
            if before is None
            else [a + b for a, b in zip(before, numbers, strict=True)]
        )
    return totals


def _families(totals: dict[Key, list[float]], workers: Sequence[int]) -> Iterator[Any]:
    yield from _request_families(totals)
    yield from _process_families(totals, workers)


def _request_families(totals: dict[Key, list[float]]) -> Iterator[Any]:
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

    requests = CounterMetricFamily(
        "carboy_requests", "Finished requests.", labels=("method", "route", "status")
    )
    seconds = HistogramMetricFamily(
        "carboy_request_seconds", "From arrival to closed response.", labels=("method", "route")
    )
    size = CounterMetricFamily(
        "carboy_response_bytes", "Bytes of response bodies.", labels=("method", "route")
    )
    for (kind, *labels), numbers in sorted(totals.items()):
        if kind == "requests":
            requests.add_metric(labels, numbers[0])
        elif kind == "seconds":
            seconds.add_metric(labels, buckets=_buckets(numbers[2:]), sum_value=numbers[0])
            size.add_metric(labels, numbers[1])
    yield from (requests, seconds, size)


def _buckets(counts: Sequence[float]) -> list[tuple[str, float]]:
    """Return cumulated buckets; ours hold each request once."""
    names = [*map(str, BOUNDS_S), "+Inf"]
    return [(name, sum(counts[: at + 1])) for at, name in enumerate(names)]


def _process_families(totals: dict[Key, list[float]], workers: Sequence[int]) -> Iterator[Any]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    lost = CounterMetricFamily("carboy_log_lines_lost", "Log lines that could not be written.")
    lost.add_metric((), totals.get(LOST_LINES, [0.0])[0])
    events = CounterMetricFamily(
        "carboy_events", "What batteries tell, such as denials.", labels=("event", "about")
    )
    for (kind, *labels), numbers in sorted(totals.items()):
        if kind == EVENT:
            events.add_metric(labels, numbers[0])
    info = GaugeMetricFamily("carboy_info", "What runs here.", labels=("version", "python"))
    info.add_metric((version("carboy"), platform.python_version()), 1)
    alive = GaugeMetricFamily("carboy_workers", "Living processes that served a request.")
    alive.add_metric((), len(workers))
    memory = GaugeMetricFamily(
        "carboy_worker_resident_memory_bytes", "Resident memory.", labels=("pid",)
    )
    cpu = CounterMetricFamily("carboy_worker_cpu_seconds", "User and system time.", labels=("pid",))
    for pid in workers:
        used = _usage(pid)
        if used is not None:
            memory.add_metric((str(pid),), used[0])
            cpu.add_metric((str(pid),), used[1])
    yield from (lost, events, info, alive, memory, cpu)


def _usage(pid: int) -> tuple[float, float] | None:
    """Return (resident bytes, CPU seconds) of a process; None where /proc tells nothing."""
    try:
        # Behind the name in brackets, which may hold anything: proc(5), fields 3 on.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks = os.sysconf("SC_CLK_TCK")
        return (
            float(int(fields[21]) * os.sysconf("SC_PAGE_SIZE")),
            (int(fields[11]) + int(fields[12])) / ticks,
        )
    except (OSError, ValueError, IndexError):
        return None
