"""Applications with the look, and a browser that sees them."""

import importlib.util
import threading
from pathlib import Path

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

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


# The browser tier


class Quiet(WSGIRequestHandler):
    """Writes no line per request: the application does."""

    def log(self, *args):
        pass


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The address of the application in pages_app.py."""
    path = Path(__file__).with_name("pages_app.py")
    spec = importlib.util.spec_from_file_location("look_pages_app", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    app = module.make(tmp_path_factory.mktemp("look"))
    server = make_server("127.0.0.1", 0, app, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def open_page(browser):
    """Open pages that remember what the browser complained about, as `page.complaints`."""
    contexts = []

    def open_page(width=1280, **options):
        viewport = {"width": width, "height": 800}
        context = browser.new_context(viewport=viewport, reduced_motion="reduce", **options)
        contexts.append(context)
        context.set_default_timeout(10_000)  # milliseconds
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        return page

    yield open_page
    for context in contexts:
        context.close()
