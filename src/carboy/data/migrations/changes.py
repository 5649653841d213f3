"""From what a migration asked for to what changes, in one vocabulary.

    Alembic's operations, ours  ->  changes_of()  ->  Change(kind, table, name, facts)
    SQL                         ->  sqltext.py    ->  the same

The rules of each database (rules_*.py) judge changes and know nothing of Alembic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from alembic.operations import ops as theirs
from sqlalchemy import Column, Dialect, TextClause
from sqlalchemy.schema import FetchedValue
from sqlalchemy.sql.elements import ClauseElement

from carboy.data.migrations import sqltext, steps as ours
from carboy.data.migrations.change import Change
from carboy.data.migrations.ops import declared_on
from carboy.data.migrations.recording import Recorded, Unclear

__all__ = ["changes_of"]

Reader = Callable[[Any, Dialect], Iterator[Change]]

KINDS = {
    "unique": "unique",
    "foreignkey": "foreign_key",
    "check": "check",
    "primary": "primary_key",
    "primarykey": "primary_key",
}
"""Alembic's word for a kind of constraint, to ours."""


def changes_of(one: Recorded, dialect: Dialect) -> list[Change]:
    """Return what *one* operation changes, in order."""
    reader = READERS.get(type(one.operation), _unknown)
    return [
        replace(
            change, line=one.line, batch=one.batch, autocommit=one.autocommit or change.autocommit
        )
        for change in reader(one.operation, dialect)
    ]


def _unknown(step: Any, dialect: Dialect) -> Iterator[Change]:
    yield Change("unclear", said=f"the operation {type(step).__name__}")


def _unclear(step: Unclear, dialect: Dialect) -> Iterator[Change]:
    yield Change("unclear", said=step.reason)


def _create_table(step: theirs.CreateTableOp, dialect: Dialect) -> Iterator[Change]:
    yield Change("create_table", step.table_name, if_missing=bool(step.if_not_exists))


def _drop_table(step: theirs.DropTableOp, dialect: Dialect) -> Iterator[Change]:
    yield Change("drop_table", step.table_name)


def _rename_table(step: theirs.RenameTableOp, dialect: Dialect) -> Iterator[Change]:
    yield Change("rename_table", step.table_name, new=step.new_table_name)


def _add_column(step: theirs.AddColumnOp, dialect: Dialect) -> Iterator[Change]:
    yield _column(step.table_name, step.column, dialect)
    named = ours.AddColumn(step.table_name, step.column)
    for part in declared_on(named):
        yield from (replace(change, online=False) for change in _ours(part, dialect))


def _our_column(step: ours.AddColumn, dialect: Dialect) -> Iterator[Change]:
    yield replace(_column(step.table, step.column, dialect), online=True)
    for part in declared_on(step):
        yield from _ours(part, dialect)


def _column(table: str, column: Column[Any], dialect: Dialect) -> Change:
    """Return the change of adding *column*, without what else is declared on it."""
    counts = column.identity is not None or (
        dialect.name == "postgresql" and "SERIAL" in type(column.type).__name__.upper()
    )
    return Change(
        "add_column", table, column.name,
        required=not column.nullable, key=bool(column.primary_key),
        default="nextval()" if counts else _default(column.server_default, dialect),
        stored=column.computed is not None and column.computed.persisted is not False,
        new=column.type,
    )  # fmt: skip


def _default(default: Any, dialect: Dialect) -> str | None:
    """Return the SQL of a server default; a plain text is a literal."""
    argument = getattr(default, "arg", default)
    if default is None or (isinstance(default, FetchedValue) and argument is default):
        return None
    if isinstance(argument, str):
        return "'" + argument.replace("'", "''") + "'"
    return _text(argument, dialect)


def _drop_column(step: theirs.DropColumnOp, dialect: Dialect) -> Iterator[Change]:
    yield Change("drop_column", step.table_name, step.column_name)


def _alter_column(step: theirs.AlterColumnOp, dialect: Dialect) -> Iterator[Change]:
    table, name = step.table_name, step.column_name
    found = []
    if step.modify_name is not None and step.modify_name != name:
        found.append(Change("rename_column", table, name, new=step.modify_name))
    if step.modify_type is not None:
        old = step.existing_type
        found.append(Change("type", table, name, old=old, new=step.modify_type))
    if step.modify_nullable is not None:
        found.append(Change("nullable" if step.modify_nullable else "not_null", table, name))
    if step.modify_server_default is None:
        found.append(Change("drop_default", table, name))
    elif step.modify_server_default is not False:
        default = _default(step.modify_server_default, dialect)
        found.append(Change("set_default", table, name, default=default))
    if not found:
        found.append(Change("comment", table, name))
    yield from found


