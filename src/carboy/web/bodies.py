"""Request bodies that are measured while they are read.

    meter(environ, ...)  ->  wsgi.input becomes  Metered | Form | Multipart  when needed

A declared length is judged before reading (`gate`). What a length does not tell is
judged here, chunk by chunk: the size of a chunked body, the number of fields of a
form, the end of a multipart body. Raises RequestFault out of the view's own read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from carboy.base.errors import RequestFault
from carboy.web import syntax
from carboy.web.forms import StrictForms

__all__ = ["Environ", "Form", "Metered", "Multipart", "boundary_of", "meter"]

Environ = dict[str, Any]

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
PIECE = 65_536  # bytes read at once when all are asked for


class Stream(Protocol):
    """What PEP 3333 promises of ``wsgi.input``, as far as it is used."""

    def read(self, size: int = -1, /) -> bytes: ...
    def readline(self, size: int = -1, /) -> bytes: ...


class Metered:
    """A request body that may not grow past *limit* bytes (413), nor end too soon (400).

    length: the declared length, None when unknown.
    What the server raises while reading (a broken chunk, a lost connection) is the
    client's doing and becomes 400 too; gunicorn's own errors would be a 500.
    """

    __slots__ = ("_due", "_left", "_limit", "_stream")

    def __init__(self, stream: Stream, limit: int, length: int | None = None) -> None:
        self._stream = stream
        self._limit = self._left = limit
        self._due = length

    def read(self, size: int | None = -1) -> bytes:
        """Return up to *size* bytes, all of them when negative."""
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(PIECE), b""))
        return self._passed(self._stream.read, min(size, self._left + 1))

    def readline(self, size: int | None = -1) -> bytes:
        """Return one line, at most *size* bytes of it when not negative."""
        room = self._left + 1
        most = room if size is None or size < 0 else min(size, room)
        return self._passed(self._stream.readline, most)

    def readlines(self, hint: int | None = None) -> list[bytes]:
        """Return the lines that are left; *hint* may be ignored (PEP 3333)."""
        return list(self)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def _passed(self, read: Callable[[int], bytes], size: int) -> bytes:
        """Return what *read* gives, measured."""
        try:
            data = read(size)
        except Exception as error:
            raise _cut_off() from error
        self._left -= len(data)
        if self._left < 0:
            raise RequestFault(
                413,
                "gate.body.long",
                f"The body is longer than {syntax.human(self._limit)}.",
                hint="Send less, or split the request.",
            )
        self._seen(data, end=self._is_over(data, size))
        return data

    def _is_over(self, data: bytes, size: int) -> bool:
        """Return whether nothing follows *data*; raise when more was announced."""
        ended = not data and size != 0
        if self._due is None:
            return ended
        self._due -= len(data)
        if ended and self._due > 0:
            raise _cut_off()
        return self._due <= 0

    def _seen(self, data: bytes, *, end: bool) -> None:
        """Look at a piece of the body; *end* is true when nothing follows."""


def _cut_off() -> RequestFault:
    return RequestFault(
        400,
        "gate.body.truncated",
        "The body was cut off before its end.",
        hint="Send it again, whole.",
    )


class Form(Metered):
    """An urlencoded body with at most *fields* fields: 413.

    Werkzeug bounds the parts of multipart bodies (MAX_FORM_PARTS) but not these:
    20,000 one-letter fields fit into 80 kB. Counts "&", as the parser splits there.
    """

    __slots__ = ("_fields", "_most")

    def __init__(self, stream: Stream, limit: int, length: int | None, fields: int) -> None:
        super().__init__(stream, limit, length)
        self._fields, self._most = 1, fields

    def _seen(self, data: bytes, *, end: bool) -> None:
        self._fields += data.count(b"&")
        if self._fields > self._most:
            raise RequestFault(
                413,
                "gate.fields.many",
                f"The form has more than {self._most} fields.",
                hint="Send fewer fields, or split the form.",
            )


class Multipart(Metered):
    """A multipart body that must reach its closing boundary: 400 when cut short.

    Werkzeug takes a truncated body for an empty form.
    """

    __slots__ = ("_closed", "_mark", "_tail")

    def __init__(self, stream: Stream, limit: int, length: int | None, boundary: bytes) -> None:
        super().__init__(stream, limit, length)
        self._mark = b"--" + boundary + b"--"
        self._tail = b""
        self._closed = False

    def _seen(self, data: bytes, *, end: bool) -> None:
        if not self._closed:
            window = self._tail + data
            self._closed = self._mark in window
            self._tail = window[-len(self._mark) :]
        if end and not self._closed:
            raise RequestFault(
                400,
                "gate.multipart.truncated",
                "The multipart body ends before its closing boundary.",
                hint="The upload was cut off; send it again.",
            )


def meter(environ: Environ, length: int | None, limit: int, fields: int, strict: bool) -> None:
    """Put a metered stream in place of ``wsgi.input`` where the length is not enough.

    length: the declared length, known to be within *limit*; None when unknown.
    strict: also require multipart bodies to be whole, and read forms by `forms`.
    Raises RequestFault 400 (strict) for multipart without a usable boundary.
    """
    stream = environ.get("wsgi.input")
    if stream is None:
        return
    kind: str = environ.get("CONTENT_TYPE") or ""
    bare = kind.partition(";")[0].strip().lower()
    if strict and bare in (FORM, MULTIPART):
        environ["carboy.forms"] = StrictForms
    if bare == FORM:
        environ["wsgi.input"] = Form(stream, limit, length, fields)
    elif bare == MULTIPART and strict:
        environ["wsgi.input"] = Multipart(stream, limit, length, boundary_of(kind))
    elif length is None or "wsgi.input_terminated" in environ:
        # Werkzeug compares with the declared length only where the server does not say
        # that it ends the input; Granian says so, and hands a cut body on as if whole.
        environ["wsgi.input"] = Metered(stream, limit, length)


def boundary_of(content_type: str) -> bytes:
    """Return the boundary of a multipart Content-Type, or raise 400.

    SPEC: RFC 2046 section 5.1.1: 1 to 70 characters, not ending in a space.

    >>> boundary_of('multipart/form-data; charset=utf-8; boundary="a b"')
    b'a b'
    """
    for part in content_type.split(";")[1:]:
        name, _, value = part.strip().partition("=")
        value = value.strip().removeprefix('"').removesuffix('"')
        if name.strip().lower() == "boundary" and 1 <= len(value) <= 70 and value.isascii():
            return value.encode("ascii")
    raise RequestFault(
        400,
        "gate.multipart.boundary",
        "The multipart body does not say where its parts end.",
        hint="Add the boundary to Content-Type; leave that header to the HTTP library.",
    )
