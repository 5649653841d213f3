"""Build one twin: the application a `twins_spec.App` describes, on a given class.

    declare(base, spec, log)  ->  application     (may raise what Flask raises)

Both twins are built by these same lines; only *base* differs: flask.Flask, or
Carboy without batteries.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import flask
import flask.signals
import flask.views
import werkzeug.routing
from flask.json.provider import DefaultJSONProvider
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionInterface
from twins_acts import ACTS, GIVES, ODD_GIVES, Log, Oops, Stop, Sub
from twins_spec import App, Blueprint, Handler, Hook, Override, Rule
from werkzeug import exceptions
from werkzeug.routing import BaseConverter, RequestRedirect

__all__ = [
    "CLASSES",
    "QUIET",
    "SIGNALS",
    "TRAITS",
    "add_hook",
    "add_rule",
    "declare",
    "listen",
    "patched",
    "watched",
]

HERE = Path(__file__).resolve().parent
ALL_GIVES = {**GIVES, **ODD_GIVES}

QUIET = ("ensure_sync", "async_to_sync", "_find_error_handler", "create_jinja_environment")
"""Helpers whose outcome counts, not how often they are called: some run once, at seal."""

CLASSES: dict[str, type[BaseException]] = {
    "HTTPException": exceptions.HTTPException,
    "NotFound": exceptions.NotFound,
    "InternalServerError": exceptions.InternalServerError,
    "RequestRedirect": RequestRedirect,
    "BadRequestKeyError": exceptions.BadRequestKeyError,
    "Exception": Exception,
    "LookupError": LookupError,
    "ValueError": ValueError,
    "Oops": Oops,
    "Sub": Sub,
}
SIGNALS = {
    "request_started": flask.request_started,
    "request_finished": flask.request_finished,
    "request_tearing_down": flask.request_tearing_down,
    "got_request_exception": flask.got_request_exception,
    "appcontext_pushed": flask.appcontext_pushed,
    "appcontext_popped": flask.appcontext_popped,
    "appcontext_tearing_down": flask.appcontext_tearing_down,
    "template_rendered": flask.template_rendered,
    "before_render_template": flask.before_render_template,
    "message_flashed": flask.message_flashed,
}


class Upper(BaseConverter):
    """A custom converter: upper-case words, lower-case in the view."""

    regex = r"[A-Z]+"

    def to_python(self, value: str) -> str:
        if value == "NO":
            raise exceptions.NotFound("the converter says no")
        return value.lower()

    def to_url(self, value: Any) -> str:
        return str(value).upper()


class Crosses(BaseConverter):
    """A custom converter that takes slashes."""

    regex = r"c(?:/\d)*"
    part_isolating = False
    weight = 50


class OwnSession(SecureCookieSession):
    """A session of another class."""


class OwnSessions(SecureCookieSessionInterface):
    """A session interface that writes down when it is used."""

    session_class = OwnSession
    log: Log

    def open_session(self, app: Any, request: Any) -> Any:
        self.log.append(f"open session {request.path} {request.endpoint}")
        return super().open_session(app, request)

    def save_session(self, app: Any, session: Any, response: Any) -> None:
        self.log.append(f"save session {response.status}")
        response.headers["X-Saved"] = "1"
        super().save_session(app, session, response)


class NoSessions(SessionInterface):
    """A session interface that opens none: Flask makes a null session."""

    def open_session(self, app: Any, request: Any) -> None:
        return None

    def save_session(self, app: Any, session: Any, response: Any) -> None:
        raise AssertionError("a null session is not saved")


class OwnRequest(flask.Request):
    """A request of another class."""

    @property
    def is_json(self) -> bool:
        return False


class OwnResponse(flask.Response):
    """A response of another class."""

    default_mimetype = "text/x-own"
    default_status = 210


class OwnJSON(DefaultJSONProvider):
    """A JSON provider of another class."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return " " + super().dumps(obj, **kwargs)


