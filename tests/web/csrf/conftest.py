"""An application with forms, and a browser of choice: what it sends is said row by row."""

import re

import pytest
from flask import render_template_string, request, session

from carboy import Carboy
from carboy.web.csrf.battery import csrf_always, csrf_exempt

BATTERIES = ("limits", "hosts", "pages", "csrf")
FORM = '<form method="post">{{ csrf() }}</form>'


def make_app(**config):
    app = Carboy("csrf_under_test", batteries=BATTERIES)
    app.testing = True
    app.config.update({"SECRET_KEY": "only for tests " * 3, **config})
    app.read = []  # what views read of bodies

    @app.route("/notes", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], endpoint="notes.all")
    def notes():
        if request.method == "GET":
            return render_template_string(FORM)
        app.read.append(request.get_data())
        return "done"

    @app.post("/echo")
    def echo():
        return {"json": request.get_json(silent=True), "fields": sorted(request.form)}

    @app.route("/sign-in", methods=["GET", "POST"])
    @csrf_always
    def sign_in():
        if request.method == "GET":
            return render_template_string(FORM)
        session["user"] = 1
        return "signed in"

    @app.post("/hook")
    @csrf_exempt
    def hook():
        return "taken"

    @app.get("/plain")
    def plain():
        return render_template_string("no form")

    @app.get("/leave")
    def leave():
        session.clear()
        return "left"

    return app


class Browser:
    """A test client that sends no header by itself: an old browser, or a program."""

    def __init__(self, app):
        self.client = app.test_client()
        self.client.environ_base.pop("HTTP_SEC_FETCH_SITE", None)

    def token(self, path="/notes"):
        """Return the token in the form at *path*; the session's cookie is kept."""
        return re.search(r'name="csrf_token" value="([^"]+)"', self.client.get(path).text)[1]

    def __getattr__(self, name):
        return getattr(self.client, name)


@pytest.fixture(name="make_app", scope="session")
def _make_app():
    return make_app


@pytest.fixture
def app():
    return make_app()


@pytest.fixture
def browser(app):
    return Browser(app)


@pytest.fixture
def other(app):
    """Somebody else's browser."""
    return Browser(app)


@pytest.fixture(name="Browser")
def _browser():
    return Browser
