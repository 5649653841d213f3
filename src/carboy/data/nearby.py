"""Conditions on rows one relation away: EXISTS, so that no row comes twice.

    reached(Book, "author", columns, "name", lambda name: name == :x)
        ->  EXISTS (SELECT 1 FROM authors AS a WHERE a.id = books.author_id AND a.name = :x)

Under a policy the row there must be visible too: the compiler sees to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, exists, inspect, literal_column
from sqlalchemy.orm import aliased

from carboy.data.listed import attribute_of, check_public, fields_of, unknown_name

__all__ = ["reached", "related"]


def related(model: Any, name: str, *, act: str) -> Any:
    """Return the class that the relation *name* leads to.

    Raises SetupError for an unknown relation (data.list_name), and for one by a key that
    is not for everybody (data.not_public). act: see `check_public`.
    """
    relations = inspect(model).relationships
    if name not in relations:
        raise unknown_name(model, name, [one.key for one in relations], "relation")
    fields = fields_of(model)
    own = [key for key, field in fields.items() if field.relation == name]
    check_public(model, own, act)
    return relations[name].mapper.class_


def reached(
    model: Any,
    name: str,
    columns: Any,
    attribute: str,
    condition: Callable[[Any], ColumnElement[bool]],
) -> ColumnElement[bool]:
    """Return the condition that a row along the relation *name* fulfils *condition*.

    columns: those of the row itself, by attribute. attribute: of the row there.
    """
    prop = inspect(model).relationships[name]
    there = aliased(prop.mapper.class_)
    found = [condition(getattr(there, attribute))]

    def here(column: Any) -> Any:
        return columns[attribute_of(model, column)]

    def remote(column: Any) -> Any:
        return getattr(there, attribute_of(prop.mapper.class_, column))

    made = exists(literal_column("1")).select_from(there)
    if prop.secondary is None:
        found += [here(local) == remote(other) for local, other in prop.local_remote_pairs]
        return made.where(*found)
    between = prop.secondary.alias()
    found += [here(own) == between.c[mid.key] for own, mid in prop.synchronize_pairs]
    found += [
        remote(own) == between.c[mid.key] for own, mid in prop.secondary_synchronize_pairs or ()
    ]
    return made.select_from(between).where(*found)
