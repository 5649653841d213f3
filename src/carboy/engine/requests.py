"""Flask's Request, reading the environ when asked rather than up front."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any

import flask
from werkzeug._internal import _wsgi_decoding_dance
from werkzeug.datastructures import EnvironHeaders
from werkzeug.exceptions import BadRequest
from werkzeug.sansio.http import parse_cookie
from werkzeug.sansio.utils import get_host
from werkzeug.utils import cached_property
from werkzeug.wsgi import _get_server

from carboy.base.errors import RequestFault

if TYPE_CHECKING:
    from werkzeug.formparser import FormDataParser

__all__ = ["Request"]


class Request(flask.Request):
    """A Flask request whose parts are read from the environ at first use.

    `id` is the request's id, as in the log line and on error pages; "" when the
    `ids` battery is off.
    """

    def __init__(self, environ: Any, populate_request: bool = True, shallow: bool = False) -> None:
        self.environ = environ
        self.shallow = shallow
        if populate_request and not shallow:
            environ["werkzeug.request"] = self

    def __getattr__(self, name: str) -> Any:
        read = _READ.get(name)
        if read is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        value = read(self.__dict__["environ"])
        self.__dict__[name] = value
        return value

    @cached_property
    def host(self) -> str:
        """The host the client asked for, as in Werkzeug.

        Raises SecurityError when `trusted_hosts` does not list it.
        """
        if self.trusted_hosts is not None:
            return super().host
        return _host(self.scheme, self.environ.get("HTTP_HOST"), self.server)

    @cached_property
    def args(self) -> Any:
        """The query, as in Werkzeug.

        PERF: `parse_qsl` is 5 us; a query without escapes only needs cutting up.
        """
        query = self.query_string
        if not query.isascii() or b"%" in query or b"+" in query:
            return super().args
        parts = query.decode().split("&")
        return self.parameter_storage_class([part.partition("=")[::2] for part in parts if part])

    @cached_property
    def cookies(self) -> Any:
        """The cookies, as in Werkzeug, which looks through all headers for them.

        PERF: 13 us there, 3 here.
        """
        if type(self.headers) is not RequestHeaders:
            return super().cookies
        return parse_cookie(self.environ.get("HTTP_COOKIE", ""), cls=self.dict_storage_class)

    def make_form_data_parser(self) -> FormDataParser:
        """Return Werkzeug's parser, or what a battery put around it for this request."""
        parser = super().make_form_data_parser()
        strict = self.environ.get("carboy.forms")
        return parser if strict is None else strict(parser)

    def on_json_loading_failed(self, e: ValueError | None) -> Any:
        """Raise 400 or 415 as Flask does; what is wrong goes along as `.fault`."""
        try:
            return super().on_json_loading_failed(e)
        except BadRequest as error:
            error.fault = RequestFault(  # type: ignore[attr-defined]  # read by fault renderers
                400, "json.malformed", f"The body is not valid JSON{_position(e)}.",
                hint="Send one JSON value in UTF-8.",
            )  # fmt: skip
            raise

    @property
    def id(self) -> str:
        """The id of this request, "" when no battery gives it one."""
        return str(self.environ.get("carboy.id", ""))


class RequestHeaders(EnvironHeaders):
    """The headers of a request, as in Werkzeug.

    PERF: a header that is missing raises and catches two exceptions there: 1.5 us.
    """

    def get(self, key: Any, default: Any = None, type: Any = None) -> Any:  # type: ignore[override]  # Werkzeug's has four overloads
        """Return the header *key*, else *default*; see `Headers.get`."""
        if type is not None or not isinstance(key, str):
            return super().get(key, default, type)
        name = key.upper().replace("-", "_")
        return self.environ.get(name if name in _CONTENT else f"HTTP_{name}", default)


_CONTENT = frozenset(("CONTENT_TYPE", "CONTENT_LENGTH"))


def _position(error: ValueError | None) -> str:
    """Return what is wrong and where; other errors would tell of our insides."""
    if not isinstance(error, JSONDecodeError):
        return ""
    return f": {error.msg} at line {error.lineno} column {error.colno}"


@lru_cache(maxsize=256)  # PERF: 3 us a time; few hosts are ever asked for
def _host(scheme: str, header: str | None, server: tuple[str, int | None] | None) -> str:
    return get_host(scheme, header, server)


# The same expressions as werkzeug.wrappers.Request.__init__, one at a time.
_READ: dict[str, Callable[[Any], Any]] = {
    "method": lambda e: e.get("REQUEST_METHOD", "GET").upper(),
    "scheme": lambda e: e.get("wsgi.url_scheme", "http"),
    "server": _get_server,
    "root_path": lambda e: _wsgi_decoding_dance(e.get("SCRIPT_NAME") or "").rstrip("/"),
    "path": lambda e: "/" + _wsgi_decoding_dance(e.get("PATH_INFO") or "").lstrip("/"),
    "query_string": lambda e: e.get("QUERY_STRING", "").encode("latin1"),
    "headers": RequestHeaders,
    "remote_addr": lambda e: e.get("REMOTE_ADDR"),
}
