"""SQLite, set up for production.

    each connection   WAL, foreign keys, synchronous=FULL, busy timeout
    first write       BEGIN IMMEDIATE: waits for the lock, then cannot lose it
    reads before it   see the last committed state, statement by statement

So a transaction is READ COMMITTED, as PostgreSQL's is by default, until it writes,
and alone from then on. Python's own transaction control is off: it leaves SELECT,
SAVEPOINT and DDL outside. With a plain BEGIN, a read that turns into a write fails
at once with "database is locked" whenever somebody wrote in between.
Strings compare by code point. A table is not STRICT: SQLite then refuses the type
names (VARCHAR, DATETIME) that tell other tools what a column holds; values are
checked before they are written (validity.py).
Sources: sqlite.org/lang_transaction.html, sqlite.org/wal.html, SQLAlchemy 2.1
"Enabling Non-Legacy SQLite Transactional Modes".
"""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import StaticPool, event

from carboy.data.backends.common import (
    ALONE,
    BAD_VALUES,
    Backend,
    Kind,
    Limits,
    Trouble,
    reference_kind,
)

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

__all__ = ["SQLite"]

READS = re.compile(r"\s*(SELECT|VALUES|EXPLAIN|PRAGMA|ROLLBACK|COMMIT|BEGIN|RELEASE)\b", re.I)
COLUMNS = re.compile(r"(?:UNIQUE|NOT NULL) constraint failed: (.+)$")
NAMED = re.compile(r"CHECK constraint failed: (\w+)")
MISSING = re.compile(r"no such (?:table|column): (?:\w+\.)?(\w+)|has no column named (\w+)")

QUOTED = re.compile(
    r"""(["']).*\1|\[.*\]""", re.DOTALL
)  # of JSON paths and MATCH, which are values

MEANINGS: dict[str, Kind] = {
    "SQLITE_BUSY_SNAPSHOT": "race",
    "SQLITE_BUSY": "locked",
    "SQLITE_LOCKED": "locked",
    "SQLITE_FULL": "full",
    "SQLITE_IOERR": "gone",
    "SQLITE_CANTOPEN": "gone",
    "SQLITE_CORRUPT": "gone",
    "SQLITE_NOTADB": "gone",
    "SQLITE_READONLY": "gone",
    "SQLITE_PERM": "gone",
    "SQLITE_CONSTRAINT_CHECK": "check",
    "SQLITE_CONSTRAINT_UNIQUE": "unique",
    "SQLITE_CONSTRAINT_PRIMARYKEY": "unique",
    "SQLITE_CONSTRAINT_ROWID": "unique",
    "SQLITE_CONSTRAINT_NOTNULL": "required",
    "SQLITE_TOOBIG": "value",
    "SQLITE_MISMATCH": "value",
}
"""Prefixes of sqlite3.Error.sqlite_errorname; a longer one comes before a shorter."""


class SQLite(Backend):
    """The embedded database: one file, one writer at a time."""

    name = "sqlite"
    driver = "sqlite+pysqlite"
    module = "sqlite3"
    ping = "SELECT count(*) FROM sqlite_master"  # SELECT 1 would not look at the file
    can = frozenset({"savepoints", "transactional_ddl", "returning", "json"})

    def arguments(self, url: URL, limits: Limits) -> dict[str, Any]:
        """Return the pool's settings; a database in memory has one connection."""
        if in_memory(url):
            return {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
        settings = super().arguments(url, limits)
        return {**settings, "pool_pre_ping": False, "pool_recycle": -1}  # a file does not hang up

    def prepare(self, engine: Engine, limits: Limits) -> None:
        """Set each connection up, and begin transactions at the first write."""
        memory = in_memory(engine.url)
        if not memory:
            event.listen(engine, "do_connect", _make_folder)

        @event.listens_for(engine, "connect")
        def connect(connection: Any, record: Any) -> None:
            connection.isolation_level = None  # we begin; sqlite3 does not
            # The timeout comes first: turning WAL on takes a lock itself.
            connection.execute(f"PRAGMA busy_timeout = {int(limits.lock_s * 1000)}")
            if not memory:
                connection.execute("PRAGMA journal_mode = WAL")
            # FULL: in WAL mode NORMAL may lose acknowledged commits when power fails.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            # SECURITY: views and triggers of a file somebody handed us call no functions.
            connection.execute("PRAGMA trusted_schema = OFF")

        # PERF: events of the dialect; "before_cursor_execute" makes each Connection join its
        # events with the engine's, 8 % of an ORM query.
        for name in ("do_execute", "do_executemany", "do_execute_no_params"):
            event.listen(engine, name, _begin_at_first_write)

    def trouble(self, error: BaseException, statement: str) -> Trouble | None:
        """Read sqlite3's extended error name, and the columns from its text."""
        if isinstance(error, BAD_VALUES):
            return Trouble("value")
        name = getattr(error, "sqlite_errorname", None) or ""
        text = str(error)
        if text.startswith("Error binding parameter"):  # a dict, a list
            return Trouble("value")
        # RESTRICT is a trigger inside SQLite, and is called so.
        if name.startswith("SQLITE_CONSTRAINT") and text.startswith("FOREIGN KEY"):
            return Trouble(reference_kind(statement))
        if name == "SQLITE_ERROR":
            missing = MISSING.search(text)
            return Trouble("schema", table=missing[1] or missing[2]) if missing else None
        for prefix, kind in MEANINGS.items():
            if name.startswith(prefix):
                return _with_place(kind, text)
        return None

    def without_values(self, text: str) -> str:
        """Cut what is quoted: the parsers of full text search and JSON quote their values."""
        return QUOTED.sub("'...'", text)


def _make_folder(dialect: Any, record: Any, arguments: Any, keywords: Any) -> None:
    """Make the folder of the file, so that the first start needs no preparation."""
    path = str(arguments[0])
    if not path.startswith("file:"):
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            pass  # SQLite says that it cannot open the file, and that becomes DatabaseDown


def in_memory(url: URL) -> bool:
    """Tell whether *url* is a database that ends with its connection."""
    return not url.database or url.database == ":memory:"


def _begin_at_first_write(cursor: Any, statement: str, *rest: Any) -> None:
    """Take the write lock before a statement that may write; then SQLAlchemy executes it."""
    # PERF: two attribute reads and one match for a read, below 1 us.
    driver: sqlite3.Connection = cursor.connection
    if driver.in_transaction:
        return
    connection: Connection = rest[-1].root_connection  # of the execution's context
    if ALONE in connection.get_execution_options() or not READS.match(statement):
        driver.execute("BEGIN IMMEDIATE")


def _with_place(kind: Kind, text: str) -> Trouble:
    """Return the trouble with the table and columns that *text* names."""
    if found := COLUMNS.search(text):
        places = [place.strip().split(".") for place in found[1].split(",")]
        return Trouble(kind, table=places[0][0], columns=tuple(place[-1] for place in places))
    named = NAMED.search(text)
    return Trouble(kind, constraint=named[1] if named else "")
