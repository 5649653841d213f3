"""Search: the same rows on every database, kept in step with what is written."""

import sqlite3
import uuid

import pytest
from sqlalchemy import ForeignKey, delete, insert, select, text, update
from sqlalchemy.orm import Mapped, aliased, mapped_column

from carboy.base.errors import RequestFault, SetupError
from carboy.data.db import db
from carboy.data.faults import DatabaseDown
from carboy.data.fields import field
from carboy.data.fulltext import trust
from carboy.data.fulltext.common import search_name
from carboy.data.keyset import keyset
from carboy.data.relations import belongs_to
from carboy.data.search import create_sql, drop_sql, existing, names, search, wanted


@pytest.fixture
def book(base):
    class Book(base):
        title: Mapped[str] = field(max_length=200, search=True)
        author: Mapped[str | None] = field(max_length=200, search=True)
        year: Mapped[int | None]

    return Book


@pytest.fixture
def others(base):
    class Paper(base):
        id: Mapped[uuid.UUID] = field(key=True, default=uuid.uuid4)
        title: Mapped[str] = field(search=True)

    class Part(base):
        book: Mapped[int] = field(key=True)
        id: Mapped[str] = field(key=True, max_length=10)
        title: Mapped[str] = field(search=True)

    return Paper, Part


def library(book):
    return [
        book(title="Émile, or on Education", author="Rousseau"),
        book(title="Emma", author="Jane Austen"),
        book(title="Pride and Prejudice", author="Jane Austen"),
        book(title="The man from A to Z: a/b.txt, x_y and 1984", author=None),
        book(title="E\u0301tude, C'est la vie; naïve—café", author="Čapek"),
        book(title="Jane", author="Emma Someone"),
    ]


HITS = [
    ("emile", [1]), ("ÉMILE", [1]), ("Émile", [1]), ("étude", [5]), ("etude", [5]), ("capek", [5]),
    ("naive cafe", [5]), ("cafe", [5]), ("est", [5]), ("jane aus*", [2, 3]), ("aus* jane", [2, 3]),
    ("jane", [2, 3, 6]), ("jane emma", [2, 6]), ('"jane austen"', [2, 3]), ('"austen jane"', []),
    ('"emma jane"', []), ('"pride and" austen', [3]), ("pri* prej*", [3]), ("pri", []),
    ("pride nothing", []), ("and", [3, 4]), ("a", [4]), ("to", [4]), ("the", [4]), ("z", [4]),
    ("on", [1]), ("o*", [1]), ("b", [4]), ("txt", [4]), ("a/b.txt", [4]), ("b.txt", [4]),
    ("x_y", [4]), ("198*", [4]), ("1984", [4]), ('"from a to z"', [4]), ("", [1, 2, 3, 4, 5, 6]),
    ("  \t ", [1, 2, 3, 4, 5, 6]), ("?!", [1, 2, 3, 4, 5, 6]), ("*", [1, 2, 3, 4, 5, 6]),
    ("austen -emma", [2]), ("jane OR emma", []), ("NOT jane", []), ("title:emma", []),
    ("pride & prejudice", [3]), ("pride <-> prejudice", [3]), ("(pride", [3]), ("pride'", [3]),
    ("emma\0", [2, 6]), ("\u202eemma", [2, 6]), ("\ud800 emma", [2, 6]), ("%", [1, 2, 3, 4, 5, 6]),
    ('emma"', [2, 6]), ("émile*", [1]), ("q" * 100, []), ("q" * 100 + "*", []),
]  # fmt: skip


def hits(opened, book, words):
    return list(
        opened.scalars(select(book.id).where(*search(book, words).where()).order_by(book.id))
    )


def test_the_same_rows_everywhere(session, book):
    """Words, beginnings, phrases, accents; all other signs only separate."""
    opened = session()
    opened.add_all(library(book))
    opened.commit()
    for words, expected in HITS:
        assert hits(opened, book, words) == expected, words


@pytest.mark.parametrize(
    "words", ["x" * 201, "a " * 17 + "b c", " ".join(f"w{n}" for n in range(17))]
)
def test_too_much(book, words):
    """400, before anything is asked. The same word again is no other word."""
    if len({*words.split()}) <= 16 and len(words) <= 200:
        assert search(book, words).query
        return
    with pytest.raises(RequestFault) as caught:
        search(book, words)
    assert (caught.value.status, caught.value.code) == (400, "data.search")


def test_the_best_first(session, book, database):
    """The first of the fields weighs more, where a database can tell."""
    opened = session()
    opened.add_all(library(book))
    opened.commit()
    found = search(book, "jane")
    order = select(book.id).where(*found.where()).order_by(found.best(), book.id)
    assert sorted(opened.scalars(order)) == [2, 3, 6]
    if database.engine.dialect.name in ("sqlite", "postgresql"):
        assert next(iter(opened.scalars(order))) == 6
    nothing = search(book, "")
    assert list(opened.scalars(select(book.id).order_by(nothing.best()))) == [1, 2, 3, 4, 5, 6]


