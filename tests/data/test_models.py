"""Models: said once, and true in the database, at flush and in what is known."""

import enum
import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, insert, inspect, select, update
from sqlalchemy.orm import Mapped, configure_mappers

from carboy.base import clock
from carboy.base.errors import RequestFault, SetupError
from carboy.data.constraints import check, constraint_message, unique
from carboy.data.faults import ConstraintFault, ValueFault
from carboy.data.fields import UNSET, field, providers
from carboy.data.mixins import Timestamps, Versioned
from carboy.data.relations import belongs_to, has_many, many_to_many
from carboy.data.session import Outdated
from carboy.data.validity import InvalidRow


class State(enum.Enum):
    DRAFT = "draft"
    DONE = "done"


@pytest.fixture
def everything(base):
    class Thing(base):
        name: Mapped[str] = field(max_length=30)
        text: Mapped[str | None]
        count: Mapped[int | None]
        ratio: Mapped[float | None]
        price: Mapped[Decimal | None] = field(digits=12, places=2)
        on: Mapped[bool | None]
        at: Mapped[datetime | None]
        day: Mapped[date | None]
        hour: Mapped[time | None]
        token: Mapped[uuid.UUID | None]
        state: Mapped[State | None]
        meta: Mapped[dict[str, Any] | None]
        tags: Mapped[list[str] | None]
        blob: Mapped[bytes | None]

    return Thing


VALUES = {
    "name": "Ä €𝄞 'x' \"y\" %s :z ",
    "text": "long " * 20_000,
    "count": 2**63 - 1,
    "ratio": 0.1,
    "price": Decimal("9999999999.99"),
    "on": True,
    "at": datetime(2026, 5, 1, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2))),
    "day": date(2026, 5, 1),
    "hour": time(23, 59, 59, 999999),
    "token": uuid.UUID(int=7),
    "state": State.DONE,
    "meta": {"a": [1, None, "ü"], "b": {"c": 1.5}},
    "tags": ["x", "y"],
    "blob": bytes(range(256)) * 400,
}


def test_every_type_comes_back_as_it_went_in(everything, session):
    """The same value and the same Python type, on every database."""
    db = session()
    db.add(everything(**VALUES))
    db.commit()
    db.expunge_all()
    row = db.scalars(select(everything)).one()
    found = {name: getattr(row, name) for name in VALUES}
    assert found == VALUES
    assert found["at"].tzinfo is UTC
    assert {n: type(v) for n, v in found.items() if n not in ("meta", "tags")} == {
        n: type(v) for n, v in VALUES.items() if n not in ("meta", "tags")
    }


def test_every_value_is_found_by_itself(everything, session):
    """Equality means the same in SQL as in Python."""
    db = session()
    db.add(everything(**VALUES))
    db.commit()
    for name in VALUES.keys() - {"meta", "tags", "text", "blob"}:
        column = getattr(everything, name)
        assert db.scalar(select(func.count()).where(column == VALUES[name])) == 1, name


def test_strings_compare_by_code_point(everything, session):
    """Case, accents and trailing spaces count; the order is the same everywhere."""
    db = session()
    names = ["a", "B", "a ", "Z", "z", "ä", "_", "A"]
    db.add_all(everything(name=name) for name in names)
    db.commit()
    assert db.scalars(select(everything.name).order_by(everything.name)).all() == sorted(names)
    assert db.scalar(select(func.count()).where(everything.name == "a")) == 1


def test_money_is_exact_in_sql_too(everything, session):
    """Summing, comparing, adding and multiplying do not go through floats."""
    db = session()
    db.add_all(everything(name="x", price=Decimal("0.10")) for _ in range(30))
    db.commit()
    price = everything.price
    assert db.scalar(select(func.sum(price))) == Decimal("3.00")
    assert db.scalar(select(func.count()).where(price + Decimal("0.20") == Decimal("0.30"))) == 30
    assert db.scalar(select(price * 3).limit(1)) == Decimal("0.30")


