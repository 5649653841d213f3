"""Backups: whole or not there, readable by nobody else, and back again."""

import os
import resource
import sqlite3
import stat
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import Column, ForeignKey, Integer, LargeBinary, MetaData, String, Table, text
from sqlalchemy.exc import IntegrityError

from carboy.base.errors import ServiceDown, SetupError
from carboy.data import backups, dumps
from carboy.data.backups import backup, restore
from carboy.data.engines import engine_for

ODD = ["plain", "Brontë ☕", "a;b'c\"d\\e%f:g", "\n\ttwo lines\n", ""]


def schema():
    known = MetaData()
    options = {"mariadb_charset": "utf8mb4"}
    Table(
        "authors",
        known,
        Column("id", Integer, primary_key=True),
        Column("name", String(40)),
        **options,
    )
    Table(
        "books",
        known,
        Column("id", Integer, primary_key=True),
        Column("author_id", ForeignKey("authors.id", name="fk_books_author"), nullable=False),
        Column("cover", LargeBinary),
        **options,
    )
    return known


def fill(engine):
    known = schema()
    known.create_all(engine)
    with engine.begin() as connection:
        for n, name in enumerate(ODD, 1):
            connection.execute(known.tables["authors"].insert().values(id=n, name=name))
            cover = bytes(range(256)) * n
            values = {"id": n, "author_id": n, "cover": cover}
            connection.execute(known.tables["books"].insert().values(**values))


def everything(engine):
    known = schema()
    with engine.connect() as connection:
        return {
            name: [tuple(row) for row in connection.execute(table.select().order_by(table.c.id))]
            for name, table in known.tables.items()
        }


def wipe(engine):
    with engine.begin() as connection:
        schema().drop_all(connection)


def test_all_rows_come_back(engine, tmp_path):
    """With their constraints, into an empty database."""
    fill(engine)
    before = everything(engine)
    path = backup(engine, tmp_path / "b")
    wipe(engine)
    restore(engine, path)
    assert everything(engine) == before
    with pytest.raises(IntegrityError), engine.begin() as c:
        c.execute(text("INSERT INTO books (id, author_id) VALUES (99, 99)"))


def test_a_restore_replaces_what_is_there_only_when_told(engine, tmp_path):
    """Then nothing of it is left."""
    fill(engine)
    before = everything(engine)
    path = backup(engine, tmp_path / "b")
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM books"))
        connection.execute(text("CREATE TABLE newer (id INTEGER)"))
    with pytest.raises(SetupError) as caught:
        restore(engine, path)
    assert caught.value.code == "backup.not_empty"
    assert "--replace" in str(caught.value)
    assert not everything(engine)["books"]
    restore(engine, path, replace=True)
    assert everything(engine) == before
    if engine.dialect.name != "mariadb":
        assert sorted(dumps.tables(engine)) == ["authors", "books"]


def test_a_file_that_is_there_stays(engine, tmp_path):
    """Unless it may be replaced."""
    fill(engine)
    path = tmp_path / "b"
    path.write_text("mine")
    with pytest.raises(SetupError) as caught:
        backup(engine, path)
    assert caught.value.code == "backup.exists"
    assert "--replace" in str(caught.value)
    assert path.read_text() == "mine"
    backup(engine, path, replace=True)
    assert path.stat().st_size > 1000
    assert list(tmp_path.glob(".*part")) == []


def test_nobody_else_may_read_it(engine, tmp_path):
    """It holds everybody's data."""
    fill(engine)
    path = backup(engine, tmp_path / "b")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_one_that_appears_meanwhile_stays(on_sqlite, tmp_path, monkeypatch):
    """Two backups of one name: the later is refused, and overwrites nothing."""
    fill(on_sqlite)
    path = tmp_path / "b"
    copy = backups._copy_sqlite

    def slow(engine, part):
        copy(engine, part)
        path.write_text("the other one")

    monkeypatch.setattr(backups, "_copy_sqlite", slow)
    with pytest.raises(SetupError) as caught:
        backup(on_sqlite, path)
    assert caught.value.code == "backup.exists"
    assert path.read_text() == "the other one"
    assert list(tmp_path.glob(".*part")) == []


def test_a_full_disk_leaves_nothing(engine, tmp_path):
    """No half file, and a clear error."""
    fill(engine)
    with engine.begin() as connection:
        for n in range(10, 40):
            values = {"n": n, "c": os.urandom(50_000)}
            connection.execute(
                text("INSERT INTO books (id, author_id, cover) VALUES (:n, 1, :c)"), values
            )
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
    try:
        with pytest.raises(ServiceDown) as caught:
            backup(engine, tmp_path / "folder-less")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.code == "backup.full"
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith("test.db")] == []


def test_a_folder_that_is_not_there_is_said(engine, tmp_path):
    """With the path."""
    with pytest.raises(SetupError, match="nowhere") as caught:
        backup(engine, tmp_path / "nowhere" / "b")
    assert caught.value.code == "backup.file"


