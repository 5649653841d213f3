"""Headers that every answer carries: computed at seal, added in one go.

    at seal    choose(ctx, response, tls)  ->  tuples of headers
    per answer Sender.after(ctx, response)         a header that the view set wins

Chosen so that they break nothing (the compatible preset has them): what closes an
application further is in `csp`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from carboy.web.hosts import REMEMBERED, is_loopback

__all__ = [
    "HARMLESS",
    "Choice",
    "Chooser",
    "Pair",
    "Sender",
    "Unsendable",
    "add_missing",
    "check_sendable",
    "content_type",
    "hsts",
    "make_chooser",
]

Pair = tuple[str, str]

JSON_TYPE = ("Content-Type", "application/json")
ORDINARY = frozenset(("application/json", "text/html; charset=utf-8"))  # set by the engine
UNSENDABLE = re.compile(r"[\0\r\n\u0100-\U0010ffff]")

Chooser = Callable[[Any, Any, bool], tuple[Pair, ...]]
"""choose(ctx, response, tls) -> the headers to add to that answer."""


class Choice(NamedTuple):
    """Which headers an answer gets: *data*, (http, https), for JSON; else *choose*."""

    choose: Chooser
    data: tuple[tuple[Pair, ...], tuple[Pair, ...]]


HARMLESS: tuple[Pair, ...] = (
    # Types are what they say; without it a text upload can run as a script.
    ("X-Content-Type-Options", "nosniff"),
    # Other sites learn the origin only. It is the browsers' own default since 2020.
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
    # No part in advertising by browsing history. Cameras and the like stay as they are.
    ("Permissions-Policy", "browsing-topics=()"),
)


OURS = frozenset(
    (
        "content-security-policy",
        "content-security-policy-report-only",
        "cross-origin-opener-policy",
        "cross-origin-resource-policy",
        "permissions-policy",
        "referrer-policy",
        "strict-transport-security",
        "x-content-type-options",
    )
)
"""The name of every header that is added here, in lower case."""


def hsts(seconds: float, subdomains: bool) -> tuple[Pair, ...]:
    """Return the Strict-Transport-Security header, or nothing for 0 seconds.

    SPEC: RFC 6797; ignored by browsers over http, so it is not sent there.

    >>> hsts(60, True)
    (('Strict-Transport-Security', 'max-age=60; includeSubDomains'),)
    """
    if not seconds:
        return ()
    value = f"max-age={int(seconds)}" + ("; includeSubDomains" if subdomains else "")
    return (("Strict-Transport-Security", value),)


class Sender:
    """The one stage that adds headers; `use` says which, at every seal."""

    def __init__(self) -> None:
        self.use(make_chooser(HARMLESS, ()))
        self._public: set[str | None] = set()

    def use(self, choice: Choice) -> None:
        """Add what *choice* says from now on."""
        self.choose, self.data = choice

    def after(self, ctx: Any, response: Any) -> Any:
        """Add the headers that fit *response*; return it."""
        environ = ctx.environ
        tls = environ["wsgi.url_scheme"] == "https" and self._is_public(environ.get("HTTP_HOST"))
        items = response.headers._list
        # PERF: JSON to which the view added no header, the most frequent answer of all:
        # known at seal, one frame. Otherwise four: choose, look at names and values, add.
        if len(items) == 2 and items[0] == JSON_TYPE and items[1][0] == "Content-Length":
            items.extend(self.data[tls])
            response.checked = len(items)  # PERF: the engine need not look at them again
        else:
            add_missing(response.headers, self.choose(ctx, response, tls))
        return response

    def _is_public(self, host: str | None) -> bool:
        """Return whether *host* is no loopback name; remembers some that are none.

        Over https on loopback Strict-Transport-Security is left out: a browser would
        then refuse every other program on http://localhost for as long as it says.
        """
        if host in self._public:
            return True
        if is_loopback(host):
            return False
        if len(self._public) < REMEMBERED:
            self._public.add(host)
        return True


def make_chooser(pairs: tuple[Pair, ...], secure: tuple[Pair, ...]) -> Choice:
    """Return the choice of *pairs* for every answer, over https also *secure*."""
    both = (pairs, (*pairs, *secure))
    return Choice(lambda ctx, response, tls: both[tls], both)


def content_type(headers: Any) -> str:
    """Return the Content-Type of Werkzeug *headers*, "" when there is none.

    PERF: it is the first header of nearly every answer; `Headers.get` takes 0.6 us.
    """
    items: list[Pair] = headers._list
    if items and items[0][0] == "Content-Type":
        return items[0][1]
    kind: str = headers.get("Content-Type", "")
    return kind


def add_missing(headers: Any, pairs: tuple[Pair, ...]) -> None:
    """Add those *pairs* to Werkzeug *headers* whose names are not there yet.

    Raises Unsendable when a header that the view set cannot go over the wire.
    PERF: `Headers.extend` looks at every value again, 0.4 us each; our pairs are
    constants, so they go straight into the list that Werkzeug documents as the
    copy of all items (checked with Werkzeug 3.1).
    """
    items: list[Pair] = headers._list
    if not _is_ordinary(items):
        check_sendable(items)
        there = {name.lower() for name, _ in items}
        if not there.isdisjoint(OURS):
            pairs = tuple(pair for pair in pairs if pair[0].lower() not in there)
    items.extend(pairs)


def _is_ordinary(items: list[Pair]) -> bool:
    """Return whether there is only what the engine sets: a known type, and a length."""
    if len(items) != 2 or items[0][0] != "Content-Type" or items[1][0] != "Content-Length":
        return False
    return items[0][1] in ORDINARY


class Unsendable(ValueError):
    """A header with text that HTTP cannot carry; *value* is that text."""

    def __init__(self, name: str, value: str) -> None:
        super().__init__(
            f"The header {name!a} cannot be sent: {value[:200]!a} holds a control character or"
            " one outside Latin-1. Percent-encode such text, as urllib.parse.quote does."
        )
        self.value = value


def check_sendable(items: list[Pair]) -> None:
    """Raise Unsendable for a header with NUL, CR, LF or a character outside Latin-1.

    Werkzeug refuses CR and LF only; on the rest each server fails in its own way.
    """
    text = "".join([value for _, value in items])
    if text.isascii() and "\0" not in text and "\n" not in text and "\r" not in text:
        return
    for name, value in items:
        if UNSENDABLE.search(value):
            raise Unsendable(name, value)
