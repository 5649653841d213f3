"""An application with an API over `library.py`, on a database of its own."""

import shutil
import sys
from pathlib import Path

import pytest

from carboy.base.battery import DEFAULT
from carboy.base.scope import unscoped

sys.path.insert(0, str(Path(__file__).resolve().parent))  # library*.py are imported by name

from library_app import ADA, BOB, STAFF, Asker, fill, ours

servers = [pytest.mark.server, pytest.mark.slow]


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """The folder of SQLite databases with all tables, made once: each test gets a copy."""
    return tmp_path_factory.mktemp("template")


@pytest.fixture
def make(tmp_path, template):
    """Return a function that makes the application; url: of another database."""
    made = []

    def make(url="", **config):
        import library as lib

        from carboy.data.db import db
        from carboy.engine.app import Carboy
        from carboy.resource import once  # noqa: F401  # its table
        from carboy.resource.battery import Resources

        app = Carboy(
            "library", batteries=(*(name for name in DEFAULT if name != "resources"), Resources()),
            root_path=str(tmp_path), instance_path=str(tmp_path),
        )  # fmt: skip
        app.config.update(
            DATABASE_URL=url or f"sqlite:///{tmp_path}/library.db", SECRET_KEY="only for tests",
            DATABASE_REPEATS=0, **config,
        )  # fmt: skip
        for model in (lib.Writer, lib.Volume, lib.Opinion):
            app.resource(model, pages=False)
        made.append(app)
        file = tmp_path / "library.db"
        full = template / f"{len(ours())}.db"  # features that come in later have tables, too
        if not url and full.exists():
            shutil.copy(full, file)
            return app
        with app.app_context(), unscoped("tables"):
            db.create_all(metadata=lib.Base.metadata)
            for table in ours():
                table.create(db.engine, checkfirst=True)
            if not url:
                db.engine.dispose()  # writes all of it into the file
                shutil.copy(file, full)
        return app

    yield make
    for app in made:
        with app.app_context(), unscoped("tables"):
            if db_of(app).engine.dialect.name != "sqlite":
                import library as lib

                lib.Base.metadata.drop_all(db_of(app).engine)
                for table in reversed(ours()):
                    table.drop(db_of(app).engine, checkfirst=True)
        for battery in app.batteries.values():
            battery.close()


def db_of(app):
    """Return `db`; imported late, as tests of other kinds run without SQLAlchemy."""
    from carboy.data.db import db

    return db


@pytest.fixture
def app(make):
    """The application."""
    return make()


@pytest.fixture
def rows(app):
    """Two writers, one of them secret, and three volumes; return their ids by name."""
    return fill(app)


@pytest.fixture
def ask(app):
    """A visitor's client."""
    return Asker(app)


@pytest.fixture
def staff(app):
    """A client of the staff."""
    return Asker(app, STAFF)


@pytest.fixture
def ada(app):
    """A client of person 2, who has an opinion nobody else sees."""
    return Asker(app, ADA)


@pytest.fixture
def bob(app):
    """A client of person 3."""
    return Asker(app, BOB)


@pytest.fixture(params=["sqlite", *(pytest.param(n, marks=servers) for n in ("pg", "mariadb"))])
def everywhere(request, make):
    """An application on each kind of database."""
    url = "" if request.param == "sqlite" else request.getfixturevalue(request.param)
    return make(url)
