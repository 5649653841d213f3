"""Full text search: fields with search=True, found by their words on every database.

    search(Book, "jane aus*")  ->  Found   .clause for reads, .where() and .best() for select
    wanted, existing           ->  what should be searchable, and what is
    create_sql, drop_sql       ->  the statements between the two; migrations run them

SQLite has an FTS5 table, PostgreSQL a GIN index, MariaDB a table with a FULLTEXT index;
the database itself keeps them in step, also with what other programs write.
`create_all` and `drop_all` make and drop them with the tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData, Table, bindparam, event, inspect, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import ExecutableDDLElement
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.visitors import InternalTraversal
from sqlalchemy.types import Boolean, Double

from carboy.base.errors import SetupError
from carboy.data.clauses import Clause
from carboy.data.conditions import Entity, conditions
from carboy.data.fields import INFO
from carboy.data.fulltext import mysql, postgresql, sqlite
from carboy.data.fulltext.common import (
    LANGUAGE,
    closed_names,
    index_name,
    keys_of,
    language_of,
    search_name,
)
from carboy.data.fulltext.trust import trust
from carboy.data.fulltext.words import Query, QueryType, parse
from carboy.data.listed import attribute_of, check_public

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = [
    "Found",
    "Words",
    "closed",
    "create_sql",
    "drop_sql",
    "existing",
    "names",
    "search",
    "wanted",
]

KINDS: dict[str, ModuleType] = {
    "sqlite": sqlite,
    "postgresql": postgresql,
    "mysql": mysql,
    "mariadb": mysql,
}
RESERVED = frozenset({"rank", "rowid"})  # FTS5 has columns of these names itself


# Asking


@dataclass(frozen=True)
class Found:
    """A search of one model.

    clause: the condition, for a Reading. where(): the same for `select(...).where(*...)`.
    best(): for `order_by`, the rows that fit best first.
    """

    model: Any
    query: Query
    clause: Clause

    def where(self, entity: Any = None) -> list[ColumnElement[bool]]:
        """Return the condition for a select of the model, or of an alias of it."""
        return conditions(entity or self.model, [self.clause])

    def best(self, entity: Any = None) -> ColumnElement[Any]:
        """Return what to order by. The first of the searched fields weigh most.

        Scores also depend on how common a word is in rows that the asker may not see.
        """
        if not self.query:
            key = keys_of(inspect(self.model).local_table)[0]  # nothing was asked for
            return Entity(entity or self.model)[attribute_of(self.model, key)]
        return _words(self.model, entity or self.model, self.query, score=True).desc()


def search(model: Any, text: str) -> Found:
    """Return what finds the rows of *model* in whose searched fields all words occur.

    text: as typed: words, "a phrase", beg* for a beginning; other signs only separate.
    One without any word finds every row.
    Raises RequestFault (400, data.search) for more than 200 characters or 16 words,
    SetupError (data.searched) when no field has search=True, or one is not for everybody.
    """
    query = parse(text)
    table, columns = _searched(model)
    texts = [table.c[name] for name in language_of(columns)[0]]
    check_public(model, [attribute_of(model, column) for column in texts], "searched by")
    if not query:
        return Found(model, query, Clause(("search",), lambda _: true()))

    def build(found: Any) -> ColumnElement[bool]:
        parts = [found[attribute_of(model, column)] for column in _read(table, columns)]
        return Words(table, columns, parts, bindparam("words", type_=QueryType()))

    return Found(model, query, Clause(("search", table.name), build, {"words": query}))


class Words(ColumnElement[Any]):
    """True for rows with the words of a query; as a score, how well they fit.

    It is no table and no text: a policy's compiler lets it pass, and renders the
    columns inside it as what may be seen.
    """

    __visit_name__ = "carboy_words"
    inherit_cache = True
    _traverse_internals = [  # noqa: RUF012  # SQLAlchemy's protocol
        ("about", InternalTraversal.dp_plain_obj),
        ("parts", InternalTraversal.dp_clauseelement_list),
        ("query", InternalTraversal.dp_clauseelement),
    ]

    def __init__(
        self, source: Table, columns: tuple[str, ...], parts: list[Any], query: Any,
        *, score: bool = False,
    ) -> None:  # fmt: skip
        self.about = (source, columns, score)
        self.parts = parts
        self.query = query
        self.type = Double() if score else Boolean()

    def self_group(self, against: Any = None) -> Any:
        """Return self: it is rendered with what parentheses it needs."""
        return self


@compiles(Words)
def _render(element: Words, compiler: Any, **kw: Any) -> str:
    kind = KINDS[compiler.dialect.name]
    source, columns, score = element.about
    kw = {name: value for name, value in kw.items() if name in ("literal_binds",)}
    texts = [compiler.process(part, **kw) for part in element.parts]
    searched = len(language_of(columns)[0])
    parts = texts[:searched] if kind is postgresql else texts[searched:]
    render = kind.rank if score else kind.condition
    return f"({render(source, columns, parts, compiler.process(element.query, **kw))})"


# Keeping


def wanted(metadata: MetaData) -> dict[str, tuple[str, ...]]:
    """Return the columns that should be searchable, by table, in the order they weigh.

    The last may say a language: "language=german".
    Raises SetupError (data.searched) for a field that cannot be searched.
    """
    found = {str(table.name): _wanted(table) for table in metadata.sorted_tables}
    for name, columns in found.items():
        if columns and search_name(name) in found:
            raise _not_searched(name, f"needs the name {search_name(name)!r}, which is a table's")
    return {name: columns for name, columns in found.items() if columns}


def existing(connection: Connection) -> dict[str, tuple[str, ...]]:
    """Return the columns that are searchable in a database, by table.

    A table whose search is there only in part counts as having none.
    """
    found: dict[str, tuple[str, ...]] = KINDS[connection.dialect.name].existing(connection)
    return found


def create_sql(table: Table, columns: Sequence[str], dialect_name: str) -> list[str]:
    """Return the statements that make *columns* searchable, whatever of it was there.

    They also fill in the rows there are. They hold neither ":" nor "%", so that they pass
    through `text()` and every driver unchanged. dialect_name: as SQLAlchemy says it.
    """
    kind = KINDS[dialect_name]
    more = (dialect_name,) if kind is mysql else ()
    made: list[str] = kind.create_sql(table, columns, *more)
    return made


def drop_sql(table_name: str, columns: Sequence[str], dialect_name: str) -> list[str]:
    """Return the statements that remove the search of a table; run them before its own."""
    made: list[str] = KINDS[dialect_name].drop_sql(table_name)
    return made


def names(table_name: str) -> frozenset[str]:
    """Return the names that search may use for a table: not part of any model."""
    return closed_names(table_name) | {index_name(table_name)}


def closed(tables: Iterable[Table]) -> frozenset[str]:
    """Return the names of what holds the words of *tables*, in lower case.

    A policy keeps them from everybody: whoever could read them would pass it by.
    """
    found = (closed_names(str(table.name)) for table in tables if _wanted(table))
    return frozenset(name.lower() for one in found for name in one)


class _Statement(ExecutableDDLElement):
    """One statement of `create_sql` or `drop_sql`."""

    def __init__(self, sql: str) -> None:
        self.sql = sql


@compiles(_Statement)
def _as_it_stands(element: _Statement, compiler: Any, **kw: Any) -> str:
    return element.sql


@event.listens_for(Table, "after_create")
def _create(table: Table, connection: Connection, **_: Any) -> None:
    columns = _wanted(table)
    if columns:
        trust(connection)
        _run(connection, create_sql(table, columns, connection.dialect.name))


@event.listens_for(Table, "before_drop")
def _drop(table: Table, connection: Connection, **_: Any) -> None:
    columns = _wanted(table)
    if columns:
        _run(connection, drop_sql(str(table.name), columns, connection.dialect.name))


def _run(connection: Connection, statements: Iterable[str]) -> None:
    for sql in statements:
        connection.execute(_Statement(sql))


# What is searched


def _wanted(table: Table) -> tuple[str, ...]:
    columns = [c for c in table.columns if getattr(c.info.get(INFO), "search", False)]
    for column in columns:
        _check(table, column)
    language = str(table.info.get("search_language", "")) if columns else ""
    if language and not language.isidentifier():
        raise _not_searched(str(table.name), f"names a language {language!r}, which is no name")
    said = (f"{LANGUAGE}{language}",) if language else ()
    return (*(str(column.name) for column in columns), *said)


def _check(table: Table, column: Any) -> None:
    problem = ""
    if _python(column) is not str:
        problem = "holds no text"
    elif column.name.lower() in RESERVED:
        problem = "has a name that SQLite keeps for itself; give another in field(name=...)"
    elif not keys_of(table):
        problem = "is in a table without a primary key"
    if problem:
        raise _not_searched(f"{table.name}.{column.name}", problem)


def _python(column: Any) -> Any:
    try:
        return column.type.python_type
    except NotImplementedError:
        return None


def _searched(model: Any) -> tuple[Table, tuple[str, ...]]:
    table = inspect(model).local_table
    columns = _wanted(table) if isinstance(table, Table) else ()
    if not columns:
        raise SetupError(
            "data.searched",
            f"{model.__name__} has no field to search.",
            hint="Say it in the model:  title: Mapped[str] = field(max_length=200, search=True)",
        )
    return table, columns


def _read(table: Table, columns: tuple[str, ...]) -> list[Any]:
    """Return the columns that the SQL of some database mentions: the texts and the keys."""
    return [*(table.c[name] for name in language_of(columns)[0]), *keys_of(table)]


def _words(model: Any, entity: Any, query: Query, *, score: bool) -> Words:
    table, columns = _searched(model)
    parts = [getattr(entity, attribute_of(model, column)) for column in _read(table, columns)]
    bind = bindparam("words", query, type_=QueryType(), unique=True)
    return Words(table, columns, [part.__clause_element__() for part in parts], bind, score=score)


def _not_searched(name: str, problem: str) -> SetupError:
    return SetupError(
        "data.searched", f"{name} cannot be searched: it {problem}.",
        hint="Leave search=True out.",
    )  # fmt: skip
