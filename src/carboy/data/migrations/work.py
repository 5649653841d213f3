"""How a step of a migration works on a database without stopping everybody else.

    locking()     DDL that needs a lock: waits briefly, lets go, tries again
    apart()       what must not share the migration's transaction: it commits first
    autocommit()  the same, for statements that refuse to run in a transaction

A statement that waits for a lock makes everybody after it wait too, readers included.
So it never waits longer than LOCK_S. Sources: PostgreSQL 15, "Explicit Locking" 13.3.1
and "lock_timeout" 20.11.1; MariaDB, "Metadata Locking" and "lock_wait_timeout".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, TextClause, exc, text
from sqlalchemy.sql.ddl import BaseDDLElement

from carboy.base.errors import ServiceDown, SetupError
from carboy.data.engines import BACKENDS

if TYPE_CHECKING:
    from alembic.operations import Operations

__all__ = ["MYSQL", "Work", "locked", "meaning"]

LOCK_S = 2.0  # seconds a statement queues; as long as everybody else queues behind it
TRIES = 6
PAUSE_S = 1.0  # before the second try; doubled each time: half a minute in all
PATIENT_S = 600.0  # for statements that others need not wait for

MYSQL = ("mysql", "mariadb")

pause = time.sleep

PG_HOLDERS = """
SELECT a.pid, coalesce(nullif(a.application_name, ''), '?'), a.state,
       extract(epoch FROM now() - a.xact_start)::int
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.relation = to_regclass(:table) AND l.granted AND l.pid <> pg_backend_pid()
ORDER BY a.xact_start LIMIT 3
"""
PG_HELD = """
SELECT c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
JOIN pg_type t ON t.oid = c.reltype
WHERE l.pid = pg_backend_pid() AND l.granted AND c.relname <> :table
AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
AND t.xmin <> coalesce(pg_current_xact_id_if_assigned(), '0')::xid LIMIT 1
"""  # the type of a table's rows is as old as the table: one made just now keeps nobody out
MARIADB_HOLDERS = """
SELECT trx_mysql_thread_id, 'transaction', trx_state, TIMESTAMPDIFF(SECOND, trx_started, NOW())
FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id <> CONNECTION_ID()
ORDER BY trx_started LIMIT 3
"""


class Work:
    """One step at work: its connection, names quoted for it, and its transactions."""

    def __init__(self, operations: Operations) -> None:
        self.operations = operations
        self.context = operations.migration_context
        self.dialect = self.context.dialect
        if self.context.connection is None:
            raise SetupError(
                "migrations.offline",
                "This migration looks at the database, so it cannot be written out as SQL.",
                hint="Run it with `carboy db upgrade`.",
            )

    @property
    def connection(self) -> Connection:
        """The connection of the migration."""
        connection = self.context.connection
        assert connection is not None  # looked at in __init__
        return connection

    def quote(self, *names: str) -> str:
        """Return *names* as identifiers with commas between."""
        return ", ".join(self.dialect.identifier_preparer.quote(name) for name in names)

    def sql(self, element: Any) -> str:
        """Return a DDL element or a condition as SQL, values written out."""
        if isinstance(element, str):
            return element
        if isinstance(element, TextClause):
            return element.text.replace("\\:", ":")
        options = {} if isinstance(element, BaseDDLElement) else {"literal_binds": True}
        sql = str(element.compile(dialect=self.dialect, compile_kwargs=options)).strip()
        # Drivers that write parameters as %s want a percent sign doubled; here are none.
        return sql.replace("%%", "%") if self.dialect.paramstyle in ("format", "pyformat") else sql

    def run(self, statement: str) -> None:
        """Run a statement exactly as it is written."""
        self.connection.exec_driver_sql(statement, None, execution_options={"no_parameters": True})

    def value(self, query: str, **values: Any) -> Any:
        """Return the first column of the first row, or None."""
        return self.connection.execute(text(query), values).scalar()

    def locking(self, table: str, *statements: str) -> None:
        """Run DDL on *table*; give way to others when its lock is not free."""

        def attempt() -> None:
            for statement in statements:
                self.run(statement)

        self.patiently(table, attempt)

    def patiently(self, table: str, attempt: Callable[[], object]) -> None:
        """Try *attempt* until the lock of *table* is free.

        Raises ServiceDown (migrations.locked) after TRIES, having changed nothing.
        """
        wait_s = PAUSE_S
        for tried in range(1, TRIES + 1):
            try:
                with self._briefly():
                    attempt()
                return
            except exc.DBAPIError as error:
                if not locked(error, self.dialect.name):
                    raise
                if tried == TRIES:
                    raise self._gave_up(table) from error
            pause(wait_s)
            wait_s *= 2

    def alone(self, table: str) -> None:
        """Commit first when the transaction keeps other tables than *table* closed.

        Else they would stay closed while we wait for this one.
        """
        if self.dialect.name == "postgresql" and self.value(PG_HELD, table=table):
            with self.apart():
                pass

    @contextmanager
    def apart(self) -> Iterator[Connection]:
        """Commit what the migration did so far; go on in a new transaction afterwards.

        Raises SetupError (migrations.transaction) when a transaction around the
        migration is not Alembic's own.
        """
        context, connection = self.context, self.connection
        # Alembic's autocommit_block() does the same; it would let SQLite's connection
        # with another isolation level, and insists on a transaction of its own.
        outer = context._transaction
        if outer is None and context._in_external_transaction:
            raise SetupError(
                "migrations.transaction",
                "A step that commits runs inside a transaction that somebody else began.",
                hint="Hand Alembic a connection without a transaction.",
            )
        connection.commit()
        context._transaction = None
        try:
            yield connection
            connection.commit()
        finally:
            connection.rollback()
            if outer is not None:
                context._transaction = connection.begin()

    @contextmanager
    def autocommit(self) -> Iterator[None]:
        """Let statements run in no transaction at all; they may wait, for nobody waits for them."""
        with self.apart() as connection:
            level = connection.default_isolation_level
            connection.execution_options(isolation_level="AUTOCOMMIT")
            try:
                self.run(f"SET lock_timeout = '{PATIENT_S:.0f}s'")
                yield
            finally:
                self.run("RESET lock_timeout")
                connection.commit()
                connection.execution_options(isolation_level=level)

    @contextmanager
    def _briefly(self) -> Iterator[None]:
        """Wait no longer than LOCK_S for a lock; what is refused leaves the transaction whole."""
        if self.dialect.name == "postgresql":
            with self.connection.begin_nested():
                self.run(f"SET LOCAL lock_timeout = '{LOCK_S * 1000:.0f}ms'")
                yield
        elif self.dialect.name in MYSQL:
            before = self.value("SELECT @@SESSION.lock_wait_timeout")
            self.run(f"SET SESSION lock_wait_timeout = {max(1, round(LOCK_S))}")
            try:
                yield
            finally:
                self.run(f"SET SESSION lock_wait_timeout = {int(before)}")
        else:
            yield

    def _gave_up(self, table: str) -> ServiceDown:
        holders = ", ".join(
            f"session {number} ({name}, {state}, for {seconds or 0} s)"
            for number, name, state, seconds in self._holders(table)
        )
        return ServiceDown(
            "migrations.locked",
            f"The table {table} stayed in use; the migration gave way {TRIES} times and stopped.",
            hint=(f"It is held by {holders}. " if holders else "")
            + "Wait for that work to end, or end it, and run `carboy db upgrade` again.",
        )

    def _holders(self, table: str) -> list[Any]:
        if self.dialect.name == "postgresql":
            return list(self.connection.execute(text(PG_HOLDERS), {"table": self.quote(table)}))
        if self.dialect.name in MYSQL:
            return list(self.connection.execute(text(MARIADB_HOLDERS)))
        return []


def meaning(error: exc.DBAPIError, dialect_name: str) -> str:
    """Return the kind of trouble, as in `Trouble`, that *error* means; or ""."""
    original = error.orig
    if original is None:
        return ""
    trouble = BACKENDS[dialect_name].trouble(original, error.statement or "")
    return trouble.kind if trouble else ""


def locked(error: exc.DBAPIError, dialect_name: str) -> bool:
    """Tell whether *error* says that somebody else holds the lock."""
    # A deadlock is a lock that is not free, too: PostgreSQL chose us to give way.
    return meaning(error, dialect_name) in ("locked", "race")
