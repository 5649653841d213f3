"""What is pending: told to the start of `carboy run` and to readiness, cheaply."""

import pytest
from sqlalchemy import event

from carboy import Carboy
from carboy.base.errors import SetupError
from carboy.base.scope import unscoped
from carboy.data.migrations import include, pending
from carboy.data.migrations.project import target, targets
from carboy.data.migrations.runner import upgrade

FILE = "revision = {0!r}\ndown_revision = {1!r}\ndef upgrade():\n    pass\n"


@pytest.fixture
def shop(tmp_path):
    """An application with two migrations."""
    app = Carboy("shop", batteries=("data",), root_path=str(tmp_path))
    app.config["DATABASE_URL"] = f"sqlite:///{tmp_path}/shop.db"
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_a.py").write_text(FILE.format("0001_a", None))
    (folder / "0002_b.py").write_text(FILE.format("0002_b", "0001_a"))
    yield app
    app.batteries["data"].close()


def test_names_are_told_until_they_are_applied(shop):
    """With the name of the database; afterwards nothing."""
    assert pending(shop) == ["main: 0001_a", "main: 0002_b"]
    upgrade(target(shop), "1")
    assert pending(shop) == ["main: 0002_b"]
    upgrade(target(shop))
    assert pending(shop) == []


def test_it_costs_two_statements_and_reads_no_file_again(shop, monkeypatch):
    """Readiness asks every few seconds."""
    upgrade(target(shop))
    pending(shop)
    said = []
    event.listen(
        targets(shop)[0].engine, "before_cursor_execute", lambda *given: said.append(given[2])
    )
    monkeypatch.setattr("carboy.data.migrations.folder._read", None)

    assert pending(shop) == []
    assert len(said) == 2


def test_without_migrations_nothing_connects(tmp_path):
    """Nor without the battery."""
    app = Carboy("shop", batteries=("data",), root_path=str(tmp_path))
    app.config["DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/none"
    assert pending(app) == []
    assert pending(Carboy("shop", batteries=())) == []
    app.batteries["data"].close()


def test_a_database_that_is_newer_is_said(shop, tmp_path):
    """Old code must not serve on it."""
    upgrade(target(shop))
    (tmp_path / "migrations" / "0002_b.py").unlink()
    with pytest.raises(SetupError) as caught:
        pending(shop)
    assert caught.value.code == "migrations.newer"


def test_another_folder_and_another_database(shop, tmp_path):
    """DATABASE_MIGRATIONS, and a folder within for each database."""
    shop.config["DATABASE_MIGRATIONS"] = "changes"
    shop.config["DATABASES"] = [f"reports=sqlite:///{tmp_path}/reports.db"]
    main, reports = targets(shop)
    assert (main.folder.path, reports.folder.path) == (
        tmp_path / "changes", tmp_path / "changes" / "reports",
    )  # fmt: skip
    with pytest.raises(SetupError, match="Known: main, reports") as caught:
        target(shop, "other")
    assert caught.value.code == "migrations.database"
    with pytest.raises(SetupError) as caught:
        targets(Carboy("shop", batteries=()))
    assert caught.value.code == "migrations.no_data"


def test_metadata_that_are_named_belong_to_their_database(shop):
    """Plain tables beside the models."""
    from sqlalchemy import Column, Integer, MetaData, Table

    legacy = MetaData()
    Table("old", legacy, Column("id", Integer, primary_key=True))
    include(shop, legacy)
    with unscoped("test"):
        assert "old" in target(shop).metadata.tables
