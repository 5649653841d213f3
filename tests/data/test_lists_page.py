"""docs/how-to/lists.md: its example runs, and does what the page says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from carboy.data import filters, keyset

PAGE = (Path(__file__).parents[2] / "docs/how-to/lists.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

VISIT = """
from lists_page import *

with app.app_context():
    db.create_all()
    jane, emile = Author(name="Jane Austen"), Author(name="Émile Zola")
    for n in range(1, 10):
        out_on = date(1815, 1, n)
        db.session.add(Book(title=f"Emma {n}", price_cents=n, out_on=out_on, author=jane))
    db.session.add(Book(title="Émile", price_cents=5, author=emile))
    db.session.commit()

client = app.test_client()
first = client.get("/books?size=4").json
assert first["books"] == ["Emma 9", "Emma 8", "Emma 7", "Emma 6"]
assert first["prev"] is None
second = client.get(f"/books?size=4&cursor={first['next']}").json
assert second["books"] == ["Emma 5", "Emma 4", "Emma 3", "Emma 2"]
last = client.get(f"/books?size=4&cursor={second['next']}").json
assert last["books"] == ["Emma 1", "Émile"]  # it has no date
assert last["next"] is None
assert client.get(f"/books?size=4&cursor={last['prev']}").json["books"] == second["books"]
asked = "/books?q=emm* 3&price_cents.le=1000&author.name=Jane Austen&sort=-out_on,title&size=50"
assert client.get(asked).json["books"] == ["Emma 3"]
assert client.get("/books?q=emile").json["books"] == ["Émile"]
for wrong in ("cursor=zzz", f"sort=title&cursor={first['next']}", "nope=1", "sort=nope", "size=0"):
    assert client.get(f"/books?{wrong}").status_code == 400, wrong
assert client.get("/books?price_cents.ge=x").status_code == 422
"""


@pytest.mark.slow
def test_the_example_runs(tmp_path):
    """Search, filters, sorts and pages of one list."""
    (tmp_path / "lists_page.py").write_text("".join(EXAMPLES))
    (tmp_path / "visit.py").write_text(VISIT)
    env = {**os.environ, "CARBOY_DATABASE_URL": f"sqlite:///{tmp_path}/books.db"}
    run = [sys.executable, "-W", "error", "visit.py"]
    done = subprocess.run(run, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_numbers_are_those_of_the_code():
    """Whoever changes one changes the page."""
    assert f"At most {filters.MOST} parameters, at most {filters.LONGEST:,} characters" in PAGE
    assert f"at most {filters.LISTED};" in PAGE
    assert f"and {keyset.MOST:,} in any case" in PAGE


@pytest.mark.parametrize(
    "operator", sorted({one for ops in filters.OPERATORS.values() for one in ops})
)
def test_every_operator_is_explained(operator):
    """A client finds it in the table."""
    assert f"`{operator}" in PAGE
