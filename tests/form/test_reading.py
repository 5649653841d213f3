"""A post is read field by field; every mistake is named, nothing is dropped silently."""

import datetime as dt
import io
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

import pytest
from pydantic import (
    BaseModel,
    EmailStr,
    Field,
    HttpUrl,
    SecretStr,
    field_validator,
    model_validator,
)
from werkzeug.datastructures import FileStorage

from carboy import Form
from carboy.web.form.form import Control, Text
from carboy.web.form.values import MOST_TEXT
from carboy.web.i18n.locales import in_locale

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


class Edition(BaseModel):
    title: Annotated[str, Field(max_length=10)]
    year: int | None = None


class Book(Form):
    title: Annotated[str, Field(max_length=20)]
    blurb: Text | None = None
    year: Annotated[int, Field(ge=-800, le=2100)] | None = None
    price: Annotated[Decimal, Field(ge=0, max_digits=8, decimal_places=2)] | None = None
    weight: float | None = None
    out_on: dt.date | None = None
    mailed: dt.datetime | None = None
    opens: dt.time | None = None
    isbn: UUID | None = None
    published: bool = False
    binding: Literal["cloth", "paper"] = "paper"
    subjects: list[Literal["sea", "love", "war"]] = []
    extra: dict[str, int] | None = None
    editions: list[Edition] = []


SPEC = Book.spec()


def of(post, name, text, **more):
    """Return (value, errors) of one field of a book with a title."""
    form = post(SPEC, {"title": "Emma", name: text}, **more)
    return form.data.get(name), form.errors.get(name)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("title", "  Emma \t", "Emma"),
        ("blurb", "one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("year", "-800", -800),
        ("year", "\u2212800", -800),
        ("year", " 1,811 ", 1811),
        ("price", "12.50", Decimal("12.50")),
        ("price", ".5", Decimal("0.5")),
        ("price", "1,234.50", Decimal("1234.50")),
        ("price", "12,5", Decimal("12.5")),
        ("weight", "1e3", 1000.0),
        ("out_on", "2026-05-01", dt.date(2026, 5, 1)),
        ("mailed", "2026-05-01T12:00", dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)),
        ("mailed", "2026-05-01 12:00:30+02:00",
         dt.datetime(2026, 5, 1, 12, 0, 30, tzinfo=dt.timezone(dt.timedelta(hours=2)))),
        ("opens", "09:30", dt.time(9, 30)),
        ("isbn", "12345678-1234-5678-1234-567812345678",
         UUID("12345678123456781234567812345678")),
        ("published", "on", True),
        ("binding", "cloth", "cloth"),
        ("extra", '{"pages": 7}', {"pages": 7}),
    ],
)  # fmt: skip
def test_texts_become_values(post, name, text, value):
    """What people and browsers write is understood."""
    assert of(post, name, text) == (value, None)


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("title", "x" * 21, "Title must have at most 20 characters."),
        ("title", "a\0b", "Title must be text without NUL characters."),
        ("title", "a\ud800", "Title must be text without NUL characters."),
        ("title", "   ", "Title is needed."),
        ("blurb", "x" * 10_001, "Blurb must have at most 10000 characters."),
        ("blurb", "x" * (MOST_TEXT + 1), "Blurb must have at most 10000 characters."),
        ("year", "two", "Year must be a whole number of 64 bits."),
        ("year", "2.000", "Year must be a whole number of 64 bits."),
        ("year", "1.5", "Year must be a whole number of 64 bits."),
        ("year", "9" * 5000, "Year must be a whole number of 64 bits."),
        ("year", "2101", "Year must be at most 2100."),
        ("price", "-1", "Price must be at least 0."),
        ("price", "1.234", "Price must be an exact number that fits its places."),
        ("price", "1,23,4", "Price must be an exact number that fits its places."),
        ("price", "NaN", "Price must be an exact number that fits its places."),
        ("price", "1e9", "Price must be an exact number that fits its places."),
        ("weight", "inf", "Weight must be a finite number."),
        ("weight", "1e999", "Weight must be a finite number."),
        ("out_on", "2026-02-30", "Out on must be a date, as in 2026-05-01."),
        ("out_on", "1.5.2026", "Out on must be a date, as in 2026-05-01."),
        ("mailed", "2026-05-01", "Mailed must be a date and a time, as in 2026-05-01T12:00."),
        ("mailed", "0001-01-01T00:00+23:00",
         "Mailed must be a date and a time, as in 2026-05-01T12:00."),
        ("opens", "25:00", "Opens must be a time of day without zone, as in 12:30."),
        ("isbn", "1234", "Isbn must be a UUID."),
        ("published", "perhaps", "Published must be true or false."),
        ("binding", "gold", "Binding must be one of cloth, paper."),
        ("subjects", "hats", "Subjects must be one of sea, love, war."),
        ("extra", "{", "Extra must be what JSON can hold."),
        ("extra", '{"a": NaN}', "Extra must be what JSON can hold."),
        ("extra", "[" * 100_000, "Extra must be what JSON can hold."),
    ],
)  # fmt: skip
def test_what_is_no_value_is_named(post, name, text, error):
    """The sentence names the field, says what it must be, and never repeats the input."""
    form = post(SPEC, {"title": "Emma", name: text})

    assert form.errors == {name: [error]}
    assert (form.valid, form.status, form.data) == (False, 422, {})


