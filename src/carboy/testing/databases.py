"""Databases for tests: made once per run, the same before each test.

CARBOY_TEST_DATABASE   unset          a SQLite file in pytest's folder
                       "postgresql"   a private server, started and ended by the run
                       "mariadb"      likewise
                       an address     that database; its name must contain "test"

Databases(address, folder)   tables are made once, when a test first needs them
    .rolled_back(app)        one transaction per test, undone at its end
    .committing(app)         real transactions; the tables are emptied at the end
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData, NullPool, create_engine, make_url, text

from carboy.base.errors import SetupError
from carboy.base.scope import unscoped
from carboy.data import opening, repeats
from carboy.data.engines import backend_of, engine_for, resolve
from carboy.data.models import Model
from carboy.data.places import MAIN, Places
from carboy.testing.rollback import Shared

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

__all__ = ["Databases", "RolledBack", "make_tables"]

Address = Mapping[str, "str | URL"]


class RolledBack(Places):
    """Places whose every connection is inside one transaction per database."""

    def __init__(self, addresses: Address, **more: Any) -> None:
        super().__init__(addresses, **more)
        self.shared: dict[str, Shared] = {}

    def _open(self, key: str, name: str, address: str | URL) -> Engine:
        _, backend = resolve(address)
        real = engine_for(address, name=key, limits=self._limits)
        shared = self.shared[name] = Shared(_connecting(real), backend)
        return engine_for(
            address, name=key, limits=self._limits,
            creator=shared.lease, pool_pre_ping=False, pool_recycle=-1,
        )  # fmt: skip

    def undo(self) -> list[str]:
        """Undo everything; return what could not be told apart."""
        complaints = []
        for shared in self.shared.values():
            shared.end()
            complaints += shared.complaints
            shared.complaints.clear()
        return complaints

    def dispose(self) -> None:
        """Hang up."""
        super().dispose()
        for shared in self.shared.values():
            shared.close()


class Databases:
    """The databases of one test run.

    address: as in CARBOY_TEST_DATABASE, but for a server's name; "" for SQLite.
    folder: for files. private: the server is this run's own, whatever its name.
    worker: of pytest-xdist, "" without.
    setup: makes the tables in places; called once for each set of databases.
    """

    def __init__(
        self, address: str, folder: Path, *,
        setup: Callable[[Places], None], private: bool = False, worker: str = "",
    ) -> None:  # fmt: skip
        self._address, self._folder, self._worker = address, folder, worker
        self._private = private
        self._setup = setup
        self._ready: dict[tuple[str, ...], Address] = {}
        self._rolled: tuple[Any, RolledBack, repeats.Watch] | None = None

    @contextmanager
    def rolled_back(self, app: Any, most: int) -> Iterator[RolledBack]:
        """Give *app* its databases; what happens to them inside `with` never was.

        most: of one statement and line that a request may ask. Raises AssertionError
        when transactions met that only real connections keep apart.
        """
        data = app.extensions["carboy.data"]
        places, watched = self._rolled_for(app)
        watched.most = most
        try:
            with data.using(places):
                yield places
        finally:
            complaints = places.undo()
        assert not complaints, "\n".join(dict.fromkeys(complaints))

    @contextmanager
    def committing(self, app: Any, most: int) -> Iterator[Places]:
        """Give *app* its databases, with transactions that last; they are emptied afterwards."""
        data = app.extensions["carboy.data"]
        addresses = self._addresses(app)
        places = Places(addresses, limits=opening.read(app)[2], guard=_guard(app))
        repeats.watch(places, most)
        try:
            with data.using(places):
                yield places
        finally:
            places.dispose()
            self.empty(addresses)

    def empty(self, addresses: Address) -> None:
        """Delete all rows."""
        for name, address in addresses.items():
            engine = engine_for(address)
            _empty(engine, name, Model.metadata)
            engine.dispose()

    def close(self) -> None:
        """Hang up."""
        if self._rolled is not None:
            self._rolled[1].dispose()
            self._rolled = None

    def _rolled_for(self, app: Any) -> tuple[RolledBack, repeats.Watch]:
        addresses, guard = self._addresses(app), _guard(app)
        key = (tuple(addresses), guard, opening.read(app)[2])
        if self._rolled is None or self._rolled[0] != key:
            self.close()
            places = RolledBack(addresses, limits=key[2], guard=guard)
            self._rolled = (key, places, repeats.watch(places))
        return self._rolled[1:]

    def _addresses(self, app: Any) -> Address:
        """Return where the databases of *app* are in this run, with their tables made."""
        names = tuple(opening.read(app)[0])
        if names not in self._ready:
            found = {name: self._place(name) for name in names}
            places = Places(found)
            with unscoped("the tables of a test run"):
                self._setup(places)
            places.dispose()
            self._ready[names] = found
        return self._ready[names]

    def _place(self, name: str) -> str | URL:
        if not self._address:
            return f"sqlite:///{self._folder}/{name}.db"
        url, _ = resolve(self._address)
        if not self._private and "test" not in (url.database or ""):
            raise SetupError(
                "testing.database",
                f"The database {url.database!r} may be a real one: a test run drops its tables.",
                hint="Name one with 'test' in its name in CARBOY_TEST_DATABASE, or write"
                " 'postgresql' or 'mariadb' there for a private server.",
            )
        parts = [url.database, "" if name == MAIN else name, self._worker]
        own = url.set(database="_".join(part for part in parts if part))
        if own != url:
            _create(url, own)
        _drop_all(own)
        return own


def make_tables(places: Places) -> None:
    """Make the tables of all models, each in its database."""
    for name in places.names:
        tables = [t for t in Model.metadata.sorted_tables if t.info.get("database", MAIN) == name]
        Model.metadata.create_all(places.engine(name), tables=tables)


def _guard(app: Any) -> Any:
    guarded = app.extensions.get("carboy.policy")
    return guarded.guard if guarded else None


def _connecting(engine: Engine) -> Callable[[], Any]:
    """Return what opens a real connection, set up as the engine's are, that begins nothing."""

    def connect() -> Any:
        fairy = engine.raw_connection()
        fairy.detach()  # ours from now on
        real: Any = fairy.dbapi_connection
        real.rollback()
        if callable(getattr(real, "autocommit", None)):
            real.autocommit(True)
        elif backend_of(engine).name == "postgresql":
            real.autocommit = True
            # Ours, of a minute, would end a test that somebody stops to look into.
            real.execute("SET idle_in_transaction_session_timeout = 0")
        return real

    return connect