def test_changes_inside_json_are_noticed(everything, session):
    """A key set in a loaded dictionary is written."""
    db = session()
    db.add(everything(name="x", meta={"a": 1}, tags=["x"]))
    db.commit()
    row = db.scalars(select(everything)).one()
    row.meta["a"] = 2
    row.tags.append("y")
    db.commit()
    db.expunge_all()
    row = db.scalars(select(everything)).one()
    assert (row.meta, row.tags) == ({"a": 2}, ["x", "y"])


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        pytest.param("name", None, "required", id="missing"),
        pytest.param("name", "x" * 31, "max_length", id="over-long"),
        pytest.param("name", "a\0b", "type", id="NUL"),
        pytest.param("name", "\ud800", "type", id="lone surrogate"),
        pytest.param("name", 7, "type", id="number for text"),
        pytest.param("count", "7", "type", id="text for number"),
        pytest.param("count", True, "type", id="true for number"),
        pytest.param("count", 2**63, "type", id="beyond 64 bits"),
        pytest.param("ratio", float("nan"), "type", id="NaN"),
        pytest.param("ratio", float("inf"), "type", id="infinity"),
        pytest.param("ratio", 10**400, "type", id="number beyond floats"),
        pytest.param("price", Decimal("0.005"), "type", id="too many places"),
        pytest.param("price", Decimal("1e11"), "type", id="too many digits"),
        pytest.param("price", Decimal("NaN"), "type", id="decimal NaN"),
        pytest.param("price", 0.5, "type", id="float for money"),
        pytest.param("on", 1, "type", id="number for true"),
        pytest.param("at", datetime(2026, 5, 1), "type", id="moment without zone"),
        pytest.param("at", date(2026, 5, 1), "type", id="date for moment"),
        pytest.param("day", datetime(2026, 5, 1, tzinfo=UTC), "type", id="moment for date"),
        pytest.param("hour", time(1, tzinfo=UTC), "type", id="time with zone"),
        pytest.param("token", "7", "type", id="text for UUID"),
        pytest.param("state", "done", "choice", id="text for a choice"),
        pytest.param("meta", {"a": float("nan")}, "type", id="NaN in JSON"),
        pytest.param("meta", {"a": "\0"}, "type", id="NUL in JSON"),
        pytest.param("meta", {"a": object()}, "type", id="object in JSON"),
        pytest.param("blob", "x", "type", id="text for bytes"),
    ],
)
def test_a_wrong_value_is_refused_before_it_is_written(everything, session, name, value, rule):
    """With the field, its rule and a sentence; the same on every database."""
    db = session()
    db.add(everything(**{"name": "x", name: value}))
    with pytest.raises(InvalidRow) as caught:
        db.commit()
    assert [(e["loc"], e["type"]) for e in caught.value.errors] == [([name], rule)]
    assert caught.value.status == 422
    db.rollback()
    assert db.scalar(select(func.count()).select_from(everything)) == 0


def test_a_change_is_checked_as_a_new_row_is(everything, session):
    """Only what was changed: a row from before a rule can still be used."""
    db = session()
    db.execute(insert(everything.__table__).values(name="x", count=1))
    row = db.scalars(select(everything)).one()
    row.count = "2"
    with pytest.raises(InvalidRow, match="Count must be a whole number"):
        db.flush()
    db.rollback()


def test_what_was_not_changed_is_not_checked(base, session):
    """A rule that came later does not lock old rows."""

    class Word(base):
        text: Mapped[str] = field(pattern="[a-z]+", max_length=9)
        uses: Mapped[int] = field(default=0)

    db = session()
    db.execute(insert(Word.__table__).values(text="OLD"))
    word = db.scalars(select(Word)).one()
    word.uses = 5
    db.commit()
    word.text = "NEW"
    with pytest.raises(InvalidRow, match="right form"):
        db.commit()


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"count": 2**63}, id="beyond 64 bits"),
        pytest.param({"price": Decimal("0.005")}, id="too many places"),
        pytest.param({"at": datetime(2026, 5, 1)}, id="moment without zone"),
        pytest.param({"at": datetime.max.replace(tzinfo=timezone(-timedelta(hours=1)))}, id="late"),
        pytest.param({"name": "\ud800"}, id="lone surrogate"),
    ],
)
def test_what_goes_around_the_flush_is_refused_by_the_column(everything, session, values):
    """A bulk INSERT skips check_row; a value that does not fit is still the client's fault."""
    db = session()
    with pytest.raises(ValueFault) as caught:
        db.execute(insert(everything.__table__).values(**{"name": "x", **values}))
    assert caught.value.status == 422
    db.rollback()
    assert db.scalar(select(func.count()).select_from(everything)) == 0


def test_an_overlong_text_is_refused_by_every_database(everything, session):
    """By its type, or where a type has no length, by a check."""
    db = session()
    with pytest.raises(RequestFault) as caught:
        db.execute(insert(everything.__table__).values(name="x" * 31))
    assert caught.value.status == 422
    db.rollback()
    db.execute(insert(everything.__table__).values(name="€" * 30))


