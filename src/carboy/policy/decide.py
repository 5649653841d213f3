"""Decide on an object: in Python where that is proven to agree, else in the database.

    decide(book, note, "update")   ->  True | False, without SQL when it is provable
                                       None: only the database knows
    allowed(session, note, ...)    ->  True | False: asks the database when need be

Only values that were loaded or flushed are looked at: what was merely assigned may read
differently once the database has stored it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa

from carboy.base.scope import frame
from carboy.policy.expressions import Unprovable, Values
from carboy.policy.flushed import fulfilling

if TYPE_CHECKING:
    from sqlalchemy import orm

    from carboy.policy.book import Rulebook
    from carboy.policy.rules import Columns

__all__ = ["allowed", "decide"]


def decide(book: Rulebook, row: Any, action: str) -> bool | None:
    """Return whether who asks may do *action* to *row*; None when only SQL can tell.

    action: "read", "update" or "delete"; who writes a row must also be able to see it.
    """
    scope = frame().scope
    if scope.system:
        return True
    governed = book.governed(sa.inspect(row).mapper.base_mapper.local_table)
    values = _loaded(row, frozenset(governed.fields))
    found = [governed.rules[name].decide(values, scope) for name in {"read", action}]
    return False if False in found else None if None in found else True


def allowed(session: orm.Session, book: Rulebook, row: Any, action: str) -> bool:
    """Return whether who asks may do *action* to *row*. At most one statement."""
    found = decide(book, row, action)
    return _asked(session, book, row, action) if found is None else found


def _asked(session: orm.Session, book: Rulebook, row: Any, action: str) -> bool:
    """SELECT the rule WHERE the key is the row's."""
    state = sa.inspect(row)
    if state.key is None:
        return False
    table = state.mapper.base_mapper.local_table
    governed = book.governed(table)
    rule = governed.condition(action, cast("Columns", table.c), book.shape(frame()))
    connection = session.connection(bind_arguments={"mapper": state.mapper})
    return bool(fulfilling(connection, governed, [state.key[1]], rule))


def _loaded(row: Any, protected: frozenset[str]) -> Values:
    """Return what looks up a column's value, as the database holds it.

    protected: the columns with a field rule, whose None may stand for what is hidden.
    """
    state = sa.inspect(row)
    mapper = state.mapper

    def values(key: str) -> Any:
        name = mapper.get_property_by_column(mapper.base_mapper.local_table.c[key]).key
        if name not in state.dict or name in state.committed_state:
            raise Unprovable
        value = state.dict[name]
        if value is None and key in protected:
            raise Unprovable
        return value

    return values
