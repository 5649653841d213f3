"""The steps of our own that a migration may take, as Alembic operations.

    ops.create_index(...)  ->  CreateIndex(...)  ->  op.invoke()  ->  done for this database
                                                 ->  recording    ->  reviewed by safety.py

A step says what is wanted and nothing of how; on_postgresql.py, on_mariadb.py and
on_sqlite.py know that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alembic.operations import MigrateOperation

if TYPE_CHECKING:
    from sqlalchemy import Column

__all__ = [
    "AddCheck",
    "AddColumn",
    "AddForeignKey",
    "AddUnique",
    "Backfill",
    "CreateIndex",
    "CreateSearch",
    "DropIndex",
    "DropSearch",
    "OurStep",
    "SetNotNull",
]


@dataclass(eq=False)
class OurStep(MigrateOperation):
    """One thing that happens to one table."""

    table: str


@dataclass(eq=False)
class CreateIndex(OurStep):
    """An index called *name*; where: only rows that fulfil this SQL condition."""

    name: str
    columns: tuple[str, ...]
    unique: bool = False
    where: str = ""


@dataclass(eq=False)
class DropIndex(OurStep):
    """The end of the index called *name*."""

    name: str


@dataclass(eq=False)
class AddForeignKey(OurStep):
    """*columns* of the table refer to *target_columns* of *target*."""

    name: str
    target: str
    columns: tuple[str, ...]
    target_columns: tuple[str, ...]
    on_delete: str | None = None


@dataclass(eq=False)
class AddCheck(OurStep):
    """Every row fulfils *condition*."""

    name: str
    condition: Any


@dataclass(eq=False)
class AddUnique(OurStep):
    """No two rows agree in all of *columns*."""

    name: str
    columns: tuple[str, ...]


@dataclass(eq=False)
class SetNotNull(OurStep):
    """No row leaves *column* out."""

    column: str


@dataclass(eq=False)
class AddColumn(OurStep):
    """One column more, with what is declared on it."""

    column: Column[Any]


@dataclass(eq=False)
class Backfill(OurStep):
    """Rows that fulfil *where* get *values*, *batch* at a time; None: where a value is missing."""

    values: Mapping[str, Any]
    where: Any
    batch: int


@dataclass(eq=False)
class CreateSearch(OurStep):
    """Full-text search over *columns*."""

    columns: tuple[str, ...]


@dataclass(eq=False)
class DropSearch(OurStep):
    """The end of full-text search over *columns*."""

    columns: tuple[str, ...]