def test_with_aliases_pages_and_readings(database, base, book):
    """A search is a condition like others."""
    with db.connect(database.url):
        db.create_all(metadata=base.metadata)
        db.session.add_all(library(book))
        db.session.commit()
        other, found = aliased(book), search(book, "jane")
        ids = select(other.id).where(*found.where(other)).order_by(found.best(other), other.id)
        assert sorted(db.session.scalars(ids)) == [2, 3, 6]
        page = keyset(db.session, select(book).where(*found.where()), ("-title",), size=2)
        assert [row.id for row in page] == [3, 6]
        reading = book.read("id", order=("id",))
        assert [row.id for row in reading.rows(found.clause)] == [2, 3, 6]
        assert [row.id for row in reading.rows(search(book, "pride").clause)] == [3]
        assert [row.id for row in reading.rows(search(book, "").clause)] == [1, 2, 3, 4, 5, 6]
        db.session.close()
        db.drop_all(metadata=base.metadata)


class TestInStep:
    def test_every_way_of_writing(self, session, book):
        """Insert, update, delete, in bulk and by SQL; and what is undone was never there."""
        opened = session()
        opened.add_all(library(book))
        opened.commit()
        opened.get(book, 2).title = "Persuasion"
        opened.delete(opened.get(book, 3))
        opened.commit()
        assert hits(opened, book, "austen") == [2]
        assert hits(opened, book, "persuasion") == [2]
        assert hits(opened, book, "prejudice") == []
        opened.execute(update(book).where(book.id == 2).values(author=None, year=3))
        opened.execute(insert(book), [{"title": "Sanditon"}, {"title": "Lady Susan"}])
        opened.execute(delete(book).where(book.title == "Jane"))
        opened.commit()
        assert hits(opened, book, "austen") == []
        assert hits(opened, book, "sanditon") == [7]
        assert hits(opened, book, "jane") == []
        opened.execute(text("UPDATE books SET title = 'Emma again', id = 70 WHERE id = 7"))
        opened.commit()
        assert hits(opened, book, "again") == [70]
        assert hits(opened, book, "sanditon") == []

    def test_what_is_undone_was_never_there(self, session, book):
        """A rollback and one to a savepoint."""
        opened = session()
        opened.add_all(library(book))
        opened.commit()
        opened.get(book, 1).title = "Gone"
        opened.add(book(title="Gone too"))
        opened.delete(opened.get(book, 2))
        opened.flush()
        opened.rollback()
        assert hits(opened, book, "gone") == []
        assert hits(opened, book, "emma") == [2, 6]
        opened.add(book(title="Stays"))
        opened.flush()
        with opened.begin_nested() as nested:
            opened.add(book(title="Leaves"))
            opened.flush()
            nested.rollback()
        opened.commit()
        assert len(hits(opened, book, "stays")) == 1
        assert hits(opened, book, "leaves") == []

    def test_other_keys(self, session, others):
        """A UUID, and two columns; also when a key changes."""
        paper, part = others
        opened = session()
        opened.add_all([paper(title="Émile one"), paper(title="two")])
        opened.add_all([part(book=1, id=i, title=t) for i, t in (("x", "Émile"), ("y", "Zoe"))])
        opened.commit()

        def titles(model, words):
            found = search(model, words)
            wanted = select(model.title).where(*found.where()).order_by(found.best(), model.title)
            return sorted(opened.scalars(wanted))

        assert titles(paper, "emile") == ["Émile one"]
        assert titles(part, "emile") == ["Émile"]
        opened.execute(update(paper).where(paper.title == "two").values(title="emile two"))
        opened.execute(update(part).where(part.id == "y").values(id="z", title="Émile Z"))
        opened.execute(delete(part).where(part.id == "x"))
        opened.execute(delete(paper).where(paper.title == "Émile one"))
        opened.commit()
        assert titles(paper, "emile") == ["emile two"]
        assert titles(part, "emile") == ["Émile Z"]

    def test_a_cascade_of_the_database(self, session, base, book):
        """Rows that go with another leave no words, though no trigger may run for them."""

        class Chapter(base):
            book: Mapped["Book"] = belongs_to(  # noqa: F821  # a class of the fixture
                on_delete="cascade"
            )
            title: Mapped[str] = field(max_length=50, search=True)

        opened = session()
        one, other = library(book)[:2]
        opened.add_all([Chapter(book=one, title="first"), Chapter(book=other, title="first")])
        opened.commit()
        opened.execute(delete(book).where(book.id == one.id))
        opened.commit()
        assert hits(opened, Chapter, "first") == [2]
        left = search_name(Chapter.__table__.name)
        if opened.get_bind(Chapter).dialect.name == "mariadb":
            assert opened.execute(text(f"SELECT count(*) FROM {left}")).scalar() == 1


