"""One connection that many believe to have for themselves, and whose work is undone.

    test begins   BEGIN on the real connection
    the code      takes leases: each begins, commits, rolls back, nests as it likes
                  begin -> SAVEPOINT    commit -> RELEASE    rollback -> ROLLBACK TO
    test ends     ROLLBACK: nothing was ever there

A lease writes inside a savepoint of its own that begins with its first write, so that
rolling one back does not touch what others wrote before. What others wrote *since* is
undone with it, which real connections would not do: that is noted in `complaints`.
On PostgreSQL each statement has a savepoint too: there a failed one ends the transaction
for everybody, and only the lease that it belongs to may notice.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from carboy.base.errors import SetupError
from carboy.data.callers import caller

if TYPE_CHECKING:
    from carboy.data.backends.common import Backend

__all__ = ["Lease", "Shared"]

WORDS = re.compile(r"\s*(\w+)(?:\s+(\w+))?(?:\s+(\w+))?")
READS = {"SELECT", "VALUES", "EXPLAIN", "SHOW", "PRAGMA", "SET", "DESCRIBE"}
BEGINS = {"BEGIN", "START"}
DEFINES = {"CREATE", "ALTER", "DROP", "TRUNCATE", "RENAME"}
GUARD = "carboy_statement"


class Savepoint:
    """One savepoint of the real connection. since: how many writes there were before."""

    def __init__(self, owner: Lease, name: str, real: str, since: int) -> None:
        self.owner, self.name, self.real, self.since = owner, name, real, since
        self.done = False  # released by its owner, but others' are above it
        self.gone = False


class Shared:
    """The real connection of one database.

    connect: opens it. Thread-safe: one statement at a time.
    """

    def __init__(self, connect: Callable[[], Any], backend: Backend) -> None:
        self.backend = backend
        self.lock = threading.RLock()
        self.complaints: list[str] = []
        self.guards = backend.name == "postgresql"
        self.buffers = backend.name == "sqlite"  # its open results would show what is written next
        self._connect = connect
        self._real: Any = None
        self._begun = False
        self._stack: list[Savepoint] = []
        self._writes: list[Lease] = []
        self._numbers = itertools.count(1)

    @property
    def real(self) -> Any:
        """The real connection, inside of its transaction."""
        with self.lock:
            if self._real is None:
                self._real = self._connect()
            if not self._begun:
                self._begun = True
                self.run("BEGIN")
            return self._real

    def lease(self) -> Lease:
        """Return a connection to give to a pool."""
        return LEASES[self.backend.module](self)

    def run(self, sql: str) -> None:
        """Execute a statement that nobody asked for."""
        cursor = self._real.cursor()
        try:
            cursor.execute(sql)
        finally:
            cursor.close()

    def end(self) -> None:
        """Undo everything."""
        with self.lock:
            for one in self._stack:
                one.gone = True
            self._stack.clear()
            self._writes.clear()
            if self._begun:
                self._begun = False
                try:
                    self.run("ROLLBACK")
                except Exception:  # a connection that was lost undoes by itself
                    self._real = None

    def close(self) -> None:
        """Undo everything and hang up."""
        self.end()
        if self._real is not None:
            self._real.close()
            self._real = None

    # Savepoints

    def wrote(self, owner: Lease) -> None:
        """Note that *owner* writes."""
        self._writes.append(owner)

    def save(self, owner: Lease, name: str = "") -> Savepoint:
        """Begin a savepoint of *owner*, called *name* by it."""
        _ = self.real
        one = Savepoint(owner, name, f"carboy_{next(self._numbers)}", len(self._writes))
        self.run(f"SAVEPOINT {one.real}")
        self._stack.append(one)
        return one

    def named(self, owner: Lease, name: str) -> Savepoint | None:
        """Return the last savepoint that *owner* called *name*."""
        mine = (one for one in reversed(self._stack) if one.owner is owner and one.name == name)
        return next(mine, None)

    def release(self, one: Savepoint) -> None:
        """Keep what its owner did since; it stays in place while others are above it."""
        if one.gone:
            return
        for other in self._stack[self._stack.index(one) :]:
            other.done = other.done or other.owner is one.owner
        self._settle()

    def undo(self, one: Savepoint, *, keep: bool) -> None:
        """Undo what its owner wrote since. keep: the savepoint stays."""
        if one.gone:
            return
        since = self._writes[one.since :]
        if one.owner in since:
            if any(writer is not one.owner for writer in since):
                self.complaints.append(_interleaved())
            self.run(f"ROLLBACK TO SAVEPOINT {one.real}")
            del self._writes[one.since :]
            self._drop(self._stack.index(one) + 1)
        if not keep:
            self.release(one)

    def _drop(self, place: int) -> None:
        for lost in self._stack[place:]:
            lost.gone = True
        del self._stack[place:]

    def _settle(self) -> None:
        while self._stack and self._stack[-1].done:
            one = self._stack.pop()
            one.gone = True
            self.run(f"RELEASE SAVEPOINT {one.real}")


class Lease:
    """A connection as a pool and a dialect know it."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.savepoint: Savepoint | None = None
        self.failed = False
        self.autonomous = False  # autocommit

    def cursor(self, *args: Any, **more: Any) -> Cursor:
        """Return a cursor."""
        with self.shared.lock:
            return Cursor(self, self.shared.real.cursor(*args, **more))

    def execute(self, sql: Any, *args: Any, **more: Any) -> Cursor:
        """Execute on a new cursor, as sqlite3 and psycopg do."""
        return self.cursor().execute(sql, *args, **more)

    def begin(self) -> None:
        """Begin a transaction, if there is none."""
        if self.savepoint is None or self.savepoint.gone:
            self.savepoint = self.shared.save(self)

    def commit(self) -> None:
        """Keep what was done, until the test ends."""
        with self.shared.lock:
            if self.failed:
                self.rollback()
            elif self.savepoint is not None:
                self.shared.release(self.savepoint)
                self.savepoint = None

    def rollback(self) -> None:
        """Undo what was done since the last commit."""
        with self.shared.lock:
            self.failed = False
            if self.savepoint is not None:
                self.shared.undo(self.savepoint, keep=False)
                self.savepoint = None

    def close(self) -> None:
        """Undo what was not committed; the real connection stays."""
        self.rollback()

    def ping(self, *args: Any) -> None:
        """Do nothing: the real connection is there."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.shared.real, name)


class SQLiteLease(Lease):
    """As sqlite3's."""

    isolation_level: Any = None

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction began."""
        return self.savepoint is not None and not self.savepoint.gone


class PsycopgLease(Lease):
    """As psycopg's."""

    isolation_level: Any = None

    @property  # type: ignore[misc]  # as a mock's
    def __class__(self) -> Any:  # psycopg asks whether this is a connection of its own
        return type(self.shared.real)

    @property
    def autocommit(self) -> bool:
        """Whether each statement stands for itself."""
        return self.autonomous

    @autocommit.setter
    def autocommit(self, on: bool) -> None:
        self.autonomous = on


