"""The four batteries on an application: exactly one line, one count, one id each."""

import json
import logging
import os
import re
import shutil
import threading

import pytest
from flask.sessions import SessionInterface
from werkzeug.test import EnvironBuilder, run_wsgi_app

from carboy import Carboy, Response, g
from carboy.base.errors import RequestFault, ServiceDown, SetupError
from carboy.observe.battery import Health, Logs
from carboy.observe.doors import DOOR
from carboy.observe.metrics import LOST_LINES
from carboy.observe.store import MANY_DEAD

OURS = ("ids", "logs", "metrics", "health")


@pytest.fixture
def log(tmp_path, monkeypatch):
    """Return a function that reads the request lines written so far."""
    file = tmp_path / "log"
    monkeypatch.setenv("CARBOY_LOG_TO", str(file))
    monkeypatch.delenv("CARBOY_RUNTIME_DIR", raising=False)

    def read(event="request"):
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        return [line for line in lines if line["event"] == event]

    return read


@pytest.fixture
def make(log):
    """Make an application with views of every ending; it is closed after the test."""
    made = []

    def make(batteries=OURS, **config):
        app = Carboy("observed", batteries=batteries)
        app.config.update({"LOG_HOLD": "0 s"} | config)
        _views(app)
        made.append(app)
        return app

    yield make
    for app in made:
        for battery in app.batteries.values():
            battery.close()


def _views(app):
    @app.get("/hello/<name>")
    def hello(name):
        return f"hello {name}"

    @app.get("/boom")
    def boom():
        raise ZeroDivisionError("secret detail")

    @app.get("/refused")
    def refused():
        raise RequestFault(422, "shop.stock", "Sold out.")

    @app.get("/down")
    def down():
        raise ServiceDown("data.away", "no database at 10.0.0.7")

    @app.get("/stream")
    def stream():
        return (part for part in ("one", "two"))

    @app.get("/broken-stream")
    def broken_stream():
        def parts():
            yield "one"
            raise OSError("client gone")

        return parts()


def totals(app):
    """Return {(method, route, status): count}."""
    rows = app.batteries["metrics"].store.rows()
    return {key[1:]: numbers[0] for key, numbers in rows if key[0] == "requests"}


# --- exactly one -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "method", "status", "route"),
    [
        ("/hello/ann", "GET", 200, "/hello/<name>"),
        ("/hello/ann", "HEAD", 200, "/hello/<name>"),
        ("/hello/ann", "OPTIONS", 200, "/hello/<name>"),
        ("/hello/ann", "POST", 405, "-"),
        ("/missing", "GET", 404, "-"),
        ("/boom", "GET", 500, "/boom"),
        ("/refused", "GET", 422, "/refused"),
        ("/down", "GET", 503, "/down"),
        ("/stream", "GET", 200, "/stream"),
        ("/caf%C3%A9%0A", "GET", 404, "-"),
        ("/hello/ann", "BREW", 405, "-"),
    ],
)
def test_every_request_has_one_line_one_count_and_one_id(make, log, path, method, status, route):
    """Whatever the ending; the id on the answer is the id in the line."""
    app = make()

    answer = app.test_client().open(path, method=method, buffered=True)

    assert answer.status_code == status
    (line,) = log()
    assert (line["status"], line["route"], line["method"]) == (status, route, method)
    assert answer.headers.getlist("X-Request-ID") == [line["id"]]
    assert sum(totals(app).values()) == 1
    assert line["bytes"] == len(answer.data)


def test_a_stream_is_logged_when_it_is_closed(make, log):
    """With its whole size and time, not before."""
    app = make()
    environ = EnvironBuilder("/stream").get_environ()
    body, _, _ = run_wsgi_app(app.wsgi_app, environ)
    assert log() == []

    data = b"".join(body)
    body.close()
    body.close()

    (line,) = log()
    assert (data, line["bytes"]) == (b"onetwo", 6)
    assert totals(app) == {("GET", "/stream", "200"): 1}


