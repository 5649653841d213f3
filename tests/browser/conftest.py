"""A real browser and a real server."""

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
START_S = 60

# It looks for nothing outside this machine, and runs where its own sandbox cannot (root).


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The address of examples/hello, a copy of it, as `carboy run` serves it."""
    folder = tmp_path_factory.mktemp("site") / "hello"
    shutil.copytree(ROOT / "examples/hello", folder, ignore=shutil.ignore_patterns("instance"))
    log = folder / "log"  # a file, not a pipe: a full pipe would stop the server
    with log.open("w") as out:
        server = subprocess.Popen(
            [Path(sys.executable).with_name("carboy"), "run", "--port", "0", "--workers", "1"],
            cwd=folder,
            env={**os.environ, "CARBOY_SECRET_KEY": secrets.token_hex(32)},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    yield printed_address(server, log)
    server.send_signal(signal.SIGINT)
    server.wait(timeout=20)


def printed_address(server, log):
    """Return the address that *server* prints into *log* once it serves."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.poll() is None:
        if found := re.search(r"http://127\.0\.0\.1:\d+", log.read_text()):
            return found[0]
        time.sleep(0.05)
    pytest.fail(f"carboy run printed no address:\n{log.read_text()}")


@pytest.fixture(params=["light", "dark"])
def scheme(request):
    """Both colour schemes."""
    return request.param


@pytest.fixture(params=[1280, 390, 320], ids=["desk", "phone", "small phone"])
def width(request):
    """Widths in CSS pixels; 320 is what WCAG 1.4.10 asks for."""
    return request.param


@pytest.fixture
def page(browser, request):
    """A page that remembers what the browser complained about, as `page.complaints`."""
    wanted = {
        name: request.getfixturevalue(name)
        for name in ("scheme", "width")
        if name in request.fixturenames
    }
    context = browser.new_context(
        color_scheme=wanted.get("scheme", "light"),
        viewport={"width": wanted.get("width", 1280), "height": 800},
        reduced_motion="reduce",  # else axe may read a colour halfway through a transition
    )
    context.set_default_timeout(10_000)  # milliseconds
    page = context.new_page()
    page.complaints = []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    yield page
    context.close()
