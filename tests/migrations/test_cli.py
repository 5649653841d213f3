"""`carboy db` from outside: exit codes, letters without tracebacks, several databases."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlalchemy.orm import Mapped

from carboy.cli import db
from carboy.cli.client import client, open_client
from carboy.data.fields import field
from carboy.data.migrations.plan import Said

APP = """
from carboy import Carboy, Model, field
from sqlalchemy.orm import Mapped
app = Carboy(__name__)
class Book(Model):
    title: Mapped[str] = field(max_length=100)
"""
SECOND = (
    APP
    + """
class Count(Model):
    database = "reports"
    number: Mapped[int] = field(default=0)
"""
)


@pytest.fixture
def shop(tmp_path):
    """A folder with an application, and a function that runs `carboy` in it."""
    (tmp_path / "app.py").write_text(APP)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("CARBOY", "FLASK"))}

    def run(*arguments, **variables):
        command = [str(Path(sys.executable).parent / "carboy"), *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env={**clean, "PYTHONDONTWRITEBYTECODE": "1", **variables},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    run.folder = tmp_path
    return run


@pytest.mark.slow
def test_what_goes_wrong_is_one_letter_and_exit_code_1(shop):
    """Never a traceback."""
    assert shop("db", "make", "-m", "first").returncode == 0
    gone = {"CARBOY_DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/x"}
    cases = {
        "migrations.unknown": shop("db", "upgrade", "0077"),
        "data.gone": shop("db", "upgrade", **gone),
        "migrations.seeds": shop("db", "seed"),
        "migrations.database": shop("db", "upgrade", "--database", "none"),
        "db.sync": shop("db", "sync", **gone),
        "data.url": shop("db", "upgrade", CARBOY_DATABASE_URL="nonsense://x"),
    }
    (shop.folder / "migrations" / "0002_b.py").write_text(
        "revision = '0002_b'\ndown_revision = 'z'"
    )
    cases["migrations.missing"] = shop("db", "upgrade")

    for code, done in cases.items():
        assert done.returncode == 1, (code, done.stdout)
        assert f"[{code}]" in done.stdout
        assert "Traceback" not in done.stdout
        assert "secret" not in done.stdout


@pytest.mark.slow
def test_check_fails_until_everything_agrees(shop):
    """For CI: pending, models without a migration, two heads, an unsafe file."""
    assert "not in a migration: new table books" in shop("db", "check").stdout
    shop("db", "make", "-m", "first")
    done = shop("db", "check")
    assert (done.returncode, "pending: 0001_first" in done.stdout) == (1, True)
    shop("db", "upgrade")
    assert shop("db", "check").returncode == 0

    file = shop.folder / "migrations" / "0002_drop.py"
    head = "from alembic import op\nrevision = '0002_drop'\ndown_revision = '0001_first'\n"
    file.write_text(f"{head}def upgrade():\n    op.drop_table('books')\n")
    done = shop("db", "check", "--for", "postgresql")
    assert done.returncode == 1
    assert "0002_drop.py, line 5: unsafe.drop_table books" in done.stdout
    (shop.folder / "migrations" / "0002_other.py").write_text(
        head.replace("0002_drop", "0002_other")
    )
    assert "[migrations.heads]" in shop("db", "check").stdout


@pytest.mark.slow
def test_each_database_has_its_own_migrations(shop):
    """In a folder of its own; what is done to one at a time asks which."""
    (shop.folder / "app.py").write_text(SECOND)
    two = {"CARBOY_DATABASES": f"reports=sqlite:///{shop.folder}/reports.db"}
    done = shop("db", "make", "-m", "first", **two)
    assert "Wrote migrations/0001_first.py" in done.stdout
    assert "Wrote migrations/reports/0001_first.py" in done.stdout
    assert shop("db", "upgrade", **two).stdout.count("applied 0001_first") == 2
    assert "[db.which]" in shop("db", "downgrade", **two).stdout
    assert shop("db", "downgrade", "--database", "reports", **two).returncode == 0
    assert "reports: pending: 0001_first" in shop("db", "check", **two).stdout


@pytest.mark.slow
def test_a_backup_replaces_a_file_only_when_told(shop):
    """The letter names the option that does it."""
    assert shop("db", "backup", "kept").returncode == 0
    refused = shop("db", "backup", "kept")
    assert (refused.returncode, "--replace" in refused.stdout) == (1, True)
    assert "Wrote kept" in shop("db", "backup", "kept", "--replace").stdout


@pytest.mark.slow
def test_sql_is_printed_instead_of_run(shop):
    """And nothing happens."""
    shop("db", "make", "-m", "first")
    done = shop("db", "upgrade", "--sql")
    assert "CREATE TABLE books" in done.stdout
    assert "INSERT INTO carboy_migrations" in done.stdout
    assert "pending" in shop("db", "history").stdout


@pytest.mark.slow
def test_a_package_has_them_beside_its_init(shop):
    """The folder is the application's, wherever the command is given."""
    package = shop.folder / "shop"
    package.mkdir()
    (shop.folder / "app.py").rename(package / "__init__.py")
    (package / "seeds.py").write_text("def seed():\n    from . import app\n")
    done = shop("db", "make", "-m", "first")
    assert "Wrote shop/migrations/0001_first.py" in done.stdout, done.stdout
    assert shop("db", "upgrade").returncode == 0
    assert shop("db", "seed").stdout.strip() == "Ran shop/seeds.py"


