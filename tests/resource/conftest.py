"""A small shop to test resources on: authors, books, reviews, people with roles."""

import datetime as dt
import enum
from types import SimpleNamespace

import pytest


class Binding(enum.Enum):
    PAPER = "paper"
    CLOTH = "cloth"


@pytest.fixture(scope="module")
def models():
    """Models on a base of their own, with the tables that Carboy itself keeps."""
    from sqlalchemy import MetaData
    from sqlalchemy.orm import Mapped, registry

    from carboy.data.fields import field
    from carboy.data.mixins import Timestamps, Versioned
    from carboy.data.models import CONVENTION, Model
    from carboy.data.relations import belongs_to, has_many
    from carboy.policy.policies import FieldPolicy, Policy
    from carboy.policy.rules import everyone, nobody, owner, role, signed_in

    own = registry(metadata=MetaData(naming_convention=CONVENTION))

    class Base(Model):
        __abstract__ = True
        registry = own
        _sa_registry = own
        metadata = own.metadata

    class Person(Base):
        name: Mapped[str] = field(max_length=80)
        policy = Policy(read=everyone, write=role("admin"))

    class Author(Base):
        name: Mapped[str] = field(max_length=80, unique=True)
        books: Mapped[list["Book"]] = has_many()
        policy = Policy(read=everyone, write=role("staff"))

    class Book(Timestamps, Versioned, Base):
        title: Mapped[str] = field(max_length=120, min_length=1, search=True)
        author: Mapped[Author] = belongs_to()
        price_cents: Mapped[int] = field(ge=0, label="Price", unit="cents")
        binding: Mapped[Binding] = field(default=Binding.PAPER)
        published: Mapped[int | None] = field(ge=-800, le=2100)
        out_on: Mapped[dt.date | None] = field()
        in_stock: Mapped[bool] = field(default=True)
        blurb: Mapped[str] = field(default="", widget="textarea", max_length=2000)
        cost_cents: Mapped[int | None] = field()
        secret: Mapped[str] = field(default="", api="hidden", max_length=40)
        reviews: Mapped[list["Review"]] = has_many()
        policy = Policy(
            read=everyone,
            write=role("staff"),
            fields={"cost_cents": FieldPolicy(read=role("admin"), write=role("admin"))},
        )

    class Review(Timestamps, Base):
        book: Mapped[Book] = belongs_to(on_delete="cascade")
        author: Mapped[Person] = belongs_to(default="current_user")
        stars: Mapped[int] = field(ge=1, le=5)
        text: Mapped[str] = field(max_length=500, widget="textarea")
        policy = Policy(read=everyone, create=signed_in, update=owner("author"),
                        delete=owner("author") | role("staff"))  # fmt: skip

    class Draft(Base):
        title: Mapped[str] = field(max_length=40)
        keeper: Mapped[int]
        policy = Policy(read=owner("keeper"), write=owner("keeper"))

    class Sealed(Base):
        name: Mapped[str] = field(max_length=40)
        policy = Policy(read=everyone, write=nobody)

    yield SimpleNamespace(
        base=Base, registry=own, Person=Person, Author=Author, Book=Book, Review=Review,
        Draft=Draft, Sealed=Sealed,
    )  # fmt: skip
    own.dispose()


@pytest.fixture
def shop(models, tmp_path, monkeypatch):
    """An application with these models as resources, and a few rows."""
    from carboy.base.scope import unscoped
    from carboy.data.db import db
    from carboy.data.models import Model
    from carboy.engine.app import Carboy
    from carboy.policy import plug
    from carboy.policy.book import Rulebook
    from carboy.policy.plug import Guarding
    from carboy.resource.admin.imports import Upload
    from carboy.resource.history import Change
    from carboy.resource.once import Once

    guard = Guarding(Rulebook(models.registry, Model.registry))
    monkeypatch.setitem(plug._guards, True, guard)
    app = Carboy("shop", root_path=str(tmp_path), instance_path=str(tmp_path))
    app.config.update(DATABASE_URL=f"sqlite:///{tmp_path}/shop.db", LOG_LEVEL="critical")
    app.secret_key = "only for tests, and long enough for one"
    app.testing = True
    for model in (models.Author, models.Book, models.Review, models.Draft, models.Sealed):
        app.resource(model)
    app.get("/")(lambda: "home")
    with app.app_context(), unscoped("test"):
        models.base.metadata.create_all(db.engine)
        tables = [one.__table__ for one in (Change, Once, Upload)]
        Model.metadata.create_all(db.engine, tables=tables)
        ada, bob = models.Person(id=1, name="Ada"), models.Person(id=2, name="Bob")
        jane = models.Author(id=1, name="Jane Austen")
        emma = models.Book(id=1, title="Emma", author=jane, price_cents=1090, published=1815,
                           cost_cents=400, secret="s3cret")  # fmt: skip
        db.session.add_all([ada, bob, jane, emma, models.Author(id=2, name="Émile Zola")])
        db.session.flush()
        db.session.add(models.Review(id=1, book=emma, author=ada, stars=5, text="Clever."))
        db.session.add(models.Draft(id=1, title="Mine", keeper=1))
        db.session.commit()
    yield app
    app.batteries["data"].close()


@pytest.fixture
def ask(shop):
    """`ask("get", "/books", user=1, roles={"staff"})`: a request by somebody."""
    from carboy.base.scope import Scope

    def send(method, path, *, user=None, roles=(), **more):
        who = Scope(user=user, roles=frozenset(roles))
        headers = {
            "Accept": "text/html",
            "Sec-Fetch-Site": "same-origin",
            **more.pop("headers", {}),
        }
        client = shop.test_client(use_cookies=False)
        return client.open(path, method=method.upper(), headers=headers,
                           environ_overrides={"carboy.scope": who}, **more)  # fmt: skip

    return send


@pytest.fixture
def rows(shop):
    """`rows(Book)`: all rows there are, whoever may see them."""
    import sqlalchemy as sa

    from carboy.base.scope import unscoped
    from carboy.data.db import db

    def read(model):
        with shop.app_context(), unscoped("test"):
            table = model.__table__
            return [dict(row) for row in db.session.execute(sa.select(table)).mappings()]

    return read
