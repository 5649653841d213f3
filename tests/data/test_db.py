"""db: lazy, per request, transactions that are all or nothing, and the familiar verbs."""

import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from carboy import Carboy
from carboy.base.errors import SetupError
from carboy.cli.preflight import find_faults
from carboy.data import places, session as sessions, transactions
from carboy.data.backends.common import Trouble
from carboy.data.battery import Data
from carboy.data.db import EXTENSION, OutsideContext, db, opened_in
from carboy.data.faults import DatabaseDown, TransactionRace, fault
from carboy.data.fields import field
from carboy.data.migrations.project import targets
from carboy.data.migrations.runner import upgrade
from carboy.data.mixins import Versioned
from carboy.data.validity import InvalidRow
from carboy.engine.seam import cv_app


@pytest.fixture
def note(base):
    class Note(base):
        text: Mapped[str] = field(max_length=40, unique=True)

    return Note


@pytest.fixture
def make(database, base, tmp_path):
    """Return a function that makes an application on the database, with its tables."""
    made = []

    def make_app(**config):
        app = Carboy("app", batteries=(Data(),), root_path=str(tmp_path))
        app.config.update(DATABASE_URL=database.url, **config)
        app.testing = True
        base.metadata.create_all(database.engine)
        made.append(app)
        return app

    yield make_app
    for app in made:
        app.batteries["data"].close()


def count(model):
    return db.session.scalar(select(func.count()).select_from(model))


def write_and_fail(row):
    db.session.add(row)
    db.session.flush()
    raise ZeroDivisionError


def race():
    return fault(Trouble("race"), Exception("deadlock"), "main")


def test_a_request_that_asks_nothing_opens_nothing(make):
    """No session, no engine, no connection: until db.session is used."""
    app = make()
    app.get("/idle", endpoint="idle")(lambda: str(opened_in(cv_app.get())))
    app.get("/busy", endpoint="busy")(lambda: str(db.session.scalar(select(1))))
    client = app.test_client()
    assert client.get("/idle").text == "None"
    assert app.batteries["data"].places.opened == {}
    assert client.get("/busy").text == "1"
    assert list(app.batteries["data"].places.opened) == ["main"]


def test_each_request_has_a_session_of_its_own_and_leaves_none(make, note):
    """What was not committed is undone; connections go back to the pool."""
    app = make()
    seen = []

    @app.get("/")
    def view():
        db.session.add(note(text="lost"))
        db.session.flush()
        seen.append(db.session)
        assert db.session is db.session
        return str(count(note))

    client = app.test_client()
    assert [client.get("/").text for _ in range(5)] == ["1"] * 5
    assert len(set(map(id, seen))) == 5
    assert app.batteries["data"].places.engine("main").pool.checkedout() == 0


def test_each_scope_has_a_session_of_its_own(make, monkeypatch):
    """The seam for policy: the session follows whoever asks."""
    app, who = make(), ["ann"]
    guard = SimpleNamespace(mixin=type("Mixin", (), {}), install=lambda engine: None)
    guard.scope_key = lambda: who[0]
    monkeypatch.setattr(app.extensions[EXTENSION].places, "guard", guard)
    with app.app_context():
        anns = db.session
        who[0] = "bob"
        assert db.session is not anns
        who[0] = "ann"
        assert db.session is anns


def test_mixins_come_before_our_session(make, note, monkeypatch):
    """The seam for policy's guards: its hooks run, and reach ours by super()."""
    calls = []

    class Guard:
        def before_flush(self, context, instances):
            calls.append("before")
            super().before_flush(context, instances)

        def do_orm_execute(self, state):
            calls.append("execute")

    monkeypatch.setattr(sessions, "mixins", [Guard])
    app = make()
    with app.app_context():
        db.session.execute(select(1))
        db.session.add(note(text="x" * 41))
        with pytest.raises(InvalidRow):
            db.session.flush()
    assert calls == ["execute", "before"]


def test_an_error_page_can_ask_the_database(make, note):
    """After a failed flush the handler's session works, and nothing half-written stays."""
    app = make()
    app.testing = False

    @app.post("/")
    def view():
        db.session.add(note(text="kept"))
        db.session.flush()
        db.session.execute(insert(note.__table__).values(text="kept"))

    @app.errorhandler(409)
    def clash(error):
        return f"{error.description} {count(note)}", 409

    answer = app.test_client().post("/")
    assert (answer.status_code, answer.text) == (409, "Text is taken already. 0")


