"""Applying and taking back: once each, whole or not at all, and clear about what is left."""

import os
import subprocess
import sys
import textwrap

import pytest
from sqlalchemy import inspect, text

from carboy.base.errors import ServiceDown, SetupError
from carboy.base.scope import unscoped
from carboy.data.migrations.lock import locked
from carboy.data.migrations.runner import Options, downgrade, mark, upgrade
from carboy.data.migrations.status import applied, waiting

servers = [pytest.mark.server, pytest.mark.slow]
NONE = lambda Base: None  # noqa: E731  # no models


@pytest.fixture
def folder(project):
    """A function that writes a migration by hand: name, body of upgrade() and downgrade()."""

    def write(name, up, down="pass", parent=None, **more):
        names = [one.revision for one in project.folder.all()]
        parent = parent if parent is not None else (names[-1] if names else None)
        said = "".join(f"{key} = {value!r}\n" for key, value in more.items())
        project.folder.path.mkdir(exist_ok=True)
        (project.folder.path / f"{name}.py").write_text(
            '"""A migration."""\nimport sqlalchemy as sa\nfrom alembic import op\n'
            f"revision = {name!r}\ndown_revision = {parent or None!r}\n{said}\n\n"
            f"def upgrade():\n{textwrap.indent(textwrap.dedent(up).strip(), '    ')}\n\n\n"
            f"def downgrade():\n{textwrap.indent(textwrap.dedent(down).strip(), '    ')}\n"
        )
        return name

    return write


def made(name):
    return f'op.create_table("{name}", sa.Column("id", sa.Integer, primary_key=True))'


def tables(project):
    return sorted(set(inspect(project.engine).get_table_names()) - {"carboy_migrations"})


def done(project):
    with unscoped("test"), project.engine.connect() as connection:
        return sorted(applied(connection, project.folder))


def test_each_is_applied_once_and_told(project, folder):
    """Up to a revision, then to the last, then nothing; in order."""
    folder("0001_a", made("a"))
    folder("0002_b", made("b"))
    folder("0003_c", made("c"))
    target, said = project.models(NONE), []

    assert upgrade(target, "2", Options(say=said.append)) == ["0001_a", "0002_b"]
    assert upgrade(target) == ["0003_c"]
    assert upgrade(target) == []
    assert said == ["applied 0001_a  A migration.", "applied 0002_b  A migration."]
    assert tables(project) == ["a", "b", "c"]
    assert done(project) == ["0001_a", "0002_b", "0003_c"]


def test_back_by_number_by_name_and_to_the_beginning(project, folder):
    """-1 is the last one; a revision stays; base is before all."""
    for name in "abcd":
        folder(f"000{'abcd'.index(name) + 1}_{name}", made(name), f'op.drop_table("{name}")')
    target = project.models(NONE)
    upgrade(target)

    assert downgrade(target, "-1") == ["0004_d"]
    assert downgrade(target, "0002_b") == ["0003_c"]
    assert downgrade(target, "base") == ["0002_b", "0001_a"]
    assert tables(project) == []
    assert downgrade(target, "-1") == []


def test_a_migration_that_fails_leaves_nothing_half_done(project, folder):
    """Where DDL is transactional; elsewhere the letter lists what stays."""
    folder("0001_a", made("a"))
    folder("0002_b", f'{made("b")}\nop.execute("INSERT INTO nowhere VALUES (1)")')
    target = project.models(NONE)

    with pytest.raises(SetupError) as caught:
        upgrade(target, options=Options(review=False))

    letter = str(caught.value)
    assert caught.value.code == "migrations.failed"
    assert "0002_b failed" in letter
    assert "INSERT INTO nowhere" in letter
    assert done(project) == ["0001_a"]
    if project.engine.dialect.name == "mariadb":
        assert tables(project) == ["a", "b"]
        assert "This much of it was applied, and stays:\n  1. CREATE TABLE b (" in letter
        assert "carboy db mark 0002_b" in letter
    else:
        assert tables(project) == ["a"]
        assert "Nothing of it was applied" in letter


