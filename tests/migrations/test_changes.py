"""One change at a time, there and back, with rows in the tables, on each database."""

import enum
from datetime import datetime
from decimal import Decimal

import pytest
from sqlalchemy import Index, inspect, select, text
from sqlalchemy.orm import Mapped

from carboy.data.constraints import check, unique
from carboy.data.fields import field
from carboy.data.migrations.plan import Said
from carboy.data.migrations.runner import Options, downgrade, upgrade
from carboy.data.migrations.sql import statements
from carboy.data.mixins import now
from carboy.data.relations import belongs_to

UNREVIEWED = Options(review=False)  # what the linter says is tested elsewhere


class Two(enum.Enum):
    A = "a"
    B = "b"


class Three(enum.Enum):
    A = "a"
    B = "b"
    LONG = "longer"


def f(**said):
    """Return what `field` is told."""
    return said


def book(more=None, **fields):
    """Return a declaration of Author and of Book with *fields*: {name: (type, field)}."""

    def declare(Base):
        class Author(Base):
            name: Mapped[str] = field(max_length=50)

        said = {"__annotations__": {}, "__module__": __name__}
        for name, (kind, what) in {"title": (str, f(max_length=100)), **fields}.items():
            said["__annotations__"][name] = Mapped[kind]
            said[name] = field(**what) if isinstance(what, dict) else what()
        type("Book", (Base,), {**said, **(more() if more else {})})

    return declare


def shelf(Base):
    """Declare Book and Shelf, which Book refers to."""

    class Shelf(Base):
        code: Mapped[str] = field(max_length=10, unique=True)

    class Author(Base):
        name: Mapped[str] = field(max_length=50)

    class Book(Base):
        title: Mapped[str] = field(max_length=100)
        shelf: Mapped[Shelf | None] = belongs_to(on_delete="set_null")


def only_one(Base):
    """Declare Book and Shelf, on which there is one Book."""

    class Shelf(Base):
        code: Mapped[str] = field(max_length=10, unique=True)

    class Author(Base):
        name: Mapped[str] = field(max_length=50)

    class Book(Base):
        title: Mapped[str] = field(max_length=100)
        shelf: Mapped[Shelf | None] = belongs_to(on_delete="set_null", unique=True)


TWO = f(default=Two.B)
PRICE = f(ge=Decimal("0.5"), default=Decimal("1.5"))
NO = check("no", lambda c: c.title != "no", "No.")


def both():
    return Index("ix_both", "title", "pages")


CASES = {
    "an optional column": (book(), book(pages=(int | None, f(ge=0)))),
    "a required column with a default": (book(), book(pages=(int, f(default=7)))),
    "a required text with one": (book(), book(lang=(str, f(max_length=2, default="it")))),
    "a required column with one of the server": (book(), book(pages=(int, f(server_default="7")))),
    "a choice": (book(), book(state=(Two, f(default=Two.B)))),
    "a longer choice": (book(state=(Two, TWO)), book(state=(Three, f(default=Three.B)))),
    "an exact number": (book(), book(price=(Decimal, PRICE))),
    "a longer text": (book(), book(title=(str, f(max_length=150)))),
    "a text without end": (book(), book(title=(str, {}))),
    "an optional text": (book(), book(title=(str | None, f(max_length=100)))),
    "a required text": (book(title=(str | None, f(max_length=100))), book()),
    "a default of the server": (book(), book(title=(str, f(max_length=100, server_default="x")))),
    "another default": (
        book(pages=(int, f(server_default="1"))), book(pages=(int, f(server_default="2"))),
    ),
    "an index": (book(), book(title=(str, f(max_length=100, index=True)))),
    "a unique field": (book(), book(title=(str, f(max_length=100, unique=True)))),
    "a bound": (book(pages=(int | None, {})), book(pages=(int | None, f(ge=1, le=9)))),
    "another bound": (book(pages=(int | None, f(ge=1))), book(pages=(int | None, f(ge=0)))),
    "a shortest length": (book(), book(title=(str, f(max_length=100, min_length=2)))),
    "choices": (book(), book(title=(str, f(max_length=100, choices=("Emma", "Ida"))))),
    "a search": (book(), book(title=(str, f(max_length=100, search=True)))),
    "a check": (book(), book(lambda: {"constraints": (NO,)})),
    "two unique together": (
        book(pages=(int | None, {})),
        book(lambda: {"constraints": (unique("title", "pages"),)}, pages=(int | None, {})),
    ),
    "an index over two": (
        book(pages=(int | None, {})),
        book(lambda: {"__table_args__": (both(),)}, pages=(int | None, {})),
    ),
    "a relation and its table": (book(), shelf),
    "one for each": (shelf, only_one),
    "a moment": (book(), book(made=(datetime, f(default=now)))),
    "data": (book(), book(data=(dict, f(default=dict)))),
    "an optional one with a default": (
        book(pages=(int, f(server_default="1", ge=0))),
        book(pages=(int | None, f(server_default="1", ge=0))),
    ),
}  # fmt: skip