@pytest.fixture
def shop(base):
    class Author(base):
        name: Mapped[str] = field(max_length=40, unique=True)
        books: Mapped[list["Book"]] = has_many(by="author")

    class Tag(base):
        word: Mapped[str] = field(max_length=20)
        books: Mapped[list["Book"]] = many_to_many()

    class Book(base):
        author: Mapped["Author"] = belongs_to()
        editor: Mapped["Author | None"] = belongs_to(on_delete="set_null")
        sequel_of: Mapped["Book | None"] = belongs_to()
        title: Mapped[str] = field(max_length=50, min_length=2, pattern=r"[A-ZÄ].*")
        price: Mapped[int] = field(ge=0, le=1000, unit="cents")
        size: Mapped[str] = field(max_length=1, choices=["S", ("L", "Large")], default="S")
        pages: Mapped[list["Page"]] = has_many()
        tags: Mapped[list["Tag"]] = many_to_many()
        constraints = (
            unique("author", "title", message="This author has a book of that title."),
            check("bargain", lambda c: (c.size == "S") | (c.price > 9), "Large ones cost more."),
        )

    class Page(base):
        book: Mapped["Book"] = belongs_to(on_delete="cascade")
        number: Mapped[int]

    return Author, Book, Tag, Page


def test_the_two_sides_of_a_relation_know_of_each_other(shop, session):
    """Keys, indexes, cascades and the table between are there without a word about them."""
    Author, Book, Tag, Page = shop
    db = session()
    book = Book(title="Emma", price=5, author=Author(name="Jane"), tags=[Tag(word="classic")])
    book.pages.append(Page(number=1))
    sequel = Book(title="Emma 2", price=5, author=book.author, sequel_of=book)
    db.add_all([book, sequel])
    db.commit()
    assert book.author.books == [book, sequel]
    assert book.tags[0].books == [book]
    assert sequel.sequel_of_id == book.id
    indexed = {tuple(i["column_names"]) for i in inspect(db.get_bind()).get_indexes("books")}
    assert {("author_id",), ("editor_id",), ("sequel_of_id",)} <= indexed


def test_deleting_follows_on_delete(shop, session):
    """cascade takes rows along, set_null lets go, restrict refuses with a sentence."""
    Author, Book, _, Page = shop
    db = session()
    jane, ed = Author(name="Jane"), Author(name="Ed")
    book = Book(title="Emma", price=5, author=jane, editor=ed, pages=[Page(number=1)])
    db.add(book)
    db.commit()
    db.delete(ed)
    db.commit()
    assert book.editor is None
    db.delete(jane)
    with pytest.raises(ConstraintFault) as caught:
        db.commit()
    assert caught.value.kind == "in_use"
    db.rollback()
    assert len(book.pages) == 1  # loaded: the session must not let go of them instead
    db.delete(book)
    db.commit()
    assert db.scalar(select(func.count()).select_from(Page)) == 0
    db.delete(jane)
    db.commit()


@pytest.mark.parametrize(
    ("values", "field_name", "rule"),
    [
        pytest.param({"title": "E"}, "title", "min_length", id="min_length"),
        pytest.param({"title": "emma"}, "title", "pattern", id="pattern"),
        pytest.param({"price": -1}, "price", "ge", id="ge"),
        pytest.param({"price": 1001}, "price", "le", id="le"),
        pytest.param({"size": "M"}, "size", "choice", id="choices"),
        pytest.param({"author": None}, "author_id", "required", id="relation"),
    ],
)
def test_each_rule_of_a_field_holds_at_flush(shop, session, values, field_name, rule):
    """With its name; several at once are all told."""
    Author, Book, *_ = shop
    db = session()
    db.add(Book(**{"title": "Emma", "price": 5, "author": Author(name="J"), **values}))
    with pytest.raises(InvalidRow) as caught:
        db.flush()
    assert [(e["loc"], e["type"]) for e in caught.value.errors] == [([field_name], rule)]


def test_all_broken_rules_are_told_at_once(shop, session):
    """Nobody mends a form one error at a time."""
    _, Book, *_ = shop
    db = session()
    db.add(Book(title="e" * 51, price=-1))
    with pytest.raises(InvalidRow) as caught:
        db.flush()
    assert [e["loc"][0] for e in caught.value.errors] == ["title", "price", "author_id"]
    assert "Price must be at least 0 cents." in str(caught.value)


