"""Errors that nobody handles: which form, what is told, what is not."""

import json

import jinja2
import pytest
from flask import abort, request

from carboy.base.errors import RequestFault, ServiceDown
from carboy.web.negotiate import preference, wants_page
from carboy.web.texts import TEXTS, text_of

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
HTML = {"Accept": BROWSER}

FORMS = {
    "browser": (HTML, True),
    "curl": ({"Accept": "*/*"}, False),
    "nothing": ({}, False),
    "axios": ({"Accept": "application/json, text/plain, */*"}, False),
    "problem": ({"Accept": "application/problem+json"}, False),
    "any json": ({"Accept": "application/vnd.api+json"}, False),
    "html first": ({"Accept": "text/html, application/json;q=0.9"}, True),
    "json first": ({"Accept": "text/html;q=0.5, application/json"}, False),
    "both alike": ({"Accept": "application/json, text/html"}, True),
    "both alike, json sent": (
        {"Accept": "application/json, text/html", "Content-Type": "application/json"},
        False,
    ),
    "html refused": ({"Accept": "text/html;q=0"}, False),
    "broken weight": ({"Accept": "text/html;q=x"}, False),
    "image": ({"Accept": "image/avif,image/*,*/*;q=0.8"}, False),
    "htmx": ({"Accept": "*/*", "HX-Request": "true"}, True),
    "capitals": ({"Accept": "TEXT/HTML"}, True),
    "commas": ({"Accept": ",,;,"}, False),
}


@pytest.mark.parametrize(("headers", "page"), FORMS.values(), ids=FORMS)
def test_browsers_get_a_page_and_programs_a_problem(app, headers, page):
    answer = app.test_client().get("/nowhere", headers=headers)
    kind = "text/html; charset=utf-8" if page else "application/problem+json"
    assert (answer.status_code, answer.content_type) == (404, kind)
    assert "Accept" in answer.headers["Vary"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_weights_are_read():
    assert preference("text/html;level=1;q=0.4, application/json; q=0.7") == (0.4, 0.7)
    assert wants_page({"HTTP_ACCEPT": "application/xhtml+xml"})


def test_a_problem_has_the_members_of_rfc_9457(app):
    answer = app.test_client().get("/nowhere?secret=1", environ_overrides={"carboy.id": "id-1"})
    assert answer.json == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is nothing at this address.",
        "instance": "/nowhere",
        "code": "http.404",
        "request_id": "id-1",
    }


@pytest.fixture
def failing(app):
    """An application whose view /fail raises what the test asks for."""
    failures = {}
    app.route("/fail", methods=["GET", "POST"], endpoint="fail")(lambda: failures["raise"]())

    def ask(error, headers=HTML, method="GET", **overrides):
        def fail():
            raise error

        failures["raise"] = fail
        client = app.test_client()
        return client.open("/fail", method=method, headers=headers, environ_overrides=overrides)

    return ask


INTERNALS = ["Traceback", "secret detail", "/srv/", ".py", "RuntimeError", "line "]


@pytest.mark.parametrize("headers", [HTML, {}], ids=["page", "problem"])
@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("secret detail at /srv/app/x.py line 3"),
        ServiceDown("db.away", "secret detail: postgres at /srv/db.py", hint="secret detail"),
        ValueError("Header values must not contain newline: secret detail"),
    ],
    ids=["bug", "service", "look-alike"],
)
def test_no_internal_detail_leaves(failing, error, headers):
    answer = failing(error, headers, **{"carboy.id": "id-7"})
    assert answer.status_code in (500, 503)
    assert "id-7" in answer.text
    for internal in INTERNALS:
        assert internal not in answer.text


def test_a_description_of_500_is_not_shown(app):
    app.get("/five")(lambda: abort(500, "secret detail"))
    assert "secret detail" not in app.test_client().get("/five", headers=HTML).text


