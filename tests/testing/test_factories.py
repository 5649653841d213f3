"""Rows for a test: what it does not say is made up, and keeps every rule."""

import enum
import re
import uuid
from datetime import UTC, date, datetime, time
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings, strategies as st
from sqlalchemy import MetaData
from sqlalchemy.orm import Mapped, registry

from carboy.base.errors import SetupError
from carboy.data.constraints import check, unique
from carboy.data.db import db
from carboy.data.fields import Field, field
from carboy.data.models import CONVENTION, Model
from carboy.data.relations import belongs_to, has_many, many_to_many
from carboy.data.validity import InvalidRow, broken_rule
from carboy.testing.factories import Make
from carboy.testing.patterns import example
from carboy.testing.values import value_for


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@pytest.fixture(scope="module")
def m():
    """Models with every kind of field, and relations of each kind."""
    metadata = MetaData(naming_convention=CONVENTION)
    own = registry(metadata=metadata)

    class Base(Model):
        __abstract__ = True
        registry = own
        _sa_registry = own

    Base.metadata = metadata

    class Author(Base):
        name: Mapped[str] = field(max_length=20)
        email: Mapped[str] = field(max_length=40, unique=True)
        books: Mapped[list["Book"]] = has_many(by="author")

    class Tag(Base):
        word: Mapped[str] = field(max_length=3, unique=True)

    class Book(Base):
        title: Mapped[str] = field(max_length=30)
        author: Mapped[Author] = belongs_to()
        editor: Mapped[Author | None] = belongs_to()
        tags: Mapped[list[Tag]] = many_to_many()
        constraints = (unique("title", "author"),)

    class Kinds(Base):
        flag: Mapped[bool]
        whole: Mapped[int] = field(ge=3, le=900, unique=True)
        number: Mapped[float] = field(ge=0.5)
        money: Mapped[Decimal] = field(digits=6, places=2, ge=Decimal("0.01"))
        moment: Mapped[datetime]
        until: Mapped[datetime]
        day: Mapped[date]
        at: Mapped[time]
        colour: Mapped[Colour]
        size: Mapped[str] = field(max_length=1, choices=("S", "M", "L"))
        token: Mapped[uuid.UUID]
        raw: Mapped[bytes]
        more: Mapped[dict]
        items: Mapped[list] = field()
        code: Mapped[str] = field(max_length=9, pattern=r"[A-Z]{2}-\d{3,6}")
        long: Mapped[str] = field(max_length=60, min_length=40)
        short: Mapped[str] = field(max_length=1)
        maybe: Mapped[str | None] = field(max_length=9)
        constraints = (check("order", lambda c: c.until > c.moment, "It ends before it starts."),)

    class Egg(Base):
        layer: Mapped["Egg"] = belongs_to()

    class Clever(Base):
        code: Mapped[str] = field(max_length=9, pattern=r"(?=x)(?!xy).(?<=x)Q")

    class Span(Base):
        low: Mapped[int]
        high: Mapped[int]
        constraints = (check("order", lambda c: c.high > c.low, "High must be above low."),)

    yield type("Models", (), {**locals(), "metadata": metadata})
    own.dispose()


@pytest.fixture
def make(m):
    """Return a factory on a new database."""
    with db.connect("sqlite://"):
        db.create_all(metadata=m.metadata)
        yield Make("test")


def test_every_kind_of_field_is_filled(m, make):
    """By values that differ from row to row and keep all rules, those of the database too."""
    rows = make(m.Kinds, 5)
    assert [row.whole for row in rows] == [3, 4, 5, 6, 7]
    assert [row.size for row in rows] == ["S", "M", "L", "S", "M"]
    assert all(re.fullmatch(r"[A-Z]{2}-\d{3,6}", row.code) for row in rows)
    assert rows[0].money == Decimal("0.01")
    assert rows[0].until > rows[0].moment
    assert rows[0].maybe is None
    assert len(rows[0].long) >= 40


def test_the_same_test_gets_the_same_rows(m):
    """In each run, whatever ran before."""

    def some(seed):
        made = Make(seed)
        return [(row.code, row.token) for row in (made.build(m.Kinds), made.build(m.Kinds))]

    assert some("a") == some("a") != some("b")


def test_what_is_said_counts(m, make):
    """Values, functions of the number, rows, rows described by their fields."""
    jane = make(m.Author, name="Jane")
    emma = make(m.Book, title="Emma", author=jane)
    others = make(m.Book, 2, title=lambda number: f"No. {number}", author__name="Bob")
    assert (emma.author, emma.editor) == (jane, None)
    assert [(one.title, one.author.name) for one in others] == [("No. 2", "Bob"), ("No. 3", "Bob")]
    assert make(m.Book, author_id=jane.id).author is jane
    assert make(m.Book, editor__name="Ed").editor.name == "Ed"


