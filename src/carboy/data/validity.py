"""Validity: the rules of fields, held against values before they are written.

    object with changes  ->  check_row()  ->  InvalidRow with every broken rule, or nothing

The database enforces most of the same, but says it late, one at a time, and not
everything: SQLite takes text for a number, PostgreSQL refuses NUL, MariaDB has no NaN.
"""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
import re
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect

from carboy.base.errors import RequestFault
from carboy.data.fields import Field, message
from carboy.data.types import BIG, stored

if TYPE_CHECKING:
    from carboy.data.models import Model

__all__ = ["InvalidRow", "broken_rule", "check_row"]

HALVES = re.compile("[\ud800-\udfff]")  # surrogates: no database stores one alone


class InvalidRow(RequestFault):
    """Values that a model does not allow: 422, with one entry per field."""


def check_row(row: Model, *, new: bool) -> None:
    """Raise InvalidRow when *row* would be written with values its fields do not allow.

    new: every field counts; else only those that were changed.
    """
    errors = [
        {"loc": [field.name], "msg": message(field, rule), "type": rule}
        for field, rule in _broken(row, new)
    ]
    if errors:
        raise InvalidRow(
            422, "data.invalid", " ".join(str(e["msg"]) for e in errors), errors=errors
        )


def broken_rule(field: Field, value: Any) -> str:
    """Return the rule of *field* that *value* breaks, as named in `fields.message`; or ""."""
    if value is None:
        return "" if field.optional else "required"
    fits = _FITS.get(field.kind)
    if fits is not None and not fits(field, value):
        return "choice" if field.kind == "choice" else "type"
    return _out_of_bounds(field, value)


def _broken(row: Model, new: bool) -> Iterator[tuple[Field, str]]:
    loaded = row.__dict__
    unchanged = frozenset() if new else inspect(row).unmodified
    for field in row.facts().fields.values():
        if field.name in unchanged:
            continue
        if loaded.get(field.name) is not None:
            value = loaded[field.name]
            # An SQL expression is judged by the database.
            rule = "" if hasattr(value, "__clause_element__") else broken_rule(field, value)
        else:
            rule = _absent(field, loaded, new)
        if rule:
            yield field, rule


def _absent(field: Field, loaded: dict[str, Any], new: bool) -> str:
    """Return "required" when nothing will fill the field."""
    if field.optional or (new and field.automatic and field.name not in loaded):
        return ""
    if field.key and field.automatic:
        return ""  # None asks for the next one
    # The key follows from the object that a relation holds, at flush.
    return "" if field.relation and loaded.get(field.relation) is not None else "required"


def _out_of_bounds(field: Field, value: Any) -> str:
    if field.kind == "text":
        if field.min_length is not None and len(value) < field.min_length:
            return "min_length"
        if field.max_length is not None and len(value) > field.max_length:
            return "max_length"
        if field.pattern and not _pattern(field.pattern).fullmatch(value):
            return "pattern"
    if field.ge is not None and value < field.ge:
        return "ge"
    if field.le is not None and value > field.le:
        return "le"
    if field.choices and all(value != allowed for allowed, _ in field.choices):
        return "choice"
    return ""


_pattern = lru_cache(maxsize=512)(re.compile)


def _text(field: Field, value: Any) -> bool:
    if not isinstance(value, str) or "\0" in value:
        return False
    return value.isascii() or HALVES.search(value) is None


def _whole(field: Field, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -BIG <= value < BIG


def _number(field: Field, value: Any) -> bool:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    return _whole(field, value) or (isinstance(value, float) and math.isfinite(value))


def _exact(field: Field, value: Any) -> bool:
    return stored(value, field.digits or 0, field.places or 0) is not None


def _moment(field: Field, value: Any) -> bool:
    return isinstance(value, dt.datetime) and value.tzinfo is not None


def _date(field: Field, value: Any) -> bool:
    return isinstance(value, dt.date) and not isinstance(value, dt.datetime)


def _time(field: Field, value: Any) -> bool:
    return isinstance(value, dt.time) and value.tzinfo is None


def _json(field: Field, value: Any) -> bool:
    if field.python in (dict, list) and not isinstance(value, field.python):
        return False
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return "\\u0000" not in text  # PostgreSQL's jsonb refuses it


def _reference(field: Field, value: Any) -> bool:
    """A key is one plain value; whether there is such a row the database tells."""
    if _whole(field, value) or _text(field, value):
        return True
    return isinstance(value, (uuid.UUID, bytes, dt.date, dt.time, Decimal, enum.Enum))


def _is(*kinds: type) -> Callable[[Field, Any], bool]:
    return lambda field, value: isinstance(value, kinds)


_FITS: dict[str, Callable[[Field, Any], bool]] = {
    "text": _text,
    "integer": _whole,
    "number": _number,
    "decimal": _exact,
    "boolean": _is(bool),
    "datetime": _moment,
    "date": _date,
    "time": _time,
    "uuid": _is(uuid.UUID),
    "bytes": _is(bytes),
    "json": _json,
    "file": lambda field, value: isinstance(value, field.python),
    "image": lambda field, value: isinstance(value, field.python),
    "reference": _reference,
    "choice": lambda field, value: isinstance(value, field.python),
}
