"""Orders: names to sort by, completed so that no two rows are equal, the same everywhere.

    ("-published", "title")  ->  Order: -published, title, id

One order on every database: None is smaller than every value, so it is first in an
ascending list and last in a descending one. Text is by code point where the column is
ours. What comes first is sorted the database's own way, so that a plain index serves it;
`keyset` asks for rows with and without a value separately.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect

from carboy.base.errors import SetupError
from carboy.data.listed import check_public, column_of, fields_of, unknown_name

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from carboy.data.fields import Field

__all__ = ["Key", "Order", "order_of", "terms"]

LONGEST = 600  # characters of text in all: a cursor holds them, and has to fit into an address
SORTABLE = frozenset(
    ("boolean", "integer", "number", "decimal", "text", "datetime", "date", "time", "uuid",
     "choice", "reference")
)  # fmt: skip


@dataclass(frozen=True)
class Key:
    """One column that rows are sorted by.

    name: the attribute, or "author.name". python: the type of its values.
    """

    name: str
    descending: bool
    nullable: bool
    python: Any
    type: Any


@dataclass(frozen=True)
class Order:
    """What a list is sorted by; the last keys are the primary key.

    str(order) is how it was asked for: "-published,title,id".
    """

    model: Any
    keys: tuple[Key, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names, "-" before those that descend."""
        return tuple(f"-{key.name}" if key.descending else key.name for key in self.keys)

    def __str__(self) -> str:
        return ",".join(self.names)

    def reversed(self) -> Order:
        """Return the same from the other end."""
        turned = (replace(key, descending=not key.descending) for key in self.keys)
        return Order(self.model, tuple(turned))


def order_of(model: Any, names: Sequence[str]) -> Order:
    """Return the order by *names*, "-" for descending, with the primary key at its end.

    The key goes the way of the last name, so that one index serves them all.
    Raises SetupError for an unknown name (data.list_name), one whose values are not for
    everybody (data.not_public), one that cannot be sorted by (data.sort_key).
    """
    if isinstance(names, str):
        raise SetupError(
            "data.order", f"order={names!r} is a text; it is a list of names.",
            hint=f"Write  order=({names!r},).",
        )  # fmt: skip
    return _order_of(model, tuple(names))


@lru_cache(maxsize=512)
def _order_of(model: Any, names: tuple[str, ...]) -> Order:
    keys = [_key(model, name.removeprefix("-"), name.startswith("-")) for name in names]
    known = {key.name for key in keys}
    down = bool(keys) and keys[-1].descending
    mapper = inspect(model)
    for column in mapper.primary_key:
        name = mapper.get_property_by_column(column).key
        if name not in known:
            keys.append(_key(model, name, down))
    _check_length(model, keys)
    return Order(model, tuple(keys))


def terms(order: Order, columns: Callable[[str], Any], dialect: str) -> list[ColumnElement[Any]]:
    """Return the ORDER BY. columns: gives the column of a name."""
    found = []
    for place, key in enumerate(order.keys):
        column = columns(key.name)
        term = column.desc() if key.descending else column.asc()
        if dialect == "postgresql" and key.nullable and place:
            term = term.nulls_last() if key.descending else term.nulls_first()
        found.append(term)
    return found


def _key(model: Any, path: str, descending: bool) -> Key:
    *steps, name = path.split(".")
    nullable = False
    for step in steps:
        model, optional = _target(model, step, path)
        nullable = nullable or optional
    fields = fields_of(model)
    if name not in fields:
        raise unknown_name(model, name, fields, "column")
    check_public(model, [name], "sorted by")
    column, field = column_of(model, name), fields[name]
    if field.kind not in SORTABLE and not column.foreign_keys:
        raise _not_sortable(model, name, "its values have no order that all databases share")
    if field.kind == "text" and _length(column) > LONGEST:
        raise _not_sortable(model, name, f"it may hold more than {LONGEST} characters")
    nullable = nullable or bool(column.nullable)
    return Key(path, descending, nullable, _python(field, column), column.type)


def _target(model: Any, name: str, path: str) -> tuple[Any, bool]:
    """Return the class that the relation *name* leads to, and whether there may be no row."""
    relations = inspect(model).relationships
    if name not in relations or relations[name].uselist:
        known = [one.key for one in relations if not one.uselist]
        raise unknown_name(model, name, known, f"relation to one (in {path!r})")
    check_public(model, [name] if name in fields_of(model) else [], "sorted by")
    columns = relations[name].local_columns
    return relations[name].mapper.class_, any(column.nullable for column in columns)


def _python(field: Field, column: Any) -> Any:
    """Return the type of the values; that of what it refers to, for a foreign key."""
    if field.python is not object:
        return field.python
    for key in column.foreign_keys:
        return key.column.type.python_type
    return column.type.python_type


def _length(column: Any) -> int:
    found = getattr(column.type, "length", None)
    return LONGEST + 1 if found is None else int(found)


def _check_length(model: Any, keys: Sequence[Key]) -> None:
    texts = [key for key in keys if key.python is str]
    if sum(getattr(key.type, "length", 0) or 0 for key in texts) > LONGEST:
        names = ", ".join(key.name for key in texts)
        raise _not_sortable(model, names, f"they may hold more than {LONGEST} characters together")


def _not_sortable(model: Any, name: str, why: str) -> SetupError:
    return SetupError(
        "data.sort_key",
        f"{model.__name__} cannot be sorted by {name} in pages: {why}.",
        hint="A cursor holds the values a page ends with. Give a text a max_length, or take"
        " another field.",
    )
