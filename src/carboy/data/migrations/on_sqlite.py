"""Our steps on SQLite: plain where ALTER TABLE can, else a rebuild that loses nothing.

There is one writer at a time, so nothing can be done "concurrently": a step holds the
write lock as long as it takes, and readers go on undisturbed (WAL). What ALTER TABLE
cannot do (sqlite.org/lang_altertable.html, section 5), `rebuild.py` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect, text

from carboy.data.migrations.rebuild import rebuilding
from carboy.data.migrations.steps import (
    AddCheck,
    AddForeignKey,
    AddUnique,
    CreateIndex,
    DropIndex,
    SetNotNull,
)

if TYPE_CHECKING:
    from alembic.operations import BatchOperations

    from carboy.data.migrations.steps import OurStep
    from carboy.data.migrations.work import Work

__all__ = ["STEPS", "within"]


def create_index(work: Work, step: CreateIndex) -> None:
    """Build the index, while others wait with writing."""
    name, unique = work.quote(step.name), "UNIQUE " if step.unique else ""
    where = f" WHERE {step.where}" if step.where else ""
    work.locking(
        step.table,
        f"CREATE {unique}INDEX IF NOT EXISTS {name}"
        f" ON {work.quote(step.table)} ({work.quote(*step.columns)}){where}",
    )


def drop_index(work: Work, step: DropIndex) -> None:
    """Drop the index."""
    work.locking(step.table, f"DROP INDEX IF EXISTS {work.quote(step.name)}")


def add_constraint(work: Work, step: AddForeignKey | AddCheck | AddUnique) -> None:
    """Rebuild the table with the constraint; refused when a row breaks it."""
    found = inspect(work.connection)
    look = {
        AddForeignKey: found.get_foreign_keys,
        AddCheck: found.get_check_constraints,
        AddUnique: found.get_unique_constraints,
    }[type(step)]
    there: Any = look(step.table)
    if any(one["name"] == step.name for one in there):
        return
    with rebuilding(work.operations, step.table) as batch:
        within(batch, work, step)


def within(batch: BatchOperations, work: Work, step: OurStep) -> None:
    """Add what *step* says to a rebuild that is being collected."""
    if isinstance(step, AddForeignKey):
        batch.create_foreign_key(
            step.name, step.target, list(step.columns), list(step.target_columns),
            ondelete=step.on_delete,
        )  # fmt: skip
    elif isinstance(step, AddCheck):
        condition = text(work.sql(step.condition).replace(":", "\\:"))
        batch.create_check_constraint(step.name, condition)
    elif isinstance(step, AddUnique):
        batch.create_unique_constraint(step.name, list(step.columns))
    elif isinstance(step, CreateIndex):
        batch.create_index(step.name, list(step.columns), unique=step.unique)


def set_not_null(work: Work, step: SetNotNull) -> None:
    """Rebuild the table with NOT NULL."""
    columns = {
        column["name"]: column for column in inspect(work.connection).get_columns(step.table)
    }
    if not columns[step.column]["nullable"]:
        return
    with rebuilding(work.operations, step.table) as batch:
        batch.alter_column(step.column, nullable=False)


STEPS: dict[type, Any] = {
    CreateIndex: create_index,
    DropIndex: drop_index,
    AddForeignKey: add_constraint,
    AddCheck: add_constraint,
    AddUnique: add_constraint,
    SetNotNull: set_not_null,
}