@pytest.mark.parametrize(
    ("value", "status"),
    [("fine", 200), ("x" * 41, 422), ("a\0b", 422), ("\ud800", 422)],
    ids=["ok", "over-long", "NUL", "surrogate"],
)
def test_what_a_client_sends_is_never_a_500(make, note, value, status):
    """Bad values are 422 with a sentence; the next request works."""
    app = make()
    app.testing = False

    @app.post("/")
    def view():
        with db.transaction():
            db.session.add(note(text=value))
        return "ok"

    app.get("/", endpoint="home")(lambda: str(count(note)))
    client = app.test_client()
    assert client.post("/").status_code == status
    assert client.get("/").text == ("1" if status == 200 else "0")


def test_outside_says_what_to_do():
    """The classic, answered."""
    with pytest.raises(OutsideContext, match=r"with app\.app_context\(\)") as caught:
        _ = db.session
    assert isinstance(caught.value, RuntimeError)
    assert "db.connect(" in str(caught.value)


def test_without_the_battery_says_what_to_add(app):
    """An application without data tells which battery is missing."""
    with app.app_context(), pytest.raises(SetupError, match="data battery"):
        _ = db.session


def test_a_script_needs_no_application(database, base, note):
    """connect() gives a session, and leaves no connection."""
    with db.connect(database.url):
        db.create_all(metadata=base.metadata)
        db.session.add(note(text="a"))
        db.session.commit()
    with db.connect(database.url):
        assert count(note) == 1
    with pytest.raises(OutsideContext):
        _ = db.session


def test_a_transaction_is_all_or_nothing(make, note):
    """An exception that leaves undoes everything; without one, everything stays."""
    with make().app_context():
        with pytest.raises(ZeroDivisionError), db.transaction():
            write_and_fail(note(text="a"))
        assert count(note) == 0
        with db.transaction():
            db.session.add(note(text="a"))
        db.session.rollback()
        assert count(note) == 1


def test_an_inner_transaction_is_a_savepoint(make, note):
    """What fails inside and is caught undoes the inner part only."""
    with make().app_context():
        with db.transaction():
            db.session.add(note(text="outer"))
            with pytest.raises(ZeroDivisionError), db.transaction():
                write_and_fail(note(text="inner"))
            with db.transaction():
                db.session.add(note(text="second"))
        db.session.rollback()
        assert set(db.session.scalars(select(note.text))) == {"outer", "second"}


def test_a_lost_race_is_run_again(make, note, monkeypatch):
    """The unit starts from nothing each time; waits grow and are random."""
    waits, tries = [], []
    monkeypatch.setattr(transactions.Pause, "sleep", waits.append)

    @db.retry
    def unit(word):
        tries.append(word)
        db.session.add(note(text=word))
        db.session.flush()
        if len(tries) < 4:
            raise race()
        return "done"

    with make().app_context():
        assert unit("a") == "done"
        assert count(note) == 1
    assert len(waits) == 3
    assert all(0 <= wait <= 0.02 * 2**n for n, wait in enumerate(waits))


def test_a_race_is_given_up_after_some_tries_and_never_inside(make, monkeypatch):
    """The fault of the last try is told; an inner unit leaves repeating to the outer."""
    monkeypatch.setattr(transactions.Pause, "sleep", lambda wait_s: None)
    tries = []

    def unit():
        tries.append(1)
        raise race()

    with make().app_context():
        with pytest.raises(TransactionRace):
            db.retry(unit, times=3)()
        assert len(tries) == 3
        with pytest.raises(TransactionRace), db.transaction():
            db.retry(unit)()
        assert len(tries) == 4


def test_alone_makes_read_and_write_one(make, base, database):
    """Two that read, add one and write: nothing is lost, on every database."""

    class Counter(base):
        n: Mapped[int]

    app = make(DATABASE_LOCK_TIMEOUT="10 s")
    with app.app_context(), db.transaction():
        db.session.add(Counter(n=0))
    failed = []

    def add():
        counter = db.session.scalars(select(Counter)).one()
        counter.n += 1

    def work():
        try:
            for _ in range(5):
                with app.app_context():
                    db.retry(add, times=50, alone=True)()
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed
    with app.app_context():
        assert db.session.scalars(select(Counter.n)).one() == 15


def test_alone_reads_again_what_was_read_before(make, note, database):
    """Isolation begins now: an object loaded earlier may be stale, and is not trusted."""
    with make().app_context():
        with db.transaction():
            db.session.add(note(text="old"))
        row = db.session.scalars(select(note)).one()
        assert row.text == "old"
        with database.engine.begin() as other:
            other.execute(update(note.__table__).values(text="new"))
        with db.transaction(alone=True):
            assert row.text == "new"


