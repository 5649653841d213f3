"""INSERT: what may be created, decided on the values, or after the flush by the database.

statement()   at compile: allowed for everybody here, or to be checked, or Refused
values()      at execution: the values of one row, decided in Python
collecting()  inside a flush: the rows are kept, and the session asks the database
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

from carboy.policy.errors import NotPermitted, Refused, tell
from carboy.policy.expressions import Unprovable

if TYPE_CHECKING:
    from carboy.base.scope import Scope
    from carboy.policy.book import Governed
    from carboy.policy.rules import Columns, Shape

__all__ = ["Collected", "check_insert", "collecting"]

Collected = list[tuple["Governed", dict[str, Any]]]

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


class check_insert:  # a namespace of two functions, read as verbs
    """The two checks of an INSERT."""

    @staticmethod
    def statement(compiler: Any, insert: Any, governed: Governed, shape: Shape) -> bool:
        """Return whether every row may be inserted; refuse what cannot be checked at all."""
        for prefix, _ in insert._prefixes:
            if "REPLACE" in str(getattr(prefix, "text", prefix)).upper():
                raise _replace()
        columns = cast("Columns", governed.table.c)
        rule = governed.rules["create"].condition(columns, shape)
        if rule is False:
            raise _not_permitted(governed)
        free = rule is True and not governed.fields
        free = free and all(
            one.condition(columns, shape) is True for one in governed.foreign.values()
        )
        if not free and insert.select is not None:
            raise Refused(
                "policy.insert_select",
                f"What INSERT .. SELECT puts into `{governed.table.name}` cannot be checked.",
                hint="Read the rows and add objects, or wrap it in `with unscoped('why'):`.",
            )
        if not free and insert._multi_values:
            raise Refused(
                "policy.insert_multi",
                f"Several rows in one values() of `{governed.table.name}` cannot be checked.",
                hint="Pass the rows to execute(): execute(insert(Book), [{...}, {...}]).",
            )
        return free

    @staticmethod
    def values(governed: Governed, given: dict[str, Any], scope: Scope) -> None:
        """Check the values of one row (bind name to value), or keep them for the flush."""
        collected = _collected.get()
        if collected is not None:
            collected.append((governed, given))
            return
        found = _decide(governed, given, scope)
        if found is None:
            raise Refused(
                "policy.insert",
                f"Whether this row of `{governed.table.name}` may be created is not certain"
                " before it is there.",
                hint="Add it as an object: session.add(...). The flush asks the database.",
            )
        if not found:
            raise _not_permitted(governed)


def _decide(governed: Governed, given: dict[str, Any], scope: Scope) -> bool | None:
    def values(key: str) -> Any:
        if key not in given:
            raise Unprovable
        return given[key]

    found = governed.rules["create"].decide(values, scope)
    for key, one in governed.fields.items():
        if found and given.get(key) is not None:
            found = one.write.decide(values, scope)
    for key in governed.foreign:
        if found and given.get(key) is not None and not _open(governed, key, scope):
            found = None
    return found


def _open(governed: Governed, key: str, scope: Scope) -> bool:
    """Whether all that *key* may refer to is visible to *scope*, whoever it is."""
    return governed.foreign[key].decide(lambda _: None, scope) is True


def _not_permitted(governed: Governed) -> NotPermitted:
    return tell(
        NotPermitted(f"You may not create this {governed.name}.", code="policy.create"),
        governed.table.name,
    )


def _replace() -> Refused:
    return Refused(
        "policy.replacing",
        "INSERT OR REPLACE would delete rows that are hidden.",
        hint="Read the row first and update it, or wrap it in `with unscoped('why'):`.",
    )
