"""Routes are closed: what is said on views, blueprints and endpoints, and what others meet."""

import sys

import pytest
from flask import Blueprint as FlaskBlueprint, render_template_string
from flask.views import MethodView
from werkzeug.test import EnvironBuilder

from carboy import (
    Blueprint,
    Carboy,
    Scope,
    SetupError,
    everyone,
    nobody,
    owner,
    public,
    related,
    require,
    role,
    signed_in,
    tenant,
    token,
    where,
)

HTML = {"Accept": "text/html,*/*;q=0.8"}
ADA = Scope(1)
STAFF = Scope(2, frozenset({"staff"}))
LIMITED = Scope(3, frozenset({"staff"}), tokens=frozenset({"read"}))
VIEWS = {
    "home": public,
    "mine": signed_in,
    "staff": require(role("staff")),
    "either": require(role("staff") | role("admin")),
    "writers": require(role("staff") & token("write")),
    "visitors": require(~signed_in),
    "all": require(everyone),
    "none": require(nobody),
    "lost": lambda view: view,
}


@pytest.fixture
def make(people, monkeypatch):
    """Make an application: make(people=True, page=True, **config)."""

    def make(
        people_known=True, page=True, batteries=("policy", "hosts", "pages", "access"), **more
    ):
        monkeypatch.setattr(people, "imported", False)
        app = Carboy("access_under_test", batteries=batteries)
        app.testing = True
        app.config.update({"SECRET_KEY": "only for tests " * 3, **more})
        if people_known:
            app.scope_loader(lambda: None)
        for name, said in VIEWS.items():
            view = said(lambda name=name: f"this is {name}")
            methods = ["GET", "POST"]
            app.add_url_rule(f"/{name}", name, view, methods=methods)
        if page:
            app.get("/sign-in", endpoint="sign_in")(public(lambda: "who are you?"))
        return app

    return make


@pytest.fixture
def app(make):
    return make()


def ask(app, path, who=None, **more):
    """Return the answer that *who* gets; a Scope, or None for a visitor."""
    overrides = {} if who is None else {"carboy.scope": who}
    return app.test_client().open(path, environ_overrides=overrides, **more)


TABLE = [
    # view, visitor, ada, staff, staff by a token for reading
    ("home", 200, 200, 200, 200),
    ("mine", 401, 200, 200, 200),
    ("staff", 401, 403, 200, 200),
    ("either", 401, 403, 200, 200),
    ("writers", 401, 403, 200, 403),
    ("visitors", 200, 403, 403, 403),
    ("all", 200, 200, 200, 200),
    ("none", 403, 403, 403, 403),
    ("lost", 403, 403, 403, 403),
]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_who_may(app, row, method):
    """Each view, asked by each kind of person."""
    name, *expected = row
    askers = (None, ADA, STAFF, LIMITED)
    found = [ask(app, f"/{name}", who, method=method).status_code for who in askers]
    assert found == expected


def test_programs_are_told_in_a_problem(app):
    """401 with a challenge; 403 with the rule, while developing."""
    answer = ask(app, "/mine")
    assert (answer.status_code, answer.json["code"]) == (401, "access.sign_in")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    denied = ask(app, "/staff", ADA).json
    assert denied["code"] == "access.denied"
    assert denied["hint"] == "Open when who asks has the role 'staff'."