def test_alone_after_a_write_is_refused(make, note):
    """Isolation cannot begin in the middle."""
    with make().app_context():
        db.session.add(note(text="a"))
        with pytest.raises(SetupError, match="Begin with it"), db.transaction(alone=True):
            pass


@pytest.mark.parametrize("key", [7, "1", "x", 2**70, None, True, 1.5], ids=repr)
def test_get_or_404_is_404_for_every_key_that_is_not_there(make, note, key):
    """Also for those that no row could have; the session goes on."""
    app = make()
    app.testing = False
    app.get("/", endpoint="home")(lambda: db.get_or_404(note, key).text)
    app.get("/one", endpoint="one")(lambda: db.get_or_404(note, 1).text)
    with app.app_context(), db.transaction():
        db.session.add(note(text="first"))
    client = app.test_client()
    assert client.get("/").status_code == 404
    assert client.get("/one").text == "first"


def test_first_and_one_or_404(make, note):
    """None is 404; several are 404 for one, the first for first."""
    app = make()
    app.testing = False
    app.get("/first/<word>", endpoint="first")(
        lambda word: db.first_or_404(select(note).where(note.text >= word)).text
    )
    app.get("/one/<word>", endpoint="one")(
        lambda word: db.one_or_404(select(note).where(note.text >= word)).text
    )
    with app.app_context(), db.transaction():
        db.session.add_all([note(text="a"), note(text="b")])
    client = app.test_client()
    asked = ["/first/b", "/first/c", "/one/b", "/one/c", "/one/a"]
    assert [client.get(path).status_code for path in asked] == [200, 404, 200, 404, 404]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", (200, [0, 1, 2], 1, 3)),
        ("?page=3", (200, [6], 3, 3)),
        ("?page=2&per_page=2", (200, [2, 3], 2, 4)),
        ("?per_page=9", (200, [0, 1, 2, 3, 4], 1, 2)),
        ("?page=4", (404,)),
        ("?page=0", (404,)),
        ("?page=-1", (404,)),
        ("?page=x", (404,)),
        ("?page=99999999999", (404,)),
        ("?page=" + "9" * 100, (404,)),
        ("?page=²", (404,)),
        ("?per_page=0", (404,)),
    ],
)
def test_pages_by_number(make, note, query, expected):
    """Number and size from the query; what is not there is 404, never an error."""
    app = make()
    app.testing = False

    @app.get("/")
    def view():
        size = {} if "per_page" in query else {"per_page": 3}
        page = db.paginate(select(note).order_by(note.id), max_per_page=5, **size)
        return [[int(n.text) for n in page], page.page, page.pages]

    with app.app_context(), db.transaction():
        db.session.add_all(note(text=str(n)) for n in range(7))
    answer = app.test_client().get("/" + query)
    found = (answer.status_code, *answer.json) if answer.status_code == 200 else (404,)
    assert found == expected


def test_what_was_written_for_others_works(make, base):
    """Plain SQLAlchemy models, and Flask-SQLAlchemy's way of writing columns."""

    class Plain(DeclarativeBase):
        pass

    class City(Plain):
        __tablename__ = "city"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(db.String(40))  # MariaDB needs a length

    class Team(base):
        __tablename__ = "team"
        key = db.Column(db.Integer, primary_key=True)
        name = db.Column(db.String(80), unique=True, nullable=False)
        players = db.relationship("Player", backref="team", lazy=True)

    class Player(base):
        id = db.Column(db.Integer, primary_key=True)
        team_id = db.Column(db.Integer, db.ForeignKey("team.key"))

    with make().app_context():
        db.create_all(metadata=Plain.metadata)
        db.session.add_all([City(name="Bern"), Team(name="a", players=[Player(), Player()])])
        db.session.commit()
        assert db.get_or_404(City, 1).name == "Bern"
        assert len(db.session.execute(db.select(Team)).scalar_one().players) == 2
        db.session.remove()
        db.drop_all(metadata=Plain.metadata)
    assert list(Team.facts().fields) == ["key", "name"]


def test_what_neither_has_is_an_attribute_error():
    """A slip of the pen is told, and modules are no verbs."""
    for name in ("selct", "orm", "_private"):
        with pytest.raises(AttributeError, match=name):
            getattr(db, name)


