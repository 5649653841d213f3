"""db: the database as views and scripts meet it.

    in a request or `with app.app_context():`    db.session, its own for each
    in a script, without an application          with db.connect(url): db.session ...

Nothing exists before the first use: a request that asks nothing pays nothing. The verbs
are Flask-SQLAlchemy's where it has one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy
import sqlalchemy.orm
from sqlalchemy import MetaData
from sqlalchemy.exc import MultipleResultsFound, NoResultFound

from carboy.base.errors import RequestFault, SetupError
from carboy.data.battery import EXTENSION, SESSIONS
from carboy.data.bulk import BATCH, bulk_insert
from carboy.data.guards import guard_for
from carboy.data.keyset import Page, keyset
from carboy.data.models import Model
from carboy.data.paging import Pagination, paginate
from carboy.data.places import MAIN, Places
from carboy.data.reads import seams as reads
from carboy.data.session import DataSession, Sessions
from carboy.data.transactions import TRIES, retried, transaction
from carboy.data.validity import broken_rule
from carboy.engine.seam import cv_app, cv_request

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine, Select

    from carboy.data.clauses import Clause
    from carboy.data.engines import Limits
    from carboy.data.reads import Reading

__all__ = ["EXTENSION", "Database", "OutsideContext", "db", "opened_in"]

M = TypeVar("M")
R = TypeVar("R")

_connected: ContextVar[Sessions | None] = ContextVar("carboy_connected", default=None)


class OutsideContext(SetupError, RuntimeError):
    """db.session was used where nothing says which database is meant."""


class Database:
    """The verbs. There is one, `db`; it holds nothing itself."""

    Model = Model
    select = staticmethod(sqlalchemy.select)

    def __getattr__(self, name: str) -> Any:
        """Return a public name of SQLAlchemy: `db.String`, `db.relationship`, `db.func`."""
        for module in (sqlalchemy, sqlalchemy.orm):
            value = getattr(module, name, None)
            if value is not None and not isinstance(value, ModuleType) and name[0] != "_":
                return value
        raise AttributeError(f"neither db nor SQLAlchemy has {name!r}")

    @property
    def session(self) -> DataSession:
        """The session of this request, command or `connect`; made at the first use.

        Raises OutsideContext where there is no application and no `connect`.
        """
        return _sessions().current()

    @property
    def engine(self) -> Engine:
        """The engine of the main database."""
        return _sessions().places.engine(MAIN)

    @property
    def metadata(self) -> MetaData:
        """The tables of all models."""
        return Model.metadata

    def transaction(self, *, alone: bool = False) -> AbstractContextManager[DataSession]:
        """Commit what happens inside `with`, or undo it; see `transactions.transaction`."""
        return transaction(self.session, alone=alone)

    def retry(
        self, function: Callable[..., R], *, times: int = TRIES, alone: bool = False
    ) -> Callable[..., R]:
        """Decorate a unit of work that is safe to repeat: it runs in a transaction, and
        again when it lost against another; see `transactions.retried`."""

        @functools.wraps(function)
        def unit(*args: Any, **kwargs: Any) -> R:
            work = functools.partial(function, *args, **kwargs)
            return retried(lambda: self.session, work, times=times, alone=alone)

        return unit

    @contextmanager
    def connect(self, address: str | URL, *, limits: Limits | None = None) -> Iterator[Database]:
        """Work on the database at *address* inside `with`, without an application.

        What is not committed is undone at the end, and the connections are closed.
        """
        places = Places({MAIN: address}, limits=limits, guard=guard_for(Model.registry))
        sessions = Sessions(places)
        token = _connected.set(sessions)
        try:
            yield self
        finally:
            _connected.reset(token)
            sessions.close()
            places.dispose()

    def bulk(self, model: type[M], rows: Iterable[Mapping[str, Any]], *, batch: int = BATCH) -> int:
        """Insert many rows at once, all or none; see `bulk.bulk_insert`."""
        return bulk_insert(self.session, model, rows, batch=batch)

    def create_all(self, *, metadata: MetaData | None = None) -> None:
        """Make the tables that are missing, each in its database."""
        self._each(metadata or Model.metadata, "create_all")

    def drop_all(self, *, metadata: MetaData | None = None) -> None:
        """Drop all tables of the models; what is not committed is undone first."""
        for session in _sessions():
            session.rollback()  # or its locks would hold us up
        self._each(metadata or Model.metadata, "drop_all")

    def get_or_404(self, model: type[M], key: Any, *, description: str = "") -> M:
        """Return the row with that primary key; raise a RequestFault (404) when there is none.

        A key that no row can have (text for a number, beyond 64 bits) is just as absent.
        """
        row = self.session.get(model, key) if _can_be(model, key) else None
        if row is None:
            raise _absent(description)
        return row

    def first_or_404(self, statement: Select[Any], *, description: str = "") -> Any:
        """Return the first row of *statement*; raise a RequestFault (404) without one."""
        row = self.session.scalars(statement.limit(1)).unique().first()
        if row is None:
            raise _absent(description)
        return row

    def one_or_404(self, statement: Select[Any], *, description: str = "") -> Any:
        """Return the only row of *statement*; raise a RequestFault (404) for none or several."""
        try:
            return self.session.scalars(statement).unique().one()
        except (NoResultFound, MultipleResultsFound):
            raise _absent(description) from None

    def paginate(
        self,
        statement: Select[Any],
        *,
        page: int | None = None,
        per_page: int | None = None,
        max_per_page: int | None = 100,
        error_out: bool = True,
        count: bool = True,
    ) -> Pagination:
        """Return one page of *statement*; number and size come from the query string if not given.

        Raises a RequestFault (404) for a page that is not there, unless error_out is False.
        """
        page = _asked("page", 1, error_out) if page is None else page
        size = _asked("per_page", 20, error_out) if per_page is None else per_page
        size = size if max_per_page is None else min(size, max_per_page)
        return paginate(self.session, statement, page, size, error_out=error_out, count=count)

    def keyset(
        self,
        source: Select[Any] | Reading,
        *clauses: Clause,
        order: Sequence[str] | None = None,
        size: int | None = None,
        max_size: int = 100,
        cursor: str | None = None,
        name: str = "",
    ) -> Page:
        """Return one page of *source*, a select of a model or a Reading; see `keyset.keyset`.

        clauses: conditions, as filters and search make them. order: names, "-" for
        descending; that of the Reading if not given. cursor, size: those of the query string
        if not given; size is 20 then, and *max_size* at most. name: of the list, where
        another one has the same table and order.
        """
        size = min(_asked("size", 20, True), max_size) if size is None else size
        request = cv_request.get(None)
        if cursor is None and request is not None:
            cursor = request.request.args.get("cursor")
        asked: Any = {"clauses": clauses, "size": size, "cursor": cursor, "name": name}
        if isinstance(source, sqlalchemy.Select):
            return keyset(self.session, source, order or (), **asked)
        return source.page(*asked.pop("clauses"), order=order, **asked)

    def _each(self, metadata: MetaData, verb: str) -> None:
        places = _sessions().places
        for name in places.names:
            tables = [t for t in metadata.sorted_tables if t.info.get("database", MAIN) == name]
            getattr(metadata, verb)(places.engine(name), tables=tables)


db = Database()


def opened_in(context: Any) -> Sessions | None:
    """Return the sessions of an application context; None when none was asked for."""
    found: Sessions | None = context.__dict__.get(SESSIONS)
    return found


def _sessions() -> Sessions:
    connected = _connected.get()
    if connected is not None:
        return connected
    context = cv_app.get(None)
    if context is None:
        raise _outside()
    sessions = context.__dict__.get(SESSIONS)
    if sessions is None:
        sessions = context.__dict__[SESSIONS] = _open(context)
    request = cv_request.get(None)
    if request is not None and (error := request.__dict__.get("error")) is not None:
        _restore(sessions, error)
    return sessions


def _open(context: Any) -> Sessions:
    extension = context.app.extensions.get(EXTENSION)
    if extension is None:
        raise SetupError(
            "data.no_battery",
            f"db was used in the application {context.app.name!r}, which has no data battery.",
            hint='The presets have it; else add "data" to batteries=(...).',
        )
    return extension.sessions()  # type: ignore[no-any-return]  # battery.Opening


def _restore(sessions: Sessions, error: BaseException) -> None:
    """Undo what a failed view left, once, so that the page about it can ask the database."""
    if sessions.failed is not error:
        sessions.failed = error
        for session in sessions:
            session.rollback()


def _outside() -> OutsideContext:
    return OutsideContext(
        "data.outside",
        "db.session was used outside of an application context: nothing says which database.",
        hint="Usually this is a script, a thread or a shell. Write  with app.app_context():"
        "  around it,\nor  with db.connect('sqlite:///shop.db'):  to work without an application.",
    )


def _absent(description: str) -> RequestFault:
    return RequestFault(404, "data.not_found", description or "There is nothing here.")


def _can_be(model: Any, key: Any) -> bool:
    """Tell whether *key* can be the key of a row at all; only our models know."""
    if not (isinstance(model, type) and issubclass(model, Model)):
        return True
    fields = [field for field in model.facts().fields.values() if field.key]
    if isinstance(key, dict):
        if {*key} != {field.name for field in fields}:
            return False
        key = tuple(key[field.name] for field in fields)
    parts = key if isinstance(key, tuple) else (key,)
    if len(parts) != len(fields):
        return True  # SQLAlchemy says what is wrong
    return not any(map(broken_rule, fields, parts))


def _asked(name: str, default: int, error_out: bool) -> int:
    """Return a number of the query string."""
    request = cv_request.get(None)
    text = None if request is None else request.request.args.get(name)
    if text is None:
        return default
    if len(text) < 12 and text.isascii() and text.isdigit():
        return int(text)
    if error_out:
        raise RequestFault(404, "data.no_page", f"{name} must be a whole number.")
    return default


reads.sessions = _sessions
