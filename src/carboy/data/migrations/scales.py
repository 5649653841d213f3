"""Exact numbers with another number of places, which SQLite cannot see.

    kinds.decimal(10, 2)  ->  kinds.decimal(10, 3)     INTEGER as before, ten times as much

SQLite keeps such a number as a whole one, scaled. So the earlier migrations say how it
was declared, and a change of places scales what is there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from alembic.operations import ops

from carboy.data.migrations.lines import Line
from carboy.data.migrations.rendertypes import quoted
from carboy.data.types import Exact

if TYPE_CHECKING:
    import sqlalchemy as sa

    from carboy.data.migrations.history import History

__all__ = ["narrower", "rescaling", "unseen"]

DECIMAL = re.compile(r"kinds\.decimal\((\d+), (\d+)\)$")


def unseen(metadata: sa.MetaData, history: History, found: list[Any]) -> list[Any]:
    """Return *found* with the changes of exact columns that a comparison on SQLite misses."""
    known = {(o.table_name, o.column_name): o for o in found if isinstance(o, ops.AlterColumnOp)}
    more = []
    for table in metadata.tables.values():
        for column in table.c:
            was = DECIMAL.match(history.type(table.name, column.name))
            if not was or not isinstance(column.type, Exact):
                continue
            if (int(was[1]), int(was[2])) == (column.type.digits, column.type.places):
                continue
            one = known.get((table.name, column.name))
            if one is None:
                more.append(one := _alter(table, column))
            one.modify_type = column.type
    later = (ops.CreateIndexOp, ops.AddConstraintOp, ops.DropColumnOp, ops.DropTableOp)
    place = next((n for n, one in enumerate(found) if isinstance(one, later)), len(found))
    return [*found[:place], *more, *found[place:]]


def rescaling(was: str, now: str, table: str, column: str) -> tuple[list[Line], list[Line]]:
    """Return what SQLite does to the numbers there are: (there, back); nothing for others."""
    before, after = DECIMAL.match(was), DECIMAL.match(now)
    if not before or not after or before[2] == after[2]:
        return [], []
    places = int(after[2]) - int(before[2])
    return [_line(table, column, places)], [_line(table, column, -places)]


def narrower(was: str, now: str) -> bool | None:
    """Tell whether numbers may lose digits; None where one of the two is no exact number."""
    before, after = DECIMAL.match(was), DECIMAL.match(now)
    if not before or not after:
        return None
    whole = int(after[1]) - int(after[2]) < int(before[1]) - int(before[2])
    return whole or int(after[2]) < int(before[2])


def _alter(table: sa.Table, column: sa.Column[Any]) -> Any:
    return ops.AlterColumnOp(
        table.name, column.name, existing_type=column.type, existing_nullable=column.nullable,
        existing_server_default=column.server_default,
    )  # fmt: skip


def _line(table: str, column: str, places: int) -> Line:
    name = f'"{column}"'
    less = f"CAST(ROUND({name} / {10**-places}.0) AS INTEGER)"
    said = f"{name} = {f'{name} * {10**places}' if places > 0 else less}"
    statement = f"UPDATE {table} SET {said}"  # noqa: S608  # names of models
    return Line(f"op.execute({quoted(statement)})", only="sqlite")
