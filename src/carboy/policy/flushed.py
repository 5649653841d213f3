"""What a flush has written, asked back from the database inside the same transaction.

    inserted   each new row fulfils the create rule, its set fields may be set, and what
               its foreign keys refer to may be read
    deleted    each row is gone: a DELETE that hit nothing is only a warning of the ORM
    collected  rows of association tables, and INSERTs that no object stands for

The counts look at the tables themselves (`Inside`), so that hidden rows count.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa

from carboy.policy.binds import Inside
from carboy.policy.book import as_sql
from carboy.policy.clashes import absent
from carboy.policy.errors import Conflict, NotFound, NotPermitted, Refused
from carboy.policy.links import without
from carboy.policy.witness import Witnessed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import ColumnElement, orm

    from carboy.policy.book import Governed
    from carboy.policy.inserts import Collected
    from carboy.policy.rules import Columns, Condition, Shape

__all__ = ["FlushCheck", "fulfilling", "key_in"]

CHUNK = 200  # keys per statement: SQLite's parser refuses deeper trees than 1,000


class FlushCheck:
    """The checks after one flush, for the shape of who asks."""

    def __init__(self, session: Any, shape: Shape) -> None:
        self.session = session
        self.book = session.book
        self.shape = shape

    def creatable(self, objects: Iterable[Any]) -> None:
        """Raise NotPermitted when who asks may create no row of some class, whatever is in it."""
        for mapper in {sa.inspect(one).mapper for one in objects}:
            governed = self.book.governed(mapper.base_mapper.local_table)
            columns = cast("Columns", governed.table.c)
            if governed.rules["create"].condition(columns, self.shape) is False:
                raise _may_not_create(governed)

    def inserted(self, objects: list[Any], fields_set: dict[int, set[str]]) -> None:
        """Check new rows. Raises NotPermitted, or Conflict for what refers to hidden rows."""
        groups: dict[Any, list[Any]] = defaultdict(list)
        for one in objects:
            mapper = sa.inspect(one).mapper
            for table in mapper.tables:
                governed = self.book.governed(table)
                keys = fields_set.get(id(one), set()) & set(governed.fields)
                groups[mapper, governed, frozenset(keys)].append(one)
        for (mapper, governed, keys), found in groups.items():
            identities = [mapper.primary_key_from_instance(one) for one in found]
            self._all(mapper, governed, identities, self._referring(governed), _unknown)
            with without(list(governed.table.primary_key), identities):
                creating = self._creating(governed, keys)
            self._all(mapper, governed, identities, creating, _may_not_create)

    def deleted(self, states: list[Any]) -> None:
        """Check that rows are gone. Raises NotFound for those that the rule kept."""
        groups: dict[Any, list[Any]] = defaultdict(list)
        for state in states:
            if state.key is not None:
                groups[state.mapper].append(state.key[1])
        for mapper, identities in groups.items():
            governed = self.book.governed(mapper.base_mapper.local_table)
            rule = governed.condition("delete", cast("Columns", governed.table.c), self.shape)
            if rule is not True and self._count(mapper, governed, identities, True):
                raise NotFound(governed.name, action="delete")

    def collected(self, rows: Collected, objects: list[Any]) -> None:
        """Check rows of association tables. Raises NotPermitted, or Refused for strangers."""
        groups: dict[Governed, list[dict[str, Any]]] = defaultdict(list)
        for governed, values in rows:
            groups[governed].append(values)
        mapped = Counter(table for one in objects for table in sa.inspect(one).mapper.tables)
        for governed, found in groups.items():
            if governed.mapper is None:
                self._pairs(governed, found)
            elif len(found) > mapped[governed.table]:
                raise Refused(
                    "policy.insert_in_flush",
                    f"Rows of `{governed.table.name}` were inserted by a listener of the flush.",
                    hint="Add objects to the session instead of executing insert().",
                )

    def _pairs(self, governed: Governed, rows: list[dict[str, Any]]) -> None:
        columns = cast("Columns", governed.table.c)
        keys = [[row.get(column.key) for column in governed.table.c] for row in rows]
        with without(list(governed.table.c), keys):
            rule = governed.condition("create", columns, self.shape)
        where = [key_in(list(governed.table.c), keys[at : at + CHUNK])
                 for at in range(0, len(keys), CHUNK)]  # fmt: skip
        counts = (self._ask(governed, one, rule) for one in where)
        if rule is not True and sum(counts) < len(rows):
            raise absent(governed.name)

    def _creating(self, governed: Governed, keys: frozenset[str]) -> Condition:
        columns = cast("Columns", governed.table.c)
        rules = [governed.rules["create"].condition(columns, self.shape)]
        rules += governed.setting(set(keys), columns, self.shape)
        return _all_of(rules)

    def _referring(self, governed: Governed) -> Condition:
        columns = cast("Columns", governed.table.c)
        found: list[Condition] = []
        for key, rule in governed.foreign.items():
            condition = rule.condition(columns, self.shape)
            if condition is not True:
                found.append(sa.or_(columns[key].is_(None), as_sql(condition)))
        return _all_of(found)

    def _all(
        self,
        mapper: Any,
        governed: Governed,
        identities: list[Any],
        rule: Condition,
        error: Callable[[Governed], Exception],
    ) -> None:
        if rule is True:
            return
        if rule is False or self._count(mapper, governed, identities, rule) < len(identities):
            raise error(governed)

    def _count(
        self, mapper: orm.Mapper[Any], governed: Governed, identities: list[Any], rule: Condition
    ) -> int:
        """Return how many of the rows with these primary keys fulfil *rule*."""
        connection = self.session.connection(bind_arguments={"mapper": mapper})
        return fulfilling(connection, governed, identities, rule, Witnessed)

    def _ask(self, governed: Governed, keys: ColumnElement[bool], rule: Condition) -> int:
        connection = self.session.connection(bind_arguments={"clause": governed.table})
        return _ask(connection, governed, keys, rule, Witnessed)


def fulfilling(
    connection: sa.Connection,
    governed: Governed,
    identities: list[Any],
    rule: Condition,
    inside: type[Inside] = Inside,
) -> int:
    """Return how many of the rows with these primary keys fulfil *rule*, hidden ones too.

    inside: `Witnessed` when something is written because of the answer.
    """
    keys = list(governed.table.primary_key.columns)
    return sum(
        _ask(connection, governed, key_in(keys, identities[at : at + CHUNK]), rule, inside)
        for at in range(0, len(identities), CHUNK)
    )


def _ask(
    connection: sa.Connection,
    governed: Governed,
    keys: ColumnElement[bool],
    rule: Condition,
    inside: type[Inside],
) -> int:
    table = governed.table
    count = sa.select(sa.func.count()).select_from(table).where(keys, as_sql(rule))
    return int(connection.scalar(sa.select(inside(count.scalar_subquery()))))


def key_in(keys: list[Any], identities: list[Any]) -> ColumnElement[bool]:
    """Return the condition that the columns *keys* are one of *identities*, tuples."""
    if len(keys) == 1:
        return cast("ColumnElement[bool]", keys[0].in_([one[0] for one in identities]))
    return sa.or_(
        *(sa.and_(*(key == value for key, value in zip(keys, one, strict=True)))
          for one in identities)
    )  # fmt: skip


def _all_of(rules: list[Condition]) -> Condition:
    if any(rule is False for rule in rules):
        return False
    sql = [rule for rule in rules if not isinstance(rule, bool)]
    return sa.and_(*sql) if sql else True


def _may_not_create(governed: Governed) -> NotPermitted:
    return NotPermitted(
        f"You may not create this {governed.name}.",
        code="policy.create",
        action="create",
        about=governed.name,
    )


def _unknown(governed: Governed) -> Conflict:
    return absent(governed.name)