def test_all_errors_come_at_once(post):
    """In the order of the fields, whoever found them."""
    form = post(SPEC, {"year": "x", "price": "-1", "out_on": "x", "editions-0-title": "x" * 11})

    assert [*form.errors] == ["title", "year", "price", "out_on", "editions-0-title"]
    assert form.count == 5


def test_nothing_sent_and_nothing_in_it(post):
    """Absent fields are left out, emptied ones are None, an unticked box is False."""
    form = post(SPEC, {"title": "Emma", "blurb": "", "year": ""})

    assert form.data == {
        "title": "Emma", "blurb": None, "year": None, "published": False, "binding": "paper",
        "subjects": [], "editions": [],
    }  # fmt: skip


def test_several_values(post):
    """A choice of several gets them all, the same one once."""
    form = post(
        SPEC, [("title", "Emma"), ("subjects", "sea"), ("subjects", "war"), ("subjects", "sea")]
    )

    assert form.data["subjects"] == ["sea", "war"]


def test_a_single_field_sent_twice_is_refused(post):
    """Nobody guesses which one was meant."""
    form = post(SPEC, [("title", "Emma"), ("title", "Persuasion")])

    assert form.errors == {"title": ["Title was sent more than once."]}


def test_unknown_names_are_refused_but_for_ours(post):
    """No field is set that no form has; what the page itself sends is let through."""
    ours = {"csrf_token": "x", "form_key": "k" * 20, "_method": "PUT", "row_version": "3"}
    assert post(SPEC, {"title": "Emma", **ours}).valid

    form = post(SPEC, {"title": "Emma", "is_admin": "1", "title-q": "x", "editions-0-id": "3"})

    assert form.form_errors == [
        "There is no field 'is_admin' here.",
        "There is no field 'title-q' here.",
        "There is no field 'editions-0-id' here.",
    ]
    assert form.status == 422


def test_many_unknown_names_are_not_all_told(post):
    """An attack does not make a long page."""
    form = post(SPEC, {"title": "Emma"} | {f"x{n}": "1" for n in range(500)})

    assert 0 < len(form.form_errors) <= 10


@pytest.mark.parametrize("key", ["short", "x" * 65, "a b" * 8, "<script>alert(1)</script>"])
def test_a_malformed_form_key_is_refused(post, key):
    """And another one is given; a good one is kept, so that a second send is noticed."""
    form = post(SPEC, {"title": "Emma", "form_key": key})

    assert form.form_errors == ["This form was not recognized. Nothing was saved; send it again."]
    assert form.key != key
    assert post(SPEC, {"title": "Emma", "form_key": "k" * 24}).key == "k" * 24


class Account(Form):
    email: EmailStr
    password: Annotated[SecretStr, Field(min_length=3)]
    site: HttpUrl | None = None
    terms: Literal[True]


