"""The plan: everything a request needs, computed once, when the app is sealed.

    application  ->  stages in order  ->  a lane per route  ->  the route table

Declaring anything afterwards throws the plan away; the next request makes a
new one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import flask
from flask import Flask  # this class, whatever an agent puts in its place later

from carboy.base.errors import SetupError
from carboy.engine import flow, seam
from carboy.engine.agents import through_agent
from carboy.engine.context import Context
from carboy.engine.faults import teach
from carboy.engine.lanes import FLASK, Lane, Stage, ordered
from carboy.engine.requests import Request
from carboy.engine.respond import responder
from carboy.engine.routes import RouteTable
from carboy.engine.seam import cv_request
from carboy.engine.sessions import opens_lazily, settle

if TYPE_CHECKING:
    from werkzeug.routing import Rule

__all__ = ["Plan"]

MAX_KNOWN_HOSTS = 256  # good Host values remembered; more would be somebody's game

_THROUGH_FLASK = frozenset(
    ("full_dispatch_request", "finalize_request", "ensure_sync", "async_to_sync")
)
"""When one of these is replaced, Flask's own dispatch runs, inside our stages."""


_QUIET_INITS = (Request.__init__, flask.Request.__init__)
"""Constructors of requests that do nothing but read the environ."""


class Plan:
    """What `flow.serve` reads. Nothing here changes while it serves.

    stock: dispatch methods that are not Flask's own, left to the application.
    """

    def __init__(self, app: Any) -> None:
        self.app = app
        self.stock = seam.overridden(app)
        self.through_flask = bool(self.stock & _THROUGH_FLASK)
        self.dispatches_stock = "dispatch_request" in self.stock
        self.finalizes_stock = self.through_flask
        self.makes_context = bool(self.stock & {"create_url_adapter", "request_context"})
        self.pushes_stock = self.makes_context or bool(
            self.stock & {"app_context", "do_teardown_request", "do_teardown_appcontext"}
        )
        self.makes_request = app.request_class.__init__ not in _QUIET_INITS
        self.opens_session = not opens_lazily(app.session_interface)
        self.admit: tuple[Callable[[Any], None], ...] = tuple(
            stage.before for stage in ordered(app.admissions) if stage.before
        )
        self.finish: tuple[Callable[..., None], ...] = tuple(app.closers.values())
        self.dispatch = _dispatch_through_flask if self.through_flask else flow.dispatch
        self.respond = responder(app, "make_response" in self.stock, self.through_flask)
        self.teardown_app = tuple(map(app.ensure_sync, reversed(app.teardown_appcontext_funcs)))
        self.known_hosts: set[str] = set()
        self.checks_hosts = app.config["TRUSTED_HOSTS"] is not None
        self.serve: Any = functools.partial(flow.serve, self)
        if not seam.flasks_own(Flask, "wsgi_app"):
            self.serve = through_agent(app, self.serve)
        self._lanes(ordered(app.stages))
        if self.through_flask:
            teach(app)

    def _lanes(self, stages: tuple[Stage, ...]) -> None:
        app = self.app
        for stage in stages:
            _check_place(app, stage)
        self.no_lane = self._lane(None, stages)
        # Rules compare by value and cannot be hashed; the map keeps them alive.
        self.lanes = {id(rule): self._lane(rule, stages) for rule in app.url_map.iter_rules()}
        self.options = {
            id(rule): self._lane(rule, stages, automatic=True)
            for rule in app.url_map.iter_rules()
            if getattr(rule, "provide_automatic_options", False)
        }
        self.table = RouteTable(app.url_map, self.lane_of)
        if self._table_is_off():
            self.table.exact.clear()
            self.table.root = type(self.table.root)()

    def _table_is_off(self) -> bool:
        """Whether matching is somebody else's: a replaced adapter, context, or map."""
        return (
            self.makes_context
            or not isinstance(self.app.url_map, seam.SealedMap)
            or self.app.subdomain_matching
            or bool(self.app.url_map.default_subdomain)
        )

    def _lane(self, rule: Rule | None, stages: Iterable[Stage], automatic: bool = False) -> Lane:
        app = self.app
        endpoint = None if rule is None else rule.endpoint
        names = () if rule is None else _blueprints(endpoint)
        view = _no_view if rule is None else _view(app, rule, automatic, self.dispatches_stock)
        around = [stage for stage in stages if stage.covers(endpoint, names)]
        return Lane(
            endpoint=endpoint,
            pattern="-" if rule is None else rule.rule,
            methods=frozenset(() if rule is None else rule.methods or ()),
            blueprints=names,
            rule=rule,
            view=view,
            bind=None if rule is None or automatic else _binder(app, rule),
            before=self._before(around, names),
            after=self._after(around, names),
            own_after=tuple(s.after for s in reversed(around) if s.after and s.name != FLASK),
            teardown=_hooks(app, app.teardown_request_funcs, names),
            before_names=tuple(s.name for s in around if s.before or self._has_hooks(s, names)),
            after_names=tuple(s.name for s in reversed(around) if s.after or s.name == FLASK),
        )

    def _has_hooks(self, stage: Stage, names: tuple[str, ...]) -> bool:
        """Return whether *stage* is Flask's own and has something to do before the view."""
        return stage.name == FLASK and (
            self.through_flask or any(True for _ in self._flask_before(names))
        )

    def _before(self, around: list[Stage], names: tuple[str, ...]) -> tuple[Any, ...]:
        run: list[Any] = []
        for stage in around:
            if stage.name == FLASK:
                run.extend(() if self.through_flask else self._flask_before(names))
            elif stage.before:
                run.append(stage.before)
        return tuple(run)

    def _after(self, around: list[Stage], names: tuple[str, ...]) -> tuple[Any, ...]:
        run: list[Any] = []
        for stage in reversed(around):
            if stage.name == FLASK:
                run.extend(() if self.through_flask else (self._flask_after(names),))
            elif stage.after:
                run.append(stage.after)
        return tuple(run)

    def _flask_before(self, names: tuple[str, ...]) -> Iterable[Any]:
        """Yield Flask's hooks in its order: URL value processors, then before_request."""
        app = self.app
        if "preprocess_request" in self.stock:
            yield lambda ctx: app.preprocess_request()
            return
        scopes = (None, *reversed(names))
        for scope in scopes:
            for function in app.url_value_preprocessors.get(scope, ()):
                yield _url_value(function)
        for scope in scopes:
            for function in app.before_request_funcs.get(scope, ()):
                yield _no_arguments(app.ensure_sync(function))

    def _flask_after(self, names: tuple[str, ...]) -> Any:
        """Return Flask's way out: after_request hooks, then the session."""
        app = self.app
        if "process_response" in self.stock:
            return lambda ctx, response: app.process_response(response)
        hooks = _hooks(app, app.after_request_funcs, names)
        interface = app.session_interface

        def after(ctx: Any, response: Any) -> Any:
            there = ctx.__dict__
            if "_after_request_functions" in there:
                for function in there["_after_request_functions"]:
                    response = app.ensure_sync(function)(response)
            for hook in hooks:
                response = hook(response)
            if "_session" in there or "HTTP_COOKIE" in ctx.environ:
                session = settle(ctx)
                if session is not None and not interface.is_null_session(session):
                    interface.save_session(app, session, response)
            return response

        return after

    def context(self, environ: Any) -> Any:
        """Return a new request context; the application's own kind if it has one."""
        if not self.makes_context:
            ctx: Any = Context(self.app, environ)
            if self.makes_request:  # what its __init__ does may matter to matching
                _ = ctx.request
            return ctx
        ctx = self.app.request_context(environ)
        ctx.environ, ctx.answered = environ, False
        ctx.args = ctx.rule = ctx.error = ctx.unhandled = ctx.let_go = None
        ctx.routing_exception = None
        return ctx

    def lane_of(self, rule: Rule, method: str) -> Lane:
        """Return the lane of *rule*; for an automatic OPTIONS answer, that one's."""
        if method == "OPTIONS" and id(rule) in self.options:
            return self.options[id(rule)]
        return self.lanes[id(rule)]

    def host_is_known(self, environ: Any) -> bool:
        """Return whether Werkzeug may be spared: its check of the Host passed before."""
        return not self.checks_hosts or environ.get("HTTP_HOST") in self.known_hosts

    def match_stock(self, ctx: Any) -> Lane:
        """Match with Werkzeug: whatever the table does not answer."""
        request = ctx.request
        if ctx.url_adapter is not None:
            if not self.pushes_stock:
                ctx.match_request()
            self._remember_host(ctx.environ)
        ctx.rule, ctx.args = request.url_rule, request.view_args
        ctx.routing_exception = request.routing_exception
        if ctx.rule is None:
            return self.no_lane
        lane = ctx.lane = self.lane_of(ctx.rule, request.method)
        return lane

    def _remember_host(self, environ: Any) -> None:
        host = environ.get("HTTP_HOST")
        if self.checks_hosts and host is not None:
            if len(self.known_hosts) >= MAX_KNOWN_HOSTS:
                self.known_hosts.clear()
            self.known_hosts.add(host)


