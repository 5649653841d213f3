"""The request on one page.

    1 admit     limits, Host, proxy headers, request id      may answer at once
    2 open      context variables; request, session, URL adapter are lazy
    3 match     sealed table -> lane, arguments              404, 405 are faults
    4 before    the lane's stages; the first answer wins
    5 call      typed arguments are bound, the view runs
    6 respond   result -> response
    7 after     the lane's stages on the way out
    8 fault     any exception -> the most specific handler; 7 still runs
    9 close     teardown, then every closer: one log line, one metric

Everything a request meets here was computed by `plan.py` at seal. The semantics
are Flask.wsgi_app's, step by step; where Flask's own method was replaced by a
subclass or an extension, that method is called instead (`plan.stock`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask.signals import (
    appcontext_popped,
    appcontext_pushed,
    appcontext_tearing_down,
    request_finished,
    request_started,
    request_tearing_down,
)

from carboy.base.clock import ticks_s
from carboy.engine.context import AppGlobals
from carboy.engine.faults import handled, unhandled
from carboy.engine.finish import done, follow
from carboy.engine.responses import send
from carboy.engine.seam import cv_app, cv_request

if TYPE_CHECKING:
    from carboy.engine.plan import Plan

__all__ = ["finalize", "serve"]


def serve(plan: Plan, environ: Any, start_response: Any) -> Iterable[bytes]:
    """Answer one request."""
    started = ticks_s() if plan.finish else 0.0
    refusal = admit(plan, environ) if plan.admit else None
    ctx = plan.context(environ)
    ctx.lane = plan.no_lane
    ctx.started = started
    body: Iterable[bytes] | None = None
    try:
        try:
            push(plan, ctx, plan.opens_session and refusal is None)
            lane = plan.no_lane if refusal else match(plan, ctx)
            try:
                if refusal:
                    raise refusal
                result = plan.dispatch(plan, ctx, lane)
            except Exception as fault:
                result = handled(plan, ctx, fault)
            response = finalize(plan, ctx, result)
        except Exception as fault:
            response = unhandled(plan, ctx, fault, finalize)
        except BaseException as fault:
            ctx.unhandled = fault
            raise
        body = send(response, environ, start_response)
    finally:
        close(plan, ctx, ctx.unhandled)
        if body is None and plan.finish:
            done(plan, ctx, 500, 0)
    return follow(plan, ctx, response, body) if plan.finish else body


def admit(plan: Plan, environ: Any) -> Exception | None:
    """Return why this request is refused, or None; nothing has been read of it yet."""
    try:
        for check in plan.admit:
            check(environ)
    except Exception as refusal:
        return refusal
    return None


def push(plan: Plan, ctx: Any, opens_session: bool) -> None:
    """Make *ctx* and its application current, as RequestContext.push does.

    opens_session: also open it now, for interfaces that may not wait. Not for what
    was answered before: liveness must not depend on the store of the sessions.
    """
    if plan.pushes_stock:
        ctx.push()
        return
    app = plan.app
    current = cv_app.get(None)
    app_ctx = None
    if current is None or current.app is not app:
        app_ctx = AppGlobals(app)
        app_ctx._cv_tokens = [cv_app.set(app_ctx)]
        if appcontext_pushed.receivers:
            appcontext_pushed.send(app, _async_wrapper=app.ensure_sync)
    ctx._cv_tokens = [(cv_request.set(ctx), app_ctx)]
    if opens_session:
        _ = ctx._session


def match(plan: Plan, ctx: Any) -> Any:
    """Return the lane for this request; its rule and arguments go to *ctx*."""
    environ = ctx.environ
    hit = plan.table.match(environ.get("PATH_INFO", ""), environ["REQUEST_METHOD"])
    if hit is None or "HTTP_UPGRADE" in environ or not plan.host_is_known(environ):
        return plan.match_stock(ctx)
    lane, ctx.args = hit
    ctx.lane = lane
    ctx.rule = lane.rule
    request = ctx.__dict__.get("request")
    if request is not None:  # opening a session may have made it
        request.url_rule, request.view_args = ctx.rule, ctx.args
    return lane


def dispatch(plan: Plan, ctx: Any, lane: Any) -> Any:
    """Run the stages before the view and the view; return the first answer."""
    if request_started.receivers:
        request_started.send(plan.app, _async_wrapper=plan.app.ensure_sync)
    for stage in lane.before:
        result = stage(ctx)
        if result is not None:
            return result
    return call(plan, ctx, lane)


def call(plan: Plan, ctx: Any, lane: Any) -> Any:
    """Run the view with its arguments, or raise what matching ended in."""
    args = ctx.args
    request = ctx.__dict__.get("request")
    if request is not None:  # a hook may have changed where this request goes
        if request.routing_exception is not None or request.url_rule is not ctx.rule:
            return plan.app.dispatch_request()
        args = request.view_args
    if lane.bind is not None:
        args = lane.bind(ctx.request, args)
    return lane.view(**args)


def finalize(plan: Plan, ctx: Any, result: Any, from_error_handler: bool = False) -> Any:
    """Turn *result* into a response and run the stages after the view."""
    response = plan.respond(ctx, result)
    try:
        for stage in ctx.lane.after:
            response = stage(ctx, response)
        if request_finished.receivers and not plan.finalizes_stock:
            app = plan.app
            request_finished.send(app, _async_wrapper=app.ensure_sync, response=response)
    except Exception:
        if not from_error_handler:
            raise
        plan.app.logger.exception("Request finalizing failed with an error while handling an error")
    return response


def close(plan: Plan, ctx: Any, error: BaseException | None) -> None:
    """Run the teardown hooks and leave both contexts, as RequestContext.pop does."""
    app = plan.app
    environ = ctx.environ
    if "werkzeug.debug.preserve_context" in environ:
        environ["werkzeug.debug.preserve_context"](cv_app.get())
        environ["werkzeug.debug.preserve_context"](cv_request.get())
    if error is not None and app.should_ignore_error(error):
        error = None
    if plan.pushes_stock or len(ctx._cv_tokens) != 1:  # a stream may keep the context
        ctx.pop(error)
        return
    request = ctx.__dict__.get("request")
    try:
        for teardown in ctx.lane.teardown:
            teardown(error)
        if request_tearing_down.receivers:
            request_tearing_down.send(app, _async_wrapper=app.ensure_sync, exc=error)
        if request is not None:
            request.close()
    finally:
        token, app_ctx = ctx._cv_tokens.pop()
        current = cv_request.get()
        cv_request.reset(token)
        if request is not None:
            environ["werkzeug.request"] = None
        if app_ctx is not None:
            leave(plan, app_ctx, error)
        if current is not ctx:
            raise AssertionError(f"Popped wrong request context. ({current!r} instead of {ctx!r})")


def leave(plan: Plan, app_ctx: AppGlobals, error: BaseException | None) -> None:
    """Leave the application context that came with the request, as AppContext.pop does."""
    app = plan.app
    if len(app_ctx._cv_tokens) != 1:
        app_ctx.pop(error)
        return
    try:
        for teardown in plan.teardown_app:
            teardown(error)
        if appcontext_tearing_down.receivers:
            appcontext_tearing_down.send(app, _async_wrapper=app.ensure_sync, exc=error)
    finally:
        current = cv_app.get()
        cv_app.reset(app_ctx._cv_tokens.pop())
    if current is not app_ctx:
        raise AssertionError(f"Popped wrong app context. ({current!r} instead of {app_ctx!r})")
    if appcontext_popped.receivers:
        appcontext_popped.send(app, _async_wrapper=app.ensure_sync)
