"""examples/notes passes its own tests, as somebody who copied it would run them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

NOTES = Path(__file__).parents[2] / "examples" / "notes"


def run(folder, *command, **environ):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": path, **environ},
        capture_output=True, text=True, timeout=110,
    )  # fmt: skip


def emptied(url):
    """Leave nothing of other tests in the database: a table that is there has its index made
    beside readers."""
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()


@pytest.fixture
def copy(tmp_path):
    """The example in a folder of its own."""
    skipped = shutil.ignore_patterns("instance", "__pycache__", ".pytest_cache")
    return shutil.copytree(NOTES, tmp_path / "notes", ignore=skipped)


@pytest.mark.slow
def test_its_tests_pass_on_sqlite(copy):
    done = run(copy, sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "10 passed" in done.stdout


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.usefixtures("pg")  # skips, loudly, where there is no PostgreSQL
def test_its_tests_pass_on_postgresql(copy):
    done = run(copy, sys.executable, "-m", "pytest", "-q", CARBOY_TEST_DATABASE="postgresql")
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("pg", marks=pytest.mark.server)])
def test_the_commands_of_its_page(copy, kind, request, tmp_path):
    """The README's way in: migrate, look who may do what, ask the running application."""
    url = f"sqlite:///{tmp_path}/notes.db" if kind == "sqlite" else request.getfixturevalue(kind)
    environ = {"CARBOY_DATABASE_URL": url, "CARBOY_SECRET_KEY": "a" * 64}
    if kind == "pg":
        emptied(url)
    for command in ("db upgrade", "db check", "policy matrix", "policy explain Notebook --as 1"):
        done = run(copy, "carboy", *command.split(), **environ)
        assert done.returncode == 0, f"{command}: {done.stdout} {done.stderr}"
    visit = (
        "from app import app; c = app.test_client(); c.post('/sign-in?name=Ada');"
        "print(c.post('/notebooks', json={'text': 'Trips'}).status_code, c.get('/notebooks').text)"
    )
    done = run(copy, sys.executable, "-c", visit, **environ)
    assert '201 [{"id":1,"title":"Trips","keeper":{"name":"Ada"}}]' in done.stdout, done.stderr
    run(copy, "carboy", "db", "downgrade", "base", **environ)  # the server is for other tests, too
