"""SQLAlchemy's ORM as its documentation writes it, in a bare WSGI callable; msgspec."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import DateTime, create_engine, or_, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from benchmarks.data.programs import bare

TITLE = "SQLAlchemy ORM + msgspec, filter by hand"
KIND = "wsgi"
DISTRIBUTIONS = ("sqlalchemy", "msgspec")


class Base(DeclarativeBase):
    pass


class Book(Base):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int]
    shelf: Mapped[int]
    title: Mapped[str]
    price_cents: Mapped[int]
    rating: Mapped[float]
    public: Mapped[bool]
    published_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


def build(url: str, blank: dict[str, bytes]) -> Any:
    """Return a bare WSGI application."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    encode = msgspec.json.encode

    def several(me: int, shelf: int) -> bytes:
        with Session(engine) as session:
            visible = or_(Book.owner_id == me, Book.public)
            books = select(Book).where(Book.shelf == shelf, visible).order_by(Book.id).limit(20)
            return encode([shown(book) for book in session.scalars(books)])

    def one(me: int, key: int) -> bytes:
        with Session(engine) as session:
            visible = or_(Book.owner_id == me, Book.public)
            return encode(shown(session.scalars(select(Book).where(Book.id == key, visible)).one()))

    return bare({"list": several, "one": one}, blank)


def shown(book: Book) -> dict[str, Any]:
    return {
        "id": book.id,
        "title": book.title,
        "price_cents": book.price_cents,
        "rating": book.rating,
        "public": book.public,
        "published_at": book.published_at,
    }
