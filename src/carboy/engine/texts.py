"""Text from a query, a form, a header: which texts fill which field.

    pairs of (name, text)  ->  Slots.fill  ->  {name: text, value or list}

Text is not typed; three things are settled before validation: which fields take
all values of a name, when an empty text means "nothing was entered", and which
member of an enumeration or Literal a text stands for.
"""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple, Union

from carboy.engine.signatures import bare, kind_of

__all__ = ["Slot", "Slots", "members", "put", "slot_for"]

UNIONS = (Union, types.UnionType)


class Slot(NamedTuple):
    """Where texts of one name go.

    many: every value counts, as a list; else the first.
    blank_is_absent: an empty text counts as not sent, for what cannot be text,
        and for what may be None (an empty input of a form).
    meanings: text -> value, for choices that are not text.
    """

    name: str
    many: bool = False
    blank_is_absent: bool = False
    meanings: Mapping[str, Any] | None = None


class Slots(dict[str, Slot]):
    """The slots by the name that the request uses."""

    def fill(self, pairs: Iterable[tuple[str, str]], raw: dict[str, Any]) -> None:
        """Put the wanted texts of *pairs* into *raw*."""
        get = self.get
        for key, text in pairs:
            slot = get(key)
            if slot is not None:
                put(slot, text, raw)


def put(slot: Slot, text: str, raw: dict[str, Any]) -> None:
    """Put one text into *raw* as its slot wants it."""
    name, many, blank_is_absent, meanings = slot
    if blank_is_absent and not text:
        return
    value = text if meanings is None else meanings.get(text, text)
    if many:
        raw.setdefault(name, []).append(value)
    elif name not in raw:
        raw[name] = value


def slot_for(name: str, annotation: Any) -> Slot:
    """Return the slot for a field called *name* of type *annotation*."""
    many = kind_of(annotation) == "list"
    found = members(annotation)
    nullable = type(None) in found
    if many:
        found = [member for item in _items(found) for member in members(item)]
    texts = any(_can_be_text(member) for member in found)
    return Slot(name, many, (nullable and not many) or not texts, _meanings(found))


def members(annotation: Any) -> list[Any]:
    """Return the alternatives of a union; of anything else, itself."""
    annotation = bare(annotation)
    if typing.get_origin(annotation) not in UNIONS:
        return [annotation]
    return [m for arg in typing.get_args(annotation) for m in members(arg)]


def _items(found: list[Any]) -> list[Any]:
    """Return the item types of the containers in *found*; Any when not said."""
    args = [arg for m in found for arg in typing.get_args(m) if arg is not ...]
    return args or [Any]


def _can_be_text(member: Any) -> bool:
    if typing.get_origin(member) is Literal:
        return any(isinstance(value, str) for value in typing.get_args(member))
    return not isinstance(member, type) or issubclass(member, (str, bytes, enum.Enum))


def _meanings(found: list[Any]) -> dict[str, Any] | None:
    """Return text -> value for members of enumerations and Literals that are not text."""
    values: list[Any] = []
    for member in found:
        if typing.get_origin(member) is Literal:
            values += typing.get_args(member)
        elif isinstance(member, type) and issubclass(member, enum.Enum):
            values += [choice.value for choice in member]
    return {_spelled(value): value for value in values if not isinstance(value, str)} or None


def _spelled(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
