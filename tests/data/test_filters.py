"""Filters: what each parameter means, the same on every database; and what is refused."""

import enum
import uuid
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Mapped, aliased
from werkzeug.datastructures import MultiDict

from carboy.base.errors import RequestFault, SetupError
from carboy.data.db import db
from carboy.data.fields import field
from carboy.data.filters import MOST, OPERATORS, OTHERS, filters
from carboy.data.relations import belongs_to, has_many, many_to_many


class Colour(enum.Enum):
    RED = "r"
    BLUE = "b"


class Size(enum.Enum):
    SMALL = 1
    LARGE = 2


@pytest.fixture
def book(base):
    class Author(base):
        name: Mapped[str] = field(max_length=50)
        books: Mapped[list["Book"]] = has_many()

    class Tag(base):
        word: Mapped[str] = field(max_length=50)

    class Book(base):
        title: Mapped[str] = field(max_length=50)
        price: Mapped[Decimal] = field(ge=0, digits=8, places=2)
        year: Mapped[int | None] = field(ge=-800, le=2100)
        share: Mapped[float | None]
        out_at: Mapped[datetime | None]
        day: Mapped[date | None]
        at: Mapped[time | None]
        uid: Mapped[uuid.UUID | None]
        colour: Mapped[Colour]
        size: Mapped[Size]
        sold: Mapped[bool] = field(default=False)
        cost: Mapped[int | None] = field(api="hidden")
        blob: Mapped[bytes | None]
        author: Mapped[Author] = belongs_to()
        tags: Mapped[list[Tag]] = many_to_many()

    Book.Author, Book.Tag = Author, Tag
    return Book


NAMES = (
    "title", "price", "year", "share", "out_at", "day", "at", "uid", "colour", "size", "sold",
    "author", "author.name", "tags.word",
)  # fmt: skip
UID = "12345678-1234-5678-1234-567812345678"


def library(book):
    jane, emile = book.Author(name="Jane"), book.Author(name="Émile")
    one, other = book.Tag(word="novel"), book.Tag(word="50%_*")
    return [
        book(
            title="Emma_1%!", price=Decimal(5), year=1815, share=0.1, colour=Colour.RED,
            size=Size.SMALL, out_at=datetime(2020, 1, 1, tzinfo=UTC), day=date(2020, 1, 1),
            at=time(12, 30), uid=uuid.UUID(UID), author=jane, tags=[one, other], sold=True,
        ),
        book(title="emMa*[a]?", price=Decimal("7.5"), colour=Colour.BLUE, size=Size.LARGE,
             author=emile),
        book(title="Émile", price=Decimal("0.01"), year=-800, colour=Colour.RED, size=Size.LARGE,
             author=emile, tags=[one]),
    ]  # fmt: skip


MEANINGS = [
    ({}, [1, 2, 3]),
    ({"title": "Émile"}, [3]), ({"title": "émile"}, []), ({"title": "Emile"}, []),
    ({"title.eq": "Émile"}, [3]), ({"title.ne": "Émile"}, [1, 2]),
    ({"title.in": 'Émile,"a,b",Emma_1%!'}, [1, 3]), ({"title.in": '"a ""b"""'}, []),
    ({"title.contains": "mma"}, [1]), ({"title.contains": "mMa"}, [2]),
    ({"title.contains": "_1%"}, [1]), ({"title.contains": "*["}, [2]),
    ({"title.contains": "%"}, [1]), ({"title.contains": "_"}, [1]), ({"title.contains": "?"}, [2]),
    ({"title.contains": "!"}, [1]), ({"title.contains": "]"}, [2]), ({"title.contains": "\\"}, []),
    ({"title.startswith": "em"}, [2]), ({"title.startswith": "É"}, [3]),
    ({"title.startswith": "%"}, []), ({"title.lt": "Z"}, [1]), ({"title.ge": "e"}, [2, 3]),
    ({"price": "5"}, [1]), ({"price": "5.00"}, [1]), ({"price.ge": "5", "price.lt": "7.50"}, [1]),
    ({"price.between": "0.01,5"}, [1, 3]), ({"price.in": "7.5,7.50"}, [2]),
    ({"year": "1815"}, [1]), ({"year.le": "1814"}, [3]), ({"year.gt": "-800"}, [1]),
    ({"year.null": "true"}, [2]), ({"year.null": "0"}, [1, 3]),
    ({"year.ne": "1815"}, [2, 3]), ({"year.in": "1815,-800,3,4"}, [1, 3]),
    ({"share": "0.1"}, [1]), ({"share.lt": "1e-1"}, []), ({"share.le": "1E2"}, [1]),
    ({"out_at": "2020-01-01T02:00:00+02:00"}, [1]), ({"out_at.lt": "2020-01-01T00:00:00Z"}, []),
    ({"out_at.ge": "2020-01-01T01:00:00 01:00"}, [1]),
    ({"out_at.gt": "0001-01-01T00:00:00Z"}, [1]),
    ({"out_at.lt": "9999-12-31T23:59:59.999999Z"}, [1]),
    ({"day": "2020-01-01"}, [1]), ({"day.gt": "0001-01-01"}, [1]), ({"day.le": "9999-12-31"}, [1]),
    ({"at.le": "12:30"}, [1]), ({"at.gt": "12:29:59.999999"}, [1]),
    ({"uid": UID}, [1]), ({"uid": UID.replace("-", "").upper()}, [1]), ({"uid.ne": UID}, [2, 3]),
    ({"colour": "r"}, [1, 3]), ({"colour.in": "r,b"}, [1, 2, 3]), ({"size": "LARGE"}, [2, 3]),
    ({"sold": "true"}, [1]), ({"sold": "0"}, [2, 3]), ({"sold.ne": "1"}, [2, 3]),
    ({"author": "1"}, [1]), ({"author.ne": "1"}, [2, 3]), ({"author.in": "1,2"}, [1, 2, 3]),
    ({"author.name": "Émile"}, [2, 3]), ({"author.name.contains": "an"}, [1]),
    ({"tags.word": "novel"}, [1, 3]), ({"tags.word.startswith": "50%_*"}, [1]),
    ({"tags.word.in": "novel,50%_*"}, [1, 3]), ({"tags.word.ne": "novel"}, [1]),
    ({"title": "", "year": "", "colour": ""}, [1, 2, 3]),
    ({"cursor": "x", "page": "1", "per_page": "2", "q": "y", "sort": "z"}, [1, 2, 3]),
]  # fmt: skip


