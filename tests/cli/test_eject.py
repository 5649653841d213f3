"""`carboy eject`: plain views in place of a resource's pages, which do the same."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FIRST = Path(__file__).parents[2] / "examples" / "first"

VISIT = """
from app import Book, app
from carboy import Scope, db, unscoped

with app.app_context(), unscoped("the first book"):
    db.create_all()
    db.session.add(Book(title="<Emma>", price_cents=5))
    db.session.commit()

def ask(method, path, roles=(), data=None):
    who = Scope(user=1, roles=frozenset(roles))
    return app.test_client().open(path, method=method, data=data,
        headers={"Accept": "text/html"}, environ_overrides={"carboy.scope": who})

assert app.view_functions["books.list"].__module__ == "views_books"
assert "&lt;Emma&gt;" in ask("GET", "/books").text
assert "Add book" not in ask("GET", "/books").text
assert "Add book" in ask("GET", "/books", ["staff"]).text
assert ask("GET", "/books?nope=1").status_code == 400
assert "&lt;Emma&gt;" in ask("GET", "/books/1").text
assert ask("GET", "/books/9").status_code == 404
wrong = ask("POST", "/books/new", ["staff"], {"title": "", "price_cents": "-1"})
assert wrong.status_code == 422 and "at least 0" in wrong.text
good = {"title": "Walden", "price_cents": "7"}
assert ask("POST", "/books/new", ["staff"], good).location == "/books/2"
assert ask("POST", "/books/2/edit", ["staff"], {**good, "title": "Walden; or"}).status_code == 302
assert "Walden; or" in ask("GET", "/books/2").text
assert ask("POST", "/books/2/edit", [], good).status_code in (403, 404)
assert ask("POST", "/books/2/delete", ["staff"]).location == "/books"
assert ask("GET", "/books/2").status_code == 404
assert app.test_client().get("/api/books").json["items"][0]["title"] == "<Emma>"
print("all of it")
"""


@pytest.fixture
def run(tmp_path):
    """A copy of the example, and a way to run commands in it."""
    folder = shutil.copytree(FIRST, tmp_path / "first", ignore=shutil.ignore_patterns("instance"))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {
        **os.environ, "PATH": path, "CARBOY_SECRET_KEY": "k3y" * 20, "CARBOY_LOG_LEVEL": "critical",
        "CARBOY_DATABASE_URL": f"sqlite:///{tmp_path}/first.db",
    }  # fmt: skip

    def command(*words):
        return subprocess.run(
            words, cwd=folder, env=environ, capture_output=True, text=True, timeout=60
        )

    command.folder = folder
    return command


@pytest.mark.slow
def test_the_ejected_pages_do_the_same(run):
    """The two lines it prints are all there is to change."""
    done = run("carboy", "eject", "Book")
    assert done.returncode == 0, done.stderr
    app = run.folder / "app.py"
    text = app.read_text().replace("app.resource(Book)", "app.resource(Book, pages=False)")
    told = [line.strip() for line in done.stdout.splitlines()]
    added = [line for line in told if line.startswith(("from views_books", "app.register"))]
    assert len(added) == 2
    app.write_text(text + "\n" + "\n".join(added) + "\n")
    visit = run(sys.executable, "-W", "error", "-c", VISIT)
    assert visit.stdout.strip() == "all of it", visit.stderr[-3000:]
    again = run("carboy", "eject", "Book")
    assert again.returncode != 0
    assert "[eject.exists]" in again.stderr


@pytest.mark.slow
def test_a_model_that_is_no_resource_is_told(run):
    done = run("carboy", "eject", "Nothing")
    assert done.returncode != 0
    assert "[eject.unknown]" in done.stderr
    assert "Book, Review" in done.stderr
