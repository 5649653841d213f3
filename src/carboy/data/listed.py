"""What of a model may be listed by: its columns, and whether everybody may know them.

    fields_of(Book)               attribute -> Field, also of a class that is no Model of ours
    check_public(Book, ["price"], "sorted by")

Whoever may sort, filter or search by a column learns what is in it, one question at a
time; and a cursor holds the values it is sorted by, readable by anyone. So a column that
is hidden, or behind a rule of its own, is refused when the list is declared.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, inspect

from carboy.base.errors import SetupError
from carboy.data.fields import INFO, Field, Rules
from carboy.data.naming import label_of
from carboy.data.types import KINDS, Exact

__all__ = ["attribute_of", "check_public", "column_of", "fields_of", "unknown_name"]

ANY_DIGITS = 60  # of a NUMERIC that says none


def fields_of(model: Any) -> Mapping[str, Field]:
    """Return the fields of a mapped class by attribute."""
    if hasattr(model, "facts"):
        known: Mapping[str, Field] = model.facts().fields
        return known
    return {
        name: _field(name, column)
        for name, column in inspect(model).columns.items()
        if isinstance(column, Column)
    }


def column_of(model: Any, name: str) -> Column[Any]:
    """Return the column of the attribute *name*."""
    # Not mapper.attrs: those need all classes to be there, and a list is declared earlier.
    found: Column[Any] = inspect(model).columns[name]
    return found


def attribute_of(model: Any, column: Column[Any]) -> str:
    """Return the attribute that holds *column*."""
    return str(inspect(model).get_property_by_column(column).key)


def check_public(model: Any, names: Iterable[str], act: str) -> None:
    """Raise SetupError (data.not_public) for an attribute whose values are not for everybody.

    act: what was going to be done by it, such as "sorted by".
    """
    fields = fields_of(model)
    masked = getattr(getattr(model, "policy", None), "fields", None) or {}
    ruled = {*masked, *(name for name in fields if fields[name].column in masked)}
    for name in names:
        field = fields[name]
        reason = ""
        if field.api == "hidden":
            reason = 'it is api="hidden"'
        elif name in ruled or (field.relation and field.relation in ruled):
            reason = "the policy has a rule for that field"
        if reason:
            raise SetupError(
                "data.not_public",
                f"{model.__name__} cannot be {act} {name!r}: {reason}.",
                hint="What a list can be sorted, filtered or searched by, its readers can find"
                " out.\nTake another field, or keep this one in code of your own.",
            )


def unknown_name(model: Any, name: str, known: Iterable[str], what: str) -> SetupError:
    """Return the fault of a name in a declaration that *model* does not have."""
    return SetupError(
        "data.list_name",
        f"{model.__name__} has no {what} called {name!r}.",
        hint=f"Known are: {', '.join(sorted(known))}.",
    )


def _field(name: str, column: Column[Any]) -> Field:
    """Return what is known of a column that was declared the plain way."""
    python = _python(column)
    rules: Rules = column.info.get(INFO) or Rules()
    said = {**rules.__dict__, "label": rules.label or label_of(name)}
    choice = isinstance(python, type) and issubclass(python, enum.Enum)
    if choice:
        said["choices"] = tuple((member, label_of(member.name)) for member in python)
    elif python is str and said["max_length"] is None:
        said["max_length"] = getattr(column.type, "length", None)
    if isinstance(column.type, Exact):
        said["digits"], said["places"] = column.type.digits, column.type.places
    elif python is Decimal:
        said["digits"] = getattr(column.type, "precision", None) or ANY_DIGITS
        said["places"] = getattr(column.type, "scale", None) or ANY_DIGITS // 2
    return Field(
        **said, name=name, column=str(column.name), python=python,
        kind="choice" if choice else KINDS.get(python, "other"),
        optional=bool(column.nullable), key=column.primary_key,
    )  # fmt: skip


def _python(column: Column[Any]) -> Any:
    try:
        return column.type.python_type
    except NotImplementedError:
        return object
