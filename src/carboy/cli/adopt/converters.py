"""Converters: from a staged value to what a field takes; ValueError says why not."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Callable
from typing import Any

from carboy.cli.adopt.formats import SPELLED, Format
from carboy.cli.adopt.staging import BYTES, HALVES

__all__ = [
    "NOTHING", "SPELLED", "TYPED", "after", "any_text", "decimal_text", "exact_text",
    "nothing_or_text", "read_by", "stored_bytes", "stored_json", "stored_truth", "text",
    "text_json", "unless_nothing",
]  # fmt: skip

NOTHING = {word.lower() for word in SPELLED}
KEPT = 20_000  # results that are remembered: dates and codes come again and again


def text(value: Any) -> str:
    """Return a text. Raises ValueError for what no database keeps."""
    if type(value) is not str:
        return any_text(value)
    if "\0" in value:
        raise ValueError("holds a NUL character")
    return value


def any_text(value: Any) -> str:
    """Return anything as text: 300 as "300", an object as JSON."""
    if isinstance(value, bytes):
        if value.startswith(HALVES):
            raise ValueError("holds bytes that are no text in UTF-8")
        if value.startswith(BYTES):
            return value[1:].hex()
        value = value.decode("utf-8", "surrogatepass")
    elif isinstance(value, float):
        value = repr(value)
    return text(str(value))


def nothing_or_text(value: Any) -> str | None:
    """Return None for a word that says nothing."""
    return None if value in SPELLED else text(value)


def unless_nothing(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return *convert*, which reads words for nothing as None."""
    return lambda value: None if value in SPELLED else convert(value)


def read_by(form: Format) -> Callable[[Any], Any]:
    """Return what reads texts of one format; it remembers what it read."""
    known: dict[str, Any] = {}

    def convert(value: Any) -> Any:
        found = known.get(value)
        if found is None:
            if not isinstance(value, str) or not form.fits_one(value):
                raise ValueError(f"is no {form.kind}")
            found = form.read(value)
            if len(known) < KEPT:
                known[value] = found
        return found

    return convert


def after(read: Callable[[Any], str], make: Callable[[str], Any]) -> Callable[[Any], Any]:
    """Return what makes a number of the plain text that *read* gives."""

    def convert(value: Any) -> Any:
        try:
            return make(read(value))
        except (ValueError, ArithmeticError):
            raise ValueError("is no number") from None

    return convert


def exact_text(value: Any) -> str:
    """Return a number of JSON or SQLite as written: 19.99 as "19.99"."""
    return repr(value) if isinstance(value, float) else str(value)


def decimal_text(value: Any) -> str:
    """Return a decimal number that came as text. Raises ValueError for another text."""
    found = str(value).strip()
    plain = found.lstrip("-").replace(".", "", 1)
    if not (plain.isascii() and plain.isdigit()):
        raise ValueError("is no number")
    return found


def stored_truth(value: Any) -> bool:
    """Return what the stage keeps as b"true"."""
    return bool(value == b"true" or value == 1)


def stored_json(value: Any) -> Any:
    """Return what the stage keeps as JSON."""
    return _nul_free(json.loads(value.decode("utf-8", "surrogatepass")), value)


def text_json(value: Any) -> Any:
    """Return what a text of JSON says."""
    if not isinstance(value, str):
        value = any_text(value)
    try:
        return _nul_free(json.loads(value), value.encode("utf-8", "surrogatepass"))
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def _nul_free(found: Any, raw: bytes) -> Any:
    if b"\\u0000" in raw:
        raise ValueError("holds a NUL character")
    return found


def stored_bytes(value: Any) -> bytes:
    """Return bytes of the source."""
    return bytes(value[len(BYTES) :])


TYPED: dict[str, Callable[[Any], Any]] = {
    "boolean": stored_truth, "integer": int, "number": float, "decimal": text,
    "date": lambda value: dt.date.fromisoformat(value),
    "datetime": lambda value: dt.datetime.fromisoformat(value),
    "time": lambda value: dt.time.fromisoformat(value),
    "uuid": lambda value: uuid.UUID(value), "json": text_json, "bytes": stored_bytes,
}  # fmt: skip
"""For columns that have no value yet: what is declared is all that is known."""
