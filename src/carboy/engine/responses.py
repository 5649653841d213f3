"""Flask's Response, with a short way in and a short way out.

    ready(body, content_type)      a finished 200 answer, headers written directly
    send(response, environ, ...)   what Response.__call__ does, in one pass

Both leave anything unusual to Werkzeug: the bytes are the same either way.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import flask

from carboy.engine.seam import headers_of

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as WerkzeugResponse

__all__ = ["Response", "ready", "send"]

HTML = "text/html; charset=utf-8"
JSON = "application/json"

_WAY_OUT = (
    "__call__",
    "automatically_set_content_length",
    "autocorrect_location_header",
    "close",
    "get_app_iter",
    "get_wsgi_headers",
    "get_wsgi_response",
    "is_sequence",
    "is_streamed",
    "iter_encoded",
    "status",
    "status_code",
)


class Response(flask.Response):
    """A Flask response. Subclass it as you would Flask's."""

    goes_straight_out: bool = True
    """Whether nothing that `send` does has been overridden by a subclass."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.goes_straight_out = all(
            getattr(cls, name, None) is getattr(Response, name, None) for name in _WAY_OUT
        )


def ready(body: bytes, content_type: str, cls: type[Response] = Response) -> Response:
    """Return a 200 answer with *body*: what `Response(body)` gives, without its work.

    SECURITY: *content_type* is a constant of ours; it is not checked for newlines.
    """
    response = cls.__new__(cls)
    response.headers = headers_of(
        [("Content-Type", content_type), ("Content-Length", str(len(body)))]
    )
    response._status = "200 OK"
    response._status_code = 200
    response.direct_passthrough = False
    response._on_close = []
    response.response = [body]
    return response


def send(response: WerkzeugResponse, environ: Any, start_response: Any) -> Iterable[bytes]:
    """Start the answer and return its body, as `response(environ, start_response)` would."""
    body = _straight(response, environ)
    if body is None:
        return response(environ, start_response)
    start_response(response._status, list(response.headers._list))  # the server may change it
    return body


def _straight(response: Any, environ: Any) -> list[bytes] | None:
    """Return the body when the headers can go out as they are, else None.

    PERF: Werkzeug copies the headers, looks at each three times and wraps the
    body in a ClosingIterator: 13 % of a JSON request (PERFORMANCE.md, section 2).
    """
    if not getattr(response, "goes_straight_out", False):
        return None
    body = response.response
    status = response._status_code
    if type(body) is not list or response._on_close or response.direct_passthrough:
        return None
    if environ["REQUEST_METHOD"] == "HEAD" or status < 200 or status in (204, 304):
        return None
    return body if _counted(response.headers._list, body) else None


def _counted(headers: list[tuple[str, str]], body: list[Any]) -> bool:
    """Return whether there is a length, no location to correct, and bytes to send."""
    counted = False
    for name, _ in headers:
        size = len(name)  # 8, 14, 16: location, content-length, content-location
        if size == 14 and name.lower() == "content-length":
            counted = True
        elif size in (8, 16) and name.lower().endswith("location"):
            return False
    return counted and all(type(part) is bytes for part in body)