QUICK = {"a required column with a default"}


def case(name):
    """Return a case; most are slow, for each rebuilds tables several times."""
    return pytest.param(*CASES[name], id=name, marks=() if name in QUICK else pytest.mark.slow)


@pytest.mark.parametrize("way", ["there", "back"])
@pytest.mark.parametrize(("before", "after"), [*map(case, CASES)])
def test_a_change_is_made_and_taken_back(project, before, after, way):
    """upgrade: the database has what the models say. downgrade: as before. Rows stay."""
    if way == "back":
        before, after = after, before
    target = project.models(before)
    project.write(target)
    upgrade(target)
    with project.engine.begin() as connection:
        fill(connection)
    gone = {
        "books.pages",
        "books.lang",
        "books.state",
        "books.price",
        "books.made",
        "books.data",
        "shelves",
        "books.shelf_id",
    }
    after_target = project.models(after)
    found = project.write(after_target, Said(dropped=gone & wanted(project, after_target)))
    assert found.changes

    upgrade(after_target, options=UNREVIEWED)
    assert project.differs(after_target) == []
    assert titles(project) == ["Emma"]

    downgrade(after_target, "-1")
    left = [words for words in project.differs(target) if not words.endswith("is required")]
    assert left == []
    assert titles(project) == ["Emma"]

    if way == "there":
        upgrade(after_target, options=UNREVIEWED)
        assert project.differs(after_target) == []


def fill(connection):
    """Write one book, whatever columns are required."""
    columns = {column["name"]: column for column in inspect(connection).get_columns("books")}
    known = {
        "title": "'Emma'",
        "pages": "5",
        "lang": "'it'",
        "state": "'b'",
        "price": "100",
        "made": "'2026-05-01 12:00:00'",
        "data": "'{}'",
    }
    values = {name: value for name, value in known.items() if name in columns}
    names, said = ", ".join(values), ", ".join(values.values())
    connection.execute(text(f"INSERT INTO books ({names}) VALUES ({said})"))


def titles(project):
    with project.engine.connect() as connection:
        return list(connection.scalars(text("SELECT title FROM books")))


def wanted(project, target):
    """Return what goes, so that it can be said."""
    from carboy.base.scope import unscoped
    from carboy.data.migrations import plan

    with unscoped("test"), project.engine.connect() as connection:
        found = plan.plan(connection, target.metadata, plan.history_of(target))
    return {c.on for c in found.changes if c.words.endswith(("its values", "its rows"))}


@pytest.mark.slow
def test_a_renamed_column_keeps_its_values(project):
    """With its constraints under their new names, a new length, and back."""
    target = project.models(book(name=(str, f(max_length=20, unique=True, min_length=1))))
    project.write(target)
    upgrade(target)
    with project.engine.begin() as connection:
        connection.execute(text("INSERT INTO books (title, name) VALUES ('Emma', 'e')"))
    after = project.models(book(label=(str, f(max_length=30, unique=True, min_length=1))))
    project.write(after, Said(renamed={"books.name": "label"}))

    upgrade(after, options=UNREVIEWED)
    assert project.differs(after) == []
    with project.engine.connect() as connection:
        assert connection.scalar(text("SELECT label FROM books")) == "e"

    downgrade(after, "-1")
    assert project.differs(target) == []
    with project.engine.connect() as connection:
        assert connection.scalar(text("SELECT name FROM books")) == "e"


