"""Carboy's session: entities of the ORM, the policy in every statement."""

from __future__ import annotations

from typing import Any

from benchmarks.data.programs import moment
from benchmarks.data.programs._carboy import application
from benchmarks.data.shop import Book
from carboy import db

TITLE = "Carboy, ORM with policy"
KIND = "wsgi"
DISTRIBUTIONS = ("carboy", "sqlalchemy")


def build(url: str, blank: dict[str, bytes]) -> Any:
    """Return the application."""
    return application(url, blank, several, one)


def several(shelf: int) -> Any:
    books = db.select(Book).where(Book.shelf == shelf).order_by(Book.id).limit(20)
    return [shown(book) for book in db.session.scalars(books)]


def one(key: int) -> Any:
    return shown(db.get_or_404(Book, key))


def shown(book: Book) -> dict[str, Any]:
    return {
        "id": book.id,
        "title": book.title,
        "price_cents": book.price_cents,
        "rating": book.rating,
        "public": book.public,
        "published_at": moment(book.published_at),
    }
