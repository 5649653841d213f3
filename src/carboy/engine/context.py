"""Flask's two contexts, with everything lazy that a request may not need.

    Context      a RequestContext: request, URL adapter, session at first use
    AppGlobals   an AppContext: g and URL adapter at first use

`__getattr__` runs only for what is not there yet, so laziness costs nothing
where the attribute exists, and nothing at all where nobody asks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flask.ctx import AppContext, RequestContext
from werkzeug.exceptions import HTTPException

if TYPE_CHECKING:
    from flask.sessions import SessionMixin
    from flask.wrappers import Request

    from carboy.engine.lanes import Lane

__all__ = ["AppGlobals", "Context"]


class AppGlobals(AppContext):
    """An application context whose `g` and `url_adapter` appear at first use."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __getattr__(self, name: str) -> Any:
        value: Any
        if name == "g":
            value = self.app.app_ctx_globals_class()
        elif name == "_cv_tokens":
            value = []
        elif name == "url_adapter":
            value = self.app.create_url_adapter(None)
        else:
            raise AttributeError(name)
        self.__dict__[name] = value
        return value


class Context(RequestContext):
    """One request as the engine sees it.

    app, environ: the application and the WSGI environ.
    lane: the compiled route; `app.no_lane` when nothing matched.
    rule, args: Werkzeug's rule and the converted path arguments.
    routing_exception: what matching ended in, if not in a rule.
    error: the exception that is being answered, or None.
    unhandled: the exception that no handler took, or None; teardown hooks get it.
    let_go: the exception that Flask's own dispatch raised in the end; it is not handled again.
    answered: whether Flask's own dispatch made the response.
    started: monotonic seconds when the request came in; 0.0 when nobody counts.
    """

    environ: Any
    lane: Lane
    rule: Any = None
    args: Any = None
    routing_exception: HTTPException | None = None
    error: BaseException | None = None
    unhandled: BaseException | None = None
    let_go: BaseException | None = None
    answered: bool = False
    started: float = 0.0
    flashes: list[tuple[str, str]] | None = None

    def __init__(
        self,
        app: Any,
        environ: Any,
        request: Request | None = None,
        session: SessionMixin | None = None,
    ) -> None:
        self.app = app
        self.environ = environ
        if request is not None:
            self.request = request
        if session is not None:
            self._session = session

    def __getattr__(self, name: str) -> Any:
        make = _LAZY.get(name)
        if make is None:
            raise AttributeError(name)
        value = make(self)
        self.__dict__[name] = value
        return value


def _request(ctx: Context) -> Any:
    app = ctx.app
    request = app.request_class(ctx.environ)
    request.json_module = app.json
    if (trusted := app.config["TRUSTED_HOSTS"]) is not None:
        request.trusted_hosts = trusted
    request.url_rule = ctx.rule
    request.view_args = ctx.args
    request.routing_exception = ctx.routing_exception
    return request


def _url_adapter(ctx: Context) -> Any:
    try:
        return ctx.app.create_url_adapter(ctx.request)
    except HTTPException as error:
        ctx.request.routing_exception = error
        return None


def _session(ctx: Context) -> Any:
    interface = ctx.app.session_interface
    session = interface.open_session(ctx.app, ctx.request)
    return interface.make_null_session(ctx.app) if session is None else session


_LAZY: dict[str, Callable[[Context], Any]] = {
    "request": _request,
    "url_adapter": _url_adapter,
    "_session": _session,
    "_after_request_functions": lambda ctx: [],
    "_cv_tokens": lambda ctx: [],
}
