"""`carboy dev`: reload, the debug page, this machine only."""

import time
import urllib.error

import pytest

from carboy.cli.dev import is_loopback

APP = """
from flask import Flask
app = Flask(__name__)

@app.get("/")
def home():
    return "one"

@app.get("/broken")
def broken():
    raise ZeroDivisionError("the failing line")
"""


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("example.org", False),
    ],
)
def test_loopback_is_known(host, local):
    """Whatever is not certainly this machine alone counts as open to others."""
    assert is_loopback(host) is local


@pytest.mark.server
@pytest.mark.slow
def test_dev_reloads_and_explains(serve, tmp_path):
    """A saved change is served, an error shows its page, a broken file does too."""
    app = tmp_path / "app.py"
    app.write_text(APP)
    (tmp_path / ".env").write_text("CARBOY_SECRET_KEY=from-dotenv\n")
    running = serve("dev", "--port", "8650", "--port-search")
    assert _eventually(running, "/") == "one"
    page = _eventually(running, "/broken")
    assert "ZeroDivisionError: the failing line" in page
    assert "raise ZeroDivisionError(" in page, "the source around it"
    assert "PATH_INFO" in page, "and the request"
    app.write_text(APP.replace("one", "two"))
    assert _eventually(running, "/", "two") == "two"
    app.write_text("import nosuchmodule\n")
    assert "nosuchmodule" in _eventually(running, "/", "nosuchmodule")
    app.write_text(APP.replace("one", "three"))
    assert _eventually(running, "/", "three") == "three"
    assert running.stop() == 0
    assert "[cli.app.broken]" in running.stderr


@pytest.mark.server
@pytest.mark.slow
def test_dev_warns_when_others_can_reach_it(serve, tmp_path):
    """With --host for every network, the console is off and a warning says why."""
    (tmp_path / "app.py").write_text(APP)
    running = serve(
        "dev", "--host", "0.0.0.0", "--port", "8660", "--port-search", "--no-reload", "--console"
    )
    page = _eventually(running, "/broken")
    assert "the failing line" in page
    assert "EVALEX = false" in page
    assert "other machines can reach this server" in running.stderr


def _eventually(running, path, text="", seconds=60):
    """Return the page once it contains *text*, whatever its status."""
    end = time.monotonic() + seconds
    while True:
        try:
            page = running.get(path)
        except urllib.error.HTTPError as error:
            with error:
                page = error.read().decode()
        except OSError:
            page = None
        if page is not None and text in page:
            return page
        assert time.monotonic() < end, page
        time.sleep(0.1)
