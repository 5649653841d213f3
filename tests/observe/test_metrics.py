"""Metrics by route pattern: right numbers, bounded series, Prometheus' own text."""

import types

import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families

from carboy.observe import metrics
from carboy.observe.doors import DOOR
from carboy.observe.metrics import RequestMetrics, exposition
from carboy.observe.store import Store


@pytest.fixture
def counting():
    """Request metrics over a store in memory."""
    store = Store()
    yield RequestMetrics(store)
    store.close()


def lane(counting, pattern="/a"):
    """Return a lane as the seal leaves it."""
    return types.SimpleNamespace(pattern=pattern, notes={metrics.NOTE: counting.table(pattern)})


def count(counting, lane, method="GET", status=200, seconds=0.004, size=10, **environ):
    """Count one request, as the engine calls closers."""
    environ = {"REQUEST_METHOD": method, **environ}
    counting.count(types.SimpleNamespace(lane=lane, environ=environ), status, seconds, size)


def scraped(counting, accept=""):
    """Return {(sample name, sorted labels): value} of a scrape."""
    body, _ = exposition(counting.store.rows(), [], accept)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def labels(**values):
    """Return labels as `scraped` writes them."""
    return tuple(sorted(values.items()))


def test_a_request_is_counted_by_method_route_and_status(counting):
    """Count, seconds, bytes and the bucket rise together."""
    route = lane(counting, "/u/<int:id>")
    count(counting, route, seconds=0.004, size=10)
    count(counting, route, seconds=3.0, size=-1)
    count(counting, route, status=500, seconds=0.001, size=0)

    found = scraped(counting)
    where = {"method": "GET", "route": "/u/<int:id>"}
    assert found["carboy_requests_total", labels(**where, status="200")] == 2
    assert found["carboy_requests_total", labels(**where, status="500")] == 1
    assert found["carboy_request_seconds_sum", labels(**where)] == pytest.approx(3.005)
    assert found["carboy_request_seconds_count", labels(**where)] == 3
    assert found["carboy_response_bytes_total", labels(**where)] == 10


def test_buckets_are_cumulative_and_their_bounds_belong_to_them(counting):
    """le means less or equal, as Prometheus defines it."""
    route = lane(counting)
    for seconds in (0.0, 0.001, 0.0011, 10.0, 99.0):
        count(counting, route, seconds=seconds)

    found = scraped(counting)
    where = {"method": "GET", "route": "/a"}
    bucket = {
        bound: found["carboy_request_seconds_bucket", labels(**where, le=bound)]
        for bound in ("0.001", "0.0025", "5.0", "10.0", "+Inf")
    }
    assert bucket == {"0.001": 2, "0.0025": 3, "5.0": 3, "10.0": 4, "+Inf": 5}


def test_clients_cannot_make_series(counting):
    """Any number of methods, paths and statuses ends in a bounded number of rows."""
    route, none = lane(counting), lane(counting, "-")
    for number in range(500):
        count(counting, none, status=404, PATH_INFO=f"/x{number}")
        count(counting, route, method=f"M{number}", status=405)
        count(counting, route, method="GET", status=600 + number)

    keys = {key for key, _ in counting.store.rows()}
    assert keys == {
        ("requests", "GET", "-", "404"),
        ("seconds", "GET", "-"),
        ("requests", "OTHER", "/a", "405"),
        ("seconds", "OTHER", "/a"),
        ("requests", "GET", "/a", "other"),
        ("seconds", "GET", "/a"),
    }
    assert route.notes[metrics.NOTE] == {}  # nothing a client chose is remembered either


def test_a_door_counts_under_its_own_path(counting):
    """Health checks are not logged, but they are counted."""
    count(counting, lane(counting, "-"), **{DOOR: "/healthz"})

    where = labels(method="GET", route="/healthz", status="200")
    assert scraped(counting)["carboy_requests_total", where] == 1


def test_two_lanes_of_one_pattern_share_their_numbers(counting):
    """GET and POST of a path may be two rules; so may a path declared twice."""
    count(counting, lane(counting))
    count(counting, lane(counting))

    where = labels(method="GET", route="/a", status="200")
    assert scraped(counting)["carboy_requests_total", where] == 2


def test_a_lane_made_after_the_seal_is_counted(counting):
    """Flask's automatic OPTIONS answers have a lane of their own."""
    late = types.SimpleNamespace(pattern="/late", notes={})
    count(counting, late, method="OPTIONS")

    where = labels(method="OPTIONS", route="/late", status="200")
    assert scraped(counting)["carboy_requests_total", where] == 1


def test_when_the_store_is_full_requests_go_on(counting):
    """Rows without room are not counted, rows with room are."""
    counting.store.capacity = 1024
    routes = [lane(counting, f"/r{number}") for number in range(50)]
    for route in routes:
        count(counting, route)
        count(counting, route)

    found = scraped(counting)
    assert found["carboy_requests_total", labels(method="GET", route="/r0", status="200")] == 2
    assert counting.store.full > 0


def test_rows_of_several_workers_are_added_up():
    """Counters and histograms add; the workers' own numbers stay apart."""
    rows = [(("requests", "GET", "/a", "200"), (2.0,)), (("requests", "GET", "/a", "200"), (3.0,))]

    body, _ = exposition(rows, [], "")

    assert b'carboy_requests_total{method="GET",route="/a",status="200"} 5.0' in body


def test_lost_log_lines_are_shown(counting):
    """A full log disk is seen where somebody looks."""
    counting.store.add(metrics.LOST_LINES, 4)

    assert scraped(counting)["carboy_log_lines_lost_total", ()] == 4


def test_a_worker_shows_its_memory_and_time():
    """From /proc; a process that is gone shows nothing."""
    import os

    body, _ = exposition([], [os.getpid(), 2**22 + 1], "")

    assert f'carboy_worker_resident_memory_bytes{{pid="{os.getpid()}"}}'.encode() in body
    assert b"carboy_workers 2.0" in body
    assert body.count(b"carboy_worker_cpu_seconds_total{") == 1


def test_openmetrics_is_given_to_who_asks():
    """Prometheus asks for it by default."""
    body, content_type = exposition([], [], "application/openmetrics-text;version=1.0.0")

    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_the_applications_own_metrics_follow(monkeypatch):
    """Whatever is in prometheus_client's registry is shown too."""
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    theirs = CollectorRegistry()
    monkeypatch.setattr("prometheus_client.REGISTRY", theirs)
    Counter("shop_orders", "Orders.", registry=theirs).inc(3)

    assert b"shop_orders_total 3.0" in exposition([], [], "")[0]


def test_with_several_workers_their_shared_files_are_read(monkeypatch, tmp_path):
    """The launcher sets PROMETHEUS_MULTIPROC_DIR for the workers."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))

    body, _ = exposition([], [], "")

    assert b"carboy_workers 0.0" in body
    assert b"process_resident_memory_bytes" not in body  # of one worker only: misleading


def test_a_pattern_with_odd_characters_is_escaped(counting):
    """Quotes and backslashes come from `any("a", "b")` converters."""
    count(counting, lane(counting, '/<any("a", "b\\\\c"):x>\n'))

    where = labels(method="GET", route='/<any("a", "b\\\\c"):x>\n', status="200")
    assert scraped(counting)["carboy_requests_total", where] == 1