def test_a_stream_that_breaks_is_logged_too(make, log):
    """The server closes what it could not send to its end."""
    app = make()
    body, _, _ = run_wsgi_app(app.wsgi_app, EnvironBuilder("/broken-stream").get_environ())
    with pytest.raises(OSError, match="client gone"):
        b"".join(body)
    body.close()

    (line,) = log()
    assert line["bytes"] == 3


def test_a_refusal_before_matching_has_line_count_and_id(make, log):
    """What the gate turns away is seen by operations as well."""
    app = make()

    def gate(environ):
        raise RequestFault(400, "gate.host.bad", "No such host.")

    app.admit(gate, name="gate", under="ids")
    answer = app.test_client().get("/hello/ann")

    (line,) = log()
    assert (answer.status_code, line["status"], line["route"]) == (400, 400, "-")
    assert line["error"] == "gate.host.bad"
    assert answer.headers["X-Request-ID"] == line["id"]
    assert totals(app) == {("GET", "-", "400"): 1}


def test_a_failure_ties_request_line_and_traceback_together(make, log, caplog):
    """One id finds both; the client sees no detail."""
    app = make()
    ids = []
    handler = logging.Handler()
    handler.emit = lambda record: ids.append(
        json.loads(app.batteries["logs"]._handler.format(record))["id"]
    )
    app.logger.addHandler(handler)
    try:
        answer = app.test_client().get("/boom")
    finally:
        app.logger.removeHandler(handler)

    assert b"secret detail" not in answer.data
    (line,) = log()
    assert (line["level"], line["error"]) == ("error", "builtins.ZeroDivisionError")
    assert ids == [line["id"]]


def test_a_full_log_disk_breaks_no_request(make, monkeypatch):
    """Each lost line is counted, and the count is in the metrics."""
    app = make(LOG_TO="/dev/full")
    client = app.test_client()

    assert [client.get("/hello/ann").status_code for _ in range(3)] == [200, 200, 200]
    assert (LOST_LINES, (3.0,)) in app.batteries["metrics"].store.rows()
    assert "carboy_log_lines_lost_total 3.0" in client.get("/metrics").text


def test_eight_threads_lose_nothing(make, log):
    """800 requests: 800 lines, 800 counts, 800 ids."""
    app = make()
    app.seal()

    def work():
        client = app.test_client()
        for _ in range(100):
            client.get("/hello/ann")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    lines = log()
    assert len(lines) == 800
    assert len({line["id"] for line in lines}) == 800
    assert totals(app) == {("GET", "/hello/<name>", "200"): 800}


def test_a_late_route_is_observed_too(make, log):
    """Declaring after the first request seals again; nothing is doubled or lost."""
    app = make()
    client = app.test_client()
    client.get("/hello/ann")
    app._got_first_request = False  # Flask would refuse a late rule
    app.add_url_rule("/late", view_func=lambda: "late", endpoint="late")

    client.get("/late")
    client.get("/hello/ann")

    assert [line["route"] for line in log()] == ["/hello/<name>", "/late", "/hello/<name>"]
    assert totals(app)["GET", "/hello/<name>", "200"] == 2


# --- ids -------------------------------------------------------------------------------


def test_the_clients_id_counts_only_when_trusted(make, log):
    """And only in a harmless form."""
    app = make()
    client = app.test_client()
    assert client.get("/", headers={"X-Request-ID": "theirs-1234"}).headers["X-Request-ID"] != (
        "theirs-1234"
    )

    app.config["TRUST_REQUEST_ID"] = True
    for given, kept in (("theirs-1234", True), ("short", False), ("x" * 65, False)):
        answer = client.get("/", headers={"X-Request-ID": given})
        assert (answer.headers["X-Request-ID"] == given) is kept
    assert [line["id"] for line in log()][1] == "theirs-1234"