class TestKept:
    def test_made_and_dropped_with_the_tables(self, database, base, book, others):
        """create_all twice, and drop_all, leave nothing behind."""
        base.metadata.create_all(database.engine)
        base.metadata.create_all(database.engine)
        assert wanted(base.metadata) == {
            "books": ("title", "author"), "papers": ("title",), "parts": ("title",),
        }  # fmt: skip
        with database.engine.connect() as connection:
            assert existing(connection) == wanted(base.metadata)
        base.metadata.drop_all(database.engine)
        with database.engine.connect() as connection:
            assert existing(connection) == {}
            if database.engine.dialect.name == "sqlite":
                left = "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite!_%' ESCAPE '!'"
                assert connection.exec_driver_sql(left).all() == []

    def run(self, engine, statements):
        """Run statements as a migration does: as text, one by one."""
        with engine.begin() as connection:
            for sql in statements:
                assert not {":", "%"} & set(sql)
                connection.execute(text(sql))

    def test_made_for_rows_that_are_there(self, database, base, book, others):
        """By a migration: filled in, made again, changed, dropped."""
        engine = database.engine
        base.metadata.create_all(engine)
        kind = engine.dialect.name
        for table in base.metadata.sorted_tables:
            self.run(engine, drop_sql(table.name, ("title",), kind))
        with engine.connect() as connection:
            assert existing(connection) == {}
        paper, part = others
        with engine.begin() as connection:
            connection.execute(insert(book), [{"title": "Émile"}, {"title": "Emma"}])
            connection.execute(insert(paper), [{"title": "Émile"}, {"title": "Emma"}])
            connection.execute(insert(part), [{"book": 1, "id": "x", "title": "Émile"}])
        for columns in (("title",), ("title", "author", "language=english"), ("title", "author")):
            self.run(engine, create_sql(book.__table__, columns, kind))
            with engine.connect() as connection:
                assert existing(connection) == {"books": columns}
        for model in others:
            self.run(engine, create_sql(model.__table__, ("title",), kind))
        with engine.connect() as connection:
            assert existing(connection) == wanted(base.metadata)
            for model in (book, *others):
                found = select(model.title).where(*search(model, "emile").where())
                assert connection.execute(found).scalars().all() == ["Émile"]
        base.metadata.drop_all(engine)

    def test_half_of_it_is_none_of_it(self, database, base, book):
        """After SQLite's table rebuild, say: then it is made anew."""
        base.metadata.create_all(database.engine)
        kind = database.engine.dialect.name
        if kind == "postgresql":
            pytest.skip("an index is there or not")
        with database.engine.begin() as connection:
            connection.exec_driver_sql("DROP TRIGGER books_search_update")
            assert existing(connection) == {}
        self.run(database.engine, create_sql(book.__table__, ("title", "author"), kind))
        with database.engine.connect() as connection:
            assert existing(connection) == wanted(base.metadata)
        base.metadata.drop_all(database.engine)

    def test_a_language(self, session, base):
        """PostgreSQL then finds other forms of a word; nobody else minds."""

        class Buch(base):
            __tablename__ = "buch"
            __table_args__ = ({"info": {"search_language": "german"}},)
            titel: Mapped[str] = field(max_length=50, search=True)

        opened = session()
        opened.add(Buch(titel="Alte Bücher"))
        opened.commit()
        assert wanted(base.metadata) == {"buch": ("titel", "language=german")}
        with opened.get_bind(Buch).connect() as connection:
            assert existing(connection) == wanted(base.metadata)
        assert hits(opened, Buch, "bücher") == [1]
        if opened.get_bind(Buch).dialect.name == "postgresql":
            assert hits(opened, Buch, "buch") == [1]

    def test_an_index_answers(self, session, book):
        """PostgreSQL takes the index, although the expression is long."""
        opened = session()
        if opened.get_bind(book).dialect.name != "postgresql":
            pytest.skip("the others ask the index itself")
        opened.add_all(library(book))
        opened.commit()
        opened.execute(text("SET LOCAL enable_seqscan = off"))
        found = select(book.id).where(*search(book, "jane aus*").where())
        plans = []
        statement = found.compile(opened.get_bind(book))
        cursor = opened.connection().connection.cursor()
        cursor.execute("EXPLAIN " + str(statement), statement.construct_params() | {
            name: value.text("postgresql") for name, value in statement.params.items()
        })  # fmt: skip
        plans = " ".join(map(str, cursor.fetchall()))
        cursor.close()
        assert "ix_books_search" in plans

    def test_names_of_search(self):
        """What a comparison of models with a database must leave alone."""
        assert {"books_search", "books_search_keys", "ix_books_search"} <= names("books")


