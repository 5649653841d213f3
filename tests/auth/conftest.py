"""A small shop with people, on a database of its own, whose hashes cost little."""

import sys
from pathlib import Path

import pytest

# The helpers (auth_kit.py) are an ordinary module, which tests here import by name.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from auth_kit import SECRET, adder, batteries, tables, views, visit


def pytest_collection_finish(session):
    """Forget the people that modules here brought along; see `no_people` for each test.

    This is for applications that live longer than one. Examples have people of their own.
    """
    tests = Path(__file__).resolve().parents[1]
    people = sys.modules.get("carboy.auth.people")
    if people is not None and all(tests in item.path.parents for item in session.items):
        people.imported = False


@pytest.fixture(autouse=True)
def people(monkeypatch, no_people):
    """Let there be people for the tests in this folder."""
    import carboy.auth.models  # noqa: F401  # what an application does by `from carboy import User`
    from carboy.auth import people

    monkeypatch.setattr(people, "imported", True)
    return people


@pytest.fixture
def make_app(tmp_path):
    """Make a shop: make_app(address, OPTION=value); its tables are there, and nobody in them.

    more: batteries besides those of auth_kit.
    """
    from carboy import Carboy
    from carboy.auth.models import User
    from carboy.base.scope import unscoped
    from carboy.data.db import db

    made = []

    def make(address=None, more=(), **options):
        app = Carboy(
            "shop", batteries=(*batteries(), *more),
            root_path=str(tmp_path), instance_path=str(tmp_path),
        )  # fmt: skip
        app.secret_key = SECRET
        app.config.update(
            DATABASE_URL=address or f"sqlite:///{tmp_path}/shop.db", LOG_LEVEL="error",
            PASSWORD_MEMORY="8 KiB", **options,
        )  # fmt: skip
        with app.app_context(), unscoped("tables"):
            metadata = User.metadata
            metadata.drop_all(db.engine, tables=tables())
            metadata.create_all(db.engine, tables=tables())
        views(app)
        made.append(app)
        return app

    yield make
    for app in made:
        for battery in app.batteries.values():
            battery.close()


@pytest.fixture
def shop(make_app):
    """The shop, on SQLite."""
    return make_app()


@pytest.fixture
def add(shop):
    """Add somebody: add("ada", roles=("staff",)) -> their key."""
    return adder(shop)


@pytest.fixture
def ada(add):
    """The key of Ada, who has no roles."""
    return add("ada")


@pytest.fixture
def browser(shop):
    """Make a browser of its own: browser() -> client; browser("ada") is signed in."""
    return lambda name=None: visit(shop, name)
