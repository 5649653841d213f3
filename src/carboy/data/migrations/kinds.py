"""What migrations are written in, so that one file fits every database.

    sa.Column("title", kinds.text(200))      the type that Mapped[str] has, wherever it runs
    kinds.sql("length(title) >= 3", mariadb="char_length(title) >= 3")
    kinds.only("sqlite", sa.CheckConstraint(...))      ignored by the others
    if kinds.on("sqlite"): ...                         the same for steps

The types are those of `carboy.data.types`, by the words of `Field.kind`; what they are in
a database does not change, for migrations are for ever.
"""

from __future__ import annotations

import datetime as dates
import uuid as uuids
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement

from carboy.data.models import Model
from carboy.data.types import column_type

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

__all__ = [
    "Sql",
    "binary",
    "boolean",
    "choice",
    "date",
    "datetime",
    "decimal",
    "integer",
    "json",
    "number",
    "on",
    "only",
    "options",
    "sql",
    "text",
    "time",
    "uuid",
]


def text(length: int | None = None) -> TypeEngine[Any]:
    """Characters, compared by code point; *length* at most, or any number."""
    return _type(str, max_length=length)


def integer() -> TypeEngine[Any]:
    """A whole number of 64 bits."""
    return _type(int)


def number() -> TypeEngine[Any]:
    """A double."""
    return _type(float)


def decimal(digits: int, places: int) -> TypeEngine[Any]:
    """An exact number; SQLite keeps it as an integer, scaled."""
    return _type(Decimal, digits=digits, places=places)


def boolean() -> TypeEngine[Any]:
    """True or false."""
    return _type(bool)


def choice(length: int) -> TypeEngine[Any]:
    """The text that stands for a member of an Enum; *length* of the longest."""
    return sa.String(length)


def datetime() -> TypeEngine[Any]:
    """A moment, in UTC, with microseconds."""
    return _type(dates.datetime)


def date() -> TypeEngine[Any]:
    """A day."""
    return _type(dates.date)


def time() -> TypeEngine[Any]:
    """A time of day, without zone."""
    return _type(dates.time)


def uuid() -> TypeEngine[Any]:
    """A UUID; 32 characters where there is no such type."""
    return _type(uuids.UUID)


def binary() -> TypeEngine[Any]:
    """Bytes, any number."""
    return _type(bytes)


def json() -> TypeEngine[Any]:
    """What JSON can hold; JSONB on PostgreSQL."""
    return _type(dict)


def options(*, autoincrement: bool = False) -> dict[str, Any]:
    """Return the options of a model's table: InnoDB, utf8mb4, compared by code point.

    autoincrement: SQLite gives no key twice.
    """
    own = {"sqlite_autoincrement": True} if autoincrement else {}
    return {**Model.__table_options__, **own}


class Sql(ColumnElement[bool]):
    """A condition that is not written alike everywhere; see `sql`."""

    inherit_cache = False
    type = sa.Boolean()

    def __init__(self, usual: str, others: dict[str, str]) -> None:
        self.usual, self.others = usual, others

    def of(self, dialect: str) -> str:
        """Return the text for a dialect; MySQL's is MariaDB's."""
        return self.others.get("mariadb" if dialect == "mysql" else dialect, self.usual)


@compiles(Sql)
def _compile(element: Sql, compiler: Any, **more: Any) -> str:
    said = element.of(compiler.dialect.name)
    return str(compiler.process(sa.text(said.replace(":", "\\:")), **more))


def sql(usual: str, **others: str) -> Sql:
    """Return a condition: *usual*, or what is said for sqlite, postgresql, mariadb.

    >>> sql("length(a) > 1", mariadb="char_length(a) > 1").of("mariadb")
    'char_length(a) > 1'
    """
    return Sql(usual, others)


def only(dialect: str, constraint: Any) -> Any:
    """Return *constraint*, made on *dialect* alone."""
    return constraint.ddl_if(dialect=dialect)


def on(*dialects: str) -> bool:
    """Tell whether this migration runs on one of *dialects*; "mariadb" is MySQL, too."""
    name = op.get_context().dialect.name
    return ("mariadb" if name == "mysql" else name) in dialects


def _type(python: type, **said: Any) -> TypeEngine[Any]:
    found = column_type(python, **{"max_length": None, "digits": None, "places": None, **said})
    assert found is not None
    return found
