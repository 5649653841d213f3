"""One at a time: the lock around migrations, so that any number of processes may try.

    PostgreSQL    pg_try_advisory_lock     on the connection that migrates: both end together
    MariaDB       GET_LOCK                 likewise
    SQLite        flock on app.db.migrating, beside the file; gone afterwards

Whoever comes later waits, then finds everything applied. Waiting is asking again and
again: a session that waits inside PostgreSQL would keep CREATE INDEX CONCURRENTLY from
ever finishing (PostgreSQL 15, "Building Indexes Concurrently").
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from carboy.base.errors import ServiceDown
from carboy.data.backends.sqlite import in_memory

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

try:
    import fcntl
except ImportError:  # Windows: SQLite's own lock stays, and each migration is looked up under it
    fcntl = None  # type: ignore[assignment]  # a module, or none

__all__ = ["WAIT_S", "locked"]

WAIT_S = 60.0  # seconds; migrations that take longer are worth a longer wait, said by hand
PAUSE_S = 0.2

pause = time.sleep


@contextmanager
def locked(engine: Engine, *, wait_s: float = WAIT_S) -> Iterator[Connection]:
    """Yield a connection, alone with the right to migrate its database.

    Raises ServiceDown (migrations.busy) when another holds the lock for *wait_s* seconds.
    """
    with engine.connect() as connection:
        take, give = _ways(connection)
        _wait(take, engine, wait_s)
        try:
            yield connection
        finally:
            connection.rollback()
            give()


def _wait(take: Callable[[], bool], engine: Engine, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while not take():
        if time.monotonic() >= deadline:
            raise ServiceDown(
                "migrations.busy",
                f"Another process has been migrating {engine.url.database!r} for {wait_s:g} s.",
                hint="Nothing was changed. Usually it is at work: try again later, or wait longer"
                f" with --wait {wait_s * 10:g}.",
            )
        pause(PAUSE_S)


def _ways(connection: Connection) -> tuple[Callable[[], bool], Callable[[], None]]:
    """Return (take, give) for the database at hand; take tells whether it succeeded."""
    dialect = connection.dialect.name
    if dialect == "sqlite":
        return _of_file(connection.engine)
    name = f"carboy migrations {connection.engine.url.database}"
    if dialect == "postgresql":
        digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
        values: dict[str, Any] = {"key": int.from_bytes(digest, signed=True)}
        take, give = "SELECT pg_try_advisory_lock(:key)", "SELECT pg_advisory_unlock(:key)"
    else:
        values = {"key": name[-64:]}  # MariaDB takes 64 characters
        take, give = "SELECT GET_LOCK(:key, 0)", "SELECT RELEASE_LOCK(:key)"

    def ask(statement: str) -> bool:
        answer = connection.scalar(text(statement), values)
        connection.commit()  # the lock is the session's, and outlives transactions
        return bool(answer)

    def release() -> None:
        if not connection.invalidated:  # a lost session has lost its lock
            ask(give)

    return lambda: ask(take), release


def _of_file(engine: Engine) -> tuple[Callable[[], bool], Callable[[], None]]:
    path = f"{engine.url.database}.migrating"
    held: list[int] = []

    def take() -> bool:
        number = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The one before may have deleted it between our open and our lock.
            if os.stat(path).st_ino == os.fstat(number).st_ino:
                held.append(number)
                return True
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(number)
        return False

    def give() -> None:
        os.unlink(path)
        os.close(held.pop())

    if fcntl is None or in_memory(engine.url):
        return lambda: True, lambda: None
    return take, give
