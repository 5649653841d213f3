"""Form bodies read strictly: refused where Werkzeug would guess.

    urlencoded   a bad escape, or text that is not UTF-8          400
    multipart    broken headers of a part, or a part without name 400

Werkzeug takes the first for an empty form or leaves the escape as it is, and a
part without a name for a field called None, on which views fail. The gate names
`StrictForms` in the environ (`bodies.meter`); the request reads forms through it.
"""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from werkzeug.exceptions import RequestEntityTooLarge

from carboy.base.errors import RequestFault
from carboy.web.syntax import BAD_PERCENT, human

if TYPE_CHECKING:
    from werkzeug.formparser import FormDataParser

__all__ = ["StrictForms", "check_urlencoded"]

FORM = "application/x-www-form-urlencoded"


class StrictForms:
    """Reads a form through *parser*, Werkzeug's, or raises RequestFault 400."""

    def __init__(self, parser: FormDataParser) -> None:
        parser.silent = False
        self._parser = parser

    def parse(
        self,
        stream: IO[bytes],
        mimetype: str,
        content_length: int | None,
        options: dict[str, str] | None = None,
    ) -> tuple[IO[bytes], Any, Any]:
        """Return (stream, form, files) as FormDataParser.parse does."""
        if mimetype == FORM:
            data = stream.read()
            check_urlencoded(data)
            stream = io.BytesIO(data)
        try:
            rest, form, files = self._parser.parse(stream, mimetype, content_length, options)
        except RequestEntityTooLarge as error:
            error.fault = self._too_large()  # type: ignore[attr-defined]  # for fault renderers
            raise
        except ValueError:
            raise _malformed("has a part whose headers are broken") from None
        if None in form or None in files:
            raise _malformed("has a part without a name")
        return rest, form, files

    def _too_large(self) -> RequestFault:
        """Return the fault for a form beyond Flask's own limits, which are two."""
        parts, size = self._parser.max_form_parts, self._parser.max_form_memory_size
        field = "" if size is None else f"a field longer than {human(size)}"
        count = "" if parts is None else f"more than {parts} parts"
        return RequestFault(
            413,
            "gate.form.large",
            f"The form has {' or '.join(filter(None, (count, field)))}.",
            hint="Send less, or send long text as a file.",
        )


def check_urlencoded(data: bytes) -> None:
    """Raise RequestFault 400 unless *data* has whole escapes and is UTF-8 throughout."""
    try:
        text = data.decode("utf-8")
        if "%" in text:
            if BAD_PERCENT.search(text):
                raise RequestFault(
                    400,
                    "gate.form.percent",
                    "The form has a '%' that is not followed by two hexadecimal digits.",
                    hint="Write a literal percent sign as %25.",
                )
            unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        raise RequestFault(
            400,
            "gate.form.encoding",
            "The form is not valid UTF-8.",
            hint="Encode values as UTF-8, then percent-encode: é is %C3%A9.",
        ) from None


def _malformed(what: str) -> RequestFault:
    # SPEC: RFC 7578 section 4.2: each part must have Content-Disposition with a name.
    return RequestFault(
        400,
        "gate.multipart.malformed",
        f"The multipart body {what}.",
        hint='Give each part a header like Content-Disposition: form-data; name="title".',
    )
