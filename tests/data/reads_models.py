"""Models with every kind of field and relation, rows for them, and what the ORM makes of both."""

import base64
import enum
import json
import uuid
from datetime import UTC, date, datetime, time
from decimal import Decimal
from types import SimpleNamespace

import msgspec
import sqlalchemy as sa
from flask.json.provider import DefaultJSONProvider
from sqlalchemy import orm
from sqlalchemy.orm import Mapped

from carboy.data.fields import field
from carboy.data.relations import belongs_to, has_many, many_to_many
from carboy.policy.policies import Field, Policy
from carboy.policy.rules import everyone, owner, related, role, where


class Mood(enum.Enum):
    """Stored and shown by its value."""

    CALM = "calm"
    WILD = "wild"


class Rank(enum.IntEnum):
    """Stored by name, shown as its number."""

    LOW = 1
    HIGH = 9


class Odd(enum.Enum):
    """Stored and shown by name: its values are no text."""

    NONE = ()
    PAIR = (1, 2)


def models(base, policies=False):
    """Return a namespace of classes on *base*."""

    def rules(**said):
        return Policy(**said) if policies else None

    class Country(base):
        code: Mapped[str] = field(max_length=2)
        secret: Mapped[str | None] = field(max_length=20, api="hidden")
        people: Mapped[list["Person"]] = has_many()
        policy = rules(read=where(lambda one: one.code != "XX"))

    class Person(base):
        name: Mapped[str] = field(max_length=40)
        country: Mapped[Country | None] = belongs_to()
        books: Mapped[list["Book"]] = has_many()
        policy = rules(read=owner("id") | where(lambda one: one.name != "hidden"))

    class Tag(base):
        word: Mapped[str] = field(max_length=20)
        books: Mapped[list["Book"]] = many_to_many()
        policy = rules(read=where(lambda one: one.word != "hush") | role("staff"))

    class Book(base):
        title: Mapped[str] = field(max_length=80)
        pages: Mapped[int | None]
        weight: Mapped[float | None]
        price: Mapped[Decimal | None] = field(digits=12, places=3)
        sold: Mapped[bool | None]
        public: Mapped[bool] = field(default=True)
        seen: Mapped[datetime | None]
        born: Mapped[date | None]
        opens: Mapped[time | None]
        serial: Mapped[uuid.UUID | None]
        cover: Mapped[bytes | None]
        mood: Mapped[Mood | None]
        rank: Mapped[Rank | None]
        odd: Mapped[Odd | None]
        extra: Mapped[dict | None]
        items: Mapped[list | None]
        person: Mapped[Person | None] = belongs_to()
        tags: Mapped[list[Tag]] = many_to_many()
        notes: Mapped[list["Note"]] = has_many()
        policy = rules(
            read=owner("person") | where(lambda one: one.public == sa.true()) | role("staff"),
            fields={"price": Field(read=owner("person") | role("staff"), write=everyone)},
        )

    class Note(base):
        text: Mapped[str] = field(max_length=40)
        book: Mapped[Book | None] = belongs_to()
        policy = rules(read=related("book"))

    Book.length = orm.column_property(sa.func.length(Book.__table__.c.title))
    return SimpleNamespace(Country=Country, Person=Person, Tag=Tag, Book=Book, Note=Note)


def fill(session, m):
    """Write a few rows with NULLs, ties and odd values in all places."""
    codes = [m.Country(code=code, secret="s") for code in ("NO", "XX", "IT")]
    session.add_all(codes)
    people = [
        m.Person(name=name, country=country)
        for name, country in (("Ada", codes[0]), ("hidden", codes[1]), ("Bo", None))
    ]
    session.add_all(people)
    tags = [m.Tag(word=word) for word in ("red", "hush", "blå")]
    session.add_all(tags)
    session.flush()
    full = {
        "pages": 7, "weight": 1.5, "price": Decimal("12.345"), "sold": True,
        "seen": datetime(2026, 5, 1, 12, 30, 15, 123456, tzinfo=UTC), "born": date(1815, 12, 10),
        "opens": time(9, 30), "serial": uuid.UUID(int=2**127 + 5), "cover": b"\x00\xff",
        "mood": Mood.WILD, "rank": Rank.HIGH, "odd": Odd.PAIR,
        "extra": {"a": [1, None, "é"], "b": {"c": 1.25}}, "items": [1, "two", None],
    }  # fmt: skip
    other = {
        "pages": -(2**62), "weight": -0.0, "price": Decimal("-0.001"), "sold": False,
        "seen": datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), "born": date(9999, 12, 31),
        "opens": time(23, 59, 59, 999999), "serial": uuid.UUID(int=1), "cover": b"",
        "mood": Mood.CALM, "rank": Rank.LOW, "odd": Odd.NONE, "extra": {}, "items": [],
    }  # fmt: skip
    books = []
    for number in range(12):
        values = (full, other, {})[number % 3]
        books.append(
            m.Book(
                title=("Emma", 'Quo"te\\', "Ærlig\n", "")[number % 4],
                public=number % 5 != 0,
                person=[*people, None][number % 4],
                tags=tags[: number % 4],
                **values,
            )
        )
    session.add_all(books)
    session.add_all(
        m.Note(text=f"note {n}", book=books[n % 5] if n % 6 else None) for n in range(9)
    )
    session.commit()


def as_objects(found, names):
    """Return ORM objects as what `rows` gives, as nested dicts: names are paths."""
    return [_tree(one, names) for one in found]


def as_dicts(rows):
    """Return the objects of `rows` as nested dicts."""
    return [_plain(one) for one in rows]


def shown(value, moments="http"):
    """Return what JSON shows of a tree: what `jsonify` does, and what reads add to it."""
    if isinstance(value, dict):
        return {key: shown(one, moments) for key, one in value.items()}
    if isinstance(value, list):
        return [shown(one, moments) for one in value]
    if moments == "iso" and isinstance(value, date):  # a datetime is one
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, time):
        return value.isoformat()
    if isinstance(value, enum.Enum) and not isinstance(value, int):
        return value.value if isinstance(value.value, str) else value.name
    return json.loads(json.dumps(value, default=DefaultJSONProvider.default))


def _tree(one, names):
    found = {}
    for path in names:
        name, _, rest = path.partition(".")
        if not rest:
            found[name] = getattr(one, name)
        elif name not in found:
            below = [p.partition(".")[2] for p in names if p.startswith(f"{name}.")]
            value = getattr(one, name)
            if isinstance(value, list):
                found[name] = as_objects(sorted(value, key=lambda row: row.id), below)
            else:
                found[name] = None if value is None else _tree(value, below)
    return found


def _plain(one):
    if isinstance(one, list):
        return [_plain(item) if isinstance(item, msgspec.Struct) else item for item in one]
    if not isinstance(one, msgspec.Struct):
        return one
    return {name: _plain(getattr(one, name)) for name in one.__struct_fields__}
