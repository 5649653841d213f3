"""Witnesses: rows of others that a rule leans on, locked while something is written by it.

    UPDATE note SET .. WHERE EXISTS (SELECT 1 FROM member .. FOR SHARE)

Without the lock a membership that ends meanwhile still counts: READ COMMITTED looks again at
the row that is written when it had to wait for it, but at others only when it locks them.
Where the rule names keys alone it is FOR KEY SHARE, which a foreign key takes anyway and which
lets a counter of that row change; else FOR SHARE, as the columns it names must stay, too.
MariaDB has LOCK IN SHARE MODE for both. SQLite has one writer: whoever writes sees what was
committed last, and nobody changes it meanwhile.
That something is *absent* cannot be locked: `~related(...)` needs transaction(alone=True).
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import visitors

from carboy.policy.binds import Inside

__all__ = ["Witnessed", "by_keys"]


class Witnessed(Inside):
    """A rule that decides on a write; rendered by `Writes.visit_policy_witnessed`."""

    __visit_name__ = "policy_witnessed"
    inherit_cache = True


def by_keys(rule: sa.ColumnElement[bool] | bool, there: Any) -> bool:
    """Tell whether *rule* names only columns of *there* that are part of a key.

    there: an alias of a table.
    """
    if isinstance(rule, bool):
        return True
    table = there.element
    unique = (one for one in table.constraints if isinstance(one, sa.UniqueConstraint))
    keys = {column.key for one in (table.primary_key, *unique) for column in one.columns}
    named = {
        part.key
        for part in visitors.iterate(rule)
        if isinstance(part, sa.ColumnClause) and part.table is there
    }
    return named <= keys
