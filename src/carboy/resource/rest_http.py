"""What HTTP asks of an API: negotiation, entity tags, preconditions, preferences, links.

    acceptable(environ)            406 for who takes no JSON
    tag_of(body, version)          a strong ETag; of a versioned row it names the version
    fresh(environ, tag)            whether a 304 will do
    matches(environ, tag, ...)     If-Match, for changes
    answer(body, status, headers)  the response, with what every answer of an API says

Follows RFC 9110 sections 8.8.3, 12.5.1 and 13; RFC 7240 for Prefer, RFC 8288 for Link.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from carboy.base.errors import RequestFault
from carboy.engine.responses import JSON, Response, ready
from carboy.engine.seam import cv_app

if TYPE_CHECKING:
    import flask

__all__ = [
    "PATCH_TYPES",
    "acceptable",
    "answer",
    "fresh",
    "link",
    "matches",
    "media_type",
    "minimal",
    "outdated",
    "tag_of",
]

PATCH_TYPES = ("application/merge-patch+json", JSON)
TAG_BYTES = 12  # of the hash: 96 bits
ANY = frozenset(("*/*", "application/*", JSON))

# What an answer shows depends on who asks: nobody but their browser keeps it, and it asks.
PRIVATE = ("Cache-Control", "private, no-cache")


def acceptable(environ: dict[str, Any]) -> None:
    """Raise RequestFault 406 when the client takes no JSON."""
    accept = environ.get("HTTP_ACCEPT")
    # PERF: what clients send; parsing the header is for the rest
    if not accept or accept in ANY or _takes_json(accept):
        return
    raise RequestFault(
        406, "resources.accept", "This address answers with application/json.",
        hint="Send  Accept: application/json",
    )  # fmt: skip


def _takes_json(accept: str) -> bool:
    """Tell whether the most specific range about JSON has a weight above 0."""
    found: dict[str, float] = {}
    for item in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in item.split(";"))
        if kind in ANY:
            found[kind] = max(found.get(kind, 0.0), _weight(parameters))
    for kind in (JSON, "application/*", "*/*"):
        if kind in found:
            return found[kind] > 0
    return False


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def media_type(environ: dict[str, Any], accepted: tuple[str, ...]) -> None:
    """Raise RequestFault 415 when the body is of no *accepted* type."""
    given = environ.get("CONTENT_TYPE") or ""
    if given.partition(";")[0].strip().lower() in accepted:
        return
    headers = {"Accept": ", ".join(accepted)}  # SPEC: RFC 9110 section 15.5.16
    if environ["REQUEST_METHOD"] == "PATCH":
        headers["Accept-Patch"] = ", ".join(accepted)  # SPEC: RFC 5789 section 2.2
    raise RequestFault(
        415, "resources.content_type",
        f"This address takes a body of type {' or '.join(accepted)}.",
        hint=f"Send  Content-Type: {accepted[-1]}", headers=headers,
    )  # fmt: skip


def tag_of(body: bytes, version: Any = None) -> str:
    """Return the strong ETag of *body*. version: of the row, when it has one and is whole."""
    found = hashlib.blake2b(body, digest_size=TAG_BYTES).hexdigest()
    return f'"{found}"' if version is None else f'"{version}-{found}"'


def fresh(environ: dict[str, Any], tag: str) -> bool:
    """Tell whether the client has this already. SPEC: RFC 9110 section 13.1.2, weak."""
    given: str | None = environ.get("HTTP_IF_NONE_MATCH")
    if not given:
        return False
    return given.strip() == "*" or tag in [one.removeprefix("W/") for one in _tags(given)]


def matches(environ: dict[str, Any], tag: str, version: Any = None) -> bool:
    """Tell whether If-Match names what is there now; strong. SPEC: RFC 9110 section 13.1.1.

    version: of the row; then a tag of that version will do, whatever else was shown.
    """
    given = environ.get("HTTP_IF_MATCH", "")
    if given.strip() == "*":
        return True
    found = _tags(given)
    if version is not None:
        return any(one.startswith(f'"{version}-') for one in found)
    return tag in found


def outdated() -> RequestFault:
    """Return the fault for an If-Match that names what is no longer there."""
    return RequestFault(
        412, "resources.outdated", "This was changed since it was read.",
        hint="Read it again, and repeat the change on what it is now.",
        errors=[{"loc": ["header", "If-Match"], "msg": "This names an older one.", "type": "etag"}],
    )  # fmt: skip


def minimal(environ: dict[str, Any]) -> bool | None:
    """Return whether the client prefers no body in the answer to a change; None: not said."""
    for item in environ.get("HTTP_PREFER", "").lower().split(","):
        name, _, value = item.split(";")[0].partition("=")
        if name.strip() == "return" and value.strip() in ("minimal", "representation"):
            return bool(value.strip() == "minimal")
    return None


def link(**urls: str | None) -> str:
    """Return a Link header: `link(next="/api/books?cursor=...")`; "" without any."""
    return ", ".join(f'<{url}>; rel="{name}"' for name, url in urls.items() if url)


def answer(
    body: bytes, status: int = 200, headers: list[tuple[str, str]] | None = None
) -> flask.Response:
    """Return an answer with a body of JSON, private to who asked."""
    made = cv_app.get().app.response_class
    if not (isinstance(made, type) and issubclass(made, Response)):
        other: flask.Response = made(body, status, [PRIVATE, *(headers or ())], JSON)
        return other
    response = ready(body, JSON, made)
    if not body:
        del response.headers["Content-Type"]
    response.headers._list += [PRIVATE, *(headers or ())]
    if status != 200:
        response.status_code = status
        if status in (204, 304):
            response.headers.remove("Content-Length")
    return response


def _tags(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]
