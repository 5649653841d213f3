"""Our steps on PostgreSQL: nobody is kept from reading or writing while they run.

    index        CONCURRENTLY, outside of any transaction
    constraint   NOT VALID (short lock), commit, VALIDATE (others go on)
    NOT NULL     a check proves it first, so that SET NOT NULL need not look at the rows

Each may be run again after it was interrupted: what is there is left, what is half
there is finished or made anew. Sources, PostgreSQL 15: CREATE INDEX, "Building Indexes
Concurrently"; ALTER TABLE, "Notes"; "Explicit Locking" 13.3.1.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import exc, inspect
from sqlalchemy.schema import AddConstraint

from carboy.base.errors import ServiceDown, SetupError
from carboy.data.migrations.steps import (
    AddCheck,
    AddColumn,
    AddForeignKey,
    AddUnique,
    CreateIndex,
    DropIndex,
    SetNotNull,
)
from carboy.data.migrations.work import Work, locked, meaning
from carboy.data.naming import constraint_name

__all__ = ["STEPS"]

INDEX = """
SELECT i.indisvalid FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid
WHERE c.relname = :name AND pg_table_is_visible(c.oid)
"""
CONSTRAINT = """
SELECT convalidated FROM pg_constraint WHERE conname = :name AND conrelid = to_regclass(:table)
"""
NOT_NULL = """
SELECT attnotnull FROM pg_attribute
WHERE attrelid = to_regclass(:table) AND attname = :column AND NOT attisdropped
"""


def create_index(work: Work, step: CreateIndex) -> None:
    """Build the index while others write; an invalid one that was left behind goes first."""
    valid = work.value(INDEX, name=step.name)
    if valid:
        return _same_index(work, step)
    name, unique = work.quote(step.name), "UNIQUE " if step.unique else ""
    where = f" WHERE {step.where}" if step.where else ""
    drop = f"DROP INDEX CONCURRENTLY IF EXISTS {name}"
    with work.autocommit():
        if valid is False:
            work.run(drop)
        try:
            work.run(
                f"CREATE {unique}INDEX CONCURRENTLY {name}"
                f" ON {work.quote(step.table)} ({work.quote(*step.columns)}){where}"
            )
        except exc.DBAPIError as error:
            work.run(drop)  # an invalid index costs every write and serves no read
            raise _explained(work, error, step.table, step.name) from error


def drop_index(work: Work, step: DropIndex) -> None:
    """Drop the index without waiting in front of others."""
    with work.autocommit():
        work.run(f"DROP INDEX CONCURRENTLY IF EXISTS {work.quote(step.name)}")


def add_foreign_key(work: Work, step: AddForeignKey) -> None:
    """Enforce the reference for new rows, then prove it for the old ones."""
    made = work.operations.schema_obj.foreign_key_constraint(
        step.name, step.table, step.target, list(step.columns), list(step.target_columns),
        ondelete=step.on_delete, postgresql_not_valid=True,
    )  # fmt: skip
    add = work.sql(AddConstraint(made, isolate_from_table=False))
    _constraint(work, step.table, step.name, add)


def add_check(work: Work, step: AddCheck) -> None:
    """Enforce the condition for new rows, then prove it for the old ones."""
    _check(work, step.table, step.name, work.sql(step.condition))


def add_unique(work: Work, step: AddUnique) -> None:
    """Build the index while others write, then call it a constraint."""
    if work.value(CONSTRAINT, name=step.name, table=work.quote(step.table)):
        return
    create_index(work, CreateIndex(step.table, step.name, step.columns, unique=True))
    name = work.quote(step.name)
    with work.apart():
        work.locking(
            step.table,
            f"ALTER TABLE {work.quote(step.table)} ADD CONSTRAINT {name} UNIQUE USING INDEX {name}",
        )


def set_not_null(work: Work, step: SetNotNull) -> None:
    """Prove that no row lacks a value, then say so; the second needs no look at the rows."""
    table, column = work.quote(step.table), work.quote(step.column)
    if work.value(NOT_NULL, table=table, column=step.column):
        return
    proof = constraint_name("ck", step.table, step.column, "not_null")
    _check(work, step.table, proof, f"{column} IS NOT NULL")
    with work.apart():
        work.locking(
            step.table,
            f"ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL",
            f"ALTER TABLE {table} DROP CONSTRAINT {work.quote(proof)}",
        )


def add_column(work: Work, step: AddColumn, specification: str) -> None:
    """Add the bare column: a change of the catalogue when its default is constant."""
    work.alone(step.table)
    work.locking(
        step.table,
        f"ALTER TABLE {work.quote(step.table)} ADD COLUMN IF NOT EXISTS {specification}",
    )


def _check(work: Work, table: str, name: str, condition: str) -> None:
    add = f"ADD CONSTRAINT {work.quote(name)} CHECK ({condition}) NOT VALID"
    _constraint(work, table, name, f"ALTER TABLE {work.quote(table)} {add}")


def _constraint(work: Work, table: str, name: str, add: str) -> None:
    """Add a constraint that is NOT VALID, and validate it in a transaction of its own.

    In the same one, the lock of the first statement would be held during the second.
    """
    quoted, alter = work.quote(name), f"ALTER TABLE {work.quote(table)}"
    valid = work.value(CONSTRAINT, name=name, table=work.quote(table))
    if valid:
        return
    if valid is None:
        with work.apart():  # holding no lock of a step before, and none during the next
            work.locking(table, add)
    try:
        with work.autocommit():
            work.run(f"{alter} VALIDATE CONSTRAINT {quoted}")
    except exc.DBAPIError as error:
        with work.apart():  # what follows the error is rolled back
            work.locking(table, f"{alter} DROP CONSTRAINT {quoted}")
        raise _explained(work, error, table, name) from error


def _same_index(work: Work, step: CreateIndex) -> None:
    """Be content with an index that is there, when it is the one that is wanted."""
    for index in inspect(work.connection).get_indexes(step.table):
        if index["name"] == step.name:
            there = (tuple(index["column_names"]), bool(index["unique"]))
            if there == (step.columns, step.unique):
                return
    raise SetupError(
        "migrations.exists",
        f"There is an index {step.name} already, and it is another one.",
        hint=f"Give the new one a name of its own; it is to be on {step.table}"
        f" ({', '.join(step.columns)}).",
    )


def _explained(work: Work, error: exc.DBAPIError, table: str, name: str) -> Exception:
    """Return what *error* means to whoever runs the migration."""
    if meaning(error, "postgresql") in ("unique", "check", "reference", "in_use"):
        return rows_in_the_way(table, name)
    if locked(error, "postgresql"):
        return ServiceDown(
            "migrations.locked",
            f"The table {table} stayed in use too long; {name} was not made.",
            hint="Usually a transaction was left open. Run `carboy db upgrade` again.",
        )
    return error


def rows_in_the_way(table: str, name: str) -> SetupError:
    """Return the error for rows that break a constraint which is to be added."""
    return SetupError(
        "migrations.rows",
        f"Rows of {table} are in the way of {name}; it was not added.",
        hint="Correct them first, with ops.backfill in an earlier migration. A program that"
        " is still running may go on writing such rows until it is replaced.",
    )


STEPS: dict[type, Any] = {
    CreateIndex: create_index,
    DropIndex: drop_index,
    AddForeignKey: add_foreign_key,
    AddCheck: add_check,
    AddUnique: add_unique,
    SetNotNull: set_not_null,
    AddColumn: add_column,
}
