"""Replaced dispatch methods, hook tables and versions: what the seam notices."""

from __future__ import annotations

import functools

import flask
import pytest

from carboy import Carboy, SetupError
from carboy.engine import seam


def bare(cls: type[Carboy] = Carboy) -> Carboy:
    app = cls("app", batteries=())
    app.add_url_rule("/", "home", lambda: "page")
    return app


@pytest.mark.parametrize("name", seam.DISPATCH)
def test_a_method_of_a_subclass_is_noticed(name):
    """Each of the methods whose work the engine does."""
    cls = type("Mine", (Carboy,), {name: lambda self, *args, **kwargs: None})

    assert seam.overridden(bare(cls)) == {name}


def test_nothing_is_replaced_on_a_plain_application():
    """Otherwise every request would take the slow way."""
    assert seam.overridden(bare()) == frozenset()


def test_a_method_set_on_the_application_is_noticed_even_after_a_request():
    """Debug toolbars do this."""
    app = bare()
    client = app.test_client()
    assert client.get("/").text == "page"

    seen = []
    inner = app.full_dispatch_request
    app.full_dispatch_request = lambda: seen.append("mine") or inner()

    assert client.get("/").text == "page"
    assert seen == ["mine"]


def test_an_agent_that_wrapped_flask_itself_is_noticed(monkeypatch):
    """APM agents wrap the method of the class, with functools.wraps, before we look."""
    seen = []
    inner = flask.Flask.dispatch_request

    @functools.wraps(inner)
    def traced(self):
        seen.append("span")
        return inner(self)

    monkeypatch.setattr(flask.Flask, "dispatch_request", traced)

    assert bare().test_client().get("/").text == "page"
    assert seen == ["span"]


@pytest.mark.parametrize("batteries", [(), "default"], ids=["bare", "default"])
def test_an_agent_that_wrapped_the_wsgi_method_of_flask_sees_every_request(monkeypatch, batteries):
    """Ours has another; the agent's wrapper runs around it, and sees the application."""
    seen = []
    inner = flask.Flask.wsgi_app

    @functools.wraps(inner)
    def traced(self, environ, start_response):
        seen.append((self.name, isinstance(self, Carboy)))
        try:
            return inner(self, environ, start_response)
        finally:
            seen.append("end")

    monkeypatch.setattr(flask.Flask, "wsgi_app", traced)
    app = Carboy("app", batteries=batteries)
    app.add_url_rule("/", "home", lambda: {"path": flask.request.path})
    app.add_url_rule("/boom", "boom", lambda: 1 / 0)

    with app.test_client() as client:
        response = client.get("/")
        assert response.json == {"path": "/"}
        assert flask.request.path == "/", "the test client keeps the context"
    assert app.test_client().get("/boom").status_code == 500
    assert app.test_client().get("/nowhere").status_code == 404
    assert seen == [("app", True), "end"] * 3


def test_an_agent_that_puts_a_subclass_in_the_place_of_flask_changes_nothing(monkeypatch):
    """OpenTelemetry does; our class was derived from Flask's own."""
    monkeypatch.setattr(flask, "Flask", type("Instrumented", (Carboy,), {}))
    app = bare()
    app.seal()

    assert app._current_plan().serve.func.__name__ == "serve"


def test_an_agents_wrapper_learns_of_what_propagates(monkeypatch):
    """As from Flask's own method: the exception comes out, the contexts are gone."""
    seen = []
    inner = flask.Flask.wsgi_app

    def traced(self, environ, start_response):
        try:
            return inner(self, environ, start_response)
        except ZeroDivisionError as error:
            seen.append(error)
            raise

    monkeypatch.setattr(flask.Flask, "wsgi_app", traced)
    app = Carboy("app", batteries=())
    app.testing = True
    app.add_url_rule("/boom", "boom", lambda: 1 / 0)

    with app.test_client() as client, pytest.raises(ZeroDivisionError):
        client.get("/boom")
    assert len(seen) == 1
    assert not flask.has_request_context()


def test_every_replaced_method_is_called_and_the_answer_stays(app):
    """One subclass that overrides them all and calls super()."""
    seen = set()

    def passing(name):
        def method(self, *args, **kwargs):
            seen.add(name)
            return getattr(super(cls, self), name)(*args, **kwargs)

        return method

    names = set(seam.DISPATCH) - {"make_default_options_response", "raise_routing_exception"}
    names -= {"handle_exception", "async_to_sync"}
    cls = type("Mine", (Carboy,), {name: passing(name) for name in names})

    assert bare(cls).test_client().get("/").text == "page"
    assert seen == names


@pytest.mark.parametrize(
    "change",
    [
        lambda hooks: hooks[None].append(_stop),
        lambda hooks: hooks[None].insert(0, _stop),
        lambda hooks: hooks[None].extend([_stop]),
        lambda hooks: hooks.setdefault(None, []).append(_stop),
        lambda hooks: hooks.update({None: [_stop]}),
        lambda hooks: hooks.__setitem__(None, [_stop]),
        lambda hooks: hooks[None].__iadd__([_stop]),
        lambda hooks: hooks.__ior__({None: [_stop]}),
        lambda hooks: hooks[None].__setitem__(slice(0, 0), [_stop]),
    ],
    ids=["append", "insert", "extend", "setdefault", "update", "set", "+=", "|=", "slice"],
)
def test_however_a_hook_gets_into_the_table_it_is_seen(change):
    """After the first request, past Flask's own check for late set-up."""
    app = bare()
    client = app.test_client()
    assert client.get("/").text == "page"

    change(app.before_request_funcs)

    assert client.get("/").text == "stop"


def _stop() -> str:
    return "stop"


@pytest.mark.parametrize(
    "versions", [("3.2.0", "3.1.9"), ("3.1.3", "3.2.0"), ("4.0", "3.1.9")], ids="-".join
)
def test_an_unchecked_flask_or_werkzeug_is_refused(versions):
    """The inside may have moved; guessing would serve wrong answers."""
    with pytest.raises(SetupError) as caught:
        seam.require_checked(*versions)

    assert caught.value.code == "seam.version"
    assert "pip install" in caught.value.hint