def declare(base: type[flask.Flask], spec: App, log: Log) -> flask.Flask:
    """Return the application that *spec* describes; its acts write into *log*."""
    cls = _subclass(base, spec, log)
    arguments = {"root_path": str(HERE / "twins_files"), **spec.arguments}
    app = cls("twins_app", **arguments)
    app.config.from_mapping(spec.config)
    for trait in spec.traits:
        TRAITS[trait](app, log)
    blueprints = [flask.Blueprint(b.name, "twins_bp", **b.own) for b in spec.blueprints]
    for index, rule in enumerate(spec.rules):
        add_rule(_owner(app, blueprints, rule.on), rule, index, log)
    for index, hook in enumerate(spec.hooks):
        add_hook(_owner(app, blueprints, hook.on), hook, f"h{index}", log)
    for index, handler in enumerate(spec.handlers):
        _add_handler(_owner(app, blueprints, handler.on), handler, f"x{index}", log)
    _register(app, blueprints, spec.blueprints)
    for override in spec.overrides:
        if override.way == "instance":
            method = _replacement(getattr(app, override.method), override, log)
            setattr(app, override.method, types.MethodType(method, app))
    return app


def add_rule(owner: Any, rule: Rule, index: int, log: Log) -> None:
    """Add *rule* to an application or blueprint."""
    endpoint = rule.endpoint or f"e{index}"
    view = None if rule.kind == "no view" else _view(rule, endpoint, log)
    owner.add_url_rule(rule.rule, endpoint, view, **rule.options)


def add_hook(owner: Any, hook: Hook, name: str, log: Log) -> None:
    """Register *hook* by the decorator it names; blueprints have the `app_` forms."""
    decorator = getattr(owner, hook.kind, None)
    if decorator is not None:
        decorator(_hook(hook, name, log))


@contextmanager
def listen(app: flask.Flask, names: tuple[str, ...], log: Log) -> Iterator[None]:
    """Connect receivers to the signals.

    "request_started*" listens to every sender; "request_started:look" does the act, too.
    """
    connected = []
    for name in names:
        signal = SIGNALS[name.partition(":")[0].rstrip("*")]
        receiver = _receiver(name, app, log)
        signal.connect(receiver, **({} if "*" in name else {"sender": app}), weak=False)
        connected.append((signal, receiver))
    try:
        yield
    finally:
        for signal, receiver in connected:
            signal.disconnect(receiver)


@contextmanager
def patched(spec: App, log: Log) -> Iterator[None]:
    """Patch methods on flask.Flask itself, as agents for monitoring do."""
    kept = []
    for override in spec.overrides:
        if override.way == "flask":
            original = getattr(flask.Flask, override.method)
            own = override.method in vars(flask.Flask)
            kept.append((override.method, original, own))
            setattr(flask.Flask, override.method, _patch(original, override, log))
    try:
        yield
    finally:
        for name, original, own in reversed(kept):
            setattr(flask.Flask, name, original) if own else delattr(flask.Flask, name)


def _subclass(base: type[flask.Flask], spec: App, log: Log) -> type[flask.Flask]:
    overrides = [o for o in spec.overrides if o.way == "class"]
    if not overrides:
        return base
    cls = type("Own", (base,), {})
    for override in overrides:
        original = getattr(cls, override.method)
        setattr(cls, override.method, _patch(original, override, log))
    return cls


def _patch(original: Callable[..., Any], override: Override, log: Log) -> Callable[..., Any]:
    """A function for a class: gets self, calls the original with it."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return _act(override, log, lambda: original(self, *args, **kwargs), args)

    return method


def _replacement(original: Callable[..., Any], override: Override, log: Log) -> Callable[..., Any]:
    """A function to bind to one instance: the original is bound already."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return _act(override, log, lambda: original(*args, **kwargs), args)

    return method


def _act(override: Override, log: Log, original: Callable[[], Any], args: tuple[Any, ...]) -> Any:
    if override.method in QUIET:
        return watched(override.method, original(), log)
    log.append(f"-> {override.method} ({override.way})")
    if override.does == "answer":
        return flask.Response(f"by {override.method}", 299)
    if override.does == "raise":
        raise Oops(f"in {override.method}")
    if override.does == "nothing":
        return None
    value = original()
    if override.does == "mark" and isinstance(value, flask.Response):
        value.headers.add("X-Mark", override.method)
    log.append(f"<- {override.method} {type(value).__name__ if value is not None else None}")
    return value


