"""Our steps on MariaDB: the algorithm is stated, so that the server refuses to block.

    column       ALGORITHM=INSTANT, else INPLACE with LOCK=NONE
    index        ALGORITHM=INPLACE, LOCK=NONE
    reference    added unchecked for old rows, which are then looked at; it goes if one is wrong
    condition    a copy of the table, writers wait: there is no other way

Without a stated algorithm the server falls back to copying the table, and keeps writers
out meanwhile. DDL commits by itself. Sources: MariaDB 10.11, "InnoDB Online DDL
Overview", "... with the INSTANT Alter Algorithm", "... with the INPLACE Alter Algorithm".
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import exc, inspect
from sqlalchemy.schema import AddConstraint

from carboy.base.errors import SetupError
from carboy.data.migrations.on_postgresql import rows_in_the_way
from carboy.data.migrations.steps import (
    AddCheck,
    AddColumn,
    AddForeignKey,
    AddUnique,
    CreateIndex,
    DropIndex,
    SetNotNull,
)
from carboy.data.migrations.work import Work, meaning

__all__ = ["STEPS"]

ONLINE = ("ALGORITHM=INSTANT", "ALGORITHM=INPLACE, LOCK=NONE")
REFUSED = (1845, 1846)  # ER_ALTER_OPERATION_NOT_SUPPORTED, and the same with a reason

JSON = """
SELECT 1 FROM information_schema.CHECK_CONSTRAINTS
WHERE CONSTRAINT_SCHEMA = DATABASE() AND TABLE_NAME = :table AND CONSTRAINT_NAME = :column
AND LEVEL = 'Column' AND CHECK_CLAUSE LIKE 'json_valid(%'
"""
"""MariaDB calls a JSON column longtext; its check tells."""
COLUMN = """
SELECT COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, EXTRA, COLLATION_NAME, COLUMN_COMMENT
FROM information_schema.COLUMNS
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = :table AND COLUMN_NAME = :column
"""
CONSTRAINT = """
SELECT 1 FROM information_schema.TABLE_CONSTRAINTS
WHERE CONSTRAINT_SCHEMA = DATABASE() AND TABLE_NAME = :table AND CONSTRAINT_NAME = :name
"""


def create_index(work: Work, step: CreateIndex) -> None:
    """Build the index while others read and write."""
    if step.where:
        raise SetupError(
            "migrations.partial",
            f"MariaDB has no index on some rows only, as {step.name} is to be.",
            hint="Leave `where` out, or keep the index to the other databases.",
        )
    _add_key(work, step.table, step.name, step.columns, "UNIQUE INDEX" if step.unique else "INDEX")


def add_unique(work: Work, step: AddUnique) -> None:
    """Build the unique index while others read and write."""
    _add_key(work, step.table, step.name, step.columns, "UNIQUE INDEX")


def drop_index(work: Work, step: DropIndex) -> None:
    """Drop the index; only the catalogue changes."""
    _alter(work, step.table, f"DROP INDEX IF EXISTS {work.quote(step.name)}", ONLINE[1:])


def add_foreign_key(work: Work, step: AddForeignKey) -> None:
    """Add the reference unchecked, as only that is possible online; then look at all rows."""
    if work.value(CONSTRAINT, table=step.table, name=step.name):
        return
    factory = work.operations.schema_obj
    made = factory.foreign_key_constraint(
        step.name, step.table, step.target, list(step.columns), list(step.target_columns),
        ondelete=step.on_delete,
    )  # fmt: skip
    statement = work.sql(AddConstraint(made, isolate_from_table=False))
    _, _, what = statement.partition(f"ALTER TABLE {work.quote(step.table)} ")
    work.run("SET SESSION foreign_key_checks = 0")
    try:
        _alter(work, step.table, what, ONLINE[1:])
    finally:
        work.run("SET SESSION foreign_key_checks = 1")
    pairs = zip(step.columns, step.target_columns, strict=True)
    on = " AND ".join(f"c.{work.quote(c)} = p.{work.quote(t)}" for c, t in pairs)
    there = " AND ".join(f"c.{work.quote(c)} IS NOT NULL" for c in step.columns)
    orphan = (
        f"SELECT 1 FROM {work.quote(step.table)} c LEFT JOIN {work.quote(step.target)} p ON {on}"  # noqa: S608  # quoted
        f" WHERE {there} AND p.{work.quote(step.target_columns[0])} IS NULL LIMIT 1"
    )
    if work.value(orphan):
        _alter(work, step.table, f"DROP FOREIGN KEY {work.quote(step.name)}", ONLINE[1:])
        raise rows_in_the_way(step.table, step.name)


def add_check(work: Work, step: AddCheck) -> None:
    """Add the condition; the server copies the table, and writers wait.

    MariaDB 10.11 has no other way for a condition on a table (safety.py refuses it).
    """
    if work.value(CONSTRAINT, table=step.table, name=step.name):
        return
    what = f"ADD CONSTRAINT {work.quote(step.name)} CHECK ({work.sql(step.condition)})"
    try:
        _alter(work, step.table, what, ("ALGORITHM=COPY, LOCK=SHARED",))
    except exc.DBAPIError as error:
        if meaning(error, "mariadb") == "check":
            raise rows_in_the_way(step.table, step.name) from error
        raise


def set_not_null(work: Work, step: SetNotNull) -> None:
    """Rebuild the table in place, with the column as it is but for NULL."""
    found = work.connection.exec_driver_sql(
        COLUMN.replace(":table", "%s").replace(":column", "%s"), (step.table, step.column)
    ).one()
    kind, nullable, default, extra, collation, comment = found
    if nullable == "NO":
        return
    if extra:
        raise SetupError(
            "migrations.blocking",
            f"{step.table}.{step.column} is computed by the database ({extra}).",
            hint="Such a column follows its expression; NOT NULL belongs to what it reads.",
        )
    # MODIFY states the whole column: what is not said would be lost.
    is_json = work.value(JSON, table=step.table, column=step.column)
    parts = [work.quote(step.column), "JSON" if is_json else kind]
    parts += [f"COLLATE {collation}"] if collation and not is_json else []
    parts += ["NOT NULL"]
    parts += [f"DEFAULT {default}"] if default not in (None, "NULL") else []
    parts += [f"COMMENT {_literal(comment)}"] if comment else []
    try:
        _alter(work, step.table, f"MODIFY COLUMN {' '.join(parts)}", ONLINE[1:])
    except exc.DBAPIError as error:
        if meaning(error, "mariadb") in ("required", "value"):
            raise rows_in_the_way(step.table, f"NOT NULL of {step.column}") from error
        raise


def add_column(work: Work, step: AddColumn, specification: str) -> None:
    """Add the bare column without touching the rows."""
    _alter(work, step.table, f"ADD COLUMN IF NOT EXISTS {specification}", ONLINE)


def _add_key(work: Work, table: str, name: str, columns: tuple[str, ...], kind: str) -> None:
    there = {index["name"]: index for index in inspect(work.connection).get_indexes(table)}
    if name in there:
        if tuple(there[name]["column_names"]) == columns:
            return
        raise SetupError(
            "migrations.exists",
            f"There is an index {name} already, and it is another one.",
            hint="Give the new one a name of its own.",
        )
    try:
        _alter(work, table, f"ADD {kind} {work.quote(name)} ({work.quote(*columns)})", ONLINE[1:])
    except exc.DBAPIError as error:
        if meaning(error, "mariadb") == "unique":
            raise rows_in_the_way(table, name) from error
        raise


def _alter(work: Work, table: str, what: str, ways: tuple[str, ...]) -> None:
    """Run `ALTER TABLE` by the first of *ways* that the server can; raise SetupError if none."""
    for way in ways:
        try:
            return work.locking(table, f"ALTER TABLE {work.quote(table)} {what}, {way}")
        except exc.DBAPIError as error:
            number = error.orig.args[0] if error.orig and error.orig.args else None
            if number not in REFUSED:
                raise
            reason = str(error.orig.args[-1]) if error.orig else ""
    raise SetupError(
        "migrations.blocking",
        f"MariaDB cannot do this without keeping writers out: ALTER TABLE {table} {what}.",
        hint=f"The server says: {reason} With nobody using the table, op.execute() of the plain"
        " statement does it.",
    )


def _literal(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


STEPS: dict[type, Any] = {
    CreateIndex: create_index,
    DropIndex: drop_index,
    AddForeignKey: add_foreign_key,
    AddCheck: add_check,
    AddUnique: add_unique,
    SetNotNull: set_not_null,
    AddColumn: add_column,
}
