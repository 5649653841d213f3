"""`carboy new NAME --from ...`: a project that runs, or nothing at all."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from tests.adopt.relational import ROWS, build

from carboy.cli.adopt.sources import shown

pytestmark = pytest.mark.slow

FILES = {
    ".env",
    ".env.example",
    ".gitignore",
    "README.md",
    "app.py",
    "carboy.toml",
    "instance/app.db",
    "migrations/0001_first_models.py",
    "models.py",
    "pyproject.toml",
    "templates/home.html",
    "tests/test_app.py",
}


def files(folder):
    return {str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()}


def test_a_project_of_a_relational_file_is_whole_and_clean(carboy, tmp_path):
    """All rows in its own database; its tests pass, ruff has nothing to say; closed."""
    source = build(tmp_path / "shop.db")
    done = carboy("new", "records", "--from", source)
    assert done.returncode == 0, done.stderr
    project = tmp_path / "records"
    assert files(project) == FILES
    assert "carboy users add you@example.com --role admin" in done.stdout
    assert "PlaylistTrack: the key (playlist, track) is kept by unique()" in done.stdout
    with closing(sqlite3.connect(project / "instance/app.db")) as con:
        tables = [name for (name,) in con.execute("select name from sqlite_master")]
        counts = [
            con.execute(f"select count(*) from {name}").fetchone()[0]
            for name in ("tracks", "playlist_tracks", "invoice_lines", "odd_tables")
        ]
        assert con.execute("pragma foreign_key_check").fetchall() == []
    assert {"records_users", "users", "employees"} <= set(tables)
    assert counts == [
        len(ROWS[name]) for name in ("tracks", "playlist_track", "invoice_lines", "odd table!")
    ]
    readme = (project / "README.md").read_text()
    assert "| shop.db, table employees | last name | `Employee.last_name` | text |" in readme
    for command in (
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["pytest", "-q", "-p", "no:randomly"],
    ):
        run = subprocess.run(
            [sys.executable, "-m", *command], cwd=project, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stdout + run.stderr
    assert carboy("db", "check", cwd=project).returncode == 0


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("gone.csv", None, "new.from.missing"),
        ("empty.csv", b"", "new.from.empty"),
        ("head.csv", b"a,b\n", "new.from.rows"),
        ("ragged.csv", b"a,b\n1,2\n1,2,3\n", "ragged.csv, line 3: has 3 values under 2 headers"),
        ("image.csv", b"\x89PNG\0\0" * 99, "new.from.binary"),
    ],
)
def test_a_failure_leaves_nothing(carboy, tmp_path, name, content, words):
    """No folder, no scratch file; the letter and exit code 1."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = carboy("new", "shop", "--from", name)
    assert done.returncode == 1
    assert words in done.stderr
    assert files(tmp_path) <= {name}
    assert not (tmp_path / "shop").exists()


def test_rows_that_are_wrong_leave_nothing_unless_they_may_go(carboy, tmp_path):
    """With --skip-bad they are in rejected.csv, with reasons."""
    source = build(tmp_path / "shop.db")
    with closing(sqlite3.connect(source)) as con, con:
        con.execute("insert into albums values (99, 'Lost', 77, null)")
    done = carboy("new", "shop", "--from", source)
    assert (done.returncode, (tmp_path / "shop").exists()) == (1, False)
    assert "table albums, row 9, ArtistId: '77' is no ArtistId of artists" in done.stderr
    done = carboy("new", "shop", "--from", source, "--skip-bad")
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "shop/rejected.csv").read_text().splitlines()
    assert lines == [
        "source,line,column,reason,row",
        '"shop.db, table albums",9,ArtistId,refers to no row of artists,99,Lost,77,',
    ]


def test_only_its_own_database_is_written(carboy, tmp_path):
    """Whatever the environment says."""
    (tmp_path / "a.csv").write_text("name,n\nx,1\n")
    other = tmp_path / "other.db"
    environ = {**os.environ, "CARBOY_DATABASE_URL": f"sqlite:///{other}"}
    assert carboy("new", "shop", "--from", "a.csv", env=environ).returncode == 0
    assert not other.exists()


def test_a_folder_and_a_file_that_may_not_be_read(carboy, tmp_path):
    """Each with what to do."""
    (tmp_path / "folder").mkdir()
    assert "Name its files" in carboy("new", "shop", "--from", "folder").stderr
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    secret.chmod(0)
    if os.access(secret, os.R_OK):
        pytest.skip("this user may read everything")
    assert "[new.from.permission]" in carboy("new", "shop", "--from", "secret.csv").stderr


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ada:hush-hush@127.0.0.1:1/shop",
        "mysql://ada:hush-hush@127.0.0.1:1/shop",
        "postgresql://ada:hush-hush@nowhere.invalid/shop",
        "oracle://ada:hush-hush@127.0.0.1/shop",
        "postgresql://ada:hush-hush@127.0.0.1:port/shop",
    ],
)
def test_a_password_is_never_printed(carboy, address):
    """Also when the server is away, or the address is none."""
    done = carboy("new", "shop", "--from", address)
    assert done.returncode == 1
    assert "hush-hush" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "hush-hush" not in shown(address)
