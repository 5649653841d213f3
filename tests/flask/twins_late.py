"""What happens to a running application between two requests.

    LATE[name](app, log)

Much of it is what Flask's setup methods refuse after the first request (that
refusal is compared, too); the rest goes around them through the public
dictionaries, as extensions do.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import flask
from flask.sessions import SecureCookieSessionInterface
from twins_acts import Log
from twins_build import QUIET, NoSessions, OwnJSON, OwnRequest, OwnResponse, OwnSessions, watched
from werkzeug.routing import Rule

__all__ = ["LATE"]


def _before(name: str, log: Log, value: Any = None) -> Callable[[], Any]:
    def hook() -> Any:
        log.append(f"late before {name} {flask.request.endpoint}")
        return value

    return hook


def _after(log: Log) -> Callable[[flask.Response], flask.Response]:
    def hook(response: flask.Response) -> flask.Response:
        log.append(f"late after {response.status}")
        response.headers["X-Late"] = "1"
        return response

    return hook


def _teardown(log: Log) -> Callable[[BaseException | None], None]:
    return lambda error: log.append(f"late teardown {type(error).__name__}")


def _handler(log: Log) -> Callable[[BaseException], Any]:
    return lambda error: (f"late handler {type(error).__name__}", 418)


def _add_rule(app: flask.Flask, log: Log) -> None:
    app.add_url_rule("/late", "late", lambda: "late")


def _add_to_map(app: flask.Flask, log: Log) -> None:
    app.url_map.add(Rule("/late/<x>", endpoint="late_in_map", methods=["GET"]))
    app.view_functions["late_in_map"] = lambda x: f"late {x}"


def _add_over(app: flask.Flask, log: Log) -> None:
    """A rule that takes over a path that a sealed table may already know."""
    app.url_map.add(Rule("/a", endpoint="over", methods=["GET", "POST"]))
    app.view_functions["over"] = lambda **kwargs: f"over {kwargs}"


def _replace_view(app: flask.Flask, log: Log) -> None:
    for endpoint in app.view_functions:
        if endpoint != "static":
            app.view_functions[endpoint] = lambda **kwargs: f"replaced {sorted(kwargs.items())}"
            break


def _wrap_views(app: flask.Flask, log: Log) -> None:
    for endpoint, view in list(app.view_functions.items()):

        def wrapped(_view: Any = view, **kwargs: Any) -> Any:
            log.append("wrapped view")
            return app.ensure_sync(_view)(**kwargs)

        app.view_functions[endpoint] = wrapped


def _drop_view(app: flask.Flask, log: Log) -> None:
    app.view_functions.pop("e0", None)


def _blueprint(app: flask.Flask, log: Log) -> None:
    blueprint = flask.Blueprint("late_bp", "twins_bp", url_prefix="/lb")
    blueprint.add_url_rule("/x", "x", lambda: "late blueprint")
    blueprint.before_request(_before("blueprint", log))
    app.register_blueprint(blueprint)


def _prepend_before(app: flask.Flask, log: Log) -> None:
    app.before_request_funcs.setdefault(None, []).insert(0, _before("first", log))


def _blueprint_before(app: flask.Flask, log: Log) -> None:
    for name in app.blueprints:
        app.before_request_funcs.setdefault(name, []).append(_before(name, log))


def _clear_hooks(app: flask.Flask, log: Log) -> None:
    app.before_request_funcs.clear()
    app.after_request_funcs.clear()
    app.teardown_request_funcs.clear()


def _new_dicts(app: flask.Flask, log: Log) -> None:
    """Extensions may assign the dictionary itself."""
    app.after_request_funcs = {None: [_after(log)]}


def _values(app: flask.Flask, log: Log) -> None:
    def look(endpoint: str | None, values: dict[str, Any] | None) -> None:
        log.append(f"late values {endpoint} {sorted((values or {}).items())}")
        if values:
            values.pop("x", None)

    app.url_value_preprocessors.setdefault(None, []).append(look)


def _defaults(app: flask.Flask, log: Log) -> None:
    hooks = app.url_default_functions.setdefault(None, [])
    hooks.append(lambda endpoint, values: values.setdefault("late", "1"))


def _spec(app: flask.Flask, log: Log) -> None:
    for code, error in ((404, "NotFound"), (None, "Exception")):
        cls = {"NotFound": __import__("werkzeug").exceptions.NotFound, "Exception": Exception}
        app.error_handler_spec[None][code][cls[error]] = _handler(log)


def _patch(name: str) -> Callable[[flask.Flask, Log], None]:
    def act(app: flask.Flask, log: Log) -> None:
        original = getattr(app, name)

        def method(self: flask.Flask, *args: Any, **kwargs: Any) -> Any:
            if name in QUIET:
                return watched(name, original(*args, **kwargs), log)
            log.append(f"late patch {name}")
            return original(*args, **kwargs)

        setattr(app, name, types.MethodType(method, app))

    return act


def _subclass(app: flask.Flask, log: Log) -> None:
    """The class of the application is changed under it."""

    def dispatch_request(self: Any, *args: Any) -> Any:
        log.append("late subclass")
        return super(own, self).dispatch_request(*args)

    own: Any = type("Late", (type(app),), {"dispatch_request": dispatch_request})
    app.__class__ = own


def _wrap_wsgi(app: flask.Flask, log: Log) -> None:
    inner = app.wsgi_app

    def outer(environ: dict[str, Any], start_response: Any) -> Any:
        log.append("late middleware")
        return inner(environ, start_response)

    app.wsgi_app = outer  # type: ignore[method-assign]  # as Flask's documentation shows


def _sessions(app: flask.Flask, log: Log) -> None:
    app.session_interface = OwnSessions()
    app.session_interface.log = log


def _sessions_in_place(app: flask.Flask, log: Log) -> None:
    """The interface stays, one of its methods changes."""
    interface = app.session_interface
    if not isinstance(interface, SecureCookieSessionInterface):
        return
    original = interface.get_cookie_name
    interface.get_cookie_name = lambda app: "own_" + original(app)  # type: ignore[method-assign]


def _url_outside(app: flask.Flask, log: Log) -> None:
    with app.app_context():
        try:
            log.append(f"outside {flask.url_for('e0', x=1)}")
        except Exception as error:
            log.append(f"outside {type(error).__name__} {error}")


def _by_hand(app: flask.Flask, log: Log) -> None:
    """A request context and Flask's dispatch methods, called by hand."""
    with app.test_request_context("/a", method="GET"):
        log.append(f"by hand {flask.request.endpoint}")
        response = app.full_dispatch_request()
        log.append(f"by hand {response.status} {list(response.headers)} {response.get_data()!r}")


