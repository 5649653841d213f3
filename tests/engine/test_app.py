"""class Carboy: declare, seal, serve."""

from __future__ import annotations

import gc
import inspect
import threading
import weakref

import flask
import pytest

import carboy
from carboy import Battery, Blueprint, Carboy, SetupError


def test_it_is_a_flask_and_brings_flasks_names():
    """One import is enough."""
    assert issubclass(Carboy, flask.Flask)
    ours = {"Blueprint", "Request", "Response"}
    public = {
        name
        for name, value in vars(flask).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    } - {"annotations"}
    assert len(public) > 35
    assert public <= set(carboy.__all__)
    for name in public:
        expected = getattr(carboy, name) if name in ours else getattr(flask, name)
        assert getattr(carboy, name) is expected
        assert name not in ours or issubclass(expected, getattr(flask, name))


def test_a_battery_is_let_in_once_and_sealed_again_after_a_late_declaration():
    """init in the constructor; seal before serving, and after each change."""
    calls = []

    class Radio(Battery):
        name = "radio"

        def init(self, app):
            calls.append("init")

        def seal(self, app):
            calls.append(f"seal {len(app.lanes)}")

    app = Carboy("app", batteries=[Radio()])
    app.add_url_rule("/", "home", lambda: "page")
    client = app.test_client()
    client.get("/")
    client.get("/")
    app.url_map.add(app.url_rule_class("/late", endpoint="late"))
    client.get("/")

    routes = 2  # home and static
    assert calls == ["init", f"seal {routes}", f"seal {routes + 1}"]


def test_batteries_come_after_what_they_need_and_needs_are_added():
    """The order of the names does not matter."""

    class Lamp(Battery):
        name = "lamp"
        needs = ("ids",)

    app = Carboy("app", batteries=[Lamp()])

    assert list(app.batteries) == ["ids", "lamp"]


@pytest.mark.parametrize(
    ("batteries", "code"),
    [
        ("metricz", "battery.unknown"),
        (("ids", "ids"), "battery.twice"),
        ((type("Nameless", (Battery,), {})(),), "battery.name"),
    ],
)
def test_wrong_batteries_are_refused_with_the_remedy(batteries, code):
    """At construction, before anything else happens."""
    with pytest.raises(SetupError) as caught:
        Carboy("app", batteries=batteries)

    assert caught.value.code == code
    assert caught.value.hint


def test_an_unknown_battery_names_the_nearest_known():
    """A letter to a colleague."""
    with pytest.raises(SetupError, match="no battery called 'metricz'") as caught:
        Carboy("app", batteries="metricz")

    assert "Did you mean 'metrics'?" in caught.value.hint


def test_unknown_defaults_are_refused():
    """Defaults are versioned; a typo must not silently mean today's."""
    with pytest.raises(SetupError, match="no defaults '1999'"):
        Carboy("app", defaults="1999")


def test_sealing_by_hand_finds_what_is_wrong_and_may_be_undone(app):
    """seal() before serving; declaring something unseals."""
    app.add_url_rule("/", "home", lambda: "page")
    app.seal()
    assert app.sealed

    app.before(lambda: "stop", name="wrong", on="hom")
    assert not app.sealed

    with pytest.raises(SetupError, match="neither a blueprint nor an endpoint"):
        app.seal()


def test_stages_in_a_circle_are_refused(app):
    """under= and over= must not contradict each other."""
    app.before(lambda: None, name="a", under="b")
    app.before(lambda: None, name="b", under="a")

    with pytest.raises(SetupError, match="in a circle: a, b"):
        app.seal()


def test_two_stages_of_one_name_are_refused(app):
    """The message says where both are."""
    app.before(lambda: None, name="a")
    app.after(lambda response: None, name="a")

    with pytest.raises(SetupError, match=r"Two stages are called 'a': .*test_app\.py:\d+"):
        app.seal()


def test_under_and_over_place_a_stage(app, client):
    """Under is nearer to the view, over is nearer to the client."""
    seen = []
    app.before(lambda: seen.append("b"), name="b")
    app.before(lambda: seen.append("c"), name="c", under="b")
    app.before(lambda: seen.append("a"), name="a", over="b")
    app.get("/")(lambda: "page")

    client.get("/")

    assert seen == ["a", "b", "c"]


def test_a_blueprint_has_stages_of_its_own(app, client):
    """Also when it is registered twice, or inside another."""
    seen = []
    inner, outer = Blueprint("inner", __name__), Blueprint("outer", __name__)
    inner.before(lambda: seen.append("inner"), name="in")
    inner.after(lambda response: seen.append("out"), name="out")
    inner.add_url_rule("/x", "x", lambda: "page")
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    app.add_url_rule("/y", "y", lambda: "page")

    client.get("/y")
    assert seen == []
    client.get("/x")
    assert seen == ["inner", "out"]


def test_a_blueprint_with_stages_says_that_it_needs_carboy():
    """On plain Flask it would silently not run them."""
    pages = Blueprint("pages", __name__)
    pages.before(lambda: None)

    with pytest.raises(SetupError, match="is no Carboy"):
        flask.Flask("app").register_blueprint(pages)


def test_a_doubled_endpoint_names_both_views():
    """And is still the AssertionError that Flask raises."""
    app = Carboy("app", batteries=["ids"])

    def first():
        return "1"

    def second():
        return "2"

    app.add_url_rule("/1", "page", first)
    with pytest.raises(AssertionError, match=r"first\)\n.*second\)") as caught:
        app.add_url_rule("/2", "page", second)

    assert caught.value.code == "routes.endpoint.twice"


def test_a_view_that_returns_nothing_says_which_and_what_to_do():
    """And is still the TypeError that Flask raises."""
    app = Carboy("app", batteries=["ids"])
    app.testing = True

    @app.get("/<name>")
    def greet(name):
        pass

    with pytest.raises(TypeError, match=r"The view for 'greet' \(/<name>\)") as caught:
        app.test_client().get("/x")

    assert caught.value.code == "view.nothing"
    assert "test_app.py" in str(caught.value)


def test_an_application_nobody_holds_is_freed_at_once():
    """No reference cycle before it has served (pallets/flask#3761)."""
    gc.disable()
    try:
        app = weakref.ref(Carboy("app", batteries=()))
        assert app() is None
    finally:
        gc.enable()


def test_first_requests_from_many_threads_make_one_plan():
    """The seal runs once, and nobody is served without it."""
    seals, answers = [], []

    class Slow(Battery):
        name = "slow"

        def seal(self, app):
            seals.append(threading.get_ident())

    app = Carboy("app", batteries=[Slow()])
    app.add_url_rule("/", "home", lambda: "page")
    start = threading.Barrier(8)

    def ask():
        start.wait()
        answers.append(app.test_client().get("/").text)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == ["page"] * 8
    assert len(seals) == 1


def test_wsgi_middleware_wraps_as_in_flask(app, client):
    """app.wsgi_app = Middleware(app.wsgi_app)."""
    inner = app.wsgi_app

    def middleware(environ, start_response):
        environ["PATH_INFO"] = "/inner"
        return inner(environ, start_response)

    app.wsgi_app = middleware
    app.add_url_rule("/inner", "inner", lambda: "inner")

    assert client.get("/outer").text == "inner"
