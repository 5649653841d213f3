"""A table of books, half of them public: the same for every program.

fill(url)     10,000 rows on 100 shelves, of 100 people
LIST, ONE     the two requests, asked by person 42; BLANK of each answers with finished bytes
same(a, b)    whether two answers are equal as JSON; moments are compared as moments
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from sqlalchemy.orm import Mapped

from benchmarks.workloads import Shot
from carboy.base.scope import unscoped
from carboy.data.db import db
from carboy.data.fields import field
from carboy.data.models import Model
from carboy.data.relations import belongs_to
from carboy.policy import rules
from carboy.policy.policies import Policy

__all__ = ["FIELDS", "KEY", "ME", "PATHS", "SHELF", "Book", "Person", "fill", "same", "shot"]

ROWS, SHELVES, PEOPLE = 10_000, 100, 100
ME, SHELF, KEY, LIMIT = 42, 7, 4207, 20
PATHS = {
    "list": f"/shelves/{SHELF}/books",
    "one": f"/books/{KEY}",
    "list blank": "/blank/list",
    "one blank": "/blank/one",
}
FIELDS = ("id", "title", "price_cents", "rating", "public", "published_at")
HEADERS = (
    ("Host", "127.0.0.1:8000"),
    ("User-Agent", "shop/1.0"),
    ("Accept", "application/json"),
    ("Accept-Encoding", "gzip, br"),
    ("X-User", str(ME)),
)


class Person(Model):
    """Who owns books."""

    name: Mapped[str] = field(max_length=80)
    policy = Policy(read=rules.signed_in)


class Book(Model):
    """Six fields that are shown, and two that are asked by."""

    owner: Mapped[Person] = belongs_to()
    shelf: Mapped[int] = field(index=True)
    title: Mapped[str] = field(max_length=200)
    price_cents: Mapped[int] = field(ge=0)
    rating: Mapped[float] = field(ge=0, le=5)
    public: Mapped[bool] = field()
    published_at: Mapped[datetime] = field()

    policy = Policy(read=rules.owner("owner") | rules.where(lambda book: book.public))


def fill(url: str) -> None:
    """Make the tables on *url* and their rows."""
    with db.connect(url), unscoped("benchmark"):
        db.create_all()
        db.bulk(Person, ({"name": f"Person {n}"} for n in range(1, PEOPLE + 1)))
        db.bulk(Book, _books())


def shot(workload: str) -> Shot:
    """Return the request of a workload."""
    return Shot("GET", PATHS[workload], headers=HEADERS)


def same(one: bytes, other: bytes) -> bool:
    """Tell whether two answers mean the same."""
    return bool(_plain(json.loads(one)) == _plain(json.loads(other)))


def _books() -> Iterator[dict[str, Any]]:
    start = datetime(2020, 1, 1, tzinfo=UTC)
    for n in range(1, ROWS + 1):
        yield {
            "owner_id": n % PEOPLE + 1,
            "shelf": n % SHELVES,
            "title": f"The book with the number {n}",
            "price_cents": n * 37 % 5000,
            "rating": n % 50 / 10,
            "public": n // SHELVES % 2 == 0,
            "published_at": start + timedelta(hours=n),
        }


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    said = value["published_at"]  # ISO 8601, or a date of HTTP as Flask's jsonify writes it
    moment = parsedate_to_datetime(said) if said.endswith("GMT") else datetime.fromisoformat(said)
    return {**value, "published_at": moment.replace(tzinfo=moment.tzinfo or UTC)}
