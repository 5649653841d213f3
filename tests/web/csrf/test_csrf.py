"""The battery: what a developer and a visitor are told, what pages hold, what it costs."""

import sys

import pytest
from flask import render_template_string
from flask.views import MethodView
from werkzeug.test import EnvironBuilder, run_wsgi_app

from carboy import Carboy
from carboy.base.errors import SetupError
from carboy.web.csrf import fields, tokens
from carboy.web.csrf.battery import csrf_exempt
from carboy.web.csrf.letters import FIRST, THEN

HTML = {"Accept": "text/html"}


def test_the_letter(browser):
    """What happened, why usually, what to do."""
    browser.set_cookie("theme", "dark")
    told = browser.post("/notes").json
    assert (told["status"], told["code"]) == (403, "web.csrf.missing")
    assert told["detail"] == "CSRF token missing for POST /notes (endpoint 'notes.all')."
    assert told["hint"].startswith(
        "The form probably lacks the token. Add {{ csrf() }} inside <form>, or send the token in"
        " the X-CSRF-Token header."
    )


def test_every_refusal_has_a_letter():
    assert FIRST.keys() == THEN.keys()


def test_names_of_the_program_stay_in_it(app, browser):
    """In production nobody is told how a view is called."""
    app.testing = False
    browser.set_cookie("theme", "dark")
    assert "notes.all" not in browser.post("/notes").text


@pytest.mark.parametrize(
    ("headers", "title"),
    [({}, "This form has gone stale"), ({"Sec-Fetch-Site": "cross-site"}, "from another site")],
)
def test_people_are_told_what_to_do(browser, headers, title):
    """A page in plain words, without a word of tokens."""
    browser.set_cookie("theme", "dark")
    page = browser.post("/notes", headers=HTML | headers)
    assert (page.status_code, page.mimetype) == (403, "text/html")
    assert title in page.text
    assert "Nothing was changed" in page.text
    assert "CSRF" not in page.text


def test_each_page_has_another_text_for_the_same_token(browser):
    """A compressed page that is asked for again and again tells nothing of it (BREACH)."""
    found = {browser.token() for _ in range(20)}
    assert len(found) == 20
    assert all(len(token) == tokens.LENGTH for token in found)
    for token in found:
        assert browser.post("/notes", data={"csrf_token": token}).text == "done"


def test_a_visitor_whose_browser_says_where_from_needs_no_token(app):
    """No session begins for them; the page says what it depends on."""
    page = app.test_client().get("/notes")
    assert page.text == '<form method="post"></form>'
    assert "Set-Cookie" not in page.headers
    assert {*page.vary} == {"Cookie", "Sec-Fetch-Site"}


def test_a_page_with_a_token_is_for_one_visitor(browser):
    """The session's cookie goes with it, and caches are told."""
    page = browser.get("/notes")
    assert "session=" in page.headers["Set-Cookie"]
    assert "cookie" in page.vary


def test_a_page_without_a_form_costs_nothing(browser):
    page = browser.get("/plain")
    assert "Set-Cookie" not in page.headers
    assert "Vary" not in page.headers


def test_without_a_secret_key_there_is_no_token(make_app, Browser):
    """Nothing could be held against it; modern browsers do not need it."""
    app = make_app(SECRET_KEY=None)
    browser = Browser(app)
    assert browser.get("/notes").text == '<form method="post"></form>'
    browser.set_cookie("theme", "dark")
    answer = browser.post("/notes", data={"csrf_token": "A" * 86})
    assert answer.json["code"] == "web.csrf.session"
    assert app.test_client().post("/notes").text == "done"


def test_outside_of_a_request_there_is_no_token(app):
    """A mail has no session."""
    with app.app_context():
        assert render_template_string("{{ csrf() }}{{ csrf_token() }}") == ""


@pytest.mark.parametrize("origin", ["https://forms.example", "http://forms.example:8080"])
def test_a_trusted_origin_passes(make_app, Browser, origin):
    """Also past Sec-Fetch-Site, which says cross-site of it; a neighbour does not."""
    browser = Browser(make_app(CSRF_TRUSTED_ORIGINS=["https://forms.example", origin]))
    for site in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
        assert browser.post("/notes", headers={"Origin": origin, **site}).text == "done"
        near = {"Origin": origin.replace("forms", "a.forms"), **site}
        assert browser.post("/notes", headers=near).status_code == 403


