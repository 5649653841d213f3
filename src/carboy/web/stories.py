"""An HTTP error as facts that may be shown: the one place that decides what leaks.

    HTTPException (with .fault, .original_exception)  ->  tell()  ->  Story
    Story  ->  problem()  ->  the members of an RFC 9457 document

From 500 on only the status, the request id and a stable code go out. Below 500 the
words of a RequestFault and of ``abort(404, "...")`` are meant for the client.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import ClientDisconnected

from carboy.base.errors import RequestFault, ServiceDown
from carboy.web.texts import own_text, phrase, text_of

if TYPE_CHECKING:
    from carboy.web.bodies import Environ

__all__ = ["Story", "for_people", "problem", "tell"]

RETRY_AFTER_S = {429: 60, 503: 5}  # when nobody said; 5 is ServiceDown's own default
KNOWN = {
    ClientDisconnected: RequestFault(
        400,
        "gate.body.truncated",
        "The body ended before its declared length.",
        hint="The transfer was cut off; send it again.",
    )
}  # errors of Werkzeug whose own words say less than we know
SHOWN = ("loc", "msg", "type")  # of each field error; the value sent may be a password


@dataclass(frozen=True)
class Story:
    """What the client is told.

    title, body: what we say about the status. detail: what exactly, or "".
    headers: to send along. path: as in the address.
    """

    status: int
    title: str
    body: str
    detail: str
    hint: str
    code: str
    errors: tuple[Mapping[str, Any], ...]
    headers: tuple[tuple[str, str], ...]
    request_id: str
    path: str

    @property
    def retry_after(self) -> str:
        """Return the value of Retry-After, or ""."""
        return next((v for name, v in self.headers if name.lower() == "retry-after"), "")

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Return (field, what is wrong with it) for each field error."""
        return [(_field(error.get("loc", ())), str(error.get("msg", ""))) for error in self.errors]


def tell(error: Any, environ: Environ) -> Story:
    """Return what may be shown of *error*, a Werkzeug HTTPException from 400 up."""
    status: int = error.code
    fault = getattr(error, "fault", None) or KNOWN.get(type(error))
    text = text_of(status)
    told = fault if isinstance(fault, RequestFault) and status < 500 else None
    return Story(
        status=status,
        title=text.title,
        body=text.body,
        detail=told.message if told else _description(error),
        hint=told.hint if told else "",
        code=fault.code if isinstance(fault, (RequestFault, ServiceDown)) else f"http.{status}",
        errors=tuple(_shown(item) for item in told.errors) if told else (),
        headers=_headers(error, fault, status, environ),
        request_id=str(environ.get("carboy.id", "")),
        path=_path(environ),
    )


def for_people(story: Story) -> Story:
    """Return *story* as a page tells it: some faults speak to developers only."""
    text = own_text(story.code)
    if text is None:
        return story
    return replace(story, title=text.title, body=text.body, detail="", hint="")


def problem(story: Story) -> dict[str, Any]:
    """Return *story* as the members of a problem document.

    SPEC: RFC 9457 section 3.1; with type "about:blank" the title is the phrase of
    the status (section 4.2.1). `code` says what exactly, and is stable.
    """
    members: dict[str, Any] = {
        "type": "about:blank",
        "title": phrase(story.status),
        "status": story.status,
        "detail": story.detail or f"{story.title}.",
        "instance": story.path,
        "code": story.code,
    }
    optional = {
        "hint": story.hint,
        "errors": list(story.errors),
        "request_id": story.request_id,
    }
    return members | {name: value for name, value in optional.items() if value}


def _description(error: Any) -> str:
    """Return the description that the application gave, "" when it is Werkzeug's own."""
    given = vars(error).get("description")
    if error.code >= 500 or not given or given == type(error).description:
        return ""
    return str(given)


def _headers(
    error: Any, fault: object, status: int, environ: Environ
) -> tuple[tuple[str, str], ...]:
    """Return what must go along: Allow, Retry-After, WWW-Authenticate, the fault's own."""
    given = [(n, v) for n, v in error.get_headers(environ) if n.lower() != "content-type"]
    if isinstance(fault, RequestFault):
        given += fault.headers.items()
    if status in RETRY_AFTER_S and not any(name.lower() == "retry-after" for name, _ in given):
        given.append(("Retry-After", str(RETRY_AFTER_S[status])))
    return tuple(given)


def _shown(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item[name] for name in SHOWN if name in item}


def _field(loc: Any) -> str:
    """Return where an error is, as people say it: the name in the form or document."""
    parts = [str(part) for part in (loc if isinstance(loc, (list, tuple)) else (loc,))]
    return ".".join(parts[1:] or parts)


def _path(environ: Environ) -> str:
    """Return the path as a relative reference, percent-encoded."""
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return urllib.parse.quote(path.encode("latin-1", "replace"), safe="/:@!$&'()*+,;=~") or "/"
