"""Batches: a lazy relation is loaded for all rows of one result at once.

    for book in session.scalars(select(Book)): book.author.name
        first author   ->  one SELECT for the authors of all these books
        the others     ->  there already

An attribute that is touched and not loaded asks its loader; that is where we stand, so
what is never lazy costs nothing. The values wait beside the session and are handed out
as if each had been loaded by itself at that moment: what the session writes, expires or
rolls back meanwhile is seen as without us. Left to SQLAlchemy: relations with a
condition of their own, keys that the database compares otherwise than Python does, and
loads inside a flush.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.orm import Mapper, Session

from carboy.data import lazy

if TYPE_CHECKING:
    from carboy.data.lazy import Relation

__all__ = ["MOST", "Batching"]

MOST = 500  # keys in one statement: below the 999 variables of an old SQLite, two per key

KEPT = 10_000  # keys and rows of one relation; a long export must not keep all it saw

Key = tuple[Any, ...]


class Batching(Session):
    """A session whose lazy relations are loaded for all rows of a result.

    batches: switches it off. direct_writes: statements that wrote past the unit of work.
    """

    batches: bool = True
    direct_writes: int = 0
    waiting: Waiting | None = None

    def guard(self) -> Any:
        """Refuse to hand anything to who may not have it; a policy's mixin does."""

    def expire(self, *args: Any, **more: Any) -> None:
        """Expire an object; see SQLAlchemy."""
        _forget(self)
        super().expire(*args, **more)

    def expire_all(self) -> None:
        """Expire all objects; see SQLAlchemy."""
        self.waiting = None
        super().expire_all()

    def refresh(self, *args: Any, **more: Any) -> None:
        """Load an object again; see SQLAlchemy."""
        _forget(self)
        super().refresh(*args, **more)

    def expunge(self, *args: Any, **more: Any) -> None:
        """Let go of an object; see SQLAlchemy."""
        _forget(self)
        super().expunge(*args, **more)

    def expunge_all(self) -> None:
        """Let go of all objects; see SQLAlchemy."""
        self.waiting = None
        super().expunge_all()


class Waiting:
    """What was loaded ahead and not asked for yet, in one transaction of one session.

    known: relation to {key: value}. asked: relation to the keys that were ever loaded
    ahead: none is twice, so the work never exceeds that of loading one by one.
    held: rows that only the weak identity map would know otherwise. After KEPT keys of a
    relation its past is forgotten.
    """

    def __init__(self, transaction: object) -> None:
        self.transaction = transaction
        self.writes = 0
        self.known: dict[Relation, dict[Key, Any]] = {}
        self.asked: dict[Relation, set[Key]] = {}
        self.held: deque[Any] = deque(maxlen=KEPT)

    def written(self, tables: set[Any]) -> None:
        """Forget what was read from any of *tables*."""
        for relation in [one for one in self.known if not tables.isdisjoint(one.tables)]:
            del self.known[relation]


class Loader:
    """The loader of one relation's attribute, in place of SQLAlchemy's *plain* one."""

    def __init__(self, plain: Any, relationship: Any) -> None:
        self.plain = plain
        self._relationship = relationship
        self._relation: Relation | None = None
        self._read = False

    def __call__(self, state: Any, passive: Any) -> Any:
        """Return the value for *state*, as the plain loader would."""
        session = state.session
        if (
            passive != lazy.ANYTHING
            or not isinstance(session, Batching)
            or not session.batches
            or session._flushing
            or state.key is None
        ):
            return self.plain(state, passive)
        if not self._read:  # not earlier: the other mappers were not there yet
            self._relation, self._read = lazy.relation(self._relationship), True
        if self._relation is None:
            return self.plain(state, passive)
        return self._load(session, self._relation, state, passive)

    def _load(self, session: Batching, relation: Relation, state: Any, passive: Any) -> Any:
        if relation.by_key:
            there = self.plain(state, lazy.WITHOUT_SQL)
            if there is not lazy.NOT_THERE:
                return there
        key = relation.key(state)
        if key is None:
            return self.plain(state, passive)
        # SECURITY: no statement need follow, in which a policy would ask who wants to know.
        session.guard()
        session._autoflush()  # as the statement would
        waiting = _waiting(session)
        known = waiting.known.get(relation)
        if known is not None and key in known:
            return known[key] if relation.by_key else known.pop(key)
        keys = _ahead(session, relation, state, key, waiting.asked.setdefault(relation, set()))
        if not keys:
            return self.plain(state, passive)
        return self._fetch(session, relation, state, key, keys)

    def _fetch(
        self, session: Batching, relation: Relation, state: Any, key: Key, keys: list[Key]
    ) -> Any:
        found = relation.fetch(session, state, keys)
        waiting = _waiting(session)
        asked = waiting.asked.setdefault(relation, set())
        if len(asked) > KEPT:
            asked.clear()
            waiting.known.pop(relation, None)
        asked.update(keys)
        if found is None:
            return self.plain(state, lazy.ANYTHING)
        known = waiting.known.setdefault(relation, {})
        known.update(found)
        if relation.by_key:
            waiting.held.extend(found.values())
            return known[key]
        return known.pop(key)


def _ahead(
    session: Batching, relation: Relation, state: Any, key: Key, asked: set[Key]
) -> list[Key]:
    """Return the keys to load with that of *state*: its own, and those of its siblings.

    Siblings came in the same result, with the same options, and lack the same attribute.
    Empty when there are no others: then nothing is gained.
    """
    if key in asked:
        return []
    alone = True
    name, run, options = relation.name, state.runid, state.load_options
    keys = {key: None}
    for other in session.identity_map.all_states():
        if (
            other.runid == run
            and name not in other.dict
            and other.load_options == options
            and relation.has(other)
            and name not in other.callables
            and (its := relation.key(other)) is not None
            and its not in asked
            and not relation.is_there(session, its)
        ):
            alone = alone and other is state
            keys[its] = None
            if len(keys) == MOST:
                break
    return [] if alone else list(keys)


def _waiting(session: Batching) -> Waiting:
    """Return what waits in this transaction; nothing is left of one that ended."""
    transaction = session.get_transaction()
    waiting = session.waiting
    if waiting is None or waiting.transaction is not transaction:
        waiting = session.waiting = Waiting(transaction)
        waiting.writes = session.direct_writes
    elif waiting.writes != session.direct_writes:
        waiting.known.clear()
        waiting.writes = session.direct_writes
    return waiting


def _forget(session: Batching) -> None:
    if session.waiting is not None:
        session.waiting.known.clear()


@event.listens_for(Batching, "after_flush", propagate=True)
def _flushed(session: Any, context: Any) -> None:
    """Forget what the flush may have changed."""
    if session.waiting is None:
        return
    if lazy.deletes(context):
        _forget(session)
    else:
        rows = (*session.new, *session.dirty)
        session.waiting.written({table for row in rows for table in lazy.tables(row)})


@event.listens_for(Batching, "after_soft_rollback", propagate=True)
def _rolled_back(session: Any, transaction: Any) -> None:
    """Forget all: what was loaded after a savepoint may not be there any more."""
    session.waiting = None


@event.listens_for(Mapper, "mapper_configured")
def _stand_in(mapper: Any, cls: type) -> None:
    """Take the place of the loaders of a class's relations."""
    for relationship in mapper.relationships:
        attribute = lazy.attribute(mapper, relationship)
        if attribute is not None and not isinstance(attribute.callable_, Loader):
            attribute.callable_ = Loader(attribute.callable_, relationship)
