"""Constraints that cannot hold: `Annotated[list[int], Query(ge=1)]`.

pydantic notices some of them only when a value arrives, with a TypeError; that
would be a 500 which a client can cause. Here they are found at seal.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

from carboy.engine.params import Marker
from carboy.engine.signatures import MANY, bare
from carboy.engine.texts import members

__all__ = ["hidden", "misfits"]

ORDER = frozenset({"gt", "ge", "lt", "le"})
LENGTH = frozenset({"min_length", "max_length"})
DIGITS = frozenset({"max_digits", "decimal_places"})
NUMBER = ORDER | {"multiple_of"}
TEXT = LENGTH | {"pattern"}
CHECKED = NUMBER | TEXT | DIGITS

HOLDS: dict[Any, frozenset[str]] = {
    int: NUMBER,
    float: NUMBER,
    Decimal: NUMBER | DIGITS,
    date: ORDER,
    datetime: ORDER,
    time: ORDER,
    timedelta: ORDER,
    str: TEXT,
    bytes: LENGTH,
    bool: frozenset(),
    UUID: frozenset(),
    Any: frozenset(),
    object: frozenset(),
}


def misfits(annotation: Any) -> Iterator[tuple[str, Any]]:
    """Yield (constraint, type it stands on) for each that the type cannot fulfil."""
    if typing.get_origin(annotation) is Annotated:
        base, *metadata = typing.get_args(annotation)
        for name in sorted(_named(metadata)):
            for member in members(base):
                if member is not type(None) and not _holds(member, name):
                    yield name, member
        yield from misfits(base)
        return
    for arg in () if typing.get_origin(annotation) is Literal else typing.get_args(annotation):
        yield from misfits(arg)


def hidden(annotation: Any) -> Marker | None:
    """Return a marker that stands inside the annotation, where it would have no effect."""
    if typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) is Literal:
        return None
    for arg in typing.get_args(annotation):
        inner = getattr(arg, "__metadata__", ())
        found = next((x for x in inner if isinstance(x, Marker)), None) or hidden(arg)
        if found is not None:
            return found
    return None


def _named(metadata: Iterable[Any]) -> set[str]:
    """Return the names of the constraints in *metadata*: ours, pydantic's, annotated-types'."""
    found: set[str] = set()
    for item in metadata:
        if isinstance(item, Marker):
            found |= item.constraints.keys() & CHECKED
        elif hasattr(item, "metadata"):  # pydantic's FieldInfo holds a list of its own
            found |= _named(item.metadata)
        else:
            found |= {name for name in CHECKED if getattr(item, name, None) is not None}
    return found


def _holds(member: Any, name: str) -> bool:
    plain = bare(member)
    if plain in MANY or typing.get_origin(plain) in MANY:
        return name in LENGTH
    if typing.get_origin(plain) is Literal or (isinstance(plain, type) and issubclass(plain, Enum)):
        return False
    try:
        return name in HOLDS.get(plain, CHECKED)  # of other types pydantic knows more than we
    except TypeError:
        return True  # an annotation that cannot be hashed
