"""Steps of a migration that are safe while the program runs, on each database in its way.

    from carboy.data.migrations import ops

    def upgrade():
        ops.add_column("books", Column("isbn", String(13)))
        ops.create_index("ix_books_isbn", "books", ["isbn"])

    SQLite        plain, or a rebuild of the table that loses nothing
    PostgreSQL    CONCURRENTLY; NOT VALID and VALIDATE; never long in front of others
    MariaDB       ALGORITHM=INSTANT or INPLACE, LOCK=NONE

One file serves the SQLite of development and the server of production. Arguments stand
in the order of Alembic's. Each step may be repeated when a migration was interrupted.
All raise SetupError or ServiceDown with a code of docs/how-to/safe-migrations.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from alembic import op
from alembic.operations import Operations
from sqlalchemy import CheckConstraint, Column, MetaData, Table, inspect
from sqlalchemy.schema import CreateColumn

from carboy.data.migrations import batches, on_mariadb, on_postgresql, on_sqlite
from carboy.data.migrations.rebuild import rebuilding
from carboy.data.migrations.steps import (
    AddCheck,
    AddColumn,
    AddForeignKey,
    AddUnique,
    Backfill,
    CreateIndex,
    CreateSearch,
    DropIndex,
    DropSearch,
    OurStep,
    SetNotNull,
)
from carboy.data.migrations.work import Work
from carboy.data.naming import constraint_name
from carboy.data.search import create_sql, drop_sql

if TYPE_CHECKING:
    from alembic.operations import BatchOperations

__all__ = [
    "RECORDING",
    "add_check",
    "add_column",
    "add_foreign_key",
    "add_unique",
    "alter_table",
    "backfill",
    "create_index",
    "create_search",
    "declared_on",
    "drop_index",
    "drop_search",
    "set_not_null",
]

RECORDING = "carboy_recording"
"""Option of a migration context: who collects the steps instead of doing them."""

WAYS: dict[str, dict[type, Any]] = {
    "sqlite": on_sqlite.STEPS,
    "postgresql": on_postgresql.STEPS,
    "mariadb": on_mariadb.STEPS,
    "mysql": on_mariadb.STEPS,
}
"""Dialect name to how each step is done there."""

INDEX = re.compile(r"^((?:CREATE|DROP) INDEX) ")


def create_index(
    name: str, table: str, columns: Sequence[str], *, unique: bool = False, where: str = ""
) -> None:
    """Build an index while others read and write. where: a condition in SQL; not on MariaDB."""
    op.invoke(CreateIndex(table, name, tuple(columns), unique, where))


def drop_index(name: str, table: str) -> None:
    """Drop an index, if it is there, while others read and write."""
    op.invoke(DropIndex(table, name))


def add_foreign_key(
    name: str,
    table: str,
    target: str,
    columns: Sequence[str],
    target_columns: Sequence[str] = ("id",),
    *,
    on_delete: str | None = None,
) -> None:
    """Let *columns* refer to rows of *target*. on_delete: "CASCADE", "SET NULL", "RESTRICT".

    When rows refer to nothing, the database is as before: [migrations.rows].
    """
    op.invoke(AddForeignKey(table, name, target, tuple(columns), tuple(target_columns), on_delete))


def add_check(name: str, table: str, condition: Any) -> None:
    """Let every row fulfil *condition*: SQL as text, or an expression of SQLAlchemy.

    When a row does not, the database is as before: [migrations.rows].
    """
    op.invoke(AddCheck(table, name, condition))


def add_unique(name: str, table: str, columns: Sequence[str]) -> None:
    """Let no two rows agree in all of *columns*."""
    op.invoke(AddUnique(table, name, tuple(columns)))


def set_not_null(table: str, column: str) -> None:
    """Let no row leave *column* out; fill the rows there are with `backfill` before."""
    op.invoke(SetNotNull(table, column))


def add_column(table: str, column: Column[Any]) -> None:
    """Add *column*, and then what is declared on it: index, unique, foreign key, checks."""
    op.invoke(AddColumn(table, column))


def backfill(
    table: str, values: Mapping[str, Any], *, where: Any = None, batch: int = 1000
) -> None:
    """Give rows *values*, *batch* rows at a time by their key, with a commit after each.

    values: column to a value, or to an expression such as text("upper(title)").
    where: which rows, as SQL or an expression; None: those where one of the columns is NULL.
    """
    op.invoke(Backfill(table, dict(values), where, batch))


def create_search(table: str, columns: Sequence[str]) -> None:
    """Make full-text search over *columns*, kept in step with the rows by the database."""
    op.invoke(CreateSearch(table, tuple(columns)))


def drop_search(table: str, columns: Sequence[str]) -> None:
    """Take full-text search over *columns* away."""
    op.invoke(DropSearch(table, tuple(columns)))


def alter_table(table: str) -> AbstractContextManager[BatchOperations]:
    """Change *table* as with Alembic's `batch_alter_table`; a rebuild on SQLite loses nothing.

    with ops.alter_table("books") as table: table.alter_column("title", type_=String(200), ...)
    """
    recording = op.get_context().opts.get(RECORDING)
    if recording is not None:
        collected: AbstractContextManager[BatchOperations] = recording.batch(table, faithful=True)
        return collected
    here: Any = op._proxy  # type: ignore[attr-defined]  # the Operations behind alembic.op
    return rebuilding(here, table) if here.impl.__dialect__ == "sqlite" else _altering(here, table)


@contextmanager
def _altering(operations: Operations, table: str) -> Iterator[BatchOperations]:
    """Do the changes of a batch one after the other, giving way to others."""
    with operations.batch_alter_table(table) as batch:
        yield batch
        changes, batch.impl.batch = batch.impl.batch, []  # nothing is left for Alembic
    work = Work(operations)
    work.alone(table)
    for verb, arguments, options in changes:
        change = partial(getattr(operations.impl, verb), *arguments, **options)
        work.patiently(table, change)


def _do(operations: Operations, step: OurStep) -> None:
    """Do *step* as the database at hand does it."""
    work = Work(operations)
    WAYS[work.dialect.name][type(step)](work, step)


def _add_column(operations: Operations, step: AddColumn) -> None:
    """Add the bare column, then each thing that is declared on it as a step of its own."""
    work = Work(operations)
    if step.column.name in {c["name"] for c in inspect(work.connection).get_columns(step.table)}:
        return  # by a migration that was interrupted
    declared = declared_on(step)
    bare = _bare(step.column)
    if work.dialect.name == "sqlite":
        with rebuilding(operations, step.table) as batch:
            batch.add_column(bare)
            for one in declared:
                on_sqlite.within(batch, work, one)
        return
    operations.schema_obj.table(step.table, bare)
    WAYS[work.dialect.name][AddColumn](work, step, work.sql(CreateColumn(bare)))
    for one in declared:
        operations.invoke(one)


def declared_on(step: AddColumn) -> list[OurStep]:
    """Return what is declared on a new column besides its type, as steps of their own."""
    column, table, name = step.column, step.table, step.column.name
    steps: list[OurStep] = []
    for key in column.foreign_keys:
        said = str(key.name) if key.name else constraint_name("fk", table, name)
        target, _, there = key.target_fullname.rpartition(".")
        steps.append(AddForeignKey(table, said, target, (name,), (there,), key.ondelete))
    for check in column.constraints:
        if isinstance(check, CheckConstraint):
            said = str(check.name) if check.name else constraint_name("ck", table, name)
            steps.append(AddCheck(table, said, check.sqltext))
    if column.index:
        said = constraint_name("ix", table, name)
        steps.append(CreateIndex(table, said, (name,), bool(column.unique)))
    elif column.unique:
        steps.append(AddUnique(table, constraint_name("uq", table, name), (name,)))
    return steps


def _bare(column: Column[Any]) -> Column[Any]:
    """Return *column* with its type and default alone."""
    parts = [part._copy() for part in (column.computed, column.identity) if part is not None]
    default = None if parts else column.server_default
    said: dict[str, Any] = {"nullable": column.nullable, "server_default": default}
    return Column(column.name, column.type, *parts, comment=column.comment, **said)


def _search(operations: Operations, step: CreateSearch | DropSearch) -> None:
    """Run what carboy.data.search says is needed; on PostgreSQL, while others write."""
    work = Work(operations)
    if isinstance(step, CreateSearch):
        table = Table(step.table, MetaData(), autoload_with=work.connection, resolve_fks=False)
        statements = create_sql(table, step.columns, work.dialect.name)
    else:
        statements = drop_sql(step.table, step.columns, work.dialect.name)
    if work.dialect.name != "postgresql":
        return work.locking(step.table, *statements)
    with work.autocommit():
        for statement in statements:
            work.run(INDEX.sub(r"\1 CONCURRENTLY ", statement, count=1))


for _kind in (CreateIndex, DropIndex, AddForeignKey, AddCheck, AddUnique, SetNotNull):
    Operations.implementation_for(_kind)(_do)
Operations.implementation_for(AddColumn)(_add_column)
Operations.implementation_for(Backfill)(batches.run)
Operations.implementation_for(CreateSearch)(_search)
Operations.implementation_for(DropSearch)(_search)