def _dispatch_through_flask(plan: Plan, ctx: Any, lane: Lane) -> Any:
    """Run our stages, then Flask's whole dispatch inside them."""
    for stage in lane.before:
        result = stage(ctx)
        if result is not None:
            return result
    request = ctx.request
    if lane.bind is not None and request.routing_exception is None:
        request.view_args = lane.bind(request, request.view_args)
    ctx.answered = True
    try:
        return plan.app.full_dispatch_request()
    except Exception as error:
        ctx.error = ctx.unhandled = error
        try:
            return plan.app.handle_exception(error)
        except Exception as last:
            ctx.let_go = last
            raise


def _blueprints(endpoint: str | None) -> tuple[str, ...]:
    """Return the names of the blueprints of *endpoint*, the innermost first."""
    name, dot, _ = (endpoint or "").rpartition(".")
    return (name, *_blueprints(name)) if dot else ()


def _view(app: Any, rule: Rule, automatic: bool, stock: bool) -> Callable[..., Any]:
    if stock:
        return _dispatch_request(app)
    if automatic:
        return lambda **arguments: app.make_default_options_response()
    view = app.view_functions.get(rule.endpoint)
    if view is None:  # Flask notices at the request: KeyError, a 500
        return lambda **arguments: app.view_functions[rule.endpoint]
    return app.ensure_sync(view)  # type: ignore[no-any-return]  # Flask's Callable[..., Any]