def _create_index(step: theirs.CreateIndexOp, dialect: Dialect) -> Iterator[Change]:
    said = {**step.kw, **getattr(step, "dialect_kwargs", {})}
    prefix = str(said.get("mariadb_prefix") or said.get("mysql_prefix") or "").upper()
    yield Change(
        "create_index", step.table_name, str(step.index_name), unique=bool(step.unique),
        concurrently=bool(said.get("postgresql_concurrently")),
        special=prefix in ("FULLTEXT", "SPATIAL"),
    )  # fmt: skip


def _drop_index(step: theirs.DropIndexOp, dialect: Dialect) -> Iterator[Change]:
    concurrently = bool(step.kw.get("postgresql_concurrently"))
    yield Change(
        "drop_index", step.table_name or "", str(step.index_name), concurrently=concurrently
    )


def _constraint(step: Any, dialect: Dialect) -> Iterator[Change]:
    kind = KINDS[step.constraint_type]
    table = getattr(step, "source_table", None) or step.table_name
    said = step.kw
    yield Change(
        kind, table, str(step.constraint_name or ""),
        not_valid=bool(said.get("postgresql_not_valid")),
        target=getattr(step, "referent_table", ""),
        new=_text(step.condition, dialect) if kind == "check" else None,
    )  # fmt: skip


def _drop_constraint(step: theirs.DropConstraintOp, dialect: Dialect) -> Iterator[Change]:
    kind = KINDS.get(step.constraint_type or "", "")
    yield Change("drop_constraint", step.table_name, str(step.constraint_name or ""), new=kind)


def _comment(step: Any, dialect: Dialect) -> Iterator[Change]:
    yield Change("comment", step.table_name)


def _insert(step: theirs.BulkInsertOp, dialect: Dialect) -> Iterator[Change]:
    yield Change("insert", str(step.table.name))


def _sql(step: theirs.ExecuteSQLOp, dialect: Dialect) -> Iterator[Change]:
    said = step.sqltext if isinstance(step.sqltext, str) else _text(step.sqltext, dialect)
    yield from sqltext.changes(said)


def _ours(step: Any, dialect: Dialect) -> Iterator[Change]:
    """Read one of our steps but AddColumn."""
    table, name = step.table, getattr(step, "name", "")
    match step:
        case ours.CreateIndex():
            yield Change("create_index", table, name, online=True, unique=step.unique)
        case ours.DropIndex():
            yield Change("drop_index", table, name, online=True)
        case ours.AddForeignKey():
            yield Change("foreign_key", table, name, online=True, target=step.target)
        case ours.AddCheck():
            yield Change("check", table, name, online=True, new=_text(step.condition, dialect))
        case ours.AddUnique():
            yield Change("unique", table, name, online=True)
        case ours.SetNotNull():
            yield Change("not_null", table, step.column, online=True)
        case ours.Backfill():
            yield Change("backfill", table, columns=tuple(step.values), online=True)
        case ours.CreateSearch():
            yield Change("search", table, columns=step.columns, online=True)
        case ours.DropSearch():
            yield Change("drop_search", table, columns=step.columns, online=True)


def _text(element: Any, dialect: Dialect) -> str:
    """Return an expression or statement as SQL, values written out where that is possible."""
    if isinstance(element, TextClause):
        return element.text
    if not isinstance(element, ClauseElement):
        return str(element)
    for options in ({"literal_binds": True}, {}):
        try:
            return str(element.compile(dialect=dialect, compile_kwargs=options))
        except Exception:  # noqa: S112  # a value that has no literal: then without
            continue
    return str(element)


READERS: dict[type, Reader] = {
    Unclear: _unclear,
    theirs.CreateTableOp: _create_table,
    theirs.DropTableOp: _drop_table,
    theirs.RenameTableOp: _rename_table,
    theirs.AddColumnOp: _add_column,
    theirs.DropColumnOp: _drop_column,
    theirs.AlterColumnOp: _alter_column,
    theirs.CreateIndexOp: _create_index,
    theirs.DropIndexOp: _drop_index,
    theirs.CreateUniqueConstraintOp: _constraint,
    theirs.CreateForeignKeyOp: _constraint,
    theirs.CreateCheckConstraintOp: _constraint,
    theirs.CreatePrimaryKeyOp: _constraint,
    theirs.DropConstraintOp: _drop_constraint,
    theirs.CreateTableCommentOp: _comment,
    theirs.DropTableCommentOp: _comment,
    theirs.BulkInsertOp: _insert,
    theirs.ExecuteSQLOp: _sql,
    ours.AddColumn: _our_column,
    **dict.fromkeys(
        (
            ours.CreateIndex, ours.DropIndex, ours.AddForeignKey, ours.AddCheck, ours.AddUnique,
            ours.SetNotNull, ours.Backfill, ours.CreateSearch, ours.DropSearch,
        ),
        _ours,
    ),
}  # fmt: skip
"""Class of an operation to who reads it; what is missing here is unclear."""
