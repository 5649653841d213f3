"""Databases to test on: SQLite always, the others on private servers.

A test that takes `database` runs on each; `pg` and `mariadb` are in tests/conftest.py.
`database.needs("writers")` asks for a capability, not for a brand.
"""

from dataclasses import dataclass

import pytest
from sqlalchemy import MetaData

from carboy.data.engines import Limits, backend_of, engine_for

servers = [pytest.mark.server, pytest.mark.slow]


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


@pytest.fixture(autouse=True)
def nobody_else(no_policies):
    """Models of other tests state policies; those here are about data."""


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
