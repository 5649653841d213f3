"""Filling columns of a large table without stopping anybody: a few rows at a time.

    the key of the last row of the next batch  ->  UPDATE between the two keys  ->  commit

Each batch is a range of the primary key, so it is found by the index, and row locks last
no longer than one batch. Interrupted and run again, it goes on with what is not filled.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    MetaData,
    Table,
    and_,
    inspect,
    or_,
    select,
    text,
    tuple_,
    update,
)

from carboy.base.errors import SetupError
from carboy.data.migrations.work import Work

if TYPE_CHECKING:
    from alembic.operations import Operations

    from carboy.data.migrations.steps import Backfill

__all__ = ["run"]


def run(operations: Operations, step: Backfill) -> None:
    """Update the rows of *step* in batches; two statements and a commit for each."""
    work = Work(operations)
    table = _table(work.connection, step)
    key = list(table.primary_key.columns)
    wanted = _wanted(table, step)
    with work.apart() as connection:
        last: tuple[Any, ...] | None = None
        while (upto := _end(connection, key, wanted, last, step.batch)) is not None:
            rows = and_(wanted, tuple_(*key) <= tuple_(*upto))
            if last is not None:
                rows = and_(rows, tuple_(*key) > tuple_(*last))
            statement = update(table).where(rows).values(**step.values)
            work.patiently(step.table, partial(connection.execute, statement))
            connection.commit()
            last = upto


def _table(connection: Connection, step: Backfill) -> Table:
    """Return the table as it is now. Raises SetupError (migrations.backfill) without a key."""
    table = Table(step.table, MetaData(), autoload_with=connection, resolve_fks=False)
    unknown = [name for name in step.values if name not in table.c]
    if not inspect(connection).get_pk_constraint(step.table)["constrained_columns"] or unknown:
        what = f"has no column {unknown[0]}" if unknown else "has no primary key"
        raise SetupError(
            "migrations.backfill",
            f"The table {step.table} {what}, so it cannot be filled in batches.",
            hint="Fill a table without a key with op.execute() while nobody uses it.",
        )
    return table


def _wanted(table: Table, step: Backfill) -> ColumnElement[bool]:
    if step.where is None:
        return or_(*(table.c[name].is_(None) for name in step.values))
    if isinstance(step.where, str):
        return and_(text(f"({step.where})".replace(":", "\\:")))
    condition: ColumnElement[bool] = step.where
    return condition


def _end(
    connection: Connection,
    key: list[Any],
    wanted: ColumnElement[bool],
    last: tuple[Any, ...] | None,
    batch: int,
) -> tuple[Any, ...] | None:
    """Return the key of the last row of the next batch; None when no row is left."""
    query = select(*key).where(wanted).order_by(*key).limit(batch)
    if last is not None:
        query = query.where(tuple_(*key) > tuple_(*last))
    page = query.subquery()
    keys = list(page.c)
    end = select(*keys).order_by(*(k.desc() for k in keys)).limit(1)
    row = connection.execute(end).first()
    return tuple(row) if row else None
