"""Once: a key that comes again has its first answer, and no second effect."""

import threading

import pytest
import sqlalchemy as sa

from carboy.base.errors import RequestFault
from carboy.base.scope import Scope, scope, unscoped
from carboy.testing.clocks import frozen

ADA, BOB = Scope(user=2), Scope(user=3)


@pytest.fixture
def times(everywhere):
    """Return a function that runs `once` as somebody, on each database."""
    from carboy.resource.once import once

    def run(key, fingerprint="f", who=ADA, effect=lambda: 1):
        with everywhere.app_context(), scope(who):
            return once(key, fingerprint, effect, about="test")

    run.app = everywhere
    return run


def kept(app):
    """Return how many keys are kept."""
    from carboy.data.db import db
    from carboy.resource.once import Once

    with app.app_context(), unscoped("test"):
        return db.session.scalar(sa.select(sa.func.count()).select_from(Once))


def test_the_second_time_the_first_result(times):
    """And the work is not done."""
    calls = []
    first = times("k", effect=lambda: calls.append(1) or {"key": 7})
    second = times("k", effect=lambda: calls.append(2))
    assert (first.value, first.replayed) == ({"key": 7}, False)
    assert (second.value, second.replayed) == ({"key": 7}, True)
    assert calls == [1]


def test_other_content_is_refused(times):
    """A key stands for one request."""
    times("k", "one")
    with pytest.raises(RequestFault) as caught:
        times("k", "two")
    assert (caught.value.status, caught.value.code) == (422, "once.other")


def test_a_key_is_one_persons(times):
    """Bob's k is not Ada's; and visitors get only what they sent themselves."""
    assert not times("k").replayed
    assert not times("k", who=BOB).replayed
    assert not times("k", "one", who=Scope()).replayed
    assert not times("k", "two", who=Scope()).replayed
    assert times("k", "two", who=Scope()).replayed


def test_a_failure_keeps_nothing(times):
    """The key is in the transaction of the effect: both or none."""
    with pytest.raises(RequestFault):
        times("k", effect=lambda: (_ for _ in ()).throw(RequestFault(409, "test", "No.")))
    assert kept(times.app) == 0
    assert not times("k", effect=lambda: 1).replayed


def test_keys_are_forgotten_after_a_day(times):
    """A new effect then, and the sweep takes the rest."""
    from carboy.resource.once import forget

    with frozen() as clock:
        times("k", effect=lambda: 1)
        clock.advance(86_300)
        assert times("k", effect=lambda: 2).value == 1
        clock.advance(200)
        assert times("k", "other", effect=lambda: 2).value == 2
        clock.advance(86_500)
        with times.app.app_context(), scope(ADA):
            forget()
    assert kept(times.app) == 0


@pytest.mark.parametrize("key", ["", "x" * 256, "ä", "a\nb"], ids=["empty", "long", "ä", "line"])
def test_what_is_no_key(times, key):
    """400, before anything is done."""
    with pytest.raises(RequestFault) as caught:
        times(key)
    assert caught.value.status == 400


def test_nobody_sees_the_kept(times):
    """The table is the system's."""
    from carboy.data.db import db
    from carboy.resource.once import Once

    times("k", effect=lambda: 1)
    with times.app.app_context(), scope(Scope(user=2, roles=frozenset({"staff"}))):
        assert db.session.scalars(sa.select(Once)).all() == []


@pytest.mark.slow
def test_at_the_same_moment_one_effect(times):
    """Eight at once with one key: one row, and everybody has the same answer or a 409."""
    import library as lib

    from carboy.data.db import db

    answers, begin = [], threading.Barrier(8)

    def add():
        one = lib.Opinion(volume_id=volume, stars=1, text="once")
        db.session.add(one)
        db.session.flush()
        return one.id

    with times.app.app_context(), unscoped("rows"):
        writer = lib.Writer(name="Jane")
        db.session.add(writer)
        db.session.flush()
        one = lib.Volume(title="Emma", price_cents=1, writer_id=writer.id)
        db.session.add(one)
        db.session.commit()
        volume = one.id

    def act():
        begin.wait()
        try:
            answers.append(times("k", effect=add).value)
        except RequestFault as fault:
            answers.append(fault.status)

    threads = [threading.Thread(target=act) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with times.app.app_context(), unscoped("test"):
        ids = db.session.scalars(sa.select(lib.Opinion.id)).all()
    assert len(ids) == 1
    assert len(answers) == 8
    assert {*answers} <= {ids[0], 409}