def test_types_of_pydantic(post):
    """Addresses are checked; a password is not trimmed; terms must be ticked."""
    good = {"email": "ines@example.org", "password": " a ", "terms": "on"}
    form = post(Account.spec(), good)
    assert form.valid, form.errors
    assert form.data["password"].get_secret_value() == " a "

    form = post(Account.spec(), {"email": "ines@", "password": "x", "site": "no"})
    assert form.errors == {
        "email": ["Email must be an e-mail address, as in name@example.org."],
        "password": ["Password must have at least 3 characters."],
        "site": ["Site must be a web address, as in https://example.org."],
        "terms": ["Terms is needed."],
    }


class Trip(Form):
    starts: dt.date
    ends: dt.date
    code: str | None = None

    @field_validator("code")
    @classmethod
    def known(cls, code):
        if code != "sea":
            raise ValueError("This code is not known.")
        return code

    @model_validator(mode="after")
    def in_order(self):
        if self.ends < self.starts:
            raise ValueError("The end must come after the start.")
        return self


def test_validators_of_the_class(post):
    """What they say stands beside the field, or above the form."""
    dates = {"starts": "2026-05-02", "ends": "2026-05-01"}
    assert post(Trip.spec(), dates).form_errors == ["The end must come after the start."]
    assert post(Trip.spec(), dates | {"code": "x"}).errors == {"code": ["This code is not known."]}


class Upload(Form):
    note: str
    scan: FileStorage | None = None
    photo: Annotated[FileStorage, Control(kind="image", most_bytes=100)]
    pdf: Annotated[FileStorage | None, Control(accept="application/pdf")] = None


def file(data, name="x.png", type="image/png"):
    return FileStorage(io.BytesIO(data), filename=name, content_type=type)


def test_files_are_what_their_bytes_say(post):
    """Name and type of the client decide nothing; size and type are found out."""
    sent = {"photo": file(PNG, "../../etc/pass\u202ewd", "text/html"), "scan": file(b"hello")}
    form = post(Upload.spec(), {"note": "n"}, sent)

    assert form.valid, form.errors
    photo, scan = form.data["photo"], form.data["scan"]
    assert (photo.content_type, photo.content_length, photo.filename) == ("image/png", 28, "passwd")
    assert scan.content_type == "application/octet-stream"
    assert photo.stream.read() == PNG


@pytest.mark.parametrize(
    ("sent", "errors"),
    [
        ({}, {"photo": ["Photo is needed."]}),
        ({"photo": file(b"<svg/>")},
         {"photo": ["Photo must be an image: JPEG, PNG, GIF, WebP or AVIF."]}),
        ({"photo": file(b"")}, {"photo": ["Photo is an empty file."]}),
        ({"photo": file(PNG + b"x" * 100)}, {"photo": ["Photo must be at most 100 bytes."]}),
        ({"photo": file(PNG), "pdf": file(PNG)},
         {"pdf": ["Pdf is a file of another kind than is accepted here."]}),
    ],
    ids=["none", "no image", "empty", "large", "no pdf"],
)  # fmt: skip
def test_files_that_are_refused(post, sent, errors):
    """Each with the name of its field."""
    form = post(Upload.spec(), {"note": "n"}, sent)
    for one in sent.values():
        one.stream.seek(0)
    assert form.errors == errors


def test_a_file_where_a_text_belongs_is_refused(post):
    """And a text where a file belongs."""
    form = post(SPEC, {}, {"title": file(PNG)})
    assert form.form_errors == ["There is no field 'title' here."]
    form = post(Upload.spec(), {"note": "n", "photo": "x"})
    assert form.form_errors == ["There is no field 'photo' here."]


def test_rows_come_in_their_order(post):
    """Numbers may have gaps; an empty row is none."""
    form = post(SPEC, {
        "title": "Emma", "editions-7-title": "second", "editions-2-title": "first",
        "editions-2-year": "1816", "editions-9-title": "", "editions-9-year": "",
    })  # fmt: skip

    assert [(one.title, one.year) for one in form.data["editions"]] == [
        ("first", 1816),
        ("second", None),
    ]


