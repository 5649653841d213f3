"""What blocks or copies on MariaDB 10.11 with InnoDB.

The server chooses the least disturbing algorithm by itself, and copies the table, with
writers kept out, when there is no other. "InnoDB Online DDL Overview" and its pages on
INSTANT, NOCOPY and INPLACE say which; each case here was also tried on a server
(tests/migrations/test_safety_mariadb.py). Each statement of DDL commits by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Enum

from carboy.data.migrations.rules import Found, Rules, parts_of, wider_text

if TYPE_CHECKING:
    from carboy.data.migrations.change import Change

__all__ = ["MariaDBRules"]

BYTES = 4  # for a character of utf8mb4


class MariaDBRules(Rules):
    """What is unsafe on MariaDB."""

    not_null_blocks = "MODIFY forgets the default and comment that it does not repeat."

    def add_column(self, change: Change) -> Found:
        """Add a column without writing rows."""
        yield from super().add_column(change)
        # "INSTANT ADD COLUMN": constants and the time of the statement. DEFAULT (uuid()) copies
        # the table; DEFAULT (rand()) is instant, and gives every row the same number.
        if change.stored:
            yield "rewrite", "A stored column is computed for each row while nobody can write."
        elif self.volatile(change):
            yield "volatile_default", "The table is copied, or all rows get the same value."

    def type(self, change: Change) -> Found:
        """Change a type only where the server does it at once."""
        column = self.state.column(change.table, change.name)
        said = change.old if column is None else column.type
        if isinstance(change.new, Enum) and change.new.native_enum:
            # "INSTANT", changing the data type: values may be added at the end.
            before = list(said.enums) if isinstance(said, Enum) else []
            if not before or list(change.new.enums)[: len(before)] != before:
                yield from self.enum(change)
            return
        old, new = self.state.type_before(change), self.state.type(change.new)
        if not old or not new or not (old == new or _instantly_wider(old, new)):
            yield "type", f"From {old or 'an unknown type'} to {new or 'that'} copies the table."

    def create_index(self, change: Change) -> Found:
        """Build it while others write, which most indexes allow."""
        # "INPLACE", ADD INDEX: LOCK=NONE; ADD FULLTEXT INDEX and ADD SPATIAL INDEX: LOCK=SHARED.
        if change.special:
            yield "index", "Nobody can write while a full-text or spatial index is built."

    def foreign_key(self, change: Change) -> Found:
        """Add it unchecked, look at the rows afterwards."""
        # "INPLACE", ADD FOREIGN KEY: only with foreign_key_checks = 0; else the table is copied.
        if not change.online and not change.guarded:
            yield "foreign_key", "The table is copied, and nobody can write meanwhile."

    def check(self, change: Change) -> Found:
        """There is no way but the slow one."""
        # "INSTANT" and "INPLACE" list it not: ADD CONSTRAINT CHECK supports ALGORITHM=COPY only.
        yield from super().check(change)
        yield "check", "The table is copied, and nobody can write meanwhile."


def _instantly_wider(old: str, new: str) -> bool:
    """Tell whether VARCHAR grows without a byte more for its length."""
    # "INSTANT", changing the data type: not where a length of at most 255 bytes grows beyond,
    # but from 127 bytes or less it may (MDEV-15563).
    first, second = _size(old), _size(new)
    if first is None or second is None or not wider_text(old, new):
        return False
    return second <= 255 or first > 255 or first <= 127


def _size(written: str) -> int | None:
    name, length, *_ = parts_of(written)
    return None if name != "VARCHAR" or length is None else length * BYTES
