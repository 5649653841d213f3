"""Conditions of a select: clauses, made for the columns of an entity of the ORM.

filters, search, keyset  ->  Clause  ->  Reading.rows(clause)              reads
                                     ->  select(Book).where(*conditions)   here
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sqlalchemy import BindParameter, bindparam
from sqlalchemy.sql.visitors import replacement_traverse

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from carboy.data.clauses import Clause

__all__ = ["Entity", "conditions"]


class Entity:
    """The columns of a mapped class, or of an alias of it, by attribute."""

    dialect = ""  # not known yet: parts that depend on it decide when they are compiled

    def __init__(self, model: Any) -> None:
        self.model = model

    def __getitem__(self, path: str) -> ColumnElement[Any]:
        """Return the column of the attribute *path*."""
        found: ColumnElement[Any] = getattr(self.model, path).__clause_element__()
        return found


def conditions(entity: Any, clauses: Iterable[Clause]) -> list[ColumnElement[bool]]:
    """Return *clauses* as conditions for a select of *entity*, with their values.

    entity: a model or `aliased(model)`.
    """
    return [_with_values(one, entity) for one in clauses]


def _with_values(clause: Clause, entity: Any) -> ColumnElement[bool]:
    binds: dict[str, BindParameter[Any]] = {}

    def filled(element: Any, **_: Any) -> Any:
        if not isinstance(element, BindParameter) or element.key not in clause.values:
            return None
        if element.key not in binds:
            value = clause.values[element.key]
            # Unique: two clauses may use the same names for different values.
            binds[element.key] = bindparam(element.key, value, element.type, unique=True)
        return binds[element.key]

    return replacement_traverse(clause.build(Entity(entity)), {}, filled)
