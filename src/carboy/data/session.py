"""Sessions: one per scope, made when first asked for.

    guard, mixins  ->  session_class()     the class; the guard of the places is a mixin
    Sessions(engines)  ->  .current()      the session of whoever asks now
                       ->  .close()        all of them, at the end of the request

A session knows nothing of requests. It refuses invalid rows before they are written,
finds the database of each model, and may read from a replica until it writes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, Table, event
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.sql import visitors

from carboy.base.errors import RequestFault
from carboy.data.batches import Batching
from carboy.data.faults import DatabaseDown
from carboy.data.models import Model
from carboy.data.places import MAIN
from carboy.data.validity import check_row

if TYPE_CHECKING:
    from carboy.data.guards import Guard
    from carboy.data.places import Places

__all__ = ["DataSession", "Outdated", "Sessions", "mixins", "session_class"]

mixins: list[type] = []
"""Classes put before DataSession, the last one first; see `session_class`."""

HOOKS = ("before_flush", "after_flush", "do_orm_execute", "before_commit")


class Outdated(RequestFault, StaleDataError):
    """The row was changed or deleted since it was read: 409."""

    code: str


class DataSession(Batching):
    """A session over the places where data live.

    places: the engines, by name. replica: whether reads may go to a replica.
    Mixins may have methods before_flush(context, instances), after_flush(context),
    do_orm_execute(state) and before_commit(); each calls super().
    """

    def __init__(self, places: Places, *, replica: bool = False, **more: Any) -> None:
        super().__init__(**more)
        self.places = places
        self.batches = places.watch is None  # where repeats are reported, they happen
        self.replica = replica
        self.wrote = False  # ever: what a replica has may be older
        self._wrote_in: Any = None  # the transaction of the last write
        self.depth = 0  # of db.transaction()

    def get_bind(
        self, mapper: Any = None, *, clause: Any = None, bind: Any = None, **more: Any
    ) -> Any:
        """Return the engine for a statement: its model's database, or a replica of it."""
        if bind is not None:
            return bind
        name = MAIN if self.places.only_main else _database_of(mapper, clause)
        if self._may_use_replica(clause):
            return self.places.reader(name)
        if self._flushing or clause is None or clause.is_dml or clause.is_text:
            # The first statement asks for its engine before its transaction has begun.
            self.wrote, self._wrote_in = True, self.get_transaction() or self.begin()
            self.direct_writes += not self._flushing
        return self.places.engine(name)

    @property
    def unsaved(self) -> bool:
        """Whether something was written or changed that is not committed yet."""
        transaction = self.get_transaction()
        written = transaction is not None and transaction is self._wrote_in
        return bool(written or self.new or self.dirty or self.deleted)

    def remove(self) -> None:
        """Undo what was not committed, and forget all objects; Flask-SQLAlchemy's name."""
        self.close()

    def _may_use_replica(self, clause: Any) -> bool:
        return (
            self.replica
            and not (self.wrote or self._flushing or self.depth)
            and isinstance(clause, Select)
            and clause._for_update_arg is None
        )

    def flush(self, objects: Any = None) -> None:
        """Write what has changed; a row that changed meanwhile raises Outdated."""
        try:
            super().flush(objects)
        except StaleDataError as error:
            if isinstance(error, Outdated):
                raise
            raise Outdated(
                409, "data.outdated",
                "This was changed or deleted by somebody else meanwhile.",
                hint="Read it again, and repeat the change on what it is now.",
            ) from error  # fmt: skip

    def before_flush(self, context: Any, instances: Any) -> None:
        """Refuse rows that break the rules of their fields."""
        for row in self.new:
            if isinstance(row, Model):
                check_row(row, new=True)
        for row in self.dirty:
            if isinstance(row, Model) and row not in self.deleted:
                check_row(row, new=False)

    def after_flush(self, context: Any) -> None:
        """Do nothing; for mixins."""

    def before_commit(self) -> None:
        """Do nothing; for mixins."""


def session_class(guard: Guard | None = None) -> type[DataSession]:
    """Return the class of sessions: DataSession under *guard* and the mixins there are now.

    >>> session_class() is session_class()
    True
    """
    bases = (*((guard.mixin,) if guard else ()), *reversed(mixins), DataSession)
    if bases not in _classes:
        made: Any = type("CarboySession", bases, {})
        for hook in HOOKS:
            if hasattr(made, hook):
                event.listen(made, hook, _calling(hook))
        _classes[bases] = made
    return _classes[bases]


class Sessions:
    """The sessions of one request, command or test: one for each scope.

    kept: what lives as long as they do, such as a connection for reads. closers: run
    at the end, the last one first.
    """

    def __init__(self, places: Places, *, replica: bool = False) -> None:
        self.places = places
        self.replica = replica
        self.failed: BaseException | None = None  # after which they were rolled back
        self.kept: dict[Hashable, Any] = {}
        self.closers: list[Callable[[], None]] = []
        self._guard = places.guard
        self._open: dict[Hashable, DataSession] = {}

    def current(self) -> DataSession:
        """Return the session of whoever asks; made at the first call."""
        key = self._guard.scope_key() if self._guard else None
        session = self._open.get(key)
        if session is None:
            made = session_class(self._guard)
            session = self._open[key] = made(self.places, replica=self.replica)
        return session

    @property
    def wrote(self) -> bool:
        """Whether any of them has written."""
        return any(session.wrote for session in self._open.values())

    def __iter__(self) -> Iterator[DataSession]:
        return iter(tuple(self._open.values()))

    def close(self) -> None:
        """Close them all: what was not committed is undone."""
        self.kept.clear()
        while self.closers:
            self.closers.pop()()
        while self._open:
            session = self._open.popitem()[1]
            try:
                session.close()
            except DatabaseDown:  # it had nothing more to undo; the answer stands
                session.invalidate()


_classes: dict[tuple[type, ...], type[DataSession]] = {}


def _calling(hook: str) -> Callable[..., None]:
    if hook == "do_orm_execute":
        return lambda state: getattr(state.session, hook)(state)
    return lambda session, *rest: getattr(session, hook)(*rest)


def _database_of(mapper: Any, clause: Any) -> str:
    """Return the name of the database that a statement is for."""
    if mapper is not None:
        return getattr(mapper.class_, "database", "") or MAIN
    for part in visitors.iterate(clause) if clause is not None else ():
        if isinstance(part, Table) and (name := part.info.get("database")):
            return str(name)
    return MAIN