@pytest.mark.parametrize(
    ("values", "kind", "message", "fields"),
    [
        pytest.param({"price": -1}, "check", "Price must be at least 0 cents.", ["price"], id="ge"),
        pytest.param(
            {"size": "M", "price": 50}, "check", "Size must be one of S, Large.", ["size"], id="in"
        ),
        pytest.param(
            {"title": "E"}, "check", "Title must have at least 2 characters.", ["title"], id="min"
        ),
        pytest.param(
            {"size": "L", "price": 9}, "check", "Large ones cost more.", [], id="check()"
        ),
        pytest.param(
            {"title": "Emma"}, "unique", "This author has a book of that title.",
            ["author", "title"], id="unique()",
        ),
        pytest.param({"title": None}, "required", "Title is needed.", ["title"], id="NOT NULL"),
    ],
)  # fmt: skip
def test_the_database_says_the_same_sentence(shop, session, values, kind, message, fields):
    """A statement that skips the flush meets the same rules, in the same words."""
    Author, Book, *_ = shop
    db = session()
    book = Book(title="Emma", price=5, author=Author(name="Jane"))
    db.add(book)
    db.commit()
    row = {"title": "Other", "price": 5, "size": "S", "author_id": book.author_id, **values}
    with pytest.raises(ConstraintFault) as caught:
        db.execute(insert(Book.__table__).values(**row))
    error = caught.value
    assert (error.kind, error.message) == (kind, message)
    assert [e["loc"][0] for e in error.errors] == fields
    db.rollback()
    assert db.scalar(select(func.count()).select_from(Book)) == 1


def test_a_text_is_measured_in_characters(shop, session):
    """Two umlauts are two characters in the database, too."""
    Author, Book, *_ = shop
    db = session()
    db.add(Book(title="Äh", price=5, author=Author(name="ü" * 40)))
    db.commit()
    assert db.scalar(select(Author.name)) == "ü" * 40


def test_a_message_can_be_asked_for_by_name(shop):
    """For those who catch the driver's own error."""
    assert constraint_message("uq_authors_name") == "Name is taken already."
    assert constraint_message("nothing") == ""


def test_facts_tell_what_is_known(shop):
    """Forms, APIs and policies read this, and nothing else."""
    _, Book, *_ = shop
    facts = Book.facts()
    assert facts.fields["price"].unit == "cents"
    assert facts.fields["price"].required
    assert facts.fields["size"].default == "S"
    assert not facts.fields["size"].required
    assert facts.fields["author_id"].relation == "author"
    assert facts.fields["author_id"].target == "Author"
    assert facts.fields["editor_id"].optional
    assert facts.fields["title"].default is UNSET
    assert list(facts.links) == ["author", "editor", "sequel_of", "pages", "tags"]
    assert {c.name for c in facts.constraints} >= {"uq_books_author_id_title", "ck_books_bargain"}


@pytest.fixture
def page(base):
    class Page(Timestamps, Versioned, base):
        text: Mapped[str]

    return Page


def test_timestamps_are_kept(page, session, monkeypatch):
    """created_at stays, updated_at follows each change."""
    db = session()
    monkeypatch.setattr(clock, "now_s", lambda: 1_000_000.0)
    row = page(text="a")
    db.add(row)
    db.commit()
    monkeypatch.setattr(clock, "now_s", lambda: 2_000_000.0)
    row.text = "b"
    db.commit()
    assert (row.created_at.timestamp(), row.updated_at.timestamp()) == (1_000_000.0, 2_000_000.0)


def test_mixed_in_columns_come_last(page):
    """A table reads as its model does."""
    assert list(page.facts().fields) == ["id", "text", "created_at", "updated_at", "version"]


def test_a_repr_runs_no_sql_and_shows_no_field(page, session):
    """It ends in logs, at moments when nothing can be loaded any more."""
    db = session()
    row = page(text="secret")
    assert repr(row) == "<Page >"
    db.add(row)
    db.commit()
    key = row.id
    db.expire_all()
    db.expunge_all()
    assert repr(row) == f"<Page {key}>"


def test_an_sql_expression_is_left_to_the_database(shop, session):
    """Assigning one is no wrong type; its outcome meets the constraint."""
    Author, Book, *_ = shop
    db = session()
    book = Book(title="Emma", price=999, author=Author(name="J"))
    db.add(book)
    db.commit()
    book.price = Book.price + 1
    db.commit()
    book.price = Book.price + 1
    with pytest.raises(ConstraintFault, match="at most 1000"):
        db.commit()


@pytest.mark.parametrize("act", ["update", "delete"])
def test_a_change_to_an_outdated_row_is_refused(page, session, act):
    """Neither overwritten nor deleted: 409, and the session goes on."""
    db = session()
    db.add(page(text="a"))
    db.commit()
    row = db.scalars(select(page)).one()
    db.connection().execute(update(page.__table__).values(version=5, text="theirs"))
    if act == "update":
        row.text = "mine"
    else:
        db.delete(row)
    with pytest.raises(Outdated) as caught:
        db.flush()
    assert caught.value.status == 409
    db.rollback()
    assert db.scalars(select(page)).one().text == "a"