def test_views_know_the_id(make):
    """`carboy.request.id` is the id of the answer."""
    from carboy import request

    app = make()
    app.get("/id")(lambda: request.id)

    answer = app.test_client().get("/id")
    assert answer.text == answer.headers["X-Request-ID"]


# --- options ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "statuses"),
    [
        ({}, [200, 500]),
        ({"LOG_REQUESTS": False}, []),
        ({"LOG_LEVEL": "WARNING"}, [500]),
        ({"LOG_LEVEL": "CRITICAL"}, []),
        ({"LOG_LEVEL": "DEBUG"}, [200, 500]),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_level_and_switch_decide_which_lines_are_written(make, log, options, statuses):
    """A failure is ERROR, any other request INFO."""
    client = make(**options).test_client()
    client.get("/hello/ann")
    client.get("/boom")

    assert [line["status"] for line in log()] == statuses


def test_debug_writes_for_people(make, tmp_path):
    """LOG_FORMAT=auto; json stays json."""
    app = make(PROPAGATE_EXCEPTIONS=False)
    app.debug = True
    app.test_client().get("/hello/ann")

    assert re.fullmatch(
        r"\d\d:\d\d:\d\d  200  GET /hello/ann  [\d.]+ ms  9 B  [0-9a-f-]+\n",
        (tmp_path / "log").read_text(),
    )


def test_a_wrong_path_is_refused_before_serving(make):
    """The seal tells what to write instead."""
    with pytest.raises(SetupError) as caught:
        make(READY_PATH="ready").seal()

    assert caught.value.code == "observe.path"


# --- health ----------------------------------------------------------------------------


def test_health_answers_before_anything_of_the_application(make, log):
    """No hook, no login, no host check; no log line unless asked, but a count."""
    app = make()

    @app.before_request
    def login():
        g.seen = True
        return Response("please sign in", 401)

    client = app.test_client()
    assert client.get("/healthz").json == {"status": "alive"}
    assert client.get("/readyz").json == {"status": "ready"}
    assert client.get("/hello/ann").status_code == 401
    assert [line["path"] for line in log()] == ["/hello/ann"]
    assert totals(app)["GET", "/healthz", "200"] == 1

    app.config["LOG_PROBES"] = True
    client.get("/healthz")
    assert log()[-1]["route"] == "/healthz"


def test_liveness_does_not_depend_on_the_store_of_the_sessions(make):
    """Flask opens a session before anything else; a probe does not need one."""

    class Away(SessionInterface):
        def open_session(self, app, request):
            raise ConnectionError("redis is away")

    app = make()
    app.session_interface = Away()
    client = app.test_client()

    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 200
    assert client.get("/hello/ann").status_code == 500


def test_readiness_follows_the_probes(make, log, monkeypatch):
    """503 names the failing probe; strangers do not learn why."""
    app = make()
    trouble = ["no connection to 10.0.0.7"]
    app.batteries["health"].probe("db", lambda: trouble[0])
    client = app.test_client()

    here = client.get("/readyz")
    there = client.get("/readyz", environ_base={"REMOTE_ADDR": "203.0.113.9"})

    assert here.status_code == there.status_code == 503
    assert here.json["failing"] == [{"name": "db", "reason": "no connection to 10.0.0.7"}]
    assert there.json["failing"] == [{"name": "db"}]
    assert client.get("/healthz").status_code == 200


def test_probes_of_every_battery_are_asked(make):
    """A battery brings its own."""

    class Store(Health):
        name = "store"
        needs = ("health",)
        options = ()

        def init(self, app):
            pass

        def seal(self, app):
            pass

        def checks(self, app):
            return ()

        def facts(self, app):
            from carboy.base.facts import Facts

            return Facts()

        def probes(self):
            return [("store", lambda: "empty")]

    app = make(batteries=(*OURS, Store()))

    assert app.test_client().get("/readyz").json["failing"][0]["name"] == "store"


def test_the_drain_flag_means_not_ready_at_once(make, monkeypatch, tmp_path):
    """Nothing is cached on that way; liveness stays."""
    monkeypatch.setenv("CARBOY_RUNTIME_DIR", str(tmp_path))
    client = make().test_client()
    assert client.get("/readyz").status_code == 200

    (tmp_path / "draining").touch()

    answer = client.get("/readyz")
    assert (answer.status_code, answer.json) == (503, {"status": "draining"})
    assert client.get("/healthz").status_code == 200
    assert client.get("/hello/ann").status_code == 200


def test_a_rule_of_the_application_keeps_its_path(make):
    """Adopting the batteries changes no answer; a finding tells."""
    app = make()
    app.get("/healthz")(lambda: "my own")

    assert app.test_client().get("/healthz").text == "my own"
    assert [str(finding.code) for finding in app.findings()] == ["observe.path_taken"]


def test_an_empty_path_switches_a_door_off(make):
    """Then the application answers: here with 404."""
    client = make(HEALTH_PATH="", READY_PATH="", METRICS_PATH="").test_client()

    assert [client.get(path).status_code for path in ("/healthz", "/readyz", "/metrics")] == [
        404
    ] * 3


def test_facts_tell_operations_where_to_ask(make):
    """The launcher and the manifests read them."""
    assert make().facts().probes == {"live": "/healthz", "ready": "/readyz", "metrics": "/metrics"}
    assert make(METRICS_PATH="").facts().probes == {"live": "/healthz", "ready": "/readyz"}


# --- metrics ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({}, 200),
        ({"REMOTE_ADDR": "10.1.2.3"}, 200),
        ({"REMOTE_ADDR": "203.0.113.9"}, 404),
        ({"HTTP_X_FORWARDED_FOR": "203.0.113.9"}, 404),
        ({"REMOTE_ADDR": "203.0.113.9", "HTTP_AUTHORIZATION": "Bearer 0123456789abcdef"}, 200),
        ({"REMOTE_ADDR": "203.0.113.9", "HTTP_AUTHORIZATION": "bearer 0123456789abcdef"}, 200),
        ({"REMOTE_ADDR": "203.0.113.9", "HTTP_AUTHORIZATION": "Bearer wrong"}, 404),
        ({"REMOTE_ADDR": "203.0.113.9", "HTTP_AUTHORIZATION": "Bearer \u00ff"}, 404),
        ({"REMOTE_ADDR": "203.0.113.9", "HTTP_AUTHORIZATION": "Basic 0123456789abcdef"}, 404),
    ],
)
def test_who_may_read_the_metrics(make, environ, status):
    """Loopback and private peers, not through a proxy, or whoever has the token."""
    client = make(METRICS_TOKEN="0123456789abcdef").test_client()

    assert client.get("/metrics", environ_overrides=environ).status_code == status