def test_what_each_parameter_means(session, book):
    """The same rows on every database, of a model and of an alias of it."""
    opened = session()
    opened.add_all(library(book))
    opened.commit()
    allowed = filters(book, *NAMES)
    other = aliased(book)
    for asked, expected in MEANINGS:
        found = allowed.parse(asked)
        for entity in (book, other):
            wanted = select(entity.id).where(*found.where(entity)).order_by(entity.id)
            assert list(opened.scalars(wanted)) == expected, asked
    assert {name.rpartition(".")[2] for asked, _ in MEANINGS for name in asked} >= {
        one for all_of in OPERATORS.values() for one in all_of
    } - {"eq"}


def test_readings_take_the_same_conditions(database, base, book):
    """Compiled once for each form; with relations, too."""
    with db.connect(database.url):
        db.create_all(metadata=base.metadata)
        db.session.add_all(library(book))
        db.session.commit()
        allowed, reading = filters(book, *NAMES), book.read("id", order=("id",))
        for asked, expected in MEANINGS:
            assert [row.id for row in reading.rows(*allowed.parse(asked))] == expected, asked


def test_equal_questions_have_equal_forms(book):
    """So that their SQL is compiled once; a list of seven is one of ten."""
    allowed = filters(book, "year", "title", "author.name")
    forms = [[clause.form for clause in allowed.parse(asked)] for asked in (
        {"year.in": "1,2,3,4,5,6,7"}, {"year.in": "9,8,7,6,5,4"}, {"year.ge": "1"},
        {"year.ge": "2"},
    )]  # fmt: skip
    assert forms[0] == forms[1]
    assert forms[2] == forms[3] != forms[0]


def wrong(book, asked, status, *names):
    with pytest.raises(RequestFault) as caught:
        filters(book, *NAMES).parse(asked)
    fault = caught.value
    assert (fault.status, fault.code) == (status, "data.filter")
    assert [tuple(error["loc"]) for error in fault.errors] == [("query", name) for name in names]
    return fault


VALUES = {
    "year": ["x", "1.0", "1e3", "", "10" * 200, str(2**63), "١", "0x1", "1_0", "2101", "-801", " 1",
             "NaN", "null", "1;DROP TABLE books", "\0"],
    "price": ["NaN", "Infinity", "1e400", "-0.01", "1.555", "9" * 30, "1,5", "٣", ".5", "5."],
    "share": ["nan", "inf", "1e999", "-1e999", "0x1p3", "1e9999"],
    "out_at": ["2020-01-01", "2020-01-01T00:00:00", "2020-13-01T00:00:00Z", "10000-01-01T00:00:00Z",
               "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "now", "2020-W01-1T00:00Z",
               "0000-01-01T00:00:00Z", "2020-01-01T25:00:00Z"],
    "day": ["2020-02-30", "0000-01-01", "20200101", "2020-1-1", "today", "99999-01-01"],
    "at": ["24:00", "12:30+01:00", "noon", "12", "12:60"],
    "uid": ["x", "{" + UID + "}", "urn:uuid:" + UID, UID[:-1]],
    "colour": ["RED", "R", "x", "0"], "size": ["1", "small"],
    "sold": ["yes", "TRUE", "2", "on"],
    "title": ["a" * 51, "a\0b", "\ud800"], "title.contains": ["a" * 51, "\0"],
    "author": ["x", str(2**63), "1.0"], "author.name": ["a" * 51],
    "year.null": ["yes", "2"], "year.between": ["1", "1,2,3", "1,x"],
    "year.in": ["1,x", ",", '"1', ",".join(["1"] * 51)], "title.in": ['"a" b', "a" * 1001],
}  # fmt: skip


