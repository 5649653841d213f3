"""Plugged into carboy.data: its engines are filtered, its sessions guarded."""

import pytest
import sqlalchemy as sa

from carboy.base.scope import scope, unscoped
from carboy.data import guards, session as sessions
from carboy.data.places import MAIN, Places
from carboy.policy.book import Rulebook
from carboy.policy.errors import NotPermitted, Refused
from carboy.policy.plug import Guarding, guard
from carboy.policy.policies import Policy
from carboy.policy.rules import everyone


@pytest.fixture
def base():
    """A declarative base without any policy."""

    class Base(sa.orm.DeclarativeBase):
        pass

    class Thing(Base):
        __tablename__ = "thing"
        id: sa.orm.Mapped[int] = sa.orm.mapped_column(primary_key=True)

    return Base


@pytest.fixture
def places(m, tmp_path):
    """The places of a database under the policy."""
    found = Places({MAIN: f"sqlite:///{tmp_path / 'shop.db'}"}, guard=Guarding(m.rulebook))
    with unscoped("fixture"):
        m.Base.metadata.create_all(found.engine(MAIN))
    yield found
    found.engine(MAIN).dispose()


def test_each_person_has_a_session_of_their_own(m, places):
    """`db.session` inside a nested scope is another one."""
    held = sessions.Sessions(places)
    with scope(user=1):
        mine = held.current()
        mine.add(m.Book(title="mine", author_id=None))
        with pytest.raises(NotPermitted):
            mine.flush()
        mine.rollback()
        with scope(user=2):
            assert held.current() is not mine
        assert held.current() is mine
    held.close()


def test_engines_of_data_are_filtered(m, places):
    """Whoever opens a connection."""
    with unscoped("test"), sessions.Sessions(places).current() as session:
        session.add(m.Locked(id=1))
        session.commit()
    with places.engine(MAIN).connect() as connection:
        with scope(user=1):
            assert connection.execute(sa.select(m.Locked)).all() == []
        with scope(user=1), pytest.raises(Refused):
            connection.execute(sa.text("SELECT * FROM locked"))


def test_outside_of_every_scope_the_key_is_none(m):
    """There is a session then, too; it refuses when it is used."""
    guard = Guarding(m.rulebook)
    assert guard.scope_key() is None
    with scope(user=3) as entered:
        assert guard.scope_key() == entered.scope


def test_models_without_a_policy_are_open_where_they_may_be(m, tmp_path):
    """An application that adopts policies one by one: what has one is held to it."""
    book = Rulebook(m.Base.registry, undeclared=Policy(read=everyone, write=everyone))
    places = Places({MAIN: f"sqlite:///{tmp_path / 'shop.db'}"}, guard=Guarding(book))
    engine = places.engine(MAIN)
    with unscoped("fixture"):
        m.Base.metadata.create_all(engine)
        with engine.begin() as connection:
            connection.execute(sa.insert(m.Locked), [{"id": 1}])
            rows = [{"id": n, "title": "t", "public": n == 2} for n in (1, 2)]
            connection.execute(sa.insert(m.Book), rows)
    other = sa.Table("other", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True))
    other.create(engine)
    with scope(user=1), engine.connect() as connection:
        assert len(connection.execute(sa.select(m.Locked)).all()) == 1
        assert connection.execute(sa.text("SELECT * FROM locked")).all()
        assert connection.execute(sa.select(other)).all() == []
        assert {row.id for row in connection.execute(sa.select(m.Book))} == {2}
        with pytest.raises(Refused):
            connection.execute(sa.text("SELECT * FROM book"))
    places.dispose()


def test_work_without_an_application_is_guarded_once_a_policy_is_declared(m, base):
    """`db.connect` looks whether any model states one."""
    assert guards.source == "carboy.policy.plug"
    assert not guards.declared(base.registry)
    assert guards.declared(m.Base.registry)
    assert guards.guard_for(base.registry) is None
    assert guards.guard_for(m.Base.registry) is guard()