@pytest.mark.parametrize(
    ("answer", "words"), [(1, "books.name is called title"), (0, "books loses the column name")]
)
def test_at_a_terminal_a_name_is_asked_about(on_file, monkeypatch, capsys, answer, words):
    """The answer decides; nothing is guessed."""

    def book(name):
        said = {"__annotations__": {name: Mapped[str]}, "__module__": __name__}
        return lambda Base: type("Book", (Base,), {**said, name: field(max_length=9)})

    before = on_file.models(book("name"))
    on_file.write(before)
    asked = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("rich_click.prompt", lambda text, **_: asked.append(text) or answer)

    plan = db._asked(on_file.models(book("title")), Said())

    assert asked == ["Which"]
    assert "books.name is in no model any more" in capsys.readouterr().out
    assert any(change.words.startswith(words) for change in plan.changes)


SECRET = 'p"a\\ss w#rd'


@pytest.mark.parametrize(
    "kind", ["postgresql+psycopg", "mariadb+pymysql", "sqlite+pysqlite"], ids=lambda k: k[:6]
)
def test_no_password_is_in_the_command(kind):
    """Processes are listed for everybody."""
    url = make_url(f"{kind}://host:5/shop").set(username="ann", password=SECRET)
    if kind.startswith("sqlite"):
        url = make_url("sqlite:////tmp/shop.db")
    with client(url) as (command, environ):
        assert SECRET not in " ".join(command)
        if kind.startswith("postgresql"):
            assert (environ["PGPASSWORD"], environ["PGHOST"], environ["PGPORT"]) == (
                SECRET,
                "host",
                "5",
            )
        elif kind.startswith("mariadb"):
            path = Path(command[1].partition("=")[2])
            assert path.stat().st_mode & 0o777 == 0o600
            assert 'password = "p\\"a\\\\ss w#rd"' in path.read_text()
    if kind.startswith("mariadb"):
        assert not path.exists()


def test_a_client_that_is_not_installed_is_said(monkeypatch):
    """With the package to install."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Exception, match="apt-get install postgresql-client") as caught:
        open_client(make_url("postgresql://host/shop"))
    assert caught.value.code == "db.client"


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.parametrize("name", ["pg", "mariadb"])
def test_the_client_gets_in(name, request):
    """With the credentials that it was handed."""
    url = make_url(request.getfixturevalue(name))
    with client(url) as (command, environ):
        more = ["-c", "SELECT 41 + 1"] if name == "pg" else ["-e", "SELECT 41 + 1"]
        done = subprocess.run([*command, *more], env=environ, capture_output=True, text=True)
    assert "42" in done.stdout, done.stderr


@pytest.mark.slow
def test_dev_brings_its_database_up_to_the_models(shop):
    """At its start, in a line each; a database that cannot follow keeps nobody from working."""
    code = (
        "import sys\nfrom carboy.cli.main import App\nfrom carboy.cli.dev import _load\n"
        "_load(App('app'), False)\n"
    )

    def dev():
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=shop.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    assert dev() == ["Database main: new table books (id, title)"]
    assert dev() == []
    (shop.folder / "app.py").write_text(APP.replace("title:", "name:"))
    assert "carboy db sync --renamed books.title=name" in " ".join(dev())
    (shop.folder / "migrations").mkdir()
    (shop.folder / "migrations" / "0001_bad.py").write_text("def (")
    assert "The database was left as it is." in dev()[0]
