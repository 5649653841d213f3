"""Applications with the look, and a browser that sees them."""

import pytest

from carboy import Carboy
from carboy.web.look.battery import Look


@pytest.fixture
def make_app(tmp_path):
    """Make an application, rooted in a folder of the test, so that it may have templates."""

    def make(*batteries, name="under_test"):
        app = Carboy(name, batteries=batteries, root_path=str(tmp_path))
        app.testing = True
        app.secret_key = "only for tests, and long enough for each of them"
        return app

    return make


@pytest.fixture
def look_app(make_app):
    """An application with the look, for a test to add to."""
    return make_app("headers", "pages", Look())


@pytest.fixture
def look(look_app):
    """Its battery."""
    return look_app.batteries["look"]


@pytest.fixture
def render(look_app):
    """Render a template given as text, in a request of the application."""

    def render(text, path="/", **values):
        look_app.seal()
        with look_app.test_request_context(path):
            return look_app.jinja_env.from_string(text).render(values)

    return render


@pytest.fixture
def write(tmp_path):
    """Write a template of the application."""

    def write(name, text):
        path = tmp_path / "templates" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return write
