"""Two databases of each schema: all rows under the policy, and the pruned copy without any.

    with Bench("sqlite", url) as bench:
        place = bench.place(seed)           classes mapped and tables made, once per seed
        place.set(world)                    rules and rows
        place.compare(query, form, who)     (what the policy shows, what the copy shows)

The copy has no constraints: it holds what a naive evaluation of the rules leaves over.
"""

import contextlib
import random

import sqlalchemy as sa
from oracle_databases import empty
from oracle_loads import FORMS, SMUGGLED
from oracle_schemas import Schema
from sqlalchemy import orm

from carboy.base.scope import scope, unscoped
from carboy.data.engines import engine_for
from carboy.policy import floor
from carboy.policy.errors import Refused
from carboy.policy.filters import install
from carboy.policy.session import PolicySession


class Bench:
    """The databases of a run. pool: how many schemas it draws from, from *seed* on."""

    def __init__(self, url, *, pool=5, seed=None):
        self.url, self.pool = sa.make_url(url), pool
        self.seed = random.randrange(10**6) if seed is None else seed
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self.places, self.copy = {}, None
        if not self.sqlite:
            self._make_copy()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for place in self.places.values():
            place.close()
        if self.copy is not None:
            self.copy.dispose()

    def place(self, number):
        """Return the place of a schema of the pool."""
        if number not in self.places:
            self.places[number] = Place(self, Schema(self.seed + number))
        return self.places[number]

    def _make_copy(self):
        first = engine_for(self.url)
        empty(first)
        with first.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("DROP DATABASE IF EXISTS carboy_copy")
            connection.exec_driver_sql("CREATE DATABASE carboy_copy")
        first.dispose()
        self.copy = engine_for(self.url.set(database="carboy_copy"))


class Place:
    """A schema in its two databases."""

    def __init__(self, bench, schema):
        self.bench, self.schema = bench, schema
        self.full = engine_for(bench.url)
        self.copy = bench.copy or engine_for("sqlite://")
        install(self.full, schema.book)
        self.witness = Witness(self.full, schema) if bench.sqlite else None
        with unscoped("test"):
            schema.base.metadata.create_all(self.full)
        without_constraints(schema.base.metadata).create_all(self.copy)
        self.inserts = {
            name: Insert(table, self.copy.dialect) for name, table in schema.tables.items()
        }
        self.world, self.shown = None, ()
        self.session_class = type("Session", (PolicySession,), {"book": schema.book})

    def __repr__(self):
        return f"Place(seed={self.schema.seed})"

    def close(self):
        """Close both, and leave no table behind."""
        if not self.bench.sqlite:
            with unscoped("test"):
                self.schema.base.metadata.drop_all(self.full)
        self.full.dispose()
        if self.bench.copy is None:
            self.copy.dispose()

    def set(self, world):
        """Take the rules and the rows of a world."""
        self.world, self.shown = world, ()
        world.govern()
        with unscoped("test"), self.full.connect() as connection, unchecked(connection):
            self._fill(connection, world.rows)

    def rows(self):
        """Return all rows that are stored now, by table."""
        with unscoped("test"), self.full.connect() as connection:
            return {
                name: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
                for name, table in self.schema.tables.items()
            }

    def prune(self, who):
        """Leave in the copy what *who* may see."""
        if self.shown != (who,):
            with self.copy.connect() as connection:
                self._fill(connection, self.world.visible(who))
                connection.commit()
            self.shown = (who,)

    def compare(self, session, form, query, who):
        """Return both answers: of *session*, which is under the policy, and of the copy."""
        self.prune(who)
        ask = FORMS[form]
        with orm.Session(self.copy) as plain:
            theirs = ask(query, plain)
        try:
            return ask(query, session), theirs
        except Refused:
            if form not in SMUGGLED:
                raise
            return theirs, theirs

    def _fill(self, connection, rows):
        for name in self.schema.tables:
            connection.exec_driver_sql(f"DELETE FROM {name}")
        for name, found in rows.items():
            if found:
                self.inserts[name].run(connection, found)


class Insert:
    """An INSERT of all columns, compiled once."""

    def __init__(self, table, dialect):
        compiled = sa.insert(table).compile(dialect=dialect, column_keys=list(table.c.keys()))
        self.text, self.order = compiled.string, compiled.positiontup
        self.processors = compiled._bind_processors
        self.names = list(table.c.keys())

    def run(self, connection, rows):
        """Insert rows."""
        bound = [{name: self._stored(name, row.get(name)) for name in self.names} for row in rows]
        if self.order is not None:
            bound = [tuple(one[name] for name in self.order) for one in bound]
        connection.exec_driver_sql(self.text, bound)

    def _stored(self, name, value):
        process = self.processors.get(name)
        return process(value) if process is not None else value


@contextlib.contextmanager
def unchecked(connection):
    """Let rows refer to rows that come later; committed at the end."""
    name = connection.dialect.name
    off, on = {
        "sqlite": ("PRAGMA foreign_keys = OFF", "PRAGMA foreign_keys = ON"),
        "postgresql": ("SET session_replication_role = replica",
                       "SET session_replication_role = DEFAULT"),
        "mariadb": ("SET foreign_key_checks = 0", "SET foreign_key_checks = 1"),
    }[name]  # fmt: skip
    connection.exec_driver_sql(off)
    yield
    connection.commit()
    connection.exec_driver_sql(on)
    connection.commit()


def without_constraints(metadata):
    """Return a copy of *metadata* whose tables take anything: a hidden field is NULL there."""
    found = sa.MetaData()
    for table in metadata.tables.values():
        columns = [sa.Column(c.name, c.type, primary_key=c.primary_key) for c in table.c]
        sa.Table(table.name, found, *columns, **options_of(table))
    return found


def options_of(table):
    """Return the table options of MariaDB: how it compares text."""
    return {
        f"mariadb_{key}": table.dialect_options["mariadb"][key]
        for key in ("engine", "charset", "collate")
        if key in table.dialect_options["mariadb"]
    }


def entered(who):
    """Enter the scope of a drawn person; None is the system."""
    return unscoped("test") if who is None else scope(who)


class Witness:
    """SQLite itself tells which tables a statement reads; the compiler which it rendered.

    A table that is read and was never rendered by the policy's compiler is a leak, by
    whatever way. Silent about statements that the driver has prepared before.
    """

    def __init__(self, engine, schema):
        self.names = set(schema.tables)
        self.rendered, self.leaks = set(), []
        with engine.connect() as connection:
            connection.connection.driver_connection.set_authorizer(self._asked)
        self._listen(engine.dialect.statement_compiler)
        sa.event.listen(engine, "before_cursor_execute", self._executing)

    def _listen(self, compiler):
        """Keep which tables each compiled statement was rendered with."""
        outer = compiler.visit_table

        def visit_table(self, table, *args, **kw):
            vars(self).setdefault("rendered", set()).add(table.name)
            return outer(self, table, *args, **kw)

        compiler.visit_table = visit_table

    def _executing(self, connection, cursor, statement, parameters, context, many):
        system = floor.shape_now(connection.engine.dialect.statement_compiler.book)
        if system is not None and system.system:
            self.rendered = self.names
        else:
            self.rendered = getattr(context.compiled, "rendered", set())

    def _asked(self, action, table, column, *rest):
        if action == SQLITE_READ and table in self.names - self.rendered:
            self.leaks.append(table)
        return 0


SQLITE_READ = 20  # sqlite3.h
