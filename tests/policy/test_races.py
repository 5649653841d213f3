"""Races: a membership that ends while a member writes, on real connections, step by step.

Each step waits until the server itself says that a statement waits for a lock.
"""

import threading
import time

import pytest
import sqlalchemy as sa
from oracle_databases import SERVERS, address, empty
from sqlalchemy import ForeignKey, orm
from sqlalchemy.orm import Mapped, mapped_column, relationship

from carboy.base.scope import scope, unscoped
from carboy.data.engines import Limits, engine_for
from carboy.data.faults import DatabaseDown, TransactionRace
from carboy.policy.binds import Inside
from carboy.policy.book import Rulebook
from carboy.policy.dml import Writes
from carboy.policy.errors import NotFound, NotPermitted
from carboy.policy.filters import install
from carboy.policy.policies import Policy
from carboy.policy.rules import everyone, owner, related
from carboy.policy.session import PolicySession

PATIENCE_S = 20.0  # for a server that has much to do; the proof is what it says, not the time

WAITING = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    " AND datname = current_database()",
    "mariadb": "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
}

PAUSE = {  # MariaDB looks anew only after 0.1 s in which nobody asked
    "postgresql": "SELECT pg_sleep(0.02)",
    "mariadb": "SELECT sleep(0.15)",
}


class Base(orm.DeclarativeBase):
    """Notes of a pad, which its members may write."""


class Member(Base):
    """A membership."""

    __tablename__ = "member"
    id: Mapped[int] = mapped_column(primary_key=True)
    pad_id: Mapped[int] = mapped_column(ForeignKey("pad.id"))
    person: Mapped[int]
    policy = Policy(read=everyone, write=everyone)


class Pad(Base):
    """A pad; its counter is nobody's business."""

    __tablename__ = "pad"
    id: Mapped[int] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(default=0)
    members: Mapped[list[Member]] = relationship()
    policy = Policy(read=everyone, write=related("members", owner("person")))


class Note(Base):
    """A note."""

    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(sa.String(20))
    pad_id: Mapped[int] = mapped_column(ForeignKey("pad.id"))
    pad: Mapped[Pad] = relationship()
    policy = Policy(
        read=everyone, write=related("pad", related("members", owner("person")))
    )  # fmt: skip


class Session(PolicySession):
    """Under the rules above."""

    book = Rulebook(Base.registry)


def filled(engine):
    """One pad, whose member is person 1, with one note."""
    install(engine, Session.book)
    with unscoped("test"), engine.begin() as connection:
        Base.metadata.create_all(connection)
        connection.execute(sa.insert(Pad).values(id=1, count=0))
        connection.execute(sa.insert(Member).values(id=1, pad_id=1, person=1))
        connection.execute(sa.insert(Note).values(id=1, pad_id=1, text="old"))
    return engine


@pytest.fixture(params=[pytest.param(name, marks=SERVERS) for name in ("pg", "mariadb")])
def server(request):
    """An engine on a server with room for several connections."""
    engine = engine_for(address(request, request.param), limits=Limits(lock_s=PATIENCE_S))
    empty(engine)
    yield filled(engine)
    engine.dispose()


class Actor:
    """Somebody in a thread, on a connection of their own."""

    def __init__(self, act):
        self.result = self.error = None
        self._thread = threading.Thread(target=self._run, args=(act,), daemon=True)
        self._thread.start()

    def _run(self, act):
        try:
            self.result = act()
        except BaseException as error:
            self.error = error

    def end(self):
        """Return what came of it; raise what went wrong."""
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error
        return self.result

    @property
    def busy(self):
        return self._thread.is_alive()


def waits(engine, actor):
    """Return once the server says that *actor* waits for a lock; fail when it does not."""
    question = WAITING[engine.dialect.name]
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with unscoped("test"):
                if connection.exec_driver_sql(question).scalar():
                    return
                connection.exec_driver_sql(PAUSE[engine.dialect.name])
            assert actor.busy, f"it did not wait: {actor.result!r} {actor.error!r}"
    pytest.fail("nobody waits")


def update_core(engine):
    """Change the note by a statement; return how many rows it hit."""
    with scope(user=1), Session(engine) as session:
        found = session.execute(sa.update(Note).values(text="new")).rowcount
        session.commit()
        return found


def update_flush(engine):
    """Change the note as an object."""
    with scope(user=1), Session(engine) as session:
        session.get(Note, 1).text = "new"
        try:
            session.commit()
        except NotFound:
            return 0
        return 1


def delete_core(engine):
    """Delete the note by a statement."""
    with scope(user=1), Session(engine) as session:
        found = session.execute(sa.delete(Note)).rowcount
        session.commit()
        return found


def insert_flush(engine):
    """Add another note."""
    with scope(user=1), Session(engine) as session:
        session.add(Note(id=2, text="new", pad_id=1))
        try:
            session.commit()
        except NotPermitted:
            return 0
        return 1


WRITES = [update_core, update_flush, delete_core, insert_flush]


def ids(write):
    """Return the name of a write, for the test's."""
    return write.__name__


def notes(engine):
    """Return the texts that are stored."""
    with unscoped("test"), engine.connect() as connection:
        return connection.scalars(sa.select(Note.text).order_by(Note.id)).all()


