"""Observed through a real server with three workers: sums, one line each, draining."""

import json
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

pytestmark = [pytest.mark.server, pytest.mark.timeout(120)]

KEY = "0123456789abcdef0123456789abcdef-only-for-tests"

APP = """
from carboy import Carboy

app = Carboy(__name__, batteries="compatible")


@app.get("/hello/<name>")
def hello(name):
    return {"hello": name}
"""


@pytest.fixture(params=["granian", "gunicorn"])
def server(request, tmp_path):
    """Run the application under `carboy run`; return (process, address, log file)."""
    (tmp_path / "app.py").write_text(APP)
    log = tmp_path / "log"
    start = "from carboy.cli.main import main; main()"
    options = ["--port", "0", "--workers", "3", "--server", request.param, "--lame-duck", "2"]
    environ = {"PATH": "/usr/bin:/bin", "CARBOY_LOG_TO": str(log), "CARBOY_SECRET_KEY": KEY}
    process = subprocess.Popen(
        [sys.executable, "-c", start, "run", *options],
        cwd=tmp_path,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        yield process, _address(process), log
    finally:
        process.terminate()  # the launcher ends its workers itself
        process.communicate()


def _address(process):
    """Return where the server listens, from its greeting."""
    said = b""
    while not (found := re.search(rb"http://[\d.]+:\d+", said)):
        line = process.stdout.readline()
        assert line, said.decode()
        said += line
    return found[0].decode()


def get(url):
    """Return (status, text) over a connection of its own."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def _lines(log, count, seconds=5.0):
    """Return the lines of *log* once there are *count*: LOG_HOLD lets them come a little later."""
    deadline = time.monotonic() + seconds
    while log.read_text().count("\n") < count and time.monotonic() < deadline:
        time.sleep(0.02)
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_any_worker_answers_for_all_and_a_drain_shows_at_once(server):
    """60 requests over three workers: 60 counts, 60 lines, 60 ids; TERM: not ready."""
    process, url, log = server

    for number in range(60):
        assert get(f"{url}/hello/{number}")[0] == 200
    text = get(f"{url}/metrics")[1]
    lines = _lines(log, 60)

    counted = 'carboy_requests_total{method="GET",route="/hello/<name>",status="200"} 60.0'
    assert counted in text
    assert sorted(line["path"] for line in lines) == sorted(f"/hello/{n}" for n in range(60))
    assert len({line["id"] for line in lines}) == 60
    assert get(f"{url}/readyz") == (200, '{"status": "ready"}\n')

    process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 1.5
    while (answer := get(f"{url}/readyz"))[0] == 200 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert answer == (503, '{"status": "draining"}\n')
    assert get(f"{url}/healthz")[0] == 200
    assert get(f"{url}/hello/late")[0] == 200
    assert process.wait(timeout=60) == 0
