"""Applications with the batteries of this folder, and raw environs."""

import io

import pytest
from flask import request
from werkzeug.test import EnvironBuilder

from carboy import Carboy

WEB = ("limits", "headers", "hosts", "csp", "pages")
COMPATIBLE = ("limits", "headers")


def make_app(batteries=WEB, **config):
    """A production application with views that read each kind of input."""
    app = Carboy("web_under_test", batteries=batteries)
    app.config.update(config)

    @app.get("/")
    def home():
        return {"hello": "world"}

    @app.get("/page")
    def page():
        return "<p>hello</p>"

    @app.post("/json")
    def take_json():
        return {"got": request.get_json()}

    @app.post("/form")
    def take_form():
        return {"fields": len(request.form), "files": len(request.files)}

    @app.post("/raw")
    def take_raw():
        return {"size": len(request.get_data())}

    @app.get("/broken")
    def broken():
        raise RuntimeError("secret detail at /srv/app/secret.py")

    return app


def environ_of(path="/", **extra):
    """A WSGI environ as a server builds it; *extra* replaces or adds keys."""
    return {**EnvironBuilder(path).get_environ(), **extra}


def call(app, environ):
    """Run *environ* through *app*; return (status code, headers, body)."""
    started = []
    body = app.wsgi_app(environ, lambda status, headers, *_: started.append((status, headers)))
    data = b"".join(body)
    if hasattr(body, "close"):
        body.close()
    status, headers = started[0]
    return int(status[:3]), dict(headers), data


def chunked(path, data, content_type="application/octet-stream", **extra):
    """The environ of a body without a declared length."""
    return environ_of(
        path,
        REQUEST_METHOD="POST",
        CONTENT_TYPE=content_type,
        HTTP_TRANSFER_ENCODING="chunked",
        **{"wsgi.input": io.BytesIO(data), "wsgi.input_terminated": True},
        **extra,
    )


@pytest.fixture(name="make_app")
def _make_app():
    """Return the function that makes an application: make_app(batteries, **config)."""
    return make_app


@pytest.fixture
def app():
    """An application with all batteries of this folder, in production mode."""
    return make_app()


@pytest.fixture(params=["default", "compatible"])
def either(request):
    """The same application with the batteries of each preset that live here."""
    return make_app(WEB if request.param == "default" else COMPATIBLE)


@pytest.fixture(name="environ_of")
def _environ_of():
    """Return the function that builds an environ: environ_of(path, **keys)."""
    return environ_of


@pytest.fixture(name="call")
def _call():
    """Return the function that serves one environ: call(app, environ)."""
    return call


@pytest.fixture(name="chunked")
def _chunked():
    """Return the function that builds the environ of a chunked body."""
    return chunked