def test_models_live_in_the_database_they_name(make, base, tmp_path):
    """Two databases, one session; tables are made where they belong."""

    class Here(base):
        pass

    class There(base):
        database = "reports"

    app = make(DATABASES=[f"reports=sqlite:///{tmp_path}/reports.db"])
    with app.app_context():
        db.create_all(metadata=base.metadata)
        db.session.add_all([Here(), There(), There()])
        db.session.commit()
        assert (count(Here), count(There)) == (1, 2)
        assert db.session.scalar(select(func.count()).select_from(There.__table__)) == 2
        reports = app.batteries["data"].places.engine("reports")
        with reports.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM theres")) == 2
        db.drop_all(metadata=base.metadata)


def test_reads_go_to_the_replica_until_one_has_written(make, note, tmp_path):
    """A stale copy shows which database answered; whoever wrote reads the main one for a while."""
    copy = f"sqlite:///{tmp_path}/copy.db"
    with db.connect(copy):
        db.create_all(metadata=note.metadata)
        db.session.add(note(text="from the copy"))
        db.session.commit()
    app = make(DATABASE_REPLICA=copy)

    @app.route("/", methods=["GET", "POST"])
    def view():
        before = count(note)
        if "write" in app.jinja_env.globals:
            with db.transaction():
                db.session.add(note(text=f"new {count(note)}"))
        return [before, count(note)]

    client = app.test_client()
    assert client.get("/").json == [1, 1]
    app.jinja_env.globals["write"] = True
    assert client.get("/").json == [1, 1]  # the copy, then one's own write
    assert client.get("/").json == [1, 2]  # the cookie: the main one at once
    del app.jinja_env.globals["write"]
    assert client.get("/").json == [2, 2]
    assert app.test_client().get("/").json == [1, 1]
    assert app.test_client().post("/").json == [2, 2]


def test_a_dead_replica_is_a_fault_of_the_service_for_reads_only(make, note):
    """Reads are 503 and say which database; who writes is served by the main one."""
    app = make(DATABASE_REPLICA="postgresql://u:hunter2@127.0.0.1:9/x")
    app.testing = False
    app.route("/", methods=["GET", "POST"])(lambda: str(count(note)))
    said = []
    app.register_error_handler(DatabaseDown, lambda error: (said.append(str(error)) or "down", 503))
    client = app.test_client()
    assert [client.get("/").status_code, client.post("/").status_code] == [503, 200]
    assert "'main replica' does not answer" in said[0]
    assert "hunter2" not in said[0]


def test_the_limits_are_those_of_the_options(make):
    """Also those that were set after the application was made, and again later."""
    app = make(DATABASE_POOL=3, DATABASE_LOCK_TIMEOUT="40 ms")
    with app.app_context():
        first = db.engine
        assert first.pool.size() == 3
    app.config["DATABASE_POOL"] = 2
    with app.app_context():
        assert db.engine is not first
        assert db.engine.pool.size() == 2