def _by_pieces(app: flask.Flask, log: Log) -> None:
    with app.test_request_context("/a"):
        value = app.preprocess_request()
        log.append(f"pieces {type(value).__name__}")
        response = app.make_response("by hand")
        log.append(f"pieces {app.process_response(response).status}")
        flask.session["by"] = "hand"


def _config(**values: Any) -> Callable[[flask.Flask, Log], None]:
    return lambda app, log: app.config.update(values)


def _teardown_app(app: flask.Flask, log: Log) -> None:
    app.teardown_appcontext_funcs.append(_teardown(log))


LATE: dict[str, Callable[[flask.Flask, Log], Any]] = {
    "add rule": _add_rule,
    "add to map": _add_to_map,
    "add over": _add_over,
    "replace view": _replace_view,
    "wrap views": _wrap_views,
    "drop view": _drop_view,
    "blueprint": _blueprint,
    "before by decorator": lambda app, log: app.before_request(_before("decorated", log)),
    "before in dict": lambda app, log: app.before_request_funcs.setdefault(None, []).append(
        _before("dict", log)
    ),
    "before answers": lambda app, log: app.before_request_funcs.setdefault(None, []).append(
        _before("answer", log, "late answer")
    ),
    "before first": _prepend_before,
    "before in blueprints": _blueprint_before,
    "after in dict": lambda app, log: app.after_request_funcs.setdefault(None, []).append(
        _after(log)
    ),
    "teardown in dict": lambda app, log: app.teardown_request_funcs.setdefault(None, []).append(
        _teardown(log)
    ),
    "teardown app": _teardown_app,
    "clear hooks": _clear_hooks,
    "new dicts": _new_dicts,
    "value preprocessor": _values,
    "url defaults": _defaults,
    "handler by decorator": lambda app, log: app.register_error_handler(404, _handler(log)),
    "handler in spec": _spec,
    "context processor": lambda app, log: app.template_context_processors[None].append(
        lambda: {"extra": "late"}
    ),
    "patch dispatch": _patch("dispatch_request"),
    "patch full dispatch": _patch("full_dispatch_request"),
    "patch preprocess": _patch("preprocess_request"),
    "patch process": _patch("process_response"),
    "patch make_response": _patch("make_response"),
    "patch adapter": _patch("create_url_adapter"),
    "patch exception": _patch("handle_exception"),
    "patch teardown": _patch("do_teardown_request"),
    "patch context": _patch("request_context"),
    "patch ensure_sync": _patch("ensure_sync"),
    "subclass": _subclass,
    "wrap wsgi": _wrap_wsgi,
    "own sessions": _sessions,
    "no sessions": lambda app, log: setattr(app, "session_interface", NoSessions()),
    "session cookie": _sessions_in_place,
    "own request": lambda app, log: setattr(app, "request_class", OwnRequest),
    "own response": lambda app, log: setattr(app, "response_class", OwnResponse),
    "own json": lambda app, log: setattr(app, "json", OwnJSON(app)),
    "json unsorted": lambda app, log: setattr(app.json, "sort_keys", False),
    "secret": lambda app, log: setattr(app, "secret_key", "another"),
    "no secret": _config(SECRET_KEY=None),
    "debug": lambda app, log: setattr(app, "debug", True),
    "testing": lambda app, log: setattr(app, "testing", True),
    "propagate": _config(PROPAGATE_EXCEPTIONS=True),
    "do not propagate": _config(PROPAGATE_EXCEPTIONS=False),
    "trap http": _config(TRAP_HTTP_EXCEPTIONS=True),
    "trusted hosts": _config(TRUSTED_HOSTS=["localhost"]),
    "server name": _config(SERVER_NAME="example.com"),
    "max content": _config(MAX_CONTENT_LENGTH=3),
    "cookie name": _config(SESSION_COOKIE_NAME="renamed"),
    "strict slashes": lambda app, log: setattr(app.url_map, "strict_slashes", False),
    "merge slashes": lambda app, log: setattr(app.url_map, "merge_slashes", False),
    "url outside": _url_outside,
    "by hand": _by_hand,
    "by pieces": _by_pieces,
}