def _create(url: URL, own: URL) -> None:
    """Make the database that *own* names, unless it is there."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    quoted = engine.dialect.identifier_preparer.quote(own.database or "")
    with engine.connect() as connection:
        known = connection.execute(
            text("SELECT 1 FROM pg_database WHERE datname = :name")
            if backend_of(engine).name == "postgresql"
            else text("SELECT 1 FROM information_schema.schemata WHERE schema_name = :name"),
            {"name": own.database},
        ).first()
        if known is None:
            connection.execute(text(f"CREATE DATABASE {quoted}"))
    engine.dispose()


def _drop_all(url: URL) -> None:
    """Drop the tables that an earlier run left."""
    engine = create_engine(make_url(url), poolclass=NullPool)
    left = MetaData()
    left.reflect(engine)
    left.drop_all(engine)
    engine.dispose()


def _empty(engine: Engine, name: str, metadata: MetaData) -> None:
    """Delete all rows of the tables that live in the database *name*."""
    tables = [t for t in metadata.sorted_tables if t.info.get("database", MAIN) == name]
    kind = backend_of(engine).name
    quoted = [engine.dialect.identifier_preparer.format_table(table) for table in tables]
    with engine.connect() as connection:
        if not tables:
            return
        if kind == "postgresql":
            connection.execute(text(f"TRUNCATE {', '.join(quoted)} CASCADE"))
        else:
            off = "SET foreign_key_checks = 0" if kind != "sqlite" else "PRAGMA foreign_keys = OFF"
            connection.execute(text(off))
            for table in quoted:
                connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608  # our own tables
        connection.commit()