def _dispatch_request(app: Any) -> Callable[..., Any]:
    def view(**arguments: Any) -> Any:
        cv_request.get().request.view_args = arguments
        return app.dispatch_request()

    return view


def _no_view(**arguments: Any) -> Any:
    raise AssertionError("a request without a route has a routing exception")


def _binder(app: Any, rule: Rule) -> Any:
    view = app.view_functions.get(rule.endpoint)
    return None if app.binder is None or view is None else app.binder(view, rule)


def _hooks(app: Any, table: Any, names: tuple[str, ...]) -> tuple[Any, ...]:
    """Return the hooks for the way out: blueprints first, the latest first."""
    return tuple(
        app.ensure_sync(function)
        for scope in (*names, None)
        for function in reversed(table.get(scope, ()))
    )


def _url_value(function: Any) -> Any:
    def stage(ctx: Any) -> None:
        function(ctx.request.endpoint, ctx.request.view_args)

    return stage


def _no_arguments(function: Any) -> Any:
    return lambda ctx: function()


def _check_place(app: Any, stage: Stage) -> None:
    """Refuse a stage for a route that is not there, or that could mean two things."""
    if stage.on is None or (stage.on in app.view_functions) != (stage.on in app.blueprints):
        return
    both = stage.on in app.blueprints
    raise SetupError(
        "stages.on",
        f"Stage {stage.name!r} ({stage.place}) is for {stage.on!r}, which is "
        + ("both a blueprint and an endpoint." if both else "neither a blueprint nor an endpoint."),
        hint="Give on= the name that `carboy routes` prints.",
    )