def test_threads_that_come_at_once_share_one_engine(monkeypatch):
    """Two pools would be twice the connections, and a hook called twice."""
    made, both = [], threading.Event()

    def slow(*args, **kwargs):
        made.append(args)
        both.wait(0.05)
        return object()

    monkeypatch.setattr(places, "engine_for", slow)
    shared = places.Places({"main": "sqlite://"})
    got = []
    threads = [threading.Thread(target=lambda: got.append(shared.engine("main"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert len(set(map(id, got))) == len(made) == 1


def test_connect_comes_before_the_application(make, database, tmp_path):
    """Inside `with db.connect(...)` that database is meant, and afterwards the other again."""
    with make().app_context():
        with db.connect(f"sqlite:///{tmp_path}/other.db"):
            assert db.engine.url.database.endswith("other.db")
        assert db.engine.url.database == database.engine.url.database


def test_a_version_is_kept_by_the_session(make, base):
    """Two requests change one row: the second is told, 409."""

    class Page(Versioned, base):
        text: Mapped[str]

    app = make()
    app.testing = False

    @app.post("/")
    def view():
        page = db.session.scalars(select(Page)).one()
        with app.batteries["data"].places.engine("main").connect() as other:
            other.execute(update(Page.__table__).values(version=9))
            other.commit()
        page.text = "mine"
        db.session.commit()

    with app.app_context(), db.transaction():
        db.session.add(Page(text="a"))
    assert app.test_client().post("/").status_code == 409


@pytest.mark.parametrize("url", ["postgresql://u:hunter2@127.0.0.1:9/x", "sqlite:////proc/no/x.db"])
def test_a_database_that_is_away_is_503(tmp_path, url):
    """With Retry-After, and nothing of the address in the answer."""
    app = Carboy("app", batteries=(Data(),), root_path=str(tmp_path))
    app.config["DATABASE_URL"] = url
    app.get("/", endpoint="home")(lambda: str(db.session.scalar(select(1))))
    answer = app.test_client().get("/")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "hunter2" not in answer.text
    probes = dict(app.batteries["data"].probes())
    assert "does not answer" in probes["data.main"]() or "proc" in probes["data.main"]()
    app.batteries["data"].close()


def test_a_connection_lost_behind_our_back_does_no_harm(make, database, note):
    """The answer was made: closing the session must not turn it into an error."""
    database.needs("writers")
    app = make()
    own, kill = {
        "postgresql": ("SELECT pg_backend_pid()", "SELECT pg_terminate_backend({})"),
        "mariadb": ("SELECT connection_id()", "KILL {}"),
    }[database.engine.dialect.name]

    @app.get("/")
    def view():
        number = db.session.scalar(text(own))
        with database.engine.connect() as killer:
            killer.execute(text(kill.format(number)))
        return "made"

    client = app.test_client()
    assert [client.get("/").text for _ in range(3)] == ["made"] * 3


FORKING = """
import os, sys
from sqlalchemy import select
from carboy.data.places import Places
places = Places({"main": sys.argv[1]})
with places.engine("main").connect() as held:
    before = places.engine("main").pool
    child = os.fork()
    if child == 0:
        with places.engine("main").connect() as own:
            fine = own.scalar(select(7)) == 7 and places.engine("main").pool is not before
        os._exit(0 if fine else 1)
    _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status) or held.scalar(select(0)))
"""


def test_a_forked_process_has_connections_of_its_own(database):
    """Two processes on one connection read each other's answers."""
    run = [sys.executable, "-c", FORKING, database.url]
    assert subprocess.run(run, check=False).returncode == 0


def test_the_probe_is_content_with_a_database_that_answers(make):
    """It uses a connection of its own, so that a busy pool is no outage."""
    data = make(DATABASE_POOL=1).batteries["data"]
    told = {name: probe() for name, probe in data.probes()}
    assert told == {"data.main": None, "data.migrations": None}
    assert data.places.opened == {}


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"DATABASE_URL": "sqlite://"}, "data.memory"),
        ({"DATABASE_URL": "mongo://x/y"}, "data.url"),
        ({"DATABASES": ["x"]}, "data.databases"),
        ({"DATABASES": ["main=sqlite:///x.db"]}, "data.databases"),
        ({}, None),
    ],
)
def test_findings_about_the_set_up(tmp_path, config, code):
    """Said before serving."""
    app = Carboy("app", batteries=(Data(),), root_path=str(tmp_path), instance_path=str(tmp_path))
    app.config.update(config)
    found = [finding.code for finding in app.batteries["data"].checks(app)]
    assert found == ([code] if code else [])
    app.batteries["data"].close()


def test_facts_for_operations(tmp_path):
    """A server, or the folder that must outlive a restart."""
    app = Carboy("app", batteries=(Data(),), root_path=str(tmp_path), instance_path=str(tmp_path))
    data = app.batteries["data"]
    assert data.facts(app).volumes == [str(tmp_path)]
    app.config["DATABASE_URL"] = "postgres://u:p@h/x"
    assert data.facts(app).services == ["postgresql"]
    assert data.facts(app).secrets == ["DATABASE_URL"]


def test_the_battery_is_found_by_its_name(tmp_path):
    """The entry point that users write; the file lies in the instance folder."""
    app = Carboy(
        "app", batteries=("data",), root_path=str(tmp_path), instance_path=str(tmp_path / "i")
    )
    with app.app_context():
        assert db.session.scalar(select(1)) == 1
    assert (tmp_path / "i" / "app.db").exists()
    app.batteries["data"].close()


def test_an_application_without_data_never_loads_sqlalchemy():
    """import carboy stays quick."""
    code = "import sys, carboy; carboy.Carboy('x').seal(); print('sqlalchemy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_forgotten_migration_keeps_it_from_serving(make, tmp_path):
    """Said before the start and by readiness; gone once it was applied."""
    app = make()
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "0001_note.py").write_text(MIGRATION)
    app.batteries["data"].places.engine("main")
    told = {f.code: f for f in find_faults(app, production=True)}
    assert "0001_note" in told["migrations.pending"].message
    (probe,) = (one for name, one in app.batteries["data"].probes() if name == "data.migrations")
    assert "main: 0001_note" in probe()
    for target in targets(app):
        upgrade(target)
    assert probe() is None
    assert "migrations.pending" not in {f.code for f in find_faults(app, production=True)}


MIGRATION = '''"""Nothing yet"""

revision = "0001_note"
down_revision = None


def upgrade() -> None:
    """Do nothing."""


def downgrade() -> None:
    """Do nothing."""
'''
