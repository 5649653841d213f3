"""Flask's Response, with a short way in and a short way out.

    ready(body, content_type)      a finished 200 answer, headers written directly
    send(response, environ, ...)   what Response.__call__ does, in one pass

Both leave anything unusual to Werkzeug: the bytes are the same either way.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import flask
from werkzeug.datastructures import Headers

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as WerkzeugResponse

__all__ = ["Response", "ready", "send"]

HTML = "text/html; charset=utf-8"
JSON = "application/json"
_TYPES = {kind: ("Content-Type", kind) for kind in (HTML, JSON)}

BODILESS = frozenset((*range(100, 200), 204, 304))
CORRECTED_SIZES = frozenset(map(len, ("location", "content-length", "content-location")))

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

    checked: int = 0
    """How many headers, from the first on, are known to need no correction."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.goes_straight_out = all(
            getattr(cls, name, None) is getattr(Response, name, None) for name in _WAY_OUT
        )


def ready(body: bytes, content_type: str, cls: type[Response] = Response) -> Response:
    """Return a 200 answer with *body*: what `Response(body)` gives, without its work.

    content_type: HTML or JSON, as above.
    """
    response = cls.__new__(cls)
    response.headers = headers = Headers.__new__(Headers)
    headers._list = [_TYPES[content_type], ("Content-Length", str(len(body)))]
    response._status = "200 OK"
    response._status_code = 200
    response.direct_passthrough = False
    response._on_close = []
    response.response = [body]
    return response


def send(response: WerkzeugResponse, environ: Any, start_response: Any) -> Iterable[bytes]:
    """Start the answer and return its body, as `response(environ, start_response)` would."""
    if not getattr(response, "goes_straight_out", False) or not _is_plain(response, environ):
        return response(environ, start_response)
    start_response(response._status, list(response.headers._list))  # the server may change it
    return response.response  # type: ignore[return-value]  # _is_plain saw that it is bytes


def _is_plain(response: Any, environ: Any) -> bool:
    """Return whether the body is one text of bytes and no header needs a correction.

    PERF: Werkzeug copies the headers, looks at each three times and wraps the
    body in a ClosingIterator: 13 % of a JSON request on plain Flask 3.1.
    """
    body = response.response
    if type(body) is not list or len(body) != 1 or type(body[0]) is not bytes:
        return False
    if response._status_code in BODILESS or environ["REQUEST_METHOD"] == "HEAD":
        return False
    if response._on_close or response.direct_passthrough:
        return False
    headers = response.headers._list
    known = response.checked
    counted = known > 1 and headers[1][0] == "Content-Length"
    for name, _ in headers[known:] if counted else headers:
        if len(name) in CORRECTED_SIZES:  # PERF: 25 ns a name; lower() would be 60
            corrected = name.lower()
            counted = counted or corrected == "content-length"
            if corrected in ("location", "content-location"):
                return False
    return bool(counted)
