"""Deleting a row that hidden rows hang on: as declared, or refused before anything is written.

    session.delete(book)  ->  before the flush  ->  follow()
        cascade declared     rows one may not delete oneself go with their parent, by the
                             parent's rule: deleted as the system, told to its listeners
        pairs                of a many-to-many: they mean nothing without their ends
        nothing declared     hidden rows refer to it: Conflict

The ORM sees only what may be seen, so of hidden rows it would know nothing. What the
database does itself (ON DELETE CASCADE) is not seen here, nor by a Core DELETE.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.sql import visitors

from carboy.base.scope import finding, frame, unscoped
from carboy.policy.binds import PolicyBind, constant
from carboy.policy.book import as_sql
from carboy.policy.clashes import SENTENCES
from carboy.policy.errors import Conflict, NotFound
from carboy.policy.flushed import fulfilling, key_in
from carboy.policy.witness import Witnessed

if TYPE_CHECKING:
    from carboy.base.scope import Scope
    from carboy.policy.book import Governed, Rulebook
    from carboy.policy.rules import Columns, Condition, Shape

__all__ = ["follow"]

CHUNK = 200  # keys per statement

Keys = list[tuple[Any, ...]]


@dataclass
class Behalf:
    """Rows of *table* that go with their parents. target: their mapper; None for pairs.

    below: what goes with them in turn, the deepest first.
    """

    parent: str
    table: sa.Table
    target: orm.Mapper[Any] | None
    keys: Keys = field(default_factory=list)
    below: list[Behalf] = field(default_factory=list)

    @property
    def rows(self) -> set[tuple[Any, Any]]:
        """The rows, each with what tells them from those of other models."""
        kind = self.table if self.target is None else self.target.base_mapper
        return {(kind, key) for key in self.keys}


def follow(session: Any, shape: Shape) -> None:
    """Let hidden rows follow the deleted objects of *session*, or refuse.

    One statement per model and per relation whose rows some rule hides; none when all may be
    deleted. That a row is there and may be deleted is seen to first: afterwards one that was
    hidden and one that never was could be told apart.
    Raises Conflict when hidden rows refer to a deleted one and nothing was declared,
    NotFound when an object may not be deleted that hidden rows would follow.
    """
    asked = _by_mapper(session)
    found = _all_followers(session, asked, shape)
    if _rows(found) & {(mapper.base_mapper, key) for mapper in asked for key in asked[mapper]}:
        # A row that refers to itself, or round in a circle, must not be its own parent here.
        may = {mapper: _deletable(session, mapper, asked[mapper], shape) for mapper in asked}
        found = _all_followers(session, may, shape)
    if found:
        _let_go(session, found)
    for mapper, keys in _by_mapper(session).items():
        _may_delete(session, mapper, keys, shape)
    for one in found:
        _delete(session, one)


def _by_mapper(session: Any) -> dict[orm.Mapper[Any], Keys]:
    """Return the keys of what is to be deleted."""
    groups: dict[orm.Mapper[Any], Keys] = defaultdict(list)
    for one in session.deleted:
        state = sa.inspect(one)
        if state.key is not None:
            groups[state.mapper].append(state.key[1])
    return groups


def _all_followers(session: Any, asked: dict[orm.Mapper[Any], Keys], shape: Shape) -> list[Behalf]:
    """Return what goes with the rows *asked*, each with all that is below it."""
    found = [
        one
        for mapper, keys in asked.items()
        for one in _followers(session, mapper, keys, shape)
        if one.keys
    ]
    for one in found:
        with finding(__name__):
            one.below = [*_descended(_connection(session, one), one, frozenset())]
    return _once(found)


def _rows(found: list[Behalf]) -> set[tuple[Any, Any]]:
    return {row for one in found for each in (one, *one.below) for row in each.rows}


def _deletable(session: Any, mapper: orm.Mapper[Any], keys: Keys, shape: Shape) -> Keys:
    """Return those of *keys* whose rows who asks may delete for themselves."""
    table = cast("sa.Table", mapper.base_mapper.local_table)
    rule = session.book.governed(table).condition("delete", cast("Columns", table.c), shape)
    if rule is True:
        return keys
    fulfilled = _as_asked(rule, frame().scope)
    found: Keys = []
    with finding(__name__):
        for at in range(0, len(keys), CHUNK):
            these = key_in([*table.primary_key], keys[at : at + CHUNK])
            query = sa.select(*table.primary_key).where(these, fulfilled)
            found += [tuple(row) for row in _connection(session, mapper).execute(query)]
    return found


def _followers(session: Any, mapper: orm.Mapper[Any], keys: Keys, shape: Shape) -> Iterator[Behalf]:
    """Yield the rows that go with the rows *keys* and could not be deleted by who asks."""
    book: Rulebook = session.book
    for prop in _leading_down(mapper):
        pairs = prop.secondary is not None
        table = cast("sa.Table", prop.secondary if pairs else _remote(prop)[0].table)
        governed = book.governed(table)
        columns = cast("Columns", table.c)
        if pairs or prop.cascade.delete:
            rule = governed.condition("delete", columns, shape)
            if rule is not True:
                name, target = mapper.class_.__name__, None if pairs else prop.mapper
                yield Behalf(name, table, target, _linked(session, mapper, prop, keys, rule))
        elif not prop.passive_deletes:
            rule = governed.condition("read", columns, shape)
            if rule is not True and _linked(session, mapper, prop, keys, rule):
                _may_delete(session, mapper, keys, shape)  # else the row itself is told of
                raise Conflict(409, "data.in_use", SENTENCES["in_use"], about=governed.name)


def _leading_down(mapper: orm.Mapper[Any]) -> list[orm.RelationshipProperty[Any]]:
    return [
        prop
        for prop in mapper.relationships
        if not prop.viewonly and prop.direction is not orm.MANYTOONE
    ]


def _local(prop: orm.RelationshipProperty[Any]) -> list[Any]:
    return [local for local, _ in prop.synchronize_pairs]


def _remote(prop: orm.RelationshipProperty[Any]) -> list[Any]:
    return [remote for _, remote in prop.synchronize_pairs]


def _linked(
    session: Any,
    mapper: orm.Mapper[Any],
    prop: orm.RelationshipProperty[Any],
    keys: Keys,
    rule: Condition,
) -> Keys:
    """Return the keys of the rows below *keys* that do not fulfil *rule*."""
    connection = _connection(session, mapper)
    unfulfilled = sa.case((_as_asked(rule, frame().scope), 0), else_=1) == 1
    with finding(__name__):
        return _below(connection, prop, keys, unfulfilled)


def _below(
    connection: sa.Connection, prop: orm.RelationshipProperty[Any], keys: Keys, *more: Any
) -> Keys:
    """Return the keys of the rows below the rows *keys*. Runs as the system."""
    local, remote = _local(prop), _remote(prop)
    table = remote[0].table
    # An association table need not have a key: all its columns are one.
    columns = list(table.primary_key) or list(table.c)
    found: Keys = []
    for at in range(0, len(keys), CHUNK):
        above = sa.select(*local).where(
            key_in(list(local[0].table.primary_key), keys[at : at + CHUNK])
        )
        here = remote[0] if len(remote) == 1 else sa.tuple_(*remote)
        query = sa.select(*columns).where(here.in_(above), *more)
        found += [tuple(row) for row in connection.execute(query)]
    return found


def _as_asked(rule: Condition, who: Scope) -> Any:
    """Return *rule* with the values of *who* in it, to be run as the system."""

    def fixed(part: Any, **_: Any) -> Any:
        if isinstance(part, PolicyBind) and part.source != "constant":
            return constant(part.now(who), part.type)
        return None

    return visitors.replacement_traverse(as_sql(rule), {}, cast("Any", fixed))


def _descended(connection: sa.Connection, one: Behalf, above: frozenset[Any]) -> Iterator[Behalf]:
    """Yield what goes with the rows of *one*, the deepest first. above: rows on the way."""
    above |= one.rows
    if one.target is None:
        return
    name = one.target.class_.__name__
    mappers = one.target.base_mapper.self_and_descendants
    for prop in {prop for mapper in mappers for prop in _leading_down(mapper)}:
        pairs = prop.secondary is not None
        if not pairs and (not prop.cascade.delete or prop.passive_deletes):
            continue
        table = cast("sa.Table", prop.secondary if pairs else prop.mapper.local_table)
        next_ = Behalf(name, table, None if pairs else prop.mapper)
        next_.keys = _below(connection, prop, one.keys)
        next_.keys = [key for _, key in next_.rows - above]
        if next_.keys:
            yield from _descended(connection, next_, above)
            yield next_


def _once(found: list[Behalf]) -> list[Behalf]:
    """Return *found* without the rows that go with others of them already."""
    lower = {row for one in found for below in one.below for row in below.rows}
    for one in found:
        one.keys = [key for _, key in sorted(one.rows - lower, key=lambda row: str(row[1]))]
    return [one for one in found if one.keys]


def _let_go(session: Any, found: list[Behalf]) -> None:
    """Take the objects of those rows out of the session: it could not delete them."""
    gone = _rows(found)
    for state in session.identity_map.all_states():
        if (state.mapper.base_mapper, state.key[1]) in gone and state.obj() is not None:
            session.expunge(state.obj())
    for one in session.deleted:  # what it holds of them is read again by the flush
        mapper = sa.inspect(one).mapper
        session.expire(one, [prop.key for prop in _leading_down(mapper)])


def _may_delete(session: Any, mapper: orm.Mapper[Any], keys: Keys, shape: Shape) -> None:
    governed: Governed = session.book.governed(mapper.base_mapper.local_table)
    rule = governed.condition("delete", cast("Columns", governed.table.c), shape)
    if rule is True:
        return
    if fulfilling(_connection(session, mapper), governed, keys, rule, Witnessed) < len(keys):
        raise NotFound(governed.name, action="delete")


def _delete(session: Any, one: Behalf) -> None:
    """Delete the rows as the system; on an error, as if none had been."""
    connection = _connection(session, one)
    name = one.table.name if one.target is None else one.target.class_.__name__
    with unscoped(f"cascade: {len(one.keys)} x {name} deleted with {one.parent}"):
        try:
            with connection.begin_nested():
                for each in (*one.below, one):
                    _delete_rows(connection, each)
            return
        except sa.exc.IntegrityError:
            pass
    raise Conflict(409, "data.in_use", SENTENCES["in_use"], about=name)


def _delete_rows(connection: sa.Connection, one: Behalf) -> None:
    mappers = one.target.base_mapper.self_and_descendants if one.target is not None else ()
    tables = dict.fromkeys([table for mapper in mappers for table in mapper.tables] or [one.table])
    for table in cast("list[sa.Table]", [*reversed(tables)]):
        columns = list(table.primary_key) or list(table.c)
        for at in range(0, len(one.keys), CHUNK):
            connection.execute(sa.delete(table).where(key_in(columns, one.keys[at : at + CHUNK])))


def _connection(session: Any, one: Any) -> sa.Connection:
    """Return the connection for the rows of a mapper or of a Behalf."""
    mapper = getattr(one, "target", one)
    arguments = {"clause": one.table} if mapper is None else {"mapper": mapper}
    found: sa.Connection = session.connection(bind_arguments=arguments)
    return found
