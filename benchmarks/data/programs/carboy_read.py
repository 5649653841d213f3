"""Carboy's compiled reads; the policy of the model is in their SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam

from benchmarks.data.programs._carboy import application
from benchmarks.data.shop import FIELDS, Book
from carboy.data.clauses import Clause

TITLE = "Carboy, Book.read"
KIND = "wsgi"
DISTRIBUTIONS = ("carboy", "sqlalchemy")

BOOKS = Book.read(*FIELDS)


def build(url: str, blank: dict[str, bytes]) -> Any:
    """Return the application."""
    return application(url, blank, several, one)


def several(shelf: int) -> Any:
    return BOOKS.response(on_shelf(shelf), limit=20)


def one(key: int) -> Any:
    return BOOKS.one_response(key)


def on_shelf(shelf: int) -> Clause:
    """Return the condition that asks for one shelf."""
    return Clause(("shelf",), lambda c: c["shelf"] == bindparam("shelf"), {"shelf": shelf})