def test_relations_to_many_are_counted(m, make):
    """A number makes so many."""
    assert len(make(m.Book, tags=2).tags) == 2
    author = make(m.Author, books=3)
    assert [book.author for book in author.books] == [author] * 3
    tag = make(m.Tag)
    assert make(m.Book, tags=[tag]).tags == [tag]


def test_build_saves_nothing(m, make):
    """Neither the row nor what it refers to."""
    book = make.build(m.Book)
    assert book.author.name
    assert db.session.scalars(db.select(m.Author)).all() == []
    assert book.id is None


def test_defaults_and_traits(m, make):
    """For values that a project always wants, and for names for sets of them."""
    make.default(m.Author, name="Anon")
    make.trait(m.Author, "famous", name="Jane", books=1)
    assert make(m.Author).name == "Anon"
    assert make(m.Author, famous=False).name == "Anon"
    jane = make(m.Author, famous=True)
    assert (jane.name, len(jane.books)) == ("Jane", 1)
    assert make(m.Author, famous=True, name="Ada").name == "Ada"


@pytest.mark.parametrize(
    ("act", "code", "words"),
    [
        (lambda make, m: make(m.Author, nmae="x"), "testing.unknown", "has no 'nmae'"),
        (lambda make, m: make(m.Egg), "testing.circle", "Egg needs Egg needs Egg"),
        (lambda make, m: make(m.Clever), "testing.value", "knows no value for 'code'"),
        (lambda make, m: make(m.Span), "testing.constraint", "High must be above low."),
        (
            lambda make, m: make.trait(m.Author, "name", email="x"),
            "testing.trait",
            "a field 'name'",
        ),
    ],
    ids=["unknown", "circle", "clever", "constraint", "trait"],
)
def test_what_cannot_be_made_is_said(m, make, act, code, words):
    """With what to give, and the session is usable afterwards."""
    with pytest.raises(SetupError, match=words) as failure:
        act(make, m)
    assert failure.value.code == code
    assert make(m.Author).id


def test_a_wrong_value_is_told_by_the_models_own_rules(m, make):
    """As anywhere else."""
    with pytest.raises(InvalidRow, match="Word must have at most 3 characters"):
        make(m.Tag, word="long")
    assert make(m.Tag, word="new").word == "new"


def test_after_many_rows_values_are_still_new(m, make):
    """Also where there is room for three characters only."""
    assert len({tag.word for tag in make(m.Tag, 200)}) == 200


MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
FIELDS = st.one_of(
    st.builds(
        lambda low, more, unique: {
            "kind": "integer",
            "ge": low,
            "le": low + more,
            "unique": unique,
        },
        st.integers(-(10**6), 10**6),
        st.integers(10, 10**6),
        st.booleans(),
    ),
    st.builds(
        lambda least, more: {"kind": "text", "min_length": least, "max_length": least + more},
        st.integers(0, 50),
        st.integers(2, 50),
    ),
    st.builds(
        lambda places, digits, low: {
            "kind": "decimal",
            "places": places,
            "digits": places + digits,
            "ge": low,
        },
        st.integers(0, 4),
        st.integers(2, 8),
        st.none() | st.integers(-50, 50).map(Decimal),
    ),
    st.builds(lambda low: {"kind": "number", "ge": low}, st.none() | st.floats(-1e6, 1e6)),
    st.builds(lambda high: {"kind": "datetime", "le": high}, MOMENTS),
)


@settings(max_examples=100, deadline=None)
@given(said=FIELDS, number=st.integers(1, 9))
def test_values_keep_the_rules(said, number):
    """Of any field."""
    one = Field(name="x", column="x", python=object, optional=False, label="Field", **said)
    assert broken_rule(one, value_for("M", one, number, Random(1))) == ""


PATTERNS = [
    r"[a-z]+",
    r"\d{3}-\d{4}",
    r"(yes|no)",
    r"[^@ ]+@[^@ ]+\.[a-z]{2,3}",
    r"^\w+(?: \w+)*$",
    r"97[89]-\d{10}",
    r"#[0-9a-fA-F]{6}",
    r"(?P<a>x?)y*?z",
    r"[\w.-]+\s\S\D",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_have_examples(pattern):
    """Whatever the dice say."""
    for seed in range(20):
        assert re.fullmatch(pattern, example(pattern, Random(seed)))


@pytest.mark.parametrize("pattern", [r"(a)\1", r"(?=x)y", r"(?<!a)b"])
def test_clever_patterns_are_given_up(pattern):
    """Or an example is found by luck, that matches."""
    found = example(pattern, Random(1))
    assert found is None or re.fullmatch(pattern, found)
