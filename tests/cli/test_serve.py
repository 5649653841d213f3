"""Real servers: what a request sees, how they stop, what is left behind."""

import collections
import http.client
import json
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytestmark = [pytest.mark.server, pytest.mark.slow]

APP = """
import os, time
from flask import Flask, current_app, request

app = Flask(__name__)
app.secret_key = os.environ["CARBOY_SECRET_KEY"]

@app.get("/")
def home():
    return str(os.getpid())

@app.get("/slow/<float:seconds>")
def slow(seconds):
    open("started", "w").close()
    time.sleep(seconds)
    return "slow"

@app.get("/environ")
def environ():
    return {
        "environ": {name: str(value) for name, value in request.environ.items()},
        "headers": dict(request.headers),
        "os": dict(os.environ),
        "key": current_app.secret_key,
    }

@app.get("/crash")
def crash():
    os._exit(9)
"""

SERVERS = pytest.mark.parametrize("server", ["granian", "gunicorn"])


@pytest.fixture
def run(serve, tmp_path):
    """Start `carboy run` on a free port with one worker, unless told otherwise."""
    (tmp_path / "app.py").write_text(APP)

    def start(*arguments, **environ):
        return serve("run", "-p", "0", "-w", "1", *map(str, arguments), **environ)

    return start


def wait_for(condition, seconds=10):
    """Return once *condition* holds; fail when it does not within *seconds*."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def runtime(running):
    return Path(json.loads(running.get("/environ"))["os"]["CARBOY_RUNTIME_DIR"])


def session(running):
    """Return the session of server and workers, which the launcher started."""
    return os.getsid(int(running.get()))


def living(session):
    """Return the processes of *session* that are alive."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
        except (OSError, NotADirectoryError):
            continue
        if fields[3] == str(session) and fields[0] != "Z":
            found.append(int(entry))
    return found


# -- what a request sees --


@SERVERS
def test_a_request_sees_nothing_of_the_process_environment(run, server):
    """No secret, no PATH, and no header that no client sent; the application has its own."""
    running = run(
        "--server", server,
        HTTP_X_FORWARDED_FOR="6.6.6.6", REMOTE_USER="root", SCRIPT_NAME="/evil", HTTPS="on",
    )  # fmt: skip
    seen = json.loads(running.get("/environ"))
    for name in ("CARBOY_SECRET_KEY", "PATH", "CARBOY_RUNTIME_DIR", "HTTP_X_FORWARDED_FOR"):
        assert name not in seen["environ"]
    assert "X-Forwarded-For" not in seen["headers"]
    assert seen["environ"]["SCRIPT_NAME"] == ""
    assert seen["environ"].get("REMOTE_USER", "") == ""
    assert seen["environ"]["wsgi.url_scheme"] == "http"
    assert seen["key"] == "0f9e8d7c6b5a49382716051423324150"
    assert seen["os"]["PATH"] == os.environ["PATH"]
    assert "HTTP_X_FORWARDED_FOR" not in seen["os"]


def test_the_runtime_folder_is_private_and_temporary(run, tmp_path):
    """0700, with a place for metrics; gone when the server has stopped."""
    running = run()
    folder = runtime(running)
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o777 == 0o700
    assert json.loads(running.get("/environ"))["os"]["PROMETHEUS_MULTIPROC_DIR"] == str(
        folder / "metrics"
    )
    assert running.stop(signal.SIGINT) == 0
    assert not folder.exists()


# -- stopping --


