"""Files that were sent: how long they are, and what they are by their first bytes.

    checked(spec, file)  ->  FileStorage with its size and its real type, or Refused

SECURITY: neither the name nor the type that a client states decides anything.
"""

from __future__ import annotations

import os
import re
from typing import IO, TYPE_CHECKING

from werkzeug.datastructures import FileStorage, Headers

from carboy.web.form.values import Refused

if TYPE_CHECKING:
    from carboy.web.form.spec import FieldSpec

__all__ = ["checked", "sniffed"]

SIGNS: tuple[tuple[bytes, str], ...] = (
    (rb"\xff\xd8\xff", "image/jpeg"),
    (rb"\x89PNG\r\n\x1a\n", "image/png"),
    (rb"GIF8[79]a", "image/gif"),
    (rb"RIFF....WEBP", "image/webp"),
    (rb"....ftypavi[fs]", "image/avif"),
    (rb"%PDF-", "application/pdf"),
    (rb"PK\x03\x04.{26}mimetypeapplication/epub\+zip", "application/epub+zip"),
    (rb"PK\x03\x04", "application/zip"),
    (rb"\x1f\x8b", "application/gzip"),
)
"""How files of known kinds begin. SVG is none of them: it is a program."""

KNOWN = tuple((re.compile(sign, re.DOTALL), media) for sign, media in SIGNS)
MEDIA = frozenset(media for _sign, media in SIGNS)
HEAD = 64  # bytes that are looked at
CONTROL = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def sniffed(head: bytes) -> str:
    """Return the media type of a file that begins with *head*; "" for an unknown one."""
    return next((media for sign, media in KNOWN if sign.match(head)), "")


def checked(spec: FieldSpec, file: FileStorage) -> FileStorage:
    """Return *file* with what is true of it: content_length, content_type, a plain name.

    Raises Refused: empty, size, image, media.
    """
    stream = file.stream
    size = _size(stream)
    if not size:
        raise Refused("empty")
    if spec.max_length is not None and size > spec.max_length:
        raise Refused("size")
    media = sniffed(stream.read(HEAD))
    stream.seek(0)
    if spec.kind == "image" and not media.startswith("image/"):
        raise Refused("image")
    if not _accepted(spec.accept, media):
        raise Refused("media")
    headers = Headers({"Content-Type": media or "application/octet-stream"})
    headers["Content-Length"] = str(size)
    return FileStorage(stream, _plain(file.filename), spec.name, headers=headers)


def _size(stream: IO[bytes]) -> int:
    stream.seek(0, os.SEEK_END)
    size = stream.tell()
    stream.seek(0)
    return size


def _accepted(accept: str, media: str) -> bool:
    """Tell whether *media* is accepted; kinds that cannot be told by their bytes are."""
    wanted = [one.strip().lower() for one in accept.split(",") if one.strip()]
    known = [one for one in wanted if one in MEDIA or one == "image/*"]
    if not wanted or len(known) < len(wanted):
        return True
    return any(one == media or (one == "image/*" and media.startswith("image/")) for one in known)


def _plain(name: str | None) -> str:
    """Return a name to show: without folders, control and direction signs."""
    last = re.split(r"[/\\]", name or "")[-1]
    return CONTROL.sub("", last).strip()[-200:] or "file"
