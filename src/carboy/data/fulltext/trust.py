"""SQLite before 3.42 or so: a trigger may write to FTS5 only where the schema is trusted.

    connect            trusted_schema = ON, only for a file that has a full text search
    search was made    this connection, and all that are opened from now on
    another process    made it meanwhile: one 503, then its connections are opened anew

Ours are otherwise OFF: views and triggers of a file somebody handed us call no functions.
Where FTS5 calls itself innocuous, as it does by now, they stay OFF.
"""

from __future__ import annotations

import functools
import sqlite3
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from carboy.data.engines import hooks
from carboy.data.faults import DatabaseDown

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import ExceptionContext

__all__ = ["ON", "needed", "trust"]

ON = "PRAGMA trusted_schema = ON"
HAS_SEARCH = (
    "SELECT 1 FROM sqlite_master WHERE type = 'trigger'"
    " AND name LIKE '%!_search!_update' ESCAPE '!'"
)
REFUSED = "unsafe use of virtual table"


@functools.cache
def needed() -> bool:
    """Tell whether this SQLite lets triggers write to FTS5 only in a trusted schema."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        connection.execute("CREATE VIRTUAL TABLE words USING fts5(w)")
        connection.execute(
            "CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO words(w) VALUES ('a'); END"
        )
        connection.execute("INSERT INTO t VALUES (1)")
    except sqlite3.OperationalError as error:
        return REFUSED in str(error)
    finally:
        connection.close()
    return False


def trust(connection: Connection) -> None:
    """Let triggers write to the search that is made on *connection*."""
    if connection.dialect.name != "sqlite" or not needed():
        return
    connection.exec_driver_sql(ON)
    if not event.contains(connection.engine, "checkout", _on):
        event.listen(connection.engine, "checkout", _on)


def _on(connection: Any, record: Any, proxy: Any) -> None:
    connection.execute(ON)


def _at_connect(connection: Any, record: Any) -> None:
    if connection.execute(HAS_SEARCH).fetchone():
        connection.execute(ON)


def _refused(context: ExceptionContext) -> BaseException | None:
    if REFUSED not in str(context.original_exception):
        return None
    cursor: Any = getattr(context.execution_context, "cursor", None)
    if cursor is not None:  # or the lock would last as long as somebody holds the error
        driver = cursor.connection
        cursor.close()
        driver.rollback()
    context.is_disconnect = True  # the next connection sees the search, and trusts it
    return DatabaseDown(
        "data.search_made",
        "A full text search was made while this process had the database open.",
        hint="It opens the database anew now; what failed can be repeated.",
    )


def _hook(engine: Engine) -> None:
    if engine.dialect.name == "sqlite" and needed():
        event.listen(engine, "connect", _at_connect)
        event.listen(engine, "handle_error", _refused)


hooks.append(_hook)