def test_errors_of_rows_name_row_and_column(post):
    """After renumbering, as the page shows them."""
    form = post(SPEC, {"title": "E", "editions-3-title": "x" * 11, "editions-5-year": "x"})

    assert form.errors == {
        "editions-0-title": ["Title must have at most 10 characters."],
        "editions-1-title": ["Title is needed."],
        "editions-1-year": ["Year must be a whole number of 64 bits."],
    }


@pytest.mark.parametrize(
    ("button", "titles"),
    [("editions-add", ["a", "b", ""]), ("editions-0-remove", ["b"]), ("editions-1-remove", ["a"])],
)
def test_rows_are_added_and_removed_without_script(post, button, titles):
    """A button changes the form and judges nothing: 200, no error, everything kept."""
    form = post(SPEC, {"year": "x", "editions-0-title": "a", "editions-1-title": "b", button: "1"})

    assert (form.status, form.valid, form.errors, form.submitted) == (200, False, {}, False)
    assert [row.fields[0].text for row in form["editions"].rows] == titles
    assert form["year"].text == "x"


def test_rows_are_bounded(post):
    """Nobody sends a thousand rows."""
    form = post(SPEC, {"title": "E"} | {f"editions-{n}-title": "x" for n in range(201)})

    assert form.errors == {"editions": ["Editions: choose at most 200."]}


class Fixed(Form):
    name: Annotated[str, Control(readonly=True)]
    note: str = ""


def test_what_may_not_be_changed(post):
    """The same value is no change; another one is refused; it is never among the data."""
    form = post(Fixed.spec(), {"name": "a", "note": "n"}, values={"name": "a"})
    assert form.data == {"note": "n"}

    form = post(Fixed.spec(), {"name": "b"}, values={"name": "a"})
    assert form.errors == {"name": ["Name cannot be changed."]}


def test_a_moment_that_was_not_touched_stays_what_it_is(post):
    """A control shows minutes; saving another field does not cut the microseconds."""
    moment = dt.datetime(2026, 5, 1, 12, 0, 0, 123456, tzinfo=dt.UTC)
    shown = "2026-05-01T12:00:00.123"
    form = post(SPEC, {"title": "E", "mailed": shown}, values={"mailed": moment})
    assert form.data["mailed"] == moment


@pytest.mark.parametrize(
    ("locale", "text", "value"),
    [
        ("de", "1.234,50", "1234.50"),
        ("de", "12,5", "12.5"),
        ("de", "12.50", "12.50"),
        ("de", "1.234", "1234"),
        ("fr", "1\u202f234,50", "1234.50"),
        ("fr", "1 234,5", "1234.5"),
        ("es", "1234,5", "1234.5"),
        ("en", "1,234", "1234"),
        ("de-CH", "1\u2019234.50", "1234.50"),
    ],
)
def test_numbers_as_the_language_writes_them(post, locale, text, value):
    """A comma is what people mean by it; what programs write is understood, too."""
    form = post(SPEC, {"title": "E", "price": text}, locale=locale)
    assert form.data.get("price") == Decimal(value), form.errors


def test_numbers_are_shown_as_they_are_read(post):
    """What a form shows can be sent back."""
    with in_locale("de"):
        assert post(SPEC, {}, values={})["price"].text == ""
        from carboy.web.form.bound import BoundForm

        assert BoundForm(SPEC, {"price": Decimal("1234.50")})["price"].text == "1234,50"


def test_time_zones(app, post):
    """A moment without a zone is meant in the zone of who asks."""
    app.extensions["carboy.i18n"].zone = "Europe/Zurich"
    form = post(SPEC, {"title": "E", "mailed": "2026-07-01T12:00"})
    assert form.data["mailed"].astimezone(dt.UTC).hour == 10

    app.zone_loader(lambda: "America/New_York")
    form = post(SPEC, {"title": "E", "mailed": "2026-07-01T12:00"})
    assert form.data["mailed"].astimezone(dt.UTC).hour == 16
    assert post(SPEC, {}, values=form.data)  # and is shown there
    app.extensions["carboy.i18n"].zone_loader = None
