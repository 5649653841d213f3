"""The cart: keys of books and how many of each, in the session."""

from typing import NamedTuple

from models import MOST, Book

from carboy import db, session

LINES = 50  # different books


class Line(NamedTuple):
    """One book in the cart."""

    book: Book
    count: int

    @property
    def cents(self) -> int:
        """What it costs."""
        return self.book.price_cents * self.count


def wanted() -> dict[int, int]:
    """Return how many copies are wanted, by the key of the book."""
    return {int(key): count for key, count in session.get("cart", {}).items()}


def want(book_id: int, count: int) -> None:
    """Want exactly *count* copies; none takes the book out."""
    cart = wanted() | {book_id: min(count, MOST)}
    session["cart"] = {str(key): n for key, n in list(cart.items())[:LINES] if n > 0}


def lines() -> list[Line]:
    """Return the books in the cart, in the order they came; those that are gone are left out."""
    cart = wanted()
    found = db.session.scalars(db.select(Book).where(Book.id.in_(cart))) if cart else ()
    books = {book.id: book for book in found}
    return [Line(books[key], count) for key, count in cart.items() if key in books]


def cents(cart: list[Line]) -> int:
    """Return what *cart* costs, without delivery."""
    return sum(line.cents for line in cart)


def count() -> int:
    """Return how many books are in the cart, without asking the database."""
    return sum(wanted().values())
