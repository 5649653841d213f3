"""The driver by hand: one connection kept open, SQL with its WHERE, msgspec."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from typing import Any

import msgspec
import psycopg

from benchmarks.data.programs import bare

TITLE = "raw driver + msgspec, bare WSGI"
KIND = "wsgi"
DISTRIBUTIONS = ("msgspec", "psycopg")

COLUMNS = "id, title, price_cents, rating, public, published_at"
LIST = (
    f"SELECT {COLUMNS} FROM books WHERE shelf = ? AND (owner_id = ? OR public)"  # ours
    " ORDER BY id LIMIT 20"
)
ONE = f"SELECT {COLUMNS} FROM books WHERE id = ? AND (owner_id = ? OR public)"  # ours


class Book(msgspec.Struct):
    """A row as it is answered."""

    id: int
    title: str
    price_cents: int
    rating: float
    public: bool
    published_at: datetime


def build(url: str, blank: dict[str, bytes]) -> Any:
    """Return a bare WSGI application."""
    answers = _postgresql(url) if url.startswith("postgresql") else _sqlite(url)
    return bare(answers, blank)


def _sqlite(url: str) -> dict[str, Any]:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    encode = msgspec.json.Encoder().encode
    moment = datetime.fromisoformat

    def several(me: int, shelf: int) -> bytes:
        rows = connection.execute(LIST, (shelf, me)).fetchall()
        return encode(
            [
                Book(id, title, price, rating, bool(public), moment(at).replace(tzinfo=UTC))
                for id, title, price, rating, public, at in rows
            ]
        )

    def one(me: int, key: int) -> bytes:
        row = connection.execute(ONE, (key, me)).fetchone()
        id, title, price, rating, public, at = row
        return encode(Book(id, title, price, rating, bool(public), moment(at).replace(tzinfo=UTC)))

    return {"list": several, "one": one}


def _postgresql(url: str) -> dict[str, Any]:
    connection = psycopg.connect(url, autocommit=True, options="-c timezone=UTC")
    encode = msgspec.json.Encoder().encode
    list_, one_ = LIST.replace("?", "%s"), ONE.replace("?", "%s")

    def several(me: int, shelf: int) -> bytes:
        rows = connection.execute(list_, (shelf, me)).fetchall()
        return encode([Book(*row) for row in rows])

    def one(me: int, key: int) -> bytes:
        row = connection.execute(one_, (key, me)).fetchone()
        assert row is not None
        return encode(Book(*row))

    return {"list": several, "one": one}
