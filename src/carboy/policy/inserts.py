"""INSERT: what may be created, decided on the values, or by the database.

compiled()     INSERT .. SELECT gets WHERE rule(values); what cannot be checked is refused
Inserted       at execution: the values of each row, decided in Python
collecting()   inside a flush: the rows are kept, and the session asks the database
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa

from carboy.policy import seam
from carboy.policy.binds import constant
from carboy.policy.book import as_sql
from carboy.policy.errors import NotPermitted, Refused
from carboy.policy.expressions import Unprovable
from carboy.policy.rules import Both
from carboy.policy.witness import Witnessed

if TYPE_CHECKING:
    from carboy.base.scope import Scope
    from carboy.policy.book import Governed
    from carboy.policy.links import Refers
    from carboy.policy.rules import Columns, Condition, Shape

__all__ = ["Collected", "Inserted", "collecting", "compiled", "may_refer"]

Collected = list[tuple["Governed", dict[str, Any]]]

_ASKED = {"current_user": "user", "current_tenant": "tenant"}

_collected: ContextVar[Collected | None] = ContextVar("carboy.policy.inserts", default=None)


@contextmanager
def collecting() -> Iterator[Collected]:
    """Keep what is inserted in the block; who opens it must check it afterwards."""
    found: Collected = []
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)


def compiled(insert: Any, governed: Governed, shape: Shape) -> tuple[Any, Inserted | None]:
    """Return the statement to compile, and what its rows are checked by when it is executed.

    None: every row may be inserted, or the statement itself sees to it.
    Raises NotPermitted when none may, Refused for what would overwrite hidden rows.
    """
    for prefix, _ in insert._prefixes:
        if "REPLACE" in str(getattr(prefix, "text", prefix)).upper():
            raise _replace()
    columns = cast("Columns", governed.table.c)
    rule = governed.rules["create"].condition(columns, shape)
    if rule is False:
        raise _not_permitted(governed)
    foreign = (one.condition(columns, shape) for one in governed.foreign.values())
    if rule is True and not governed.fields and all(one is True for one in foreign):
        return insert, None
    if insert.select is not None:
        return _selecting(insert, governed, shape), None
    rows = seam.rows_inserted(insert)
    keys = frozenset(seam.set_values(insert)).union(*rows)
    return insert, Inserted(governed, len(rows), keys)


@dataclass(frozen=True)
class Inserted:
    """The check of what an INSERT inserts.

    rows: how many are in one values(), 0 for one row. keys: columns that values() sets.
    """

    governed: Governed
    rows: int
    keys: frozenset[str]

    def check(self, values: dict[str, Any], prefetched: Any, scope: Scope) -> None:
        """Check the rows. values: by name of the bind. prefetched: columns with a default.

        Raises NotPermitted, or Refused when only the database could tell.
        """
        known = _with_defaults(values, prefetched, scope)
        for number in range(max(1, self.rows)):
            given = _row(known, number, self.governed) if self.rows else known
            # An expression in values() has no value here: the database computes it.
            unknown = self.keys - set(given)
            _check(self.governed, given, unknown, scope)


def may_refer(
    governed: Governed, keys: set[str], columns: Columns, shape: Shape
) -> list[Condition]:
    """Return, per foreign key in *keys*, that its row may be read, or that there is none."""
    found: list[Condition] = []
    for key in sorted(keys & set(governed.foreign)):
        rule = governed.foreign[key].condition(columns, shape)
        if rule is not True:
            found.append(sa.or_(columns[key].is_(None), as_sql(rule)))
    return found


class _Values(dict[str, Any]):
    """Column key to what INSERT .. SELECT sets it to; raises Unprovable for what is not known."""

    def __missing__(self, key: str) -> Any:
        raise Unprovable(key)


def _selecting(insert: Any, governed: Governed, shape: Shape) -> Any:
    """Return INSERT .. SELECT of those rows only that may be inserted."""
    source = insert.select.subquery("carboy_rows")
    keys = seam.selected_keys(insert)
    values = _Values(zip(keys, source.c, strict=True))
    for column in governed.table.c:
        if column.key not in values and (default := _default(column)) is not None:
            values[column.key] = default
    try:
        rules = [
            governed.rules["create"].condition(values, shape),
            *governed.setting(set(keys), values, shape),
            *may_refer(governed, set(keys), values, shape),
        ]
    except Unprovable as unknown:
        raise Refused(
            "policy.insert_select",
            f"What INSERT .. SELECT puts into `{governed.table.name}` cannot be checked:"
            f" its rule is about {unknown.args[0]!r}, which is not among the columns.",
            hint="Select that column too, or read the rows and add objects.",
            about=governed.name,
        ) from None
    checks = [Witnessed(as_sql(rule)) for rule in rules if rule is not True]
    return seam.selecting(insert, sa.select(*source.c).where(*checks))


def _default(column: Any) -> Any:
    """Return what a column is set to that is not mentioned; None when nobody can know."""
    if column.server_default is not None or column.primary_key or column.computed is not None:
        return None
    if column.default is None:
        return sa.cast(sa.null(), column.type)
    return constant(column.default.arg, column.type) if column.default.is_scalar else None


def _with_defaults(values: dict[str, Any], prefetched: Any, scope: Scope) -> dict[str, Any]:
    """Return *values* with the defaults that are known; those computed later are not."""
    known = dict(values)
    for column in prefetched:
        if column.default is not None and column.default.is_scalar:
            known[column.key] = column.default.arg
        elif (asked := _asked_of(column)) is not None:
            known[column.key] = getattr(scope, asked)
        else:
            known.pop(column.key, None)
    return known


def _asked_of(column: Any) -> str | None:
    """Return "user" or "tenant" for a column whose default is "current_user", ..."""
    provider = getattr(getattr(column.default, "arg", None), "provider", "")
    return _ASKED.get(provider)


def _row(known: dict[str, Any], number: int, governed: Governed) -> dict[str, Any]:
    """Return the values of one row of several: their names end in its number."""
    row = {}
    for column in governed.table.c:
        name = f"{column.key}_m{number}"
        if name in known:
            row[column.key] = known[name]
        elif number == 0 and column.key in known:
            row[column.key] = known[column.key]
    return row


def _check(
    governed: Governed, given: dict[str, Any], unknown: frozenset[str], scope: Scope
) -> None:
    collected = _collected.get()
    if collected is not None:
        collected.append((governed, given))
        return
    found = _decide(governed, given, unknown, scope)
    if found is None:
        raise Refused(
            "policy.insert",
            f"Whether this row of `{governed.table.name}` may be created is not certain"
            " before it is there.",
            hint="Add it as an object: session.add(...). The flush asks the database.",
            about=governed.name,
        )
    if not found:
        raise _not_permitted(governed)


def _decide(
    governed: Governed, given: dict[str, Any], unknown: frozenset[str], scope: Scope
) -> bool | None:
    def values(key: str) -> Any:
        if key not in given:
            raise Unprovable
        return given[key]

    found = governed.rules["create"].decide(values, scope)
    for key, one in governed.fields.items():
        if found and (key in unknown or given.get(key) is not None):
            found = one.write.decide(values, scope)
    for key in governed.foreign:
        set_ = key in unknown or given.get(key) is not None
        if found and set_ and not _open(governed, key, given.get(key), scope):
            found = None
    return found


def _open(governed: Governed, key: str, value: Any, scope: Scope) -> bool:
    """Whether the row that *key* refers to by *value* is visible to *scope* if it exists.

    Of that row the key alone is known: enough for a tenant's own row, or one's own.
    """
    rule = governed.foreign[key]
    for part in rule.parts if isinstance(rule, Both) else (rule,):
        link = cast("Refers", part).link
        target = link.pairs[0][1].key

        def values(name: str, target: str = target) -> Any:
            if name != target or value is None:
                raise Unprovable
            return value

        if link.target_rule().decide(values, scope) is not True:
            return False
    return True


def _not_permitted(governed: Governed) -> NotPermitted:
    return NotPermitted(
        f"You may not create this {governed.name}.",
        code="policy.create",
        action="create",
        about=governed.name,
    )


def _replace() -> Refused:
    return Refused(
        "policy.replacing",
        "INSERT OR REPLACE would delete rows that are hidden.",
        hint="Read the row first and update it, or wrap it in `with unscoped('why'):`.",
    )
