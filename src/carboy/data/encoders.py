"""Encoders: from what a driver gives to Python values, and to what JSON shows of them.

    to_python(type, dialect)          the same value as on an ORM object
    to_json(type, dialect, moments)   what `jsonify` writes for that value, on the shortest way

A conversion is a function, or source text (`Inline`), or None when there is nothing to do.
None itself is never converted. JSON shows what Flask's `jsonify` does: Decimal and UUID as
text, moments and dates as HTTP dates, or in the style that is asked for (`moments`). Where
it refuses (time, bytes, enums that are no text) times are ISO 8601, bytes base64, and enums
their stored text.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from sqlalchemy import types

from carboy.data.moments import STYLES, Inline
from carboy.data.types import Exact, Utc
from carboy.engine.jsons import quick_default

if TYPE_CHECKING:
    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine

    from carboy.data.moments import Conversion, Moments, Style

__all__ = ["dumps", "to_json", "to_python"]

PLAIN = (
    types.Integer, types.String, types.Numeric, types.Float, types.LargeBinary, types.Uuid,
    types.Time, Exact,
)  # fmt: skip
"""Types whose Python values msgspec writes as we want them."""


ISO: dict[type, Callable[[str], Any]] = {
    types.Date: date.fromisoformat,
    types.DateTime: datetime.fromisoformat,
    types.Time: time.fromisoformat,
}


def to_python(kind: TypeEngine[Any], dialect: Dialect, coltype: Any = None) -> Conversion:
    """Return how to get the value that an ORM object would have.

    coltype: what the driver's description says of the column.
    """
    found = kind.dialect_impl(dialect)
    if dialect.name == "sqlite":
        made = _sqlite_python(kind, found)
        if made is not None:
            return made
    return found.result_processor(dialect, coltype)


def to_json(
    kind: TypeEngine[Any], dialect: Dialect, coltype: Any = None, moments: Moments = "http"
) -> Conversion:
    """Return how to get something that msgspec writes as `jsonify` writes the value.

    moments: the style of moments and days.
    """
    style = STYLES[moments]
    found = kind.dialect_impl(dialect)
    if isinstance(found, types.Enum):
        return _enum_text(found, dialect, coltype)
    if dialect.name == "sqlite":
        made = _sqlite_json(kind, found, style)
        if made is not None:
            return made
    if type(found) is Utc:  # what is naive is UTC, what is not says so
        return style.aware if dialect.name == "postgresql" else style.naive
    python = to_python(kind, dialect, coltype)
    if isinstance(found, (*PLAIN, types.Boolean, types.JSON)):
        return python
    shape: Callable[[Any], Any] = partial(_anything, default=style.default)
    if isinstance(found, (Utc, types.DateTime)):
        shape = style.moment
    elif isinstance(found, types.Date):
        shape = style.day
    return shape if python is None else _both(python, shape)


def dumps(value: Any) -> bytes:
    """Return the JSON of *value*, also for what msgspec refuses: lone surrogates, huge ints."""
    try:
        return _encode(value)
    except (ValueError, TypeError, OverflowError, RecursionError):
        plain = msgspec.to_builtins(value, builtin_types=(datetime, date, Decimal, UUID))
        return json.dumps(plain, separators=(",", ":"), default=quick_default).encode()


def _sqlite_python(kind: TypeEngine[Any], found: Any) -> Conversion:
    """Return a shorter way than SQLAlchemy's to the same value; None when there is none."""
    if type(found) is Utc:
        return _moment
    if type(found) is Exact:
        return partial(_exact, places=found.places)
    if type(kind) in ISO:  # not of a subclass, which may have a format of its own
        return ISO[type(kind)]
    if type(found) is types.Boolean:
        return _TRUE
    if isinstance(found, types.JSON):
        return _loads
    return None


def _sqlite_json(kind: TypeEngine[Any], found: Any, style: Style) -> Conversion:
    """Return the way from SQLite's text or number to JSON's, without a value in between."""
    if type(found) is Utc:
        return style.utc_text
    if type(kind) is types.DateTime:
        return style.moment_text
    if type(kind) is types.Date:
        return style.day_text
    if type(found) is Exact:
        return partial(_exact_text, places=found.places)
    if type(found) is types.Uuid and found.as_uuid:
        return _uuid_text
    return None


def _both(first: Conversion, second: Callable[[Any], Any]) -> Callable[[Any], Any]:
    assert callable(first)  # what is inline needs no second step

    def convert(value: Any) -> Any:
        found = first(value)
        return None if found is None else second(found)

    return convert


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _exact(value: Any, places: int) -> Decimal:
    return Decimal(round(value)).scaleb(-places)


def _exact_text(value: Any, places: int) -> str:
    """Return str(Decimal) of a scaled integer."""
    if type(value) is int and places and value >= 0:
        text = str(value)
        if len(text) > places:
            return f"{text[:-places]}.{text[-places:]}"
    return str(_exact(value, places))


def _uuid_text(text: str) -> str:
    if len(text) != 32:
        return str(UUID(text))
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _loads(text: str) -> Any:
    try:
        return _decode(text)
    except (ValueError, RecursionError):
        return json.loads(text)  # it wrote NaN and lone surrogates, and reads them


def _enum_text(found: types.Enum, dialect: Dialect, coltype: Any) -> Conversion:
    """Return what a member is in JSON: its text, or its number if it is one."""
    process = found.result_processor(dialect, coltype)  # type: ignore[no-untyped-call]  # theirs
    members = {text: process(text) if process else text for text in found.enums}
    shown = {text: _shown(member, text) for text, member in members.items()}
    if all(text == value for text, value in shown.items()):
        return None
    return lambda text: shown.get(text, text)


def _shown(member: Any, text: str) -> Any:
    if isinstance(member, (str, int, float)):
        return getattr(member, "value", member)
    return text


def _anything(value: Any, default: Callable[[Any], Any]) -> Any:
    """Return a value of a type that we do not know as `jsonify` writes it."""
    if type(value) in (str, int, float, bool, bytes):
        return value
    return msgspec.Raw(json.dumps(value, default=default).encode())


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode

_TRUE = Inline("VALUE != 0", {})
