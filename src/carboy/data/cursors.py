"""Cursors: where a page ends, signed, for the client to bring back.

    ("1815", 7), after  ->  1PjE4MTUsNw3vY...    version, place, 128 bits of HMAC-SHA256
    a cursor            ->  Place, or 400: it is not of this list

A cursor is signed, not secret: it holds the values that the rows next to it are sorted by,
in base64. The signature covers the table, the order, the types of its columns and the name
of the list, so that a cursor of another list, or of an order that has changed, is refused
like a forged one.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import enum
import hmac
import itertools
import json
import os
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect

from carboy.base.errors import RequestFault
from carboy.engine.seam import cv_app

if TYPE_CHECKING:
    from carboy.data.orders import Key, Order

__all__ = ["LONGEST", "Place", "read_cursor", "write_cursor"]

LONGEST = 4096  # characters; ours stay below, and nobody's time goes into longer ones
VERSION = "1"
BYTES = 16  # of the signature: 128 bits
SIGNED = 22  # characters of it
PURPOSE = b"carboy.data.cursor"

_own = os.urandom(32)  # the key of a process without an application


@dataclass(frozen=True)
class Place:
    """A place in an order: before or after the row with these values.

    values: one for each key of the order. backward: the page before it is wanted.
    inclusive: the row itself may be part of that page. long: many rows share the first
    value, for all that is known; how to ask, not what.
    """

    values: tuple[Any, ...]
    backward: bool = False
    inclusive: bool = False
    long: bool = False


def write_cursor(order: Order, place: Place, *, name: str = "") -> str:
    """Return the cursor for *place*. name: of the list, where several have the same order."""
    signs = _SIGNS[place.backward, place.inclusive, place.long]
    values = [_plain(value) for value in place.values]
    text = json.dumps(values, separators=(",", ":"), ensure_ascii=False)
    payload = f"{signs}{text[1:-1]}".encode()
    return VERSION + _encoded(payload) + _encoded(_sign(_keys()[0], order, name, payload))


def read_cursor(order: Order, cursor: str, *, name: str = "") -> Place:
    """Return the place that *cursor* stands for.

    Raises RequestFault (400, data.cursor) for one that is forged, cut, too long, of
    another list or of another order.
    """
    if not cursor.isascii() or len(cursor) > LONGEST or not cursor.startswith(VERSION):
        raise _refused()
    payload, given = _decoded(cursor[1:-SIGNED]), _decoded(cursor[-SIGNED:])
    if len(given) != BYTES or not any(
        # SECURITY: constant time; what differs must not be found out byte by byte.
        hmac.compare_digest(given, _sign(key, order, name, payload))
        for key in _keys()
    ):
        raise _refused()
    try:
        text = payload.decode()
        meaning = _MEANINGS[text[:1]]
        values = json.loads(f"[{text[1:]}]")
        read = tuple(_read(key, value) for key, value in zip(order.keys, values, strict=True))
    except (ValueError, TypeError, KeyError, ArithmeticError):  # signed, by an older release
        raise _refused() from None
    return Place(read, *meaning)


_SIGNS = dict(zip(itertools.product((False, True), repeat=3), "><][)(}{", strict=True))
_MEANINGS = {sign: meaning for meaning, sign in _SIGNS.items()}


def _plain(value: Any) -> Any:
    """Return *value* as JSON has it, exactly."""
    if isinstance(value, enum.Enum):  # which may be text too
        return value.name
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, uuid.UUID):
        return value.hex
    if isinstance(value, (dt.date, dt.time)):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, float):
        return repr(value)
    return str(value)  # Decimal


def _read(key: Key, value: Any) -> Any:
    """Return the value of *key*. Raises ValueError and its like for what is none."""
    if value is None:
        if not key.nullable:
            raise ValueError(key.name)
        return None
    python = key.python
    if isinstance(python, type) and issubclass(python, enum.Enum):
        return python[value]
    if python in (bool, int) and type(value) is python:
        return value
    return _READ[python](value)


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(type(value))
    return value


_READ: dict[Any, Callable[[Any], Any]] = {
    str: _text,
    float: lambda value: float(_text(value)),
    Decimal: lambda value: Decimal(_text(value)),
    uuid.UUID: lambda value: uuid.UUID(hex=_text(value)),
    dt.datetime: dt.datetime.fromisoformat,
    dt.date: dt.date.fromisoformat,
    dt.time: dt.time.fromisoformat,
}


def _sign(key: bytes, order: Order, name: str, payload: bytes) -> bytes:
    return hmac.digest(key, _purpose(order, name) + payload, "sha256")[:BYTES]


@lru_cache(maxsize=1024)
def _purpose(order: Order, name: str) -> bytes:
    """Return what a cursor is for; no two purposes are the beginning of each other."""
    about = [
        str(inspect(order.model).local_table.fullname), name, *order.names,
        *(getattr(key.python, "__name__", "") for key in order.keys),
    ]  # fmt: skip
    text = json.dumps(about).encode()
    return len(text).to_bytes(4, "big") + text


def _keys() -> Sequence[bytes]:
    """Return the keys: the first signs, all are accepted."""
    context = cv_app.get(None)
    if context is None or not context.app.secret_key:
        return (_own,)
    fallbacks = context.app.config.get("SECRET_KEY_FALLBACKS") or ()
    return tuple(_derived(secret) for secret in (context.app.secret_key, *fallbacks))


@lru_cache(maxsize=16)
def _derived(secret: str | bytes) -> bytes:
    secret = secret.encode() if isinstance(secret, str) else secret
    return hmac.digest(secret, PURPOSE, "sha256")


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise _refused() from None
    if _encoded(data) != text:  # one text for each cursor
        raise _refused()
    return data


def _refused() -> RequestFault:
    return RequestFault(
        400, "data.cursor",
        "This cursor is not one of this list, or the list is sorted another way by now.",
        hint="Leave the cursor out to begin at the first page.",
        errors=[{"loc": ["query", "cursor"], "msg": "This is no cursor of this list.",
                 "type": "cursor"}],
    )  # fmt: skip
