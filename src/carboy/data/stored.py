"""Files and images of a row: what is known of them. The bytes lie in a storage, by key.

    class Book(Model):
        cover: Mapped[StoredImage | None]       JSON in one column
        text: Mapped[StoredFile | None]

    book.cover = StoredImage("covers/7f3a.webp", "Emma.webp", "image/webp", 48_213, 600, 900)

A value never changes: another file is another value, and so the change is noticed.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from sqlalchemy import JSON, Dialect
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator, TypeEngine

from carboy.base.errors import RequestFault

__all__ = ["MOST_BYTES", "Reference", "StoredFile", "StoredImage"]

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*")
MEDIA = re.compile(r"[a-z0-9][a-z0-9.+-]{0,60}/[a-z0-9][a-z0-9.+-]{0,60}")
DIGEST = re.compile(r"[0-9a-f]{64}")
LONGEST = 255  # characters of a key, of a name
MOST_BYTES = 2**50  # a petabyte; more is a mistake
MOST_PIXELS = 2**17  # on a side


@dataclass(frozen=True)
class StoredFile:
    """A file in a storage.

    key: where it is there: words of letters, digits, "_", ".", "-", separated by "/".
    name: what people call it; shown, never a path. media_type: as found out, not as said.
    size: bytes. sha256: of the bytes, 64 hexadecimal digits, "" when not known.
    Raises a RequestFault (422, data.stored) for what none can be.
    """

    key: str
    name: str
    media_type: str
    size: int
    sha256: str = ""

    def __post_init__(self) -> None:
        for name, right in self._judged():
            if not right:
                raise RequestFault(422, "data.stored", f"This is no stored file: its {name}.")

    def _judged(self) -> list[tuple[str, bool]]:
        return [
            ("key", _is_key(self.key)),
            ("name", _is_name(self.name)),
            ("media type", _matches(MEDIA, self.media_type)),
            ("size", _is_count(self.size, MOST_BYTES)),
            ("sha256", self.sha256 == "" or _matches(DIGEST, self.sha256)),
        ]


@dataclass(frozen=True)
class StoredImage(StoredFile):
    """An image in a storage. width, height: pixels, once it is turned upright."""

    width: int = 0
    height: int = 0

    def _judged(self) -> list[tuple[str, bool]]:
        sides = [("width", self.width), ("height", self.height)]
        found = [(name, _is_count(side, MOST_PIXELS) and side > 0) for name, side in sides]
        return [*super()._judged(), *found]


Stored = TypeVar("Stored", bound=StoredFile)


class Reference(TypeDecorator[StoredFile]):
    """The column of a stored file: its description as JSON."""

    impl = JSON
    cache_ok = True

    def __init__(self, python: type[StoredFile] = StoredFile) -> None:
        super().__init__(none_as_null=True)
        self.python = python

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return JSON, on PostgreSQL JSONB."""
        made = postgresql.JSONB if dialect.name == "postgresql" else JSON
        return dialect.type_descriptor(made(none_as_null=True))

    def process_bind_param(self, value: StoredFile | None, dialect: Dialect) -> Any:
        """Return *value* as JSON's objects."""
        return None if value is None else asdict(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> StoredFile | None:
        """Return what is stored; names that this version does not know are left out."""
        if value is None:
            return None
        known = {field.name for field in fields(self.python)}
        return self.python(**{name: one for name, one in value.items() if name in known})


def _is_key(key: Any) -> bool:
    return isinstance(key, str) and len(key) <= LONGEST and _matches(KEY, key) and ".." not in key


def _is_name(name: Any) -> bool:
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST or set(name) & {"/", "\\"}:
        return False
    # SECURITY: control and direction signs make "gpj.exe" read as "exe.jpg".
    return all(unicodedata.category(sign)[0] != "C" for sign in name)


def _is_count(number: Any, most: int) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= most


def _matches(pattern: re.Pattern[str], text: Any) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None
