"""Databases to migrate: SQLite always, the others on private servers.

`engine` is empty at the start of each test; `on_server` runs on the servers alone.
`migrate(engine, upgrade)` runs a function as a migration, in a transaction of its own.
"""

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import MetaData, text

from carboy.data.engines import Limits, engine_for

servers = [pytest.mark.server, pytest.mark.slow]


def opened(name, request, folder):
    """Yield an engine on an empty database called *name*."""
    url = f"sqlite:///{folder}/test.db" if name == "sqlite" else request.getfixturevalue(name)
    engine = engine_for(url, limits=Limits(pool=4, overflow=0, pool_wait_s=0.2, lock_s=1.0))
    if name != "sqlite":
        empty(engine)
    yield engine
    engine.dispose()


def empty(engine):
    """Drop every table."""
    metadata = MetaData()
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
            return
        metadata.reflect(connection)
        metadata.drop_all(connection)


@pytest.fixture(autouse=True)
def nobody_else(no_policies):
    """Models of other tests state policies; those here are about data."""


@pytest.fixture(params=["sqlite", *(pytest.param(n, marks=servers) for n in ("pg", "mariadb"))])
def engine(request, tmp_path):
    """An engine on each kind of database."""
    yield from opened(request.param, request, tmp_path)


@pytest.fixture(params=[pytest.param(n, marks=servers) for n in ("pg", "mariadb")])
def on_server(request, tmp_path):
    """An engine on each kind of server."""
    yield from opened(request.param, request, tmp_path)


@pytest.fixture
def on_sqlite(request, tmp_path):
    """An engine on SQLite."""
    yield from opened("sqlite", request, tmp_path)


@pytest.fixture
def on_pg(request, tmp_path):
    """An engine on PostgreSQL; the test is marked server and slow itself."""
    yield from opened("pg", request, tmp_path)


@pytest.fixture
def on_mariadb(request, tmp_path):
    """An engine on MariaDB; the test is marked server and slow itself."""
    yield from opened("mariadb", request, tmp_path)


@pytest.fixture
def migrate():
    """Return a function that runs another one as a migration."""

    def run(engine, upgrade):
        with engine.connect() as connection:
            options = {"transaction_per_migration": True}
            context = MigrationContext.configure(connection, opts=options)
            with Operations.context(context), context.begin_transaction(_per_migration=True):
                upgrade()

    return run


class Project:
    """A folder of migrations beside models that change; `engine` is its database."""

    def __init__(self, engine, folder):
        from carboy.data.migrations.folder import Folder

        self.engine, self.folder = engine, Folder(folder)
        self.bases = []

    def models(self, declare, *others):
        """Return the target whose models *declare(Base)* declares, on a base of its own."""
        from sqlalchemy.orm import registry

        from carboy.data.migrations.project import Target
        from carboy.data.models import CONVENTION, Model
        from carboy.data.places import Places

        metadata = MetaData(naming_convention=CONVENTION)
        own = registry(metadata=metadata)

        class Base(Model):
            __abstract__ = True
            registry = own
            _sa_registry = own

        Base.metadata = metadata
        declare(Base)
        own.configure()
        url = self.engine.url.render_as_string(hide_password=False)
        self.bases.append((own, places := Places({"main": url})))
        return Target("main", self.folder, places, (metadata, *others))

    def write(self, target, said=None, message=""):
        """Write a migration with what differs; return its Plan."""
        from carboy.data.migrations import files, plan

        found = plan.drafted(target, said)
        assert not found.unclear
        if found.changes:
            files.write(target.folder, found, message)
        return found

    def differs(self, target):
        """Return what the database itself lacks or has too much, in words."""
        from carboy.base.scope import unscoped
        from carboy.data.migrations import plan

        with unscoped("test"), self.engine.connect() as connection:
            found = plan.plan(
                connection, target.metadata, plan.history_of(target), only_known=False
            )
        return [change.words for change in found.changes]

    def close(self):
        """Forget the models."""
        for own, places in self.bases:
            own.dispose()
            places.dispose()


@pytest.fixture
def project(engine, tmp_path):
    """A project on each kind of database."""
    made = Project(engine, tmp_path / "migrations")
    yield made
    made.close()


@pytest.fixture
def on_file(on_sqlite, tmp_path):
    """A project on SQLite."""
    made = Project(on_sqlite, tmp_path / "migrations")
    yield made
    made.close()
