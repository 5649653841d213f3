"""Ranges: the rows from a place on, as conditions that an index answers.

    order, place  ->  segments()  ->  clauses, the nearest rows first

The condition is one that an index answers: `(published, id) > (1815, 7)` where all keys go
one way; else `published >= 1815 AND (published > 1815 OR ...)`, whose first term is the
range. MariaDB takes no range from a comparison of rows and always gets the second. Two
statements are made of it where one would read a long stretch in vain: rows with and without
a value of the first key, and, when a whole page shares the first value, those that share it
and those beyond. The second one runs only when the first did not fill the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, false, or_, tuple_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.visitors import InternalTraversal
from sqlalchemy.types import Boolean

from carboy.data.clauses import Clause

if TYPE_CHECKING:
    from carboy.data.cursors import Place
    from carboy.data.orders import Key, Order

__all__ = ["After", "segments"]


def segments(order: Order, place: Place | None, dialect: str) -> list[Clause | None]:
    """Return the ranges that hold the rows from *place* on, in turn; None for all rows."""
    backward = place is not None and place.backward
    keys = (order.reversed() if backward else order).keys
    lead = keys[0]
    if place is None:
        if not lead.nullable or dialect != "postgresql":
            return [None]  # the database's own order is ours
        nulls, values = _null(lead, True), _null(lead, False)
        return [values, nulls] if lead.descending else [nulls, values]
    if not lead.nullable or place.values[0] is None:
        return [*_ranges(keys, place)]
    found = _ranges((replace(lead, nullable=False), *keys[1:]), place)
    return [*found, _null(lead, True)] if lead.descending else [*found]


class After(ColumnElement[bool]):
    """A condition in two forms: of rows, and written out where rows give no range."""

    __visit_name__ = "carboy_after"
    inherit_cache = True
    type = Boolean()
    _traverse_internals = [  # noqa: RUF012  # SQLAlchemy's protocol
        ("row", InternalTraversal.dp_clauseelement),
        ("wide", InternalTraversal.dp_clauseelement),
    ]

    def __init__(self, row: ColumnElement[bool], wide: ColumnElement[bool]) -> None:
        self.row = row
        self.wide = wide

    def self_group(self, against: Any = None) -> Any:
        """Return self: it brings its parentheses."""
        return self


@compiles(After)
def _row(element: After, compiler: Any, **kw: Any) -> str:
    return f"({compiler.process(element.row, **kw)})"


@compiles(After, "mysql")
@compiles(After, "mariadb")
def _wide(element: After, compiler: Any, **kw: Any) -> str:
    return f"({compiler.process(element.wide, **kw)})"


def _null(key: Key, wanted: bool) -> Clause:
    """Return the condition that a key is NULL, or that it is not."""

    def build(columns: Any) -> ColumnElement[bool]:
        found: ColumnElement[bool] = _is_null(columns[key.name], wanted)
        return found

    return Clause(("keyset", key.name, wanted), build)


def _is_null(column: Any, wanted: bool) -> Any:
    return column.is_(None) if wanted else column.is_not(None)


def _ranges(keys: Sequence[Key], place: Place) -> list[Clause]:
    """Return the conditions that a row comes after *place*, the nearest rows first.

    One where rows can be compared, or where few rows share the first value; else one for
    the rows that share it, and one for those beyond: a range of an index each.
    """
    values = place.values
    depth = 1 if values[0] is None else 0
    while place.long and depth < len(keys) - 1 and not _comparable(keys[depth:], values[depth:]):
        depth += 1
    found = [_after(keys, place, depth)]
    for shared in reversed(range(depth)):
        if values[shared] is not None or not keys[shared].descending:  # else nothing is beyond
            found.append(_after(keys[: shared + 1], place, shared, beyond=True))
    return found


def _comparable(keys: Sequence[Key], values: Sequence[Any]) -> bool:
    """Tell whether `(a, b) > (:a, :b)` says what is meant: one way, and no NULL anywhere."""
    one_way = len({key.descending for key in keys}) == 1
    return one_way and None not in values and not any(key.nullable for key in keys)


def _after(keys: Sequence[Key], place: Place, shared: int, *, beyond: bool = False) -> Clause:
    """Return the condition that a row has the first *shared* values, and comes after the rest.

    beyond: of the last of *keys* alone, which then is the only one of the rest.
    """
    nulls = tuple(value is None for value in place.values[: len(keys)])
    inclusive = place.inclusive and not beyond
    values = {f"key{n}": place.values[n] for n, null in enumerate(nulls) if not null}
    marks = tuple((key.name, key.descending, key.nullable) for key in keys)
    rows = len(keys) - shared > 1 and _comparable(keys[shared:], place.values[shared:])

    def build(columns: Any) -> ColumnElement[bool]:
        sides = [
            (columns[key.name], None if none else bindparam(f"key{n}", type_=key.type))
            for n, (key, none) in enumerate(zip(keys, nulls, strict=True))
        ]
        same = [_same(*side) for side in sides[:shared]]
        rest, others = keys[shared:], sides[shared:]
        found = _written_out(rest, others, inclusive)
        if rows:
            found = After(_compared(rest, others, inclusive), found)
        return and_(*same, found) if same else found

    return Clause(("keyset", marks, nulls, shared, inclusive), build, values)


def _compared(keys: Sequence[Key], sides: Any, inclusive: bool) -> ColumnElement[bool]:
    """Return `(a, b) > (:a, :b)`."""
    left, right = tuple_(*(c for c, _ in sides)), tuple_(*(b for _, b in sides))
    if keys[0].descending:
        return left <= right if inclusive else left < right
    return left >= right if inclusive else left > right


def _written_out(keys: Sequence[Key], sides: Any, inclusive: bool) -> ColumnElement[bool]:
    """Return `a >= :a AND (a > :a OR a = :a AND (b > :b OR ...))`."""
    (column, bind), key = sides[0], keys[0]
    found: ColumnElement[bool] = _later(keys, sides, inclusive)
    if len(keys) == 1 or key.nullable or bind is None:
        return found
    return and_(column <= bind if key.descending else column >= bind, found)


def _later(keys: Sequence[Key], sides: Any, inclusive: bool) -> Any:
    """Return `a > :a OR a = :a AND (b > :b OR ...)`."""
    (column, bind), key = sides[0], keys[0]
    beyond, same = _beyond(key, column, bind), _same(column, bind)
    if len(keys) == 1:
        return or_(beyond, same) if inclusive else beyond
    return or_(beyond, and_(same, _later(keys[1:], sides[1:], inclusive)))


def _same(column: Any, bind: Any) -> Any:
    return column.is_(None) if bind is None else column == bind


def _beyond(key: Key, column: Any, bind: Any) -> Any:
    """Return the condition that *column* comes after the value, which may be NULL."""
    if bind is None:
        return false() if key.descending else column.is_not(None)
    if not key.descending:
        return column > bind
    return or_(column < bind, column.is_(None)) if key.nullable else column < bind
