"""class Carboy: Flask at full size.

    declare   Carboy(), decorators, batteries       anything may be added
    seal      the first request, or app.seal()      a `Plan` is computed
    serve     `flow.serve` reads the plan           declaring again unseals

Only `wsgi_app`, class attributes and set-up methods of Flask are overridden;
the dispatch methods are left alone, so that subclasses, extensions and agents
may override them as on Flask (seam.py notices).
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import flask
from flask import Flask

from carboy.base.access import mark
from carboy.base.battery import Battery, resolve
from carboy.base.errors import SetupError
from carboy.base.facts import Facts
from carboy.base.scope import scope, scope_of
from carboy.engine import asking as asking, seam  # asking: a request brings its scope
from carboy.engine.config import Config
from carboy.engine.jsons import JSON
from carboy.engine.lanes import FLASK, Lane, Stage, adapt_after, adapt_before
from carboy.engine.mistakes import duplicate_endpoint, place
from carboy.engine.plan import Plan
from carboy.engine.requests import Request
from carboy.engine.responses import Response
from carboy.engine.sessions import CookieSessions

if TYPE_CHECKING:
    from flask.testing import FlaskClient

    from carboy.base.checks import Finding

__all__ = ["Blueprint", "Carboy"]

DEFAULTS = ("2026.1",)  # versions of the defaults that this release can give

F = TypeVar("F", bound=Callable[..., Any])
Names = str | Iterable[str]


class Register(Protocol):
    """`app.get("/")` for type checkers: a view may return what the typed battery encodes."""

    def __call__(self, rule: str, **options: Any) -> Callable[[F], F]: ...


class Carboy(Flask):
    """A Flask application with everything in the box.

    batteries: "default", "compatible" (only what changes no answer's meaning),
        () for Flask's exact semantics, or names and Battery instances.
    defaults: the version of the default settings; an upgrade of Carboy never
        changes them silently.
    All other arguments are Flask's.
    Raises SetupError for unknown batteries or versions, and for wrong options.

    >>> app = Carboy(__name__, batteries=())
    >>> @app.get("/")
    ... def home():
    ...     return {"hello": "world"}
    >>> app.test_client().get("/").json
    {'hello': 'world'}
    """

    request_class = Request
    response_class = Response
    config_class = Config
    json_provider_class = JSON
    url_map_class = seam.SealedMap
    session_interface = CookieSessions()

    config: Config
    batteries: dict[str, Battery]
    fault_renderer: Callable[[Any, Any], Any] | None = None
    binder: Callable[[Any, Any], Any] | None = None
    encoder_for: Callable[[type[Any]], Callable[[Any], bytes] | None] | None = None
    _plan: Plan | None = None
    _next_plan: Plan | None = None

    if TYPE_CHECKING:
        route: Register
        get: Register
        post: Register
        put: Register
        patch: Register
        delete: Register
        access: Callable[[str, Any], None]  # from the battery of that name, as the next ones
        resource: Callable[..., Any]
        nav: Callable[..., None]
        csp: Callable[..., None]

    def __init__(
        self,
        import_name: str,
        *args: Any,
        batteries: str | Iterable[str | Battery] = "default",
        defaults: str = DEFAULTS[-1],
        **kwargs: Any,
    ) -> None:
        seam.require_checked(metadata.version("flask"), metadata.version("werkzeug"))
        if defaults not in DEFAULTS:
            raise SetupError(
                "app.defaults",
                f"There are no defaults {defaults!r}.",
                hint=f"This release knows: {', '.join(DEFAULTS)}.",
            )
        self._sealing = threading.RLock()
        self.who_asks: Callable[[], Any] | None = None
        self.test_environ: dict[str, Any] = {}  # what test clients send unless told otherwise
        self._touch = _toucher(weakref.ref(self))
        self.defaults = defaults
        self.stages: list[Stage] = []
        self.admissions: list[Stage] = []
        self.closers: dict[str, Callable[..., None]] = {}
        self.json_guards: list[Callable[[Any], None]] = []
        self.batteries = {battery.name: battery for battery in resolve(batteries)}
        super().__init__(import_name, *args, **kwargs)
        if isinstance(self.config, Config):  # a subclass may have Flask's, or its own
            self.config.on_change = self._touch
        self._start()

    def _start(self) -> None:
        """Let the batteries in, each after those it needs."""
        if self.batteries:
            if not isinstance(self.config, Config):
                raise SetupError(
                    "app.config_class",
                    f"{type(self).__name__}.config_class is {type(self.config).__name__},"
                    " which knows nothing of options.",
                    hint="Derive it from carboy.engine.config.Config instead of flask.Config,"
                    " or use batteries=().",
                )
            self.config.declare(o for battery in self.batteries.values() for o in battery.options)
            self.config.load(self.root_path)
        for battery in self.batteries.values():
            battery.init(self)
        self.stages.append(Stage(FLASK, place="Flask's hooks"))

    def __setattr__(self, name: str, value: Any) -> None:
        if name in seam.WATCHED:
            value = seam.watch(name, value, self._touch)
            self._unseal()
        object.__setattr__(self, name, value)

    # Serving

    def wsgi_app(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Answer a request; wrap it with WSGI middleware as on Flask."""
        plan = self._plan or self._first_plan()
        return plan.serve(environ, start_response)  # type: ignore[no-any-return]  # or an agent's

    def seal(self) -> None:
        """Compute what requests need now, instead of at the first request.

        Raises SetupError for what is put together wrongly. Declaring something
        afterwards unseals the application; the next request seals it again.
        """
        with self._sealing:
            if self._plan is None and self._next_plan is None:
                self._next_plan = self._new_plan()

    @property
    def sealed(self) -> bool:
        """Whether a plan stands: nothing was declared since it was made."""
        return self._plan is not None or self._next_plan is not None

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Every route as it is served, in the order of declaration. Seals."""
        return tuple(self._current_plan().lanes.values())

    @property
    def no_lane(self) -> Lane:
        """The lane of requests that no route matches. Seals."""
        return self._current_plan().no_lane

    def _current_plan(self) -> Plan:
        self.seal()
        plan = self._plan or self._next_plan
        assert plan is not None  # seal() made one
        return plan

    def _first_plan(self) -> Plan:
        """Return the plan for a request that found none."""
        with self._sealing:
            plan = self._current_plan()
            if not plan.through_flask:  # Flask says it itself
                self._got_first_request = True
            object.__setattr__(self, "_plan", plan)
            object.__setattr__(self, "_next_plan", None)
            return plan

    def _new_plan(self) -> Plan:
        plan = Plan(self)
        object.__setattr__(self, "_next_plan", plan)  # so that batteries may look at lanes
        for battery in self.batteries.values():
            battery.seal(self)
        return plan

    def _unseal(self) -> None:
        object.__setattr__(self, "_plan", None)
        object.__setattr__(self, "_next_plan", None)

    # Declaring

    def before(
        self,
        function: F | None = None,
        *,
        name: str | None = None,
        on: str | None = None,
        under: Names = (),
        over: Names = (),
    ) -> Any:
        """Register a stage that runs before the view; use as a decorator or a call.

        function: `f()` or `f(request)`; anything but None answers the request.
        name: unique; the function's name when not given.
        on: a blueprint or an endpoint; every route when not given.
        under, over: stages that this one is inside of, outside of.
        """
        return self._declare(function, name, on, under, over, way_in=True)

    def after(
        self,
        function: F | None = None,
        *,
        name: str | None = None,
        on: str | None = None,
        under: Names = (),
        over: Names = (),
    ) -> Any:
        """Register a stage that runs after the view, on errors too.

        function: `f(response)` or `f(request, response)`; returns a response, or
            None to keep the one it got. The rest is as in `before`.
        """
        return self._declare(function, name, on, under, over, way_in=False)

    def stage(
        self,
        *,
        name: str,
        before: Callable[[Any], Any] | None = None,
        after: Callable[[Any, Any], Any] | None = None,
        on: str | None = None,
        under: Names = (),
        over: Names = (),
    ) -> None:
        """Register both sides of a stage, as batteries do.

        before: `f(ctx)`, anything but None answers. after: `f(ctx, response)`,
        returns the response. ctx: the request's Context.
        """
        where = place(before or after)
        self._add(Stage(name, before, after, on, _names(under), _names(over), where))

    def admit(
        self,
        function: Callable[[Any], None],
        *,
        name: str,
        under: Names = (),
        over: Names = (),
    ) -> None:
        """Register a check of every request, before it is matched to a route.

        function: `f(environ)`; raises RequestFault or an HTTPException to refuse.
        """
        stage = Stage(name, function, None, None, _names(under), _names(over), place(function))
        self.admissions.append(stage)
        self._unseal()

    def finish(self, function: Callable[..., None], *, name: str) -> None:
        """Register a closer, called once per request when its answer is done.

        function: `f(ctx, status, seconds, size)`; size in bytes, -1 when unknown.
        """
        self.closers[name] = function
        self._unseal()

    def scope_loader(self, function: F) -> F:
        """Decorate the function that tells who asks in a request.

        It returns a user (with `id`, and perhaps `roles` and `tenant`), the key of one, a
        Scope, or None for a visitor. It runs when somebody first wants to know, once per
        request, as the system: its own queries see everything.
        """
        self.who_asks = function
        self._unseal()
        return function

    @contextmanager
    def scope(self, who: Any = None, **more: Any) -> Iterator[Any]:
        """Work on behalf of *who* inside `with`, also outside of a request.

        who: as for `scope_loader`. more: user, roles, tenant, tokens, instead of it.
        """
        with self.app_context(), scope(scope_of(who) if who is not None else None, **more) as found:
            yield found

    def test_client(self, use_cookies: bool = True, **kwargs: Any) -> FlaskClient:
        """Return Flask's test client; it sends `test_environ`, as a browser would."""
        client = super().test_client(use_cookies, **kwargs)
        for name, value in self.test_environ.items():
            client.environ_base.setdefault(name, value)
        return client

    def _declare(
        self,
        function: Any,
        name: str | None,
        on: str | None,
        under: Names,
        over: Names,
        *,
        way_in: bool,
    ) -> Any:
        def declare(function: Any) -> Any:
            before = adapt_before(function, self.ensure_sync) if way_in else None
            after = None if way_in else adapt_after(function, self.ensure_sync)
            named = str(name or getattr(function, "__name__", "stage"))
            if named == "<lambda>":
                named = f"stage{len(self.stages)}"
            stage = Stage(named, before, after, on, _names(under), _names(over), place(function))
            self._add(stage)
            return function

        return declare if function is None else declare(function)

    def _add(self, stage: Stage) -> None:
        self.stages.append(stage)
        self._unseal()

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Any = None,
        provide_automatic_options: bool | None = None,
        **options: Any,
    ) -> None:
        """Register a rule as Flask does; a doubled endpoint names both views."""
        try:
            super().add_url_rule(rule, endpoint, view_func, provide_automatic_options, **options)
        except AssertionError as error:
            name = str(endpoint or getattr(view_func, "__name__", ""))
            first = self.view_functions.get(name)
            if not self.batteries or first in (None, view_func):
                raise
            raise duplicate_endpoint(name, first, view_func) from error

    # Looking at it

    @property
    def options(self) -> Config:
        """The typed configuration; the same object as `config`."""
        return self.config

    def findings(self) -> list[Finding]:
        """Return what the engine and the batteries have to say, the gravest first."""
        found = [*self.config.findings()] if self.batteries else []
        for battery in self.batteries.values():
            found.extend(battery.checks(self))
        return sorted(found, key=lambda finding: -finding.level)

    def facts(self) -> Facts:
        """Return what this application needs from the place it runs in."""
        facts = Facts()
        for battery in self.batteries.values():
            facts.add(battery.facts(self))
        return facts


