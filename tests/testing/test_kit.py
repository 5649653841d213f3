"""The parts of the kit: clock, budget, clients, and the plugin where something is wrong."""

import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import flask
import pytest
import sqlalchemy as sa

from carboy.base import clock as base_clock
from carboy.base.scope import NobodyAsking, Scope, current, scope
from carboy.data.engines import engine_for
from carboy.data.reading import lane_of
from carboy.testing.budget import queries
from carboy.testing.clients import Acting, Client, who
from carboy.testing.clocks import frozen

# Time


def test_the_clock_stands_until_it_is_moved():
    """And goes on afterwards."""
    with frozen() as clock:
        before = base_clock.now_s(), base_clock.ticks_s()
        assert base_clock.now_s() == before[0] == clock.now.timestamp()
        clock.advance(90)
        clock.advance(timedelta(minutes=1))
        assert base_clock.now_s() == before[0] + 150
        assert base_clock.ticks_s() >= before[1] + 150
        clock.move_to("2030-01-01T12:00:00Z")
        assert clock.now.isoformat() == "2030-01-01T12:00:00+00:00"
    assert base_clock.now_s.__module__ == "time"


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda clock: clock.advance(-1), "move_to"),
        (lambda clock: clock.move_to("2030-01-01T12:00:00"), "time zone"),
    ],
    ids=["backwards", "no zone"],
)
def test_what_a_clock_does_not_do(act, words):
    """Each says what to write."""
    with frozen() as clock, pytest.raises(ValueError, match=words):
        act(clock)


def test_the_fixture_is_the_clock(clock):
    """It comes with the plugin."""
    assert base_clock.now_s() == clock.now.timestamp()


# Queries


@pytest.fixture
def engine(tmp_path):
    engine = engine_for(f"sqlite:///{tmp_path}/test.db")
    yield engine
    engine.dispose()


def ask(engine, times=1):
    with engine.connect() as connection:
        for _ in range(times):
            connection.execute(sa.text("SELECT 1"))


def test_a_budget_that_is_kept_says_nothing(engine):
    """Transactions and savepoints cost nothing of it."""
    with queries(at_most=2) as sent:
        with engine.begin() as connection, connection.begin_nested():
            connection.execute(sa.text("SELECT 1"))
        assert len(sent) == 1
    with queries(exactly=0):
        pass


@pytest.mark.parametrize(
    ("budget", "times", "words"),
    [
        ({"at_most": 1}, 2, "2 statements were sent, and at most 1 were expected"),
        ({"exactly": 2}, 1, "1 statements were sent, and exactly 2 were expected"),
        ({"exactly": 2}, 3, "3 statements were sent, and exactly 2 were expected"),
        ({"at_most": 0}, 1, "1 statements were sent, and at most 0 were expected"),
    ],
)
def test_a_broken_budget_lists_what_was_sent(engine, budget, times, words):
    """With the line that sent it."""
    with pytest.raises(AssertionError, match=words) as failure, queries(**budget):
        ask(engine, times)
    assert f"{Path(__file__).name}:" in str(failure.value)
    assert 'connection.execute(sa.text("SELECT 1"))' in str(failure.value)


def test_compiled_reads_and_threads_count(engine):
    """Whoever sends, by whatever way."""
    with queries(exactly=3) as sent:
        lane_of(engine).run("SELECT 2", ())
        thread = threading.Thread(target=ask, args=(engine, 2))
        thread.start()
        thread.join()
    assert sent[0].sql == "SELECT 2"
    engine.dispose()


def test_an_error_goes_before_the_budget(engine):
    """Nothing hides what really happened, and nothing goes on counting."""
    with pytest.raises(LookupError):
        fail_after(engine, 2)
    ask(engine)


def fail_after(engine, times):
    with queries(at_most=0):
        ask(engine, times)
        raise LookupError


# Clients


@pytest.fixture
def asking(app):
    """An application that tells who asks, and what it finds open."""

    @app.get("/who")
    def who_asks():
        asker = current()
        return {"user": asker.user, "roles": sorted(asker.roles), "tenant": asker.tenant}

    @app.get("/seen")
    def seen():
        return str(getattr(flask.g, "mark", "nothing"))

    @app.get("/stream")
    def stream():
        return flask.Response(flask.stream_with_context(iter(["a", flask.request.path])))

    return app


