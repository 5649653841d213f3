"""docs/how-to/testing.md is a project whose tests pass, on each database."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/testing.md").read_text()
FILES = re.findall(r"```python\n# (\S+\.py)\n(.*?)```", PAGE, re.DOTALL)
SOURCE = "".join(path.read_text() for path in (ROOT / "src/carboy/testing").rglob("*.py"))
CODES = sorted({*re.findall(r'"(testing\.[a-z]+)"|\[(testing\.[a-z]+)\]', SOURCE)})


@pytest.mark.parametrize("code", sorted({one or two for one, two in CODES}))
def test_every_code_is_explained(code):
    """Whoever meets one finds it here."""
    assert f"[{code}]" in PAGE


def run(folder, *arguments, **variables):
    """Run the page's tests in a process of their own; return (exit code, output)."""
    for name, code in FILES:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(code)
    (folder / "pyproject.toml").write_text(
        "[tool.pytest.ini_options]\nfilterwarnings = ['error']\n"
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith(("CARBOY", "FLASK", "PYTEST"))}
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(
        command, cwd=folder, env={**env, **variables}, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_the_page_runs(tmp_path):
    """In any order."""
    code, said = run(tmp_path)
    assert code == 0, said
    assert f"{PAGE.count('def test_')} passed" in said


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_the_page_runs_on_a_server(tmp_path, kind):
    """By one variable; the server is started by the run itself."""
    code, said = run(tmp_path, CARBOY_TEST_DATABASE=kind)
    assert code == 0, said
    assert "skipped" not in said


@pytest.mark.slow
def test_the_page_runs_in_parallel(tmp_path):
    """Each worker has a database of its own."""
    code, said = run(tmp_path, "-n", "2")
    assert code == 0, said


@pytest.mark.slow
@pytest.mark.server
def test_the_page_runs_where_an_address_says(tmp_path, pg):
    """Twice, as the second run finds the tables of the first; a real name is refused."""
    from sqlalchemy import create_engine, text

    engine = create_engine(
        pg.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS page_test"))
        connection.execute(text("CREATE DATABASE page_test"))
    engine.dispose()
    address = pg.rpartition("/")[0]
    for _ in range(2):
        code, said = run(tmp_path, CARBOY_TEST_DATABASE=f"{address}/page_test")
        assert code == 0, said
    code, said = run(tmp_path, "-n", "2", CARBOY_TEST_DATABASE=f"{address}/page_test")
    assert code == 0, said
    code, said = run(tmp_path, CARBOY_TEST_DATABASE=f"{address}/postgres")
    assert code == 1
    assert "[testing.database]" in said
