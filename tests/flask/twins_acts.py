"""What random views, hooks and handlers do, and what they return.

    ACTS[name](log)     reads or changes something and writes what it saw into *log*
    GIVES[name](log)    returns a value of the kind, or raises

Each runs inside a request of either twin; nothing here knows which.
"""

from __future__ import annotations

import datetime
import decimal
import io
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import flask
from flask import current_app, g, request, session
from flask.ctx import AppContext, RequestContext
from flask.globals import app_ctx, request_ctx
from werkzeug.exceptions import BadRequest, Conflict, HTTPException, ImATeapot, NotFound
from werkzeug.routing import BuildError, RequestRedirect
from werkzeug.wrappers import Response as PlainResponse

__all__ = ["ACTS", "GIVES", "ODD_GIVES", "Log", "Oops", "Stop"]

Log = list[str]


class Oops(Exception):
    """An application's own error."""


class Sub(Oops):
    """A more special one."""


class Stop(BaseException):
    """Not an Exception: no handler may catch it."""


class Brewing(ImATeapot):
    """An application's own HTTP error."""

    description = "brewing"


def look(log: Log) -> None:
    rule = request.url_rule
    log.append(f"look {request.method} {request.full_path!r} {request.url!r} {request.root_url!r}")
    log.append(f"  {request.endpoint} {request.view_args} {rule.rule if rule else None}")
    log.append(f"  {request.blueprint} {request.blueprints} {type(request.routing_exception)}")


def ask_app(log: Log) -> None:
    log.append(f"app {current_app.name} {flask.has_request_context()} {flask.has_app_context()}")
    log.append(f"  {current_app._got_first_request} {current_app.testing} {current_app.debug}")
    log.append(f"  {request.is_json} {request.mimetype} {request.scheme} {request.remote_addr}")
    log.append(f"  {request.environ.get('werkzeug.request') is request._get_current_object()}")


def look_inside(log: Log) -> None:
    """What code that knows Flask's contexts can reach."""
    context, app_context = request_ctx._get_current_object(), app_ctx._get_current_object()
    log.append(f"inside {request!r} {g!r} {context!r} {isinstance(context, RequestContext)}")
    log.append(f"  {type(request._get_current_object()) is current_app.request_class}")
    log.append(f"  {context.request is request._get_current_object()} {context.app.name}")
    log.append(f"  {context.url_adapter is None} {app_context.url_adapter is None}")
    log.append(f"  {context.flashes} {isinstance(app_context, AppContext)} {app_context.app.name}")
    log.append(f"  {len(context._after_request_functions)} {context.session is None}")


def other_route(log: Log) -> None:
    """A hook that sends the request somewhere else."""
    rules = [
        r for r in current_app.url_map.iter_rules() if r.endpoint != "static" and not r.arguments
    ]
    if rules:
        request.url_rule, request.view_args = rules[0], {}
        request.routing_exception = None


def other_error(log: Log) -> None:
    request.routing_exception = Conflict("set by hand")


def new_args(log: Log) -> None:
    request.view_args = {**(request.view_args or {}), "added": 1}


def match_again(log: Log) -> None:
    request_ctx.match_request()
    log.append(f"matched {request.endpoint} {request.view_args} {request.routing_exception}")


def copied_by_hand(log: Log) -> None:
    copy = request_ctx.copy()
    with copy:
        log.append(
            f"copy {request.path} {request.endpoint} {session.get('n') if session else None}"
        )


def in_thread(log: Log) -> None:
    """The context goes into a thread, as the documentation shows."""

    @flask.copy_current_request_context
    def work() -> None:
        log.append(f"thread {request.path} {request.endpoint} {dict(session or {})} {'n' in g}")

    def run() -> None:
        try:
            work()
        except Exception as error:  # of a hook or receiver: seen, not printed by the thread
            log.append(f"thread raised {type(error).__name__} {error}")

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def add_to_environ(log: Log) -> None:
    request.environ["HTTP_X_LATE"] = "1"
    log.append(f"environ {request.headers.get('X-Late')} {request.environ.get('HTTP_X_ADDED')}")


def handle_by_hand(log: Log) -> None:
    answer = current_app.make_response(current_app.handle_user_exception(NotFound("by hand")))
    log.append(f"by hand {answer.status}")


