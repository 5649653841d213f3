"""Plugged into carboy.data: its engines are filtered, its sessions guarded."""

import pytest
import sqlalchemy as sa

from carboy.base.scope import scope, unscoped
from carboy.data import engines, session as sessions
from carboy.data.places import MAIN, Places
from carboy.policy.errors import NotPermitted, Refused
from carboy.policy.plug import plug_in, scope_key


@pytest.fixture
def places(m, monkeypatch, tmp_path):
    """The places of a database under the policy; the plug is pulled afterwards."""
    monkeypatch.setattr(engines, "hooks", [])
    monkeypatch.setattr(sessions, "mixins", [])
    monkeypatch.setattr(sessions.seams, "scope_key", lambda: None)
    plug_in(m.rulebook)
    found = Places({MAIN: f"sqlite:///{tmp_path / 'shop.db'}"})
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


def test_outside_of_every_scope_the_key_is_none():
    """There is a session then, too; it refuses when it is used."""
    assert scope_key() is None
    with scope(user=3) as entered:
        assert scope_key() == entered.scope