def watched(name: str, value: Any, log: Log) -> Any:
    """The outcome of a helper; of one that returns a function, that function is watched."""
    if "sync" not in name:
        return value

    def synchronous(*args: Any, **kwargs: Any) -> Any:
        log.append(f"by own {name}")
        return value(*args, **kwargs)

    return synchronous


def _owner(app: flask.Flask, blueprints: list[flask.Blueprint], on: int | None) -> Any:
    return app if on is None or not blueprints else blueprints[on % len(blueprints)]


def _register(app: flask.Flask, made: list[flask.Blueprint], specs: tuple[Blueprint, ...]) -> None:
    """Children first: registering a blueprint registers what it holds."""
    for index in range(len(made) - 1, -1, -1):
        parent = specs[index].parent
        owner = app if parent is None or not parent < index else made[parent]
        owner.register_blueprint(made[index], **specs[index].at)


def _view(rule: Rule, endpoint: str, log: Log) -> Callable[..., Any]:
    def body(kwargs: dict[str, Any]) -> Any:
        log.append(f"view {endpoint} {sorted(kwargs.items())}")
        for act in rule.does:
            ACTS[act](log)
        return ALL_GIVES[rule.gives](log)

    return _written(rule.kind, body)


def _written(kind: str, body: Callable[[dict[str, Any]], Any]) -> Callable[..., Any]:
    """The same body as a function, a coroutine function, or a class-based view."""
    if kind == "async":

        async def coroutine(**kwargs: Any) -> Any:
            return body(kwargs)

        return coroutine
    if kind == "async class":

        class Asynchronous(flask.views.MethodView):
            async def get(self, **kwargs: Any) -> Any:
                return body(kwargs)

        return Asynchronous.as_view("view")
    if kind in ("class", "once"):

        class Method(flask.views.MethodView):
            init_every_request = kind == "class"

            def get(self, **kwargs: Any) -> Any:
                return body(kwargs)

            def post(self, **kwargs: Any) -> Any:
                return body({**kwargs, "posted": True})

        return Method.as_view("view")

    def view(**kwargs: Any) -> Any:
        return body(kwargs)

    if kind == "own options":
        view.provide_automatic_options = False  # type: ignore[attr-defined]  # Flask reads it
        view.methods = ["GET", "OPTIONS"]  # type: ignore[attr-defined]
    return view


def _hook(hook: Hook, name: str, log: Log) -> Callable[..., Any]:
    def body(*args: Any) -> Any:
        log.append(f"{hook.kind} {name} {_seen(hook.kind, args)}")
        for act in hook.does:
            ACTS[act](log)
        return _hook_value(hook, args, log)

    if not hook.is_async:
        return body

    async def coroutine(*args: Any) -> Any:
        return body(*args)

    return coroutine


def _seen(kind: str, args: tuple[Any, ...]) -> str:
    if "teardown" in kind:
        return f"{type(args[0]).__name__} {args[0]}"
    if "after" in kind:
        return f"{args[0].status} {args[0].mimetype}"
    return " ".join(str(sorted(a.items()) if isinstance(a, dict) else a) for a in args)


def _hook_value(hook: Hook, args: tuple[Any, ...], log: Log) -> Any:
    if "after" in hook.kind:
        return _after_value(hook.gives, args[0])
    if "before" in hook.kind:
        return ALL_GIVES[hook.gives](log) if hook.gives else None
    if "context_processor" in hook.kind:
        return {"extra": hook.gives}
    if "value_preprocessor" in hook.kind and hook.gives == "change" and args[1]:
        args[1].update(y="added")
    if "url_defaults" in hook.kind:
        args[1].setdefault("lang", "en")
    return None