def push_and_leave(log: Log) -> None:
    """A context that is pushed and forgotten."""
    current_app.app_context().push()


def read_session(log: Log) -> None:
    shown = dict(session) if session else {}
    log.append(f"session {sorted(shown.items())} {type(session._get_current_object()).__name__}")
    log.append(f"  {session.new} {session.modified} {session.permanent}")


def write_session(log: Log) -> None:
    session["n"] = session.get("n", 0) + 1


def nest_in_session(log: Log) -> None:
    session.setdefault("list", [])
    session["list"].append(1)


def odd_session(log: Log) -> None:
    session["odd"] = {"at": datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), "t": (1, b"x")}
    session["id"] = uuid.UUID(int=7)


def unjson_session(log: Log) -> None:
    session["object"] = object()


def url(log: Log) -> None:
    for endpoint in ("e0", ".e0", "e1", "b.e0", "a.b.e0", "static"):
        for values in ({}, {"x": 3, "filename": "a.txt"}, {"x": 3, "_external": True, "q": "é"}):
            try:
                log.append(f"url {flask.url_for(endpoint, **values)}")
            except (BuildError, RuntimeError) as error:
                log.append(f"url {endpoint} {type(error).__name__}")


def read_body(log: Log) -> None:
    log.append(f"body {request.content_length} {request.get_data()!r}")


def read_form(log: Log) -> None:
    files = [(k, f.filename, f.read()) for k, f in request.files.items(multi=True)]
    log.append(f"form {list(request.form.items(multi=True))} {files}")


def read_json(log: Log) -> None:
    log.append(f"json {request.get_json()!r}")


def read_query(log: Log) -> None:
    log.append(f"query {list(request.args.items(multi=True))} {request.query_string!r}")
    log.append(f"  {sorted(request.cookies)} {request.args.get('x', type=int)}")


def after_this(log: Log) -> None:
    @flask.after_this_request
    def later(response: flask.Response) -> flask.Response:
        log.append("after_this_request")
        response.headers.add("X-Later", "1")
        return response


def after_this_new(log: Log) -> None:
    @flask.after_this_request
    def later(response: flask.Response) -> flask.Response:
        return flask.make_response(("replaced", 202, {"X-New": "1"}))


def after_this_breaks(log: Log) -> None:
    @flask.after_this_request
    def later(response: flask.Response) -> flask.Response:
        raise Oops("in after_this_request")


_inside: set[str] = set()


def once(kind: str) -> Callable[[Callable[[Log], None]], Callable[[Log], None]]:
    """Do not do *kind* within *kind*.

    Hooks run for inner contexts, too, and context processors for what they render:
    without this some would never end.
    """

    def decorate(act: Callable[[Log], None]) -> Callable[[Log], None]:
        def guarded(log: Log) -> None:
            if kind in _inside:
                return
            _inside.add(kind)
            try:
                act(log)
            finally:
                _inside.discard(kind)

        return guarded

    return decorate


@once("context")
def contexts(log: Log) -> None:
    with current_app.app_context():
        log.append(f"inner app context {flask.has_request_context()} {'n' in g}")
    with current_app.test_request_context("/inner?x=1", method="POST"):
        log.append(
            f"inner {request.path} {request.method} {request.endpoint} {dict(session or {})}"
        )
    log.append(f"outer {request.path} {'n' in g}")


@once("context")
def nested_request(log: Log) -> None:
    answer = current_app.test_client().get("/a")
    log.append(f"nested {answer.status} {answer.data!r} outer {request.path}")


@once("context")
def copied_context(log: Log) -> None:
    @flask.copy_current_request_context
    def work() -> None:
        log.append(f"copied {request.path} {request.endpoint} {sorted(session or {})}")

    work()


@once("render")
def render(log: Log) -> None:
    text = "{{ request.path }}|{{ g.n }}|{{ session.n }}|{{ extra }}|{{ x }}|{{ url_for('e0') }}"
    try:
        log.append(f"render {flask.render_template_string(text, x='<&>')}")
    except BuildError as error:
        log.append(f"render {type(error).__name__}")


@once("render")
def render_file(log: Log) -> None:
    log.append(f"render {flask.render_template('page.html', x='<&>')}")


