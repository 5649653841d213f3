"""Values as a query string has them: text, read as what a field holds, or refused.

    read(Field(price), "5.00")  ->  Decimal("5.00")
    read(Field(price), "NaN")   ->  Unreadable("type"): "Price must be an exact number ..."

Only plain forms are read: no underscores, no "1e9" for a whole number, no digits of other
scripts, and nothing so long that reading it would be work.
"""

from __future__ import annotations

import datetime as dt
import enum
import re
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from carboy.data.validity import broken_rule

if TYPE_CHECKING:
    from carboy.data.fields import Field

__all__ = ["KINDS", "Unreadable", "read", "written"]

WHOLE = re.compile(r"-?[0-9]{1,20}", re.ASCII)
EXACT = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?", re.ASCII)
NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?", re.ASCII)
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
MOMENT = re.compile(DATE.pattern + r"[T ][0-9:.]{5,15}(Z|[+-][0-9:]{4,9})", re.ASCII)
TIME = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?", re.ASCII)
UUID = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class Unreadable(ValueError):
    """A text is no value of a field. rule: as in `fields.message`."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


def read(field: Field, text: str, *, rules: frozenset[str] | None = None) -> Any:
    """Return the value that *text* is.

    rules: of those the field has, the ones that count here; None for all.
    Raises Unreadable for what no value of the field can be.
    """
    try:
        value = KINDS[field.kind](field, text)
    except Unreadable:
        raise
    except (ValueError, ArithmeticError, KeyError):  # no such day, no such moment in UTC
        raise Unreadable("type") from None
    broken = broken_rule(field, value)
    if broken and (rules is None or broken in rules):
        raise Unreadable(broken)
    return value


def _matching(form: re.Pattern[str], text: str) -> str:
    if not form.fullmatch(text):
        raise Unreadable("type")
    return text


def _moment(field: Field, text: str) -> dt.datetime:
    if len(text) > 6 and text[-6] == " ":
        text = f"{text[:-6]}+{text[-5:]}"  # an unescaped + arrives as a space
    value = dt.datetime.fromisoformat(_matching(MOMENT, text))
    return value.astimezone(dt.UTC)  # OverflowError before the year 1, after 9999


def _choice(field: Field, text: str) -> Any:
    """Return the member of an Enum: by value where all are text, else by name."""
    if not _is_enum(field):
        return text
    known = dict(zip(written(field), field.python, strict=True))
    if text not in known:
        raise Unreadable("choice")
    return known[text]


def written(field: Field) -> list[str]:
    """Return how the choices of a field are written, in their order."""
    if not _is_enum(field):
        return [str(value) for value, _ in field.choices]
    texts = all(isinstance(member.value, str) for member in field.python)
    return [member.value if texts else member.name for member in field.python]


def _is_enum(field: Field) -> bool:
    return isinstance(field.python, type) and issubclass(field.python, enum.Enum)


KINDS: dict[str, Callable[[Field, str], Any]] = {
    "text": lambda field, text: text,
    "integer": lambda field, text: int(_matching(WHOLE, text)),
    "number": lambda field, text: float(_matching(NUMBER, text)),
    "decimal": lambda field, text: Decimal(_matching(EXACT, text)),
    "boolean": lambda field, text: BOOLEANS[text],
    "datetime": _moment,
    "date": lambda field, text: dt.date.fromisoformat(_matching(DATE, text)),
    "time": lambda field, text: dt.time.fromisoformat(_matching(TIME, text)),
    "uuid": lambda field, text: uuid.UUID(_matching(UUID, text)),
    "choice": _choice,
}
"""How each kind of field is read; the others are not."""
