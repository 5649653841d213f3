"""Databases to test on: SQLite always, the others on private servers.

A test that takes `database` runs on each; the servers start once per session, in a
folder of their own, and end with it. `database.needs("writers")` asks for a
capability, not for a brand.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import MetaData, make_url, text
from sqlalchemy.orm import registry

from carboy.data.engines import Limits, backend_of, engine_for

POSTGRESQL = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
MARIADB = shutil.which("mariadbd") or "/usr/sbin/mariadbd"
START_S = 20.0

servers = [pytest.mark.server, pytest.mark.slow]
missing = []


@dataclass
class Database:
    """One database, empty at the start of each test."""

    url: str
    engine: object
    limits: Limits

    @property
    def can(self):
        return backend_of(self.engine).can

    def needs(self, *capabilities):
        """Skip where the database cannot do what the test is about."""
        lacking = set(capabilities) - self.can
        if lacking:
            pytest.skip(f"this kind of database has no {', '.join(sorted(lacking))}")

    def another(self, **more):
        """Return a second engine on the same database."""
        return engine_for(self.url, **{"limits": self.limits, **more})


@pytest.fixture(params=["sqlite", *(pytest.param(n, marks=servers) for n in ("pg", "mariadb"))])
def database(request, tmp_path):
    """An empty database of each kind that is there."""
    url = f"sqlite:///{tmp_path}/test.db"
    if request.param != "sqlite":
        url = request.getfixturevalue(request.param)
    limits = Limits(pool=3, overflow=0, pool_wait_s=0.2, lock_s=1.0)
    engine = engine_for(url, limits=limits)
    if request.param != "sqlite":
        empty(engine)
    yield Database(url, engine, limits)
    engine.dispose()


@pytest.fixture
def base():
    """A base with nothing on it yet, so that tests may define the same names."""
    from carboy.data.models import CONVENTION, Model  # here: engines are tested without models

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
def session(database, base):
    """Return a function that makes the tables of `base` and opens a session on them."""
    from carboy.data.places import Places
    from carboy.data.session import session_class

    places = Places({"main": database.url}, limits=database.limits)
    opened = []

    def open_session():
        base.metadata.create_all(database.engine)
        opened.append(session_class()(places))
        return opened[-1]

    yield open_session
    for one in opened:
        one.close()
    places.dispose()


def empty(engine):
    """Drop every table."""
    metadata = MetaData()
    with engine.begin() as connection:
        metadata.reflect(connection)
        metadata.drop_all(connection)


@pytest.fixture(scope="session")
def pg(tmp_path_factory):
    """The address of a private PostgreSQL server."""
    if not POSTGRESQL:
        not_tested("PostgreSQL", "no /usr/lib/postgresql/*/bin here")
    folder, bin_ = _folder(tmp_path_factory, "pg", "postgres"), POSTGRESQL[-1]
    run = _as("postgres")
    init = [bin_ / "initdb", "-D", folder / "d", "-U", "carboy", "-A", "trust", "-E", "UTF8"]
    subprocess.run([*run, *map(str, init), "--no-sync"], check=True, capture_output=True)
    port = _free_port()
    serve = [bin_ / "postgres", "-D", folder / "d", "-p", port, "-k", folder, "-h", "127.0.0.1"]
    with _server([*run, *map(str, serve), "-F"], folder):
        url = f"postgresql://carboy@127.0.0.1:{port}/postgres"
        _wait_for(url)
        yield url


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory):
    """The address of a private MariaDB server."""
    if not os.path.exists(MARIADB):
        not_tested("MariaDB", "mariadbd is not installed: apt-get install mariadb-server")
    folder = _folder(tmp_path_factory, "maria", "mysql")
    data, port = f"--datadir={folder / 'd'}", _free_port()
    install = ["mariadb-install-db", "--no-defaults", data, "--skip-test-db"]
    install += ["--auth-root-authentication-method=normal"]
    subprocess.run([*_as("mysql"), *install], check=True, capture_output=True)
    serve = [MARIADB, "--no-defaults", data, "--bind-address=127.0.0.1", f"--port={port}"]
    serve += [f"--socket={folder}/s", f"--pid-file={folder}/p", "--skip-name-resolve"]
    with _server([*_as("mysql"), *serve], folder):
        url = f"mariadb://root@127.0.0.1:{port}/"
        _wait_for(url)
        engine = engine_for(url)
        with engine.begin() as connection:
            connection.execute(text("CREATE DATABASE carboy"))
        engine.dispose()
        yield f"{url}carboy"


def not_tested(what, why):
    """Skip, and say so at the end of the run; where servers are required, fail."""
    message = f"{what} was NOT tested: {why}"
    missing.append(message)
    if os.environ.get("CARBOY_REQUIRE_SERVERS"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    for message in dict.fromkeys(missing):
        terminalreporter.write_line(message, red=True, bold=True)


@contextlib.contextmanager
def _server(command, folder):
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT if "postgres" in command[-1] else signal.SIGTERM)
        process.wait(START_S)


def _wait_for(url):
    engine = engine_for(make_url(url))
    deadline = time.monotonic() + START_S
    while True:
        try:
            engine.connect().close()
            break
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    engine.dispose()


def _folder(factory, name, user):
    """Return a short folder that *user* may write, reachable by that user."""
    folder = factory.mktemp(name)
    if os.geteuid() == 0:
        shutil.chown(folder, user)
        for parent in folder.parents[:3]:  # pytest's own folders are closed to others
            if str(parent).startswith("/tmp/"):
                parent.chmod(parent.stat().st_mode | 0o011)
    return folder


def _as(user):
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
