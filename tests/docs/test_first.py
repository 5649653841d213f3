"""examples/first, which the README shows: it is that file, and it does what is said of it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIRST = ROOT / "examples" / "first"

VISIT = """
from app import Book, app
from carboy import db, unscoped

with app.app_context(), unscoped("fill the shelves"):
    db.create_all()
    db.session.add(Book(title="Emma", price_cents=1090, published=1815))
    db.session.commit()

client = app.test_client()
odd = client.get("/books?q=<script>", headers={"Accept": "text/html"}).text
assert "<script>" not in odd.split("<main")[1]
assert "Emma" in client.get("/").text
assert "Emma" in client.get("/books?q=emma", headers={"Accept": "text/html"}).text
assert client.get("/api/books").json["items"][0]["title"] == "Emma"
assert "/api/books" in client.get("/api/openapi.json").json["paths"]
assert client.get("/api/docs").status_code == 200
assert client.post("/api/books", json={"title": "x", "price_cents": 1}).status_code == 401
signed_out = client.get("/reviews/new", headers={"Accept": "text/html"})
assert signed_out.status_code == 303 and "/sign-in" in signed_out.location
assert client.get("/admin", headers={"Accept": "text/html"}).status_code == 303
print("all of it")
"""


def test_the_readme_shows_the_file():
    """Word for word."""
    shown = (ROOT / "README.md").read_text().split("```python\n")[1].split("```")[0]
    assert shown == (FIRST / "app.py").read_text()


@pytest.mark.slow
def test_it_has_pages_an_api_and_an_admin(tmp_path):
    """In a process of its own, as `carboy dev` would run it."""
    copy = shutil.copytree(FIRST, tmp_path / "first", ignore=shutil.ignore_patterns("instance"))
    environ = {
        **os.environ, "CARBOY_DATABASE_URL": f"sqlite:///{tmp_path}/first.db",
        "CARBOY_SECRET_KEY": "a" * 64, "CARBOY_LOG_LEVEL": "critical",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", VISIT],
        cwd=copy, env=environ, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.strip() == "all of it", done.stderr[-3000:]