def test_without_a_token_no_token_opens(make):
    """An unset secret equals nothing, not even nothing."""
    client = make().test_client()
    far = {"REMOTE_ADDR": "203.0.113.9"}

    for header in ("Bearer ", "Bearer None", "Bearer"):
        environ = {**far, "HTTP_AUTHORIZATION": header}
        assert client.get("/metrics", environ_overrides=environ).status_code == 404


def test_workers_share_a_directory(make, monkeypatch, tmp_path):
    """Two applications stand for two workers: either shows both."""
    monkeypatch.setenv("CARBOY_RUNTIME_DIR", str(tmp_path))
    one, two = make(), make()
    one.test_client().get("/hello/ann")
    two.test_client().get("/hello/bob")

    expected = 'carboy_requests_total{method="GET",route="/hello/<name>",status="200"} 2.0'
    assert expected in one.test_client().get("/metrics").text
    assert expected in two.test_client().get("/metrics").text


def test_a_scrape_folds_what_dead_workers_left(make, monkeypatch, tmp_path):
    """Recycling workers for months leaves one file, and the sums as they were."""
    monkeypatch.setenv("CARBOY_RUNTIME_DIR", str(tmp_path))
    for _ in range(MANY_DEAD):
        dead = make()
        dead.test_client().get("/hello/ann")
        dead.batteries["metrics"].close()
    client = make().test_client()
    client.get("/hello/ann")

    text = client.get("/metrics").text

    line = 'carboy_requests_total{{method="GET",route="/hello/<name>",status="200"}} {}.0'
    assert line.format(MANY_DEAD + 1) in text
    assert len(list(tmp_path.glob("*.bin"))) == 2