def test_a_description_below_500_is_for_the_client(app):
    app.get("/gone")(lambda: abort(410, "This offer ended in May."))
    assert app.test_client().get("/gone").json["detail"] == "This offer ended in May."
    assert "This offer ended in May." in app.test_client().get("/gone", headers=HTML).text


def test_a_database_that_is_away_is_503_with_retry_after(failing):
    answer = failing(ServiceDown("db.away", "no answer", retry_after_s=7))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    assert "Try again in 7 seconds." in answer.text
    assert failing(ServiceDown("db.away", "no"), {}).json["code"] == "db.away"


ERRORS = [
    {"loc": ["body", "title"], "msg": "Field required", "type": "missing", "input": "hunter2"},
    {"loc": ["query", "page"], "msg": "Input should be 1 or more", "type": "ge", "ctx": {"ge": 1}},
]


def test_422_names_each_field_and_never_the_value(failing):
    fault = RequestFault(422, "bind.wrong", "2 values are wrong.", errors=ERRORS)
    page = failing(fault).text
    assert "<code>title</code>: Field required" in page
    assert "<code>page</code>: Input should be 1 or more" in page
    told = failing(fault, {}).json
    assert told["errors"] == [{k: e[k] for k in ("loc", "msg", "type")} for e in ERRORS]
    assert "hunter2" not in page + json.dumps(told)


def test_the_headers_of_a_fault_go_along(failing):
    fault = RequestFault(429, "rate.slow", "Too fast.", headers={"Retry-After": "30"})
    assert failing(fault).headers["Retry-After"] == "30"
    assert failing(RequestFault(429, "rate.slow", "Too fast.")).headers["Retry-After"] == "60"


def test_405_names_the_methods(app):
    answer = app.test_client().post("/page")
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_an_unknown_method_is_405_with_allow(app):
    answer = app.test_client().open("/page", method="BREW")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("headers", [HTML, {}], ids=["page", "problem"])
def test_head_has_the_headers_and_no_body(app, headers):
    client = app.test_client()
    get, head = (client.open("/nowhere", method=m, headers=headers) for m in ("GET", "HEAD"))
    assert head.data == b""
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


XSS = "/<script>alert(1)</script>"


@pytest.mark.parametrize("headers", [HTML, {}], ids=["page", "problem"])
def test_the_address_cannot_inject(app, headers):
    for path in (XSS, "/?q=" + XSS, "/%3Cscript%3E", '/"onload="x'):
        answer = app.test_client().get(path, headers={**headers, "Referer": XSS})
        assert "<script" not in answer.text
        assert '"onload="' not in answer.text


def test_a_fault_cannot_inject_either(failing):
    fault = RequestFault(400, "x.y", XSS, hint=XSS, errors=[{"loc": [XSS], "msg": XSS}])
    assert "<script" not in failing(fault).text


def test_the_page_asks_for_nothing_and_its_style_has_the_nonce(app):
    answer = app.test_client().get("/nowhere", headers=HTML)
    policy = answer.headers["Content-Security-Policy"]
    nonce = answer.text.split('<style nonce="')[1].split('"')[0]
    assert f"style-src 'self' 'nonce-{nonce}'" in policy
    for foreign in ("http:", "https:", "//", "<script", "style=", 'src="', "@import", "url("):
        assert foreign not in answer.text


def test_again_is_offered_where_it_may_help(failing):
    assert "Try again</a>" in failing(RuntimeError()).text
    assert "Try again</a>" not in failing(RuntimeError(), method="POST").text
    assert "Try again</a>" not in failing(RequestFault(400, "a.b", "no")).text


@pytest.mark.parametrize("status", sorted(TEXTS))
def test_every_text_is_in_our_tone(status):
    title, body = TEXTS[status]
    for text in (title, body):
        assert not set("!…") & set(text)
        assert not {"please", "oops", "sorry", "invalid"} & set(text.lower().split())
        assert text[0].isupper()
    assert title[-1] not in ".:"
    assert text_of(499) == TEXTS[400]
    assert text_of(599) == TEXTS[500]


