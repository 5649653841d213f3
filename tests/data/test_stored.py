"""Files and images of a row: described, checked, and the same everywhere."""

import json
from dataclasses import asdict

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Mapped

from carboy.base.errors import RequestFault
from carboy.data.db import db
from carboy.data.reads import Reading
from carboy.data.stored import StoredFile, StoredImage
from carboy.data.validity import InvalidRow

COVER = StoredImage("covers/7f3a.webp", "Emma.webp", "image/webp", 48_213, "", 600, 900)
TEXT = StoredFile("texts/emma.txt", "Emma, by Austen.txt", "text/plain", 900_000, "ab" * 32)


@pytest.fixture
def book(base):
    class Book(base):
        cover: Mapped[StoredImage | None]
        text: Mapped[StoredFile]

    return Book


def test_it_comes_back_as_it_was(book, session):
    db = session()
    db.add_all([book(cover=COVER, text=TEXT), book(text=TEXT)])
    db.commit()
    assert [(one.cover, one.text) for one in db.scalars(select(book).order_by(book.id))] == [
        (COVER, TEXT),
        (None, TEXT),
    ]
    assert db.scalar(select(book.id).where(book.cover.is_(None))) is not None
    assert (book.facts().fields["cover"].kind, book.facts().fields["text"].kind) == (
        "image",
        "file",
    )


def test_another_file_is_a_change(book, session):
    db = session()
    db.add(one := book(text=TEXT))
    db.commit()
    one.text = StoredFile("texts/2.txt", "2.txt", "text/plain", 1)
    db.commit()
    db.expire_all()
    assert one.text.name == "2.txt"


@pytest.mark.parametrize("wrong", ["emma.txt", {"key": "a"}, 5, TEXT])
def test_anything_else_is_refused_before_it_is_written(book, session, wrong):
    db = session()
    db.add(book(text=TEXT, cover=wrong))
    with pytest.raises(InvalidRow, match="Cover must be a stored image"):
        db.flush()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"key": "../etc/passwd"}, "key"),
        ({"key": "/etc/passwd"}, "key"),
        ({"key": "a//b"}, "key"),
        ({"key": "a/.ssh"}, "key"),
        ({"key": "a\0b"}, "key"),
        ({"key": "a" * 256}, "key"),
        ({"key": ""}, "key"),
        ({"name": "../x"}, "name"),
        ({"name": "a\\b"}, "name"),
        ({"name": "photo\u202egpj.exe"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": ""}, "name"),
        ({"media_type": "image"}, "media type"),
        ({"media_type": "text/html; charset=x"}, "media type"),
        ({"size": -1}, "size"),
        ({"size": True}, "size"),
        ({"size": 2**60}, "size"),
        ({"sha256": "xyz"}, "sha256"),
        ({"width": 0}, "width"),
        ({"height": 10**9}, "height"),
    ],
)
def test_what_no_file_can_be(change, said):
    given = {"key": "k", "name": "n", "media_type": "image/png", "size": 1, "width": 1, "height": 1}
    with pytest.raises(RequestFault, match=said) as caught:
        StoredImage(**{**given, **change})
    assert caught.value.code == "data.stored"


def test_in_a_compiled_read(book, database, session):
    """The same value as on an object, and its parts in JSON."""
    opened = session()
    opened.add(book(cover=COVER, text=TEXT))
    opened.commit()
    with db.connect(database.url):
        reading = Reading(book, ("cover", "text"))
        (row,) = reading.rows()
        assert (row.cover, row.text) == (COVER, TEXT)
        (shown,) = json.loads(reading.json())
    assert shown == {"cover": asdict(COVER), "text": asdict(TEXT)}