@pytest.mark.parametrize(
    "origin", ["forms.example", "https://Forms.example", "https://forms.example/", "*", "null"]
)
def test_a_trusted_origin_that_no_browser_writes_stops_the_application(make_app, origin):
    with pytest.raises(SetupError, match=r"web\.csrf\.origins"):
        make_app(CSRF_TRUSTED_ORIGINS=[origin]).seal()


class Watched:
    """A body that notes each look at it."""

    def __init__(self):
        self.looks = []

    def __getattr__(self, name):
        self.looks.append(name)
        raise AssertionError(f"the body was asked for {name}")


@pytest.mark.parametrize(
    ("site", "status"), [("cross-site", "403 FORBIDDEN"), ("same-origin", "200 OK")]
)
def test_the_body_is_not_read_when_headers_decide(app, site, status):
    """A refused upload costs nothing, and a view that wants no body reads none."""
    app.post("/unread")(lambda: "done")
    body = Watched()
    headers = {"Sec-Fetch-Site": site}
    environ = EnvironBuilder("/unread", method="POST", data={"a": "b"}, headers=headers)
    environ = environ.get_environ()
    environ["wsgi.input"] = body
    assert run_wsgi_app(app, environ)[1] == status
    assert body.looks == []


def test_what_is_exempt_is_told(app):
    """`carboy check` lists it."""
    told = [finding for finding in app.findings() if finding.code == "web.csrf.exempt"]
    assert [finding.message.split("'")[1] for finding in told] == ["hook"]


def test_a_class_of_views_may_be_exempt(app, browser):
    @csrf_exempt
    class Hook(MethodView):
        def post(self):
            return "taken"

    app.add_url_rule("/class", view_func=Hook.as_view("class"))
    assert browser.post("/class", headers={"Sec-Fetch-Site": "cross-site"}).text == "taken"


def test_the_test_client_is_a_browser(app):
    """A test with a session posts as people do, and may say otherwise."""
    client = app.test_client()
    client.set_cookie("theme", "dark")
    assert client.post("/notes").text == "done"
    assert client.post("/notes", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_without_the_battery_the_test_client_is_flasks():
    app = Carboy("bare", batteries=())
    assert "HTTP_SEC_FETCH_SITE" not in app.test_client().environ_base
    assert type(app.test_client()).__module__ == "flask.testing"


def test_nothing_there_is_nothing_refused(browser):
    """404 and 405 say more than 403."""
    browser.set_cookie("theme", "dark")
    assert browser.post("/nowhere").status_code == 404
    assert browser.post("/plain").status_code == 405


def calls_of(function, *arguments):
    """Return how many Python functions *function* calls."""
    count = []
    sys.setprofile(lambda frame, event, arg: count.append(event == "call"))
    try:
        function(*arguments)
    finally:
        sys.setprofile(None)
    return sum(count)


def test_views_that_answer_get_have_no_stage(app):
    """Their lanes lost it at the seal; an exempt one too."""
    names = {lane.endpoint: lane.before_names for lane in app.lanes}
    assert "csrf" not in names["plain"] + names["static"] + names["hook"]
    assert "csrf" in names["notes.all"]


def test_it_is_cheap(app):
    """Six calls for a POST with Sec-Fetch-Site and Origin, one for a GET beside it."""
    guard = app.batteries["csrf"].guard
    lane = next(lane for lane in app.lanes if lane.endpoint == "notes.all")
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}

    class Ctx:
        pass

    for method, most in (("POST", 6), ("GET", 1)):
        ctx = Ctx()
        ctx.environ = EnvironBuilder("/notes", method=method, headers=headers).get_environ()
        ctx.lane = lane
        assert calls_of(guard, ctx) <= most


def test_the_view_reads_a_form_that_was_judged(browser):
    """The form is parsed once, for both."""
    data = {"csrf_token": browser.token(), "text": "x"}
    assert browser.post("/echo", data=data).json["fields"] == [fields.FIELD, "text"]


def test_a_broken_form_is_a_400_not_a_500(browser):
    """Who looks for the token meets the limits of forms first."""
    browser.token()
    kind = "multipart/form-data"
    assert browser.post("/notes", data=b"x", content_type=kind).status_code == 400
