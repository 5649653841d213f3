"""The six requests every framework answers, and what the answer must be.

    shot(name)  ->  a request as a browser sends it
    check(name, answer)  ->  Wrong when status, type or body differ

`form` and `touch` begin with `GET /begin`, which opens a session and answers
with a CSRF token, or with nothing where the framework has none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

__all__ = ["FORTUNES", "NAMES", "Answer", "Shot", "Wrong", "begin", "check", "shot"]

NAMES = ("plaintext", "json", "params", "fortunes", "form", "touch")
WITH_SESSION = frozenset({"form", "touch"})

AUTHORITY = "127.0.0.1:8000"
GREETING = "Hello, World!"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

# The set Firefox sends when a person follows a link; none of it is for us.
BROWSER = (
    ("Host", AUTHORITY),
    ("User-Agent", AGENT),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("Accept-Language", "en-GB,en;q=0.5"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Connection", "keep-alive"),
    ("Upgrade-Insecure-Requests", "1"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Site", "same-origin"),
)

FIELDS = {
    "name": "Ada Lovelace",
    "email": "ada@example.com",
    "topic": "engines",
    "message": "The engine might compose elaborate pieces of music, of any complexity.",
}

# Twelve rows in the spirit of TechEmpower's fortunes: one hostile, one not ASCII.
FORTUNES: tuple[tuple[int, str], ...] = (
    (1, "fortune: No such file or directory"),
    (2, "A computer scientist is someone who fixes things that aren't broken."),
    (3, "After enough decimal places, nobody gives a damn."),
    (4, "A bad random number generator: 1, 1, 1, 1, 1, 4.33e+67, 1, 1, 1"),
    (5, "A computer program does what you tell it to do, not what you want it to do."),
    (6, "Emacs is a nice operating system, but I prefer UNIX."),
    (7, "Any program that runs right is obsolete."),
    (8, "A list is only as strong as its weakest link."),
    (9, "Feature: A bug with seniority."),
    (10, "Computers make very fast, very accurate mistakes."),
    (11, '<script>alert("This should not be displayed in a browser alert box.");</script>'),
    (12, "フレームワークのベンチマーク"),
)


class Wrong(Exception):
    """An answer differs from what its workload asks for."""


@dataclass(frozen=True)
class Shot:
    """One request. path is decoded, query is encoded, body is complete."""

    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = BROWSER
    body: bytes = b""


@dataclass(frozen=True)
class Answer:
    """One complete response; header names as sent."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def cookies(self) -> str:
        """The `Cookie` header that a browser would send after this answer."""
        made = (value for name, value in self.headers if name.lower() == "set-cookie")
        return "; ".join(value.partition(";")[0] for value in made)

    @property
    def content_type(self) -> str:
        """The media type, lower case, without parameters; "" when there is none."""
        for name, value in self.headers:
            if name.lower() == "content-type":
                return value.partition(";")[0].strip().lower()
        return ""


def begin() -> Shot:
    """Return the request that opens a session."""
    return Shot("GET", "/begin")


def shot(name: str, *, cookies: str = "", token: tuple[str, str] | None = None) -> Shot:
    """Return the request of workload *name*.

    cookies: a `Cookie` header value, for workloads with a session.
    token: (field, value) of the CSRF token, sent along with the form.
    """
    headers = (*BROWSER, ("Cookie", cookies)) if cookies else BROWSER
    if name == "params":
        return Shot("GET", "/users/42/orders/A-1001", headers=headers)
    if name == "touch":
        return Shot("GET", "/touch", query="q=jug&page=2", headers=headers)
    if name == "form":
        return _form(headers, token)
    return Shot("GET", f"/{name}", headers=headers)


def check(name: str, answer: Answer) -> None:
    """Raise Wrong unless *answer* is what workload *name* asks for."""
    if answer.status != 200:
        raise Wrong(f"{name}: status {answer.status}, wanted 200: {answer.body[:500]!r}")
    kind, right = _EXPECTED[name]
    if kind != answer.content_type and not (kind == "text/" and answer.content_type[:5] == kind):
        raise Wrong(f"{name}: content type {answer.content_type!r}, wanted {kind}")
    if not right(answer.body):
        raise Wrong(f"{name}: unexpected body {answer.body[:500]!r}")


def _form(headers: tuple[tuple[str, str], ...], token: tuple[str, str] | None) -> Shot:
    body = urlencode([*FIELDS.items(), *([token] if token else [])]).encode()
    own = (
        ("Origin", f"http://{AUTHORITY}"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Content-Length", str(len(body))),
    )
    return Shot("POST", "/form", headers=(*headers, *own), body=body)


def _json(value: object) -> Callable[[bytes], bool]:
    return lambda body: bool(json.loads(body) == value)


def _text(value: str) -> Callable[[bytes], bool]:
    return lambda body: body.decode() == value


def _fortunes(body: bytes) -> bool:
    """True when twelve rows are there, in order of message, escaped."""
    rows = re.findall(r"<tr><td>(\d+)</td><td>(.*?)</td></tr>", body.decode())
    order = [str(number) for number, _ in sorted(FORTUNES, key=lambda row: row[1])]
    return [row[0] for row in rows] == order and b"&lt;script&gt;" in body


_EXPECTED: dict[str, tuple[str, Callable[[bytes], bool]]] = {
    "plaintext": ("text/plain", _text(GREETING)),
    "json": ("application/json", _json({"message": GREETING})),
    "params": ("application/json", _json({"user": 42, "order": "A-1001"})),
    "fortunes": ("text/html", _fortunes),
    "form": ("text/", _text(f"Thank you, {FIELDS['name']}.")),
    "touch": ("text/", _text(f"Ada jug GET {AGENT} /touch {AUTHORITY}")),
}
