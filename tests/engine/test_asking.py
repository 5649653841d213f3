"""Who asks in a request: found out once, when somebody wants to know."""

from types import SimpleNamespace

import pytest

from carboy.base.scope import NobodyAsking, Scope, current, scope, scope_of, unscoped
from carboy.engine.asking import ENVIRON


def test_a_request_without_a_loader_is_a_visitors(app, client):
    @app.get("/")
    def who():
        return {"user": current().user, "roles": sorted(current().roles)}

    assert client.get("/").json == {"user": None, "roles": []}


def test_the_loader_runs_once_and_only_when_asked(app, client):
    calls = []

    @app.scope_loader
    def who():
        calls.append(current().system)
        return SimpleNamespace(id=7, roles=[SimpleNamespace(name="staff"), "editor"], tenant_id=3)

    @app.get("/idle")
    def idle():
        return ""

    @app.get("/asks")
    def asks():
        assert current() is current()
        return {"user": current().user, "roles": sorted(current().roles), "t": current().tenant}

    client.get("/idle")
    assert calls == []
    assert client.get("/asks").json == {"user": 7, "roles": ["editor", "staff"], "t": 3}
    assert calls == [True], "once, as the system"
    client.get("/asks")
    assert len(calls) == 2, "each request has its own"


def test_what_is_entered_inside_replaces_it(app, client):
    app.scope_loader(lambda: 7)

    @app.get("/")
    def who():
        seen = [current().user]
        with scope(user=8):
            seen.append(current().user)
        with unscoped("test"):
            seen.append(current().system)
        return [*seen, current().user]

    assert client.get("/").json == [7, 8, True, 7]


def test_a_test_says_who_asks_and_a_client_cannot(app, client):
    """A header or a variable of the server is text, and text is nobody."""
    app.scope_loader(lambda: None)

    @app.get("/")
    def who():
        return {"user": current().user, "system": current().system}

    given = client.get("/", environ_overrides={ENVIRON: Scope(user=9)})
    assert given.json == {"user": 9, "system": False}
    for forged in ("Scope(user=9)", "9", {"user": 9}):
        assert client.get("/", environ_overrides={ENVIRON: forged}).json["user"] is None
    assert client.get("/", headers={"Carboy-Scope": "9"}).json["user"] is None


def test_a_loader_that_fails_answers_for_itself(app, client):
    @app.scope_loader
    def who():
        raise LookupError("the session store is gone")

    @app.get("/")
    def view():
        return str(current().user)

    app.testing = False
    assert client.get("/").status_code == 500
    with pytest.raises(NobodyAsking):
        current()


def test_outside_of_a_request_a_scope_must_be_entered(app):
    with app.app_context(), pytest.raises(NobodyAsking):
        current()
    with app.scope(7):
        assert current().user == 7
    with app.scope(SimpleNamespace(id=8, roles={"staff"})):
        assert current() == Scope(user=8, roles=frozenset({"staff"}))
    with app.scope(user=9, roles={"x"}):
        assert current().roles == {"x"}
    with app.scope():
        assert current() == Scope()


def test_roles_that_are_one_word_are_a_mistake():
    with pytest.raises(TypeError, match="set of names"):
        scope_of(SimpleNamespace(id=1, roles="staff"))
