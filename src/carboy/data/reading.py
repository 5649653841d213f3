"""The connections that compiled reads run on, apart from those of sessions.

    Lane(engine)  ->  .run(sql, parameters)    a statement on an autocommit connection
                      .run_on(session, ...)    on the session's own, which sees its changes

An autocommit connection begins nothing and rolls nothing back, so psycopg keeps what the
server has prepared. They come from a pool like the engine's, set up by the same listeners,
and stay out of it while they are idle: checking one out costs 8 us, a list's `pop` nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, NoReturn, Protocol
from weakref import WeakSet

from sqlalchemy import Connection, event
from sqlalchemy.exc import StatementError
from sqlalchemy.pool import QueuePool

from carboy.base.errors import CarboyError
from carboy.data.backends.common import ALONE

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.pool import Pool, PoolProxiedConnection

    from carboy.data.session import DataSession, Sessions

__all__ = ["SHARED", "Lane", "Rows", "lane_of", "road", "watchers"]

SHARED = "carboy_shared"
"""Execution option of an engine: reads use the sessions' connections, as when a test runs
everything inside one transaction. Without it they do for a database in memory."""

LEAST_OFTEN_S = 300.0  # after that the pool looks at a connection's age again, and pings it
LANE = "carboy_lane"  # attribute of an engine

Rows = Sequence[tuple[Any, ...]]
"""(n, columns): what the driver gives, not converted."""

watchers: list[Callable[[Engine, str], None]] = []
"""Called with the engine and the SQL before each statement: budgets, N+1, traces."""


class Learner(Protocol):
    """Who wants to know what the driver says of the columns, once."""

    coltypes: list[Any] | None


class Lease:
    """A connection while somebody reads on it: one cursor, used again and again."""

    __slots__ = ("cursor", "execute", "fairy", "fetchall", "until", "used")

    def __init__(self, fairy: PoolProxiedConnection, prepares: bool) -> None:
        self.fairy = fairy
        self.cursor = fairy.cursor()
        self.execute = _preparing(self.cursor.execute) if prepares else self.cursor.execute
        self.fetchall: Callable[[], Any] = self.cursor.fetchall
        self.until = monotonic() + LEAST_OFTEN_S
        self.used = False  # before: then a lost connection is worth another try


class Lane:
    """Reads on one engine.

    shared: there are no connections but those of sessions.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.shared = bool(
            not isinstance(engine.pool, QueuePool) or engine.get_execution_options().get(SHARED)
        )
        self._prepares = engine.dialect.driver == "psycopg"
        self._idle: list[Lease] = []
        self._waiting = 0
        self._process = os.getpid()
        self._pool = self._make_pool()
        _when_disposed(engine, lambda engine: self.dispose())
        _everywhere.add(self)

    def run(self, sql: str, parameters: Any, learner: Learner | None = None) -> Rows:
        """Return the rows of a statement on an autocommit connection.

        learner: is told the driver's types of the columns, if it does not know them yet.
        A connection that was lost while it was idle is replaced once, as reading twice
        does no harm. Raises what the engine raises: DatabaseDown, SchemaBehind ...
        """
        if watchers:
            _tell(self.engine, sql)
        try:
            lease = self._idle.pop()
        except IndexError:
            lease = self._fresh()
        try:
            lease.execute(sql, parameters)
            rows = lease.fetchall()
        except BaseException as error:
            if self._failed(lease, error, sql, parameters):
                return self.run(sql, parameters, learner)
            raise
        # PERF: psycopg makes a description when it is asked for one: 10 us.
        if learner is not None and learner.coltypes is None:
            learner.coltypes = _coltypes(lease.cursor)
        # PERF: `_give`, written out.
        lease.used = True
        if monotonic() > lease.until or self._waiting:
            self._give(lease)
        else:
            self._idle.append(lease)
        return rows  # type: ignore[no-any-return]  # the driver's

    def run_on(
        self, session: DataSession, sql: str, parameters: Any, learner: Learner | None = None
    ) -> Rows:
        """Return the rows of a statement on the connection of *session*."""
        if watchers:
            _tell(self.engine, sql)
        connection = session.connection(bind_arguments={"bind": self.engine})
        if ALONE in connection.get_execution_options():
            connection.exec_driver_sql("SELECT 1")  # SQLite takes its lock before statements
        cursor = None
        try:
            cursor = connection.connection.cursor()
            cursor.execute(sql, parameters)
            rows: Rows = cursor.fetchall()
            if learner is not None and learner.coltypes is None:
                learner.coltypes = _coltypes(cursor)
            return rows
        except BaseException as error:
            connection._handle_dbapi_exception(error, sql, parameters, cursor, None)
        finally:
            if cursor is not None:
                cursor.close()

    def ready(self, session: DataSession | None) -> None:
        """Connect once, so that the dialect knows the server it compiles for."""
        if session is not None:
            session.connection(bind_arguments={"bind": self.engine})
        else:
            self._give(self._idle.pop() if self._idle else self._fresh())

    def refuse(self, error: Exception, sql: str) -> NoReturn:
        """Raise what *error*, of making the parameters for *sql*, is to the application."""
        if isinstance(error, (CarboyError, StatementError)):
            raise error
        handle = Connection._handle_dbapi_exception_noconnection
        try:
            handle(error, self.engine.dialect, self.engine, is_disconnect=False)
        except Exception as made:
            if made is not error:
                raise
        raise StatementError(str(error), sql, None, error, hide_parameters=True) from error

    def dispose(self) -> None:
        """Close the idle connections; the next read opens new ones."""
        if self.shared:
            return
        idle, self._idle = self._idle, []
        if self._process != os.getpid():
            _inherited.append((idle, self._pool))  # the parent's: not ours to close
            self._process = os.getpid()
        else:
            for lease in idle:
                lease.cursor.close()
                lease.fairy.close()
            self._pool.dispose()
        self._pool = self._make_pool()

    def _make_pool(self) -> Pool:
        if self.shared:
            return self.engine.pool
        pool = self.engine.pool.recreate()  # its creator, its limits and its listeners
        event.listen(pool, "connect", self._set_up)
        return pool

    def _set_up(self, made: Any, record: Any) -> None:
        self.engine.dialect.set_isolation_level(made, "AUTOCOMMIT")
        if self._prepares and "options" not in self.engine.url.query:
            # PERF: sessions plan each time, as their LIMIT is bound. Ours is not, and a
            # plan that is kept saves half of the time that a rule of four terms takes.
            cursor = made.cursor()
            cursor.execute("SET plan_cache_mode = auto")
            cursor.close()

    def _fresh(self) -> Lease:
        """Take a connection from the pool, waiting if none is free."""
        self._waiting += 1  # whoever finishes sees it, and gives to the pool instead
        try:
            if self._idle:
                return self._idle.pop()
        except IndexError:
            pass  # another thread was quicker
        try:
            return Lease(self._pool.connect(), self._prepares)
        except self.engine.dialect.loaded_dbapi.Error as error:
            Connection._handle_dbapi_exception_noconnection(error, self.engine.dialect, self.engine)
        finally:
            self._waiting -= 1

    def _give(self, lease: Lease) -> None:
        """Take a connection back."""
        if monotonic() > lease.until:
            _return(lease)
            return
        self._idle.append(lease)
        # Looked at after the append: either the waiting one sees it, or we see them.
        if self._waiting and self._idle:
            try:
                _return(self._idle.pop())
            except IndexError:
                pass

    def _failed(self, lease: Lease, error: BaseException, sql: str, parameters: Any) -> bool:
        """Raise what *error* is to the application; True when another try is worth it."""
        connection = Connection(self.engine, lease.fairy)
        try:
            connection._handle_dbapi_exception(error, sql, parameters, lease.cursor, None)
        except BaseException:
            if not connection.invalidated:
                self._idle.append(Lease(lease.fairy, self._prepares))  # its cursor was closed
                raise
            self.dispose()  # what was lost here is lost for the others too
            if not (lease.used and isinstance(error, Exception)):
                raise
        return True