def _after_value(gives: str, response: flask.Response) -> Any:
    if gives == "none":
        return None
    if gives == "new":
        return flask.Response("after", 288)
    if gives == "status":
        response.status_code = 287
    if gives == "body":
        response.direct_passthrough = False
        response.set_data(response.get_data() + b"+")
    response.headers.add("X-After", gives)
    return response


def _add_handler(owner: Any, handler: Handler, name: str, log: Log) -> None:
    def body(error: BaseException) -> Any:
        original = type(getattr(error, "original_exception", None)).__name__
        log.append(f"handler {name} {type(error).__name__} {error} {original}")
        for act in handler.does:
            ACTS[act](log)
        return error if handler.gives == "error" else ALL_GIVES[handler.gives](log)

    async def coroutine(error: BaseException) -> Any:
        return body(error)

    key = CLASSES[handler.key] if isinstance(handler.key, str) else handler.key
    owner.register_error_handler(key, coroutine if handler.is_async else body)


def _receiver(name: str, app: flask.Flask, log: Log) -> Callable[..., None]:
    def receive(sender: Any, **facts: Any) -> None:
        shown = {k: _fact(v) for k, v in sorted(facts.items()) if k != "context"}
        log.append(f"signal {name} {sender is app} {shown} {flask.has_request_context()}")
        if ":" in name:
            ACTS[name.partition(":")[2]](log)

    return receive


def _fact(value: Any) -> str:
    if isinstance(value, flask.Response):
        return f"response {value.status} {list(value.headers)}"
    if isinstance(value, BaseException):
        return f"{type(value).__name__} {value}"
    return str(getattr(value, "name", value))


def _sessions(app: flask.Flask, log: Log) -> None:
    app.session_interface = OwnSessions()
    app.session_interface.log = log


def _request_init(app: flask.Flask, log: Log) -> None:
    """A request class that does its own thing when it is made."""

    class Made(flask.Request):
        def __init__(self, environ: Any, *args: Any, **kwargs: Any) -> None:
            log.append(f"request made {environ['PATH_INFO']!r}")
            environ["PATH_INFO"] = environ["PATH_INFO"].replace("/b", "/a")
            super().__init__(environ, *args, **kwargs)

    app.request_class = Made


def _response_hooks(app: flask.Flask, log: Log) -> None:
    """A response class that replaces the steps of sending."""

    class Sent(flask.Response):
        autocorrect_location_header = True

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            log.append("response made")
            super().__init__(*args, **kwargs)

        def get_wsgi_headers(self, environ: Any) -> Any:
            headers = super().get_wsgi_headers(environ)
            headers["X-Sent"] = "1"
            return headers

    app.response_class = Sent


def _response_call(app: flask.Flask, log: Log) -> None:
    class Called(flask.Response):
        def __call__(self, environ: Any, start_response: Any) -> Any:
            log.append(f"response called {flask.has_request_context()}")
            self.headers["X-Called"] = "1"
            return super().__call__(environ, start_response)

    app.response_class = Called


def _response_items(app: flask.Flask, log: Log) -> None:
    class Items(flask.Response):
        def iter_encoded(self) -> Any:
            log.append("iterated")
            return (b"[" + item + b"]" for item in super().iter_encoded())

        def close(self) -> None:
            log.append("response closed")
            super().close()

    app.response_class = Items


def _globals_class(app: flask.Flask, log: Log) -> None:
    class Globals(flask.ctx._AppCtxGlobals):
        n = 100

    app.app_ctx_globals_class = Globals


def _odd_sessions(app: flask.Flask, log: Log) -> None:
    """A session interface that changes single decisions of Flask's own."""

    class Odd(SecureCookieSessionInterface):
        salt = "odd"

        def should_set_cookie(self, app: Any, session: Any) -> bool:
            log.append(f"should set {session.modified} {session.permanent}")
            return bool(super().should_set_cookie(app, session))

        def get_cookie_path(self, app: Any) -> str:
            return "/odd"

        def make_null_session(self, app: Any) -> Any:
            log.append("null session")
            return super().make_null_session(app)

    app.session_interface = Odd()