def test_after_the_rest_was_corrected_it_goes_on(project, folder):
    """What was applied is taken out of the file, or the whole is marked as done by hand."""
    folder("0001_a", "raise ValueError('not yet')")
    target = project.models(NONE)
    with pytest.raises(SetupError, match="ValueError: not yet"):
        upgrade(target)
    (project.folder.path / "0001_a.py").unlink()

    folder("0001_a", made("a"))
    assert upgrade(target) == ["0001_a"]

    folder("0002_by_hand", "raise ValueError")
    assert mark(target, "head") == ["0002_by_hand"]
    assert upgrade(target) == []


def test_rows_that_would_refer_to_nothing_stop_it(on_file, tmp_path):
    """On SQLite foreign keys are off while tables are rebuilt, and looked at before the commit."""
    path = tmp_path / "migrations"
    path.mkdir()
    (path / "0001_a.py").write_text(
        "from alembic import op\nrevision = '0001_a'\ndown_revision = None\ndef upgrade():\n"
        "    op.execute('CREATE TABLE a (id INTEGER PRIMARY KEY)')\n"
        "    op.execute('CREATE TABLE b (a INTEGER REFERENCES a (id))')\n"
        "    op.execute('INSERT INTO b VALUES (7)')\n"
    )

    with pytest.raises(SetupError, match="would refer to a row of a") as caught:
        upgrade(on_file.models(NONE))

    assert caught.value.code == "migrations.rows"
    assert tables(on_file) == []


def test_a_file_that_was_edited_after_it_was_applied_is_refused(project, folder):
    """What it does is compared, not how it is laid out; --accept lets it pass."""
    folder("0001_a", made("a"))
    target = project.models(NONE)
    upgrade(target)
    file = project.folder.path / "0001_a.py"
    file.write_text(file.read_text().replace('"""A migration."""', '"""Said better."""\n# so\n'))
    assert upgrade(target) == []

    file.write_text(file.read_text().replace('"a"', '"other"'))
    with pytest.raises(SetupError) as caught:
        upgrade(target)
    assert caught.value.code == "migrations.edited"
    assert "0001_a.py" in str(caught.value)
    assert upgrade(target, options=Options(accept=["0001_a"])) == []


def test_a_database_that_is_newer_than_the_code_is_refused(project, folder):
    """A revision that no file has: the newer code was here before."""
    folder("0001_a", made("a"))
    folder("0002_b", made("b"))
    target = project.models(NONE)
    upgrade(target)
    (project.folder.path / "0002_b.py").unlink()

    for act in (lambda: upgrade(target), lambda: downgrade(target, "-1")):
        with pytest.raises(SetupError, match="0002_b") as caught:
            act()
        assert caught.value.code == "migrations.newer"


def test_what_alembic_has_applied_so_far_is_understood(project, folder):
    """alembic_version says where it is; from then on the books are ours."""
    folder("0001_a", made("a"))
    folder("0002_b", made("b"))
    folder("0003_c", made("c"))
    with project.engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('0002_b')"))

    assert upgrade(project.models(NONE)) == ["0003_c"]
    assert tables(project) == ["alembic_version", "c"]


def test_a_branch_that_was_merged_late_is_applied(project, folder):
    """What is pending is what is not applied, wherever it stands in the line."""
    folder("0001_a", made("a"))
    folder("0003_c", made("c"), parent="0001_a")
    target = project.models(NONE)
    upgrade(target)
    folder("0002_b", made("b"), parent="0001_a")
    file = project.folder.path / "0003_c.py"
    with pytest.raises(SetupError, match="2 migrations claim to be the last"):
        upgrade(target)

    file.write_text(
        file.read_text().replace("down_revision = '0001_a'", "down_revision = '0002_b'")
    )
    assert upgrade(target) == ["0002_b"]


def test_a_migration_without_transaction_says_what_stays(project, folder):
    """autocommit_block: what came before it is committed, and the letter says so."""
    if project.engine.dialect.name != "postgresql":
        pytest.skip("only there statements refuse to run in a transaction")
    folder(
        "0001_a",
        f"{made('a')}\nwith op.get_context().autocommit_block():\n"
        '    op.execute("CREATE INDEX CONCURRENTLY i ON a (id)")\nraise ValueError("late")',
    )
    with pytest.raises(SetupError) as caught:
        upgrade(project.models(NONE))
    assert "1. CREATE TABLE a" in str(caught.value)
    assert "2. CREATE INDEX CONCURRENTLY i" in str(caught.value)
    assert done(project) == []