class PyMySQLLease(Lease):
    """As PyMySQL's."""

    def autocommit(self, on: bool) -> None:
        """Say whether each statement stands for itself."""
        self.autonomous = on

    def get_autocommit(self) -> bool:
        """Return whether each statement stands for itself."""
        return self.autonomous


LEASES: dict[str, type[Lease]] = {
    "sqlite3": SQLiteLease, "psycopg": PsycopgLease, "pymysql": PyMySQLLease,
}  # fmt: skip


class Cursor:
    """A cursor of a lease: translates what ends a transaction, passes the rest on."""

    def __init__(self, lease: Lease, real: Any) -> None:
        self.connection = lease
        self._real = real
        self._rows: Iterator[Any] | None = None  # fetched at once, where they would not last

    def execute(self, sql: Any, *args: Any, **more: Any) -> Cursor:
        """Execute one statement."""
        return self._run(self._real.execute, sql, *args, **more)

    def executemany(self, sql: Any, *args: Any, **more: Any) -> Cursor:
        """Execute one statement with each of several sets of values."""
        return self._run(self._real.executemany, sql, *args, **more)

    def _run(self, call: Callable[..., Any], sql: Any, *args: Any, **more: Any) -> Cursor:
        with self.connection.shared.lock:
            self._rows = None
            text = sql if isinstance(sql, str) else str(sql)
            if not self._controls(text):
                self._execute(text, lambda: call(sql, *args, **more))
        return self

    def _controls(self, sql: str) -> bool:
        """Do what *sql* says about transactions; False when it says nothing of them."""
        lease, shared = self.connection, self.connection.shared
        first, second, third = ((word or "").upper() for word in _words(sql))
        name = _words(sql)[2 if second == "SAVEPOINT" else 1] or ""
        if first in BEGINS:
            lease.begin()
        elif first in ("COMMIT", "END"):
            lease.commit()
        elif first == "SAVEPOINT":
            lease.begin()
            shared.save(lease, _words(sql)[1] or "")
        elif first == "RELEASE":
            if one := shared.named(lease, name):
                shared.release(one)
        elif first == "ROLLBACK" and second == "TO":
            self._back_to(sql)
        elif first == "ROLLBACK":
            lease.rollback()
        else:
            # A setting of the real connection cannot change inside of its transaction.
            return (first == "PRAGMA" and "=" in sql) or (
                first == "SET" and "TRANSACTION" in (second, third)
            )
        return True

    def _back_to(self, sql: str) -> None:
        name = sql.split()[-1].strip('";`')
        if one := self.connection.shared.named(self.connection, name):
            self.connection.failed = False
            self.connection.shared.undo(one, keep=True)

    def _execute(self, sql: str, call: Callable[[], Any]) -> None:
        lease, shared = self.connection, self.connection.shared
        first, second, _ = ((word or "").upper() for word in _words(sql))
        defines = first in DEFINES and second != "TEMPORARY"
        if defines and "transactional_ddl" not in shared.backend.can:
            raise _defines(sql)
        if lease.failed:
            import psycopg  # here: only its leases fail

            raise psycopg.errors.InFailedSqlTransaction(
                "current transaction is aborted, commands ignored until end of transaction block"
            )
        if first not in READS:
            if not lease.autonomous:
                lease.begin()
            shared.wrote(lease)
        with _guarded(lease):
            call()
        if shared.buffers and self._real.description is not None:
            self._rows = iter(self._real.fetchall())

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        if self._rows is None:
            return self._real.fetchone()
        return next(self._rows, None)

    def fetchmany(self, size: int | None = None) -> Any:
        """Return some rows."""
        size = self._real.arraysize if size is None else size
        if self._rows is None:
            return self._real.fetchmany(size)
        return list(itertools.islice(self._rows, size))

    def fetchall(self) -> Any:
        """Return the rows that are left."""
        if self._rows is None:
            return self._real.fetchall()
        return list(self._rows)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._real) if self._rows is None else self._rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *exc: object) -> None:
        self._real.close()


