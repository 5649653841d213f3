"""The request on one page: order, laziness, faults and the end of a request."""

from __future__ import annotations

import io
from typing import Any

import flask
import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from carboy import Carboy, RequestFault, ServiceDown, after_this_request, g, request, session


def get(app: Carboy, path: str = "/", **environ: Any) -> tuple[list[bytes], str, Any]:
    builder = EnvironBuilder(path=path, environ_overrides=environ)
    body, status, headers = run_wsgi_app(app, builder.get_environ())
    return list(body), status, headers


def test_first_before_stage_to_answer_ends_the_request(app, client):
    """Later stages and the view are skipped; after stages still run."""
    seen = []
    app.get("/")(lambda: seen.append("view") or "page")
    app.before(lambda: seen.append("a") or "stop")
    app.before(lambda: seen.append("b"))
    app.after(lambda response: seen.append("after") or response)

    response = client.get("/")

    assert response.text == "stop"
    assert seen == ["a", "after"]


def test_stages_are_layers_around_flasks_hooks_and_the_view(app, client):
    """In from the outside, out from the inside; Flask's hooks are one of the layers."""
    seen = []
    app.stage(
        name="outer",
        before=lambda ctx: seen.append("outer in"),
        after=lambda ctx, response: seen.append("outer out") or response,
        over="flask",
    )
    app.before_request(lambda: seen.append("flask in"))
    app.after_request(lambda response: seen.append("flask out") or response)
    app.before(lambda: seen.append("inner in"), name="inner")
    app.after(lambda response: seen.append("inner out"), name="inner out")
    app.get("/")(lambda: seen.append("view") or "page")

    assert client.get("/").text == "page"
    assert seen == [
        "outer in", "flask in", "inner in", "view", "inner out", "flask out", "outer out",
    ]  # fmt: skip


def test_a_stage_may_take_the_request(app, client):
    """`f(request)` and `f(request, response)` get the object, not the proxy."""
    app.before(lambda request: type(request).__name__ if request.args.get("stop") else None)
    app.after(lambda request, response: response.headers.add("X-Path", request.path))
    app.get("/x")(lambda: "view")

    assert client.get("/x?stop=1").text == "Request"
    assert client.get("/x").headers["X-Path"] == "/x"


def test_a_stage_for_one_route_leaves_others_alone(app, client):
    """on= takes an endpoint or a blueprint."""
    pages = flask.Blueprint("pages", __name__)
    pages.add_url_rule("/in", "one", lambda: "in")
    app.register_blueprint(pages)
    app.add_url_rule("/out", "out", lambda: "out")
    app.before(lambda: "stopped", name="for pages", on="pages")
    app.before(lambda: None, name="for out", on="out")

    assert client.get("/in").text == "stopped"
    assert client.get("/out").text == "out"
    by_endpoint = {lane.endpoint: lane.before_names for lane in app.lanes}
    assert by_endpoint["pages.one"] == ("for pages",)
    assert by_endpoint["out"] == ("for out",)


def test_the_names_of_a_lane_tell_what_runs_and_in_which_order():
    """What `carboy routes --stages` prints; Flask's hooks are there when there are any."""
    app = Carboy("app", batteries=["ids", "headers"])
    app.add_url_rule("/", "home", lambda: "page")
    app.before(lambda: None, name="mine")
    app.after(lambda response: None, name="last")

    (lane,) = (lane for lane in app.lanes if lane.endpoint == "home")
    assert lane.before_names == ("mine",)
    assert lane.after_names == ("last", "flask", "headers", "ids")

    app.before_request(lambda: None)
    (lane,) = (lane for lane in app.lanes if lane.endpoint == "home")
    assert lane.before_names == ("flask", "mine")


def test_admission_refuses_before_anything_else_runs(app, client):
    """Neither hooks nor the view run; after stages and closers do."""
    seen = []

    def refuse(environ: Any) -> None:
        raise RequestFault(431, "test.refused", "Too much.")

    app.admit(refuse, name="gate")
    app.before_request(lambda: seen.append("hook"))
    app.after(lambda response: seen.append("after"))
    app.finish(lambda ctx, status, seconds, size: seen.append(status), name="log")
    app.get("/")(lambda: seen.append("view") or "page")

    assert client.get("/").status_code == 431
    assert seen == ["after", 431]


def test_nothing_is_made_that_nobody_asked_for(app):
    """No request object, no URL adapter, no session, no g for a view that needs none."""
    contexts = []
    app.stage(name="look", after=lambda ctx, response: contexts.append(ctx) or response)
    app.add_url_rule("/users/<int:id>", "user", lambda id: {"id": id})

    body, status, _ = get(app, "/users/7")

    assert (body, status) == ([b'{"id":7}\n'], "200 OK")
    assert not {"request", "url_adapter", "_session"} & set(vars(contexts[0]))


def test_a_session_that_is_only_carried_is_not_opened_without_its_cookie(app):
    """Another cookie does not make the session cost anything."""
    opened = []

    class Counting(type(app.session_interface)):
        def open_session(self, app: Any, request: Any) -> Any:
            opened.append(request.path)
            return super().open_session(app, request)

    app.add_url_rule("/", "home", lambda: "page")
    get(app, HTTP_COOKIE="theme=dark")
    lazy = list(opened)
    app.session_interface = Counting()
    get(app, HTTP_COOKIE="theme=dark")

    assert lazy == []
    assert opened == ["/"], "an interface that is not ours is opened on every request"


