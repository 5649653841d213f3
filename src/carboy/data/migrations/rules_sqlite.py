"""What loses something, or cannot be done, on SQLite.

There is one writer at a time: a step makes other writers wait as long as it takes, and no
form of it would not. Readers go on (WAL). So it is long waits, lost definitions and lost
values that are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from carboy.data.migrations.rules import Found, Rules, parts_of, wider_text

if TYPE_CHECKING:
    from carboy.data.migrations.change import Change

__all__ = ["SQLiteRules"]

# sqlite.org/lang_altertable.html, section 1: rename, add and drop column; nothing else.
REBUILDS = {"type", "not_null", "nullable", "set_default", "drop_default", "unique",
            "foreign_key", "check", "drop_constraint", "primary_key"}  # fmt: skip


class SQLiteRules(Rules):
    """What is unsafe on SQLite."""

    not_null_blocks = "Nothing in this migration fills the rows that have no value."

    def judge(self, change: Change) -> Found:
        """Refuse what needs a rebuild and would get none, or one that loses things."""
        if change.table not in self.state.created and not change.online:
            if change.batch == "alembic":
                # Seen: triggers, collations, AUTOINCREMENT and its count, indexes on
                # expressions and checks without a name are gone afterwards; and with foreign
                # keys on, DROP TABLE deletes what refers to it (sqlite.org/foreignkeys.html, 5).
                yield "rebuild", "Alembic's copy leaves out triggers, AUTOINCREMENT, collations."
            elif change.batch == "" and change.kind in REBUILDS:
                yield "rebuild", "SQLite's ALTER TABLE cannot do this."
        yield from super().judge(change)

    def not_null(self, change: Change) -> Found:
        """A copy with a value missing is refused as a whole, so fill it first."""
        column = self.state.column(change.table, change.name)
        filled = (change.table, change.name) in self.state.filled
        if not filled and (column is None or column.nullable):
            yield "not_null", self.not_null_blocks

    def add_column(self, change: Change) -> Found:
        """Add a column with a default that ALTER TABLE can keep once."""
        yield from super().add_column(change)
        # sqlite.org/lang_altertable.html, section 4: no CURRENT_TIMESTAMP, no expression in
        # parentheses; a stored generated column cannot be added.
        expression = change.default is not None and not self._constant(change.default)
        if change.stored:
            yield "rewrite", "SQLite cannot add a stored column to a table that is there."
        elif expression and not change.online and change.batch != "ours":
            yield "volatile_default", "ALTER TABLE takes no default but a constant."

    def type(self, change: Change) -> Found:
        """Change a type where values stay what they are."""
        # sqlite.org/datatype3.html, section 3.1; the copy casts what changes its affinity, and
        # CAST('2026-05-01' AS DATETIME) is 2026.
        old = self.state.type_before(change)
        new = self.state.type(change.new)
        whole = {"INTEGER", "BIGINT", "SMALLINT"}
        same = old == new or wider_text(old, new) or {parts_of(old)[0], parts_of(new)[0]} <= whole
        if not old or not new or not same:
            yield "type", f"From {old or 'an unknown type'} to {new or 'that'} may change values."

    def rewrite(self, change: Change) -> Found:
        """VACUUM and REINDEX hold the file as long as they take."""
        yield "rewrite", "Nobody can write meanwhile, and VACUUM refuses to run in a transaction."

    def _constant(self, default: str) -> bool:
        plain = default.strip()
        return (
            not plain.startswith("(")
            and "(" not in plain
            and not plain.lower().startswith("current_")
        )
