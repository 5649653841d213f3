"""docs/how-to/reads.md: its examples run in the order they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs/how-to/reads.md").read_text()

VISIT = """
with app.app_context(), unscoped("test"):
    db.create_all()
    ann = Author(name="Ann")
    db.session.add(Book(title="Old", published=1815, author=ann, tags=[Tag(word="a")]))
    db.session.add(Book(title="New", published=1999))
    db.session.add(Book(title="None"))
    db.session.commit()
    assert recent("Ann") == b"[]"
client = app.test_client()
assert [row["title"] for row in client.get("/books").json] == ["New", "Old"]
assert client.get("/books/1").json == {
    "id": 1, "title": "Old", "author": {"name": "Ann"}, "tags": [{"word": "a"}]
}
assert client.get("/books/3").status_code == 404  # where= holds for one row, too
assert client.get("/shelf").json == {"titles": ["New", "Old"], "newest": "None"}
"""


@pytest.mark.slow
def test_the_examples_run(tmp_path):
    """Models and a read, views, and clauses."""
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    (tmp_path / "page.py").write_text(f"{code}\nfrom carboy import unscoped\n{VISIT}")
    env = {**os.environ, "CARBOY_DATABASE_URL": f"sqlite:///{tmp_path}/books.db"}
    run = [sys.executable, "-W", "error", "page.py"]
    done = subprocess.run(run, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