def response_tools(log: Log) -> None:
    response = flask.make_response("x", 203, {"A": "b"})
    log.append(f"made {type(response).__name__} {response.status} {list(response.headers)}")


def pop_args(log: Log) -> None:
    log.append(f"popped {(request.view_args or {}).pop('x', None)}")


def small_limit(log: Log) -> None:
    request.max_content_length = 4
    log.append(f"limits {request.max_content_length} {request.max_form_parts}")


def abort_response(log: Log) -> None:
    flask.abort(flask.Response("aborted", 409))


def raising(error: Callable[[], BaseException]) -> Callable[[Log], None]:
    def act(log: Log) -> None:
        raise error()

    return act


ACTS: dict[str, Callable[[Log], Any]] = {
    "look": look,
    "ask app": ask_app,
    "look inside": look_inside,
    "other route": other_route,
    "other error": other_error,
    "new args": new_args,
    "match again": match_again,
    "copied by hand": once("context")(copied_by_hand),
    "in thread": once("context")(in_thread),
    "add to environ": add_to_environ,
    "handle by hand": once("context")(handle_by_hand),
    "push and leave": push_and_leave,
    "read session": read_session,
    "write session": write_session,
    "nest in session": nest_in_session,
    "touch session": lambda log: session.get("n"),
    "odd session": odd_session,
    "unjson session": unjson_session,
    "flag session": lambda log: setattr(session, "modified", True),
    "clear session": lambda log: session.clear(),
    "permanent session": lambda log: setattr(session, "permanent", True),
    "big session": lambda log: session.__setitem__("big", str(list(range(2000)))),
    "write g": lambda log: setattr(g, "n", g.get("n", 0) + 1),
    "read g": lambda log: log.append(f"g {sorted(g)} {g.get('n')}"),
    "flash": lambda log: flask.flash("hello", "note"),
    "read flashes": lambda log: log.append(
        f"flashes {flask.get_flashed_messages(with_categories=True)}"
    ),
    "url": url,
    "read body": read_body,
    "read form": read_form,
    "read json": read_json,
    "read query": read_query,
    "after this": after_this,
    "after this new": after_this_new,
    "after this breaks": after_this_breaks,
    "contexts": contexts,
    "nested request": nested_request,
    "copied context": copied_context,
    "render": render,
    "render file": render_file,
    "response tools": response_tools,
    "pop args": pop_args,
    "small limit": small_limit,
    "abort 401": lambda log: flask.abort(401),
    "abort response": abort_response,
    "bad key": lambda log: request.form["missing"],
    "raise key": raising(lambda: KeyError("k")),
    "raise value": raising(lambda: ValueError("v")),
    "raise oops": raising(lambda: Oops("o")),
    "raise sub": raising(lambda: Sub("s")),
    "raise stop": raising(lambda: Stop("stop")),
    "raise 404": raising(NotFound),
    "raise 409": raising(lambda: Conflict("busy")),
    "raise teapot": raising(Brewing),
    "raise 400 with response": raising(lambda: BadRequest(response=PlainResponse("own", 400))),
    "raise redirect": raising(lambda: RequestRedirect("http://localhost/moved")),
}


def stream(log: Log) -> Iterator[str]:
    try:
        log.append(f"stream starts {flask.has_request_context()}")
        yield "one"
        yield "é"
    finally:
        log.append("stream ends")


def stream_in_context(log: Log) -> Any:
    def parts() -> Iterator[str]:
        yield request.path
        log.append(f"stream sees {request.endpoint} {sorted(session or {})}")
        yield "end"

    return flask.stream_with_context(parts())


def broken_stream(log: Log) -> Iterator[bytes]:
    yield b"one"
    raise Oops("while streaming")


def wsgi_callable(log: Log) -> Callable[..., Any]:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("207 MULTI", [("X-Wsgi", environ["PATH_INFO"][:1])])
        return [b"a", b"b"]

    return app


def closing(log: Log) -> flask.Response:
    response = flask.Response("closing")
    response.call_on_close(lambda: log.append(f"closed {flask.has_request_context()}"))
    return response


def cookies(log: Log) -> flask.Response:
    response = flask.make_response("cookie")
    response.set_cookie("c", "v w", samesite="Lax")
    response.delete_cookie("d")
    response.vary.add("Accept")
    return response