def lane_of(engine: Engine) -> Lane:
    """Return the lane of *engine*; made at the first read."""
    lane: Lane | None = vars(engine).get(LANE)
    if lane is None:
        lane = vars(engine).setdefault(LANE, Lane(engine))
    return lane


def road(sessions: Sessions, database: str) -> tuple[Lane, DataSession | None]:
    """Return where to read now, and the session whose connection must be used, if any.

    It must where it has changes that are not committed, which are flushed, or is inside
    of `db.transaction()`. Replicas are used as a session uses them.
    """
    session, places = _opened(sessions), sessions.places
    if session is not None and (session.depth or session.unsaved):
        if session.autoflush:
            session.flush()
        return lane_of(places.engine(database)), session
    replica = sessions.replica and not (session is not None and session.wrote)
    lane = lane_of(places.reader(database) if replica else places.engine(database))
    return lane, sessions.current() if lane.shared else None


_everywhere: WeakSet[Lane] = WeakSet()
_inherited: list[Any] = []  # connections of the parent process, kept from the garbage collector


def _opened(sessions: Sessions) -> DataSession | None:
    """Return the session of whoever asks, if there is one already."""
    # PERF: most requests that only read open none; naming who asks costs 0.6 us.
    opened, guard = sessions._open, sessions._guard
    return opened.get(guard.scope_key() if guard else None) if opened else None


def _when_disposed(engine: Engine, listener: Callable[[Engine], None]) -> None:
    # PERF: the event is fired by the engine, whatever the flag says. With the flag each
    # Connection joins its events with the engine's, 8 % of an ORM query. An engine without
    # events of its own has the flag of its class: somebody may listen to all engines later.
    others = vars(engine).get("_has_events")
    event.listen(engine, "engine_disposed", listener)
    if others is None:
        del engine._has_events


def _coltypes(cursor: Any) -> list[Any]:
    return [column[1] for column in cursor.description]


def _tell(engine: Engine, sql: str) -> None:
    for watcher in watchers:
        watcher(engine, sql)


def _preparing(execute: Callable[..., Any]) -> Callable[[str, Any], Any]:
    """Return psycopg's execute that prepares at once, not after the fifth time."""

    def prepared(sql: str, parameters: Any) -> Any:
        return execute(sql, parameters, prepare=True)

    return prepared


def _return(lease: Lease) -> None:
    lease.cursor.close()
    lease.fairy.close()


def _after_fork() -> None:
    for lane in _everywhere:
        lane.dispose()


os.register_at_fork(after_in_child=_after_fork)