def test_a_lock_that_is_held_is_said_and_nothing_changes(project, folder):
    """Whoever waits too long gets one clear letter."""
    folder("0001_a", made("a"))
    target = project.models(NONE)

    with locked(project.engine), pytest.raises(ServiceDown, match="Another process") as caught:
        upgrade(target, options=Options(wait_s=0.0))

    assert caught.value.code == "migrations.busy"
    assert tables(project) == []
    assert upgrade(target) == ["0001_a"]


@pytest.mark.slow
def test_somebody_who_writes_meanwhile_is_said(on_file, tmp_path):
    """SQLite has one writer: whoever holds the file too long is named as the cause."""
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "0001_a.py").write_text(
        "from alembic import op\nrevision = '0001_a'\ndown_revision = None\ndef upgrade():\n"
        "    op.execute('CREATE TABLE a (id INTEGER)')\n"
    )
    target = on_file.models(NONE)
    upgrade(target)
    (tmp_path / "migrations" / "0002_b.py").write_text(
        "from alembic import op\nrevision = '0002_b'\ndown_revision = '0001_a'\n"
        "def upgrade():\n    op.execute('CREATE TABLE b (id INTEGER)')\n"
    )
    with on_file.engine.begin() as connection:
        connection.execute(text("INSERT INTO a VALUES (1)"))
        with pytest.raises(SetupError, match="database is locked") as caught:
            upgrade(target)
    assert "Nothing of it was applied" in str(caught.value)
    assert upgrade(target) == ["0002_b"]


def test_the_lock_leaves_no_file_behind(on_file, tmp_path):
    """The lock of SQLite is a file beside the database, as long as it is held."""
    with locked(on_file.engine):
        assert (tmp_path / "test.db.migrating").exists()
    assert not (tmp_path / "test.db.migrating").exists()


TEN = 10
APPLY = """
import sys
from pathlib import Path
from sqlalchemy import MetaData
from carboy.data.migrations.folder import Folder
from carboy.data.migrations.project import Target
from carboy.data.migrations.runner import Options, upgrade
from carboy.data.places import Places
places = Places({"main": sys.argv[1]})
target = Target("main", Folder(Path(sys.argv[2])), places, (MetaData(),))
target.folder.all()
print("ready", flush=True)
sys.stdin.read(1)  # all start at once
print(*upgrade(target, options=Options(wait_s=90)))
places.dispose()
"""


@pytest.mark.slow
def test_ten_processes_may_upgrade_at_once(project, folder):
    """Each migration is applied by one of them, and every process ends well."""
    folder("0001_a", f"{made('a')}\n{made('log')}")
    for number in range(2, 6):
        folder(f"000{number}_b", f'op.execute("INSERT INTO log (id) VALUES ({number})")')
    url = project.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", APPLY, url, str(project.folder.path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    started = [subprocess.Popen(command, text=True, **pipes) for _ in range(TEN)]

    assert {one.stdout.readline() for one in started} == {"ready\n"}
    for one in started:
        one.stdin.write(".")
        one.stdin.flush()
    ended = [one.communicate(timeout=100) for one in started]

    assert [one.returncode for one in started] == [0] * TEN, ended
    names = [name for out, _ in ended for name in out.split()]
    assert sorted(names) == ["0001_a", "0002_b", "0003_b", "0004_b", "0005_b"]
    with project.engine.connect() as connection:
        assert sorted(connection.scalars(text("SELECT id FROM log"))) == [2, 3, 4, 5]


@pytest.mark.slow
def test_a_process_that_dies_holds_nothing(on_file, tmp_path):
    """The lock ends with the process, whatever file it leaves."""
    code = (
        "import sys, os\nfrom carboy.data.engines import engine_for\n"
        "from carboy.data.migrations.lock import locked\n"
        "with locked(engine_for(sys.argv[1])):\n    os._exit(3)"
    )
    url = on_file.engine.url.render_as_string()
    run = subprocess.run([sys.executable, "-c", code, url], check=False, env={**os.environ})
    assert run.returncode == 3

    with locked(on_file.engine, wait_s=0.0):
        pass


def test_waiting_is_in_order(project, folder):
    """Parents first, whatever the names."""
    folder("0009_first", made("a"))
    folder("0001_second", made("b"), parent="0009_first")
    assert [one.revision for one in waiting(project.folder, ())] == ["0009_first", "0001_second"]
