"""Text of a request that must be well-formed. Each check returns or raises 400.

    check_header  check_controls  check_method            always
    check_path    non-Latin-1 always; UTF-8 when strict
    check_query  check_target  check_cookie  check_content_encoding     strict only

Strict is the default preset: Flask replaces broken UTF-8 by U+FFFD, skips bad
percent-encoding and drops broken cookies, so two programs in a row can read the
same request differently. The compatible preset leaves Flask's reading alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from carboy.base.errors import RequestFault

__all__ = [
    "METHODS",
    "check_content_encoding",
    "check_controls",
    "check_cookie",
    "check_header",
    "check_method",
    "check_path",
    "check_query",
    "check_target",
    "human",
    "quoted",
]

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))

CONTROLS = re.compile(r"[\r\n\0]")
BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,40}")  # SPEC: RFC 9110 section 5.6.2
# SPEC: RFC 6265 section 4.2.1, but wider in names and values, as browsers are: no control
# characters, every pair has a name and "=". Empty pairs ("a=1; ; b=2") are harmless.
# SECURITY: possessive repeats; linear time whatever is sent.
PAIR = r"[^\0-\x20\x7f=;][^\0-\x1f\x7f=;]*+=[^\0-\x1f\x7f;]*+"
COOKIES = re.compile(rf"(?:[ \t]*+(?:{PAIR})?(?:;|\Z))*+")


def check_header(name: str, value: object) -> None:
    """Raise when header *name* (as in the environ) holds CR, LF or NUL."""
    if isinstance(value, str) and CONTROLS.search(value):
        wire = name.removeprefix("HTTP_").replace("_", "-").title()
        raise RequestFault(
            400,
            "gate.header.control",
            f"The header {quoted(wire)} holds a line break or a NUL.",
            hint="Header values are one line of text; encode anything else.",
        )


def check_controls(path: str, query: str) -> None:
    """Raise when the decoded path, or the query as sent, holds CR, LF or NUL."""
    if CONTROLS.search(path) or CONTROLS.search(query):
        raise RequestFault(
            400,
            "gate.path.control",
            "The address holds a line break or a NUL.",
            hint="Remove %00, %0A and %0D from the path.",
        )


def check_method(method: str, strict: bool) -> None:
    """Raise when *method* is no token, or (strict) is not in capitals.

    An unknown but well-formed method passes: matching answers 405 with Allow.
    SPEC: RFC 9110 section 9.1, method names are case-sensitive. Werkzeug turns
    them to capitals, so ``post`` would be a POST that no check has seen.
    """
    if not TOKEN.fullmatch(method) or (strict and method != method.upper()):
        raise RequestFault(
            400,
            "gate.method.malformed",
            f"{quoted(method)} is not a request method.",
            hint="Methods are written in capitals, for example GET.",
        )


def check_path(environ: Mapping[str, Any], strict: bool) -> None:
    """Raise when the path is not bytes in Latin-1 (PEP 3333), or not UTF-8 (strict)."""
    try:
        for key in ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING"):
            raw = environ.get(key, "").encode("latin-1")
            if strict:
                raw.decode("utf-8")
    except UnicodeError:
        raise RequestFault(
            400,
            "gate.path.encoding",
            "The address is not valid UTF-8.",
            hint="Encode addresses as UTF-8, then percent-encode: é is %C3%A9.",
        ) from None


def check_query(query: str) -> None:
    """Raise when *query* has a bad escape, or escapes that are not UTF-8."""
    if "%" not in query:
        return
    if BAD_PERCENT.search(query):
        raise _bad_percent("query")
    try:
        unquote_to_bytes(query).decode("utf-8")
    except UnicodeError:
        raise RequestFault(
            400,
            "gate.query.encoding",
            "The query is not valid UTF-8.",
            hint="Encode values as UTF-8, then percent-encode: é is %C3%A9.",
        ) from None


def check_target(environ: Mapping[str, Any]) -> None:
    """Raise when the path as sent has a bad escape.

    Possible only where the server keeps the raw target (Werkzeug, gunicorn).
    Granian does not: there ``/50%`` and ``/50%25`` are the same request.
    """
    if "%" not in environ.get("PATH_INFO", ""):
        return  # a bad escape stays in the decoded path, so there is none
    raw: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if BAD_PERCENT.search(raw.partition("?")[0]):
        raise _bad_percent("path")


def check_cookie(cookie: str) -> None:
    """Raise when *cookie* has a pair without name or "=", or control characters.

    SECURITY: a nameless pair ("=__Host-session=x") is read as a cookie of another
    name by some parsers (CVE-2023-23934).
    """
    if not COOKIES.fullmatch(cookie):
        raise RequestFault(
            400,
            "gate.cookie.malformed",
            "The Cookie header is malformed.",
            hint="Cookies are name=value pairs, separated by '; '. Delete this site's cookies.",
        )


def check_content_encoding(coding: str) -> None:
    """Raise 415 when the body is compressed; nothing here inflates it.

    SPEC: RFC 9110 section 15.5.16 asks for Accept-Encoding in the answer.
    """
    if coding.strip().lower() not in ("", "identity"):
        raise RequestFault(
            415,
            "gate.body.encoding",
            f"Request bodies with Content-Encoding {quoted(coding)} are not accepted.",
            hint="Send the body uncompressed.",
            headers={"Accept-Encoding": "identity"},
        )


def quoted(text: str, most: int = 60) -> str:
    """Return client *text* fit for a message: printable ASCII, short, in quotes.

    >>> quoted("a\\nb")
    "'a\\\\nb'"
    """
    return ascii(text if len(text) <= most else text[: most - 1] + "…")


def human(size: int) -> str:
    """Return *size* in bytes as people write it.

    >>> human(512), human(16_000_000), human(32_768)
    ('512 bytes', '16 MB', '32.8 kB')
    """
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f}".removesuffix(".0") + f" {unit}"
    return f"{size} bytes"


def _bad_percent(part: str) -> RequestFault:
    return RequestFault(
        400,
        f"gate.{part}.percent",
        f"The {part} has a '%' that is not followed by two hexadecimal digits.",
        hint="Write a literal percent sign as %25.",
    )
