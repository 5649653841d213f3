"""When the database is away, full, held by others or dies: a clear 503, nothing half written.

Afterwards the same session and the same application go on. Servers that are killed here
are private, and known by the number of their process.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
from sqlalchemy import create_engine, event, func, select, text, update
from sqlalchemy.orm import Mapped

from carboy import Carboy
from carboy.data.bulk import bulk_insert
from carboy.data.db import db
from carboy.data.engines import Limits, resolve
from carboy.data.faults import DatabaseDown
from carboy.data.fields import field
from carboy.data.places import Places
from carboy.data.session import session_class
from carboy.data.transactions import transaction
from carboy.testing import servers

SERVERS = [pytest.mark.server, pytest.mark.slow]
LIMITS = Limits(pool=2, overflow=0, pool_wait_s=0.5, lock_s=1.0, connect_s=2.0)


@pytest.fixture
def note(base):
    class Note(base):
        text: Mapped[str] = field(max_length=40)

    return Note


@contextlib.contextmanager
def opened(url, **more):
    """Yield a session on *url*; its engines are disposed of at the end."""
    places = Places({"main": url}, limits=LIMITS, **more)
    session = session_class()(places)
    try:
        yield session
    finally:
        with contextlib.suppress(DatabaseDown):
            session.close()
        places.dispose()


def texts(session, note):
    return session.scalars(select(note.text).order_by(note.id)).all()


def write_two(session, note, first):
    """Write one row, if *first*, and then all: the second waits for somebody's lock."""
    with transaction(session):
        if first:
            session.add(note(text="lost"))
            session.flush()
        session.execute(update(note).values(text="mine"))


def write_and(act, session, note):
    """Call *act* in a transaction that has written a row."""
    with transaction(session):
        session.add(note(text="lost"))
        session.flush()
        act()


def refused_port():
    """Return a port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def nowhere(kind):
    return f"{kind}://user:hunter2@127.0.0.1:{refused_port()}/shop"


# Nobody there


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_refused_connection_is_the_operators(kind, note):
    """The message names the database and says what to look at, not the password."""
    with opened(nowhere(kind)) as session:
        for act in (texts, lambda *on: bulk_insert(*on, [{"text": "a"}])):
            with pytest.raises(DatabaseDown) as caught:
                act(session, note)
            assert (caught.value.status, caught.value.code) == (503, "data.gone")
            assert "DATABASE_URL" in str(caught.value)
            assert "hunter2" not in str(caught.value)
        session.add(note(text="a"))
        with pytest.raises(DatabaseDown):
            session.commit()
        session.rollback()  # and is usable: only the database is not
        with pytest.raises(DatabaseDown):
            texts(session, note)


@pytest.mark.parametrize("kind", ["postgresql", "mariadb", "sqlite"])
def test_a_view_without_its_database_is_503(kind, note, tmp_path):
    """Through a session, a compiled read and a bulk insert; what needs no data is served."""
    (tmp_path / "folder").mkdir()
    url = f"sqlite:///{tmp_path}/folder" if kind == "sqlite" else nowhere(kind)
    with application(url, note, tmp_path) as client:
        for path in ("/texts", "/read", "/one/1", "/write/x", "/bulk"):
            answer = client.get(path)
            assert answer.status_code == 503, path
            assert int(answer.headers["Retry-After"]) > 0
            assert "hunter2" not in answer.text
        assert client.get("/idle").text == "idle"


def test_a_dead_replica_is_503_and_the_main_database_serves(note, base, tmp_path):
    """What is written, or read after writing, does not need it."""
    url = f"sqlite:///{tmp_path}/a.db"
    with application(url, note, tmp_path, DATABASE_REPLICA=nowhere("postgresql")) as client:
        assert client.get("/texts").status_code == 503
        assert client.get("/read").status_code == 503
        assert client.post("/write/a").text == "a"
        client.set_cookie("carboy_wrote", "1")
        assert client.get("/texts").text == "a"


@contextlib.contextmanager
def application(url, note, folder, **config):
    """Yield a client of an application that reads and writes notes."""
    app = Carboy("app", batteries="compatible", root_path=str(folder))
    app.config.update(DATABASE_URL=url, DATABASE_CONNECT_TIMEOUT="1 s", **config)
    reading = note.read("text", order=("id",))

    def write(word):
        db.session.add(note(text=word))
        db.session.commit()
        return word

    app.get("/idle", endpoint="idle")(lambda: "idle")
    app.get("/texts", endpoint="texts")(lambda: " ".join(texts(db.session, note)))
    app.get("/read", endpoint="read")(lambda: reading.json())
    app.get("/one/<int:key>", endpoint="one")(lambda key: db.get_or_404(note, key).text)
    app.get("/bulk", endpoint="bulk")(lambda: str(db.bulk(note, [{"text": "b"}])))
    app.route("/write/<word>", methods=["GET", "POST"], endpoint="write")(write)
    with contextlib.suppress(DatabaseDown), app.app_context():
        note.metadata.create_all(db.engine)
    try:
        yield app.test_client()
    finally:
        app.batteries["data"].close()


# No room


def test_a_full_database_takes_nothing_and_gives_what_it_has(note, base, tmp_path):
    """SQLite with a greatest size: a commit, a flush and a bulk insert leave nothing."""
    with opened(f"sqlite:///{tmp_path}/a.db") as session:
        engine = session.places.engine("main")
        base.metadata.create_all(engine)
        session.add(note(text="before"))
        session.commit()

        def shrink(connection, *_):
            connection.execute("PRAGMA max_page_count = 1")  # means: no larger than it is

        session.connection().exec_driver_sql("PRAGMA max_page_count = 1")
        session.commit()
        event.listen(engine, "connect", shrink)
        rows = [{"text": "x" * 40}] * 2000
        with pytest.raises(DatabaseDown) as caught:
            bulk_insert(session, note, rows, batch=100)
        assert caught.value.code == "data.full"
        session.add_all(note(**row) for row in rows)
        with pytest.raises(DatabaseDown):
            session.commit()
        session.rollback()
        assert texts(session, note) == ["before"]
        session.connection().exec_driver_sql("PRAGMA max_page_count = 100000")
        session.add(note(text="after"))
        session.commit()
        assert texts(session, note) == ["before", "after"]


FULL_DISK = """
import resource, sys
from sqlalchemy import select
from sqlalchemy.orm import Mapped
from carboy import Model, db, field
from carboy.data.faults import DatabaseDown

