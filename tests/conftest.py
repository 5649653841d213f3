"""What every test gets: a small application, its client, and a check for leaks."""

import os
import shutil
import sys
import threading
import time

import pytest
from flask.globals import _cv_app, _cv_request

missing = []  # servers that could not be started, told at the end of the run

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
]
GRACE_S = 1.0  # a thread or socket that is closing needs a moment; a leak stays


@pytest.fixture
def app():
    """An application with Flask's bare semantics, for a test to add to."""
    from carboy import Carboy  # here: tests of base run without the engine

    app = Carboy("app", batteries=(), root_path=os.path.dirname(__file__))
    app.testing = True
    app.secret_key = "only for tests"
    return app


@pytest.fixture
def client(app):
    """A client of `app`."""
    return app.test_client()


@pytest.fixture
def base():
    """A base with nothing on it yet, so that tests may define the same names."""
    from sqlalchemy import MetaData  # here: most tests need no models
    from sqlalchemy.orm import registry

    from carboy.data.models import CONVENTION, Model

    metadata = MetaData(naming_convention=CONVENTION)
    own = registry(metadata=metadata)

    class Base(Model):
        __abstract__ = True
        registry = own
        _sa_registry = own

    Base.metadata = metadata
    yield Base
    own.dispose()


@pytest.fixture
def no_policies(monkeypatch):
    """Let nobody ask who asks because of models that other tests of this process declared.

    Carboy's own, of people, state policies; `db.connect` would hold everybody to them.
    """
    from carboy.data import guards
    from carboy.data.models import Model

    of = guards.declared
    monkeypatch.setattr(guards, "declared", lambda m: m is not Model.registry and of(m))


@pytest.fixture(autouse=True)
def no_people(monkeypatch):
    """Let no application have people because of what this very test imports.

    With people routes are closed and sessions are in the database; tests/auth wants that.
    """
    people = sys.modules.get("carboy.auth.people")
    if people is not None:
        monkeypatch.setattr(people, "imported", False)


@pytest.fixture(autouse=True)
def nothing_leaks(request):
    """Fail a test that leaves a context pushed, a thread running or a descriptor open.

    A fixture of a wider scope (a server for a module) is set up before this one and so
    is not counted. What must stay is declared: `@pytest.mark.leaks("the reason")`.
    """
    before = _held()
    yield
    _cut_context()
    if request.node.get_closest_marker("leaks"):
        return
    left = _left_over(before)
    assert not left, f"{request.node.name} left behind: {', '.join(left)}"


def _cut_context():
    """Fail when a context is still pushed, and pop it for the tests that follow."""
    left = []
    while (context := _cv_app.get(None)) is not None:
        left.append(repr(context))
        (_cv_request.get(None) or context).pop()
    if left:
        pytest.fail(f"still pushed: {', '.join(left)}")


def _held():
    """Return (threads, descriptors): what this process holds now, by name."""
    threads = {thread for thread in threading.enumerate() if thread.is_alive()}
    return threads, _descriptors()


def _descriptors():
    """Return {number: target} of the open files and sockets that a test may leak."""
    found = {}
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:  # the descriptor of this very listing
            continue
        if target.startswith(("socket:", "pipe:", "/")) and not target.startswith("/dev/"):
            found[int(number)] = target
    return found


def _left_over(before):
    """Return what is held now and was not *before*; waits while something is closing."""
    deadline = time.monotonic() + GRACE_S
    while True:
        left = _growth(before)
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.01)


def _growth(before):
    threads, descriptors = _held()
    grown = [f"thread {thread.name}" for thread in threads - before[0]]
    new = {number: target for number, target in descriptors.items() if number not in before[1]}
    return grown + [f"descriptor {number} -> {target}" for number, target in new.items()]


@pytest.fixture(scope="session")
def chromium():
    """Chromium as the system installs it; one for all tests, as Playwright wants it."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("no Chromium on this machine; as root, bin/test installs it")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def browser(chromium):
    """The same; tests/auth calls a cookie jar so."""
    return chromium


@pytest.fixture(scope="session")
def pg(tmp_path_factory):
    """The address of a private PostgreSQL server."""
    from carboy.testing.servers import postgresql

    yield from _served(postgresql, tmp_path_factory.mktemp("pg"))


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory):
    """The address of a private MariaDB server."""
    from carboy.testing.servers import mariadb

    yield from _served(mariadb, tmp_path_factory.mktemp("maria"))


def _served(server, folder):
    """Skip, and say so at the end of the run; where servers are required, fail."""
    from carboy.testing.servers import NotInstalled

    try:
        with server(folder) as url:
            yield url
    except NotInstalled as error:
        missing.append(f"NOT tested: {error}")
        if os.environ.get("CARBOY_REQUIRE_SERVERS"):
            pytest.fail(missing[-1])
        pytest.skip(missing[-1])


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    for message in dict.fromkeys(missing):
        terminalreporter.write_line(message, red=True, bold=True)