def conditional(log: Log) -> flask.Response:
    response = flask.make_response("etag " * 9)
    response.add_etag()
    return response.make_conditional(request, accept_ranges=True, complete_length=45)


def download(log: Log) -> flask.Response:
    return flask.send_file(io.BytesIO(b"file"), download_name="é.txt", as_attachment=True)


def passthrough(log: Log) -> flask.Response:
    return flask.Response(iter([b"raw"]), direct_passthrough=True, mimetype="x/y")


ODD_JSON = {
    "date": datetime.date(2026, 1, 2),
    "dec": decimal.Decimal("1.50"),
    "id": uuid.UUID(int=5),
    "é": "<&'>\u2028",
    "nan": float("nan"),
    "big": 2**70,
    "z": [1.0, 1e22, -0.0, None, True],
    "a": {"tuple": (1, 2)},
}


class StrKey(str):
    """A user's own str."""


GIVES: dict[str, Callable[[Log], Any]] = {
    "text": lambda log: "text",
    "empty": lambda log: "",
    "unicode": lambda log: "é\u2028<b>",
    "bytes": lambda log: b"\xff\x00",
    "bytearray": lambda log: bytearray(b"array"),
    "dict": lambda log: {"b": 1, "a": "x"},
    "odd dict": lambda log: dict(ODD_JSON),
    "list": lambda log: [1, "two", None],
    "empty dict": lambda log: {},
    "empty list": lambda log: [],
    "jsonify": lambda log: flask.jsonify(b=1, a=[2]),
    "jsonify odd": lambda log: flask.jsonify(ODD_JSON),
    "json scalar": lambda log: flask.jsonify("é"),
    "int keys": lambda log: {2: "b", 1: "a"},
    "user str": lambda log: {StrKey("k"): StrKey("v")},
    "body status": lambda log: ("made", 201),
    "body status text": lambda log: ("made", "299 FINE"),
    "body headers": lambda log: ("made", {"X-A": "1", "Content-Type": "text/x"}),
    "body header list": lambda log: ("made", [("X-A", "1"), ("X-A", "2")]),
    "three": lambda log: ({"three": 3}, 203, {"X-A": ["1", "2"]}),
    "three list": lambda log: ([3], 404, [("X-A", "1")]),
    "response status": lambda log: (flask.Response("r", 200), 202, {"X-A": "1"}),
    "no content": lambda log: ("", 204),
    "not modified": lambda log: ("", 304, {"ETag": '"x"'}),
    "response": lambda log: flask.Response("r", 206, {"X-R": "1"}, mimetype="text/css"),
    "plain response": lambda log: PlainResponse("plain", headers={"X-P": "1"}),
    "stream": stream,
    "stream in context": stream_in_context,
    "broken stream": broken_stream,
    "list of bytes": lambda log: iter([b"a", b"b"]),
    "wsgi": wsgi_callable,
    "exception": lambda log: NotFound("returned"),
    "redirect": lambda log: flask.redirect("/elsewhere?é=1", 303),
    "closing": closing,
    "cookies": cookies,
    "conditional": conditional,
    "download": download,
    "passthrough": passthrough,
    "template": lambda log: flask.render_template("page.html", x="<&>"),
    "stream template": lambda log: flask.stream_template("page.html", x="y"),
    "path": lambda log: f"{request.path}|{request.endpoint}|{request.view_args}",
}

ODD_GIVES: dict[str, Callable[[Log], Any]] = {
    "none": lambda log: None,
    "none in tuple": lambda log: (None, 200),
    "number": lambda log: 7,
    "object": lambda log: frozenset(),
    "empty tuple": lambda log: (),
    "one tuple": lambda log: ("x",),
    "four tuple": lambda log: ("x", 200, {}, None),
    "bad status": lambda log: ("x", 99),
    "bad status type": lambda log: ("x", "what"),
    "bad header": lambda log: ("x", 200, {"X-A": "a\r\nb"}),
    "unjson dict": lambda log: {"o": HTTPException},
    "mixed keys": lambda log: {1: "a", "b": 2},
    "nested too deep": lambda log: _deep(3000),
}


def _deep(levels: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(levels):
        inner = [inner]
    return inner
