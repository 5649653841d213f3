"""The books on the shelves: what a bookseller checks before opening."""

import tomllib
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
from covers import MOTIFS
from test_covers import fits

BOOKS = tomllib.loads(Path(__file__).parents[1].joinpath("books.toml").read_text())["book"]
LAST = 1955  # authors who died then or before have left their works to everyone in 2026


def test_the_shelves_are_full_and_nothing_stands_twice():
    assert len(BOOKS) >= 160
    assert len({(book["title"], book["author"]) for book in BOOKS}) == len(BOOKS)
    assert len({book["about"] for book in BOOKS}) == len(BOOKS)


@pytest.mark.parametrize("book", BOOKS, ids=[book["title"][:24] for book in BOOKS])
def test_each_book(book):
    assert -3000 < book["year"] <= 1930
    assert book.get("died", 0) <= LAST
    assert 1 <= len(book["subjects"]) <= 3
    assert set(book["subjects"]) <= set(MOTIFS)
    assert 40 <= len(book["about"].split()) <= 70
    assert book["about"] == book["about"].strip()
    assert book["price_cents"] in range(300, 5000)
    assert book["price_cents"] % 10 == 0
    assert book["stock"] in range(100)
    assert book["pages"] in range(40, 2000)
    assert len(book["title"]) <= 200


def test_every_title_fits_its_cover():
    for book in BOOKS:
        fits(book["title"], book["author"], book["subjects"][0])


def test_the_whole_world_is_on_the_shelves():
    assert len({book["language"] for book in BOOKS}) >= 20
    assert max(Counter(book["language"] for book in BOOKS).values()) < len(BOOKS) / 2
    assert min(Counter(s for book in BOOKS for s in book["subjects"]).values()) >= 10


def test_no_sentence_is_told_twice():
    """Each paragraph was written for its book: none shares eight words in a row with another."""

    def runs(text):
        words = text.split()
        return {tuple(words[i : i + 8]) for i in range(len(words) - 7)}

    told = [runs(book["about"]) for book in BOOKS]
    assert not any(a & b for a, b in combinations(told, 2))
