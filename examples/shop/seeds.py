"""`carboy db seed`: the books. `SHOP_READERS=1 carboy db seed`: what invented readers say, too.

Nobody who can sign in is made here: that is what `carboy users add` is for.
"""

import os
import tomllib
from pathlib import Path
from typing import Any

from models import Book, Review, rate

from carboy import User, db

HERE = Path(__file__).parent


def seed() -> None:
    """Put the books on the shelves, those that are not there yet."""
    known = set(db.session.execute(db.select(Book.title, Book.author)))
    for one in _read("book"):
        if (one["title"], one["author"]) not in known:
            db.session.add(book(**one))
    if os.environ.get("SHOP_READERS"):
        readers()


def book(*, subjects: list[str], died: int | None = None, **fields: Any) -> Book:
    """Return a book: it stands under its first subject, and is found by the words of all."""
    return Book(subject=subjects[0], keywords=" ".join(subjects), **fields)


def readers() -> None:
    """Let invented people, who cannot sign in, say what they think of some books."""
    if db.session.scalar(db.select(Review.id).limit(1)):
        return
    people: dict[str, User] = {}
    for one in _read("review"):
        name = one.pop("reader")
        if name not in people:
            email = f"reader{len(people) + 1}@example.org"
            people[name] = User(name=name, email=email, active=False)
        found = db.session.scalars(db.select(Book).filter_by(title=one.pop("book"))).one()
        db.session.add(Review(book=found, reader=people[name], **one))
        db.session.flush()
        rate(found.id)


def _read(name: str) -> list[dict[str, Any]]:
    return tomllib.loads((HERE / f"{name}s.toml").read_text(encoding="utf-8"))[name]
