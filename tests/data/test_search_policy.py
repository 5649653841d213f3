"""Search under a policy: only visible rows are found, and the words are closed to everybody."""

import pytest
from sqlalchemy import column, func, insert, literal_column, select, table, text
from sqlalchemy.orm import Mapped, Session

from carboy.base.errors import SetupError
from carboy.base.scope import scope, unscoped
from carboy.data.engines import engine_for
from carboy.data.fields import field
from carboy.data.filters import filters
from carboy.data.fulltext.common import SHADOWS
from carboy.data.keyset import keyset
from carboy.data.orders import order_of
from carboy.data.relations import belongs_to
from carboy.data.search import existing, search, wanted
from carboy.policy.book import Rulebook
from carboy.policy.errors import Refused
from carboy.policy.filters import install
from carboy.policy.policies import Field, Policy
from carboy.policy.rules import everyone, owner, role
from carboy.policy.session import PolicySession


@pytest.fixture
def library(base, database):
    """Books of two people, each of whom sees their own."""

    class Person(base):
        name: Mapped[str] = field(max_length=20)
        policy = Policy(read=owner("id"))

    class Book(base):
        title: Mapped[str] = field(max_length=80, search=True)
        note: Mapped[str] = field(max_length=80, default="")
        year: Mapped[int | None]
        author: Mapped[Person] = belongs_to()
        policy = Policy(
            read=owner("author"), write=owner("author"), fields={"note": Field(role("staff"))}
        )

    Book.Person = Person
    engine = engine_for(database.url)
    install(engine, Rulebook(base.registry))
    with unscoped("test"):
        base.metadata.create_all(engine)
        with engine.begin() as connection:
            connection.execute(insert(Person), [{"id": 1, "name": "Ada"}, {"id": 2, "name": "Bob"}])
            books = [
                {"title": f"Secret {n}", "note": "n", "year": n or None, "author_id": n % 2 + 1}
                for n in range(10)
            ]
            connection.execute(insert(Book), books)
    yield engine, Book
    with unscoped("test"):
        base.metadata.drop_all(engine)
    engine.dispose()


def session_on(engine):
    made = type("Session", (PolicySession,), {"book": engine.dialect.statement_compiler.book})
    return made(engine)


def test_only_visible_rows_are_found(library):
    """By the same statement, whoever asks; in pages, too."""
    engine, book = library
    found = search(book, "secr*")
    wanted = select(book.id).where(*found.where()).order_by(found.best(), book.id)
    for user, expected in ((1, [1, 3, 5, 7, 9]), (2, [2, 4, 6, 8, 10]), (3, [])):
        with scope(user=user), session_on(engine) as opened:
            assert sorted(opened.scalars(wanted)) == expected
            assert opened.scalar(
                select(func.count()).select_from(book).where(*found.where())
            ) == len(expected)
            cursor, met = None, []
            while True:
                page = keyset(
                    opened, select(book).where(*found.where()), ("-year",), size=2, cursor=cursor
                )
                met += [row.id for row in page]
                if not (cursor := page.next):
                    break
            assert sorted(met) == expected


def test_filters_see_only_visible_rows(library):
    """Also at the other end of a relation: a hidden author is nobody."""
    engine, book = library
    asked = filters(book, "title", "author.name").parse({"author.name": "Bob"})
    for user, expected in ((1, []), (2, [2, 4, 6, 8, 10])):
        with scope(user=user), session_on(engine) as opened:
            assert sorted(opened.scalars(select(book.id).where(*asked.where()))) == expected


@pytest.mark.parametrize("name", ["books_search", "BOOKS_SEARCH"])
def test_the_words_are_closed(library, name):
    """To text, to tables made on the spot, to literal columns, in and outside of a scope."""
    engine, book = library
    ways = (
        text(f"SELECT * FROM {name}"),
        select(column("title")).select_from(table(name, column("title"))),
        select(literal_column(f"(SELECT title FROM {name})")),
        select(book.id).where(book.id.in_(select(table(name, column("rowid")).c.rowid))),
        select(book.id).where(text(f"id IN (SELECT rowid FROM {name})")),
    )
    for way in ways:
        with scope(user=1), engine.connect() as connection, pytest.raises(Refused):
            connection.execute(way)
    with scope(user=1), engine.connect() as connection, pytest.raises(Refused):
        connection.exec_driver_sql(f"SELECT * FROM {name}")


def test_what_fts5_keeps_beside_is_closed_too(library):
    """Its own tables hold the words as well."""
    engine, _ = library
    for shadow in SHADOWS:
        with scope(user=1), engine.connect() as connection, pytest.raises(Refused):
            connection.execute(text(f"SELECT * FROM books_search_{shadow}"))


def test_the_system_keeps_them(library):
    """Migrations look at them, make and drop them."""
    engine, book = library
    with unscoped("test"), engine.connect() as connection:
        assert existing(connection) == wanted(book.metadata)


def test_the_one_who_writes_needs_no_more(library):
    """Triggers write the words; the policy of the row decides."""
    engine, book = library
    with scope(user=1), session_on(engine) as opened:
        opened.get(book, 1).title = "Changed"
        opened.commit()
        found = select(book.id).where(*search(book, "changed").where())
        assert list(opened.scalars(found)) == [1]
    with scope(user=2), session_on(engine) as opened:
        assert list(opened.scalars(found)) == []


def test_fields_with_a_rule_are_no_oracle(library):
    """Not to sort, to filter or to search by, for nobody."""
    _, book = library
    for ask in (lambda: order_of(book, ("note",)), lambda: filters(book, "note")):
        with pytest.raises(SetupError, match="a rule for that field"):
            ask()


def test_a_searched_field_with_a_rule(base):
    """The words would tell what the rule hides."""

    class Diary(base):
        text: Mapped[str] = field(max_length=80, search=True)
        policy = Policy(read=everyone, fields={"text": Field(role("staff"))})

    with pytest.raises(SetupError, match="a rule for that field"):
        search(Diary, "x")


def test_it_can_fail(library):
    """Without the policy, the same statement finds all of them."""
    engine, book = library
    plain = engine_for(engine.url)
    with Session(plain) as opened:
        found = select(book.id).where(*search(book, "secret").where())
        assert len(list(opened.scalars(found))) == 10
    plain.dispose()