def test_a_directory_that_went_away_leaves_the_workers_own_numbers(make, monkeypatch, tmp_path):
    """The launcher removes it while the last worker stops."""
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    monkeypatch.setenv("CARBOY_RUNTIME_DIR", str(runtime))
    client = make().test_client()
    client.get("/hello/ann")
    shutil.rmtree(runtime)

    answer = client.get("/metrics")

    assert answer.status_code == 200
    assert "carboy_workers 1.0" in answer.text


def test_a_forked_worker_is_its_own(make, monkeypatch, tmp_path):
    """gunicorn --preload seals and may even serve before it forks."""
    monkeypatch.setenv("CARBOY_RUNTIME_DIR", str(tmp_path))
    app = make()
    client = app.test_client()
    parents_id = client.get("/hello/ann").headers["X-Request-ID"]
    child = os.fork()
    if child == 0:
        childs_id = client.get("/hello/bob").headers["X-Request-ID"]
        good = childs_id[:16] != parents_id[:16] and sum(totals(app).values()) == 1
        os._exit(0 if good else 1)
    _, status = os.waitpid(child, 0)

    assert status == 0
    assert totals(app) == {("GET", "/hello/<name>", "200"): 1}
    expected = 'carboy_requests_total{method="GET",route="/hello/<name>",status="200"} 2.0'
    assert expected in client.get("/metrics").text


def test_paths_and_methods_of_clients_make_no_series(make):
    """A scanner's thousand paths are one route."""
    app = make(LOG_REQUESTS=False)
    client = app.test_client()
    for number in range(50):
        client.get(f"/scan{number}")
        client.open("/hello/ann", method=f"X{number}")

    assert totals(app) == {("GET", "-", "404"): 50, ("OTHER", "-", "405"): 50}


# --- together --------------------------------------------------------------------------


def test_a_door_cannot_be_faked_by_the_client(make, log):
    """environ keys of ours are no headers."""
    make().test_client().get("/hello/ann", headers={DOOR: "/healthz", "carboy.id": "x"})

    (line,) = log()
    assert line["route"] == "/hello/<name>"
    assert line["id"] != "x"


def test_logs_bring_ids_along(make):
    """A line without an id would be of little use."""
    assert list(make(batteries=("logs",)).batteries) == ["ids", "logs"]


def test_without_the_batteries_nothing_is_added(make):
    """batteries=() is Flask."""
    answer = make(batteries=()).test_client().get("/healthz")

    assert answer.status_code == 404
    assert "X-Request-ID" not in answer.headers


def test_a_battery_that_never_sealed_can_be_closed():
    """Closing is safe at any time, and twice."""
    battery = Logs()
    battery.close()
    battery.close()
    assert battery.sink is None


def test_a_response_that_is_handed_out_again_carries_one_id(make):
    """The latest; its headers do not grow from request to request."""
    app = make()
    kept = Response("kept")
    app.add_url_rule("/kept", "kept", lambda: kept)
    client = app.test_client()

    ids = [client.get("/kept").headers.getlist("X-Request-ID") for _ in range(3)]

    assert [len(each) for each in ids] == [1, 1, 1]
    assert len({each[0] for each in ids}) == 3
    assert len(kept.headers.getlist("X-Request-ID")) == 1
