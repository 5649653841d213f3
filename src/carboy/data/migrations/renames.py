"""Renames: asked about, never guessed.

    books loses name, gets title; both are text   ->  suspects()  ->  Suspect("books.name", ...)
    "books.name=title" or "books.name" is gone    ->  resolve()   ->  RenameColumn, or as it was

To the comparison a renamed column is one that goes and one that comes. Taken at its word,
that would lose its values.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from alembic.ddl.impl import DefaultImpl
from alembic.operations import ops

from carboy.base.errors import SetupError

__all__ = ["RenameColumn", "RenameTable", "Suspect", "resolve", "suspects", "unclear"]

ALIKE = 0.5  # share of column names that two tables have in common
FAMILIES = {
    "TEXT": "text", "LONGTEXT": "text", "CHAR": "text", "VARCHAR": "text",
    "INT": "integer", "INTEGER": "integer", "BIGINT": "integer", "SMALLINT": "integer",
    "DECIMAL": "decimal", "NUMERIC": "decimal", "FLOAT": "number", "DOUBLE": "number",
    "REAL": "number", "DATETIME": "moment", "TIMESTAMP": "moment", "JSONB": "json",
    "LONGBLOB": "bytes", "BLOB": "bytes", "BYTEA": "bytes", "BOOL": "boolean",
    "BOOLEAN": "boolean", "TINYINT": "boolean",
}  # fmt: skip


@dataclass(frozen=True)
class Suspect:
    """Something that goes, and what it may be called from now on.

    old: "books.name", or "books" for a table. new: names, without the table.
    """

    old: str
    new: tuple[str, ...]


@dataclass(eq=False)
class RenameColumn:
    """A column gets another name. column: as the database told it."""

    table: str
    old: str
    new: str
    column: Any


@dataclass(eq=False)
class RenameTable:
    """A table gets another name."""

    old: str
    new: str


def suspects(found: list[Any], dialect: Any) -> list[Suspect]:
    """Return what among the operations may be a rename."""
    made = [one for one in found if isinstance(one, ops.CreateTableOp)]
    gone = [one for one in found if isinstance(one, ops.DropTableOp)]
    tables = [
        Suspect(old.table_name, new)
        for old in gone
        if (new := tuple(one.table_name for one in made if _alike(old, one)))
    ]
    added = [one for one in found if isinstance(one, ops.AddColumnOp)]
    columns = [
        Suspect(f"{old.table_name}.{old.column_name}", new)
        for old in found
        if isinstance(old, ops.DropColumnOp)
        and (
            new := tuple(
                one.column.name
                for one in added
                if one.table_name == old.table_name
                and _family(one.column.type, dialect) == _family(old.to_column().type, dialect)
            )
        )
    ]
    return [*tables, *columns]


def resolve(
    found: list[Any],
    dialect: Any,
    *,
    renamed: Mapping[str, str],
    dropped: Collection[str],
) -> tuple[list[Any], list[Suspect]]:
    """Return (operations, what is still unclear) after what the developer has said.

    renamed: {"books.name": "title", "books": "works"}. dropped: {"books.name"}.
    Raises SetupError (migrations.said) for words about what is not there.
    """
    _check(found, renamed, dropped)
    left = [
        one
        for one in suspects(found, dialect)
        if one.old not in renamed
        and one.old not in dropped
        and not set(one.new)
        <= {new for old, new in renamed.items() if _table(old) == _table(one.old)}
    ]
    for old, new in renamed.items():
        if "." in old:
            table, _, column = old.partition(".")
            found = _rename_column(found, dialect, table, column, new)
    return found, left


def unclear(left: list[Suspect]) -> SetupError:
    """Return the refusal that says what to say."""
    lines = []
    for one in left:
        choices = " or ".join(f"--renamed {one.old}={new}" for new in one.new)
        lines.append(f"  {choices}   or   --dropped {one.old}")
    names = ", ".join(f"{one.old} (now {' or '.join(one.new)}?)" for one in left)
    return SetupError(
        "migrations.rename",
        f"This looks like a new name, and nothing is guessed: {names}.",
        hint="Say it, for each one:\n" + "\n".join(lines),
    )


def _check(found: list[Any], renamed: Mapping[str, str], dropped: Collection[str]) -> None:
    gone = {
        f"{one.table_name}.{one.column_name}"
        if isinstance(one, ops.DropColumnOp)
        else one.table_name
        for one in found
        if isinstance(one, (ops.DropColumnOp, ops.DropTableOp))
    }
    gone |= {  # a type that is changed may lose values, too
        f"{one.table_name}.{one.column_name}"
        for one in found
        if isinstance(one, ops.AlterColumnOp) and one.modify_type is not None
    }
    gone |= {old for old in renamed if "." not in old}  # compared under their new names already
    wrong = sorted((set(renamed) | set(dropped)) - gone)
    if wrong:
        raise SetupError(
            "migrations.said",
            f"{', '.join(wrong)} cannot be renamed or dropped: the models still have it, or"
            " nothing ever did.",
            hint=f"What goes: {', '.join(sorted(gone)) or 'nothing'}.",
        )


def _rename_column(found: list[Any], dialect: Any, table: str, old: str, new: str) -> list[Any]:
    """Put a RenameColumn where the column comes; what differs beside the name follows it."""
    result: list[Any] = []
    gone = next(
        one for one in found
        if isinstance(one, ops.DropColumnOp) and (one.table_name, one.column_name) == (table, old)
    )  # fmt: skip
    there = gone.to_column()
    early = [one for one in found if _serves(one, table)]
    for one in found:
        if one is gone or one in early:
            continue
        if isinstance(one, ops.AddColumnOp) and (one.table_name, one.column.name) == (table, new):
            result += early  # they know the old name, also when they come back
            result.append(RenameColumn(table, old, new, there))
            changed = _changed(there, one.column, dialect, table)
            if changed.has_changes():
                result.append(changed)
        else:
            result.append(one)
    if not any(isinstance(one, RenameColumn) and one.old == old for one in result):
        raise SetupError(
            "migrations.said",
            f"{table}.{old} cannot become {table}.{new}: the models have no new column {new!r}.",
            hint="Look at `carboy db diff` for what comes and goes.",
        )
    return result


def _serves(one: Any, table: str) -> bool:
    """Tell whether *one* is the end of an index or a unique constraint of *table*."""
    unique = isinstance(one, ops.DropConstraintOp) and str(one.constraint_type).startswith("uni")
    return (unique or isinstance(one, ops.DropIndexOp)) and one.table_name == table


def _changed(there: Any, ours: Any, dialect: Any, table: str) -> Any:
    """Return what of a column differs beside its name."""
    impl: Any = DefaultImpl.get_by_dialect(dialect)
    changed = ops.AlterColumnOp(
        table, ours.name, existing_type=there.type, existing_nullable=there.nullable,
        existing_server_default=there.server_default,
    )  # fmt: skip
    if impl(dialect, None, False, None, None, {}).compare_type(there, ours):
        changed.modify_type = ours.type
    if there.nullable != ours.nullable:
        changed.modify_nullable = ours.nullable
    return changed


def _table(old: str) -> str:
    return old.partition(".")[0] if "." in old else ""


def _alike(old: Any, new: Any) -> bool:
    before = {column.name for column in old.to_table().columns} - {"id"}  # all have one
    after = {column.name for column in new.to_table().columns} - {"id"}
    return len(before & after) >= ALIKE * max(len(before), len(after))


def _family(kind: Any, dialect: Any) -> str:
    word = re.match(r"\w+", kind.compile(dialect=dialect).upper())
    said = word[0] if word else ""
    return FAMILIES.get(said, said)