class _guarded:
    """Keeps the failure of one statement from ending the transaction of all."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease

    def __enter__(self) -> None:
        if self.lease.shared.guards:
            _ = self.lease.shared.real
            self.lease.shared.run(f"SAVEPOINT {GUARD}")

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        shared = self.lease.shared
        if not shared.guards:
            return
        if error is not None:
            shared.run(f"ROLLBACK TO SAVEPOINT {GUARD}")
            self.lease.failed = not self.lease.autonomous
        shared.run(f"RELEASE SAVEPOINT {GUARD}")


def _words(sql: str) -> tuple[str | None, ...]:
    found = WORDS.match(sql)
    return found.groups() if found else (None, None, None)


def _interleaved() -> str:
    return (
        f"At {caller()} a transaction was rolled back in which another connection had"
        " written meanwhile.\nIn a test that is undone both share one connection, so the"
        " other's work is lost too. Mark the test with @pytest.mark.commits to give it"
        " real transactions.  [testing.interleaved]"
    )


def _defines(sql: str) -> SetupError:
    return SetupError(
        "testing.ddl",
        f"This test changes tables ({' '.join(sql.split())[:60]}), which this database commits"
        " at once.",
        hint="It could not be undone afterwards. Mark the test with @pytest.mark.commits.",
    )
