"""The client that is written from the document: strictly typed, and it works."""

import importlib.util
import subprocess
import sys
import threading

import pytest
from werkzeug.serving import make_server

from carboy.engine.asking import ENVIRON


@pytest.fixture
def written(views, tmp_path):
    """The path of the client's module."""
    from carboy.resource.openapi.client import source
    from carboy.resource.openapi.document import document

    file = tmp_path / "library_client.py"
    file.write_text(source(document(views)))
    return file


def load(file):
    """Import a module by its path."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def server(views):
    """The address of the application, where the staff asks."""
    from library_app import STAFF

    def as_staff(environ, start_response):
        environ[ENVIRON] = STAFF
        return views.wsgi_app(environ, start_response)

    made = make_server("127.0.0.1", 0, as_staff, threaded=False)
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.mark.slow
def test_mypy_is_content(written):
    """With every strictness."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary",
         f"--cache-dir={written.parent / 'cache'}", str(written)],
        capture_output=True, text=True, cwd=written.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


@pytest.mark.server
def test_it_walks_through_the_api(written, server, rows):
    """Create, read, change, list, delete; problems are exceptions; keys come with POST."""
    made = load(written)
    client = made.Client(server)
    new = {"title": "Lady Susan", "price_cents": 500, "writer_id": rows["jane"]}
    one = client.create_volume(new)
    tag = client.etag
    assert client.get_volume(one["id"])["title"] == "Lady Susan"
    changed = client.update_volume(one["id"], {"title": "Susan"}, if_match=tag)
    assert changed["title"] == "Susan"
    with pytest.raises(made.Problem) as caught:
        client.update_volume(one["id"], {"title": "Other"}, if_match=tag)
    assert (caught.value.status, caught.value.code) == (412, "resources.outdated")
    with pytest.raises(made.Problem) as caught:
        client.create_volume({**new, "price_cents": -1})
    assert caught.value.errors[0]["loc"] == ["body", "price_cents"]
    some = client.create_volume_many([{**new, "title": f"Book, {n}"} for n in range(30)])
    assert len(some) == 30
    assert len(list(client.all_volumes(size=7))) == 34
    page = client.list_volumes(title_in=["Book, 1", "Book, 2"], sort=["-title"], fields=["title"])
    assert [row["title"] for row in page["items"]] == ["Book, 2", "Book, 1"]
    first = client.create_volume(new, idempotency_key="k-1")
    assert client.create_volume(new, idempotency_key="k-1") == first
    client.delete_volume(one["id"])
    with pytest.raises(made.Problem, match="404"):
        client.get_volume(one["id"])
    assert client.basket(100, tax=0.5)["cents"] == 150


def test_what_is_no_address(written):
    """Said at once."""
    with pytest.raises(ValueError, match="http"):
        load(written).Client("file:///etc/passwd")


# The commands


@pytest.fixture
def run(views, monkeypatch):
    """Return a function that runs `carboy ...` beside the application."""
    from click.testing import CliRunner

    from carboy.cli.main import App, carboy

    monkeypatch.setattr(App, "load", lambda self: views)

    def run(*args):
        return CliRunner().invoke(carboy, list(args))

    return run


def test_the_commands(run, tmp_path, ask):
    """The same document, and a client of the same name as the application."""
    import json

    assert json.loads(run("openapi").output) == ask("GET", "/api/openapi.json").json
    assert run("openapi", "--check").output.startswith("20 operations")
    done = run("client", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "library_client.py").exists()