def test_a_permanent_session_is_renewed_though_nobody_reads_it(app, client):
    """SESSION_REFRESH_EACH_REQUEST, as in Flask."""

    @app.get("/in")
    def sign_in():
        session["user"] = 1
        session.permanent = True
        return "in"

    app.get("/idle")(lambda: "idle")
    client.get("/in")

    assert "session=" in client.get("/idle").headers.get("Set-Cookie", "")
    app.config["SESSION_REFRESH_EACH_REQUEST"] = False
    assert "Set-Cookie" not in client.get("/idle").headers


def test_reading_the_session_varies_by_cookie_and_not_reading_does_not(app, client):
    """A cache must not mix up visitors, nor give up where it need not."""
    app.get("/reads")(lambda: str(session.get("user")))
    app.add_url_rule("/no", "no", lambda: "no")

    assert client.get("/reads").headers["Vary"] == "Cookie"
    assert "Vary" not in client.get("/no").headers


@pytest.mark.parametrize("batteries", [(), "default"], ids=["bare", "default"])
def test_a_request_fault_is_answered_with_its_status(batteries):
    """In a view, a stage or a hook; without any handler registered."""
    app = Carboy("app", batteries=batteries)

    @app.get("/")
    def view():
        raise RequestFault(409, "test.conflict", "Somebody was faster.", headers={"X-A": "1"})

    response = app.test_client().get("/")

    assert response.status_code == 409
    assert "Somebody was faster." in response.text


def test_a_service_that_is_down_is_503_with_retry_after(app, client):
    """The operator's problem; the client is told only to come back."""
    app.get("/")(lambda: (_ for _ in ()).throw(ServiceDown("db.away", "secret-host is away")))

    response = client.get("/")

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert "secret-host" not in response.text


def test_the_applications_handlers_come_first(app, client):
    """A handler for the class, or for the status, answers in place of ours."""
    app.errorhandler(RequestFault)(lambda fault: (f"class {fault.code}", fault.status))
    app.errorhandler(503)(lambda error: ("status", 503))
    app.add_url_rule("/a", "a", lambda: _raise(RequestFault(400, "test.bad", "Bad.")))
    app.add_url_rule("/b", "b", lambda: _raise(ServiceDown("test.down", "Down.")))

    assert client.get("/a").text == "class test.bad"
    assert client.get("/b").text == "status"


def _raise(error: Exception) -> Any:
    raise error


def test_closers_learn_status_time_and_size_once(app):
    """For whole answers, streams, files, refusals and crashes alike."""
    app.testing = False
    ends: list[tuple[str, int, int]] = []

    def end(ctx: Any, status: int, seconds: float, size: int) -> None:
        assert 0 < seconds < 60
        ends.append((ctx.lane.pattern, status, size))

    app.finish(end, name="log")
    app.add_url_rule("/page", "page", lambda: "12345")
    app.add_url_rule("/stream", "stream", lambda: (part for part in ("12", "345")))
    app.add_url_rule("/file", "file", lambda: flask.send_file(io.BytesIO(b"1234567"), "text/plain"))
    app.add_url_rule("/boom", "boom", lambda: 1 / 0)

    for path in ("/page", "/stream", "/file", "/boom", "/nowhere"):
        with app.test_client().get(path) as response:
            assert response.data

    assert [pattern for pattern, *_ in ends] == ["/page", "/stream", "/file", "/boom", "-"]
    assert [status for _, status, _ in ends] == [200, 200, 200, 500, 404]
    assert [size for *_, size in ends[:3]] == [5, 5, 7]


def test_a_closer_that_fails_is_logged_and_harms_nobody(app, client, caplog):
    """The answer is out already."""
    app.finish(lambda ctx, status, seconds, size: 1 / 0, name="broken")
    app.get("/")(lambda: "page")

    assert client.get("/").text == "page"
    assert "closer" in caplog.text


def test_late_hooks_and_rules_count_from_the_next_request(app, client):
    """Flask's tables may be changed at any time; the application seals itself again."""
    app.get("/")(lambda: "page")
    assert client.get("/").text == "page"

    app.before_request_funcs.setdefault(None, []).append(lambda: request.args.get("stop"))
    app.url_map.add(flask.Flask.url_rule_class("/late", endpoint="late", methods=["GET"]))
    app.view_functions["late"] = lambda: "late"

    assert client.get("/?stop=yes").text == "yes"
    assert client.get("/late").text == "late"


@pytest.mark.parametrize("cls", [flask.Flask, Carboy], ids=["flask", "carboy"])
def test_a_stream_has_its_context_until_it_ends(cls):
    """stream_with_context, with the teardowns that Flask 3.1 makes of it."""
    app = cls("app", **({} if cls is flask.Flask else {"batteries": ()}))
    seen = []
    app.teardown_request(lambda error: seen.append("teardown"))

    @app.get("/")
    def view():
        def parts():
            yield request.path
            seen.append("streamed")

        return flask.stream_with_context(parts())

    assert app.test_client().get("/?a").text == "/"
    assert seen == ["teardown", "streamed", "teardown"]


def test_after_this_request_and_teardown_run_as_in_flask(app, client):
    """The small hooks that live on the context."""
    seen = []
    app.teardown_request(lambda error: seen.append(("request", error)))
    app.teardown_appcontext(lambda error: seen.append(("app", error)))

    @app.get("/")
    def view():
        g.value = 1
        after_this_request(lambda response: response.headers.add("X-After", "1") or response)
        return "page"

    assert client.get("/").headers["X-After"] == "1"
    assert seen == [("request", None), ("app", None)]
