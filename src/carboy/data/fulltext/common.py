"""What the full text of a table is called, and how names get into SQL: always quoted.

Names(table)    books_search and what belongs to it
quoted("id")    "id" for the database it is for
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import mysql, postgresql, sqlite

from carboy.data.naming import constraint_name

if TYPE_CHECKING:
    from sqlalchemy import Dialect, Table

__all__ = [
    "DIALECTS",
    "MARK",
    "SHADOWS",
    "Quote",
    "closed_names",
    "index_name",
    "keys_of",
    "language_of",
    "search_name",
]

MARK = "carboy.search"
"""Begins the comment of what we made, so that nobody else's is taken for ours."""

SHADOWS = ("data", "idx", "content", "docsize", "config", "keys")
"""Tables that FTS5 keeps beside its own, and ours with the keys."""

LANGUAGE = "language="
"""Begins the last of the searched columns where a language was said."""

DIALECTS: dict[str, Dialect] = {
    "sqlite": sqlite.dialect(),
    "postgresql": postgresql.dialect(),  # type: ignore[no-untyped-call]  # theirs
    "mysql": mysql.dialect(),
    "mariadb": mysql.dialect(is_mariadb=True),
}


class Quote:
    """Puts names into SQL for one dialect."""

    def __init__(self, dialect_name: str) -> None:
        self._preparer = DIALECTS[dialect_name].identifier_preparer

    def __call__(self, name: str) -> str:
        """Return *name* quoted, also where it need not be."""
        return self._preparer.quote_identifier(name)

    def table(self, table: Table) -> str:
        """Return the table, with its schema if it has one."""
        return self.beside(table, str(table.name))

    def beside(self, table: Table, name: str) -> str:
        """Return the name of something in the schema of *table*."""
        return f"{self(table.schema)}.{self(name)}" if table.schema else self(name)

    def all(self, names: Sequence[str], before: str = "") -> str:
        """Return a list of names, each after *before*."""
        return ", ".join(f"{before}{self(name)}" for name in names)


def search_name(table_name: str) -> str:
    """Return the name of the table that holds the words of another.

    >>> search_name("books")
    'books_search'
    """
    return constraint_name(table_name, "search")


def index_name(table_name: str) -> str:
    """Return the name of the index over a table's words.

    >>> index_name("books")
    'ix_books_search'
    """
    return constraint_name("ix", table_name, "search")


def closed_names(table_name: str) -> frozenset[str]:
    """Return the names under which the words of a table can be read, past any policy."""
    own = search_name(table_name)
    return frozenset({own, *(f"{own}_{shadow}" for shadow in SHADOWS)})


def language_of(columns: Sequence[str]) -> tuple[list[str], str]:
    """Return (columns, language): the last of *columns* may say "language=german"."""
    names = [name for name in columns if not name.startswith(LANGUAGE)]
    said = [name.removeprefix(LANGUAGE) for name in columns if name.startswith(LANGUAGE)]
    return names, said[0] if said else ""


def keys_of(table: Table) -> list[Any]:
    """Return the columns of the primary key."""
    return list(table.primary_key.columns)
