"""An exception becomes an answer: the most specific handler, or a clean page.

    RequestFault, ServiceDown      ->  an HTTPException with the same facts
    handled by the application     ->  its handler's answer, as in Flask
    not handled, 4xx and 5xx       ->  `app.fault_renderer`, else Werkzeug's page
    anything else                  ->  logged; 500

The order of handlers, signals and logging is Flask's.
"""

from __future__ import annotations

import sys
from typing import Any

from flask.signals import got_request_exception
from werkzeug.exceptions import (
    HTTPException,
    InternalServerError,
    ServiceUnavailable,
    default_exceptions,
)
from werkzeug.routing import RoutingException

from carboy.base.errors import RequestFault, ServiceDown
from carboy.engine.seam import cv_request

__all__ = ["as_http", "handled", "propagates", "rendered", "teach", "unhandled"]


def as_http(fault: RequestFault | ServiceDown) -> HTTPException:
    """Return the HTTPException that answers *fault*; it carries it as `.fault`."""
    kind = default_exceptions.get(fault.status, HTTPException)
    if isinstance(fault, ServiceDown):
        error: HTTPException = ServiceUnavailable(retry_after=fault.retry_after_s)
    else:
        error = kind(description=fault.message)
        error.code = fault.status
    error.fault = fault  # type: ignore[attr-defined]  # read by fault renderers
    return error


def handled(plan: Any, ctx: Any, error: Exception) -> Any:
    """Return the view result that answers *error*, or raise what nobody handles.

    Called while *error* is being handled, as Flask's handlers expect.
    """
    app = plan.app
    ctx.error = error
    if error is ctx.let_go:
        raise error
    if isinstance(error, (RequestFault, ServiceDown)) and not _handler(plan, ctx, error):
        error = as_http(error)
    result = app.handle_user_exception(error)
    return rendered(app, ctx, error) if result is error else result


def unhandled(plan: Any, ctx: Any, error: Exception, finalize: Any) -> Any:
    """Return the 500 response for *error*, or raise it where Flask would.

    The steps of Flask.handle_exception; *finalize* is the flow's.
    """
    app = plan.app
    if error is ctx.let_go:
        raise error
    ctx.error = ctx.unhandled = error
    if plan.through_flask or "handle_exception" in plan.stock:
        response = app.handle_exception(error)
        for stage in ctx.lane.own_after:
            response = stage(ctx, response)
        return response
    exc_info = sys.exc_info()
    got_request_exception.send(app, _async_wrapper=app.ensure_sync, exception=error)
    if propagates(app):
        raise error
    app.log_exception(exc_info)
    server_error = InternalServerError(original_exception=error)
    handler = _handler(plan, ctx, server_error)
    if handler is not None:
        return finalize(plan, ctx, app.ensure_sync(handler)(server_error), True)
    return finalize(plan, ctx, rendered(app, ctx, server_error), True)


def propagates(app: Any) -> bool:
    """Return whether an unhandled exception is for the caller (tests, debugger)."""
    propagate = app.config["PROPAGATE_EXCEPTIONS"]
    return bool((app.testing or app.debug) if propagate is None else propagate)


def rendered(app: Any, ctx: Any, error: Any) -> Any:
    """Return the page for an HTTP error that no handler took, else the error itself."""
    render = app.fault_renderer
    if render is None or isinstance(error, RoutingException) or (error.code or 0) < 400:
        return error
    if not hasattr(error, "fault"):
        error.fault = None
    answer = render(ctx, error)
    return error if answer is None else answer


def teach(app: Any) -> None:
    """Make Flask's own dispatch answer our faults, for when it runs in our place."""
    handlers = app.error_handler_spec[None][None]

    def answer(error: Exception) -> Any:
        ctx = cv_request.get()
        if isinstance(error, (RequestFault, ServiceDown)):
            error = as_http(error)
            result = app.handle_user_exception(error)
            return rendered(app, ctx, error) if result is error else result
        return rendered(app, ctx, error)

    for kind in (RequestFault, ServiceDown):
        handlers.setdefault(kind, answer)
    if app.fault_renderer is not None and Exception not in handlers:
        handlers.setdefault(HTTPException, answer)


def _handler(plan: Any, ctx: Any, error: Exception) -> Any:
    return plan.app._find_error_handler(error, list(ctx.lane.blueprints))