def test_a_missing_program_is_said(on_server, tmp_path, monkeypatch):
    """With what to install; no half file."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(dumps, "PG_FOLDERS", tmp_path)
    with pytest.raises(SetupError, match="apt-get") as caught:
        backup(on_server, tmp_path / "b")
    assert caught.value.code == "backup.program"
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_backup_changes_nothing(engine, tmp_path):
    """Also with replace."""
    fill(engine)
    before = everything(engine)
    path = tmp_path / "b"
    for content in (b"", b"hello" * 2000, backup(engine, tmp_path / "x").read_bytes()[:-3000]):
        path.write_bytes(content)
        with pytest.raises((SetupError, ServiceDown)) as caught:
            restore(engine, path, replace=True)
        assert caught.value.code in ("backup.broken", "backup.failed")
        assert everything(engine) == before
    with pytest.raises(SetupError):
        restore(engine, tmp_path / "none", replace=True)


def test_a_damaged_database_makes_no_backup(on_sqlite, tmp_path):
    """It is found when the backup is made, not when it is needed."""
    fill(on_sqlite)
    on_sqlite.dispose()
    file = on_sqlite.url.database
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    with open(file, "r+b") as raw:
        raw.seek(4096 * 2 + 8)
        raw.write(b"\xff" * 64)
    with pytest.raises((SetupError, ServiceDown)):
        backup(on_sqlite, tmp_path / "b")
    assert not (tmp_path / "b").exists()


@pytest.mark.slow
def test_a_writer_that_holds_the_database_is_waited_for_so_long(on_sqlite, tmp_path, monkeypatch):
    """Then it is said; the backup itself waits for nobody."""
    fill(on_sqlite)
    path = backup(on_sqlite, tmp_path / "b")
    monkeypatch.setattr(backups, "PATIENCE_S", 0.0)
    with on_sqlite.connect() as writer:
        writer.execute(text("UPDATE authors SET name = 'x' WHERE id = 1"))
        backup(on_sqlite, tmp_path / "c")
        with pytest.raises(ServiceDown) as caught:
            restore(on_sqlite, path, replace=True)
        writer.rollback()
    assert caught.value.code == "backup.failed"


def test_a_backup_is_one_file_that_sqlite_opens(on_sqlite, tmp_path):
    """No -wal beside it."""
    fill(on_sqlite)
    path = backup(on_sqlite, tmp_path / "b.db")
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("SELECT count(*) FROM books").fetchone() == (len(ODD),)
    connection.close()
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith("b")) == ["b.db"]


def test_the_password_is_on_no_command_line(monkeypatch, tmp_path):
    """Nor is the user's name; both reach the program."""
    seen = []

    def run(command, **more):
        settings = [part for part in command if part.startswith("--defaults-file=")]
        file = settings[0].partition("=")[2] if settings else more["env"]["PGSERVICEFILE"]
        said = Path(file).read_text() + str((more["env"] or {}).get("PGPASSWORD"))
        seen.append((command, said, stat.S_IMODE(os.stat(os.path.dirname(file)).st_mode)))
        return subprocess.CompletedProcess(command, 1, b"", b"stopped here")

    monkeypatch.setattr(dumps.subprocess, "run", run)
    monkeypatch.setattr(dumps, "_program", lambda name, *more: name)
    for kind in ("postgresql", "mariadb"):
        engine = engine_for(f"{kind}://some%40one:hid%22%5Cden@example.org/shop")
        with pytest.raises(ServiceDown, match="stopped here"):
            backup(engine, tmp_path / "b")
        engine.dispose()
    for command, said, rights in seen:
        assert "hid" not in " ".join(command)
        assert "some@one" not in " ".join(command)
        assert "some@one" in said
        assert 'hid"\\den' in said or 'hid\\"\\\\den' in said
        assert rights == 0o700
    assert len(seen) == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.server
@pytest.mark.slow
def test_a_restore_that_fails_on_postgresql_changes_nothing(on_pg, tmp_path, monkeypatch):
    """Also when the program that reads the file stops in the middle."""
    fill(on_pg)
    before = everything(on_pg)
    path = backup(on_pg, tmp_path / "b")
    program = dumps._program
    broken = tmp_path / "pg_restore"
    broken.write_text(
        '#!/bin/sh\ncase "$*" in *--list*) exit 0;; esac\n'
        'echo "CREATE TABLE half (id integer);"\nexit 3\n'
    )
    broken.chmod(0o755)
    monkeypatch.setattr(
        dumps,
        "_program",
        lambda name, *more: str(broken) if name == "pg_restore" else program(name, *more),
    )
    with pytest.raises(ServiceDown) as caught:
        restore(on_pg, path, replace=True)
    assert caught.value.code == "backup.failed"
    assert everything(on_pg) == before
