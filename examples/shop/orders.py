"""The checkout: a cart becomes an order, and the books leave the stock. All of it, or nothing."""

from collections.abc import Mapping
from typing import Any

from models import DELIVERY, Book, Order, OrderLine

from carboy import RequestFault, db, unscoped


class SoldOut(RequestFault):
    """Somebody was faster. Nothing was ordered."""

    def __init__(self, book: Book) -> None:
        left = f"only {book.stock} left" if book.stock else "none left"
        super().__init__(
            409, "shop.sold_out", f"Of “{book.title}” there are {left}. Nothing was ordered.",
            hint="Change the number in the cart, then order again.",
        )  # fmt: skip


def place(customer: int, wanted: Mapping[int, int], *, delivery: str, **address: Any) -> int:
    """Make an order and return its key.

    wanted: copies by the key of the book. address: the other fields of the order.
    Raises SoldOut when there are not enough copies of a book.
    """
    with unscoped("checkout: the shop takes from its own stock"), db.transaction() as session:
        lines = [_taken(key, wanted[key]) for key in sorted(wanted)]  # sorted: no deadlocks
        cents = sum(line.count * line.price_cents for line in lines)
        order = Order(
            customer_id=customer, lines=lines, delivery=delivery,
            delivery_cents=DELIVERY[delivery], total_cents=cents + DELIVERY[delivery], **address,
        )  # fmt: skip
        session.add(order)
        session.flush()
        return order.id


def _taken(key: int, count: int) -> OrderLine:
    """Take copies off the shelf: one statement looks and takes, so two buyers cannot both."""
    taken = db.session.execute(
        db.update(Book)
        .where(Book.id == key, Book.stock >= count)
        .values(stock=Book.stock - count, version=Book.version + 1)
    )
    book = db.get_or_404(Book, key)
    if not taken.rowcount:
        raise SoldOut(book)
    return OrderLine(book_id=key, count=count, price_cents=book.price_cents)
