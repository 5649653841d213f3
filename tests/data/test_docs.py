"""docs/how-to/models.md is complete, and its examples run in the order they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from carboy.data.backends.common import Kind
from carboy.data.battery import Data

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/models.md").read_text()
PAGES = "".join(page.read_text() for page in (ROOT / "docs/how-to").glob("*.md"))
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SOURCE = "".join(path.read_text() for path in (ROOT / "src/carboy/data").rglob("*.py"))
CODES = {*re.findall(r'"(data\.[a-z_]+)"', SOURCE), *(f"data.{kind}" for kind in get_args(Kind))}


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_is_explained(code):
    """Whoever meets one finds it here."""
    assert f"[{code}]" in PAGES


@pytest.mark.parametrize("option", Data.options, ids=lambda option: option.name)
def test_every_option_is_listed_with_its_default(option):
    """The table says what is so."""
    shown = {None: "unset", (): "none"}.get(option.default) or option.show(option.default)
    assert f"| `{option.name}` | {shown} |" in PAGE


VISIT = """
from models_page import *
import script, views
client = views.app.test_client()
assert client.get("/books").json == {"books": ["Emma"], "pages": 1}
assert client.post("/books/1/publish").json == {"title": "Emma"}
assert client.post("/books/2/publish").status_code == 404
with views.app.app_context():
    book = views.db.session.scalars(views.db.select(Book)).one()
    assert (book.state, book.version) == (State.PUBLISHED, 2)
"""


@pytest.mark.slow
def test_the_examples_run(tmp_path):
    """Models, a script that fills the database, and the views that read it."""
    models, views, script = EXAMPLES
    imports = "from models_page import *\nfrom carboy import db\n"
    for name, code in {"views": views, "script": script, "visit": VISIT}.items():
        (tmp_path / f"{name}.py").write_text(imports + code)
    (tmp_path / "models_page.py").write_text(models)
    # A process of its own: these models must not meet those of other tests.
    env = {**os.environ, "CARBOY_DATABASE_URL": f"sqlite:///{tmp_path}/books.db"}
    run = [sys.executable, "-W", "error", "visit.py"]
    done = subprocess.run(run, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