@pytest.mark.parametrize(
    ("path", "to"),
    [
        ("/mine", "/sign-in?next=/mine"),
        ("/mine?page=2&q=a%20b", "/sign-in?next=/mine%3Fpage%3D2%26q%3Da%2520b"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_people_are_led_to_the_sign_in_page_and_back(app, path, to, method):
    answer = ask(app, path, method=method, headers=HTML)
    assert (answer.status_code, answer.headers["Location"]) == (303, to)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Cookie" in answer.vary


def test_a_post_is_not_led_back(app):
    """What was sent is gone; its address may not even answer GET."""
    answer = ask(app, "/mine", method="POST", headers=HTML)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")


@pytest.mark.parametrize("path", ["//evil.example/x", "/\\evil.example", "/%2Fevil.example"])
def test_next_stays_on_this_site(make, path):
    """A path with two slashes would be another site's address."""
    app = make()
    app.get("/<path:rest>", endpoint="rest")(signed_in(lambda rest: rest))
    app.url_map.merge_slashes = False
    environ = EnvironBuilder("/", headers=HTML).get_environ()
    environ["PATH_INFO"] = path
    location = app.test_client().open(environ).headers["Location"]
    assert location.startswith("/sign-in?next=/")
    assert location[len("/sign-in?next=/")] not in "/\\"


def test_under_a_prefix(app):
    """An application that is mounted below a path sends people to its own page."""
    answer = ask(app, "/mine", headers=HTML, base_url="http://localhost/shop")
    assert answer.headers["Location"] == "/shop/sign-in?next=/shop/mine"


def test_htmx_loads_the_sign_in_page_as_a_whole(app):
    """It would swap the page into a part of the one that is shown."""
    headers = {"HX-Request": "true", "HX-Current-URL": "https://other.example//books?page=2"}
    answer = ask(app, "/mine", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/sign-in?next=/books%3Fpage%3D2"
    assert ask(app, "/mine", headers={"HX-Request": "true", "HX-Current-URL": "http://[",
                                      }).headers["HX-Redirect"] == "/sign-in"  # fmt: skip


def test_without_a_sign_in_page_people_get_a_401(make):
    answer = ask(make(page=False), "/mine", headers=HTML)
    assert (answer.status_code, answer.mimetype) == (401, "text/html")
    assert "Sign in first" in answer.text


def test_another_sign_in_page(make):
    app = make(SIGN_IN_PAGE="/home")
    assert ask(app, "/mine", headers=HTML).headers["Location"] == "/home?next=/mine"


def test_who_may_not_gets_a_kind_page(app):
    """Without the rule in production, where names of roles are nobody's business."""
    app.testing = False
    page = ask(app, "/staff", ADA, headers=HTML)
    assert page.status_code == 403
    assert "This page is not open to you" in page.text
    assert "Ask whoever runs this site" in page.text
    assert "staff" not in page.text


def test_a_route_that_says_nothing_tells_its_developer(app):
    """Which line to add, above which function, in which file."""

    @app.get("/forgotten")
    def forgotten():
        return "oops"

    line = forgotten.__code__.co_firstlineno
    told = ask(app, "/forgotten", STAFF).json
    assert told["code"] == "access.undeclared"
    assert told["detail"] == "Nothing says who may use /forgotten (endpoint 'forgotten')."
    assert told["hint"].startswith(
        'Add @public, @signed_in or @require(role("...")) above `forgotten`'
    )
    assert f"test_access.py:{line}" in told["hint"]
    assert f"test_access.py:{line}" in ask(app, "/forgotten", STAFF, headers=HTML).text


def test_a_route_that_says_nothing_tells_nobody_else(app):
    """In production it is closed without a word of the program."""
    app.testing = False
    told = ask(app, "/lost", STAFF)
    assert (told.status_code, told.json["code"]) == (403, "access.undeclared")
    assert "test_access" not in told.text


def findings(app, code):
    return [finding for finding in app.batteries["access"].checks(app) if finding.code == code]


def test_production_does_not_start_with_such_a_route(app):
    """All of them are listed, with their lines."""
    from carboy.cli.preflight import find_faults

    app.get("/a", endpoint="a")(lambda: "a")
    bp = FlaskBlueprint("bp", __name__)
    bp.get("/b", endpoint="b")(lambda: "b")
    app.register_blueprint(bp)
    app.testing = False
    found = [item for item in find_faults(app, production=True) if item.code == "access.undeclared"]
    assert {item.level.name for item in found} == {"ERROR"}
    assert sorted(item.message.split("'")[1] for item in found) == ["a", "bp.b", "lost"]
    assert all(item.where.split(":")[0].endswith("tests/auth/test_access.py") for item in found)
    app.testing = True
    assert {item.level.name for item in findings(app, "access.undeclared")} == {"WARNING"}


def test_without_people_all_is_as_on_flask(make):
    """There is nothing to close when nobody can be known."""
    app = make(people_known=False)
    found = {name: ask(app, f"/{name}").status_code for name in VIEWS}
    assert set(found.values()) == {200}
    assert findings(app, "access.undeclared") == []


def test_people_arrive_with_user(make, people, monkeypatch):
    """As soon as the model User is imported."""
    app = make(people_known=False)
    monkeypatch.setattr(people, "imported", True)
    assert ask(app, "/mine").status_code == 401


def test_people_arrive_after_the_seal(make):
    """Who asks may be declared last."""
    app = make(people_known=False)
    app.seal()
    app.scope_loader(lambda: None)
    assert ask(app, "/mine").status_code == 401


def test_without_the_battery_marks_do_nothing():
    app = Carboy("open", batteries=())
    app.scope_loader(lambda: None)
    app.get("/")(signed_in(lambda: "home"))
    assert app.test_client().get("/").status_code == 200


def test_what_flask_answers_by_itself_is_open(app):
    """OPTIONS, static files, and what is not there."""
    bp = FlaskBlueprint("files", __name__, static_folder=".", static_url_path="/files")
    app.register_blueprint(bp)
    for name in VIEWS:
        answer = ask(app, f"/{name}", method="OPTIONS")
        assert (answer.status_code, answer.data) == (200, b"")
    assert ask(app, "/static/none.css").status_code == 404
    assert ask(app, "/nowhere").status_code == 404
    assert ask(app, "/mine", method="DELETE").status_code == 405
    assert ask(app, "/files/conftest.py", buffered=True).status_code == 200


def test_an_own_options_view_is_closed(app):
    """Only Flask's own answer is open."""
    view = signed_in(lambda: "mine")
    app.add_url_rule("/own", "own", view, methods=["OPTIONS"], provide_automatic_options=False)
    assert ask(app, "/own", method="OPTIONS").status_code == 401


def test_a_view_called_static_is_none_of_flasks(app):
    bp = FlaskBlueprint("secret", __name__)
    bp.get("/secret/static", endpoint="static")(lambda: "secret")
    app.register_blueprint(bp)
    assert ask(app, "/secret/static").status_code == 403


def third_party(app, *names):
    """Register views that nobody can decorate."""
    bp = FlaskBlueprint("tool", __name__, url_prefix="/tool")
    for name in names:
        bp.get(f"/{name}", endpoint=name)(lambda name=name: name)
    app.register_blueprint(bp)


def test_patterns_say_it_of_what_nobody_can_decorate(app):
    """The most specific one counts, whatever their order."""
    third_party(app, "index", "login", "log", "users")
    app.access("tool.log*", public)
    app.access("*", nobody)
    app.access("tool.log", role("staff"))
    app.access("tool.*", signed_in)
    found = {n: ask(app, f"/tool/{n}", ADA).status_code for n in ("index", "login", "log", "users")}
    assert found == {"index": 200, "login": 200, "log": 403, "users": 200}
    assert ask(app, "/lost", STAFF).json["code"] == "access.denied"


def test_a_pattern_opens_no_view_that_says_otherwise(app):
    """A name does: it can only be meant."""
    app.access("m*", public)
    assert ask(app, "/mine").status_code == 401
    app.access("mine", public)
    assert ask(app, "/mine").status_code == 200


def test_a_pattern_about_nothing_is_a_finding(app):
    app.access("flask_admin.*", role("admin"))
    app.access("mime", public)
    found = findings(app, "access.unmatched")
    assert [item.message.split("'")[1] for item in found] == ["flask_admin.*", "mime"]
    assert "'mine'" in found[1].hint


def test_a_pattern_after_the_first_request_counts(app):
    assert ask(app, "/lost").status_code == 403
    app.access("lost", public)
    assert ask(app, "/lost").status_code == 200


def test_a_blueprint_says_it_for_its_views(app):
    """The innermost one; a view of its own wins."""
    outer, inner = Blueprint("outer", __name__), Blueprint("inner", __name__)
    outer.access(signed_in)
    inner.access(role("staff"))
    outer.get("/o")(lambda: "o")
    outer.get("/p", endpoint="p")(public(lambda: "p"))
    inner.get("/i", endpoint="i")(lambda: "i")
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    found = {path: ask(app, path, ADA).status_code for path in ("/o", "/p", "/i")}
    assert found == {"/o": 200, "/p": 200, "/i": 403}
    assert ask(app, "/p").status_code == 200
    assert ask(app, "/o").status_code == 401


def test_a_class_of_views(app):
    @signed_in
    class Notes(MethodView):
        def get(self):
            return "notes"

    app.add_url_rule("/notes", view_func=Notes.as_view("notes"))
    assert ask(app, "/notes").status_code == 401
    assert ask(app, "/notes", ADA).text == "notes"


@pytest.mark.parametrize(
    "rule",
    [owner("author"), tenant("org"), related("book"), where(lambda row: True),
     role("a") | owner("author"), ~owner("author"), signed_in & (role("a") | ~where(lambda r: 1))],
    ids=["owner", "tenant", "related", "where", "in or", "in not", "nested"],
)  # fmt: skip
def test_a_rule_about_a_row_is_refused_at_once(app, rule):
    """A route has no row: the message says where such a rule belongs."""
    for say in (require, lambda rule: app.access("*", rule)):
        with pytest.raises(SetupError, match=r"Policy of the model.*\[access\.needs_row\]"):
            say(rule)


@pytest.mark.parametrize("wrong", ["staff", None, 7, lambda: True])
def test_what_is_no_rule_is_refused_at_once(wrong):
    with pytest.raises(SetupError, match=r"access\.no_rule"):
        require(wrong)


def test_said_twice(app):
    """One of two would be forgotten; nobody guesses which."""
    with pytest.raises(SetupError, match=r"access\.twice"):
        public(signed_in(lambda: "x"))
    signed_in(signed_in(lambda: "x"))
    app.access("lost", public)
    with pytest.raises(SetupError, match=r"access\.twice"):
        app.access("lost", signed_in)


def test_signed_in_is_still_a_rule():
    assert (
        signed_in & role("staff")
    ).words() == "who asks is signed in and who asks has the role 'staff'"


def test_templates_know_who_asks(app):
    @app.get("/who")
    @public
    def view():
        return render_template_string("{{ who.user }} {{ who.roles|join }}")

    assert ask(app, "/who", STAFF).text == "2 staff"
    assert ask(app, "/who").text == "None "
    with app.app_context():
        assert render_template_string("{{ who.user }}") == "None"


def test_before_request_of_the_application_runs_after(app):
    """Nobody's code meets a request that is refused."""
    seen = []
    app.before_request(lambda: seen.append("hook"))
    ask(app, "/mine")
    assert seen == []
    ask(app, "/mine", ADA)
    assert seen == ["hook"]


def test_where_flask_dispatches_itself(make):
    """An extension that replaces Flask's dispatch changes nothing."""
    app = make()
    original = app.full_dispatch_request
    app.full_dispatch_request = lambda: original()
    assert ask(app, "/mine").status_code == 401
    assert ask(app, "/mine", ADA).status_code == 200


def test_a_denial_is_counted(make, caplog):
    """For the log, and for whoever watches."""
    app = make(batteries=("metrics", "pages", "access"))
    with caplog.at_level("WARNING", "carboy.access"):
        ask(app, "/staff", ADA)
    record = next(record for record in caplog.records if record.message == "access.denied")
    assert (record.endpoint, record.user) == ("staff", "1")
    rows = app.batteries["metrics"].store.rows()
    assert any("access.denied" in str(row) and "staff" in str(row) for row in rows)


def test_a_public_route_costs_nothing(app):
    """Its lane has no stage of ours, and nobody is asked who asks."""
    names = {lane.endpoint: lane.before_names for lane in app.lanes}
    assert names["home"] == names["all"] == names["static"] == ()
    assert "access" in names["mine"]


def test_a_closed_route_costs_few_calls(app):
    door = app.batteries["access"].door
    lane = next(lane for lane in app.lanes if lane.endpoint == "staff")
    count = []
    with app.test_request_context(environ_overrides={"carboy.scope": STAFF}) as ctx:
        ctx.lane = lane
        ask(app, "/staff", STAFF)
        sys.setprofile(lambda frame, event, arg: count.append(event == "call"))
        try:
            answer = door(ctx)
        finally:
            sys.setprofile(None)
    assert answer is None
    assert sum(count) < 15