def test_an_id_is_never_given_twice(page, session):
    """A link to a deleted row must not lead to somebody else's."""
    db = session()
    first = page(text="a")
    db.add(first)
    db.commit()
    key = first.id
    db.delete(first)
    db.commit()
    db.add(page(text="b"))
    db.commit()
    assert db.scalars(select(page)).one().id > key


def test_a_key_of_ones_own_replaces_the_id(base, session):
    """field(key=True) is all it takes."""

    class Country(base):
        code: Mapped[str] = field(max_length=2, key=True)
        cities: Mapped[list["City"]] = has_many()

    class City(base):
        country: Mapped["Country"] = belongs_to()

    db = session()
    db.add(City(country=Country(code="ch")))
    db.commit()
    assert db.scalars(select(City)).one().country_id == "ch"
    assert not hasattr(Country, "id")


def test_a_provider_fills_a_default_at_each_insert(base, session, monkeypatch):
    """belongs_to(default="current_user") asks whoever registered that name."""
    monkeypatch.delitem(providers, "current_user", raising=False)  # policies register it

    class User(base):
        pass

    class Note(base):
        author: Mapped["User"] = belongs_to(default="current_user")

    db = session()
    user = User()
    db.add(user)
    db.flush()
    db.add(Note())
    with pytest.raises(SetupError, match="current_user"):
        db.flush()
    db.rollback()
    db.add(user := User())
    db.flush()
    monkeypatch.setitem(providers, "current_user", lambda: user.id)
    note = Note()
    db.add(note)
    db.commit()
    assert note.author is user


def test_one_table_for_two_classes(base, session):
    """Single-table inheritance: the child's fields are added, nothing is said twice."""

    class Vehicle(base):
        kind: Mapped[str] = field(max_length=10)
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "vehicle"}

    class Car(Vehicle):
        doors: Mapped[int | None] = field(ge=1)
        __mapper_args__ = {"polymorphic_identity": "car"}

    db = session()
    db.add(Car(doors=0))
    with pytest.raises(InvalidRow, match="Doors"):
        db.flush()
    db.rollback()
    db.add(Car(doors=5))
    db.commit()
    assert db.scalars(select(Vehicle)).one().doors == 5
    assert list(Car.facts().fields) == ["id", "kind", "doors"]


def define_shared_default(base):
    field(default=[])


def define_crossed_bounds(base):
    field(ge=2, le=1)


def define_bad_pattern(base):
    field(pattern="(")


def define_unbounded_unique(base):
    class Word(base):
        text: Mapped[str] = field(unique=True)


def define_unknown_field(base):
    class Word(base):
        constraints = (unique("txt"),)


def define_lonely_has_many(base):
    class Word(base):
        letters: Mapped[list["Letter"]] = has_many()

    class Letter(base):
        pass

    configure_mappers()


def define_ambiguous_has_many(base):
    class Word(base):
        letters: Mapped[list["Letter"]] = has_many()

    class Letter(base):
        first: Mapped["Word"] = belongs_to()
        last: Mapped["Word"] = belongs_to()

    configure_mappers()


def define_never_null(base):
    class Word(base):
        pass

    class Letter(base):
        word: Mapped["Word"] = belongs_to(on_delete="set_null")


def define_nameless_relation(base):
    class Letter(base):
        word = belongs_to()


@pytest.mark.parametrize(
    ("define", "words"),
    [
        (define_shared_default, "default=list"),
        (define_crossed_bounds, "ge=2 is more than le=1"),
        (define_bad_pattern, "no regular expression"),
        (define_unbounded_unique, "max_length"),
        (define_unknown_field, "'txt', which is no field"),
        (define_lonely_has_many, "word: Mapped\\[Word\\] = belongs_to"),
        (define_ambiguous_has_many, "has_many\\(by='first'\\)"),
        (define_never_null, "Mapped\\[Word \\| None\\]"),
        (define_nameless_relation, "does not say to which model"),
    ],
)
def test_a_wrong_definition_says_what_to_write(base, define, words):
    """At the definition, or when mappers are configured; never at the first query."""
    with pytest.raises(SetupError, match=words):
        define(base)


def test_a_relation_that_hides_a_function_says_so(base):
    """`owner` inside of a class with a relation `owner` is the relation, not the rule."""
    with pytest.raises(SetupError, match=r"owner as owned_by(.|\n)*\[data.shadowed\]"):

        class Boat(base):
            owner: Mapped["Boat"] = belongs_to()
            policy = owner("owner")
