"""What blocks or rewrites on PostgreSQL 15.

Most forms of ALTER TABLE take an ACCESS EXCLUSIVE lock; what counts is whether they are
done at once or look at the rows while they hold it. The manual's sections are named.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import Enum

from carboy.data.migrations.rules import Found, Rules, parts_of, wider_text

if TYPE_CHECKING:
    from carboy.data.migrations.change import Change

__all__ = ["PostgreSQLRules"]

# "Explicit Locking" 13.3.1: each of these keeps writers out, most also readers.
LOCKS = {"add_column", "drop_column", "rename_table", "rename_column", "drop_table", "type",
         "not_null", "nullable", "set_default", "drop_default", "create_index", "drop_index",
         "unique", "foreign_key", "check", "primary_key", "drop_constraint", "rewrite", "lock",
         "search", "drop_search"}  # fmt: skip


class PostgreSQLRules(Rules):
    """What is unsafe on PostgreSQL."""

    def add_column(self, change: Change) -> Found:
        """Add a column without writing rows."""
        yield from super().add_column(change)
        # ALTER TABLE, "Notes": a volatile default, an identity column and a stored generated
        # column rewrite the table; any other default is kept once, in the catalogue.
        if change.stored:
            yield "rewrite", "A stored column is computed for each row while nobody can read."
        elif self.volatile(change):
            yield "volatile_default", "The default differs by row, so the whole table is rewritten."

    def type(self, change: Change) -> Found:
        """Change a type only where the rows stay as they are."""
        old = self.state.type_before(change)
        new = self.state.type(change.new)
        if isinstance(change.new, Enum) and change.new.native_enum:
            yield from self.enum(change)
        elif not old or not new or not _same_storage(old, new):
            yield "type", f"From {old or 'an unknown type'} to {new or 'that'} rewrites the table."

    def create_index(self, change: Change) -> Found:
        """Build it while others write."""
        # CREATE INDEX, "Building Indexes Concurrently": without it, writers wait; with it,
        # the statement refuses to run inside a transaction.
        if change.online:
            return
        if not change.concurrently:
            yield "index", "Nobody can write to the table while the index is built."
        elif self.state.transactional and not change.autocommit:
            yield "transaction", "CONCURRENTLY does not run inside a transaction."

    def drop_index(self, change: Change) -> Found:
        """Drop it without waiting in front of others."""
        # DROP INDEX: without CONCURRENTLY it takes an ACCESS EXCLUSIVE lock on the table.
        yield from super().drop_index(change)
        if change.online:
            return
        if not change.concurrently:
            yield "drop_index", "It locks the table, and waits for every transaction before."
        elif self.state.transactional and not change.autocommit:
            yield "transaction", "CONCURRENTLY does not run inside a transaction."

    def unique(self, change: Change) -> Found:
        """Build the index first."""
        # ALTER TABLE, ADD table_constraint_using_index: the constraint alone is quick.
        if not change.online and not change.using_index:
            yield "unique", "Nobody can read or write while its index is built."

    def foreign_key(self, change: Change) -> Found:
        """Prove it apart."""
        # ALTER TABLE, "Notes": NOT VALID does not scan; VALIDATE takes SHARE UPDATE EXCLUSIVE.
        if not change.online and not change.not_valid:
            yield "foreign_key", "Nobody writes to either table while every row is looked at."

    def check(self, change: Change) -> Found:
        """Prove it apart."""
        yield from super().check(change)
        if not change.online and not change.not_valid:
            yield "check", "Nobody can read or write while every row is looked at."

    def validate(self, change: Change) -> Found:
        """Prove it when the lock of adding it is gone."""
        if self.state.transactional and (change.table, change.name) in self.state.unproven:
            yield "transaction", "The lock that added it is held while every row is looked at."

    def judge(self, change: Change) -> Found:
        """Our steps commit first; AddColumn only when another table is closed."""
        commits = change.online and change.kind != "add_column"
        if commits or change.autocommit or not self.state.transactional:
            self.state.holding.clear()
            self.state.unproven.clear()
            return super().judge(change)
        return self._held(change)

    def _held(self, change: Change) -> Found:
        """Judge what keeps its lock to the end of the transaction."""
        yield from super().judge(change)
        # "Explicit Locking" 13.3.4: locks last until the transaction ends, so a second table
        # keeps the first one closed while it is waited for, and others may deadlock with it.
        if change.kind in LOCKS and change.table:
            tables = {change.table, *([change.target] if change.target else [])}
            tables -= self.state.created
            others = self.state.holding - tables
            if others and (change.online or change.batch == "ours"):
                self.state.holding.clear()  # Work.alone() commits first
            elif others and tables:
                why = f"It waits for {change.table} while it keeps {min(others)} closed."
                yield "transaction", why
            self.state.holding |= tables
        if change.not_valid:
            self.state.unproven.add((change.table, change.name))


def _same_storage(old: str, new: str) -> bool:
    """Tell whether rows and indexes stay as they are."""
    # ALTER TABLE, "Notes": no rewrite where the old type is binary coercible to the new one;
    # a changed collation rebuilds the indexes. Growing varchar and numeric: release notes of 9.2.
    if old == new or wider_text(old, new):
        return True
    name, digits, places, rest = parts_of(old)
    other: Any = parts_of(new)
    if name == other[0] == "NUMERIC" and rest == other[3]:
        return other[1] is None or (
            digits is not None and places == other[2] and other[1] >= digits
        )
    return bool(re.fullmatch(r"(TIMESTAMP|TIME)\(\d\).*", old)) and new == re.sub(
        r"\(\d\)", "", old
    )