@pytest.mark.parametrize("write", WRITES, ids=ids)
def test_a_write_waits_for_the_end_of_a_membership(server, write):
    """It was deleted, not committed, when the member wrote; then it is gone, and so no right."""
    with unscoped("test"), server.connect() as other:
        other.execute(sa.delete(Member))
        actor = Actor(lambda: write(server))
        waits(server, actor)
        other.commit()
    assert actor.end() == 0
    assert notes(server) == ["old"]


@pytest.mark.parametrize("write", WRITES, ids=ids)
def test_a_membership_that_stays_after_all_counts(server, write):
    """The deletion is rolled back."""
    with unscoped("test"), server.connect() as other:
        other.execute(sa.delete(Member))
        actor = Actor(lambda: write(server))
        waits(server, actor)
        other.rollback()
    assert actor.end() == 1


@pytest.mark.parametrize("write", WRITES, ids=ids)
def test_without_the_lock_the_write_stays(server, write, monkeypatch):
    """The plant: nobody waits, and what a member wrote stays, who is none any more."""
    if server.dialect.name == "mariadb" and write is delete_core:
        pytest.skip("MariaDB locks what a DELETE looks at by itself")
    monkeypatch.setattr(
        Writes, "visit_policy_witnessed",
        lambda self, element, **kw: self.visit_policy_inside(element, **kw),
    )  # fmt: skip
    server.clear_compiled_cache()
    for mapper in Base.registry.mappers:
        vars(mapper)["_compiled_cache"].clear()
    with unscoped("test"), server.connect() as other:
        other.execute(sa.delete(Member))
        assert Actor(lambda: write(server)).end() == 1
        other.commit()
    assert notes(server) != ["old"]
    server.clear_compiled_cache()
    for mapper in Base.registry.mappers:
        vars(mapper)["_compiled_cache"].clear()


def test_a_membership_cannot_end_while_it_is_made_use_of(server):
    """The other order: the deletion waits for the end of the member's transaction."""
    with Session(server) as session, scope(user=1):
        assert session.execute(sa.update(Note).values(text="new")).rowcount == 1

        def end():
            with unscoped("test"), server.begin() as other:
                other.execute(sa.delete(Member))

        actor = Actor(end)
        waits(server, actor)
        session.commit()
    actor.end()
    assert notes(server) == ["new"]


def test_a_witness_stays_as_it_is_while_it_counts(server):
    """Not only whether a membership is there: a column that the rule names is locked, too."""
    with Session(server) as session, scope(user=1):
        assert session.execute(sa.update(Note).values(text="new")).rowcount == 1

        def change():
            with unscoped("test"), server.begin() as other:
                other.execute(sa.update(Member).values(person=2))

        actor = Actor(change)
        waits(server, actor)
        session.commit()
    actor.end()
    assert update_core(server) == 0


def test_crossing_each_other_is_a_race_that_one_loses(server):
    """Note and membership change in one transaction, while a member waits for the note."""
    with unscoped("test"), server.connect() as other:
        other.execute(sa.update(Note).values(text="taken"))
        actor = Actor(lambda: update_core(server))
        waits(server, actor)
        try:
            other.execute(sa.update(Member).values(person=2))
            other.commit()
            lost = 0
        except TransactionRace:
            lost = 1
    try:
        assert actor.end() == lost
    except TransactionRace:
        assert not lost
    assert notes(server) == (["new"] if lost else ["taken"])


def test_two_members_who_count_do_not_stop_each_other(server):
    """PostgreSQL's lock leaves keys alone: a counter of the pad changes under it."""
    if server.dialect.name != "postgresql":
        pytest.skip("MariaDB has no lock of keys alone; its foreign keys lock the whole row, too")
    with Session(server) as session, scope(user=1):
        session.add(Note(id=2, text="new", pad_id=1))
        session.flush()
        with unscoped("test"), server.begin() as other:
            other.execute(sa.update(Pad).values(count=Pad.count + 1))
        session.commit()


def test_a_row_of_ones_own_columns_needs_no_lock(server):
    """The owner changes while an update waits for the row: PostgreSQL and MariaDB look again."""
    with unscoped("test"), server.connect() as other:
        other.execute(sa.update(Member).values(person=2))
        actor = Actor(lambda: mine(server))
        waits(server, actor)
        other.commit()
    assert actor.end() == 0


def mine(engine):
    """Update memberships that are mine by a statement whose rule is the row's own."""
    with scope(user=1), engine.begin() as connection:
        table = Member.__table__
        return connection.execute(
            sa.update(table).where(Inside(table.c.person == 1)).values(pad_id=1)
        ).rowcount


def test_sqlite_has_one_writer(tmp_path):
    """Whoever writes holds the only lock from the statement on; the rule sees what is committed."""
    engine = engine_for(f"sqlite:///{tmp_path}/races.db", limits=Limits(lock_s=0.05))
    filled(engine)
    with unscoped("test"), engine.connect() as other:
        other.execute(sa.delete(Member))
        for write in WRITES:
            with pytest.raises(DatabaseDown) as error:
                write(engine)
            assert error.value.code == "data.locked"
        other.commit()
    assert [write(engine) for write in WRITES] == [0, 0, 0, 0]
    assert notes(engine) == ["old"]
    engine.dispose()