@pytest.mark.slow
def test_a_renamed_table_keeps_its_rows(project):
    """With indexes and checks under their new names; what refers to it goes on doing so."""

    def before(Base):
        class Author(Base):
            name: Mapped[str] = field(max_length=50)

        class Book(Base):
            title: Mapped[str] = field(max_length=100, index=True)
            author: Mapped[Author] = belongs_to()

        class Review(Base):
            book: Mapped[Book] = belongs_to(on_delete="cascade")

    def after(Base):
        class Author(Base):
            name: Mapped[str] = field(max_length=50)

        class Work(Base):
            title: Mapped[str] = field(max_length=100, index=True)
            author: Mapped[Author] = belongs_to()

        class Review(Base):
            book: Mapped[Work] = belongs_to(on_delete="cascade")

    target = project.models(before)
    project.write(target)
    upgrade(target)
    with project.engine.begin() as connection:
        for row in (
            "authors (id, name) VALUES (1, 'a')",
            "books (id, title, author_id) VALUES (1, 'Emma', 1)",
            "reviews (book_id) VALUES (1)",
        ):
            connection.execute(text(f"INSERT INTO {row}"))
    target_after = project.models(after)
    project.write(target_after, Said(renamed={"books": "works"}))

    upgrade(target_after, options=UNREVIEWED)
    assert project.differs(target_after) == []
    with project.engine.begin() as connection:
        assert connection.scalar(text("SELECT title FROM works")) == "Emma"
        assert connection.scalar(text("SELECT count(*) FROM reviews")) == 1

    downgrade(target_after, "-1")
    assert project.differs(target) == []
    with project.engine.begin() as connection:
        connection.execute(text("DELETE FROM books"))
        assert connection.scalar(text("SELECT count(*) FROM reviews")) == 0


@pytest.mark.slow
def test_models_that_refer_to_each_other_in_a_circle(project):
    """Foreign keys between two new tables, both ways."""

    def declare(Base):
        class Team(Base):
            name: Mapped[str] = field(max_length=20)
            head: Mapped["Person | None"] = belongs_to(on_delete="set_null")

        class Person(Base):
            name: Mapped[str] = field(max_length=20)
            team: Mapped[Team | None] = belongs_to(on_delete="cascade")

    target = project.models(declare)
    project.write(target)
    upgrade(target)
    assert project.differs(target) == []
    downgrade(target, "base")


def test_a_file_written_on_sqlite_is_right_on_a_server(on_file, on_server, tmp_path):
    """Development on SQLite, production elsewhere: the file says what both need."""
    steps = [
        book(),
        book(price=(Decimal, PRICE), state=(Two, TWO)),
        book(title=(str, f(max_length=120, unique=True)), state=(Three | None, {})),
    ]
    for step in steps:
        target = on_file.models(step)
        on_file.write(target, Said(dropped={"books.price"} if step is steps[-1] else ()))
        upgrade(target, options=UNREVIEWED)
        assert on_file.differs(target) == []
    on_file.engine.dispose()
    on_file.engine = on_server  # the same files, from the first on

    for number, step in enumerate(steps, 1):
        target = on_file.models(step)
        upgrade(target, str(number), UNREVIEWED)
        assert on_file.differs(target) == []
    for number, step in ((2, steps[1]), (1, steps[0])):
        downgrade(on_file.models(step), str(number))
        left = on_file.differs(on_file.models(step))
        assert [words for words in left if not words.endswith("is required")] == []


def test_an_exact_number_keeps_its_value_with_other_places(project):
    """Also on SQLite, where it is a whole number, scaled, and its column looks as before."""

    def price(places, **more):
        return book(price=(Decimal | None, f(digits=10, places=places, ge=Decimal("0.5"), **more)))

    before = project.models(price(2))
    project.write(before)
    upgrade(before)
    with project.engine.begin() as connection:
        connection.execute(before.metadata.tables["books"].insert(), {"title": "e", "price": 7})
    after = project.models(price(3))
    found = project.write(after)
    assert [c.words for c in found.changes if "decimal" in c.words] == [
        "books.price is decimal(10, 3) instead of decimal(10, 2)"
    ]

    upgrade(after, options=UNREVIEWED)
    column = after.metadata.tables["books"].c
    with project.engine.connect() as connection:
        assert connection.scalar(select(column.price)) == Decimal("7.000")
    assert project.differs(after) == []
    assert project.write(after).changes == []

    downgrade(after, "-1")
    column = before.metadata.tables["books"].c
    with project.engine.connect() as connection:
        assert connection.scalar(select(column.price)) == Decimal("7.00")


def test_the_statements_can_be_printed(project):
    """What `upgrade --sql` says has every change in it, and nothing is done."""
    before = project.models(book(pages=(int | None, {})))
    project.write(before)
    upgrade(before)
    more = {"pages": (int, f(default=1)), "title": (str, f(max_length=120, unique=True, ge="a"))}
    after = project.models(book(**more))
    project.write(after)
    first, second = project.folder.all()

    said = statements(project.engine, [first], [second])

    text = "\n".join(said)
    assert said[0].startswith("-- 0002")
    assert said[-1].startswith("INSERT INTO carboy_migrations")
    for part in ("uq_books_title", "ck_books_title_ge", "120", "UPDATE books"):
        assert part in text, text
    if project.engine.dialect.name != "mariadb":  # it has to know the whole column
        assert "looks first" not in text
    assert project.differs(after) != []
