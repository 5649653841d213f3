"""`carboy db seed`: the books. Nobody gets an account here; see the README."""

import tomllib
from pathlib import Path

from models import Book

from carboy import db

BOOKS = Path(__file__).with_name("books.toml")


def seed() -> None:
    """Put the books of books.toml on the shelves, those that are not there yet."""
    known = set(db.session.execute(db.select(Book.title, Book.author)))
    for one in tomllib.loads(BOOKS.read_text())["book"]:
        if (one["title"], one["author"]) not in known:
            db.session.add(book(**one))


def book(*, subjects: list[str], died: int | None = None, **fields: str | int) -> Book:
    """Return a book: it stands under its first subject, and is found by the words of all."""
    return Book(subject=subjects[0], keywords=" ".join(subjects), **fields)