# --- whose handler wins ------------------------------------------------------------


def test_a_handler_of_the_application_wins(app):
    app.register_error_handler(404, lambda error: ("mine", 404))
    app.register_error_handler(500, lambda error: ("mine too", 500))
    client = app.test_client()
    assert client.get("/nowhere", headers=HTML).text == "mine"
    assert client.get("/broken", headers=HTML).text == "mine too"


def test_abort_with_a_response_is_that_response(app):
    app.get("/own")(lambda: abort(app.response_class("own", 403)))
    assert app.test_client().get("/own").text == "own"


def with_template(app, source):
    app.jinja_loader = jinja2.DictLoader({"carboy/error.html": source})
    return app.test_client()


def test_a_template_of_the_application_replaces_ours(app):
    client = with_template(app, "own {{ story.status }} {{ story.title }} {{ nonce|length }}")
    answer = client.get("/nowhere", headers=HTML)
    assert answer.text == "own 404 There is nothing at this address 22"
    assert client.get("/nowhere").content_type == "application/problem+json"


@pytest.mark.parametrize("source", ["{{ 1 / 0 }}", "{% if %}"], ids=["fails", "syntax"])
def test_a_template_that_breaks_gives_way_to_ours(app, source):
    answer = with_template(app, source).get("/broken", headers=HTML)
    assert answer.status_code == 500
    assert "Something broke on our side" in answer.text


def test_testing_raises_as_flask_does(app):
    app.testing = True
    with pytest.raises(RuntimeError, match="secret detail"):
        app.test_client().get("/broken")


def test_compatible_leaves_errors_to_flask(make_app):
    answer = make_app(("limits", "headers")).test_client().get("/nowhere")
    assert answer.content_type == "text/html; charset=utf-8"
    assert "<h1>Not Found</h1>" in answer.text


# --- text of a client in a response header ------------------------------------------


UNSENDABLE = {"line break": "x\r\nSet-Cookie: a=1", "NUL": "x\0y", "symbol": "x\u2028y"}
SOURCES = {
    "query": lambda client, text: client.get("/echo", query_string={"v": text}),
    "form": lambda client, text: client.post("/echo", data={"v": text}),
    "json": lambda client, text: client.post("/echo", json={"deep": [{"v": text}]}),
}


@pytest.fixture
def echo(app):
    @app.route("/echo", methods=["GET", "POST"])
    def echo():
        if request.is_json:
            value = request.json["deep"][0]["v"]
        else:
            value = request.values["v"]
        return "x", 200, {"X-Echo": f"prefix {value}"}

    return app.test_client()


@pytest.mark.parametrize("send", SOURCES.values(), ids=SOURCES)
@pytest.mark.parametrize("text", UNSENDABLE.values(), ids=UNSENDABLE)
def test_a_client_that_breaks_a_header_gets_400(echo, send, text):
    answer = send(echo, text)
    assert (answer.status_code, answer.json["code"]) == (400, "headers.unsendable")
    assert "Set-Cookie" not in answer.headers


def test_a_clean_value_is_sent(echo):
    assert echo.get("/echo?v=caf%C3%A9").headers["X-Echo"] == "prefix café"


@pytest.mark.parametrize("text", UNSENDABLE.values(), ids=UNSENDABLE)
def test_a_header_that_the_program_breaks_stays_500(app, text):
    """Even when the client sent a line break elsewhere: it is not in that value."""
    app.get("/own")(lambda: (request.args["v"] and "x", 200, {"X-Own": text}))
    assert app.test_client().get("/own", query_string={"v": "a\nb"}).status_code == 500


def test_redirect_to_a_line_break_is_no_500(app):
    from flask import redirect

    app.get("/go")(lambda: redirect(request.args["to"]))
    answer = app.test_client().get("/go", query_string={"to": "/x\r\nSet-Cookie: a=1"})
    assert answer.status_code in (302, 400)
    assert "Set-Cookie" not in answer.headers
