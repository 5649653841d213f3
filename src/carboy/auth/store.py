"""Sessions in the database: each act is one statement, on a connection of its own.

    find(id)        session and user together, one read by primary key
    insert, move    a new row; the same row under another id (rotation)
    change          the data, if no other request changed them since
    touch, drop     seen now; gone, at once

All of it runs as the system, apart from the transaction of the view: what a view did not
commit is neither committed here nor lost with the session.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from carboy.auth.models import User, UserSession
from carboy.base.scope import finding
from carboy.data.db import db, opened_in
from carboy.data.mixins import now
from carboy.data.reading import lane_of
from carboy.engine.seam import cv_app

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from carboy.data.reading import Lane

__all__ = [
    "Found", "change", "drop", "drop_of", "find", "insert", "listed", "move", "person", "purge",
    "reading", "settle_views", "touch", "writing",
]  # fmt: skip

Values = dict[str, Any]

_S: Any = UserSession.__table__
_U: Any = User.__table__

PEOPLE = (_U.c.id, _U.c.email, _U.c.name, _U.c.roles, _U.c.active, _U.c.created_at,
          _U.c.password_changed_at)  # fmt: skip
"""What is known of who asks; never the hash of a password."""
PERSON = tuple(column.name for column in PEOPLE)


class Found(NamedTuple):
    """A session as it is kept, and whose it is. person: column to value; None for a visitor."""

    id: str
    data: str
    version: int
    stamp: str
    created_at: datetime
    seen_at: datetime
    person: Values | None


_FIND = (
    sa.select(
        _S.c.data, _S.c.version, _S.c.stamp, _S.c.created_at, _S.c.seen_at, _S.c.user_id,
        *(column.label(f"u_{column.name}") for column in PEOPLE),
    )
    .select_from(_S.outerjoin(_U, _U.c.id == _S.c.user_id))
    .where(_S.c.id == sa.bindparam("key"))
)  # fmt: skip


def find(key: str) -> Found | None:
    """Return the session with that id, whether it is still good or not; one statement."""
    with finding("carboy.auth"):
        engine = db.engine
        lane = lane_of(engine)
        if lane.shared:
            how = {"bind_arguments": {"bind": engine}}
            row: Any = db.session.execute(_FIND, {"key": key}, **how).first()
        else:
            row = _read(lane, engine, key)
    if row is None:
        return None
    data, version, stamp, created_at, seen_at, user_id, *columns = row
    known = None if user_id is None else dict(zip(PERSON, columns, strict=True))
    return Found(key, data, version, stamp, created_at, seen_at, known)


def _read(lane: Lane, engine: Engine, key: str) -> Any:
    """Return the row as `execute(_FIND)` would, on a connection for reads.

    PERF: 50 us instead of 400: SQL and converters are kept for each engine, nothing begins
    and nothing is rolled back.
    """
    kept = _compiled.get(engine)
    if kept is None:
        lane.ready(None)  # so that the dialect knows the server it compiles for
        compiled: Any = _FIND.compile(dialect=engine.dialect)
        converters = tuple(
            column.type._cached_result_processor(engine.dialect, None) for column in _FOUND
        )
        kept = _compiled[engine] = (str(compiled), bool(compiled.positional), converters)
    sql, positional, converters = kept
    rows = lane.run(sql, (key,) if positional else {"key": key})
    if not rows:
        return None
    pairs = zip(rows[0], converters, strict=True)
    return [value if convert is None else convert(value) for value, convert in pairs]


_FOUND: Any = tuple(_FIND.selected_columns)
_compiled: WeakKeyDictionary[Engine, tuple[str, bool, tuple[Any, ...]]] = WeakKeyDictionary()


def person(user_id: Any) -> Values | None:
    """Return what is known of a person; one statement."""
    with reading() as execute:
        row = execute(sa.select(*PEOPLE).where(_U.c.id == user_id), {}).mappings().first()
    return None if row is None else dict(row)


def insert(values: Values) -> None:
    """Add a row."""
    with writing() as connection:
        connection.execute(sa.insert(_S).values(values))


def move(old: str, version: int, values: Values) -> bool:
    """Give the row *old* the id and all else of *values*; False as in `change`."""
    same = sa.and_(_S.c.id == old, _S.c.version == version)
    with writing() as connection:
        return _hit(connection, sa.update(_S).where(same).values(values))


def change(key: str, version: int, data: str, seen: Values) -> bool:
    """Keep *data* where version *version* was; False when somebody was quicker, or it is gone."""
    same = sa.and_(_S.c.id == key, _S.c.version == version)
    values = {"data": data, "version": version + 1, **seen}
    with writing() as connection:
        return _hit(connection, sa.update(_S).where(same).values(values))


def touch(key: str, seen: Values) -> None:
    """Keep that the session was seen."""
    with writing() as connection:
        connection.execute(sa.update(_S).where(_S.c.id == key).values(seen))


def drop(*keys: str, user_id: Any = None) -> int:
    """Remove the rows with these ids; with *user_id*, those of that person only."""
    where = [_S.c.id.in_(keys)]
    if user_id is not None:
        where.append(_S.c.user_id == user_id)
    with writing() as connection:
        return int(connection.execute(sa.delete(_S).where(*where)).rowcount)


def drop_of(user_id: Any, *, but: str = "") -> int:
    """Remove every session of a person, but the one with the id *but*."""
    with writing() as connection:
        gone = sa.delete(_S).where(_S.c.user_id == user_id, _S.c.id != but)
        return int(connection.execute(gone).rowcount)


def listed(user_id: Any) -> list[Values]:
    """Return the sessions of a person that are still good, the latest first."""
    columns = (_S.c.id, _S.c.created_at, _S.c.seen_at, _S.c.agent, _S.c.address)
    asked = sa.select(*columns).where(_S.c.user_id == user_id, _S.c.expires_at > now())
    with reading() as execute:
        return [dict(row) for row in execute(asked.order_by(_S.c.seen_at.desc()), {}).mappings()]


def purge() -> int:
    """Remove what has expired: one DELETE over the index of `expires_at`."""
    with writing() as connection:
        return int(connection.execute(sa.delete(_S).where(_S.c.expires_at <= now())).rowcount)


def settle_views() -> None:
    """Undo what the view wrote and did not commit; it is undone with the request anyway.

    On SQLite it holds the lock that we need, elsewhere perhaps that of the user's row.
    """
    context = cv_app.get(None)
    sessions = None if context is None else opened_in(context)
    for session in sessions or ():
        if session.unsaved:
            session.rollback()


@contextmanager
def reading() -> Iterator[Any]:
    """Give what executes a SELECT as the system, on the main database and no replica."""
    with finding("carboy.auth"):
        engine = db.engine
        if lane_of(engine).shared:  # one connection for all: in memory, or in a test
            yield lambda asked, values: db.session.execute(
                asked, values, bind_arguments={"bind": engine}
            )
        else:
            with engine.connect() as connection:
                yield connection.execute


@contextmanager
def writing() -> Iterator[Any]:
    """Give a connection in a transaction of its own, as the system."""
    with finding("carboy.auth"):
        engine = db.engine
        if lane_of(engine).shared:
            with db.transaction() as session:
                yield session.connection(bind_arguments={"bind": engine})
        else:
            with engine.begin() as connection:
                yield connection


def _hit(connection: Any, update: Any) -> bool:
    return bool(connection.execute(update).rowcount)