class Note(Model):
    text: Mapped[str] = field(max_length=40)

with db.connect(sys.argv[1]):
    db.create_all()
    with db.transaction():
        db.session.add(Note(text="before"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    for _ in range(2):
        try:
            db.bulk(Note, [{"text": "x" * 40}] * 20000)
            sys.exit("it was written")
        except DatabaseDown as error:
            print(error.code)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert db.session.scalars(select(Note.text)).all() == ["before"]
    with db.transaction():
        db.session.add(Note(text="after"))
    assert db.session.scalars(select(Note.text).order_by(Note.id)).all() == ["before", "after"]
    assert db.session.connection().exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
"""


@pytest.mark.slow
def test_a_disk_that_is_full_leaves_the_file_whole(tmp_path):
    """Files that may not grow, as on a full disk; when there is room again, all goes on."""
    run = [sys.executable, "-c", FULL_DISK, f"sqlite:///{tmp_path}/a.db"]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) <= {"data.full", "data.gone"}


# Held by others


@pytest.mark.slow
def test_a_lock_of_another_undoes_the_whole_transaction(database, note, base):
    """Also what was written before it in the same one; MariaDB itself undoes one statement."""
    with opened(database.url) as session:
        base.metadata.create_all(session.places.engine("main"))
        session.add(note(text="held"))
        session.commit()
        other = database.another()
        with other.begin() as holder:
            holder.execute(update(note.__table__).values(text="held"))
            with pytest.raises(DatabaseDown) as caught:
                write_two(session, note, "writers" in database.can)
            assert caught.value.code == "data.locked"
            assert texts(session, note) == ["held"]
            session.rollback()
        other.dispose()
        with transaction(session):
            session.execute(update(note).values(text="mine"))
        assert texts(session, note) == ["mine"]


# Killed


class Server:
    """A private server, a child of this process, that can be killed and started again."""

    def __init__(self, url):
        self.url = url
        self.again = None
        port = str(resolve(url)[0].port)
        self.pid = next(pid for pid in children() if any(port in part for part in command(pid)))
        self.command, self.cwd = command(self.pid), os.readlink(f"/proc/{self.pid}/cwd")
        owner = os.stat(f"/proc/{self.pid}")
        self.user = [f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}", "--clear-groups"]

    def kill(self):
        """End it at once, as when the machine loses power."""
        # SIGKILL would leave PostgreSQL's children and their shared memory behind.
        postgresql = self.url.startswith("postgresql")
        os.kill(self.pid, signal.SIGQUIT if postgresql else signal.SIGKILL)
        wait_until(lambda: not alive(self.pid))
        if self.again is not None:
            self.again.wait()

    def keep(self):
        """Have each commit on disk when it is acknowledged; servers of tests do not."""
        if not self.url.startswith("postgresql"):
            engine = create_engine(resolve(self.url)[0])
            with engine.begin() as connection:
                connection.execute(text("SET GLOBAL innodb_flush_log_at_trx_commit = 1"))
            engine.dispose()

    def start(self):
        as_user = ["setpriv", *self.user] if os.geteuid() == 0 else []
        self.again = subprocess.Popen(
            [*as_user, *self.command], cwd=self.cwd,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.pid = self.again.pid
        engine = create_engine(resolve(self.url)[0])
        wait_until(lambda: answers(engine))
        engine.dispose()
        self.keep()

    def stop(self):
        if self.again is not None and self.again.poll() is None:
            self.again.send_signal(signal.SIGINT if "postgres" in self.url else signal.SIGTERM)
            self.again.wait(30)


def children():
    """Return the processes that this one has started."""
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/children") as file:
            yield from map(int, file.read().split())


def command(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return [part.decode() for part in file.read().split(b"\0") if part]


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def answers(engine):
    try:
        engine.connect().close()
    except Exception:
        return False
    return True


def wait_until(true, seconds=30):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(
    scope="module",
    params=[pytest.param("postgresql", marks=SERVERS), pytest.param("mariadb", marks=SERVERS)],
)
def server(request, tmp_path_factory):
    """A server of this module's own."""
    folder = tmp_path_factory.mktemp(request.param)
    try:
        with getattr(servers, request.param)(folder) as url:
            made = Server(url)
            made.keep()
            yield made
            made.stop()
    except servers.NotInstalled as error:
        pytest.skip(f"NOT tested: {error}")


def test_a_server_that_dies_in_a_transaction_leaves_none_of_it(server, note, base):
    """The error says so, nothing of the transaction is there, and the session goes on."""
    with opened(server.url) as session:
        engine = session.places.engine("main")
        base.metadata.drop_all(engine)
        base.metadata.create_all(engine)
        session.add(note(text="kept"))
        session.commit()
        with pytest.raises(DatabaseDown) as caught:
            write_and(server.kill, session, note)
        assert caught.value.code == "data.gone"
        for _ in range(2):
            with pytest.raises(DatabaseDown):
                texts(session, note)
            session.rollback()
        server.start()
        assert texts(session, note) == ["kept"]
        bulk_insert(session, note, [{"text": "after"}])
        assert texts(session, note) == ["kept", "after"]


def test_a_server_that_was_restarted_costs_no_request(server, note, base, tmp_path):
    """Between transactions nobody notices; while it is away every answer is 503."""
    with application(server.url, note, tmp_path) as client:
        with client.application.app_context():
            base.metadata.drop_all(db.engine)
            base.metadata.create_all(db.engine)
        assert client.post("/write/a").text == "a"
        assert client.get("/read").text == '[{"text":"a"}]'
        server.kill()
        assert {client.get(path).status_code for path in ("/texts", "/read", "/bulk")} == {503}
        assert client.get("/idle").text == "idle"
        server.start()
        assert client.get("/read").text == '[{"text":"a"}]'
        assert client.get("/texts").text == "a"
        server.kill()
        server.start()
        assert client.get("/texts").text == "a"
        assert client.get("/read").text == '[{"text":"a"}]'
        assert client.post("/write/b").text == "b"


def test_a_server_that_dies_under_a_bulk_insert_keeps_none_of_it(server, note, base):
    """After some batches were sent."""
    with opened(server.url) as session:
        engine = session.places.engine("main")
        base.metadata.drop_all(engine)
        base.metadata.create_all(engine)
        session.rollback()

        def rows():
            for number in range(1000):
                if number == 500:
                    server.kill()
                yield {"text": f"row {number}"}

        with pytest.raises(DatabaseDown):
            bulk_insert(session, note, rows(), batch=100)
        server.start()
        session.rollback()
        assert session.scalar(select(func.count()).select_from(note)) == 0


@pytest.mark.server
@pytest.mark.slow
def test_a_connection_that_an_administrator_ends_is_replaced(pg, note, base):
    """One 503 at most, for the transaction that was under way."""
    with opened(pg) as session:
        base.metadata.drop_all(session.places.engine("main"))
        base.metadata.create_all(session.places.engine("main"))
        session.add(note(text="a"))
        session.flush()
        pid = session.scalar(text("SELECT pg_backend_pid()"))
        killer = create_engine(resolve(pg)[0])
        with killer.connect() as connection:
            connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        killer.dispose()
        with pytest.raises(DatabaseDown):
            session.commit()
        session.rollback()
        assert texts(session, note) == []
