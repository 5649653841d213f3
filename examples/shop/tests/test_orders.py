"""The checkout: unit tests of its rules, and buyers who come all at once."""

from concurrent.futures import ThreadPoolExecutor

import orders
import pytest
from models import DELIVERY, Book, Order

from carboy import unscoped

ADDRESS = {"name": "Ines", "street": "Krzyża 14", "postcode": "31-028", "city": "Kraków",
           "country": "Poland"}  # fmt: skip


@pytest.fixture
def stock(db):
    """How many copies of a book are on the shelf now."""

    def stock(book):
        with unscoped("count"):
            return db.session.scalar(db.select(Book.stock).where(Book.id == book.id))

    return stock


def test_an_order_takes_its_books_off_the_shelf(make, as_user, ines, db, stock):
    emma, faust = make(Book, stock=5, price_cents=1000), make(Book, stock=1, price_cents=700)

    with as_user(ines):
        key = orders.place(ines.id, {emma.id: 2, faust.id: 1}, delivery="post", **ADDRESS)

        order = db.session.get(Order, key)
        assert order.total_cents == 2700 + DELIVERY["post"]
        assert {line.book_id: line.count for line in order.lines} == {emma.id: 2, faust.id: 1}
        assert order.number == f"D-{order.created_at.year}-{key:06}"
    assert (stock(emma), stock(faust)) == (3, 0)


def test_the_price_of_an_order_stays(make, as_user, ines, db):
    emma = make(Book, stock=5, price_cents=1000)
    with as_user(ines):
        key = orders.place(ines.id, {emma.id: 1}, delivery="courier", **ADDRESS)
    with as_user(1, roles={"staff"}), db.transaction() as session:
        session.get(Book, emma.id).price_cents = 9900

    with as_user(ines):
        assert db.session.get(Order, key).lines[0].price_cents == 1000


def test_what_is_sold_out_stops_the_whole_order(make, as_user, ines, db, stock):
    emma, faust = make(Book, stock=5), make(Book, stock=1)

    with as_user(ines), pytest.raises(orders.SoldOut, match="only 1 left"):
        orders.place(ines.id, {emma.id: 2, faust.id: 2}, delivery="post", **ADDRESS)

    assert (stock(emma), stock(faust)) == (5, 1)
    with unscoped("count"):
        assert db.session.scalar(db.select(db.func.count(Order.id))) == 0


def test_a_wrong_address_takes_nothing(make, as_user, ines, stock):
    emma = make(Book, stock=5)
    with as_user(ines), pytest.raises(Exception, match="for example 31-042"):
        orders.place(ines.id, {emma.id: 1}, delivery="post", **ADDRESS | {"postcode": "?"})
    assert stock(emma) == 5


def test_nobody_orders_without_the_checkout(make, as_user, ines, db):
    """An order that takes nothing from the stock cannot be made, whoever asks."""
    for who in (as_user(ines), as_user(1, roles={"staff"}), as_user(1, roles={"admin"})):
        with who, pytest.raises(Exception, match="may not"), db.transaction() as session:
            session.add(Order(customer_id=ines.id, delivery_cents=0, total_cents=0,
                              delivery="post", **ADDRESS))  # fmt: skip


@pytest.mark.commits  # real transactions, several at a time
def test_buyers_at_once_never_sell_what_is_not_there(app, make, ines, db, stock):
    """Twelve people want two of seven copies: three get them, one copy stays."""
    book, other = make(Book, stock=7), make(Book, stock=100)

    def buy(number):
        wanted = {book.id: 2, other.id: 1} if number % 2 else {other.id: 1, book.id: 2}
        with app.app_context(), app.scope(user=ines.id):
            try:
                return bool(orders.place(ines.id, wanted, delivery="post", **ADDRESS))
            except orders.SoldOut:
                return False

    with ThreadPoolExecutor(12) as crowd:
        bought = list(crowd.map(buy, range(12)))

    assert sum(bought) == 3
    assert (stock(book), stock(other)) == (1, 97)
