"""A session that belongs to one scope, and checks what a flush has written.

    PolicySession   adopts the scope of its first use; refuses every other
        get, lazy many-to-one     _identity_lookup: no SQL is sent, so no rule would be asked
        flush                     what is inserted is counted again by the create rule,
                                  what should be gone is looked for
        errors                    hidden, moved and absent are one NotFound; clashes one Conflict

Statements themselves are restricted by the compiler floor (`filters.py`). All checks run
inside the transaction of the flush: when one fails, nothing of it stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, cast

from sqlalchemy import event, inspect, orm
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import exc as orm_exc

from carboy.base.scope import Frame, Scope, frame
from carboy.policy.cascades import follow
from carboy.policy.errors import Conflict, NotFound, Refused
from carboy.policy.flushed import FlushCheck, fulfilling
from carboy.policy.inserts import collecting
from carboy.policy.seam import deleted_in
from carboy.policy.tenants import fill_in

if TYPE_CHECKING:
    from carboy.policy.book import Rulebook

__all__ = ["PolicyMixin", "PolicySession", "translated"]


class PolicyMixin(orm.Session):
    """Mix into a session class; set `book` to the rules its models stand under."""

    book: ClassVar[Rulebook]
    _frame: Frame | None = None

    def guard(self) -> Scope:
        """Adopt the scope of who asks, or refuse when it is another than before.

        Called by everything that could hand out an object. When the scope ends, all
        objects are detached: what they hold would need no SQL to be seen.
        """
        now = frame()
        if self._frame is now:  # PERF: for each statement; to compare scopes takes 1 us
            return now.scope
        if self._frame is None or (self._frame is not now and not self._holds()):
            self._frame = now
            now.closers.append(self._leave)
        elif self._frame.scope != now.scope:
            raise Refused(
                "policy.foreign_session",
                "This session was opened for another person; its objects are theirs.",
                hint="Use `db.session`, which is one per scope, or open a session inside it.",
            )
        return now.scope

    def flush(self, objects: Sequence[Any] | None = None) -> None:
        """Write pending changes and check them. Raises NotFound, NotPermitted, Conflict."""
        if self._is_clean() and not self._flushing:  # PERF: before every query
            return
        self.guard()
        versioned = _versioned(self)
        with translated(), collecting() as inserted:
            self.info["policy.inserted"] = inserted
            try:
                super().flush(objects)
            except orm_exc.StaleDataError as error:
                if versioned and any(self._outdated(*one) for one in versioned):
                    raise Changed(error) from None
                raise

    def refresh(self, instance: object, *args: Any, **kw: Any) -> None:
        """Load *instance* again. Raises NotFound when it is hidden now, or gone."""
        self.guard()
        try:
            super().refresh(instance, *args, **kw)
        except InvalidRequestError as error:
            if "Could not refresh" not in str(error):
                raise
            raise NotFound(type(instance).__name__) from None

    def merge(self, instance: Any, **kw: Any) -> Any:
        """Copy the state of *instance* in; a hidden row with its key stays untouched."""
        self.guard()
        return super().merge(instance, **kw)

    def _identity_lookup(self, *args: Any, **kw: Any) -> Any:
        """Look an object up without SQL: only for whom it was loaded."""
        self.guard()
        return super()._identity_lookup(*args, **kw)

    def _execute_internal(self, *args: Any, **kw: Any) -> Any:
        """Execute for whom the session was opened, with the ORM's errors translated.

        Every load and statement comes by here: lazy, expired, `scalars`, Query.
        """
        # PERF: the event do_orm_execute builds a state object per statement, 12 us of 184.
        # test_planted.py fails when SQLAlchemy no longer calls this.
        if self._frame is not frame():  # PERF: guard() itself is for the first statement
            self.guard()
        try:
            return super()._execute_internal(*args, **kw)
        except (orm_exc.StaleDataError, orm_exc.ObjectDeletedError, Conflict) as error:
            with translated():
                raise error

    def _bulk_save_mappings(self, *args: Any, **kw: Any) -> Any:
        """Write rows without objects: the statements are restricted as any other."""
        self.guard()
        with translated():
            return super()._bulk_save_mappings(*args, **kw)

    def _outdated(self, mapper: Any, identity: Any, version: Any) -> bool:
        """Return whether who asks may still update the row, which is another version now.

        Read anew, as the flush failed. Of the same version, the write itself was denied.
        """
        governed = self.book.governed(mapper.base_mapper.local_table)
        with self.get_bind(mapper).engine.connect() as connection:
            columns = cast("Any", governed.table.c)
            rule = governed.condition("update", columns, self.book.shape(frame()))
            changed = columns[mapper.version_id_col.key] != version
            rule = changed if rule is True else rule is not False and rule & changed
            return bool(fulfilling(connection, governed, [identity], rule))

    def _holds(self) -> bool:
        return bool(self.identity_map) or bool(self._new)

    def _leave(self) -> None:
        self.expunge_all()
        self._frame = None


class PolicySession(PolicyMixin):
    """A session under a policy: subclass it and set `book`."""


@event.listens_for(PolicyMixin, "before_flush", propagate=True)
def _keep_caches(session: orm.Session, context: Any, objects: Any) -> None:
    """Keep what a flush compiles apart by shape, also after `Book.something = ...`."""
    if isinstance(session, PolicyMixin):
        for mapper in {inspect(one).mapper for one in (*session.new, *session.dirty)}:
            session.book.keep_cache(mapper)
        for one in session._deleted:
            session.book.keep_cache(one.mapper)


@event.listens_for(PolicyMixin, "before_flush", propagate=True)
def _note_fields(session: orm.Session, context: Any, objects: Any) -> None:
    """Note which fields of new objects were set by hand, before defaults are filled in.

    Who may create none at all is told so before what the row lacks is looked at.
    """
    if session.new and isinstance(session, PolicyMixin) and not frame().scope.system:
        FlushCheck(session, session.book.shape(frame())).creatable(session.new)
    session.info["policy.set"] = {
        id(one): {key for key, value in vars(one).items() if value is not None}
        for one in session.new
    }
    if isinstance(session, PolicyMixin) and not frame().scope.system:
        fill_in(session.book, session.new)


@event.listens_for(PolicyMixin, "before_flush", propagate=True)
def _follow_deleted(session: orm.Session, context: Any, objects: Any) -> None:
    """Let hidden rows go with the rows they hang on, where a cascade is declared."""
    if session._deleted and isinstance(session, PolicyMixin) and not frame().scope.system:
        follow(session, session.book.shape(frame()))


@event.listens_for(PolicyMixin, "after_flush", propagate=True)
def _check_flush(session: orm.Session, context: Any) -> None:
    """Check what this flush inserted and deleted: one or two statements per class."""
    if not isinstance(session, PolicyMixin) or frame().scope.system:
        return
    check = FlushCheck(session, session.book.shape(frame()))
    check.inserted(list(session.new), session.info.pop("policy.set", {}))
    check.deleted(deleted_in(context))
    check.collected(session.info.pop("policy.inserted", []), list(session.new))


class Changed(Exception):  # carries the ORM's error past the translation
    """A row of a versioned model was changed by somebody else, and is not hidden."""


def _versioned(session: PolicyMixin) -> list[tuple[Any, Any, Any]]:
    """Return (mapper, key, version) of the changed rows whose model has a version column."""
    states = [inspect(one) for one in (*session.dirty, *session.deleted)]
    return [
        (state.mapper, state.key[1], state.dict.get(_version(state.mapper)))
        for state in states
        if state.mapper.version_id_col is not None and state.key is not None
    ]


def _version(mapper: Any) -> str:
    return str(mapper.get_property_by_column(mapper.version_id_col).key)


@contextmanager
def translated() -> Iterator[None]:
    """Turn the ORM's errors about rows that are not there into answers for a client."""
    try:
        yield
    except Changed as changed:
        raise changed.args[0] from None
    except (orm_exc.StaleDataError, orm_exc.ObjectDeletedError):
        raise NotFound("record", action="write") from None
    except Conflict as clash:
        raise clash from None  # its cause are the driver's words
