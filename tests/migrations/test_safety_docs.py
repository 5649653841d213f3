"""docs/how-to/safe-migrations.md lists exactly what is refused, and its examples run."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import text

from carboy.data.engines import engine_for
from carboy.data.migrations import ops
from carboy.data.migrations.recipes import RECIPES
from carboy.data.migrations.safety import RULES, review

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/safe-migrations.md").read_text()
ROWS = dict(re.findall(r"^\| \[(unsafe\.\w+)\] \|.*\| ([SPM ]+) \|", PAGE, re.MULTILINE))
FOLDER = ROOT / "src/carboy/data/migrations"
OURS = [
    *(FOLDER / f"{n}.py" for n in ("work", "batches", "rebuild", "ops")),
    *FOLDER.glob("on_*.py"),
    ROOT / "src/carboy/data/backups.py",
    ROOT / "src/carboy/data/dumps.py",
]
SOURCE = "".join(path.read_text() for path in OURS)
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_lists_exactly_the_codes_of_the_linter():
    """None is missing, and none is invented."""
    assert sorted(re.findall(r"\[(unsafe\.\w+)\]", PAGE)) == sorted(RECIPES)


def test_the_rules_know_no_other_codes():
    """Each that is yielded has a recipe, and each recipe is yielded somewhere."""
    source = "".join(path.read_text() for path in FOLDER.glob("rules*.py"))
    yielded = {f"unsafe.{code}" for code in re.findall(r'yield "(\w+)",', source)}
    yielded |= set(re.findall(r'"unsafe\.\w+"', (FOLDER / "safety.py").read_text()))
    yielded = {code.strip('"') for code in yielded}
    # The first rule of a kind may hand its code on by name.
    assert yielded == set(RECIPES)


def test_every_other_code_is_explained():
    """Of the steps, and of backups."""
    codes = set(re.findall(r'"((?:migrations|backup)\.[a-z_]+)"', SOURCE))
    listed = set(re.findall(r"\[((?:migrations|backup)\.[a-z_]+)\]", PAGE))
    assert codes == listed


def test_every_step_is_in_the_table():
    """With what it does on each database."""
    steps = {name for name in ops.__all__ if name.islower()} - {"declared_on"}
    table = PAGE.partition("| step |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(\w+)`[, |]", table)) >= steps


def test_where_a_code_is_refused_is_said():
    """The letters are those of the databases whose rules can give it."""
    assert set(ROWS) == set(RECIPES)
    for code, letters in ROWS.items():
        assert set(letters.split()) <= {"S", "P", "M"}, code


@pytest.mark.parametrize("dialect", sorted(RULES))
def test_the_three_releases_pass(dialect):
    """As they stand on the page."""
    for example in EXAMPLES[:3]:
        module = {}
        exec(example, module)
        found = review(SimpleNamespace(**module), dialect)
        assert [str(complaint) for complaint in found] == []


def test_the_examples_run(tmp_path, migrate, on_sqlite):
    """On SQLite: a text becomes a number, and goes into a backup and back."""
    with on_sqlite.begin() as connection:
        connection.execute(text("CREATE TABLE books (id INTEGER PRIMARY KEY, printed VARCHAR(4))"))
        connection.execute(text("INSERT INTO books VALUES (1, '1815')"))
    for example in EXAMPLES[:3]:
        module = {}
        exec(example, module)
        migrate(on_sqlite, module["upgrade"])
    empty = engine_for(f"sqlite:///{tmp_path}/empty.db")
    there = EXAMPLES[3].replace("shop.backup", f"{tmp_path}/shop.backup")
    exec(there, {"engine": on_sqlite, "empty": empty})
    with empty.connect() as connection:
        assert connection.execute(text("SELECT id, year FROM books")).all() == [(1, 1815)]
    empty.dispose()
