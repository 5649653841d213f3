"""Flask with Flask-SQLAlchemy and jsonify, the filter by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Flask, Response, jsonify, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import DateTime, or_
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from benchmarks.data.programs import moment

TITLE = "Flask-SQLAlchemy + jsonify"
KIND = "wsgi"
DISTRIBUTIONS = ("flask", "flask-sqlalchemy", "sqlalchemy")


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)


class Book(db.Model):  # type: ignore[name-defined,misc]  # as its documentation has it
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int]
    shelf: Mapped[int]
    title: Mapped[str]
    price_cents: Mapped[int]
    rating: Mapped[float]
    public: Mapped[bool]
    published_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


def build(url: str, blank: dict[str, bytes]) -> Flask:
    """Return the application."""
    app = Flask(__name__, static_folder=None)
    url = url.replace("postgresql:", "postgresql+psycopg:")
    app.config.update(SQLALCHEMY_DATABASE_URI=url)
    db.init_app(app)
    app.get("/shelves/<int:shelf>/books")(several)
    app.get("/books/<int:key>")(one)

    def nothing(name: str) -> Response:
        assert int(request.headers["X-User"])
        return Response(blank[name], mimetype="application/json")

    app.get("/blank/<name>", endpoint="blank")(nothing)
    return app


def visible() -> Any:
    return or_(Book.owner_id == int(request.headers["X-User"]), Book.public)


def several(shelf: int) -> Any:
    books = db.select(Book).where(Book.shelf == shelf, visible()).order_by(Book.id).limit(20)
    return jsonify([shown(book) for book in db.session.scalars(books)])


def one(key: int) -> Any:
    return jsonify(shown(db.one_or_404(db.select(Book).where(Book.id == key, visible()))))


def shown(book: Book) -> dict[str, Any]:
    return {
        "id": book.id,
        "title": book.title,
        "price_cents": book.price_cents,
        "rating": book.rating,
        "public": book.public,
        "published_at": moment(book.published_at),
    }
