"""The site as the tests see it: its own notes, its own secret."""

import importlib.util
import sys
from pathlib import Path

import pytest

APP = Path(__file__).parents[1] / "app.py"


@pytest.fixture
def app(tmp_path):
    """The application of app.py, loaded anew, with an empty guest book."""
    spec = importlib.util.spec_from_file_location("hello_app", APP)
    module = importlib.util.module_from_spec(spec)
    sys.modules["hello_app"] = module  # templates and static files are found beside it
    spec.loader.exec_module(module)
    app = module.app
    app.config.update(TESTING=True, SECRET_KEY="only for tests, and long enough for them")
    app.instance_path = str(tmp_path)
    yield app
    del sys.modules["hello_app"]


@pytest.fixture
def client(app):
    """A visitor."""
    return app.test_client()
