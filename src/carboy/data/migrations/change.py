"""A change of a database, as the rules see it: what, where, and the facts that matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Change"]


@dataclass(frozen=True)
class Change:
    """One change.

    kind: create_table, drop_table, rename_table, add_column, drop_column, rename_column,
        type, not_null, nullable, set_default, drop_default, comment, create_index,
        drop_index, unique, foreign_key, check, validate, primary_key, drop_constraint,
        rows (UPDATE and the like), insert (a few rows), backfill, rewrite, lock, enum,
        search, drop_search, harmless, unclear.
    table: "" when unknown. name: of the column, index or constraint.
    online: done by one of our steps. batch, autocommit, line: as in Recorded.
    concurrently, not_valid, using_index: said to PostgreSQL.
    guarded: MariaDB was told to refuse rather than to block. special: FULLTEXT, SPATIAL.
    required, key, stored, default: of a new column: NOT NULL, primary key, computed and
        kept, SQL of the default or None. if_missing: IF NOT EXISTS.
    old, new: types; new also: a name, a condition, the kind of a dropped constraint.
    columns: that are filled or searched. target: that a foreign key refers to.
    said: the SQL, or why it is unclear.
    """

    kind: str
    table: str = ""
    name: str = ""
    online: bool = False
    concurrently: bool = False
    not_valid: bool = False
    using_index: bool = False
    guarded: bool = False
    unique: bool = False
    special: bool = False
    required: bool = False
    stored: bool = False
    key: bool = False
    if_missing: bool = False
    default: str | None = None
    old: Any = None
    new: Any = None
    columns: tuple[str, ...] = ()
    target: str = ""
    said: str = ""
    batch: str = ""
    autocommit: bool = False
    line: int = 0