class Blueprint(flask.Blueprint):
    """A Flask blueprint that may have stages of its own."""

    if TYPE_CHECKING:
        route: Register
        get: Register
        post: Register
        put: Register
        patch: Register
        delete: Register

    def before(self, function: F | None = None, **options: Any) -> Any:
        """Register a stage before this blueprint's views; see `Carboy.before`."""
        return self._stage("before", function, options)

    def after(self, function: F | None = None, **options: Any) -> Any:
        """Register a stage after this blueprint's views; see `Carboy.after`."""
        return self._stage("after", function, options)

    def access(self, who: Any) -> None:
        """Say who may use all views of this blueprint that do not say it themselves.

        who: `public`, or a rule; see `carboy.auth.access`.
        """
        mark(self, who)

    def _stage(self, side: str, function: F | None, options: dict[str, Any]) -> Any:
        def declare(function: F) -> F:
            def record(state: Any) -> None:
                if not isinstance(state.app, Carboy):
                    raise SetupError(
                        "stages.flask",
                        f"Blueprint {self.name!r} has stages, and {state.app!r} is no Carboy.",
                        hint=f"Use @bp.{side}_request there, or a Carboy application.",
                    )
                name = ".".join(filter(None, (state.name_prefix, state.name)))
                named = options.get("name") or f"{name}.{function.__name__}"
                getattr(state.app, side)(function, **{"on": name, **options, "name": named})

            self.record(record)
            return function

        return declare if function is None else declare(function)


def _toucher(ref: weakref.ref[Carboy]) -> Callable[[], None]:
    """Return what unseals the application; weak, so that it makes no cycle."""

    def touch() -> None:
        app = ref()
        if app is not None:
            app._unseal()

    return touch


def _names(names: Names) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)
