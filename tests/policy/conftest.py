"""A small library: people, notebooks that are shared, notes in them, on each database."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from sqlalchemy import ForeignKey, orm
from sqlalchemy.orm import Mapped, mapped_column, relationship

from carboy.base.scope import unscoped
from carboy.policy.book import Rulebook
from carboy.policy.filters import install
from carboy.policy.policies import Field, Policy
from carboy.policy.rules import everyone, nobody, owner, related, role, signed_in, where

# The helpers (oracle_*.py) are ordinary modules, which tests here import by name.
sys.path.insert(0, str(Path(__file__).resolve().parent))


def pytest_generate_tests(metafunc):
    """Run the tests of a module that says `EVERYWHERE = True` on each database."""
    if getattr(metafunc.module, "EVERYWHERE", False) and "engine" in metafunc.fixturenames:
        from oracle_databases import KINDS  # here: the path is set by this module

        metafunc.parametrize("engine", KINDS, indirect=True)


def models():
    """Return a namespace of freshly mapped classes."""

    class Base(orm.DeclarativeBase):
        type_annotation_map = {str: sa.String(50)}

    class Person(Base):
        __tablename__ = "person"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]
        policy = Policy(read=everyone, update=owner("id"))

    tagging = sa.Table(
        "tagging",
        Base.metadata,
        sa.Column("book_id", ForeignKey("book.id"), primary_key=True),
        sa.Column("tag_id", ForeignKey("tag.id"), primary_key=True),
    )

    class Book(Base):
        __tablename__ = "book"
        id: Mapped[int] = mapped_column(primary_key=True)
        title: Mapped[str]
        price: Mapped[int | None]
        public: Mapped[bool] = mapped_column(default=False)
        author_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
        author: Mapped[Person | None] = relationship()
        notes: Mapped[list["Note"]] = relationship(back_populates="book")
        tags: Mapped[list["Tag"]] = relationship(secondary=tagging, back_populates="books")
        policy = Policy(
            read=owner("author") | where(public.column) | role("staff"),
            create=signed_in & owner("author"),
            write=owner("author") | role("staff"),
            fields={"price": Field(read=owner("author") | role("staff"), write=role("staff"))},
        )

    class Note(Base):
        __tablename__ = "note"
        id: Mapped[int] = mapped_column(primary_key=True)
        text: Mapped[str]
        book_id: Mapped[int | None] = mapped_column(ForeignKey("book.id"))
        book: Mapped[Book | None] = relationship(back_populates="notes")
        policy = Policy(read=related("book"), write=related("book", owner("author")))

    class Tag(Base):
        __tablename__ = "tag"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(unique=True)
        books: Mapped[list[Book]] = relationship(secondary=tagging, back_populates="tags")
        policy = Policy(read=where(lambda tag: tag.name != "secret"), write=nobody)

    class Locked(Base):
        __tablename__ = "locked"
        id: Mapped[int] = mapped_column(primary_key=True)

    return SimpleNamespace(**{k: v for k, v in locals().items() if k != "self"})


def fill(engine, m):
    """Books 1 and 2 are of person 1 (2 is public), 3 of person 2, 4 of nobody."""
    m.Base.metadata.create_all(engine)
    rows = {
        m.Person: [{"id": 1, "name": "Ada"}, {"id": 2, "name": "Bob"}],
        m.Book: [
            {"id": 1, "title": "mine", "price": 10, "public": False, "author_id": 1},
            {"id": 2, "title": "open", "price": 20, "public": True, "author_id": 1},
            {"id": 3, "title": "his", "price": 30, "public": False, "author_id": 2},
            {"id": 4, "title": "lost", "price": 40, "public": True, "author_id": None},
        ],
        m.Note: [{"id": n, "text": f"n{n}", "book_id": n} for n in (1, 2, 3, 4)],
        m.Tag: [{"id": 1, "name": "red"}, {"id": 2, "name": "secret"}],
        m.tagging: [
            {"book_id": 1, "tag_id": 1},
            {"book_id": 1, "tag_id": 2},
            {"book_id": 3, "tag_id": 1},
        ],
        m.Locked: [{"id": 1}],
    }
    with engine.begin() as connection:
        for table, values in rows.items():
            connection.execute(sa.insert(table), values)
        if engine.dialect.name == "postgresql":  # its sequences have not seen those keys
            for name in ("person", "book", "note", "tag", "locked"):
                connection.execute(sa.func.setval(f"{name}_id_seq", 100).select())


@pytest.fixture
def policy_examples():
    """How many random examples to try: CARBOY_POLICY_EXAMPLES, for the long run."""
    return int(os.environ.get("CARBOY_POLICY_EXAMPLES", "30"))


@pytest.fixture
def m():
    """The classes, with their rulebook."""
    found = models()
    found.rulebook = Rulebook(found.Base.registry)
    yield found
    found.Base.registry.dispose()  # what is left of it must not be configured with others


@pytest.fixture
def engine(m, request):
    """A filled database with the policy compiled in: SQLite, or each of them."""
    from oracle_databases import address, emptied

    engine = emptied(address(request, getattr(request, "param", "sqlite")))
    install(engine, m.rulebook)
    with unscoped("fixture"):
        fill(engine, m)
    yield engine
    engine.dispose()


@pytest.fixture
def plain(m):
    """The same without any policy, on SQLite: the naive way."""
    from oracle_databases import emptied

    engine = emptied("sqlite://")
    fill(engine, m)
    yield engine
    engine.dispose()


@pytest.fixture
def session(m, engine):
    """A session under the policy."""
    from carboy.policy.session import PolicySession

    class Session(PolicySession):
        book = m.rulebook

    with Session(engine) as found:
        yield found