def test_values_that_cannot_be(book):
    """422 with the sentence of the field; nothing reaches the database."""
    for name, values in VALUES.items():
        for value in filter(None, values):
            fault = wrong(book, {name: value}, 422, name)
            assert fault.errors[0]["msg"], value


def test_the_sentences_are_those_of_the_fields(book):
    """The same as in a form."""
    fault = wrong(book, {"price": "-1", "title": "a" * 60, "colour": "x"}, 422,
                  "price", "title", "colour")  # fmt: skip
    assert [error["msg"] for error in fault.errors] == [
        "Price must be at least 0.", "Title must have at most 50 characters.",
        "Colour must be one of Red, Blue. Written here: r, b.",
    ]  # fmt: skip


UNKNOWN = ["nope", "cost", "id", "title.", ".title", "title.eq.eq", "author.id", "author.name.name",
    "author_id", "title__eq", "__class__", "title; DROP TABLE books", "tags", "title.nope",
    "sold.ge", "price.contains", "title.null", "colour.lt", "\0", "x" * 500]  # fmt: skip


def test_names_and_operators_that_are_not_allowed(book):
    """400, with those that are."""
    for name in UNKNOWN:
        shown = "".join(sign if sign.isprintable() else "?" for sign in name[:80])
        fault = wrong(book, {name: "1"}, 400, shown)
        assert "Known are:" in fault.errors[0]["msg"]


def test_everything_at_once(book):
    """Each parameter that is wrong, and the graver status."""
    fault = wrong(book, {"nope": "1", "price": "x", "year": "1", "title.ge.x": "2"}, 400,
                  "nope", "price", "title.ge.x")  # fmt: skip
    assert "And 2 more." in fault.message


def test_a_parameter_given_twice(book):
    """Which one is meant? A list is asked for as one; its parameter may be repeated."""
    wrong(book, MultiDict([("year", "1"), ("year", "2")]), 400, "year")
    wrong(book, [("year.ge", "1"), ("year.ge", "2")], 400, "year.ge")
    found = filters(book, "year").parse(MultiDict([("year.in", "1,2"), ("year.in", "3")]))
    assert set(found[0].values.values()) == {1, 2, 3}


def test_a_hundred_parameters(book):
    """Neither known nor unknown ones become work."""
    for asked in (
        {f"nope{n}": "1" for n in range(100)},
        {f"{name}.{op}": "1" for name in NAMES for op in ("eq", "ne", "in")},
        [(f"x{n}", "1") for n in range(100_000)],
    ):
        with pytest.raises(RequestFault, match=f"at most {MOST}"):
            filters(book, *NAMES).parse(asked)


def test_parameters_of_others(book):
    """Those of pages are overlooked, unless allowed; so are all, where it is said."""
    assert "size" in OTHERS
    assert len(filters(book, "size").parse({"size": "LARGE", "sort": "x"})) == 1
    assert len(filters(book, "year").parse({"lang": "de", "year": "1"}, others={"lang"})) == 1
    assert len(filters(book, "year").parse({"lang": "de", "year": "1"}, known_only=False)) == 1


@pytest.mark.parametrize(
    ("name", "code"),
    [("nope", "data.list_name"), ("cost", "data.not_public"), ("blob", "data.filter_field"),
     ("author.nope", "data.list_name"), ("nope.name", "data.list_name"), ("tags", "data.list_name"),
     ("author.books.title", "data.list_name"), (".title", "data.list_name"), ("", "data.list_name"),
     ("title.", "data.list_name"), ("author..name", "data.list_name")],
)  # fmt: skip
def test_a_wrong_declaration_is_a_mistake_of_the_program(book, name, code):
    """A name that is not there, not for everybody, or cannot be compared."""
    with pytest.raises(SetupError) as caught:
        filters(book, name).parse({"x": "1"})
    assert caught.value.code == code


def test_other_models_need_not_be_there_yet(base):
    """A list may be declared between two models."""

    class Page(base):
        book: Mapped["Volume"] = belongs_to()
        number: Mapped[int]

    allowed = filters(Page, "number", "book.title")

    class Volume(base):
        title: Mapped[str] = field(max_length=9)

    assert len(allowed.parse({"book.title": "x"})) == 1