@pytest.mark.skipif(not trust.needed(), reason="this SQLite trusts FTS5 by itself")
class TestTrust:
    def test_only_files_with_a_search(self, tmp_path, base, book):
        """A file somebody handed us calls no functions."""
        from carboy.data.engines import engine_for

        plain, ours = (
            engine_for(f"sqlite:///{tmp_path}/a.db"),
            engine_for(f"sqlite:///{tmp_path}/b.db"),
        )
        base.metadata.create_all(ours)
        for engine, expected in ((plain, 0), (ours, 1)):
            with engine.connect() as connection:
                found = connection.exec_driver_sql("PRAGMA trusted_schema").scalar()
                assert found == expected
            engine.dispose()
        again = engine_for(f"sqlite:///{tmp_path}/b.db")
        with again.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA trusted_schema").scalar() == 1
        again.dispose()

    def test_made_by_another_process(self, tmp_path, base, book):
        """One 503; then the file is opened anew, and everything works."""
        from carboy.data.engines import engine_for

        url = f"sqlite:///{tmp_path}/c.db"
        ours, other = engine_for(url), engine_for(url)
        book.__table__.create(ours)
        drop = drop_sql("books", ("title", "author"), "sqlite")
        with ours.begin() as connection:
            for sql in drop:
                connection.exec_driver_sql(sql)
        ours.dispose()
        again = engine_for(url)
        with again.connect() as connection:
            connection.execute(select(book.id)).all()
        with other.begin() as connection:
            for sql in create_sql(book.__table__, ("title", "author"), "sqlite"):
                connection.exec_driver_sql(sql)
        with pytest.raises(DatabaseDown, match="search was made"), again.begin() as connection:
            connection.execute(insert(book), {"title": "x"})
        with again.begin() as connection:
            connection.execute(insert(book), {"title": "Emma"})
            found = select(book.title).where(*search(book, "emma").where())
            assert connection.execute(found).scalars().all() == ["Emma"]
        again.dispose()
        other.dispose()


class TestRefused:
    def test_fields_that_cannot_be_searched(self, base):
        """Said when the tables are made, or the search is asked."""

        class Number(base):
            whole: Mapped[int] = field(search=True)

        class Ranked(base):
            rank: Mapped[str] = field(search=True)

        class Quiet(base):
            word: Mapped[str]

        for model in (Number, Ranked, Quiet):
            with pytest.raises(SetupError) as caught:
                search(model, "x")
            assert caught.value.code == "data.searched"
        base.metadata.remove(Ranked.__table__)
        with pytest.raises(SetupError, match="holds no text"):
            wanted(base.metadata)

    def test_fields_that_are_not_for_everybody(self, base):
        """Words would be found out one by one."""

        class Secret(base):
            word: Mapped[str] = field(search=True, api="hidden")

        with pytest.raises(SetupError, match="searched by 'word'"):
            search(Secret, "x")

    def test_a_name_that_is_taken(self, base):
        """By a table of the program's own."""

        class Book(base):
            title: Mapped[str] = field(search=True)

        class Mine(base):
            __tablename__ = "books_search"

        with pytest.raises(SetupError, match="'books_search', which is a table's"):
            wanted(base.metadata)

    def test_a_strange_language(self, base):
        """It gets into SQL; so it is a name or nothing."""

        class Book(base):
            __table_args__ = ({"info": {"search_language": "x'); DROP TABLE books; --"}},)
            title: Mapped[str] = field(search=True)

        with pytest.raises(SetupError, match="language"):
            wanted(base.metadata)


def test_names_are_quoted(session, base):
    """A table and columns called as nobody should call them."""

    class Odd(base):
        __tablename__ = "odd \"'`table"
        word: Mapped[str] = mapped_column("a \"'`b", info=field(search=True).column.info)
        next: Mapped[int | None] = mapped_column(ForeignKey("odd \"'`table.id"))

    opened = session()
    opened.add(Odd(word="Émile"))
    opened.commit()
    assert hits(opened, Odd, "emile") == [1]
    opened.execute(update(Odd).values(word="Zoe"))
    opened.commit()
    assert hits(opened, Odd, "emile") == []
    with opened.get_bind(Odd).connect() as connection:
        assert existing(connection) == {"odd \"'`table": ("a \"'`b",)}
    opened.close()
    base.metadata.drop_all(opened.get_bind(Odd))


def test_sqlite_has_what_is_needed():
    """FTS5 is part of every Python we run on."""
    connection = sqlite3.connect(":memory:")
    connection.execute(
        "CREATE VIRTUAL TABLE t USING fts5(w, tokenize='unicode61 remove_diacritics 2')"
    )
    connection.close()
