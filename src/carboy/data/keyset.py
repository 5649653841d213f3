"""Pages by key: each begins where the one before it ended, however long the list is.

    order, cursor  ->  ranges.py     conditions that an index answers, one or two
                   ->  size + 1 rows the one too many tells whether there is more
                   ->  Page          items, and the cursors of its neighbours

A row that is added or deleted meanwhile moves no other one to another page: what was
there throughout is met once, in order. Nothing is counted, and nothing is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import inspect
from sqlalchemy.engine import IteratorResult
from sqlalchemy.engine.result import SimpleResultMetaData

from carboy.base.errors import RequestFault, SetupError
from carboy.data.conditions import conditions
from carboy.data.cursors import Place, read_cursor, write_cursor
from carboy.data.encoders import dumps
from carboy.data.orders import Order, order_of, terms
from carboy.data.ranges import segments

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.orm import Session

    from carboy.data.clauses import Clause
    from carboy.data.moments import Moments
    from carboy.data.reads import Reading

__all__ = ["MOST", "Page", "Source", "keyset", "pages", "read_page"]

MOST = 1_000  # rows of a page

Position = tuple[Any, ...]


class Part(Protocol):
    """Rows of one statement, in the declared direction."""

    def __len__(self) -> int: ...

    def cut(self, start: int, stop: int) -> Part:
        """Return the rows from *start* to before *stop*."""

    def key(self, index: int) -> Position:
        """Return the values one row is sorted by, the primary key included."""

    def rows(self) -> list[Any]:
        """Return them as items."""

    def plain(self, *, moments: Moments) -> list[Any]:
        """Return them as what JSON is made of."""


class Source(Protocol):
    """What pages are taken from: a statement in a session, or a Reading."""

    def fetch(
        self, clauses: Sequence[Clause], *, order: Sequence[str], limit: int, backward: bool
    ) -> Part:
        """Return the first rows that fulfil *clauses*; the last ones where backward."""


class Page:
    """One page of a list.

    next, prev: cursors of the pages after and before it, or None. A page that was reached
    by a cursor has one on the side it was reached from, where all rows may be gone by now.
    Its length is the number of its rows.
    """

    def __init__(self, parts: Sequence[Part], next: str | None, prev: str | None) -> None:
        self._parts = parts
        self.next = next
        self.prev = prev

    @cached_property
    def items(self) -> list[Any]:
        """The rows."""
        return [item for part in self._parts for item in part.rows()]

    def json(self, *, moments: Moments = "http") -> bytes:
        """Return the rows as a JSON array; only for a page of a Reading, as its `json`."""
        return dumps(self.plain(moments=moments))

    def plain(self, *, moments: Moments = "http") -> list[Any]:
        """Return the objects that `json` writes, to be part of a larger answer.

        They go through `encoders.dumps`.
        """
        return [item for part in self._parts for item in part.plain(moments=moments)]

    @property
    def has_next(self) -> bool:
        """Whether there is a page after this one."""
        return self.next is not None

    @property
    def has_prev(self) -> bool:
        """Whether there is a page before this one."""
        return self.prev is not None

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)

    def __len__(self) -> int:
        return sum(map(len, self._parts))


def keyset(
    session: Session,
    statement: Select[Any],
    order: Sequence[str] = (),
    *,
    clauses: Sequence[Clause] = (),
    size: int = 20,
    cursor: str | None = None,
    name: str = "",
) -> Page:
    """Return one page of *statement*, a select of a model.

    order: names of its columns, "-" for descending. clauses: more conditions. size: rows,
    1 to 1,000. cursor: None or "" for the first page. name: makes cursors good for this
    list only, where another has the same table and order.
    One statement; two on a page where a NULL first key meets the others.
    Raises RequestFault (400, data.cursor) for a cursor that is none of this list, and
    SetupError (data.keyset) for a select that cannot be paged.
    """
    entity = _entity(statement)
    made = order_of(inspect(entity).mapper.class_, order)
    dialect = session.get_bind(inspect(entity).mapper, clause=statement).dialect.name
    source = _Selected(session, statement, entity, made, dialect)
    return pages(source, made, dialect, clauses=clauses, size=size, cursor=cursor, name=name)


def read_page(
    reading: Reading,
    dialect: str,
    *,
    clauses: Sequence[Clause] = (),
    order: Sequence[str] | None = None,
    size: int = 20,
    cursor: str | None = None,
    name: str = "",
) -> Page:
    """Return one page of *reading*; order: its own if not given. Else as `keyset`.

    dialect: SQLAlchemy's name of the kind of database that it reads from.
    """
    made = order_of(reading.model, reading.order if order is None else order)
    return pages(reading, made, dialect, clauses=clauses, size=size, cursor=cursor, name=name)


def pages(
    source: Source,
    order: Order,
    dialect: str,
    *,
    clauses: Sequence[Clause] = (),
    size: int = 20,
    cursor: str | None = None,
    name: str = "",
) -> Page:
    """Return one page of *source*; else as `keyset`. dialect: SQLAlchemy's name of it."""
    if type(size) is not int or not 0 < size <= MOST:
        raise RequestFault(400, "data.page_size", f"A page has from 1 to {MOST} rows.")
    place = read_cursor(order, cursor, name=name) if cursor else None
    backward = place is not None and place.backward
    parts: list[Any] = []
    missing = size + 1
    for clause in segments(order, place, dialect):
        more = (clause,) if clause is not None else ()
        part = source.fetch((*clauses, *more), order=order.names, limit=missing, backward=backward)
        parts.append(part)
        missing -= len(part)
        if not missing:
            break
    return _page(order, parts[::-1] if backward else parts, size, place, name)


