"""Answers: every status that an operation may end in, as shared components.

400 401 403 404 405 406 409 412 413 414 415 422 428 429 431 503    problem documents
304                                                            nothing
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from carboy.resource.openapi.shapes import reference

__all__ = ["COMPONENTS", "PROBLEM", "headed", "problems"]

PROBLEM: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "What went wrong, after RFC 9457.",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string", "description": "The phrase of the status."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened, for people."},
        "instance": {"type": "string", "description": "The path that was asked for."},
        "code": {"type": "string", "description": "What exactly; stable."},
        "hint": {"type": "string", "description": "What to do."},
        "errors": {
            "type": "array",
            "description": "Each wrong value.",
            "items": {
                "type": "object",
                "required": ["loc", "msg", "type"],
                "properties": {
                    "loc": {
                        "type": "array",
                        "items": {"type": ["string", "integer"]},
                        "description": "Where: the part of the request, then the way in it.",
                    },
                    "msg": {"type": "string"},
                    "type": {"type": "string", "description": "The rule that is broken."},
                },
            },
        },
        "request_id": {"type": "string"},
    },
}

_WORDS = {
    304: ("NotModified", "What you have is still good."),
    400: ("BadRequest", "A name that is not known, a forged cursor, or JSON that is none."),
    401: ("Unauthorized", "Sign in first."),
    403: ("Forbidden", "You may not do this."),
    404: ("NotFound", "There is no such row for you."),
    405: ("MethodNotAllowed", "Allow says which methods there are."),
    406: ("NotAcceptable", "Only JSON is spoken here."),
    409: ("Conflict", "It clashes with what is there, or something depends on it."),
    412: ("PreconditionFailed", "It was changed since the ETag in If-Match."),
    413: ("TooLarge", "The body is too large, or has too many rows."),
    414: ("TooLong", "The address is too long."),
    415: ("UnsupportedType", "The body is of another type than is taken here."),
    422: ("Invalid", "Values that cannot be; `errors` names each."),
    428: ("PreconditionRequired", "A change must come with If-Match."),
    429: ("TooMany", "Too many requests; Retry-After says how long to wait."),
    431: ("HeadTooLarge", "The head of the request is too large."),
    503: ("Unavailable", "Something we need does not answer; Retry-After says when to try again."),
}
_HEADERS = {
    401: {"WWW-Authenticate": "How to sign in."}, 405: {"Allow": "The methods there are."},
    429: {"Retry-After": "Seconds."}, 503: {"Retry-After": "Seconds."},
    304: {"ETag": "The tag of what you have."},
}  # fmt: skip


def _component(status: int, text: str) -> dict[str, Any]:
    made: dict[str, Any] = {"description": text}
    if status in _HEADERS:
        made["headers"] = headed(**_HEADERS[status])
    if status >= 400:
        made["content"] = {"application/problem+json": {"schema": reference("Problem")}}
    return made


def headed(**texts: str) -> dict[str, Any]:
    """Return headers of an answer: name to description."""
    return {
        name: {"description": text, "schema": {"type": "string"}} for name, text in texts.items()
    }


COMPONENTS = {name: _component(status, text) for status, (name, text) in _WORDS.items()}
"""For components/responses."""

ALWAYS = (400, 414, 429, 431, 503)  # what may happen to any request


def problems(*statuses: int, also: Iterable[int] = ALWAYS) -> dict[str, Any]:
    """Return references to the answers for *statuses*, and for those that always may be."""
    return {
        str(status): {"$ref": f"#/components/responses/{_WORDS[status][0]}"}
        for status in sorted({*statuses, *also})
    }