def _early_session(app: flask.Flask, log: Log) -> None:
    """A session interface that needs the request's route or writes when it opens."""

    class Early(SecureCookieSessionInterface):
        def open_session(self, app: Any, request: Any) -> Any:
            session = super().open_session(app, request)
            if session is not None:
                session["opened"] = session.get("opened", 0) + 1
            return session

    app.session_interface = Early()


def _own_rules(app: flask.Flask, log: Log) -> None:
    class OwnRule(werkzeug.routing.Rule):
        def build(self, *args: Any, **kwargs: Any) -> Any:
            log.append("rule builds")
            return super().build(*args, **kwargs)

    app.url_rule_class = OwnRule


def _new_map(app: flask.Flask, log: Log) -> None:
    """The whole map is replaced by a plain one of Werkzeug."""
    app.url_map = werkzeug.routing.Map(
        [r.empty() for r in app.url_map.iter_rules()], host_matching=app.url_map.host_matching
    )
    app.url_map.converters.update(upper=Upper, crosses=Crosses)


def _middleware(app: flask.Flask, log: Log) -> None:
    inner = app.wsgi_app

    def outer(environ: dict[str, Any], start_response: Any) -> Any:
        log.append(f"middleware {environ['PATH_INFO']!r}")
        environ["HTTP_X_ADDED"] = "1"
        return inner(environ, start_response)

    app.wsgi_app = outer  # type: ignore[method-assign]  # as Flask's documentation shows


def _method_middleware(app: flask.Flask, log: Log) -> None:
    """Rewrites the method and the path on the way in, and starts the response itself."""
    inner = app.wsgi_app

    def outer(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] == "POST":
            environ["REQUEST_METHOD"] = "PUT"
        environ["PATH_INFO"] = environ["PATH_INFO"].replace("/b", "/a")

        def start(status: str, headers: Any, exc_info: Any = None) -> Any:
            return start_response(status, [*headers, ("X-Outer", "1")], exc_info)

        return inner(environ, start)

    app.wsgi_app = outer  # type: ignore[method-assign]  # as Flask's documentation shows


TRAITS: dict[str, Callable[[flask.Flask, Log], Any]] = {
    "no strict slashes": lambda app, log: setattr(app.url_map, "strict_slashes", False),
    "no merge slashes": lambda app, log: setattr(app.url_map, "merge_slashes", False),
    "no redirect defaults": lambda app, log: setattr(app.url_map, "redirect_defaults", False),
    "sorted query": lambda app, log: setattr(app.url_map, "sort_parameters", True),
    "converters": lambda app, log: app.url_map.converters.update(upper=Upper, crosses=Crosses),
    "own sessions": _sessions,
    "no sessions": lambda app, log: setattr(app, "session_interface", NoSessions()),
    "own request": lambda app, log: setattr(app, "request_class", OwnRequest),
    "own response": lambda app, log: setattr(app, "response_class", OwnResponse),
    "own json": lambda app, log: setattr(app, "json", OwnJSON(app)),
    "json unsorted": lambda app, log: setattr(app.json, "sort_keys", False),
    "json unicode": lambda app, log: setattr(app.json, "ensure_ascii", False),
    "json compact": lambda app, log: setattr(app.json, "compact", True),
    "json spaced": lambda app, log: setattr(app.json, "compact", False),
    "json mimetype": lambda app, log: setattr(app.json, "mimetype", "application/x-json"),
    "json default": lambda app, log: setattr(app.json, "default", lambda o: type(o).__name__),
    "middleware": _middleware,
    "method middleware": _method_middleware,
    "request init": _request_init,
    "response hooks": _response_hooks,
    "response call": _response_call,
    "response items": _response_items,
    "globals class": _globals_class,
    "odd sessions": _odd_sessions,
    "early session": _early_session,
    "own rules": _own_rules,
    "new map": _new_map,
    "default subdomain": lambda app, log: setattr(app.url_map, "default_subdomain", "api"),
    "template global": lambda app, log: app.add_template_global(lambda: "tg", "extra"),
    "stop": lambda app, log: app.register_error_handler(Stop, lambda e: "stopped"),  # type: ignore[arg-type,type-var]
}
