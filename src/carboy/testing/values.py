"""Values: what a field of a made row holds when the test does not care.

    Field, number of the row  ->  candidates, by kind  ->  the first that breaks no rule

Readable ("Title 3", "name3@example.com"), the same in every run, different from row to
row, and judged by the rules that hold at a flush.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

from carboy.base import clock
from carboy.base.errors import SetupError
from carboy.data.stored import StoredFile, StoredImage
from carboy.data.types import BIG
from carboy.data.validity import broken_rule
from carboy.testing.patterns import example

if TYPE_CHECKING:
    from carboy.data.fields import Field

__all__ = ["value_for"]

NAMES = ("Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Frances", "Niklaus", "Radia")
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
TRIES = 200  # examples of a pattern, for one that fits the other rules too


def value_for(model: str, field: Field, number: int, random: Random, place: int = 0) -> Any:
    """Return a value that *field* of a model takes. number: of the row, from 1.

    place: of the field in its model; a later one holds later moments, as an end does.
    Raises SetupError (testing.value) when none was found; the test must give it.
    """
    at = number + place if field.kind in ("datetime", "date", "time") else number
    for value in _candidates(field, at, random):
        if not broken_rule(field, value):
            return value
    raise SetupError(
        "testing.value",
        f"make({model}) knows no value for {field.name!r} ({field.kind}) that keeps its rules.",
        hint=f"Give one:  make({model}, {field.name}=...)  or, for all tests,"
        f"  make.default({model}, {field.name}=...).",
    )


def _candidates(field: Field, number: int, random: Random) -> Iterator[Any]:
    if field.choices:
        choices = [value for value, _ in field.choices]
        yield choices[(number - 1) % len(choices)]
        yield from choices
        return
    if field.kind == "text" and field.pattern:
        yield from _patterned(field, number, random)
        return
    if field.kind in _BY_KIND:
        yield from _BY_KIND[field.kind](field, number, random)


def _patterned(field: Field, number: int, random: Random) -> Iterator[str]:
    yield from _texts(field, number, random)  # readable ones first
    for _ in range(TRIES):
        text = example(field.pattern, random)
        if text is None:
            return
        yield text


def _texts(field: Field, number: int, random: Random) -> Iterator[str]:
    """Yield readable texts, then shorter ones, each with the number in it."""
    word = field.label.capitalize()
    name = field.name.lower()
    if "email" in name or name == "mail":
        yield f"{NAMES[(number - 1) % len(NAMES)].lower()}{number}@example.com"
    if "url" in name or "website" in name:
        yield f"https://example.com/{number}"
    if "slug" in name:
        yield f"{name}-{number}"
    if name in ("name", "first_name", "full_name") and not (field.unique or field.key):
        yield NAMES[(number - 1) % len(NAMES)]
    texts = [f"{word} {number}", f"{word[:1]}{number}", str(number), _short(number)]
    for text in texts:
        yield text
        if field.min_length and len(text) < field.min_length:
            yield text.ljust(field.min_length, ".")


def _short(number: int) -> str:
    found = ""
    while number:
        number, digit = divmod(number, len(DIGITS))
        found = DIGITS[digit] + found
    return found


def _in_range(field: Field, number: int, step: Any, least: Any, most: Any) -> Iterator[Any]:
    """Yield a number of its own for each row, inside the bounds of the field."""
    low = least if field.ge is None else field.ge
    high = most if field.le is None else field.le
    start = low if field.ge is not None else min(high, step)
    yield start + (number - 1) * step
    if field.ge is None and field.le is not None:
        yield high - (number - 1) * step
    if not (field.unique or field.key):
        yield start
        yield low
        yield high


def _whole(field: Field, number: int, random: Random) -> Iterator[int]:
    yield from _in_range(field, number, 1, -BIG, BIG - 1)


def _float(field: Field, number: int, random: Random) -> Iterator[float]:
    for value in _in_range(field, number, 0.5, -1e9, 1e9):
        yield float(value)


def _decimal(field: Field, number: int, random: Random) -> Iterator[Decimal]:
    places, digits = field.places or 0, field.digits or 18
    smallest = Decimal(1).scaleb(-places)
    most = Decimal(10) ** (digits - places) - smallest
    for step in (Decimal(1), smallest):
        for value in _in_range(field, number, step, -most, most):
            yield Decimal(value).quantize(smallest)


def _moment(field: Field, number: int, random: Random) -> Iterator[datetime]:
    base = datetime.fromtimestamp(int(clock.now_s()), UTC)
    yield base + timedelta(hours=number)
    for bound, direction in ((field.ge, 1), (field.le, -1)):
        if bound is not None:
            yield bound + direction * timedelta(hours=number)
            yield bound


def _date(field: Field, number: int, random: Random) -> Iterator[Any]:
    yield (datetime.fromtimestamp(clock.now_s(), UTC) + timedelta(days=number)).date()
    for bound, direction in ((field.ge, 1), (field.le, -1)):
        if bound is not None:
            yield bound + direction * timedelta(days=number)
            yield bound


def _time(field: Field, number: int, random: Random) -> Iterator[Any]:
    yield (datetime(2000, 1, 1, 12, tzinfo=UTC) + timedelta(minutes=number)).time()
    yield from (bound for bound in (field.ge, field.le) if bound is not None)


def _json(field: Field, number: int, random: Random) -> Iterator[Any]:
    yield [number] if field.python is list else {"number": number}


def _stored(field: Field, number: int, random: Random) -> Iterator[Any]:
    if field.kind == "image":
        name = f"image{number}.png"
        yield StoredImage(f"test/{name}", name, "image/png", 67, width=1, height=1)
    else:
        yield StoredFile(f"test/file{number}.txt", f"file{number}.txt", "text/plain", 4)


_BY_KIND: dict[str, Callable[[Field, int, Random], Iterator[Any]]] = {
    "text": _texts,
    "integer": _whole,
    "number": _float,
    "decimal": _decimal,
    "boolean": lambda field, number, random: iter((False, True)),
    "datetime": _moment,
    "date": _date,
    "time": _time,
    "uuid": lambda field, number, random: iter(
        (uuid.UUID(int=random.getrandbits(128), version=4),)
    ),
    "bytes": lambda field, number, random: iter((f"bytes {number}".encode(),)),
    "json": _json,
    "file": _stored,
    "image": _stored,
}