class Load:
    """Clients with kept-alive connections that ask as fast as they are answered."""

    def __init__(self, url, clients=6):
        self.place = (urlsplit(url).hostname, urlsplit(url).port)
        self.statuses = collections.Counter()
        self.lost = []
        self.threads = [threading.Thread(target=self._client) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def join(self):
        for thread in self.threads:
            thread.join(40)

    def _client(self):
        """Ask until no connection can be made; a request that was sent must be answered."""
        while (connection := self._connect()) is not None:
            try:
                while self._ask(connection):
                    pass
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(repr(error))
            finally:
                connection.close()

    def _connect(self):
        connection = http.client.HTTPConnection(*self.place, timeout=5)
        try:
            connection.connect()
        except (ConnectionRefusedError, TimeoutError):
            return None
        return connection

    def _ask(self, connection):
        connection.request("GET", "/")
        response = connection.getresponse()
        response.read()
        self.statuses[response.status] += 1
        return not response.will_close


@SERVERS
@pytest.mark.parametrize(
    ("number", "least_s"), [(signal.SIGTERM, 1.0), (signal.SIGINT, 0.0)], ids=["TERM", "Ctrl-C"]
)
def test_no_request_is_lost_when_it_stops_under_load(run, server, number, least_s):
    """Every request that was sent is answered with 200, whatever its connection does."""
    running = run("--server", server, "-w", 2, "--lame-duck", 1)
    load = Load(running.url)
    time.sleep(0.5)
    began = time.monotonic()
    assert running.stop(number) == 0
    took_s = time.monotonic() - began
    load.join()
    assert load.lost == []
    assert set(load.statuses) == {200}
    assert load.statuses[200] > 50
    assert least_s < took_s < least_s + 8
    assert running.stderr.endswith("Stopped.\n")


@SERVERS
def test_no_request_is_lost_when_workers_are_replaced(run, server):
    """HUP starts new workers beside the old ones."""
    running = run("--server", server, "--lame-duck", 0)
    old = running.get()
    load = Load(running.url)
    running.process.send_signal(signal.SIGHUP)
    wait_for(lambda: running.get() != old, 20)
    time.sleep(2.5)
    assert running.stop() == 0
    load.join()
    assert load.lost == []
    assert set(load.statuses) == {200}


LAUNCH = """
from carboy.cli.launch import launch
from carboy.cli.plan import Plan
launch(Plan("app.py", "test", ".", "gunicorn", port=0, recycle_s=1.5, lame_duck_s=0))
"""


def test_no_request_is_lost_when_a_worker_is_recycled(run, serve):
    """A worker at the end of its life finishes what it has; its successor takes over."""
    running = serve(command=[sys.executable, "-c", LAUNCH])
    load = Load(running.url)
    old = running.get()
    wait_for(lambda: running.get() != old, 20)
    time.sleep(0.5)
    assert running.stop() == 0
    load.join()
    assert load.lost == []
    assert set(load.statuses) == {200}


@SERVERS
def test_a_running_request_is_finished(run, server, tmp_path):
    """A slow answer arrives after TERM, while new connections are refused."""
    running = run("--server", server, "--lame-duck", 0)
    answers = []
    url = running.url
    thread = threading.Thread(target=lambda: answers.append(running.get("/slow/2.5")))
    thread.start()
    wait_for((tmp_path / "started").exists)
    running.process.send_signal(signal.SIGTERM)
    time.sleep(1.5)
    with pytest.raises(ConnectionRefusedError), socket.socket() as refused:
        refused.connect((urlsplit(url).hostname, urlsplit(url).port))
    assert running.process.wait(20) == 0
    thread.join()
    assert answers == ["slow"]


@SERVERS
def test_the_drain_is_bounded(run, server, tmp_path):
    """A request that does not end is cut off after --drain; the exit code is 0."""
    running = run("--server", server, "--lame-duck", 0, "--drain", 1)
    cut = []

    def ask():
        try:
            running.get("/slow/60.0")
        except (OSError, http.client.HTTPException) as error:
            cut.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    wait_for((tmp_path / "started").exists)
    began = time.monotonic()
    assert running.stop() == 0
    assert time.monotonic() - began < 8
    thread.join()
    assert len(cut) == 1


def test_a_second_signal_stops_at_once(run):
    """Whoever is in a hurry sends two."""
    running = run("--lame-duck", 30)
    server = session(running)
    running.process.send_signal(signal.SIGTERM)
    wait_for(lambda: "still serving" in running.stderr)
    began = time.monotonic()
    assert running.stop() == 0
    assert time.monotonic() - began < 2
    assert "at once" in running.stderr
    assert living(server) == []


def test_readiness_fails_at_once_and_requests_go_on(serve, tmp_path):
    """During the lame duck /readyz is 503 and everything else is served."""
    (tmp_path / "app.py").write_text(
        "from carboy import Carboy\napp = Carboy(__name__)\n"
        "@app.get('/')\ndef home(): return 'hi'\n"
    )
    running = serve("run", "-p", "0", "-w", "1", "--lame-duck", "3")
    place = (urlsplit(running.url).hostname, urlsplit(running.url).port)
    assert _status(place, "/readyz") == 200
    running.process.send_signal(signal.SIGTERM)
    wait_for(lambda: _status(place, "/readyz") == 503, 1)
    assert _status(place, "/") == 200
    assert _status(place, "/healthz") == 200
    assert running.process.wait(20) == 0


def _status(place, path):
    connection = http.client.HTTPConnection(*place, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


# -- failing --


def test_a_killed_launcher_leaves_no_orphans(run):
    """Even SIGKILL, which nobody can handle, takes the server and its workers along."""
    running = run()
    server = session(running)
    assert len(living(server)) == 2
    running.process.kill()
    wait_for(lambda: not living(server), 15)


def test_a_crashed_worker_is_replaced(run):
    """One request takes a worker down; the next is served by another."""
    running = run()
    old = running.get()
    with pytest.raises((OSError, http.client.HTTPException)):
        running.get("/crash")
    assert running.get() != old
    assert "Unexpected exit" in running.stderr


@SERVERS
def test_a_worker_that_cannot_start_is_a_failure(run, server, tmp_path):
    """It passed the preflight and fails in the worker: the reason, and exit code 1."""
    (tmp_path / "app.py").write_text(
        "import sys\n"
        "if 'carboy.cli.serve' in sys.modules or 'serve' in sys.argv[0]:\n"
        "    raise RuntimeError('only in a worker')\n" + APP
    )
    running = run("--server", server)
    assert running.process.wait(60) == 1
    assert "only in a worker" in running.stderr
    assert "[run.server.ended]" in running.stderr


def test_a_broken_application_is_refused(run, tmp_path):
    """The letter of the import, no server, exit code 1."""
    (tmp_path / "app.py").write_text("import nosuchmodule\n")
    running = run()
    assert running.process.wait(30) == 1
    assert "[cli.app.broken]" in running.stderr
    assert "[run.refused]" in running.stderr


def test_an_error_refuses_to_serve(run):
    """A weak key is an ERROR of the preflight."""
    running = run(CARBOY_SECRET_KEY="dev")
    assert running.process.wait(30) == 1
    assert "[secret.weak]" in running.stderr
    assert "1 error above" in running.stderr


def test_a_taken_port_is_said_or_searched(run):
    """Two servers on one port: a letter, or the next port with --port-search."""
    port = urlsplit(run().url).port
    second = run("-p", port)
    assert second.process.wait(30) == 1
    assert "[run.port.taken]" in second.stderr
    assert urlsplit(run("-p", port, "--port-search").url).port > port


def test_a_signal_during_the_start_stops_it(run, tmp_path):
    """An application that hangs while it is imported can be stopped."""
    (tmp_path / "app.py").write_text("import time\nopen('started', 'w').close()\ntime.sleep(60)\n")
    running = run()
    wait_for((tmp_path / "started").exists)
    assert running.stop() == 0
    assert list(tmp_path.glob("carboy-*")) == []
