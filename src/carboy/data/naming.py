"""Names in the database: tables, constraints; stable, and short enough everywhere.

    BookReview        ->  book_reviews          class to table, an English plural
    books, title      ->  uq_books_title        constraint, from kind, table, columns

A name must not change by itself: migrations and messages refer to it.
"""

from __future__ import annotations

import hashlib
import re

__all__ = ["constraint_name", "label_of", "table_name"]

LONGEST = 60  # characters; PostgreSQL cuts at 63 bytes, MariaDB refuses more than 64

BOUNDARY = re.compile(r"_+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

IRREGULAR = {
    "person": "people", "child": "children", "man": "men", "woman": "women", "mouse": "mice",
    "foot": "feet", "tooth": "teeth", "goose": "geese", "leaf": "leaves", "half": "halves",
    "life": "lives", "knife": "knives", "shelf": "shelves", "wife": "wives", "thief": "thieves",
    "datum": "data", "medium": "media", "criterion": "criteria", "analysis": "analyses",
    "basis": "bases", "crisis": "crises", "quiz": "quizzes", "index": "indexes",
    "matrix": "matrices", "vertex": "vertices", "hero": "heroes", "potato": "potatoes",
    "tomato": "tomatoes", "echo": "echoes",
}  # fmt: skip
"""Singular to plural, where the rule does not hold."""

SAME = {
    "advice", "aircraft", "data", "deer", "equipment", "feedback", "fish", "furniture",
    "hardware", "information", "media", "metadata", "money", "news", "offspring", "people",
    "series", "sheep", "software", "species", "staff", "traffic",
}  # fmt: skip
"""Words that are their own plural."""


def table_name(class_name: str) -> str:
    """Return the name of the table for a class: its words, the last one in the plural.

    -y after a consonant becomes -ies; -s, -x, -z, -ch, -sh get -es; else -s;
    irregular words are listed above. `__tablename__` in a class overrides it.

    >>> table_name("Book"), table_name("OrderLine"), table_name("HTTPProxy")
    ('books', 'order_lines', 'http_proxies')
    """
    *words, last = _words(class_name)
    return "_".join([*words, _plural(last)])


def constraint_name(*parts: str) -> str:
    """Return *parts* as one name; a long one keeps its beginning and a digest of the whole.

    >>> constraint_name("uq", "books", "title")
    'uq_books_title'
    """
    name = "_".join(parts)
    if len(name) <= LONGEST:
        return name
    digest = hashlib.blake2b(name.encode(), digest_size=4).hexdigest()
    return f"{name[: LONGEST - 9]}_{digest}"


def label_of(name: str) -> str:
    """Return what people call a field or class by default: "published_on" is "Published on".

    >>> label_of("price_cents"), label_of("OrderLine")
    ('Price cents', 'Order line')
    """
    words = " ".join(_words(name))
    return words[:1].upper() + words[1:]


def _words(name: str) -> list[str]:
    return [word.lower() for word in BOUNDARY.split(name) if word]


def _plural(word: str) -> str:
    if word in SAME:
        return word
    if word in IRREGULAR:
        return IRREGULAR[word]
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "x", "z", "ch", "sh")) else f"{word}s"