class _Selected:
    """A select of the ORM as a source."""

    def __init__(
        self, session: Session, statement: Select[Any], entity: Any, order: Order, dialect: str
    ) -> None:
        self.session, self.statement, self.entity = session, statement, entity
        self.order, self.dialect = order, dialect
        self.columns: Callable[[str], Any] = lambda name: getattr(entity, name)

    def fetch(
        self, clauses: Sequence[Clause], *, order: Sequence[str], limit: int, backward: bool
    ) -> _Rows:
        """Return the first rows, or the last, with the values they are sorted by."""
        way = self.order.reversed() if backward else self.order
        # From the statement, not from objects: those may be older than the rows, or changed.
        keys = [self.columns(k.name).label(f"carboy_key_{n}") for n, k in enumerate(way.keys)]
        found = self.session.execute(
            self.statement.add_columns(*keys)
            .where(*conditions(self.entity, clauses))
            .order_by(*terms(way, self.columns, self.dialect))
            .limit(limit)
        ).unique()
        names = [str(one["name"]) for one in self.statement.column_descriptions]
        rows = found.all()
        return _Rows(names, rows[::-1] if backward else rows)


@dataclass
class _Rows:
    names: list[str]
    found: Sequence[Any]

    def __len__(self) -> int:
        return len(self.found)

    def cut(self, start: int, stop: int) -> _Rows:
        return _Rows(self.names, self.found[start:stop])

    def key(self, index: int) -> Position:
        return tuple(self.found[index][len(self.names) :])

    def rows(self) -> list[Any]:
        """Return objects; rows, where the select is of several things."""
        count = len(self.names)
        if count == 1:
            return [row[0] for row in self.found]
        metadata = SimpleResultMetaData(self.names)
        return list(IteratorResult(metadata, iter([row[:count] for row in self.found])).all())

    def plain(self, *, moments: Moments) -> list[Any]:
        raise SetupError(
            "data.keyset",
            "A page of objects has no JSON of its own.",
            hint="Read it by what it shows:  db.keyset(Book.read('id', 'title')).json()",
        )


def _page(order: Order, parts: list[Any], size: int, place: Place | None, name: str) -> Page:
    """Return the page of the rows in *parts*, one of which may be too many."""
    backward = place is not None and place.backward
    more = sum(map(len, parts)) > size
    if more:
        parts = _without_one(parts, first=backward)
    parts = [part for part in parts if len(part)]
    has_next, has_prev = more, place is not None
    if backward:
        has_next, has_prev = has_prev, has_next

    def cursor(to: Place) -> str:
        return write_cursor(order, to, name=name)

    if not parts:
        back = None if place is None else cursor(_turned(place))
        return Page(parts, back if backward else None, None if backward else back)
    first, last = parts[0].key(0), parts[-1].key(len(parts[-1]) - 1)
    long = first[0] == last[0]
    after, before = Place(last, long=long), Place(first, backward=True, long=long)
    following = cursor(after) if has_next else None
    return Page(parts, following, cursor(before) if has_prev else None)


def _without_one(parts: list[Any], *, first: bool) -> list[Any]:
    """Return *parts* without the first row of all, or the last."""
    if first:
        full = next(n for n, part in enumerate(parts) if len(part))
        return [parts[full].cut(1, len(parts[full])), *parts[full + 1 :]]
    full = max(n for n, part in enumerate(parts) if len(part))
    return [*parts[:full], parts[full].cut(0, len(parts[full]) - 1)]


def _turned(place: Place) -> Place:
    """Return the place from which everything lies that does not lie from *place* on."""
    return Place(place.values, not place.backward, not place.inclusive, place.long)


def _entity(statement: Any) -> Any:
    """Return what the select is of. Raises SetupError for one that has an order already."""
    found = getattr(statement, "column_descriptions", None) or [{}]
    entity = found[0].get("entity")
    problem = ""
    if entity is None:
        problem = "begins with no model"
    elif statement._order_by_clauses:
        problem = "has an order_by() of its own"
    elif statement._limit_clause is not None or statement._offset_clause is not None:
        problem = "has a limit() or offset()"
    if problem:
        raise SetupError(
            "data.keyset",
            f"This select cannot be read in pages: it {problem}.",
            hint="Write  db.keyset(select(Book).where(...), order=('-published',), size=20).",
        )
    return entity