def test_a_request_sees_nothing_of_the_test(asking):
    """Neither its application context nor its scope."""
    client = Client(asking, asking.response_class)
    with asking.app_context(), scope(user=1):
        flask.g.mark = "the test's"
        assert client.get("/seen").text == "nothing"
        assert client.get("/who").json["user"] is None
        assert client.get("/stream").text == "a/stream"
        assert flask.g.mark == "the test's"


def test_contexts_can_be_kept(asking):
    """`with client:` is as in Flask."""
    with Client(asking, asking.response_class) as client:
        client.get("/who?x=1")
        assert flask.request.args["x"] == "1"


def test_each_acts_for_themselves(asking):
    """Two people at once, and direct work as one of them."""
    ada = Acting(asking, asking.response_class).be(Scope(1, frozenset({"staff"})))
    bob = Acting(asking, asking.response_class).be(who(2, (), "org"))
    with ada:
        assert current().user == 1
        assert flask.current_app.name == asking.name
        assert bob.get("/who").json == {"user": 2, "roles": [], "tenant": "org"}
        with bob:
            assert current().user == 2
        assert ada.get("/who").json["roles"] == ["staff"]
    with pytest.raises(NobodyAsking):
        current()


class Person:
    def __init__(self, key):
        self.id, self.roles, self.tenant_id = key, ["editor"], 9


def test_who_somebody_is():
    """A key, an object with its roles, a scope; what is said counts more."""
    assert who(None, (), None) == Scope()
    assert who(7, ["a"], 3) == Scope(7, frozenset({"a"}), 3)
    assert who(Person(1), (), None) == Scope(1, frozenset({"editor"}), 9)
    assert who(Person(1), ["admin"], None) == Scope(1, frozenset({"admin"}), 9)
    assert who(Scope(5), (), None) == Scope(5)
    with pytest.raises(TypeError, match="set of names"):
        who(1, "staff", None)


# The plugin


def run(folder, **files):
    for name, code in files.items():
        (folder / f"{name}.py").write_text(code)
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_the_plugin_loads_nothing_heavy():
    """A test run without us pays a few milliseconds."""
    code = "import sys, carboy.testing.plugin; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"flask", "sqlalchemy", "werkzeug"} & set(done.stdout.split()) == set()


@pytest.mark.slow
def test_where_there_is_no_application_it_says_what_to_write(tmp_path):
    """Not a traceback."""
    code, said = run(tmp_path, test_it="def test_it(client): pass")
    assert code == 1
    assert "The fixture `app` found no application to test." in said
    assert "def app():" in said
    assert "Traceback" not in said


APP = """
from carboy import Carboy, Model, db, field
from sqlalchemy.orm import Mapped


class Item(Model):
    name: Mapped[str] = field(max_length=20)


def create_app():
    app = Carboy("made", batteries="compatible")

    @app.get("/items")
    def items():
        return [db.session.get(Item, key).name for key in request_keys()]

    return app


def request_keys():
    return [item for item in db.session.scalars(db.select(Item.id))]
"""

TESTS = """
import pytest
from shop import Item, create_app


@pytest.fixture
def app():
    app = create_app()
    app.testing = True
    return app


def test_by_hand(app, database, make):
    make(Item, 2)
    assert len(app.test_client().get("/items").json) == 2


def test_repeats(client, make):
    make(Item, 9)
    client.get("/items")


@pytest.mark.repeats(9)
def test_meant(client, make):
    make(Item, 9)
    client.get("/items")


@pytest.mark.repeats(3)
def test_stricter(client, make):
    make(Item, 4)
    client.get("/items")


def test_is_empty(db):
    assert db.session.scalars(db.select(Item)).all() == []


@pytest.mark.commits
def test_commits(client, make, db):
    make(Item, 2)
    assert len(client.get("/items").json) == 2


def test_is_still_empty(db):
    assert db.session.scalars(db.select(Item)).all() == []
"""


@pytest.mark.slow
def test_an_application_made_by_hand(tmp_path):
    """One fixture is overridden, all others follow; repeats fail the test that has them."""
    _, said = run(tmp_path, shop=APP, test_it=TESTS)
    assert "2 failed, 5 passed" in said, said
    assert "ran the same SELECT 9 times in GET /items: Item was loaded by its key." in said
    assert "ran the same SELECT 4 times" in said
    assert "Meant so? @pytest.mark.repeats(9) allows it here." in said
